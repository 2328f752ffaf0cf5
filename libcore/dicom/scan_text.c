/*
 * A scanned value as UTF-8 text, see scan.h.
 */
#include "dicom/scan_internal.h"
#include "dicom/value.h"

bool scan_text(const struct scanner *scanner, tag_t tag, struct buf *out)
{
    const struct slot *slot = slot_find(scanner, tag);
    const struct scan_value *value, *charset = &scanner->charset->value;

    if (!slot || !slot->value.present)
        return false;
    value = &slot->value;
    value_to_text(value->vr, TAG_GROUP(tag) != 2 && scanner->info.big_endian && !slot->little,
                  value->data, value->size, charset->present ? charset->data : NULL,
                  charset->present ? charset->size : 0, out);
    return true;
}
