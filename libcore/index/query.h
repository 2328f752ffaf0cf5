/*
 * Queries of the index: keys of the matching language in, rows out; and references to objects.
 */
#ifndef PACS_INDEX_QUERY_H
#define PACS_INDEX_QUERY_H

#include "index/index.h"

/* enum query_level: attributes.h */
struct query;

struct query *query_new(enum query_level level);
void query_free(struct query *query);
/* Takes the match over. A key of a lower level asks that one series (instance) of the entity
 * fulfils all keys of that level; a key that the index does not hold is matched by reading headers.
 */
void query_add(struct query *query, struct match *match);
/* A column of the answer, any tag; those that the index does not hold are read from the header of
 * the entity's (first) object. */
int query_column(struct query *query, tag_t tag, struct err *err);
/* Order: tag, descending or not; later calls are lesser keys. */
int query_sort(struct query *query, tag_t tag, bool descending, struct err *err);
void query_limit(struct query *query, uint64_t limit); /* 0: none */

struct query_row {
    const char *reference;     /* UID of the level's entity, or "patient:ID" */
    const char *const *values; /* one per column, UTF-8 or NULL */
};
/* Non-zero stops the query. */
typedef int query_each(void *context, const struct query_row *row, struct err *err);

/* Runs it; streams, in memory bounded whatever the number of rows. Returns the number of rows given
 * to `each`, or -1. A file that cannot be read while a header key is matched is named by
 * `log_warn`. */
int64_t index_query(struct index *index, const struct query *query, query_each *each, void *context,
                    struct err *err);

/* ---- references ---- */

struct index_object {
    const char *path; /* absolute, or below the root */
    const char *study_uid, *series_uid, *sop_uid, *sop_class_uid, *transfer_syntax;
    uint64_t size;
};
typedef int index_each_object(void *context, const struct index_object *object, struct err *err);

/* The objects behind a reference (study, series or instance UID; patient:ID), ordered by study,
 * series, instance number. Returns how many, or -1: ERR_NOTFOUND when the index knows no such
 * thing. */
int64_t index_objects(struct index *index, const char *reference, index_each_object *each,
                      void *context, struct err *err);

#endif
