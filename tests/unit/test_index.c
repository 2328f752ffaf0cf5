/*
 * libcore/index: opening, versions, adding, counters, removing, transactions.
 */
#include "index_fixture.h"

#include "index/internal.h"
#include "index/schema.h"

/* ---- opening ---- */

static void a_missing_index_is_not_read(void **state)
{
    assert_null(index_open(*state, INDEX_READ, &err));
    assert_int_equal(err.code, ERR_NOTFOUND);
    assert_non_null(strstr(err.text, "index.db: no such file"));
    assert_int_equal(access(path_in(*state, "index.db"), F_OK), -1);
    assert_null(index_open(path_in(*state, "nowhere"), INDEX_WRITE, &err));
    assert_int_equal(err.code, ERR_NOTFOUND);
}

static void a_writer_makes_it(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);

    index_close(index);
    index = open_index(*state, INDEX_READ);
    assert_int_equal(index_begin(index, &err), -1);
    assert_non_null(strstr(err.text, "opened for reading"));
    assert_int_equal(index_hold(index, &err), -1);
    assert_int_equal(index_checkpoint(index, false, &err), -1);
    assert_int_equal(index_replace(index, &err), -1);
    index_close(index);
    assert_string_equal(plain_text(*state, "PRAGMA journal_mode"), "wal");
    assert_int_equal(plain_number(*state, "PRAGMA user_version"), SCHEMA_VERSION);
    assert_sound(*state);
    index_close(NULL);
}

static void an_empty_file_becomes_one(void **state)
{
    FILE *file = fopen(path_in(*state, "index.db"), "w");

    fclose(file);
    assert_null(index_open(*state, INDEX_READ, &err));
    assert_int_equal(err.code, ERR_NOTFOUND);
    index_close(open_index(*state, INDEX_WRITE));
    index_close(open_index(*state, INDEX_READ));
}

static void a_newer_one_is_refused(void **state)
{
    static const enum index_mode modes[] = {INDEX_READ, INDEX_WRITE};
    char sql[64];

    index_close(open_index(*state, INDEX_WRITE));
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", SCHEMA_VERSION + 1);
    run_plain(*state, sql);
    for (size_t i = 0; i < 2; i++) {
        assert_null(index_open(*state, modes[i], &err));
        assert_int_equal(err.code, ERR_VERSION);
        assert_non_null(strstr(err.text, "newer pacsutils"));
        assert_non_null(strstr(err.text, "--rebuild"));
    }
    assert_int_equal(plain_number(*state, "PRAGMA user_version"), SCHEMA_VERSION + 1);
}

static void a_foreign_database_stays_as_it_is(void **state)
{
    static const enum index_mode modes[] = {INDEX_READ, INDEX_WRITE};

    run_plain(*state, "CREATE TABLE recipe(name TEXT); INSERT INTO recipe VALUES('soup')");
    for (size_t i = 0; i < 2; i++) {
        assert_null(index_open(*state, modes[i], &err));
        assert_int_equal(err.code, ERR_INPUT);
        assert_non_null(strstr(err.text, "another program's database"));
    }
    assert_string_equal(plain_text(*state, "PRAGMA journal_mode"), "delete");
    assert_string_equal(plain_text(*state, "SELECT name FROM recipe"), "soup");
    run_plain(*state, "PRAGMA application_id = 7; PRAGMA user_version = 1");
    assert_null(index_open(*state, INDEX_WRITE, &err));
    assert_int_equal(err.code, ERR_INPUT);
}

/* ---- migration ---- */

static void steps_lead_to_the_newest(void **state)
{
    static const struct schema_step steps[] = {
        {"ALTER TABLE study ADD COLUMN mood TEXT"},
        {"UPDATE study SET mood = 'calm'; CREATE TABLE extra(a)"},
        {"INSERT INTO extra VALUES(5)"},
    };
    struct index *index = open_index(*state, INDEX_WRITE);
    sqlite3 *db;

    add_one(index, 1, 1, 1, 1);
    index_close(index);
    db = open_plain(*state);
    assert_done(schema_migrate(db, steps, 2, &err));
    assert_int_equal(schema_version(db, 3, &err), 3);
    assert_int_equal(schema_version(db, 2, &err), -1);
    assert_int_equal(err.code, ERR_VERSION);
    assert_done(schema_migrate(db, steps, 3, &err)); /* goes on from where it is */
    assert_done(schema_migrate(db, steps, 3, &err)); /* nothing to do */
    sqlite3_close(db);
    assert_string_equal(plain_text(*state, "SELECT mood FROM study"), "calm");
    assert_int_equal(plain_number(*state, "SELECT a FROM extra"), 5);
    assert_int_equal(plain_number(*state, "PRAGMA user_version"), 4);
}

static void a_step_that_fails_changes_nothing(void **state)
{
    static const struct schema_step steps[] = {
        {"CREATE TABLE one(a)"},
        {"CREATE TABLE two(a); DROP TABLE study; INSERT INTO nowhere VALUES(1)"},
    };
    struct index *index = open_index(*state, INDEX_WRITE);
    sqlite3 *db;

    add_one(index, 1, 1, 1, 1);
    index_close(index);
    db = open_plain(*state);
    assert_int_equal(schema_migrate(db, steps, 2, &err), -1);
    assert_non_null(strstr(err.text, "to schema 3"));
    assert_non_null(strstr(err.text, "nowhere"));
    assert_true(sqlite3_get_autocommit(db));
    sqlite3_close(db);
    assert_int_equal(plain_number(*state, "PRAGMA user_version"), 2);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM study"), 1);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM sqlite_schema WHERE name IN "
                                          "('one', 'two')"),
                     1);
}

/* ---- adding ---- */

static void an_object_is_found_again(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct index_statistics statistics;
    struct index_instance row;
    struct buf folder = {0};
    struct object object;

    object_of(&object, 1, 2, 3, 4);
    object.record.calling_aet = "MODALITY";
    assert_int_equal(index_find_instance(index, object.uid[2], &row, &err), 0);
    assert_int_equal(index_add(index, &object.record, &err), INDEX_ERROR);
    assert_non_null(strstr(err.text, "no transaction"));
    assert_done(index_begin(index, &err));
    assert_int_equal(index_begin(index, &err), -1);
    add_record(index, &object.record);
    assert_int_equal(index_find_instance(index, object.uid[2], &row, &err), 1); /* its own */
    assert_int_equal(index_add(index, &object.record, &err), INDEX_EXISTS);
    assert_done(index_commit(index, &err));
    assert_int_equal(index_find_instance(index, object.uid[2], &row, &err), 1);
    assert_string_equal(row.study_uid, "1.2.1.2");
    assert_string_equal(row.series_uid, "1.2.1.2.3");
    assert_string_equal(row.sop_uid, "1.2.1.2.3.4");
    assert_string_equal(row.sop_class_uid, "1.2.840.10008.5.1.4.1.1.2");
    assert_string_equal(row.transfer_syntax, "1.2.840.10008.1.2.1");
    assert_string_equal(row.study_folder, object.folder);
    assert_string_equal(row.path, "objects/2024/01/03/1.2.1.2/1.2.1.2.3/1.2.1.2.3.4.dcm");
    assert_false(row.in_place);
    assert_int_equal(row.size, 1000);
    assert_int_equal(row.mtime_ns, 1700000000000000000);
    assert_int_equal(index_study_folder(index, "1.2.1.2", &folder, &err), 1);
    assert_string_equal(folder.data, object.folder);
    assert_int_equal(index_study_folder(index, "1.2.1.3", &folder, &err), 0);
    assert_done(index_stats(index, &statistics, &err));
    assert_int_equal(statistics.patients, 1);
    assert_int_equal(statistics.studies, 1);
    assert_int_equal(statistics.series, 1);
    assert_int_equal(statistics.instances, 1);
    assert_int_equal(statistics.in_place, 0);
    assert_int_equal(statistics.files, 0);
    assert_int_equal(statistics.bytes, 1000);
    assert_true(statistics.index_bytes > 4096);
    index_close(index);
    assert_string_equal(
        plain_text(*state, "SELECT text FROM term JOIN instance ON calling = term.id"), "MODALITY");
    assert_sound(*state);
    buf_free(&folder);
}

static void what_may_not_be_added_changes_nothing(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    char longest[70];
    struct object object;

    memset(longest, '1', 65);
    longest[65] = '\0';
    assert_done(index_begin(index, &err));
    object_of(&object, 1, 1, 1, 1);
    object.record.value[ATTRIBUTE_SERIES_INSTANCE_UID] = NULL;
    assert_int_equal(index_add(index, &object.record, &err), INDEX_ERROR);
    assert_int_equal(err.code, ERR_INPUT);
    assert_string_equal(err.text, "SeriesInstanceUID: missing");
    object_of(&object, 1, 1, 1, 1);
    object.record.value[ATTRIBUTE_SOP_INSTANCE_UID] = longest;
    assert_int_equal(index_add(index, &object.record, &err), INDEX_ERROR);
    assert_string_equal(err.text, "SOPInstanceUID: longer than 64 characters");
    object_of(&object, 1, 1, 1, 1);
    object.record.study_folder = NULL;
    assert_int_equal(index_add(index, &object.record, &err), INDEX_ERROR);
    assert_int_equal(err.code, ERR_INPUT);
    add_record(index, object_of(&object, 1, 1, 1, 2)); /* the transaction is none the worse */
    assert_done(index_commit(index, &err));
    index_close(index);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 1);
    assert_sound(*state);
}

static void texts_come_out_as_they_went_in(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct object object;

    object_of(&object, 1, 1, 1, 1);
    object.record.value[ATTRIBUTE_PATIENT_NAME] =
        "M\xc3\xbcller^J\xc3\xb6rg=\xe5\xb1\xb1\xe7\x94\xb0";
    object.record.value[ATTRIBUTE_STUDY_DESCRIPTION] = "'); DROP TABLE study; --";
    object.record.value[ATTRIBUTE_SERIES_NUMBER] = "007";
    object.record.value[ATTRIBUTE_INSTANCE_NUMBER] = "-5";
    object.record.value[ATTRIBUTE_NUMBER_OF_FRAMES] = "99999999999999999999";
    object.record.value[ATTRIBUTE_ACQUISITION_NUMBER] = "-0";
    object.record.value[ATTRIBUTE_ROWS] = "1\\2";
    object.record.value[ATTRIBUTE_KVP] = "";
    object.record.size = UINT64_MAX;
    assert_done(index_begin(index, &err));
    add_record(index, &object.record);
    assert_done(index_commit(index, &err));
    index_close(index);
    assert_string_equal(plain_text(*state, "SELECT key FROM patient_name ORDER BY key LIMIT 1"),
                        "m\xc3\xbcller^j\xc3\xb6rg");
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM patient_name"), 2);
    assert_string_equal(plain_text(*state, "SELECT description FROM study"),
                        "'); DROP TABLE study; --");
    assert_string_equal(plain_text(*state, "SELECT number || typeof(number) FROM series"),
                        "007text");
    assert_string_equal(plain_text(*state, "SELECT number || typeof(number) FROM instance"),
                        "-5integer");
    assert_string_equal(plain_text(*state, "SELECT frames FROM instance"), "99999999999999999999");
    assert_string_equal(plain_text(*state, "SELECT acquisition FROM instance"), "-0");
    assert_string_equal(plain_text(*state, "SELECT rows FROM instance"), "1\\2");
    assert_string_equal(plain_text(*state, "SELECT kvp IS NULL FROM instance"), "1");
}

/* Files of eight exabytes can be made; their sum is no integer. */
static void sizes_end_at_the_largest(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct index_statistics statistics;
    struct object object;

    for (int i = 0; i < 4; i++) {
        object_of(&object, 1, i / 3, 1, i);
        object.record.size = INT64_MAX;
        if (i % 2 == 0)
            assert_done(index_begin(index, &err));
        add_record(index, &object.record);
        if (i % 2)
            assert_done(index_commit(index, &err));
    }
    assert_done(index_begin(index, &err));
    assert_int_equal(index_remove(index, "1.2.1.0.1.0", &err), 1);
    assert_done(index_commit(index, &err));
    assert_done(index_stats(index, &statistics, &err));
    assert_true(statistics.bytes == INT64_MAX);
    index_close(index);
    assert_string_equal(plain_text(*state, "SELECT bytes FROM study WHERE uid = '1.2.1.0'"),
                        "9223372036854775807");
    assert_string_equal(plain_text(*state, "SELECT bytes FROM series"), "9223372036854775807");
}

static void a_study_keeps_its_first_patient(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct object object;

    add_one(index, 1, 1, 1, 1);
    assert_null(index_warning(index));
    assert_done(index_begin(index, &err));
    object_of(&object, 1, 1, 1, 2);
    object.record.value[ATTRIBUTE_PATIENT_ID] = "OTHER";
    object.record.value[ATTRIBUTE_ISSUER_OF_PATIENT_ID] = "HOSPITAL";
    add_record(index, &object.record);
    assert_string_equal(index_warning(index),
                        "study 1.2.1.1: of patient P1, but an object says OTHER of HOSPITAL: kept");
    object_of(&object, 1, 1, 1, 3);
    object.record.value[ATTRIBUTE_PATIENT_ID] = "";
    add_record(index, &object.record);
    assert_non_null(strstr(index_warning(index), "says without an ID"));
    add_record(index, object_of(&object, 1, 1, 1, 4));
    assert_null(index_warning(index));
    assert_done(index_commit(index, &err));
    index_close(index);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM patient"), 1);
    assert_int_equal(plain_number(*state, "SELECT instances FROM study"), 4);
    assert_sound(*state);
}

static void patients_without_an_id_are_told_apart(void **state)
{
    static const char *const names[] = {"Doe^John", "DOE^JOHN ", "Roe^Jane", NULL, NULL};
    static const char *const births[] = {"19500101", "19500101", "19500101", "19500101", NULL};
    struct index *index = open_index(*state, INDEX_WRITE);
    struct object object;

    assert_done(index_begin(index, &err));
    for (int i = 0; i < 5; i++) {
        object_of(&object, 1, i, 1, 1);
        object.record.value[ATTRIBUTE_PATIENT_ID] = i % 2 ? NULL : "";
        object.record.value[ATTRIBUTE_PATIENT_NAME] = names[i];
        object.record.value[ATTRIBUTE_PATIENT_BIRTH_DATE] = births[i];
        add_record(index, &object.record);
    }
    /* One ID, two issuers: two patients. */
    for (int i = 5; i < 8; i++) {
        object_of(&object, 1, i, 1, 1);
        object.record.value[ATTRIBUTE_ISSUER_OF_PATIENT_ID] = i == 5 ? NULL : i == 6 ? "A" : "B";
        add_record(index, &object.record);
    }
    assert_done(index_commit(index, &err));
    index_close(index);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM patient WHERE patient_id = ''"), 4);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM patient WHERE patient_id = 'P1'"),
                     3);
    assert_sound(*state);
}

/* The study's folder is that of its first object in the archive; where that is not what the caller
 * says, the path is kept. */
static void the_first_folder_of_a_study_stays(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct index_instance row;
    struct object object;

    add_one(index, 1, 1, 1, 1);
    assert_done(index_begin(index, &err));
    object_of(&object, 1, 1, 1, 2);
    object.record.study_folder = "objects/0000/00/00/1.2.1.1";
    add_record(index, &object.record);
    assert_done(index_commit(index, &err));
    assert_int_equal(index_find_instance(index, "1.2.1.1.1.2", &row, &err), 1);
    assert_string_equal(row.path, "objects/0000/00/00/1.2.1.1/1.2.1.1.1/1.2.1.1.1.2.dcm");
    assert_true(row.in_place);
    assert_string_equal(row.study_folder, "objects/2024/01/02/1.2.1.1");
    index_close(index);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM file"), 0);
    assert_sound(*state);
}

/* ---- removing ---- */

static void what_is_left_empty_goes(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct object object;

    assert_done(index_begin(index, &err));
    for (int i = 0; i < 16; i++)
        add_record(index, object_of(&object, i / 8, i / 4, i / 2, i));
    assert_done(index_commit(index, &err));
    assert_int_equal(index_remove(index, "1.2.0.0", &err), -1); /* no transaction */
    assert_done(index_begin(index, &err));
    assert_int_equal(index_remove(index, "1.2.0.0.0.0", &err), 1); /* instance */
    assert_int_equal(index_remove(index, "1.2.0.0.0.0", &err), -1);
    assert_int_equal(err.code, ERR_NOTFOUND);
    assert_string_equal(err.text, "1.2.0.0.0.0: not in the index");
    assert_int_equal(index_remove(index, "1.2.0.0.1", &err), 2); /* series */
    assert_int_equal(index_remove(index, "1.2.0.1", &err), 4);   /* study */
    assert_done(index_commit(index, &err));
    assert_sound(*state);
    assert_int_equal(plain_number(*state, "SELECT instances FROM study WHERE uid = '1.2.0.0'"), 1);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM study"), 3);
    assert_done(index_begin(index, &err));
    assert_int_equal(index_remove(index, "patient:P1", &err), 8);
    assert_int_equal(index_remove(index, "patient:P7", &err), -1);
    assert_int_equal(index_remove(index, "", &err), -1);
    assert_int_equal(index_remove_instance(index, 4711, &err), -1);
    assert_int_equal(err.code, ERR_NOTFOUND);
    assert_done(index_commit(index, &err));
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM patient"), 1);
    index_close(index);
    assert_sound(*state);
}

/* ---- any mix of adding and removing ---- */

#define PATIENTS  3
#define STUDIES   3
#define SERIES    3
#define INSTANCES 5
#define ALL       (PATIENTS * STUDIES * SERIES * INSTANCES)

static const struct index_record *numbered(struct object *object, int number)
{
    static const char *const modality[] = {"CT", "MR", NULL, "SR"};
    static const char *const classes[] = {"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"};
    int instance = number % INSTANCES, series = number / INSTANCES % SERIES;
    int study = number / INSTANCES / SERIES % STUDIES;

    object_of(object, number / INSTANCES / SERIES / STUDIES, study, series, instance);
    object->record.value[ATTRIBUTE_MODALITY] = modality[(study + series) % 4];
    object->record.value[ATTRIBUTE_SOP_CLASS_UID] = classes[number % 2];
    object->record.size = (uint64_t)number * 7 + 1;
    object->record.received_ms = 1700000000000 + number * 37 % 11;
    return &object->record;
}

/* Removes what the reference names in the model; returns how many. */
static int forget(bool *there, const char *uid)
{
    struct object object;
    size_t length = strlen(uid);
    int count = 0;

    for (int i = 0; i < ALL; i++) {
        numbered(&object, i);
        if (there[i] && strncmp(object.uid[2], uid, length) == 0 &&
            (object.uid[2][length] == '.' || !object.uid[2][length])) {
            there[i] = false;
            count++;
        }
    }
    return count;
}

static void random_step(struct index *index, bool *there)
{
    struct object object;
    int number = rand() % ALL, level = rand() % 12, count;

    numbered(&object, number);
    if (level > 2) {
        assert_int_equal(index_add(index, &object.record, &err),
                         there[number] ? INDEX_EXISTS : INDEX_ADDED);
        there[number] = true;
        return;
    }
    count = forget(there, object.uid[level]);
    assert_int_equal(index_remove(index, object.uid[level], &err), count ? count : -1);
}

static void counters_are_right_after_any_mix(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    bool there[ALL] = {false}, before[ALL];
    int count;

    srand(4711);
    for (int round = 0; round < 150; round++) {
        memcpy(before, there, sizeof there);
        assert_done(index_begin(index, &err));
        for (int i = rand() % 40; i >= 0; i--)
            random_step(index, there);
        if (rand() % 5 == 0) {
            index_rollback(index);
            memcpy(there, before, sizeof there);
        } else {
            assert_done(index_commit(index, &err));
        }
        count = 0;
        for (int i = 0; i < ALL; i++)
            count += there[i];
        assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), count);
        if (round % 5 == 0)
            assert_sound(*state);
    }
    index_close(index);
    assert_sound(*state);
}

/* More studies than the writer remembers, in one transaction. */
static void more_than_is_remembered(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct object object;

    assert_done(index_begin(index, &err));
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 6000; i++)
            add_record(index, object_of(&object, i / 100, i, i % 2, round));
    assert_done(index_commit(index, &err));
    index_close(index);
    assert_int_equal(plain_number(*state, "SELECT sum(instances) FROM study"), 12000);
    assert_sound(*state);
}

/* Lists of a study's row end somewhere, whatever comes. */
static void lists_are_bounded(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct object object;
    char modality[32];

    assert_done(index_begin(index, &err));
    for (int i = 0; i < 2000; i++) {
        object_of(&object, 1, 1, i, i);
        snprintf(modality, sizeof modality, "M%d", i);
        object.record.value[ATTRIBUTE_MODALITY] = modality;
        object.record.value[ATTRIBUTE_SOP_CLASS_UID] = object.uid[2];
        add_record(index, &object.record);
    }
    assert_done(index_commit(index, &err));
    index_close(index);
    assert_in_range(plain_number(*state, "SELECT length(modalities) FROM study"), 900, 1024);
    assert_in_range(plain_number(*state, "SELECT length(classes) FROM study"), 16000, 16384);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM study_modality"), 2000);
}

static void rollback_leaves_nothing(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct object object;

    assert_done(index_begin(index, &err));
    for (int i = 0; i < 10; i++)
        add_record(index, object_of(&object, 1, i, i, i));
    index_rollback(index);
    index_rollback(index); /* no harm */
    assert_int_equal(index_commit(index, &err), -1);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM patient"), 0);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM term"), 0);
    add_one(index, 1, 1, 1, 1); /* nothing is remembered of what is gone */
    assert_sound(*state);
    assert_done(index_begin(index, &err));
    add_record(index, object_of(&object, 2, 1, 1, 1));
    index_close(index); /* rolls back */
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 1);
    assert_sound(*state);
}

/* A failure inside a transaction: nothing that came before or after it is committed. */
static void a_failed_transaction_takes_nothing_more(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct object object;

    run_plain(*state, "CREATE TRIGGER no BEFORE INSERT ON instance WHEN new.number = 13 BEGIN "
                      "SELECT raise(ABORT, 'unlucky'); END");
    assert_done(index_begin(index, &err));
    add_record(index, object_of(&object, 1, 1, 1, 1));
    assert_int_equal(index_add(index, object_of(&object, 2, 2, 2, 13), &err), INDEX_ERROR);
    assert_string_equal(err.text, "index.db: unlucky");
    assert_int_equal(index_add(index, object_of(&object, 1, 1, 1, 2), &err), INDEX_ERROR);
    assert_int_equal(index_commit(index, &err), -1);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM patient"), 0);
    /* SQLite has ended the transaction by itself: rows would be committed one by one. */
    run_plain(*state, "DROP TRIGGER no; CREATE TRIGGER no BEFORE INSERT ON instance WHEN "
                      "new.number = 13 BEGIN SELECT raise(ROLLBACK, 'unlucky'); END");
    assert_done(index_begin(index, &err));
    add_record(index, object_of(&object, 1, 1, 1, 1));
    assert_int_equal(index_add(index, object_of(&object, 2, 2, 2, 13), &err), INDEX_ERROR);
    assert_int_equal(index_add(index, object_of(&object, 1, 1, 1, 2), &err), INDEX_ERROR);
    assert_int_equal(index_remove(index, "1.2.1.1", &err), -1);
    assert_int_equal(index_commit(index, &err), -1);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM patient"), 0);
    add_one(index, 1, 1, 1, 1);
    index_close(index);
    assert_sound(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_missing_index_is_not_read),
        TEST(a_writer_makes_it),
        TEST(an_empty_file_becomes_one),
        TEST(a_newer_one_is_refused),
        TEST(a_foreign_database_stays_as_it_is),
        TEST(steps_lead_to_the_newest),
        TEST(a_step_that_fails_changes_nothing),
        TEST(an_object_is_found_again),
        TEST(what_may_not_be_added_changes_nothing),
        TEST(texts_come_out_as_they_went_in),
        TEST(sizes_end_at_the_largest),
        TEST(a_study_keeps_its_first_patient),
        TEST(patients_without_an_id_are_told_apart),
        TEST(the_first_folder_of_a_study_stays),
        TEST(what_is_left_empty_goes),
        TEST(counters_are_right_after_any_mix),
        TEST(more_than_is_remembered),
        TEST(lists_are_bounded),
        TEST(rollback_leaves_nothing),
        TEST(a_failed_transaction_takes_nothing_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
