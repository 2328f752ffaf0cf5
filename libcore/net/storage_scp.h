/*
 * Storage as a provider, PS3.4 annex B: the data set of a C-STORE request goes into a file in incoming/ as it
 * comes, and becomes an object of the archive before the request is answered.
 *
 * One of these serves one association: begin, data any number of times, end; or drop when the association
 * ends in between. Whatever goes wrong with an object ends in a status for it; the rest of its data set is
 * taken and thrown away, and the next one starts afresh.
 */
#ifndef PACS_NET_STORAGE_SCP_H
#define PACS_NET_STORAGE_SCP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "index/archive.h"
#include "index/ingest.h"
#include "net/dimse.h"
#include "net/report.h"

struct storage;

struct storage_options {
    struct archive *archive;
    struct report *report;
    enum ingest_sync sync;
    const char *peer; /* address, for messages */
    const char *calling_aet;
};

struct storage_counts {
    uint64_t stored, same, refused, bytes;
};

struct storage *storage_new(const struct storage_options *options);
/* `transfer_syntax` of the context that the request came in. */
void storage_begin(struct storage *storage, const struct dimse_command *request,
                   const char *transfer_syntax);
void storage_data(struct storage *storage, const void *bytes, size_t length);
/* The data set is complete, or the request had none. Returns the status to answer with; `comment` (for
 * anything but success) is borrowed until the next call. */
uint16_t storage_end(struct storage *storage, const struct dimse_command *request,
                     const char **comment);
/* The association ends inside the data set: what has come of it is removed. */
void storage_drop(struct storage *storage);
/* The end of the association: what was left undone for later becomes durable. */
int storage_flush(struct storage *storage, struct err *err);
const struct storage_counts *storage_counts(const struct storage *storage);
void storage_free(struct storage *storage);

#endif
