/*
 * Numbers, tags and VRs in encoded bytes, for what takes data sets apart. PS3.5 section 7.
 */
#ifndef PACS_DICOM_BYTES_H
#define PACS_DICOM_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dicom/tag.h"

/* By first letter: a bit for each second letter of the VRs of PS3.5 6.2, and of those among them that
 * have a 32-bit length in explicit VR (PS3.5 7.1.2). */
struct vr_letters {
    uint32_t known, is_long;
};
extern const struct vr_letters vr_letters[26];

static inline const struct vr_letters *vr_first(vr_t vr)
{
    static const struct vr_letters none = {0, 0};
    unsigned first = (vr >> 8) - 'A', second = (vr & 0xff) - 'A';

    return first < 26 && second < 26 ? &vr_letters[first] : &none;
}

static inline bool vr_is_known(vr_t vr)
{
    return vr_first(vr)->known >> ((vr & 0xff) - 'A') % 32U & 1;
}

static inline bool vr_is_long(vr_t vr)
{
    return vr_first(vr)->is_long >> ((vr & 0xff) - 'A') % 32U & 1;
}

static inline uint16_t get16(const unsigned char *p, bool big)
{
    uint16_t value;

    memcpy(&value, p, sizeof value);
    return big ? be16toh(value) : le16toh(value);
}

static inline uint32_t get32(const unsigned char *p, bool big)
{
    uint32_t value;

    memcpy(&value, p, sizeof value);
    return big ? be32toh(value) : le32toh(value);
}

static inline uint64_t get64(const unsigned char *p, bool big)
{
    uint64_t value;

    memcpy(&value, p, sizeof value);
    return big ? be64toh(value) : le64toh(value);
}

static inline tag_t get_tag(const unsigned char *p, bool big)
{
    return TAG(get16(p, big), get16(p + 2, big));
}

#endif
