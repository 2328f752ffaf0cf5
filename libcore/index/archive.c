/*
 * See archive.h. A folder is an archive when it holds objects/ and either pacs.conf or index.db: both can
 * be lost, not at once.
 */
#include "index/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"

struct archive {
    char *path;
    enum archive_mode mode;
    bool created;
    struct config *config;
    struct store *store;
    struct index *index;
};

static const char first_config[] = "# The settings of this archive. pacs.conf(5) describes all of "
                                   "them. What stands below with a #\n"
                                   "# are defaults.\n"
                                   "\n"
                                   "[recv]\n"
                                   "# port = 11112\n"
                                   "# aet = PACS\n"
                                   "# calling-aets = any\n"
                                   "\n"
                                   "[store]\n"
                                   "# duplicate = quarantine\n";

static bool has_folder(int fd, const char *name)
{
    struct stat status;

    return fstatat(fd, name, &status, 0) == 0 && S_ISDIR(status.st_mode);
}

static bool is_archive(int fd)
{
    return has_folder(fd, "objects") &&
           (faccessat(fd, "pacs.conf", F_OK, 0) == 0 || faccessat(fd, "index.db", F_OK, 0) == 0);
}

/* What an archive is made of: a folder with nothing else may become one, or be completed. */
static bool is_own_name(const char *name)
{
    static const char *const names[] = {"pacs.conf",  "objects", "incoming",
                                        "quarantine", "hooks",   "index.lock",
                                        "lost+found", ".",       ".."};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "index.db", 8) == 0 || strncmp(name, "state.db", 8) == 0;
}

static int refuse_foreign(int folder, const char *path, struct err *err)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = 0;
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;

    if (!list) {
        err_sys(err, "%s", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    while (status == 0 && (entry = readdir(list)))
        if (!is_own_name(entry->d_name))
            status = err_set(err, ERR_INPUT,
                             "%s: not an archive, and not empty (%.100s is in it): an archive is "
                             "made in a folder of its own",
                             path, entry->d_name);
    closedir(list);
    return status;
}

/* ---- settings ---- */

/* A section with a spelling mistake would be silent otherwise: each reader looks only at its own. */
static int check_sections(const struct config *config, struct err *err)
{
    static const char *const known[] = {"recv", "store"};
    size_t count;
    const struct config_entry *entries = config_entries(config, &count);

    for (size_t i = 0; i < count; i++) {
        bool found = false;

        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            found = found || strcmp(entries[i].section, known[k]) == 0;
        if (!found && !*entries[i].section)
            return err_set(err, ERR_INPUT, "%s:%d: %s stands in no section", config_path(config),
                           entries[i].line, entries[i].name);
        if (!found)
            return err_set(err, ERR_INPUT, "%s:%d: there is no section [%s]", config_path(config),
                           entries[i].line, entries[i].section);
    }
    return 0;
}

static int load_config(struct archive *archive, struct err *err)
{
    char *path = xasprintf("%s/pacs.conf", archive->path);
    int status = 0;

    if (archive->created && access(path, F_OK) != 0)
        status = replace_file(path, first_config, strlen(first_config), 0666, err);
    if (status == 0)
        archive->config = config_load(path, err);
    free(path);
    if (!archive->config)
        return -1;
    return archive->mode == ARCHIVE_READ ? 0 : check_sections(archive->config, err);
}

/* ---- opening ---- */

static int absent(const char *path, struct err *err)
{
    return err_set(err, ERR_NOTFOUND, "%s: not an archive (pacs-index and pacs-recv make one)",
                   path);
}

/* Only the folder itself: a spelling mistake in the path should not make a tree. */
static int make_root(const char *path, struct err *err)
{
    char *copy, *slash;
    int status;

    if (mkdir(path, 0777) < 0)
        return errno == EEXIST ? 0 : err_sys(err, "%s: cannot be made", path);
    copy = xstrdup(path);
    while ((slash = strrchr(copy, '/')) && slash > copy && slash[1] == '\0')
        *slash = '\0';
    if (slash)
        slash[slash == copy] = '\0';
    status = sync_folder(AT_FDCWD, slash ? copy : ".", err);
    free(copy);
    return status;
}

/* The folder's descriptor, made if it may be; -1. */
static int open_folder(const char *path, enum archive_mode mode, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT && mode == ARCHIVE_CREATE) {
        if (make_root(path, err) < 0)
            return -1;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0 && errno == ENOENT)
        return absent(path, err);
    return fd < 0 ? err_sys(err, "%s", path) : fd;
}

static int find_folder(struct archive *archive, const char *option, struct err *err)
{
    const char *environment = getenv("PACS_ARCHIVE");
    const char *path = option;
    int fd;

    if (!path && environment && *environment)
        path = environment;
    fd = open_folder(path ? path : ".", archive->mode, err);
    if (fd < 0)
        return -1;
    if (!is_archive(fd)) {
        int status = 0;

        if (!path)
            status =
                err_set(err, ERR_INPUT, "no archive is named: use -A DIR, or set PACS_ARCHIVE=DIR");
        else if (archive->mode != ARCHIVE_CREATE)
            status = absent(path, err);
        else
            status = refuse_foreign(fd, path, err);
        if (status < 0) {
            close(fd);
            return -1;
        }
        archive->created = true;
    }
    close(fd);
    archive->path = realpath(path ? path : ".", NULL);
    return archive->path ? 0 : err_sys(err, "%s", path ? path : ".");
}

struct archive *archive_open(const char *option, enum archive_mode mode, struct err *err)
{
    struct archive *archive = xcalloc(1, sizeof *archive);

    archive->mode = mode;
    if (find_folder(archive, option, err) == 0 &&
        (archive->store = store_open(archive->path, mode != ARCHIVE_READ, err)) &&
        load_config(archive, err) == 0)
        return archive;
    archive_close(archive);
    return NULL;
}

void archive_close(struct archive *archive)
{
    if (!archive)
        return;
    archive_close_index(archive);
    store_close(archive->store);
    config_free(archive->config);
    free(archive->path);
    free(archive);
}

const char *archive_path(const struct archive *archive)
{
    return archive->path;
}

struct config *archive_config(struct archive *archive)
{
    return archive->config;
}

struct store *archive_store(struct archive *archive)
{
    return archive->store;
}

bool archive_created(const struct archive *archive)
{
    return archive->created;
}

/* ---- the index ---- */

static bool has_objects(struct archive *archive)
{
    int fd = openat(store_root(archive->store), "objects", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    bool found = false;

    if (!list) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while (!found && (entry = readdir(list)))
        found = entry->d_name[0] != '.';
    closedir(list);
    return found;
}

struct index *archive_index(struct archive *archive, struct err *err)
{
    bool missing;

    if (archive->index)
        return archive->index;
    missing = archive->mode != ARCHIVE_READ &&
              faccessat(store_root(archive->store), "index.db", F_OK, 0) < 0;
    archive->index =
        index_open(archive->path, archive->mode == ARCHIVE_READ ? INDEX_READ : INDEX_WRITE, err);
    if (archive->index && missing && has_objects(archive))
        log_warn("%s/index.db was missing, a new one is empty: pacs-index --rebuild finds the "
                 "objects again",
                 archive->path);
    return archive->index;
}

void archive_close_index(struct archive *archive)
{
    index_close(archive->index);
    archive->index = NULL;
}
