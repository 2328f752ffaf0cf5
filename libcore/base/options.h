/*
 * Command lines: one table per command gives parsing, --help and shell completion.
 *
 * Every command has -h/--help and --version without naming them in its table, and the common ones
 * through OPTIONS_COMMON. Options and operands may be mixed; "--" ends the options; "-" is an
 * operand; "--name=value" and "--name value" are the same; short flags may be bundled.
 */
#ifndef PACS_BASE_OPTIONS_H
#define PACS_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum option_kind {
    OPTION_FLAG,   /* bool: set to true */
    OPTION_COUNT,  /* int: one more each time (-vv) */
    OPTION_TEXT,   /* const char *: points into argv */
    OPTION_NUMBER, /* long long: decimal, checked for rest and range; K, M, G, T (1024) accepted */
    OPTION_CHOICE, /* int: index in `choices`, "a|b|c" */
    OPTION_HEADING /* no option: `help` is a line above a group in --help */
};

struct option_entry {
    char letter;      /* 0: none */
    const char *name; /* long name without dashes */
    enum option_kind kind;
    size_t offset;        /* of the field in the command's options struct */
    const char *argument; /* what --help calls the value; for OPTION_CHOICE the "a|b|c" itself */
    const char *help;     /* a short line */
};

struct options_usage {
    const char
        *synopsis;       /* "[options] [Keyword=value...]", after the name; several lines with \n */
    const char *summary; /* one sentence */
    const char *notes;   /* printed after the options, or NULL */
    const struct option_entry *table; /* ends with an entry whose name and help are NULL */
};

/* The options that every command shares: fields of these names and types in its struct:
 *   const char *archive; int verbose; bool quiet; */
#define OPTIONS_COMMON(type)                                                                   \
    {'A',         "archive",                                                                   \
     OPTION_TEXT, offsetof(type, archive),                                                     \
     "DIR",       "the archive (else $PACS_ARCHIVE, else here)"},                              \
        {'v', "verbose", OPTION_COUNT, offsetof(type, verbose), NULL, "say more (-vv: more)"}, \
    {                                                                                          \
        'q', "quiet", OPTION_FLAG, offsetof(type, quiet), NULL, "say only what failed"         \
    }
#define OPTIONS_END                         \
    {                                       \
        0, NULL, OPTION_FLAG, 0, NULL, NULL \
    }

/* Parses, permuting argv so that operands stand at the end. Returns the index of the first operand.
 * --help and --version print on stdout and exit 0; misuse prints one line on stderr and exits 2.
 * To be called first of all: from here on descriptors 0 to 2 are in use, if only by something that
 * can be neither read nor written. Sets the log level from `verbose` and `quiet` if the table has them. `--completion-words`
 * (hidden) prints the options one a line, for the shell completion. */
int options_parse(int argc, char **argv, const struct options_usage *usage, void *fields);

#endif
