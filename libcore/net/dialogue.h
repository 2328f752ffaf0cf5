/*
 * Messages on an association, in both directions, whoever asked for it: one out, one in. What users and those
 * providers share that say more than one answer to a request.
 */
#ifndef PACS_NET_DIALOGUE_H
#define PACS_NET_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "dcmtk/association.h"
#include "net/dimse.h"

#define DIALOGUE_DATA_MAX (4 << 20) /* bytes of a data set that is taken into memory */

/* Borrows association and reader; `name` begins messages (NULL: whoever reads them says it). */
struct dialogue {
    struct dcm_association *association;
    struct dimse_reader *reader;
    int timeout_ms; /* of silence, and for a peer to take what we send */
    const char *name;
    bool broken;   /* no more words on it */
    bool released; /* the peer asked for a release: answered by whoever owns the association */
    struct buf out, data;
};
void dialogue_free(struct dialogue *dialogue);

/* Command and data set (NULL: none) in one send. */
int dialogue_send(struct dialogue *dialogue, uint8_t context_id,
                  const struct dimse_command *command, const void *data, size_t length,
                  struct err *err);

struct message {
    const struct dimse_command *command;
    uint8_t context_id;
    const uint8_t *data; /* the whole data set, NULL when there is none or it went to the sink */
    size_t length;
};

/* Where data sets go that are not to be taken into memory: begin says whether this one is such. */
struct message_sink {
    bool (*begin)(void *context, const struct dimse_command *command,
                  const struct dcm_context *presentation);
    void (*data)(void *context, const void *bytes, size_t length);
    void *context;
};

/* The next message; borrowed until the next call. -1: the peer released or aborted, closed, kept silent, sent what
 * is no DIMSE or a data set that is too large; the association is of no use then. `sink` may be NULL. */
int dialogue_receive(struct dialogue *dialogue, struct message *message,
                     const struct message_sink *sink, struct err *err);
/* The same without waiting: 1 and a message without a data set, 0 when there is none yet, -1. For C-CANCEL. */
int dialogue_poll(struct dialogue *dialogue, struct message *message, struct err *err);

const struct dcm_context *dialogue_context(const struct dialogue *dialogue, uint8_t id);

#endif
