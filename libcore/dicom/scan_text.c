/*
 * A scanned value as UTF-8 text, see scan.h.
 */
#include <stddef.h>

#include "dicom/scan_internal.h"
#include "dicom/value.h"

static const struct slot *slot_of(const struct scan_value *value)
{
    return (const struct slot *)((const char *)value - offsetof(struct slot, value));
}

bool scan_text(const struct scanner *scanner, tag_t tag, struct buf *out)
{
    const struct scan_value *value = scan_value(scanner, tag);
    const struct scan_value *charset = scan_value(scanner, TAG(0x0008, 0x0005));

    if (!value)
        return false;
    value_to_text(
        value->vr, TAG_GROUP(tag) != 2 && scanner->info.big_endian && !slot_of(value)->little,
        value->data, value->size, charset ? charset->data : NULL, charset ? charset->size : 0, out);
    return true;
}
