/*
 * Messages for people: one line each on stderr, `program: text`, written in one system call so that
 * lines of several processes do not mix. Control characters become '?'.
 */
#ifndef PACS_BASE_LOG_H
#define PACS_BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_QUIET = -1, LOG_NORMAL = 0, LOG_VERBOSE = 1, LOG_DEBUG = 2 };

/* Called once at the start of main, with argv[0]; the program's name is its last component. */
void log_init(const char *program);
const char *log_program(void);
void log_set_level(enum log_level level);
enum log_level log_level(void);

/* Failures: always written. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What a user should know though the work goes on: not with -q. */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* With -v, and with -vv. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For main only: prints the error and exits. */
_Noreturn void die(int status, const struct err *err);

#endif
