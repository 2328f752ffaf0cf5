/*
 * What a peer is asked, request by request, and what becomes of its answers. The peer is a table in here: it
 * takes the place of query_scu.c, records each identifier, and answers with everything that lies in what the
 * unique keys name, whatever else was asked, as loosely as a peer may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/dataset.h"
#include "dicom/dict.h"
#include "net/query_scu.h"

static const struct entry {
    const char *patient, *name, *study, *date, *modalities, *series, *modality, *sop, *rows;
} entries[] = {
    {"P1", "Doe^John", "1.1", "20240101", "CT\\SR", "1.1.1", "CT", "1.1.1.1", "512"},
    {"P1", "Doe^John", "1.1", "20240101", "CT\\SR", "1.1.1", "CT", "1.1.1.2", "256"},
    {"P1", "Doe^John", "1.1", "20240101", "CT\\SR", "1.1.2", "SR", "1.1.2.1", NULL},
    {"P2", "Roe^Jane", "1.2", "20230615", "MR", "1.2.1", "MR", "1.2.1.1", "256"},
    {"", "Nobody", "1.3", NULL, NULL, "1.3.1", "OT", "1.3.1.1", "16"},
};

static struct peer_state {
    bool relational, silent_modalities;
    struct buf asked;
    size_t requests, answers;
} peer;

const struct peer *scu_peer(const struct scu *scu)
{
    static char name[] = "FAKE";
    static const struct peer fake = {.name = name};

    (void)scu;
    return &fake;
}

bool query_scu_relational(const struct scu *scu, enum query_level level)
{
    (void)scu;
    (void)level;
    return peer.relational;
}

static const char *value_of(const struct entry *entry, tag_t tag)
{
    const char *keyword = dict_by_tag(tag)->keyword;

#define IS(name, field)             \
    if (strcmp(keyword, name) == 0) \
        return entry->field;
    IS("PatientID", patient)
    IS("PatientName", name)
    IS("StudyInstanceUID", study)
    IS("StudyDate", date)
    IS("SeriesInstanceUID", series)
    IS("Modality", modality)
    IS("SOPInstanceUID", sop)
    IS("Rows", rows)
    if (strcmp(keyword, "ModalitiesInStudy") == 0 && !peer.silent_modalities)
        return entry->modalities;
    return NULL;
}

/* "STUDY PatientName=doe* StudyDate= ...", in order of tag; keys with a value only, and the level. */
static void record(const struct dataset *identifier, enum query_level level)
{
    static const char *const names[] = {"PATIENT", "STUDY", "SERIES", "IMAGE"};
    struct buf text = {0};

    buf_adds(&peer.asked, names[level]);
    for (size_t i = 0; i < dataset_count(identifier); i++) {
        tag_t tag = dataset_tag(identifier, i);

        buf_clear(&text);
        if (dataset_text(identifier, tag, &text))
            buf_addf(&peer.asked, " %s=%s", dict_by_tag(tag)->keyword, buf_text(&text));
    }
    buf_addc(&peer.asked, '\n');
    buf_free(&text);
}

/* The unique keys are what even a loose peer obeys. */
static bool lies_in(const struct dataset *identifier, const struct entry *entry)
{
    static const tag_t unique[] = {TAG(0x0010, 0x0020), TAG(0x0020, 0x000d), TAG(0x0020, 0x000e),
                                   TAG(0x0008, 0x0018)};
    bool lies = true;
    struct buf text = {0};
    struct err err;

    for (size_t i = 0; i < 4; i++) {
        const char *value = value_of(entry, unique[i]);

        buf_clear(&text);
        if (!dataset_text(identifier, unique[i], &text))
            continue;
        struct match *match =
            match_new(unique[i], dict_by_tag(unique[i])->vr, text.data, text.length, &err);
        lies = lies && match_test(match, value, strlen(value));
        match_free(match);
    }
    buf_free(&text);
    return lies;
}

int query_scu_request(struct scu *scu, enum query_level level, struct dataset *identifier,
                      query_scu_answer *each, void *context, struct err *err)
{
    static const tag_t unique[] = {TAG(0x0010, 0x0020), TAG(0x0020, 0x000d), TAG(0x0020, 0x000e),
                                   TAG(0x0008, 0x0018)};
    const char *last = NULL;
    int status = 0;

    (void)scu;
    peer.requests++;
    record(identifier, level);
    for (size_t i = 0; i < sizeof entries / sizeof *entries && status == 0; i++) {
        const char *name = value_of(&entries[i], unique[level]);

        if (!lies_in(identifier, &entries[i]) || (last && strcmp(last, name) == 0))
            continue;
        last = name;
        struct dataset *answer = dataset_new();
        for (size_t n = 0; n < dataset_count(identifier); n++) {
            tag_t tag = dataset_tag(identifier, n);
            dataset_put(answer, tag, value_of(&entries[i], tag));
        }
        peer.answers++;
        status = each(context, answer, err);
        dataset_free(answer);
    }
    return status < 0 ? -1 : 0;
}

/* ---- asking ---- */

struct seen {
    struct buf rows;
    size_t columns;
};

static int take(void *context, const struct query_row *row, struct err *err)
{
    struct seen *seen = context;

    (void)err;
    buf_adds(&seen->rows, row->reference);
    for (size_t i = 0; i < seen->columns; i++)
        buf_addf(&seen->rows, "|%s", row->values[i] ? row->values[i] : "");
    buf_addc(&seen->rows, '\n');
    return 0;
}

/* Words: keys; "k:Keyword" columns; "r:UID" references; "limit". */
static void check_query(enum query_level level, const char *const *words, const char *asked,
                        const char *rows)
{
    struct match *keys[8];
    const char *references[8];
    tag_t columns[8];
    struct query_scu_options options = {.level = level,
                                        .keys = (const struct match *const *)keys,
                                        .columns = columns,
                                        .references = references};
    struct seen seen = {0};
    struct err err = {0};

    buf_clear(&peer.asked);
    peer.requests = peer.answers = 0;
    for (; *words; words++) {
        if (strncmp(*words, "k:", 2) == 0) {
            assert_int_equal(keyword_parse(*words + 2, &columns[options.column_count++], &err), 0);
        } else if (strncmp(*words, "r:", 2) == 0) {
            references[options.reference_count++] = *words + 2;
            options.any_reference = true;
        } else if (strcmp(*words, "limit") == 0) {
            options.limit = 1;
        } else {
            keys[options.key_count] = match_parse(*words, &err);
            assert_non_null(keys[options.key_count++]);
        }
    }
    seen.columns = options.column_count;
    if (query_scu_run(NULL, &options, take, &seen, &err) < 0)
        fail_msg("%s", err.text);
    if (asked)
        assert_string_equal(buf_text(&peer.asked), asked);
    assert_string_equal(buf_text(&seen.rows), rows);
    for (size_t i = 0; i < options.key_count; i++)
        match_free(keys[i]);
    buf_free(&seen.rows);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int hierarchical(void **state)
{
    (void)state;
    peer.relational = peer.silent_modalities = false;
    return 0;
}

static int relational(void **state)
{
    (void)state;
    peer.relational = true;
    peer.silent_modalities = false;
    return 0;
}

static void test_study(void **state)
{
    (void)state;
    check_query(LEVEL_STUDY, WORDS("StudyDate=2024", "k:PatientID"),
                "STUDY StudyDate=20240101-20241231\n", "1.1|P1\n");
    check_query(LEVEL_STUDY, WORDS("StudyDate!="), "STUDY\n", "1.1\n1.2\n");
    check_query(LEVEL_STUDY, WORDS("StudyDate<20240101", "k:StudyDate"),
                "STUDY StudyDate=-20240101\n", "1.2|20230615\n");
    /* A list is several requests, and each row comes once. */
    check_query(LEVEL_STUDY, WORDS("PatientID=P1\\P2"), "STUDY PatientID=P1\nSTUDY PatientID=P2\n",
                "1.1\n1.2\n");
    check_query(LEVEL_STUDY, WORDS("PatientName=doe"),
                "STUDY PatientName=doe*\nSTUDY PatientName=DOE*\nSTUDY PatientName=Doe*\n",
                "1.1\n");
    check_query(LEVEL_STUDY, WORDS("limit"), "STUDY\n", "1.1\n");
    assert_int_equal(peer.answers, 1);
}

static void test_down(void **state)
{
    (void)state;
    check_query(LEVEL_SERIES, WORDS("Modality=SR", "k:PatientName"),
                "STUDY ModalitiesInStudy=SR\n"
                "SERIES Modality=SR StudyInstanceUID=1.1\n"
                "SERIES Modality=SR StudyInstanceUID=1.3\n",
                "1.1.2|Doe^John\n");
    check_query(LEVEL_INSTANCE, WORDS("StudyInstanceUID=1.1", "Rows>256"),
                "STUDY StudyInstanceUID=1.1\n"
                "SERIES StudyInstanceUID=1.1\n"
                "IMAGE StudyInstanceUID=1.1 SeriesInstanceUID=1.1.1\n"
                "IMAGE StudyInstanceUID=1.1 SeriesInstanceUID=1.1.2\n",
                "1.1.1.1\n");
}

/* A key below the level: a first match is enough. */
static void test_chain(void **state)
{
    (void)state;
    check_query(LEVEL_STUDY, WORDS("Modality=CT"),
                "STUDY ModalitiesInStudy=CT\n"
                "SERIES Modality=CT StudyInstanceUID=1.3\n",
                "1.1\n");
    peer.silent_modalities = true;
    check_query(LEVEL_STUDY, WORDS("Modality=CT"),
                "STUDY ModalitiesInStudy=CT\n"
                "SERIES Modality=CT StudyInstanceUID=1.1\n"
                "SERIES Modality=CT StudyInstanceUID=1.2\n"
                "SERIES Modality=CT StudyInstanceUID=1.3\n",
                "1.1\n");
    peer.silent_modalities = false;
    /* Series and instance are of one chain: no SR has rows. */
    check_query(LEVEL_STUDY, WORDS("Modality=SR", "Rows=512"), NULL, "");
    check_query(LEVEL_STUDY, WORDS("Modality=CT", "Rows=512"), NULL, "1.1\n");
    check_query(LEVEL_STUDY, WORDS("Modality!=CT"), NULL, "1.1\n1.2\n1.3\n");
    check_query(LEVEL_PATIENT, WORDS("Modality=OT", "k:PatientName"), NULL, "patient:|Nobody\n");
    check_query(LEVEL_PATIENT, WORDS("Modality=CT"), NULL, "patient:P1\n");
}

static void test_columns(void **state)
{
    (void)state;
    check_query(LEVEL_STUDY, WORDS("k:Modality", "k:PatientID"), NULL,
                "1.1|CT\\SR|P1\n1.2|MR|P2\n1.3|OT|\n");
    check_query(LEVEL_STUDY, WORDS("Modality=SR", "k:Rows", "k:Modality"), NULL,
                "1.1|512\\256|CT\\SR\n");
    /* Only the index knows these. */
    check_query(LEVEL_STUDY, WORDS("StudyDate=2023", "k:Size", "k:Path"), NULL, "1.2||\n");
}

static void test_references(void **state)
{
    (void)state;
    check_query(LEVEL_SERIES, WORDS("r:1.1"),
                "STUDY StudyInstanceUID=1.1\n"
                "SERIES StudyInstanceUID=1.1\n",
                "1.1.1\n1.1.2\n");
    check_query(LEVEL_STUDY, WORDS("r:1.2.1", "r:1.1"), NULL, "1.1\n1.2\n");
    check_query(LEVEL_STUDY, WORDS("r:1.2.1.1"), NULL, "1.2\n");
    check_query(LEVEL_STUDY, WORDS("r:patient:P2"), "STUDY PatientID=P2\n", "1.2\n");
    check_query(LEVEL_STUDY, WORDS("r:9.9"), NULL, "");
}

static void test_relational(void **state)
{
    (void)state;
    check_query(LEVEL_SERIES, WORDS("Modality=SR", "PatientName=DOE", "k:PatientID"),
                "SERIES Modality=SR PatientName=DOE*\n"
                "SERIES Modality=SR PatientName=Doe*\n"
                "SERIES Modality=SR PatientName=doe*\n",
                "1.1.2|P1\n");
    check_query(LEVEL_INSTANCE, WORDS("r:1.2.1"),
                "IMAGE StudyInstanceUID=1.2.1\n"
                "IMAGE SeriesInstanceUID=1.2.1\n",
                "1.2.1.1\n");
}

static void test_local_keys(void **state)
{
    struct err err = {0};
    struct match *size = match_parse("Size>1K", &err);

    (void)state;
    assert_int_equal(query_scu_check(size, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    match_free(size);
}

static int clean(void **state)
{
    (void)state;
    buf_free(&peer.asked);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_study, hierarchical),
        cmocka_unit_test_setup(test_down, hierarchical),
        cmocka_unit_test_setup(test_chain, hierarchical),
        cmocka_unit_test_setup(test_columns, hierarchical),
        cmocka_unit_test_setup(test_references, hierarchical),
        cmocka_unit_test_setup(test_relational, relational),
        cmocka_unit_test(test_local_keys),
    };

    return cmocka_run_group_tests(tests, NULL, clean);
}
