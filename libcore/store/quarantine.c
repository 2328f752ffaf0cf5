/*
 * What could not be stored as said: kept, under a name of its own, with the reason beside it. See
 * store.h.
 */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"

#define NAME_LIMIT 128
#define WHY_LIMIT  4000
#define HASH_BLOCK 65536

/* Letters, digits, dots, dashes; nothing that a shell, a terminal or another system stumbles over. */
static void safe_name(const char *name, struct buf *out)
{
    for (; *name && out->length < NAME_LIMIT; name++) {
        char c = *name;
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '_' || ((c == '.' || c == '-') && out->length > 0);

        buf_addc(out, plain ? c : '_');
    }
    if (out->length == 0)
        buf_adds(out, "object");
}

static void write_why(const char *why, struct buf *out)
{
    time_t now = (time_t)(wall_ms() / 1000);
    struct tm parts;
    char when[32] = "";

    for (; *why && out->length < WHY_LIMIT; why++)
        buf_addc(out, (*why < ' ' && *why > 0 && *why != '\n') || *why == 0x7f ? '?' : *why);
    if (out->length && out->data[out->length - 1] != '\n')
        buf_addc(out, '\n');
    if (gmtime_r(&now, &parts))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    buf_addf(out, "when: %s\n", when);
}

/* A new, durable file below the root. 0, or -1 with errno. */
static int write_new(struct store *store, const char *path, const struct buf *text)
{
    int fd = openat(store->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), number;

    if (fd < 0)
        return -1;
    if (write_all(fd, text->data, text->length) == 0 && fsync(fd) == 0 && close(fd) == 0)
        return 0;
    number = errno;
    close(fd);
    unlinkat(store->fd, path, 0);
    errno = number;
    return -1;
}

static bool same_files(struct store *store, const char *one, const char *other)
{
    int a = openat(store->fd, one, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int b = openat(store->fd, other, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool same = a >= 0 && b >= 0 && store_same_bytes(a, 0, b, 0) == 1;

    if (a >= 0)
        close(a);
    if (b >= 0)
        close(b);
    return same;
}

/* Names the content: the same object again gets the same name. */
static uint64_t content_hash(struct store *store, const char *path)
{
    uint64_t hash = 14695981039346656037u;
    int fd = openat(store->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    unsigned char *block = xmalloc(HASH_BLOCK);
    ssize_t n;

    while (fd >= 0 && (n = read_all(fd, block, HASH_BLOCK)) > 0)
        for (ssize_t i = 0; i < n; i++)
            hash = (hash ^ block[i]) * 1099511628211u;
    if (fd >= 0)
        close(fd);
    free(block);
    return hash;
}

/* The plain name; with what tells its content; then any. */
static char *make_name(struct store *store, const char *safe, const char *from, int tries)
{
    uint64_t number;

    if (tries == 0)
        return xasprintf(QUARANTINE_FOLDER "/%s", safe);
    number = tries == 1 ? content_hash(store, from) : store_random();
    return xasprintf(QUARANTINE_FOLDER "/%s-%016llx", safe, (unsigned long long)number);
}

static int copy_file(struct store *store, const char *from, const char *to)
{
    int source = openat(store->fd, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int target = openat(store->fd, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int status = -1, number;

    if (source >= 0 && target >= 0) {
        uint64_t written = 0;

        status = store_copy(target, source, &written) < 0 || fsync(target) < 0 ? -1 : 0;
    }
    number = errno;
    if (target >= 0 && status < 0)
        unlinkat(store->fd, to, 0);
    if (source >= 0)
        close(source);
    if (target >= 0)
        close(target);
    errno = number;
    return status;
}

/* 0, or -1 with errno: EEXIST when the name is taken. */
static int give_name(struct store *store, const char *from, const char *to, bool keep)
{
    if (!keep)
        return store_rename_new(store, from, to);
    if (!store->no_links) {
        if (linkat(store->fd, from, store->fd, to, 0) == 0)
            return 0;
        if (!store_no_links_errno(errno))
            return -1;
    }
    return copy_file(store, from, to);
}

/* 1 done, 0 the name is taken, -1. */
static int put_under(struct store *store, const char *from, bool keep, const char *to,
                     const struct buf *text, struct err *err)
{
    char *why = xasprintf("%s.why", to);
    int status = 1;

    if (write_new(store, why, text) < 0) {
        status = errno == EEXIST ? 0 : err_sys(err, "%s", why);
    } else if (give_name(store, from, to, keep) < 0) {
        status = errno == EEXIST ? 0 : err_sys(err, "%s: to %s", from, to);
        unlinkat(store->fd, why, 0);
    }
    free(why);
    return status;
}

static int put(struct store *store, const char *from, bool keep, const char *name, const char *why,
               struct buf *where, struct err *err)
{
    struct buf safe = {0}, text = {0};
    char *to = NULL;
    int status = 0;

    safe_name(name, &safe);
    write_why(why, &text);
    for (int tries = 0; tries < 64 && status == 0; tries++) {
        free(to);
        to = make_name(store, safe.data, from, tries);
        status = put_under(store, from, keep, to, &text, err);
        if (status == 0 && tries < 2 && same_files(store, from, to)) {
            status = keep || unlinkat(store->fd, from, 0) == 0 ? 1 : err_sys(err, "%s", from);
            break;
        }
    }
    if (status == 0)
        err_set(err, ERR_FAILED, QUARANTINE_FOLDER "/%s: no free name", safe.data);
    if (status == 1)
        status = sync_folder(store->fd, QUARANTINE_FOLDER, err);
    else
        status = -1;
    if (status == 0 && where)
        buf_adds(where, to);
    free(to);
    buf_free(&safe);
    buf_free(&text);
    return status;
}

int store_quarantine(struct store *store, struct incoming *incoming, const char *name,
                     const char *why, struct buf *where, struct err *err)
{
    if (incoming_sync(incoming, err) < 0 ||
        put(store, incoming->path, false, name, why, where, err) < 0)
        return -1;
    incoming->gone = true;
    return 0;
}

int store_quarantine_path(struct store *store, const char *path, const char *name, const char *why,
                          struct buf *where, struct err *err)
{
    if (put(store, path, false, name, why, where, err) < 0)
        return -1;
    return store_sync_folder_of(store, path, err);
}

int store_quarantine_copy(struct store *store, const char *path, const char *name, const char *why,
                          struct buf *where, struct err *err)
{
    return put(store, path, true, name, why, where, err);
}
