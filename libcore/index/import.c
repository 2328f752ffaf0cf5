/*
 * See import.h. Objects become durable in groups; what was told as imported is.
 */
#include "index/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "dicom/meta.h"
#include "index/ingest.h"

#define FLUSH_OBJECTS      64
#define CHECKPOINT_OBJECTS 20000
#define COPY_BLOCK         ((size_t)128 << 10)

struct import {
    struct archive *archive;
    struct ingest *ingest;
    const struct import_options *options;
    struct file_counts *counts;
    struct ingest_report report;
    struct buf path, why;
    struct buf told; /* "uid\0path\0..." since the last flush */
    unsigned unflushed, unchecked;
};

static void odd(const struct import *import, enum file_event event, const char *why)
{
    if (import->options->events->odd)
        import->options->events->odd(import->options->events->context, event, why);
}

/* ---- into incoming/ ---- */

/* A bare data set, or one with half a head: the archive holds whole Part 10 files. */
static int copy_with_head(struct incoming *incoming, const struct object *object, int source,
                          struct err *err)
{
    const char *const *value = object->record.value;
    const struct meta meta = {.sop_class_uid = value[ATTRIBUTE_SOP_CLASS_UID],
                              .sop_instance_uid = value[ATTRIBUTE_SOP_INSTANCE_UID],
                              .transfer_syntax = value[ATTRIBUTE_TRANSFER_SYNTAX_UID],
                              .source_aet = object->record.calling_aet};
    char *block = xmalloc(COPY_BLOCK);
    struct buf head = {0};
    off_t at = (off_t)object->dataset_offset;
    ssize_t n = 0;
    int status;

    meta_put(&head, &meta);
    status = incoming_write(incoming, head.data, head.length, err);
    while (status == 0 && (n = pread_all(source, block, COPY_BLOCK, at)) > 0) {
        status = incoming_write(incoming, block, (size_t)n, err);
        at += n;
    }
    if (n < 0)
        status = err_sys(err, "%s", value[ATTRIBUTE_SOP_INSTANCE_UID]);
    buf_free(&head);
    free(block);
    return status;
}

static bool is_still(int fd, const struct index_record *record)
{
    struct stat status;

    return fstat(fd, &status) == 0 && (uint64_t)status.st_size == record->size &&
           (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec == record->mtime_ns;
}

/* NULL: `err` says why; `*fatal` when it is our side that fails. */
static struct incoming *bring_in(struct import *import, const struct feed_item *item, int source,
                                 bool *fatal, struct err *err)
{
    struct store *store = archive_store(import->archive);
    const struct object *object = &item->object;
    struct incoming *incoming = NULL;
    int status;

    *fatal = false;
    if (import->options->link && object->is_part10) {
        incoming = incoming_link(store, import->path.data, err);
        if (incoming)
            return incoming;
        odd(import, FILE_WARNING, err->text);
    }
    incoming = incoming_new(store, err);
    *fatal = !incoming;
    if (!incoming)
        return NULL;
    status = object->is_part10 ? incoming_copy(incoming, source, err)
                               : copy_with_head(incoming, object, source, err);
    if (status < 0)
        *fatal = err->code == ERR_NOSPACE;
    else if (!is_still(source, &object->record))
        status = err_set(err, ERR_FAILED, "%s: changed while it was copied", import->path.data);
    if (status == 0)
        return incoming;
    incoming_free(incoming);
    return NULL;
}

/* ---- groups ---- */

static int flush(struct import *import, struct err *err)
{
    const char *at, *end;
    int status;

    if (ingest_flush(import->ingest, err) < 0)
        return -1;
    import->unflushed = 0;
    status = 0;
    at = import->told.data;
    end = at + import->told.length;
    while (import->told.length && at < end && status == 0) {
        const char *path = at + strlen(at) + 1;

        status = import->options->events->indexed(import->options->events->context, at, path, err);
        at = path + strlen(path) + 1;
    }
    buf_clear(&import->told);
    if (status == 0 && import->unchecked >= CHECKPOINT_OBJECTS) {
        import->unchecked = 0;
        status = archive_checkpoint(import->archive, true, err);
    }
    return status;
}

static void note_stored(struct import *import)
{
    import->counts->bytes += import->report.size;
    import->unflushed++;
    import->unchecked++;
    if (!import->options->events->indexed)
        return;
    buf_add(&import->told, import->report.sop_uid, strlen(import->report.sop_uid) + 1);
    buf_add(&import->told, import->report.path.data, import->report.path.length + 1);
}

/* ---- one file ---- */

static void tell(struct import *import, enum file_event event, const char *why)
{
    buf_clear(&import->why);
    buf_addf(&import->why, "%s: %s", import->path.data, why);
    odd(import, event, import->why.data);
}

static int ingest(struct import *import, struct incoming *incoming, struct err *err)
{
    static const struct ingest_options options = {.sync = SYNC_ASSOCIATION};

    switch (ingest_object(import->ingest, incoming, &options, &import->report, err)) {
    case INGEST_STORED:
        import->counts->added++;
        note_stored(import);
        return 0;
    case INGEST_REPLACED:
        import->counts->updated++;
        tell(import, FILE_WARNING, import->report.reason.data);
        note_stored(import);
        return 0;
    case INGEST_SAME:
        import->counts->same++;
        return 0;
    case INGEST_CONFLICT:
        import->counts->conflicts++;
        tell(import, FILE_BROKEN, import->report.reason.data);
        return 0;
    case INGEST_MISMATCH:
    case INGEST_BROKEN:
        import->counts->broken++;
        tell(import, FILE_BROKEN, import->report.reason.data);
        return 0;
    default:
        return err_prefix(err, "%s", import->path.data);
    }
}

static int take_object(struct import *import, const struct feed_item *item, struct err *err)
{
    struct err why = {0};
    struct incoming *incoming;
    bool fatal = false;
    int source = item->fd >= 0 ? openat(item->fd, item->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
                               : open(import->path.data, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int has, status = 0;

    if (source < 0) {
        import->counts->failed++;
        tell(import, FILE_FAILED, strerror(errno));
        return 0;
    }
    has = ingest_has(import->ingest, &item->object, source, err);
    if (has < 0) {
        status = -1;
    } else if (has) {
        import->counts->same++;
    } else if (import->options->dry) {
        import->counts->added++;
    } else {
        incoming = bring_in(import, item, source, &fatal, &why);
        if (incoming) {
            status = ingest(import, incoming, err);
        } else if (fatal) {
            if (err)
                *err = why;
            status = -1;
        } else {
            import->counts->failed++;
            odd(import, FILE_FAILED, why.text);
        }
    }
    close(source);
    return status;
}

static int take(struct import *import, const struct feed_item *item, struct err *err)
{
    buf_clear(&import->path);
    feed_item_path(item, &import->path);
    switch (item->kind) {
    case OBJECT_SOUND:
        return take_object(import, item, err);
    case OBJECT_NOT_DICOM:
        import->counts->not_dicom++;
        odd(import, FILE_NOT_DICOM, item->why);
        return 0;
    case OBJECT_DIRECTORY:
        import->counts->directories++;
        return 0;
    case OBJECT_BROKEN:
        import->counts->broken++;
        odd(import, FILE_BROKEN, item->why);
        return 0;
    default:
        import->counts->failed++;
        odd(import, FILE_FAILED, item->why);
        return 0;
    }
}

int import_run(struct archive *archive, struct feed *feed, const struct import_options *options,
               struct file_counts *counts, struct err *err)
{
    struct import import = {.archive = archive, .options = options, .counts = counts};
    struct feed_item *item;
    int status = 0;

    if (!options->dry && archive_recover(archive, err) < 0)
        return -1;
    import.ingest = ingest_new(archive, err);
    if (!import.ingest)
        return -1;
    while (status == 0 && (item = feed_next(feed))) {
        status = take(&import, item, err);
        if (status == 0 && import.unflushed >= FLUSH_OBJECTS)
            status = flush(&import, err);
        if (options->events->progress)
            options->events->progress(options->events->context, item->object.record.size);
    }
    if (status == 0)
        status = flush(&import, err);
    else
        ingest_flush(import.ingest, NULL);
    ingest_free(import.ingest);
    if (status == 0 && !options->dry)
        status = archive_checkpoint(archive, true, err);
    ingest_report_free(&import.report);
    buf_free(&import.path);
    buf_free(&import.why);
    buf_free(&import.told);
    return status;
}
