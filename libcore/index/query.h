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
/* Takes the match over. Keys of lower levels ask for one chain: a study has a series that fulfils all
 * series keys, with an instance in it that fulfils all instance keys. A key that the index does not
 * hold is an instance key too, matched by reading headers after all others have narrowed the
 * candidates. Size and Received are tested at the query's own level. */
void query_add(struct query *query, struct match *match);
/* A column of the answer, any tag. One of a lower level shows its distinct values (at most 100), joined
 * by '\'; one that the index does not hold is read from the header of the entity's first object (of the
 * one that fulfilled the header keys, if there are any). */
int query_column(struct query *query, tag_t tag, struct err *err);
/* Order: tag, descending or not; later calls are lesser keys. ERR_INPUT for what the index does not
 * hold. */
int query_sort(struct query *query, tag_t tag, bool descending, struct err *err);
void query_limit(struct query *query, uint64_t limit); /* 0: none */
/* Only what a reference names, contains, or is contained in; several add up. Copied. */
void query_reference(struct query *query, const char *reference);

/* Asked every some thousand steps of the search and after each header, found or not; true ends the
 * query: index_query returns -1 then. */
typedef bool query_stop(void *context);
void query_stop_when(struct query *query, query_stop *stop, void *context);

struct query_row {
    const char *reference;     /* UID of the level's entity, or "patient:ID" (see below) */
    const char *const *values; /* one per column, UTF-8 or NULL */
};
/* Non-zero stops the query. */
typedef int query_each(void *context, const struct query_row *row, struct err *err);

/* Runs it; streams, in memory bounded whatever the number of rows (SQLite sorts in files). Returns the
 * number of rows given to `each`, or -1. A file that cannot be read while headers are read is named by
 * `log_warn`. */
int64_t index_query(struct index *index, const struct query *query, query_each *each, void *context,
                    struct err *err);

/* ---- references ----
 *
 * A study, series or instance UID, or a patient: "patient:ID", "patient:ID^^^ISSUER" where the issuer is
 * known, and "patient:#N", the row's number, where the ID is empty or would be misread. "patient:ID"
 * means the patient without an issuer if there is one, else the first with that ID. */

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
