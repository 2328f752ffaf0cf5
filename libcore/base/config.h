/*
 * pacs.conf: sections of `name = value` lines, parsed by inih, every value with its line number.
 *
 * What a section may hold is said by the floor that reads it; unknown sections and names are errors
 * there, through config_unknown, so that a spelling mistake is never silent.
 */
#ifndef PACS_BASE_CONFIG_H
#define PACS_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct config;

struct config_entry {
    const char *section; /* "recv", "peer NAME" */
    const char *name;
    const char *value;
    int line;
    bool used;
};

/* A missing file is an empty configuration. A line that cannot be read: -> NULL, "FILE:LINE: ...".
 */
struct config *config_load(const char *path, struct err *err);
void config_free(struct config *config);

/* The last value of the name in the section, or NULL. Marks it used. */
const char *config_get(struct config *config, const char *section, const char *name);
/* Checked forms: 0 and the value (or the fallback when absent), -1 with "FILE:LINE: ...". */
int config_number(struct config *config, const char *section, const char *name, long long low,
                  long long high, long long fallback, long long *value, struct err *err);
int config_choice(struct config *config, const char *section, const char *name,
                  const char *choices /* "a|b|c" */, int fallback, int *value, struct err *err);
int config_flag(struct config *config, const char *section, const char *name, bool fallback,
                bool *value, struct err *err);

/* All entries in the order of the file; borrowed. */
const struct config_entry *config_entries(const struct config *config, size_t *count);
const char *config_path(const struct config *config);
/* Fails at the first entry of `section` that no call above has asked for. */
int config_unknown(const struct config *config, const char *section, struct err *err);

#endif
