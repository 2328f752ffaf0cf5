/*
 * See settings.h.
 */
#include "net/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dicom/uid.h"

/* ---- lists ---- */

static void list_free(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    memset(list, 0, sizeof *list);
}

bool list_has(const struct text_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

bool aet_valid(const char *text)
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
static int set(void *fields, const struct setting *setting, const char *value, char *why,
               size_t room)
{
    void *field = (char *)fields + setting->offset;
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

int settings_set(const struct setting *table, size_t count, void *fields, const char *name,
                 const char *value, const char *origin, struct err *err)
{
    char why[160];

    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0)
            return set(fields, &table[i], value, why, sizeof why) == 0
                       ? 0
                       : err_set(err, ERR_INPUT, "%s %s: %s", origin, value, why);
    return err_set(err, ERR_INPUT, "%s: no setting is named %s", origin, name);
}

void settings_free(const struct setting *table, size_t count, void *fields)
{
    for (size_t i = 0; i < count; i++) {
        void *field = (char *)fields + table[i].offset;

        switch (table[i].kind) {
        case SETTING_TEXT:
        case SETTING_AET:
            free(*(char **)field);
            *(char **)field = NULL;
            break;
        case SETTING_AETS:
        case SETTING_UIDS:
            list_free(field);
            break;
        default:
            break;
        }
    }
}

/* ---- the file ---- */

int settings_load(const struct setting *table, size_t count, void *fields, struct config *file,
                  const char *section, struct err *err)
{
    char why[160];
    size_t entry_count;
    const struct config_entry *entries = config_entries(file, &entry_count);

    for (size_t i = 0; i < count; i++) {
        const struct setting *setting = &table[i];

        if (setting->fallback && set(fields, setting, setting->fallback, why, sizeof why) < 0)
            return err_set(err, ERR_FAILED, "%s: %s", setting->name, why);
        config_get(file, section, setting->name); /* marks every entry of this name as known */
        for (size_t j = 0; j < entry_count; j++) {
            const struct config_entry *entry = &entries[j];
            if (strcmp(entry->section, section) == 0 && strcmp(entry->name, setting->name) == 0 &&
                set(fields, setting, entry->value, why, sizeof why) < 0)
                return err_set(err, ERR_INPUT, "%s:%d: %s = %s: %s", config_path(file), entry->line,
                               entry->name, entry->value, why);
        }
    }
    return config_unknown(file, section, err);
}
