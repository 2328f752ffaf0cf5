/*
 * Protocol data units of the upper layer, PS3.8 section 9.3: their types, the check of an association
 * request before anything else parses it, and those that we send ourselves.
 */
#ifndef PACS_NET_PDU_H
#define PACS_NET_PDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

enum pdu_type {
    PDU_ASSOCIATE_RQ = 0x01,
    PDU_ASSOCIATE_AC = 0x02,
    PDU_ASSOCIATE_RJ = 0x03,
    PDU_DATA = 0x04,
    PDU_RELEASE_RQ = 0x05,
    PDU_RELEASE_RP = 0x06,
    PDU_ABORT = 0x07
};

#define PDU_HEAD          6          /* type, reserved, length */
#define PDU_ASSOCIATE_MAX (1U << 20) /* of an A-ASSOCIATE-RQ; 128 full contexts are half of it */
#define PDU_CONTEXTS_MAX  128        /* odd numbers from 1 to 255 */
#define PDU_SYNTAXES_MAX  256        /* transfer syntaxes of one context */
#define PDV_HEAD          6          /* length, context, message control header */
#define PDV_COMMAND       0x01       /* bits of the message control header, PS3.8 annex E.2 */
#define PDV_LAST          0x02

/* A-ABORT, PS3.8 section 9.3.8. */
enum pdu_abort_source { PDU_ABORT_USER = 0, PDU_ABORT_PROVIDER = 2 };
enum pdu_abort_reason {
    PDU_REASON_NONE = 0,
    PDU_REASON_UNRECOGNIZED_PDU = 1,
    PDU_REASON_UNEXPECTED_PDU = 2,
    PDU_REASON_UNRECOGNIZED_PARAMETER = 4,
    PDU_REASON_UNEXPECTED_PARAMETER = 5,
    PDU_REASON_INVALID_PARAMETER = 6
};

/* Judges an A-ASSOCIATE-RQ from the network: the first six bytes alone (length 6), so that no more than
 * is sensible is read, or the whole. Every item and sub-item keeps within what holds it and within
 * what a parser may be asked to keep; what is not known passes. Returns 0, or -1 with what is wrong
 * and the reason for the A-ABORT. */
int pdu_check_request(const uint8_t *pdu, size_t length, uint8_t *reason, struct err *err);

/* Each appends one PDU. */
void pdu_put_release_rp(struct buf *out);
void pdu_put_abort(struct buf *out, enum pdu_abort_source source, enum pdu_abort_reason reason);

/* Appends the bytes as P-DATA-TF PDUs of one PDV each, none with a variable field longer than `max_pdu`
 * (0: no limit; what a peer says below 7 counts as 7, so that there is progress). `command`: of a
 * command set, else of a data set. The last fragment is marked. */
void pdu_put_message(struct buf *out, uint8_t context_id, bool command, const void *bytes,
                     size_t length, uint32_t max_pdu);

#endif
