/*
 * pacs-transcode: writes objects in another transfer syntax; and, as --serve, does that for other tools over a socket
 * (net/transcoder.h). It is the only program that links the codecs. By hand as well it has itself as a helper,
 * so that an object which crashes a codec does not keep the others from being written.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/options.h"
#include "base/refs.h"
#include "dcmtk/transcode.h"
#include "dicom/scan.h"
#include "dicom/uid.h"
#include "index/archive.h"
#include "index/query.h"
#include "net/transcoder.h"

/* A frame of DCM_FRAME_MAX takes up to six times its size. What wants more is ended by that. */
#define HELPER_MEMORY (3UL << 30)

struct fields {
    const char *archive;
    int verbose;
    bool quiet;
    const char *to, *output;
    bool lossy, keep_uid, force, nul, serve;
    long long quality;
};

#define FIELD(name) offsetof(struct fields, name)
static const struct option_entry table[] = {
    {'t', "to", OPTION_TEXT, FIELD(to), "SYNTAX", "transfer syntax: a UID or a keyword of PS3.6"},
    {'o', "output", OPTION_TEXT, FIELD(output), "OUT", "file or folder; -: stdout"},
    {0, "lossy", OPTION_FLAG, FIELD(lossy), NULL, "JPEG baseline and extended may lose something"},
    {0, "quality", OPTION_NUMBER, FIELD(quality), "N", "of them, 1 to 100 (90)"},
    {0, "keep-uid", OPTION_FLAG, FIELD(keep_uid), NULL, "the UID stays though something was lost"},
    {0, "force", OPTION_FLAG, FIELD(force), NULL, "replace what is there"},
    {'0', "null", OPTION_FLAG, FIELD(nul), NULL,
     "lines end with NUL, those read and those printed"},
    {0, "serve", OPTION_FLAG, FIELD(serve), NULL, "for other tools: works for the socket on stdin"},
    {0, NULL, OPTION_HEADING, 0, NULL, "Common:"},
    OPTIONS_COMMON(struct fields),
    OPTIONS_END,
};
static const struct options_usage usage = {
    "-t SYNTAX -o OUT [options] [REFERENCE...|-]",
    "Writes objects in another transfer syntax. References are UIDs of studies,\n"
    "series or instances, patient:ID, and files; or lines on stdin that begin so.",
    "OUT is a folder when it is one or ends with /; else one object goes there.\n"
    "Prints the path of each file. Status: 0 all, 1 some failed, 2 could not write.",
    table,
};

struct work {
    struct fields fields;
    struct archive *archive; /* opened for the first reference that needs it */
    struct index *index;
    struct transcoder *transcoder;
    struct scanner *scanner;
    bool to_folder, to_stdout;
    uint64_t done, failed;
};

/* ---- the helper ---- */

static int transcode(int fd, const char *name, const struct transcode_request *request, int out,
                     struct transcode_result *result, struct err *err)
{
    struct dcm_transcode_options options = {
        .transfer_syntax = request->transfer_syntax,
        .lossy = request->lossy,
        .quality = request->quality,
        .sop_instance_uid = request->new_uid,
    };
    struct dcm_transcoded transcoded;

    if (dcm_transcode(fd, name, out, &options, &transcoded, err) < 0)
        return -1;
    result->frames = transcoded.frames;
    result->bytes = transcoded.bytes;
    result->lossy = transcoded.lossy;
    return 0;
}

/* Its user decides when it ends; a signal to all processes of a terminal or a service is not for it. */
static int serve(void)
{
    struct rlimit memory, none = {0, 0};
    struct err err;

    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__)
    if (getrlimit(RLIMIT_DATA, &memory) == 0) {
        memory.rlim_cur = memory.rlim_max < HELPER_MEMORY ? memory.rlim_max : HELPER_MEMORY;
        setrlimit(RLIMIT_DATA, &memory);
    }
#else
    (void)memory;
#endif
    if (transcoder_serve(STDIN_FILENO, transcode, &err) < 0)
        die(2, &err);
    return 0;
}

/* ---- one object ---- */

/* 2.25 and 128 random bits as a decimal number (PS3.5 annex B.2). */
static void make_uid(char uid[UID_MAX + 1])
{
    unsigned char bits[16], digits[40];
    size_t count = 0, length = 5;

    while (getrandom(bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        ;
    bits[6] = (unsigned char)((bits[6] & 0x0f) | 0x40); /* a UUID of version 4 */
    bits[8] = (unsigned char)((bits[8] & 0x3f) | 0x80);
    for (bool more = true; more;) {
        unsigned rest = 0;

        more = false;
        for (size_t i = 0; i < sizeof bits; i++) {
            rest = rest << 8 | bits[i];
            bits[i] = (unsigned char)(rest / 10);
            rest %= 10;
            more |= bits[i] != 0;
        }
        digits[count++] = (unsigned char)rest;
    }
    memcpy(uid, "2.25.", length);
    while (count > 0)
        uid[length++] = (char)('0' + digits[--count]);
    uid[length] = '\0';
}

/* A path on stdout is a reference. */
static char *in_folder(const struct work *work, const char *name)
{
    const char *folder = work->fields.output;

    return xasprintf("%s%s%s%s", *folder == '/' || *folder == '.' ? "" : "./", folder,
                     folder[strlen(folder) - 1] == '/' ? "" : "/", name);
}

/* Where what has come out goes: OUT, or "FOLDER/UID.dcm". NULL: it has no UID that makes a name. */
static char *final_name(const struct work *work, int out, const char *name, struct err *err)
{
    struct buf uid = {0};
    char *path = NULL;

    if (!work->to_folder)
        return xstrdup(work->fields.output);
    if (scan_fd(work->scanner, out, name, err) != SCAN_OK)
        return NULL;
    scan_text(work->scanner, TAG(0x0008, 0x0018), &uid);
    if (uid_valid(buf_text(&uid), uid.length)) {
        buf_adds(&uid, ".dcm");
        path = in_folder(work, buf_text(&uid));
    } else {
        err_set(err, ERR_INPUT, "%s: no valid SOP Instance UID", name);
    }
    buf_free(&uid);
    return path;
}

static int to_stdout(int fd, const char *name, struct err *err)
{
    char bytes[65536];
    off_t at = 0;
    ssize_t got;

    while ((got = pread_all(fd, bytes, sizeof bytes, at)) > 0) {
        if (write_all(STDOUT_FILENO, bytes, (size_t)got) < 0)
            return err_sys(err, "stdout");
        at += got;
    }
    return got < 0 ? err_sys(err, "%s", name) : 0;
}

/* The file `temporary` becomes what it is for. */
static int put_in_place(const struct work *work, const char *temporary, int out, const char *name,
                        struct err *err)
{
    char *path = final_name(work, out, name, err);
    int status = -1;

    if (!path)
        return -1;
    if ((work->fields.force ? rename(temporary, path) : link(temporary, path)) == 0)
        status = 0;
    else if (errno == EEXIST)
        err_set(err, ERR_INPUT, "%s: is there already (--force replaces it)", path);
    else
        err_sys(err, "%s", path);
    if (status == 0)
        printf("%s%c", path, work->fields.nul ? '\0' : '\n');
    free(path);
    return status;
}

/* A file to write to; its name is left in `temporary`, NULL when it goes to stdout in the end. */
static int open_output(const struct work *work, char **temporary, struct err *err)
{
    mode_t mask;
    int out;

    *temporary = NULL;
    if (work->to_stdout)
        return temporary_file(err);
    *temporary = work->to_folder ? in_folder(work, ".pacs-transcode.XXXXXX")
                                 : xasprintf("%s.XXXXXX", work->fields.output);
    out = mkostemp(*temporary, O_CLOEXEC);
    if (out < 0) {
        err_sys(err, "%s", work->fields.output);
        free(*temporary);
        *temporary = NULL;
        return -1;
    }
    mask = umask(0);
    umask(mask);
    fchmod(out, 0666 & ~mask);
    return out;
}

/* -1: failed; `*fatal`: and so would all others. */
static int write_object(struct work *work, int fd, const char *name,
                        const struct transcode_request *request, bool *fatal, struct err *err)
{
    struct transcode_result result;
    char *temporary;
    int out = open_output(work, &temporary, err), status = -1;

    *fatal = out < 0;
    if (out < 0)
        return -1;
    if (transcoder_run(work->transcoder, fd, name, request, out, &result, err) < 0)
        *fatal = err->code == ERR_NOSPACE || err->code == ERR_NOTFOUND;
    else if (temporary)
        status = put_in_place(work, temporary, out, name, err);
    else
        *fatal = (status = to_stdout(out, name, err)) < 0;
    if (status == 0)
        log_info("%s: %u frames coded anew, %llu bytes%s", name, result.frames,
                 (unsigned long long)result.bytes, result.lossy ? ", with loss" : "");
    if (temporary)
        unlink(temporary);
    free(temporary);
    close(out);
    return status;
}

static int transcode_fd(struct work *work, int fd, const char *name, struct err *err)
{
    char uid[UID_MAX + 1];
    struct transcode_request request = {
        .transfer_syntax = work->fields.to,
        .lossy = work->fields.lossy,
        .quality = (int)work->fields.quality,
    };
    struct err why = {0};
    bool fatal;

    if (work->done > 0 && !work->to_folder)
        return err_set(err, ERR_INPUT, "%s: holds one object, and more were named: name a folder",
                       work->fields.output);
    if (work->fields.lossy && !work->fields.keep_uid) {
        make_uid(uid);
        request.new_uid = uid;
    }
    if (write_object(work, fd, name, &request, &fatal, &why) == 0) {
        work->done++;
        return 0;
    }
    work->failed++;
    if (fatal) {
        *err = why;
        return -1;
    }
    log_error("%s", why.text);
    return 0;
}

static int transcode_path(struct work *work, int folder, const char *path, struct err *err)
{
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status = 0;
    struct stat file;

    if (fd >= 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode)) {
        status = transcode_fd(work, fd, path, err);
    } else {
        log_error("%s: %s", path, fd < 0 ? strerror(errno) : "not a file");
        work->failed++;
    }
    if (fd >= 0)
        close(fd);
    return status;
}

/* ---- references ---- */

static int transcode_indexed(void *context, const struct index_object *object, struct err *err)
{
    struct work *work = context;

    return transcode_path(work, store_root(archive_store(work->archive)), object->path, err);
}

static int take_reference(void *context, const char *reference, const char *line, struct err *err)
{
    struct work *work = context;

    (void)line;
    if (ref_is_path(reference))
        return transcode_path(work, AT_FDCWD, reference, err);
    if (!work->archive && !(work->archive = archive_open(work->fields.archive, ARCHIVE_READ, err)))
        return -1;
    if (!work->index && !(work->index = archive_index(work->archive, err)))
        return -1;
    if (index_objects(work->index, reference, transcode_indexed, work, err) >= 0)
        return 0;
    if (err->code != ERR_NOTFOUND)
        return -1;
    log_error("%s", err->text);
    work->failed++;
    return 0;
}

/* ---- the whole ---- */

/* A keyword or a UID that is a transfer syntax. */
static const char *find_syntax(const char *text)
{
    size_t count;
    const struct uid_entry *all = uid_all(&count);

    for (size_t i = 0; i < count; i++)
        if (all[i].kind == UID_TRANSFER_SYNTAX &&
            (strcmp(all[i].uid, text) == 0 || strcmp(all[i].keyword, text) == 0))
            return all[i].uid;
    return NULL;
}

static int check_usage(struct work *work, struct err *err)
{
    struct fields *fields = &work->fields;
    struct stat status;

    if (!fields->to || !fields->output || !*fields->output)
        return err_set(err, ERR_INPUT, "-t SYNTAX and -o OUT are needed: %s --help", log_program());
    const char *syntax = find_syntax(fields->to);
    if (!syntax)
        return err_set(err, ERR_INPUT, "-t %.80s: no such transfer syntax", fields->to);
    fields->to = syntax;
    if (fields->quality < 0 || fields->quality > 100)
        return err_set(err, ERR_INPUT, "--quality is 1 to 100");
    work->to_stdout = strcmp(fields->output, "-") == 0;
    if (work->to_stdout && isatty(STDOUT_FILENO))
        return err_set(err, ERR_INPUT,
                       "-o -: stdout is a terminal, and an object is not for reading");
    work->to_folder = fields->output[strlen(fields->output) - 1] == '/' ||
                      (stat(fields->output, &status) == 0 && S_ISDIR(status.st_mode));
    return work->to_folder ? make_folders(AT_FDCWD, fields->output, false, err) : 0;
}

int main(int argc, char **argv)
{
    static const tag_t tags[] = {TAG(0x0008, 0x0018)};
    struct work work = {0};
    struct err err = {0};
    int first, status;

    log_init(argv[0]);
    first = options_parse(argc, argv, &usage, &work.fields);
    if (work.fields.serve)
        return serve();
    if (check_usage(&work, &err) < 0)
        die(2, &err);
    signal(SIGPIPE, SIG_IGN);
    work.transcoder = transcoder_new();
    work.scanner = scanner_new(tags, 1);
    status = refs_loop(argc - first, argv + first, work.fields.nul, take_reference, &work, &err);
    transcoder_free(work.transcoder);
    scanner_free(work.scanner);
    archive_close(work.archive);
    if (fflush(stdout) != 0 && status == 0)
        status = err_sys(&err, "stdout");
    if (status < 0)
        die(2, &err);
    return work.failed > 0 || work.done == 0;
}
