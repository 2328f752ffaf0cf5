/*
 * See send_list.h. An entry is its lengths, the pair's number, the size, path and instance UID, each text with its NUL.
 */
#include "net/send_list.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/set.h"

#define MEMORY_MAX ((size_t)4 << 20)
#define PAIRS_MAX  4096
#define ENTRY_MAX  8192
#define READ_SIZE  65536 /* at a time, and more than an entry */

struct entry {
    uint32_t length; /* of the texts */
    uint32_t pair;
    uint64_t size;
};

struct send_list {
    struct buf memory; /* all of it, or what is not yet in the file */
    int file;          /* -1: none */
    uint64_t in_file;  /* bytes */
    uint64_t count, bytes;
    struct send_pair *pair;
    size_t pairs;
    struct set *had;              /* while it is filled */
    struct buf key;               /* of the object that is added */
    _Atomic unsigned char *state; /* of each, once it is closed; shared */
};

struct send_cursor {
    const struct send_list *list;
    uint64_t at, number;    /* of the next */
    uint64_t start, length; /* what of the file `bytes` holds */
    char *bytes;
    char text[ENTRY_MAX];
};

struct send_list *send_list_new(void)
{
    struct send_list *list = xcalloc(1, sizeof *list);

    list->file = -1;
    return list;
}

void send_list_free(struct send_list *list)
{
    if (!list)
        return;
    if (list->state)
        munmap((void *)list->state, list->count + 1);
    buf_free(&list->memory);
    buf_free(&list->key);
    set_free(list->had);
    if (list->file >= 0)
        close(list->file);
    free(list->pair);
    free(list);
}

/* ---- filling it ---- */

static int find_pair(struct send_list *list, const struct send_item *item, uint32_t *found,
                     struct err *err)
{
    struct send_pair *pair;
    size_t i = list->pairs;

    /* Neighbours are alike: the last first. */
    while (i-- > 0) {
        pair = &list->pair[i];
        if (strcmp(pair->class_uid, item->class_uid) == 0 &&
            strcmp(pair->transfer_syntax, item->transfer_syntax) == 0) {
            pair->count++;
            *found = (uint32_t)i;
            return 0;
        }
    }
    if (list->pairs == PAIRS_MAX)
        return err_set(err, ERR_INPUT, "more than %d SOP classes and transfer syntaxes", PAIRS_MAX);
    if (strlen(item->class_uid) > 64 || strlen(item->transfer_syntax) > 64)
        return err_set(err, ERR_INPUT, "%s: a UID of more than 64 characters", item->path);
    list->pair = xreallocarray(list->pair, list->pairs + 1, sizeof *list->pair);
    pair = &list->pair[list->pairs];
    memset(pair, 0, sizeof *pair);
    memcpy(pair->class_uid, item->class_uid, strlen(item->class_uid));
    memcpy(pair->transfer_syntax, item->transfer_syntax, strlen(item->transfer_syntax));
    pair->count = 1;
    *found = (uint32_t)list->pairs++;
    return 0;
}

/* What is in memory goes into a file; further entries follow it there. */
static int spill(struct send_list *list, struct err *err)
{
    if (list->file < 0 && (list->file = temporary_file(err)) < 0)
        return -1;
    if (write_all(list->file, list->memory.data, list->memory.length) < 0)
        return err_sys(err, "temporary file");
    list->in_file += list->memory.length;
    buf_clear(&list->memory);
    return 0;
}

/* The same file twice is one; two files of one object are two. */
static bool is_new(struct send_list *list, const struct send_item *item)
{
    if (!list->had)
        list->had = set_new(SET_108_BITS);
    buf_clear(&list->key);
    buf_add(&list->key, item->instance_uid, strlen(item->instance_uid) + 1);
    buf_adds(&list->key, item->path);
    return set_add(list->had, list->key.data, list->key.length);
}

int send_list_add(struct send_list *list, const struct send_item *item, struct err *err)
{
    struct entry entry = {.size = item->size};
    size_t path = strlen(item->path) + 1, uid = strlen(item->instance_uid) + 1;

    if (path + uid > ENTRY_MAX)
        return err_set(err, ERR_INPUT, "%.100s...: the name is too long", item->path);
    if (!is_new(list, item))
        return 0;
    if (find_pair(list, item, &entry.pair, err) < 0)
        return -1;
    entry.length = (uint32_t)(path + uid);
    buf_add(&list->memory, &entry, sizeof entry);
    buf_add(&list->memory, item->path, path);
    buf_add(&list->memory, item->instance_uid, uid);
    list->count++;
    list->bytes += item->size;
    return list->memory.length > MEMORY_MAX && spill(list, err) < 0 ? -1 : 1;
}

int send_list_close(struct send_list *list, struct err *err)
{
    void *state;

    if (list->state)
        return 0;
    set_free(list->had);
    list->had = NULL;
    if (list->file >= 0) {
        if (spill(list, err) < 0)
            return -1;
        buf_free(&list->memory);
    }
    state = mmap(NULL, list->count + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED)
        return err_sys(err, "memory for %llu objects", (unsigned long long)list->count);
    list->state = state;
    return 0;
}

uint64_t send_list_count(const struct send_list *list)
{
    return list->count;
}

uint64_t send_list_bytes(const struct send_list *list)
{
    return list->bytes;
}

const struct send_pair *send_list_pairs(const struct send_list *list, size_t *count)
{
    *count = list->pairs;
    return list->pair;
}

/* ---- claims ---- */

bool send_list_claim(struct send_list *list, uint64_t number)
{
    unsigned char open = SEND_STATE_OPEN;

    return atomic_compare_exchange_strong(&list->state[number], &open, SEND_STATE_CLAIMED);
}

void send_list_set(struct send_list *list, uint64_t number, enum send_state state)
{
    atomic_store(&list->state[number], (unsigned char)state);
}

enum send_state send_list_state(const struct send_list *list, uint64_t number)
{
    return (enum send_state)atomic_load(&list->state[number]);
}

/* ---- reading it ---- */

struct send_cursor *send_cursor_new(const struct send_list *list)
{
    struct send_cursor *cursor = xcalloc(1, sizeof *cursor);

    cursor->list = list;
    if (list->file >= 0)
        cursor->bytes = xmalloc(READ_SIZE);
    return cursor;
}

void send_cursor_free(struct send_cursor *cursor)
{
    if (!cursor)
        return;
    free(cursor->bytes);
    free(cursor);
}

/* `length` bytes at the cursor: 1, 0 at the end, -1. Offsets, not the file's position: that is shared by forks. */
static int take(struct send_cursor *cursor, void *to, size_t length, struct err *err)
{
    const struct send_list *list = cursor->list;

    if (list->file < 0) {
        if (list->memory.length - cursor->at < length)
            return cursor->at == list->memory.length
                       ? 0
                       : err_set(err, ERR_FAILED, "list of objects: cut short");
        memcpy(to, list->memory.data + cursor->at, length);
        cursor->at += length;
        return 1;
    }
    if (cursor->at < cursor->start || cursor->at + length > cursor->start + cursor->length) {
        ssize_t got = pread_all(list->file, cursor->bytes, READ_SIZE, (off_t)cursor->at);

        if (got < 0)
            return err_sys(err, "temporary file");
        cursor->start = cursor->at;
        cursor->length = (uint64_t)got;
        if (cursor->length < length)
            return got == 0 && cursor->at == list->in_file
                       ? 0
                       : err_set(err, ERR_FAILED, "temporary file: cut short");
    }
    memcpy(to, cursor->bytes + (cursor->at - cursor->start), length);
    cursor->at += length;
    return 1;
}

int send_cursor_next(struct send_cursor *cursor, struct send_item *item, struct err *err)
{
    const struct send_list *list = cursor->list;
    uint64_t at = cursor->at;
    struct entry entry = {0};
    int more = take(cursor, &entry, sizeof entry, err);

    if (more <= 0)
        return more;
    if (entry.length > ENTRY_MAX || entry.length < 2 || entry.pair >= list->pairs ||
        take(cursor, cursor->text, entry.length, err) <= 0 ||
        cursor->text[entry.length - 1] != '\0')
        return err_set(err, ERR_FAILED, "list of objects: cannot be read back");
    *item = (struct send_item){
        .path = cursor->text,
        .instance_uid = cursor->text + strlen(cursor->text) + 1,
        .class_uid = list->pair[entry.pair].class_uid,
        .transfer_syntax = list->pair[entry.pair].transfer_syntax,
        .size = entry.size,
        .pair = entry.pair,
        .number = cursor->number++,
        .at = at,
    };
    return 1;
}

int send_cursor_at(struct send_cursor *cursor, uint64_t at, uint64_t number, struct send_item *item,
                   struct err *err)
{
    uint64_t end = cursor->list->file < 0 ? cursor->list->memory.length : cursor->list->in_file;

    if (at >= end || number >= cursor->list->count)
        return err_set(err, ERR_FAILED, "list of objects: no such entry");
    cursor->at = at;
    cursor->number = number;
    return send_cursor_next(cursor, item, err);
}
