/*
 * rawscu's associations: request, release, abort, written and read without a library.
 */
#ifndef TESTS_RAW_ASSOCIATION_H
#define TESTS_RAW_ASSOCIATION_H

#include "wire.h"

enum { CONTEXTS_MAX = 128 };

struct context {
    char abstract_syntax[65];
    char transfer_syntax[65];
    int result; /* PS3.8 table 9-18: 0 accepted; -1: no answer */
};

struct association {
    struct wire wire;
    struct context contexts[CONTEXTS_MAX]; /* id is 2 * index + 1 */
    int context_count;
    uint32_t peer_max_pdu; /* 0: no limit */
    bool rejected;         /* ... with these three */
    uint8_t reject_result, reject_source, reject_reason;
};

/* Proposes the pair, unless it is there. Returns its index, or -1 when there is no room. */
int association_propose(struct association *association, const char *abstract_syntax,
                        const char *transfer_syntax);
/* On a connected wire. `max_pdu`: the largest PDU that we take, as we say. */
int association_request(struct association *association, const char *calling, const char *called,
                        uint32_t max_pdu, struct err *err);
/* Index of the accepted context; -1: none. */
int association_context(const struct association *association, const char *abstract_syntax,
                        const char *transfer_syntax);
/* Asks for release, waits for the answer. */
int association_release(struct association *association, struct err *err);
void association_abort(struct association *association);
/* For an answer that is no P-DATA: what it was, as an error. Returns -1. */
int association_unexpected(uint8_t type, const struct buf *body, struct err *err);

#endif
