/*
 * query_identifier.h: identifiers against the models, and what the responses hold. Matching itself is
 * tests/e2e/63-find-scp-differential.t's.
 */
#include "index_fixture.h"

#include "dicom/uid.h"
#include "net/query_identifier.h"

#define LEVEL_TAG TAG(0x0008, 0x0052)
#define NAME      TAG(0x0010, 0x0010)
#define ID        TAG(0x0010, 0x0020)
#define STUDY     TAG(0x0020, 0x000d)
#define SERIES    TAG(0x0020, 0x000e)
#define SOP       TAG(0x0008, 0x0018)
#define DATE      TAG(0x0008, 0x0020)
#define CLOCK     TAG(0x0008, 0x0030)
#define MODALITY  TAG(0x0008, 0x0060)

static const struct query_negotiated nothing, relational = {.relational = true},
                                              combined = {.combined_datetime = true},
                                              fuzzy = {.fuzzy_names = true};

/* ---- asking ---- */

/* "gggg,eeee=value" in pieces: tag and text, ended by tag 0. */
struct pair {
    tag_t tag;
    const char *text;
};

static struct dataset *identifier_of(const char *level, const struct pair *pair)
{
    struct dataset *dataset = dataset_new();

    if (level)
        dataset_put(dataset, LEVEL_TAG, level);
    for (; pair && pair->tag; pair++)
        dataset_put(dataset, pair->tag, pair->text);
    return dataset;
}

static void assert_status(const char *level, const struct pair *pair, enum query_model model,
                          const struct query_negotiated *negotiated, unsigned wanted)
{
    struct dataset *identifier = identifier_of(level, pair);
    uint16_t status = 0;
    struct find_request *request = find_request_new(identifier, model, negotiated, &status, &err);

    if ((request ? 0 : status) != wanted)
        fail_msg("%s: status %04x, not %04x", level ? level : "no level", request ? 0 : status,
                 wanted);
    if (!request)
        assert_true(err.text[0]);
    find_request_free(request);
    dataset_free(identifier);
}

#define ASK(level, model, negotiated, wanted, ...)                                            \
    assert_status(level, (const struct pair[]){__VA_ARGS__, {0, NULL}}, model, &(negotiated), \
                  wanted)

static void test_levels(void **state)
{
    static const char *const wrong[] = {NULL, "", "study", "IMAGES", "INSTANCE", "STUDY\\SERIES",
                                        "*"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ASK(wrong[i], MODEL_PATIENT_ROOT, relational, QUERY_STATUS_MISMATCH, {NAME, ""});
    ASK("PATIENT", MODEL_PATIENT_ROOT, nothing, 0, {NAME, ""});
    ASK("PATIENT", MODEL_PATIENT_STUDY_ONLY, nothing, 0, {NAME, ""});
    ASK("PATIENT", MODEL_STUDY_ROOT, nothing, QUERY_STATUS_MISMATCH, {NAME, ""});
    ASK("PATIENT", MODEL_STUDY_ROOT, relational, QUERY_STATUS_MISMATCH, {NAME, ""});
    ASK("STUDY", MODEL_STUDY_ROOT, nothing, 0, {NAME, ""});
    ASK("SERIES", MODEL_PATIENT_STUDY_ONLY, relational, QUERY_STATUS_MISMATCH, {ID, "1"});
    ASK("IMAGE", MODEL_PATIENT_STUDY_ONLY, relational, QUERY_STATUS_MISMATCH, {ID, "1"});
}

static void test_unique_keys(void **state)
{
    static const char *const nobody[] = {"", "*", " ", "**", "\\", "* "};

    (void)state;
    for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++) {
        ASK("STUDY", MODEL_PATIENT_ROOT, nothing, QUERY_STATUS_MISMATCH, {ID, nobody[i]});
        ASK("STUDY", MODEL_PATIENT_ROOT, relational, 0, {ID, nobody[i]});
        ASK("SERIES", MODEL_STUDY_ROOT, nothing, QUERY_STATUS_MISMATCH, {STUDY, nobody[i]});
    }
    ASK("STUDY", MODEL_PATIENT_ROOT, nothing, 0, {ID, "1"});
    ASK("SERIES", MODEL_PATIENT_ROOT, nothing, QUERY_STATUS_MISMATCH, {ID, "1"});
    ASK("SERIES", MODEL_PATIENT_ROOT, nothing, QUERY_STATUS_MISMATCH, {STUDY, "1.2"});
    ASK("SERIES", MODEL_PATIENT_ROOT, nothing, 0, {ID, "1"}, {STUDY, "1.2"});
    ASK("IMAGE", MODEL_STUDY_ROOT, nothing, QUERY_STATUS_MISMATCH, {STUDY, "1.2"});
    ASK("IMAGE", MODEL_STUDY_ROOT, nothing, 0, {STUDY, "1.2"}, {SERIES, "1.3"});
    ASK("IMAGE", MODEL_STUDY_ROOT, nothing, 0, {STUDY, "1.2\\1.4"}, {SERIES, "1.3\\1.5"});
    ASK("IMAGE", MODEL_STUDY_ROOT, relational, 0, {SOP, "1.2"});
}

static void test_values(void **state)
{
    struct buf list = {0};

    (void)state;
    ASK("STUDY", MODEL_STUDY_ROOT, nothing, QUERY_STATUS_FAILED, {DATE, "2024"});
    ASK("STUDY", MODEL_STUDY_ROOT, nothing, QUERY_STATUS_FAILED, {DATE, "20240230"});
    ASK("STUDY", MODEL_STUDY_ROOT, nothing, QUERY_STATUS_FAILED, {DATE, "today"});
    ASK("STUDY", MODEL_STUDY_ROOT, nothing, QUERY_STATUS_FAILED, {CLOCK, "2500"});
    ASK("STUDY", MODEL_STUDY_ROOT, relational, QUERY_STATUS_FAILED, {TAG(0x0020, 0x0013), "x"});
    ASK("STUDY", MODEL_STUDY_ROOT, nothing, 0, {DATE, "20240101-"}, {CLOCK, "10"});
    for (int i = 0; i < 1000; i++)
        buf_addf(&list, "%sa*%d", i ? "\\" : "", i);
    ASK("STUDY", MODEL_STUDY_ROOT, nothing, 0, {ID, list.data});
    buf_adds(&list, "\\x");
    ASK("STUDY", MODEL_STUDY_ROOT, nothing, QUERY_STATUS_FAILED, {ID, list.data});
    buf_clear(&list);
    for (int i = 0; i < 20000; i++)
        buf_addf(&list, "%s1.2.%d", i ? "\\" : "", i);
    ASK("STUDY", MODEL_STUDY_ROOT, nothing, 0, {STUDY, list.data});
    buf_free(&list);
}

static void test_too_many_keys(void **state)
{
    (void)state;
    for (unsigned count = 255; count <= 257; count++) {
        struct dataset *identifier = identifier_of("STUDY", NULL);
        uint16_t status = 0;
        struct find_request *request;

        for (unsigned i = 0; i < count; i++)
            dataset_put_vr(identifier, TAG(0x0009, 0x1000 + i), VR_LO, NULL);
        request = find_request_new(identifier, MODEL_STUDY_ROOT, &nothing, &status, &err);
        /* The unique key of the level is one more. */
        assert_int_equal(request != NULL, count == 255);
        if (!request)
            assert_int_equal(status, QUERY_STATUS_FAILED);
        find_request_free(request);
        dataset_free(identifier);
    }
}

/* ---- answers ---- */

/* Two patients with two studies each, of two series with two objects. */
static struct index *fill(const char *root)
{
    static const char *const names[] = {"", "Müller^Jörg", "Иванов^Пётр"};
    struct index *index = open_index(root, INDEX_WRITE);
    char date[16], clock[16];
    struct object object;

    assert_done(index_begin(index, &err));
    for (int p = 1; p <= 2; p++)
        for (int s = 1; s <= 2; s++)
            for (int r = 1; r <= 2; r++)
                for (int i = 1; i <= 2; i++) {
                    struct index_record *record =
                        (struct index_record *)object_of(&object, p, s, r, i);

                    snprintf(date, sizeof date, "2024010%d", p);
                    snprintf(clock, sizeof clock, "%02d0000", s * 8);
                    record->value[ATTRIBUTE_PATIENT_NAME] = names[p];
                    record->value[ATTRIBUTE_STUDY_DATE] = date;
                    record->value[ATTRIBUTE_STUDY_TIME] = clock;
                    record->value[ATTRIBUTE_MODALITY] = r == 1 ? "CT" : "MR";
                    record->value[ATTRIBUTE_ROWS] = "512";
                    record->value[ATTRIBUTE_NUMBER_OF_FRAMES] = "12";
                    add_record(index, record);
                }
    assert_done(index_commit(index, &err));
    return index;
}

/* Responses as they are written, each a data set of its own; the first ones are kept. */
#define KEPT 16
struct answers {
    struct dataset *dataset[KEPT];
    int64_t count;
    bool unsupported;
    int64_t stop_at; /* 0: never */
    uint64_t asked;
};

static int take(void *context, struct dataset *response, struct err *error)
{
    struct answers *answers = context;
    struct buf out = {0};

    dataset_write(response, UID_EXPLICIT_LE, &out);
    if (answers->count < KEPT) {
        answers->dataset[answers->count] =
            dataset_parse(buf_text(&out), out.length, UID_EXPLICIT_LE, error);
        assert_non_null(answers->dataset[answers->count]);
    }
    buf_free(&out);
    return ++answers->count == answers->stop_at ? -1 : 0;
}

static void drop(struct answers *answers)
{
    for (int i = 0; i < KEPT; i++)
        dataset_free(answers->dataset[i]);
    memset(answers, 0, sizeof *answers);
}

static int64_t run(struct index *index, const struct dataset *identifier, enum query_model model,
                   const struct query_negotiated *negotiated, struct answers *answers)
{
    uint16_t status = 0;
    struct find_request *request = find_request_new(identifier, model, negotiated, &status, &err);
    int64_t count;

    if (!request)
        fail_msg("%04x %s", status, err.text);
    drop(answers);
    answers->unsupported = find_request_unsupported(request);
    count = find_request_run(request, index, "OURS", take, answers, &err);
    find_request_free(request);
    if (count >= 0)
        assert_int_equal(count, answers->count);
    return count;
}

static const char *text_of(const struct dataset *dataset, tag_t tag)
{
    static struct buf text;

    buf_clear(&text);
    return dataset_text(dataset, tag, &text) ? buf_text(&text)
           : dataset_has(dataset, tag)       ? ""
                                             : NULL;
}

static int64_t found(struct index *index, const char *level, const struct pair *pair,
                     const struct query_negotiated *negotiated)
{
    struct dataset *identifier = identifier_of(level, pair);
    struct answers answers = {0};
    int64_t count = run(index, identifier, MODEL_PATIENT_ROOT, negotiated, &answers);

    drop(&answers);
    dataset_free(identifier);
    return count;
}

#define FOUND(level, negotiated, ...) \
    found(index, level, (const struct pair[]){__VA_ARGS__, {0, NULL}}, &(negotiated))

static void test_negotiated(void **state)
{
    struct index *index = fill(*state);

    assert_int_equal(FOUND("PATIENT", nothing, {NAME, ""}), 2);
    assert_int_equal(FOUND("STUDY", nothing, {ID, "P1"}), 2);
    assert_int_equal(FOUND("STUDY", nothing, {ID, "P1\\P2"}), 4);
    assert_int_equal(FOUND("STUDY", relational, {NAME, ""}), 4);
    /* Below the level: left out of account, or looked at. */
    assert_int_equal(FOUND("STUDY", nothing, {ID, "P1"}, {MODALITY, "XA"}), 2);
    assert_int_equal(FOUND("STUDY", relational, {MODALITY, "XA"}), 0);
    assert_int_equal(FOUND("STUDY", relational, {MODALITY, "MR"}), 4);
    assert_int_equal(FOUND("PATIENT", relational, {SOP, "1.2.1.2.1.1"}), 1);
    assert_int_equal(FOUND("IMAGE", relational, {NAME, "müller*"}), 8);
    assert_int_equal(FOUND("SERIES", nothing, {ID, "P1"}, {STUDY, "1.2.1.1\\1.2.1.2"}), 4);
    /* Names. */
    assert_int_equal(FOUND("PATIENT", nothing, {NAME, "Muler"}), 0);
    assert_int_equal(FOUND("PATIENT", fuzzy, {NAME, "Muler"}), 1);
    assert_int_equal(FOUND("PATIENT", fuzzy, {ID, "P3"}), 0);
    /* Dates and times, each by itself: P1 on the first, P2 on the second, at 8 and 16 each. */
    assert_int_equal(FOUND("STUDY", relational, {DATE, "20240101-20240102"}, {CLOCK, "09-12"}), 0);
    assert_int_equal(FOUND("STUDY", relational, {DATE, "20240102-20240102"}, {CLOCK, "08-12"}), 1);
    index_close(index);
}

static void test_combined(void **state)
{
    static const struct query_negotiated both = {.relational = true, .combined_datetime = true};
    struct index *index = fill(*state);

    /* From the first at 12 to the second at 12. */
    assert_int_equal(FOUND("STUDY", both, {DATE, "20240101-20240102"}, {CLOCK, "120000-120000"}),
                     2);
    assert_int_equal(
        FOUND("STUDY", relational, {DATE, "20240101-20240102"}, {CLOCK, "080000-120000"}), 2);
    assert_int_equal(FOUND("STUDY", both, {DATE, "20240101-20240102"}, {CLOCK, "080000-120000"}),
                     3);
    assert_int_equal(FOUND("STUDY", both, {DATE, "20240101-"}, {CLOCK, "120000-"}), 3);
    assert_int_equal(FOUND("STUDY", both, {DATE, "-20240102"}, {CLOCK, "-080000"}), 3);
    assert_int_equal(FOUND("STUDY", both, {DATE, "20240101"}, {CLOCK, "070000-090000"}), 1);
    /* No ranges: each by itself. */
    assert_int_equal(FOUND("STUDY", both, {DATE, "20240101-20240102"}, {CLOCK, "160000"}), 2);
    assert_int_equal(FOUND("STUDY", both, {DATE, "20240101-20240102"}, {CLOCK, ""}), 4);
    assert_int_equal(FOUND("STUDY", both, {DATE, ""}, {CLOCK, "080000-120000"}), 2);
    /* Birth date and time have no values here; below the level they are no key. */
    assert_int_equal(FOUND("STUDY", both, {TAG(0x0010, 0x0030), "19000101-20240101"},
                           {TAG(0x0010, 0x0032), "080000-090000"}),
                     0);
    assert_int_equal(FOUND("PATIENT", combined, {DATE, "20240101-20240101"}, {CLOCK, "08-09"}), 2);
    index_close(index);
}

static void test_response(void **state)
{
    struct index *index = fill(*state);
    struct answers answers = {0};
    struct dataset *identifier = identifier_of("STUDY", NULL), *response;

    dataset_put(identifier, STUDY, "1.2.1.1");
    dataset_put(identifier, TAG(0x0008, 0x0061), NULL);   /* modalities in the study */
    dataset_put(identifier, TAG(0x0020, 0x1206), NULL);   /* number of series */
    dataset_put(identifier, TAG(0x0020, 0x1208), NULL);   /* number of objects */
    dataset_put(identifier, TAG(0x0008, 0x0062), NULL);   /* SOP classes */
    dataset_put(identifier, TAG(0x0008, 0x0201), NULL);   /* time zone: no key */
    dataset_put(identifier, TAG(0x0008, 0x0054), "ELSE"); /* retrieve AE title: ours */
    assert_int_equal(run(index, identifier, MODEL_STUDY_ROOT, &nothing, &answers), 1);
    response = answers.dataset[0];
    assert_false(answers.unsupported);
    assert_string_equal(text_of(response, TAG(0x0008, 0x0061)), "CT\\MR");
    assert_string_equal(text_of(response, TAG(0x0020, 0x1206)), "2");
    assert_string_equal(text_of(response, TAG(0x0020, 0x1208)), "4");
    assert_string_equal(text_of(response, TAG(0x0008, 0x0062)), "1.2.840.10008.5.1.4.1.1.2");
    assert_string_equal(text_of(response, LEVEL_TAG), "STUDY");
    assert_string_equal(text_of(response, TAG(0x0008, 0x0054)), "OURS");
    assert_string_equal(text_of(response, TAG(0x0008, 0x0056)), "ONLINE");
    assert_null(text_of(response, TAG(0x0008, 0x0201)));
    assert_null(text_of(response, TAG(0x0008, 0x0005)));
    assert_null(text_of(response, NAME));
    /* Counts of lower levels are no one's, and an attribute of series has no value here. */
    dataset_put(identifier, TAG(0x0020, 0x1209), NULL);
    assert_int_equal(run(index, identifier, MODEL_STUDY_ROOT, &nothing, &answers), 1);
    assert_string_equal(text_of(answers.dataset[0], TAG(0x0020, 0x1209)), "");
    assert_true(answers.unsupported);
    dataset_remove(identifier, TAG(0x0020, 0x1209));
    dataset_put(dataset_add_item(identifier, TAG(0x0008, 0x1110)), TAG(0x0008, 0x1155), "1.2");
    assert_int_equal(run(index, identifier, MODEL_STUDY_ROOT, &nothing, &answers), 1);
    assert_true(answers.unsupported);
    assert_int_equal(dataset_vr(answers.dataset[0], TAG(0x0008, 0x1110)), VR_SQ);
    assert_int_equal(dataset_items(answers.dataset[0], TAG(0x0008, 0x1110)), 0);
    dataset_free(identifier);
    drop(&answers);
    index_close(index);
}

/* A VR that was asked with comes back where the value can be written in it. */
static void test_vrs(void **state)
{
    static const struct {
        tag_t tag;
        vr_t asked, answered;
        const char *text;
    } wanted[] = {
        {TAG(0x0028, 0x0010), VR_US, VR_US, "512"}, {TAG(0x0028, 0x0010), VR_UL, VR_UL, "512"},
        {TAG(0x0028, 0x0010), VR_LO, VR_LO, "512"}, {TAG(0x0028, 0x0010), VR_OB, VR_US, "512"},
        {TAG(0x0028, 0x0010), VR_SQ, VR_US, "512"}, {TAG(0x0028, 0x0008), VR_IS, VR_IS, "12"},
        {TAG(0x0028, 0x0008), VR_UN, VR_IS, "12"},  {TAG(0x0008, 0x1140), VR_LO, VR_SQ, ""},
        {TAG(0x0009, 0x1001), VR_UN, VR_UN, ""},    {TAG(0x7fe0, 0x0010), VR_OW, VR_OW, ""},
    };
    struct index *index = fill(*state);
    struct answers answers = {0};

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct dataset *identifier = identifier_of("IMAGE", NULL);

        dataset_put(identifier, SOP, "1.2.1.1.1.1");
        dataset_put_vr(identifier, wanted[i].tag, wanted[i].asked, NULL);
        assert_int_equal(run(index, identifier, MODEL_STUDY_ROOT, &relational, &answers), 1);
        assert_int_equal(dataset_vr(answers.dataset[0], wanted[i].tag), wanted[i].answered);
        assert_string_equal(text_of(answers.dataset[0], wanted[i].tag), wanted[i].text);
        dataset_free(identifier);
    }
    drop(&answers);
    index_close(index);
}

static void test_charsets(void **state)
{
    static const struct {
        const char *asked, *patient, *answered;
    } wanted[] = {
        {NULL, "P1", "ISO_IR 192"},         {"ISO_IR 100", "P1", "ISO_IR 100"},
        {"ISO_IR 100", "P2", "ISO_IR 192"}, {"ISO_IR 144", "P2", "ISO_IR 144"},
        {"ISO_IR 192", "P2", "ISO_IR 192"}, {"ISO_IR 9", "P1", "ISO_IR 192"},
    };
    struct index *index = fill(*state);
    struct answers answers = {0};

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct dataset *identifier = identifier_of("PATIENT", NULL);

        if (wanted[i].asked)
            dataset_put(identifier, TAG(0x0008, 0x0005), wanted[i].asked);
        dataset_put(identifier, ID, wanted[i].patient);
        dataset_put(identifier, NAME, NULL);
        assert_int_equal(run(index, identifier, MODEL_PATIENT_ROOT, &nothing, &answers), 1);
        assert_string_equal(text_of(answers.dataset[0], TAG(0x0008, 0x0005)), wanted[i].answered);
        assert_string_equal(text_of(answers.dataset[0], NAME),
                            strcmp(wanted[i].patient, "P1") == 0 ? "Müller^Jörg" : "Иванов^Пётр");
        dataset_free(identifier);
    }
    drop(&answers);
    index_close(index);
}

static bool count_and_stop(void *context)
{
    struct answers *answers = context;

    return ++answers->asked >= 3;
}

static void test_stopping(void **state)
{
    struct index *index = fill(*state);
    struct dataset *identifier = identifier_of("IMAGE", NULL);
    struct answers answers = {.stop_at = 2};
    uint16_t status;
    struct find_request *request;

    /* By the one who takes the responses. */
    dataset_put(identifier, SOP, NULL);
    request = find_request_new(identifier, MODEL_STUDY_ROOT, &relational, &status, &err);
    assert_non_null(request);
    assert_int_equal(find_request_run(request, index, "OURS", take, &answers, &err), -1);
    assert_int_equal(answers.count, 2);
    find_request_free(request);
    drop(&answers);
    /* While headers are read that do not match (the files are not there). */
    dataset_put(identifier, TAG(0x0018, 0x1210), "B31f");
    request = find_request_new(identifier, MODEL_STUDY_ROOT, &relational, &status, &err);
    assert_non_null(request);
    find_request_stop_when(request, count_and_stop, &answers);
    assert_int_equal(find_request_run(request, index, "OURS", take, &answers, &err), -1);
    assert_int_equal(answers.asked, 3);
    assert_int_equal(answers.count, 0);
    find_request_free(request);
    /* The index is as good as before. */
    dataset_remove(identifier, TAG(0x0018, 0x1210));
    assert_int_equal(run(index, identifier, MODEL_STUDY_ROOT, &relational, &answers), 16);
    drop(&answers);
    dataset_free(identifier);
    index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels), cmocka_unit_test(test_unique_keys),
        cmocka_unit_test(test_values), cmocka_unit_test(test_too_many_keys),
        TEST(test_negotiated),         TEST(test_combined),
        TEST(test_response),           TEST(test_vrs),
        TEST(test_charsets),           TEST(test_stopping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
