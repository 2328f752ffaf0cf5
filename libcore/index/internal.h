/*
 * What the files of the index share. Not for others.
 */
#ifndef PACS_INDEX_INTERNAL_H
#define PACS_INDEX_INTERNAL_H

#include <sqlite3.h>
#include <sys/types.h>

#include "index/index.h"

/* The statements: statements.c. */
enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_DATA_VERSION,
    SQL_PATIENT_FIND,
    SQL_PATIENT_INSERT,
    SQL_NAME_INSERT,
    SQL_STUDY_FIND,
    SQL_STUDY_INSERT,
    SQL_STUDY_FOLDER,
    SQL_STUDY_ADD,
    SQL_SERIES_FIND,
    SQL_SERIES_INSERT,
    SQL_SERIES_ADD,
    SQL_MODALITY_INSERT,
    SQL_INSTANCE_FIND,
    SQL_INSTANCE_INSERT,
    SQL_TERM_FIND,
    SQL_TERM_INSERT,
    SQL_FOLDER_FIND,
    SQL_FOLDER_INSERT,
    SQL_FILE_FIND,
    SQL_FILES_INSERT,
    SQL_FILE_PUT,
    SQL_FILE_DELETE,
    SQL_FILE_LIST,
    SQL_FOLDER_LIST,
    SQL_COPIES_DELETE,
    SQL_INSTANCE_ROW,
    SQL_STUDY_FOLDER_OF,
    SQL_STATISTICS,
    SQL_INSTANCE_PLACE,
    SQL_INSTANCE_DELETE,
    SQL_PATIENT_INSTANCES,
    SQL_STUDY_INSTANCES,
    SQL_SERIES_INSTANCES,
    SQL_SERIES_PRUNE,
    SQL_SERIES_RECOUNT,
    SQL_MODALITIES_DELETE,
    SQL_MODALITIES_INSERT,
    SQL_STUDY_STATE,
    SQL_STUDY_RECOUNT,
    SQL_STUDY_DELETE,
    SQL_NAMES_DELETE,
    SQL_PATIENT_DELETE,
    SQL_PATIENT_OF,
    SQL_OBJECTS_OF_PATIENT,
    SQL_OBJECTS_OF_STUDY,
    SQL_OBJECTS_OF_SERIES,
    SQL_OBJECTS_OF_INSTANCE,
    SQL_COUNT
};

#define WAITING_FILES 16 /* of SQL_FILES_INSERT */

struct writer; /* what the writer remembers between objects: writer.c */

struct index {
    char *root;
    enum index_mode mode;
    sqlite3 *db;
    dev_t device; /* of index.db when it was opened: another one may take its place */
    ino_t inode;
    int lock; /* descriptor of index.lock, -1 for readers */
    int holds;
    int lock_ms; /* INDEX_LOCK_MS; less in tests */
    bool in_transaction;
    bool durable;   /* synchronous = FULL */
    unsigned added; /* rows in this transaction */
    bool large;     /* the cache is that of a bulk load */
    bool failed;    /* something in this transaction has: it can only be rolled back */
    bool broken;    /* a bulk index without a journal cannot go back */
    bool finished;  /* a bulk index that has its secondary indexes */
    bool renamed;   /* a bulk index that has taken its place */
    sqlite3_stmt *statement[SQL_COUNT];
    struct writer *writer;
    struct buf path, folder, text[6]; /* what look-ups hand out */
    int64_t data_version;             /* changes when another connection has written */
    bool matching;                    /* the SQL functions of query.c are registered */
};

/* Prepared at first use. NULL with a message. */
sqlite3_stmt *index_statement(struct index *index, enum statement which, struct err *err);
/* As database_failed; a transaction that is open can then only be rolled back. Returns -1. */
int index_failed(struct index *index, struct err *err);
/* For rows that no writer of ours leaves. Returns -1. */
int index_damaged(struct err *err);
/* Runs a statement that gives no rows, and resets it. */
int index_step(struct index *index, sqlite3_stmt *statement, struct err *err);
/* A transaction of many rows: more memory for the cache from now on. */
int index_grow_cache(struct index *index, struct err *err);
int index_need_transaction(const struct index *index, struct err *err);
/* ---- of index.c, for replace.c ---- */

char *index_file_name(const struct index *index, const char *suffix); /* to be freed */
int index_pragma(struct index *index, const char *sql, struct err *err);
/* Any SQLite file as the index's database; and index.db, as the mode wants it. */
int index_open_file(struct index *index, const char *path, int flags, struct err *err);
int index_open_database(struct index *index, struct err *err);
void index_close_database(struct index *index);
/* There is none when index.db could not be opened again after another had taken its place. */
int index_need_database(const struct index *index, struct err *err);
/* Empties the log, waiting for readers. Returns what SQLite does. */
int database_checkpoint(sqlite3 *db, int wait_ms);

/* The SQL text of a statement, into `sql`. */
void statement_text(enum statement which, struct buf *sql);

void bind_text(sqlite3_stmt *statement, int at, const char *text);

struct writer *writer_new(void);
void writer_free(struct writer *writer);
/* Forgets all: another process has written, or the transaction is gone. */
void writer_forget(struct writer *writer);
/* Writes the counters that have changed. */
int writer_flush(struct index *index, struct err *err);
/* Enters the files that wait for it (writer_files.c): before their table, or an instance that one of them
 * may take away, is looked at. */
int files_flush(struct index *index, struct err *err);
/* The study's counters are made anew at the next flush. */
void writer_recount(struct index *index, int64_t study);
/* The study's series, counters and lists as its instances say; removes what is empty. */
int recount_study(struct index *index, int64_t study, struct err *err);
int64_t writer_folder(struct index *index, const char *path, size_t length, bool make,
                      struct err *err);
/* patient:..., see query.h. The row's id; 0 when there is none; -1. */
int64_t patient_of_reference(struct index *index, const char *reference, struct err *err);

#endif
