/*
 * Storage commitment, push model, as a provider: PS3.4 annex J. A request is kept in state.db before it is answered;
 * what is reported is found out from the files themselves, when it is reported.
 */
#ifndef PACS_NET_COMMIT_SCP_H
#define PACS_NET_COMMIT_SCP_H

#include "dcmtk/tls.h"
#include "index/archive.h"
#include "net/dialogue.h"
#include "net/peers.h"

#define UID_COMMITMENT          "1.2.840.10008.1.20.1"
#define UID_COMMITMENT_INSTANCE "1.2.840.10008.1.20.1.1"

struct commit_scp_options {
    struct archive *archive;
    struct peers *peers;
    const char *calling_aet, *called_aet;
    const char *peer; /* for messages */
};

/* A whole N-ACTION request with its action information: kept, answered, and, for a peer that pacs.conf does not
 * know, reported on this association at once. -1: the association is of no use any more. */
int commit_scp_action(struct dialogue *dialogue, const struct message *request,
                      const struct commit_scp_options *options, struct err *err);

/* Reports what is due, each on an association of its own to the peer with that AE title; what fails is due again
 * later. Returns how many requests still wait, or -1. Does nothing, quickly, where there is no state.db. */
int64_t commit_deliver(struct archive *archive, struct peers *peers, struct err *err);

#endif
