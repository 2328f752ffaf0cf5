/*
 * rawscu: a C-STORE sender of the tests' own. Sends data sets byte for byte as they lie in their files,
 * in PDUs and PDVs of any size, quickly or the way stock senders do, and breaks off, stalls, lies or
 * talks nonsense at a chosen byte. Writes PDUs and messages itself: neither DCMTK nor the archive's own
 * code for DICOM and the network is in it; of libcore it uses base/ alone.
 *
 * For each object a line on stdout: SOP Instance UID, status in hex (---- when none came),
 * microseconds, comment; at the end a summary. Exit status: 0 all answered with success, 1 some were not,
 * 2 could not run (no connection, no association, usage).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/options.h"

#include "dimse.h"

struct settings {
    const char *called, *calling, *class_uid, *instance_uid, *syntax_uid, *acks, *tries, *omit;
    const char *cut_at, *reset_at, *abort_at, *stall_at, *corrupt_at, *hold, *wait_for, *seconds;
    long long max_pdu, our_max_pdu, pdv, repeat, parallel, study_size, seed, fault_in, garbage;
    long long timeout, context_id, odd_pdu, extra, echo, run;
    const char *pdv_lie, *pdu_lie, *group_length_lie, *command_field;
    bool stock, fresh, same, digest, digest_only, quiet, beyond, together, data_first, no_data,
        no_last, no_release, from_start, expect_rj;
    struct manner manner;
    struct fault fault;
};

#define TEXT(name, field, argument, help)                                      \
    {                                                                          \
        0, name, OPTION_TEXT, offsetof(struct settings, field), argument, help \
    }
#define NUMBER(name, field, help)                                           \
    {                                                                       \
        0, name, OPTION_NUMBER, offsetof(struct settings, field), "N", help \
    }
#define FLAG(name, field, help)                                            \
    {                                                                      \
        0, name, OPTION_FLAG, offsetof(struct settings, field), NULL, help \
    }
#define HEADING(help)                          \
    {                                          \
        0, NULL, OPTION_HEADING, 0, NULL, help \
    }

static const struct option_entry table[] = {
    HEADING("Association:"),
    TEXT("aec", called, "TITLE", "called AE title (ANY-SCP)"),
    TEXT("aet", calling, "TITLE", "our AE title (RAWSCU)"),
    NUMBER("our-max-pdu", our_max_pdu, "largest PDU that we say we take (16384)"),
    NUMBER("parallel", parallel, "so many associations at a time, each with its share (1)"),
    NUMBER("timeout", timeout, "seconds to wait for each answer (60)"),
    NUMBER("echo", echo, "C-ECHO so many times; no files are needed"),
    TEXT("hold", hold, "SECONDS", "do nothing between negotiation and first message"),
    TEXT("wait-for", wait_for, "FILE", "... until the file is there"),
    FLAG("no-release", no_release, "close without asking for release"),
    FLAG("expect-rj", expect_rj,
         "print result, source, reason of the rejection; 1 if there is none"),
    HEADING("Objects:"),
    TEXT("syntax", syntax_uid, "UID", "transfer syntax, instead of the meta header's"),
    TEXT("class", class_uid, "UID", "SOP class in context and command"),
    TEXT("instance", instance_uid, "UID", "SOP instance in the command"),
    NUMBER("repeat", repeat, "send all files so many times, with fresh SOP Instance UIDs"),
    TEXT("seconds", seconds, "N", "begin no object after N seconds; what was sent by then counts"),
    FLAG("fresh", fresh, "fresh UIDs also the first time"),
    FLAG("same", same, "the same UIDs each time"),
    NUMBER("study-size", study_size, "with fresh UIDs: a new study after so many objects"),
    NUMBER("seed", seed, "where fresh UIDs come from (the clock)"),
    HEADING("Output:"),
    {'q', "quiet", OPTION_FLAG, offsetof(struct settings, quiet), NULL, "the summary only"},
    TEXT("acks", acks, "FILE", "append the UID of each object answered with 0000, at once"),
    TEXT("tries", tries, "FILE", "append the UID of each object before it is sent"),
    FLAG("digest", digest, "to both, after a tab: the SHA-256 of its data set"),
    FLAG("digest-only", digest_only, "send nothing: UID, SHA-256 and path of each operand"),
    HEADING("Manner:"),
    FLAG("stock", stock, "Nagle on, head and body of each PDU in writes of their own"),
    NUMBER("max-pdu", max_pdu, "largest PDU sent (what the peer takes, at most 131072)"),
    FLAG("beyond", beyond, "... also if the peer takes less"),
    NUMBER("pdv", pdv, "data bytes in a PDV, several of which share a PDU"),
    FLAG("together", together, "command and data set share PDUs"),
    HEADING("Faults, counted from the first byte of an object's first PDU:"),
    TEXT("cut-at", cut_at, "BYTE", "close the connection"),
    TEXT("reset-at", reset_at, "BYTE", "close it with RST"),
    TEXT("abort-at", abort_at, "BYTE", "A-ABORT before the next PDU"),
    TEXT("stall-at", stall_at, "BYTE[:SECONDS]", "send nothing, else until the peer closes"),
    TEXT("corrupt-at", corrupt_at, "BYTE", "invert the byte"),
    NUMBER("fault-in", fault_in, "in the Nth object of the association (1)"),
    FLAG("from-start", from_start, "count from the association request"),
    HEADING("Nonsense:"),
    NUMBER("garbage", garbage, "N random bytes instead of an association"),
    NUMBER("context-id", context_id, "presentation context ID in all PDVs"),
    TEXT("pdv-lie", pdv_lie, "N", "added to the length of the first data PDV"),
    TEXT("pdu-lie", pdu_lie, "N", "added to the length of the first data PDU"),
    NUMBER("odd-pdu", odd_pdu, "a PDU of this type before each message"),
    FLAG("data-first", data_first, "the data set before its command"),
    FLAG("no-data", no_data, "the command says that no data set follows"),
    FLAG("no-last", no_last, "the data set's last fragment is not marked"),
    TEXT("omit", omit, "0000,1000;...", "elements left out of the command set"),
    TEXT("command-field", command_field, "N", "command field, 0xN for hex"),
    TEXT("group-length-lie", group_length_lie, "N", "added to the command's group length"),
    NUMBER("extra", extra, "an unknown element of N bytes in the command set"),
    OPTIONS_END};

static const struct options_usage usage = {
    "[options] HOST PORT FILE...\n--digest-only FILE...",
    "Send data sets by C-STORE, byte for byte, whole or broken.",
    "Exit status: 0 all answered with success, 1 some were not, 2 could not run.", table};

/* What the processes of --parallel share. */
struct totals {
    _Atomic uint64_t objects, success, bytes, last_ns, slowest_ns;
    _Atomic uint64_t first_ns; /* 0: not begun */
    _Atomic int ready, failed;
};

struct worker {
    const struct settings *settings;
    struct object *objects;
    size_t object_count;
    struct totals *totals;
    int index;
    int acks, tries; /* -1: not wanted */
    struct association association;
};

/* ---- what happens to an object ---- */

static void print_line(const struct settings *settings, const char *uid,
                       const struct answer *answer, uint64_t ns, const char *comment)
{
    char line[512], status[8] = "----";
    int length;

    if (settings->quiet)
        return;
    if (answer->came)
        snprintf(status, sizeof status, "%04x", answer->status);
    length =
        snprintf(line, sizeof line, "%s\t%s\t%" PRIu64 "\t%s\n", uid, status, ns / 1000, comment);
    if (length >= (int)sizeof line)
        line[sizeof line - 2] = '\n', length = sizeof line - 1;
    write_all(STDOUT_FILENO, line, (size_t)length); /* one write: lines do not mix */
}

/* One line, in the file when this returns, whatever happens to this process then. */
static void note_object(const struct settings *settings, int fd, const char *name,
                        const struct object *object)
{
    char line[160], digest[65] = "";

    if (settings->digest)
        object_digest(object, digest);
    int length = snprintf(line, sizeof line, "%s%s%s\n", object->instance_uid,
                          settings->digest ? "\t" : "", digest);
    if (write(fd, line, (size_t)length) != length)
        log_error("%s: %s", name, strerror(errno));
}

static void raise_to(_Atomic uint64_t *most, uint64_t value)
{
    uint64_t seen = atomic_load(most);

    while (seen < value && !atomic_compare_exchange_weak(most, &seen, value))
        ;
}

static void count(struct worker *worker, const struct object *object, const struct answer *answer,
                  uint64_t began)
{
    uint64_t now = now_ns();

    raise_to(&worker->totals->last_ns, now);
    if (!answer->came || answer->status != 0)
        return;
    if (worker->acks >= 0)
        note_object(worker->settings, worker->acks, worker->settings->acks, object);
    atomic_fetch_add(&worker->totals->success, 1);
    atomic_fetch_add(&worker->totals->bytes, object->length);
    raise_to(&worker->totals->slowest_ns, now - began);
}

/* 0 to go on; -1 when the association is over. */
static int send_object(struct worker *worker, uint64_t number, uint64_t nth)
{
    const struct settings *s = worker->settings;
    struct object *object = &worker->objects[number % worker->object_count];
    struct answer answer = {0};
    struct err err = {0};
    struct fault none = {0};

    if (s->fresh && object_renew(object, (uint64_t)s->run, number,
                                 s->study_size ? (long long)number / s->study_size : -1, &err) < 0)
        die(2, &err);
    if (!s->from_start)
        wire_arm(&worker->association.wire, nth + 1 == (uint64_t)s->fault_in ? &s->fault : &none);
    if (worker->tries >= 0)
        note_object(s, worker->tries, s->tries, object);
    uint64_t began = now_ns();
    int status = dimse_store(&worker->association, &s->manner, object, (uint32_t)(nth % 65535) + 1,
                             &answer, &err);
    atomic_fetch_add(&worker->totals->objects, 1);
    count(worker, object, &answer, began);
    print_line(s, object->instance_uid, &answer, now_ns() - began,
               status < 0 ? err.text : answer.comment);
    return status;
}

static int send_echo(struct worker *worker, uint64_t nth)
{
    struct answer answer = {0};
    struct err err = {0};
    uint64_t began = now_ns();
    int status = dimse_echo(&worker->association, &worker->settings->manner,
                            (uint32_t)(nth % 65535) + 1, &answer, &err);

    atomic_fetch_add(&worker->totals->objects, 1);
    raise_to(&worker->totals->last_ns, now_ns());
    if (answer.came && answer.status == 0)
        atomic_fetch_add(&worker->totals->success, 1);
    print_line(worker->settings, "1.2.840.10008.1.1", &answer, now_ns() - began,
               status < 0 ? err.text : answer.comment);
    return status;
}

/* ---- an association ---- */

static void rest(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    while (seconds > 0 && nanosleep(&time, &time) < 0 && errno == EINTR)
        ;
}

static int send_garbage(struct worker *worker, size_t length, struct err *err)
{
    struct buf body = {0};
    unsigned char *bytes = xmalloc(length);
    uint8_t type = 0;
    int status = -1;

    for (size_t at = 0; at < length;) {
        ssize_t n = getrandom(bytes + at, length - at, 0);

        at += n > 0 ? (size_t)n : 0;
    }
    if (wire_send_bytes(&worker->association.wire, bytes, length, err) == 0 &&
        wire_read(&worker->association.wire, &type, &body, err) == 0)
        status = association_unexpected(type, &body, err);
    free(bytes);
    buf_free(&body);
    return status;
}

static int propose(struct worker *worker, struct err *err)
{
    struct association *association = &worker->association;

    if (worker->settings->echo)
        association_propose(association, "1.2.840.10008.1.1", "1.2.840.10008.1.2");
    for (size_t i = 0; i < worker->object_count; i++)
        if (association_propose(association, worker->objects[i].class_uid,
                                worker->objects[i].syntax_uid) < 0)
            return err_set(err, ERR_INPUT, "more than %d pairs of SOP class and transfer syntax",
                           CONTEXTS_MAX);
    return 0;
}

static int negotiate(struct worker *worker, char **peer, struct err *err)
{
    const struct settings *s = worker->settings;
    struct association *association = &worker->association;

    association->wire.stock = s->stock;
    association->wire.timeout_ms = (int)s->timeout * 1000;
    if (propose(worker, err) < 0 || wire_connect(&association->wire, peer[0], peer[1], err) < 0)
        return -1;
    if (s->from_start)
        wire_arm(&association->wire, &s->fault);
    if (s->garbage)
        return send_garbage(worker, (size_t)s->garbage, err);
    return association_request(association, s->calling, s->called, (uint32_t)s->our_max_pdu, err);
}

/* All associations begin to send at the same time: negotiation is not in the figures. */
static void line_up(const struct worker *worker)
{
    struct totals *totals = worker->totals;
    uint64_t not_yet = 0;

    atomic_fetch_add(&totals->ready, 1);
    while (atomic_load(&totals->ready) + atomic_load(&totals->failed) < worker->settings->parallel)
        rest(0.0002);
    atomic_compare_exchange_strong(&totals->first_ns, &not_yet, now_ns());
}

static int run_association(struct worker *worker, char **peer)
{
    const struct settings *s = worker->settings;
    struct err err = {0};
    int status = 0;

    if (negotiate(worker, peer, &err) < 0) {
        atomic_fetch_add(&worker->totals->failed, 1);
        wire_close(&worker->association.wire);
        if (s->expect_rj && worker->association.rejected) {
            printf("%d %d %d\n", worker->association.reject_result,
                   worker->association.reject_source, worker->association.reject_reason);
            return 0;
        }
        log_error("%s", err.text);
        return 2;
    }
    line_up(worker);
    if (s->hold)
        rest(strtod(s->hold, NULL));
    while (s->wait_for && access(s->wait_for, F_OK) < 0)
        rest(0.002);
    uint64_t nth = 0, until = UINT64_MAX;
    if (s->seconds)
        until = atomic_load(&worker->totals->first_ns) + (uint64_t)(strtod(s->seconds, NULL) * 1e9);
    for (uint64_t i = (uint64_t)worker->index; status == 0 && i < (uint64_t)s->echo;
         i += (uint64_t)s->parallel)
        status = send_echo(worker, nth++);
    nth = 0;
    for (uint64_t i = (uint64_t)worker->index;
         status == 0 && i < worker->object_count * (uint64_t)s->repeat && now_ns() < until;
         i += (uint64_t)s->parallel)
        status = send_object(worker, i, nth++);
    if (status == 0 && !s->no_release && association_release(&worker->association, &err) < 0) {
        log_error("release: %s", err.text);
        status = 1;
    }
    wire_close(&worker->association.wire);
    return status == 0 ? s->expect_rj : 1;
}

/* ---- options ---- */

static long long number_of(const char *text, const char *name)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 0);

    if (end == text || *end != '\0') {
        log_error("--%s %s: not a number", name, text);
        exit(2);
    }
    return value;
}

static void set_fault(struct settings *s, enum fault_kind kind, const char *text, const char *name)
{
    char *copy, *colon;

    if (!text)
        return;
    copy = xstrdup(text);
    colon = kind == FAULT_STALL ? strchr(copy, ':') : NULL;
    if (colon) {
        *colon = '\0';
        s->fault.seconds = strtod(colon + 1, NULL);
    }
    s->fault.kind = kind;
    s->fault.at = (uint64_t)number_of(copy, name);
    free(copy);
}

static void finish_settings(struct settings *s)
{
    set_fault(s, FAULT_CUT, s->cut_at, "cut-at");
    set_fault(s, FAULT_RESET, s->reset_at, "reset-at");
    set_fault(s, FAULT_ABORT, s->abort_at, "abort-at");
    set_fault(s, FAULT_STALL, s->stall_at, "stall-at");
    set_fault(s, FAULT_CORRUPT, s->corrupt_at, "corrupt-at");
    s->manner = (struct manner){.max_pdu = (uint32_t)s->max_pdu,
                                .beyond = s->beyond,
                                .pdv = (uint32_t)s->pdv,
                                .together = s->together,
                                .data_first = s->data_first,
                                .no_data = s->no_data,
                                .no_last = s->no_last,
                                .context_id = (int)s->context_id,
                                .odd_pdu = (int)s->odd_pdu,
                                .extra = (long)s->extra,
                                .omit = s->omit};
    if (s->pdv_lie)
        s->manner.pdv_lie = (int)number_of(s->pdv_lie, "pdv-lie");
    if (s->pdu_lie)
        s->manner.pdu_lie = (int)number_of(s->pdu_lie, "pdu-lie");
    if (s->command_field)
        s->manner.command_field = (int)number_of(s->command_field, "command-field");
    if (s->group_length_lie)
        s->manner.group_length_lie = (int)number_of(s->group_length_lie, "group-length-lie");
    s->fresh = (s->fresh || s->repeat > 1) && !s->same;
    s->run = s->seed ? s->seed : (long long)(now_ns() / 1000 + (uint64_t)getpid() * 7919);
    if (s->parallel < 1 || s->repeat < 1 || s->timeout < 1) {
        log_error("--parallel, --repeat and --timeout begin at 1");
        exit(2);
    }
}

static int digest_all(const struct object *objects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char digest[65];

        object_digest(&objects[i], digest);
        printf("%s\t%s\t%s\n", objects[i].instance_uid, digest, objects[i].path);
    }
    return fflush(stdout) == 0 ? 0 : 2;
}

static void print_summary(const struct totals *totals, uint64_t wanted)
{
    uint64_t success = atomic_load(&totals->success), bytes = atomic_load(&totals->bytes);
    uint64_t first = atomic_load(&totals->first_ns), last = atomic_load(&totals->last_ns);
    double seconds = last > first ? (double)(last - first) / 1e9 : 0;
    double per_second = seconds > 0 ? 1 / seconds : 0;

    printf("summary\twanted %" PRIu64 "\tsuccess %" PRIu64
           "\tseconds %.3f\tobjects/s %.1f\tMB/s %.1f\tslowest ms %.1f\n",
           wanted, success, seconds, (double)success * per_second, (double)bytes / 1e6 * per_second,
           (double)atomic_load(&totals->slowest_ns) / 1e6);
    fflush(stdout);
}

/* One process per association; the first runs here when it is the only one. */
static int run_all(struct worker *worker, char **peer)
{
    long long parallel = worker->settings->parallel;
    int worst = 0;

    if (parallel == 1)
        return run_association(worker, peer);
    for (int i = 0; i < parallel; i++) {
        pid_t pid = fork();

        if (pid < 0) {
            log_error("fork: %s", strerror(errno));
            atomic_fetch_add(&worker->totals->failed, (int)parallel - i);
            worst = 2;
            break;
        }
        if (pid == 0) {
            worker->index = i;
            int status = run_association(worker, peer);
            fflush(stdout);
            _exit(status);
        }
    }
    for (int status = 0; wait(&status) > 0;) {
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : 2;

        worst = code > worst ? code : worst;
    }
    return worst;
}

static int open_list(const char *path)
{
    struct err err;
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;

    if (path && fd < 0) {
        err_sys(&err, "%s", path);
        die(2, &err);
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct settings s = {.called = "ANY-SCP",
                         .calling = "RAWSCU",
                         .our_max_pdu = 16384,
                         .repeat = 1,
                         .parallel = 1,
                         .fault_in = 1,
                         .timeout = 60};
    struct err err = {0};

    log_init(argv[0]);
    signal(SIGPIPE, SIG_IGN);
    int first = options_parse(argc, argv, &usage, &s);
    finish_settings(&s);
    int files = first + (s.digest_only ? 0 : 2);
    if (files > argc || (files == argc && !s.echo && !s.garbage && !s.hold && !s.expect_rj)) {
        log_error("what to send, and where to? (--help says more)");
        return 2;
    }
    struct object_names names = {s.class_uid, s.instance_uid, s.syntax_uid};
    struct object *objects = xcalloc((size_t)(argc - files) + 1, sizeof *objects);
    struct worker worker = {.settings = &s, .objects = objects, .acks = -1, .tries = -1};
    for (int i = files; i < argc; i++) {
        if (object_open(&objects[worker.object_count], argv[i], &names, &err) < 0)
            die(2, &err);
        worker.object_count++;
    }
    int status;
    if (s.digest_only) {
        status = digest_all(objects, worker.object_count);
        goto out;
    }
    worker.totals = mmap(NULL, sizeof *worker.totals, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (worker.totals == MAP_FAILED) {
        log_error("mmap: %s", strerror(errno));
        return 2;
    }
    worker.acks = open_list(s.acks);
    worker.tries = open_list(s.tries);
    status = run_all(&worker, argv + first);
    uint64_t wanted = worker.object_count * (uint64_t)s.repeat + (uint64_t)s.echo;
    if (s.seconds)
        wanted = atomic_load(&worker.totals->objects);
    if (!s.expect_rj)
        print_summary(worker.totals, wanted);
    if (status == 0 && !s.expect_rj && atomic_load(&worker.totals->success) < wanted)
        status = 1;
out:
    for (size_t i = 0; i < worker.object_count; i++)
        object_close(&objects[i]);
    free(objects);
    return status;
}
