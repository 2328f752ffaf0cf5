/*
 * The archive on disk: where an object lives, how it gets there durably, what happens to what cannot be
 * stored as said.
 *
 *   objects/YYYY/MM/DD/<StudyUID>/<SeriesUID>/<SOPInstanceUID>.dcm
 *   incoming/    partial files of running processes, and second names of recent placements
 *   quarantine/  <name> and <name>.why
 *
 * An object is written to incoming/, made durable, and then *linked* to its place; its name in incoming/
 * stays. It is the note that this object may not yet be in the durable part of the index: rows of a power
 * loss' last seconds are found again by it. Whoever has made the rows durable removes it
 * (archive_checkpoint). So of an entry of incoming/ that no process has locked:
 *
 *   one link     was never placed: a leftover, which store_sweep removes;
 *   more links   is a recent placement, which archive_recover compares with the index.
 *
 * Every process keeps its files locked (flock) while it works on them, which holds for process numbers
 * used again and for archives on shared storage too.
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
/* False once it has shown that the file system has no hard links: placements leave no second name in
 * incoming/ then, and a row must be durable before the answer. */
bool store_keeps_names(const struct store *store);

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
/* A further name for a file elsewhere instead of a new one: nothing is copied, and whoever changes the
 * one changes the other. NULL with ERR_FAILED where that cannot be (another file system, no
 * permission). */
struct incoming *incoming_link(struct store *store, const char *path, struct err *err);
/* Starts write-behind of what has accumulated (sync_file_range), so that the fsync at the end has little
 * left to do. Returns 0, or -1 with ERR_NOSPACE on a full disk. */
int incoming_write(struct incoming *incoming, const void *bytes, size_t length, struct err *err);
/* Over bytes that were written before: what is known only at the end of a file but stands at its head. */
int incoming_patch(struct incoming *incoming, uint64_t at, const void *bytes, size_t length,
                   struct err *err);
/* The content of `source` from its start, as a clone where the file system can, else copied in the
 * kernel, else by hand. */
int incoming_copy(struct incoming *incoming, int source, struct err *err);
int incoming_fd(const struct incoming *incoming);
uint64_t incoming_size(const struct incoming *incoming);
/* Below the root: "incoming/...". */
const char *incoming_path(const struct incoming *incoming);
/* fdatasync. */
int incoming_sync(struct incoming *incoming, struct err *err);
/* Removes the file unless it was placed or quarantined; unlocks; frees. */
void incoming_free(struct incoming *incoming);

enum place_result { PLACE_ERROR = -1, PLACE_DONE = 0, PLACE_EXISTS = 1 };

/* Links the file (synced if need be) to `path` below the root, never over another file, making folders
 * durably, then fsyncs the folder (both unless `sync` is false). PLACE_EXISTS: something is there
 * already; the incoming file is unchanged. */
enum place_result store_place(struct store *store, struct incoming *incoming, const char *path,
                              bool sync, struct err *err);
/* What was placed without `sync` keeps its place: fsync of its folder and, where that does not carry
 * them along, those above. */
int store_sync_place(struct store *store, const char *path, struct err *err);
/* The same over what is there: at every moment `path` is the old file or the new one. */
int store_replace(struct store *store, struct incoming *incoming, const char *path,
                  struct err *err);
/* Takes a placement back that no one was told of. */
int store_unplace(struct store *store, struct incoming *incoming, const char *path,
                  struct err *err);
/* A file below the root and its name are made durable, whoever placed it. */
int store_settle(struct store *store, const char *path, struct err *err);

/* Moves the incoming file (or with store_quarantine_path a file below the root) into quarantine/ under a
 * unique name that starts with `name` (made safe), with the reason in NAME.why, both durable. The first
 * line of `why` is the reason, further ones say more; the time is added. When quarantine/ holds the same
 * bytes under that name already, nothing is added: a sender that tries for ever fills no disk. The path below the
 * root is appended to `where` when not NULL. */
int store_quarantine(struct store *store, struct incoming *incoming, const char *name,
                     const char *why, struct buf *where, struct err *err);
int store_quarantine_path(struct store *store, const char *path, const char *name, const char *why,
                          struct buf *where, struct err *err);
/* The same, but the file stays under `path` as well: before it is replaced there. */
int store_quarantine_copy(struct store *store, const char *path, const char *name, const char *why,
                          struct buf *where, struct err *err);

/* 1 when both files hold the same bytes from those offsets to their ends, 0 when not, -1 with errno. */
int store_same_bytes(int one, uint64_t one_from, int other, uint64_t other_from);

/* ---- what lies in incoming/ ---- */

/* A recent placement that no process works on; it is locked for the call. `size` is what was placed,
 * `loose` says that it was placed without being made durable. Returning non-zero ends the loop. */
struct placement {
    struct incoming *incoming;
    uint64_t size;
    bool loose;
    bool
        linked; /* by incoming_link: perhaps it has only its name elsewhere, and was never placed */
};
typedef int store_each_placement(void *context, const struct placement *placement, struct err *err);
/* Removes leftovers whose process is gone, and hands recent placements to `each` (NULL: passes over
 * them). Returns how many were removed, or -1. */
int store_sweep(struct store *store, store_each_placement *each, void *context, struct err *err);
/* Removes the second name of a placement ("incoming/..."). One that is gone is fine. */
int store_forget(struct store *store, const char *incoming_path, struct err *err);

#endif
