/*
 * pacs-echo: asks peers whether they are there (C-ECHO), all at once, and says how long each took. For people
 * and for monitoring: the status tells whether all have answered.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/options.h"
#include "base/print.h"
#include "dicom/uid.h"
#include "index/archive.h"
#include "net/recv_config.h"
#include "net/scu.h"

struct echo_options {
    const char *archive;
    int verbose;
    bool quiet;
    long long timeout, count;
    bool table, tsv, csv, json, nul;
};

#define FIELD(name) offsetof(struct echo_options, name)
static const struct option_entry table[] = {
    {'t', "timeout", OPTION_NUMBER, FIELD(timeout), "S",
     "seconds for each step (pacs.conf says, else 60)"},
    {'c', "count", OPTION_NUMBER, FIELD(count), "N", "so many C-ECHO on the association (1)"},
    {0, NULL, OPTION_HEADING, 0, NULL,
     "How lines look (a table on a terminal, else tab-separated):"},
    {0, "table", OPTION_FLAG, FIELD(table), NULL, "aligned columns under a header"},
    {0, "tsv", OPTION_FLAG, FIELD(tsv), NULL, "tab-separated"},
    {0, "csv", OPTION_FLAG, FIELD(csv), NULL, "comma-separated, with a header"},
    {0, "json", OPTION_FLAG, FIELD(json), NULL, "one JSON object a line"},
    {'0', "null", OPTION_FLAG, FIELD(nul), NULL, "ended by NUL"},
    {0, NULL, OPTION_HEADING, 0, NULL, "Common:"},
    OPTIONS_COMMON(struct echo_options),
    OPTIONS_END,
};
static const struct options_usage usage = {
    "[options] PEER...|@all",
    "Asks peers by C-ECHO whether they are there.",
    "PEER is a name from pacs.conf, or AET@HOST:PORT, which needs no archive.\n"
    "Status: 0 all have answered, 1 some have not (named on stderr), 2 could not ask.",
    table,
};

/* What a child tells of its peer. */
struct result {
    bool answered;
    double connect_ms, echo_ms; /* association, and the mean of the echoes */
    char text[512];
};

static double now_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1000 + (double)time.tv_nsec / 1e6;
}

static void ask(const struct peer *peer, struct dcm_tls *tls, long long count,
                struct result *result)
{
    static const char *const syntax = UID_IMPLICIT_LE;
    const struct dcm_request_context context = {UID_VERIFICATION, &syntax, 1, false};
    double start = now_ms();
    struct err err = {0};
    uint16_t status = 0;
    struct scu *scu = scu_open(
        &(struct scu_options){.peer = peer, .contexts = &context, .count = 1, .tls = tls}, &err);

    result->connect_ms = now_ms() - start;
    start = now_ms();
    for (long long i = 0; scu && i < count && err.code == ERR_NONE; i++)
        if (scu_echo(scu, &status, &err) == 0 && status != STATUS_SUCCESS)
            err_set(&err, ERR_FAILED, "%s: answered with status %04x", peer->name, status);
    result->echo_ms = (now_ms() - start) / (double)count;
    result->answered = scu && err.code == ERR_NONE;
    snprintf(result->text, sizeof result->text, "%.500s", err.text);
    if (result->answered)
        scu_close(scu);
    else
        scu_abort(scu);
}

/* One process per peer: a dead one holds up nobody. Returns the end of the pipe with the result. */
static int start(const struct peer *peer, struct dcm_tls *tls, long long count, struct err *err)
{
    int ends[2];
    pid_t pid;

    if (pipe(ends) < 0)
        return err_sys(err, "pipe");
    pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return err_sys(err, "fork");
    }
    if (pid == 0) {
        struct result result = {0};

        close(ends[0]);
        ask(peer, tls, count, &result);
        _exit(write_all(ends[1], &result, sizeof result) < 0);
    }
    close(ends[1]);
    return ends[0];
}

static void print_result(struct printer *printer, const struct peer *peer,
                         const struct result *result)
{
    char connect[32], echo[32], address[300];
    const char *values[] = {
        peer->name, result->answered ? "ok" : "failed", connect, echo, peer->aet, address};

    snprintf(connect, sizeof connect, "%.1f", result->connect_ms);
    snprintf(echo, sizeof echo, "%.2f", result->echo_ms);
    snprintf(address, sizeof address, "%.250s:%lld", peer->host, peer->port);
    if (!result->answered)
        values[2] = values[3] = NULL;
    printer_row(printer, values);
}

static struct printer *open_printer(const struct echo_options *o)
{
    static const struct print_column columns[] = {
        {.name = "Peer"},
        {.name = "Status"},
        {.name = "AssociationMs", .right = true, .label = "Assoc. ms"},
        {.name = "EchoMs", .right = true, .label = "Echo ms"},
        {.name = "AETitle"},
        {.name = "Address"},
    };
    enum print_format format = o->table  ? PRINT_TABLE
                               : o->tsv  ? PRINT_TSV
                               : o->csv  ? PRINT_CSV
                               : o->json ? PRINT_JSON
                               : o->nul  ? PRINT_NUL
                                         : PRINT_AUTO;

    return o->quiet ? NULL
                    : printer_new(stdout, format, columns, sizeof columns / sizeof *columns, true);
}

/* The peers that the operands name. */
static const struct peer **find_peers(struct peers *peers, int count, char **names, size_t *found,
                                      struct err *err)
{
    const struct peer **list =
        xcalloc((size_t)count * (peers_count(peers) + 1) + 1, sizeof(struct peer *));

    *found = 0;
    for (int i = 0; i < count; i++) {
        const char *name = names[i][0] == '@' ? names[i] + 1 : names[i];

        if (strcmp(name, "all") == 0) {
            for (size_t n = 0; n < peers_count(peers); n++)
                list[(*found)++] = peers_at(peers, n);
            continue;
        }
        list[*found] = peers_find(peers, name, err);
        if (!list[(*found)++]) {
            free(list);
            return NULL;
        }
    }
    if (*found)
        return list;
    free(list);
    err_set(err, ERR_INPUT, count ? "pacs.conf names no peers" : "no peer is named: %s --help",
            log_program());
    return NULL;
}

static int ask_all(const struct peer *const *peer, size_t count, struct dcm_tls *tls,
                   const struct echo_options *o, struct err *err)
{
    struct printer *printer = open_printer(o);
    int *end = xcalloc(count, sizeof *end), failed = 0, status = 0;
    struct err closing;

    for (size_t i = 0; i < count && status == 0; i++)
        status = (end[i] = start(peer[i], tls, o->count, err)) < 0 ? -1 : 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        struct result result = {0};

        if (read_all(end[i], &result, sizeof result) != sizeof result)
            snprintf(result.text, sizeof result.text, "%s: asking it died", peer[i]->name);
        close(end[i]);
        if (printer)
            print_result(printer, peer[i], &result);
        if (!result.answered)
            log_error("%s", result.text);
        failed += !result.answered;
    }
    while (wait(NULL) > 0)
        ;
    free(end);
    if (printer && printer_close(printer, &closing) < 0 && closing.code != ERR_CLOSED) {
        *err = closing;
        status = -1;
    }
    return status < 0 ? -1 : failed;
}

/* Without an archive only peers that are written out can be asked. */
static bool written_out(int count, char **names)
{
    for (int i = 0; i < count; i++)
        if (!*names[i] || !strchr(names[i] + 1, '@'))
            return false;
    return count > 0;
}

int main(int argc, char **argv)
{
    struct echo_options o = {.count = 1};
    struct archive *archive = NULL;
    struct dcm_tls *tls = NULL;
    struct err err;
    size_t count;
    int failed = -1;

    log_init(argv[0]);
    int first = options_parse(argc, argv, &usage, &o);
    if (o.count < 1 || o.count > 1000000 || o.timeout < 0 || o.timeout > 86400) {
        err_set(&err, ERR_INPUT, "--count is 1 to 1000000, --timeout 1 to 86400");
        die(2, &err);
    }
    struct peers *peers =
        peers_open(o.archive, written_out(argc - first, argv + first), &archive, &err);
    const struct peer **peer =
        peers ? find_peers(peers, argc - first, argv + first, &count, &err) : NULL;
    if (!peer)
        die(2, &err);
    if (o.timeout)
        peers_set_timeout(peers, o.timeout);
    dcm_init();
    signal(SIGPIPE, SIG_IGN);
    if (scu_tls(peers, peer, count, &tls, &err) == 0)
        failed = ask_all(peer, count, tls, &o, &err);
    if (failed < 0)
        die(2, &err);
    free(peer);
    dcm_tls_free(tls);
    peers_free(peers);
    archive_close(archive);
    return failed > 0;
}
