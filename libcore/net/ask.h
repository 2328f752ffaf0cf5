/*
 * One query to several places at once: peers, and the local index. A process for each, so that a place that is
 * dead, slow or mad holds up no other; rows come through a pipe each, and are handed on whole, as they come.
 *
 * Nothing in here links DCMTK: a peer is asked by the helper program find-peer (cmd/find-peer.c).
 */
#ifndef PACS_NET_ASK_H
#define PACS_NET_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "index/query.h"

#define ASK_LOCAL "local" /* the name of the archive's own index */

/* What find-peer reads: see ask_write. */
struct ask_question {
    const char *archive; /* NULL: none */
    enum query_level level;
    uint64_t limit;
    long long timeout; /* 0: as pacs.conf says */
    int log_level;
    bool any_reference;
    /* As typed, each ended by NUL, one after the other: expressions, references, keywords. */
    struct buf keys, references, columns;
    size_t column_count;
};
void ask_question_free(struct ask_question *question);

/* For find-peer: the question from a descriptor. */
int ask_read(int fd, struct ask_question *question, struct err *err);
/* For the processes that answer: writes a row. Not 0: nobody reads any more. */
int ask_put_row(int fd, struct buf *space, const struct query_row *row, size_t columns);

/* Runs in a process of its own for ASK_LOCAL and writes rows with ask_put_row to `out`; returns 0, or -1 when it
 * has said on stderr why not. */
typedef int ask_local(void *context, int out);

/* Non-zero stops. `source`: as given. */
typedef int ask_each(void *context, const char *source, const struct query_row *row);

struct ask_result {
    uint64_t rows;
    size_t failed; /* sources that could not be asked to the end; each has said so on stderr */
};

/* `sources`: names for peers_find, or ASK_LOCAL. -1: could not even begin. */
int ask_all(const char *const *sources, size_t count, const struct ask_question *question,
            ask_local *local, ask_each *each, void *context, struct ask_result *result,
            struct err *err);

#endif
