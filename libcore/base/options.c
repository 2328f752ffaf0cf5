/*
 * See options.h.
 */
#include "base/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define FIELD(type, entry, fields) ((type *)((char *)(fields) + (entry)->offset))

static bool takes_value(const struct option_entry *entry)
{
    return entry->kind == OPTION_TEXT || entry->kind == OPTION_NUMBER ||
           entry->kind == OPTION_CHOICE;
}

static bool is_end(const struct option_entry *entry)
{
    return !entry->name && !entry->help;
}

static _Noreturn void misuse(const char *format, const char *what, const char *more)
{
    char text[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, format, what, more);
#pragma GCC diagnostic pop
    log_error("%s (%s --help says more)", text, log_program());
    exit(2);
}

static void print_entry(const struct option_entry *entry)
{
    char left[120];

    if (entry->kind == OPTION_HEADING) {
        printf("%s\n", entry->help);
        return;
    }
    snprintf(left, sizeof left, "  %c%c%s --%s%s%s", entry->letter ? '-' : ' ',
             entry->letter ? entry->letter : ' ', entry->letter ? "," : " ", entry->name,
             takes_value(entry) ? " " : "", takes_value(entry) ? entry->argument : "");
    if (strlen(left) > 30)
        printf("%s\n%-32s%s\n", left, "", entry->help);
    else
        printf("%-30s  %s\n", left, entry->help);
}

static _Noreturn void print_help(const struct options_usage *usage)
{
    const char *at = usage->synopsis;
    const char *lead = "usage:";

    do {
        int length = (int)strcspn(at, "\n");

        printf("%s %s %.*s\n", lead, log_program(), length, at);
        lead = "      ";
        at += length + (at[length] == '\n');
    } while (*at);
    printf("%s\n", usage->summary);
    for (const struct option_entry *entry = usage->table; !is_end(entry); entry++)
        print_entry(entry);
    if (usage->notes)
        printf("%s\n", usage->notes);
    exit(fflush(stdout) == 0 ? 0 : 2);
}

static _Noreturn void print_words(const struct options_usage *usage)
{
    for (const struct option_entry *entry = usage->table; !is_end(entry); entry++)
        if (entry->kind == OPTION_CHOICE)
            printf("--%s %s\n", entry->name, entry->argument);
        else if (entry->kind != OPTION_HEADING)
            printf("--%s%s%s\n", entry->name, takes_value(entry) ? " " : "",
                   takes_value(entry) ? entry->argument : "");
    printf("--help\n--version\n");
    exit(fflush(stdout) == 0 ? 0 : 2);
}

static bool parse_number(const char *text, long long *value)
{
    static const char units[] = "KMGT";
    char *end;
    const char *unit;
    long long factor = 1;

    errno = 0;
    *value = strtoll(text, &end, 10);
    if (errno || end == text)
        return false;
    if (*end && (unit = strchr(units, *end)) && end[1] == '\0') {
        factor = 1LL << (10 * (unit - units + 1));
        end++;
    }
    return *end == '\0' && !__builtin_mul_overflow(*value, factor, value);
}

static int parse_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    int which = 0;

    for (const char *at = choices; *at; which++) {
        size_t n = strcspn(at, "|");

        if (n == length && memcmp(at, text, n) == 0)
            return which;
        at += n + (at[n] == '|');
    }
    return -1;
}

static void set_field(const struct option_entry *entry, void *fields, const char *value)
{
    switch (entry->kind) {
    case OPTION_FLAG:
        *FIELD(bool, entry, fields) = true;
        break;
    case OPTION_COUNT:
        (*FIELD(int, entry, fields))++;
        break;
    case OPTION_TEXT:
        *FIELD(const char *, entry, fields) = value;
        break;
    case OPTION_NUMBER:
        if (!parse_number(value, FIELD(long long, entry, fields)))
            misuse("--%s wants a number, not '%s'", entry->name, value);
        break;
    case OPTION_CHOICE:
        *FIELD(int, entry, fields) = parse_choice(entry->argument, value);
        if (*FIELD(int, entry, fields) < 0)
            misuse("--%s wants one of %s", entry->name, entry->argument);
        break;
    case OPTION_HEADING:
        break;
    }
}

/* "--name", "--name=value", and unambiguous beginnings of a name. */
static const struct option_entry *find_long(const struct options_usage *usage, const char *text,
                                            size_t length)
{
    const struct option_entry *found = NULL;

    for (const struct option_entry *entry = usage->table; !is_end(entry); entry++) {
        if (entry->kind == OPTION_HEADING || strncmp(entry->name, text, length) != 0)
            continue;
        if (entry->name[length] == '\0')
            return entry;
        if (found)
            misuse("--%s could be several options%s", text, "");
        found = entry;
    }
    return found;
}

static const struct option_entry *find_short(const struct options_usage *usage, char letter)
{
    for (const struct option_entry *entry = usage->table; !is_end(entry); entry++)
        if (entry->letter && entry->letter == letter)
            return entry;
    return NULL;
}

/* Returns how many further arguments were used up. */
static int parse_long(const struct options_usage *usage, void *fields, const char *text,
                      const char *next)
{
    size_t length = strcspn(text, "=");
    const struct option_entry *entry;

    if (strcmp(text, "help") == 0)
        print_help(usage);
    if (strcmp(text, "completion-words") == 0)
        print_words(usage);
    if (strcmp(text, "version") == 0) {
        printf("%s %s (pacsutils)\n", log_program(), PACS_VERSION);
        exit(fflush(stdout) == 0 ? 0 : 2);
    }
    entry = find_long(usage, text, length);
    if (!entry)
        misuse("unknown option --%s%s", text, "");
    if (!takes_value(entry)) {
        if (text[length] == '=')
            misuse("--%s takes no value%s", entry->name, "");
        set_field(entry, fields, NULL);
        return 0;
    }
    if (text[length] == '=') {
        set_field(entry, fields, text + length + 1);
        return 0;
    }
    if (!next)
        misuse("--%s wants a value (%s)", entry->name, entry->argument);
    set_field(entry, fields, next);
    return 1;
}

static int parse_short(const struct options_usage *usage, void *fields, const char *letters,
                       const char *next)
{
    for (; *letters; letters++) {
        const struct option_entry *entry = find_short(usage, *letters);
        char name[2] = {*letters, '\0'};

        if (!entry && *letters == 'h')
            print_help(usage);
        if (!entry)
            misuse("unknown option -%s%s", name, "");
        if (!takes_value(entry)) {
            set_field(entry, fields, NULL);
            continue;
        }
        if (letters[1]) {
            set_field(entry, fields, letters + 1);
            return 0;
        }
        if (!next)
            misuse("-%s wants a value (%s)", name, entry->argument);
        set_field(entry, fields, next);
        return 1;
    }
    return 0;
}

static void set_log_level(const struct options_usage *usage, const void *fields)
{
    for (const struct option_entry *entry = usage->table; !is_end(entry); entry++) {
        if (entry->kind == OPTION_COUNT && strcmp(entry->name, "verbose") == 0 &&
            *FIELD(const int, entry, fields) > 0)
            log_set_level(*FIELD(const int, entry, fields) > 1 ? LOG_DEBUG : LOG_VERBOSE);
        if (entry->kind == OPTION_FLAG && strcmp(entry->name, "quiet") == 0 &&
            *FIELD(const bool, entry, fields))
            log_set_level(LOG_QUIET);
    }
}

/* A caller may have closed stdin, stdout or stderr: the next file that is opened would take its place,
 * and what is printed would go into it. Each is opened the wrong way round, so that using it fails. */
static void keep_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int options_parse(int argc, char **argv, const struct options_usage *usage, void *fields)
{
    char **operands = xcalloc((size_t)argc + 1, sizeof *operands);
    int count = 0;

    keep_standard_files();
    log_init(argv[0]);
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc)
                operands[count++] = argv[i];
            break;
        }
        if (strncmp(argv[i], "--", 2) == 0)
            i += parse_long(usage, fields, argv[i] + 2, next);
        else if (argv[i][0] == '-' && argv[i][1])
            i += parse_short(usage, fields, argv[i] + 1, next);
        else
            operands[count++] = argv[i];
    }
    memcpy(argv + argc - count, operands, (size_t)count * sizeof *operands);
    free(operands);
    set_log_level(usage, fields);
    return argc - count;
}
