/*
 * See value.h.
 */
#include "dicom/value.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/charset.h"

bool value_has_charset(vr_t vr)
{
    return vr == VR_LO || vr == VR_LT || vr == VR_PN || vr == VR_SH || vr == VR_ST || vr == VR_UC ||
           vr == VR_UT;
}

bool value_is_text(vr_t vr)
{
    return value_has_charset(vr) || vr == VR_AE || vr == VR_AS || vr == VR_CS || vr == VR_DA ||
           vr == VR_DS || vr == VR_DT || vr == VR_IS || vr == VR_TM || vr == VR_UI || vr == VR_UR;
}

/* Bytes of one number; 0 for what is none. */
static size_t number_size(vr_t vr)
{
    switch (vr) {
    case VR_US:
    case VR_SS:
        return 2;
    case VR_AT:
    case VR_UL:
    case VR_SL:
    case VR_FL:
        return 4;
    case VR_UV:
    case VR_SV:
    case VR_FD:
        return 8;
    default:
        return 0;
    }
}

static uint64_t get(const char *bytes, size_t size, bool big_endian)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | (unsigned char)bytes[big_endian ? i : size - 1 - i];
    return value;
}

/* The shortest decimal form that reads back as the same number. */
static void add_real(struct buf *out, double value, int digits)
{
    char text[40];

    for (int precision = digits - 3; precision <= digits + 2; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        if (digits > 7 ? strtod(text, NULL) == value : strtof(text, NULL) == (float)value)
            break;
    }
    buf_adds(out, text);
}

static void add_number(vr_t vr, const char *bytes, bool big_endian, struct buf *out)
{
    uint64_t bits = get(bytes, number_size(vr), big_endian);

    switch (vr) {
    case VR_AT:
        buf_addf(out, "%04x,%04x", (unsigned)get(bytes, 2, big_endian),
                 (unsigned)get(bytes + 2, 2, big_endian));
        break;
    case VR_SS:
        buf_addf(out, "%d", (int16_t)bits);
        break;
    case VR_SL:
        buf_addf(out, "%ld", (long)(int32_t)bits);
        break;
    case VR_SV:
        buf_addf(out, "%lld", (long long)bits);
        break;
    case VR_FL: {
        uint32_t word = (uint32_t)bits;
        float value;

        memcpy(&value, &word, sizeof value);
        add_real(out, (double)value, 7);
        break;
    }
    case VR_FD: {
        double value;

        memcpy(&value, &bits, sizeof value);
        add_real(out, value, 15);
        break;
    }
    default:
        buf_addf(out, "%llu", (unsigned long long)bits);
    }
}
