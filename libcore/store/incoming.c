/*
 * Files in incoming/: written, made durable, placed, swept. See store.h for why their names stay after
 * they were placed.
 *
 *   PID-RANDOM-NUMBER[.link][.loose-SIZE]
 *
 * ".link": a further name of a file that lies elsewhere; ".loose-SIZE": placed without being made
 * durable, so that after a power loss its size tells a whole file from a torn one. With ".over" at the
 * end: a third name, about to replace another file.
 */
#include "store/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

#define WRITE_BEHIND ((uint64_t)256 << 10)
#define COPY_CHUNK   ((size_t)8 << 20)
#define COPY_BLOCK   ((size_t)256 << 10)

#define LINK_MARK  ".link"
#define OVER_MARK  ".over"
#define LOOSE_MARK ".loose-"

/* 1 when the file is ours; 0 when a sweeper has found it before it was locked, and taken it for a
 * leftover; -1 with errno. */
static int lock_new(int fd)
{
    struct stat status;

    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? 0 : -1;
    return fstat(fd, &status) < 0 ? -1 : status.st_nlink > 0;
}

/* 1, 0 when the name is taken or was lost, -1 with errno. */
static int open_new(struct store *store, const char *path, int *fd)
{
    int ours;

    *fd = openat(store->fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (*fd < 0)
        return errno == EEXIST ? 0 : -1;
    ours = lock_new(*fd);
    if (ours == 1)
        return 1;
    int number = errno;
    close(*fd);
    *fd = -1;
    errno = number;
    return ours;
}

struct incoming *incoming_new(struct store *store, struct err *err)
{
    struct incoming *incoming = xcalloc(1, sizeof *incoming);
    int ours;

    incoming->store = store;
    do {
        free(incoming->path);
        incoming->path = store_unique_name(store);
        ours = open_new(store, incoming->path, &incoming->fd);
    } while (ours == 0);
    if (ours == 1)
        return incoming;
    err_sys(err, "%s", incoming->path);
    incoming_free(incoming);
    return NULL;
}

struct incoming *incoming_link(struct store *store, const char *path, struct err *err)
{
    struct incoming *incoming = xcalloc(1, sizeof *incoming);
    char *name = store_unique_name(store);
    struct stat status;

    incoming->store = store;
    incoming->fd = -1;
    incoming->path = xasprintf("%s" LINK_MARK, name);
    free(name);
    /* The name that was given may be a symbolic link: the file itself gets the further name. */
    if (linkat(AT_FDCWD, path, store->fd, incoming->path, AT_SYMLINK_FOLLOW) < 0) {
        err_sys(err, "%s: hard link", path);
        incoming->gone = true;
        goto failed;
    }
    incoming->fd =
        openat(store->fd, incoming->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (incoming->fd < 0 || fstat(incoming->fd, &status) < 0) {
        err_sys(err, "%s", path);
        goto failed;
    }
    if (!S_ISREG(status.st_mode) || flock(incoming->fd, LOCK_EX | LOCK_NB) < 0) {
        err_set(err, ERR_FAILED, "%s: %s", path,
                S_ISREG(status.st_mode) ? "another process has locked it" : "not a file");
        goto failed;
    }
    incoming->size = (uint64_t)status.st_size;
    return incoming;
failed:
    incoming_free(incoming);
    return NULL;
}

static void start_writing(struct incoming *incoming)
{
    if (incoming->size - incoming->behind < WRITE_BEHIND)
        return;
    /* Only a help: that it fails means nothing. */
    sync_file_range(incoming->fd, (off_t)incoming->behind,
                    (off_t)(incoming->size - incoming->behind), SYNC_FILE_RANGE_WRITE);
    incoming->behind = incoming->size;
}

int incoming_write(struct incoming *incoming, const void *bytes, size_t length, struct err *err)
{
    if (write_all(incoming->fd, bytes, length) < 0)
        return err_sys(err, "%s", incoming->path);
    incoming->size += length;
    incoming->synced = false;
    start_writing(incoming);
    return 0;
}

int incoming_patch(struct incoming *incoming, uint64_t at, const void *bytes, size_t length,
                   struct err *err)
{
    ssize_t n = pwrite(incoming->fd, bytes, length, (off_t)at);

    incoming->synced = false;
    if (n == (ssize_t)length)
        return 0;
    if (n >= 0)
        errno = ENOSPC;
    return err_sys(err, "%s", incoming->path);
}

/* ---- copying ---- */

static bool cannot_copy_range(int number)
{
    return number == EXDEV || number == EINVAL || number == ENOSYS || number == EOPNOTSUPP;
}

static void count_copied(int target, uint64_t *written, size_t n)
{
    sync_file_range(target, (off_t)*written, (off_t)n, SYNC_FILE_RANGE_WRITE);
    *written += n;
}

static int copy_by_hand(int target, int source, uint64_t *written)
{
    char *block = xmalloc(COPY_BLOCK);
    ssize_t n;
    int status = 0;

    while (status == 0 && (n = pread_all(source, block, COPY_BLOCK, (off_t)*written)) != 0) {
        status = n < 0 ? -1 : write_all(target, block, (size_t)n);
        if (status == 0)
            count_copied(target, written, (size_t)n);
    }
    int number = errno;
    free(block);
    errno = number;
    return status;
}

static int copy_in_kernel(int target, int source, uint64_t *written)
{
    off_t from = 0;
    ssize_t n;

    do {
        n = copy_file_range(source, &from, target, NULL, COPY_CHUNK, 0);
        if (n > 0)
            count_copied(target, written, (size_t)n);
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? -1 : 0;
}

int store_copy(int target, int source, uint64_t *written)
{
    struct stat status;

    *written = 0;
    if (ioctl(target, FICLONE, source) == 0) {
        if (fstat(target, &status) < 0)
            return -1;
        *written = (uint64_t)status.st_size;
        return 0;
    }
    if (copy_in_kernel(target, source, written) == 0) {
        /* Some file systems say that a file ends where it begins, and it does not. */
        return *written > 0 ? 0 : copy_by_hand(target, source, written);
    }
    return cannot_copy_range(errno) && *written == 0 ? copy_by_hand(target, source, written) : -1;
}

int incoming_copy(struct incoming *incoming, int source, struct err *err)
{
    int status = store_copy(incoming->fd, source, &incoming->size);

    incoming->synced = false;
    incoming->behind = incoming->size;
    return status < 0 ? err_sys(err, "%s", incoming->path) : 0;
}

/* ---- as it stands ---- */

int incoming_fd(const struct incoming *incoming)
{
    return incoming->fd;
}

uint64_t incoming_size(const struct incoming *incoming)
{
    return incoming->size;
}

const char *incoming_path(const struct incoming *incoming)
{
    return incoming->path;
}

int incoming_sync(struct incoming *incoming, struct err *err)
{
    if (incoming->synced)
        return 0;
    if (fdatasync(incoming->fd) < 0)
        return err_sys(err, "%s: fdatasync", incoming->path);
    /* Its name in incoming/ is durable with it where the journal keeps the order. */
    if (!incoming->store->ordered && store_sync_folder_of(incoming->store, incoming->path, err) < 0)
        return -1;
    incoming->synced = true;
    return 0;
}

void incoming_free(struct incoming *incoming)
{
    if (!incoming)
        return;
    if (!incoming->placed && !incoming->gone && incoming->fd >= 0)
        unlinkat(incoming->store->fd, incoming->path, 0);
    if (incoming->fd >= 0)
        close(incoming->fd); /* and unlocks */
    free(incoming->path);
    free(incoming);
}

/* ---- placing ---- */

static int mark_loose(struct store *store, struct incoming *incoming, struct err *err)
{
    char *name;

    if (store->no_links || strstr(incoming->path, LOOSE_MARK))
        return 0;
    name = xasprintf("%s" LOOSE_MARK "%llu", incoming->path, (unsigned long long)incoming->size);
    if (renameat(store->fd, incoming->path, store->fd, name) < 0) {
        err_sys(err, "%s", incoming->path);
        free(name);
        return -1;
    }
    free(incoming->path);
    incoming->path = name;
    return 0;
}

/* 0, or -1 with errno. */
static int give_name(struct store *store, struct incoming *incoming, const char *path)
{
    if (!store->no_links) {
        if (linkat(store->fd, incoming->path, store->fd, path, 0) == 0)
            return 0;
        if (!store_no_links_errno(errno))
            return -1;
        store->no_links = true;
    }
    if (store_rename_new(store, incoming->path, path) < 0)
        return -1;
    incoming->gone = true;
    return 0;
}

enum place_result store_place(struct store *store, struct incoming *incoming, const char *path,
                              bool sync, struct err *err)
{
    int status = -1;

    if ((sync ? incoming_sync(incoming, err) : mark_loose(store, incoming, err)) < 0)
        return PLACE_ERROR;
    for (int tries = 0; tries < 3 && status < 0; tries++) {
        if (store_folder_of(store, path, sync, err) < 0)
            return PLACE_ERROR;
        status = give_name(store, incoming, path);
        if (status < 0 && errno == EEXIST)
            return PLACE_EXISTS;
        if (status < 0 && errno != ENOENT)
            break;
        /* The folder was empty, and someone has tidied it away. */
        if (status < 0)
            store_forget_folder(store, path);
    }
    if (status < 0) {
        if (errno == EXDEV)
            err_set(err, ERR_FAILED, "%s: incoming/ and objects/ lie on two file systems", path);
        else
            err_sys(err, "%s", path);
        return PLACE_ERROR;
    }
    incoming->placed = true;
    if (!sync)
        sync_file_range(incoming->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return sync && store_sync_folder_of(store, path, err) < 0 ? PLACE_ERROR : PLACE_DONE;
}

int store_replace(struct store *store, struct incoming *incoming, const char *path, struct err *err)
{
    char *name = NULL;
    int status = -1;

    if (incoming_sync(incoming, err) < 0 || store_folder_of(store, path, true, err) < 0)
        return -1;
    /* A name that is used up by the rename; the other stays. */
    if (!store->no_links) {
        name = xasprintf("%s" OVER_MARK, incoming->path);
        if (linkat(store->fd, incoming->path, store->fd, name, 0) < 0) {
            if (!store_no_links_errno(errno)) {
                err_sys(err, "%s", name);
                goto out;
            }
            store->no_links = true;
        }
    }
    if (renameat(store->fd, store->no_links ? incoming->path : name, store->fd, path) < 0) {
        err_sys(err, "%s", path);
        if (!store->no_links)
            unlinkat(store->fd, name, 0);
        goto out;
    }
    incoming->placed = true;
    incoming->gone = store->no_links;
    status = store_sync_folder_of(store, path, err);
out:
    free(name);
    return status;
}

int store_unplace(struct store *store, struct incoming *incoming, const char *path, struct err *err)
{
    struct stat there, ours;

    if (fstat(incoming->fd, &ours) < 0 || fstatat(store->fd, path, &there, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, "%s", path);
    if (there.st_ino != ours.st_ino || there.st_dev != ours.st_dev)
        return err_set(err, ERR_FAILED, "%s: another file is there", path);
    if (incoming->gone) {
        if (store_rename_new(store, path, incoming->path) < 0)
            return err_sys(err, "%s", path);
        incoming->gone = false;
    } else if (unlinkat(store->fd, path, 0) < 0) {
        return err_sys(err, "%s", path);
    }
    incoming->placed = false;
    return 0;
}

int store_forget(struct store *store, const char *incoming_path, struct err *err)
{
    if (unlinkat(store->fd, incoming_path, 0) < 0 && errno != ENOENT)
        return err_sys(err, "%s", incoming_path);
    return 0;
}

/* ---- sweeping ---- */

/* The entry, locked; NULL when it is someone's, or gone, or none of ours. */
static struct incoming *adopt(struct store *store, const char *name, nlink_t *links)
{
    char *path = xasprintf(INCOMING_FOLDER "/%s", name);
    int fd = openat(store->fd, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct incoming *incoming;
    struct stat status;

    if (fd < 0)
        fd = openat(store->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
        flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &status) < 0 || status.st_nlink == 0) {
        if (fd >= 0)
            close(fd);
        free(path);
        return NULL;
    }
    incoming = xcalloc(1, sizeof *incoming);
    incoming->store = store;
    incoming->fd = fd;
    incoming->path = path;
    incoming->size = (uint64_t)status.st_size;
    incoming->placed = status.st_nlink > 1;
    *links = status.st_nlink;
    return incoming;
}

static void describe(struct placement *placement, struct incoming *incoming)
{
    const char *loose = strstr(incoming->path, LOOSE_MARK);

    placement->incoming = incoming;
    placement->size = incoming->size;
    placement->loose = loose != NULL;
    placement->linked = strstr(incoming->path, LINK_MARK) != NULL;
    if (loose)
        placement->size = strtoull(loose + strlen(LOOSE_MARK), NULL, 10);
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), n = strlen(end);

    return length >= n && strcmp(text + length - n, end) == 0;
}

struct sweep {
    struct store *store;
    store_each_placement *each;
    void *context;
    int removed;
};

static int sweep_entry(struct sweep *sweep, const char *name, bool over, struct err *err)
{
    struct placement placement;
    struct incoming *incoming;
    nlink_t links;
    int status = 0;

    if (name[0] == '.' || ends_in(name, OVER_MARK) != over ||
        !(incoming = adopt(sweep->store, name, &links)))
        return 0;
    if (over) {
        status = store_forget(sweep->store, incoming->path, err);
        incoming->gone = true;
    } else if (links == 1) {
        sweep->removed++;
    } else if (sweep->each) {
        describe(&placement, incoming);
        status = sweep->each(sweep->context, &placement, err);
    }
    incoming_free(incoming);
    return status;
}

int store_sweep(struct store *store, store_each_placement *each, void *context, struct err *err)
{
    struct sweep sweep = {.store = store, .each = each, .context = context};
    int fd = openat(store->fd, INCOMING_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    int status = 0;

    if (!folder) {
        err_sys(err, INCOMING_FOLDER);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    /* Third names first: with them a file would look placed that is not. */
    while (status == 0 && (entry = readdir(folder)))
        status = sweep_entry(&sweep, entry->d_name, true, err);
    rewinddir(folder);
    while (status == 0 && (entry = readdir(folder)))
        status = sweep_entry(&sweep, entry->d_name, false, err);
    closedir(folder);
    return status ? -1 : sweep.removed;
}
