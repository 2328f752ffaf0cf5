/*
 * See store_check.h.
 */
#include "net/store_check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "dicom/meta.h"
#include "dicom/scan.h"

#define REASON_PROCESSING 0x0110
#define REASON_NO_SUCH    0x0112
#define REASON_CONFLICT   0x0119

#define BLOCK ((size_t)256 << 10)

struct store_check {
    struct archive *archive;
    struct index *index;
    struct scanner *scanner;
    char *block;
};

struct store_check *store_check_new(struct archive *archive, struct err *err)
{
    static const tag_t tags[] = {TAG(0x0002, 0x0100), TAG(0x0002, 0x0102), TAG(0x0008, 0x0016),
                                 TAG(0x0008, 0x0018)};
    struct index *index = archive_index(archive, err);
    struct store_check *check;

    if (!index)
        return NULL;
    check = xcalloc(1, sizeof *check);
    check->archive = archive;
    check->index = index;
    check->scanner = scanner_new(tags, sizeof tags / sizeof *tags);
    check->block = xmalloc(BLOCK);
    return check;
}

void store_check_free(struct store_check *check)
{
    if (!check)
        return;
    scanner_free(check->scanner);
    free(check->block);
    free(check);
}

static bool scanned_is(struct store_check *check, tag_t tag, const char *wanted)
{
    struct buf text = {0};
    bool same;

    scan_text(check->scanner, tag, &text);
    same = strcmp(buf_text(&text), wanted) == 0;
    buf_free(&text);
    return same;
}

/* Reads all of it; its hash must be the one that stands in its head, where there is one. */
static int read_whole(struct store_check *check, int fd, const char *path, uint64_t size,
                      struct err *err)
{
    const struct scan_value *creator = scan_value(check->scanner, TAG(0x0002, 0x0100));
    const struct scan_value *said = scan_value(check->scanner, TAG(0x0002, 0x0102));
    uint64_t at = scan_info(check->scanner)->dataset_offset;
    struct data_hash *hash = data_hash_new();
    char found[DATA_HASH_SIZE], stored[DATA_HASH_SIZE];
    bool known = meta_has_hash(creator, said, stored);
    ssize_t got = 1;
    int status = 0;

    while (at < size && got > 0) {
        got = pread(fd, check->block, BLOCK, (off_t)at);
        if (got > 0) {
            data_hash_add(hash, check->block, (size_t)got);
            at += (uint64_t)got;
        }
    }
    data_hash_get(hash, found);
    data_hash_free(hash);
    if (got < 0)
        status = err_sys(err, "%s", path);
    else if (at < size)
        status = err_set(err, ERR_FAILED, "%s: shorter than it was", path);
    else if (known && memcmp(found, stored, DATA_HASH_SIZE) != 0)
        status = err_set(err, ERR_FAILED, "%s: the data set is not what was received", path);
    return status;
}

static int check_file(struct store_check *check, const struct index_instance *row,
                      const char *class_uid, const char *instance_uid, struct err *err)
{
    int fd = openat(store_root(archive_store(check->archive)), row->path,
                    O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    int result = -1;

    if (fd < 0)
        return err_sys(err, "%s", row->path);
    if (fstat(fd, &status) < 0)
        err_sys(err, "%s", row->path);
    else if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != row->size)
        err_set(err, ERR_FAILED, "%s: %lld bytes instead of %llu", row->path,
                (long long)status.st_size, (unsigned long long)row->size);
    else if (scan_fd(check->scanner, fd, row->path, err) != SCAN_OK)
        ;
    else if (!scanned_is(check, TAG(0x0008, 0x0016), class_uid) ||
             !scanned_is(check, TAG(0x0008, 0x0018), instance_uid))
        err_set(err, ERR_FAILED, "%s: holds another object", row->path);
    else
        result = read_whole(check, fd, row->path, row->size, err);
    close(fd);
    return result;
}

unsigned store_check_object(struct store_check *check, const char *class_uid,
                            const char *instance_uid)
{
    struct index_instance row;
    struct err err = {0};
    int found = index_find_instance(check->index, instance_uid, &row, &err);

    if (found == 0)
        return REASON_NO_SUCH;
    if (found > 0 && strcmp(row.sop_class_uid, class_uid) != 0)
        return REASON_CONFLICT;
    if (found < 0 || check_file(check, &row, class_uid, instance_uid, &err) < 0) {
        log_error("storage commitment: %s", err.text);
        return REASON_PROCESSING;
    }
    return 0;
}
