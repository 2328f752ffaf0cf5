/*
 * pacs-find: asks the index or peers for patients, studies, series or instances, by Keyword=value, and prints
 * a line for each. What matches, and how the lines look, is decided in libcore: match.h, query.h, print.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "base/print.h"
#include "base/refs.h"
#include "base/rows.h"
#include "index/archive.h"
#include "index/query.h"
#include "net/ask.h"
#include "net/peers.h"
#include "net/query_scu.h"

struct find_options {
    const char *archive;
    int verbose;
    bool quiet;
    int level;
    const char *columns, *sort;
    long long limit, timeout;
    bool table, tsv, csv, json, nul;
};

#define FIELD(name) offsetof(struct find_options, name)
static const struct option_entry table[] = {
    {'L', "level", OPTION_CHOICE, FIELD(level), "patient|study|series|instance",
     "what a line stands for (study)"},
    {'k', "columns", OPTION_TEXT, FIELD(columns), "KEYWORD,...", "the columns after the reference"},
    {0, "sort", OPTION_TEXT, FIELD(sort), "KEYWORD,...", "order; -KEYWORD: the other way round"},
    {0, "limit", OPTION_NUMBER, FIELD(limit), "N", "at most N lines"},
    {'t', "timeout", OPTION_NUMBER, FIELD(timeout), "S", "seconds of a peer's silence"},
    {0, NULL, OPTION_HEADING, 0, NULL,
     "How lines look (a table on a terminal, else tab-separated):"},
    {0, "table", OPTION_FLAG, FIELD(table), NULL, "aligned columns under a header"},
    {0, "tsv", OPTION_FLAG, FIELD(tsv), NULL, "tab-separated"},
    {0, "csv", OPTION_FLAG, FIELD(csv), NULL, "comma-separated, with a header"},
    {0, "json", OPTION_FLAG, FIELD(json), NULL, "one JSON object a line"},
    {'0', "null", OPTION_FLAG, FIELD(nul), NULL, "ended by NUL, also those read for \"-\""},
    {0, NULL, OPTION_HEADING, 0, NULL, "Common:"},
    OPTIONS_COMMON(struct find_options),
    OPTIONS_END,
};
static const struct options_usage usage = {
    "[options] [@PEER...] [Keyword=value...] [REFERENCE...|-]",
    "Finds patients, studies, series or instances in the index, or in those of peers.",
    "Keys: PatientName=doe* Modality=CT,MR StudyDate=20240101-20240630 StudyDate=30d-\n"
    "      'Rows>=512' 'SliceThickness<2' 'AccessionNumber=\"\"'; all must hold.\n"
    "@PEER (or AET@HOST:PORT) asks a peer, @all all peers, @local the index.\n"
    "Status: 0 something matched, 1 nothing did, 2 could not look everywhere.",
    table,
};

/* The columns without -k: what one wants to see of each, the widest last. */
static const char *const usual_columns[] = {
    "PatientID,PatientName,PatientBirthDate,PatientSex,NumberOfPatientRelatedStudies,"
    "NumberOfPatientRelatedInstances",
    "StudyDate,ModalitiesInStudy,PatientID,PatientName,AccessionNumber,"
    "NumberOfStudyRelatedInstances,StudyDescription",
    "StudyDate,Modality,PatientID,PatientName,SeriesNumber,BodyPartExamined,"
    "NumberOfSeriesRelatedInstances,SeriesDescription",
    "PatientID,Modality,SeriesNumber,InstanceNumber,Size,Path",
};
/* A header in a table must not be much wider than what stands below it. */
static const struct {
    const char *keyword, *label;
} labels[] = {
    {"AccessionNumber", "Accession"},
    {"ModalitiesInStudy", "Modalities"},
    {"PatientBirthDate", "BirthDate"},
    {"NumberOfPatientRelatedStudies", "Studies"},
    {"NumberOfPatientRelatedSeries", "Series"},
    {"NumberOfPatientRelatedInstances", "Instances"},
    {"NumberOfStudyRelatedSeries", "Series"},
    {"NumberOfStudyRelatedInstances", "Instances"},
    {"NumberOfSeriesRelatedInstances", "Instances"},
    {"SOPClassesInStudy", "SOPClasses"},
};

struct find {
    struct find_options options;
    enum query_level level;
    struct query *query;
    struct print_column *columns;
    size_t count;
    struct printer *printer; /* NULL with -q */
    const char **values;
    /* Peers: who is asked, and what, as typed. */
    const char **source;
    size_t sources;
    bool all_peers;
    struct peers *peers;
    struct ask_question question;
    struct order {
        tag_t tag;
        bool descending;
    } * order;
    size_t orders;
    struct rows *rows; /* with --sort: gathered */
    bool overflow;
    uint64_t printed;
};

/* ---- columns and order ---- */

static bool is_number(vr_t vr)
{
    static const vr_t numbers[] = {VR_IS, VR_DS, VR_US, VR_SS, VR_UL,
                                   VR_SL, VR_UV, VR_SV, VR_FL, VR_FD};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (vr == numbers[i])
            return true;
    return false;
}

/* What cannot be written as text can be neither a key nor a column. */
static int check_readable(tag_t tag, struct err *err)
{
    static const vr_t opaque[] = {VR_SQ, VR_OB, VR_OD, VR_OF, VR_OL, VR_OV, VR_OW};
    vr_t vr = keyword_vr(tag);
    char space[10];

    for (size_t i = 0; i < sizeof opaque / sizeof *opaque; i++)
        if (vr == opaque[i])
            return err_set(err, ERR_INPUT, "%s is %s: it has no text to match or to show",
                           keyword_name(tag, space), vr == VR_SQ ? "a sequence" : "binary data");
    return 0;
}

static void describe_column(struct find *find, const char *name, vr_t vr)
{
    struct print_column column = {.name = xstrdup(name), .right = is_number(vr)};

    if (vr) {
        column.vr[0] = (char)(vr >> 8);
        column.vr[1] = (char)(vr & 0xff);
    }
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (strcmp(name, labels[i].keyword) == 0)
            column.label = labels[i].label;
    find->columns = xreallocarray(find->columns, find->count + 1, sizeof column);
    find->columns[find->count++] = column;
}

static void add_text(struct buf *list, const char *text)
{
    buf_add(list, text, strlen(text) + 1);
}

static int add_column(struct find *find, tag_t tag, struct err *err)
{
    vr_t vr = keyword_vr(tag);
    char space[10];

    if (check_readable(tag, err) < 0 || query_column(find->query, tag, err) < 0)
        return -1;
    /* A path is one text, whatever is in it. */
    if (tag == TAG_PATH && find->level == LEVEL_INSTANCE)
        vr = VR_UR;
    describe_column(find, keyword_name(tag, space), vr);
    add_text(&find->question.columns, keyword_name(tag, space));
    find->question.column_count++;
    return 0;
}

static int add_order(struct find *find, tag_t tag, bool descending, struct err *err)
{
    find->order = xreallocarray(find->order, find->orders + 1, sizeof *find->order);
    find->order[find->orders++] = (struct order){tag, descending};
    return query_sort(find->query, tag, descending, err);
}

/* "Keyword,Keyword,..."; with `order` a '-' before one turns its order round. */
static int read_list(struct find *find, const char *list, bool order, struct err *err)
{
    int status = 0;

    while (status == 0) {
        size_t length = keyword_span(list);
        bool descending = order && *list == '-';
        char *name = xstrndup(list + descending, length - descending);
        tag_t tag;

        status = keyword_parse(name, &tag, err);
        free(name);
        if (status == 0)
            status = order ? add_order(find, tag, descending, err) : add_column(find, tag, err);
        if (!list[length])
            break;
        list += length + 1;
    }
    return status;
}

static int read_columns(struct find *find, struct err *err)
{
    static const char *const uid[] = {"Reference", "StudyInstanceUID", "SeriesInstanceUID",
                                      "SOPInstanceUID"};
    const char *columns = find->options.columns;

    describe_column(find, uid[find->level], VR_NONE);
    if (!columns)
        columns = find->options.quiet ? "" : usual_columns[find->level];
    if (*columns && read_list(find, columns, false, err) < 0)
        return err_prefix(err, "-k");
    if (find->options.sort && read_list(find, find->options.sort, true, err) < 0)
        return err_prefix(err, "--sort");
    return 0;
}

/* ---- keys and references ---- */

static bool is_reference(const char *word)
{
    size_t length = strspn(word, "0123456789.");

    return strncmp(word, "patient:", 8) == 0 || (length && !word[length] && strchr(word, '.'));
}

static int add_reference(void *context, const char *reference, const char *line, struct err *err)
{
    struct find *find = context;

    (void)line;
    if (!is_reference(reference))
        return err_set(err, ERR_INPUT, "stdin: \"%.80s\" is neither a UID nor patient:ID",
                       reference);
    query_reference(find->query, reference);
    add_text(&find->question.references, reference);
    return 0;
}

static int add_key(struct find *find, const char *word, struct err *err)
{
    struct match *match = match_parse(word, err);

    if (!match)
        return -1;
    if (check_readable(match_tag(match), err) < 0) {
        match_free(match);
        return -1;
    }
    query_add(find->query, match);
    add_text(&find->question.keys, word);
    return 0;
}

static int add_source(struct find *find, const char *name)
{
    if (strcmp(name, "all") == 0) {
        find->all_peers = true;
        return 0;
    }
    for (size_t i = 0; i < find->sources; i++)
        if (strcmp(find->source[i], name) == 0)
            return 0;
    find->source = xreallocarray(find->source, find->sources + 1, sizeof(char *));
    find->source[find->sources++] = name;
    return 0;
}

static int add_operand(struct find *find, char *word, struct err *err)
{
    if (strcmp(word, "-") == 0) {
        find->question.any_reference = true;
        query_reference(find->query, ""); /* if nothing comes, nothing is asked for */
        return refs_loop(1, &word, find->options.nul, add_reference, find, err);
    }
    if (*word == '@')
        return add_source(find, word + 1);
    if (is_reference(word)) {
        find->question.any_reference = true;
        return add_reference(find, word, word, err);
    }
    if (ref_is_path(word))
        return err_set(err, ERR_INPUT, "%s: a file is found by the UID of its object", word);
    return add_key(find, word, err);
}

/* ---- the answer ---- */

static enum print_format format_of(const struct find_options *options)
{
    int asked = options->table + options->tsv + options->csv + options->json + options->nul;
    struct err err;

    if (asked > 1) {
        err_set(&err, ERR_INPUT, "only one of --table, --tsv, --csv, --json and -0 is possible");
        die(2, &err);
    }
    return options->table  ? PRINT_TABLE
           : options->tsv  ? PRINT_TSV
           : options->csv  ? PRINT_CSV
           : options->json ? PRINT_JSON
           : options->nul  ? PRINT_NUL
                           : PRINT_AUTO;
}

static int print_row(void *context, const struct query_row *row, struct err *err)
{
    struct find *find = context;

    (void)err;
    if (!find->printer)
        return 0;
    find->values[0] = row->reference;
    memcpy(find->values + 1, row->values, (find->count - 1) * sizeof *find->values);
    return printer_row(find->printer, find->values);
}

/* Returns the exit status. */
static int answer(struct find *find, struct index *index, enum print_format format)
{
    struct err err = {0}, print_err = {0};
    int64_t count;

    if (!find->options.quiet)
        find->printer = printer_new(stdout, format, find->columns, find->count, true);
    find->values = xcalloc(find->count, sizeof *find->values);
    count = index_query(index, find->query, print_row, find, &err);
    free(find->values);
    if (find->printer && printer_close(find->printer, &print_err) < 0) {
        if (print_err.code != ERR_CLOSED)
            log_error("%s", print_err.text);
        /* A reader that has seen enough had something to read. */
        return print_err.code == ERR_CLOSED ? 0 : 2;
    }
    if (count < 0) {
        log_error("%s", err.text);
        return 2;
    }
    return count ? 0 : 1;
}

/* ---- several places ---- */

/* The index as one of those that are asked, in a process of its own. */
struct local {
    const struct find *find;
    int out;
    struct buf space;
};

static int put_local(void *context, const struct query_row *row, struct err *err)
{
    struct local *local = context;

    (void)err;
    return ask_put_row(local->out, &local->space, row, local->find->question.column_count);
}

static int ask_index(void *context, int out)
{
    struct local local = {.find = context, .out = out};
    struct err err = {0};
    struct archive *archive = archive_open(local.find->question.archive, ARCHIVE_READ, &err);
    struct index *index = archive ? archive_index(archive, &err) : NULL;
    int64_t count = index ? index_query(index, local.find->query, put_local, &local, &err) : -1;

    /* Nobody reading any more is no failure of the index, and sets no error. */
    if (count < 0 && err.code != ERR_NONE)
        log_error(ASK_LOCAL ": %s", err.text);
    archive_close(archive);
    buf_free(&local.space);
    return count < 0 && err.code != ERR_NONE ? -1 : 0;
}

/* A row of the answer: reference, columns, the peer; those to sort by stand after it. */
static int take_row(void *context, const char *source, const struct query_row *row)
{
    struct find *find = context;
    size_t shown = find->count - 2;
    struct err err;

    find->values[0] = row->reference;
    memcpy(find->values + 1, row->values, shown * sizeof *find->values);
    find->values[find->count - 1] = source;
    memcpy(find->values + find->count, row->values + shown, find->orders * sizeof *find->values);
    if (find->rows) {
        find->overflow = rows_add(find->rows, find->values, &err) < 0;
        if (find->overflow)
            log_error("--sort: %s: sort the lines with sort(1)", err.text);
        return find->overflow;
    }
    find->printed++;
    if (find->printer && printer_row(find->printer, find->values) < 0)
        return 1;
    return find->options.quiet ||
           (find->options.limit && find->printed >= (uint64_t)find->options.limit);
}

static void print_sorted(struct find *find)
{
    struct rows_order *order = xcalloc(find->orders + 1, sizeof *order);

    for (size_t i = 0; i < find->orders; i++) {
        vr_t vr = keyword_vr(find->order[i].tag);

        order[i] = (struct rows_order){find->count + i,
                                       is_number(vr) ? ROWS_NUMBER
                                       : vr == VR_PN ? ROWS_NAME
                                                     : ROWS_TEXT,
                                       find->order[i].descending};
    }
    rows_sort(find->rows, order, find->orders);
    for (size_t i = 0; i < rows_count(find->rows); i++) {
        if (find->options.limit && i >= (size_t)find->options.limit)
            break;
        rows_get(find->rows, i, find->values);
        if (find->printer && printer_row(find->printer, find->values) < 0)
            break;
    }
    free(order);
}

/* All that are named are known; @all are those of pacs.conf. */
static int check_sources(struct find *find, struct err *err)
{
    struct peers *peers = find->peers;
    int status = 0;

    for (size_t i = 0; status == 0 && i < find->sources; i++) {
        const struct peer *peer;

        if (strcmp(find->source[i], ASK_LOCAL) == 0)
            continue;
        peer = peers_find(peers, find->source[i], err);
        status = peer ? 0 : -1;
    }
    for (size_t i = 0; status == 0 && find->all_peers && i < peers_count(peers); i++)
        add_source(find, peers_at(peers, i)->name);
    if (status == 0 && !find->sources)
        status = err_set(err, ERR_INPUT, "@all: pacs.conf names no peers");
    return status;
}

/* Keys and columns for places beside the index. */
static int complete_question(struct find *find, struct err *err)
{
    struct ask_question *question = &find->question;
    char space[10];

    for (const char *at = question->keys.data;
         at && at < question->keys.data + question->keys.length; at += strlen(at) + 1) {
        struct match *match = match_parse(at, err);
        int status = match ? query_scu_check(match, err) : -1;

        match_free(match);
        for (size_t i = 0; status < 0 && i < find->sources; i++)
            if (strcmp(find->source[i], ASK_LOCAL) != 0)
                return -1;
    }
    for (size_t i = 0; i < find->orders; i++) {
        if (query_column(find->query, find->order[i].tag, err) < 0)
            return err_prefix(err, "--sort");
        add_text(&question->columns, keyword_name(find->order[i].tag, space));
        question->column_count++;
    }
    describe_column(find, "Peer", VR_NONE);
    find->values = xcalloc(find->count + find->orders, sizeof *find->values);
    question->level = find->level;
    question->timeout = find->options.timeout;
    question->log_level = log_level();
    /* Of answers that are put in order first, each place may have the first ones. */
    question->limit = find->options.quiet ? 1 : find->orders ? 0 : (uint64_t)find->options.limit;
    return 0;
}

static int conclude(struct find *find, const struct ask_result *result)
{
    struct err err;

    if (find->rows && !find->overflow)
        print_sorted(find);
    if (find->printer && printer_close(find->printer, &err) < 0 && err.code != ERR_CLOSED) {
        log_error("%s", err.text);
        return 2;
    }
    if (find->overflow)
        return 2;
    return result->rows ? 0 : result->failed ? 2 : 1;
}

/* Returns the exit status. */
static int answer_together(struct find *find, enum print_format format)
{
    struct archive *archive;
    struct ask_result result;
    struct err err;
    bool needs = find->all_peers;
    int status;

    for (size_t i = 0; i < find->sources; i++)
        needs = needs || !strchr(find->source[i], '@');
    find->peers = peers_open(find->options.archive, !needs, &archive, &err);
    if (!find->peers)
        die(2, &err);
    find->question.archive = archive ? archive_path(archive) : NULL;
    if (check_sources(find, &err) < 0 || complete_question(find, &err) < 0)
        die(2, &err);
    if (find->orders && !find->options.quiet)
        find->rows = rows_new(find->count + find->orders);
    if (!find->options.quiet)
        find->printer = printer_new(stdout, format, find->columns, find->count, true);
    if (ask_all(find->source, find->sources, &find->question, ask_index, take_row, find, &result,
                &err) < 0) {
        log_error("%s", err.text);
        status = 2;
        if (find->printer)
            printer_close(find->printer, &err);
    } else {
        status = conclude(find, &result);
    }
    rows_free(find->rows);
    free(find->values);
    archive_close(archive);
    return status;
}

static void free_find(struct find *find)
{
    for (size_t i = 0; i < find->count; i++)
        free((char *)find->columns[i].name);
    free(find->columns);
    free(find->order);
    free(find->source);
    peers_free(find->peers);
    ask_question_free(&find->question);
    query_free(find->query);
}

int main(int argc, char **argv)
{
    struct find find = {.options = {.level = LEVEL_STUDY}};
    struct find_options *options = &find.options;
    int first = options_parse(argc, argv, &usage, options), status;
    enum print_format format = format_of(options);
    struct archive *archive;
    struct index *index;
    struct err err;

    find.level = (enum query_level)options->level;
    find.query = query_new(find.level);
    if (options->limit < 0) {
        err_set(&err, ERR_INPUT, "--limit wants a number that is not negative");
        die(2, &err);
    }
    if (options->timeout < 0 || options->timeout > 86400) {
        err_set(&err, ERR_INPUT, "--timeout is 1 to 86400");
        die(2, &err);
    }
    query_limit(find.query, options->quiet ? 1 : (uint64_t)options->limit);
    if (read_columns(&find, &err) < 0)
        die(2, &err);
    for (int i = first; i < argc; i++)
        if (add_operand(&find, argv[i], &err) < 0)
            die(2, &err);
    if (find.sources || find.all_peers) {
        status = answer_together(&find, format);
        free_find(&find);
        return status;
    }
    archive = archive_open(options->archive, ARCHIVE_READ, &err);
    if (!archive || !(index = archive_index(archive, &err)))
        die(2, &err);
    status = answer(&find, index, format);
    archive_close(archive);
    free_find(&find);
    return status;
}
