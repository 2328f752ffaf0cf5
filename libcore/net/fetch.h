/*
 * Fetching what references name from a peer: asked which objects these are, those that the archive has are left
 * out, the rest is retrieved study by study or series by series, and what is still missing afterwards once
 * more, one by one. Interrupted, it is begun again with the same references, and fetches the rest.
 */
#ifndef PACS_NET_FETCH_H
#define PACS_NET_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "index/archive.h"
#include "net/peers.h"
#include "dcmtk/tls.h"

struct fetch_options {
    const struct peer *peer;
    const struct peer *to; /* C-MOVE to a third party, and nothing of ours is looked at; or NULL */
    struct archive *archive; /* open for writing; NULL only with `to` */
    const char *own_aet;
    struct dcm_tls *tls;
    bool (*stopping)(void *context);
    void (*progress)(void *context, uint64_t objects, uint64_t bytes);
    /* A reference that the peer does not know, or an object that did not come. */
    void (*failed)(void *context, const char *reference, const struct err *why);
    void *context;
};

struct fetch_counts {
    uint64_t found, there, fetched, failed;
};

struct fetch_object {
    const char *study_uid, *series_uid, *sop_uid, *sop_class_uid; /* class NULL: not known */
};
typedef void fetch_each(void *context, const struct fetch_object *object);

struct fetch;

struct fetch *fetch_new(const struct fetch_options *options);
void fetch_free(struct fetch *fetch);
/* `line`: that the reference begins; a UID in one of its other columns may be that of the study, which saves
 * a peer without relational queries from being searched through. */
int fetch_add(struct fetch *fetch, const char *reference, const char *line, struct err *err);
/* Asks the peer what there is. -1: it cannot be asked. */
int fetch_list(struct fetch *fetch, struct err *err);
const struct fetch_counts *fetch_counts(const struct fetch *fetch);
/* What fetch_run would retrieve. */
void fetch_missing(const struct fetch *fetch, fetch_each *each, void *context);
/* 0: went through (counts.failed says how), -1: ended early. */
int fetch_run(struct fetch *fetch, struct err *err);

#endif
