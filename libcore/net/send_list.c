/*
 * See send_list.h. An entry is its length, the pair's number, the size, path and instance UID, each text with its NUL.
 */
#include "net/send_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MEMORY_MAX ((size_t)4 << 20)
#define PAIRS_MAX  4096
#define ENTRY_MAX  8192

struct entry {
    uint32_t length; /* of the texts */
    uint32_t pair;
    uint64_t size;
};

struct send_list {
    struct buf memory;
    size_t at; /* where the next is read */
    FILE *file;
    uint64_t count, bytes;
    struct send_pair *pair;
    size_t pairs;
    char text[ENTRY_MAX];
};

struct send_list *send_list_new(void)
{
    return xcalloc(1, sizeof(struct send_list));
}

void send_list_free(struct send_list *list)
{
    if (!list)
        return;
    buf_free(&list->memory);
    if (list->file)
        fclose(list->file);
    free(list->pair);
    free(list);
}

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
    if (!list->file && !(list->file = tmpfile()))
        return err_sys(err, "temporary file");
    if (list->memory.length &&
        fwrite(list->memory.data, 1, list->memory.length, list->file) != list->memory.length)
        return err_sys(err, "temporary file");
    buf_clear(&list->memory);
    return 0;
}

int send_list_add(struct send_list *list, const struct send_item *item, struct err *err)
{
    struct entry entry = {.size = item->size};
    size_t path = strlen(item->path) + 1, uid = strlen(item->instance_uid) + 1;

    if (path + uid > ENTRY_MAX)
        return err_set(err, ERR_INPUT, "%.100s...: the name is too long", item->path);
    if (find_pair(list, item, &entry.pair, err) < 0)
        return -1;
    entry.length = (uint32_t)(path + uid);
    buf_add(&list->memory, &entry, sizeof entry);
    buf_add(&list->memory, item->path, path);
    buf_add(&list->memory, item->instance_uid, uid);
    list->count++;
    list->bytes += item->size;
    return list->memory.length > MEMORY_MAX ? spill(list, err) : 0;
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

int send_list_rewind(struct send_list *list, struct err *err)
{
    list->at = 0;
    if (!list->file)
        return 0;
    if (spill(list, err) < 0)
        return -1;
    return fflush(list->file) == 0 && fseek(list->file, 0, SEEK_SET) == 0
               ? 0
               : err_sys(err, "temporary file");
}

/* `length` bytes of the list; false at its end. */
static bool take(struct send_list *list, void *to, size_t length)
{
    if (list->file)
        return fread(to, 1, length, list->file) == length;
    if (list->memory.length - list->at < length)
        return false;
    memcpy(to, list->memory.data + list->at, length);
    list->at += length;
    return true;
}

int send_list_next(struct send_list *list, struct send_item *item, size_t *pair, struct err *err)
{
    struct entry entry;

    if (!take(list, &entry, sizeof entry))
        return list->file && ferror(list->file) ? err_sys(err, "temporary file") : 0;
    if (entry.length > ENTRY_MAX || entry.pair >= list->pairs ||
        !take(list, list->text, entry.length))
        return err_set(err, ERR_FAILED, "temporary file: cut short");
    item->path = list->text;
    item->instance_uid = list->text + strlen(list->text) + 1;
    item->class_uid = list->pair[entry.pair].class_uid;
    item->transfer_syntax = list->pair[entry.pair].transfer_syntax;
    item->size = entry.size;
    *pair = entry.pair;
    return 1;
}
