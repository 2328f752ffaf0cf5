/*
 * libcore/index/query: thousands of random queries on random objects, against a slow and plain
 * reference: loops over all objects in memory, match_test for each key, joins by hand.
 */
#include "index_fixture.h"

#include <strings.h>
#include <time.h>

#define PATIENTS  24
#define STUDIES   50
#define SERIES    110
#define INSTANCES 320
#define QUERIES   4000

/* ---- the objects ---- */

struct entity {
    int parent; /* index into the level above */
    int order;  /* of appearance in the index; -1: no object came */
    const char *value[ATTRIBUTE_COUNT];
    char uid[65], number[16], folder[128], path[300];
    uint64_t size;
    int64_t received;
    const char *calling;
};

static struct entity patient[PATIENTS], study[STUDIES], series[SERIES], instance[INSTANCES];
static struct entity *const table[] = {patient, study, series, instance};
static const int count[] = {PATIENTS, STUDIES, SERIES, INSTANCES};

static const char *const ids[] = {"P1",   "P2", "P10", "007",     "7",  "A^", "#5", "X^^^Y",
                                  "a'b;", "%",  "p1",  "tab\tid", "P*", "Ä1", "^",  ""};
static const char *const issuers[] = {NULL, NULL, NULL, "H1", "H2", "^I", "A^^^B"};
static const char *const names[] = {"Doe^John",
                                    "DOE^JANE",
                                    "doe",
                                    "Müller^Jörg^^Dr",
                                    "Yamada^Tarou=山田^太郎=やまだ^たろう",
                                    "=山田^太郎",
                                    "O'Neil^Sean",
                                    "van der Berg ^ Anna",
                                    "Smith^John^Paul^^III",
                                    "Smithers",
                                    "Do%^J_n",
                                    "ΩΜΕΓΑ^Α",
                                    "A^B\\C^D",
                                    "^^",
                                    NULL};
static const char *const dates[] = {"20240101", "20240102", "20240115", "20240131", "20231231",
                                    "19700101", "2024",     "rubbish",  "20241399", NULL};
static const char *const times[] = {"101112", "1011", "235959.999999", "000000", "10", NULL};
static const char *const numbers[] = {"1", "2", "3", "10", "-4", "007", "99999999999999999999",
                                      NULL};
static const char *const decimals[] = {"1.5", "0.75", "2", "1e2", "-3.25", " 5", "x", NULL};
static const char *const codes[] = {"CT", "MR", "US", "SR", "CTX", NULL};
static const char *const texts[] = {
    "Thorax routine",    "thorax ROUTINE",   "50% off_", "a*b", "'; DROP TABLE study; --",
    "Schädel \"nativ\"", "\xf0\x9f\xa9\xbb", "x",        NULL};
static const char *const accessions[] = {"A1", "A2", "A20", "a1", "A_1", "A%", "0001", "1", NULL};
static const char *const uids[] = {"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4",
                                   "1.2.840.10008.1.2.1", "1.2.3", NULL};
static const char *const titles[] = {"MODALITY", "WORKSTATION", "M", NULL};

#define PICK(list) ((list)[rand() % (int)(sizeof(list) / sizeof(list)[0])])

static const char *random_value(const struct attribute_info *attribute)
{
    switch (attribute->vr) {
    case VR_PN:
        return PICK(names);
    case VR_DA:
        return PICK(dates);
    case VR_TM:
        return PICK(times);
    case VR_IS:
    case VR_US:
        return PICK(numbers);
    case VR_DS:
        return PICK(decimals);
    case VR_CS:
        return PICK(codes);
    case VR_UI:
        return PICK(uids);
    default:
        break;
    }
    return attribute == &attributes[ATTRIBUTE_ACCESSION_NUMBER] ? PICK(accessions) : PICK(texts);
}

static void make_entity(enum query_level level, int number)
{
    struct entity *entity = &table[level][number];

    entity->order = -1;
    entity->parent = level ? number < count[level - 1] ? number : rand() % count[level - 1] : 0;
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        if (attributes[i].level == level)
            entity->value[i] = random_value(&attributes[i]);
    snprintf(entity->uid, sizeof entity->uid, "1.2.%d.%d", (int)level, number);
    switch (level) {
    case LEVEL_PATIENT:
        entity->value[ATTRIBUTE_PATIENT_ID] = ids[number % 16];
        entity->value[ATTRIBUTE_ISSUER_OF_PATIENT_ID] = number < 16 ? PICK(issuers) : "SECOND";
        break;
    case LEVEL_STUDY:
        entity->value[ATTRIBUTE_STUDY_INSTANCE_UID] = entity->uid;
        snprintf(entity->folder, sizeof entity->folder, "objects/2024/01/01/%s", entity->uid);
        break;
    case LEVEL_SERIES:
        entity->value[ATTRIBUTE_SERIES_INSTANCE_UID] = entity->uid;
        break;
    case LEVEL_INSTANCE:
        entity->value[ATTRIBUTE_SOP_INSTANCE_UID] = entity->uid;
        entity->size = (uint64_t)(rand() % 5 * 1000);
        entity->received = 1700000000000 + (int64_t)(rand() % 100) * 3600000;
        entity->calling = PICK(titles);
        break;
    }
}

/* The entity itself or the one above it at `level`. */
static int above(enum query_level from, int number, enum query_level level)
{
    while (from > level)
        number = table[from--][number].parent;
    return number;
}

static void record_of(int number, struct index_record *record)
{
    char *path;
    struct entity *row = &instance[number],
                  *folder = &study[above(LEVEL_INSTANCE, number, LEVEL_STUDY)];

    memset(record, 0, sizeof *record);
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        record->value[i] =
            table[attributes[i].level][above(LEVEL_INSTANCE, number, attributes[i].level)].value[i];
    record->size = row->size;
    record->received_ms = row->received;
    record->calling_aet = row->calling;
    if (number % 3) {
        record->study_folder = folder->folder;
        path = xasprintf("%s/%s/%s.dcm", folder->folder, series[row->parent].uid, row->uid);
        snprintf(row->path, sizeof row->path, "%s", path);
        free(path);
    } else {
        snprintf(row->path, sizeof row->path, "/data/%d/it's %d.dcm", number % 7, number);
        record->path = row->path;
    }
}

static const char *archive; /* its folder */

static struct index *index_of_all(const char *root)
{
    struct index *index = open_index(root, INDEX_WRITE);
    struct index_record record;
    int next[4] = {0};

    archive = root;
    for (enum query_level level = LEVEL_PATIENT; level <= LEVEL_INSTANCE; level++)
        for (int i = 0; i < count[level]; i++)
            make_entity(level, i);
    assert_done(index_begin(index, &err));
    for (int i = 0; i < INSTANCES; i++) {
        int number = i * 7 % INSTANCES; /* each once, in an order of its own */

        record_of(number, &record);
        add_record(index, &record);
        for (enum query_level level = LEVEL_PATIENT; level <= LEVEL_INSTANCE; level++) {
            struct entity *entity = &table[level][above(LEVEL_INSTANCE, number, level)];

            if (entity->order < 0)
                entity->order = next[level]++;
        }
    }
    assert_done(index_commit(index, &err));
    assert_sound(root);
    return index;
}

/* ---- what the index should know, by counting ---- */

static bool within(enum query_level level, int number, enum query_level of, int what)
{
    return level >= of && above(level, number, of) == what;
}

static int children(enum query_level of, int number, enum query_level level)
{
    int found = 0;

    for (int i = 0; i < count[level]; i++)
        found += table[level][i].order >= 0 && within(level, i, of, number);
    return found;
}

/* The distinct values of a level below, in any order, joined by '\'. */
static void distinct(enum query_level of, int number, enum attribute attribute, struct buf *out)
{
    enum query_level level = attributes[attribute].level;

    for (int i = 0; i < count[level]; i++) {
        const char *value = table[level][i].value[attribute];
        bool seen = !value || !*value || table[level][i].order < 0 || !within(level, i, of, number);

        for (int k = 0; k < i && !seen; k++)
            seen = table[level][k].value[attribute] && within(level, k, of, number) &&
                   table[level][k].order >= 0 &&
                   strcmp(table[level][k].value[attribute], value) == 0;
        if (!seen)
            buf_addf(out, "%s%s", out->length ? "\\" : "", value);
    }
}

static void computed_value(tag_t tag, enum query_level level, int number, struct buf *out)
{
    uint64_t size = 0;
    int64_t received = 0;
    struct tm local;
    char text[32];
    time_t seconds;

    switch (tag) {
    case TAG(0x0020, 0x1200):
        buf_addf(out, "%d", children(LEVEL_PATIENT, number, LEVEL_STUDY));
        break;
    case TAG(0x0020, 0x1202):
        buf_addf(out, "%d", children(LEVEL_PATIENT, number, LEVEL_SERIES));
        break;
    case TAG(0x0020, 0x1204):
        buf_addf(out, "%d", children(LEVEL_PATIENT, number, LEVEL_INSTANCE));
        break;
    case TAG(0x0020, 0x1206):
        buf_addf(out, "%d", children(LEVEL_STUDY, number, LEVEL_SERIES));
        break;
    case TAG(0x0020, 0x1208):
        buf_addf(out, "%d", children(LEVEL_STUDY, number, LEVEL_INSTANCE));
        break;
    case TAG(0x0020, 0x1209):
        buf_addf(out, "%d", children(LEVEL_SERIES, number, LEVEL_INSTANCE));
        break;
    case TAG(0x0008, 0x0061):
        distinct(LEVEL_STUDY, number, ATTRIBUTE_MODALITY, out);
        break;
    case TAG(0x0008, 0x0062):
        distinct(LEVEL_STUDY, number, ATTRIBUTE_SOP_CLASS_UID, out);
        break;
    case TAG_CALLING_AE:
        buf_adds(out, instance[number].calling ? instance[number].calling : "");
        break;
    case TAG_PATH:
        buf_addf(out, "%s%s%s", *instance[number].path == '/' ? "" : archive,
                 *instance[number].path == '/' ? "" : "/", instance[number].path);
        break;
    default:
        for (int i = 0; i < INSTANCES; i++)
            if (within(LEVEL_INSTANCE, i, level, number)) {
                size += instance[i].size;
                received = instance[i].received > received ? instance[i].received : received;
            }
        seconds = received / 1000;
        localtime_r(&seconds, &local);
        strftime(text, sizeof text, "%Y%m%d%H%M%S", &local);
        if (tag == TAG_SIZE)
            buf_addf(out, "%llu", (unsigned long long)size);
        else
            buf_adds(out, text);
    }
}

static void value_of(tag_t tag, enum query_level level, int number, struct buf *out)
{
    const struct attribute_info *attribute = attribute_find(tag);
    const char *value;

    buf_clear(out);
    if (!attribute) {
        computed_value(tag, level, number, out);
        return;
    }
    value = table[level][number].value[attribute - attributes];
    buf_adds(out, value ? value : "");
}

/* ---- a random query ---- */

#define KEYS 4

struct asked {
    enum query_level level;
    int keys;
    char expression[KEYS][512];
    struct match *match[KEYS]; /* the reference's own */
    enum query_level at[KEYS]; /* where each is tested */
    int references;
    char reference[3][128];
    int named[3]; /* level * 1000 + number; -1: nothing */
};

static const char *const odd_values[] = {"", "\"\"", "*=*", "=*", "**?"};
static const char *const computed_names[] = {"NumberOfPatientRelatedStudies",
                                             "NumberOfPatientRelatedSeries",
                                             "NumberOfPatientRelatedInstances",
                                             "NumberOfStudyRelatedSeries",
                                             "NumberOfStudyRelatedInstances",
                                             "NumberOfSeriesRelatedInstances",
                                             "ModalitiesInStudy",
                                             "SOPClassesInStudy",
                                             "Size",
                                             "Received",
                                             "CallingAE",
                                             "Path"};

static tag_t random_tag(void)
{
    /* Those that an index serves more often than others. */
    static const enum attribute served[] = {
        ATTRIBUTE_PATIENT_ID,         ATTRIBUTE_PATIENT_NAME,
        ATTRIBUTE_PATIENT_BIRTH_DATE, ATTRIBUTE_STUDY_DATE,
        ATTRIBUTE_MODALITY,           ATTRIBUTE_ACCESSION_NUMBER,
        ATTRIBUTE_STUDY_INSTANCE_UID, ATTRIBUTE_SERIES_INSTANCE_UID,
        ATTRIBUTE_SOP_INSTANCE_UID,   ATTRIBUTE_SOP_CLASS_UID};
    tag_t tag;

    switch (rand() % 5) {
    case 0:
        assert_done(keyword_parse(PICK(computed_names), &tag, &err));
        return tag;
    case 1:
        return TAG(0x0008, 0x0061);
    case 2:
        return attributes[rand() % ATTRIBUTE_COUNT].tag;
    default:
        return attributes[PICK(served)].tag;
    }
}

static enum query_level level_of_key(tag_t tag, enum query_level asked)
{
    const struct attribute_info *attribute = attribute_find(tag);
    const struct computed_info *computed = computed_find(tag);

    return attribute ? attribute->level : computed->any_level ? asked : computed->level;
}

static void flip_case(char *text)
{
    for (; *text; text++)
        if (rand() % 2 && ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z')))
            *text ^= 0x20;
}

/* Something like the value of some entity. */
static void random_expression(char out[512], tag_t tag, enum query_level level)
{
    static const char *const operators[] = {"=", "=", "=", "!=", "<", "<=", ">", ">="};
    struct buf one = {0}, two = {0};
    char name[10], text[100];
    const char *before = "", *after = "", *rest = "";
    int from = 0, length;

    value_of(tag, level, rand() % count[level], &one);
    value_of(tag, level, rand() % count[level], &two);
    snprintf(text, sizeof text, "%s", one.length ? one.data : "1");
    length = (int)strlen(text);
    switch (rand() % 10) {
    case 0:
        length = rand() % (length + 1);
        after = "*";
        break;
    case 1:
        from = rand() % length;
        length = rand() % (length - from) + 1;
        before = after = "*";
        break;
    case 2:
        text[rand() % length] = '?';
        break;
    case 3:
        after = "\\";
        rest = buf_text(&two);
        break;
    case 4:
        after = rand() % 2 ? "-" : "..";
        rest = buf_text(&two);
        break;
    case 5:
        after = rand() % 2 ? "-" : "..";
        break;
    case 6:
        length = 0;
        after = PICK(odd_values);
        break;
    case 7:
        flip_case(text);
        break;
    default:
        break;
    }
    snprintf(out, 512, "%s%s%s%.*s%s%.90s", keyword_name(tag, name), PICK(operators), before,
             length, text + from, after, rest);
    buf_free(&one);
    buf_free(&two);
}

static void ask_reference(struct asked *asked)
{
    enum query_level level = (enum query_level)(rand() % 4);
    int number = rand() % count[level], at = asked->references++;
    const char *id = patient[number % PATIENTS].value[ATTRIBUTE_PATIENT_ID];
    const char *issuer = patient[number % PATIENTS].value[ATTRIBUTE_ISSUER_OF_PATIENT_ID];

    asked->named[at] = (int)level * 1000 + number;
    if (level == LEVEL_PATIENT && number >= 16 && *id && *id != '#' && !strstr(id, "^") &&
        !strchr(id, '\t'))
        snprintf(asked->reference[at], 128, "patient:%s^^^%s", id, issuer);
    else if (level == LEVEL_PATIENT) /* rows are numbered as they came */
        snprintf(asked->reference[at], 128, "patient:#%d", patient[number].order + 1);
    else
        snprintf(asked->reference[at], 128, "%s", table[level][number].uid);
    if (rand() % 6 == 0) {
        asked->named[at] = -1;
        snprintf(asked->reference[at], 128, "%s", rand() % 2 ? "9.9.9" : "patient:nobody");
    }
}

static struct query *ask(struct asked *asked)
{
    struct query *query;

    memset(asked, 0, sizeof *asked);
    asked->level = (enum query_level)(rand() % 4);
    query = query_new(asked->level);
    for (int keys = rand() % KEYS + 1; asked->keys < keys;) {
        tag_t tag = random_tag();
        enum query_level at = level_of_key(tag, asked->level);
        struct match *match;

        random_expression(asked->expression[asked->keys], tag, at);
        match = match_parse(asked->expression[asked->keys], &err);
        if (!match)
            continue; /* no date, no number: not what is asked here */
        query_add(query, match);
        asked->match[asked->keys] = match_parse(asked->expression[asked->keys], &err);
        asked->at[asked->keys++] = at;
    }
    while (rand() % 4 == 0 && asked->references < 3) {
        ask_reference(asked);
        query_reference(query, asked->reference[asked->references - 1]);
    }
    return query;
}

static void forget(struct asked *asked)
{
    for (int i = 0; i < asked->keys; i++)
        match_free(asked->match[i]);
}

/* ---- the reference ---- */

static bool keys_fit(const struct asked *asked, enum query_level at, int number)
{
    struct buf value = {0};
    bool fit = true;

    for (int i = 0; i < asked->keys && fit; i++)
        if (asked->at[i] == at) {
            value_of(match_tag(asked->match[i]), at, number, &value);
            fit = match_test(asked->match[i], buf_text(&value), value.length);
        }
    buf_free(&value);
    return fit;
}

static bool below_fits(const struct asked *asked, int number)
{
    enum query_level deepest = asked->level;

    for (int i = 0; i < asked->keys; i++)
        if (asked->at[i] > deepest &&
            !(match_kind(asked->match[i]) == MATCH_UNIVERSAL && !match_negated(asked->match[i])))
            deepest = asked->at[i];
    if (deepest == asked->level)
        return true;
    for (int i = 0; i < count[deepest]; i++) {
        bool fit = table[deepest][i].order >= 0 && within(deepest, i, asked->level, number);

        for (int level = (int)deepest; fit && level > (int)asked->level; level--)
            fit = keys_fit(asked, (enum query_level)level,
                           above(deepest, i, (enum query_level)level));
        if (fit)
            return true;
    }
    return false;
}

static bool is_named(const struct asked *asked, int number)
{
    for (int i = 0; i < asked->references; i++) {
        enum query_level level = (enum query_level)(asked->named[i] / 1000);
        int what = asked->named[i] % 1000;

        if (asked->named[i] >= 0 && table[level][what].order >= 0 &&
            (within(asked->level, number, level, what) ||
             (level > asked->level && above(level, what, asked->level) == number)))
            return true;
    }
    return asked->references == 0;
}

static bool fits_all(const struct asked *asked, int number)
{
    bool fit = table[asked->level][number].order >= 0 && is_named(asked, number);

    for (int level = LEVEL_PATIENT; fit && level <= (int)asked->level; level++)
        fit = keys_fit(asked, (enum query_level)level,
                       above(asked->level, number, (enum query_level)level));
    return fit && below_fits(asked, number);
}

/* ---- comparing ---- */

struct answer {
    enum query_level level;
    int rows;
    int row[INSTANCES];
};

/* Of patients the order of appearance is told as a column: their references differ in form. */
static int take_row(void *context, const struct query_row *row, struct err *error)
{
    struct answer *answer = context;

    (void)error;
    assert_true(answer->rows < INSTANCES);
    for (int i = 0; i < count[answer->level]; i++) {
        const struct entity *entity = &table[answer->level][i];
        bool same = strcmp(entity->uid, row->reference) == 0;

        if (answer->level == LEVEL_PATIENT) {
            const char *id = entity->value[ATTRIBUTE_PATIENT_ID];
            const char *issuer = entity->value[ATTRIBUTE_ISSUER_OF_PATIENT_ID];

            same = strcmp(id, row->values[0] ? row->values[0] : "") == 0 &&
                   strcmp(issuer ? issuer : "", row->values[1] ? row->values[1] : "") == 0;
        }
        if (same) {
            answer->row[answer->rows++] = i;
            return 0;
        }
    }
    fail_msg("%s: from nowhere", row->reference);
    return -1;
}

static void explain(const struct asked *asked, int number, bool expected)
{
    fprintf(stderr, "# level %d, %d %s:", (int)asked->level, number,
            expected ? "is missing" : "should not be there");
    for (int i = 0; i < asked->keys; i++)
        fprintf(stderr, " %s", asked->expression[i]);
    for (int i = 0; i < asked->references; i++)
        fprintf(stderr, " @%s", asked->reference[i]);
    fprintf(stderr, "\n");
    fail();
}

/* Returns how many rows there were. */
static int compare(struct index *index, const struct asked *asked, struct query *query,
                   struct answer *answer)
{
    bool found[INSTANCES] = {false};

    *answer = (struct answer){.level = asked->level};
    assert_done(query_column(query, attributes[ATTRIBUTE_PATIENT_ID].tag, &err));
    assert_done(query_column(query, attributes[ATTRIBUTE_ISSUER_OF_PATIENT_ID].tag, &err));
    if (index_query(index, query, take_row, answer, &err) != answer->rows) {
        fprintf(stderr, "# %s\n", err.text);
        explain(asked, 0, true);
    }
    for (int i = 0; i < answer->rows; i++) {
        if (found[answer->row[i]]) /* twice */
            explain(asked, answer->row[i], false);
        found[answer->row[i]] = true;
    }
    for (int i = 0; i < count[asked->level]; i++)
        if (found[i] != fits_all(asked, i))
            explain(asked, i, !found[i]);
    return answer->rows;
}

static void random_queries(void **state)
{
    struct index *index;
    struct answer answer;
    struct asked asked;
    int with_rows = 0;

    srand(20240131);
    index = index_of_all(*state);
    for (int i = 0; i < QUERIES; i++) {
        struct query *query = ask(&asked);

        with_rows += compare(index, &asked, query, &answer) > 0;
        query_free(query);
        forget(&asked);
    }
    index_close(index);
    assert_true(with_rows > QUERIES / 4); /* else nothing was shown */
}

/* ---- order and limit ---- */

static double as_number(const char *text)
{
    return strtod(text, NULL);
}

static int compare_values(tag_t tag, const struct buf *one, const struct buf *two)
{
    vr_t vr = keyword_vr(tag);
    double x, y;

    if (!one->length || !two->length)
        return (one->length > 0) - (two->length > 0); /* none comes first */
    if (vr == VR_PN)
        return strcasecmp(one->data, two->data);
    if (vr != VR_DS && vr != VR_IS && vr != VR_US && vr != VR_UV)
        return strcmp(one->data, two->data);
    x = as_number(one->data);
    y = as_number(two->data);
    return (x > y) - (x < y);
}

static void sorted_queries(void **state)
{
    struct buf one = {0}, two = {0};
    struct index *index;
    struct answer all, some;
    struct asked asked;

    srand(5);
    index = index_of_all(*state);
    for (int i = 0; i < 600; i++) {
        struct query *query = ask(&asked);
        tag_t tag;
        enum query_level at;
        bool down = rand() % 2;
        uint64_t limit;

        do {
            tag = random_tag();
            at = level_of_key(tag, asked.level);
        } while (at > asked.level);
        assert_done(query_sort(query, tag, down, &err));
        compare(index, &asked, query, &all);
        for (int k = 1; k < all.rows; k++) {
            int order;

            value_of(tag, at, above(asked.level, all.row[k - 1], at), &one);
            value_of(tag, at, above(asked.level, all.row[k], at), &two);
            /* Lists are in no order that is promised. */
            if (strchr(buf_text(&one), '\\') || strchr(buf_text(&two), '\\'))
                continue;
            order = compare_values(tag, &one, &two);
            assert_true(down ? order >= 0 : order <= 0);
            if (order == 0)
                assert_true(table[asked.level][all.row[k - 1]].order <
                            table[asked.level][all.row[k]].order);
        }
        limit = (uint64_t)(rand() % 20 + 1);
        query_limit(query, limit);
        some = (struct answer){.level = asked.level};
        assert_int_equal(index_query(index, query, take_row, &some, &err),
                         (uint64_t)all.rows < limit ? (uint64_t)all.rows : limit);
        assert_memory_equal(some.row, all.row, sizeof(int) * (size_t)some.rows);
        query_free(query);
        forget(&asked);
    }
    index_close(index);
    buf_free(&one);
    buf_free(&two);
}

/* ---- columns ---- */

struct columns {
    enum query_level level;
    tag_t tag[ATTRIBUTE_COUNT + 12];
    int tags, rows;
};

static bool same_list(const char *one, const char *other)
{
    size_t length = strlen(one);

    if (length != strlen(other))
        return false;
    while (*one) {
        size_t n = strcspn(one, "\\");
        const char *at = other;

        while (*at && !(strncmp(at, one, n) == 0 && (at[n] == '\\' || !at[n]))) {
            at += strcspn(at, "\\");
            at += *at == '\\';
        }
        if (!*at)
            return false;
        one += n + (one[n] == '\\');
    }
    return true;
}

static int check_columns(void *context, const struct query_row *row, struct err *error)
{
    struct columns *columns = context;
    struct buf expected = {0};
    int number = 0;

    (void)error;
    while (strcmp(table[columns->level][number].uid, row->reference) != 0)
        number++;
    for (int i = 0; i < columns->tags; i++) {
        const struct attribute_info *attribute = attribute_find(columns->tag[i]);
        enum query_level at = level_of_key(columns->tag[i], columns->level);

        buf_clear(&expected);
        if (at <= columns->level)
            value_of(columns->tag[i], at, above(columns->level, number, at), &expected);
        else if (attribute)
            distinct(columns->level, number, (enum attribute)(attribute - attributes), &expected);
        else
            continue;
        if (!same_list(buf_text(&expected), row->values[i] ? row->values[i] : "")) {
            char name[10];

            fail_msg("%s of %s: \"%s\", not \"%s\"", keyword_name(columns->tag[i], name),
                     row->reference, row->values[i] ? row->values[i] : "", buf_text(&expected));
        }
    }
    buf_free(&expected);
    columns->rows++;
    return 0;
}

static void every_column_of_every_level(void **state)
{
    struct index *index;

    srand(6);
    index = index_of_all(*state);
    for (enum query_level level = LEVEL_STUDY; level <= LEVEL_INSTANCE; level++) {
        struct query *query = query_new(level);
        struct columns columns = {.level = level};
        int there = 0;

        for (size_t i = 0; i < ATTRIBUTE_COUNT + 12; i++) {
            tag_t tag = i < ATTRIBUTE_COUNT ? attributes[i].tag : 0;

            if (i >= ATTRIBUTE_COUNT)
                assert_done(keyword_parse(computed_names[i - ATTRIBUTE_COUNT], &tag, &err));
            if (query_column(query, tag, &err) == 0)
                columns.tag[columns.tags++] = tag;
            else
                assert_int_equal(err.code, ERR_INPUT);
        }
        for (int i = 0; i < count[level]; i++)
            there += table[level][i].order >= 0;
        assert_int_equal(index_query(index, query, check_columns, &columns, &err), there);
        assert_int_equal(columns.rows, there);
        query_free(query);
    }
    index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_queries),
        TEST(sorted_queries),
        TEST(every_column_of_every_level),
    };

    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
