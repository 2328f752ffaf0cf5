/*
 * See send_object.h.
 */
#include "net/send_object.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "dicom/meta.h"
#include "dicom/uid.h"

#define COPY_SIZE            ((size_t)1 << 18)
#define TAG_SOP_INSTANCE_UID TAG(0x0008, 0x0018)

struct scanner *send_object_scanner(void)
{
    static const tag_t tags[] = {TAG_SOP_INSTANCE_UID};

    return scanner_new(tags, 1);
}

/* Where the data set is, and how it is encoded. */
static int look(struct send_object *object, int fd, struct scanner *scanner, struct err *err)
{
    const struct scan_info *info;
    struct stat status;

    if (fstat(fd, &status) < 0)
        return err_sys(err, "%s", object->item->path);
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_INPUT, "%s: not a file", object->item->path);
    if (scan_fd(scanner, fd, object->item->path, err) != SCAN_OK)
        return -1;
    info = scan_info(scanner);
    if ((uint64_t)status.st_size <= info->dataset_offset)
        return err_set(err, ERR_INPUT, "%s: holds no data set", object->item->path);
    object->offset = info->dataset_offset;
    object->size = (uint64_t)status.st_size - object->offset;
    return 0;
}

int send_object_open(struct send_object *object, const struct send_item *item, int root,
                     struct scanner *scanner, struct err *err)
{
    const struct scan_info *info;
    const char *syntax;

    *object = (struct send_object){.item = item};
    object->fd = openat(root, item->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (object->fd < 0)
        return err_sys(err, "%s", item->path);
    if (look(object, object->fd, scanner, err) < 0)
        return -1;
    info = scan_info(scanner);
    /* The file decides, not what someone noted about it. */
    syntax = !info->meta_disagrees ? info->transfer_syntax
             : info->big_endian    ? UID_EXPLICIT_BE
             : info->explicit_vr   ? UID_EXPLICIT_LE
                                   : UID_IMPLICIT_LE;
    snprintf(object->syntax, sizeof object->syntax, "%s", syntax);
    object->mislabelled = !info->has_preamble || !info->has_meta || info->meta_disagrees;
    return 0;
}

/* A file that says what it is: for one without a meta header, or with one that is wrong. -1, or its descriptor. */
static int put_right(const struct send_object *object, struct err *err)
{
    struct buf meta = {0};
    char *bytes = xmalloc(COPY_SIZE);
    int out = temporary_file(err), status = 0;

    if (out >= 0) {
        meta_put(&meta, &(struct meta){.sop_class_uid = object->item->class_uid,
                                       .sop_instance_uid = object->item->instance_uid,
                                       .transfer_syntax = object->syntax});
        status = write_all(out, meta.data, meta.length);
    }
    for (uint64_t at = 0; out >= 0 && status == 0 && at < object->size; at += COPY_SIZE) {
        uint64_t left = object->size - at;
        ssize_t got = pread_all(object->fd, bytes, left < COPY_SIZE ? (size_t)left : COPY_SIZE,
                                (off_t)(object->offset + at));

        status = got < 0 ? -1 : write_all(out, bytes, (size_t)got);
    }
    if (out >= 0 && status < 0) {
        err_sys(err, "%s", object->item->path);
        close(out);
        out = -1;
    }
    buf_free(&meta);
    free(bytes);
    return out;
}

int send_object_convert(struct send_object *object, struct transcoder *transcoder, bool lossy,
                        const char *transfer_syntax, struct scanner *scanner, struct err *err)
{
    struct transcode_request request = {.transfer_syntax = transfer_syntax, .lossy = lossy};
    struct send_object changed = *object;
    struct transcode_result result;
    int in = object->mislabelled ? put_right(object, err) : object->fd, out, status = -1;

    if (in < 0)
        return -1;
    out = temporary_file(err);
    if (out >= 0 &&
        transcoder_run(transcoder, in, object->item->path, &request, out, &result, err) == 0)
        status = look(&changed, out, scanner, err);
    if (in != object->fd)
        close(in);
    if (status < 0) {
        if (out >= 0)
            close(out);
        return -1;
    }
    close(object->fd);
    *object = changed;
    object->fd = out;
    object->transcoded = true;
    object->mislabelled = false;
    object->lossy = result.lossy;
    snprintf(object->syntax, sizeof object->syntax, "%s", transfer_syntax);
    return 0;
}

void send_object_close(struct send_object *object)
{
    if (object->fd >= 0)
        close(object->fd);
    object->fd = -1;
}

bool syntax_is_lossy(const char *transfer_syntax)
{
    static const char *const lossy[] = {
        "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.51",
    };

    for (size_t i = 0; i < sizeof lossy / sizeof *lossy; i++)
        if (strcmp(lossy[i], transfer_syntax) == 0)
            return true;
    return false;
}
