/*
 * Retrieval as a user, PS3.4 C.4.2 and C.4.3: one request to a peer, by C-GET (the objects come on the
 * same association, and are stored as pacs-recv stores them: acknowledged when durable) or by C-MOVE (the peer
 * sends them to an AE title: ours, where pacs-recv listens, or another's). What is asked for is decided
 * in fetch.c.
 */
#ifndef PACS_NET_RETRIEVE_SCU_H
#define PACS_NET_RETRIEVE_SCU_H

#include <stdbool.h>
#include <stdint.h>

#include "index/archive.h"
#include "net/query_scu.h"

struct retrieve_options {
    const struct peer *peer;
    struct dcm_tls *tls;
    struct archive *archive; /* C-GET stores into it */
    const char *destination; /* C-MOVE: an AE title */
    /* Asked between objects and responses: then C-CANCEL, and ERR_STOPPED. May be NULL. */
    bool (*stopping)(void *context);
    /* An object was stored, or (C-MOVE) a sub-operation completed. May be NULL. */
    void (*progress)(void *context, uint64_t objects, uint64_t bytes);
    void *context;
};

/* A study, a series, or instances of one series (a list separated by '\'). */
struct retrieve_request {
    enum query_level level;
    const char *study_uid, *series_uid, *sop_uids;
    /* Of the objects: C-GET negotiates each. NULL-ended; empty: not known. */
    const char *const *classes;
};

struct retrieve_answer {
    uint16_t status;
    char comment[65];
    uint64_t completed, failed; /* as the peer counts */
    uint64_t stored, refused;   /* C-GET: as we do */
};

struct retriever;

/* Opens no association yet. */
struct retriever *retriever_new(const struct retrieve_options *options);
/* Releases the association. What was stored is durable. */
void retriever_free(struct retriever *retriever);

/* 1: done, see the answer. 0: the peer does not offer the service. -1: the association has ended; a later request
 * opens another one. */
int retriever_get(struct retriever *retriever, const struct retrieve_request *request,
                  struct retrieve_answer *answer, struct err *err);
int retriever_move(struct retriever *retriever, const struct retrieve_request *request,
                   struct retrieve_answer *answer, struct err *err);

#endif
