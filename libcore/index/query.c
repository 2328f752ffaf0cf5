/*
 * Queries: see query.h. The SQL is made in query_sql.c.
 */
#include "index/query_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

struct query *query_new(enum query_level level)
{
    struct query *query = xcalloc(1, sizeof *query);

    query->level = level;
    return query;
}

void query_free(struct query *query)
{
    if (!query)
        return;
    for (size_t i = 0; i < query->keys; i++)
        match_free(query->key[i].match);
    for (size_t i = 0; i < query->patients; i++)
        free(query->patient[i]);
    free(query->patient);
    free(query->key);
    free(query->output);
    free(query->order);
    buf_free(&query->references);
    free(query);
}

void query_add(struct query *query, struct match *match)
{
    struct query_key key = {.match = match, .level = LEVEL_INSTANCE};

    if (match_kind(match) == MATCH_UNIVERSAL && !match_negated(match)) {
        match_free(match);
        return;
    }
    key.attribute = attribute_find(match_tag(match));
    key.computed = computed_find(match_tag(match));
    if (key.attribute)
        key.level = key.attribute->level;
    else if (key.computed)
        key.level = key.computed->any_level ? query->level : key.computed->level;
    query->key = xreallocarray(query->key, query->keys + 1, sizeof key);
    query->key[query->keys++] = key;
}

static bool is_held(tag_t tag)
{
    return attribute_find(tag) || computed_find(tag);
}

int query_column(struct query *query, tag_t tag, struct err *err)
{
    const struct computed_info *computed = computed_find(tag);
    char name[10];

    /* Counts of lower levels are sums that no one asked for. */
    if (computed && !computed->any_level && computed->level > query->level &&
        computed->level != LEVEL_INSTANCE && computed->vr == VR_IS)
        return err_set(err, ERR_INPUT, "%s: no column of a %s", keyword_name(tag, name),
                       level_name(query->level));
    query->output = xreallocarray(query->output, query->outputs + 1, sizeof *query->output);
    query->output[query->outputs++] = (struct query_output){tag, !is_held(tag)};
    return 0;
}

int query_sort(struct query *query, tag_t tag, bool descending, struct err *err)
{
    char name[10];

    if (!is_held(tag))
        return err_set(err, ERR_INPUT,
                       "%s is not in the index, so there is no order by it: show it with -k and "
                       "sort the lines with sort(1)",
                       keyword_name(tag, name));
    query->order = xreallocarray(query->order, query->orders + 1, sizeof *query->order);
    query->order[query->orders++] = (struct query_order){tag, descending};
    return 0;
}

void query_limit(struct query *query, uint64_t limit)
{
    query->limit = limit;
}

void query_reference(struct query *query, const char *reference)
{
    query->any_reference = true;
    if (strncmp(reference, "patient:", 8) == 0) {
        query->patient = xreallocarray(query->patient, query->patients + 1, sizeof(char *));
        query->patient[query->patients++] = xstrdup(reference);
        return;
    }
    /* What is no UID names nothing: it may be left out, and is so kept out of the JSON. */
    if (!*reference || strspn(reference, "0123456789.") != strlen(reference))
        return;
    buf_addf(&query->references, "%s\"%s\"", query->references.length ? "," : "", reference);
}

/* ---- running ---- */

struct run {
    struct index *index;
    const struct query *query;
    sqlite3_stmt *rows, *objects;
    struct scanner *scanner;
    int root;
    bool header_keys, header_columns;
    struct buf reference, header; /* values of header columns, NUL-ended */
    const char **values;
    size_t *offset;
};

/* pacs_match(key, value) */
static void sql_match(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    const struct match *match = sqlite3_value_pointer(arguments[0], MATCH_POINTER);
    const char *text = (const char *)sqlite3_value_text(arguments[1]);

    (void)count;
    if (match)
        sqlite3_result_int(context,
                           match_test(match, text, (size_t)sqlite3_value_bytes(arguments[1])));
}

/* pacs_group(key, folded component group) */
static void sql_group(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    const struct match *match = sqlite3_value_pointer(arguments[0], MATCH_POINTER);
    const char *text = (const char *)sqlite3_value_text(arguments[1]);

    (void)count;
    if (match && text)
        sqlite3_result_int(context,
                           match_group(match, text, (size_t)sqlite3_value_bytes(arguments[1])));
}

/* pacs_path(path): absolute, so that other programs can open it wherever they run. */
static void sql_path(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    const struct index *index = sqlite3_user_data(context);
    const char *path = (const char *)sqlite3_value_text(arguments[0]);

    (void)count;
    if (path && *path != '/')
        sqlite3_result_text(context, xasprintf("%s/%s", index->root, path), -1, free);
    else
        sqlite3_result_value(context, arguments[0]);
}

static int add_functions(struct index *index, struct err *err)
{
    const int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY | SQLITE_DETERMINISTIC;

    if (index->matching)
        return 0;
    if (!index->db)
        return err_set(err, ERR_FAILED, "index.db: not open");
    if (sqlite3_create_function(index->db, "pacs_match", 2, flags, NULL, sql_match, NULL, NULL) !=
            SQLITE_OK ||
        sqlite3_create_function(index->db, "pacs_group", 2, flags, NULL, sql_group, NULL, NULL) !=
            SQLITE_OK ||
        sqlite3_create_function(index->db, "pacs_path", 1, flags, index, sql_path, NULL, NULL) !=
            SQLITE_OK)
        return index_failed(index, err);
    index->matching = true;
    return 0;
}

static int start_scanner(struct run *run, struct err *err)
{
    const struct query *query = run->query;
    tag_t *tags = xcalloc(query->keys + query->outputs + 1, sizeof *tags);
    size_t count = 0;

    for (size_t i = 0; i < query->keys; i++)
        if (!query->key[i].attribute && !query->key[i].computed) {
            tags[count++] = match_tag(query->key[i].match);
            run->header_keys = true;
        }
    for (size_t i = 0; i < query->outputs; i++)
        if (query->output[i].in_header) {
            tags[count++] = query->output[i].tag;
            run->header_columns = true;
        }
    if (count) {
        run->scanner = scanner_new(tags, count);
        run->root = open(run->index->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    free(tags);
    if (count && run->root < 0)
        return err_sys(err, "%s", run->index->root);
    return 0;
}

/* Whether there is a header to look at. */
static bool read_header(struct run *run, const char *path)
{
    struct err err;

    if (!path)
        return false;
    if (scan_path(run->scanner, run->root, path, &err) == SCAN_OK)
        return true;
    log_warn("%s", err.text);
    return false;
}

static bool header_fits(struct run *run)
{
    const struct query *query = run->query;

    for (size_t i = 0; i < query->keys; i++) {
        const struct query_key *key = &query->key[i];

        if (key->attribute || key->computed)
            continue;
        buf_clear(&run->header);
        scan_text(run->scanner, match_tag(key->match), &run->header);
        if (!match_test(key->match, buf_text(&run->header), run->header.length))
            return false;
    }
    return true;
}

/* 1 when an object of the entity fulfils the header keys; its header stays in the scanner. */
static int find_object(struct run *run, int64_t id, struct err *err)
{
    int result, found = 0;

    sqlite3_bind_int64(run->objects, 1, id);
    while (!found && (result = sqlite3_step(run->objects)) == SQLITE_ROW)
        found = read_header(run, (const char *)sqlite3_column_text(run->objects, 0)) &&
                header_fits(run);
    sqlite3_reset(run->objects);
    if (!found && result != SQLITE_DONE)
        return index_failed(run->index, err);
    return found;
}

static void fill_header(struct run *run, bool have)
{
    const struct query *query = run->query;

    buf_clear(&run->header);
    for (size_t i = 0; i < query->outputs; i++) {
        run->offset[i] = run->header.length;
        if (query->output[i].in_header && have)
            scan_text(run->scanner, query->output[i].tag, &run->header);
        buf_addc(&run->header, '\0');
    }
}

static bool ends_with_caret(const char *text)
{
    size_t length = strlen(text);

    return length && text[length - 1] == '^';
}

/* Can stand in a reference: no printer changes it, and its two parts are told apart. */
static bool is_plain(const char *text)
{
    if (strstr(text, "^^^"))
        return false;
    while (*text) {
        uint32_t code;

        text += text_next(text, &code);
        if (code == TEXT_INVALID || text_is_control(code))
            return false;
    }
    return true;
}

/* What would be read otherwise, or breaks a line, is named by its row. */
static bool needs_number(const char *id, const char *issuer)
{
    return !*id || *id == '#' || !is_plain(id) || !is_plain(issuer) ||
           (*issuer && ends_with_caret(id));
}

static void fill_reference(struct run *run)
{
    const char *id = (const char *)sqlite3_column_text(run->rows, 1);
    const char *issuer = (const char *)sqlite3_column_text(run->rows, 2);

    buf_clear(&run->reference);
    id = id ? id : "";
    issuer = issuer ? issuer : "";
    if (run->query->level != LEVEL_PATIENT)
        buf_adds(&run->reference, id);
    else if (needs_number(id, issuer))
        buf_addf(&run->reference, "patient:#%lld", (long long)sqlite3_column_int64(run->rows, 0));
    else
        buf_addf(&run->reference, "patient:%s%s%s", id, *issuer ? "^^^" : "", issuer);
}

static int give_row(struct run *run, query_each *each, void *context, struct err *err)
{
    const struct query *query = run->query;
    struct query_row row = {.values = run->values};

    if (run->header_columns)
        fill_header(run, run->header_keys ||
                             read_header(run, (const char *)sqlite3_column_text(run->rows, 3)));
    for (size_t i = 0; i < query->outputs; i++) {
        const char *text =
            query->output[i].in_header
                ? run->header.data + run->offset[i]
                : (const char *)sqlite3_column_text(run->rows, (int)(QUERY_FIXED + i));

        run->values[i] = text && *text ? text : NULL;
    }
    fill_reference(run);
    row.reference = buf_text(&run->reference);
    return each(context, &row, err);
}

static int prepare(struct run *run, struct err *err)
{
    const struct query *query = run->query;
    struct sql rows = {0}, objects = {0};
    int64_t *patients = xcalloc(query->patients + 1, sizeof *patients);
    int status = -1;

    for (size_t i = 0; i < query->patients; i++) {
        patients[i] = patient_of_reference(run->index, query->patient[i], err);
        if (patients[i] < 0)
            goto out;
    }
    if (add_functions(run->index, err) < 0)
        goto out;
    sql_of_query(query, patients, &rows);
    if (sql_prepare(run->index, &rows, &run->rows, err) < 0)
        goto out;
    if (run->header_keys) {
        sql_of_objects(query, &objects);
        if (sql_prepare(run->index, &objects, &run->objects, err) < 0)
            goto out;
    }
    status = 0;
out:
    run->values = xcalloc(query->outputs + 1, sizeof *run->values);
    run->offset = xcalloc(query->outputs + 1, sizeof *run->offset);
    sql_free(&rows);
    sql_free(&objects);
    free(patients);
    return status;
}

static int64_t run_rows(struct run *run, query_each *each, void *context, struct err *err)
{
    int64_t count = 0;
    int result = SQLITE_ROW, found;

    while ((run->query->limit == 0 || (uint64_t)count < run->query->limit) &&
           (result = sqlite3_step(run->rows)) == SQLITE_ROW) {
        if (run->header_keys) {
            found = find_object(run, sqlite3_column_int64(run->rows, 0), err);
            if (found < 0)
                return -1;
            if (!found)
                continue;
        }
        count++;
        if (give_row(run, each, context, err) != 0)
            return -1;
    }
    return result == SQLITE_ROW || result == SQLITE_DONE ? count : index_failed(run->index, err);
}

int64_t index_query(struct index *index, const struct query *query, query_each *each, void *context,
                    struct err *err)
{
    struct run run = {.index = index, .query = query, .root = -1};
    int64_t count = -1;

    /* Nothing that was named can be there. */
    if (query->any_reference && !query->references.length && !query->patients)
        return 0;
    if (start_scanner(&run, err) == 0 && prepare(&run, err) == 0)
        count = run_rows(&run, each, context, err);
    sqlite3_finalize(run.rows);
    sqlite3_finalize(run.objects);
    if (run.scanner)
        scanner_free(run.scanner);
    if (run.root >= 0)
        close(run.root);
    buf_free(&run.reference);
    buf_free(&run.header);
    free(run.values);
    free(run.offset);
    return count;
}

/* ---- the objects behind a reference ---- */

static int64_t give_objects(struct index *index, sqlite3_stmt *statement, index_each_object *each,
                            void *context, struct err *err)
{
    int64_t count = 0;
    int result = SQLITE_DONE, status = 0;

    while (status == 0 && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct index_object object = {
            .path = (const char *)sqlite3_column_text(statement, 0),
            .study_uid = (const char *)sqlite3_column_text(statement, 1),
            .series_uid = (const char *)sqlite3_column_text(statement, 2),
            .sop_uid = (const char *)sqlite3_column_text(statement, 3),
            .sop_class_uid = (const char *)sqlite3_column_text(statement, 4),
            .transfer_syntax = (const char *)sqlite3_column_text(statement, 5),
            .size = (uint64_t)sqlite3_column_int64(statement, 6),
        };

        if (!object.path || !object.study_uid || !object.series_uid || !object.sop_uid)
            status = index_damaged(err);
        else
            status = each(context, &object, err);
        count++;
    }
    sqlite3_reset(statement);
    if (status)
        return -1;
    return result == SQLITE_DONE ? count : index_failed(index, err);
}

int64_t index_objects(struct index *index, const char *reference, index_each_object *each,
                      void *context, struct err *err)
{
    static const enum statement by_uid[] = {SQL_OBJECTS_OF_STUDY, SQL_OBJECTS_OF_SERIES,
                                            SQL_OBJECTS_OF_INSTANCE};
    sqlite3_stmt *statement;
    int64_t count = 0, patient;

    if (strncmp(reference, "patient:", 8) == 0) {
        patient = patient_of_reference(index, reference, err);
        if (patient < 0 || !(statement = index_statement(index, SQL_OBJECTS_OF_PATIENT, err)))
            return -1;
        sqlite3_bind_int64(statement, 1, patient);
        count = give_objects(index, statement, each, context, err);
    } else {
        for (size_t i = 0; i < 3 && count == 0; i++) {
            if (!(statement = index_statement(index, by_uid[i], err)))
                return -1;
            bind_text(statement, 1, reference);
            count = give_objects(index, statement, each, context, err);
        }
    }
    return count ? count : err_set(err, ERR_NOTFOUND, "%s: not in the index", reference);
}
