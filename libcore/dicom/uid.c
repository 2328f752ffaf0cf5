/*
 * See uid.h.
 */
#include "dicom/uid.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "dicom/uid_table.h"

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Digits, and dots between them: eight characters at a time, the first one in the lowest byte. */
bool uid_valid(const char *uid, size_t length)
{
    uint64_t dot_before = 0x80, wrong = 0; /* a dot at the start is one too many */

    if (length == 0 || length > UID_MAX || uid[length - 1] == '.')
        return false;
    for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
        uint64_t word = EACH_BYTE('0'), other, dots;
        size_t left = length - i;

        memcpy(&word, uid + i, left < sizeof word ? left : sizeof word);
        word = le64toh(word);
        other = word ^ EACH_BYTE('.');
        dots = ~(((other & EACH_BYTE(0x7f)) + EACH_BYTE(0x7f)) | other) & EACH_BYTE(0x80);
        wrong |= dots & (dots << 8 | dot_before);
        dot_before = dots >> 56;
        word += dots >> 6; /* '.' + 2 is '0' */
        wrong |=
            (word | (word - EACH_BYTE('0')) | (word + EACH_BYTE(0x7f - '9'))) & EACH_BYTE(0x80);
    }
    return !wrong;
}

const struct uid_entry *uid_find(const char *uid)
{
    size_t low = 0, high = uid_table_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(uid, uid_table[middle].uid);

        if (order == 0)
            return &uid_table[middle];
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct uid_entry *uid_all(size_t *count)
{
    *count = uid_table_count;
    return uid_table;
}

/* Transfer syntaxes whose pixel data, if any, is not in fragments; all others are encapsulated. */
static const struct transfer_syntax plain[] = {
    {UID_IMPLICIT_LE, .explicit_vr = false},
    {UID_EXPLICIT_LE, .explicit_vr = true},
    {UID_EXPLICIT_BE, .explicit_vr = true, .big_endian = true},
    {UID_DEFLATED_LE, .explicit_vr = true, .deflated = true},
    /* JPIP: the pixel data is elsewhere (PS3.5 A.6, A.7, A.11, A.12). */
    {"1.2.840.10008.1.2.4.94", .explicit_vr = true},
    {"1.2.840.10008.1.2.4.95", .explicit_vr = true, .deflated = true},
    {"1.2.840.10008.1.2.4.204", .explicit_vr = true},
    {"1.2.840.10008.1.2.4.205", .explicit_vr = true, .deflated = true},
    /* MIME and XML: the retired ways beside data sets; SMPTE: pixels flow beside them. */
    {"1.2.840.10008.1.2.6.1", .explicit_vr = true},
    {"1.2.840.10008.1.2.6.2", .explicit_vr = true},
    {"1.2.840.10008.1.2.7.1", .explicit_vr = true},
    {"1.2.840.10008.1.2.7.2", .explicit_vr = true},
    {"1.2.840.10008.1.2.7.3", .explicit_vr = true},
    {"1.2.840.10008.1.20", .explicit_vr = false},
    {"1.2.840.113619.5.2", .explicit_vr = false},
};

struct transfer_syntax transfer_syntax_of(const char *uid, bool *known)
{
    const struct uid_entry *entry;

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(uid, plain[i].uid) == 0) {
            *known = true;
            return plain[i];
        }
    entry = uid_find(uid);
    *known = entry && entry->kind == UID_TRANSFER_SYNTAX;
    return (struct transfer_syntax){*known ? entry->uid : uid, .explicit_vr = true,
                                    .encapsulated = true};
}
