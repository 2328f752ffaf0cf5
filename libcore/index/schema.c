/*
 * See schema.h. Why the tables look like this: integer keys keep rows small and joins quick; UIDs are
 * readable text; objects in the archive have no path, since it follows from the study's folder and the
 * UIDs (it halves the database); counters stand in study and series, so that listing studies counts
 * nothing; study_modality answers ModalitiesInStudy by an index. There are no triggers: the writer
 * keeps counters once per transaction (writer.c).
 */
#include "index/schema.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "index/attributes.h"

/* What each level's table holds beside its attributes. `unnamed` tells patients without an ID apart. */
static const char *const before[] = {
    "id INTEGER PRIMARY KEY",
    "id INTEGER PRIMARY KEY, patient INTEGER NOT NULL",
    "id INTEGER PRIMARY KEY, study INTEGER NOT NULL",
    "id INTEGER PRIMARY KEY, series INTEGER NOT NULL",
};
static const char *const after[] = {
    "unnamed TEXT NOT NULL",
    "folder TEXT, series INTEGER NOT NULL, instances INTEGER NOT NULL, bytes INTEGER NOT NULL, "
    "received INTEGER NOT NULL, modalities TEXT, classes TEXT",
    "instances INTEGER NOT NULL, bytes INTEGER NOT NULL, received INTEGER NOT NULL",
    "size INTEGER NOT NULL, mtime INTEGER NOT NULL, received INTEGER NOT NULL, calling INTEGER, "
    "folder INTEGER, path TEXT",
};

/* Needed to write: what a new object is looked up by. */
static const char other_tables[] =
    "CREATE UNIQUE INDEX patient_id ON patient(patient_id, issuer, unnamed);"
    "CREATE UNIQUE INDEX study_uid ON study(uid);"
    "CREATE UNIQUE INDEX series_uid ON series(uid, study);"
    /* Every component group of every patient's name, folded. */
    "CREATE TABLE patient_name(key TEXT NOT NULL, patient INTEGER NOT NULL,"
    " PRIMARY KEY(key, patient)) WITHOUT ROWID;"
    "CREATE INDEX patient_name_patient ON patient_name(patient);"
    "CREATE TABLE study_modality(modality TEXT NOT NULL, study INTEGER NOT NULL,"
    " PRIMARY KEY(modality, study)) WITHOUT ROWID;"
    "CREATE INDEX study_modality_study ON study_modality(study);"
    /* SOP classes, transfer syntaxes, application entities. */
    "CREATE TABLE term(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
    "CREATE TABLE folder(id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);"
    /* Files indexed in place. instance: its row; negative: a further copy of that object; NULL: no
     * DICOM. */
    "CREATE TABLE file(folder INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL,"
    " mtime INTEGER NOT NULL, instance INTEGER, PRIMARY KEY(folder, name)) WITHOUT ROWID;"
    "CREATE INDEX file_copy ON file(instance) WHERE instance < 0;";

static const char secondary_indexes[] = "CREATE UNIQUE INDEX instance_uid ON instance(uid);"
                                        "CREATE INDEX instance_series ON instance(series);"
                                        "CREATE INDEX series_study ON series(study);"
                                        "CREATE INDEX study_patient ON study(patient);"
                                        "CREATE INDEX study_date ON study(date);"
                                        "CREATE INDEX study_accession ON study(accession);"
                                        "CREATE INDEX patient_birth_date ON patient(birth_date);";

static const struct schema_step steps[SCHEMA_VERSION] = {{NULL}};

/* A write that the system refused for want of room, whatever SQLite was about to do. */
static bool is_no_space(int result, int reason)
{
    return result == SQLITE_FULL || ((result == SQLITE_IOERR || result == SQLITE_CANTOPEN) &&
                                     (reason == ENOSPC || reason == EDQUOT || reason == EFBIG));
}

/* The errno behind a failure; that of the log is known to its file alone. */
static int errno_of(sqlite3 *db)
{
    sqlite3_file *log = NULL;
    int reason = sqlite3_system_errno(db);

    if (!reason)
        sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &reason);
    if (!reason)
        sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&log);
    if (log && log->pMethods)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &reason);
    return reason;
}

int database_failed(sqlite3 *db, struct err *err)
{
    int result = sqlite3_errcode(db) & 0xff;
    int reason = result == SQLITE_IOERR || result == SQLITE_CANTOPEN ? errno_of(db) : 0;

    if (is_no_space(result, reason))
        return err_set(err, ERR_NOSPACE, "index.db: %s",
                       result == SQLITE_FULL ? "No space left on device" : strerror(reason));
    switch (result) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_BUSY, "index.db: %s", sqlite3_errmsg(db));
    case SQLITE_NOTADB:
        return err_set(err, ERR_INPUT, "index.db: %s", sqlite3_errmsg(db));
    case SQLITE_READONLY:
        return err_set(err, ERR_FAILED, "index.db: Permission denied");
    case SQLITE_CORRUPT:
        return err_set(err, ERR_FAILED, "index.db: %s: make it anew with pacs-index --rebuild",
                       sqlite3_errmsg(db));
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (reason)
            return err_set(err, ERR_FAILED, "index.db: %s: %s", sqlite3_errmsg(db),
                           strerror(reason));
        break;
    default:
        break;
    }
    return err_set(err, ERR_FAILED, "index.db: %s", sqlite3_errmsg(db));
}

static int run(sqlite3 *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : database_failed(db, err);
}

/* Text keeps its form ("007" stays). A column without a type holds an integer where the text is one in
 * its only form, so that it sorts and takes two bytes; else the text. */
static const char *type_of(const struct attribute_info *attribute)
{
    switch (attribute->vr) {
    case VR_IS:
    case VR_US:
        return "";
    default:
        break;
    }
    if (attribute == &attributes[ATTRIBUTE_SOP_CLASS_UID] ||
        attribute == &attributes[ATTRIBUTE_TRANSFER_SYNTAX_UID])
        return " INTEGER"; /* term */
    if (attribute->use == USE_UNIQUE || attribute == &attributes[ATTRIBUTE_ISSUER_OF_PATIENT_ID])
        return " TEXT NOT NULL";
    return " TEXT";
}

static void add_table(struct buf *sql, enum query_level level)
{
    buf_addf(sql, "CREATE TABLE %s(%s", level_name(level), before[level]);
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        if (attributes[i].level == level)
            buf_addf(sql, ", %s%s", attributes[i].column, type_of(&attributes[i]));
    buf_addf(sql, ", %s);\n", after[level]);
}

int schema_secondary(sqlite3 *db, struct err *err)
{
    return run(db, secondary_indexes, err);
}

int schema_create(sqlite3 *db, bool secondary, struct err *err)
{
    struct buf sql = {0};
    int status;

    buf_adds(&sql, "BEGIN IMMEDIATE;");
    for (enum query_level level = LEVEL_PATIENT; level <= LEVEL_INSTANCE; level++)
        add_table(&sql, level);
    buf_adds(&sql, other_tables);
    if (secondary)
        buf_adds(&sql, secondary_indexes);
    buf_addf(&sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
             SCHEMA_APPLICATION, SCHEMA_VERSION);
    status = run(db, sql.data, err);
    if (status < 0)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    buf_free(&sql);
    return status;
}

static int number(sqlite3 *db, const char *sql, int *value, struct err *err)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        database_failed(db, err);
        sqlite3_finalize(statement);
        return -1;
    }
    *value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return 0;
}

int schema_version(sqlite3 *db, int newest, struct err *err)
{
    int version = 0, application = 0, tables = 0;

    if (number(db, "PRAGMA user_version", &version, err) < 0 ||
        number(db, "PRAGMA application_id", &application, err) < 0)
        return -1;
    if (application == 0 && version == 0) {
        if (number(db, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0)
            return -1;
        if (tables == 0)
            return 0;
    }
    if (application != SCHEMA_APPLICATION || version < 1)
        return err_set(err, ERR_INPUT, "index.db: another program's database, not an index");
    if (version > newest)
        return err_set(err, ERR_VERSION,
                       "index.db: made by a newer pacsutils (schema %d, this release knows %d): "
                       "upgrade, or rebuild it with pacs-index --rebuild",
                       version, newest);
    return version;
}

int schema_migrate(sqlite3 *db, const struct schema_step *list, int count, struct err *err)
{
    int version = schema_version(db, count + 1, err);

    if (version < 0)
        return -1;
    for (; version <= count; version++) {
        struct buf sql = {0};
        int status;

        buf_addf(&sql, "BEGIN IMMEDIATE; %s; PRAGMA user_version = %d; COMMIT;",
                 list[version - 1].sql, version + 1);
        status = run(db, sql.data, err);
        buf_free(&sql);
        if (status < 0) {
            sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
            return err_prefix(err, "to schema %d", version + 1);
        }
    }
    return 0;
}

int schema_upgrade(sqlite3 *db, struct err *err)
{
    return schema_migrate(db, steps, SCHEMA_VERSION - 1, err);
}
