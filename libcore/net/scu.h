/*
 * An association that we have asked for, and the dialogue on it: one message out, the answers in. The
 * services are in files of their own (store_scu.h, query_scu.h ...).
 */
#ifndef PACS_NET_SCU_H
#define PACS_NET_SCU_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "dcmtk/association.h"
#include "dcmtk/tls.h"
#include "net/dialogue.h"
#include "net/peers.h"

struct scu;

struct scu_options {
    const struct peer *peer;
    const struct dcm_request_context *contexts;
    size_t count;
    const struct dcm_extended *extended;
    size_t extended_count;
    struct dcm_tls *tls; /* for a peer with tls = yes */
    /* Set by a signal handler: what waits for the peer ends with ERR_STOPPED. `wait_mask` as in dcm_accept. Both
     * may be NULL. */
    const sigset_t *wait_mask;
};

/* For the process, once: a TLS context for clients from the [tls] of pacs.conf, when a peer of those that are
 * asked needs one. Returns 0 and `*tls` (NULL: none is needed), or -1. */
int scu_tls(const struct peers *peers, const struct peer *const *peer, size_t count,
            struct dcm_tls **tls, struct err *err);

/* NULL: "NAME: reason". ERR_BUSY: rejected for now; ERR_INPUT: rejected for good. An association without any
 * accepted context is one: scu_context says so for each. */
struct scu *scu_open(const struct scu_options *options, struct err *err);
/* Releases it (PS3.8 7.2), waits for the answer, closes, frees. NULL is fine. */
void scu_close(struct scu *scu);
/* A-ABORT instead. */
void scu_abort(struct scu *scu);

const struct peer *scu_peer(const struct scu *scu);
struct dcm_association *scu_association(struct scu *scu);
struct dialogue *scu_dialogue(struct scu *scu);
/* The first accepted context for it, with that transfer syntax unless it is NULL; NULL when there is none. */
const struct dcm_context *scu_context(const struct scu *scu, const char *abstract_syntax,
                                      const char *transfer_syntax);
/* 1, 2, ... 65535, 1, ... */
uint16_t scu_message_id(struct scu *scu);

/* Command and data set (NULL: none) in one send. */
int scu_send(struct scu *scu, uint8_t context_id, const struct dimse_command *command,
             const void *data, size_t length, struct err *err);

/* As dialogue_receive. */
int scu_receive(struct scu *scu, struct message *message, const struct message_sink *sink,
                struct err *err);

/* Verification, PS3.4 annex A: the status of the answer, or -1. */
int scu_echo(struct scu *scu, uint16_t *status, struct err *err);

#endif
