/*
 * What files cannot hold and must not be lost: state.db, SQLite with synchronous=FULL behind these functions and
 * nowhere else. Never derived, never deleted.
 *
 * Now: storage commitments that a peer waits for. One connection per process: it does not cross a fork.
 */
#ifndef PACS_STATE_STATE_H
#define PACS_STATE_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct state;

/* Opens ROOT/state.db; makes it when missing. One made by a newer version is refused (ERR_VERSION). */
struct state *state_open(const char *root, struct err *err);
void state_close(struct state *state);

/* ---- storage commitment: PS3.4 annex J ---- */

struct commitment {
    int64_t id;
    const char *transaction_uid;
    const char *calling_aet, *called_aet; /* of the request: who waits, and who we were */
    const void *request;                  /* the action information, explicit VR little endian */
    size_t length;
    int64_t created_ms;
    int tries; /* that have failed */
};

/* Durable when it returns. `id` and `tries` are set here. */
int state_commitment_add(struct state *state, struct commitment *commitment, struct err *err);
/* The one that is due first at `now_ms`, kept from others for `lease_ms`: 1, and borrowed until the next call; 0:
 * none is due; -1. */
int state_commitment_take(struct state *state, int64_t now_ms, int64_t lease_ms,
                          struct commitment *commitment, struct err *err);
/* It was delivered, or given up. */
int state_commitment_done(struct state *state, int64_t id, struct err *err);
/* It was not: to be tried again. */
int state_commitment_later(struct state *state, int64_t id, int64_t next_ms, const char *why,
                           struct err *err);
/* How many wait, whether due or not; -1. */
int64_t state_commitments(struct state *state, struct err *err);

#endif
