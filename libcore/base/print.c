/*
 * See print.h.
 */
#include "base/print.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

#define TABLE_ROWS 200 /* rows that decide the widths of a table */
#define CELL_WIDTH 40  /* a wider cell is cut in a table, except in the last column */

struct printer {
    FILE *out;
    enum print_format format;
    struct print_column *columns;
    size_t count;
    bool header;
    bool started;
    bool failed; /* errno of the first failure is in `number` */
    int number;
    char **held; /* rows of a table that wait for the widths */
    size_t held_rows;
    int *width;
    bool terminal;
    bool *again; /* the name is an earlier column's: a key comes once in an object */
    struct buf line, plain;
};

struct printer *printer_new(FILE *out, enum print_format format, const struct print_column *columns,
                            size_t count, bool header)
{
    struct printer *printer = xcalloc(1, sizeof *printer);

    if (format == PRINT_AUTO || format == PRINT_CSV)
        printer->terminal = isatty(fileno(out));
    if (format == PRINT_AUTO)
        format = printer->terminal ? PRINT_TABLE : PRINT_TSV;
    printer->out = out;
    printer->format = format;
    printer->count = count;
    printer->header = header && (format == PRINT_TABLE || format == PRINT_CSV);
    printer->columns = xcalloc(count, sizeof *columns);
    printer->again = xcalloc(count, sizeof *printer->again);
    for (size_t i = 0; i < count; i++) {
        printer->columns[i] = columns[i];
        printer->columns[i].name = xstrdup(columns[i].name);
        printer->columns[i].label = columns[i].label ? xstrdup(columns[i].label) : NULL;
        for (size_t j = 0; j < i && !printer->again[i]; j++)
            printer->again[i] = strcmp(columns[j].name, columns[i].name) == 0;
    }
    printer->width = xcalloc(count, sizeof *printer->width);
    if (format == PRINT_TABLE)
        printer->held = xcalloc(TABLE_ROWS * count, sizeof *printer->held);
    return printer;
}

static void put(struct printer *printer)
{
    if (!printer->failed &&
        fwrite(printer->line.data, 1, printer->line.length, printer->out) != printer->line.length) {
        printer->failed = true;
        printer->number = errno;
    }
    buf_clear(&printer->line);
}

/* Controls, and for people also what is no text and what turns the direction, become '?'. */
static void add_plain(struct buf *out, const char *text, bool for_people)
{
    while (*text) {
        uint32_t code;
        size_t length = text_next(text, &code);

        if (code == TEXT_INVALID
                ? for_people
                : text_is_control(code) || (for_people && text_is_directional(code)))
            buf_addc(out, '?');
        else
            buf_add(out, text, length);
        text += length;
    }
}

/* ---- tables ---- */

/* As much of the text as there is room for; "\u2026" stands for the rest. Returns the columns taken. */
static int add_within(struct buf *line, const char *text, int room)
{
    bool whole = text_width(text) <= room;
    int width = 0;

    if (!whole)
        room--;
    while (*text) {
        uint32_t code;
        size_t length = text_next(text, &code);
        int more = text_code_width(code);

        if (width + more > room)
            break;
        buf_add(line, text, length);
        width += more;
        text += length;
    }
    if (!whole)
        buf_adds(line, "\xe2\x80\xa6");
    return width + !whole;
}

/* The first column is the reference, of no use when cut; the last one has room. */
static void add_cell(struct printer *printer, size_t column, const char *text)
{
    bool last = column + 1 == printer->count;
    int room = printer->width[column], width;
    struct buf *line = &printer->line;
    size_t start = line->length;

    if (column == 0 || last) {
        buf_adds(line, text);
        width = text_width(text);
    } else {
        width = add_within(line, text, room);
    }
    int pad = room > width ? room - width : 0;
    if (printer->columns[column].right) {
        buf_reserve(line, (size_t)pad);
        memmove(line->data + start + pad, line->data + start, line->length - start);
        memset(line->data + start, ' ', (size_t)pad);
        line->length += (size_t)pad;
        line->data[line->length] = '\0';
    } else if (!last) {
        for (int i = 0; i < pad; i++)
            buf_addc(line, ' ');
    }
    if (!last) {
        buf_adds(line, "  ");
        return;
    }
    while (line->length && line->data[line->length - 1] == ' ')
        line->length--;
    buf_addc(line, '\n');
}

static void table_row(struct printer *printer, char *const *cells)
{
    for (size_t i = 0; i < printer->count; i++)
        add_cell(printer, i, cells[i]);
    put(printer);
}

static const char *label(const struct print_column *column)
{
    return column->label ? column->label : column->name;
}

static void table_start(struct printer *printer)
{
    for (size_t i = 0; i < printer->count; i++) {
        int width = printer->header ? text_width(label(&printer->columns[i])) : 0;

        for (size_t row = 0; row < printer->held_rows; row++) {
            int w = text_width(printer->held[row * printer->count + i]);

            if (i > 0 && w > CELL_WIDTH)
                w = CELL_WIDTH;
            width = w > width ? w : width;
        }
        printer->width[i] = width;
    }
    if (printer->header) {
        for (size_t i = 0; i < printer->count; i++)
            add_cell(printer, i, label(&printer->columns[i]));
        put(printer);
    }
    for (size_t row = 0; row < printer->held_rows; row++) {
        char **cells = printer->held + row * printer->count;

        table_row(printer, cells);
        for (size_t i = 0; i < printer->count; i++)
            free(cells[i]);
    }
    printer->held_rows = 0;
    printer->started = true;
}

static void table_add(struct printer *printer, const char *const *values)
{
    char **cells = printer->started ? xcalloc(printer->count, sizeof *cells)
                                    : printer->held + printer->held_rows * printer->count;

    for (size_t i = 0; i < printer->count; i++) {
        struct buf text = {0};

        add_plain(&text, values[i] ? values[i] : "", true);
        cells[i] = buf_take(&text);
    }
    if (!printer->started) {
        if (++printer->held_rows == TABLE_ROWS)
            table_start(printer);
        return;
    }
    table_row(printer, cells);
    for (size_t i = 0; i < printer->count; i++)
        free(cells[i]);
    free(cells);
}

/* ---- CSV, RFC 4180 ---- */

static void csv_cell(struct buf *line, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")] && text[0] != ' ') {
        buf_adds(line, text);
        return;
    }
    buf_addc(line, '"');
    for (; *text; text++) {
        if (*text == '"')
            buf_addc(line, '"');
        buf_addc(line, *text);
    }
    buf_addc(line, '"');
}

static void csv_row(struct printer *printer, const char *const *values)
{
    for (size_t i = 0; i < printer->count; i++) {
        if (i > 0)
            buf_addc(&printer->line, ',');
        if (printer->terminal && values[i]) {
            buf_clear(&printer->plain);
            add_plain(&printer->plain, values[i], true);
            csv_cell(&printer->line, buf_text(&printer->plain));
        } else {
            csv_cell(&printer->line, values[i] ? values[i] : "");
        }
    }
    buf_adds(&printer->line, "\r\n");
    put(printer);
}

static void csv_header(struct printer *printer)
{
    if (!printer->header || printer->started)
        return;
    printer->started = true;
    for (size_t i = 0; i < printer->count; i++) {
        if (i > 0)
            buf_addc(&printer->line, ',');
        csv_cell(&printer->line, printer->columns[i].name);
    }
    buf_adds(&printer->line, "\r\n");
    put(printer);
}

/* ---- JSON, one object a line ---- */

static void json_string(struct buf *line, const char *text, size_t length)
{
    const char *end = text + length;

    buf_addc(line, '"');
    while (text < end) {
        uint32_t code;
        size_t size = text_next(text, &code);

        if (code == '"' || code == '\\')
            buf_addf(line, "\\%c", (int)code);
        else if (code == TEXT_INVALID)
            buf_adds(line, "\\ufffd");
        else if (text_is_control(code))
            buf_addf(line, "\\u%04x", code);
        else
            buf_add(line, text, size);
        text += size;
    }
    buf_addc(line, '"');
}

/* What RFC 8259 calls a number; a DS such as "+1.5" or ".5" is none and stays a string. */
static bool json_is_number(const char *text, size_t length)
{
    const char *at = text, *end = text + length;

    if (at < end && *at == '-')
        at++;
    if (at == end || *at < '0' || *at > '9')
        return false;
    if (*at == '0' && at + 1 < end && at[1] >= '0' && at[1] <= '9')
        return false;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    if (at < end && *at == '.') {
        if (++at == end || *at < '0' || *at > '9')
            return false;
        while (at < end && *at >= '0' && *at <= '9')
            at++;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (at == end)
            return false;
        while (at < end && *at >= '0' && *at <= '9')
            at++;
    }
    return at == end;
}

static bool in_list(const char *vr, const char *list)
{
    return vr[0] && strstr(list, vr);
}

static void json_value(struct buf *line, const char *vr, const char *text, size_t length)
{
    if (in_list(vr, "IS DS US SS UL SL UV SV FL FD") && json_is_number(text, length))
        buf_add(line, text, length);
    else
        json_string(line, text, length);
}

static void json_row(struct printer *printer, const char *const *values)
{
    struct buf *line = &printer->line;
    bool first = true;

    buf_addc(line, '{');
    for (size_t i = 0; i < printer->count; i++) {
        const struct print_column *column = &printer->columns[i];
        const char *text = values[i];
        /* In LT, ST, UT and UR a backslash is a character. */
        bool several = column->vr[0] && !in_list(column->vr, "LT ST UT UR");

        if (!text || printer->again[i])
            continue;
        if (!first)
            buf_addc(line, ',');
        first = false;
        json_string(line, column->name, strlen(column->name));
        buf_addc(line, ':');
        if (!several || !strchr(text, '\\')) {
            json_value(line, column->vr, text, strlen(text));
            continue;
        }
        buf_addc(line, '[');
        for (;;) {
            size_t length = strcspn(text, "\\");

            json_value(line, column->vr, text, length);
            if (!text[length])
                break;
            buf_addc(line, ',');
            text += length + 1;
        }
        buf_addc(line, ']');
    }
    buf_adds(line, "}\n");
    put(printer);
}

/* ---- all ---- */

static void plain_row(struct printer *printer, const char *const *values)
{
    for (size_t i = 0; i < printer->count; i++) {
        if (i > 0)
            buf_addc(&printer->line, '\t');
        add_plain(&printer->line, values[i] ? values[i] : "", false);
    }
    buf_addc(&printer->line, printer->format == PRINT_NUL ? '\0' : '\n');
    put(printer);
}

int printer_row(struct printer *printer, const char *const *values)
{
    switch (printer->format) {
    case PRINT_TABLE:
        table_add(printer, values);
        break;
    case PRINT_JSON:
        json_row(printer, values);
        break;
    case PRINT_CSV:
        csv_header(printer);
        csv_row(printer, values);
        break;
    default:
        plain_row(printer, values);
    }
    return printer->failed ? -1 : 0;
}

int printer_close(struct printer *printer, struct err *err)
{
    int status = 0;

    if (printer->format == PRINT_TABLE && !printer->started && printer->held_rows)
        table_start(printer);
    if (printer->format == PRINT_CSV)
        csv_header(printer);
    if (!printer->failed && fflush(printer->out) != 0) {
        printer->failed = true;
        printer->number = errno;
    }
    if (printer->failed) {
        errno = printer->number;
        status = err_sys(err, "standard output");
    }
    for (size_t i = 0; i < printer->count; i++) {
        free((char *)printer->columns[i].name);
        free((char *)printer->columns[i].label);
    }
    free(printer->columns);
    free(printer->again);
    free(printer->width);
    free(printer->held);
    buf_free(&printer->line);
    buf_free(&printer->plain);
    free(printer);
    return status;
}
