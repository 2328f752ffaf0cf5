/*
 * See ask.h.
 */
#include "net/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/helper.h"
#include "base/log.h"

#define READ_BYTES (64 * 1024)
/* An answer that fills this without a row is none: a peer's data set has 4 MB at most. */
#define ROW_BYTES (64 << 20)

/* ---- the question, between the two programs of one release ---- */

struct head {
    long long level, limit, timeout, log_level, any_reference, column_count;
    long long archive, keys, references, columns; /* bytes that follow */
};

void ask_question_free(struct ask_question *question)
{
    buf_free(&question->keys);
    buf_free(&question->references);
    buf_free(&question->columns);
}

/* In memory, to be read by each helper from its beginning. */
static int write_question(const struct ask_question *question, struct err *err)
{
    const char *archive = question->archive ? question->archive : "";
    struct head head = {
        .level = question->level,
        .limit = (long long)question->limit,
        .timeout = question->timeout,
        .log_level = question->log_level,
        .any_reference = question->any_reference,
        .column_count = (long long)question->column_count,
        .archive = (long long)strlen(archive) + 1,
        .keys = (long long)question->keys.length,
        .references = (long long)question->references.length,
        .columns = (long long)question->columns.length,
    };
    int fd = memfd_create("question", MFD_CLOEXEC);

    if (fd >= 0 && write_all(fd, &head, sizeof head) == 0 &&
        write_all(fd, archive, strlen(archive) + 1) == 0 &&
        write_all(fd, question->keys.data, question->keys.length) == 0 &&
        write_all(fd, question->references.data, question->references.length) == 0 &&
        write_all(fd, question->columns.data, question->columns.length) == 0)
        return fd;
    err_sys(err, "the question to peers");
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool read_part(int fd, off_t *at, long long length, struct buf *part)
{
    if (length < 0 || length > 1 << 30)
        return false;
    if (length == 0)
        return true;
    if (pread_all(fd, buf_reserve(part, (size_t)length), (size_t)length, *at) != length)
        return false;
    part->length += (size_t)length;
    part->data[part->length] = '\0';
    *at += length;
    return part->data[part->length - 1] == '\0';
}

int ask_read(int fd, struct ask_question *question, struct err *err)
{
    struct head head;
    struct buf archive = {0};
    off_t at = sizeof head;

    memset(question, 0, sizeof *question);
    if (pread_all(fd, &head, sizeof head, 0) != sizeof head ||
        !read_part(fd, &at, head.archive, &archive) ||
        !read_part(fd, &at, head.keys, &question->keys) ||
        !read_part(fd, &at, head.references, &question->references) ||
        !read_part(fd, &at, head.columns, &question->columns) || head.level < LEVEL_PATIENT ||
        head.level > LEVEL_INSTANCE) {
        buf_free(&archive);
        return err_set(err, ERR_INPUT,
                       "no question on stdin: this program is started by pacs-find");
    }
    question->level = (enum query_level)head.level;
    question->limit = (uint64_t)head.limit;
    question->timeout = head.timeout;
    question->log_level = (int)head.log_level;
    question->any_reference = head.any_reference != 0;
    question->column_count = (size_t)head.column_count;
    if (archive.length > 1)
        question->archive = buf_take(&archive);
    buf_free(&archive);
    return 0;
}

/* ---- rows ---- */

int ask_put_row(int fd, struct buf *space, const struct query_row *row, size_t columns)
{
    buf_clear(space);
    buf_add(space, row->reference, strlen(row->reference) + 1);
    for (size_t i = 0; i < columns; i++) {
        const char *value = row->values[i] ? row->values[i] : "";

        buf_add(space, value, strlen(value) + 1);
    }
    return write_all(fd, space->data, space->length);
}

struct source {
    const char *name;
    pid_t pid;
    int fd; /* -1: has said all */
    struct buf in;
};

struct asking {
    struct source *source;
    size_t count, columns;
    ask_each *each;
    void *context;
    const char **value;
    struct ask_result *result;
    bool stopped;
};

/* Hands on the rows that are whole; what is left waits for its rest. */
static void give_rows(struct asking *asking, struct source *source)
{
    const char *at = source->in.data, *end = at + source->in.length;

    while (!asking->stopped) {
        struct query_row row = {.reference = at, .values = asking->value};
        const char *next = at;
        size_t parts = 0;

        for (; parts <= asking->columns; parts++) {
            const char *stop = memchr(next, '\0', (size_t)(end - next));

            if (!stop)
                break;
            if (parts)
                asking->value[parts - 1] = *next ? next : NULL;
            next = stop + 1;
        }
        if (parts <= asking->columns)
            break;
        asking->result->rows++;
        asking->stopped = asking->each(asking->context, source->name, &row) != 0;
        at = next;
    }
    memmove(source->in.data, at, (size_t)(end - at));
    source->in.length = (size_t)(end - at);
}

static void read_source(struct asking *asking, struct source *source)
{
    ssize_t got = read(source->fd, buf_reserve(&source->in, READ_BYTES), READ_BYTES);

    if (got < 0 && errno == EINTR)
        return;
    if (got > 0) {
        source->in.length += (size_t)got;
        source->in.data[source->in.length] = '\0';
        give_rows(asking, source);
        if (source->in.length < ROW_BYTES)
            return;
    }
    close(source->fd);
    source->fd = -1;
}

static int read_all_sources(struct asking *asking, struct err *err)
{
    struct pollfd *wait = xcalloc(asking->count, sizeof *wait);
    int status = 0;

    while (!asking->stopped) {
        nfds_t open = 0;

        for (size_t i = 0; i < asking->count; i++) {
            wait[i] = (struct pollfd){.fd = asking->source[i].fd, .events = POLLIN};
            open += wait[i].fd >= 0;
        }
        if (!open)
            break;
        if (poll(wait, asking->count, -1) < 0) {
            if (errno == EINTR)
                continue;
            status = err_sys(err, "poll");
            break;
        }
        for (size_t i = 0; i < asking->count && !asking->stopped; i++)
            if (wait[i].fd >= 0 && wait[i].revents)
                read_source(asking, &asking->source[i]);
    }
    free(wait);
    return status;
}

/* ---- processes ---- */

/* In the child: what it becomes. */
static _Noreturn void answer(const struct source *source, const char *helper, int question, int out,
                             ask_local *local, void *context)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (!helper || strcmp(source->name, ASK_LOCAL) == 0) {
        signal(SIGPIPE, SIG_IGN);
        _exit(local(context, out) < 0);
    }
    if (dup2(question, 0) == 0 && dup2(out, 1) == 1)
        execl(helper, "pacs-find", source->name, (char *)NULL);
    log_error("%s: %s: %s", source->name, helper, strerror(errno));
    _exit(1);
}

static int start(struct asking *asking, struct source *source, const char *helper, int question,
                 ask_local *local, struct err *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, "pipe");
    source->pid = fork();
    if (source->pid == 0)
        answer(source, helper, question, ends[1], local, asking->context);
    close(ends[1]);
    source->fd = ends[0];
    return source->pid < 0 ? err_sys(err, "fork") : 0;
}

/* Those that still speak are told to stop: they leave the peer in order. */
static void finish(struct asking *asking)
{
    for (size_t i = 0; i < asking->count; i++) {
        struct source *source = &asking->source[i];
        bool speaks = source->fd >= 0;
        int status = 0;

        if (speaks)
            close(source->fd);
        if (source->pid > 0) {
            if (speaks)
                kill(source->pid, SIGTERM);
            while (waitpid(source->pid, &status, 0) < 0 && errno == EINTR)
                ;
            if (!speaks && status != 0) {
                asking->result->failed++;
                if (WIFSIGNALED(status))
                    log_error("%s: the process that asked it died of signal %d", source->name,
                              WTERMSIG(status));
            }
        }
        buf_free(&source->in);
    }
}

int ask_all(const char *const *sources, size_t count, const struct ask_question *question,
            ask_local *local, ask_each *each, void *context, struct ask_result *result,
            struct err *err)
{
    struct asking asking = {.source = xcalloc(count, sizeof *asking.source),
                            .count = count,
                            .columns = question->column_count,
                            .each = each,
                            .context = context,
                            .value = xcalloc(question->column_count + 1, sizeof(char *)),
                            .result = result};
    char *helper = NULL;
    int fd = write_question(question, err), status = fd < 0 ? -1 : 0;

    memset(result, 0, sizeof *result);
    for (size_t i = 0; i < count; i++) {
        asking.source[i] = (struct source){.name = sources[i], .fd = -1};
        if (status == 0 && !helper && strcmp(sources[i], ASK_LOCAL) != 0 &&
            !(helper = helper_path("find-peer", err)))
            status = -1;
    }
    for (size_t i = 0; i < count && status == 0; i++)
        status = start(&asking, &asking.source[i], helper, fd, local, err);
    if (status == 0)
        status = read_all_sources(&asking, err);
    finish(&asking);
    if (fd >= 0)
        close(fd);
    free(helper);
    free(asking.source);
    free(asking.value);
    return status;
}
