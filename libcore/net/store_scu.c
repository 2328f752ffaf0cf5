/*
 * See store_scu.h. The buffer is laid out as the wire wants it: command, then PDUs whose heads are written around
 * the bytes that are read from the file to their places. One send for an ordinary object, TCP_NODELAY, no
 * copy (LIMITS.md section 5: twice to three times what a parsed data set gives; sendfile is slower).
 */
#include "net/store_scu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "net/pdu.h"

#define BUFFER ((size_t)1 << 20)
/* A peer without a limit gets PDUs of this size. */
#define PDU_USUAL 131072
#define HEADS     (PDU_HEAD + PDV_HEAD)

struct store_sender {
    struct buf command;
    uint8_t *buffer;
};

struct store_sender *store_sender_new(void)
{
    struct store_sender *sender = xcalloc(1, sizeof *sender);

    sender->buffer = xmalloc(BUFFER);
    return sender;
}

void store_sender_free(struct store_sender *sender)
{
    if (!sender)
        return;
    buf_free(&sender->command);
    free(sender->buffer);
    free(sender);
}

static void put32(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* One PDU with one PDV around `part` bytes that follow. */
static void put_heads(uint8_t *at, size_t part, uint8_t context_id, bool last)
{
    at[0] = PDU_DATA;
    at[1] = 0;
    put32(at + 2, part + PDV_HEAD);
    put32(at + 6, part + 2);
    at[10] = context_id;
    at[11] = last ? PDV_LAST : 0;
}

static size_t put_request(struct store_sender *sender, const struct store_request *request,
                          uint16_t message_id, uint32_t max_pdu)
{
    struct dimse_command command = {.field = DIMSE_C_STORE, .has_data = true};

    command.message_id = message_id;
    strncpy(command.class_uid, request->class_uid, sizeof command.class_uid - 1);
    strncpy(command.instance_uid, request->instance_uid, sizeof command.instance_uid - 1);
    if (request->move_originator) {
        strncpy(command.originator, request->move_originator, sizeof command.originator - 1);
        command.originator_id = request->move_originator_id;
    }
    buf_clear(&sender->command);
    dimse_put_command(&sender->command, request->context->id, &command, max_pdu);
    memcpy(sender->buffer, sender->command.data, sender->command.length);
    return sender->command.length;
}

static int read_part(const struct store_request *request, uint64_t at, uint8_t *to, size_t part,
                     struct err *err)
{
    ssize_t got = pread_all(request->fd, to, part, (off_t)(request->offset + at));

    if (got < 0)
        return err_sys(err, "%s", request->name);
    if ((size_t)got < part)
        return err_set(err, ERR_FAILED, "%s: became shorter while it was sent", request->name);
    return 0;
}

int store_send(struct dcm_association *association, int timeout_ms, struct store_sender *sender,
               const struct store_request *request, uint16_t message_id, struct err *err)
{
    uint32_t max_pdu = dcm_peer_max_pdu(association);
    size_t most = max_pdu == 0 ? PDU_USUAL : max_pdu < PDV_HEAD + 2 ? 2 : max_pdu - PDV_HEAD;
    size_t filled = put_request(sender, request, message_id, max_pdu);
    uint64_t at = 0;

    /* Fragments of even length (PS3.8 annex E.1), and no larger than fits the buffer. */
    if (most > PDU_USUAL)
        most = PDU_USUAL;
    most &= ~(size_t)1;
    do {
        uint64_t left = request->size - at;
        size_t part = left < most ? (size_t)left : most;

        if (filled + HEADS + part + 1 > BUFFER) {
            if (dcm_write(association, sender->buffer, filled, timeout_ms, err) < 0)
                return -1;
            filled = 0;
        }
        /* A data set of odd length is broken; a fragment of odd length ends the association with many a peer. */
        size_t pad = part & 1;

        put_heads(sender->buffer + filled, part + pad, request->context->id, part == left);
        if (read_part(request, at, sender->buffer + filled + HEADS, part, err) < 0)
            return -1;
        sender->buffer[filled + HEADS + part] = 0;
        filled += HEADS + part + pad;
        at += part;
    } while (at < request->size);
    return dcm_write(association, sender->buffer, filled, timeout_ms, err);
}

int scu_store(struct scu *scu, struct store_sender *sender, const struct store_request *request,
              struct store_answer *answer, struct err *err)
{
    struct message message;
    uint16_t message_id = scu_message_id(scu);

    if (store_send(scu_association(scu), (int)scu_peer(scu)->timeout * 1000, sender, request,
                   message_id, err) < 0)
        return -1;
    if (scu_receive(scu, &message, NULL, err) < 0)
        return -1;
    if (message.command->field != (DIMSE_C_STORE | DIMSE_RESPONSE) ||
        message.command->message_id != message_id)
        return err_set(err, ERR_INPUT, "%s: answered something else than C-STORE",
                       scu_peer(scu)->name);
    answer->status = message.command->status;
    memcpy(answer->comment, message.command->comment, sizeof answer->comment);
    return 0;
}
