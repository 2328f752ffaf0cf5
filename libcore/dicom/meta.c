/*
 * See meta.h. The file meta information is explicit VR little endian whatever the data set is.
 */
#include "dicom/meta.h"

#include <string.h>

#include "dicom/uid.h"

#define PREAMBLE 128

/* PS3.10 table 7.1-1: whose the private information is. */
#define HASH_CREATOR_UID "2.25.24307145370048597721283803643023247304"

static void put32(char *at, size_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(value >> (8 * i) & 0xff);
}

/* An element of group 0002 with a short length field, padded to even length. */
static void put_text(struct buf *out, unsigned element, const char *vr, const char *text,
                     size_t most)
{
    size_t length = strnlen(text, most), odd = length & 1;
    const char head[8] = {2,     0,     (char)element,          (char)(element >> 8),
                          vr[0], vr[1], (char)((length + odd)), 0};

    buf_add(out, head, sizeof head);
    buf_add(out, text, length);
    if (odd)
        buf_addc(out, vr[0] == 'U' ? '\0' : ' ');
}

void meta_put(struct buf *out, const struct meta *meta)
{
    static const char start[] = "DICM"
                                "\2\0\0\0UL\4\0\0\0\0\0";       /* group length, set below */
    static const char version[] = "\2\0\1\0OB\0\0\2\0\0\0\0\1"; /* 00 01 */
    size_t begin, length_at;

    memset(buf_reserve(out, PREAMBLE), 0, PREAMBLE);
    out->length += PREAMBLE;
    buf_add(out, start, sizeof start - 1);
    begin = out->length;
    length_at = begin - 4;
    buf_add(out, version, sizeof version - 1);
    put_text(out, 0x0002, "UI", meta->sop_class_uid, UID_MAX);
    put_text(out, 0x0003, "UI", meta->sop_instance_uid, UID_MAX);
    put_text(out, 0x0010, "UI", meta->transfer_syntax, UID_MAX);
    put_text(out, 0x0012, "UI", IMPLEMENTATION_CLASS_UID, UID_MAX);
    put_text(out, 0x0013, "SH", IMPLEMENTATION_VERSION_NAME, 16);
    if (meta->source_aet && *meta->source_aet)
        put_text(out, 0x0016, "AE", meta->source_aet, 16);
    if (meta->with_hash) {
        static const char information[] = "\2\0\2\1OB\0\0\40\0\0\0";

        put_text(out, 0x0100, "UI", HASH_CREATOR_UID, UID_MAX);
        buf_add(out, information, sizeof information - 1);
        memset(buf_reserve(out, DATA_HASH_SIZE), '0', DATA_HASH_SIZE);
        out->length += DATA_HASH_SIZE;
    }
    put32(out->data + length_at, out->length - begin);
}

size_t meta_hash_place(const struct buf *head)
{
    size_t length = 0;

    for (size_t i = 4; i-- > 0;)
        length = length << 8 | (unsigned char)head->data[PREAMBLE + 12 + i];
    return PREAMBLE + 16 + length - DATA_HASH_SIZE;
}

bool meta_has_hash(const struct scan_value *creator, const struct scan_value *information,
                   char digits[DATA_HASH_SIZE])
{
    size_t length = sizeof HASH_CREATOR_UID - 1;

    if (!creator || !information || creator->size < length ||
        memcmp(creator->data, HASH_CREATOR_UID, length) != 0 || information->size != DATA_HASH_SIZE)
        return false;
    memcpy(digits, information->data, DATA_HASH_SIZE);
    return true;
}
