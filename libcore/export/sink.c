/*
 * See sink.h: what both kinds of sink share.
 */
#include "export/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/fs.h"

const volatile int *sink_interrupted;

bool sink_is_interrupted(struct err *err)
{
    if (!sink_interrupted || !*sink_interrupted)
        return false;
    err_set(err, ERR_CLOSED, "interrupted");
    return true;
}

enum sink_format sink_format_of(const char *output, struct err *err)
{
    static const struct {
        const char *ending;
        enum sink_format format;
    } endings[] = {
        {".zip", SINK_ZIP},         {".tar", SINK_TAR},       {".tar.gz", SINK_TAR_GZ},
        {".tgz", SINK_TAR_GZ},      {".tar.xz", SINK_TAR_XZ}, {".txz", SINK_TAR_XZ},
        {".tar.zst", SINK_TAR_ZST}, {".tzst", SINK_TAR_ZST},  {".tar.bz2", SINK_AUTO},
        {".tbz2", SINK_AUTO},       {".tbz", SINK_AUTO},      {".tar.lz4", SINK_AUTO},
        {".tar.lz", SINK_AUTO},     {".7z", SINK_AUTO},       {".rar", SINK_AUTO},
        {".iso", SINK_AUTO},        {".gz", SINK_AUTO},       {".xz", SINK_AUTO},
        {".zst", SINK_AUTO},
    };
    size_t length = strlen(output);

    if (strcmp(output, "-") == 0)
        return SINK_TAR;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t size = strlen(endings[i].ending);

        if (length <= size || strcasecmp(output + length - size, endings[i].ending) != 0)
            continue;
        if (endings[i].format == SINK_AUTO)
            err_set(err, ERR_INPUT,
                    "%s: no such format here: a folder, .zip, .tar, .tar.gz, .tar.xz or .tar.zst",
                    output);
        return endings[i].format;
    }
    return SINK_FOLDER;
}

int sink_check_level(enum sink_format format, int level, struct err *err)
{
    static const int range[][2] = {[SINK_ZIP] = {0, 9},
                                   [SINK_TAR_GZ] = {1, 9},
                                   [SINK_TAR_XZ] = {0, 9},
                                   [SINK_TAR_ZST] = {1, 19}};

    if (level < 0)
        return 0;
    if (format == SINK_FOLDER || format == SINK_TAR)
        return err_set(err, ERR_INPUT, "a folder or plain tar is not compressed: no --level");
    if (level < range[format][0] || level > range[format][1])
        return err_set(err, ERR_INPUT, "--level %d: from %d to %d for this format", level,
                       range[format][0], range[format][1]);
    return 0;
}

int part_open(struct part *part, const char *path, bool force, struct err *err)
{
    struct stat st;

    *part = (struct part){.fd = -1, .force = force};
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return err_set(err, ERR_INPUT, "%s: is a folder", path);
        if (!S_ISREG(st.st_mode)) /* /dev/null would become a file */
            return err_set(err, ERR_INPUT, "%s: is no file that could be replaced", path);
    }
    if (!force && lstat(path, &st) == 0)
        return err_set(err, ERR_INPUT, "%s: is there already (--force replaces it)", path);
    part->path = xstrdup(path);
    part->temporary = xasprintf("%s.part-%d", path, (int)getpid());
    part->fd = open(part->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (part->fd < 0) {
        err_sys(err, "%s", part->temporary);
        free(part->temporary);
        part->temporary = NULL; /* whatever is there is not ours */
        return -1;
    }
    return 0;
}

/* Gives the file its name; without `force` never over another one that came meanwhile. */
static int part_rename(struct part *part, struct err *err)
{
    if (!part->force) {
        if (renameat2(AT_FDCWD, part->temporary, AT_FDCWD, part->path, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno == EEXIST)
            return err_set(err, ERR_INPUT, "%s: is there already (--force replaces it)",
                           part->path);
        if (errno != EINVAL && errno != ENOSYS) /* file systems that cannot say "not over" */
            return err_sys(err, "%s", part->path);
    }
    if (rename(part->temporary, part->path) < 0)
        return err_sys(err, "%s", part->path);
    return 0;
}

int part_finish(struct part *part, struct err *err)
{
    int fd = part->fd;

    part->fd = -1;
    if (fsync(fd) < 0) {
        err_sys(err, "%s", part->path);
        close(fd);
        return -1;
    }
    if (close(fd) < 0)
        return err_sys(err, "%s", part->path);
    if (part_rename(part, err) < 0)
        return -1;
    free(part->temporary);
    part->temporary = NULL;
    char *folder = xstrdup(part->path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    int status = sync_folder(AT_FDCWD, slash ? folder : ".", err);
    free(folder);
    return status;
}

void part_free(struct part *part)
{
    if (part->fd >= 0)
        close(part->fd);
    if (part->temporary)
        unlink(part->temporary);
    free(part->temporary);
    free(part->path);
    *part = (struct part){.fd = -1};
}
