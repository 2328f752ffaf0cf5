/*
 * See fs.h.
 */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

int write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t n = write(fd, at, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

ssize_t read_all(int fd, void *bytes, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t n = read(fd, (char *)bytes + done, length - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

ssize_t pread_all(int fd, void *bytes, size_t length, off_t offset)
{
    size_t done = 0;

    while (done < length) {
        ssize_t n = pread(fd, (char *)bytes + done, length - done, offset + (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int read_file(const char *path, size_t limit, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return err_sys(err, "%s", path);
    n = read_all(fd, buf_reserve(out, limit + 1), limit + 1);
    if (n < 0) {
        err_sys(err, "%s", path);
        close(fd);
        return -1;
    }
    close(fd);
    if ((size_t)n > limit)
        return err_set(err, ERR_INPUT, "%s: larger than %zu bytes", path, limit);
    out->length += (size_t)n;
    out->data[out->length] = '\0';
    return 0;
}

int sync_folder(int dirfd, const char *path, struct err *err)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status;

    if (fd < 0)
        return err_sys(err, "%s", path);
    /* Some network file systems cannot fsync a folder and say EINVAL: there is nothing more to do.
     */
    status = fsync(fd) < 0 && errno != EINVAL ? err_sys(err, "%s: fsync", path) : 0;
    close(fd);
    return status;
}

/* Makes one folder whose parent exists. */
static int make_folder(int dirfd, char *path, char *slash, bool durable, struct err *err)
{
    if (mkdirat(dirfd, path, 0777) < 0) {
        if (errno != EEXIST)
            return err_sys(err, "%s", path);
        return 0;
    }
    if (!durable)
        return 0;
    if (!slash)
        return sync_folder(dirfd, ".", err);
    *slash = '\0';
    int status = sync_folder(dirfd, *path ? path : "/", err);
    *slash = '/';
    return status;
}

int make_folders(int dirfd, const char *path, bool durable, struct err *err)
{
    char *copy;
    int status = 0;
    size_t length = strlen(path);
    struct stat st;

    /* Nearly always it is there: one call. */
    if (fstatat(dirfd, path, &st, 0) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        return err_set(err, ERR_FAILED, "%s: not a folder", path);
    }
    copy = xstrdup(path);
    while (length > 1 && copy[length - 1] == '/')
        copy[--length] = '\0';
    char *parent_slash = NULL;
    for (char *at = copy + (*copy == '/'); status == 0; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char end = *at;
        *at = '\0';
        status = make_folder(dirfd, copy, parent_slash, durable, err);
        *at = end;
        if (end == '\0')
            break;
        parent_slash = at;
        while (at[1] == '/')
            at++;
    }
    free(copy);
    return status;
}

int replace_file(const char *path, const void *bytes, size_t length, mode_t mode, struct err *err)
{
    char *temporary = xasprintf("%s.new-%d", path, (int)getpid());
    char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    int status = -1;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    if (fd < 0) {
        err_sys(err, "%s", temporary);
        goto out;
    }
    if (write_all(fd, bytes, length) < 0 || fsync(fd) < 0) {
        err_sys(err, "%s", temporary);
        close(fd);
        goto remove;
    }
    if (close(fd) < 0 || rename(temporary, path) < 0) {
        err_sys(err, "%s", path);
        goto remove;
    }
    if (slash)
        *(slash == folder ? slash + 1 : slash) = '\0';
    status = sync_folder(AT_FDCWD, slash ? folder : ".", err);
    goto out;
remove:
    unlink(temporary);
out:
    free(folder);
    free(temporary);
    return status;
}

pid_t lock_holder(int fd)
{
    struct stat st;
    char line[256];
    char wanted[64];
    long pid = 0;
    FILE *locks;

    if (fstat(fd, &st) < 0)
        return 0;
    snprintf(wanted, sizeof wanted, "%02x:%02x:%llu ", major(st.st_dev), minor(st.st_dev),
             (unsigned long long)st.st_ino);
    locks = fopen("/proc/locks", "re");
    if (!locks)
        return 0;
    /* "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"; waiting ones have "->" after the number.
     */
    while (fgets(line, sizeof line, locks)) {
        char *at = strstr(line, wanted);

        if (!at || strstr(line, "->") || !strstr(line, "FLOCK"))
            continue;
        *at = '\0';
        while (at > line && at[-1] == ' ')
            *--at = '\0';
        at = strrchr(line, ' ');
        if (at)
            pid = strtol(at, NULL, 10);
        break;
    }
    fclose(locks);
    return pid > 0 ? (pid_t)pid : 0;
}

static int locked_message(int fd, const char *name, struct err *err)
{
    pid_t holder = lock_holder(fd);

    if (holder)
        return err_set(err, ERR_BUSY, "%s: locked by pid %d", name, (int)holder);
    return err_set(err, ERR_BUSY, "%s: locked by another process", name);
}

static void wake(int signal_number)
{
    (void)signal_number;
}

/* Waits in the kernel's queue, which is fair: sleeping and trying again starves some of many
 * writers for hundreds of milliseconds. A timer of this thread's own ends the wait; it fires again
 * and again after the deadline, in case the first one comes before flock has begun to wait. */
static int lock_wait(int fd, int timeout_ms)
{
    struct sigaction action = {.sa_handler = wake};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
    struct itimerspec when = {.it_interval.tv_nsec = 20 * 1000 * 1000,
                              .it_value.tv_sec = timeout_ms / 1000,
                              .it_value.tv_nsec = timeout_ms % 1000 * 1000000L};
    int64_t deadline = monotonic_ms() + timeout_ms;
    timer_t timer;
    int status;

    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        return -1;
    sigaction(SIGRTMIN, &action, NULL); /* stays: a late signal must find a handler */
    timer_settime(timer, 0, &when, NULL);
    do
        status = flock(fd, LOCK_EX);
    while (status < 0 && errno == EINTR && monotonic_ms() < deadline);
    int number = errno;
    timer_delete(timer);
    errno = number;
    return status;
}

int lock_fd(int fd, const char *name, int timeout_ms, struct err *err)
{
    int status = flock(fd, LOCK_EX | LOCK_NB);

    if (status < 0 && errno == EWOULDBLOCK && timeout_ms > 0)
        status = lock_wait(fd, timeout_ms);
    else if (status < 0 && errno == EWOULDBLOCK && timeout_ms < 0)
        do
            status = flock(fd, LOCK_EX);
        while (status < 0 && errno == EINTR);
    if (status == 0)
        return 0;
    if (errno == EWOULDBLOCK || errno == EINTR)
        return locked_message(fd, name, err);
    return err_sys(err, "%s: lock", name);
}

void unlock_fd(int fd)
{
    flock(fd, LOCK_UN);
}

int lock_file(const char *path, int timeout_ms, struct err *err)
{
    const char *name = strrchr(path, '/');
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

    if (fd < 0)
        return err_sys(err, "%s", path);
    if (lock_fd(fd, name ? name + 1 : path, timeout_ms, err) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int temporary_file(struct err *err)
{
    const char *folder = getenv("TMPDIR");
    char name[PATH_MAX];
    int fd;

    if (!folder || !*folder)
        folder = "/tmp";
    fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    /* A file system that does not know files without a name. */
    if (snprintf(name, sizeof name, "%s/pacs.XXXXXX", folder) >= (int)sizeof name ||
        (fd = mkostemp(name, O_CLOEXEC)) < 0)
        return err_sys(err, "%s: temporary file", folder);
    unlink(name);
    return fd;
}
