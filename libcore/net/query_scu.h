/*
 * C-FIND as a user: keys of the one matching language asked of a peer, the same rows as from the index.
 * PS3.4 C.4.1.
 *
 * What DICOM can say goes into the identifier, the rest is asked loosely; every answer is tested with the
 * keys themselves. What lies below the level at which a peer lets itself be asked is reached level by level,
 * study, series, instance; so are keys and columns below the level that is asked for.
 */
#ifndef PACS_NET_QUERY_SCU_H
#define PACS_NET_QUERY_SCU_H

#include <signal.h>
#include <stdint.h>

#include "dicom/dataset.h"
#include "index/query.h"
#include "net/scu.h"

#define QUERY_SCU_REQUESTS 20000       /* C-FINDs for one query: beyond, it wants to be narrower */
#define QUERY_SCU_HELD     (256 << 20) /* bytes of answers that are looked into one by one */

struct query_scu_options {
    enum query_level level;
    const struct match *const *keys;
    size_t key_count;
    const tag_t *columns;
    size_t column_count;
    /* As query_reference: only what they name, contain, or lie in. */
    bool any_reference;
    const char *const *references;
    size_t reference_count;
    uint64_t limit; /* 0: none */
};

/* A key that no peer can be asked for (Size, Received, CallingAE, Path): ERR_INPUT. */
int query_scu_check(const struct match *key, struct err *err);

/* An association for queries at that level: Patient Root for patients, else Study Root; with the
 * relational queries of extended negotiation where the peer grants them. */
struct scu *query_scu_open(const struct peer *peer, enum query_level level, struct dcm_tls *tls,
                           const sigset_t *wait_mask, struct err *err);

/* Gives each row that fulfils all keys once; non-zero from `each` stops. Returns the number of rows given, or
 * -1; some may have been given then. After -1 the association is of no use (scu_abort). What the peer
 * leaves out of its answers though a key asks for it is said by log_warn. */
int64_t query_scu_run(struct scu *scu, const struct query_scu_options *options, query_each *each,
                      void *context, struct err *err);

/* ---- one request; for query_walk.c and retrieve_scu.c ---- */

/* 0: go on, 1: enough (C-CANCEL), -1: failed. */
typedef int query_scu_answer(void *context, const struct dataset *answer, struct err *err);

/* One C-FIND with this identifier. 0 when the peer has said all, or was told to stop. */
int query_scu_request(struct scu *scu, enum query_level level, struct dataset *identifier,
                      query_scu_answer *each, void *context, struct err *err);
/* Whether queries need not name what is above their level. */
bool query_scu_relational(const struct scu *scu, enum query_level level);
/* "C-MOVE: answered with status A801 (...): comment", with `what` for the service. */
int query_scu_failed(const struct scu *scu, const char *what, const struct dimse_command *answer,
                     struct err *err);

#endif
