/*
 * See config.h. inih does the parsing; its reader function counts the lines, because Debian's build
 * does not pass their numbers on.
 */
#include "base/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct config {
    char *path;
    struct config_entry *entries;
    size_t count, capacity;
};

struct reading {
    FILE *file;
    struct config *config;
    int line;
    bool too_long;
};

static char *read_line(char *text, int size, void *stream)
{
    struct reading *reading = stream;
    char *got = fgets(text, size, reading->file);

    if (!got)
        return NULL;
    reading->line++;
    if (!strchr(text, '\n') && !feof(reading->file)) {
        reading->too_long = true;
        return NULL;
    }
    /* A line that begins with blanks would continue the value before it: a trap in a file written
     * by hand. */
    char *start = text + strspn(text, " \t");
    memmove(text, start, strlen(start) + 1);
    return got;
}

static int add_entry(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    struct config *config = reading->config;

    if (config->count == config->capacity) {
        config->capacity = config->capacity ? config->capacity * 2 : 32;
        config->entries = xreallocarray(config->entries, config->capacity, sizeof *config->entries);
    }
    config->entries[config->count++] = (struct config_entry){.section = xstrdup(section),
                                                             .name = xstrdup(name),
                                                             .value = xstrdup(value ? value : ""),
                                                             .line = reading->line};
    return 1;
}

struct config *config_load(const char *path, struct err *err)
{
    struct config *config = xcalloc(1, sizeof *config);
    struct reading reading = {.config = config};
    int bad;

    config->path = xstrdup(path);
    reading.file = fopen(path, "re");
    if (!reading.file) {
        if (errno == ENOENT)
            return config;
        err_sys(err, "%s", path);
        config_free(config);
        return NULL;
    }
    /* inih hands one pointer to both the reader and the handler's user argument. */
    bad = ini_parse_stream(read_line, &reading, add_entry, &reading);
    fclose(reading.file);
    if (reading.too_long)
        err_set(err, ERR_INPUT, "%s:%d: the line is too long", path, reading.line);
    else if (bad > 0)
        err_set(err, ERR_INPUT, "%s:%d: neither [section] nor name = value", path, bad);
    else if (bad < 0)
        err_set(err, ERR_FAILED, "%s: cannot be parsed", path);
    else
        return config;
    config_free(config);
    return NULL;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->count; i++) {
        free((char *)config->entries[i].section);
        free((char *)config->entries[i].name);
        free((char *)config->entries[i].value);
    }
    free(config->entries);
    free(config->path);
    free(config);
}

static struct config_entry *find(struct config *config, const char *section, const char *name)
{
    struct config_entry *found = NULL;

    for (size_t i = 0; i < config->count; i++) {
        struct config_entry *entry = &config->entries[i];

        if (strcmp(entry->section, section) == 0 && strcmp(entry->name, name) == 0) {
            entry->used = true;
            found = entry;
        }
    }
    return found;
}

const char *config_get(struct config *config, const char *section, const char *name)
{
    struct config_entry *entry = find(config, section, name);

    return entry ? entry->value : NULL;
}

static int bad_value(const struct config *config, const struct config_entry *entry, struct err *err,
                     const char *wanted)
{
    return err_set(err, ERR_INPUT, "%s:%d: %s = %s: %s", config->path, entry->line, entry->name,
                   entry->value, wanted);
}

int config_number(struct config *config, const char *section, const char *name, long long low,
                  long long high, long long fallback, long long *value, struct err *err)
{
    struct config_entry *entry = find(config, section, name);
    char *end;

    *value = fallback;
    if (!entry)
        return 0;
    errno = 0;
    *value = strtoll(entry->value, &end, 10);
    if (errno || end == entry->value || *end || *value < low || *value > high) {
        char wanted[96];

        snprintf(wanted, sizeof wanted, "wants a number from %lld to %lld", low, high);
        return bad_value(config, entry, err, wanted);
    }
    return 0;
}

int config_choice(struct config *config, const char *section, const char *name, const char *choices,
                  int fallback, int *value, struct err *err)
{
    struct config_entry *entry = find(config, section, name);
    char wanted[256];

    *value = fallback;
    if (!entry)
        return 0;
    size_t length = strlen(entry->value);
    int which = 0;
    for (const char *at = choices; *at; which++) {
        size_t n = strcspn(at, "|");

        if (n == length && memcmp(at, entry->value, n) == 0) {
            *value = which;
            return 0;
        }
        at += n + (at[n] == '|');
    }
    snprintf(wanted, sizeof wanted, "wants one of %s", choices);
    return bad_value(config, entry, err, wanted);
}

int config_flag(struct config *config, const char *section, const char *name, bool fallback,
                bool *value, struct err *err)
{
    int which;

    if (config_choice(config, section, name, "no|yes|false|true|0|1|off|on", fallback, &which,
                      err) < 0)
        return -1;
    *value = which & 1;
    return 0;
}

const struct config_entry *config_entries(const struct config *config, size_t *count)
{
    *count = config->count;
    return config->entries;
}

const char *config_path(const struct config *config)
{
    return config->path;
}

int config_unknown(const struct config *config, const char *section, struct err *err)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct config_entry *entry = &config->entries[i];

        if (!entry->used && strcmp(entry->section, section) == 0)
            return err_set(err, ERR_INPUT, "%s:%d: [%s] knows no setting named %s", config->path,
                           entry->line, section, entry->name);
    }
    return 0;
}
