/*
 * Numbers, tags and VRs in encoded bytes, for what takes data sets apart. PS3.5 section 7.
 */
#ifndef PACS_DICOM_BYTES_H
#define PACS_DICOM_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "dicom/tag.h"

/* A VR of PS3.5 6.2. */
bool vr_is_known(vr_t vr);
/* One with a 32-bit length in explicit VR (PS3.5 7.1.2). */
bool vr_is_long(vr_t vr);

static inline uint16_t get16(const unsigned char *p, bool big)
{
    return big ? (uint16_t)(p[0] << 8 | p[1]) : (uint16_t)(p[1] << 8 | p[0]);
}

static inline uint32_t get32(const unsigned char *p, bool big)
{
    return big ? (uint32_t)get16(p, true) << 16 | get16(p + 2, true)
               : (uint32_t)get16(p + 2, false) << 16 | get16(p, false);
}

static inline uint64_t get64(const unsigned char *p, bool big)
{
    return big ? (uint64_t)get32(p, true) << 32 | get32(p + 4, true)
               : (uint64_t)get32(p + 4, false) << 32 | get32(p, false);
}

static inline tag_t get_tag(const unsigned char *p, bool big)
{
    return TAG(get16(p, big), get16(p + 2, big));
}

#endif
