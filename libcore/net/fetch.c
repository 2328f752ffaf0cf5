/*
 * See fetch.h.
 */
#include "net/fetch.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "dicom/uid.h"
#include "net/query_scu.h"
#include "net/receiver.h"
#include "net/retrieve_scu.h"

#define OBJECTS_MAX 5000000
#define LIST_MAX    100 /* UIDs in one request: 6.5 KB */
#define CLASSES_MAX 64

struct object {
    char *study, *series, *sop, *class_uid;
    bool there, told;
};

struct reference {
    char *text, *study; /* the study that it may lie in, or NULL */
};

struct fetch {
    struct fetch_options options;
    struct fetch_counts counts;
    struct reference *reference;
    size_t references;
    struct object *object; /* ordered by study, series, instance */
    size_t objects;
    void *whole; /* studies and series of which all was listed: names */
    bool listed; /* once already: unknown references have been told of */
    bool too_many;
    bool moves; /* C-GET is not offered, or not wanted */
    struct retriever *retriever;
};

/* Studies and series share one set: their UIDs differ. */
static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

struct fetch *fetch_new(const struct fetch_options *options)
{
    struct fetch *fetch = xcalloc(1, sizeof *fetch);

    fetch->options = *options;
    fetch->moves = options->to || options->peer->retrieve == RETRIEVE_MOVE;
    fetch->retriever = retriever_new(&(struct retrieve_options){
        .peer = options->peer,
        .tls = options->tls,
        .archive = options->archive,
        .destination = options->to ? options->to->aet : options->own_aet,
        .stopping = options->stopping,
        .progress = options->progress,
        .context = options->context,
    });
    return fetch;
}

static void forget_objects(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->objects; i++) {
        free(fetch->object[i].study);
        free(fetch->object[i].series);
        free(fetch->object[i].sop);
        free(fetch->object[i].class_uid);
    }
    fetch->objects = 0;
}

void fetch_free(struct fetch *fetch)
{
    if (!fetch)
        return;
    retriever_free(fetch->retriever);
    forget_objects(fetch);
    for (size_t i = 0; i < fetch->references; i++) {
        free(fetch->reference[i].text);
        free(fetch->reference[i].study);
    }
    tdestroy(fetch->whole, free);
    free(fetch->reference);
    free(fetch->object);
    free(fetch);
}

const struct fetch_counts *fetch_counts(const struct fetch *fetch)
{
    return &fetch->counts;
}

/* ---- references ---- */

/* The first column after the reference that is a UID. */
static char *study_in(const char *line, const char *reference)
{
    const char *at = line + strcspn(line, "\t");

    while (*at == '\t') {
        size_t length = strcspn(++at, "\t");

        if (length && memchr(at, '.', length) && uid_valid(at, length) &&
            (strlen(reference) != length || memcmp(reference, at, length) != 0))
            return xstrndup(at, length);
        at += length;
    }
    return NULL;
}

int fetch_add(struct fetch *fetch, const char *reference, const char *line, struct err *err)
{
    bool patient = strncmp(reference, "patient:", 8) == 0 && reference[8];

    if (!patient && !uid_valid(reference, strlen(reference)))
        return err_set(err, ERR_INPUT, "%.80s: a peer is asked for UIDs and patient:ID", reference);
    fetch->reference =
        xreallocarray(fetch->reference, fetch->references + 1, sizeof *fetch->reference);
    fetch->reference[fetch->references++] =
        (struct reference){xstrdup(reference), patient || !line ? NULL : study_in(line, reference)};
    return 0;
}

/* ---- what there is ---- */

static int take_object(void *context, const struct query_row *row, struct err *err)
{
    struct fetch *fetch = context;
    const char *study = row->values[0], *series = row->values[1], *class_uid = row->values[2];
    struct object *object;

    (void)err;
    if (!study || !series || !uid_valid(study, strlen(study)) || !uid_valid(series, strlen(series)))
        return 0;
    fetch->too_many = fetch->objects >= OBJECTS_MAX;
    if (fetch->too_many)
        return 1;
    if ((fetch->objects & (fetch->objects - 1)) == 0)
        fetch->object = xreallocarray(fetch->object, fetch->objects ? fetch->objects * 2 : 1,
                                      sizeof *fetch->object);
    object = &fetch->object[fetch->objects++];
    *object = (struct object){.study = xstrdup(study),
                              .series = xstrdup(series),
                              .sop = xstrdup(row->reference),
                              .class_uid = class_uid && uid_valid(class_uid, strlen(class_uid))
                                               ? xstrdup(class_uid)
                                               : NULL};
    return 0;
}

/* Objects behind references; with `study`, only looked for in there. Returns how many rows, or -1. */
static int64_t ask(struct fetch *fetch, struct scu *scu, const char *const *references,
                   size_t count, const char *study, struct err *err)
{
    static const tag_t columns[] = {TAG(0x0020, 0x000d), TAG(0x0020, 0x000e), TAG(0x0008, 0x0016)};
    struct match *match = study ? match_new(columns[0], VR_UI, study, strlen(study), err) : NULL;
    const struct match *keys[] = {match};
    int64_t found;

    if (study && !match)
        return -1;
    found = query_scu_run(scu,
                          &(struct query_scu_options){
                              .level = LEVEL_INSTANCE,
                              .keys = keys,
                              .key_count = match != NULL,
                              .columns = columns,
                              .column_count = 3,
                              .any_reference = true,
                              .references = references,
                              .reference_count = count,
                          },
                          take_object, fetch, err);
    match_free(match);
    if (found >= 0 && fetch->too_many)
        return err_set(err, ERR_INPUT, "%s: more than %d objects: fetch them in parts",
                       fetch->options.peer->name, OBJECTS_MAX);
    return found;
}

static int by_place(const void *a, const void *b)
{
    const struct object *x = a, *y = b;
    int order = strcmp(x->study, y->study);

    if (order == 0)
        order = strcmp(x->series, y->series);
    return order ? order : strcmp(x->sop, y->sop);
}

static void add_whole(struct fetch *fetch, const char *uid)
{
    char *copy = xstrdup(uid), **node = tsearch(copy, &fetch->whole, by_name);

    if (!node || *node != copy)
        free(copy);
}

static bool is_whole(const struct fetch *fetch, const char *uid)
{
    return tfind(uid, (void *const *)&fetch->whole, by_name) != NULL;
}

/* Once each, in order; and which of them the archive has. */
static int sort_objects(struct fetch *fetch, struct err *err)
{
    struct index *index =
        fetch->options.archive ? archive_index(fetch->options.archive, err) : NULL;
    size_t kept = 0;

    if (fetch->options.archive && !index)
        return -1;
    if (fetch->objects)
        qsort(fetch->object, fetch->objects, sizeof *fetch->object, by_place);
    fetch->counts.there = 0;
    for (size_t i = 0; i < fetch->objects; i++) {
        struct object *object = &fetch->object[i];
        struct index_instance row;
        int there = 0;

        if (kept && strcmp(fetch->object[kept - 1].sop, object->sop) == 0) {
            free(object->study);
            free(object->series);
            free(object->sop);
            free(object->class_uid);
            continue;
        }
        if (index && (there = index_find_instance(index, object->sop, &row, err)) < 0)
            return -1;
        object->there = there > 0;
        fetch->counts.there += object->there;
        fetch->object[kept++] = *object;
    }
    fetch->objects = kept;
    fetch->counts.found = kept;
    return 0;
}

/* References one by one: for those of which it is known where they may lie, and to tell which are not there. */
static int list_each(struct fetch *fetch, struct scu *scu, struct err *err)
{
    for (size_t i = 0; i < fetch->references; i++) {
        const struct reference *reference = &fetch->reference[i];
        const char *text = reference->text;
        size_t before = fetch->objects;
        int64_t found = 0;

        if (fetch->options.stopping && fetch->options.stopping(fetch->options.context))
            return err_set(err, ERR_STOPPED, "interrupted");
        if (reference->study)
            found = ask(fetch, scu, &text, 1, reference->study, err);
        if (found == 0)
            found = ask(fetch, scu, &text, 1, NULL, err);
        if (found < 0)
            return -1;
        if (found == 0 && !fetch->listed) {
            struct err why;

            err_set(&why, ERR_NOTFOUND, "%s: %s has no such thing", text,
                    fetch->options.peer->name);
            fetch->counts.failed++;
            fetch->options.failed(fetch->options.context, text, &why);
        }
        if (strncmp(text, "patient:", 8) == 0)
            for (size_t n = before; n < fetch->objects; n++)
                add_whole(fetch, fetch->object[n].study);
        else
            add_whole(fetch, text);
    }
    return 0;
}

int fetch_list(struct fetch *fetch, struct err *err)
{
    struct scu *scu =
        query_scu_open(fetch->options.peer, LEVEL_INSTANCE, fetch->options.tls, NULL, err);

    if (!scu)
        return -1;
    forget_objects(fetch);
    if (list_each(fetch, scu, err) < 0) {
        scu_abort(scu);
        return -1;
    }
    scu_close(scu);
    fetch->listed = true;
    return sort_objects(fetch, err);
}

void fetch_missing(const struct fetch *fetch, fetch_each *each, void *context)
{
    for (size_t i = 0; i < fetch->objects; i++) {
        const struct object *object = &fetch->object[i];

        if (!object->there)
            each(context, &(struct fetch_object){object->study, object->series, object->sop,
                                                 object->class_uid});
    }
}

/* ---- retrieval ---- */

/* C-MOVE to ourselves is of use only while somebody listens. */
static int check_receiver(const struct fetch *fetch, struct err *err)
{
    if (fetch->options.to || receiver_runs(fetch->options.archive))
        return 0;
    return err_set(
        err, ERR_INPUT,
        "%s: is asked by C-MOVE, for which pacs-recv must run on %s (as %s, which %s must know): "
        "start it first%s",
        fetch->options.peer->name, archive_path(fetch->options.archive), fetch->options.own_aet,
        fetch->options.peer->name,
        fetch->options.peer->retrieve == RETRIEVE_MOVE ? "" : "; C-GET is not offered");
}

static int request(struct fetch *fetch, const struct retrieve_request *what,
                   struct retrieve_answer *answer, struct err *err)
{
    int status = 0;

    if (!fetch->moves) {
        status = retriever_get(fetch->retriever, what, answer, err);
        if (status != 0)
            return status;
        if (fetch->options.peer->retrieve == RETRIEVE_GET)
            return err_set(err, ERR_INPUT, "%s: offers no C-GET, and pacs.conf has retrieve = get",
                           fetch->options.peer->name);
        fetch->moves = true;
    }
    if (check_receiver(fetch, err) < 0)
        return -1;
    status = retriever_move(fetch->retriever, what, answer, err);
    return status ? status
                  : err_set(err, ERR_INPUT, "%s: offers neither C-GET nor C-MOVE",
                            fetch->options.peer->name);
}

/* The classes of some objects; none when one is not known. */
static void classes_of(const struct object *object, size_t count, const char **classes)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        size_t at = 0;

        if (!object[i].class_uid || n == CLASSES_MAX) {
            n = 0;
            break;
        }
        while (at < n && strcmp(classes[at], object[i].class_uid) != 0)
            at++;
        if (at == n)
            classes[n++] = object[i].class_uid;
    }
    classes[n] = NULL;
}

/* Objects that stand together: of a study, a series, or some of a series. 0, or -1 to end it all. */
static int retrieve(struct fetch *fetch, enum query_level level, struct object *object,
                    size_t count, const char *sops, struct err *err)
{
    const char *classes[CLASSES_MAX + 1];
    const struct retrieve_request what = {.level = level,
                                          .study_uid = object->study,
                                          .series_uid = object->series,
                                          .sop_uids = sops,
                                          .classes = classes};
    struct retrieve_answer answer;
    int status;

    classes_of(object, count, classes);
    status = request(fetch, &what, &answer, err);
    if (status < 0)
        return -1;
    /* A failure is told of below, object by object; why, here. */
    if (answer.status != STATUS_SUCCESS)
        log_warn("%s: %s of %s %s: status %04X%s%s", fetch->options.peer->name,
                 fetch->moves ? "C-MOVE" : "C-GET", level_name(level),
                 level == LEVEL_STUDY ? object->study : object->series, answer.status,
                 answer.comment[0] ? ": " : "", answer.comment);
    if (fetch->options.to) {
        fetch->counts.fetched += answer.completed;
        fetch->counts.failed += answer.status == STATUS_SUCCESS && !answer.failed ? 0
                                : answer.failed                                   ? answer.failed
                                                                                  : count;
    }
    return 0;
}

/* Those of one series that are missing, some at a time. */
static int retrieve_objects_of(struct fetch *fetch, struct object *object, size_t count,
                               size_t at_once, struct err *err)
{
    struct buf list = {0};
    size_t listed = 0;
    int status = 0;

    for (size_t i = 0; i < count && status == 0; i++) {
        if (!object[i].there) {
            buf_addf(&list, "%s%s", listed ? "\\" : "", object[i].sop);
            listed++;
        }
        if (listed && (listed == at_once || i + 1 == count)) {
            status = retrieve(fetch, LEVEL_INSTANCE, object, count, buf_text(&list), err);
            buf_clear(&list);
            listed = 0;
        }
    }
    buf_free(&list);
    return status;
}

static size_t missing_of(const struct object *object, size_t count)
{
    size_t missing = 0;

    for (size_t i = 0; i < count; i++)
        missing += !object[i].there;
    return missing;
}

static size_t length_of(const struct fetch *fetch, size_t from, size_t end, bool study)
{
    const struct object *first = &fetch->object[from];
    size_t at = from;

    while (at < end && strcmp(fetch->object[at].study, first->study) == 0 &&
           (study || strcmp(fetch->object[at].series, first->series) == 0))
        at++;
    return at - from;
}

static int retrieve_study(struct fetch *fetch, size_t from, size_t count, size_t at_once,
                          struct err *err)
{
    struct object *object = &fetch->object[from];
    bool whole = is_whole(fetch, object->study);
    int status = 0;

    if (at_once > 1 && whole && missing_of(object, count) == count)
        return retrieve(fetch, LEVEL_STUDY, object, count, NULL, err);
    for (size_t at = from; at < from + count && status == 0;) {
        size_t length = length_of(fetch, at, from + count, false);
        size_t missing = missing_of(&fetch->object[at], length);

        if (at_once > 1 && missing == length &&
            (whole || is_whole(fetch, fetch->object[at].series)))
            status = retrieve(fetch, LEVEL_SERIES, &fetch->object[at], length, NULL, err);
        else if (missing)
            status = retrieve_objects_of(fetch, &fetch->object[at], length, at_once, err);
        at += length;
    }
    return status;
}

static int retrieve_all(struct fetch *fetch, size_t at_once, struct err *err)
{
    int status = 0;

    for (size_t at = 0; at < fetch->objects && status == 0;) {
        size_t length = length_of(fetch, at, fetch->objects, true);

        if (missing_of(&fetch->object[at], length))
            status = retrieve_study(fetch, at, length, at_once, err);
        at += length;
    }
    return status;
}

static void tell_missing(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->objects; i++) {
        const struct object *object = &fetch->object[i];
        struct err why;

        if (object->there)
            continue;
        err_set(&why, ERR_FAILED, "%s: has not come from %s", object->sop,
                fetch->options.peer->name);
        fetch->counts.failed++;
        fetch->options.failed(fetch->options.context, object->sop, &why);
    }
}

int fetch_run(struct fetch *fetch, struct err *err)
{
    uint64_t there = fetch->counts.there;
    int status;

    if (fetch->objects == fetch->counts.there)
        return 0;
    status = retrieve_all(fetch, LIST_MAX, err);
    if (fetch->options.to)
        return status;
    /* What has come, and what the peer has got in the meantime. */
    struct err after;
    int listed = status == 0 ? fetch_list(fetch, &after) : sort_objects(fetch, &after);
    if (status == 0 && (status = listed) < 0)
        *err = after;
    if (status == 0 && fetch->counts.there < fetch->objects) {
        status = retrieve_all(fetch, 1, err);
        if (sort_objects(fetch, &after) < 0 && status == 0) {
            *err = after;
            status = -1;
        }
    }
    fetch->counts.fetched = fetch->counts.there - there;
    if (status == 0)
        tell_missing(fetch);
    return status;
}
