/*
 * Every statement of the index but the queries (query.c), by name, with what serves it.
 */
#include "index/internal.h"

#define OBJECTS(condition)                                                                       \
    "SELECT CASE WHEN i.path IS NULL THEN s.folder || '/' || r.uid || '/' || i.uid || '.dcm' "   \
    "ELSE rtrim(f.path, '/') || '/' || i.path END, s.uid, r.uid, i.uid, c.text, t.text, i.size " \
    "FROM study AS s JOIN series AS r ON r.study = s.id JOIN instance AS i ON i.series = r.id "  \
    "LEFT JOIN term AS c ON c.id = i.class LEFT JOIN term AS t ON t.id = i.syntax "              \
    "LEFT JOIN folder AS f ON f.id = i.folder WHERE " condition                                  \
    " ORDER BY s.date, s.time, s.id, r.number, r.id, i.number, i.id"

/* Sparse files can be large enough that their sum is no integer: it ends at the largest one. total() is
 * exact up to nine petabytes. */
#define BYTES(sum) "CAST(" sum " AS INTEGER)"

static const char *const text[SQL_COUNT] = {
    /* study_patient, study_uid, series_uid, instance_uid; then keys down and up */
    [SQL_OBJECTS_OF_PATIENT] = OBJECTS("s.patient = ?1"),
    [SQL_OBJECTS_OF_STUDY] = OBJECTS("s.uid = ?1"),
    [SQL_OBJECTS_OF_SERIES] = OBJECTS("r.uid = ?1"),
    [SQL_OBJECTS_OF_INSTANCE] = OBJECTS("i.uid = ?1"),

    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_DATA_VERSION] = "PRAGMA data_version",

    /* patient_id */
    [SQL_PATIENT_FIND] =
        "SELECT id FROM patient WHERE patient_id = ?1 AND issuer = ?2 AND unnamed = ?3",
    [SQL_NAME_INSERT] = "INSERT OR IGNORE INTO patient_name(key, patient) VALUES(?1, ?2)",
    /* study_uid */
    [SQL_STUDY_FIND] =
        "SELECT s.id, s.patient, s.folder, s.modalities, s.classes, p.patient_id, p.issuer "
        "FROM study AS s JOIN patient AS p ON p.id = s.patient WHERE s.uid = ?1",
    [SQL_STUDY_FOLDER] = "UPDATE study SET folder = ?2 WHERE id = ?1",
    [SQL_STUDY_ADD] = "UPDATE study SET series = series + ?2, instances = instances + ?3, "
                      "bytes = " BYTES("bytes + ?4") ", received = max(received, ?5), "
                                                     "modalities = ?6, classes = ?7 WHERE id = ?1",
    /* series_uid */
    [SQL_SERIES_FIND] = "SELECT id FROM series WHERE uid = ?1 AND study = ?2",
    [SQL_SERIES_ADD] =
        "UPDATE series SET instances = instances + ?2, "
        "bytes = " BYTES("bytes + ?3") ", received = max(received, ?4) WHERE id = ?1",
    [SQL_MODALITY_INSERT] = "INSERT OR IGNORE INTO study_modality(modality, study) VALUES(?1, ?2)",
    /* instance_uid */
    [SQL_INSTANCE_FIND] = "SELECT id FROM instance WHERE uid = ?1",
    [SQL_TERM_FIND] = "SELECT id FROM term WHERE text = ?1",
    [SQL_TERM_INSERT] = "INSERT INTO term(text) VALUES(?1)",

    [SQL_FOLDER_FIND] = "SELECT id FROM folder WHERE path = ?1",
    [SQL_FOLDER_INSERT] = "INSERT INTO folder(path) VALUES(?1)",
    [SQL_FILE_FIND] = "SELECT instance FROM file WHERE folder = ?1 AND name = ?2",
    [SQL_FILE_PUT] = "INSERT OR REPLACE INTO file(folder, name, size, mtime, instance) "
                     "VALUES(?1, ?2, ?3, ?4, ?5)",
    [SQL_FILE_DELETE] = "DELETE FROM file WHERE folder = ?1 AND name = ?2",
    [SQL_FILE_LIST] =
        "SELECT name, size, mtime, instance FROM file WHERE folder = ?1 ORDER BY name",
    /* folder.path: from "PATH" up to "PATH0", the character after '/'; file for each */
    [SQL_FOLDER_LIST] = "SELECT path FROM folder WHERE path >= ?1 AND path < ?1 || '0' AND "
                        "(path = ?1 OR path >= ?1 || '/') AND EXISTS "
                        "(SELECT 1 FROM file WHERE folder = folder.id) ORDER BY path",
    /* file_copy */
    [SQL_COPIES_DELETE] = "DELETE FROM file WHERE instance = -?1 AND instance < 0",

    /* instance_uid, then keys */
    [SQL_INSTANCE_ROW] =
        "SELECT i.id, s.uid, r.uid, i.uid, c.text, t.text, s.folder, f.path, i.path, i.size, "
        "i.mtime FROM instance AS i JOIN series AS r ON r.id = i.series "
        "JOIN study AS s ON s.id = r.study LEFT JOIN term AS c ON c.id = i.class "
        "LEFT JOIN term AS t ON t.id = i.syntax LEFT JOIN folder AS f ON f.id = i.folder "
        "WHERE i.uid = ?1",
    [SQL_STUDY_FOLDER_OF] = "SELECT folder FROM study WHERE uid = ?1",
    [SQL_STATISTICS] =
        "SELECT (SELECT count(*) FROM patient), count(*), total(series), total(instances), "
        "(SELECT count(*) FROM file WHERE instance > 0), total(bytes), "
        "(SELECT count(*) FROM file) FROM study",

    [SQL_INSTANCE_PLACE] = "SELECT r.study, i.folder, i.path FROM instance AS i "
                           "JOIN series AS r ON r.id = i.series WHERE i.id = ?1",
    [SQL_INSTANCE_DELETE] = "DELETE FROM instance WHERE id = ?1",
    /* study_patient, series_study, instance_series */
    [SQL_PATIENT_INSTANCES] = "SELECT i.id FROM study AS s JOIN series AS r ON r.study = s.id "
                              "JOIN instance AS i ON i.series = r.id WHERE s.patient = ?1",
    [SQL_STUDY_INSTANCES] = "SELECT i.id FROM study AS s JOIN series AS r ON r.study = s.id "
                            "JOIN instance AS i ON i.series = r.id WHERE s.uid = ?1",
    [SQL_SERIES_INSTANCES] = "SELECT i.id FROM series AS r JOIN instance AS i ON i.series = r.id "
                             "WHERE r.uid = ?1",
    [SQL_SERIES_PRUNE] = "DELETE FROM series WHERE study = ?1 AND NOT EXISTS "
                         "(SELECT 1 FROM instance WHERE series = series.id)",
    [SQL_SERIES_RECOUNT] =
        "UPDATE series SET (instances, bytes, received) = (SELECT count(*), " BYTES(
            "total(size)") ", max(received) FROM instance WHERE series = series.id) WHERE study = "
                           "?1",
    [SQL_MODALITIES_DELETE] = "DELETE FROM study_modality WHERE study = ?1",
    [SQL_MODALITIES_INSERT] =
        "INSERT OR IGNORE INTO study_modality(modality, study) SELECT "
        "modality, study FROM series WHERE study = ?1 AND modality IS NOT NULL",
    [SQL_STUDY_STATE] = "SELECT patient, (SELECT count(*) FROM series WHERE study = ?1) FROM study "
                        "WHERE id = ?1",
    [SQL_STUDY_RECOUNT] =
        "UPDATE study SET (series, instances, bytes, received) = (SELECT count(*), "
        "sum(r.instances), " BYTES(
            "total(r.bytes)") ", max(r.received) FROM series AS r WHERE r.study = ?1), "
                              "modalities = (SELECT substr(group_concat(modality, '\\'), 1, 1024) "
                              "FROM (SELECT modality "
                              "FROM series WHERE study = ?1 AND modality IS NOT NULL GROUP BY "
                              "modality ORDER BY "
                              "min(id))), "
                              "classes = (SELECT substr(group_concat(text, '\\'), 1, 16384) FROM "
                              "(SELECT t.text FROM "
                              "series AS r JOIN instance AS i ON i.series = r.id JOIN term AS t ON "
                              "t.id = i.class WHERE "
                              "r.study = ?1 GROUP BY i.class ORDER BY min(i.id))) WHERE id = ?1",
    [SQL_STUDY_DELETE] = "DELETE FROM study WHERE id = ?1",
    [SQL_NAMES_DELETE] = "DELETE FROM patient_name WHERE patient = ?1",
    [SQL_PATIENT_DELETE] =
        "DELETE FROM patient WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM study WHERE patient = ?1)",
    [SQL_PATIENT_OF] = "SELECT id FROM patient WHERE patient_id = ?1 AND (?2 IS NULL OR issuer = "
                       "?2) ORDER BY issuer LIMIT 1",
};

/* The attributes first, in their order, as ?1, ?2 ...; then what the row has beside them. */
static void insert_text(enum query_level level, const char *others, const char *end,
                        struct buf *sql)
{
    int count = 0;

    buf_addf(sql, "INSERT INTO %s(", level_name(level));
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        if (attributes[i].level == level) {
            buf_addf(sql, "%s, ", attributes[i].column);
            count++;
        }
    buf_addf(sql, "%s) VALUES(", others);
    for (const char *at = others; *at; at++)
        count += *at == ',';
    for (int i = 0; i <= count; i++)
        buf_adds(sql, i ? ", ?" : "?");
    buf_addf(sql, ")%s", end);
}

void statement_text(enum statement which, struct buf *sql)
{
    switch (which) {
    case SQL_PATIENT_INSERT:
        insert_text(LEVEL_PATIENT, "unnamed", "", sql);
        break;
    case SQL_STUDY_INSERT:
        insert_text(LEVEL_STUDY, "patient, folder, series, instances, bytes, received", "", sql);
        break;
    case SQL_SERIES_INSERT:
        insert_text(LEVEL_SERIES, "study, instances, bytes, received", "", sql);
        break;
    case SQL_INSTANCE_INSERT:
        insert_text(LEVEL_INSTANCE, "series, size, mtime, received, calling, folder, path",
                    " ON CONFLICT DO NOTHING", sql);
        break;
    case SQL_FILES_INSERT:
        buf_adds(sql, "INSERT OR IGNORE INTO file(folder, name, size, mtime, instance) VALUES");
        for (int i = 0; i < WAITING_FILES; i++)
            buf_adds(sql, i ? ", (?, ?, ?, ?, ?)" : "(?, ?, ?, ?, ?)");
        break;
    default:
        buf_adds(sql, text[which]);
    }
}
