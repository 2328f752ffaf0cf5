/*
 * Errors: a function that can fail returns -1 or NULL and leaves one line here.
 *
 * The message names the object and the reason once, where both are known; callers pass it on or put
 * context before it. Only main prints it and chooses the exit status.
 */
#ifndef PACS_BASE_ERR_H
#define PACS_BASE_ERR_H

enum err_code {
    ERR_NONE = 0,
    ERR_FAILED,   /* any other reason */
    ERR_INPUT,    /* what came in is not acceptable: usage, configuration, a broken object */
    ERR_NOSPACE,  /* ENOSPC, EDQUOT, EFBIG: worth trying again when there is room */
    ERR_BUSY,     /* someone else holds a lock */
    ERR_NOTFOUND, /* the named thing does not exist */
    ERR_VERSION,  /* made by a newer release */
    ERR_CLOSED,   /* the peer or the pipe is gone */
    ERR_TIMEOUT,  /* the peer kept silent */
    ERR_STOPPED,  /* a signal asked us to stop */
};

struct err {
    enum err_code code;
    char text[1024];
};

/* Each fills `err` (which may be NULL) and returns -1, so that `return err_set(...)` reads well.
 * The text is cut at the size of the buffer; control characters in it become '?', because names
 * from peers and files end up in it. */
int err_set(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ": " and the text of errno at the end; the code follows from errno. */
int err_sys(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " before the message that is there. */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
