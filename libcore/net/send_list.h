/*
 * What is to be sent: a list of objects in the order in which they go out, in memory while it is small and in a
 * file without a name beyond that; and the pairs of SOP class and transfer syntax among them, from which
 * presentation contexts are made.
 */
#ifndef PACS_NET_SEND_LIST_H
#define PACS_NET_SEND_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Borrowed from the list until the next call. */
struct send_item {
    const char *path; /* absolute, or below the archive's folder */
    const char *class_uid, *instance_uid, *transfer_syntax;
    uint64_t size; /* of the file */
};

struct send_pair {
    char class_uid[65], transfer_syntax[65];
    uint64_t count;
};

struct send_list;

struct send_list *send_list_new(void);
void send_list_free(struct send_list *list);
/* -1: no room for the file, or more than 4096 pairs. */
int send_list_add(struct send_list *list, const struct send_item *item, struct err *err);
uint64_t send_list_count(const struct send_list *list);
uint64_t send_list_bytes(const struct send_list *list);
const struct send_pair *send_list_pairs(const struct send_list *list, size_t *count);

/* From the start again. */
int send_list_rewind(struct send_list *list, struct err *err);
/* 1 and the next, 0 at the end, -1. `pair`: its place among the pairs. */
int send_list_next(struct send_list *list, struct send_item *item, size_t *pair, struct err *err);

#endif
