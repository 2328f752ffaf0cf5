/*
 * What the files of the query share. Not for others.
 */
#ifndef PACS_INDEX_QUERY_INTERNAL_H
#define PACS_INDEX_QUERY_INTERNAL_H

#include "index/internal.h"
#include "index/query.h"

struct query_key {
    struct match *match;
    const struct attribute_info *attribute; /* or */
    const struct computed_info *computed;   /* or neither: in the header only */
    enum query_level level;                 /* where it is tested */
};

struct query_order {
    tag_t tag;
    bool descending;
};

struct query_output {
    tag_t tag;
    bool in_header;
};

struct query {
    enum query_level level;
    struct query_key *key;
    size_t keys;
    struct query_output *output;
    size_t outputs;
    struct query_order *order;
    size_t orders;
    uint64_t limit;
    struct buf references; /* UIDs as a JSON array without its brackets */
    char **patient;        /* patient:... */
    size_t patients;
    bool any_reference;
};

/* A value to bind, in order of its '?' in the SQL. */
struct parameter {
    const struct match *match; /* for pacs_match; or */
    char *text;                /* or */
    int64_t number;
};
#define MATCH_POINTER "match" /* sqlite3_bind_pointer */
struct sql {
    struct buf text;
    struct parameter *parameter;
    size_t parameters;
};
void sql_free(struct sql *sql);
int sql_prepare(struct index *index, const struct sql *sql, sqlite3_stmt **statement,
                struct err *err);

#define QUERY_FIXED \
    4 /* id, uid or patient ID, issuer, path of the first object; then the columns */

/* The rows of the query's level that fulfil every key held by the index. */
void sql_of_query(const struct query *query, const int64_t *patients, struct sql *sql);
/* Paths of the instances of one entity (?1: its row) that fulfil the held keys of lower levels. */
void sql_of_objects(const struct query *query, struct sql *sql);
/* Where an object lies: an expression over s, r, i. */
extern const char object_path[];

#endif
