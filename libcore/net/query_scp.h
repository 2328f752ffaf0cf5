/*
 * Query as a provider, PS3.4 annex C: C-FIND of the Patient Root, Study Root and Patient/Study Only models,
 * answered from the index.
 */
#ifndef PACS_NET_QUERY_SCP_H
#define PACS_NET_QUERY_SCP_H

#include <stdbool.h>
#include <stdint.h>

#include "index/archive.h"
#include "net/dialogue.h"
#include "net/query_identifier.h"

/* The three services on the three models. */
enum query_service { QUERY_NONE, QUERY_FIND, QUERY_MOVE, QUERY_GET };
/* What a SOP class is; QUERY_NONE for any other. */
enum query_service query_class(const char *class_uid, enum query_model *model);

/* Extended negotiation, PS3.4 C.5.1.1: what is asked for and known is answered with yes. Of the requestor's item
 * makes the acceptor's; false for a class that is none of these. */
bool query_negotiate(struct dcm_extended *item);
/* What was agreed for the class, as it stands in the acceptor's item; NULL: nothing. */
struct query_negotiated query_agreed(const struct dcm_extended *item);

struct query_scp_options {
    struct archive *archive;
    const char *aet;  /* ours: Retrieve AE Title */
    uint64_t limit;   /* responses at most, 0: no limit; beyond it the answer is A700 */
    const char *peer; /* for messages */
};

/* A whole request with its identifier: sends all responses, the last one included, and looks for C-CANCEL in between. -1:
 * the association is of no use any more. */
int query_scp_find(struct dialogue *dialogue, const struct message *request,
                   const struct query_scp_options *options, struct err *err);

#endif
