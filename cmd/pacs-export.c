/*
 * pacs-export: writes the objects behind references into a folder, a zip or a tar. How they are named
 * and written is decided in libcore: export.h, layout.h, sink.h; here are options, the order in which
 * references are read, progress and signals.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "base/print.h"
#include "base/progress.h"
#include "base/refs.h"
#include "export/export.h"
#include "export/layout.h"
#include "index/archive.h"
#include "index/query.h"

struct fields {
    const char *archive;
    int verbose;
    bool quiet;
    const char *output, *layout, *manifest;
    int format;
    long long level;
    bool force, link, ascii, dry_run, nul;
};

#define FIELD(name) offsetof(struct fields, name)
static const struct option_entry table[] = {
    {'o', "output", OPTION_TEXT, FIELD(output), "OUT", "folder, .zip, .tar[.gz|.xz|.zst]; -: tar"},
    {0, "format", OPTION_CHOICE, FIELD(format), SINK_FORMATS,
     "what OUT is, if its name does not say it"},
    {0, "layout", OPTION_TEXT, FIELD(layout), "TEMPLATE",
     "names: default, tree, flat, or see below"},
    {0, "ascii", OPTION_FLAG, FIELD(ascii), NULL, "names of ASCII letters only"},
    {0, "level", OPTION_NUMBER, FIELD(level), "N", "of compression (zip: 0, none)"},
    {0, "manifest", OPTION_TEXT, FIELD(manifest), "FILE", "SHA-256 of each, for sha256sum -c"},
    {0, "link", OPTION_FLAG, FIELD(link), NULL, "folder: hard links instead of copies"},
    {0, "force", OPTION_FLAG, FIELD(force), NULL, "replace what is there"},
    {'n', "dry-run", OPTION_FLAG, FIELD(dry_run), NULL, "write nothing, print reference and name"},
    {'0', "null", OPTION_FLAG, FIELD(nul), NULL,
     "lines end with NUL, those read and those printed"},
    {0, NULL, OPTION_HEADING, 0, NULL, "Common:"},
    OPTIONS_COMMON(struct fields),
    OPTIONS_END,
};
static const struct options_usage usage = {
    "-o OUT [options] [REFERENCE...|-]",
    "Writes objects into a folder, a zip or a tar. References are UIDs of studies,\n"
    "series or instances, patient:ID, and files; or lines on stdin that begin so.",
    "Template: {PatientID}/{StudyDate}/{SeriesNumber:04}/{InstanceNumber:05}.dcm\n"
    "Status: 0 all of it, 1 some of it or nothing, 2 could not write.",
    table,
};

/* References are read ahead as far as they are there already, up to this many bytes: so the number of
 * objects, and the time left, are known early. */
#define AHEAD_BYTES (16 << 20)

struct work {
    struct fields fields;
    struct archive *archive; /* opened for the first reference that needs it */
    struct index *index;
    struct export *export;
    struct printer *printer; /* of a dry run */
    struct progress progress;
    struct buf ahead; /* references, each NUL-ended */
    uint64_t failed;
    bool listening; /* there is more than what has been read so far */
};

/* ---- signals ---- */

static volatile int interrupted;

static void interrupt(int number)
{
    interrupted = number;
}

/* The second time, a signal ends the process at once. A pipe that closes, or a file that gets larger
 * than ulimit(1) allows, is an error like any other: what is not whole has to be removed. */
static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND}, old;

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) /* nohup */
            sigaction(signals[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sink_interrupted = &interrupted;
}

/* As the shell expects of an interrupted command: by the signal itself. */
static void end_by(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

/* ---- what an export says ---- */

static int object_done(void *context, const char *reference, const char *name, uint64_t size,
                       struct err *err)
{
    struct work *work = context;

    if (work->printer) {
        char bytes[24];
        const char *values[] = {reference, name, bytes};

        snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)size);
        if (printer_row(work->printer, values) < 0)
            return err_set(err, ERR_CLOSED, "stdout: closed");
    } else if (log_level() >= LOG_VERBOSE) {
        progress_hide(&work->progress);
        log_info("%s", name);
    }
    progress_add(&work->progress, 1, size);
    return 0;
}

static void object_failed(void *context, const char *reference, const struct err *why)
{
    struct work *work = context;

    work->failed++;
    progress_hide(&work->progress);
    if (strstr(why->text, reference))
        log_error("%s", why->text);
    else
        log_error("%s: %s", reference, why->text);
    progress_add(&work->progress, 1, 0);
}

/* ---- references ---- */

static int need_index(struct work *work, struct err *err)
{
    if (!work->archive && !(work->archive = archive_open(work->fields.archive, ARCHIVE_READ, err)))
        return -1;
    if (!work->index && !(work->index = archive_index(work->archive, err)))
        return -1;
    return 0;
}

static int export_one(struct work *work, const char *reference, struct err *err)
{
    if (ref_is_path(reference))
        return export_path(work->export, reference, err);
    if (need_index(work, err) < 0)
        return -1;
    return export_reference(work->export, work->index, store_root(archive_store(work->archive)),
                            reference, err);
}

static int count_object(void *context, const struct index_object *object, struct err *err)
{
    (void)object;
    (void)err;
    ++*(uint64_t *)context;
    return 0;
}

/* How many objects the references read ahead stand for, for the time left. What is not there is one
 * failure. */
static uint64_t count_ahead(struct work *work)
{
    uint64_t total = 0;

    for (size_t at = 0; at < work->ahead.length; at += strlen(work->ahead.data + at) + 1) {
        const char *reference = work->ahead.data + at;
        uint64_t objects = 0;

        if (!ref_is_path(reference) && need_index(work, NULL) == 0)
            index_objects(work->index, reference, count_object, &objects, NULL);
        total += objects ? objects : 1;
    }
    return total;
}

static int export_ahead(struct work *work, struct err *err)
{
    int status = 0;

    if (work->progress.on)
        work->progress.total = work->listening ? 0 : work->progress.done + count_ahead(work);
    for (size_t at = 0; at < work->ahead.length && status == 0;
         at += strlen(work->ahead.data + at) + 1)
        status = export_one(work, work->ahead.data + at, err);
    buf_clear(&work->ahead);
    return status;
}

static bool stdin_is_ready(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&input, 1, 0) == 1;
}

static bool is_reference(const char *word)
{
    return ref_is_path(word) || strncmp(word, "patient:", 8) == 0 ||
           !word[strspn(word, "0123456789.")];
}

static int take_reference(void *context, const char *reference, const char *line, struct err *err)
{
    struct work *work = context;

    (void)line;
    if (!is_reference(reference)) {
        err_set(err, ERR_INPUT, "\"%.80s\" is no reference", reference);
        object_failed(work, reference, err);
        return 0;
    }
    buf_add(&work->ahead, reference, strlen(reference) + 1);
    if (!work->listening || (work->ahead.length < AHEAD_BYTES && stdin_is_ready()))
        return 0;
    return export_ahead(work, err);
}

/* What a person typed is checked before anything is done. */
static int export_all(struct work *work, int count, char **arguments, struct err *err)
{
    work->listening = count == 0;
    for (int i = 0; i < count; i++) {
        bool listens = strcmp(arguments[i], "-") == 0;

        work->listening = work->listening || listens;
        if (!listens && !is_reference(arguments[i]))
            return err_set(err, ERR_INPUT,
                           "\"%.80s\" is no reference: pacs-find Keyword=value | pacs-export "
                           "-o OUT; a file's path begins with / or .",
                           arguments[i]);
    }
    progress_start(&work->progress, "objects", 0);
    if (refs_loop(count, arguments, work->fields.nul, take_reference, work, err) != 0)
        return -1;
    work->listening = false;
    return export_ahead(work, err);
}

/* ---- the whole ---- */

static int check_usage(struct work *work, struct export_options *options, struct err *err)
{
    const struct fields *fields = &work->fields;
    bool to_stdout;

    if (!fields->output && !fields->dry_run)
        return err_set(err, ERR_INPUT, "where to? -o OUT names a folder, .zip or .tar");
    if (fields->output && !*fields->output)
        return err_set(err, ERR_INPUT, "-o: an empty name");
    options->sink.output = fields->output ? fields->output : ".";
    options->sink.format = (enum sink_format)fields->format;
    if (options->sink.format == SINK_AUTO &&
        (options->sink.format = sink_format_of(options->sink.output, err)) == SINK_AUTO)
        return -1;
    to_stdout = !fields->dry_run && strcmp(options->sink.output, "-") == 0;
    if (to_stdout && options->sink.format == SINK_FOLDER)
        return err_set(err, ERR_INPUT, "-o -: a folder cannot go to stdout");
    if (to_stdout && isatty(STDOUT_FILENO))
        return err_set(err, ERR_INPUT,
                       "-o -: stdout is a terminal, and an archive is not for reading");
    if (to_stdout && fields->manifest && strcmp(fields->manifest, "-") == 0)
        return err_set(err, ERR_INPUT, "archive and manifest cannot both go to stdout");
    if (fields->link && options->sink.format != SINK_FOLDER)
        return err_set(err, ERR_INPUT, "--link: only a folder can hold links");
    if (fields->level != -1 && (fields->level < 0 || fields->level > 99))
        return err_set(err, ERR_INPUT, "--level %lld: no such level", fields->level);
    options->sink.level = (int)fields->level;
    return sink_check_level(options->sink.format, options->sink.level, err);
}

/* Returns the exit status. */
static int run(struct work *work, const struct export_options *options, int count, char **arguments,
               struct err *err)
{
    static const struct print_column columns[] = {
        {.name = "Reference"}, {.name = "Name"}, {.name = "Size", .vr = "UV", .right = true}};
    struct export_events events = {object_done, object_failed, work};
    const struct export_counts *counts;

    if (work->fields.dry_run)
        work->printer =
            printer_new(stdout, work->fields.nul ? PRINT_NUL : PRINT_AUTO, columns, 3, true);
    work->export = export_new(options, &events, err);
    if (!work->export || export_all(work, count, arguments, err) < 0 ||
        export_finish(work->export, err) < 0)
        return 2;
    progress_end(&work->progress);
    counts = export_counts(work->export);
    log_info("%llu objects, %.1f MB; %llu kept, %llu named again, %llu failed",
             (unsigned long long)counts->objects, (double)counts->bytes / 1e6,
             (unsigned long long)counts->kept, (unsigned long long)counts->repeated,
             (unsigned long long)work->failed);
    if (counts->objects == 0 && work->failed == 0)
        log_error("nothing to export");
    return work->failed || counts->objects == 0;
}

int main(int argc, char **argv)
{
    struct work work = {.fields = {.level = -1}};
    struct export_options options = {.sink = {.level = -1}};
    int first = options_parse(argc, argv, &usage, &work.fields), status;
    struct err err = {0}, print_err;

    if (check_usage(&work, &options, &err) < 0)
        die(2, &err);
    options.sink.force = work.fields.force;
    options.sink.link = work.fields.link;
    options.layout = work.fields.layout;
    options.ascii = work.fields.ascii;
    options.manifest = work.fields.manifest;
    options.dry_run = work.fields.dry_run;
    catch_signals();
    status = run(&work, &options, argc - first, argv + first, &err);
    progress_end(&work.progress);
    if (work.printer && printer_close(work.printer, &print_err) < 0) {
        status = 2;
        err = print_err;
    }
    export_free(work.export);
    if (work.archive)
        archive_close(work.archive);
    buf_free(&work.ahead);
    if (status == 2 && interrupted)
        end_by(interrupted);
    if (status == 2 && err.code == ERR_CLOSED)
        end_by(SIGPIPE);
    if (status == 2)
        log_error("%s", err.text);
    return status;
}
