/*
 * Rows for people and for pipes: an aligned table on a terminal, tab-separated lines into a pipe,
 * and CSV, JSON (one object a line) or NUL-ended lines on request.
 *
 * Text is UTF-8. In tables, TSV and NUL output every control character becomes '?', so that a value
 * from a peer can neither break a line nor drive a terminal; CSV (RFC 4180) keeps them unless it goes
 * to a terminal, JSON escapes them. JSON is valid UTF-8 whatever the value is.
 */
#ifndef PACS_BASE_PRINT_H
#define PACS_BASE_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum print_format { PRINT_AUTO, PRINT_TABLE, PRINT_TSV, PRINT_CSV, PRINT_JSON, PRINT_NUL };

struct print_column {
    const char *name; /* header, and key in JSON: a keyword */
    char vr[3]; /* "" : plain text; in JSON numbers of IS, DS, US... stay strings unless valid */
    bool right; /* right-aligned in a table */
    const char *label; /* header of a table, where the name is too long for one; or NULL */
};

struct printer;

/* PRINT_AUTO: a table when `out` is a terminal, else TSV. Columns are copied. `header`: tables and
 * CSV get one. A table is aligned over its first rows (a screenful), then streams. */
struct printer *printer_new(FILE *out, enum print_format format, const struct print_column *columns,
                            size_t count, bool header);
/* One row; a NULL value is empty (absent in JSON). Returns -1 once nothing more can be written, so that
 * the caller can stop; printer_close has the reason. */
int printer_row(struct printer *printer, const char *const *values);
/* Writes what is held back; frees. Returns -1 with a message if stdout could not be written
 * (ERR_CLOSED for a closed pipe). */
int printer_close(struct printer *printer, struct err *err);

#endif
