/*
 * See transcoder.h. One message of a SOCK_SEQPACKET socket each way:
 *
 *   request   "SYNTAX LOSSY QUALITY UID NAME", with the two descriptors; UID is "-" for none
 *   answer    "ok FRAMES BYTES LOSSY" or "no CODE TEXT"
 */
#include "net/transcoder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define PROGRAM       "pacs-transcode"
#define TIMEOUT_MS    120000
#define BYTES_PER_MS  1000 /* a slow codec's */
#define MESSAGE_MAX   2048
#define NAME_CUT      1024
#define NOT_STARTED   127
#define END_MS        1000 /* for a helper to go once its socket is closed */
#define DESCRIPTORS   2
#define CONTROL_SPACE CMSG_SPACE(DESCRIPTORS * sizeof(int))

struct transcoder {
    pid_t pid; /* 0: none */
    int socket;
    int timeout_ms;
};

struct transcoder *transcoder_new(void)
{
    struct transcoder *transcoder = xcalloc(1, sizeof *transcoder);

    transcoder->socket = -1;
    transcoder->timeout_ms = TIMEOUT_MS;
    return transcoder;
}

void transcoder_set_timeout(struct transcoder *transcoder, int timeout_ms)
{
    transcoder->timeout_ms = timeout_ms;
}

void transcoder_forked(struct transcoder *transcoder)
{
    if (transcoder->socket >= 0)
        close(transcoder->socket);
    transcoder->socket = -1;
    transcoder->pid = 0;
}

/* ---- the helper's life ---- */

/* Waits for the helper to go, and kills it in the end. Returns its status as waitpid has it. */
static int reap(struct transcoder *transcoder, int patience_ms)
{
    int64_t deadline = monotonic_ms() + patience_ms;
    int status = 0;
    pid_t got;

    if (transcoder->socket >= 0)
        close(transcoder->socket);
    transcoder->socket = -1;
    while ((got = waitpid(transcoder->pid, &status, WNOHANG)) == 0 && monotonic_ms() < deadline)
        poll(NULL, 0, 5);
    if (got == 0) {
        kill(transcoder->pid, SIGKILL);
        while ((got = waitpid(transcoder->pid, &status, 0)) < 0 && errno == EINTR)
            ;
    }
    transcoder->pid = 0;
    return got < 0 ? 0 : status;
}

void transcoder_free(struct transcoder *transcoder)
{
    if (!transcoder)
        return;
    if (transcoder->pid)
        reap(transcoder, END_MS);
    free(transcoder);
}

/* In the child. */
_Noreturn static void become_helper(int socket)
{
    char path[PATH_MAX + sizeof PROGRAM];
    char *const arguments[] = {(char *)PROGRAM, (char *)"--serve", NULL};
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    sigset_t none;
    char *slash;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(socket, STDIN_FILENO) < 0)
        _exit(NOT_STARTED);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    if (length > 0) {
        path[length] = '\0';
        slash = strrchr(path, '/');
        memcpy(slash ? slash + 1 : path, PROGRAM, sizeof PROGRAM);
        execv(path, arguments);
    }
    execvp(PROGRAM, arguments);
    _exit(NOT_STARTED);
}

static int start(struct transcoder *transcoder, struct err *err)
{
    int ends[2];
    pid_t pid;

    if (transcoder->pid)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_sys(err, "socketpair");
    pid = fork();
    if (pid < 0) {
        err_sys(err, "fork");
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    if (pid == 0)
        become_helper(ends[1]);
    close(ends[1]);
    transcoder->socket = ends[0];
    transcoder->pid = pid;
    return 0;
}

/* The helper is gone without an answer. */
static int died(struct transcoder *transcoder, const char *name, struct err *err)
{
    int status = reap(transcoder, END_MS);

    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_STARTED)
        return err_set(err, ERR_NOTFOUND, "%s: %s is neither beside this program nor in PATH", name,
                       PROGRAM);
    if (WIFSIGNALED(status))
        return err_set(err, ERR_INPUT, "%s: transcoding it ended the codec by signal %d", name,
                       WTERMSIG(status));
    return err_set(err, ERR_INPUT, "%s: transcoding it ended the codec with status %d", name,
                   WEXITSTATUS(status));
}

/* ---- messages ---- */

static int send_request(int socket, const char *text, size_t length, int fd, int out)
{
    union {
        char bytes[CONTROL_SPACE];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {(void *)text, length};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    int descriptors[DESCRIPTORS] = {fd, out};
    ssize_t sent;

    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof descriptors);
    memcpy(CMSG_DATA(head), descriptors, sizeof descriptors);
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

/* 1: readable (or closed), 0: time is up. */
static int await(int socket, int64_t deadline)
{
    for (;;) {
        struct pollfd wait = {.fd = socket, .events = POLLIN};
        int64_t left = deadline - monotonic_ms();
        int got = poll(&wait, 1, left > 0 ? (int)(left > INT_MAX ? INT_MAX : left) : 0);

        if (got > 0)
            return 1;
        if (got == 0 && left <= 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return 1;
    }
}

static int64_t time_for(const struct transcoder *transcoder, int fd)
{
    struct stat status;

    return transcoder->timeout_ms + (fstat(fd, &status) == 0 ? status.st_size / BYTES_PER_MS : 0);
}

static int read_answer(const char *text, const char *name, struct transcode_result *result,
                       struct err *err)
{
    int lossy, code, at = 0;

    if (sscanf(text, "ok %" SCNu32 " %" SCNu64 " %d", &result->frames, &result->bytes, &lossy) ==
        3) {
        result->lossy = lossy != 0;
        return 0;
    }
    if (sscanf(text, "no %d %n", &code, &at) == 1 && at > 0 && code > ERR_NONE &&
        code <= ERR_STOPPED)
        return err_set(err, (enum err_code)code, "%s", text + at);
    return err_set(err, ERR_FAILED, "%s: " PROGRAM " answered \"%.40s\"", name, text);
}

int transcoder_run(struct transcoder *transcoder, int fd, const char *name,
                   const struct transcode_request *request, int out,
                   struct transcode_result *result, struct err *err)
{
    struct transcode_result ignored;
    char text[MESSAGE_MAX];
    int64_t deadline = monotonic_ms() + time_for(transcoder, fd);
    ssize_t got;
    int length =
        snprintf(text, sizeof text, "%.64s %d %d %.64s %.*s", request->transfer_syntax,
                 request->lossy, request->quality,
                 request->new_uid && *request->new_uid ? request->new_uid : "-", NAME_CUT, name);

    if (start(transcoder, err) < 0)
        return -1;
    if (send_request(transcoder->socket, text, (size_t)length, fd, out) < 0)
        return died(transcoder, name, err);
    if (!await(transcoder->socket, deadline)) {
        reap(transcoder, 0);
        return err_set(err, ERR_TIMEOUT, "%s: transcoding it took too long", name);
    }
    do
        got = recv(transcoder->socket, text, sizeof text - 1, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return died(transcoder, name, err);
    text[got] = '\0';
    return read_answer(text, name, result ? result : &ignored, err);
}

/* ---- the helper ---- */

/* 1: a request with its descriptors, 0: the user has gone, -1. */
static int next_request(int socket, char *text, size_t size, int descriptors[DESCRIPTORS],
                        struct err *err)
{
    union {
        char bytes[CONTROL_SPACE];
        struct cmsghdr align;
    } control;
    struct iovec part = {text, size - 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got;

    do
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno != ECONNRESET)
        return err_sys(err, "stdin is no socket of a tool that transcodes");
    if (got <= 0)
        return 0;
    text[got] = '\0';
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (!head || head->cmsg_type != SCM_RIGHTS ||
        head->cmsg_len != CMSG_LEN(DESCRIPTORS * sizeof(int)))
        return err_set(err, ERR_INPUT, "a request without two open files");
    memcpy(descriptors, CMSG_DATA(head), DESCRIPTORS * sizeof(int));
    return 1;
}

static void serve_one(char *text, size_t size, const int descriptors[DESCRIPTORS],
                      transcoder_work *work)
{
    char syntax[65], uid[65];
    struct transcode_request request = {.transfer_syntax = syntax};
    struct transcode_result result = {0};
    struct err err = {0};
    int lossy, at = 0, status = -1;

    if (sscanf(text, "%64s %d %d %64s %n", syntax, &lossy, &request.quality, uid, &at) < 4 || !at) {
        err_set(&err, ERR_INPUT, "a request that cannot be read");
    } else {
        char *name = xstrdup(text + at);

        request.lossy = lossy != 0;
        request.new_uid = strcmp(uid, "-") == 0 ? NULL : uid;
        status = work(descriptors[0], name, &request, descriptors[1], &result, &err);
        free(name);
    }
    if (status == 0)
        snprintf(text, size, "ok %" PRIu32 " %" PRIu64 " %d", result.frames, result.bytes,
                 result.lossy);
    else
        snprintf(text, size, "no %d %s", err.code == ERR_NONE ? ERR_FAILED : err.code, err.text);
}

int transcoder_serve(int socket, transcoder_work *work, struct err *err)
{
    char text[MESSAGE_MAX];
    int descriptors[DESCRIPTORS] = {-1, -1}, status;

    while ((status = next_request(socket, text, sizeof text, descriptors, err)) > 0) {
        serve_one(text, sizeof text, descriptors, work);
        close(descriptors[0]);
        close(descriptors[1]);
        if (send(socket, text, strlen(text), MSG_NOSIGNAL) < 0)
            return 0; /* the user does not wait any more */
    }
    return status;
}
