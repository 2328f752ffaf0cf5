/*
 * pacs-index: puts files into the index, where they lie or copied into the archive; takes them out again;
 * makes the index anew. The work is done in libcore/index: tree.h names the files, feed.h reads their
 * headers on other cores, in_place.h, import.h and rebuild.h write.
 */
#include <sched.h>
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
#include "dicom/uid.h"
#include "index/archive.h"
#include "index/import.h"
#include "index/rebuild.h"
#include "index/tree.h"

#define JOBS_MAX 64

struct index_options {
    const char *archive;
    int verbose;
    bool quiet, import, link, remove, rebuild, stats, dry_run, print, nul;
    long long jobs;
};

#define FIELD(name) offsetof(struct index_options, name)
static const struct option_entry table[] = {
    {'i', "import", OPTION_FLAG, FIELD(import), NULL, "copy the files into the archive"},
    {0, "link", OPTION_FLAG, FIELD(link), NULL, "--import: hard links instead of copies"},
    {0, "remove", OPTION_FLAG, FIELD(remove), NULL, "forget objects, files or folders; files stay"},
    {0, "rebuild", OPTION_FLAG, FIELD(rebuild), NULL, "make the index anew from the files"},
    {0, "stats", OPTION_FLAG, FIELD(stats), NULL, "say what the index holds"},
    {'p', "print", OPTION_FLAG, FIELD(print), NULL, "print a line for each object indexed"},
    {'0', "null", OPTION_FLAG, FIELD(nul), NULL, "NUL ends what is read for \"-\" and printed"},
    {'n', "dry-run", OPTION_FLAG, FIELD(dry_run), NULL, "read and count; change nothing"},
    {'j', "jobs", OPTION_NUMBER, FIELD(jobs), "N", "threads that read headers (the cores)"},
    {0, NULL, OPTION_HEADING, 0, NULL, "Common:"},
    OPTIONS_COMMON(struct index_options),
    OPTIONS_END,
};
static const struct options_usage usage = {
    "[options] [PATH...|-]\n--import [--link] [options] [PATH...|-]\n"
    "--remove [options] [REFERENCE...|PATH...|-]\n--rebuild|--stats [options]",
    "Puts DICOM files into the index: where they lie, or copied into the archive.",
    "Folders are walked. Running it again reads only what is new or has changed.\n"
    "Status: 0 done, 1 some files failed (each is named), 2 could not run.",
    table,
};

struct work {
    struct index_options options;
    struct archive *archive;
    struct index *index;
    struct file_counts counts;
    struct progress progress;
    struct printer *printer;
    atomic_uint_fast64_t unreadable; /* paths that were named, and folders */
    uint64_t removed;
    struct err print_err;
};

static volatile sig_atomic_t stop_signal;

static void note_signal(int number)
{
    stop_signal = number;
}

/* A second signal ends it at once, as it should when the first is not heard. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* told by write instead */
}

static unsigned job_count(const struct work *work)
{
    cpu_set_t set;

    if (work->options.jobs)
        return (unsigned)work->options.jobs;
    if (sched_getaffinity(0, sizeof set, &set) < 0 || CPU_COUNT(&set) < 1)
        return 1;
    return CPU_COUNT(&set) > JOBS_MAX ? JOBS_MAX : (unsigned)CPU_COUNT(&set);
}

/* ---- what is told ---- */

static int object_indexed(void *context, const char *sop_uid, const char *path, struct err *err)
{
    struct work *work = context;
    char *below = path[0] == '/' ? NULL : xasprintf("%s/%s", archive_path(work->archive), path);
    const char *values[] = {sop_uid, below ? below : path};

    (void)err;
    /* A reader that has left is no reason to stop half-way. */
    if (work->printer && (printer_row(work->printer, values) < 0 || fflush(stdout) != 0)) {
        printer_close(work->printer, &work->print_err);
        work->printer = NULL;
    }
    free(below);
    return 0;
}

static void file_odd(void *context, enum file_event event, const char *why)
{
    struct work *work = context;

    if (event != FILE_BROKEN && event != FILE_FAILED && log_level() < LOG_VERBOSE)
        return;
    progress_hide(&work->progress);
    if (event == FILE_BROKEN || event == FILE_FAILED)
        log_error("%s", why);
    else
        log_info("%s", why);
}

static void file_done(void *context, uint64_t bytes)
{
    struct work *work = context;

    progress_add(&work->progress, 1, work->options.import ? bytes : 0);
}

/* On the source's thread. */
static void path_failed(void *context, const struct err *why)
{
    struct work *work = context;

    atomic_fetch_add(&work->unreadable, 1);
    log_error("%s", why->text);
}

static void add_count(struct buf *out, uint64_t count, const char *what)
{
    if (count)
        buf_addf(out, "%s%llu %s", out->length ? ", " : "", (unsigned long long)count, what);
}

static void sum_up(const struct work *work, uint64_t unchanged, const char *added)
{
    const struct file_counts *counts = &work->counts;
    struct buf line = {0};

    if (log_level() < LOG_VERBOSE && (log_level() == LOG_QUIET || !isatty(STDERR_FILENO)))
        return;
    add_count(&line, counts->added, added);
    add_count(&line, counts->updated, "updated");
    add_count(&line, unchanged + counts->same,
              work->options.import ? "already there" : "unchanged");
    add_count(&line, counts->copies, "copies");
    add_count(&line, counts->conflicts, "in conflict");
    add_count(&line, counts->removed, "gone");
    add_count(&line, counts->not_dicom, "not DICOM");
    add_count(&line, counts->directories, "DICOMDIR");
    add_count(&line, counts->broken, "broken");
    add_count(&line, counts->failed + work->unreadable, "not readable");
    log_warn("%s%s", line.length ? line.data : "nothing found",
             work->options.dry_run ? " (dry run: nothing was changed)" : "");
    buf_free(&line);
}

static void open_printer(struct work *work)
{
    static const struct print_column columns[] = {{.name = "SOPInstanceUID", .vr = "UI"},
                                                  {.name = "Path", .vr = "UR"}};

    if (work->options.print)
        work->printer =
            printer_new(stdout, work->options.nul ? PRINT_NUL : PRINT_TSV, columns, 2, false);
}

/* What there is to say at the end; the exit status. */
static int finish(struct work *work, int status, const struct err *err)
{
    progress_end(&work->progress);
    if (work->printer && printer_close(work->printer, &work->print_err) == 0)
        work->print_err.code = ERR_NONE;
    if (status < 0)
        log_error("%s", err->text);
    if (work->print_err.code != ERR_NONE && work->print_err.code != ERR_CLOSED) {
        log_error("%s", work->print_err.text);
        status = -1;
    }
    if (status < 0)
        return 2;
    return work->counts.broken || work->counts.failed || work->counts.conflicts || work->unreadable
               ? 1
               : 0;
}

/* ---- the four kinds of work ---- */

static int index_files(struct work *work, int count, char **arguments)
{
    const struct file_events events = {work->options.print ? object_indexed : NULL, file_odd,
                                       file_done, work};
    const struct import_options import = {work->options.link, work->options.dry_run, &events};
    struct err err = {0};
    struct tree tree = {.root = archive_path(work->archive),
                        .count = count,
                        .arguments = arguments,
                        .nul = work->options.nul,
                        .failed = path_failed,
                        .context = work};
    struct feed *feed;
    int status = -1;

    if (!work->options.import && !(tree.known = index_open(tree.root, INDEX_READ, &err)))
        die(2, &err);
    progress_start(&work->progress, "files", 0);
    feed = feed_new(job_count(work), tree_feed, &tree, &stop_signal, &err);
    if (!feed)
        die(2, &err);
    if (work->options.import)
        status = import_run(work->archive, feed, &import, &work->counts, &err);
    else
        status =
            in_place_run(work->index, feed, work->options.dry_run, &events, &work->counts, &err);
    if (status == 0 && !stop_signal)
        status = feed_status(feed, &err);
    /* The source may wait for its own input: who has failed or was interrupted does not. */
    if (status == 0 && !stop_signal) {
        feed_free(feed);
        index_close(tree.known);
    }
    status = finish(work, status, &err);
    sum_up(work, tree.unchanged, work->options.import ? "imported" : "indexed");
    return status;
}

static int remove_one(void *context, const char *reference, const char *line, struct err *err)
{
    struct work *work = context;
    struct err why = {0};
    struct buf path = {0};
    int64_t count;
    bool is_path = ref_is_path(reference) || (strncmp(reference, "patient:", 8) != 0 &&
                                              !uid_valid(reference, strlen(reference)));

    if (stop_signal)
        return 1;
    if (is_path && strcmp(reference, line) != 0 && access(line, F_OK) == 0)
        reference = line;
    if (index_begin(work->index, err) < 0)
        return -1;
    if (is_path)
        count = tree_path(reference, &path, &why) < 0
                    ? -1
                    : in_place_remove(work->index, path.data, &why);
    else
        count = index_remove(work->index, reference, &why);
    buf_free(&path);
    if (count < 0 || work->options.dry_run)
        index_rollback(work->index);
    else if (index_commit(work->index, err) < 0)
        return -1;
    if (count > 0)
        work->removed += (uint64_t)count;
    if (count < 0) {
        work->counts.failed++;
        log_error("%s", why.text);
        if (why.code != ERR_NOTFOUND && why.code != ERR_INPUT)
            return 1;
    }
    return 0;
}

static int remove_all(struct work *work, int count, char **arguments)
{
    struct err err = {0};
    int status = refs_loop(count, arguments, work->options.nul, remove_one, work, &err);

    log_info("%llu removed%s", (unsigned long long)work->removed,
             work->options.dry_run ? " (dry run: nothing was changed)" : "");
    return finish(work, status < 0 ? -1 : 0, &err);
}

static int rebuild(struct work *work)
{
    const struct file_events events = {NULL, file_odd, file_done, work};
    const struct rebuild_options options = {job_count(work), work->options.dry_run, &stop_signal,
                                            &events};
    struct err err = {0};
    int status;

    progress_start(&work->progress, "files", 0);
    status = rebuild_index(work->archive, &options, &work->counts, &err);
    if (status == 1)
        log_warn("interrupted: the old index is kept");
    status = finish(work, status < 0 ? -1 : 0, &err);
    if (!stop_signal)
        sum_up(work, 0, "indexed");
    return status;
}

static int print_statistics(struct work *work)
{
    static const struct print_column columns[] = {{.name = "What"},
                                                  {.name = "Number", .right = true}};
    struct index_statistics s;
    struct err err = {0};
    struct printer *printer;

    if (index_stats(work->index, &s, &err) < 0)
        die(2, &err);
    const struct {
        const char *name;
        uint64_t number;
    } rows[] = {
        {"patients", s.patients},   {"studies", s.studies},         {"series", s.series},
        {"instances", s.instances}, {"in-place", s.in_place},       {"files-in-place", s.files},
        {"bytes", s.bytes},         {"index-bytes", s.index_bytes},
    };
    printer = printer_new(stdout, PRINT_AUTO, columns, 2, false);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char number[24];
        const char *values[] = {rows[i].name, number};

        snprintf(number, sizeof number, "%llu", (unsigned long long)rows[i].number);
        printer_row(printer, values);
    }
    if (printer_close(printer, &err) < 0)
        die(1, &err);
    return 0;
}

/* ---- main ---- */

static void check_usage(const struct index_options *options, bool operands)
{
    struct err err;
    int kinds = options->import + options->remove + options->rebuild + options->stats;

    if (kinds > 1)
        err_set(&err, ERR_INPUT, "only one of --import, --remove, --rebuild and --stats");
    else if (options->link && !options->import)
        err_set(&err, ERR_INPUT, "--link goes with --import");
    else if ((options->rebuild || options->stats) && operands)
        err_set(&err, ERR_INPUT, "%s takes no files", options->rebuild ? "--rebuild" : "--stats");
    else if (options->jobs < 0 || options->jobs > JOBS_MAX)
        err_set(&err, ERR_INPUT, "--jobs: 1 to %d", JOBS_MAX);
    else if (!operands && !options->rebuild && !options->stats && isatty(STDIN_FILENO))
        err_set(&err, ERR_INPUT, "name files or folders, or give them on standard input");
    else
        return;
    die(2, &err);
}

/* Statistics are read from what cannot be written, too; an index of an older release is upgraded. */
static void open_archive(struct work *work)
{
    const struct index_options *options = &work->options;
    enum archive_mode mode = options->stats ? ARCHIVE_READ
                             : options->remove || options->rebuild || options->dry_run
                                 ? ARCHIVE_WRITE
                                 : ARCHIVE_CREATE;
    struct err err = {0};

    work->archive = archive_open(options->archive, mode, &err);
    if (!work->archive)
        die(2, &err);
    if (archive_created(work->archive))
        log_info("%s: a new archive", archive_path(work->archive));
    if (options->rebuild)
        return;
    work->index = archive_index(work->archive, &err);
    if (!work->index && options->stats && err.code == ERR_FAILED) {
        archive_close(work->archive);
        work->archive = archive_open(options->archive, ARCHIVE_WRITE, &err);
        work->index = work->archive ? archive_index(work->archive, &err) : NULL;
    }
    if (!work->index)
        die(2, &err);
}

int main(int argc, char **argv)
{
    struct work work = {0};
    int first, status;

    log_init(argv[0]);
    first = options_parse(argc, argv, &usage, &work.options);
    check_usage(&work.options, first < argc);
    open_archive(&work);
    open_printer(&work);
    catch_signals();
    if (work.options.stats)
        status = print_statistics(&work);
    else if (work.options.rebuild)
        status = rebuild(&work);
    else if (work.options.remove)
        status = remove_all(&work, argc - first, argv + first);
    else
        status = index_files(&work, argc - first, argv + first);
    archive_close(work.archive);
    if (stop_signal) {
        /* As the shell expects of an interrupted command: by the signal itself. */
        signal(stop_signal, SIG_DFL);
        raise(stop_signal);
    }
    return status;
}
