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
    struct buf line;
};

struct printer *printer_new(FILE *out, enum print_format format, const struct print_column *columns,
                            size_t count, bool header)
{
    struct printer *printer = xcalloc(1, sizeof *printer);

    if (format == PRINT_AUTO)
        format = isatty(fileno(out)) ? PRINT_TABLE : PRINT_TSV;
    printer->out = out;
    printer->format = format;
    printer->count = count;
    printer->header = header && (format == PRINT_TABLE || format == PRINT_CSV);
    printer->columns = xcalloc(count, sizeof *columns);
    for (size_t i = 0; i < count; i++) {
        printer->columns[i] = columns[i];
        printer->columns[i].name = xstrdup(columns[i].name);
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

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* C1 controls (U+0080 to U+009F) drive terminals as well; in UTF-8 they are C2 80 to C2 9F. */
static void add_plain(struct buf *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (is_control(*at)) {
            buf_addc(out, '?');
        } else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f) {
            buf_addc(out, '?');
            at++;
        } else {
            buf_addc(out, (char)*at);
        }
    }
}

/* ---- tables ---- */

/* One code point of UTF-8, and its length; 0xfffd and 1 for a byte that begins none. */
static uint32_t code_point(const unsigned char *at, size_t *length)
{
    size_t n = *at < 0x80 ? 1 : *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : *at >= 0xc2 ? 2 : 1;
    uint32_t code = n == 1 ? *at : *at & (0xffu >> (n + 1));

    for (size_t i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            *length = 1;
            return 0xfffd;
        }
        code = code << 6 | (at[i] & 0x3f);
    }
    *length = n;
    return code;
}

/* Columns on a terminal. wcwidth would follow the locale, and ours may be C: so the ranges
 * themselves, combining marks 0, East Asian wide 2. */
static int code_width(uint32_t code)
{
    if ((code >= 0x300 && code <= 0x36f) || (code >= 0x200b && code <= 0x200f) ||
        (code >= 0x20d0 && code <= 0x20ff) || (code >= 0xfe00 && code <= 0xfe0f))
        return 0;
    if ((code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
        (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
        (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
        (code >= 0xffe0 && code <= 0xffe6) || (code >= 0x1f300 && code <= 0x1faff) ||
        (code >= 0x20000 && code <= 0x3fffd))
        return 2;
    return 1;
}

static int text_width(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    int width = 0;

    while (*at) {
        size_t length;

        width += code_width(code_point(at, &length));
        at += length;
    }
    return width;
}

static void add_cell(struct printer *printer, size_t column, const char *text)
{
    bool last = column + 1 == printer->count;
    int room = printer->width[column], width = 0;
    const unsigned char *at = (const unsigned char *)text;
    struct buf *line = &printer->line;
    size_t start = line->length;

    while (*at) {
        size_t length;
        int more = code_width(code_point(at, &length));

        if (!last && width + more > room)
            break;
        buf_add(line, at, length);
        width += more;
        at += length;
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
    buf_adds(line, last ? "\n" : "  ");
}

static void table_row(struct printer *printer, char *const *cells)
{
    for (size_t i = 0; i < printer->count; i++)
        add_cell(printer, i, cells[i]);
    put(printer);
}

static void table_start(struct printer *printer)
{
    for (size_t i = 0; i < printer->count; i++) {
        int width = printer->header ? text_width(printer->columns[i].name) : 0;

        for (size_t row = 0; row < printer->held_rows; row++) {
            int w = text_width(printer->held[row * printer->count + i]);

            /* The first column is the reference: cut, it would be of no use. */
            if (i > 0 && w > CELL_WIDTH)
                w = CELL_WIDTH;
            width = w > width ? w : width;
        }
        printer->width[i] = width;
    }
    if (printer->header) {
        for (size_t i = 0; i < printer->count; i++)
            add_cell(printer, i, printer->columns[i].name);
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

        add_plain(&text, values[i] ? values[i] : "");
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
        csv_cell(&printer->line, values[i] ? values[i] : "");
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
    buf_addc(line, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            buf_addf(line, "\\%c", c);
        else if (is_control(c))
            buf_addf(line, "\\u%04x", c);
        else
            buf_addc(line, (char)c);
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

        if (!text)
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

void printer_row(struct printer *printer, const char *const *values)
{
    if (printer->format == PRINT_TABLE) {
        table_add(printer, values);
        return;
    }
    if (printer->format == PRINT_JSON) {
        json_row(printer, values);
        return;
    }
    if (printer->format == PRINT_CSV) {
        csv_header(printer);
        csv_row(printer, values);
        return;
    }
    for (size_t i = 0; i < printer->count; i++) {
        if (i > 0)
            buf_addc(&printer->line, '\t');
        add_plain(&printer->line, values[i] ? values[i] : "");
    }
    buf_addc(&printer->line, printer->format == PRINT_NUL ? '\0' : '\n');
    put(printer);
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
    for (size_t i = 0; i < printer->count; i++)
        free((char *)printer->columns[i].name);
    free(printer->columns);
    free(printer->width);
    free(printer->held);
    buf_free(&printer->line);
    free(printer);
    return status;
}
