/*
 * The archive on disk: where an object lives, how it gets there durably, what happens to what cannot be
 * stored as said.
 *
 *   objects/YYYY/MM/DD/<StudyUID>/<SeriesUID>/<SOPInstanceUID>.dcm
 *   incoming/    partial files of running processes
 *   quarantine/  <name> and <name>.why
 */
#ifndef PACS_STORE_STORE_H
#define PACS_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

struct store;

/* Opens the folders below `root`; makes those that are missing when `create`. */
struct store *store_open(const char *root, bool create, struct err *err);
void store_close(struct store *store);
/* Descriptor of the root folder, for *at() calls. Borrowed. */
int store_root(const struct store *store);
const char *store_root_path(const struct store *store);

/* ---- where things live ---- */

/* "objects/2024/01/31/<study>" from a study date (any text; what is no date gives 0000/00/00). The UID
 * must have passed uid_valid. */
void store_study_folder(const char *study_date, const char *study_uid, struct buf *out);
/* "<folder>/<series>/<sop>.dcm". */
void store_object_path(const char *study_folder, const char *series_uid, const char *sop_uid,
                       struct buf *out);

/* ---- receiving ---- */

/* A file being written in incoming/. */
struct incoming;

struct incoming *incoming_new(struct store *store, struct err *err);
/* Starts write-behind of what has accumulated (sync_file_range), so that the fsync at the end has little
 * left to do. Returns 0, or -1 with ERR_NOSPACE on a full disk. */
int incoming_write(struct incoming *incoming, const void *bytes, size_t length, struct err *err);
int incoming_fd(const struct incoming *incoming);
uint64_t incoming_size(const struct incoming *incoming);
/* Below the root: "incoming/...". */
const char *incoming_path(const struct incoming *incoming);
/* fdatasync. */
int incoming_sync(struct incoming *incoming, struct err *err);
/* Removes the file unless it was placed or quarantined; frees. */
void incoming_free(struct incoming *incoming);

enum place_result { PLACE_ERROR = -1, PLACE_DONE = 0, PLACE_EXISTS = 1 };

/* Renames the (synced) file to `path` below the root, never over another file, making folders durably,
 * then fsyncs the folder (unless `sync` is false). PLACE_EXISTS: something is there already; the incoming
 * file is unchanged. */
enum place_result store_place(struct store *store, struct incoming *incoming, const char *path,
                              bool sync, struct err *err);

/* Moves the incoming file (or with store_quarantine_path a file below the root) into quarantine/ under a
 * unique name that starts with `name` (made safe), with the reason in NAME.why, both durable. The name
 * is appended to `where` when not NULL. */
int store_quarantine(struct store *store, struct incoming *incoming, const char *name,
                     const char *why, struct buf *where, struct err *err);
int store_quarantine_path(struct store *store, const char *path, const char *name, const char *why,
                          struct buf *where, struct err *err);

/* Removes leftovers in incoming/ whose process is gone. Returns how many, or -1. */
int store_sweep(struct store *store, struct err *err);

#endif
