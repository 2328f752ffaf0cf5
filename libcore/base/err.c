/*
 * See err.h.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static enum err_code code_of(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_NOSPACE;
    case ENOENT:
        return ERR_NOTFOUND;
    case EWOULDBLOCK:
    case EBUSY:
        return ERR_BUSY;
    case EPIPE:
    case ECONNRESET:
        return ERR_CLOSED;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_FAILED;
    }
}

int err_set(struct err *err, enum err_code code, const char *format, ...)
{
    if (err) {
        char text[sizeof err->text]; /* the arguments may point into err->text */
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        /* What comes from a peer or a file must neither break the line nor drive the terminal. */
        text_make_printable(text);
        memcpy(err->text, text, sizeof text);
        err->code = code;
    }
    return -1;
}

int err_sys(struct err *err, const char *format, ...)
{
    int number = errno;

    if (err) {
        char text[sizeof err->text];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        /* The reason matters more than the end of a long name. */
        err_set(err, code_of(number), "%.*s: %s", (int)sizeof text - 128, text, strerror(number));
    }
    errno = number;
    return -1;
}

int err_prefix(struct err *err, const char *format, ...)
{
    if (err) {
        char old[sizeof err->text], text[512];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        memcpy(old, err->text, sizeof old);
        snprintf(err->text, sizeof err->text, "%s: %.*s", text,
                 (int)(sizeof err->text - sizeof text - 3), old);
        text_make_printable(err->text);
    }
    return -1;
}
