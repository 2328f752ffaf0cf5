/*
 * See tree.h.
 */
#include "index/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/refs.h"
#include "store/walk.h"

#define OWN_FOLDERS 3

struct known_file {
    char *name;
    uint64_t size;
    int64_t mtime_ns;
};

struct names {
    char **name;
    size_t count, room;
};

struct known_folder {
    char *path;
    bool seen;
};

struct feeding {
    struct tree *tree;
    struct feed *feed;
    struct stat own[OWN_FOLDERS]; /* objects/, incoming/, quarantine/ of the archive */
    struct known_file *known;     /* of `known_folder`, in order of name */
    size_t known_count, known_room;
    bool fatal; /* the index cannot be read: no use in going on */
    struct names read, vanished, single;
    char *single_folder;           /* real path */
    char *named_folder;            /* as it was named, to ask for the real path once */
    struct known_folder *expected; /* below the folder that is walked, in order of path */
    size_t expected_count, expected_room;
};

static void names_add(struct names *names, const char *name)
{
    if (names->count == names->room) {
        names->room = names->room ? names->room * 2 : 64;
        names->name = xreallocarray(names->name, names->room, sizeof *names->name);
    }
    names->name[names->count++] = xstrdup(name);
}

static void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->name[i]);
    names->count = 0;
}

static void names_free(struct names *names)
{
    names_clear(names);
    free(names->name);
}

static void tell(const struct feeding *feeding, const struct err *why)
{
    if (feeding->tree->failed)
        feeding->tree->failed(feeding->tree->context, why);
}

/* ---- paths ---- */

static char *folder_part(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');

    *name = slash ? slash + 1 : path;
    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static void join(const char *folder, const char *name, struct buf *out)
{
    buf_adds(out, folder);
    if (!out->length || out->data[out->length - 1] != '/')
        buf_addc(out, '/');
    buf_adds(out, name);
}

int tree_path(const char *path, struct buf *out, struct err *err)
{
    struct stat status;
    char *real = NULL, *folder;
    const char *name;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        real = realpath(path, NULL);
        if (!real)
            return err_sys(err, "%s", path);
        buf_adds(out, real);
        free(real);
        return 0;
    }
    folder = folder_part(path, &name);
    real = realpath(folder, NULL);
    if (real)
        join(real, name, out);
    else if (path[0] == '/')
        buf_adds(out, path); /* its folder is gone as well */
    else if ((real = getcwd(NULL, 0)))
        join(real, path, out);
    free(folder);
    free(real);
    return out->length ? 0 : err_sys(err, "%s", path);
}

/* ---- what is known ---- */

static int add_known(void *context, const struct index_file *file, struct err *err)
{
    struct feeding *feeding = context;

    (void)err;
    if (feeding->known_count == feeding->known_room) {
        feeding->known_room = feeding->known_room ? feeding->known_room * 2 : 256;
        feeding->known = xreallocarray(feeding->known, feeding->known_room, sizeof *feeding->known);
    }
    feeding->known[feeding->known_count++] =
        (struct known_file){xstrdup(file->name), file->size, file->mtime_ns};
    return 0;
}

static int load_known(struct feeding *feeding, const char *folder, struct err *err)
{
    for (size_t i = 0; i < feeding->known_count; i++)
        free(feeding->known[i].name);
    feeding->known_count = 0;
    if (!feeding->tree->known)
        return 0;
    if (index_folder_files(feeding->tree->known, folder, add_known, feeding, err) >= 0)
        return 0;
    feeding->fatal = true;
    return -1;
}

static bool is_unchanged(int fd, const struct known_file *known)
{
    struct stat status;

    return fstatat(fd, known->name, &status, 0) == 0 && S_ISREG(status.st_mode) &&
           (uint64_t)status.st_size == known->size &&
           (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec == known->mtime_ns;
}

/* What was named itself may be a link to a file, which a walk does not show. */
static bool is_gone(int fd, const char *name)
{
    struct stat status;

    if (fstatat(fd, name, &status, 0) == 0)
        return !S_ISREG(status.st_mode);
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
}

/* ---- folders ---- */

/* Both lists are in order of name. */
static void compare(struct feeding *feeding, int fd, char *const *names, size_t count)
{
    size_t k = 0;

    for (size_t i = 0; i <= count; i++) {
        int order = -1;

        while (k < feeding->known_count &&
               (order = i < count ? strcmp(feeding->known[k].name, names[i]) : -1) < 0) {
            if (is_gone(fd, feeding->known[k].name))
                names_add(&feeding->vanished, feeding->known[k].name);
            k++;
        }
        if (i == count)
            break;
        if (k < feeding->known_count && order == 0 && is_unchanged(fd, &feeding->known[k++]))
            atomic_fetch_add_explicit(&feeding->tree->unchanged, 1, memory_order_relaxed);
        else
            names_add(&feeding->read, names[i]);
    }
}

static struct known_folder *find_expected(struct feeding *feeding, const char *path)
{
    size_t low = 0, high = feeding->expected_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(feeding->expected[middle].path, path);

        if (order == 0)
            return &feeding->expected[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int put_folder(void *context, int fd, const char *path, char *const *names, size_t count,
                      struct err *err)
{
    struct feeding *feeding = context;
    struct known_folder *expected = find_expected(feeding, path);
    int status;

    if (expected)
        expected->seen = true;
    else if (!feeding->tree->known)
        return feed_put(feeding->feed, fd, path, names, count, FEED_READ, false);
    names_clear(&feeding->read);
    names_clear(&feeding->vanished);
    if (load_known(feeding, path, err) < 0)
        return -1;
    compare(feeding, fd, names, count);
    status = feed_put(feeding->feed, fd, path, feeding->vanished.name, feeding->vanished.count,
                      FEED_VANISHED, false);
    if (status == 0)
        status = feed_put(feeding->feed, fd, path, feeding->read.name, feeding->read.count,
                          FEED_READ, false);
    return status;
}

static void folder_failed(void *context, const char *path, const struct err *why)
{
    (void)path;
    tell(context, why);
}

static bool is_own(const struct feeding *feeding, const struct stat *status)
{
    for (size_t i = 0; i < OWN_FOLDERS; i++)
        if (status->st_ino == feeding->own[i].st_ino && status->st_dev == feeding->own[i].st_dev)
            return true;
    return false;
}

static bool enter_folder(void *context, const char *path, const struct stat *status)
{
    (void)path;
    return !is_own(context, status);
}

static int add_expected(void *context, const char *path, struct err *err)
{
    struct feeding *feeding = context;

    (void)err;
    if (feeding->expected_count == feeding->expected_room) {
        feeding->expected_room = feeding->expected_room ? feeding->expected_room * 2 : 256;
        feeding->expected =
            xreallocarray(feeding->expected, feeding->expected_room, sizeof *feeding->expected);
    }
    feeding->expected[feeding->expected_count++] = (struct known_folder){xstrdup(path), false};
    return 0;
}

static void clear_expected(struct feeding *feeding)
{
    for (size_t i = 0; i < feeding->expected_count; i++)
        free(feeding->expected[i].path);
    feeding->expected_count = 0;
}

/* Folders that are gone with all that was in them. One that merely cannot be read is not gone. */
static int put_vanished_folders(struct feeding *feeding, struct err *err)
{
    for (size_t i = 0; i < feeding->expected_count; i++) {
        const struct known_folder *folder = &feeding->expected[i];
        struct stat status;

        if (folder->seen || stat(folder->path, &status) == 0 ||
            (errno != ENOENT && errno != ENOTDIR))
            continue;
        names_clear(&feeding->vanished);
        if (load_known(feeding, folder->path, err) < 0)
            return -1;
        for (size_t k = 0; k < feeding->known_count; k++)
            names_add(&feeding->vanished, feeding->known[k].name);
        if (feed_put(feeding->feed, -1, folder->path, feeding->vanished.name,
                     feeding->vanished.count, FEED_VANISHED, false) < 0)
            return -1;
    }
    return 0;
}

/* Below the archive's own folders, by name: these files are in the index by another way. */
static bool lies_in_archive(const struct feeding *feeding, const char *path)
{
    static const char *const own[OWN_FOLDERS] = {"/objects", "/incoming", "/quarantine"};
    size_t length = strlen(feeding->tree->root);

    if (strncmp(path, feeding->tree->root, length) != 0)
        return false;
    for (size_t i = 0; i < OWN_FOLDERS; i++) {
        size_t n = strlen(own[i]);

        if (strncmp(path + length, own[i], n) == 0 &&
            (path[length + n] == '/' || path[length + n] == '\0'))
            return true;
    }
    return false;
}

static int walk_folder(struct feeding *feeding, const char *path, struct err *err)
{
    const struct walk walk = {put_folder, folder_failed, enter_folder, feeding};
    struct err why = {0};
    int status;

    clear_expected(feeding);
    if (feeding->tree->known &&
        index_folders(feeding->tree->known, path, add_expected, feeding, err) < 0)
        return -1;
    status = walk_tree(AT_FDCWD, path, &walk, &why);
    if (status < 0 && feeding->fatal && err)
        *err = why;
    if (status < 0 && why.code != ERR_NONE && !feeding->fatal) {
        tell(feeding, &why);
        return 0;
    }
    return status < 0 ? status : put_vanished_folders(feeding, err);
}

/* ---- single files ---- */

static int put_singles(struct feeding *feeding, struct err *err)
{
    int fd, status = 0;

    (void)err;
    if (feeding->single.count == 0)
        return 0;
    fd = open(feeding->single_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    names_clear(&feeding->read);
    for (size_t i = 0; i < feeding->single.count; i++) {
        size_t low = 0, high = feeding->known_count;
        const char *name = feeding->single.name[i];
        int order = 1;

        while (low < high && order) {
            size_t middle = (low + high) / 2;

            order = strcmp(feeding->known[middle].name, name);
            if (order == 0 && fd >= 0 && is_unchanged(fd, &feeding->known[middle]))
                atomic_fetch_add_explicit(&feeding->tree->unchanged, 1, memory_order_relaxed);
            else if (order == 0)
                names_add(&feeding->read, name);
            else if (order < 0)
                low = middle + 1;
            else
                high = middle;
        }
        if (order)
            names_add(&feeding->read, name);
    }
    status = feed_put(feeding->feed, fd, feeding->single_folder, feeding->read.name,
                      feeding->read.count, FEED_READ, true);
    if (fd >= 0)
        close(fd);
    names_clear(&feeding->single);
    return status;
}

/* Lists mostly name files of one folder one after the other. */
static int put_single(struct feeding *feeding, const char *path, struct err *err)
{
    const char *name;
    char *folder = folder_part(path, &name);
    int status = 0;

    if (!feeding->named_folder || !feeding->single_folder ||
        strcmp(folder, feeding->named_folder) != 0) {
        status = put_singles(feeding, err);
        free(feeding->single_folder);
        free(feeding->named_folder);
        feeding->named_folder = folder;
        feeding->single_folder = realpath(folder, NULL);
        folder = NULL;
        if (!feeding->single_folder) {
            struct err why = {0};

            err_sys(&why, "%s", path);
            tell(feeding, &why);
            free(feeding->named_folder);
            feeding->named_folder = NULL;
            return status;
        }
        if (status == 0)
            status = load_known(feeding, feeding->single_folder, err);
    }
    free(folder);
    if (status == 0 && lies_in_archive(feeding, feeding->single_folder)) {
        struct err why = {0};

        err_set(&why, ERR_INPUT,
                "%s: lies in the archive itself, whose objects are indexed when "
                "they are stored (and by --rebuild)",
                path);
        tell(feeding, &why);
        return 0;
    }
    names_add(&feeding->single, name);
    if (status == 0 && feeding->single.count >= 256)
        status = put_singles(feeding, err);
    return status;
}

/* ---- arguments ---- */

static int put_argument(void *context, const char *reference, const char *line, struct err *err)
{
    struct feeding *feeding = context;
    struct err why = {0};
    struct stat status;
    struct buf real = {0};
    int result = 0;

    /* The name of a file may have tabs in it. */
    if (strcmp(reference, line) != 0 && stat(line, &status) == 0)
        reference = line;
    if (stat(reference, &status) < 0) {
        err_sys(&why, "%s", reference);
    } else if (S_ISREG(status.st_mode)) {
        return put_single(feeding, reference, err);
    } else if (!S_ISDIR(status.st_mode)) {
        err_set(&why, ERR_INPUT, "%s: neither a file nor a folder", reference);
    } else if (tree_path(reference, &real, &why) == 0) {
        if (is_own(feeding, &status) || lies_in_archive(feeding, buf_text(&real)))
            err_set(&why, ERR_INPUT,
                    "%s: lies in the archive itself, whose objects are indexed "
                    "when they are stored (and by --rebuild)",
                    reference);
        else if ((result = put_singles(feeding, err)) == 0)
            result = walk_folder(feeding, buf_text(&real), err);
        /* Its list of known files has made place for others. */
        free(feeding->named_folder);
        feeding->named_folder = NULL;
    }
    if (why.text[0])
        tell(feeding, &why);
    buf_free(&real);
    return result;
}

static void feeding_free(struct feeding *feeding)
{
    for (size_t i = 0; i < feeding->known_count; i++)
        free(feeding->known[i].name);
    free(feeding->known);
    clear_expected(feeding);
    free(feeding->expected);
    names_free(&feeding->read);
    names_free(&feeding->vanished);
    names_free(&feeding->single);
    free(feeding->single_folder);
    free(feeding->named_folder);
}

int tree_feed(void *context, struct feed *feed, struct err *err)
{
    static const char *const own[OWN_FOLDERS] = {"objects", "incoming", "quarantine"};
    struct tree *tree = context;
    struct feeding feeding = {.tree = tree, .feed = feed};
    int status;

    for (size_t i = 0; i < OWN_FOLDERS; i++) {
        char *path = xasprintf("%s/%s", tree->root, own[i]);

        if (stat(path, &feeding.own[i]) < 0)
            memset(&feeding.own[i], 0, sizeof feeding.own[i]);
        free(path);
    }
    status = refs_loop(tree->count, tree->arguments, tree->nul, put_argument, &feeding, err);
    if (status == 0)
        status = put_singles(&feeding, err);
    feeding_free(&feeding);
    return status;
}
