/*
 * See recv_config.h.
 */
#include "net/recv_config.h"

#include <string.h>

#include "dicom/uid.h"
#include "net/commit_scp.h"
#include "net/query_scp.h"

#define FIELD(name) offsetof(struct recv_config, name)

/* tests/e2e/92-conf-page.t holds this against pacs.conf(5). */
/* clang-format off */
static const struct setting settings[] = {
    {"port", SETTING_NUMBER, FIELD(port), "11112", 0, 65535, NULL},
    {"bind", SETTING_TEXT, FIELD(bind), NULL, 0, 0, NULL},
    {"tls-port", SETTING_NUMBER, FIELD(tls_port), "0", 0, 65535, NULL},
    {"aet", SETTING_AET, FIELD(aet), "PACS", 0, 0, NULL},
    {"called-aets", SETTING_AETS, FIELD(called_aets), "any", 0, 0, "any"},
    {"calling-aets", SETTING_AETS, FIELD(calling_aets), "any", 0, 0, "any"},
    {"storage-classes", SETTING_UIDS, FIELD(storage_classes), NULL, 0, 0, "any"},
    {"transfer-syntaxes", SETTING_UIDS, FIELD(transfer_syntaxes), NULL, 0, 0, NULL},
    {"sync", SETTING_CHOICE, FIELD(sync), "object", 0, 0, "object|association|none"},
    {"find-limit", SETTING_NUMBER, FIELD(find_limit), "0", 0, 1000000000, NULL},
    {"max-pdu", SETTING_NUMBER, FIELD(max_pdu), "131072", 4096, 131072, NULL},
    {"max-associations", SETTING_NUMBER, FIELD(max_associations), "64", 1, 4096, NULL},
    {"max-per-peer", SETTING_NUMBER, FIELD(max_per_peer), "16", 1, 4096, NULL},
    {"timeout", SETTING_NUMBER, FIELD(timeout), "30", 1, 86400, NULL},
    {"idle-timeout", SETTING_NUMBER, FIELD(idle_timeout), "300", 1, 86400, NULL},
    {"negotiation-timeout", SETTING_NUMBER, FIELD(negotiation_timeout), "30", 1, 3600, NULL},
    {"stop-timeout", SETTING_NUMBER, FIELD(stop_timeout), "30", 0, 3600, NULL},
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof *(array))

int recv_config_set(struct recv_config *config, const char *name, const char *value,
                    const char *origin, struct err *err)
{
    return settings_set(settings, COUNT(settings), config, name, value, origin, err);
}

int recv_config_load(struct recv_config *config, struct config *file, struct err *err)
{
    memset(config, 0, sizeof *config);
    return settings_load(settings, COUNT(settings), config, file, "recv", err);
}

void recv_config_free(struct recv_config *config)
{
    settings_free(settings, COUNT(settings), config);
}

/* ---- what follows from it ---- */

const char *recv_admit(const struct recv_config *config, const char *calling_aet,
                       const char *called_aet, enum dcm_reject *reject)
{
    if (!config->called_aets.any && strcmp(called_aet, config->aet) != 0 &&
        !list_has(&config->called_aets, called_aet)) {
        *reject = DCM_REJECT_CALLED_AE;
        return "called AE title not recognized";
    }
    if (!config->calling_aets.any && !list_has(&config->calling_aets, calling_aet)) {
        *reject = DCM_REJECT_CALLING_AE;
        return "calling AE title not recognized";
    }
    return NULL;
}

bool recv_stores(const struct recv_config *config, const char *abstract_syntax)
{
    const struct uid_entry *known = uid_find(abstract_syntax);

    if (known && known->kind == UID_STORAGE_CLASS)
        return true;
    if (list_has(&config->storage_classes, abstract_syntax))
        return true;
    return !known && config->storage_classes.any;
}

/* Transfer syntaxes that are no encoding of a stored data set: MIME, XML, and the real-time video of
 * PS3.22. */
static bool storable(const char *uid)
{
    return strncmp(uid, "1.2.840.10008.1.2.6.", 20) != 0 &&
           strncmp(uid, "1.2.840.10008.1.2.7.", 20) != 0 && strcmp(uid, "1.2.840.10008.1.20") != 0;
}

/* Messages without pixel data: commands' identifiers are read in these. */
static int choose_plain(const struct dcm_proposal *proposal)
{
    for (size_t i = 0; i < proposal->count; i++)
        if (strcmp(proposal->transfer_syntaxes[i], UID_EXPLICIT_LE) == 0 ||
            strcmp(proposal->transfer_syntaxes[i], UID_IMPLICIT_LE) == 0)
            return (int)i;
    return -2;
}

int recv_choose(const struct recv_config *config, const struct dcm_proposal *proposal)
{
    bool echo = strcmp(proposal->abstract_syntax, UID_VERIFICATION) == 0;
    enum query_model model;

    if (query_class(proposal->abstract_syntax, &model) != QUERY_NONE ||
        strcmp(proposal->abstract_syntax, UID_COMMITMENT) == 0)
        return choose_plain(proposal);
    if (!echo && !recv_stores(config, proposal->abstract_syntax))
        return -1;
    for (size_t i = 0; i < proposal->count; i++) {
        const char *syntax = proposal->transfer_syntaxes[i];
        const struct uid_entry *known = uid_find(syntax);
        if ((known && known->kind == UID_TRANSFER_SYNTAX && storable(syntax)) ||
            list_has(&config->transfer_syntaxes, syntax))
            return (int)i;
    }
    return -2;
}
