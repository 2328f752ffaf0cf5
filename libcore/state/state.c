/*
 * See state.h.
 */
#include "state/state.h"

#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

#define STATE_VERSION     1
#define STATE_APPLICATION 0x50415354 /* "PAST", PRAGMA application_id */
#define LOCK_MS           30000

/* `next` is when to try, `error` why the last try failed, for people who look with sqlite3. */
static const char tables[] =
    "CREATE TABLE commitment(id INTEGER PRIMARY KEY, transaction_uid TEXT NOT NULL,"
    " calling TEXT NOT NULL, called TEXT NOT NULL, request BLOB NOT NULL, created INTEGER NOT NULL,"
    " tries INTEGER NOT NULL, next INTEGER NOT NULL, error TEXT);"
    "CREATE INDEX commitment_next ON commitment(next);";

enum statement {
    SQL_ADD,
    SQL_DUE,   /* commitment_next */
    SQL_LEASE, /* primary key, as the others */
    SQL_DONE,
    SQL_LATER,
    SQL_COUNT_ALL,
    SQL_COUNT
};
static const char *const texts[SQL_COUNT] = {
    [SQL_ADD] = "INSERT INTO commitment(transaction_uid, calling, called, request, created, tries, "
                "next) VALUES(?1, ?2, ?3, ?4, ?5, 0, ?5)",
    [SQL_DUE] = "SELECT id, transaction_uid, calling, called, request, created, tries FROM "
                "commitment WHERE next <= ?1 ORDER BY next LIMIT 1",
    [SQL_LEASE] = "UPDATE commitment SET next = ?2 WHERE id = ?1",
    [SQL_DONE] = "DELETE FROM commitment WHERE id = ?1",
    [SQL_LATER] = "UPDATE commitment SET next = ?2, error = ?3, tries = tries + 1 WHERE id = ?1",
    [SQL_COUNT_ALL] = "SELECT count(*) FROM commitment",
};

struct state {
    sqlite3 *db;
    int lock; /* descriptor of state.lock: writers one at a time, without SQLite's starving retries */
    sqlite3_stmt *statement[SQL_COUNT];
    struct buf text[3], blob;
};

static int failed(struct state *state, struct err *err)
{
    int code = sqlite3_errcode(state->db) & 0xff;

    return err_set(err,
                   code == SQLITE_FULL                            ? ERR_NOSPACE
                   : code == SQLITE_BUSY || code == SQLITE_LOCKED ? ERR_BUSY
                                                                  : ERR_FAILED,
                   "state.db: %s", sqlite3_errmsg(state->db));
}

static int run(struct state *state, const char *sql, struct err *err)
{
    return sqlite3_exec(state->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(state, err);
}

static int number(struct state *state, const char *sql, int *value, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int status = -1;

    if (sqlite3_prepare_v2(state->db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        *value = sqlite3_column_int(statement, 0);
        status = 0;
    } else {
        failed(state, err);
    }
    sqlite3_finalize(statement);
    return status;
}

/* Nothing is changed in what another program, or a newer release, has made. */
static int prepare(struct state *state, struct err *err)
{
    int application = 0, version = 0, objects = 0;
    struct buf sql = {0};
    int status;

    if (number(state, "PRAGMA application_id", &application, err) < 0 ||
        number(state, "PRAGMA user_version", &version, err) < 0 ||
        number(state, "SELECT count(*) FROM sqlite_schema", &objects, err) < 0)
        return -1;
    if (application != STATE_APPLICATION && (application || version || objects))
        return err_set(err, ERR_INPUT, "state.db: another program's database");
    if (version > STATE_VERSION)
        return err_set(err, ERR_VERSION,
                       "state.db: made by a newer pacsutils (schema %d, this release knows %d)",
                       version, STATE_VERSION);
    if (run(state, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", err) < 0)
        return -1;
    if (version == STATE_VERSION)
        return 0;
    buf_addf(&sql,
             "BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
             tables, STATE_APPLICATION, STATE_VERSION);
    status = run(state, sql.data, err);
    if (status < 0)
        sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
    buf_free(&sql);
    return status;
}

static int hold(struct state *state, struct err *err)
{
    return lock_fd(state->lock, "state.lock", LOCK_MS, err);
}

struct state *state_open(const char *root, struct err *err)
{
    struct state *state = xcalloc(1, sizeof *state);
    char *path = xasprintf("%s/state.db", root), *lock = xasprintf("%s/state.lock", root);
    int status = -1;

    state->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (state->lock < 0) {
        err_sys(err, "%s", lock);
    } else if (sqlite3_open_v2(path, &state->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                               NULL) != SQLITE_OK) {
        err_set(err, ERR_FAILED, "%s: %s", path,
                state->db ? sqlite3_errmsg(state->db) : "out of memory");
    } else if (hold(state, err) == 0) {
        sqlite3_busy_timeout(state->db, LOCK_MS);
        status = prepare(state, err);
        unlock_fd(state->lock);
    }
    free(path);
    free(lock);
    if (status == 0)
        return state;
    state_close(state);
    return NULL;
}

void state_close(struct state *state)
{
    if (!state)
        return;
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(state->statement[i]);
    sqlite3_close(state->db);
    if (state->lock >= 0)
        close(state->lock);
    for (size_t i = 0; i < sizeof state->text / sizeof *state->text; i++)
        buf_free(&state->text[i]);
    buf_free(&state->blob);
    free(state);
}

static sqlite3_stmt *statement(struct state *state, enum statement which, struct err *err)
{
    if (!state->statement[which] &&
        sqlite3_prepare_v3(state->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                           &state->statement[which], NULL) != SQLITE_OK)
        failed(state, err);
    return state->statement[which];
}

/* A change that is a transaction by itself. */
static int change(struct state *state, sqlite3_stmt *change, struct err *err)
{
    int status = hold(state, err);

    if (status == 0) {
        status = sqlite3_step(change) == SQLITE_DONE ? 0 : failed(state, err);
        sqlite3_reset(change);
        unlock_fd(state->lock);
    }
    sqlite3_clear_bindings(change);
    return status;
}

int state_commitment_add(struct state *state, struct commitment *commitment, struct err *err)
{
    sqlite3_stmt *add = statement(state, SQL_ADD, err);

    if (!add)
        return -1;
    if (commitment->length > INT_MAX)
        return err_set(err, ERR_INPUT, "state.db: a request of %zu bytes", commitment->length);
    sqlite3_bind_text(add, 1, commitment->transaction_uid, -1, SQLITE_STATIC);
    sqlite3_bind_text(add, 2, commitment->calling_aet, -1, SQLITE_STATIC);
    sqlite3_bind_text(add, 3, commitment->called_aet, -1, SQLITE_STATIC);
    sqlite3_bind_blob(add, 4, commitment->request, (int)commitment->length, SQLITE_STATIC);
    sqlite3_bind_int64(add, 5, commitment->created_ms);
    if (change(state, add, err) < 0)
        return -1;
    commitment->id = sqlite3_last_insert_rowid(state->db);
    commitment->tries = 0;
    return 0;
}

static const char *keep(struct buf *buf, sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    buf_clear(buf);
    buf_adds(buf, text ? text : "");
    return buf_text(buf);
}

static void read_row(struct state *state, sqlite3_stmt *row, struct commitment *commitment)
{
    commitment->id = sqlite3_column_int64(row, 0);
    commitment->transaction_uid = keep(&state->text[0], row, 1);
    commitment->calling_aet = keep(&state->text[1], row, 2);
    commitment->called_aet = keep(&state->text[2], row, 3);
    buf_clear(&state->blob);
    buf_add(&state->blob, sqlite3_column_blob(row, 4), (size_t)sqlite3_column_bytes(row, 4));
    commitment->request = buf_text(&state->blob);
    commitment->length = state->blob.length;
    commitment->created_ms = sqlite3_column_int64(row, 5);
    commitment->tries = sqlite3_column_int(row, 6);
}

int state_commitment_take(struct state *state, int64_t now_ms, int64_t lease_ms,
                          struct commitment *commitment, struct err *err)
{
    sqlite3_stmt *due = statement(state, SQL_DUE, err), *lease = statement(state, SQL_LEASE, err);
    int status = -1, found;

    if (!due || !lease || hold(state, err) < 0)
        return -1;
    sqlite3_bind_int64(due, 1, now_ms);
    found = sqlite3_step(due);
    if (found == SQLITE_ROW)
        read_row(state, due, commitment);
    else if (found != SQLITE_DONE)
        failed(state, err);
    sqlite3_reset(due);
    if (found == SQLITE_DONE) {
        status = 0;
    } else if (found == SQLITE_ROW) {
        sqlite3_bind_int64(lease, 1, commitment->id);
        sqlite3_bind_int64(lease, 2, now_ms + lease_ms);
        status = sqlite3_step(lease) == SQLITE_DONE ? 1 : failed(state, err);
        sqlite3_reset(lease);
    }
    unlock_fd(state->lock);
    return status;
}

int state_commitment_done(struct state *state, int64_t id, struct err *err)
{
    sqlite3_stmt *done = statement(state, SQL_DONE, err);

    if (!done)
        return -1;
    sqlite3_bind_int64(done, 1, id);
    return change(state, done, err);
}

int state_commitment_later(struct state *state, int64_t id, int64_t next_ms, const char *why,
                           struct err *err)
{
    sqlite3_stmt *later = statement(state, SQL_LATER, err);

    if (!later)
        return -1;
    sqlite3_bind_int64(later, 1, id);
    sqlite3_bind_int64(later, 2, next_ms);
    sqlite3_bind_text(later, 3, why, -1, SQLITE_STATIC);
    return change(state, later, err);
}

int64_t state_commitments(struct state *state, struct err *err)
{
    sqlite3_stmt *count = statement(state, SQL_COUNT_ALL, err);
    int64_t found = -1;

    if (!count)
        return -1;
    if (sqlite3_step(count) == SQLITE_ROW)
        found = sqlite3_column_int64(count, 0);
    else
        failed(state, err);
    sqlite3_reset(count);
    return found;
}
