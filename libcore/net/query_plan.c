/*
 * What a peer is asked: attributes, the level at which each is asked for, and the identifiers of requests.
 */
#include <stdlib.h>
#include <string.h>

#include "dicom/dataset.h"
#include "net/query_walk.h"

#define COMBINATIONS 64 /* requests for one step, by lists of values and spellings */

const tag_t query_unique_key[LEVEL_INSTANCE + 1] = {TAG(0x0010, 0x0020), TAG(0x0020, 0x000d),
                                                    TAG(0x0020, 0x000e), TAG(0x0008, 0x0018)};

/* ---- the plan ---- */

static bool is_local(tag_t tag)
{
    return tag == TAG_SIZE || tag == TAG_RECEIVED || tag == TAG_CALLING_AE || tag == TAG_PATH;
}

int query_scu_check(const struct match *key, struct err *err)
{
    char name[10];

    if (is_local(match_tag(key)))
        return err_set(err, ERR_INPUT,
                       "%s is known of the archive's own objects only: no peer can be asked",
                       keyword_name(match_tag(key), name));
    return 0;
}

static enum query_level level_of(tag_t tag, enum query_level unknown)
{
    const struct attribute_info *attribute = attribute_find(tag);
    const struct computed_info *computed = computed_find(tag);

    return attribute ? attribute->level : computed ? computed->level : unknown;
}

static size_t want(struct walk *walk, tag_t tag, enum query_level level)
{
    for (size_t i = 0; i < walk->wanted_count; i++)
        if (walk->wanted[i].tag == tag) {
            if (level > walk->wanted[i].level)
                walk->wanted[i].level = level;
            return i;
        }
    walk->wanted = xreallocarray(walk->wanted, walk->wanted_count + 1, sizeof *walk->wanted);
    walk->wanted[walk->wanted_count] = (struct wanted){.tag = tag, .level = level};
    return walk->wanted_count++;
}

struct key *walk_add_key(struct walk *walk, const struct match *match)
{
    struct key *key;

    walk->key = xreallocarray(walk->key, walk->key_count + 1, sizeof *walk->key);
    key = &walk->key[walk->key_count++];
    memset(key, 0, sizeof *key);
    key->match = match;
    key->wanted = want(walk, match_tag(match), level_of(match_tag(match), LEVEL_INSTANCE));
    key->alternatives = match_ask(match, &key->values);
    return key;
}

/* Where it is asked: what lies above the first level comes with that. */
enum query_level walk_step_of(const struct walk *walk, size_t wanted)
{
    enum query_level level = walk->wanted[wanted].level;

    return level < walk->top ? walk->top : level;
}

void walk_plan(struct walk *walk)
{
    const struct query_scu_options *options = walk->options;

    for (enum query_level level = LEVEL_PATIENT; level <= LEVEL_INSTANCE; level++)
        want(walk, query_unique_key[level], level);
    if (walk->level == LEVEL_PATIENT)
        want(walk, TAG_ISSUER, LEVEL_PATIENT);
    walk->modalities = want(walk, TAG_MODALITIES, LEVEL_STUDY);
    for (size_t i = 0; i < options->key_count; i++)
        if (match_kind(options->keys[i]) != MATCH_UNIVERSAL)
            walk_add_key(walk, options->keys[i]);
    walk->column = xcalloc(options->column_count + 1, sizeof *walk->column);
    for (size_t i = 0; i < options->column_count; i++)
        walk->column[i] =
            is_local(options->columns[i])
                ? SIZE_MAX
                : want(walk, options->columns[i], level_of(options->columns[i], walk->level));
}

/* How deep it goes; after the last key. */
void walk_measure(struct walk *walk)
{
    walk->deepest_key = walk->deepest = walk->level;
    walk->gathers = false;
    for (size_t i = 0; i < walk->key_count; i++)
        if (walk->wanted[walk->key[i].wanted].level > walk->deepest_key)
            walk->deepest_key = walk->wanted[walk->key[i].wanted].level;
    walk->deepest = walk->deepest_key;
    for (size_t i = 0; i < walk->options->column_count; i++) {
        size_t column = walk->column[i];

        if (column == SIZE_MAX || walk->wanted[column].level <= walk->level)
            continue;
        walk->gathers = true;
        if (walk->wanted[column].level > walk->deepest)
            walk->deepest = walk->wanted[column].level;
    }
}

/* ---- the identifier ---- */

/* Whether the key says something in a request of that step. */
static bool asked_at(const struct walk *walk, const struct key *key, enum query_level level)
{
    enum query_level step = walk_step_of(walk, key->wanted);

    if (!key->alternatives || (walk->gathers && level > walk->level))
        return false;
    return step == level || (walk->relational && level == walk->level && step > level) ||
           (level == LEVEL_STUDY && match_tag(key->match) == TAG_MODALITY);
}

struct dataset *walk_identifier(struct walk *walk, enum query_level level)
{
    struct dataset *identifier = dataset_new();

    for (size_t i = 0; i < walk->wanted_count; i++)
        if (walk_step_of(walk, i) == level &&
            (walk->wanted[i].tag != TAG_MODALITIES || level == LEVEL_STUDY || walk->relational))
            dataset_put(identifier, walk->wanted[i].tag, NULL);
    for (enum query_level above = walk->level == LEVEL_PATIENT ? LEVEL_PATIENT : LEVEL_STUDY;
         level > walk->top && above < level; above++)
        dataset_put(identifier, query_unique_key[above], walk->value[above]);
    dataset_put(identifier, query_unique_key[level], NULL);
    for (size_t i = 0; i < walk->key_count; i++) {
        const struct key *key = &walk->key[i];

        if (!asked_at(walk, key, level))
            continue;
        /* Modalities of a study stand for those of its series. */
        if (match_tag(key->match) == TAG_MODALITY && level == LEVEL_STUDY)
            dataset_put(identifier, TAG_MODALITIES, key->value);
        else if (!dataset_bytes(identifier, match_tag(key->match), &(size_t){0}))
            dataset_put(identifier, match_tag(key->match), key->value);
    }
    return identifier;
}

static const char *alternative(const struct key *key, size_t at)
{
    const char *value = key->values.data;

    while (at--)
        value += strlen(value) + 1;
    return value;
}

/* Too many requests: the key with the most values is asked for loosely. UIDs stay. */
static void bound_combinations(struct walk *walk, enum query_level level)
{
    for (;;) {
        struct key *most = NULL;
        size_t product = 1;

        for (size_t i = 0; i < walk->key_count; i++) {
            struct key *key = &walk->key[i];

            if (!asked_at(walk, key, level) || match_vr(key->match) == VR_UI)
                continue;
            product *= key->alternatives;
            if (!most || key->alternatives > most->alternatives)
                most = key;
        }
        if (product <= COMBINATIONS)
            return;
        most->alternatives = 0;
    }
}

/* The first, or (with `next`) the next combination of values. False when there is none left. */
bool walk_choose(struct walk *walk, enum query_level level, bool next)
{
    bool carry = next;

    if (!next)
        bound_combinations(walk, level);
    for (size_t i = 0; i < walk->key_count; i++) {
        struct key *key = &walk->key[i];

        if (!asked_at(walk, key, level))
            continue;
        if (!next)
            key->at = 0;
        else if (carry && ++key->at == key->alternatives)
            key->at = 0;
        else
            carry = false;
        key->value = alternative(key, key->at);
    }
    return !carry;
}

bool key_by_modalities(const struct key *key)
{
    return match_tag(key->match) == TAG_MODALITY && !match_negated(key->match) &&
           match_kind(key->match) != MATCH_EMPTY;
}
