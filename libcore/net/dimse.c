/*
 * See dimse.h: command sets, PS3.7 section 6.3 and annex E.
 */
#include "net/dimse.h"

#include <string.h>

#include "net/pdu.h"

#define NO_DATA_SET 0x0101

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) | (uint32_t)get16(at + 2) << 16;
}

/* Padding is a NUL (UI) or blanks (AE, LO); blanks before an AE title count as little. */
static void get_text(struct dimse_command *command, char *to, size_t room, const uint8_t *value,
                     size_t length)
{
    while (length > 0 && (value[length - 1] == 0 || value[length - 1] == ' '))
        length--;
    while (length > 0 && *value == ' ') {
        value++;
        length--;
    }
    if (length >= room) {
        length = room - 1;
        command->cut = true;
    }
    for (size_t i = 0; i < length; i++)
        to[i] = value[i] ? (char)value[i] : '?';
    to[length] = 0;
}

#define TEXT(field) get_text(command, command->field, sizeof command->field, value, length)

static void get_element(struct dimse_command *command, unsigned element, const uint8_t *value,
                        size_t length)
{
    uint16_t number = length == 2 ? get16(value) : 0;

    switch (element) {
    case 0x0002:
    case 0x0003:
        TEXT(class_uid);
        break;
    case 0x0110:
    case 0x0120:
        command->message_id = number;
        break;
    case 0x0600:
        TEXT(destination);
        break;
    case 0x0700:
        command->priority = number;
        break;
    case 0x0800:
        command->has_data = number != NO_DATA_SET;
        break;
    case 0x0900:
        command->status = number;
        break;
    case 0x0902:
        TEXT(comment);
        break;
    case 0x1000:
    case 0x1001:
        TEXT(instance_uid);
        break;
    case 0x1002:
    case 0x1008:
        command->action = number;
        break;
    case 0x1020:
    case 0x1021:
    case 0x1022:
    case 0x1023:
        command->has_counts = true;
        command->has_remaining |= element == 0x1020;
        *(element == 0x1020   ? &command->remaining
          : element == 0x1021 ? &command->completed
          : element == 0x1022 ? &command->failed
                              : &command->warning) = number;
        break;
    case 0x1030:
        TEXT(originator);
        break;
    case 0x1031:
        command->originator_id = number;
        break;
    default:
        break;
    }
}

int dimse_parse(const uint8_t *bytes, size_t length, struct dimse_command *command, struct err *err)
{
    bool field = false, data = false, id = false;

    memset(command, 0, sizeof *command);
    while (length > 0) {
        if (length < 8)
            return err_set(err, ERR_INPUT, "command set: cut inside an element");
        uint32_t size = get32(bytes + 4);
        unsigned element = get16(bytes + 2);
        if (get16(bytes) != 0)
            return err_set(err, ERR_INPUT, "command set: element of group %04x", get16(bytes));
        bytes += 8;
        length -= 8;
        if (size > length)
            return err_set(err, ERR_INPUT, "command set: element %04x of %u bytes, %zu are left",
                           element, (unsigned)size, length);
        if (element == 0x0100 && size == 2) {
            command->field = get16(bytes);
            field = true;
        }
        data |= element == 0x0800 && size == 2;
        id |= (element == 0x0110 || element == 0x0120) && size == 2;
        get_element(command, element, bytes, size);
        bytes += size;
        length -= size;
    }
    if (!field || !data || !id)
        return err_set(err, ERR_INPUT, "command set: no %s",
                       !field  ? "command field"
                       : !data ? "data set type"
                               : "message ID");
    return 0;
}

/* ---- building ---- */

static uint8_t *put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static uint8_t *put_head(uint8_t *at, unsigned element, size_t length)
{
    at = put16(at, 0);
    at = put16(at, element);
    at = put16(at, (unsigned)(length & 0xffff));
    return put16(at, (unsigned)(length >> 16));
}

static uint8_t *put_number(uint8_t *at, unsigned element, unsigned value)
{
    return put16(put_head(at, element, 2), value);
}

static uint8_t *put_text(uint8_t *at, unsigned element, const char *text, char padding)
{
    size_t length = strlen(text), odd = length & 1;

    if (!length)
        return at;
    at = put_head(at, element, length + odd);
    while (*text)
        *at++ = (uint8_t)*text++;
    if (odd)
        *at++ = (uint8_t)padding;
    return at;
}

void dimse_put_command(struct buf *out, uint8_t context_id, const struct dimse_command *command,
                       uint32_t max_pdu)
{
    uint8_t bytes[640], *at = bytes + 12;
    bool response = command->field & DIMSE_RESPONSE, cancel = command->field == DIMSE_C_CANCEL;
    unsigned base = command->field & 0x0fff;
    /* N-SET, N-GET, N-ACTION, N-DELETE name what they request; their responses what was affected. */
    bool requested = !response && (base == DIMSE_N_GET || base == DIMSE_N_SET ||
                                   base == DIMSE_N_ACTION || base == DIMSE_N_DELETE);
    bool action = base == DIMSE_N_ACTION || base == DIMSE_N_EVENT_REPORT;

    at = put_text(at, requested ? 0x0003 : 0x0002, command->class_uid, 0);
    at = put_number(at, 0x0100, command->field);
    at = put_number(at, response || cancel ? 0x0120 : 0x0110, command->message_id);
    at = put_text(at, 0x0600, command->destination, ' ');
    if (base < DIMSE_N_EVENT_REPORT && base != DIMSE_C_ECHO && !response && !cancel)
        at = put_number(at, 0x0700, command->priority);
    at = put_number(at, 0x0800, command->has_data ? 0x0001 : NO_DATA_SET);
    if (response) {
        at = put_number(at, 0x0900, command->status);
        at = put_text(at, 0x0902, command->comment, ' ');
    }
    at = put_text(at, requested ? 0x1001 : 0x1000, command->instance_uid, 0);
    if (action)
        at = put_number(at, base == DIMSE_N_ACTION ? 0x1008 : 0x1002, command->action);
    if (command->has_counts && command->has_remaining)
        at = put_number(at, 0x1020, command->remaining);
    if (command->has_counts) {
        at = put_number(at, 0x1021, command->completed);
        at = put_number(at, 0x1022, command->failed);
        at = put_number(at, 0x1023, command->warning);
    }
    if (command->originator[0]) {
        at = put_text(at, 0x1030, command->originator, ' ');
        at = put_number(at, 0x1031, command->originator_id);
    }
    size_t length = (size_t)(at - bytes);
    put_head(bytes, 0x0000, 4);
    put16(bytes + 8, (unsigned)(length - 12));
    put16(bytes + 10, 0);
    pdu_put_message(out, context_id, true, bytes, length, max_pdu);
}

void dimse_answer(const struct dimse_command *request, uint16_t status, const char *comment,
                  struct dimse_command *answer)
{
    memset(answer, 0, sizeof *answer);
    answer->field = request->field | DIMSE_RESPONSE;
    answer->message_id = request->message_id;
    answer->status = status;
    answer->action = request->action;
    memcpy(answer->class_uid, request->class_uid, sizeof answer->class_uid);
    memcpy(answer->instance_uid, request->instance_uid, sizeof answer->instance_uid);
    if (!comment)
        return;
    /* LO of the default repertoire: no control characters, no backslash, nothing above ASCII. */
    size_t i = 0;
    for (; comment[i] && i < sizeof answer->comment - 1; i++)
        answer->comment[i] = comment[i] < ' ' || comment[i] > '~' ? '?'
                             : comment[i] == '\\'                 ? '/'
                                                                  : comment[i];
    answer->comment[i] = 0;
}
