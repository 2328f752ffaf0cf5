/*
 * See query_identifier.h.
 */
#include "net/query_identifier.h"

#include <stdlib.h>
#include <string.h>

#include "dicom/dict.h"
#include "dicom/match.h"
#include "dicom/value.h"

#define TAG_CHARSET      TAG(0x0008, 0x0005)
#define TAG_LEVEL        TAG(0x0008, 0x0052)
#define TAG_RETRIEVE_AE  TAG(0x0008, 0x0054)
#define TAG_AVAILABILITY TAG(0x0008, 0x0056)

#define KEYS_MAX 256 /* that are matched or returned; more is no question that anyone has */
/* Of a list in another VR than UI: each row is held against each of them. */
#define VALUES_MAX 1000

/* A key of the identifier, and where its value in a response comes from. */
struct key {
    tag_t tag;
    vr_t vr;    /* as it was asked with, where that can hold the value */
    int column; /* of the query; -1: comes back empty */
};

/* A date key and a time key that are matched as one moment; columns of the query. */
struct combined {
    struct match *match;
    tag_t date_tag, time_tag;
    int date, time;
};
#define COMBINED_MAX 5 /* as many as in `moments` */

struct find_request {
    enum query_level level;
    struct query *query;
    struct key *key;
    size_t keys;
    int columns;
    bool unsupported;
    const struct dataset *identifier;
    struct query_negotiated negotiated;
    struct buf charset; /* of the request */
    struct combined moment[COMBINED_MAX];
    size_t combined;
};

/* ---- levels and unique keys ---- */

static const char *const level_value[] = {"PATIENT", "STUDY", "SERIES", "IMAGE"};
static const tag_t unique_key[] = {TAG(0x0010, 0x0020), TAG(0x0020, 0x000d), TAG(0x0020, 0x000e),
                                   TAG(0x0008, 0x0018)};

static int refuse(uint16_t *status, uint16_t value, struct err *err, const char *text)
{
    *status = value;
    return err_set(err, ERR_INPUT, "%s", text);
}

static int read_level(const struct dataset *identifier, enum query_model model,
                      enum query_level *level, uint16_t *status, struct err *err)
{
    struct buf text = {0};
    int found = -1;

    dataset_text(identifier, TAG_LEVEL, &text);
    for (int i = LEVEL_PATIENT; i <= LEVEL_INSTANCE; i++)
        if (strcmp(buf_text(&text), level_value[i]) == 0)
            found = i;
    buf_free(&text);
    if (found < LEVEL_PATIENT || found > LEVEL_INSTANCE)
        return refuse(status, QUERY_STATUS_MISMATCH, err,
                      dataset_has(identifier, TAG_LEVEL) ? "unknown Query/Retrieve Level"
                                                         : "Query/Retrieve Level is missing");
    if ((model == MODEL_STUDY_ROOT && found == LEVEL_PATIENT) ||
        (model == MODEL_PATIENT_STUDY_ONLY && found > LEVEL_STUDY))
        return refuse(status, QUERY_STATUS_MISMATCH, err,
                      "the information model has no such Query/Retrieve Level");
    *level = (enum query_level)found;
    return 0;
}

/* Something in particular: neither empty nor universal. */
static bool names_something(const struct dataset *identifier, tag_t tag)
{
    struct buf text = {0};
    bool found;

    dataset_text(identifier, tag, &text);
    found = strspn(buf_text(&text), " *\\") != text.length;
    buf_free(&text);
    return found;
}

/* A hierarchical query names what it looks into: PS3.4 C.4.1.3.1.1. */
static int check_unique(const struct dataset *identifier, enum query_model model,
                        enum query_level level, uint16_t *status, struct err *err)
{
    enum query_level top = model == MODEL_STUDY_ROOT ? LEVEL_STUDY : LEVEL_PATIENT;

    for (enum query_level above = top; above < level && above < LEVEL_INSTANCE; above++)
        if (!names_something(identifier, unique_key[above])) {
            *status = QUERY_STATUS_MISMATCH;
            return err_set(err, ERR_INPUT, "%s is missing (no relational queries negotiated)",
                           dict_by_tag(unique_key[above])->keyword);
        }
    return 0;
}

/* ---- combined date and time: PS3.4 C.2.2.2.5.2 ---- */

static const struct {
    tag_t date, time;
} moments[COMBINED_MAX] = {
    {TAG(0x0008, 0x0020), TAG(0x0008, 0x0030)}, /* study */
    {TAG(0x0008, 0x0021), TAG(0x0008, 0x0031)}, /* series */
    {TAG(0x0008, 0x0023), TAG(0x0008, 0x0033)}, /* content */
    {TAG(0x0010, 0x0030), TAG(0x0010, 0x0032)}, /* birth */
    {TAG(0x0040, 0x0244), TAG(0x0040, 0x0245)}, /* procedure step */
};

/* Start and end of a range "A-B", "A-", "-B" or "A", as they stand. */
struct span {
    const char *low, *high;
    int low_length, high_length;
};

static struct span span_of(const char *text)
{
    const char *dash = strchr(text, '-');

    if (!dash)
        return (struct span){text, text, (int)strlen(text), (int)strlen(text)};
    return (struct span){text, dash + 1, (int)(dash - text), (int)strlen(dash + 1)};
}

/* One DT key for a date and a time, tested on what the row says of both. NULL with nothing set when the
 * two are no combination: then each is matched alone. */
static struct match *combine(const char *date, const char *time)
{
    struct span days = span_of(date), hours = span_of(time);
    struct buf value = {0};
    struct match *match;
    struct err ignored;

    if (!*date || !*time || !strchr(time, '-'))
        return NULL;
    if (days.low_length)
        buf_addf(&value, "%.*s%.*s", days.low_length, days.low, hours.low_length, hours.low);
    buf_addc(&value, '-');
    if (days.high_length)
        buf_addf(&value, "%.*s%.*s", days.high_length, days.high, hours.high_length, hours.high);
    match = match_new(TAG(0x0008, 0x002a), VR_DT, value.data, value.length, &ignored);
    buf_free(&value);
    return match;
}

/* ---- keys ---- */

/* Group 0008 elements that steer the query, and are no keys. */
static bool is_control(tag_t tag)
{
    return tag == TAG_CHARSET || tag == TAG_LEVEL || tag == TAG_RETRIEVE_AE ||
           tag == TAG_AVAILABILITY || tag == TAG(0x0008, 0x0053) /* Query/Retrieve View */ ||
           tag == TAG(0x0008, 0x0201) /* Timezone Offset From UTC */;
}

static bool is_held(tag_t tag)
{
    return attribute_find(tag) || computed_find(tag);
}

static enum query_level level_of(tag_t tag, enum query_level level)
{
    const struct attribute_info *attribute = attribute_find(tag);
    const struct computed_info *computed = computed_find(tag);

    if (attribute)
        return attribute->level;
    if (computed)
        return computed->any_level ? level : computed->level;
    return LEVEL_INSTANCE;
}

/* A sequence key asks for something when an item of it holds a value. */
static bool asks(const struct dataset *dataset, tag_t tag)
{
    for (size_t i = 0; i < dataset_items(dataset, tag); i++) {
        const struct dataset *item = dataset_item(dataset, tag, i);

        for (size_t n = 0; n < dataset_count(item); n++) {
            tag_t inner = dataset_tag(item, n);
            size_t size;

            if (dataset_bytes(item, inner, &size) || asks(item, inner))
                return true;
        }
    }
    return false;
}

/* The moments of which both parts are given, where that was agreed. */
static void find_combined(struct find_request *request)
{
    struct buf date = {0}, time = {0};

    for (size_t i = 0; i < COMBINED_MAX; i++) {
        struct combined *combined = &request->moment[request->combined];

        if (level_of(moments[i].date, request->level) > request->level)
            continue;
        buf_clear(&date);
        buf_clear(&time);
        if (!dataset_text(request->identifier, moments[i].date, &date) ||
            !dataset_text(request->identifier, moments[i].time, &time))
            continue;
        combined->match = combine(buf_text(&date), buf_text(&time));
        combined->date_tag = moments[i].date;
        combined->time_tag = moments[i].time;
        request->combined += combined->match != NULL;
    }
    buf_free(&date);
    buf_free(&time);
}

/* The moment of which the tag is a part; the date still narrows by itself. */
static struct combined *combined_of(struct find_request *request, tag_t tag)
{
    for (size_t i = 0; i < request->combined; i++)
        if (request->moment[i].date_tag == tag || request->moment[i].time_tag == tag)
            return &request->moment[i];
    return NULL;
}

/* What the attribute is, whatever VR it was asked with. */
static vr_t own_vr(tag_t tag, vr_t asked)
{
    const struct attribute_info *attribute = attribute_find(tag);
    const struct computed_info *computed = computed_find(tag);
    vr_t vr = attribute ? attribute->vr : computed ? computed->vr : keyword_vr(tag);

    return vr == VR_UN || vr == VR_NONE ? asked : vr;
}

static bool has_text(vr_t vr)
{
    return value_is_text(vr) || value_is_number(vr);
}

/* What it is answered with: as asked, where values of the attribute can be written so. */
static vr_t answer_vr(tag_t tag, vr_t asked)
{
    vr_t own = own_vr(tag, asked);

    if (own == VR_SQ || asked == VR_SQ)
        return own;
    return has_text(own) && !has_text(asked) ? own : asked;
}

static bool is_too_long_a_list(vr_t vr, const struct buf *value)
{
    size_t count = 1;

    for (size_t i = 0; i < value->length; i++)
        count += value->data[i] == '\\';
    return vr != VR_UI && count > VALUES_MAX;
}

/* Matches one key, where the model allows it and something is known of it. */
static int add_match(struct find_request *request, tag_t tag, vr_t vr, const struct buf *value,
                     uint16_t *status, struct err *err)
{
    struct match *match;
    char name[10];

    if (!value->length)
        return 0;
    if (!is_held(tag) && request->level != LEVEL_INSTANCE) {
        request->unsupported = true;
        return 0;
    }
    if (level_of(tag, request->level) > request->level && !request->negotiated.relational) {
        request->unsupported = true;
        return 0;
    }
    *status = QUERY_STATUS_FAILED;
    if (is_too_long_a_list(vr, value))
        return err_set(err, ERR_INPUT, "%s: a list of more than %d values", keyword_name(tag, name),
                       VALUES_MAX);
    match = match_new(tag, vr, value->data, value->length, err);
    if (!match)
        return -1;
    if (request->negotiated.fuzzy_names && vr == VR_PN)
        match_fuzzy(match);
    query_add(request->query, match);
    return 0;
}

static void add_column(struct find_request *request, struct key *key)
{
    struct err ignored;
    bool below = level_of(key->tag, request->level) > request->level;

    /* What lies below the level, or only in headers, is not gathered from all objects of a study. */
    if (!has_text(key->vr) || below || query_column(request->query, key->tag, &ignored) < 0) {
        request->unsupported = true;
        return;
    }
    key->column = request->columns++;
}

static int add_key(struct find_request *request, tag_t tag, uint16_t *status, struct err *err)
{
    const struct dataset *identifier = request->identifier;
    vr_t asked = dataset_vr(identifier, tag);
    struct key key = {tag, answer_vr(tag, asked), -1};
    struct combined *combined = combined_of(request, tag);
    struct buf value = {0};
    int result = 0;

    if (is_control(tag))
        return 0;
    if (request->keys == KEYS_MAX)
        return refuse(status, QUERY_STATUS_FAILED, err, "too many keys");
    if (key.vr == VR_SQ) {
        request->unsupported = request->unsupported || asks(identifier, tag);
    } else {
        if (!combined || combined->date_tag == tag)
            dataset_text(identifier, tag, &value);
        result = add_match(request, tag, own_vr(tag, asked), &value, status, err);
        buf_free(&value);
    }
    if (result == 0) {
        add_column(request, &key);
        if (combined)
            *(combined->date_tag == tag ? &combined->date : &combined->time) = key.column;
        request->key[request->keys++] = key;
    }
    return result;
}

struct find_request *find_request_new(const struct dataset *identifier, enum query_model model,
                                      const struct query_negotiated *negotiated, uint16_t *status,
                                      struct err *err)
{
    struct find_request *request;
    enum query_level level = LEVEL_STUDY;

    if (read_level(identifier, model, &level, status, err) < 0 ||
        (!negotiated->relational && check_unique(identifier, model, level, status, err) < 0))
        return NULL;
    request = xcalloc(1, sizeof *request);
    request->level = level;
    request->identifier = identifier;
    request->negotiated = *negotiated;
    request->query = query_new(level);
    request->key = xcalloc(KEYS_MAX, sizeof *request->key);
    dataset_text(identifier, TAG_CHARSET, &request->charset);
    if (negotiated->combined_datetime)
        find_combined(request);
    for (size_t i = 0; i < dataset_count(identifier); i++)
        if (add_key(request, dataset_tag(identifier, i), status, err) < 0) {
            find_request_free(request);
            return NULL;
        }
    /* Without it no one could ask on, or retrieve. */
    if (!dataset_has(identifier, unique_key[level]) &&
        add_key(request, unique_key[level], status, err) < 0) {
        find_request_free(request);
        return NULL;
    }
    return request;
}

void find_request_free(struct find_request *request)
{
    if (!request)
        return;
    for (size_t i = 0; i < request->combined; i++)
        match_free(request->moment[i].match);
    query_free(request->query);
    free(request->key);
    buf_free(&request->charset);
    free(request);
}

void find_request_stop_when(struct find_request *request, query_stop *stop, void *context)
{
    query_stop_when(request->query, stop, context);
}

enum query_level find_request_level(const struct find_request *request)
{
    return request->level;
}

bool find_request_unsupported(const struct find_request *request)
{
    return request->unsupported;
}

/* ---- running ---- */

struct run {
    struct find_request *request;
    const char *retrieve_aet;
    find_each *each;
    void *context;
    struct buf moment;
    int64_t count;
};

/* Whether the row's dates and times fulfil the combined keys. */
static bool moments_fit(struct run *run, const struct query_row *row)
{
    const struct find_request *request = run->request;

    for (size_t i = 0; i < request->combined; i++) {
        const struct combined *combined = &request->moment[i];
        const char *date = row->values[combined->date], *time = row->values[combined->time];

        buf_clear(&run->moment);
        if (date)
            buf_addf(&run->moment, "%s%s", date, time ? time : "");
        if (!match_test(combined->match, buf_text(&run->moment), run->moment.length))
            return false;
    }
    return true;
}

static int give_row(void *context, const struct query_row *row, struct err *err)
{
    struct run *run = context;
    const struct find_request *request = run->request;
    struct dataset *response;
    int status;

    if (!moments_fit(run, row))
        return 0;
    response = dataset_new();
    for (size_t i = 0; i < request->keys; i++) {
        const struct key *key = &request->key[i];

        if (key->vr == VR_SQ)
            dataset_put_sequence(response, key->tag);
        else
            dataset_put_vr(response, key->tag, key->vr,
                           key->column < 0 ? NULL : row->values[key->column]);
    }
    dataset_put(response, TAG_LEVEL, level_value[request->level]);
    dataset_put(response, TAG_RETRIEVE_AE, run->retrieve_aet);
    dataset_put(response, TAG_AVAILABILITY, "ONLINE");
    dataset_choose_charset(response, buf_text(&request->charset));
    run->count++;
    status = run->each(run->context, response, err);
    dataset_free(response);
    return status;
}

int64_t find_request_run(struct find_request *request, struct index *index,
                         const char *retrieve_aet, find_each *each, void *context, struct err *err)
{
    struct run run = {request, retrieve_aet, each, context, {0}, 0};
    int64_t count = index_query(index, request->query, give_row, &run, err);

    buf_free(&run.moment);
    return count < 0 ? -1 : run.count;
}

/* ---- retrieval ---- */

/* The keys above the level, as the objects must have them. */
struct above {
    struct buf study, series;
    index_each_object *each;
    void *context;
    int64_t count;
};

/* Whether the text is one of those in a list separated by backslashes; an empty list holds all. */
static bool lists(const struct buf *list, const char *text)
{
    size_t length = strlen(text);
    const char *at = buf_text(list);

    if (!*at)
        return true;
    for (;;) {
        size_t part = strcspn(at, "\\");

        if (part == length && memcmp(at, text, length) == 0)
            return true;
        if (!at[part])
            return false;
        at += part + 1;
    }
}

static int give_object(void *context, const struct index_object *object, struct err *err)
{
    struct above *above = context;

    if (!lists(&above->study, object->study_uid) || !lists(&above->series, object->series_uid))
        return 0;
    above->count++;
    return above->each(above->context, object, err);
}

/* What the unique key of the level names, one after the other. */
static int64_t give_listed(const struct dataset *identifier, enum query_level level,
                           struct index *index, struct above *above, struct err *err)
{
    struct buf list = {0}, reference = {0};
    const char *at;
    int64_t status = 0;

    dataset_text(identifier, unique_key[level], &list);
    at = buf_text(&list);
    while (*at && status >= 0) {
        size_t part = level == LEVEL_PATIENT ? strlen(at) : strcspn(at, "\\");

        buf_clear(&reference);
        buf_addf(&reference, "%s%.*s", level == LEVEL_PATIENT ? "patient:" : "", (int)part, at);
        err->code = ERR_NONE;
        status = index_objects(index, buf_text(&reference), give_object, above, err);
        /* One that is not there is no failure: the others are sent. */
        if (status < 0 && err->code == ERR_NOTFOUND)
            status = 0;
        at += part;
        at += *at == '\\';
    }
    buf_free(&list);
    buf_free(&reference);
    return status < 0 ? -1 : above->count;
}

int64_t retrieve_objects(const struct dataset *identifier, enum query_model model,
                         const struct query_negotiated *negotiated, struct index *index,
                         index_each_object *each, void *context, uint16_t *status, struct err *err)
{
    struct above above = {.each = each, .context = context};
    enum query_level level = LEVEL_STUDY;
    size_t size;
    int64_t count;

    if (read_level(identifier, model, &level, status, err) < 0 ||
        (!negotiated->relational && check_unique(identifier, model, level, status, err) < 0))
        return -1;
    if (!dataset_bytes(identifier, unique_key[level], &size)) {
        *status = QUERY_STATUS_MISMATCH;
        return err_set(err, ERR_INPUT, "%s is missing", dict_by_tag(unique_key[level])->keyword);
    }
    if (level > LEVEL_STUDY)
        dataset_text(identifier, unique_key[LEVEL_STUDY], &above.study);
    if (level > LEVEL_SERIES)
        dataset_text(identifier, unique_key[LEVEL_SERIES], &above.series);
    *status = QUERY_STATUS_FAILED;
    count = give_listed(identifier, level, index, &above, err);
    buf_free(&above.study);
    buf_free(&above.series);
    return count;
}
