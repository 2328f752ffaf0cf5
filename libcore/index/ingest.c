/*
 * See ingest.h. The order of things is what makes a success true:
 *
 *   file durable -> named at its place -> folder durable -> row committed -> answer
 *
 * A kill or a power loss between any two of them leaves either a leftover in incoming/, or a placement
 * without a row, which its second name in incoming/ leads to (archive_recover), and which the same object
 * coming again completes. A placement is never taken back because the index failed: another process may
 * have met it in the meantime, and have answered for it.
 */
#include "index/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "index/object.h"

#define PENDING_MAX 64 /* placed, not yet durable: SYNC_ASSOCIATION */
#define TRIES_MAX   8  /* others may change what we have just looked at, but not for ever */

enum duplicate_policy { DUPLICATE_QUARANTINE, DUPLICATE_KEEP, DUPLICATE_REPLACE };

struct ingest {
    struct store *store;
    struct index *index;
    int policy;
    struct object_reader reader;
    struct object fresh, stored; /* the new object, the one that is there */
    struct buf folder, path, why;
    struct incoming *pending[PENDING_MAX];
    char *pending_path[PENDING_MAX];
    size_t pending_count;
};

/* One object on its way. */
struct task {
    struct ingest *ingest;
    struct incoming *incoming;
    const struct ingest_options *options;
    struct ingest_report *report;
    struct object *object;
    struct index_record *record; /* of it */
    bool replace_row;            /* the row is there, its file is not */
};

/* The result of a step; AGAIN: what was seen has changed, look anew. */
enum step { STEP_AGAIN = 100 };

void ingest_report_free(struct ingest_report *report)
{
    buf_free(&report->path);
    buf_free(&report->reason);
}

struct ingest *ingest_new(struct archive *archive, struct err *err)
{
    struct ingest *ingest = xcalloc(1, sizeof *ingest);

    object_reader_init(&ingest->reader);
    ingest->store = archive_store(archive);
    if (config_choice(archive_config(archive), "store", "duplicate", "quarantine|keep|replace",
                      DUPLICATE_QUARANTINE, &ingest->policy, err) < 0 ||
        config_unknown(archive_config(archive), "store", err) < 0 ||
        !(ingest->index = archive_index(archive, err))) {
        ingest_free(ingest);
        return NULL;
    }
    return ingest;
}

void ingest_free(struct ingest *ingest)
{
    if (!ingest)
        return;
    for (size_t i = 0; i < ingest->pending_count; i++) {
        incoming_free(ingest->pending[i]);
        free(ingest->pending_path[i]);
    }
    object_reader_free(&ingest->reader);
    object_free(&ingest->fresh);
    object_free(&ingest->stored);
    buf_free(&ingest->folder);
    buf_free(&ingest->path);
    buf_free(&ingest->why);
    free(ingest);
}

/* ---- what is told ---- */

static void copy_uid(char *to, const char *from)
{
    size_t length = from ? strlen(from) : 0;

    if (length > UID_MAX)
        length = UID_MAX;
    if (length)
        memcpy(to, from, length);
    to[length] = '\0';
}

static void fill_report(const struct task *task)
{
    struct ingest_report *report = task->report;
    const char *const *value = task->record->value;

    copy_uid(report->study_uid, value[ATTRIBUTE_STUDY_INSTANCE_UID]);
    copy_uid(report->series_uid, value[ATTRIBUTE_SERIES_INSTANCE_UID]);
    copy_uid(report->sop_uid, value[ATTRIBUTE_SOP_INSTANCE_UID]);
    copy_uid(report->sop_class_uid, value[ATTRIBUTE_SOP_CLASS_UID]);
    copy_uid(report->transfer_syntax, value[ATTRIBUTE_TRANSFER_SYNTAX_UID]);
}

static void set_text(struct buf *buf, const char *text)
{
    buf_clear(buf);
    buf_adds(buf, text);
}

/* What the object is called when it is kept aside. */
static const char *name_of(const struct task *task)
{
    const char *uid = task->record->value[ATTRIBUTE_SOP_INSTANCE_UID];

    if (!uid || !*uid)
        uid = task->options->sop_instance_uid;
    return uid && *uid ? uid : "object";
}

static const char *compose_why(struct task *task, const char *reason)
{
    struct buf *why = &task->ingest->why;
    const struct ingest_options *options = task->options;

    set_text(&task->report->reason, reason);
    set_text(why, reason);
    buf_addc(why, '\n');
    if (options->calling_aet)
        buf_addf(why, "from: %s\n", options->calling_aet);
    if (options->sop_instance_uid)
        buf_addf(why, "announced: instance %s of class %s\n", options->sop_instance_uid,
                 options->sop_class_uid ? options->sop_class_uid : "?");
    return why->data;
}

static int set_aside(struct task *task, enum ingest_result result, const char *reason,
                     struct err *err)
{
    buf_clear(&task->report->path);
    if (store_quarantine(task->ingest->store, task->incoming, name_of(task),
                         compose_why(task, reason), &task->report->path, err) < 0)
        return INGEST_FAILED;
    return result;
}

/* ---- rows ---- */

enum entered { ENTER_FAILED = -1, ENTER_ADDED, ENTER_KNOWN, ENTER_TAKEN };

/* In the transaction, with a row of this SOP instance there. KNOWN: it is about `path`. TAKEN: about
 * another object of the archive. A file indexed in place steps back for the archive's own. */
static enum entered meet_row(struct ingest *ingest, const struct index_record *record,
                             const char *path, bool replace, struct err *err)
{
    struct index_instance row;
    char *in_place = NULL;
    enum entered entered = ENTER_FAILED;
    uint64_t size;
    int64_t mtime_ns;

    int found =
        index_find_instance(ingest->index, record->value[ATTRIBUTE_SOP_INSTANCE_UID], &row, err);
    if (found <= 0)
        return found < 0
                   ? ENTER_FAILED
                   : (enum entered)err_set(err, ERR_FAILED, "index.db: a row that is not there");
    if (!replace && strcmp(row.path, path) == 0 && row.size == record->size &&
        row.mtime_ns == record->mtime_ns)
        return ENTER_KNOWN;
    if (!replace && row.path[0] != '/' && strcmp(row.path, path) != 0)
        return ENTER_TAKEN;
    if (row.path[0] == '/')
        in_place = xstrdup(row.path);
    size = row.size;
    mtime_ns = row.mtime_ns;
    if (index_remove_instance(ingest->index, row.id, err) == 0 &&
        index_add(ingest->index, record, err) == INDEX_ADDED &&
        (!in_place || index_file_put(ingest->index, in_place, size, mtime_ns,
                                     record->value[ATTRIBUTE_SOP_INSTANCE_UID], err) == 0))
        entered = ENTER_ADDED;
    free(in_place);
    return entered;
}

/* A row for what lies at `path`. With TAKEN the transaction is still open, so that the caller can take
 * its placement back before anyone looks. */
static enum entered enter_row(struct ingest *ingest, const struct index_record *record,
                              const char *path, bool replace, bool durable, struct err *err)
{
    enum entered entered = ENTER_FAILED;
    enum index_added added;

    if (index_set_durable(ingest->index, durable, err) < 0 || index_begin(ingest->index, err) < 0)
        return ENTER_FAILED;
    added = index_add(ingest->index, record, err);
    if (added == INDEX_ADDED)
        entered = ENTER_ADDED;
    else if (added == INDEX_EXISTS)
        entered = meet_row(ingest, record, path, replace, err);
    if (entered == ENTER_FAILED)
        index_rollback(ingest->index);
    else if (entered != ENTER_TAKEN && index_commit(ingest->index, err) < 0)
        entered = ENTER_FAILED;
    return entered;
}

/* ---- an object that is there already ---- */

static int open_stored(struct ingest *ingest, const char *path)
{
    return openat(store_root(ingest->store), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

/* 1 when the stored file, which `other` has just read, holds the same data set in the same transfer
 * syntax. */
static int same_data_set(const struct task *task, int fd, const struct object *stored,
                         struct err *err)
{
    const char *ours = task->record->value[ATTRIBUTE_TRANSFER_SYNTAX_UID];
    const char *theirs = stored->record.value[ATTRIBUTE_TRANSFER_SYNTAX_UID];
    int same;

    if (strcmp(ours ? ours : "", theirs ? theirs : "") != 0)
        return 0;
    same = store_same_bytes(incoming_fd(task->incoming), task->object->dataset_offset, fd,
                            stored->dataset_offset);
    return same < 0 ? err_sys(err, "%s", incoming_path(task->incoming)) : same;
}

static bool same_identity(const struct index_record *one, const struct index_record *other)
{
    static const enum attribute uids[] = {
        ATTRIBUTE_STUDY_INSTANCE_UID, ATTRIBUTE_SERIES_INSTANCE_UID, ATTRIBUTE_SOP_INSTANCE_UID};

    for (size_t i = 0; i < sizeof uids / sizeof uids[0]; i++)
        if (strcmp(one->value[uids[i]], other->value[uids[i]]) != 0)
            return false;
    return true;
}

static int answer_same(struct task *task, const char *path, enum ingest_result result,
                       struct err *err)
{
    if (task->options->sync != SYNC_NONE && store_settle(task->ingest->store, path, err) < 0)
        return INGEST_FAILED;
    set_text(&task->report->path, path);
    return result;
}

/* Where the new one belongs. */
static int find_place(struct task *task, struct err *err)
{
    struct ingest *ingest = task->ingest;
    const char *study = task->record->value[ATTRIBUTE_STUDY_INSTANCE_UID];
    int found;

    buf_clear(&ingest->folder);
    found = index_study_folder(ingest->index, study, &ingest->folder, err);
    if (found < 0)
        return -1;
    if (found == 0)
        store_study_folder(task->record->value[ATTRIBUTE_STUDY_DATE], study, &ingest->folder);
    task->record->study_folder = ingest->folder.data;
    buf_clear(&ingest->path);
    object_path(task->record, ingest->folder.data, &ingest->path);
    return 0;
}

/* The new object takes the old one's place, which is in quarantine by then. The writers' lock is held:
 * of two that replace the same object each finds the other's. */
static int replace_locked(struct task *task, const char *old, const char *why, struct err *err)
{
    struct ingest *ingest = task->ingest;
    const char *path = ingest->path.data;
    enum place_result placed = PLACE_EXISTS;

    if (store_quarantine_copy(ingest->store, old, name_of(task), why, NULL, err) < 0)
        return INGEST_FAILED;
    if (strcmp(old, path) != 0)
        placed = store_place(ingest->store, task->incoming, path, true, err);
    if (placed == PLACE_ERROR ||
        (placed == PLACE_EXISTS && store_replace(ingest->store, task->incoming, path, err) < 0))
        return INGEST_FAILED;
    if (enter_row(ingest, task->record, path, true, !store_keeps_names(ingest->store), err) ==
        ENTER_FAILED)
        return INGEST_FAILED;
    if (strcmp(old, path) != 0)
        unlinkat(store_root(ingest->store), old, 0);
    set_text(&task->report->path, path);
    return INGEST_REPLACED;
}

static int replace_stored(struct task *task, const char *old, const char *reason, struct err *err)
{
    struct ingest *ingest = task->ingest;
    struct index_instance row;
    struct buf why = {0};
    int result = INGEST_FAILED, found;

    buf_addf(&why, "%s\nwas: %s\n", reason, old);
    set_text(&task->report->reason, reason);
    if (task->options->calling_aet)
        buf_addf(&why, "replaced by: %s\n", task->options->calling_aet);
    if (index_hold(ingest->index, err) == 0) {
        found = index_find_instance(ingest->index, task->record->value[ATTRIBUTE_SOP_INSTANCE_UID],
                                    &row, err);
        if (found == 1 && strcmp(row.path, old) == 0 && find_place(task, err) == 0)
            result = replace_locked(task, old, why.data, err);
        else if (found == 0 || (found == 1 && strcmp(row.path, old) != 0))
            result = STEP_AGAIN;
        index_release(ingest->index);
    }
    buf_free(&why);
    return result;
}

static int conflict(struct task *task, const char *path, struct err *err)
{
    struct buf reason = {0};
    int result = INGEST_CONFLICT;

    buf_addf(&reason, "instance %s is there already with other content",
             task->record->value[ATTRIBUTE_SOP_INSTANCE_UID]);
    if (task->ingest->policy == DUPLICATE_QUARANTINE) {
        buf_adds(&reason, ": the first is kept, this one is in quarantine");
        result = set_aside(task, INGEST_CONFLICT, reason.data, err);
    } else if (task->ingest->policy == DUPLICATE_KEEP) {
        buf_adds(&reason, ": the first is kept, this one is dropped (duplicate = keep)");
        set_text(&task->report->reason, reason.data);
        set_text(&task->report->path, path);
    } else {
        buf_clear(&reason);
        buf_addf(&reason, "instance %s came again with other content (duplicate = replace)",
                 task->record->value[ATTRIBUTE_SOP_INSTANCE_UID]);
        result = replace_stored(task, path, reason.data, err);
    }
    buf_free(&reason);
    return result;
}

/* The index has this SOP instance, in the archive, at `path`. */
static int meet_stored(struct task *task, const char *path, struct err *err)
{
    struct ingest *ingest = task->ingest;
    struct object *stored = &ingest->stored;
    int fd = open_stored(ingest, path), same, result = INGEST_FAILED;
    enum object_kind kind;

    if (fd < 0 && errno == ENOENT) {
        task->replace_row = true; /* someone has removed the file */
        return INGEST_STORED;
    }
    if (fd < 0)
        return err_sys(err, "%s", path);
    kind = object_read(&ingest->reader, fd, path, stored, err);
    if (kind == OBJECT_SOUND && same_identity(task->record, &stored->record)) {
        same = same_data_set(task, fd, stored, err);
        if (same >= 0)
            result = same ? answer_same(task, path, INGEST_SAME, err) : conflict(task, path, err);
    } else if (kind == OBJECT_SOUND) {
        result = conflict(task, path, err); /* the instance in another series or study */
    } else if (kind != OBJECT_FAILED) {
        /* What lies there is damaged: what comes now is better. */
        result = replace_stored(task, path, "the stored object was damaged, and came again", err);
    }
    close(fd);
    return result;
}

/* Something lies at our place, and the index has no row of it: left by a kill before its row, or being
 * stored by another process this moment, or put there by hand. */
static int meet_unknown(struct task *task, struct err *err)
{
    struct ingest *ingest = task->ingest;
    const char *path = ingest->path.data;
    struct object *stored = &ingest->stored;
    int fd = open_stored(ingest, path), same, result = INGEST_FAILED;
    enum object_kind kind;
    enum entered entered;

    if (fd < 0)
        return errno == ENOENT ? STEP_AGAIN : err_sys(err, "%s", path);
    kind = object_read(&ingest->reader, fd, path, stored, err);
    if (kind == OBJECT_FAILED)
        goto out;
    if (kind != OBJECT_SOUND || !same_identity(task->record, &stored->record)) {
        if (store_quarantine_path(ingest->store, path, name_of(task),
                                  "lay in the place of another object, and is none or not this one",
                                  NULL, err) == 0)
            result = STEP_AGAIN;
        goto out;
    }
    same = same_data_set(task, fd, stored, err);
    if (same < 0 || store_settle(ingest->store, path, err) < 0)
        goto out;
    /* Perhaps nothing in incoming/ leads to it: the row must be durable before the answer. */
    stored->record.study_folder = ingest->folder.data;
    entered = enter_row(ingest, &stored->record, path, task->replace_row,
                        task->options->sync != SYNC_NONE, err);
    if (entered == ENTER_TAKEN)
        index_rollback(ingest->index);
    if (entered == ENTER_FAILED)
        goto out;
    if (!same || entered == ENTER_TAKEN)
        result = STEP_AGAIN; /* has a row now */
    else
        result = answer_same(task, path, entered == ENTER_ADDED ? INGEST_STORED : INGEST_SAME, err);
out:
    close(fd);
    return result;
}

/* ---- storing ---- */

static void keep_pending(struct task *task)
{
    struct ingest *ingest = task->ingest;

    if (task->options->sync != SYNC_ASSOCIATION)
        return;
    ingest->pending[ingest->pending_count] = task->incoming;
    ingest->pending_path[ingest->pending_count++] = xstrdup(ingest->path.data);
    task->incoming = NULL;
}

static int place_new(struct task *task, struct err *err)
{
    struct ingest *ingest = task->ingest;
    bool sync = task->options->sync == SYNC_OBJECT;
    enum place_result placed;
    enum entered entered;

    if (find_place(task, err) < 0)
        return INGEST_FAILED;
    placed = store_place(ingest->store, task->incoming, ingest->path.data, sync, err);
    if (placed == PLACE_EXISTS)
        return meet_unknown(task, err);
    if (placed == PLACE_ERROR)
        return INGEST_FAILED;
    entered = enter_row(ingest, task->record, ingest->path.data, task->replace_row,
                        sync && !store_keeps_names(ingest->store), err);
    if (entered == ENTER_FAILED)
        return INGEST_FAILED;
    if (entered == ENTER_TAKEN) {
        /* The instance has come at the same time in another study. Nobody can have answered for ours:
         * only its own row would allow that. */
        int status = store_unplace(ingest->store, task->incoming, ingest->path.data, err);

        index_rollback(ingest->index);
        return status < 0 ? INGEST_FAILED : STEP_AGAIN;
    }
    set_text(&task->report->path, ingest->path.data);
    keep_pending(task);
    return INGEST_STORED;
}

static int store_object(struct task *task, struct err *err)
{
    struct ingest *ingest = task->ingest;
    int result = STEP_AGAIN;

    for (int tries = 0; tries < TRIES_MAX && result == STEP_AGAIN; tries++) {
        struct index_instance row;
        int found = index_find_instance(ingest->index,
                                        task->record->value[ATTRIBUTE_SOP_INSTANCE_UID], &row, err);

        if (found < 0)
            return INGEST_FAILED;
        task->replace_row = false;
        if (found == 1 && row.path[0] != '/') {
            char *path = xstrdup(row.path);

            result = meet_stored(task, path, err);
            free(path);
            if (!task->replace_row)
                continue;
        }
        result = place_new(task, err);
    }
    if (result == STEP_AGAIN)
        return err_set(err, ERR_BUSY, "%s: others change it again and again", ingest->path.data);
    return result;
}

/* ---- judging ---- */

static int check_announced(struct task *task, struct err *err)
{
    const struct ingest_options *options = task->options;
    const char *class_uid = task->record->value[ATTRIBUTE_SOP_CLASS_UID];
    const char *sop_uid = task->record->value[ATTRIBUTE_SOP_INSTANCE_UID];
    struct buf reason = {0};
    int result = INGEST_STORED;

    if (options->sop_class_uid && strcmp(options->sop_class_uid, class_uid) != 0)
        buf_addf(&reason, "class %s was announced, the data set is of %s", options->sop_class_uid,
                 class_uid);
    else if (options->sop_instance_uid && strcmp(options->sop_instance_uid, sop_uid) != 0)
        buf_addf(&reason, "instance %s was announced, the data set is %s",
                 options->sop_instance_uid, sop_uid);
    if (reason.length)
        result = set_aside(task, INGEST_MISMATCH, reason.data, err);
    buf_free(&reason);
    return result;
}

static int judge(struct task *task, struct err *err)
{
    struct ingest *ingest = task->ingest;
    struct err why = {0};
    enum object_kind kind =
        object_read(&ingest->reader, incoming_fd(task->incoming), "object", task->object, &why);

    fill_report(task);
    if (kind == OBJECT_FAILED) {
        if (err)
            *err = why;
        return INGEST_FAILED;
    }
    if (kind != OBJECT_SOUND)
        return set_aside(task, INGEST_BROKEN, why.text, err);
    if (task->options->calling_aet)
        task->record->calling_aet = task->options->calling_aet;
    return check_announced(task, err);
}

static void clear_report(struct ingest_report *report, const struct incoming *incoming)
{
    report->study_uid[0] = report->series_uid[0] = report->sop_uid[0] = '\0';
    report->sop_class_uid[0] = report->transfer_syntax[0] = '\0';
    buf_clear(&report->path);
    buf_clear(&report->reason);
    report->size = incoming_size(incoming);
}

enum ingest_result ingest_object(struct ingest *ingest, struct incoming *incoming,
                                 const struct ingest_options *options, struct ingest_report *report,
                                 struct err *err)
{
    struct err why = {0};
    struct task task = {.ingest = ingest,
                        .incoming = incoming,
                        .options = options,
                        .report = report,
                        .object = &ingest->fresh,
                        .record = &ingest->fresh.record};
    int result;

    clear_report(report, incoming);
    if (ingest->pending_count == PENDING_MAX && ingest_flush(ingest, err) < 0) {
        incoming_free(incoming);
        return INGEST_FAILED;
    }
    result = judge(&task, &why);
    if (result == INGEST_STORED)
        result = store_object(&task, &why);
    if (result == INGEST_FAILED) {
        set_text(&report->reason, why.text);
        if (err)
            *err = why;
    }
    incoming_free(task.incoming);
    return (enum ingest_result)result;
}

/* ---- SYNC_ASSOCIATION ---- */

static bool folder_seen(const struct ingest *ingest, size_t at)
{
    const char *path = ingest->pending_path[at];
    size_t length = (size_t)(strrchr(path, '/') - path) + 1;

    for (size_t i = 0; i < at; i++)
        if (strncmp(ingest->pending_path[i], path, length) == 0 &&
            !strchr(ingest->pending_path[i] + length, '/'))
            return true;
    return false;
}

int ingest_flush(struct ingest *ingest, struct err *err)
{
    int status = 0;

    for (size_t i = 0; i < ingest->pending_count && status == 0; i++)
        status = incoming_sync(ingest->pending[i], err);
    for (size_t i = 0; i < ingest->pending_count && status == 0; i++)
        if (!folder_seen(ingest, i))
            status = store_sync_place(ingest->store, ingest->pending_path[i], err);
    for (size_t i = 0; i < ingest->pending_count; i++) {
        incoming_free(ingest->pending[i]);
        free(ingest->pending_path[i]);
    }
    if (status == 0 && ingest->pending_count && !store_keeps_names(ingest->store))
        status = index_sync(ingest->index, err);
    ingest->pending_count = 0;
    return status;
}
