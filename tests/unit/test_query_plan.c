/*
 * libcore/index/query: which indexes serve which queries; keys from people who mean harm; references;
 * the objects behind them.
 */
#include "index_fixture.h"

#include "index/query_internal.h"

/* ---- plans ---- */

/* What SQLite means to do, a line for each step. */
static void plan_of(struct index *index, const struct query *query, struct buf *plan)
{
    struct sql sql = {0}, explain = {0};
    sqlite3_stmt *statement;

    sql_of_query(query, NULL, &sql);
    buf_addf(&explain.text, "EXPLAIN QUERY PLAN %s", buf_text(&sql.text));
    assert_done(sql_prepare(index, &explain, &statement, &err));
    buf_clear(plan);
    while (sqlite3_step(statement) == SQLITE_ROW)
        buf_addf(plan, "%s\n", (const char *)sqlite3_column_text(statement, 3));
    sqlite3_finalize(statement);
    buf_free(&sql.text);
    for (size_t i = 0; i < sql.parameters; i++)
        free(sql.parameter[i].text);
    free(sql.parameter);
    buf_free(&explain.text);
}

struct planned {
    enum query_level level;
    const char *keys[3];
    const char *sort;
    const char *must[3]; /* stand in the plan */
    const char *never;   /* beside a scan of instances */
};

static const struct planned plans[] = {
    {LEVEL_STUDY,
     {"PatientID=1"},
     NULL,
     {"p USING INDEX patient_id", "s USING INDEX study_patient"},
     "SCAN"},
    {LEVEL_STUDY, {"PatientID=1,2,3"}, NULL, {"p USING INDEX patient_id"}, "SCAN s"},
    {LEVEL_STUDY, {"PatientID=12*"}, NULL, {"p USING INDEX patient_id (patient_id>? AND"}, "SCAN"},
    {LEVEL_STUDY, {"AccessionNumber=1"}, NULL, {"s USING INDEX study_accession"}, "SCAN"},
    {LEVEL_STUDY, {"AccessionNumber=1*"}, NULL, {"s USING INDEX study_accession"}, "SCAN"},
    {LEVEL_STUDY, {"StudyInstanceUID=1.2"}, NULL, {"s USING INDEX study_uid"}, "SCAN"},
    {LEVEL_STUDY, {"StudyInstanceUID=1.2\\1.3"}, NULL, {"s USING INDEX study_uid"}, "SCAN s"},
    {LEVEL_STUDY,
     {"PatientName=DOE^J*"},
     NULL,
     {"patient_name USING PRIMARY KEY (key>? AND key<?)", "s USING INDEX study_patient"},
     "SCAN s"},
    {LEVEL_STUDY,
     {"PatientName=*OHN*"},
     NULL,
     {"SCAN patient_name", "s USING INDEX study_patient"},
     "SCAN s"},
    {LEVEL_STUDY,
     {"StudyDate=20240101"},
     NULL,
     {"s USING INDEX study_date (date>? AND date<?)"},
     "SCAN"},
    {LEVEL_STUDY, {"StudyDate=20240101-"}, NULL, {"s USING INDEX study_date (date>?)"}, "SCAN"},
    {LEVEL_STUDY, {"StudyDate=-20240101"}, NULL, {"s USING INDEX study_date (date<?)"}, "SCAN"},
    {LEVEL_STUDY,
     {"PatientBirthDate=19500101"},
     NULL,
     {"p USING INDEX patient_birth_date"},
     "SCAN"},
    {LEVEL_STUDY,
     {"StudyDate=20240101-20240107", "ModalitiesInStudy=CT"},
     NULL,
     {"s USING INDEX study_date", "study_modality USING PRIMARY KEY (modality=? AND study=?)"},
     "SCAN"},
    {LEVEL_STUDY,
     {"StudyDate=20240101-20240107", "Modality=CT"},
     NULL,
     {"s USING INDEX study_date", "r USING INDEX series_study"},
     "SCAN"},
    {LEVEL_STUDY,
     {"ModalitiesInStudy=CT"},
     NULL,
     {"study_modality USING PRIMARY KEY (modality=?)"},
     "SCAN"},
    {LEVEL_STUDY, {"Modality=CT"}, NULL, {"study_modality USING PRIMARY KEY (modality=?)"}, "SCAN"},
    {LEVEL_STUDY, {"SOPInstanceUID=1.2.3"}, NULL, {"i USING INDEX instance_uid"}, "SCAN"},
    {LEVEL_STUDY, {"SeriesInstanceUID=1.2.3"}, NULL, {"r USING INDEX series_uid"}, "SCAN"},
    {LEVEL_STUDY,
     {"StudyDate=20240101-"},
     "StudyDate",
     {"s USING INDEX study_date"},
     "USE TEMP B-TREE"},
    {LEVEL_SERIES,
     {"StudyInstanceUID=1.2"},
     NULL,
     {"s USING INDEX study_uid", "r USING INDEX series_study"},
     "SCAN"},
    {LEVEL_INSTANCE,
     {"SeriesInstanceUID=1.2"},
     NULL,
     {"r USING INDEX series_uid", "i USING INDEX instance_series"},
     "SCAN"},
    {LEVEL_INSTANCE, {"SOPInstanceUID=1.2"}, NULL, {"i USING INDEX instance_uid"}, "SCAN"},
    {LEVEL_INSTANCE,
     {"StudyDate=20240101"},
     NULL,
     {"s USING INDEX study_date", "r USING INDEX series_study", "i USING INDEX instance_series"},
     "SCAN"},
    {LEVEL_PATIENT, {"PatientID=1"}, NULL, {"p USING INDEX patient_id"}, "SCAN"},
    {LEVEL_PATIENT, {"StudyDate=20240101"}, NULL, {"s USING INDEX study_date"}, "SCAN p"},
    {LEVEL_PATIENT, {"AccessionNumber=1"}, NULL, {"s USING INDEX study_accession"}, "SCAN p"},
    {LEVEL_PATIENT, {"StudyInstanceUID=1.2"}, NULL, {"s USING INDEX study_uid"}, "SCAN p"},
};

/* Columns that a list of studies shows; none of them counts anything. */
static const char *const shown[] = {"PatientName",
                                    "PatientID",
                                    "StudyDate",
                                    "ModalitiesInStudy",
                                    "NumberOfStudyRelatedSeries",
                                    "NumberOfStudyRelatedInstances"};

static int stop(void *context, const struct query_row *row, struct err *error)
{
    (void)context;
    (void)row;
    (void)error;
    return 1;
}

static struct query *query_of(enum query_level level, const char *const keys[3])
{
    struct query *query = query_new(level);

    for (size_t i = 0; i < 3 && keys[i]; i++) {
        struct match *match = match_parse(keys[i], &err);

        if (!match)
            fail_msg("%s", err.text);
        query_add(query, match);
    }
    return query;
}

static void indexes_serve_what_they_are_for(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct query *first = query_new(LEVEL_STUDY);
    struct buf plan = {0};

    assert_int_equal(index_query(index, first, stop, NULL, &err),
                     0); /* makes the functions known */
    query_free(first);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        const struct planned *planned = &plans[i];
        struct query *query = query_of(planned->level, planned->keys);
        tag_t tag;

        for (size_t k = 0; planned->level == LEVEL_STUDY && k < sizeof shown / sizeof shown[0];
             k++) {
            assert_done(keyword_parse(shown[k], &tag, &err));
            assert_done(query_column(query, tag, &err));
        }
        if (planned->sort) {
            assert_done(keyword_parse(planned->sort, &tag, &err));
            assert_done(query_sort(query, tag, false, &err));
        }
        plan_of(index, query, &plan);
        for (char *at; (at = strstr(plan.data, "COVERING "));)
            memmove(at, at + 9, strlen(at + 9) + 1);
        for (size_t k = 0; k < 3 && planned->must[k]; k++)
            if (!strstr(plan.data, planned->must[k]))
                fail_msg("%s: no \"%s\" in\n%s", planned->keys[0], planned->must[k], plan.data);
        /* json_each and the rows of an IN are scanned; tables are not. */
        for (const char *at = plan.data; (at = strstr(at, "SCAN json_each"));)
            *strstr(at, "SCAN") = 's';
        if (strstr(plan.data, "SCAN i") || strstr(plan.data, planned->never))
            fail_msg("%s: \"%s\" in\n%s", planned->keys[0], planned->never, plan.data);
        query_free(query);
    }
    buf_free(&plan);
    index_close(index);
}

/* ---- keys from outside ---- */

static int count_row(void *context, const struct query_row *row, struct err *error)
{
    (void)row;
    (void)error;
    ++*(int *)context;
    return 0;
}

static int ask(struct index *index, enum query_level level, tag_t tag, const char *value,
               size_t length)
{
    struct match *match = match_new(tag, keyword_vr(tag), value, length, &err);
    struct query *query = query_new(level);
    int rows = 0;

    if (!match) {
        query_free(query);
        return -2;
    }
    query_add(query, match);
    if (index_query(index, query, count_row, &rows, &err) != rows)
        rows = -1;
    query_free(query);
    return rows;
}

static void hostile_values(void **state)
{
    static const char *const values[] = {"' OR 1=1 --",
                                         "'; DROP TABLE study; --",
                                         "\"",
                                         "\\x\\",
                                         "%",
                                         "_",
                                         "?1?",
                                         "\xff\xfe\x80",
                                         "\x01\x1f\x7f",
                                         "{\"a\":[1]}",
                                         "]",
                                         "\",\"",
                                         "9223372036854775808",
                                         "NULL",
                                         "1e999",
                                         "-",
                                         "--"};
    struct index *index = open_index(*state, INDEX_WRITE);
    struct object object;
    size_t length = 1 << 20;
    char *large = xmalloc(length + 1);

    assert_done(index_begin(index, &err));
    add_record(index, object_of(&object, 1, 1, 1, 1));
    assert_done(index_commit(index, &err));
    for (enum query_level level = LEVEL_PATIENT; level <= LEVEL_INSTANCE; level++)
        for (size_t a = 0; a < ATTRIBUTE_COUNT; a++)
            for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
                if (ask(index, level, attributes[a].tag, values[i], strlen(values[i])) > 0)
                    fail_msg("%s=%s", attributes[a].keyword, values[i]);
    assert_int_equal(ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_PATIENT_ID].tag, "P1\0x", 4), -2);
    memset(large, 'A', length);
    large[length] = '\0';
    assert_int_equal(ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_PATIENT_ID].tag, large, length),
                     0);
    assert_int_equal(ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_PATIENT_NAME].tag, large, length),
                     0);
    for (size_t i = 0; i < length; i += 2)
        large[i] = '*';
    assert_int_equal(ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_PATIENT_NAME].tag, large, length),
                     0);
    for (size_t i = 0; i < length; i += 2)
        large[i] = '\\';
    assert_int_equal(ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_PATIENT_ID].tag, large, length),
                     0);
    assert_int_equal(ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_MODALITY].tag, large, length), 0);
    assert_int_equal(
        ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_STUDY_INSTANCE_UID].tag, "1.2.1.1\\9", 9), 1);
    index_close(index);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM study"), 1);
    assert_sound(*state);
    free(large);
}

/* Wild cards of SQL and of file names mean nothing here. */
static void only_dicom_wild_cards(void **state)
{
    static const char *const ids[] = {"50%", "50_", "500", "50[0-9]", "50]", "50'", "50\""};
    struct index *index = open_index(*state, INDEX_WRITE);
    struct object object;

    assert_done(index_begin(index, &err));
    for (int i = 0; i < 7; i++) {
        object_of(&object, i, i, 1, 1);
        object.record.value[ATTRIBUTE_PATIENT_ID] = ids[i];
        object.record.value[ATTRIBUTE_PATIENT_NAME] = ids[i];
        add_record(index, &object.record);
    }
    assert_done(index_commit(index, &err));
    for (int i = 0; i < 7; i++) {
        assert_int_equal(
            ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_PATIENT_ID].tag, ids[i], strlen(ids[i])),
            1);
        assert_int_equal(
            ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_PATIENT_NAME].tag, ids[i], strlen(ids[i])),
            1);
    }
    assert_int_equal(ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_PATIENT_ID].tag, "50?", 3), 6);
    assert_int_equal(ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_PATIENT_NAME].tag, "*0%*", 4), 1);
    assert_int_equal(ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_PATIENT_NAME].tag, "*0[*", 4), 1);
    index_close(index);
}

/* A thousand keys, columns or sorts are refused or answered, not a crash. */
static void too_much_of_everything(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct query *query = query_new(LEVEL_STUDY);
    int rows = 0;

    add_one(index, 1, 1, 1, 1);
    for (int i = 0; i < 3000; i++) {
        query_add(query, match_parse("StudyDescription!=x", &err));
        assert_done(query_column(query, attributes[ATTRIBUTE_MODALITY].tag, &err));
    }
    assert_int_equal(index_query(index, query, count_row, &rows, &err), -1);
    assert_non_null(strstr(err.text, "index.db: "));
    query_free(query);
    assert_int_equal(ask(index, LEVEL_STUDY, attributes[ATTRIBUTE_PATIENT_ID].tag, "P1", 2), 1);
    index_close(index);
}

/* A row's receiver may ask further: each query has its own keys. */
static int ask_inside(void *context, const struct query_row *row, struct err *error)
{
    struct index *index = context;
    struct query *query = query_new(LEVEL_SERIES);
    int rows = 0;

    (void)error;
    query_reference(query, row->reference);
    query_add(query, match_parse("SeriesInstanceUID=1.2.1.1.1,1.2.1.2.1,1.2.1.3.1", &err));
    assert_int_equal(index_query(index, query, count_row, &rows, &err), 1);
    query_free(query);
    return 0;
}

static void queries_within_queries(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct query *query = query_new(LEVEL_STUDY);

    for (int i = 1; i <= 3; i++)
        for (int k = 1; k <= 2; k++)
            add_one(index, 1, i, k, 1);
    query_add(query, match_parse("PatientID=P1", &err));
    assert_int_equal(index_query(index, query, ask_inside, index, &err), 3);
    query_free(query);
    index_close(index);
}

struct stopped {
    int rows, at;
};

static int stop_at(void *context, const struct query_row *row, struct err *error)
{
    struct stopped *stopped = context;

    (void)row;
    return ++stopped->rows == stopped->at ? err_set(error, ERR_CLOSED, "enough") : 0;
}

static void whoever_has_enough_says_so(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct query *query = query_new(LEVEL_INSTANCE);
    struct stopped stopped = {0, 3};

    for (int i = 0; i < 10; i++)
        add_one(index, 1, 1, 1, i);
    assert_int_equal(index_query(index, query, stop_at, &stopped, &err), -1);
    assert_string_equal(err.text, "enough");
    assert_int_equal(stopped.rows, 3);
    assert_done(index_checkpoint(index, true, &err)); /* no statement is left open */
    query_limit(query, 4);
    stopped = (struct stopped){0, 100};
    assert_int_equal(index_query(index, query, stop_at, &stopped, &err), 4);
    query_free(query);
    index_close(index);
}

/* While another connection commits: each answer is of one moment. */
struct writing {
    struct index *writer;
    int next, rows;
};

static int write_inside(void *context, const struct query_row *row, struct err *error)
{
    struct writing *writing = context;

    (void)row;
    (void)error;
    add_one(writing->writer, 1, 1, 1, writing->next++);
    writing->rows++;
    return 0;
}

static void an_answer_is_of_one_moment(void **state)
{
    struct index *writer = open_index(*state, INDEX_WRITE), *reader;
    struct query *query = query_new(LEVEL_INSTANCE);
    struct writing writing = {.writer = writer};

    for (; writing.next < 20; writing.next++)
        add_one(writer, 1, 1, 1, writing.next);
    reader = open_index(*state, INDEX_READ);
    query_add(query, match_parse("NumberOfStudyRelatedInstances=20", &err));
    assert_int_equal(index_query(reader, query, write_inside, &writing, &err), 20);
    assert_int_equal(writing.rows, 20);
    assert_int_equal(index_query(reader, query, write_inside, &writing, &err), 0);
    query_free(query);
    index_close(reader);
    index_close(writer);
    assert_int_equal(plain_number(*state, "SELECT instances FROM study"), 40);
}

/* ---- references of patients ---- */

struct told {
    int count;
    char reference[16][128];
};

static int tell(void *context, const struct query_row *row, struct err *error)
{
    struct told *told = context;

    (void)error;
    snprintf(told->reference[told->count++], 128, "%s", row->reference);
    return 0;
}

static int count_object(void *context, const struct index_object *object, struct err *error)
{
    (void)object;
    (void)error;
    ++*(int *)context;
    return 0;
}

/* What a query tells, index_objects, index_remove and a query take, and it is the same patient. */
static void patients_are_found_by_what_is_told(void **state)
{
    static const struct {
        const char *id, *issuer, *reference;
    } odd[] = {
        {"A", "", "patient:A"},
        {"A", "H", "patient:A^^^H"},
        {"A", "^I", "patient:A^^^^I"},
        {"A^", "I", NULL},
        {"A^", "", "patient:A^"},
        {"#1", "", NULL},
        {"X^^^Y", "", NULL},
        {"X", "Y", "patient:X^^^Y"},
        {"a\tb", "", NULL},
        {"a", "b\nc", NULL},
        {"", "", NULL},
        {"patient:A", "", "patient:patient:A"},
        {"1.2.3", "", "patient:1.2.3"},
        {" ^^", "", "patient: ^^"},
    };
    enum { COUNT = sizeof odd / sizeof odd[0] };
    struct index *index = open_index(*state, INDEX_WRITE);
    struct query *query = query_new(LEVEL_PATIENT);
    struct told told = {0}, again;
    struct object object;
    int number[COUNT];

    assert_done(index_begin(index, &err));
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k <= i; k++) { /* told apart by their number of objects */
            object_of(&object, i, i, 1, k);
            object.record.value[ATTRIBUTE_PATIENT_ID] = odd[i].id;
            object.record.value[ATTRIBUTE_ISSUER_OF_PATIENT_ID] = odd[i].issuer;
            add_record(index, &object.record);
        }
    assert_done(index_commit(index, &err));
    assert_int_equal(index_query(index, query, tell, &told, &err), COUNT);
    query_free(query);
    for (int i = 0; i < COUNT; i++) {
        const char *expected;

        number[i] = 0;
        assert_done(index_objects(index, told.reference[i], count_object, &number[i], &err));
        expected = odd[number[i] - 1].reference;
        if (expected)
            assert_string_equal(told.reference[i], expected);
        else
            assert_non_null(strstr(told.reference[i], "patient:#"));
        query = query_new(LEVEL_PATIENT);
        query_reference(query, told.reference[i]);
        again = (struct told){0};
        assert_int_equal(index_query(index, query, tell, &again, &err), 1);
        assert_string_equal(again.reference[0], told.reference[i]);
        query_free(query);
    }
    assert_done(index_begin(index, &err));
    for (int i = COUNT - 1; i >= 0; i--)
        assert_int_equal(index_remove(index, told.reference[i], &err), number[i]);
    assert_done(index_commit(index, &err));
    index_close(index);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM patient"), 0);
}

/* More references than SQLite takes terms or parameters. */
static void ten_thousand_references(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct query *query = query_new(LEVEL_STUDY), *none = query_new(LEVEL_STUDY);
    char reference[64];
    int rows = 0;

    for (int i = 0; i < 3; i++)
        add_one(index, i, i, 1, 1);
    for (int i = 0; i < 10000; i++) {
        snprintf(reference, sizeof reference, "patient:P%d", i + 1);
        query_reference(query, reference);
        snprintf(reference, sizeof reference, "1.2.0.%d", i * 2);
        query_reference(query, reference);
        query_reference(query, "no UID; DROP TABLE study");
    }
    assert_int_equal(index_query(index, query, count_row, &rows, &err), 3);
    query_reference(none, "\"]'); DROP TABLE study; --");
    query_reference(none, "");
    assert_int_equal(index_query(index, none, count_row, &rows, &err), 0);
    query_free(query);
    query_free(none);
    index_close(index);
}

/* ---- objects ---- */

struct listed {
    int count;
    char line[64][512];
};

static int list_object(void *context, const struct index_object *object, struct err *error)
{
    struct listed *listed = context;

    (void)error;
    snprintf(listed->line[listed->count++], 512, "%s %s %s", object->sop_uid, object->path,
             object->sop_class_uid ? object->sop_class_uid : "");
    return 0;
}

/* By study's date, series' number, instance's number; whatever way they came. */
static void objects_in_order(void **state)
{
    static const int order[] = {5, 0, 3, 1, 4, 2};
    struct index *index = open_index(*state, INDEX_WRITE);
    struct listed listed = {0};
    struct object object;
    char number[16], date[16];

    assert_done(index_begin(index, &err));
    for (int k = 0; k < 24; k++) { /* two studies, two series in each, six instances */
        int study = k % 2, series = k / 2 % 2, instance = order[k / 4];

        object_of(&object, 1, 5 - study, 5 - series, 50 - instance);
        snprintf(date, sizeof date, "2024010%d", study + 1);
        snprintf(number, sizeof number, "%d", instance * 5); /* 5 before 10 */
        object.record.value[ATTRIBUTE_STUDY_DATE] = date;
        object.record.value[ATTRIBUTE_SERIES_NUMBER] = series ? "10" : "9";
        object.record.value[ATTRIBUTE_INSTANCE_NUMBER] = number;
        if (instance == 3)
            object.record.path = "/elsewhere/file";
        if (instance == 3)
            object.record.path = study ? series ? "/a/1" : "/a/2" : series ? "/b/1" : "/b/2";
        if (instance == 4)
            object.record.value[ATTRIBUTE_SOP_CLASS_UID] = NULL;
        add_record(index, &object.record);
    }
    assert_done(index_commit(index, &err));
    assert_int_equal(index_objects(index, "patient:P1", list_object, &listed, &err), 24);
    for (int i = 0; i < 24; i++) {
        int study = i / 12, series = i / 6 % 2, instance = i % 6;
        char line[512];

        object_of(&object, 1, 5 - study, 5 - series, 50 - instance);
        if (instance == 3)
            snprintf(line, sizeof line, "%s /%c/%d 1.2.840.10008.5.1.4.1.1.2", object.uid[2],
                     study ? 'a' : 'b', series ? 1 : 2);
        else
            snprintf(line, sizeof line, "%s objects/2024/01/%02d/%s/%s/%s.dcm %s", object.uid[2],
                     5 - study + 1, object.uid[0], object.uid[1], object.uid[2],
                     instance == 4 ? "" : "1.2.840.10008.5.1.4.1.1.2");
        assert_string_equal(listed.line[i], line);
    }
    listed.count = 0;
    assert_int_equal(index_objects(index, "1.2.1.5", list_object, &listed, &err), 12);
    listed.count = 0;
    assert_int_equal(index_objects(index, "1.2.1.5.4", list_object, &listed, &err), 6);
    listed.count = 0;
    assert_int_equal(index_objects(index, "1.2.1.5.4.47", list_object, &listed, &err), 1);
    assert_int_equal(index_objects(index, "1.2.1", list_object, &listed, &err), -1);
    assert_int_equal(err.code, ERR_NOTFOUND);
    assert_string_equal(err.text, "1.2.1: not in the index");
    assert_int_equal(index_objects(index, "patient:", list_object, &listed, &err), -1);
    assert_int_equal(index_objects(index, "patient:#99", list_object, &listed, &err), -1);
    assert_int_equal(
        index_objects(index, "patient:#99999999999999999999", list_object, &listed, &err), -1);
    index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(indexes_serve_what_they_are_for), TEST(hostile_values),
        TEST(only_dicom_wild_cards),           TEST(too_much_of_everything),
        TEST(queries_within_queries),          TEST(whoever_has_enough_says_so),
        TEST(an_answer_is_of_one_moment),      TEST(patients_are_found_by_what_is_told),
        TEST(ten_thousand_references),         TEST(objects_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
