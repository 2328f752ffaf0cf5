/*
 * See report.h.
 */
#include "net/report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"

#define PIPE_ROOM (1 << 20)

struct report {
    int fd;
    bool own_fd; /* opened here */
    bool is_socket;
    bool gone;    /* nobody reads any more */
    bool waiting; /* the last line found no room: do not wait for the next one */
    uint64_t dropped;
    char *root;
    struct buf line;
};

/* A pipe or a terminal may block in write(), and O_NONBLOCK would be seen by all who share it (the shell,
 * for one). Opened again by its name in /proc it is a file description of our own. */
static int reopen(int fd)
{
    char name[64];
    int mine;

    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    mine = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (mine >= 0)
        (void)fcntl(mine, F_SETPIPE_SZ,
                    PIPE_ROOM); /* pipes only; and not beyond the user's limit */
    return mine;
}

struct report *report_open(int fd, const char *root)
{
    struct report *report = xcalloc(1, sizeof *report);
    struct stat st;

    report->fd = fd;
    report->root = xstrdup(root);
    if (fstat(fd, &st) < 0) {
        report->gone = true;
    } else if (S_ISSOCK(st.st_mode)) {
        report->is_socket = true;
    } else if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
        int mine = reopen(fd);
        if (mine >= 0) {
            report->fd = mine;
            report->own_fd = true;
        }
    }
    return report;
}

void report_close(struct report *report)
{
    if (!report)
        return;
    if (report->own_fd)
        close(report->fd);
    buf_free(&report->line);
    free(report->root);
    free(report);
}

static ssize_t put(const struct report *report, const char *bytes, size_t length)
{
    return report->is_socket ? send(report->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                             : write(report->fd, bytes, length);
}

static void put_or_drop(struct report *report)
{
    const char *at = report->line.data;
    size_t left = report->line.length;
    int64_t until = monotonic_ms() + (report->waiting ? 0 : REPORT_WAIT_MS);

    while (left > 0) {
        struct pollfd poll_fd = {report->fd, POLLOUT, 0};
        ssize_t done = put(report, at, left);
        int64_t time_left = until - monotonic_ms();

        if (done >= 0) { /* a line longer than PIPE_BUF may go in parts */
            at += done;
            left -= (size_t)done;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (time_left <= 0) {
                report->waiting = true;
                report->dropped++;
                return;
            }
            poll(&poll_fd, 1, (int)time_left);
        } else if (errno != EINTR) {
            /* A full disk may have room again; any other error stays. */
            report->gone = errno != ENOSPC && errno != EDQUOT;
            if (report->gone)
                log_warn("stdout: %s: lines of stored objects end here, receiving goes on",
                         strerror(errno));
            else
                report->dropped++;
            return;
        }
    }
    report->waiting = false;
}

void report_line(struct report *report, const struct ingest_report *object, const char *calling_aet)
{
    struct buf *line = &report->line;
    char when[32];
    struct tm tm;
    time_t now = time(NULL);

    if (report->gone)
        return;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    buf_clear(line);
    buf_addf(line, "%s\t%s/%s\t%s\t%s\t%s\t%s\t%llu\t%s\t%s\n", object->sop_uid, report->root,
             buf_text(&object->path), object->study_uid, object->series_uid, object->sop_class_uid,
             object->transfer_syntax, (unsigned long long)object->size, calling_aet, when);
    put_or_drop(report);
}

uint64_t report_dropped(struct report *report)
{
    uint64_t dropped = report->dropped;

    report->dropped = 0;
    return dropped;
}
