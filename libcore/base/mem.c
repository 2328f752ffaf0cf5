/*
 * See mem.h.
 */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
    static const char message[] = "out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);

    (void)ignored;
    _exit(2);
}

void *xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *xrealloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *xreallocarray(void *old, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        out_of_memory();
    return xrealloc(old, total);
}

char *xstrndup(const char *text, size_t length)
{
    char *copy = xmalloc(length + 1);

    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *xstrdup(const char *text)
{
    return xstrndup(text, strlen(text));
}

char *xasprintf(const char *format, ...)
{
    struct buf out = {0};
    va_list args;

    va_start(args, format);
    buf_vaddf(&out, format, args);
    va_end(args);
    return buf_take(&out);
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

char *buf_reserve(struct buf *buf, size_t extra)
{
    size_t need;

    if (__builtin_add_overflow(buf->length, extra, &need) ||
        __builtin_add_overflow(need, (size_t)1, &need))
        out_of_memory();
    if (need > buf->capacity) {
        size_t capacity = buf->capacity ? buf->capacity : 64;

        while (capacity < need)
            if (__builtin_mul_overflow(capacity, (size_t)2, &capacity))
                out_of_memory();
        buf->data = xrealloc(buf->data, capacity);
        buf->capacity = capacity;
        buf->data[buf->length] = '\0';
    }
    return buf->data + buf->length;
}

void buf_add_slowly(struct buf *buf, const void *bytes, size_t length)
{
    char *end = buf_reserve(buf, length);

    if (length)
        memcpy(end, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void buf_adds(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_vaddf(struct buf *buf, const char *format, va_list args)
{
    va_list again;
    int length;

    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        return;
    vsnprintf(buf_reserve(buf, (size_t)length), (size_t)length + 1, format, args);
    buf->length += (size_t)length;
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vaddf(buf, format, args);
    va_end(args);
}

const char *buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

char *buf_take(struct buf *buf)
{
    char *text = buf->data ? buf->data : xcalloc(1, 1);

    *buf = (struct buf){0};
    return text;
}
