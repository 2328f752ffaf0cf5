/*
 * See dimse.h: the reader. PS3.8 section 9.3.5 and annex E: a P-DATA-TF PDU holds PDVs; a PDV holds a
 * fragment of a command set or of a data set; a message is a command set and, if it says so, a data set,
 * both of one presentation context.
 *
 * A state machine over one buffer. Heads of PDUs and PDVs are taken when all their bytes are there;
 * fragments of data sets are handed on where they lie, as they come; fragments of command sets are
 * collected.
 */
#include "net/dimse.h"

#include <stdlib.h>
#include <string.h>

#include "net/pdu.h"

/* No sender makes PDUs of this size; garbage is told early by it. What we announced is no bound: there
 * are senders that do not count the head, and the stream costs no memory. */
#define PDU_DATA_MAX  (64U << 20)
#define PDU_OTHER_MAX 1024U

enum where { AT_PDU, AT_PDV, IN_PDV, IN_OTHER };

struct dimse_reader {
    uint8_t *bytes;
    size_t size, start, end; /* bytes[start, end) are to be looked at */
    enum where where;
    uint32_t pdu_left; /* of the PDU, behind what has been taken */
    uint32_t pdv_left;
    uint8_t pdv_context, pdv_control;
    uint8_t other_type;
    uint8_t other[4];
    uint32_t other_length;

    bool in_command; /* fragments of a command set have come, not the last */
    bool in_data;    /* the data set of `command` is on its way */
    uint8_t context_id;
    uint8_t set[DIMSE_COMMAND_MAX];
    size_t set_length;
    struct dimse_command command;

    const uint8_t *data;
    size_t data_length;
    bool broken;
    uint8_t abort_source, abort_reason;
    bool accepted[256];
};

struct dimse_reader *dimse_reader_new(size_t size)
{
    struct dimse_reader *reader = xcalloc(1, sizeof *reader);

    reader->size = size;
    reader->bytes = xmalloc(size);
    return reader;
}

void dimse_reader_free(struct dimse_reader *reader)
{
    if (!reader)
        return;
    free(reader->bytes);
    free(reader);
}

void dimse_reader_accept(struct dimse_reader *reader, uint8_t context_id)
{
    reader->accepted[context_id] = true;
}

void *dimse_space(struct dimse_reader *reader, size_t *room)
{
    /* What is left behind a DIMSE_MORE is at most a part of a head: moving it costs nothing. */
    if (reader->start > 0) {
        memmove(reader->bytes, reader->bytes + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    *room = reader->size - reader->end;
    return reader->bytes + reader->end;
}

void dimse_filled(struct dimse_reader *reader, size_t length)
{
    reader->end += length;
}

const struct dimse_command *dimse_command(const struct dimse_reader *reader)
{
    return &reader->command;
}

uint8_t dimse_context_id(const struct dimse_reader *reader)
{
    return reader->context_id;
}

const uint8_t *dimse_data(const struct dimse_reader *reader, size_t *length)
{
    *length = reader->data_length;
    return reader->data;
}

bool dimse_inside(const struct dimse_reader *reader)
{
    return reader->in_command || reader->in_data || reader->where != AT_PDU ||
           reader->start < reader->end;
}

uint8_t dimse_abort_reason(const struct dimse_reader *reader)
{
    return reader->abort_reason;
}

uint8_t dimse_abort_source(const struct dimse_reader *reader)
{
    return reader->abort_source;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum dimse_event broken(struct dimse_reader *reader, enum pdu_abort_reason reason)
{
    reader->broken = true;
    reader->abort_source = PDU_ABORT_PROVIDER;
    reader->abort_reason = (uint8_t)reason;
    return DIMSE_BROKEN;
}

/* The head of a PDU. DIMSE_MORE: taken. */
static enum dimse_event take_pdu(struct dimse_reader *reader, struct err *err)
{
    const uint8_t *head = reader->bytes + reader->start;
    uint8_t type = head[0];
    uint32_t length = get32(head + 2);

    reader->start += PDU_HEAD;
    reader->pdu_left = length;
    switch (type) {
    case PDU_DATA:
        if (length < PDV_HEAD || length > PDU_DATA_MAX) {
            err_set(err, ERR_INPUT, "P-DATA of %u bytes", (unsigned)length);
            return broken(reader, PDU_REASON_INVALID_PARAMETER);
        }
        reader->where = AT_PDV;
        return DIMSE_MORE;
    case PDU_RELEASE_RQ:
    case PDU_RELEASE_RP:
    case PDU_ABORT:
        if (length < 4 || length > PDU_OTHER_MAX) {
            err_set(err, ERR_INPUT, "PDU of type %02x with %u bytes", type, (unsigned)length);
            return broken(reader, PDU_REASON_INVALID_PARAMETER);
        }
        reader->where = IN_OTHER;
        reader->other_type = type;
        reader->other_length = 0;
        return DIMSE_MORE;
    case PDU_ASSOCIATE_RQ:
    case PDU_ASSOCIATE_AC:
    case PDU_ASSOCIATE_RJ:
        err_set(err, ERR_INPUT, "PDU of type %02x inside an association", type);
        return broken(reader, PDU_REASON_UNEXPECTED_PDU);
    default:
        err_set(err, ERR_INPUT, "PDU of unknown type %02x", type);
        return broken(reader, PDU_REASON_UNRECOGNIZED_PDU);
    }
}

/* The rest of a short PDU; its first four bytes are kept. */
static enum dimse_event take_other(struct dimse_reader *reader)
{
    while (reader->pdu_left > 0 && reader->start < reader->end) {
        uint8_t byte = reader->bytes[reader->start++];
        if (reader->other_length < sizeof reader->other)
            reader->other[reader->other_length++] = byte;
        reader->pdu_left--;
    }
    if (reader->pdu_left > 0)
        return DIMSE_MORE;
    reader->where = AT_PDU;
    switch (reader->other_type) {
    case PDU_RELEASE_RQ:
        return DIMSE_RELEASE;
    case PDU_RELEASE_RP:
        return DIMSE_RELEASED;
    default:
        reader->abort_source = reader->other[2];
        reader->abort_reason = reader->other[3];
        return DIMSE_ABORT;
    }
}

/* The head of a PDV, against what has come before. DIMSE_MORE: taken. */
static enum dimse_event take_pdv(struct dimse_reader *reader, struct err *err)
{
    const uint8_t *head = reader->bytes + reader->start;
    uint32_t length = get32(head);
    uint8_t context = head[4], control = head[5];
    bool command = control & PDV_COMMAND;

    reader->start += PDV_HEAD;
    if (length < 2 || length > reader->pdu_left - 4) {
        err_set(err, ERR_INPUT, "PDV of %u bytes in %u bytes of PDU", (unsigned)length,
                (unsigned)reader->pdu_left);
        return broken(reader, PDU_REASON_INVALID_PARAMETER);
    }
    if (!reader->accepted[context]) {
        err_set(err, ERR_INPUT, "presentation context %u was not accepted", context);
        return broken(reader, PDU_REASON_INVALID_PARAMETER);
    }
    if ((reader->in_command || reader->in_data) && context != reader->context_id) {
        err_set(err, ERR_INPUT, "presentation context %u inside a message of %u", context,
                reader->context_id);
        return broken(reader, PDU_REASON_INVALID_PARAMETER);
    }
    if (command ? reader->in_data : !reader->in_data) {
        err_set(err, ERR_INPUT, command ? "command inside a data set" : "data without a command");
        return broken(reader, PDU_REASON_UNEXPECTED_PARAMETER);
    }
    if (command && !reader->in_command) {
        reader->in_command = true;
        reader->context_id = context;
        reader->set_length = 0;
    }
    reader->pdu_left -= 4 + length;
    reader->pdv_left = length - 2;
    reader->pdv_context = context;
    reader->pdv_control = control;
    reader->where = IN_PDV;
    return DIMSE_MORE;
}

/* A command set is complete. */
static enum dimse_event end_command(struct dimse_reader *reader, struct err *err)
{
    reader->in_command = false;
    if (dimse_parse(reader->set, reader->set_length, &reader->command, err) < 0)
        return broken(reader, PDU_REASON_INVALID_PARAMETER);
    reader->in_data = reader->command.has_data;
    return DIMSE_COMMAND;
}

static enum dimse_event end_pdv(struct dimse_reader *reader, struct err *err)
{
    reader->where = reader->pdu_left > 0 ? AT_PDV : AT_PDU;
    if (!(reader->pdv_control & PDV_LAST))
        return DIMSE_MORE;
    if (reader->pdv_control & PDV_COMMAND)
        return end_command(reader, err);
    /* Who asks us to store waits for the answer: bytes behind the object are none of another message, and
     * so the end that was marked is none either. */
    if (reader->pdu_left > 0 && reader->command.field == DIMSE_C_STORE) {
        err_set(err, ERR_INPUT, "%u bytes behind the last fragment of an object",
                (unsigned)reader->pdu_left);
        return broken(reader, PDU_REASON_UNEXPECTED_PARAMETER);
    }
    reader->in_data = false;
    return DIMSE_DATA_END;
}

/* Bytes of a fragment. DIMSE_MORE: what was there has been taken. */
static enum dimse_event take_fragment(struct dimse_reader *reader, struct err *err)
{
    size_t there = reader->end - reader->start;
    size_t part = there < reader->pdv_left ? there : reader->pdv_left;
    const uint8_t *bytes = reader->bytes + reader->start;

    reader->start += part;
    reader->pdv_left -= (uint32_t)part;
    if (reader->pdv_control & PDV_COMMAND) {
        if (part > sizeof reader->set - reader->set_length) {
            err_set(err, ERR_INPUT, "command set of more than %d bytes", DIMSE_COMMAND_MAX);
            return broken(reader, PDU_REASON_INVALID_PARAMETER);
        }
        memcpy(reader->set + reader->set_length, bytes, part);
        reader->set_length += part;
    } else if (part > 0) {
        reader->data = bytes;
        reader->data_length = part;
        return DIMSE_DATA;
    }
    return DIMSE_MORE;
}

enum dimse_event dimse_next(struct dimse_reader *reader, struct err *err)
{
    reader->data = NULL;
    reader->data_length = 0;
    if (reader->broken) {
        err_set(err, ERR_INPUT, "the stream is broken");
        return DIMSE_BROKEN;
    }
    for (;;) {
        size_t there = reader->end - reader->start;
        enum dimse_event event = DIMSE_MORE;

        switch (reader->where) {
        case AT_PDU:
            if (there < PDU_HEAD)
                return DIMSE_MORE;
            event = take_pdu(reader, err);
            break;
        case AT_PDV:
            if (reader->pdu_left < PDV_HEAD) {
                err_set(err, ERR_INPUT, "%u bytes behind the last PDV", (unsigned)reader->pdu_left);
                return broken(reader, PDU_REASON_INVALID_PARAMETER);
            }
            if (there < PDV_HEAD)
                return DIMSE_MORE;
            event = take_pdv(reader, err);
            break;
        case IN_PDV:
            if (reader->pdv_left == 0)
                event = end_pdv(reader, err);
            else if (there == 0)
                return DIMSE_MORE;
            else
                event = take_fragment(reader, err);
            break;
        case IN_OTHER:
            event = take_other(reader);
            if (event == DIMSE_MORE)
                return DIMSE_MORE;
            break;
        }
        if (event != DIMSE_MORE)
            return event;
    }
}
