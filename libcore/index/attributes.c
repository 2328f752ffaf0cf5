/*
 * See attributes.h.
 */
#include "index/attributes.h"

#include "dicom/match.h"

#define ATTRIBUTE_ROW(name, keyword, group, element, vr, level, column, use) \
    {keyword, TAG(group, element), VR_##vr, LEVEL_##level, column, USE_##use},
const struct attribute_info attributes[ATTRIBUTE_COUNT] = {ATTRIBUTES(ATTRIBUTE_ROW)};

const char *level_name(enum query_level level)
{
    static const char *const name[] = {"patient", "study", "series", "instance"};

    return name[level];
}

/* Some seventy entries: a walk costs less than what comes before and after it. */
const struct attribute_info *attribute_find(tag_t tag)
{
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        if (attributes[i].tag == tag)
            return &attributes[i];
    return NULL;
}

#define OF_PATIENT(what) "(SELECT " what " FROM study AS c WHERE c.patient = p.id)"
#define RECEIVED(time)   "strftime('%Y%m%d%H%M%S', (" time ") / 1000, 'unixepoch', 'localtime')"

/* clang-format off */
static const struct computed_info computed[] = {
    {TAG(0x0020, 0x1200), VR_IS, LEVEL_PATIENT, false,
     {OF_PATIENT("count(*)"), OF_PATIENT("count(*)"), OF_PATIENT("count(*)"), OF_PATIENT("count(*)")}},
    {TAG(0x0020, 0x1202), VR_IS, LEVEL_PATIENT, false,
     {OF_PATIENT("sum(c.series)"), OF_PATIENT("sum(c.series)"), OF_PATIENT("sum(c.series)"),
      OF_PATIENT("sum(c.series)")}},
    {TAG(0x0020, 0x1204), VR_IS, LEVEL_PATIENT, false,
     {OF_PATIENT("sum(c.instances)"), OF_PATIENT("sum(c.instances)"),
      OF_PATIENT("sum(c.instances)"), OF_PATIENT("sum(c.instances)")}},
    {TAG(0x0020, 0x1206), VR_IS, LEVEL_STUDY, false, {NULL, "s.series", "s.series", "s.series"}},
    {TAG(0x0020, 0x1208), VR_IS, LEVEL_STUDY, false,
     {NULL, "s.instances", "s.instances", "s.instances"}},
    {TAG(0x0020, 0x1209), VR_IS, LEVEL_SERIES, false, {NULL, NULL, "r.instances", "r.instances"}},
    {TAG(0x0008, 0x0061), VR_CS, LEVEL_STUDY, false,
     {NULL, "s.modalities", "s.modalities", "s.modalities"}},
    {TAG(0x0008, 0x0062), VR_UI, LEVEL_STUDY, false, {NULL, "s.classes", "s.classes", "s.classes"}},
    {TAG_SIZE, VR_UV, LEVEL_PATIENT, true,
     {OF_PATIENT("CAST(total(c.bytes) AS INTEGER)"), "s.bytes", "r.bytes", "i.size"}},
    {TAG_RECEIVED, VR_DT, LEVEL_PATIENT, true,
     {RECEIVED(OF_PATIENT("max(c.received)")), RECEIVED("s.received"), RECEIVED("r.received"),
      RECEIVED("i.received")}},
    {TAG_CALLING_AE, VR_AE, LEVEL_INSTANCE, false,
     {NULL, NULL, NULL, "(SELECT text FROM term WHERE id = i.calling)"}},
    {TAG_PATH, VR_UC, LEVEL_INSTANCE, false,
     {NULL, NULL, NULL,
      "pacs_path(CASE WHEN i.path IS NULL THEN s.folder || '/' || r.uid || '/' || i.uid || '.dcm'"
      " ELSE rtrim((SELECT path FROM folder WHERE id = i.folder), '/') || '/' || i.path END)"}},
};
/* clang-format on */

const struct computed_info *computed_find(tag_t tag)
{
    for (size_t i = 0; i < sizeof computed / sizeof computed[0]; i++)
        if (computed[i].tag == tag)
            return &computed[i];
    return NULL;
}
