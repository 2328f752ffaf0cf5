/*
 * DIMSE messages, PS3.7: command sets parsed and built, and the reader that takes the stream of P-DATA
 * apart into commands and fragments of data sets.
 *
 * Plain C over bytes: no socket, no file. All that comes in is hostile: a command set is bounded, what
 * a length claims is never asked for in memory, and data pass through where they lie in the buffer.
 */
#ifndef PACS_NET_DIMSE_H
#define PACS_NET_DIMSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

/* Command Field, PS3.7 section E.1; a response has the bit 0x8000. */
enum dimse_field {
    DIMSE_C_STORE = 0x0001,
    DIMSE_C_GET = 0x0010,
    DIMSE_C_FIND = 0x0020,
    DIMSE_C_MOVE = 0x0021,
    DIMSE_C_ECHO = 0x0030,
    DIMSE_N_EVENT_REPORT = 0x0100,
    DIMSE_N_GET = 0x0110,
    DIMSE_N_SET = 0x0120,
    DIMSE_N_ACTION = 0x0130,
    DIMSE_N_CREATE = 0x0140,
    DIMSE_N_DELETE = 0x0150,
    DIMSE_C_CANCEL = 0x0FFF,
    DIMSE_RESPONSE = 0x8000
};

/* Status, PS3.7 annex C and PS3.4 table B.2-1. */
enum dimse_status {
    STATUS_SUCCESS = 0x0000,
    STATUS_SOP_CLASS_NOT_SUPPORTED = 0x0122,
    STATUS_UNRECOGNIZED_OPERATION = 0x0211,
    STATUS_OUT_OF_RESOURCES = 0xA700,
    STATUS_DOES_NOT_MATCH_CLASS = 0xA900,
    STATUS_CANNOT_UNDERSTAND = 0xC000,
    STATUS_CONFLICT =
        0xC001 /* ours, of the range "cannot understand": UID taken by other content */
};

#define DIMSE_COMMAND_MAX 16384 /* bytes of a command set; real ones have 100 to 300 */

/* Those elements of a command set that services use. Text has its padding removed and ends with NUL. */
struct dimse_command {
    uint16_t field;        /* (0000,0100) */
    uint16_t message_id;   /* (0000,0110); of a response (0000,0120) */
    uint16_t status;       /* (0000,0900), responses */
    uint16_t priority;     /* (0000,0700) */
    uint16_t action;       /* (0000,1008) action type, (0000,1002) event type */
    bool has_data;         /* (0000,0800) is not 0101 */
    bool cut;              /* a text below was longer than its field, and is cut */
    char class_uid[65];    /* (0000,0002) affected, or (0000,0003) requested SOP class */
    char instance_uid[65]; /* (0000,1000) affected, or (0000,1001) requested SOP instance */
    char destination[17];  /* (0000,0600) of a C-MOVE */
    char originator[17];   /* (0000,1030) move originator, and its message */
    uint16_t originator_id;
    char comment[65]; /* (0000,0902) error comment */
    /* (0000,1020) to (0000,1023), of responses to C-GET and C-MOVE. */
    bool has_counts;
    bool has_remaining; /* only of pending and cancelled ones: PS3.4 C.4.2.1.6 */
    uint16_t remaining, completed, failed, warning;
};

/* A whole command set, implicit VR little endian. -1: it is none. */
int dimse_parse(const uint8_t *bytes, size_t length, struct dimse_command *command,
                struct err *err);
/* Appends the command set as PDUs for a peer that takes `max_pdu`. */
void dimse_put_command(struct buf *out, uint8_t context_id, const struct dimse_command *command,
                       uint32_t max_pdu);
/* The response to a request: field, message and UIDs are its; no data set follows. `comment` (cut to 64
 * characters, made printable) may be NULL. */
void dimse_answer(const struct dimse_command *request, uint16_t status, const char *comment,
                  struct dimse_command *answer);

/* ---- reading ---- */

enum dimse_event {
    DIMSE_BROKEN = -1, /* no DIMSE: err says why; abort with dimse_abort_reason */
    DIMSE_MORE = 0,    /* the buffer is used up: dimse_space, read, dimse_filled */
    DIMSE_COMMAND,     /* a command set is complete */
    DIMSE_DATA,        /* some bytes of its data set */
    DIMSE_DATA_END,    /* the data set is complete; follows also a data set without bytes */
    DIMSE_RELEASE,     /* A-RELEASE-RQ */
    DIMSE_RELEASED,    /* A-RELEASE-RP */
    DIMSE_ABORT        /* A-ABORT */
};

struct dimse_reader;

/* `size`: of the buffer, at least 64 bytes. */
struct dimse_reader *dimse_reader_new(size_t size);
void dimse_reader_free(struct dimse_reader *reader);
/* Only messages of these contexts pass. */
void dimse_reader_accept(struct dimse_reader *reader, uint8_t context_id);

/* Where the next bytes from the network go; never without room after DIMSE_MORE. */
void *dimse_space(struct dimse_reader *reader, size_t *room);
void dimse_filled(struct dimse_reader *reader, size_t length);

/* The next event. What it points to is borrowed until the next call. */
enum dimse_event dimse_next(struct dimse_reader *reader, struct err *err);

/* Of the message whose command came last, from DIMSE_COMMAND on. */
const struct dimse_command *dimse_command(const struct dimse_reader *reader);
uint8_t dimse_context_id(const struct dimse_reader *reader);
/* Of DIMSE_DATA. */
const uint8_t *dimse_data(const struct dimse_reader *reader, size_t *length);
/* Something of a message or a PDU has come and more must follow. */
bool dimse_inside(const struct dimse_reader *reader);
/* Of DIMSE_BROKEN: for the A-ABORT. Of DIMSE_ABORT: what the peer said. */
uint8_t dimse_abort_reason(const struct dimse_reader *reader);
uint8_t dimse_abort_source(const struct dimse_reader *reader);

#endif
