/*
 * Ingest, where it meets what is there already: rows, the same object, another one of the same instance, a
 * file without a row. See ingest.c for the order of things.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "index/ingest_internal.h"

/* ---- rows ---- */

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

enum entered enter_row(struct ingest *ingest, const struct index_record *record, const char *path,
                       bool replace, bool durable, struct err *err)
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

/* 1 when the stored file, which has just been read, holds the same data set in the same transfer
 * syntax. */
static int same_data_set(int fd, const struct object *object, int stored_fd,
                         const struct object *stored, struct err *err)
{
    const char *ours = object->record.value[ATTRIBUTE_TRANSFER_SYNTAX_UID];
    const char *theirs = stored->record.value[ATTRIBUTE_TRANSFER_SYNTAX_UID];
    int same;

    if (strcmp(ours ? ours : "", theirs ? theirs : "") != 0)
        return 0;
    same = store_same_bytes(fd, object->dataset_offset, stored_fd, stored->dataset_offset);
    return same < 0 ? err_sys(err, "%s", object->record.value[ATTRIBUTE_SOP_INSTANCE_UID]) : same;
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

/* The new object takes the old one's place, which is in quarantine by then. The writers' lock is held:
 * of two that replace the same object each finds the other's. */
static int replace_locked(struct task *task, const char *old, const char *why, struct err *err)
{
    struct ingest *ingest = task->ingest;
    const char *path = ingest->path.data;
    enum place_result placed = PLACE_EXISTS;

    if (store_quarantine_copy(ingest->store, old, task_name(task), why, NULL, err) < 0)
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
        if (found == 1 && strcmp(row.path, old) == 0 && task_find_place(task, err) == 0)
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
        result = task_set_aside(task, INGEST_CONFLICT, reason.data, err);
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

int meet_stored(struct task *task, const char *path, struct err *err)
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
        same = same_data_set(incoming_fd(task->incoming), task->object, fd, stored, err);
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

int meet_unknown(struct task *task, struct err *err)
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
        if (store_quarantine_path(ingest->store, path, task_name(task),
                                  "lay in the place of another object, and is none or not this one",
                                  NULL, err) == 0)
            result = STEP_AGAIN;
        goto out;
    }
    same = same_data_set(incoming_fd(task->incoming), task->object, fd, stored, err);
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

int ingest_has(struct ingest *ingest, const struct object *object, int fd, struct err *err)
{
    struct index_instance row;
    struct object *stored = &ingest->stored;
    int result = 0, stored_fd;
    int found = index_find_instance(ingest->index, object->record.value[ATTRIBUTE_SOP_INSTANCE_UID],
                                    &row, err);

    if (found != 1 || row.path[0] == '/')
        return found < 0 ? -1 : 0;
    stored_fd = open_stored(ingest, row.path);
    if (stored_fd < 0)
        return 0;
    if (object_read(&ingest->reader, stored_fd, row.path, stored, NULL) == OBJECT_SOUND &&
        same_identity(&object->record, &stored->record))
        result = same_data_set(fd, object, stored_fd, stored, err);
    close(stored_fd);
    return result;
}
