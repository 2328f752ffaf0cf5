/*
 * Files: whole reads and writes, durable folders, locks with a name for who holds them.
 */
#ifndef PACS_BASE_FS_H
#define PACS_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/mem.h"

/* Writes all bytes, going on after short writes and EINTR. Returns 0, or -1 with errno set. */
int write_all(int fd, const void *bytes, size_t length);
/* Reads until `length` bytes or the end. Returns the count, or -1 with errno set. */
ssize_t read_all(int fd, void *bytes, size_t length);
/* The same at an offset, without moving the file's position. */
ssize_t pread_all(int fd, void *bytes, size_t length, off_t offset);
/* Reads a whole small file; fails with ERR_INPUT when it is larger than `limit`. */
int read_file(const char *path, size_t limit, struct buf *out, struct err *err);

/* Makes `path` below `dirfd` with its parents (mode 0777 less umask). Each folder that it makes is
 * made durable by fsync of its parent when `durable`. Existing folders are fine. */
int make_folders(int dirfd, const char *path, bool durable, struct err *err);
/* fsync of the folder `path` below `dirfd`. */
int sync_folder(int dirfd, const char *path, struct err *err);

/* A new file in `path` is written beside it and renamed over it once durable: readers see the old
 * or the new content, never half of one. */
int replace_file(const char *path, const void *bytes, size_t length, mode_t mode, struct err *err);

/* A file without a name in TMPDIR (else /tmp), to read and write. Returns the descriptor or -1. */
int temporary_file(struct err *err);

/* Advisory lock of the whole file (flock), waiting at most `timeout_ms` (0: not at all, -1: for
 * ever). The file is made if it is missing. Returns the descriptor, which holds the lock until it
 * is closed; -1 with ERR_BUSY and "NAME: locked by pid N" when someone else keeps it. */
int lock_file(const char *path, int timeout_ms, struct err *err);
/* The same on an open descriptor. Returns 0 or -1. */
int lock_fd(int fd, const char *name, int timeout_ms, struct err *err);
void unlock_fd(int fd);
/* The process that holds a lock on the file, or 0 if it cannot be told. */
pid_t lock_holder(int fd);

/* Milliseconds of a clock that never jumps. */
int64_t monotonic_ms(void);
/* Milliseconds since 1970 of the wall clock. */
int64_t wall_ms(void);

#endif
