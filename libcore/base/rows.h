/*
 * Rows of texts kept in memory, to be put in order: answers that come from several places at once.
 */
#ifndef PACS_BASE_ROWS_H
#define PACS_BASE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define ROWS_BYTES ((size_t)1 << 30)

enum rows_kind { ROWS_TEXT, ROWS_NAME /* letter case aside */, ROWS_NUMBER };

struct rows_order {
    size_t column;
    enum rows_kind kind;
    bool descending;
};

struct rows;

struct rows *rows_new(size_t columns);
void rows_free(struct rows *rows);
/* Copies it; a value may be NULL. ERR_NOSPACE beyond ROWS_BYTES. */
int rows_add(struct rows *rows, const char *const *values, struct err *err);
size_t rows_count(const struct rows *rows);
/* No value comes first; equal ones stay as they came. Like ORDER BY of the index. */
void rows_sort(struct rows *rows, const struct rows_order *order, size_t count);
void rows_get(const struct rows *rows, size_t at, const char **values);

#endif
