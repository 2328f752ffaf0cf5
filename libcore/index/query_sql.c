/*
 * A query as SQL. Values are bound, never written into the text. Each key is decided by pacs_match,
 * which calls match_test; before it stand conditions that an index can serve, wherever the key allows
 * some (narrow()). The key itself is bound as a pointer.
 */
#include "index/query_internal.h"

#include <stdlib.h>
#include <string.h>

static const char alias[] = "psri";

const char object_path[] =
    "CASE WHEN i.path IS NULL THEN s.folder || '/' || r.uid || '/' || i.uid || '.dcm' ELSE "
    "rtrim((SELECT path FROM folder WHERE id = i.folder), '/') || '/' || i.path END";

void sql_free(struct sql *sql)
{
    for (size_t i = 0; i < sql->parameters; i++)
        free(sql->parameter[i].text);
    free(sql->parameter);
    buf_free(&sql->text);
}

int sql_prepare(struct index *index, const struct sql *sql, sqlite3_stmt **statement,
                struct err *err)
{
    if (sqlite3_prepare_v2(index->db, buf_text(&sql->text), -1, statement, NULL) != SQLITE_OK)
        return index_failed(index, err);
    for (size_t i = 0; i < sql->parameters; i++) {
        int at = (int)i + 1;

        if (sql->parameter[i].match)
            sqlite3_bind_pointer(*statement, at, (void *)sql->parameter[i].match, MATCH_POINTER,
                                 NULL);
        else if (sql->parameter[i].text)
            sqlite3_bind_text(*statement, at, sql->parameter[i].text, -1, SQLITE_TRANSIENT);
        else
            sqlite3_bind_int64(*statement, at, sql->parameter[i].number);
    }
    return 0;
}

/* Parameters are numbered as they are bound. */
static void bind(struct sql *sql, struct parameter parameter)
{
    sql->parameter = xreallocarray(sql->parameter, sql->parameters + 1, sizeof *sql->parameter);
    sql->parameter[sql->parameters++] = parameter;
    buf_addf(&sql->text, "?%zu", sql->parameters);
}

static void bind_take(struct sql *sql, char *text)
{
    bind(sql, (struct parameter){.text = text});
}

static void bind_copy(struct sql *sql, const char *text)
{
    bind_take(sql, xstrdup(text));
}

/* "FUNCTION(key, value)": the functions are those of query.c. */
static void test(struct sql *sql, const char *function, const struct query_key *key,
                 const char *value)
{
    buf_addf(&sql->text, "%s(", function);
    bind(sql, (struct parameter){.match = key->match});
    buf_addf(&sql->text, ", %s)", value);
}

/* Only UIDs and other short texts come here; a list of a hundred thousand is one parameter. */
static void json_add(struct buf *json, const char *text)
{
    buf_addc(json, '"');
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20)
            buf_addf(json, "\\u%04x", *text);
        else {
            if (*text == '"' || *text == '\\')
                buf_addc(json, '\\');
            buf_addc(json, *text);
        }
    }
    buf_addc(json, '"');
}

static void is_one_of(struct sql *sql, const struct match *match)
{
    const char *const *value;
    size_t count = match_exact(match, &value);
    struct buf json = {0};

    if (count == 1) {
        buf_adds(&sql->text, " = ");
        bind_copy(sql, value[0]);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        buf_addc(&json, i ? ',' : '[');
        json_add(&json, value[i]);
    }
    buf_addc(&json, ']');
    buf_adds(&sql->text, " IN (SELECT value FROM json_each(");
    bind_take(sql, buf_take(&json));
    buf_adds(&sql->text, "))");
}

/* No UTF-8 text has the byte 0xff: it comes after all that begin with the prefix. */
static void begins_with(struct sql *sql, const char *column, const char *prefix)
{
    buf_addf(&sql->text, "%s >= ", column);
    bind_copy(sql, prefix);
    buf_addf(&sql->text, " AND %s < ", column);
    bind_take(sql, xasprintf("%s\xff", prefix));
}

static bool same_attribute(const struct query_key *key, enum attribute attribute)
{
    return key->attribute == &attributes[attribute];
}

static bool has_index(const struct query_key *key)
{
    return key->attribute &&
           (key->attribute->use == USE_UNIQUE || same_attribute(key, ATTRIBUTE_ACCESSION_NUMBER));
}

static bool is_dated(const struct query_key *key)
{
    return same_attribute(key, ATTRIBUTE_STUDY_DATE) ||
           same_attribute(key, ATTRIBUTE_PATIENT_BIRTH_DATE);
}

static void in_range(struct sql *sql, const char *column, const struct match *match)
{
    if (match_low(match)) {
        buf_addf(&sql->text, " AND %s >= ", column);
        bind_copy(sql, match_low(match));
    }
    if (match_high(match)) {
        buf_addf(&sql->text, " AND %s <= ", column);
        bind_copy(sql, match_high(match));
    }
}

static bool positive(const struct match *match)
{
    return !match_negated(match) && match_kind(match) != MATCH_EMPTY;
}

/* Conditions that hold whenever the key does, and that an index serves. */
static void narrow(struct sql *sql, const struct query_key *key, const char *column)
{
    const char *prefix = match_prefix(key->match);
    const char *const *value;

    if (is_dated(key)) {
        in_range(sql, column, key->match);
    } else if (same_attribute(key, ATTRIBUTE_PATIENT_NAME)) {
        /* A folded group costs a tenth of a whole name, and a patient has one row, not each study. */
        if (prefix) {
            buf_adds(&sql->text, " AND p.id IN (SELECT patient FROM patient_name WHERE ");
            begins_with(sql, "key", prefix);
            buf_adds(&sql->text, ")");
        } else if (positive(key->match) && !match_group(key->match, "", 0)) {
            buf_adds(&sql->text, " AND p.id IN (SELECT patient FROM patient_name WHERE ");
            test(sql, "pacs_group", key, "key");
            buf_adds(&sql->text, ")");
        }
    } else if (has_index(key) && match_exact(key->match, &value)) {
        buf_addf(&sql->text, " AND %s", column);
        is_one_of(sql, key->match);
    } else if (has_index(key) && prefix) {
        buf_adds(&sql->text, " AND ");
        begins_with(sql, column, prefix);
    }
}

/* Whether some key or reference leads to few entities by itself, so that the others are best tested on
 * each of those. */
static bool is_selective(const struct query *query)
{
    for (size_t i = 0; i < query->keys; i++) {
        const struct query_key *key = &query->key[i];
        const char *const *value;

        if ((has_index(key) && (match_exact(key->match, &value) || match_prefix(key->match))) ||
            (same_attribute(key, ATTRIBUTE_PATIENT_NAME) && match_prefix(key->match)) ||
            (is_dated(key) && (match_low(key->match) || match_high(key->match))))
            return true;
    }
    return query->any_reference;
}

/* study_modality holds each modality of each study. */
static void has_modality(const struct query *query, struct sql *sql, const struct query_key *key)
{
    bool each = is_selective(query);
    const char *const *value;

    buf_addf(&sql->text, " AND %s (SELECT study FROM study_modality WHERE %s",
             each ? "EXISTS" : "s.id IN", each ? "study = s.id AND " : "");
    if (match_exact(key->match, &value)) {
        buf_adds(&sql->text, "modality");
        is_one_of(sql, key->match);
    } else {
        test(sql, "pacs_match", key, "modality");
    }
    buf_adds(&sql->text, ")");
}

static bool is_term(const struct attribute_info *attribute)
{
    return attribute == &attributes[ATTRIBUTE_SOP_CLASS_UID] ||
           attribute == &attributes[ATTRIBUTE_TRANSFER_SYNTAX_UID];
}

static void decide(const struct query *query, struct sql *sql, size_t number)
{
    const struct query_key *key = &query->key[number];
    char *column;

    if (key->computed) {
        if (key->computed->tag == TAG(0x0008, 0x0061) && positive(key->match)) {
            has_modality(query, sql, key);
            return;
        }
        buf_adds(&sql->text, " AND ");
        test(sql, "pacs_match", key, key->computed->sql[key->level]);
        return;
    }
    column = xasprintf("%c.%s", alias[key->level], key->attribute->column);
    if (is_term(key->attribute)) {
        buf_addf(&sql->text, " AND (%s IN (SELECT id FROM term WHERE ", column);
        test(sql, "pacs_match", key, "text");
        buf_addf(&sql->text, ") OR (%s IS NULL AND ", column);
        test(sql, "pacs_match", key, "NULL");
        buf_adds(&sql->text, "))");
    } else {
        narrow(sql, key, column);
        buf_adds(&sql->text, " AND ");
        test(sql, "pacs_match", key, column);
    }
    free(column);
}

/* The tables from `top` down to `bottom`, joined. */
static void from_tables(struct buf *text, enum query_level top, enum query_level bottom)
{
    static const char *const up[] = {"", "patient", "study", "series"};

    buf_addf(text, "%s AS %c", level_name(bottom), alias[bottom]);
    for (int level = (int)bottom - 1; level >= (int)top; level--)
        buf_addf(text, " JOIN %s AS %c ON %c.id = %c.%s", level_name((enum query_level)level),
                 alias[level], alias[level], alias[level + 1], up[level + 1]);
}

static bool held(const struct query_key *key)
{
    return key->attribute || key->computed;
}

/* The deepest level that a held key asks about; the query's own when none is below it. */
static enum query_level deepest(const struct query *query)
{
    enum query_level level = query->level;

    for (size_t i = 0; i < query->keys; i++)
        if (held(&query->key[i]) && query->key[i].level > level)
            level = query->key[i].level;
    return level;
}

static void keys_between(const struct query *query, struct sql *sql, enum query_level top,
                         enum query_level bottom)
{
    for (size_t i = 0; i < query->keys; i++)
        if (held(&query->key[i]) && query->key[i].level >= top && query->key[i].level <= bottom)
            decide(query, sql, i);
}

/* The column that names the row above. */
static const char *const parent[LEVEL_INSTANCE + 2] = {"", "patient", "study", "series", ""};

/* "AND x.id IN (SELECT the entity's row FROM tables down to the key's WHERE column": the rest follows. */
static void entity_of(const struct query *query, struct sql *sql, const struct query_key *key)
{
    enum query_level below = (enum query_level)(query->level + 1);

    buf_addf(&sql->text, " AND %c.id IN (SELECT %c.%s FROM ", alias[query->level], alias[below],
             parent[below]);
    from_tables(&sql->text, below, key->level);
    buf_adds(&sql->text, " WHERE 1");
}

/* What the lower keys say about the entity itself, so that an index can find it: by modality, by date, and
 * by the UID of something in it. */
static void narrow_by_lower(const struct query *query, struct sql *sql)
{
    for (size_t i = 0; i < query->keys; i++) {
        const struct query_key *key = &query->key[i];
        const char *const *value;

        if (key->level <= query->level || !key->attribute)
            continue;
        if (same_attribute(key, ATTRIBUTE_MODALITY) && query->level == LEVEL_STUDY &&
            positive(key->match) && !is_selective(query))
            has_modality(query, sql, key);
        if ((has_index(key) && match_exact(key->match, &value)) ||
            (is_dated(key) && (match_low(key->match) || match_high(key->match)))) {
            char *column = xasprintf("%c.%s", alias[key->level], key->attribute->column);

            entity_of(query, sql, key);
            narrow(sql, key, column);
            buf_adds(&sql->text, ")");
            free(column);
        }
    }
}

static void lower_keys(const struct query *query, struct sql *sql)
{
    enum query_level bottom = deepest(query), below = (enum query_level)(query->level + 1);

    if (bottom == query->level)
        return;
    narrow_by_lower(query, sql);
    buf_adds(&sql->text, " AND EXISTS (SELECT 1 FROM ");
    from_tables(&sql->text, below, bottom);
    buf_addf(&sql->text, " WHERE %c.%s = %c.id", alias[below], parent[below], alias[query->level]);
    keys_between(query, sql, below, bottom);
    buf_adds(&sql->text, ")");
}

/* ---- references ---- */

/* Entities of the query's level that are, hold, or lie in what the UIDs name. */
static void of_references(const struct query *query, const int64_t *patients, struct sql *sql)
{
    enum query_level level = query->level;
    bool first = true;

    if (!query->any_reference)
        return;
    buf_addf(&sql->text, " AND %c.id IN (", alias[level]);
    for (enum query_level named = LEVEL_STUDY; query->references.length && named <= LEVEL_INSTANCE;
         named++) {
        buf_addf(&sql->text, "%sSELECT %c.id FROM ", first ? "" : " UNION ", alias[level]);
        from_tables(&sql->text, named < level ? named : level, named < level ? level : named);
        buf_addf(&sql->text, " WHERE %c.uid IN (SELECT value FROM json_each(", alias[named]);
        bind_take(sql, xasprintf("[%s]", buf_text(&query->references)));
        buf_adds(&sql->text, "))");
        first = false;
    }
    if (query->patients) {
        struct buf rows = {0};

        for (size_t i = 0; i < query->patients; i++)
            buf_addf(&rows, "%c%lld", i ? ',' : '[', (long long)patients[i]);
        buf_addc(&rows, ']');
        buf_addf(&sql->text, "%sSELECT %c.id FROM ", first ? "" : " UNION ", alias[level]);
        from_tables(&sql->text, LEVEL_PATIENT, level);
        buf_adds(&sql->text, " WHERE p.id IN (SELECT value FROM json_each(");
        bind_take(sql, buf_take(&rows));
        buf_adds(&sql->text, "))");
    }
    buf_adds(&sql->text, ")");
}

/* ---- columns and order ---- */

/* A held tag at the query's level, or the distinct values of a lower one. */
static void expression(const struct query *query, tag_t tag, struct buf *text)
{
    const struct attribute_info *attribute = attribute_find(tag);
    const struct computed_info *computed = computed_find(tag);
    enum query_level level = attribute ? attribute->level : computed->level, at = level;
    struct buf value = {0};

    if (computed && query->level > level)
        at = query->level;
    if (computed && computed->any_level)
        level = at = query->level;
    if (computed)
        buf_adds(&value, computed->sql[at]);
    else if (is_term(attribute))
        buf_addf(&value, "(SELECT text FROM term WHERE id = i.%s)", attribute->column);
    else
        buf_addf(&value, "%c.%s", alias[level], attribute->column);
    if (level <= query->level) {
        buf_adds(text, buf_text(&value));
    } else {
        enum query_level below = (enum query_level)(query->level + 1);

        buf_addf(text, "(SELECT group_concat(value, '\\') FROM (SELECT DISTINCT %s AS value FROM ",
                 buf_text(&value));
        /* The path needs the study, which may be above. */
        from_tables(text, below, level);
        buf_addf(text, " WHERE %c.%s = %c.id AND value <> '' LIMIT 100))", alias[below],
                 parent[below], alias[query->level]);
    }
    buf_free(&value);
}

static bool in_headers(const struct query *query)
{
    for (size_t i = 0; i < query->keys; i++)
        if (!held(&query->key[i]))
            return true;
    return false;
}

static void order_by(const struct query *query, struct buf *text)
{
    for (size_t i = 0; i < query->orders; i++) {
        const struct query_order *order = &query->order[i];
        vr_t vr = keyword_vr(order->tag);
        bool number = vr == VR_DS || vr == VR_IS || vr == VR_US || vr == VR_UV;

        buf_adds(text, i ? ", " : " ORDER BY ");
        if (number)
            buf_adds(text, "CAST(");
        expression(query, order->tag, text);
        if (number)
            buf_adds(text, " AS REAL)");
        if (vr == VR_PN)
            buf_adds(text, " COLLATE NOCASE");
        if (order->descending)
            buf_adds(text, " DESC");
    }
    /* Equal ones in the order in which they came, so that an answer can be compared with another. */
    if (query->orders)
        buf_addf(text, ", %c.id", alias[query->level]);
    /* Of a sorted answer only so many rows are kept; not when headers have a say. */
    if (query->limit && query->limit < INT64_MAX && !in_headers(query))
        buf_addf(text, " LIMIT %llu", (unsigned long long)query->limit);
}

/* The first object of the entity, in the order in which they came. */
static void first_object(const struct query *query, struct buf *text)
{
    enum query_level below = (enum query_level)(query->level + 1);

    if (query->level == LEVEL_INSTANCE) {
        buf_adds(text, object_path);
        return;
    }
    buf_addf(text, "(SELECT %s FROM ", object_path);
    from_tables(text, query->level == LEVEL_PATIENT ? LEVEL_STUDY : below, LEVEL_INSTANCE);
    buf_addf(text, " WHERE %c.%s = %c.id LIMIT 1)", alias[below], parent[below],
             alias[query->level]);
}

void sql_of_query(const struct query *query, const int64_t *patients, struct sql *sql)
{
    bool headers = false;

    for (size_t i = 0; i < query->outputs; i++)
        headers = headers || query->output[i].in_header;
    buf_addf(&sql->text, "SELECT %c.id, %s, ", alias[query->level],
             query->level == LEVEL_PATIENT  ? "p.patient_id, p.issuer"
             : query->level == LEVEL_STUDY  ? "s.uid, NULL"
             : query->level == LEVEL_SERIES ? "r.uid, NULL"
                                            : "i.uid, NULL");
    if (headers)
        first_object(query, &sql->text);
    else
        buf_adds(&sql->text, "NULL");
    for (size_t i = 0; i < query->outputs; i++) {
        buf_adds(&sql->text, ", ");
        if (query->output[i].in_header)
            buf_adds(&sql->text, "NULL");
        else
            expression(query, query->output[i].tag, &sql->text);
    }
    buf_adds(&sql->text, " FROM ");
    from_tables(&sql->text, LEVEL_PATIENT, query->level);
    buf_adds(&sql->text, " WHERE 1");
    keys_between(query, sql, LEVEL_PATIENT, query->level);
    lower_keys(query, sql);
    of_references(query, patients, sql);
    order_by(query, &sql->text);
}

void sql_of_objects(const struct query *query, struct sql *sql)
{
    buf_addf(&sql->text, "SELECT %s FROM ", object_path);
    from_tables(&sql->text, query->level < LEVEL_STUDY ? query->level : LEVEL_STUDY,
                LEVEL_INSTANCE);
    buf_addf(&sql->text, " WHERE %c.id = ", alias[query->level]);
    bind(sql, (struct parameter){0});
    if (query->level < LEVEL_INSTANCE)
        keys_between(query, sql, (enum query_level)(query->level + 1), LEVEL_INSTANCE);
}
