/*
 * Layouts: the name of each exported object, from a template of keywords.
 *
 *     {PatientID}/{StudyDate}_{Modality}/{SeriesNumber:04}_{SeriesDescription}/{InstanceNumber:05}.dcm
 *
 *   {Keyword}         the value in the object's header: any keyword of the dictionary, or a tag
 *   {Keyword:04}      a whole number with zeros before it; other values as they are
 *   {Keyword:.16}     at most 16 bytes of it
 *   {Keyword:#6}      6 letters and digits that follow from the value: different values, different
 *                     letters (2 to 12)
 *   {One|Other}       the first that has a value
 *   {{ and }}         the braces themselves
 *
 * An empty value takes the '_', '-' or blank between it and its neighbour away with it. What a name
 * may hold: name.h. Names are unique without regard to letter case: the second gets "_2" before its
 * ending, the third "_3".
 */
#ifndef PACS_EXPORT_LAYOUT_H
#define PACS_EXPORT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "dicom/scan.h"

#define LAYOUT_DEFAULT                                                         \
    "{PatientID}/{StudyDate}_{StudyDescription}_{StudyInstanceUID:#6}/"        \
    "{SeriesNumber:04}_{Modality}_{SeriesDescription}_{SeriesInstanceUID:#6}/" \
    "{InstanceNumber:05|SOPInstanceUID}.dcm"
#define LAYOUT_TREE "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
#define LAYOUT_FLAT "{SOPInstanceUID}.dcm"

#define LAYOUT_DEPTH_MAX 16 /* components */

struct layout;

/* `text`: a template, or "default", "tree" or "flat"; NULL is "default". `ascii`: letters beyond
 * ASCII are transliterated. NULL with ERR_INPUT: unknown keyword (with suggestions), unbalanced
 * braces, an absolute path, an empty or ".." component. */
struct layout *layout_new(const char *text, bool ascii, struct err *err);
void layout_free(struct layout *layout);

/* The tags that the scanner must look for. Borrowed. */
const tag_t *layout_tags(const struct layout *layout, size_t *count);

/* The name for the object that was scanned last, unique among those that this layout has given; at
 * most NAME_PATH_MAX bytes. Replaces what is in `out`. */
void layout_name(struct layout *layout, const struct scanner *scanner, struct buf *out);

/* The same with values from elsewhere: `value` appends the UTF-8 text of a tag. */
typedef void layout_value(void *context, tag_t tag, struct buf *out);
void layout_name_from(struct layout *layout, layout_value *value, void *context, struct buf *out);

#endif
