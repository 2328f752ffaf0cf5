/*
 * What query_plan.c (what a peer is asked) and query_walk.c (in which order) share. Not for others.
 */
#ifndef PACS_NET_QUERY_WALK_H
#define PACS_NET_QUERY_WALK_H

#include "net/query_scu.h"

#define TAG_MODALITY   TAG(0x0008, 0x0060)
#define TAG_MODALITIES TAG(0x0008, 0x0061)
#define TAG_ISSUER     TAG(0x0010, 0x0021)

extern const tag_t query_unique_key[LEVEL_INSTANCE + 1];

/* An attribute that answers are asked for. */
struct wanted {
    tag_t tag;
    enum query_level level;
    struct buf distinct; /* of a level below the query's: for the row at hand */
    size_t distinct_count;
};

struct key {
    const struct match *match;
    size_t wanted;
    struct buf values; /* match_ask */
    size_t alternatives;
    size_t at;             /* the one that is asked at the moment */
    const char *value;     /* its text */
    bool given, lacked;    /* by the answers so far */
    struct reference *set; /* for a key made of references: those found are marked */
};

struct reference {
    const char *text;
    bool found;
};

struct held {
    bool passes;
    size_t size;
    const char *value[]; /* by wanted; NULL: empty, or of another level */
};

struct list {
    struct held **held;
    size_t count;
};

struct walk {
    struct scu *scu;
    const struct query_scu_options *options;
    query_each *each;
    void *context;
    enum query_level level, top, deepest_key, deepest;
    bool relational, gathers;
    struct wanted *wanted;
    size_t wanted_count;
    struct key *key;
    size_t key_count;
    size_t *column; /* wanted of each, or SIZE_MAX */
    const char **value;
    const char **row;
    struct buf reference;
    void *seen;
    size_t seen_count, held_bytes, requests, references;
    bool found, nameless, done;
    size_t modalities; /* wanted: of a study */
    uint64_t count;
};

/* Attributes, keys, columns of the options. */
void walk_plan(struct walk *walk);
struct key *walk_add_key(struct walk *walk, const struct match *match);
/* How deep it goes; after the last key. */
void walk_measure(struct walk *walk);
/* Where an attribute is asked for: what lies above the first level comes with that. */
enum query_level walk_step_of(const struct walk *walk, size_t wanted);
/* The requests of a step: the first combination of values, or (with `next`) the next one. False when there is none
 * left. */
bool walk_choose(struct walk *walk, enum query_level level, bool next);
struct dataset *walk_identifier(struct walk *walk, enum query_level level);
/* A key on the modality of series that the modalities of their study can judge: not one that a series
 * without any may fulfil. */
bool key_by_modalities(const struct key *key);

#endif
