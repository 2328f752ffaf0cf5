/*
 * libcore/index/query: keys and columns that the index does not hold, read from the objects' headers; and
 * from a scanned header to a row. dcmdump tells what the files say.
 */
#include "index_fixture.h"

#include <fcntl.h>

#include "base/log.h"

#define FILES_MAX 1000
#define TAGS      4

static const char *const tags[TAGS] = {"0028,0004", "0018,1020", "0008,0064", "0018,0020"};
static const char *const keywords[TAGS] = {"PhotometricInterpretation", "SoftwareVersions",
                                           "ConversionType", "ScanningSequence"};

static struct {
    char *path;
    char uid[65];
    char value[TAGS][80]; /* as dcmdump says */
    bool unknown;         /* it has trouble with the file itself */
} file[FILES_MAX];
static int files;

static char *root;
static struct index *writer;
static struct scanner *scanner;

static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_path(const char *path, const struct stat *status, int type, struct FTW *where)
{
    struct index_record record;
    struct buf arena = {0};

    (void)status;
    (void)where;
    if (type != FTW_F || scan_path(scanner, AT_FDCWD, path, &err) != SCAN_OK)
        return 0;
    if (index_record_from_scan(scanner, NULL, &record, &arena, &err) == 0) {
        enum index_added added;

        record.path = path;
        record.size = (uint64_t)status->st_size;
        added = index_add(writer, &record, &err);
        assert_int_not_equal(added, INDEX_ERROR);
        if (added == INDEX_ADDED) {
            assert_true(files < FILES_MAX);
            file[files].path = xstrdup(path);
            snprintf(file[files].uid, 65, "%s", record.value[ATTRIBUTE_SOP_INSTANCE_UID]);
            files++;
        }
    }
    buf_free(&arena);
    return 0;
}

static void take_line(int at, char *line)
{
    char *open = strchr(line, '['), *close = strrchr(line, ']');

    while (open && close > open + 1 && close[-1] == ' ')
        close--;
    for (int i = 0; i < TAGS; i++)
        if (open && close > open && strncmp(line + 1, tags[i], 9) == 0)
            snprintf(file[at].value[i], 80, "%.*s", (int)(close - open - 1), open + 1);
}

/* What dcmdump says of some files. False when it was not content with one of them. */
static bool read_dump(int from, int to)
{
    struct buf command = {0};
    char line[4096];
    int at = from, status;
    FILE *pipe;

    buf_adds(&command, "dcmdump -q +F +L");
    for (int i = 0; i < TAGS; i++)
        buf_addf(&command, " +P %s", tags[i]);
    for (int i = from; i < to; i++)
        buf_addf(&command, " '%s'", file[i].path);
    buf_adds(&command, " 2>/dev/null");
    pipe = popen(command.data, "r");
    assert_non_null(pipe);
    while (fgets(line, sizeof line, pipe)) {
        char *name = strstr(line, "): ");

        if (strncmp(line, "# dcmdump (", 11) == 0 && name) {
            name[3 + strcspn(name + 3, "\n")] = '\0';
            for (at = from; at < to && strcmp(file[at].path, name + 3) != 0; at++)
                ;
            assert_true(at < to);
        } else if (line[0] == '(') {
            take_line(at, line);
        }
    }
    status = pclose(pipe);
    buf_free(&command);
    assert_int_not_equal(WEXITSTATUS(status), 127);
    return status == 0;
}

static void ask_dcmdump(void)
{
    for (int from = 0; from < files; from += 12) {
        int to = from + 12 < files ? from + 12 : files;

        if (!read_dump(from, to))
            for (int i = from; i < to; i++)
                file[i].unknown = !read_dump(i, i + 1);
    }
}

/* All test data, in place. */
static int index_the_data(void **state)
{
    char *data = realpath("tests/data/dicom", NULL);
    size_t count;
    const tag_t *wanted = index_tags(&count);

    if (!data || make_root(state) < 0)
        return -1;
    root = *state;
    scanner = scanner_new(wanted, count);
    writer = open_index(root, INDEX_WRITE);
    assert_done(index_begin(writer, &err));
    assert_int_equal(nftw(data, add_path, 16, FTW_PHYS), 0);
    assert_done(index_commit(writer, &err));
    scanner_free(scanner);
    free(data);
    qsort(file, (size_t)files, sizeof file[0], by_path);
    assert_true(files > 100);
    assert_sound(root);
    ask_dcmdump();
    return 0;
}

static int close_all(void **state)
{
    index_close(writer);
    for (int i = 0; i < files; i++)
        free(file[i].path);
    *state = root;
    return remove_root(state);
}

struct found {
    int count;
    char uid[FILES_MAX][65], value[FILES_MAX][80];
};

static int take(void *context, const struct query_row *row, struct err *error)
{
    struct found *found = context;

    (void)error;
    snprintf(found->uid[found->count], 65, "%s", row->reference);
    snprintf(found->value[found->count++], 80, "%s", row->values[0] ? row->values[0] : "");
    return 0;
}

static void ask(enum query_level level, const char *const *keys, const char *column,
                struct found *found)
{
    struct query *query = query_new(level);
    int64_t rows;
    tag_t tag;

    for (; *keys; keys++) {
        struct match *match = match_parse(*keys, &err);

        assert_non_null(match);
        query_add(query, match);
    }
    assert_done(keyword_parse(column, &tag, &err));
    assert_done(query_column(query, tag, &err));
    found->count = 0;
    rows = index_query(writer, query, take, found, &err);
    assert_int_equal(rows, found->count);
    query_free(query);
}

/* What the header says is shown, whatever else is asked. */
static void columns_from_headers(void **state)
{
    static const char *const all[] = {NULL};
    struct found *found = xcalloc(1, sizeof *found);

    (void)state;
    for (int i = 0; i < TAGS; i++) {
        int with_value = 0;

        ask(LEVEL_INSTANCE, all, keywords[i], found);
        assert_int_equal(found->count, files);
        for (int k = 0; k < found->count; k++)
            for (int f = 0; f < files; f++)
                if (strcmp(file[f].uid, found->uid[k]) == 0 && !file[f].unknown) {
                    if (strcmp(file[f].value[i], found->value[k]) != 0)
                        fail_msg("%s: %s is \"%s\", not \"%s\"", file[f].path, keywords[i],
                                 found->value[k], file[f].value[i]);
                    with_value += file[f].value[i][0] != '\0';
                }
        assert_true(with_value > 5);
    }
    free(found);
}

/* Keys on headers narrow what the others leave; higher levels ask whether there is such an object. */
static void keys_on_headers(void **state)
{
    static const char *const keys[] = {"PhotometricInterpretation=RGB", NULL};
    static const char *const more[] = {"PhotometricInterpretation=MONO*", "Modality=CT", NULL};
    static const char *const none[] = {"PhotometricInterpretation=RGB", "PatientID=nobody", NULL};
    struct found *found = xcalloc(1, sizeof *found), *studies = xcalloc(1, sizeof *studies);
    struct index_instance row;
    int expected = 0, unknown = 0;

    (void)state;
    for (int i = 0; i < files; i++) {
        expected += strcmp(file[i].value[0], "RGB") == 0;
        unknown += file[i].unknown;
    }
    assert_true(expected > 3);
    ask(LEVEL_INSTANCE, keys, "PhotometricInterpretation", found);
    assert_in_range(found->count, expected, expected + unknown);
    ask(LEVEL_STUDY, keys, "PhotometricInterpretation", studies);
    for (int i = 0; i < found->count; i++) {
        int there = 0;

        assert_string_equal(found->value[i], "RGB");
        assert_int_equal(index_find_instance(writer, found->uid[i], &row, &err), 1);
        for (int k = 0; k < studies->count; k++)
            there += strcmp(studies->uid[k], row.study_uid) == 0;
        assert_int_equal(there, 1);
    }
    for (int k = 0; k < studies->count; k++) /* of the object that fulfilled the key */
        assert_string_equal(studies->value[k], "RGB");
    assert_true(studies->count > 0 && studies->count <= found->count);
    ask(LEVEL_INSTANCE, more, "Modality", found);
    assert_true(found->count > 0);
    for (int i = 0; i < found->count; i++)
        assert_string_equal(found->value[i], "CT");
    ask(LEVEL_PATIENT, none, "Modality", found);
    assert_int_equal(found->count, 0);
    free(found);
    free(studies);
}

/* A file that is gone is no match, and the others are found all the same. */
static void a_file_that_is_gone(void **state)
{
    static const char *const keys[] = {"PhotometricInterpretation!=RGB", "PatientID=P77", NULL};
    static const char *const all[] = {"PatientID=P77", NULL};
    struct found *found = xcalloc(1, sizeof *found);
    struct object object;

    (void)state;
    add_one(writer, 77, 1, 1, 1);
    assert_done(index_begin(writer, &err));
    object_of(&object, 77, 1, 1, 2);
    object.record.path = "/nowhere/at all";
    add_record(writer, &object.record);
    assert_done(index_commit(writer, &err));
    ask(LEVEL_INSTANCE, keys, "Modality", found);
    assert_int_equal(found->count, 0);
    ask(LEVEL_INSTANCE, all, "PhotometricInterpretation", found);
    assert_int_equal(found->count, 2);
    assert_string_equal(found->value[0], "");
    assert_done(index_begin(writer, &err));
    assert_int_equal(index_remove(writer, "patient:P77", &err), 2);
    assert_done(index_commit(writer, &err));
    free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_from_headers),
        cmocka_unit_test(keys_on_headers),
        cmocka_unit_test(a_file_that_is_gone),
    };

    log_init("test_query_header");
    log_set_level(LOG_QUIET);
    return cmocka_run_group_tests(tests, index_the_data, close_all);
}
