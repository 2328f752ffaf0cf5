/*
 * Storage as a user, PS3.4 annex B: one stored object goes out as it lies in its file, without a data set
 * being built, in a presentation context of its transfer syntax.
 */
#ifndef PACS_NET_STORE_SCU_H
#define PACS_NET_STORE_SCU_H

#include "net/scu.h"

struct store_request {
    const struct dcm_context *context;
    const char *class_uid, *instance_uid;
    int fd;           /* of the file */
    uint64_t offset;  /* where the data set begins */
    uint64_t size;    /* its bytes; a NUL follows an odd number of them */
    const char *name; /* for messages */
    /* Of a C-MOVE (PS3.7 9.3.1.1); NULL otherwise. */
    const char *move_originator;
    uint16_t move_originator_id;
};

struct store_answer {
    uint16_t status;
    char comment[65];
};

struct store_sender; /* a buffer that is used again for each object */
struct store_sender *store_sender_new(void);
void store_sender_free(struct store_sender *sender);

/* Sends it and waits for the answer. 0: there is one. -1: the association is of no use any more; with
 * ERR_NOTFOUND or ERR_FAILED because the file could not be read to its end. */
int scu_store(struct scu *scu, struct store_sender *sender, const struct store_request *request,
              struct store_answer *answer, struct err *err);

/* Only the sending, on an association that was accepted (C-GET): `message_id` is ours on it, the answer comes to
 * the caller's own reader. */
int store_send(struct dcm_association *association, int timeout_ms, struct store_sender *sender,
               const struct store_request *request, uint16_t message_id, struct err *err);

#endif
