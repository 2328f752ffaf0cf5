/*
 * What a peer is asked, and in which order: see query_scu.h.
 *
 * A query begins at its own level where the peer takes relational queries, else at study (patients: at
 * patient), and goes down from answer to answer. A key is part of the identifier at its own level, and tests
 * the answers there. Below the level that is asked for, a first match is looked for, or, for a column, all values.
 * Answers that are looked into wait in memory, within QUERY_SCU_HELD.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dicom/dataset.h"
#include "dicom/uid.h"
#include "net/query_walk.h"

#define SEEN_MAX     2000000 /* references that are remembered, to give each once */
#define DISTINCT_MAX 100     /* values of a lower level in one column: as query_column */

/* ---- answers ---- */

static struct held *hold(struct walk *walk, enum query_level level, const struct dataset *answer)
{
    struct buf text = {0};
    size_t count = walk->wanted_count, *offset = xcalloc(count, sizeof *offset);
    struct held *held;
    char *copy;

    for (size_t i = 0; i < count; i++) {
        size_t start = text.length;

        offset[i] = SIZE_MAX;
        if (walk_step_of(walk, i) == level && dataset_text(answer, walk->wanted[i].tag, &text)) {
            offset[i] = start;
            buf_addc(&text, '\0');
        } else {
            text.length = start;
        }
    }
    held = xcalloc(1, sizeof *held + count * sizeof(char *) + text.length + 1);
    copy = (char *)&held->value[count];
    if (text.length)
        memcpy(copy, text.data, text.length);
    for (size_t i = 0; i < count; i++)
        held->value[i] = offset[i] == SIZE_MAX || !copy[offset[i]] ? NULL : copy + offset[i];
    held->size = sizeof *held + count * sizeof(char *) + text.length;
    buf_free(&text);
    free(offset);
    return held;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void mark_found(struct walk *walk, struct key *key, const char *value)
{
    struct reference wanted = {.text = value}, *found;

    found = value ? bsearch(&wanted, key->set, walk->references, sizeof wanted, by_text) : NULL;
    if (found)
        found->found = true;
}

static bool passes(struct walk *walk, enum query_level level, const struct held *held)
{
    bool fits = true;

    for (size_t i = 0; i < walk->key_count; i++) {
        struct key *key = &walk->key[i];
        const char *value = held->value[key->wanted];

        if (walk_step_of(walk, key->wanted) != level) {
            const char *modalities = held->value[walk->modalities];

            if (level == LEVEL_STUDY && modalities && key_by_modalities(key))
                fits = fits && match_test(key->match, modalities, strlen(modalities));
            continue;
        }
        if (!match_test(key->match, value, value ? strlen(value) : 0)) {
            key->lacked = key->lacked || !value;
            fits = false;
        } else if (key->set) {
            mark_found(walk, key, value);
        }
        key->given = key->given || value;
    }
    return fits;
}

/* 1 the first time, 0 later, -1 when there are too many. */
static int is_new(struct walk *walk, enum query_level level, const char *name, struct err *err)
{
    char *entry = xasprintf("%c%s", '0' + (int)level, name), **node;

    node = tsearch(entry, &walk->seen, (int (*)(const void *, const void *))strcmp);
    if (!node || *node != entry) {
        free(entry);
        return 0;
    }
    if (++walk->seen_count <= SEEN_MAX)
        return 1;
    return err_set(err, ERR_INPUT, "%s: more than %d answers: the query wants to be narrower",
                   scu_peer(walk->scu)->name, SEEN_MAX);
}

static bool has_name(struct walk *walk, enum query_level level, const struct held *held)
{
    const char *uid = held->value[level];

    if (level == LEVEL_PATIENT || (uid && uid_valid(uid, strlen(uid))))
        return true;
    if (!walk->nameless)
        log_warn("%s: answers without %s, which are left out", scu_peer(walk->scu)->name,
                 attribute_find(query_unique_key[level])->keyword);
    walk->nameless = true;
    return false;
}

/* ---- rows ---- */

static void set_values(struct walk *walk, enum query_level level, const struct held *held)
{
    for (size_t i = 0; i < walk->wanted_count; i++)
        if (walk_step_of(walk, i) == level)
            walk->value[i] = held->value[i];
}

static int emit(struct walk *walk, struct err *err)
{
    const struct query_scu_options *options = walk->options;
    struct query_row row = {.values = walk->row};
    const char *issuer = walk->level == LEVEL_PATIENT ? walk->value[LEVEL_INSTANCE + 1] : NULL;
    const char *id = walk->value[walk->level];
    int fresh;

    for (size_t i = 0; i < options->column_count; i++) {
        size_t column = walk->column[i];
        struct wanted *wanted = column == SIZE_MAX ? NULL : &walk->wanted[column];

        walk->row[i] = !wanted ? NULL
                       : wanted->level > walk->level
                           ? wanted->distinct.length ? wanted->distinct.data : NULL
                           : walk->value[column];
    }
    buf_clear(&walk->reference);
    if (walk->level == LEVEL_PATIENT)
        buf_addf(&walk->reference, "patient:%s%s%s", id ? id : "", issuer ? "^^^" : "",
                 issuer ? issuer : "");
    else
        buf_adds(&walk->reference, id);
    row.reference = buf_text(&walk->reference);
    fresh = is_new(walk, walk->level, row.reference, err);
    if (fresh <= 0)
        return fresh;
    walk->count++;
    walk->done = walk->each(walk->context, &row, err) != 0 ||
                 (options->limit && walk->count >= options->limit);
    return walk->done;
}

static void gather(struct walk *walk, enum query_level level, const struct held *held)
{
    for (size_t i = 0; i < walk->wanted_count; i++) {
        struct wanted *wanted = &walk->wanted[i];
        const char *value = held->value[i], *at = buf_text(&wanted->distinct);

        if (wanted->level != level || !value || wanted->distinct_count == DISTINCT_MAX)
            continue;
        while (*at) {
            size_t length = strcspn(at, "\\");

            if (length == strlen(value) && memcmp(at, value, length) == 0)
                break;
            at += length + (at[length] == '\\');
        }
        if (*at)
            continue;
        buf_addf(&wanted->distinct, "%s%s", wanted->distinct.length ? "\\" : "", value);
        wanted->distinct_count++;
    }
}

/* ---- going down ---- */

struct step {
    struct walk *walk;
    enum query_level level;
    struct list list; /* answers to look into */
    bool above_passes;
};

static void list_free(struct walk *walk, struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        walk->held_bytes -= list->held[i]->size;
        free(list->held[i]);
    }
    free(list->held);
}

static int keep(struct step *step, struct held *held, struct err *err)
{
    struct walk *walk = step->walk;
    struct list *list = &step->list;

    if ((list->count & (list->count - 1)) == 0)
        list->held =
            xreallocarray(list->held, list->count ? list->count * 2 : 1, sizeof(struct held *));
    list->held[list->count++] = held;
    walk->held_bytes += held->size;
    if (walk->held_bytes <= QUERY_SCU_HELD)
        return 0;
    return err_set(err, ERR_INPUT,
                   "%s: too many answers to look into each: the query wants to be narrower",
                   scu_peer(walk->scu)->name);
}

/* Whether an answer lies in what was asked about: an identifier cannot say "no patient ID", and peers leave
 * keys out of account that they do not know. */
static bool lies_in(const struct walk *walk, enum query_level level, const struct dataset *answer)
{
    struct buf text = {0};
    bool lies = true;

    for (int above = (int)walk->top; above < (int)level; above++) {
        const char *value = walk->value[above];

        buf_clear(&text);
        if (dataset_text(answer, query_unique_key[above], &text))
            lies = lies && value && strcmp(value, buf_text(&text)) == 0;
    }
    buf_free(&text);
    return lies;
}

static int take(void *context, const struct dataset *answer, struct err *err)
{
    struct step *step = context;
    struct walk *walk = step->walk;
    bool below = step->level > walk->level;
    struct held *held;
    int status = 0;

    if (!lies_in(walk, step->level, answer))
        return 0;
    held = hold(walk, step->level, answer);
    held->passes = passes(walk, step->level, held) && step->above_passes;
    if (!has_name(walk, step->level, held)) {
        free(held);
        return 0;
    }
    if (below && walk->gathers)
        gather(walk, step->level, held);
    if (held->passes && below && step->level >= walk->deepest_key) {
        walk->found = true;
        status = !walk->gathers;
    }
    if (step->level < walk->deepest && (held->passes || (below && walk->gathers)))
        return keep(step, held, err);
    if (held->passes && step->level == walk->level) {
        set_values(walk, step->level, held);
        status = emit(walk, err);
    }
    free(held);
    return status;
}

/* All requests of a step, by the values of its keys. */
static int ask(struct step *step, struct err *err)
{
    struct walk *walk = step->walk;
    int status = 0;

    for (bool more = walk_choose(walk, step->level, false); more && status == 0;
         more = walk_choose(walk, step->level, true)) {
        struct dataset *identifier = walk_identifier(walk, step->level);

        if (++walk->requests > QUERY_SCU_REQUESTS)
            status =
                err_set(err, ERR_INPUT,
                        "%s: more than %d requests for one query: name the study or the patient",
                        scu_peer(walk->scu)->name, QUERY_SCU_REQUESTS);
        else
            status = query_scu_request(walk->scu, step->level, identifier, take, step, err);
        dataset_free(identifier);
        if (status == 0 && walk->done)
            status = 1;
        if (status == 0 && step->level > walk->level && walk->found && !walk->gathers)
            break;
    }
    return status;
}

/* One study may hold a hundred thousand objects, but the levels are four. */
static int go_down(struct walk *walk, enum query_level level, bool above_passes, struct err *err);

/* Whether a key on the modality alone is answered by what the study said. */
static bool decided(const struct walk *walk)
{
    if (walk->gathers || walk->level != LEVEL_STUDY || !walk->value[walk->modalities])
        return false;
    for (size_t i = 0; i < walk->key_count; i++)
        if (walk->wanted[walk->key[i].wanted].level > walk->level &&
            !key_by_modalities(&walk->key[i]))
            return false;
    return true;
}

/* An answer of the level that is asked for: is there one below that fulfils the rest? */
static int look_into(struct walk *walk, struct err *err)
{
    int status = 0;

    for (size_t i = 0; i < walk->wanted_count; i++) {
        buf_clear(&walk->wanted[i].distinct);
        walk->wanted[i].distinct_count = 0;
    }
    walk->found = walk->deepest_key == walk->level || decided(walk);
    if (!walk->found || walk->gathers)
        status = go_down(walk, walk->level + 1, true, err);
    return status < 0 ? -1 : walk->found ? emit(walk, err) : 0;
}

static int go_down(struct walk *walk, enum query_level level, bool above_passes, struct err *err)
{
    struct step step = {.walk = walk, .level = level, .above_passes = above_passes};
    int status = ask(&step, err);

    for (size_t i = 0; i < step.list.count && status == 0; i++) {
        set_values(walk, level, step.list.held[i]);
        if (level == walk->level)
            status = look_into(walk, err);
        else
            status = go_down(walk, level + 1, step.list.held[i]->passes, err);
        if (status == 0 && level > walk->level && walk->found && !walk->gathers)
            break;
    }
    list_free(walk, &step.list);
    return status;
}

/* ---- references ---- */

/* With one more key; `set` are those that it is made of. */
static int run_with(struct walk *walk, tag_t tag, struct reference *set, size_t count,
                    struct err *err)
{
    struct buf list = {0};
    struct match *match;
    int status;

    for (size_t i = 0; i < count; i++)
        if (!set[i].found)
            buf_addf(&list, "%s%s", list.length ? "\\" : "", set[i].text);
    if (!list.length)
        return 0;
    match = match_new(tag, keyword_vr(tag), list.data, list.length, err);
    buf_free(&list);
    if (!match)
        return -1;
    walk_add_key(walk, match)->set = set;
    walk->value = xreallocarray(walk->value, walk->wanted_count, sizeof(char *));
    walk->references = count;
    walk_measure(walk);
    status = go_down(walk, walk->top, true, err);
    buf_free(&walk->key[--walk->key_count].values);
    match_free(match);
    return status;
}

static int run_references(struct walk *walk, struct err *err)
{
    const struct query_scu_options *options = walk->options;
    struct reference *uids = xcalloc(options->reference_count + 1, sizeof *uids);
    struct reference *patients = xcalloc(options->reference_count + 1, sizeof *patients);
    size_t uid_count = 0, patient_count = 0;
    char **copies = xcalloc(options->reference_count + 1, sizeof *copies);
    int status = 0;

    for (size_t i = 0; i < options->reference_count; i++) {
        const char *text = options->references[i], *issuer;

        if (strncmp(text, "patient:", 8) == 0) {
            issuer = strstr(text, "^^^");
            copies[i] =
                issuer ? xstrndup(text + 8, (size_t)(issuer - text) - 8) : xstrdup(text + 8);
            if (*copies[i])
                patients[patient_count++].text = copies[i];
        } else if (uid_valid(text, strlen(text))) {
            uids[uid_count++].text = text;
        }
    }
    qsort(uids, uid_count, sizeof *uids, by_text);
    qsort(patients, patient_count, sizeof *patients, by_text);
    status = run_with(walk, query_unique_key[LEVEL_PATIENT], patients, patient_count, err);
    /* What a UID names is not known: a study most likely. */
    for (enum query_level level = LEVEL_STUDY; level <= LEVEL_INSTANCE && status == 0; level++)
        status = run_with(walk, query_unique_key[level], uids, uid_count, err);
    for (size_t i = 0; i < options->reference_count; i++)
        free(copies[i]);
    free(copies);
    free(uids);
    free(patients);
    return status;
}

/* ---- the whole ---- */

/* A key that the peer never answers cannot have been judged. */
static void tell_lacking(const struct walk *walk)
{
    char name[10];

    for (size_t i = 0; i < walk->key_count; i++)
        if (walk->key[i].lacked && !walk->key[i].given)
            log_warn("%s: no answer had %s: whether it matches cannot be told",
                     scu_peer(walk->scu)->name, keyword_name(match_tag(walk->key[i].match), name));
}

static void free_walk(struct walk *walk)
{
    for (size_t i = 0; i < walk->key_count; i++)
        buf_free(&walk->key[i].values);
    for (size_t i = 0; i < walk->wanted_count; i++)
        buf_free(&walk->wanted[i].distinct);
    tdestroy(walk->seen, free);
    buf_free(&walk->reference);
    free(walk->key);
    free(walk->wanted);
    free(walk->column);
    free(walk->value);
    free(walk->row);
}

int64_t query_scu_run(struct scu *scu, const struct query_scu_options *options, query_each *each,
                      void *context, struct err *err)
{
    struct walk walk = {
        .scu = scu, .options = options, .each = each, .context = context, .level = options->level};
    int status;

    for (size_t i = 0; i < options->key_count; i++)
        if (query_scu_check(options->keys[i], err) < 0)
            return -1;
    walk.relational = query_scu_relational(scu, walk.level);
    walk.top = walk.relational || walk.level == LEVEL_PATIENT ? walk.level : LEVEL_STUDY;
    walk_plan(&walk);
    walk_measure(&walk);
    walk.value = xcalloc(walk.wanted_count, sizeof *walk.value);
    walk.row = xcalloc(options->column_count + 1, sizeof *walk.row);
    status =
        options->any_reference ? run_references(&walk, err) : go_down(&walk, walk.top, true, err);
    if (status >= 0)
        tell_lacking(&walk);
    free_walk(&walk);
    return status < 0 ? -1 : (int64_t)walk.count;
}
