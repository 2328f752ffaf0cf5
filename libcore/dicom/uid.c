/*
 * See uid.h.
 */
#include "dicom/uid.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "dicom/uid_table.h"

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

struct uid_check {
    uint64_t dot_before, wrong;
};

/* Eight characters, the first one in the lowest byte. */
static inline void check_word(struct uid_check *check, uint64_t word)
{
    uint64_t other = word ^ EACH_BYTE('.');
    uint64_t dots = ~(((other & EACH_BYTE(0x7f)) + EACH_BYTE(0x7f)) | other) & EACH_BYTE(0x80);

    check->wrong |= dots & (dots << 8 | check->dot_before);
    check->dot_before = dots >> 56;
    word += dots >> 6; /* '.' + 2 is '0' */
    check->wrong |=
        (word | (word - EACH_BYTE('0')) | (word + EACH_BYTE(0x7f - '9'))) & EACH_BYTE(0x80);
}

/* Digits, and dots between them. */
bool uid_valid(const char *uid, size_t length)
{
    struct uid_check check = {0x80, 0}; /* a dot at the start is one too many */
    uint64_t word;

    if (length == 0 || length > UID_MAX || uid[length - 1] == '.')
        return false;
    for (; length >= sizeof word; uid += sizeof word, length -= sizeof word) {
        memcpy(&word, uid, sizeof word);
        check_word(&check, le64toh(word));
    }
    word = EACH_BYTE('0');
    if (length) {
        memcpy(&word, uid, length);
        check_word(&check, le64toh(word));
    }
    return !check.wrong;
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
