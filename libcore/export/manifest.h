/*
 * The SHA-256 of each exported file, in the form that `sha256sum -c` reads.
 */
#ifndef PACS_EXPORT_MANIFEST_H
#define PACS_EXPORT_MANIFEST_H

#include <stdbool.h>

#include "base/err.h"
#include "export/sink.h"

struct manifest;

/* Written beside `path` and renamed at the end; "-" is stdout. Refuses a name that is taken unless
 * `force`. */
struct manifest *manifest_new(const char *path, bool force, struct err *err);
/* Hand it to a sink: hashes an object's bytes on their way. Borrowed. */
const struct sink_watch *manifest_watch(struct manifest *manifest);
/* A line for the object whose bytes went by last. */
int manifest_put(struct manifest *manifest, const char *name, struct err *err);
int manifest_finish(struct manifest *manifest, struct err *err);
/* Removes what was not finished. */
void manifest_free(struct manifest *manifest);

#endif
