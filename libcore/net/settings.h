/*
 * Settings by a table: what a section of pacs.conf, or an option of a command line, may say, is said once,
 * with its default and its limits. For the floors' own configuration structs.
 */
#ifndef PACS_NET_SETTINGS_H
#define PACS_NET_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"
#include "base/err.h"

struct text_list {
    bool any;
    size_t count;
    char **items;
};
bool list_has(const struct text_list *list, const char *text);

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
    size_t offset;        /* of the field in the struct that is filled */
    const char *fallback; /* as it would stand in the file; NULL: nothing */
    long long low, high;
    const char *choices; /* "a|b|c"; lists: "any" where that is a value */
};

/* An AE title: PS3.5 table 6.2-1, 1 to 16 characters of the default repertoire but backslash and controls,
 * not only blanks. */
bool aet_valid(const char *text);

/* Defaults into a struct of zeros, then what the section of the file says. -1: "FILE:LINE: ...", also for a
 * name that the table does not have. */
int settings_load(const struct setting *table, size_t count, void *fields, struct config *file,
                  const char *section, struct err *err);
/* One setting, by its name; `origin` begins the message ("--port"). */
int settings_set(const struct setting *table, size_t count, void *fields, const char *name,
                 const char *value, const char *origin, struct err *err);
void settings_free(const struct setting *table, size_t count, void *fields);

#endif
