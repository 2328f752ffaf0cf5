/*
 * See pdu.h.
 */
#include "net/pdu.h"

/* Items of an A-ASSOCIATE-RQ, PS3.8 tables 9-11 to 9-19 and annex D, PS3.7 annex D.3. */
enum {
    ITEM_APPLICATION_CONTEXT = 0x10,
    ITEM_CONTEXT = 0x20,
    ITEM_CONTEXT_RESULT = 0x21,
    ITEM_ABSTRACT_SYNTAX = 0x30,
    ITEM_TRANSFER_SYNTAX = 0x40,
    ITEM_USER_INFORMATION = 0x50,
    ITEM_MAXIMUM_LENGTH = 0x51,
    ITEM_IMPLEMENTATION_CLASS = 0x52,
    ITEM_ROLE = 0x54,
    ITEM_IMPLEMENTATION_VERSION = 0x55,
    ITEM_EXTENDED = 0x56,
    ITEM_USER_IDENTITY = 0x58
};

#define FIXED_FIELDS  68 /* protocol version to the end of the reserved 32 bytes */
#define UID_FIELD_MAX 64
#define ITEM_HEAD     4
#define NO_LIMIT      (1U << 30) /* what one PDU of ours holds at most */
#define SUBITEMS_MAX  4096

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* Bytes that are still to be looked at, and the item in front of them. */
struct items {
    const uint8_t *at;
    size_t left;
    uint8_t type;
    const uint8_t *value;
    size_t length;
};

/* Steps to the next item. 0: there is none; -1: it does not keep within what holds it. */
static int items_next(struct items *items)
{
    if (items->left == 0)
        return 0;
    if (items->left < ITEM_HEAD)
        return -1;
    items->type = items->at[0];
    items->length = get16(items->at + 2);
    items->value = items->at + ITEM_HEAD;
    if (items->length > items->left - ITEM_HEAD)
        return -1;
    items->at += ITEM_HEAD + items->length;
    items->left -= ITEM_HEAD + items->length;
    return 1;
}

static int check_context(const uint8_t *value, size_t length, struct err *err)
{
    struct items items = {.at = value + 4};
    int more, abstract = 0, transfer = 0;

    if (length < 4)
        return err_set(err, ERR_INPUT, "presentation context of %zu bytes", length);
    items.left = length - 4;
    while ((more = items_next(&items)) > 0) {
        abstract += items.type == ITEM_ABSTRACT_SYNTAX;
        transfer += items.type == ITEM_TRANSFER_SYNTAX;
        if (items.length > UID_FIELD_MAX)
            return err_set(err, ERR_INPUT, "presentation context %d: name of %zu bytes", value[0],
                           items.length);
    }
    if (more < 0)
        return err_set(err, ERR_INPUT, "presentation context %d: item longer than its context",
                       value[0]);
    if (abstract != 1)
        return err_set(err, ERR_INPUT, "presentation context %d: %d abstract syntaxes", value[0],
                       abstract);
    if (transfer < 1 || transfer > PDU_SYNTAXES_MAX)
        return err_set(err, ERR_INPUT, "presentation context %d: %d transfer syntaxes", value[0],
                       transfer);
    return 0;
}

/* The fields inside a sub-item of the user information. */
static bool user_item_sound(const struct items *item)
{
    const uint8_t *value = item->value;
    size_t length = item->length, first;

    switch (item->type) {
    case ITEM_MAXIMUM_LENGTH:
        return length == 4;
    case ITEM_IMPLEMENTATION_CLASS:
    case ITEM_IMPLEMENTATION_VERSION:
        return length <= UID_FIELD_MAX;
    case ITEM_ROLE: /* length, UID, two roles */
        return length >= 4 && get16(value) <= UID_FIELD_MAX && get16(value) + 4 == length;
    case ITEM_EXTENDED: /* length, UID, rest */
        return length >= 2 && get16(value) <= UID_FIELD_MAX && get16(value) + 2 <= length;
    case ITEM_USER_IDENTITY: /* type, response wanted, length, primary, length, secondary */
        if (length < 6)
            return false;
        first = get16(value + 2);
        return first <= length - 6 && get16(value + 4 + first) == length - 6 - first;
    default:
        return true;
    }
}

static int check_user_information(const uint8_t *value, size_t length, struct err *err)
{
    struct items items = {.at = value, .left = length};
    int more, count = 0, identities = 0;

    while ((more = items_next(&items)) > 0) {
        identities += items.type == ITEM_USER_IDENTITY;
        if (!user_item_sound(&items))
            return err_set(err, ERR_INPUT, "user information: item %02x of %zu bytes is broken",
                           items.type, items.length);
        if (++count > SUBITEMS_MAX || identities > 1)
            return err_set(err, ERR_INPUT, "user information: too many items");
    }
    return more < 0 ? err_set(err, ERR_INPUT, "user information: item longer than what holds it")
                    : 0;
}

static int check_items(const uint8_t *at, size_t left, struct err *err)
{
    struct items items = {.at = at, .left = left};
    int more, contexts = 0, names = 0, users = 0;

    while ((more = items_next(&items)) > 0) {
        switch (items.type) {
        case ITEM_APPLICATION_CONTEXT:
            if (items.length > UID_FIELD_MAX || ++names > 1)
                return err_set(err, ERR_INPUT, "application context of %zu bytes, or a second one",
                               items.length);
            break;
        case ITEM_CONTEXT:
            if (check_context(items.value, items.length, err) < 0)
                return -1;
            if (++contexts > PDU_CONTEXTS_MAX)
                return err_set(err, ERR_INPUT, "more than %d presentation contexts",
                               PDU_CONTEXTS_MAX);
            break;
        case ITEM_CONTEXT_RESULT:
            return err_set(err, ERR_INPUT, "the result of a presentation context in a request");
        case ITEM_USER_INFORMATION:
            if (check_user_information(items.value, items.length, err) < 0)
                return -1;
            if (++users > 1)
                return err_set(err, ERR_INPUT, "user information twice");
            break;
        default:
            break;
        }
    }
    if (more < 0)
        return err_set(err, ERR_INPUT, "item longer than its PDU");
    if (!names)
        return err_set(err, ERR_INPUT, "no application context");
    return contexts ? 0 : err_set(err, ERR_INPUT, "no presentation context");
}

int pdu_check_request(const uint8_t *pdu, size_t length, uint8_t *reason, struct err *err)
{
    *reason = PDU_REASON_NONE;
    if (length < PDU_HEAD)
        return err_set(err, ERR_INPUT, "association request cut short");
    if (pdu[0] != PDU_ASSOCIATE_RQ) {
        bool known = pdu[0] >= PDU_ASSOCIATE_AC && pdu[0] <= PDU_ABORT;
        *reason = known ? PDU_REASON_UNEXPECTED_PDU : PDU_REASON_UNRECOGNIZED_PDU;
        return err_set(err, ERR_INPUT, "no association request: PDU of type %02x", pdu[0]);
    }
    *reason = PDU_REASON_INVALID_PARAMETER;
    uint32_t claimed = get32(pdu + 2);
    if (claimed < FIXED_FIELDS || claimed > PDU_ASSOCIATE_MAX)
        return err_set(err, ERR_INPUT, "association request of %u bytes", (unsigned)claimed);
    if (length == PDU_HEAD)
        return 0;
    if (length - PDU_HEAD != claimed)
        return err_set(err, ERR_INPUT, "association request of %u bytes, length says %u",
                       (unsigned)(length - PDU_HEAD), (unsigned)claimed);
    if (check_items(pdu + PDU_HEAD + FIXED_FIELDS, claimed - FIXED_FIELDS, err) < 0)
        return err_prefix(err, "association request");
    return 0;
}

void pdu_put_release_rp(struct buf *out)
{
    static const uint8_t pdu[] = {PDU_RELEASE_RP, 0, 0, 0, 0, 4, 0, 0, 0, 0};

    buf_add(out, pdu, sizeof pdu);
}

void pdu_put_abort(struct buf *out, enum pdu_abort_source source, enum pdu_abort_reason reason)
{
    const uint8_t pdu[] = {PDU_ABORT, 0, 0, 0, 0, 4, 0, 0, (uint8_t)source, (uint8_t)reason};

    buf_add(out, pdu, sizeof pdu);
}

void pdu_put_message(struct buf *out, uint8_t context_id, bool command, const void *bytes,
                     size_t length, uint32_t max_pdu)
{
    const uint8_t *at = bytes;
    size_t most = max_pdu == 0 ? NO_LIMIT : max_pdu < PDV_HEAD + 1 ? 1 : max_pdu - PDV_HEAD;

    do {
        size_t part = length < most ? length : most;
        uint8_t head[PDU_HEAD + PDV_HEAD] = {PDU_DATA};
        put32(head + 2, (uint32_t)(part + PDV_HEAD));
        put32(head + 6, (uint32_t)(part + 2));
        head[10] = context_id;
        head[11] = (uint8_t)((command ? PDV_COMMAND : 0) | (part == length ? PDV_LAST : 0));
        buf_add(out, head, sizeof head);
        if (part)
            buf_add(out, at, part);
        at += part;
        length -= part;
    } while (length > 0);
}
