/*
 * Several associations at a time, see sender.h: a process for each. They share the list, from which each claims what it
 * sends next, and a pipe on which they tell what became of it; this process sends nothing, and passes on what they tell.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/sender.h"

#define PROCESSES_MAX 64
#define LOOK_MS       200 /* how often the parent asks whether it is to stop */

/* A message on the pipe: shorter than PIPE_BUF, so whole. */
struct told {
    uint64_t number, at, bytes;
    enum send_result result;
    uint16_t status;
    bool transcoded, lossy;
    bool end; /* the process's last: it could not go on, for the reason in `text` */
    enum err_code code;
    char transfer_syntax[65];
    char text[512];
};

struct shared {
    atomic_bool stop;
};

struct part {
    const struct sender_options *options;
    struct shared *shared;
    int pipe;
};

/* ---- in a child ---- */

static int tell_parent(void *context, const struct send_report *report, struct err *err)
{
    struct part *part = context;
    struct told told;

    memset(&told, 0, sizeof told);
    told.number = report->item->number;
    told.at = report->item->at;
    told.bytes = report->bytes;
    told.result = report->result;
    told.status = report->status;
    told.transcoded = report->transcoded;
    told.lossy = report->lossy;
    snprintf(told.transfer_syntax, sizeof told.transfer_syntax, "%s", report->transfer_syntax);
    snprintf(told.text, sizeof told.text, "%s", report->text);
    return write_all(part->pipe, &told, sizeof told) < 0 ? err_sys(err, "pipe") : 0;
}

static bool shared_stop(void *context)
{
    struct part *part = context;

    return atomic_load(&part->shared->stop);
}

_Noreturn static void child(struct send_list *list, struct part *part)
{
    struct sender_options options = *part->options;
    struct send_counts counts;
    struct err err = {0};
    struct told told;

    /* The parent hears of signals, and says what follows; nobody sends on without it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    options.each = tell_parent;
    options.stopping = shared_stop;
    options.context = part;
    if (options.transcoder)
        transcoder_forked(options.transcoder);
    if (sender_run_here(list, &options, &counts, &err) < 0) {
        memset(&told, 0, sizeof told);
        told.end = true;
        told.code = err.code;
        snprintf(told.text, sizeof told.text, "%.500s", err.text);
        write_all(part->pipe, &told, sizeof told);
    }
    transcoder_free(options.transcoder);
    _exit(0);
}

/* ---- in the parent ---- */

struct gathering {
    struct send_list *list;
    struct send_cursor *cursor;
    const struct sender_options *options;
    struct shared *shared;
    struct send_counts *counts;
    int status;      /* of what `each` said */
    struct err *err; /* of that */
    struct err last; /* why a process could not go on */
};

static void pass_on(struct gathering *gathering, const struct told *told)
{
    struct send_report report = {
        .result = told->result,
        .status = told->status,
        .text = told->text,
        .transfer_syntax = told->transfer_syntax,
        .transcoded = told->transcoded,
        .lossy = told->lossy,
        .bytes = told->bytes,
    };
    struct send_item item;

    if (told->end) {
        err_set(&gathering->last, told->code, "%s", told->text);
        if (told->code != ERR_STOPPED)
            log_info("%s", told->text);
        return;
    }
    if (gathering->status < 0)
        return;
    report.item = &item;
    if (send_cursor_at(gathering->cursor, told->at, told->number, &item, gathering->err) < 0) {
        gathering->status = -1;
        return;
    }
    send_count(gathering->counts, &report);
    if (gathering->options->each(gathering->options->context, &report, gathering->err) != 0)
        gathering->status = -1;
}

static void gather(struct gathering *gathering, int pipe)
{
    const struct sender_options *options = gathering->options;
    struct told told;
    struct pollfd wait = {.fd = pipe, .events = POLLIN};

    for (;;) {
        if (gathering->status < 0 || (options->stopping && options->stopping(options->context)))
            atomic_store(&gathering->shared->stop, true);
        if (poll(&wait, 1, LOOK_MS) <= 0)
            continue;
        if (read_all(pipe, &told, sizeof told) != (ssize_t)sizeof told)
            return;
        pass_on(gathering, &told);
    }
}

/* An object that a process died over has failed; its neighbours have been sent by others. */
static void tell_dead(struct gathering *gathering)
{
    struct send_item item;
    struct err err;

    if (send_cursor_at(gathering->cursor, 0, 0, &item, &err) < 0)
        return;
    do {
        struct send_report report = {
            .item = &item, .result = SEND_LOST, .text = "sending it ended the sender", .bytes = 0};

        report.transfer_syntax = item.transfer_syntax;
        if (send_list_state(gathering->list, item.number) != SEND_STATE_CLAIMED)
            continue;
        send_list_set(gathering->list, item.number, SEND_STATE_TOLD);
        send_count(gathering->counts, &report);
        if (gathering->status == 0)
            gathering->status =
                gathering->options->each(gathering->options->context, &report, gathering->err) ? -1
                                                                                               : 0;
    } while (send_cursor_next(gathering->cursor, &item, &err) > 0);
}

static bool all_told(const struct send_list *list)
{
    for (uint64_t i = 0; i < send_list_count(list); i++)
        if (send_list_state(list, i) != SEND_STATE_TOLD)
            return false;
    return true;
}

/* What a process that was given up had claimed last may have been passed over by all others. */
static int send_rest(struct gathering *gathering, struct err *err)
{
    struct send_counts more, *counts = gathering->counts;
    int status = sender_run_here(gathering->list, gathering->options, &more, err);

    counts->done += more.done;
    counts->warned += more.warned;
    counts->failed += more.failed;
    counts->transcoded += more.transcoded;
    counts->bytes += more.bytes;
    return status;
}

/* How many could be started; 0 with err. */
static int start(struct send_list *list, struct part *part, int processes, int read_end,
                 pid_t *pids, struct err *err)
{
    for (int i = 0; i < processes; i++) {
        pids[i] = fork();
        if (pids[i] < 0) {
            err_sys(err, "fork");
            return i;
        }
        if (pids[i] == 0) {
            close(read_end);
            child(list, part);
        }
    }
    return processes;
}

static int run(struct send_list *list, const struct sender_options *options, int processes,
               struct gathering *gathering, struct err *err)
{
    struct part part = {options, gathering->shared, -1};
    pid_t pids[PROCESSES_MAX];
    int ends[2], started, status;

    if (pipe(ends) < 0)
        return err_sys(err, "pipe");
    part.pipe = ends[1];
    started = start(list, &part, processes, ends[0], pids, err);
    close(ends[1]);
    if (started > 0)
        gather(gathering, ends[0]);
    close(ends[0]);
    for (int i = 0; i < started; i++) {
        while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR)
            ;
        if (WIFSIGNALED(status))
            log_error("a sender died of signal %d", WTERMSIG(status));
    }
    if (started == 0)
        return -1;
    tell_dead(gathering);
    if (gathering->status < 0)
        return -1;
    if (all_told(list))
        return 0;
    if (gathering->last.code != ERR_STOPPED && gathering->counts->done + gathering->counts->warned)
        return send_rest(gathering, err);
    if (gathering->last.code == ERR_NONE)
        err_set(&gathering->last, ERR_FAILED, "no sender is left");
    *err = gathering->last;
    return -1;
}

int sender_run(struct send_list *list, const struct sender_options *options,
               struct send_counts *counts, struct err *err)
{
    struct gathering gathering = {.list = list, .options = options, .counts = counts, .err = err};
    uint64_t processes = options->processes > 0 ? (uint64_t)options->processes : 1;
    void *shared;
    int status;

    if (processes > PROCESSES_MAX)
        processes = PROCESSES_MAX;
    if (processes > send_list_count(list))
        processes = send_list_count(list);
    if (processes <= 1)
        return sender_run_here(list, options, counts, err);
    memset(counts, 0, sizeof *counts);
    shared = mmap(NULL, sizeof *gathering.shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return err_sys(err, "shared memory");
    gathering.shared = shared;
    gathering.cursor = send_cursor_new(list);
    status = run(list, options, (int)processes, &gathering, err);
    send_cursor_free(gathering.cursor);
    munmap(shared, sizeof *gathering.shared);
    return status;
}
