/*
 * See association.h. PS3.8, section 9.3.
 */
#include "association.h"

#include <stdio.h>
#include <string.h>

static const char application_context[] = "1.2.840.10008.3.1.1.1";
static const char implementation_class[] = "2.25.189742603617520634981150348672";
static const char implementation_version[] = "RAWSCU";

int association_propose(struct association *association, const char *abstract_syntax,
                        const char *transfer_syntax)
{
    struct context *context = association->contexts;

    for (int i = 0; i < association->context_count; i++, context++)
        if (strcmp(context->abstract_syntax, abstract_syntax) == 0 &&
            strcmp(context->transfer_syntax, transfer_syntax) == 0)
            return i;
    if (association->context_count == CONTEXTS_MAX)
        return -1;
    snprintf(context->abstract_syntax, sizeof context->abstract_syntax, "%s", abstract_syntax);
    snprintf(context->transfer_syntax, sizeof context->transfer_syntax, "%s", transfer_syntax);
    context->result = -1;
    return association->context_count++;
}

int association_context(const struct association *association, const char *abstract_syntax,
                        const char *transfer_syntax)
{
    for (int i = 0; i < association->context_count; i++) {
        const struct context *context = &association->contexts[i];

        if (context->result == 0 && strcmp(context->abstract_syntax, abstract_syntax) == 0 &&
            strcmp(context->transfer_syntax, transfer_syntax) == 0)
            return i;
    }
    return -1;
}

/* Items and sub-items: type, reserved, length of two bytes. */
static size_t item_begin(struct buf *out, uint8_t type)
{
    buf_addc(out, (char)type);
    buf_add(out, "\0\0\0", 3);
    return out->length;
}

static void item_end(struct buf *out, size_t start)
{
    put16((unsigned char *)out->data + start - 2, (uint32_t)(out->length - start));
}

static void add_item(struct buf *out, uint8_t type, const void *bytes, size_t length)
{
    size_t start = item_begin(out, type);

    buf_add(out, bytes, length);
    item_end(out, start);
}

static void add_title(struct buf *out, const char *title)
{
    char padded[17];

    snprintf(padded, sizeof padded, "%-16.16s", title);
    buf_add(out, padded, 16);
}

static void build_request(const struct association *association, const char *calling,
                          const char *called, uint32_t max_pdu, struct buf *out)
{
    static const char zeros[32];
    unsigned char number[4];

    buf_add(out, "\1\0\0\0\0\0", 6);
    buf_add(out, "\0\1\0\0", 4);
    add_title(out, called);
    add_title(out, calling);
    buf_add(out, zeros, 32);
    add_item(out, 0x10, application_context, strlen(application_context));
    for (int i = 0; i < association->context_count; i++) {
        const struct context *context = &association->contexts[i];
        size_t start = item_begin(out, 0x20);

        buf_addc(out, (char)(2 * i + 1));
        buf_add(out, zeros, 3);
        add_item(out, 0x30, context->abstract_syntax, strlen(context->abstract_syntax));
        add_item(out, 0x40, context->transfer_syntax, strlen(context->transfer_syntax));
        item_end(out, start);
    }
    size_t start = item_begin(out, 0x50);
    put32(number, max_pdu);
    add_item(out, 0x51, number, 4);
    add_item(out, 0x52, implementation_class, strlen(implementation_class));
    add_item(out, 0x55, implementation_version, strlen(implementation_version));
    item_end(out, start);
    put32((unsigned char *)out->data + 2, (uint32_t)(out->length - 6));
}

/* Calls back for each item of a list of items. */
static int read_items(const unsigned char *at, size_t length, struct association *association,
                      void (*take)(struct association *, uint8_t type, const unsigned char *,
                                   size_t))
{
    while (length >= 4) {
        size_t size = get16(at + 2);

        if (size > length - 4)
            return -1;
        take(association, at[0], at + 4, size);
        at += 4 + size;
        length -= 4 + size;
    }
    return length == 0 ? 0 : -1;
}

static void take_user_item(struct association *association, uint8_t type,
                           const unsigned char *value, size_t length)
{
    if (type == 0x51 && length == 4)
        association->peer_max_pdu = get32(value);
}

static void take_item(struct association *association, uint8_t type, const unsigned char *value,
                      size_t length)
{
    if (type == 0x50) {
        read_items(value, length, association, take_user_item);
    } else if (type == 0x21 && length >= 4) {
        int index = (value[0] - 1) / 2;

        if (index >= 0 && index < association->context_count)
            association->contexts[index].result = value[2];
    }
}

int association_unexpected(uint8_t type, const struct buf *body, struct err *err)
{
    const unsigned char *bytes = (const unsigned char *)body->data;

    if (type == PDU_ABORT && body->length >= 4)
        return err_set(err, ERR_CLOSED, "aborted by the peer, source %d reason %d", bytes[2],
                       bytes[3]);
    return err_set(err, ERR_INPUT, "an unexpected PDU of type %d came", type);
}

int association_request(struct association *association, const char *calling, const char *called,
                        uint32_t max_pdu, struct err *err)
{
    struct buf request = {0}, body = {0};
    uint8_t type = 0;
    int status = -1;

    build_request(association, calling, called, max_pdu, &request);
    if (wire_send_bytes(&association->wire, request.data, request.length, err) < 0 ||
        wire_read(&association->wire, &type, &body, err) < 0)
        goto out;
    if (type == PDU_ASSOCIATE_RJ && body.length >= 4) {
        association->rejected = true;
        association->reject_result = (uint8_t)body.data[1];
        association->reject_source = (uint8_t)body.data[2];
        association->reject_reason = (uint8_t)body.data[3];
        err_set(err, ERR_FAILED, "association rejected: result %d source %d reason %d",
                association->reject_result, association->reject_source, association->reject_reason);
    } else if (type != PDU_ASSOCIATE_AC) {
        association_unexpected(type, &body, err);
    } else if (body.length < 68 || read_items((const unsigned char *)body.data + 68,
                                              body.length - 68, association, take_item) < 0) {
        err_set(err, ERR_INPUT, "the A-ASSOCIATE-AC is broken");
    } else {
        status = 0;
    }
out:
    buf_free(&request);
    buf_free(&body);
    return status;
}

int association_release(struct association *association, struct err *err)
{
    struct buf body = {0};
    uint8_t type = 0;
    int status = -1;

    if (wire_send_bytes(&association->wire, "\5\0\0\0\0\4\0\0\0\0", 10, err) == 0 &&
        wire_read(&association->wire, &type, &body, err) == 0)
        status = type == PDU_RELEASE_RP ? 0 : association_unexpected(type, &body, err);
    buf_free(&body);
    return status;
}

void association_abort(struct association *association)
{
    association->wire.armed = false;
    wire_send_bytes(&association->wire, "\7\0\0\0\0\4\0\0\0\0", 10, NULL);
}
