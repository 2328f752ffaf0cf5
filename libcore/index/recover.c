/*
 * What a kill or a power loss has left: recent placements (see store.h) compared with the index. See
 * ingest.h.
 *
 * For each placement that no process works on: where does the file lie, and does a row lead there? What
 * has no row gets one; what has one is noted, and once the rows are durable its second name goes. Only a
 * placement that was loose (sync = association or none) can be torn; such a file is taken out of
 * objects/ again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "index/ingest.h"
#include "index/object.h"
#include "store/walk.h"

#define ENTERED_MAX 65536 /* second names that one checkpoint removes */

struct names {
    char **name;
    size_t count, room;
};

struct torn {
    dev_t device;
    ino_t inode;
    char *name;
};

struct recovery {
    struct store *store;
    struct index *index;
    struct object_reader reader;
    struct object object;
    struct buf folder, path;
    struct names entered; /* their rows were there before the checkpoint */
    struct torn *torn;
    size_t torn_count;
    int added;
};

static void note_entered(struct recovery *recovery, const char *name)
{
    struct names *names = &recovery->entered;

    if (names->count == ENTERED_MAX)
        return;
    if (names->count == names->room) {
        names->room = names->room ? names->room * 2 : 256;
        names->name = xreallocarray(names->name, names->room, sizeof *names->name);
    }
    names->name[names->count++] = xstrdup(name);
}

static bool lies_at(const struct recovery *recovery, const struct stat *status, const char *path)
{
    struct stat there;

    return fstatat(store_root(recovery->store), path, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           there.st_ino == status->st_ino && there.st_dev == status->st_dev;
}

/* The path in `recovery->path`, its study's folder in `folder`, when the file lies in that folder. */
static bool lies_in(struct recovery *recovery, const struct stat *status,
                    const struct index_record *record)
{
    buf_clear(&recovery->path);
    object_place(record, recovery->folder.data, &recovery->path);
    return lies_at(recovery, status, recovery->path.data);
}

/* 1 when it is found, 0 when it is nowhere, -1. */
static int find_file(struct recovery *recovery, const struct stat *status,
                     const struct index_record *record, struct err *err)
{
    const char *study = record->value[ATTRIBUTE_STUDY_INSTANCE_UID];
    int found;

    buf_clear(&recovery->folder);
    found = index_study_folder(recovery->index, study, &recovery->folder, err);
    if (found < 0 || (found == 1 && lies_in(recovery, status, record)))
        return found;
    /* Two first objects of a study with two dates: one lies where its own date says. */
    buf_clear(&recovery->folder);
    store_study_folder(record->value[ATTRIBUTE_STUDY_DATE], study, &recovery->folder);
    return lies_in(recovery, status, record);
}

static int add_row(struct recovery *recovery, struct index_record *record, int64_t old,
                   struct err *err)
{
    enum index_added added;

    record->study_folder = recovery->folder.data;
    if (index_begin(recovery->index, err) < 0)
        return -1;
    if (old && index_remove_instance(recovery->index, old, err) < 0) {
        index_rollback(recovery->index);
        return -1;
    }
    added = index_add(recovery->index, record, err);
    if (added == INDEX_ERROR) {
        index_rollback(recovery->index);
        return -1;
    }
    recovery->added += added == INDEX_ADDED;
    return index_commit(recovery->index, err);
}

/* There is a row of this instance. */
static int compare_row(struct recovery *recovery, const struct placement *placement,
                       const struct stat *status, struct index_record *record,
                       const struct index_instance *row, struct err *err)
{
    const char *name = incoming_path(placement->incoming);
    char *path = xstrdup(row->path);
    int64_t id = row->id;
    bool current = row->size == record->size && row->mtime_ns == record->mtime_ns;
    bool elsewhere = path[0] != '/' && !lies_at(recovery, status, path);
    int found = 0, result = 0;

    if (path[0] != '/' && !elsewhere && current) {
        note_entered(recovery, name);
        goto out;
    }
    found = find_file(recovery, status, record, err);
    if (found < 0) {
        result = -1;
    } else if (found && elsewhere && faccessat(store_root(recovery->store), path, F_OK, 0) == 0) {
        /* The same instance in two places: ours was being taken back. */
        result = store_quarantine_path(recovery->store, recovery->path.data,
                                       record->value[ATTRIBUTE_SOP_INSTANCE_UID],
                                       "came at the same time as another object of this instance, "
                                       "which is kept",
                                       NULL, err);
        if (result == 0)
            result = store_forget(recovery->store, name, err);
    } else if (found) {
        /* Indexed in place until now, or replaced in the last moment. */
        result = add_row(recovery, record, id, err);
    } else if (elsewhere) {
        /* Replaced since, and in quarantine. */
        result = store_forget(recovery->store, name, err);
    } else {
        note_entered(recovery, name);
    }
out:
    free(path);
    return result;
}

static void note_torn(struct recovery *recovery, const struct placement *placement,
                      const struct stat *status)
{
    recovery->torn =
        xreallocarray(recovery->torn, recovery->torn_count + 1, sizeof *recovery->torn);
    recovery->torn[recovery->torn_count++] =
        (struct torn){.device = status->st_dev,
                      .inode = status->st_ino,
                      .name = xstrdup(incoming_path(placement->incoming))};
}

static int set_aside(struct recovery *recovery, const struct placement *placement, const char *name,
                     const char *why, struct err *err)
{
    struct buf where = {0};
    int status = store_quarantine(recovery->store, placement->incoming, name, why, &where, err);

    if (status == 0)
        log_warn("%s: %s", where.data, why);
    buf_free(&where);
    return status;
}

static int look_at(void *context, const struct placement *placement, struct err *err)
{
    struct recovery *recovery = context;
    struct index_record *record = &recovery->object.record;
    struct index_instance row;
    struct stat status;
    enum object_kind kind;
    int found;

    if (fstat(incoming_fd(placement->incoming), &status) < 0)
        return err_sys(err, "%s", incoming_path(placement->incoming));
    if (placement->loose && (uint64_t)status.st_size != placement->size) {
        note_torn(recovery, placement, &status);
        return 0;
    }
    if (placement->loose && incoming_sync(placement->incoming, err) < 0)
        return -1;
    kind = object_read(&recovery->reader, incoming_fd(placement->incoming),
                       incoming_path(placement->incoming), &recovery->object, err);
    if (kind == OBJECT_FAILED)
        return -1;
    if (kind != OBJECT_SOUND) {
        note_torn(recovery, placement, &status);
        return 0;
    }
    found =
        index_find_instance(recovery->index, record->value[ATTRIBUTE_SOP_INSTANCE_UID], &row, err);
    if (found < 0)
        return -1;
    if (found == 1)
        return compare_row(recovery, placement, &status, record, &row, err);
    found = find_file(recovery, &status, record, err);
    if (found == 1)
        return add_row(recovery, record, 0, err);
    if (found == 0 && placement->linked) /* its first name is elsewhere, and it was never placed */
        return store_forget(recovery->store, incoming_path(placement->incoming), err);
    if (found == 0)
        return set_aside(recovery, placement, record->value[ATTRIBUTE_SOP_INSTANCE_UID],
                         "was stored, and is no longer where it was put", err);
    return -1;
}

/* ---- torn files ---- */

static int remove_torn(struct recovery *recovery, const char *path, const char *name,
                       struct err *err)
{
    struct index_instance row;
    const char *dot = strrchr(name, '.');
    char *uid = xstrndup(name, dot ? (size_t)(dot - name) : strlen(name));
    struct buf where = {0};
    int status, found;

    status = index_begin(recovery->index, err);
    if (status == 0) {
        found = index_find_instance(recovery->index, uid, &row, err);
        if (found < 0 || (found == 1 && strcmp(row.path, path) == 0 &&
                          index_remove_instance(recovery->index, row.id, err) < 0)) {
            index_rollback(recovery->index);
            status = -1;
        } else {
            status = index_commit(recovery->index, err);
        }
    }
    if (status == 0)
        status = store_quarantine_path(
            recovery->store, path, uid,
            "cut off by a crash before it was durable (sync = association or none)", &where, err);
    if (status == 0)
        log_warn("%s: cut off by a crash before it was durable", where.data);
    buf_free(&where);
    free(uid);
    return status;
}

static int look_for_torn(void *context, int fd, const char *path, char *const *names, size_t count,
                         struct err *err)
{
    struct recovery *recovery = context;

    for (size_t i = 0; i < count; i++) {
        struct stat status;

        if (fstatat(fd, names[i], &status, AT_SYMLINK_NOFOLLOW) < 0 || status.st_nlink < 2)
            continue;
        for (size_t k = 0; k < recovery->torn_count; k++)
            if (recovery->torn[k].inode == status.st_ino &&
                recovery->torn[k].device == status.st_dev) {
                char *whole = xasprintf("%s/%s", path, names[i]);
                int result = remove_torn(recovery, whole, names[i], err);

                free(whole);
                if (result < 0)
                    return -1;
            }
    }
    return 0;
}

/* Their headers may be gone: only the file's number leads to their place. */
static int sweep_torn(struct recovery *recovery, struct err *err)
{
    struct walk walk = {.folder = look_for_torn, .context = recovery};

    if (recovery->torn_count == 0)
        return 0;
    if (walk_tree(store_root(recovery->store), "objects", &walk, err) < 0)
        return -1;
    for (size_t i = 0; i < recovery->torn_count; i++)
        if (store_forget(recovery->store, recovery->torn[i].name, err) < 0)
            return -1;
    return 0;
}

/* ---- both ways in ---- */

static void recovery_free(struct recovery *recovery)
{
    object_reader_free(&recovery->reader);
    object_free(&recovery->object);
    buf_free(&recovery->folder);
    buf_free(&recovery->path);
    for (size_t i = 0; i < recovery->entered.count; i++)
        free(recovery->entered.name[i]);
    free(recovery->entered.name);
    for (size_t i = 0; i < recovery->torn_count; i++)
        free(recovery->torn[i].name);
    free(recovery->torn);
}

static int sweep(struct recovery *recovery, struct archive *archive, struct err *err)
{
    recovery->store = archive_store(archive);
    recovery->index = archive_index(archive, err);
    if (!recovery->index)
        return -1;
    object_reader_init(&recovery->reader);
    if (store_sweep(recovery->store, look_at, recovery, err) < 0)
        return -1;
    return sweep_torn(recovery, err);
}

int archive_recover(struct archive *archive, struct err *err)
{
    struct recovery recovery = {0};
    int status = sweep(&recovery, archive, err);

    recovery_free(&recovery);
    return status < 0 ? -1 : recovery.added;
}

/* What is durable is the state of the index when index_sync is called; what was noted was in it before. */
int archive_checkpoint(struct archive *archive, bool full, struct err *err)
{
    struct recovery recovery = {0};
    struct index *index = archive_index(archive, err);
    int status = -1;

    if (!index)
        return -1;
    if (!full)
        return index_checkpoint(index, false, err);
    if (sweep(&recovery, archive, err) == 0 && index_checkpoint(index, false, err) == 0 &&
        index_sync(index, err) == 0) {
        status = 0;
        for (size_t i = 0; i < recovery.entered.count && status == 0; i++)
            status = store_forget(recovery.store, recovery.entered.name[i], err);
    }
    recovery_free(&recovery);
    return status;
}
