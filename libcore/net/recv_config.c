/*
 * See recv_config.h.
 */
#include "net/recv_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dicom/uid.h"

enum setting_kind {
    SETTING_NUMBER, /* long long, low to high */
    SETTING_CHOICE, /* long long, index in choices */
    SETTING_TEXT,   /* char * */
    SETTING_AET,    /* char * */
    SETTING_AETS,   /* struct text_list */
    SETTING_UIDS    /* struct text_list */
};

struct setting {
    const char *name;
    enum setting_kind kind;
    size_t offset;
    const char *fallback; /* as it would stand in the file; NULL: nothing */
    long long low, high;
    const char *choices; /* lists: "any" where that is a value */
};

#define FIELD(name) offsetof(struct recv_config, name)

/* tests/e2e/92-conf-page.t holds this against pacs.conf(5). */
/* clang-format off */
static const struct setting settings[] = {
    {"port", SETTING_NUMBER, FIELD(port), "11112", 0, 65535},
    {"bind", SETTING_TEXT, FIELD(bind), NULL, 0, 0, NULL},
    {"aet", SETTING_AET, FIELD(aet), "PACS", 0, 0, NULL},
    {"called-aets", SETTING_AETS, FIELD(called_aets), "any", 0, 0, "any"},
    {"calling-aets", SETTING_AETS, FIELD(calling_aets), "any", 0, 0, "any"},
    {"storage-classes", SETTING_UIDS, FIELD(storage_classes), NULL, 0, 0, "any"},
    {"transfer-syntaxes", SETTING_UIDS, FIELD(transfer_syntaxes), NULL, 0, 0, NULL},
    {"sync", SETTING_CHOICE, FIELD(sync), "object", 0, 0, "object|association|none"},
    {"max-pdu", SETTING_NUMBER, FIELD(max_pdu), "131072", 4096, 131072},
    {"max-associations", SETTING_NUMBER, FIELD(max_associations), "64", 1, 4096},
    {"max-per-peer", SETTING_NUMBER, FIELD(max_per_peer), "16", 1, 4096},
    {"timeout", SETTING_NUMBER, FIELD(timeout), "30", 1, 86400},
    {"idle-timeout", SETTING_NUMBER, FIELD(idle_timeout), "300", 1, 86400},
    {"negotiation-timeout", SETTING_NUMBER, FIELD(negotiation_timeout), "30", 1, 3600},
    {"stop-timeout", SETTING_NUMBER, FIELD(stop_timeout), "30", 0, 3600},
};
/* clang-format on */

/* Sections that a pacs.conf may have; what is in the others is read elsewhere. */
static const char *const sections[] = {"recv", "store"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- lists ---- */

static void list_free(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    memset(list, 0, sizeof *list);
}

static bool list_has(const struct text_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

/* An AE title: PS3.5 table 6.2-1, 1 to 16 characters of the default repertoire but backslash and controls,
 * not only blanks. */
static bool aet_valid(const char *text)
{
    size_t length = strlen(text), blanks = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] < ' ' || text[i] > '~' || text[i] == '\\')
            return false;
        blanks += text[i] == ' ';
    }
    return length >= 1 && length <= 16 && blanks < length;
}

static bool item_valid(const struct setting *setting, const char *text)
{
    return setting->kind == SETTING_AETS ? aet_valid(text) : uid_valid(text, strlen(text));
}

/* "a, b": between commas, without the blanks around. */
static int list_set(const struct setting *setting, struct text_list *list, const char *value,
                    char *why, size_t room)
{
    list_free(list);
    if (setting->choices && strcmp(value, setting->choices) == 0) {
        list->any = true;
        return 0;
    }
    while (*value) {
        size_t length = strcspn(value, ","), rest = length + (value[length] == ',');
        while (length > 0 && strchr(" \t", *value)) {
            value++;
            length--;
            rest--;
        }
        while (length > 0 && strchr(" \t", value[length - 1]))
            length--;
        char *item = xstrndup(value, length);
        list->items = xreallocarray(list->items, list->count + 1, sizeof *list->items);
        list->items[list->count++] = item;
        if (!item_valid(setting, item)) {
            snprintf(why, room, "%.80s is no %s", *item ? item : "an empty item",
                     setting->kind == SETTING_AETS ? "AE title" : "UID");
            return -1;
        }
        value += rest;
    }
    return 0;
}

/* ---- one setting ---- */

static int number_set(const struct setting *setting, long long *to, const char *value, char *why,
                      size_t room)
{
    char *end;

    errno = 0;
    *to = strtoll(value, &end, 10);
    if (!errno && end != value && !*end && *to >= setting->low && *to <= setting->high)
        return 0;
    snprintf(why, room, "wants a number from %lld to %lld", setting->low, setting->high);
    return -1;
}

static int choice_set(const struct setting *setting, long long *to, const char *value, char *why,
                      size_t room)
{
    size_t length = strlen(value);

    *to = 0;
    for (const char *at = setting->choices; *at; (*to)++) {
        size_t n = strcspn(at, "|");
        if (n == length && memcmp(at, value, n) == 0)
            return 0;
        at += n + (at[n] == '|');
    }
    *to = 0;
    snprintf(why, room, "wants one of %s", setting->choices);
    return -1;
}

/* -1: `why` says what it wants. */
static int set(struct recv_config *config, const struct setting *setting, const char *value,
               char *why, size_t room)
{
    void *field = (char *)config + setting->offset;
    char **text = field;

    switch (setting->kind) {
    case SETTING_NUMBER:
        return number_set(setting, field, value, why, room);
    case SETTING_CHOICE:
        return choice_set(setting, field, value, why, room);
    case SETTING_AETS:
    case SETTING_UIDS:
        return list_set(setting, field, value, why, room);
    case SETTING_AET:
        if (!aet_valid(value)) {
            snprintf(why, room, "wants an AE title: 1 to 16 characters");
            return -1;
        }
        break;
    case SETTING_TEXT:
        if (!*value) {
            snprintf(why, room, "wants a value");
            return -1;
        }
        break;
    }
    free(*text);
    *text = xstrdup(value);
    return 0;
}

int recv_config_set(struct recv_config *config, const char *name, const char *value,
                    const char *origin, struct err *err)
{
    char why[160];

    for (size_t i = 0; i < COUNT(settings); i++)
        if (strcmp(settings[i].name, name) == 0)
            return set(config, &settings[i], value, why, sizeof why) == 0
                       ? 0
                       : err_set(err, ERR_INPUT, "%s %s: %s", origin, value, why);
    return err_set(err, ERR_INPUT, "%s: no setting is named %s", origin, name);
}

/* ---- the file ---- */

static int check_sections(const struct config *file, struct err *err)
{
    size_t count;
    const struct config_entry *entries = config_entries(file, &count);

    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t j = 0; j < COUNT(sections); j++)
            known |= strcmp(entries[i].section, sections[j]) == 0;
        if (!known && !*entries[i].section)
            return err_set(err, ERR_INPUT, "%s:%d: %s stands before any [section]",
                           config_path(file), entries[i].line, entries[i].name);
        if (!known)
            return err_set(err, ERR_INPUT, "%s:%d: there is no section [%s]", config_path(file),
                           entries[i].line, entries[i].section);
    }
    return 0;
}

int recv_config_load(struct recv_config *config, struct config *file, struct err *err)
{
    char why[160];
    size_t count;
    const struct config_entry *entries = config_entries(file, &count);

    memset(config, 0, sizeof *config);
    if (check_sections(file, err) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(settings); i++) {
        const struct setting *setting = &settings[i];

        if (setting->fallback && set(config, setting, setting->fallback, why, sizeof why) < 0)
            return err_set(err, ERR_FAILED, "%s: %s", setting->name, why);
        config_get(file, "recv", setting->name); /* marks every entry of this name as known */
        for (size_t j = 0; j < count; j++) {
            const struct config_entry *entry = &entries[j];
            if (strcmp(entry->section, "recv") == 0 && strcmp(entry->name, setting->name) == 0 &&
                set(config, setting, entry->value, why, sizeof why) < 0)
                return err_set(err, ERR_INPUT, "%s:%d: %s = %s: %s", config_path(file), entry->line,
                               entry->name, entry->value, why);
        }
    }
    return config_unknown(file, "recv", err);
}

void recv_config_free(struct recv_config *config)
{
    free(config->bind);
    free(config->aet);
    list_free(&config->called_aets);
    list_free(&config->calling_aets);
    list_free(&config->storage_classes);
    list_free(&config->transfer_syntaxes);
    memset(config, 0, sizeof *config);
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

int recv_choose(const struct recv_config *config, const struct dcm_proposal *proposal)
{
    bool echo = strcmp(proposal->abstract_syntax, UID_VERIFICATION) == 0;

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
