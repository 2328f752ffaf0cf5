/*
 * See store.h. The folders of an archive, the paths in it, and what is durable about them.
 */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fs.h"

#define MAGIC_EXT 0xef53
#define MAGIC_XFS 0x58465342

#define COMPARE_BLOCK 65536

struct store *store_open(const char *root, bool create, struct err *err)
{
    static const char *const folders[] = {OBJECTS_FOLDER, INCOMING_FOLDER, QUARANTINE_FOLDER};
    struct store *store = xcalloc(1, sizeof *store);
    struct statfs system;

    store->root = xstrdup(root);
    store->fd = -1;
    if (create && make_folders(AT_FDCWD, root, true, err) < 0)
        goto failed;
    store->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->fd < 0) {
        err_sys(err, "%s", root);
        goto failed;
    }
    for (size_t i = 0; create && i < sizeof folders / sizeof folders[0]; i++)
        if (make_folders(store->fd, folders[i], true, err) < 0) {
            err_prefix(err, "%s", root);
            goto failed;
        }
    store->ordered = fstatfs(store->fd, &system) == 0 &&
                     (system.f_type == MAGIC_EXT || system.f_type == MAGIC_XFS);
    return store;
failed:
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->fd >= 0)
        close(store->fd);
    for (size_t i = 0; i < FOLDERS_KNOWN; i++)
        free(store->known[i]);
    free(store->root);
    free(store);
}

int store_root(const struct store *store)
{
    return store->fd;
}

const char *store_root_path(const struct store *store)
{
    return store->root;
}

bool store_keeps_names(const struct store *store)
{
    return !store->no_links;
}

/* ---- paths ---- */

static int two_digits(const char *text)
{
    return (text[0] - '0') * 10 + (text[1] - '0');
}

/* YYYYMMDD, or YYYY.MM.DD as ACR-NEMA wrote it. */
static bool date_digits(const char *date, char digits[9])
{
    static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    size_t n = 0;
    bool dots = strlen(date) == 10 && date[4] == '.' && date[7] == '.';

    for (const char *at = date; *at; at++) {
        if (dots && (at == date + 4 || at == date + 7))
            continue;
        if (*at < '0' || *at > '9' || n == 8)
            return false;
        digits[n++] = *at;
    }
    digits[n] = '\0';
    if (n != 8)
        return false;
    int month = two_digits(digits + 4), day = two_digits(digits + 6);

    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

void store_study_folder(const char *study_date, const char *study_uid, struct buf *out)
{
    char digits[9];
    const char *date = study_date && date_digits(study_date, digits) ? digits : "00000000";

    buf_addf(out, OBJECTS_FOLDER "/%.4s/%.2s/%.2s/%s", date, date + 4, date + 6, study_uid);
}

void store_object_path(const char *study_folder, const char *series_uid, const char *sop_uid,
                       struct buf *out)
{
    buf_addf(out, "%s/%s/%s.dcm", study_folder, series_uid, sop_uid);
}

/* ---- names ---- */

uint64_t store_random(void)
{
    uint64_t number;

    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        number = (uint64_t)wall_ms() << 20 ^ (uint64_t)getpid();
    return number;
}

char *store_unique_name(struct store *store)
{
    if (store->pid != getpid()) {
        store->pid = getpid();
        store->unique = store_random();
        store->counter = 0;
    }
    return xasprintf(INCOMING_FOLDER "/%d-%016llx-%llu", (int)store->pid,
                     (unsigned long long)store->unique, (unsigned long long)store->counter++);
}

bool store_no_links_errno(int number)
{
    return number == EPERM || number == EOPNOTSUPP || number == ENOSYS || number == EMLINK;
}

/* Without the flag, all who place by this way wait for each other. */
static int rename_checked(struct store *store, const char *from, const char *to)
{
    int lock = openat(store->fd, INCOMING_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat status;
    int result = -1;

    if (lock < 0)
        return -1;
    if (flock(lock, LOCK_EX) == 0) {
        if (fstatat(store->fd, to, &status, AT_SYMLINK_NOFOLLOW) == 0)
            errno = EEXIST;
        else if (errno == ENOENT)
            result = renameat(store->fd, from, store->fd, to);
    }
    int number = errno;
    close(lock);
    errno = number;
    return result;
}

int store_rename_new(struct store *store, const char *from, const char *to)
{
    if (!store->no_noreplace) {
        if (renameat2(store->fd, from, store->fd, to, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EINVAL && errno != ENOSYS)
            return -1;
        store->no_noreplace = true;
    }
    return rename_checked(store, from, to);
}

/* ---- folders ---- */

/* "a/b/c.dcm" -> "a/b"; "." for no folder. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
}

static char **known_slot(struct store *store, const char *folder)
{
    uint64_t hash = 14695981039346656037u;

    for (const char *at = folder; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    return &store->known[(hash ^ hash >> 32) & (FOLDERS_KNOWN - 1)];
}

void store_forget_folder(struct store *store, const char *path)
{
    char *folder = folder_of(path), **slot = known_slot(store, folder);

    free(*slot);
    *slot = NULL;
    free(folder);
}

/* Another process may have made the folders a moment ago and not have come to make them durable. */
static int sync_above(struct store *store, const char *folder, struct err *err)
{
    char *copy = xstrdup(folder), *slash;
    int status = 0;

    while (status == 0 && (slash = strrchr(copy, '/'))) {
        *slash = '\0';
        status = sync_folder(store->fd, copy, err);
    }
    if (status == 0)
        status = sync_folder(store->fd, ".", err);
    free(copy);
    return status;
}

int store_folder_of(struct store *store, const char *path, bool sync, struct err *err)
{
    char *folder = folder_of(path), **slot = known_slot(store, folder);
    int status = 0;

    if (!*slot || strcmp(*slot, folder) != 0) {
        status = make_folders(store->fd, folder, false, err);
        if (status == 0 && sync && !store->ordered)
            status = sync_above(store, folder, err);
        if (status == 0 && (sync || store->ordered)) {
            free(*slot);
            *slot = folder;
            folder = NULL;
        }
    }
    free(folder);
    return status;
}

int store_sync_folder_of(struct store *store, const char *path, struct err *err)
{
    char *folder = folder_of(path);
    int status = sync_folder(store->fd, folder, err);

    free(folder);
    return status;
}

int store_sync_place(struct store *store, const char *path, struct err *err)
{
    int status = store_folder_of(store, path, true, err);

    return status < 0 ? status : store_sync_folder_of(store, path, err);
}

int store_settle(struct store *store, const char *path, struct err *err)
{
    int fd = openat(store->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), status;

    if (fd < 0)
        return err_sys(err, "%s", path);
    status = fdatasync(fd) < 0 ? err_sys(err, "%s: fdatasync", path) : 0;
    close(fd);
    return status < 0 ? status : store_sync_place(store, path, err);
}

/* ---- contents ---- */

int store_same_bytes(int one, uint64_t one_from, int other, uint64_t other_from)
{
    struct stat a, b;
    char *block;
    int same = 1;

    if (fstat(one, &a) < 0 || fstat(other, &b) < 0)
        return -1;
    if ((uint64_t)a.st_size < one_from || (uint64_t)b.st_size < other_from ||
        (uint64_t)a.st_size - one_from != (uint64_t)b.st_size - other_from)
        return 0;
    if (a.st_dev == b.st_dev && a.st_ino == b.st_ino && one_from == other_from)
        return 1;
    block = xmalloc(2 * (size_t)COMPARE_BLOCK);
    for (uint64_t done = 0; same == 1; done += COMPARE_BLOCK) {
        ssize_t n = pread_all(one, block, COMPARE_BLOCK, (off_t)(one_from + done));
        ssize_t m =
            pread_all(other, block + COMPARE_BLOCK, COMPARE_BLOCK, (off_t)(other_from + done));

        if (n < 0 || m < 0)
            same = -1;
        else if (n != m || memcmp(block, block + COMPARE_BLOCK, (size_t)n) != 0)
            same = 0;
        else if (n < COMPARE_BLOCK)
            break;
    }
    int number = errno;
    free(block);
    errno = number;
    return same;
}
