/*
 * Adding objects: see index_add. Patient, study and series are looked up when they change and
 * remembered while no one else writes; counters are written once per transaction (one UPDATE per
 * object costs 30 %).
 */
#include "index/writer_internal.h"

#include <stdlib.h>
#include <string.h>

#define REMEMBER_MAX   8192 /* studies and series together, then all is written and forgotten */
#define MANY_ROWS      500 /* of one transaction: a load, not a receiver with its own memory limit */
#define MODALITIES_MAX 1024 /* characters of the list in a study's row: hostile studies end here */
#define CLASSES_MAX    16384

/* ---- rows ---- */

/* The only form in which an integer is written: what goes in as a number comes out the same. */
static bool plain_integer(const char *text, int64_t *value)
{
    const char *at = text + (*text == '-');
    size_t digits = strspn(at, "0123456789");

    if (digits == 0 || digits > 17 || at[digits] || (at[0] == '0' && (digits > 1 || *text == '-')))
        return false;
    *value = strtoll(text, NULL, 10);
    return true;
}

/* The attributes of a level as ?1, ?2 ...; returns the number of the next parameter, or -1. */
static int bind_level(struct index *index, sqlite3_stmt *statement, enum query_level level,
                      const struct index_record *record, struct err *err)
{
    int at = 1;

    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        const char *value = record->value[i];
        int64_t number;

        if (attributes[i].level != level)
            continue;
        if (i == ATTRIBUTE_SOP_CLASS_UID || i == ATTRIBUTE_TRANSFER_SYNTAX_UID) {
            number = term_id(index, value, err);
            if (number < 0)
                return -1;
            if (number)
                sqlite3_bind_int64(statement, at++, number);
            else
                sqlite3_bind_null(statement, at++);
        } else if (i == ATTRIBUTE_PATIENT_ID || i == ATTRIBUTE_ISSUER_OF_PATIENT_ID) {
            bind_text(statement, at++, value ? value : "");
        } else if (value && (attributes[i].vr == VR_IS || attributes[i].vr == VR_US) &&
                   plain_integer(value, &number)) {
            sqlite3_bind_int64(statement, at++, number);
        } else {
            bind_text(statement, at++, value && *value ? value : NULL);
        }
    }
    return at;
}

/* Every component group of a name, folded, leads to the patient. */
static int add_names(struct index *index, int64_t patient, const char *name, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_NAME_INSERT, err);
    struct buf *key = &index->writer->scratch;

    if (!statement)
        return -1;
    while (name && *name) {
        buf_clear(key);
        name = name_key(name, key);
        if (!key->length)
            continue;
        sqlite3_bind_text(statement, 1, key->data, (int)key->length, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, patient);
        if (index_step(index, statement, err) < 0)
            return -1;
    }
    return 0;
}

/* Patients without an ID are told apart by name and birth date: one row for all of them would mix
 * strangers. */
static int64_t patient_row(struct index *index, const struct index_record *record, struct err *err)
{
    const char *id = record->value[ATTRIBUTE_PATIENT_ID];
    const char *issuer = record->value[ATTRIBUTE_ISSUER_OF_PATIENT_ID];
    const char *name = record->value[ATTRIBUTE_PATIENT_NAME];
    const char *birth_date = record->value[ATTRIBUTE_PATIENT_BIRTH_DATE];
    sqlite3_stmt *statement = index_statement(index, SQL_PATIENT_FIND, err);
    struct buf unnamed = {0};
    int64_t patient = -1;
    int result, at;

    if (!statement)
        return -1;
    if (!id || !*id) {
        if (name)
            name_key(name, &unnamed);
        buf_addf(&unnamed, "|%s", birth_date ? birth_date : "");
    }
    bind_text(statement, 1, id ? id : "");
    bind_text(statement, 2, issuer ? issuer : "");
    bind_text(statement, 3, buf_text(&unnamed));
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        patient = sqlite3_column_int64(statement, 0);
    else if (result != SQLITE_DONE)
        index_failed(index, err);
    sqlite3_reset(statement);
    if (result != SQLITE_DONE)
        goto out;
    statement = index_statement(index, SQL_PATIENT_INSERT, err);
    if (!statement || (at = bind_level(index, statement, LEVEL_PATIENT, record, err)) < 0)
        goto out;
    bind_text(statement, at, buf_text(&unnamed));
    if (index_step(index, statement, err) < 0)
        goto out;
    patient = sqlite3_last_insert_rowid(index->db);
    if (add_names(index, patient, name, err) < 0)
        patient = -1;
out:
    buf_free(&unnamed);
    return patient;
}

static void name_patient(struct buf *out, const char *id, const char *issuer)
{
    buf_adds(out, id && *id ? id : "without an ID");
    if (issuer && *issuer)
        buf_addf(out, " of %s", issuer);
}

static struct entry *remember_study(struct writer *writer, const char *uid, int64_t id,
                                    const char *folder)
{
    struct entry *entry = remember(writer, ENTRY_STUDY, 0, uid, strlen(uid), id);

    entry->study = xcalloc(1, sizeof *entry->study);
    entry->study->folder = folder ? xstrdup(folder) : NULL;
    return entry;
}

static struct entry *insert_study(struct index *index, const struct index_record *record,
                                  struct err *err)
{
    int64_t patient = patient_row(index, record, err);
    sqlite3_stmt *statement = index_statement(index, SQL_STUDY_INSERT, err);
    struct entry *entry;
    struct buf name = {0};
    int at;

    if (patient < 0 || !statement ||
        (at = bind_level(index, statement, LEVEL_STUDY, record, err)) < 0)
        return NULL;
    sqlite3_bind_int64(statement, at++, patient);
    bind_text(statement, at++, record->study_folder);
    for (int i = 0; i < 4; i++)
        sqlite3_bind_int64(statement, at++, 0);
    if (index_step(index, statement, err) < 0)
        return NULL;
    entry = remember_study(index->writer, record->value[ATTRIBUTE_STUDY_INSTANCE_UID],
                           sqlite3_last_insert_rowid(index->db), record->study_folder);
    name_patient(&name, record->value[ATTRIBUTE_PATIENT_ID],
                 record->value[ATTRIBUTE_ISSUER_OF_PATIENT_ID]);
    entry->study->patient = buf_take(&name);
    return entry;
}

static struct entry *find_study(struct index *index, const struct index_record *record,
                                struct err *err)
{
    const char *uid = record->value[ATTRIBUTE_STUDY_INSTANCE_UID];
    struct entry *entry = recall(index->writer, ENTRY_STUDY, 0, uid, strlen(uid));
    struct buf name = {0};
    sqlite3_stmt *statement;
    int result;

    if (entry)
        return entry;
    statement = index_statement(index, SQL_STUDY_FIND, err);
    if (!statement)
        return NULL;
    bind_text(statement, 1, uid);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        const char *list;

        entry = remember_study(index->writer, uid, sqlite3_column_int64(statement, 0),
                               (const char *)sqlite3_column_text(statement, 2));
        if ((list = (const char *)sqlite3_column_text(statement, 3)))
            buf_adds(&entry->study->modalities, list);
        if ((list = (const char *)sqlite3_column_text(statement, 4)))
            buf_adds(&entry->study->classes, list);
        name_patient(&name, (const char *)sqlite3_column_text(statement, 5),
                     (const char *)sqlite3_column_text(statement, 6));
        entry->study->patient = buf_take(&name);
    } else if (result != SQLITE_DONE) {
        index_failed(index, err);
    }
    sqlite3_reset(statement);
    return result == SQLITE_DONE ? insert_study(index, record, err) : entry;
}

/* The study's first objects were indexed in place, now one comes into the archive. */
static int give_folder(struct index *index, struct entry *study, const char *folder,
                       struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_STUDY_FOLDER, err);

    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, study->id);
    bind_text(statement, 2, folder);
    if (index_step(index, statement, err) < 0)
        return -1;
    study->study->folder = xstrdup(folder);
    return 0;
}

/* Whether `item` is among those that '\' separates. */
static bool in_list(const struct buf *list, const char *item)
{
    size_t length = strlen(item);

    for (const char *at = list->data; at && *at;) {
        size_t n = strcspn(at, "\\");

        if (n == length && memcmp(at, item, n) == 0)
            return true;
        at += n + (at[n] == '\\');
    }
    return false;
}

static void list_add(struct buf *list, const char *item, size_t limit)
{
    if (!item || !*item || list->length + strlen(item) >= limit || in_list(list, item))
        return;
    if (list->length)
        buf_addc(list, '\\');
    buf_adds(list, item);
}

/* Modality is one value; what a hostile object puts there with backslashes is several. */
static int add_modality(struct index *index, struct entry *study, const char *modality,
                        struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_MODALITY_INSERT, err);

    if (!statement)
        return -1;
    if (!modality || !*modality || in_list(&study->study->modalities, modality))
        return 0;
    bind_text(statement, 1, modality);
    sqlite3_bind_int64(statement, 2, study->id);
    if (index_step(index, statement, err) < 0)
        return -1;
    list_add(&study->study->modalities, modality, MODALITIES_MAX);
    make_dirty(index->writer, study);
    return 0;
}

static struct entry *insert_series(struct index *index, struct entry *study,
                                   const struct index_record *record, struct err *err)
{
    const char *uid = record->value[ATTRIBUTE_SERIES_INSTANCE_UID];
    sqlite3_stmt *statement = index_statement(index, SQL_SERIES_INSERT, err);
    int at;

    if (!statement || (at = bind_level(index, statement, LEVEL_SERIES, record, err)) < 0)
        return NULL;
    sqlite3_bind_int64(statement, at++, study->id);
    for (int i = 0; i < 3; i++)
        sqlite3_bind_int64(statement, at++, 0);
    if (index_step(index, statement, err) < 0)
        return NULL;
    int64_t id = sqlite3_last_insert_rowid(index->db);
    if (add_modality(index, study, record->value[ATTRIBUTE_MODALITY], err) < 0)
        return NULL;
    study->series++;
    make_dirty(index->writer, study);
    return remember(index->writer, ENTRY_SERIES, study->id, uid, strlen(uid), id);
}

/* A series belongs to its study: the same UID in another study is another series. */
static struct entry *find_series(struct index *index, struct entry *study,
                                 const struct index_record *record, struct err *err)
{
    const char *uid = record->value[ATTRIBUTE_SERIES_INSTANCE_UID];
    struct entry *entry = index->writer->last_series;
    sqlite3_stmt *statement;
    int result;

    if (entry && entry->parent == study->id && strcmp(entry->key, uid) == 0)
        return entry;
    entry = recall(index->writer, ENTRY_SERIES, study->id, uid, strlen(uid));
    if (!entry) {
        statement = index_statement(index, SQL_SERIES_FIND, err);
        if (!statement)
            return NULL;
        bind_text(statement, 1, uid);
        sqlite3_bind_int64(statement, 2, study->id);
        result = sqlite3_step(statement);
        if (result == SQLITE_ROW)
            entry = remember(index->writer, ENTRY_SERIES, study->id, uid, strlen(uid),
                             sqlite3_column_int64(statement, 0));
        else if (result != SQLITE_DONE)
            index_failed(index, err);
        sqlite3_reset(statement);
        if (result == SQLITE_DONE)
            entry = insert_series(index, study, record, err);
    }
    index->writer->last_series = entry;
    return entry;
}

/* ---- the object ---- */

static int check_record(const struct index_record *record, struct err *err)
{
    static const enum attribute needed[] = {
        ATTRIBUTE_STUDY_INSTANCE_UID, ATTRIBUTE_SERIES_INSTANCE_UID, ATTRIBUTE_SOP_INSTANCE_UID};

    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        const char *uid = record->value[needed[i]];

        if (!uid || !*uid || strlen(uid) > UID_MAX)
            return err_set(err, ERR_INPUT, "%s: %s", attributes[needed[i]].keyword,
                           uid && *uid ? "longer than 64 characters" : "missing");
    }
    if (!record->path && !record->study_folder)
        return err_set(err, ERR_INPUT, "an object with neither a path nor a study's folder");
    return 0;
}

/* A lookup of one key. 1 when there is a row, `id` its first column. */
static int look(struct index *index, sqlite3_stmt *statement, int64_t *id, struct err *err)
{
    int result = sqlite3_step(statement);

    if (result == SQLITE_ROW)
        *id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    if (result == SQLITE_ROW)
        return 1;
    return result == SQLITE_DONE ? 0 : index_failed(index, err);
}

static int instance_exists(struct index *index, const char *uid, struct err *err)
{
    sqlite3_stmt *statement;
    int64_t id;

    if (index->mode == INDEX_BULK)
        return 0;
    statement = index_statement(index, SQL_INSTANCE_FIND, err);
    if (!statement)
        return -1;
    bind_text(statement, 1, uid);
    return look(index, statement, &id, err);
}

static int64_t split_path(struct index *index, const char *path, const char **name, struct err *err)
{
    const char *slash = strrchr(path, '/');

    *name = slash ? slash + 1 : path;
    if (!slash)
        return writer_folder(index, ".", 1, true, err);
    return writer_folder(index, slash == path ? "/" : path,
                         slash == path ? 1 : (size_t)(slash - path), true, err);
}

static int put_file(struct index *index, int64_t folder, const char *name, uint64_t size,
                    int64_t mtime_ns, int64_t instance, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_FILE_PUT, err);

    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, folder);
    bind_text(statement, 2, name);
    sqlite3_bind_int64(statement, 3, (int64_t)size);
    sqlite3_bind_int64(statement, 4, mtime_ns);
    if (instance)
        sqlite3_bind_int64(statement, 5, instance);
    else
        sqlite3_bind_null(statement, 5);
    return index_step(index, statement, err);
}

/* The file was rewritten with another object in it: the row of the first goes. */
static int drop_previous(struct index *index, int64_t folder, const char *name, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_FILE_FIND, err);
    int64_t instance = 0;

    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, folder);
    bind_text(statement, 2, name);
    if (look(index, statement, &instance, err) < 0)
        return -1;
    return instance > 0 ? index_remove_instance(index, instance, err) : 0;
}

static int64_t size_of(const struct index_record *record)
{
    return record->size > INT64_MAX ? INT64_MAX : (int64_t)record->size;
}

static int insert_instance(struct index *index, const struct entry *series,
                           const struct index_record *record, int64_t folder, const char *name,
                           struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_INSTANCE_INSERT, err);
    int64_t calling = term_id(index, record->calling_aet, err);
    int at;

    if (!statement || calling < 0 ||
        (at = bind_level(index, statement, LEVEL_INSTANCE, record, err)) < 0)
        return -1;
    sqlite3_bind_int64(statement, at++, series->id);
    sqlite3_bind_int64(statement, at++, size_of(record));
    sqlite3_bind_int64(statement, at++, record->mtime_ns);
    sqlite3_bind_int64(statement, at++, record->received_ms);
    if (calling)
        sqlite3_bind_int64(statement, at++, calling);
    else
        sqlite3_bind_null(statement, at++);
    if (name)
        sqlite3_bind_int64(statement, at++, folder);
    else
        sqlite3_bind_null(statement, at++);
    bind_text(statement, at, name);
    return index_step(index, statement, err);
}

static void count_object(struct writer *writer, struct entry *entry,
                         const struct index_record *record)
{
    int64_t size = size_of(record);

    entry->instances++;
    entry->bytes = entry->bytes > INT64_MAX - size ? INT64_MAX : entry->bytes + size;
    if (record->received_ms > entry->received)
        entry->received = record->received_ms;
    make_dirty(writer, entry);
}

static void compare_patient(struct writer *writer, const struct entry *study,
                            const struct index_record *record)
{
    struct buf *name = &writer->scratch;

    buf_clear(&writer->warning);
    buf_clear(name);
    name_patient(name, record->value[ATTRIBUTE_PATIENT_ID],
                 record->value[ATTRIBUTE_ISSUER_OF_PATIENT_ID]);
    if (strcmp(buf_text(name), study->study->patient) != 0)
        buf_addf(&writer->warning, "study %s: of patient %s, but an object says %s: kept",
                 study->key, study->study->patient, buf_text(name));
}

const char *index_warning(const struct index *index)
{
    return index->writer && index->writer->warning.length ? index->writer->warning.data : NULL;
}

/* Where the object lies, when it is not where our rule puts it. */
static int place_object(struct index *index, struct entry *study, const struct index_record *record,
                        int64_t *folder, const char **name, struct buf *stored, struct err *err)
{
    const char *path = record->path;

    *name = NULL;
    if (!path && !study->study->folder && give_folder(index, study, record->study_folder, err) < 0)
        return -1;
    if (!path && strcmp(study->study->folder, record->study_folder) != 0) {
        buf_addf(stored, "%s/%s/%s.dcm", record->study_folder,
                 record->value[ATTRIBUTE_SERIES_INSTANCE_UID],
                 record->value[ATTRIBUTE_SOP_INSTANCE_UID]);
        path = stored->data;
    }
    if (!path)
        return 0;
    *folder = split_path(index, path, name, err);
    if (*folder < 0)
        return -1;
    return path[0] == '/' ? drop_previous(index, *folder, *name, err) : 0;
}

enum index_added index_add(struct index *index, const struct index_record *record, struct err *err)
{
    struct buf stored = {0};
    struct entry *study, *series;
    enum index_added added = INDEX_ERROR;
    const char *name;
    int64_t folder = 0;
    int exists;

    if (index_need_transaction(index, err) < 0 || check_record(record, err) < 0)
        return INDEX_ERROR;
    buf_clear(&index->writer->warning);
    exists = instance_exists(index, record->value[ATTRIBUTE_SOP_INSTANCE_UID], err);
    if (exists)
        return exists < 0 ? INDEX_ERROR : INDEX_EXISTS;
    if (index->writer->count > REMEMBER_MAX) {
        if (writer_flush(index, err) < 0)
            return INDEX_ERROR;
        writer_forget(index->writer);
    }
    if (!(study = find_study(index, record, err)) ||
        place_object(index, study, record, &folder, &name, &stored, err) < 0 ||
        !(series = find_series(index, study, record, err)) ||
        insert_instance(index, series, record, folder, name, err) < 0)
        goto out;
    if (name && record->path && record->path[0] == '/' &&
        put_file(index, folder, name, record->size, record->mtime_ns,
                 sqlite3_last_insert_rowid(index->db), err) < 0)
        goto out;
    count_object(index->writer, study, record);
    count_object(index->writer, series, record);
    list_add(&study->study->classes, record->value[ATTRIBUTE_SOP_CLASS_UID], CLASSES_MAX);
    compare_patient(index->writer, study, record);
    if (++index->added == MANY_ROWS && index_grow_cache(index, err) < 0)
        goto out;
    added = INDEX_ADDED;
out:
    buf_free(&stored);
    return added;
}

int index_file_put(struct index *index, const char *path, uint64_t size, int64_t mtime_ns,
                   const char *sop_uid, struct err *err)
{
    sqlite3_stmt *statement;
    const char *name;
    int64_t folder, instance = 0;

    if (index_need_transaction(index, err) < 0 ||
        (folder = split_path(index, path, &name, err)) < 0 ||
        drop_previous(index, folder, name, err) < 0)
        return -1;
    if (sop_uid && index->mode != INDEX_BULK) {
        statement = index_statement(index, SQL_INSTANCE_FIND, err);
        if (!statement)
            return -1;
        bind_text(statement, 1, sop_uid);
        if (look(index, statement, &instance, err) < 0)
            return -1;
    }
    return put_file(index, folder, name, size, mtime_ns, -instance, err);
}

/* ---- counters ---- */

static int flush_series(struct index *index, struct entry *entry, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_SERIES_ADD, err);

    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, entry->id);
    sqlite3_bind_int64(statement, 2, entry->instances);
    sqlite3_bind_int64(statement, 3, entry->bytes);
    sqlite3_bind_int64(statement, 4, entry->received);
    return index_step(index, statement, err);
}

static int flush_study(struct index *index, struct entry *entry, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_STUDY_ADD, err);

    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, entry->id);
    sqlite3_bind_int64(statement, 2, entry->series);
    sqlite3_bind_int64(statement, 3, entry->instances);
    sqlite3_bind_int64(statement, 4, entry->bytes);
    sqlite3_bind_int64(statement, 5, entry->received);
    bind_text(statement, 6, entry->study->modalities.length ? entry->study->modalities.data : NULL);
    bind_text(statement, 7, entry->study->classes.length ? entry->study->classes.data : NULL);
    return index_step(index, statement, err);
}

int writer_flush(struct index *index, struct err *err)
{
    struct writer *writer = index->writer;

    for (struct entry *entry; (entry = writer->dirty);) {
        if ((entry->kind == ENTRY_STUDY ? flush_study(index, entry, err)
                                        : flush_series(index, entry, err)) < 0)
            return -1;
        writer->dirty = entry->next_dirty;
        entry->dirty = false;
        entry->series = entry->instances = entry->bytes = entry->received = 0;
    }
    if (!writer->recounts)
        return 0;
    for (size_t i = 0; i < writer->recounts; i++)
        if (recount_study(index, writer->recount[i], err) < 0)
            return -1;
    writer_forget(writer);
    return 0;
}

void writer_recount(struct index *index, int64_t study)
{
    struct writer *writer = index->writer;

    for (size_t i = writer->recounts; i > 0 && i + 8 > writer->recounts; i--)
        if (writer->recount[i - 1] == study)
            return;
    /* Doubles at powers of two; a study named twice is only counted twice. */
    if ((writer->recounts & (writer->recounts - 1)) == 0)
        writer->recount = xreallocarray(
            writer->recount, writer->recounts ? writer->recounts * 2 : 1, sizeof *writer->recount);
    writer->recount[writer->recounts++] = study;
}
