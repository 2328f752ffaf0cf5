/*
 * What the tests of the index share: a folder of their own, records, and a second opinion on the
 * database by plain SQL over a connection that the index knows nothing of.
 */
#ifndef PACS_TESTS_INDEX_FIXTURE_H
#define PACS_TESTS_INDEX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "index/query.h"

#define UNUSED __attribute__((unused))

static struct err err UNUSED;

/* ---- a folder for each test ---- */

static int make_root(void **state)
{
    const char *base = getenv("TMPDIR");
    char *root = xasprintf("%s/pacs-index-XXXXXX", base ? base : "/tmp");

    if (!mkdtemp(root))
        return -1;
    *state = root;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static int remove_root(void **state)
{
    int status = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);

    free(*state);
    return status;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

static UNUSED char *path_in(const char *root, const char *name)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

/* ---- by plain SQL ---- */

static UNUSED sqlite3 *open_plain(const char *root)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path_in(root, "index.db"), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    return db;
}

/* The first column of the first row as text; "" for NULL or no row. */
static UNUSED const char *plain_text(const char *root, const char *sql)
{
    static char text[65536];
    sqlite3 *db = open_plain(root);
    sqlite3_stmt *statement = NULL;
    const char *value;
    int result;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    result = sqlite3_step(statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    value = result == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    snprintf(text, sizeof text, "%s", value ? value : "");
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return text;
}

static UNUSED long long plain_number(const char *root, const char *sql)
{
    return atoll(plain_text(root, sql));
}

static UNUSED void run_plain(const char *root, const char *sql)
{
    sqlite3 *db = open_plain(root);

    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#define IS_LIST_OF(list, query)                                                                  \
    "(SELECT group_concat(value, '\\') FROM (SELECT value FROM json_each('[\"' || replace(" list \
    ", '\\', '\",\"') || '\"]') ORDER BY value)) IS (SELECT group_concat(value, '\\') FROM "     \
    "(SELECT DISTINCT " query " ORDER BY value))"

/* Each finds rows that contradict what the instances say. */
static const char *const contradictions[] UNUSED = {
    "SELECT uid FROM study AS s WHERE series IS NOT (SELECT count(*) FROM series WHERE study = "
    "s.id)",
    "SELECT uid FROM study AS s WHERE (instances, bytes, received) IS NOT (SELECT count(*), "
    "sum(size), max(i.received) FROM instance AS i JOIN series AS r ON r.id = i.series "
    "WHERE r.study = s.id)",
    "SELECT uid FROM series AS r WHERE (instances, bytes, received) IS NOT (SELECT count(*), "
    "sum(size), max(received) FROM instance WHERE series = r.id)",
    "SELECT uid FROM study AS s WHERE NOT " IS_LIST_OF(
        "s.modalities",
        "modality AS value FROM series WHERE study = s.id AND modality IS NOT NULL"),
    "SELECT uid FROM study AS s WHERE NOT " IS_LIST_OF(
        "s.classes", "text AS value FROM series AS r JOIN instance AS i ON i.series = r.id "
                     "JOIN term ON term.id = i.class WHERE r.study = s.id"),
    "SELECT modality, study FROM study_modality EXCEPT SELECT modality, study FROM series",
    "SELECT modality, study FROM series WHERE modality IS NOT NULL EXCEPT SELECT modality, study "
    "FROM study_modality",
    "SELECT id FROM patient AS p WHERE NOT EXISTS (SELECT 1 FROM study WHERE patient = p.id)",
    "SELECT id FROM study WHERE patient NOT IN (SELECT id FROM patient)",
    "SELECT id FROM series WHERE study NOT IN (SELECT id FROM study)",
    "SELECT id FROM instance WHERE series NOT IN (SELECT id FROM series)",
    "SELECT key FROM patient_name WHERE patient NOT IN (SELECT id FROM patient)",
    "SELECT uid FROM instance GROUP BY uid HAVING count(*) > 1",
    "SELECT name FROM file WHERE instance > 0 AND NOT EXISTS (SELECT 1 FROM instance AS i WHERE "
    "i.id = file.instance AND i.folder = file.folder AND i.path = file.name)",
    "SELECT name FROM file WHERE instance < 0 AND -instance NOT IN (SELECT id FROM instance)",
    "SELECT i.path FROM instance AS i JOIN folder AS f ON f.id = i.folder WHERE f.path LIKE '/%' "
    "AND NOT EXISTS (SELECT 1 FROM file WHERE folder = f.id AND name = i.path AND instance = i.id)",
    "SELECT 'no integrity' FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
};

static UNUSED void assert_sound(const char *root)
{
    for (size_t i = 0; i < sizeof contradictions / sizeof contradictions[0]; i++) {
        const char *found = plain_text(root, contradictions[i]);

        if (*found)
            fail_msg("\"%s\": found by %s", found, contradictions[i]);
    }
}

/* ---- records ---- */

struct object {
    struct index_record record;
    char uid[3][65], patient[32], folder[128], number[16];
};

/* An archive's object by four numbers: patient, study, series, instance. UIDs follow from them. */
static UNUSED const struct index_record *object_of(struct object *object, int patient, int study,
                                                   int series, int instance)
{
    struct index_record *record = &object->record;

    memset(object, 0, sizeof *object);
    snprintf(object->patient, sizeof object->patient, "P%d", patient);
    snprintf(object->uid[0], 65, "1.2.%d.%d", patient, study);
    snprintf(object->uid[1], 65, "1.2.%d.%d.%d", patient, study, series);
    snprintf(object->uid[2], 65, "1.2.%d.%d.%d.%d", patient, study, series, instance);
    snprintf(object->folder, sizeof object->folder, "objects/2024/01/%02d/%s", study % 28 + 1,
             object->uid[0]);
    snprintf(object->number, sizeof object->number, "%d", instance);
    record->value[ATTRIBUTE_PATIENT_ID] = object->patient;
    record->value[ATTRIBUTE_PATIENT_NAME] = "Doe^John";
    record->value[ATTRIBUTE_STUDY_INSTANCE_UID] = object->uid[0];
    record->value[ATTRIBUTE_SERIES_INSTANCE_UID] = object->uid[1];
    record->value[ATTRIBUTE_SOP_INSTANCE_UID] = object->uid[2];
    record->value[ATTRIBUTE_SOP_CLASS_UID] = "1.2.840.10008.5.1.4.1.1.2";
    record->value[ATTRIBUTE_TRANSFER_SYNTAX_UID] = "1.2.840.10008.1.2.1";
    record->value[ATTRIBUTE_STUDY_DATE] = "20240131";
    record->value[ATTRIBUTE_MODALITY] = "CT";
    record->value[ATTRIBUTE_INSTANCE_NUMBER] = object->number;
    record->study_folder = object->folder;
    record->size = 1000;
    record->mtime_ns = 1700000000000000000;
    record->received_ms = 1700000000000;
    return record;
}

static UNUSED struct index *open_index(const char *root, enum index_mode mode)
{
    struct index *index = index_open(root, mode, &err);

    if (!index)
        fail_msg("index_open: %s", err.text);
    return index;
}

#define assert_done(call)                        \
    do {                                         \
        if ((call) < 0)                          \
            fail_msg("%s: %s", #call, err.text); \
    } while (0)

static UNUSED void add_record(struct index *index, const struct index_record *record)
{
    enum index_added added = index_add(index, record, &err);

    if (added != INDEX_ADDED)
        fail_msg("index_add: %d %s", (int)added, err.text);
}

/* One transaction with one object of the archive. */
static UNUSED void add_one(struct index *index, int patient, int study, int series, int instance)
{
    struct object object;

    assert_done(index_begin(index, &err));
    add_record(index, object_of(&object, patient, study, series, instance));
    assert_done(index_commit(index, &err));
}

/* A child process that runs `work` and must end with status 0. */
static UNUSED pid_t start_child(int (*work)(const char *root, int argument), const char *root,
                                int argument)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(work(root, argument));
    return child;
}

static UNUSED int wait_child(pid_t child)
{
    int status = -1;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
