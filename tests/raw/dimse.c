/*
 * See dimse.h. PS3.7, sections 9.3.1 and 9.3.5, annex E; PS3.8, section 9.3.5.
 */
#include "dimse.h"

#include <stdio.h>
#include <string.h>

static const char verification[] = "1.2.840.10008.1.1";

enum {
    C_STORE_RQ = 0x0001,
    C_ECHO_RQ = 0x0030,
    NO_DATA_SET = 0x0101,
    A_DATA_SET = 0x0001,
    PDV_HEAD = 6, /* length, context, control */
    PDVS_IN_PDU = 400,
    PARTS = 1024
};

/* ---- command sets: implicit little endian ---- */

static void add_head(struct buf *out, uint32_t element, size_t length)
{
    unsigned char head[8] = {0,
                             0,
                             (unsigned char)element,
                             (unsigned char)(element >> 8),
                             (unsigned char)length,
                             (unsigned char)(length >> 8),
                             (unsigned char)(length >> 16),
                             (unsigned char)(length >> 24)};

    buf_add(out, head, sizeof head);
}

static bool omitted(const struct manner *manner, uint32_t element)
{
    char name[16];

    snprintf(name, sizeof name, "0000,%04X", element);
    return manner->omit && strcasestr(manner->omit, name);
}

static void add_number(struct buf *out, const struct manner *manner, uint32_t element,
                       uint32_t value)
{
    if (omitted(manner, element))
        return;
    add_head(out, element, 2);
    buf_addc(out, (char)value);
    buf_addc(out, (char)(value >> 8));
}

static void add_uid(struct buf *out, const struct manner *manner, uint32_t element, const char *uid)
{
    size_t length = strlen(uid);

    if (omitted(manner, element))
        return;
    add_head(out, element, length + length % 2);
    buf_add(out, uid, length + length % 2); /* the NUL is the padding */
}

static void build_command(const struct manner *manner, const struct object *object,
                          uint32_t message_id, struct buf *out)
{
    uint32_t field = object ? C_STORE_RQ : C_ECHO_RQ;

    if (!omitted(manner, 0x0000)) {
        add_head(out, 0x0000, 4);
        buf_add(out, "\0\0\0\0", 4);
    }
    size_t counted = out->length;
    add_uid(out, manner, 0x0002, object ? object->class_uid : verification);
    add_number(out, manner, 0x0100,
               manner->command_field ? (uint32_t)manner->command_field : field);
    add_number(out, manner, 0x0110, message_id);
    if (object)
        add_number(out, manner, 0x0700, 0);
    add_number(out, manner, 0x0800, object && !manner->no_data ? A_DATA_SET : NO_DATA_SET);
    if (object)
        add_uid(out, manner, 0x1000, object->instance_uid);
    if (manner->extra > 0) {
        add_head(out, 0x4010, (size_t)manner->extra);
        memset(buf_reserve(out, (size_t)manner->extra), 'x', (size_t)manner->extra);
        out->length += (size_t)manner->extra;
    }
    if (counted > 0) {
        uint32_t length = (uint32_t)(out->length - counted + (size_t)manner->group_length_lie);
        unsigned char *at = (unsigned char *)out->data + counted - 4;

        for (int i = 0; i < 4; i++)
            at[i] = (unsigned char)(length >> 8 * i);
    }
}

/* ---- messages into PDUs, many of them in one call of the kernel ---- */

struct stream {
    const unsigned char *bytes;
    size_t length;
    size_t at;
    bool command;
    bool begun;
};

struct packer {
    struct association *association;
    const struct manner *manner;
    uint8_t context_id;
    size_t room; /* for PDVs in a PDU */
    unsigned char heads[PARTS * PDV_HEAD];
    size_t heads_used;
    struct iovec parts[PARTS];
    int count;
};

static int flush(struct packer *packer, struct err *err)
{
    int status = wire_send(&packer->association->wire, packer->parts, packer->count, err);

    packer->count = 0;
    packer->heads_used = 0;
    return status;
}

static unsigned char *add_head_part(struct packer *packer, bool joined)
{
    unsigned char *head = packer->heads + packer->heads_used;

    packer->heads_used += PDV_HEAD;
    /* The PDU's head and that of its first PDV lie behind each other: one part. */
    if (joined)
        packer->parts[packer->count - 1].iov_len += PDV_HEAD;
    else
        packer->parts[packer->count++] = (struct iovec){head, PDV_HEAD};
    return head;
}

/* One PDV of the stream, with at most `room` bytes of it. Returns what it takes in the PDU. */
static size_t add_pdv(struct packer *packer, struct stream *stream, size_t room, bool first)
{
    const struct manner *manner = packer->manner;
    unsigned char *head = add_head_part(packer, first);
    size_t some = stream->length - stream->at;
    size_t most = manner->pdv && !stream->command ? manner->pdv : room;

    most = most < room ? most : room;
    some = some < most ? some : most;
    bool last = stream->at + some == stream->length && !(manner->no_last && !stream->command);
    put32(head, (uint32_t)(some + 2));
    if (!stream->begun && !stream->command)
        put32(head, (uint32_t)(some + 2 + (size_t)manner->pdv_lie));
    head[4] = packer->context_id;
    head[5] = (unsigned char)((stream->command ? 1 : 0) | (last ? 2 : 0));
    if (some > 0)
        packer->parts[packer->count++] = (struct iovec){(void *)(stream->bytes + stream->at), some};
    stream->at += some;
    stream->begun = true;
    return PDV_HEAD + some;
}

static bool left(const struct stream *stream)
{
    return !stream->begun || stream->at < stream->length;
}

/* One PDU from the first stream that has bytes left; from both with --together. */
static int add_pdu(struct packer *packer, struct stream *streams, int count, struct err *err)
{
    const struct manner *manner = packer->manner;
    size_t size = 0;
    bool first_data = false;
    int pdvs = 0;

    if (wire_abort_due(&packer->association->wire)) {
        if (flush(packer, err) < 0)
            return -1;
        association_abort(packer->association);
        return err_set(err, ERR_CLOSED, "aborted, as told");
    }
    unsigned char *head = add_head_part(packer, false);
    for (int i = 0; i < count; i++) {
        while (left(&streams[i]) && size + PDV_HEAD < packer->room && pdvs < PDVS_IN_PDU) {
            first_data = first_data || (!streams[i].command && !streams[i].begun);
            size += add_pdv(packer, &streams[i], packer->room - size - PDV_HEAD, pdvs == 0);
            pdvs++;
        }
        if (!manner->together || left(&streams[i]))
            break;
    }
    head[0] = PDU_DATA;
    head[1] = 0;
    put32(head + 2, (uint32_t)(size + (first_data ? (size_t)manner->pdu_lie : 0)));
    return 0;
}

static int send_message(struct association *association, const struct manner *manner,
                        uint8_t context_id, struct stream *streams, int count, struct err *err)
{
    struct packer packer = {.association = association, .manner = manner, .context_id = context_id};
    uint32_t most = association->peer_max_pdu ? association->peer_max_pdu : 131072;

    packer.room = manner->max_pdu ? manner->max_pdu : most < 131072 ? most : 131072;
    if (packer.room > most && !manner->beyond)
        packer.room = most;
    if (packer.room <= PDV_HEAD)
        return err_set(err, ERR_INPUT, "PDUs of %zu bytes hold nothing", packer.room);
    bool by_pdu = association->wire.stock || manner->pdv > 0 || manner->together ||
                  (association->wire.armed && association->wire.fault.kind == FAULT_ABORT);
    if (manner->odd_pdu) {
        unsigned char odd[16] = {(unsigned char)manner->odd_pdu, 0, 0, 0, 0, 10};

        if (wire_send_bytes(&association->wire, odd, sizeof odd, err) < 0)
            return -1;
    }
    for (int i = 0; i < count; i++) {
        while (left(&streams[i])) {
            if (add_pdu(&packer, streams + i, count - i, err) < 0)
                return -1;
            if ((by_pdu || packer.count + 4 > PARTS) && flush(&packer, err) < 0)
                return -1;
        }
    }
    return flush(&packer, err);
}

/* ---- answers ---- */

static void read_text(char *out, size_t size, const unsigned char *value, size_t length)
{
    length = length < size - 1 ? length : size - 1;
    memcpy(out, value, length);
    out[length] = '\0';
    for (size_t i = 0; i < length; i++)
        if (out[i] != '\0' && ((unsigned char)out[i] < ' ' || out[i] == 0x7f))
            out[i] = '?';
    length = strlen(out);
    while (length > 0 && out[length - 1] == ' ')
        out[--length] = '\0';
}

static int read_command(const struct buf *command, uint32_t message_id, struct answer *answer,
                        struct err *err)
{
    const unsigned char *at = (const unsigned char *)command->data;
    size_t length = command->length;
    uint32_t responded = 0x10000;

    while (length >= 8) {
        uint32_t element = at[2] | (uint32_t)at[3] << 8;
        size_t size = at[4] | (size_t)at[5] << 8 | (size_t)at[6] << 16 | (size_t)at[7] << 24;

        if (at[0] != 0 || at[1] != 0 || size > length - 8)
            return err_set(err, ERR_INPUT, "the answer's command set is broken");
        at += 8;
        if (element == 0x0900 && size == 2)
            answer->status = at[0] | (uint32_t)at[1] << 8, answer->came = true;
        else if (element == 0x0120 && size == 2)
            responded = at[0] | (uint32_t)at[1] << 8;
        else if (element == 0x0902)
            read_text(answer->comment, sizeof answer->comment, at, size);
        else if (element == 0x1000)
            read_text(answer->instance_uid, sizeof answer->instance_uid, at, size);
        at += size;
        length -= size + 8;
    }
    if (!answer->came)
        return err_set(err, ERR_INPUT, "an answer without status came");
    if (responded != message_id)
        return err_set(err, ERR_INPUT, "an answer to message %u instead of %u came", responded,
                       message_id);
    return 0;
}

static int read_answer(struct association *association, uint32_t message_id, struct answer *answer,
                       struct err *err)
{
    struct buf body = {0}, command = {0};
    bool last = false;
    int status = -1;

    while (!last) {
        uint8_t type = 0;

        if (wire_read(&association->wire, &type, &body, err) < 0)
            goto out;
        if (type != PDU_DATA) {
            association_unexpected(type, &body, err);
            goto out;
        }
        const unsigned char *at = (const unsigned char *)body.data;
        for (size_t rest = body.length; rest > 0;) {
            size_t size = rest >= PDV_HEAD ? get32(at) : 0;

            if (size < 2 || size > rest - 4) {
                err_set(err, ERR_INPUT, "a broken PDV came");
                goto out;
            }
            if (at[5] & 1)
                buf_add(&command, at + PDV_HEAD, size - 2);
            last = last || (at[5] & 3) == 3;
            at += size + 4;
            rest -= size + 4;
        }
    }
    status = read_command(&command, message_id, answer, err);
out:
    buf_free(&body);
    buf_free(&command);
    return status;
}

/* A peer that has had enough may have said why before it closed. */
static void ask_why(struct association *association, struct err *err)
{
    struct answer none = {0};
    struct err why = {0};

    if (read_answer(association, 0, &none, &why) < 0 && strstr(why.text, "aborted by"))
        err_prefix(err, "%s", why.text);
}

static int exchange(struct association *association, const struct manner *manner,
                    const struct object *object, int context, uint32_t message_id,
                    struct answer *answer, struct err *err)
{
    struct buf command = {0};
    uint8_t id = (uint8_t)(manner->context_id ? manner->context_id : 2 * context + 1);
    int status;

    build_command(manner, object, message_id, &command);
    struct stream streams[2] = {
        {(const unsigned char *)command.data, command.length, 0, true, false}};
    if (object) {
        struct stream data = {object->data, object->length, 0, false, false};

        streams[1] = manner->data_first ? streams[0] : data;
        streams[0] = manner->data_first ? data : streams[0];
    }
    status = send_message(association, manner, id, streams, object ? 2 : 1, err);
    if (status == 0)
        status = read_answer(association, message_id, answer, err);
    else if (err->code == ERR_CLOSED && association->wire.fd >= 0)
        ask_why(association, err);
    buf_free(&command);
    return status;
}

int dimse_store(struct association *association, const struct manner *manner,
                const struct object *object, uint32_t message_id, struct answer *answer,
                struct err *err)
{
    int context = association_context(association, object->class_uid, object->syntax_uid);

    *answer = (struct answer){0};
    if (context < 0 && manner->context_id == 0) {
        snprintf(answer->comment, sizeof answer->comment, "presentation context not accepted");
        return 0;
    }
    return exchange(association, manner, object, context, message_id, answer, err);
}

int dimse_echo(struct association *association, const struct manner *manner, uint32_t message_id,
               struct answer *answer, struct err *err)
{
    int context = association_context(association, verification, "1.2.840.10008.1.2");

    *answer = (struct answer){0};
    if (context < 0 && manner->context_id == 0)
        return err_set(err, ERR_FAILED, "verification: presentation context not accepted");
    return exchange(association, manner, NULL, context, message_id, answer, err);
}
