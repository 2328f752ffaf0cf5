/*
 * See send_refs.h.
 */
#include "net/send_refs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/refs.h"
#include "dicom/scan.h"
#include "index/query.h"

#define TAG_CLASS    TAG(0x0008, 0x0016)
#define TAG_INSTANCE TAG(0x0008, 0x0018)

struct send_refs {
    struct archive *archive;
    struct scanner *scanner;
    send_refs_failed *failed;
    void *context;
    struct send_list *list; /* of the present call */
    struct buf class_uid, instance_uid;
};

struct send_refs *send_refs_new(struct archive *archive, send_refs_failed *failed, void *context)
{
    static const tag_t tags[] = {TAG_CLASS, TAG_INSTANCE};
    struct send_refs *refs = xcalloc(1, sizeof *refs);

    refs->archive = archive;
    refs->failed = failed;
    refs->context = context;
    refs->scanner = scanner_new(tags, 2);
    return refs;
}

void send_refs_free(struct send_refs *refs)
{
    if (!refs)
        return;
    scanner_free(refs->scanner);
    buf_free(&refs->class_uid);
    buf_free(&refs->instance_uid);
    free(refs);
}

static int add_indexed(void *context, const struct index_object *object, struct err *err)
{
    struct send_refs *refs = context;
    struct send_item item = {
        .path = object->path,
        .class_uid = object->sop_class_uid,
        .instance_uid = object->sop_uid,
        .transfer_syntax = object->transfer_syntax,
        .size = object->size,
    };

    return send_list_add(refs->list, &item, err) < 0 ? -1 : 0;
}

static int text_uid(struct send_refs *refs, tag_t tag, const char *name, const char *path,
                    struct buf *uid, struct err *err)
{
    buf_clear(uid);
    scan_text(refs->scanner, tag, uid);
    return uid_valid(buf_text(uid), uid->length)
               ? 0
               : err_set(err, ERR_INPUT, "%s: no valid %s", path, name);
}

/* 1: the list took it, or had it; 0 with `why`: it cannot be sent; -1. */
static int add_file(struct send_refs *refs, const char *path, struct err *why, struct err *err)
{
    const char *syntax;
    struct stat status;
    char *whole;
    int added;

    if (stat(path, &status) < 0) {
        err_sys(why, "%s", path);
        return 0;
    }
    if (scan_path(refs->scanner, AT_FDCWD, path, why) != SCAN_OK ||
        text_uid(refs, TAG_CLASS, "SOP Class UID", path, &refs->class_uid, why) < 0 ||
        text_uid(refs, TAG_INSTANCE, "SOP Instance UID", path, &refs->instance_uid, why) < 0)
        return 0;
    const struct scan_info *info = scan_info(refs->scanner);
    syntax = !info->meta_disagrees ? info->transfer_syntax
             : info->big_endian    ? UID_EXPLICIT_BE
             : info->explicit_vr   ? UID_EXPLICIT_LE
                                   : UID_IMPLICIT_LE;
    /* Paths of the list are below the archive unless they are absolute. */
    whole = realpath(path, NULL);
    if (!whole) {
        err_sys(why, "%s", path);
        return 0;
    }
    added = send_list_add(refs->list,
                          &(struct send_item){
                              .path = whole,
                              .class_uid = buf_text(&refs->class_uid),
                              .instance_uid = buf_text(&refs->instance_uid),
                              .transfer_syntax = syntax,
                              .size = (uint64_t)status.st_size,
                          },
                          err);
    free(whole);
    return added < 0 ? -1 : 1;
}

int send_refs_add(struct send_refs *refs, struct send_list *list, const char *reference,
                  struct err *err)
{
    struct err why = {0};
    struct index *index;
    int64_t added;

    refs->list = list;
    if (ref_is_path(reference)) {
        added = add_file(refs, reference, &why, err);
    } else {
        if (!refs->archive)
            return err_set(err, ERR_INPUT,
                           "%.80s: no archive to look it up in (-A DIR); a file's path begins with "
                           "/ or .",
                           reference);
        index = archive_index(refs->archive, err);
        if (!index)
            return -1;
        added = index_objects(index, reference, add_indexed, refs, err);
        if (added < 0 && err->code == ERR_NOTFOUND) {
            why = *err;
            added = 0;
        } else if (added == 0) {
            err_set(&why, ERR_NOTFOUND, "%.80s: no objects", reference);
        }
    }
    if (added == 0)
        refs->failed(refs->context, reference, &why);
    return added < 0 ? -1 : 0;
}
