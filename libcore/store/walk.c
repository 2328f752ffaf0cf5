/*
 * See walk.h. A stack of paths instead of a recursion: a deep tree costs no descriptors and no stack.
 */
#include "store/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct list {
    char **names;
    size_t count, room;
};

static void list_add(struct list *list, char *name)
{
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 64;
        list->names = xreallocarray(list->names, list->room, sizeof *list->names);
    }
    list->names[list->count++] = name;
}

static void list_clear(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    list->count = 0;
}

static int by_name(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

static void list_sort(struct list *list)
{
    if (list->count)
        qsort(list->names, list->count, sizeof *list->names, by_name);
}

static char *join(const char *folder, const char *name)
{
    bool slash = folder[0] == '/' && folder[1] == '\0';

    return xasprintf("%s%s%s", folder, slash ? "" : "/", name);
}

static mode_t type_of(int fd, const struct dirent *entry)
{
    struct stat status;

    if (entry->d_type == DT_REG)
        return S_IFREG;
    if (entry->d_type == DT_DIR)
        return S_IFDIR;
    if (entry->d_type != DT_UNKNOWN || fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return status.st_mode & S_IFMT;
}

/* Takes the descriptor over. 0, or -1 with errno. */
static int read_folder(int fd, struct list *files, struct list *folders)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), number;
    DIR *folder = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;

    if (!folder) {
        number = errno;
        if (copy >= 0)
            close(copy);
        errno = number;
        return -1;
    }
    while ((errno = 0, entry = readdir(folder))) {
        mode_t type;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        type = type_of(fd, entry);
        if (S_ISREG(type))
            list_add(files, xstrdup(entry->d_name));
        else if (S_ISDIR(type))
            list_add(folders, xstrdup(entry->d_name));
    }
    number = errno;
    closedir(folder);
    list_sort(files);
    list_sort(folders);
    errno = number;
    return number ? -1 : 0;
}

struct walking {
    const struct walk *walk;
    int dirfd;
    struct list stack, files, folders;
};

static void tell(const struct walking *walking, const char *path, struct err *why)
{
    if (walking->walk->failed)
        walking->walk->failed(walking->walk->context, path, why);
}

/* -1 when it cannot be read; `first`: the error goes to the caller. */
static int visit(struct walking *walking, const char *path, bool first, struct err *err)
{
    const struct walk *walk = walking->walk;
    int fd =
        openat(walking->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (first ? 0 : O_NOFOLLOW));
    struct err why = {0};
    struct stat status;
    int result = 0;

    list_clear(&walking->files);
    list_clear(&walking->folders);
    if (fd < 0 || fstat(fd, &status) < 0) {
        err_sys(&why, "%s", path);
        result = -1;
    } else if (!walk->enter || walk->enter(walk->context, path, &status)) {
        if (read_folder(fd, &walking->files, &walking->folders) < 0) {
            err_sys(&why, "%s", path);
            result = -1;
        } else {
            result = walk->folder(walk->context, fd, path, walking->files.names,
                                  walking->files.count, err);
        }
    }
    if (fd >= 0)
        close(fd);
    if (!why.text[0])
        return result;
    if (!first)
        tell(walking, path, &why);
    else if (err)
        *err = why;
    return first ? -1 : 0;
}

int walk_tree(int dirfd, const char *path, const struct walk *walk, struct err *err)
{
    struct walking walking = {.walk = walk, .dirfd = dirfd};
    bool first = true;
    int status = 0;

    list_add(&walking.stack, xstrdup(path));
    while (status == 0 && walking.stack.count) {
        char *folder = walking.stack.names[--walking.stack.count];

        status = visit(&walking, folder, first, err);
        first = false;
        if (status == 0)
            for (size_t i = walking.folders.count; i > 0; i--)
                list_add(&walking.stack, join(folder, walking.folders.names[i - 1]));
        free(folder);
    }
    list_clear(&walking.stack);
    list_clear(&walking.files);
    list_clear(&walking.folders);
    free(walking.stack.names);
    free(walking.files.names);
    free(walking.folders.names);
    return status;
}
