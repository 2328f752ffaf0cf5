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

#define FIRST_OF_INSTANCE ATTRIBUTE_SOP_INSTANCE_UID
_Static_assert(FIRST_OF_INSTANCE < BOUND_MAX &&
                   ATTRIBUTE_COUNT - FIRST_OF_INSTANCE + 8 <= BOUND_MAX,
               "room in struct writer");
#define IS_OF_INSTANCE(name, keyword, group, element, vr, level, column, use) \
    +(LEVEL_##level == LEVEL_INSTANCE)
_Static_assert(ATTRIBUTES(IS_OF_INSTANCE) == ATTRIBUTE_COUNT - FIRST_OF_INSTANCE,
               "bind_instance takes them as one piece");

/* ---- rows ---- */

/* The only form in which an integer is written: what goes in as a number comes out the same. */
static bool plain_integer(const char *text, int64_t *value)
{
    const char *digits = text + (*text == '-'), *at = digits;
    int64_t number = 0;

    for (; *at >= '0' && *at <= '9' && at - digits < 18; at++)
        number = number * 10 + (*at - '0');
    if (at == digits || at - digits > 17 || *at ||
        (*digits == '0' && (at - digits > 1 || *text == '-')))
        return false;
    *value = *text == '-' ? -number : number;
    return true;
}

/* ---- parameters that know what they hold ---- */

static void set_nothing(sqlite3_stmt *statement, struct bound *bound, int at)
{
    if (bound->kind != BOUND_NOTHING)
        sqlite3_bind_null(statement, at);
    bound->kind = BOUND_NOTHING;
}

static void set_number(sqlite3_stmt *statement, struct bound *bound, int at, int64_t number)
{
    if (bound->kind != BOUND_NUMBER || bound->number != number)
        sqlite3_bind_int64(statement, at, number);
    bound->kind = BOUND_NUMBER;
    bound->number = number;
}

static void set_text(sqlite3_stmt *statement, struct bound *bound, int at, const char *text)
{
    size_t length = strlen(text);

    if (length >= sizeof bound->text) {
        sqlite3_bind_text(statement, at, text, (int)length, SQLITE_STATIC);
        bound->kind = BOUND_UNKNOWN;
    } else if (bound->kind != BOUND_TEXT || strcmp(bound->text, text) != 0) {
        memcpy(bound->text, text, length + 1);
        sqlite3_bind_text(statement, at, bound->text, (int)length, SQLITE_STATIC);
        bound->kind = BOUND_TEXT;
    }
}

static int set_attribute(struct index *index, sqlite3_stmt *statement, struct bound *bound, int at,
                         size_t i, const char *value, struct err *err)
{
    int64_t number;

    if (i == ATTRIBUTE_PATIENT_ID || i == ATTRIBUTE_ISSUER_OF_PATIENT_ID) {
        set_text(statement, bound, at, value ? value : "");
    } else if (!value || !*value) {
        set_nothing(statement, bound, at);
    } else if (i == ATTRIBUTE_SOP_CLASS_UID || i == ATTRIBUTE_TRANSFER_SYNTAX_UID) {
        number =
            term_id(index, i == ATTRIBUTE_SOP_CLASS_UID ? TERM_CLASS : TERM_SYNTAX, value, err);
        if (number < 0)
            return -1;
        set_number(statement, bound, at, number);
    } else if ((attributes[i].vr == VR_IS || attributes[i].vr == VR_US) &&
               plain_integer(value, &number)) {
        set_number(statement, bound, at, number);
    } else {
        set_text(statement, bound, at, value);
    }
    return 0;
}

/* The attributes of a level as ?1, ?2 ...; returns the number of the next parameter, or -1. the
 * texts are the record's or the writer's, until its next call. */
static int bind_level(struct index *index, sqlite3_stmt *statement, enum query_level level,
                      const struct index_record *record, struct err *err)
{
    struct bound *bound = index->writer->other_bound;
    int at = 1;

    memset(bound, 0, sizeof index->writer->other_bound);
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        if (attributes[i].level != level)
            continue;
        if (set_attribute(index, statement, &bound[at], at, i, record->value[i], err) < 0)
            return -1;
        at++;
    }
    return at;
}

/* As bind_level. The attributes of an instance come last in their table. Most objects lack most of them
 * and have others as the object before: those need not be bound again. */
static int bind_instance(struct index *index, sqlite3_stmt *statement,
                         const struct index_record *record, struct err *err)
{
    struct bound *bound = index->writer->bound;
    int at = 1;

    for (size_t i = FIRST_OF_INSTANCE; i < ATTRIBUTE_COUNT; i++, at++)
        if (set_attribute(index, statement, &bound[at], at, i, record->value[i], err) < 0)
            return -1;
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

static struct entry *known_study(struct writer *writer, const char *uid)
{
    size_t length = strlen(uid);

    if (!is_entry(writer->last_study, uid, length))
        writer->last_study = recall(writer, ENTRY_STUDY, 0, uid, length);
    return writer->last_study;
}

static struct entry *find_study(struct index *index, const struct index_record *record,
                                struct err *err)
{
    const char *uid = record->value[ATTRIBUTE_STUDY_INSTANCE_UID];
    struct entry *entry = known_study(index->writer, uid);
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

static struct entry *known_series(struct writer *writer, const struct entry *study, const char *uid)
{
    struct entry *last = writer->last_series;
    size_t length = strlen(uid);

    if (!is_entry(last, uid, length) || last->parent != study->id)
        last = writer->last_series = recall(writer, ENTRY_SERIES, study->id, uid, length);
    return last;
}

/* A series belongs to its study: the same UID in another study is another series. */
static struct entry *find_series(struct index *index, struct entry *study,
                                 const struct index_record *record, struct err *err)
{
    const char *uid = record->value[ATTRIBUTE_SERIES_INSTANCE_UID];
    struct entry *entry = known_series(index->writer, study, uid);
    sqlite3_stmt *statement;
    int result;

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
    return look_up(index, statement, &id, err);
}

static int64_t size_of(const struct index_record *record)
{
    return record->size > INT64_MAX ? INT64_MAX : (int64_t)record->size;
}

static enum index_added insert_instance(struct index *index, const struct entry *series,
                                        const struct index_record *record, int64_t folder,
                                        const char *name, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_INSTANCE_INSERT, err);
    const int64_t number[] = {series->id, size_of(record), record->mtime_ns, record->received_ms};
    int64_t calling = term_id(index, TERM_CALLING, record->calling_aet, err);
    struct bound *bound = index->writer->bound;
    int at;

    if (!statement || calling < 0 || (at = bind_instance(index, statement, record, err)) < 0)
        return INDEX_ERROR;
    for (size_t i = 0; i < sizeof number / sizeof number[0]; i++, at++)
        set_number(statement, &bound[at], at, number[i]);
    if (calling)
        set_number(statement, &bound[at], at, calling);
    else
        set_nothing(statement, &bound[at], at);
    at++;
    if (name)
        set_number(statement, &bound[at], at, folder);
    else
        set_nothing(statement, &bound[at], at);
    at++;
    if (name)
        set_text(statement, &bound[at], at, name);
    else
        set_nothing(statement, &bound[at], at);
    if (index_step(index, statement, err) < 0)
        return INDEX_ERROR;
    return sqlite3_changes(index->db) > 0 ? INDEX_ADDED : INDEX_EXISTS;
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
    const char *id = record->value[ATTRIBUTE_PATIENT_ID];
    const char *issuer = record->value[ATTRIBUTE_ISSUER_OF_PATIENT_ID];
    struct buf *name = &writer->scratch;

    if (id && *id && !issuer && strcmp(id, study->study->patient) == 0)
        return;
    buf_clear(name);
    name_patient(name, id, issuer);
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
    *folder = file_folder(index, path, name, err);
    return *folder < 0 ? -1 : 0;
}

/* Nothing but the instance itself, and perhaps its folder, would be new: then its INSERT tells whether
 * there is one already, and nothing has been changed until then. */
static bool is_prepared(const struct index *index, const struct index_record *record)
{
    struct writer *writer = index->writer;
    const char *const term[TERM_COUNT] = {record->value[ATTRIBUTE_SOP_CLASS_UID],
                                          record->value[ATTRIBUTE_TRANSFER_SYNTAX_UID],
                                          record->calling_aet};
    const struct entry *study = known_study(writer, record->value[ATTRIBUTE_STUDY_INSTANCE_UID]);

    for (size_t i = 0; i < TERM_COUNT; i++)
        if (term[i] && *term[i] && !is_entry(writer->last_term[i], term[i], strlen(term[i])))
            return false;
    return study && (record->path || study->study->folder) &&
           known_series(writer, study, record->value[ATTRIBUTE_SERIES_INSTANCE_UID]);
}

/* As index_add; but the instance that is there may be one that a file waiting to be entered (files_add)
 * takes away. */
static enum index_added add_object(struct index *index, const struct index_record *record,
                                   struct err *err)
{
    struct buf stored = {0};
    struct entry *study, *series;
    enum index_added added = INDEX_ERROR;
    const char *name;
    int64_t folder = 0;

    if (!is_prepared(index, record)) {
        int exists = instance_exists(index, record->value[ATTRIBUTE_SOP_INSTANCE_UID], err);

        if (exists)
            return exists < 0 ? INDEX_ERROR : INDEX_EXISTS;
    }
    if (!(study = find_study(index, record, err)) ||
        place_object(index, study, record, &folder, &name, &stored, err) < 0 ||
        !(series = find_series(index, study, record, err)))
        goto out;
    added = insert_instance(index, series, record, folder, name, err);
    if (added != INDEX_ADDED)
        goto out;
    added = INDEX_ERROR;
    if (name && record->path && record->path[0] == '/' &&
        files_add(index, folder, name, record, sqlite3_last_insert_rowid(index->db), err) < 0)
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

enum index_added index_add(struct index *index, const struct index_record *record, struct err *err)
{
    enum index_added added;

    if (index_need_transaction(index, err) < 0 || check_record(record, err) < 0)
        return INDEX_ERROR;
    buf_clear(&index->writer->warning);
    if (index->writer->count > REMEMBER_MAX) {
        if (writer_flush(index, err) < 0)
            return INDEX_ERROR;
        writer_forget(index->writer);
    }
    added = add_object(index, record, err);
    if (added != INDEX_EXISTS || index->writer->files.count == 0)
        return added;
    return files_flush(index, err) < 0 ? INDEX_ERROR : add_object(index, record, err);
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

    if (files_flush(index, err) < 0)
        return -1;
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
