/*
 * Names of what can be matched and shown: the dictionary's keywords, and what is known of an object
 * beside its attributes. See match.h.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "dicom/dict.h"
#include "dicom/match.h"

static const struct {
    const char *name;
    tag_t tag;
    vr_t vr;
} extra[] = {
    {"Size", TAG_SIZE, VR_UV},
    {"Received", TAG_RECEIVED, VR_DT},
    {"CallingAE", TAG_CALLING_AE, VR_AE},
    {"Path", TAG_PATH, VR_UC},
};
#define EXTRA_COUNT (sizeof extra / sizeof extra[0])

int keyword_parse(const char *text, tag_t *tag, struct err *err)
{
    for (size_t i = 0; i < EXTRA_COUNT; i++)
        if (strcasecmp(text, extra[i].name) == 0) {
            *tag = extra[i].tag;
            return 0;
        }
    return dict_parse(text, tag, err);
}

static bool four_digits(const char *text)
{
    return strspn(text, "0123456789abcdefABCDEF") == 4;
}

size_t keyword_span(const char *list)
{
    size_t start = strspn(list, "-("), comma = start + strcspn(list + start, ",");

    if (four_digits(list + start) && comma == start + 4 && list[comma] &&
        four_digits(list + comma + 1))
        return comma + strcspn(list + comma + 1, ",") + 1;
    return comma;
}

const char *keyword_name(tag_t tag, char space[10])
{
    const struct dict_entry *entry;

    for (size_t i = 0; i < EXTRA_COUNT; i++)
        if (tag == extra[i].tag)
            return extra[i].name;
    entry = dict_by_tag(tag);
    if (entry && entry->keyword && *entry->keyword)
        return entry->keyword;
    snprintf(space, 10, "%04x,%04x", TAG_GROUP(tag), TAG_ELEMENT(tag));
    return space;
}

vr_t keyword_vr(tag_t tag)
{
    for (size_t i = 0; i < EXTRA_COUNT; i++)
        if (tag == extra[i].tag)
            return extra[i].vr;
    return dict_vr(tag);
}
