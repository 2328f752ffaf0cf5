/*
 * The SOP classes of query and retrieval, and what is negotiated about them: see query_scp.h. Without a network.
 */
#include "net/query_scp.h"

#include <string.h>

static const struct {
    const char *uid;
    enum query_service service;
    enum query_model model;
} classes[] = {
    {"1.2.840.10008.5.1.4.1.2.1.1", QUERY_FIND, MODEL_PATIENT_ROOT},
    {"1.2.840.10008.5.1.4.1.2.1.2", QUERY_MOVE, MODEL_PATIENT_ROOT},
    {"1.2.840.10008.5.1.4.1.2.1.3", QUERY_GET, MODEL_PATIENT_ROOT},
    {"1.2.840.10008.5.1.4.1.2.2.1", QUERY_FIND, MODEL_STUDY_ROOT},
    {"1.2.840.10008.5.1.4.1.2.2.2", QUERY_MOVE, MODEL_STUDY_ROOT},
    {"1.2.840.10008.5.1.4.1.2.2.3", QUERY_GET, MODEL_STUDY_ROOT},
    {"1.2.840.10008.5.1.4.1.2.3.1", QUERY_FIND, MODEL_PATIENT_STUDY_ONLY},
    {"1.2.840.10008.5.1.4.1.2.3.2", QUERY_MOVE, MODEL_PATIENT_STUDY_ONLY},
    {"1.2.840.10008.5.1.4.1.2.3.3", QUERY_GET, MODEL_PATIENT_STUDY_ONLY},
};

enum query_service query_class(const char *class_uid, enum query_model *model)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strcmp(classes[i].uid, class_uid) == 0) {
            *model = classes[i].model;
            return classes[i].service;
        }
    return QUERY_NONE;
}

/* ---- extended negotiation: bytes of the application information, PS3.4 tables C.5-1 to C.5-3 ---- */

enum { BYTE_RELATIONAL, BYTE_DATETIME, BYTE_FUZZY, BYTE_TIMEZONE, BYTE_ENHANCED };

bool query_negotiate(struct dcm_extended *item)
{
    enum query_model model;
    enum query_service service = query_class(item->abstract_syntax, &model);
    size_t known = service == QUERY_FIND ? BYTE_FUZZY + 1 : BYTE_RELATIONAL + 1;

    if (service == QUERY_NONE)
        return false;
    for (size_t i = 0; i < item->length; i++)
        item->bytes[i] = i < known && item->bytes[i] == 1;
    return true;
}

struct query_negotiated query_agreed(const struct dcm_extended *item)
{
    struct query_negotiated agreed = {0};

    if (!item)
        return agreed;
    agreed.relational = item->length > BYTE_RELATIONAL && item->bytes[BYTE_RELATIONAL] == 1;
    agreed.combined_datetime = item->length > BYTE_DATETIME && item->bytes[BYTE_DATETIME] == 1;
    agreed.fuzzy_names = item->length > BYTE_FUZZY && item->bytes[BYTE_FUZZY] == 1;
    return agreed;
}
