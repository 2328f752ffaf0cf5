/*
 * See export.h.
 */
#include "export/export.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dicom/scan.h"
#include "export/layout.h"
#include "export/manifest.h"
#include "base/set.h"
#include "index/query.h"

/* Objects of one reference are collected up to this, so that the index is not read while their
 * files are written: an open read keeps its log from being emptied for as long as that takes. */
#define COLLECT_BYTES (16 << 20)

struct export
{
    struct export_options options;
    struct export_events events;
    struct export_counts counts;
    struct layout *layout;
    struct scanner *scanner;
    struct sink *sink;
    struct manifest *manifest;
    /* What has been named. Of a study or series that was named as a whole, that is enough to know
     * its objects by: memory grows with the references and not with the objects. */
    struct set *wholes, *objects;
    struct buf name, key;
    struct buf collected; /* "path\0uid\0" of each */
    int root;
};

static int set_up(struct export *export, struct err *err)
{
    const struct export_options *options = &export->options;
    tag_t tags[256];
    size_t count;

    export->layout = layout_new(options->layout, options->ascii, err);
    if (!export->layout)
        return -1;
    const tag_t *wanted = layout_tags(export->layout, &count);
    memcpy(tags, wanted, count * sizeof *tags);
    tags[count++] = TAG(0x0002, 0x0010);
    export->scanner = scanner_new(tags, count);
    if (options->dry_run)
        return 0;
    export->sink = options->sink.format == SINK_FOLDER ? sink_folder_new(&options->sink, err)
                                                       : sink_archive_new(&options->sink, err);
    if (!export->sink)
        return -1;
    if (options->manifest) {
        export->manifest = manifest_new(options->manifest, options->sink.force, err);
        if (!export->manifest)
            return -1;
    }
    return 0;
}

struct export *export_new(const struct export_options *options, const struct export_events *events,
                          struct err *err)
{
    struct export *export = xcalloc(1, sizeof *export);

    export->options = *options;
    export->events = *events;
    export->wholes = set_new(SET_108_BITS);
    export->objects = set_new(SET_108_BITS);
    if (set_up(export, err) < 0) {
        export_free(export);
        return NULL;
    }
    return export;
}

void export_free(struct export *export)
{
    if (!export)
        return;
    if (export->sink)
        export->sink->type->free(export->sink);
    manifest_free(export->manifest);
    layout_free(export->layout);
    scanner_free(export->scanner);
    set_free(export->wholes);
    set_free(export->objects);
    buf_free(&export->name);
    buf_free(&export->key);
    buf_free(&export->collected);
    free(export);
}

const struct export_counts *export_counts(const struct export *export)
{
    return &export->counts;
}

int export_finish(struct export *export, struct err *err)
{
    bool to_file =
        export->options.sink.format != SINK_FOLDER && strcmp(export->options.sink.output, "-") != 0;

    if (sink_is_interrupted(err))
        return -1;
    if (!export->sink || (to_file && export->counts.objects == 0))
        return 0;
    if (export->sink->type->finish(export->sink, err) < 0)
        return -1;
    return export->manifest ? manifest_finish(export->manifest, err) : 0;
}

/* ---- one object ---- */

static void object_failed(struct export *export, const char *reference, const struct err *why)
{
    export->counts.failed++;
    if (export->events.failed)
        export->events.failed(export->events.context, reference, why);
}

/* Opens a regular file; never waits for the other end of a FIFO. */
static int open_source(struct sink_source *source, struct err *err)
{
    source->fd = openat(source->dirfd, source->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (source->fd < 0)
        return err_sys(err, "%s", source->path);
    if (fstat(source->fd, &source->stat) < 0) {
        err_sys(err, "%s", source->path);
    } else if (S_ISDIR(source->stat.st_mode)) {
        err_set(err, ERR_INPUT, "%s: is a folder (find names the files in it)", source->path);
    } else if (!S_ISREG(source->stat.st_mode)) {
        err_set(err, ERR_INPUT, "%s: not a file", source->path);
    } else {
        return 0;
    }
    close(source->fd);
    return -1;
}

static enum sink_result put_object(struct export *export, struct sink_source *source,
                                   struct err *err)
{
    enum scan_result scanned = scan_fd(export->scanner, source->fd, source->path, err);
    enum sink_result result = SINK_DONE;
    bool known;

    if (scanned != SCAN_OK)
        return SINK_FAILED;
    const struct scan_info *info = scan_info(export->scanner);
    source->compressed =
        transfer_syntax_of(info->transfer_syntax, &known).encapsulated || info->deflated;
    layout_name(export->layout, export->scanner, &export->name);
    if (export->sink)
        result = export->sink->type->add(export->sink, buf_text(&export->name), source,
                                         export->manifest ? manifest_watch(export->manifest) : NULL,
                                         err);
    if ((result == SINK_DONE || result == SINK_KEPT) && export->manifest &&
        manifest_put(export->manifest, buf_text(&export->name), err) < 0)
        result = SINK_FATAL;
    return result;
}

static int export_object(struct export *export, const char *reference, int dirfd, const char *path,
                         struct err *err)
{
    struct sink_source source = {.fd = -1, .dirfd = dirfd, .path = path};
    enum sink_result result;

    if (sink_is_interrupted(err))
        return -1;
    if (open_source(&source, err) < 0) {
        object_failed(export, reference, err);
        return 0;
    }
    result = put_object(export, &source, err);
    close(source.fd);
    if (result == SINK_FATAL)
        return -1;
    if (result == SINK_FAILED) {
        object_failed(export, reference, err);
        return 0;
    }
    export->counts.objects++;
    export->counts.kept += result == SINK_KEPT;
    export->counts.bytes += (uint64_t)source.stat.st_size;
    if (!export->events.done)
        return 0;
    return export->events.done(export->events.context, reference, buf_text(&export->name),
                               (uint64_t)source.stat.st_size, err);
}

int export_path(struct export *export, const char *path, struct err *err)
{
    struct stat st;

    /* The same file by another path is the same object. */
    if (stat(path, &st) == 0) {
        buf_clear(&export->key);
        buf_addf(&export->key, "file:%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        if (!set_add(export->objects, export->key.data, export->key.length)) {
            export->counts.repeated++;
            return 0;
        }
    }
    return export_object(export, path, AT_FDCWD, path, err);
}

/* ---- references ---- */

struct resolving {
    struct export *export;
    const char *reference;
    uint64_t found;
    struct buf whole; /* the study or series that is being gone through, all of it */
};

/* The keys in `wholes`: a series belongs to its study, whatever UIDs others have given twice. */
static void study_key(struct buf *key, const struct index_object *object)
{
    buf_clear(key);
    buf_addf(key, "study:%s", object->study_uid);
}

static void series_key(struct buf *key, const struct index_object *object)
{
    buf_clear(key);
    buf_addf(key, "series:%s/%s", object->study_uid, object->series_uid);
}

/* What was named before, by itself or with its series or study. */
static bool is_repeated(struct resolving *resolving, const struct index_object *object)
{
    struct export *export = resolving->export;
    struct buf *key = &export->key;

    study_key(key, object);
    if (set_has(export->wholes, key->data, key->length))
        return true;
    series_key(key, object);
    if (set_has(export->wholes, key->data, key->length))
        return true;
    if (strcmp(object->sop_uid, resolving->reference) == 0)
        return !set_add(export->objects, object->sop_uid, strlen(object->sop_uid));
    return set_has(export->objects, object->sop_uid, strlen(object->sop_uid));
}

static int export_collected(struct export *export, struct err *err)
{
    const char *at = buf_text(&export->collected), *end = at + export->collected.length;
    int status = 0;

    while (at < end && status == 0) {
        const char *path = at, *uid = path + strlen(path) + 1;

        at = uid + strlen(uid) + 1;
        status = export_object(export, uid, export->root, path, err);
    }
    buf_clear(&export->collected);
    return status;
}

/* Its entry is made when its last object is by. */
static void end_whole(struct resolving *resolving)
{
    if (resolving->whole.length)
        set_add(resolving->export->wholes, resolving->whole.data, resolving->whole.length);
    buf_clear(&resolving->whole);
}

/* Objects come ordered by study and series: the next key ends the one before. */
static void begin_whole(struct resolving *resolving, const struct index_object *object)
{
    struct buf *key = &resolving->export->key;
    const char *reference = resolving->reference;

    if (strcmp(object->study_uid, reference) == 0 || strncmp(reference, "patient:", 8) == 0)
        study_key(key, object);
    else if (strcmp(object->series_uid, reference) == 0)
        series_key(key, object);
    else
        return;
    if (strcmp(buf_text(&resolving->whole), key->data) == 0)
        return;
    end_whole(resolving);
    buf_adds(&resolving->whole, key->data);
}

static int collect(void *context, const struct index_object *object, struct err *err)
{
    struct resolving *resolving = context;
    struct export *export = resolving->export;

    resolving->found++;
    begin_whole(resolving, object);
    if (is_repeated(resolving, object)) {
        export->counts.repeated++;
        return 0;
    }
    buf_add(&export->collected, object->path, strlen(object->path) + 1);
    buf_add(&export->collected, object->sop_uid, strlen(object->sop_uid) + 1);
    return export->collected.length < COLLECT_BYTES ? 0 : export_collected(export, err);
}

int export_reference(struct export *export, struct index *index, int root, const char *reference,
                     struct err *err)
{
    struct resolving resolving = {.export = export, .reference = reference};
    int64_t count;
    int status = 0;

    export->root = root;
    buf_clear(&export->collected);
    err->code = ERR_NONE;
    count = index_objects(index, reference, collect, &resolving, err);
    if (count < 0 && err->code == ERR_NOTFOUND && resolving.found == 0) {
        object_failed(export, reference, err);
    } else if (count < 0) {
        status = -1;
    } else {
        status = export_collected(export, err);
        end_whole(&resolving);
    }
    buf_free(&resolving.whole);
    return status;
}
