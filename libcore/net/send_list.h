/*
 * What is to be sent: a list of objects in the order in which they go out, in memory while it is small and in a
 * file without a name beyond that; and the pairs of SOP class and transfer syntax among them, from which
 * presentation contexts are made.
 *
 * First it is filled, then closed; from then on several processes (forks of the one that filled it) may work on it:
 * each reads it with a cursor of its own, and claims an object before it takes it on.
 */
#ifndef PACS_NET_SEND_LIST_H
#define PACS_NET_SEND_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Of the list: borrowed from the cursor until its next call. */
struct send_item {
    const char *path; /* absolute, or below the archive's folder */
    const char *class_uid, *instance_uid, *transfer_syntax;
    uint64_t size;   /* of the file */
    size_t pair;     /* its place among the pairs */
    uint64_t number; /* 0, 1, 2 ... */
    uint64_t at;     /* for send_list_at */
};

struct send_pair {
    char class_uid[65], transfer_syntax[65];
    uint64_t count;
};

struct send_list;

struct send_list *send_list_new(void);
void send_list_free(struct send_list *list);
/* 1; 0 when the same object of the same file is on it already; -1: no room, more than 4096 pairs. `pair`, `number` and
 * `at` are not looked at. */
int send_list_add(struct send_list *list, const struct send_item *item, struct err *err);
/* Nothing more is added. */
int send_list_close(struct send_list *list, struct err *err);

uint64_t send_list_count(const struct send_list *list);
uint64_t send_list_bytes(const struct send_list *list);
const struct send_pair *send_list_pairs(const struct send_list *list, size_t *count);

/* ---- a closed list ---- */

struct send_cursor;
struct send_cursor *send_cursor_new(const struct send_list *list);
void send_cursor_free(struct send_cursor *cursor);
/* 1 and the next, 0 at the end, -1. */
int send_cursor_next(struct send_cursor *cursor, struct send_item *item, struct err *err);
/* 1 and the item that has this `at`, from where the cursor then goes on; -1. */
int send_cursor_at(struct send_cursor *cursor, uint64_t at, uint64_t number, struct send_item *item,
                   struct err *err);

/* Shared between processes. */
enum send_state { SEND_STATE_OPEN, SEND_STATE_CLAIMED, SEND_STATE_TOLD };
/* True for the first that claims it. */
bool send_list_claim(struct send_list *list, uint64_t number);
void send_list_set(struct send_list *list, uint64_t number, enum send_state state);
enum send_state send_list_state(const struct send_list *list, uint64_t number);

#endif
