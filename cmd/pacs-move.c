/*
 * pacs-move: sends the objects behind references to a peer (C-STORE), or fetches them from one (C-GET, C-MOVE). What is
 * sent and fetched, and how, is decided in libcore/net: send_refs.h, sender.h, fetch.h; here are options, the order in which references are read, progress, signals and what is said.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "base/print.h"
#include "base/progress.h"
#include "base/refs.h"
#include "dicom/uid.h"
#include "index/archive.h"
#include "net/fetch.h"
#include "net/peers.h"
#include "net/send_refs.h"
#include "net/sender.h"

#define WAIT_MS 1000 /* before the second try */

struct fields {
    const char *archive;
    int verbose;
    bool quiet;
    const char *to, *from;
    long long associations, tries, timeout;
    bool dry_run, nul;
};

#define FIELD(name) offsetof(struct fields, name)
static const struct option_entry table[] = {
    {'t', "to", OPTION_TEXT, FIELD(to), "PEER", "where to: of pacs.conf, or AET@HOST:PORT"},
    {'f', "from", OPTION_TEXT, FIELD(from), "PEER",
     "from where; with --to: from there to that PEER"},
    {'j', "associations", OPTION_NUMBER, FIELD(associations), "N",
     "at a time (pacs.conf says, else 1)"},
    {0, "tries", OPTION_NUMBER, FIELD(tries), "N",
     "for an object while the peer is busy or gone (3)"},
    {0, "timeout", OPTION_NUMBER, FIELD(timeout), "S",
     "seconds of silence (pacs.conf says, else 60)"},
    {'n', "dry-run", OPTION_FLAG, FIELD(dry_run), NULL, "move nothing, print what would be moved"},
    {'0', "null", OPTION_FLAG, FIELD(nul), NULL,
     "lines end with NUL, those read and those printed"},
    {0, NULL, OPTION_HEADING, 0, NULL, "Common:"},
    OPTIONS_COMMON(struct fields),
    OPTIONS_END,
};
static const struct options_usage usage = {
    "--to PEER [options] [REFERENCE...|-]\n"
    "--from PEER [--to PEER] [options] [REFERENCE...|-]",
    "Sends objects to a peer, fetches them from one, or has one send them to another.\n"
    "References are UIDs of studies, series or instances, patient:ID, and (to send)\n"
    "files; or lines on stdin that begin so.",
    "-v names each object, and in which transfer syntax it went.\n"
    "Status: 0 all of it, 1 some of it or nothing, 2 could not begin.",
    table,
};

struct work {
    struct fields fields;
    struct archive *archive; /* NULL: none, and only files are sent */
    struct peers *peers;
    struct send_list *list;
    struct send_refs *refs;
    struct progress progress;
    uint64_t failed; /* references and objects */
};

/* ---- signals ---- */

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    interrupted = number;
}

/* The object on its way is finished, and the association released; the second time a signal ends it all. */
static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND}, old;

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) /* nohup */
            sigaction(signals[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* As the shell expects of an interrupted command: by the signal itself. */
static void end_by(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

static bool stopping(void *context)
{
    (void)context;
    return interrupted != 0;
}

/* ---- what is to be sent ---- */

static void reference_failed(void *context, const char *reference, const struct err *why)
{
    struct work *work = context;

    work->failed++;
    progress_hide(&work->progress);
    if (strstr(why->text, reference))
        log_error("%s", why->text);
    else
        log_error("%s: %s", reference, why->text);
}

static int take_reference(void *context, const char *reference, const char *line, struct err *err)
{
    struct work *work = context;

    (void)line;
    if (interrupted)
        return err_set(err, ERR_STOPPED, "interrupted: nothing sent");
    return send_refs_add(work->refs, work->list, reference, err);
}

static int make_list(struct work *work, int count, char **arguments, struct err *err)
{
    int status;

    work->list = send_list_new();
    work->refs = send_refs_new(work->archive, reference_failed, work);
    status = refs_loop(count, arguments, work->fields.nul, take_reference, work, err);
    send_refs_free(work->refs);
    if (work->archive)
        archive_close_index(work->archive);
    return status == 0 ? send_list_close(work->list, err) : -1;
}

/* ---- a dry run ---- */

static const char *keyword(const char *uid)
{
    const struct uid_entry *entry = uid_find(uid);

    return entry ? entry->keyword : uid;
}

static int print_list(struct work *work, struct err *err)
{
    static const struct print_column columns[] = {
        {.name = "Reference"},      {.name = "SOPClass"},
        {.name = "TransferSyntax"}, {.name = "Size", .vr = "UV", .right = true},
        {.name = "Path"},
    };
    struct printer *printer = printer_new(stdout, work->fields.nul ? PRINT_NUL : PRINT_AUTO,
                                          columns, sizeof columns / sizeof *columns, true);
    struct send_cursor *cursor = send_cursor_new(work->list);
    struct send_item item;
    struct err closing;
    int more;

    while ((more = send_cursor_next(cursor, &item, err)) > 0) {
        char size[24];
        const char *values[] = {item.instance_uid, keyword(item.class_uid),
                                keyword(item.transfer_syntax), size, item.path};

        snprintf(size, sizeof size, "%llu", (unsigned long long)item.size);
        if (printer_row(printer, values) < 0)
            break;
    }
    send_cursor_free(cursor);
    if (printer_close(printer, &closing) < 0) {
        *err = closing;
        return -1;
    }
    return more < 0 ? -1 : 0;
}

/* ---- sending ---- */

static int sent(void *context, const struct send_report *report, struct err *err)
{
    struct work *work = context;
    bool taken = report->result == SEND_DONE || report->result == SEND_WARNING;
    char reason[512];

    (void)err;
    if (!taken || report->result == SEND_WARNING || log_level() >= LOG_VERBOSE)
        progress_hide(&work->progress);
    if (report->result == SEND_DONE) {
        log_info("%s: sent, %s%s%s", report->item->instance_uid, keyword(report->transfer_syntax),
                 report->transcoded ? ", transcoded" : "", report->lossy ? " with loss" : "");
    } else {
        send_reason(report, reason, sizeof reason);
        (taken ? log_warn : log_error)("%s: %s", report->item->instance_uid, reason);
    }
    work->failed += !taken;
    progress_add(&work->progress, 1, taken ? report->bytes : 0);
    return 0;
}

/* What the end of all associations left: named, since a script may want to try it again. */
static void name_unsent(struct work *work)
{
    struct send_cursor *cursor = send_cursor_new(work->list);
    struct send_item item;
    struct err err;

    while (send_cursor_next(cursor, &item, &err) > 0)
        if (send_list_state(work->list, item.number) != SEND_STATE_TOLD) {
            work->failed++;
            log_error("%s: not sent", item.instance_uid);
        }
    send_cursor_free(cursor);
}

/* Returns the exit status. */
static int send_list(struct work *work, const struct peer *peer, struct err *err)
{
    struct send_counts counts = {0};
    struct dcm_tls *tls = NULL;
    struct sender_options options = {
        .peer = peer,
        .root = work->archive ? store_root(archive_store(work->archive)) : -1,
        .tries = (int)work->fields.tries,
        .wait_ms = WAIT_MS,
        .transcoder = transcoder_new(),
        .each = sent,
        .stopping = stopping,
        .context = work,
        .processes =
            (int)(work->fields.associations ? work->fields.associations : peer->associations),
    };
    int status = scu_tls(work->peers, &peer, 1, &tls, err);

    if (status == 0) {
        dcm_init();
        options.tls = tls;
        progress_start(&work->progress, "objects", send_list_count(work->list));
        status = sender_run(work->list, &options, &counts, err);
        progress_end(&work->progress);
    }
    transcoder_free(options.transcoder);
    dcm_tls_free(tls);
    unsigned long long taken = counts.done + counts.warned, all = send_list_count(work->list);

    log_info("%s: %llu of %llu objects sent, %.1f MB, %llu transcoded", peer->name, taken, all,
             (double)counts.bytes / 1e6, (unsigned long long)counts.transcoded);
    if (status == 0)
        return work->failed > 0;
    if (taken + counts.failed == 0 && !interrupted)
        return 2;
    if (interrupted)
        log_error("interrupted: %llu of %llu objects sent", taken, all);
    else
        log_error("%s", err->text);
    name_unsent(work);
    return 1;
}

static int move_to(struct work *work, int count, char **arguments, struct err *err)
{
    const struct peer *peer = peers_find(work->peers, work->fields.to, err);

    if (peer && work->fields.timeout)
        peers_set_timeout(work->peers, work->fields.timeout);
    if (!peer || make_list(work, count, arguments, err) < 0)
        return 2;
    if (work->fields.dry_run)
        return print_list(work, err) < 0 ? 2 : work->failed > 0;
    if (send_list_count(work->list) == 0) {
        log_error("nothing to send");
        return 1;
    }
    return send_list(work, peer, err);
}

/* ---- fetching ---- */

static void fetched(void *context, uint64_t objects, uint64_t bytes)
{
    struct work *work = context;

    progress_add(&work->progress, objects, bytes);
}

static int take_name(void *context, const char *reference, const char *line, struct err *err)
{
    return fetch_add(context, reference, line, err);
}

static void print_missing(void *context, const struct fetch_object *object)
{
    const char *values[] = {object->sop_uid, object->series_uid, object->study_uid,
                            object->sop_class_uid ? keyword(object->sop_class_uid) : NULL};

    printer_row(context, values);
}

static int print_plan(struct work *work, const struct fetch *fetch, struct err *err)
{
    static const struct print_column columns[] = {
        {.name = "Reference"},
        {.name = "SeriesInstanceUID"},
        {.name = "StudyInstanceUID"},
        {.name = "SOPClass"},
    };
    struct printer *printer = printer_new(stdout, work->fields.nul ? PRINT_NUL : PRINT_AUTO,
                                          columns, sizeof columns / sizeof *columns, true);

    fetch_missing(fetch, print_missing, printer);
    return printer_close(printer, err) < 0 && err->code != ERR_CLOSED ? -1 : 0;
}

/* Returns the exit status. */
static int run_fetch(struct work *work, struct fetch *fetch, const struct peer *peer,
                     struct err *err)
{
    const struct fetch_counts *counts = fetch_counts(fetch);
    int status;

    if (fetch_list(fetch, err) < 0)
        return 2;
    if (work->fields.dry_run)
        return print_plan(work, fetch, err) < 0 ? 2 : counts->failed > 0;
    log_info("%s: %llu objects, %llu of them are here", peer->name,
             (unsigned long long)counts->found, (unsigned long long)counts->there);
    progress_start(&work->progress, "objects", counts->found - counts->there);
    status = fetch_run(fetch, err);
    progress_end(&work->progress);
    log_info("%s: %llu objects fetched", peer->name, (unsigned long long)counts->fetched);
    if (status == 0)
        return counts->failed > 0;
    if (counts->fetched == 0 && !interrupted)
        return 2;
    log_error("%s: %llu objects fetched, the rest is not", err->text,
              (unsigned long long)counts->fetched);
    return 1;
}

static int move_from(struct work *work, int count, char **arguments, struct err *err)
{
    const struct peer *peer = peers_find(work->peers, work->fields.from, err), *to = NULL;
    struct fetch *fetch = NULL;
    struct dcm_tls *tls = NULL;
    int status = 2;

    if (peer && work->fields.to && !(to = peers_find(work->peers, work->fields.to, err)))
        return 2;
    if (!peer)
        return 2;
    if (work->fields.timeout)
        peers_set_timeout(work->peers, work->fields.timeout);
    dcm_init();
    if (scu_tls(work->peers, &peer, 1, &tls, err) == 0) {
        fetch = fetch_new(&(struct fetch_options){
            .peer = peer,
            .to = to,
            .archive = to ? NULL : work->archive,
            .own_aet = peers_own_aet(work->peers),
            .tls = tls,
            .stopping = stopping,
            .progress = fetched,
            .failed = reference_failed,
            .context = work,
        });
        if (refs_loop(count, arguments, work->fields.nul, take_name, fetch, err) == 0)
            status = run_fetch(work, fetch, peer, err);
    }
    fetch_free(fetch);
    dcm_tls_free(tls);
    return status;
}

/* Fetching writes into the archive; that need not be there for what two peers do with each other. */
static struct peers *open_for_fetching(struct work *work, struct err *err)
{
    const struct fields *fields = &work->fields;

    if (fields->to)
        return peers_open(fields->archive, strchr(fields->from, '@') && strchr(fields->to, '@'),
                          &work->archive, err);
    work->archive = archive_open(fields->archive, ARCHIVE_CREATE, err);
    return work->archive
               ? peers_load(archive_config(work->archive), archive_path(work->archive), err)
               : NULL;
}

static int check_usage(const struct fields *fields, struct err *err)
{
    if (!fields->to && !fields->from)
        return err_set(err, ERR_INPUT, "where to? --to PEER, or --from PEER: %s --help",
                       log_program());
    if (fields->associations < 0 || fields->associations > 64)
        return err_set(err, ERR_INPUT, "--associations is 1 to 64");
    if (fields->tries < 1 || fields->tries > 100)
        return err_set(err, ERR_INPUT, "--tries is 1 to 100");
    if (fields->timeout < 0 || fields->timeout > 86400)
        return err_set(err, ERR_INPUT, "--timeout is 1 to 86400");
    return 0;
}

int main(int argc, char **argv)
{
    struct work work = {.fields = {.tries = 3}};
    struct err err = {0};
    int first, status = 2;

    log_init(argv[0]);
    first = options_parse(argc, argv, &usage, &work.fields);
    if (check_usage(&work.fields, &err) < 0)
        die(2, &err);
    catch_signals();
    if (work.fields.from)
        work.peers = open_for_fetching(&work, &err);
    else
        work.peers = peers_open(work.fields.archive, strchr(work.fields.to, '@') != NULL,
                                &work.archive, &err);
    if (work.peers)
        status = work.fields.from ? move_from(&work, argc - first, argv + first, &err)
                                  : move_to(&work, argc - first, argv + first, &err);
    send_list_free(work.list);
    peers_free(work.peers);
    archive_close(work.archive);
    if (interrupted)
        end_by(interrupted);
    if (status == 2)
        die(2, &err);
    return status;
}
