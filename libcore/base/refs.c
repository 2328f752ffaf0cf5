/*
 * See refs.h.
 */
#include "base/refs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define LINE_LIMIT (1 << 20)

bool ref_is_path(const char *reference)
{
    return reference[0] == '/' || reference[0] == '.';
}

static int each_line(FILE *in, bool nul, refs_each *each, void *context, struct err *err)
{
    struct buf line = {0}, first = {0};
    int status = 0, c;

    do {
        buf_clear(&line);
        while ((c = getc_unlocked(in)) != EOF && c != (nul ? '\0' : '\n')) {
            if (line.length >= LINE_LIMIT) {
                status = err_set(err, ERR_INPUT, "stdin: a line longer than 1 MiB");
                goto out;
            }
            buf_addc(&line, (char)c);
        }
        if (!nul && line.length && line.data[line.length - 1] == '\r')
            line.data[--line.length] = '\0';
        if (line.length == 0)
            continue;
        if (!nul && memchr(line.data, '\0', line.length)) {
            status = err_set(err, ERR_INPUT, "stdin: NUL in a line (-0 reads NUL-ended entries)");
            goto out;
        }
        buf_clear(&first);
        /* A path given as by find -print0 is the whole entry: a tab may be part of it. */
        buf_add(&first, line.data,
                nul && ref_is_path(line.data) ? line.length : strcspn(line.data, "\t"));
        if (first.length)
            status = each(context, first.data, line.data, err);
    } while (status == 0 && c != EOF);
    if (status == 0 && ferror(in))
        status = err_sys(err, "stdin");
out:
    buf_free(&line);
    buf_free(&first);
    return status;
}

int refs_loop(int count, char **arguments, bool nul, refs_each *each, void *context,
              struct err *err)
{
    int status = 0;

    if (count == 0) {
        if (isatty(STDIN_FILENO))
            return err_set(err, ERR_INPUT, "no references: name some, or give them on stdin");
        return each_line(stdin, nul, each, context, err);
    }
    for (int i = 0; i < count && status == 0; i++) {
        if (strcmp(arguments[i], "-") == 0)
            status = each_line(stdin, nul, each, context, err);
        else
            status = each(context, arguments[i], arguments[i], err);
    }
    return status;
}
