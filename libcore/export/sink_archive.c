/*
 * See sink.h: an export into zip or tar, by libarchive.
 *
 * The size of an entry stands before its bytes. An object that is not larger than SINK_WHOLE is
 * read before anything of it is written; a larger one that cannot be read to its end, or changes,
 * makes the whole archive fail: an entry that was filled up would look like a whole object.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "export/sink.h"

/* Asked of a pipe on stdout, so that its reader has work while the next object is read: with the 64
 * KB that pipes have both ends wait in turn, at half the speed. */
#define PIPE_BYTES (1 << 20)

#define FILL_BYTES (256u << 20)

struct pack {
    struct sink sink;
    struct archive *archive;
    struct archive_entry *entry;
    enum sink_format format;
    bool deflate, deflating;
    bool to_stdout;
    struct part part;
    const char *name; /* for messages */
    int fd;
    bool given_up;   /* what still comes out is not written */
    uint64_t left;   /* bytes of the entry that are not yet put in */
    int write_errno; /* of the first write that failed */
    char *block;     /* SINK_WHOLE bytes */
    locale_t utf8, before;
};

/* ---- libarchive's way out ---- */

/* A write that fails is remembered, and what comes after it swallowed: libarchive would not free
 * what it holds after an error of its client. Whoever puts something in asks `write_errno`. */
static la_ssize_t write_out(struct archive *archive, void *context, const void *bytes,
                            size_t length)
{
    struct pack *pack = context;

    (void)archive;
    if (!pack->given_up && !pack->write_errno && write_all(pack->fd, bytes, length) < 0)
        pack->write_errno = errno;
    return (la_ssize_t)length;
}

static enum sink_result pack_failed(struct pack *pack, struct err *err)
{
    if (pack->write_errno) {
        errno = pack->write_errno;
        err_sys(err, "%s", pack->name);
    } else {
        const char *text = archive_error_string(pack->archive);

        err_set(err, ERR_FAILED, "%s: %s", pack->name, text ? text : "cannot be written");
    }
    return SINK_FATAL;
}

static int set_option(struct pack *pack, const char *module, const char *option, long value,
                      struct err *err)
{
    char text[32];

    snprintf(text, sizeof text, "%ld", value);
    if (archive_write_set_filter_option(pack->archive, module, option, text) == ARCHIVE_OK)
        return 0;
    pack_failed(pack, err);
    return -1;
}

/* Threads where the format has them. Levels: measured on CT images, gzip 6 and xz 6 take four times
 * as long as the defaults here for two per cent of size. */
static int set_format(struct pack *pack, int level, struct err *err)
{
    static const int levels[] = {[SINK_TAR_GZ] = 1, [SINK_TAR_XZ] = 2, [SINK_TAR_ZST] = 3};
    struct archive *archive = pack->archive;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const char *module = NULL;

    if (pack->format == SINK_ZIP) {
        archive_write_set_format_zip(archive);
        archive_write_zip_set_compression_store(archive);
        archive_write_set_format_option(archive, "zip", "hdrcharset", "UTF-8");
        pack->deflate = level > 0;
        if (pack->deflate) {
            char text[2] = {(char)('0' + level), '\0'};
            archive_write_set_format_option(archive, "zip", "compression-level", text);
            archive_write_zip_set_compression_store(archive); /* a level turns deflate on */
        }
        return 0;
    }
    archive_write_set_format_pax_restricted(archive);
    if (pack->format == SINK_TAR_GZ) {
        archive_write_add_filter_gzip(archive);
        module = "gzip";
    } else if (pack->format == SINK_TAR_XZ) {
        archive_write_add_filter_xz(archive);
        module = "xz";
    } else if (pack->format == SINK_TAR_ZST) {
        archive_write_add_filter_zstd(archive);
        module = "zstd";
    }
    if (!module)
        return 0;
    if (set_option(pack, module, "compression-level", level < 0 ? levels[pack->format] : level,
                   err) < 0)
        return -1;
    if (pack->format != SINK_TAR_GZ && cores > 1)
        return set_option(pack, module, "threads", cores < 16 ? cores : 16, err);
    return 0;
}

/* ---- entries ---- */

static int put_header(struct pack *pack, const char *name, const struct sink_source *source,
                      struct err *err)
{
    struct archive_entry *entry = pack->entry;
    bool deflate = pack->deflate && !source->compressed;

    if (deflate != pack->deflating) {
        if (deflate)
            archive_write_zip_set_compression_deflate(pack->archive);
        else
            archive_write_zip_set_compression_store(pack->archive);
        pack->deflating = deflate;
    }
    archive_entry_clear(entry);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, source->stat.st_size);
    archive_entry_set_mtime(entry, source->stat.st_mtim.tv_sec, 0);
    pack->left = (uint64_t)source->stat.st_size;
    if (archive_write_header(pack->archive, entry) < ARCHIVE_WARN || pack->write_errno) {
        pack_failed(pack, err);
        return -1;
    }
    return 0;
}

static int put_bytes(struct pack *pack, const char *bytes, size_t length,
                     const struct sink_watch *watch, struct err *err)
{
    if (watch)
        watch->bytes(watch->context, bytes, length);
    if (archive_write_data(pack->archive, bytes, length) != (la_ssize_t)length ||
        pack->write_errno) {
        pack_failed(pack, err);
        return -1;
    }
    pack->left -= length;
    return 0;
}

/* 0: the bytes are there; 1: the file is shorter, or was written meanwhile; -1: errno. */
static int read_block(const struct sink_source *source, void *block, size_t length, uint64_t from)
{
    ssize_t n = pread_all(source->fd, block, length, (off_t)from);

    return n < 0 ? -1 : (size_t)n < length;
}

static bool is_changed(const struct sink_source *source)
{
    struct stat now;

    return fstat(source->fd, &now) < 0 || now.st_size != source->stat.st_size ||
           now.st_mtim.tv_sec != source->stat.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != source->stat.st_mtim.tv_nsec;
}

static void source_failed(const struct sink_source *source, int status, struct err *err)
{
    if (status < 0)
        err_sys(err, "%s", source->path);
    else
        err_set(err, ERR_FAILED, "%s: changed while it was read", source->path);
}

static enum sink_result add_whole(struct pack *pack, const char *name,
                                  const struct sink_source *source, const struct sink_watch *watch,
                                  struct err *err)
{
    size_t size = (size_t)source->stat.st_size;
    int status = read_block(source, pack->block, size, 0);

    if (status == 0 && is_changed(source))
        status = 1;
    if (status != 0) {
        source_failed(source, status, err);
        return SINK_FAILED;
    }
    if (put_header(pack, name, source, err) < 0)
        return SINK_FATAL;
    for (size_t done = 0; done < size; done += SINK_BLOCK) {
        size_t length = size - done < SINK_BLOCK ? size - done : SINK_BLOCK;

        if (put_bytes(pack, pack->block + done, length, watch, err) < 0)
            return SINK_FATAL;
    }
    return SINK_DONE;
}

static enum sink_result add_large(struct pack *pack, const char *name,
                                  const struct sink_source *source, const struct sink_watch *watch,
                                  struct err *err)
{
    uint64_t size = (uint64_t)source->stat.st_size;

    posix_fadvise(source->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (put_header(pack, name, source, err) < 0)
        return SINK_FATAL;
    for (uint64_t done = 0; done < size; done += SINK_BLOCK) {
        size_t length = size - done < SINK_BLOCK ? (size_t)(size - done) : SINK_BLOCK;
        int status = read_block(source, pack->block, length, done);

        if (sink_is_interrupted(err))
            return SINK_FATAL;
        if (status == 0 && done + length == size && is_changed(source))
            status = 1;
        if (status != 0) {
            source_failed(source, status, err);
            err_prefix(err, "%s: cannot be finished", pack->name);
            return SINK_FATAL;
        }
        if (put_bytes(pack, pack->block, length, watch, err) < 0)
            return SINK_FATAL;
    }
    return SINK_DONE;
}

static enum sink_result pack_add(struct sink *sink, const char *name,
                                 const struct sink_source *source, const struct sink_watch *watch,
                                 struct err *err)
{
    struct pack *pack = (struct pack *)sink;
    enum sink_result result;

    if (sink_is_interrupted(err))
        return SINK_FATAL;
    if (watch)
        watch->begin(watch->context);
    if (source->stat.st_size <= SINK_WHOLE)
        result = add_whole(pack, name, source, watch, err);
    else
        result = add_large(pack, name, source, watch, err);
    if (result == SINK_DONE &&
        (archive_write_finish_entry(pack->archive) < ARCHIVE_WARN || pack->write_errno))
        result = pack_failed(pack, err);
    return result;
}

/* ---- begin and end ---- */

static int pack_finish(struct sink *sink, struct err *err)
{
    struct pack *pack = (struct pack *)sink;

    if (archive_write_close(pack->archive) != ARCHIVE_OK || pack->write_errno) {
        pack_failed(pack, err);
        return -1;
    }
    return pack->to_stdout ? 0 : part_finish(&pack->part, err);
}

/* An archive that was not closed gets no end: a reader of the stream sees that it is cut. */
static void pack_free(struct sink *sink)
{
    struct pack *pack = (struct pack *)sink;

    pack->given_up = true;
    if (pack->archive) {
        /* Freeing fills up an entry that was begun: not worth it for gigabytes. */
        if (pack->left > FILL_BYTES)
            archive_write_fail(pack->archive);
        archive_write_free(pack->archive);
    }
    archive_entry_free(pack->entry);
    if (pack->utf8) {
        uselocale(pack->before);
        freelocale(pack->utf8);
    }
    part_free(&pack->part);
    free(pack->block);
    free(pack);
}

struct sink *sink_archive_new(const struct sink_options *options, struct err *err)
{
    static const struct sink_type type = {pack_add, pack_finish, pack_free};
    struct pack *pack = xcalloc(1, sizeof *pack);

    pack->sink.type = &type;
    pack->format = options->format;
    pack->to_stdout = strcmp(options->output, "-") == 0;
    pack->name = pack->to_stdout ? "stdout" : options->output;
    pack->part.fd = -1;
    pack->fd = STDOUT_FILENO;
    pack->block = xmalloc(SINK_WHOLE);
    /* Our names are UTF-8; libarchive takes them to be what the locale says. */
    pack->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (pack->utf8)
        pack->before = uselocale(pack->utf8);
    pack->archive = archive_write_new();
    pack->entry = archive_entry_new();
    if (!pack->archive || !pack->entry) {
        err_set(err, ERR_FAILED, "%s: no memory for an archive", pack->name);
        goto fail;
    }
    if (set_format(pack, options->level, err) < 0)
        goto fail;
    if (pack->to_stdout) {
        fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES); /* no pipe, or not allowed: as it is */
    } else {
        if (part_open(&pack->part, options->output, options->force, err) < 0)
            goto fail;
        pack->fd = pack->part.fd;
    }
    archive_write_set_bytes_per_block(pack->archive, SINK_BLOCK);
    archive_write_set_bytes_in_last_block(pack->archive, 1); /* filled up on tapes only */
    if (archive_write_open2(pack->archive, pack, NULL, write_out, NULL, NULL) != ARCHIVE_OK) {
        pack_failed(pack, err);
        goto fail;
    }
    return &pack->sink;
fail:
    pack_free(&pack->sink);
    return NULL;
}
