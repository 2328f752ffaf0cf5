/*
 * Retrieval as a provider, PS3.4 annex C: C-MOVE to a peer of pacs.conf over one association, and C-GET back over
 * the association of the request.
 */
#ifndef PACS_NET_RETRIEVE_SCP_H
#define PACS_NET_RETRIEVE_SCP_H

#include <stdbool.h>

#include "index/archive.h"
#include "net/dialogue.h"
#include "net/peers.h"
#include "net/sender.h"

struct retrieve_scp_options {
    struct archive *archive;
    const char *calling_aet; /* of the requestor: Move Originator */
    struct peers *peers;     /* C-MOVE: where its destinations are looked up */
    struct transcoder *transcoder;
    bool (*stopping)(void); /* asked between two objects */
    const char *peer;       /* for messages */
};

/* A whole request with its identifier; all responses, the last one included; C-CANCEL is looked for between two
 * objects. -1: the association is of no use any more. */
int retrieve_scp_move(struct dialogue *dialogue, const struct message *request,
                      const struct retrieve_scp_options *options, struct err *err);
int retrieve_scp_get(struct dialogue *dialogue, const struct message *request,
                     const struct retrieve_scp_options *options, struct err *err);

#endif
