/*
 * See rows.h.
 */
#include "base/rows.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct row {
    size_t number;
    const char *value[]; /* then the texts themselves */
};

struct rows {
    size_t columns, count, bytes;
    struct row **row;
};

struct rows *rows_new(size_t columns)
{
    struct rows *rows = xcalloc(1, sizeof *rows);

    rows->columns = columns;
    return rows;
}

void rows_free(struct rows *rows)
{
    if (!rows)
        return;
    for (size_t i = 0; i < rows->count; i++)
        free(rows->row[i]);
    free(rows->row);
    free(rows);
}

int rows_add(struct rows *rows, const char *const *values, struct err *err)
{
    size_t size = sizeof(struct row) + rows->columns * sizeof(char *);
    struct row *row;
    char *text;

    for (size_t i = 0; i < rows->columns; i++)
        size += values[i] ? strlen(values[i]) + 1 : 0;
    rows->bytes += size + sizeof row;
    if (rows->bytes > ROWS_BYTES)
        return err_set(err, ERR_NOSPACE, "more than %zu MB of lines to put in order",
                       ROWS_BYTES >> 20);
    row = xmalloc(size);
    text = (char *)&row->value[rows->columns];
    row->number = rows->count;
    for (size_t i = 0; i < rows->columns; i++) {
        row->value[i] = values[i] ? text : NULL;
        if (values[i])
            text = stpcpy(text, values[i]) + 1;
    }
    if ((rows->count & (rows->count - 1)) == 0)
        rows->row =
            xreallocarray(rows->row, rows->count ? rows->count * 2 : 1, sizeof(struct row *));
    rows->row[rows->count++] = row;
    return 0;
}

size_t rows_count(const struct rows *rows)
{
    return rows->count;
}

void rows_get(const struct rows *rows, size_t at, const char **values)
{
    memcpy(values, rows->row[at]->value, rows->columns * sizeof *values);
}

struct ordering {
    const struct rows_order *order;
    size_t count;
};

static int compare_values(const char *a, const char *b, enum rows_kind kind)
{
    double x, y;

    if (!a || !b)
        return (a != NULL) - (b != NULL);
    if (kind == ROWS_NAME)
        return strcasecmp(a, b);
    if (kind == ROWS_TEXT)
        return strcmp(a, b);
    x = strtod(a, NULL);
    y = strtod(b, NULL);
    return (x > y) - (x < y);
}

static int compare(const void *a, const void *b, void *context)
{
    const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;
    const struct ordering *ordering = context;

    for (size_t i = 0; i < ordering->count; i++) {
        const struct rows_order *order = &ordering->order[i];
        int result = compare_values(x->value[order->column], y->value[order->column], order->kind);

        if (result)
            return order->descending ? -result : result;
    }
    return (x->number > y->number) - (x->number < y->number);
}

void rows_sort(struct rows *rows, const struct rows_order *order, size_t count)
{
    struct ordering ordering = {order, count};

    if (rows->count)
        qsort_r(rows->row, rows->count, sizeof(struct row *), compare, &ordering);
}
