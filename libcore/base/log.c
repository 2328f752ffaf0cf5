/*
 * See log.h.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"

static const char *program = "pacs";
static enum log_level level = LOG_NORMAL;

void log_init(const char *name)
{
    const char *slash = strrchr(name, '/');

    program = slash ? slash + 1 : name;
}

const char *log_program(void)
{
    return program;
}

void log_set_level(enum log_level to)
{
    level = to;
}

enum log_level log_level(void)
{
    return level;
}

static void put_line(const char *format, va_list args)
{
    char line[2048];
    int length = snprintf(line, sizeof line, "%.64s: ", program);
    int rest = vsnprintf(line + length, sizeof line - (size_t)length - 1, format, args);

    if (rest < 0)
        return;
    text_make_printable(line);
    length = (int)strlen(line);
    line[length++] = '\n';
    write_all(STDERR_FILENO, line, (size_t)length);
}

#define LINE_IF(condition)  \
    va_list args;           \
    if (!(condition))       \
        return;             \
    va_start(args, format); \
    put_line(format, args); \
    va_end(args)

void log_error(const char *format, ...)
{
    LINE_IF(true);
}

void log_warn(const char *format, ...)
{
    LINE_IF(level >= LOG_NORMAL);
}

void log_info(const char *format, ...)
{
    LINE_IF(level >= LOG_VERBOSE);
}

void log_debug(const char *format, ...)
{
    LINE_IF(level >= LOG_DEBUG);
}

void die(int status, const struct err *err)
{
    log_error("%s", err->text);
    exit(status);
}
