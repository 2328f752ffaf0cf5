/*
 * See rebuild.h.
 */
#include "index/rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index/tree.h"
#include "store/walk.h"

#define ROWS_MAX 10000

struct names {
    char **name;
    size_t count, room;
};

struct rebuild {
    struct archive *archive;
    const struct rebuild_options *options;
    struct file_counts *counts;
    struct index *old; /* a reader, for the source's thread; or NULL */
    struct index *bulk;
    struct feed *feed, *source_feed; /* the same, on the two sides */
    struct names folders, files;
    struct buf path, folder;
    char *first_failure; /* of the walk: no index is better than one with holes */
};

static void names_add(struct names *names, const char *name)
{
    if (names->count == names->room) {
        names->room = names->room ? names->room * 2 : 64;
        names->name = xreallocarray(names->name, names->room, sizeof *names->name);
    }
    names->name[names->count++] = xstrdup(name);
}

static void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->name[i]);
    names->count = 0;
}

static void odd(const struct rebuild *rebuild, enum file_event event, const char *why)
{
    if (rebuild->options->events->odd)
        rebuild->options->events->odd(rebuild->options->events->context, event, why);
}

/* ---- the source: objects/, then what was known in place ---- */

static int put_objects(void *context, int fd, const char *path, char *const *names, size_t count,
                       struct err *err)
{
    struct rebuild *rebuild = context;

    (void)err;
    return feed_put(rebuild->source_feed, fd, path, names, count, FEED_READ, false);
}

static void folder_failed(void *context, const char *path, const struct err *why)
{
    struct rebuild *rebuild = context;

    (void)path;
    if (!rebuild->first_failure)
        rebuild->first_failure = xstrdup(why->text);
}

static int add_folder(void *context, const char *path, struct err *err)
{
    struct rebuild *rebuild = context;

    (void)err;
    names_add(&rebuild->folders, path);
    return 0;
}

static int add_file(void *context, const struct index_file *file, struct err *err)
{
    struct rebuild *rebuild = context;

    (void)err;
    names_add(&rebuild->files, file->name);
    return 0;
}

static int put_in_place(struct rebuild *rebuild, struct feed *feed, struct err *err)
{
    if (!rebuild->old)
        return 0;
    if (index_folders(rebuild->old, "/", add_folder, rebuild, err) < 0)
        return -1;
    for (size_t i = 0; i < rebuild->folders.count; i++) {
        const char *folder = rebuild->folders.name[i];

        names_clear(&rebuild->files);
        if (index_folder_files(rebuild->old, folder, add_file, rebuild, err) < 0 ||
            feed_put(feed, -1, folder, rebuild->files.name, rebuild->files.count, FEED_READ, true) <
                0)
            return -1;
    }
    return 0;
}

static int put_all(void *context, struct feed *feed, struct err *err)
{
    struct rebuild *rebuild = context;
    const struct walk walk = {put_objects, folder_failed, NULL, rebuild};
    char *objects = xasprintf("%s/objects", archive_path(rebuild->archive));
    int status;

    rebuild->source_feed = feed;
    status = walk_tree(AT_FDCWD, objects, &walk, err);
    free(objects);
    if (status == 0 && rebuild->first_failure)
        return err_set(err, ERR_FAILED, "%s: the old index is kept", rebuild->first_failure);
    return status == 0 ? put_in_place(rebuild, feed, err) : status;
}

/* ---- the writer ---- */

static int take_stray(struct rebuild *rebuild, const struct feed_item *item, bool in_place,
                      struct err *err)
{
    const struct index_record *record = &item->object.record;
    struct stat status;

    if (in_place && item->kind != OBJECT_BROKEN && item->kind != OBJECT_FAILED) {
        rebuild->counts->not_dicom += item->kind == OBJECT_NOT_DICOM;
        rebuild->counts->directories += item->kind == OBJECT_DIRECTORY;
        return index_file_put(rebuild->bulk, rebuild->path.data, record->size, record->mtime_ns,
                              NULL, err);
    }
    if (item->kind == OBJECT_FAILED && lstat(rebuild->path.data, &status) < 0 && errno == ENOENT) {
        rebuild->counts->removed++;
        return 0;
    }
    if (item->kind == OBJECT_FAILED)
        rebuild->counts->failed++;
    else
        rebuild->counts->broken++;
    odd(rebuild, item->kind == OBJECT_FAILED ? FILE_FAILED : FILE_BROKEN, item->why);
    return 0;
}

static int take(struct rebuild *rebuild, struct feed_item *item, struct err *err)
{
    struct index_record *record = &item->object.record;
    const char *root = archive_path(rebuild->archive), *below;
    size_t length = strlen(root);

    buf_clear(&rebuild->path);
    feed_item_path(item, &rebuild->path);
    below = rebuild->path.data;
    if (strncmp(below, root, length) == 0 && strncmp(below + length, "/objects/", 9) == 0)
        below += length + 1;
    if (item->kind != OBJECT_SOUND)
        return take_stray(rebuild, item, below == rebuild->path.data, err);
    buf_clear(&rebuild->folder);
    if (object_folder_of(record, below, &rebuild->folder))
        record->study_folder = rebuild->folder.data;
    else
        record->path = below;
    if (index_add(rebuild->bulk, record, err) != INDEX_ADDED)
        return -1;
    rebuild->counts->added++;
    rebuild->counts->bytes += record->size;
    if (index_warning(rebuild->bulk))
        odd(rebuild, FILE_WARNING, index_warning(rebuild->bulk));
    return 0;
}

static int take_all(struct rebuild *rebuild, struct err *err)
{
    struct feed_item *item;
    int status = index_begin(rebuild->bulk, err);
    unsigned rows = 0;

    while (status == 0 && (item = feed_next(rebuild->feed))) {
        if (++rows == ROWS_MAX) {
            rows = 0;
            status = index_commit(rebuild->bulk, err);
            if (status == 0)
                status = index_begin(rebuild->bulk, err);
        }
        if (status == 0)
            status = take(rebuild, item, err);
        if (rebuild->options->events->progress)
            rebuild->options->events->progress(rebuild->options->events->context,
                                               item->object.record.size);
    }
    if (status == 0)
        status = index_commit(rebuild->bulk, err);
    if (status == 0 && !(rebuild->options->stop && *rebuild->options->stop))
        status = feed_status(rebuild->feed, err);
    return status;
}

static int run(struct rebuild *rebuild, struct err *err)
{
    const struct rebuild_options *options = rebuild->options;
    struct feed *feed = feed_new(options->threads, put_all, rebuild, options->stop, err);
    int status;

    if (!feed)
        return -1;
    rebuild->feed = feed;
    status = take_all(rebuild, err);
    feed_free(feed);
    if (status == 0 && options->stop && *options->stop)
        return 1;
    if (status == 0 && !options->dry)
        status = index_replace(rebuild->bulk, err);
    return status;
}

int rebuild_index(struct archive *archive, const struct rebuild_options *options,
                  struct file_counts *counts, struct err *err)
{
    struct rebuild rebuild = {.archive = archive, .options = options, .counts = counts};
    struct err why = {0};
    int status = -1;

    rebuild.bulk = index_open(archive_path(archive), INDEX_BULK, err);
    /* Held from before the first look at a file: what is stored meanwhile gets its row afterwards. */
    if (rebuild.bulk && index_hold(rebuild.bulk, err) == 0) {
        rebuild.old = index_open(archive_path(archive), INDEX_READ, &why);
        if (!rebuild.old && why.code != ERR_NOTFOUND) {
            err_prefix(&why, "files indexed in place are not known any more (index them again)");
            odd(&rebuild, FILE_WARNING, why.text);
        }
        status = run(&rebuild, err);
        index_release(rebuild.bulk);
    }
    index_close(rebuild.old);
    index_close(rebuild.bulk);
    names_clear(&rebuild.folders);
    names_clear(&rebuild.files);
    free(rebuild.folders.name);
    free(rebuild.files.name);
    free(rebuild.first_failure);
    buf_free(&rebuild.path);
    buf_free(&rebuild.folder);
    return status;
}
