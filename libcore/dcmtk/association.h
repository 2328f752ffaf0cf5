/*
 * Associations through DCMTK, seen from C: negotiation is DCMTK's, the bytes after it are ours.
 *
 * No DCMTK type, name or exception passes this header.
 */
#ifndef PACS_DCMTK_ASSOCIATION_H
#define PACS_DCMTK_ASSOCIATION_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct dcm_association;

struct dcm_context {
    uint8_t id; /* odd */
    char abstract_syntax[65];
    char transfer_syntax[65]; /* as accepted */
};

/* A proposed presentation context, to be judged by the caller. */
struct dcm_proposal {
    const char *abstract_syntax;
    const char *const *transfer_syntaxes;
    size_t count;
};

/* Returns the index of the transfer syntax to accept; -1: abstract syntax not supported; -2: none of the
 * transfer syntaxes supported. */
typedef int dcm_choose(void *context, const struct dcm_proposal *proposal);

/* Judges AE titles and peer before anything is accepted. Returns NULL to go on or a reason for the log
 * and sets `*reject` to one of the below. */
enum dcm_reject {
    DCM_REJECT_CALLED_AE,  /* 1/1/7 permanent, called AE title not recognized */
    DCM_REJECT_CALLING_AE, /* 1/1/3 permanent, calling AE title not recognized */
    DCM_REJECT_LIMIT,      /* 2/3/2 transient, local limit exceeded */
    DCM_REJECT_CONGESTION, /* 2/3/1 transient, temporary congestion */
    DCM_REJECT_NO_REASON   /* 1/1/1 */
};
typedef const char *dcm_admit(void *context, const char *calling_aet, const char *called_aet,
                              enum dcm_reject *reject);

/* Judges the raw A-ASSOCIATE-RQ before DCMTK parses it: called with its first six bytes (so that an absurd
 * length is not read), then with the whole. -1: it is broken, `reason` is for the A-ABORT. */
typedef int dcm_check(const uint8_t *pdu, size_t length, uint8_t *reason, struct err *err);

struct dcm_accept_options {
    uint32_t max_pdu; /* announced; 4096 to 131072 */
    int timeout_ms;   /* for the whole negotiation */
    /* Signals that are let through while waiting for the peer, and only then; the wait ends with
     * ERR_STOPPED. NULL: the process's own mask stays, and a signal ends no wait. */
    const sigset_t *wait_mask;
    dcm_check *check;
    dcm_admit *admit;
    dcm_choose *choose;
    void *context;
};

/* For the process, before the first association and before any fork: DCMTK keeps silent, looks up no
 * host names, loads no dictionary. */
void dcm_init(void);

/* Negotiates on an accepted TCP socket, which it owns from then on. NULL: nothing was accepted (rejected,
 * aborted, garbage, silence), the peer has been told where the protocol allows it, err says what. */
struct dcm_association *dcm_accept(int socket, const struct dcm_accept_options *options,
                                   struct err *err);

const char *dcm_calling_aet(const struct dcm_association *association);
const char *dcm_called_aet(const struct dcm_association *association);
/* The largest PDU that the peer takes; 0: no limit. */
uint32_t dcm_peer_max_pdu(const struct dcm_association *association);
const struct dcm_context *dcm_contexts(const struct dcm_association *association, size_t *count);

/* The bytes of the connection (TLS or not). Read waits for some and returns how many, 0 at the end, -1 with
 * ERR_TIMEOUT, ERR_CLOSED or ERR_STOPPED. Reading re-arms TCP_QUICKACK: a sender that leaves Nagle's
 * algorithm on waits 40 ms per object for our acknowledgement otherwise. */
ssize_t dcm_read(struct dcm_association *association, void *bytes, size_t length, int timeout_ms,
                 struct err *err);
/* Writes all of it, in one send where the kernel can; signals do not end it. */
int dcm_write(struct dcm_association *association, const void *bytes, size_t length, int timeout_ms,
              struct err *err);

/* Tells the peer that nothing more comes, waits at most `linger_ms` for it to close (what it still sends is
 * thrown away: closing over it would destroy our last PDU on its way), closes and frees. Release and
 * abort PDUs are the caller's (net/). */
void dcm_close(struct dcm_association *association, int linger_ms);

#endif
