/*
 * Memory and growable buffers.
 *
 * The x-functions end the process with a message when memory runs out: what comes from outside is
 * bounded before it is asked for, so this is a broken machine and not an input.
 */
#ifndef PACS_BASE_MEM_H
#define PACS_BASE_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
/* `count * size` is checked for overflow. */
void *xreallocarray(void *old, size_t count, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A byte buffer that grows. `data` is NUL-terminated whenever it is not NULL; zero-initialised is
 * valid and empty. The owner calls buf_free. */
struct buf {
    char *data;
    size_t length;
    size_t capacity;
};

void buf_free(struct buf *buf);
/* Keeps the memory, forgets the bytes. */
void buf_clear(struct buf *buf);
/* Room for `extra` more bytes; returns where they go. */
char *buf_reserve(struct buf *buf, size_t extra);
/* As buf_add, which is what to call. */
void buf_add_slowly(struct buf *buf, const void *bytes, size_t length);
static inline void buf_add(struct buf *buf, const void *bytes, size_t length)
{
    if (length >= buf->capacity - buf->length) {
        buf_add_slowly(buf, bytes, length);
        return;
    }
    if (length)
        memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}
void buf_adds(struct buf *buf, const char *text);
static inline void buf_addc(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vaddf(struct buf *buf, const char *format, va_list args);
/* The text, never NULL. Borrowed until the next change. */
const char *buf_text(const struct buf *buf);
/* Hands the memory over to the caller (free with free()) and leaves the buffer empty. */
char *buf_take(struct buf *buf);

#endif
