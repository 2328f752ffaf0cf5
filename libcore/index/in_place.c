/*
 * See in_place.h. Rows go in by transactions of some thousands, each ended early when nothing more is
 * ready or a fifth of a second has gone: a receiver waits for the same lock.
 */
#include "index/in_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"

#define ROWS_MAX       4096
#define TRANSACTION_MS 200

struct run {
    struct index *index;
    bool dry, open;
    unsigned rows;
    int64_t begun_ms;
    const struct file_events *events;
    struct file_counts *counts;
    struct buf path;
    struct buf told; /* "uid\0path\0..." of this transaction: told once it is committed */
};

void feed_item_path(const struct feed_item *item, struct buf *out)
{
    buf_adds(out, item->folder);
    if (out->length == 0 || out->data[out->length - 1] != '/')
        buf_addc(out, '/');
    buf_adds(out, item->name);
}

static void odd(const struct run *run, enum file_event event, const char *why)
{
    if (run->events->odd)
        run->events->odd(run->events->context, event, why);
}

/* ---- transactions ---- */

static int begin(struct run *run, struct err *err)
{
    if (run->open)
        return 0;
    if (index_begin(run->index, err) < 0)
        return -1;
    run->open = true;
    run->rows = 0;
    run->begun_ms = monotonic_ms();
    return 0;
}

static int tell_indexed(struct run *run, struct err *err)
{
    const char *at = run->told.data, *end = at + run->told.length;
    int status = 0;

    while (run->told.length && at < end && status == 0) {
        const char *path = at + strlen(at) + 1;

        status = run->events->indexed(run->events->context, at, path, err);
        at = path + strlen(path) + 1;
    }
    buf_clear(&run->told);
    return status;
}

static int finish(struct run *run, struct err *err)
{
    if (!run->open)
        return 0;
    run->open = false;
    if (run->dry)
        index_rollback(run->index);
    else if (index_commit(run->index, err) < 0)
        return -1;
    return tell_indexed(run, err);
}

/* ---- one file ---- */

static int note_indexed(struct run *run, const struct index_record *record)
{
    const char *warning = index_warning(run->index);

    if (warning)
        odd(run, FILE_WARNING, warning);
    if (run->events->indexed) {
        const char *uid = record->value[ATTRIBUTE_SOP_INSTANCE_UID];

        buf_add(&run->told, uid, strlen(uid) + 1);
        buf_add(&run->told, run->path.data, run->path.length + 1);
    }
    return 0;
}

static bool is_gone(const char *path)
{
    struct stat status;

    return path[0] == '/' && lstat(path, &status) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* The instance has a row: of this very file, of a file that is gone, or of another one. */
static int meet_row(struct run *run, const struct index_record *record, struct err *err)
{
    const char *uid = record->value[ATTRIBUTE_SOP_INSTANCE_UID];
    struct index_instance row;
    struct buf why = {0};

    if (index_find_instance(run->index, uid, &row, err) != 1)
        return -1;
    if (strcmp(row.path, record->path) == 0 && row.size == record->size &&
        row.mtime_ns == record->mtime_ns) {
        run->counts->same++;
        return 0;
    }
    if (strcmp(row.path, record->path) == 0 || is_gone(row.path)) {
        if (index_remove_instance(run->index, row.id, err) < 0 ||
            index_add(run->index, record, err) != INDEX_ADDED)
            return -1;
        run->counts->updated++;
        return note_indexed(run, record);
    }
    buf_addf(&why, "%s: instance %s is indexed as %s", record->path, uid, row.path);
    run->counts->copies++;
    odd(run, FILE_COPY, why.data);
    buf_free(&why);
    return index_file_put(run->index, record->path, record->size, record->mtime_ns, uid, err);
}

static int take_object(struct run *run, struct index_record *record, struct err *err)
{
    record->path = run->path.data;
    switch (index_add(run->index, record, err)) {
    case INDEX_ADDED:
        run->counts->added++;
        run->counts->bytes += record->size;
        return note_indexed(run, record);
    case INDEX_EXISTS:
        return meet_row(run, record, err);
    default:
        return -1;
    }
}

static int take(struct run *run, struct feed_item *item, struct err *err)
{
    struct index_record *record = &item->object.record;
    int removed;

    buf_clear(&run->path);
    feed_item_path(item, &run->path);
    if (item->task == FEED_VANISHED) {
        removed = index_file_remove(run->index, run->path.data, err);
        run->counts->removed += removed > 0;
        return removed < 0 ? -1 : 0;
    }
    switch (item->kind) {
    case OBJECT_SOUND:
        return take_object(run, record, err);
    case OBJECT_NOT_DICOM:
    case OBJECT_DIRECTORY:
        if (item->kind == OBJECT_DIRECTORY)
            run->counts->directories++;
        else
            run->counts->not_dicom++;
        if (item->kind == OBJECT_NOT_DICOM)
            odd(run, FILE_NOT_DICOM, item->why);
        return index_file_put(run->index, run->path.data, record->size, record->mtime_ns, NULL,
                              err);
    case OBJECT_BROKEN:
        /* Not remembered: whoever looks again shall be told again. */
        run->counts->broken++;
        odd(run, FILE_BROKEN, item->why);
        return index_file_remove(run->index, run->path.data, err) < 0 ? -1 : 0;
    default:
        run->counts->failed++;
        odd(run, FILE_FAILED, item->why);
        return 0;
    }
}

int in_place_run(struct index *index, struct feed *feed, bool dry, const struct file_events *events,
                 struct file_counts *counts, struct err *err)
{
    struct run run = {.index = index, .dry = dry, .events = events, .counts = counts};
    struct feed_item *item;
    int status = 0;

    while (status == 0) {
        if (run.open && (run.rows >= ROWS_MAX || feed_would_wait(feed) ||
                         (run.rows % 64 == 0 && monotonic_ms() - run.begun_ms > TRANSACTION_MS)))
            status = finish(&run, err);
        if (status || !(item = feed_next(feed)))
            break;
        status = begin(&run, err);
        if (status == 0)
            status = take(&run, item, err);
        run.rows++;
        if (events->progress)
            events->progress(events->context, item->object.record.size);
    }
    if (status == 0)
        status = finish(&run, err);
    else if (run.open)
        index_rollback(index);
    buf_free(&run.path);
    buf_free(&run.told);
    return status;
}

/* ---- removing ---- */

struct paths {
    char **path;
    size_t count, room;
    const char *folder;
};

static void paths_add(struct paths *paths, char *path)
{
    if (paths->count == paths->room) {
        paths->room = paths->room ? paths->room * 2 : 64;
        paths->path = xreallocarray(paths->path, paths->room, sizeof *paths->path);
    }
    paths->path[paths->count++] = path;
}

static void paths_free(struct paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->path[i]);
    free(paths->path);
}

static int add_folder(void *context, const char *path, struct err *err)
{
    (void)err;
    paths_add(context, xstrdup(path));
    return 0;
}

static int add_file(void *context, const struct index_file *file, struct err *err)
{
    struct paths *paths = context;
    bool slash = paths->folder[strlen(paths->folder) - 1] == '/';

    (void)err;
    paths_add(paths, xasprintf("%s%s%s", paths->folder, slash ? "" : "/", file->name));
    return 0;
}

/* The lists first: rows are not deleted under a statement that reads them. */
static int64_t remove_folder(struct index *index, const char *folder, struct err *err)
{
    struct paths files = {.folder = folder};
    int64_t count = index_folder_files(index, folder, add_file, &files, err);

    for (size_t i = 0; count >= 0 && i < files.count; i++)
        if (index_file_remove(index, files.path[i], err) < 0)
            count = -1;
    paths_free(&files);
    return count;
}

int64_t in_place_remove(struct index *index, const char *path, struct err *err)
{
    struct paths folders = {0};
    int64_t count = index_file_remove(index, path, err), part;

    if (count != 0)
        return count;
    if (index_folders(index, path, add_folder, &folders, err) < 0)
        count = -1;
    for (size_t i = 0; count >= 0 && i < folders.count; i++) {
        part = remove_folder(index, folders.path[i], err);
        count = part < 0 ? -1 : count + part;
    }
    paths_free(&folders);
    if (count == 0)
        return err_set(err, ERR_NOTFOUND, "%s: not in the index", path);
    return count;
}
