/*
 * See sink.h: an export into a folder. Files come into being under a temporary name beside their
 * own and are whole when they get it; running the same export again goes on where one was
 * interrupted.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fs.h"
#include "export/sink.h"

struct folder {
    struct sink sink;
    char *path;
    int fd;
    bool force, link;
    bool made, used;                       /* by us; something is in it */
    bool no_clone, no_copy_range, no_link; /* the file systems cannot: learnt at the first try */
    struct buf parent;                     /* the folder that was made last */
    struct buf temporary;
    char *block, *other;
};

static void folder_free(struct sink *sink)
{
    struct folder *folder = (struct folder *)sink;

    if (folder->fd >= 0)
        close(folder->fd);
    /* As with an archive: of nothing at all, nothing is left. */
    if (folder->made && !folder->used)
        rmdir(folder->path);
    free(folder->path);
    free(folder->block);
    free(folder->other);
    buf_free(&folder->parent);
    buf_free(&folder->temporary);
    free(folder);
}

/* The message for what happened on our side of a copy: fatal when the disk is full or gone. */
static enum sink_result target_failed(struct folder *folder, const char *name, struct err *err)
{
    err_sys(err, "%s/%s", folder->path, name);
    return SINK_FATAL;
}

static enum sink_result source_failed(const struct sink_source *source, struct err *err)
{
    err_sys(err, "%s", source->path);
    return SINK_FAILED;
}

static enum sink_result source_changed(const struct sink_source *source, struct err *err)
{
    err_set(err, ERR_FAILED, "%s: changed while it was read", source->path);
    return SINK_FAILED;
}

/* Passes the source's bytes to the watch and, when `target` is not -1, writes them there. */
static enum sink_result pump(struct folder *folder, int target, const char *name,
                             const struct sink_source *source, const struct sink_watch *watch,
                             struct err *err)
{
    uint64_t size = (uint64_t)source->stat.st_size, done = 0;

    if (watch)
        watch->begin(watch->context);
    while (done < size) {
        size_t want = size - done < SINK_BLOCK ? (size_t)(size - done) : SINK_BLOCK;
        ssize_t n = pread_all(source->fd, folder->block, want, (off_t)done);

        if (n < 0)
            return source_failed(source, err);
        if ((size_t)n < want)
            return source_changed(source, err);
        if (sink_is_interrupted(err))
            return SINK_FATAL;
        if (watch)
            watch->bytes(watch->context, folder->block, want);
        if (target >= 0 && write_all(target, folder->block, want) < 0)
            return target_failed(folder, name, err);
        done += want;
    }
    return SINK_DONE;
}

/* Copies within the kernel. 1: this is not possible here, nothing was written. */
static int copy_in_kernel(struct folder *folder, int target, const char *name,
                          const struct sink_source *source, enum sink_result *result,
                          struct err *err)
{
    uint64_t left = (uint64_t)source->stat.st_size;
    loff_t from = 0;

    *result = SINK_DONE;
    if (folder->no_copy_range)
        return 1;
    while (left > 0) {
        size_t chunk = left < (64u << 20) ? (size_t)left : 64u << 20;
        ssize_t n = copy_file_range(source->fd, &from, target, NULL, chunk, 0);

        if (sink_is_interrupted(err)) {
            *result = SINK_FATAL;
            return 0;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && from == 0 && errno != ENOSPC && errno != EDQUOT && errno != EFBIG &&
            errno != EIO) {
            folder->no_copy_range = true;
            return 1;
        }
        /* An input error does not say whose it is: reading again by hand will. */
        if (n < 0 && errno == EIO && from == 0)
            return 1;
        if (n < 0)
            *result = target_failed(folder, name, err);
        else if (n == 0)
            *result = source_changed(source, err);
        if (n <= 0)
            return 0;
        left -= (uint64_t)n;
    }
    return 0;
}

/* The bytes, by the cheapest way that there is. */
static enum sink_result copy_bytes(struct folder *folder, int target, const char *name,
                                   const struct sink_source *source, const struct sink_watch *watch,
                                   struct err *err)
{
    enum sink_result result;

    if (source->stat.st_size > SINK_BLOCK)
        posix_fadvise(source->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (!folder->no_clone) {
        if (ioctl(target, FICLONE, source->fd) == 0)
            return watch ? pump(folder, -1, name, source, watch, err) : SINK_DONE;
        folder->no_clone = true;
    }
    if (!watch && copy_in_kernel(folder, target, name, source, &result, err) == 0)
        return result;
    return pump(folder, target, name, source, watch, err);
}

static bool is_changed(const struct sink_source *source)
{
    struct stat now;

    return fstat(source->fd, &now) < 0 || now.st_size != source->stat.st_size ||
           now.st_mtim.tv_sec != source->stat.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != source->stat.st_mtim.tv_nsec;
}

/* A copy under the temporary name, complete, with the source's time. */
static enum sink_result copy_file(struct folder *folder, const char *name,
                                  const struct sink_source *source, const struct sink_watch *watch,
                                  struct err *err)
{
    struct timespec times[2] = {source->stat.st_atim, source->stat.st_mtim};
    const char *temporary = folder->temporary.data;
    int fd =
        openat(folder->fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    enum sink_result result;

    if (fd < 0)
        return target_failed(folder, name, err);
    result = copy_bytes(folder, fd, name, source, watch, err);
    if (result == SINK_DONE && is_changed(source))
        result = source_changed(source, err);
    if (result == SINK_DONE && futimens(fd, times) < 0)
        result = target_failed(folder, name, err);
    if (close(fd) < 0 && result == SINK_DONE)
        result = target_failed(folder, name, err);
    if (result != SINK_DONE)
        unlinkat(folder->fd, temporary, 0);
    return result;
}

/* A second name for the source's file. Returns 0 when there is one. */
static int link_file(struct folder *folder, const struct sink_source *source)
{
    if (folder->no_link)
        return -1;
    if (linkat(source->dirfd, source->path, folder->fd, folder->temporary.data,
               AT_SYMLINK_FOLLOW) == 0) {
        struct stat st;

        if (fstatat(folder->fd, folder->temporary.data, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_ino == source->stat.st_ino && st.st_dev == source->stat.st_dev)
            return 0;
        unlinkat(folder->fd, folder->temporary.data, 0); /* the path is another file by now */
        return -1;
    }
    if (errno == EXDEV || errno == EPERM || errno == EOPNOTSUPP)
        folder->no_link = true;
    return -1;
}

/* Whether the file that is there has the same bytes. */
static enum sink_result compare(struct folder *folder, int fd, const struct sink_source *source,
                                const struct sink_watch *watch, struct err *err)
{
    uint64_t size = (uint64_t)source->stat.st_size, done = 0;

    if (!folder->other)
        folder->other = xmalloc(SINK_BLOCK);
    if (watch)
        watch->begin(watch->context);
    while (done < size) {
        size_t want = size - done < SINK_BLOCK ? (size_t)(size - done) : SINK_BLOCK;

        if (sink_is_interrupted(err))
            return SINK_FATAL;
        if (pread_all(source->fd, folder->block, want, (off_t)done) != (ssize_t)want)
            return source_changed(source, err);
        if (pread_all(fd, folder->other, want, (off_t)done) != (ssize_t)want ||
            memcmp(folder->block, folder->other, want) != 0)
            return SINK_DONE;
        if (watch)
            watch->bytes(watch->context, folder->block, want);
        done += want;
    }
    return SINK_KEPT;
}

/* What is under the name already: SINK_KEPT when it is this object (same size and time, or, when
 * the time differs or a checksum is wanted, same bytes), SINK_DONE when the name is free to be
 * used. */
static enum sink_result look_at_present(struct folder *folder, const char *name,
                                        const struct sink_source *source,
                                        const struct sink_watch *watch, struct err *err)
{
    int fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    enum sink_result result = SINK_DONE;
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return SINK_DONE;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size == source->stat.st_size) {
        if (st.st_mtim.tv_sec == source->stat.st_mtim.tv_sec &&
            st.st_mtim.tv_nsec == source->stat.st_mtim.tv_nsec && !watch)
            result = SINK_KEPT;
        else
            result = compare(folder, fd, source, watch, err);
    }
    if (fd >= 0)
        close(fd);
    if (result == SINK_DONE && !folder->force) {
        err_set(err, ERR_FAILED, "%s/%s: another file is there (--force replaces it)", folder->path,
                name);
        result = SINK_FAILED;
    }
    return result;
}

/* The folder of a name; names come folder by folder, so that nearly always it is the last one. */
static int make_parent(struct folder *folder, const char *name, struct err *err)
{
    const char *slash = strrchr(name, '/');
    size_t length = slash ? (size_t)(slash - name) : 0;

    if (length == 0 ||
        (length == folder->parent.length && memcmp(folder->parent.data, name, length) == 0))
        return 0;
    buf_clear(&folder->parent);
    buf_add(&folder->parent, name, length);
    if (make_folders(folder->fd, folder->parent.data, false, err) == 0)
        return 0;
    buf_clear(&folder->parent);
    return err_prefix(err, "%s", folder->path);
}

static enum sink_result folder_add(struct sink *sink, const char *name,
                                   const struct sink_source *source, const struct sink_watch *watch,
                                   struct err *err)
{
    struct folder *folder = (struct folder *)sink;
    enum sink_result result = look_at_present(folder, name, source, watch, err);

    if (result != SINK_DONE)
        return result;
    if (make_parent(folder, name, err) < 0)
        return SINK_FATAL;
    buf_clear(&folder->temporary);
    buf_addf(&folder->temporary, "%s.part-%d", name, (int)getpid());
    if (folder->link && link_file(folder, source) == 0) {
        result = watch ? pump(folder, -1, name, source, watch, err) : SINK_DONE;
        if (result != SINK_DONE)
            unlinkat(folder->fd, folder->temporary.data, 0);
    } else {
        result = copy_file(folder, name, source, watch, err);
    }
    if (result == SINK_DONE && renameat(folder->fd, folder->temporary.data, folder->fd, name) < 0) {
        result = target_failed(folder, name, err);
        unlinkat(folder->fd, folder->temporary.data, 0);
    }
    folder->used = folder->used || result == SINK_DONE;
    return result;
}

/* One syncfs for all: an fsync per file would be most of the time of an export. */
static int folder_finish(struct sink *sink, struct err *err)
{
    struct folder *folder = (struct folder *)sink;

    return syncfs(folder->fd) < 0 ? err_sys(err, "%s", folder->path) : 0;
}

struct sink *sink_folder_new(const struct sink_options *options, struct err *err)
{
    static const struct sink_type type = {folder_add, folder_finish, folder_free};
    struct folder *folder;
    struct stat st;
    bool made = lstat(options->output, &st) < 0 && errno == ENOENT;

    if (make_folders(AT_FDCWD, options->output, true, err) < 0)
        return NULL;
    folder = xcalloc(1, sizeof *folder);
    folder->sink.type = &type;
    folder->path = xstrdup(options->output);
    folder->force = options->force;
    folder->link = options->link;
    folder->made = made;
    folder->block = xmalloc(SINK_BLOCK);
    folder->fd = open(options->output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0) {
        err_sys(err, "%s", options->output);
        folder_free(&folder->sink);
        return NULL;
    }
    return &folder->sink;
}
