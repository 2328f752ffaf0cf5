/*
 * libcore/index: files indexed where they lie, with names that no one should give.
 */
#include "index_fixture.h"

/* ---- collecting what is told ---- */

struct seen {
    int count;
    int stop; /* after so many */
    char name[64][300];
    struct index_file file[64];
};

static int see_file(void *context, const struct index_file *file, struct err *error)
{
    struct seen *seen = context;

    (void)error;
    assert_true(seen->count < 64);
    snprintf(seen->name[seen->count], 300, "%s", file->name);
    seen->file[seen->count] = *file;
    return ++seen->count == seen->stop;
}

static int see_folder(void *context, const char *path, struct err *error)
{
    struct seen *seen = context;

    (void)error;
    assert_true(seen->count < 64);
    snprintf(seen->name[seen->count], 300, "%s", path);
    return ++seen->count == seen->stop;
}

static int files_of(struct index *index, const char *folder, struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    return (int)index_folder_files(index, folder, see_file, seen, &err);
}

static int folders_of(struct index *index, const char *folder, struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    return (int)index_folders(index, folder, see_folder, seen, &err);
}

static void add_file(struct index *index, const char *path, int number)
{
    struct object object;

    object_of(&object, 1, number / 10, 1, number);
    object.record.study_folder = NULL;
    object.record.path = path;
    object.record.size = (uint64_t)number;
    object.record.mtime_ns = 1600000000123456789 + number;
    add_record(index, &object.record);
}

/* ---- */

static void files_of_a_folder(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct index_instance row;
    struct seen seen;

    assert_done(index_begin(index, &err));
    add_file(index, "/data/b", 1);
    add_file(index, "/data/B", 2);
    add_file(index, "/data/a/c", 3);
    assert_done(index_file_put(index, "/data/README", 17, 99, NULL, &err));
    assert_done(index_file_put(index, "/data/again", 1, 5, "1.2.1.0.1.1", &err));
    assert_done(index_file_put(index, "/data/strange", 1, 5, "1.2.3.4.5", &err)); /* no such row */
    assert_int_equal(files_of(index, "/data", &seen), 5); /* in the transaction */
    assert_done(index_commit(index, &err));
    index_close(index);
    assert_sound(*state);

    index = open_index(*state, INDEX_READ);
    assert_int_equal(files_of(index, "/data", &seen), 5);
    assert_string_equal(seen.name[0], "B");
    assert_string_equal(seen.name[1], "README");
    assert_string_equal(seen.name[2], "again");
    assert_string_equal(seen.name[3], "b");
    assert_string_equal(seen.name[4], "strange");
    assert_int_equal(seen.file[0].size, 2);
    assert_int_equal(seen.file[0].mtime_ns, 1600000000123456791);
    assert_int_equal(index_find_instance(index, "1.2.1.0.1.2", &row, &err), 1);
    assert_int_equal(seen.file[0].instance, row.id);
    assert_true(row.in_place);
    assert_string_equal(row.path, "/data/B");
    assert_null(row.study_folder);
    assert_int_equal(seen.file[1].size, 17);
    assert_int_equal(seen.file[1].mtime_ns, 99);
    for (int i = 1; i < 5; i++)
        assert_int_equal(seen.file[i].instance == 0, i != 3);
    assert_int_equal(files_of(index, "/data/a", &seen), 1);
    assert_int_equal(files_of(index, "/dat", &seen), 0);
    assert_int_equal(files_of(index, "/nowhere", &seen), 0);
    seen = (struct seen){.stop = 2};
    assert_int_equal(index_folder_files(index, "/data", see_file, &seen, &err), -1);
    assert_int_equal(seen.count, 2);
    assert_int_equal(files_of(index, "/data", &seen), 5); /* the one before was ended well */
    index_close(index);
}

static void only_what_lies_below(void **state)
{
    static const char *const folders[] = {"/a",          "/a/b",
                                          "/ab",         "/a b",
                                          "/a-b",        "/a.b",
                                          "/a0",         "/a/%",
                                          "/a/_",        "/a/*",
                                          "/a/[x]",      "/a/'q'",
                                          "/a/\"q\"",    "/a/line\nbreak",
                                          "/a/\xff\xfe", "/a/M\xc3\xbcller",
                                          "/a/b/c/d",    "/A",
                                          "/a/..",       "/b",
                                          "/a\\b"};
    struct index *index = open_index(*state, INDEX_WRITE);
    struct seen seen, files;
    char path[300];

    assert_done(index_begin(index, &err));
    for (int i = 0; i < (int)(sizeof folders / sizeof folders[0]); i++) {
        snprintf(path, sizeof path, "%s/file", folders[i]);
        add_file(index, path, i);
        snprintf(path, sizeof path, "%s/%%_*?['\"\n\xc3\x28", folders[i]);
        assert_done(index_file_put(index, path, 5, 5, NULL, &err));
    }
    add_file(index, "/file", 100);
    assert_done(index_commit(index, &err));
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        size_t length = strlen(folders[i]);
        int below = 0;

        for (size_t k = 0; k < sizeof folders / sizeof folders[0]; k++)
            below += strncmp(folders[k], folders[i], length) == 0 &&
                     (folders[k][length] == '/' || !folders[k][length]);
        assert_int_equal(folders_of(index, folders[i], &seen), below);
        assert_string_equal(seen.name[0], folders[i]);
        for (int k = 1; k < below; k++) {
            assert_true(strcmp(seen.name[k - 1], seen.name[k]) < 0);
            assert_int_equal(strncmp(seen.name[k], folders[i], length), 0);
            assert_int_equal(seen.name[k][length], '/');
        }
        assert_int_equal(files_of(index, folders[i], &files), 2);
        assert_string_equal(files.name[0], "%_*?['\"\n\xc3\x28");
        assert_string_equal(files.name[1], "file");
    }
    assert_int_equal(folders_of(index, "/", &seen), sizeof folders / sizeof folders[0] + 1);
    assert_string_equal(seen.name[0], "/");
    assert_int_equal(files_of(index, "/", &files), 1);
    seen = (struct seen){.stop = 3};
    assert_int_equal(index_folders(index, "/a", see_folder, &seen, &err), -1);
    assert_int_equal(seen.count, 3);
    index_close(index);
    assert_sound(*state);
}

static void a_file_is_forgotten(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct seen seen;

    assert_done(index_begin(index, &err));
    add_file(index, "/data/a", 1);
    add_file(index, "/data/b", 2);
    assert_done(index_file_put(index, "/data/a.copy", 1, 1, "1.2.1.0.1.1", &err));
    assert_done(index_file_put(index, "/copies/a", 1, 1, "1.2.1.0.1.1", &err));
    assert_done(index_file_put(index, "/data/readme", 1, 1, NULL, &err));
    assert_done(index_commit(index, &err));
    assert_int_equal(index_file_remove(index, "/data/a", &err), -1); /* no transaction */
    assert_done(index_begin(index, &err));
    assert_int_equal(index_file_remove(index, "/data/readme", &err), 1);
    assert_int_equal(index_file_remove(index, "/data/readme", &err), 0);
    assert_int_equal(index_file_remove(index, "/nowhere/readme", &err), 0);
    assert_int_equal(index_file_remove(index, "relative", &err), 0);
    /* The object goes, and its copies are forgotten, to be read again. */
    assert_int_equal(index_file_remove(index, "/data/a", &err), 1);
    assert_done(index_commit(index, &err));
    assert_int_equal(files_of(index, "/data", &seen), 1);
    assert_string_equal(seen.name[0], "b");
    assert_int_equal(files_of(index, "/copies", &seen), 0);
    assert_int_equal(folders_of(index, "/", &seen), 1); /* no file, no folder */
    assert_sound(*state);
    /* By its UID the same. */
    assert_done(index_begin(index, &err));
    assert_int_equal(index_remove(index, "1.2.1.0.1.2", &err), 1);
    assert_done(index_commit(index, &err));
    assert_int_equal(files_of(index, "/data", &seen), 0);
    index_close(index);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM patient"), 0);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM file"), 0);
    assert_sound(*state);
}

/* A file that holds another object now, or none: the row of the first goes. */
static void a_file_is_rewritten(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct index_instance row;

    assert_done(index_begin(index, &err));
    add_file(index, "/data/x", 11);
    add_file(index, "/data/y", 12);
    assert_done(index_commit(index, &err));
    assert_done(index_begin(index, &err));
    add_file(index, "/data/x", 21);
    assert_done(index_file_put(index, "/data/y", 3, 3, NULL, &err));
    assert_done(index_commit(index, &err));
    assert_int_equal(index_find_instance(index, "1.2.1.1.1.11", &row, &err), 0);
    assert_int_equal(index_find_instance(index, "1.2.1.2.1.21", &row, &err), 1);
    index_close(index);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM study"), 1);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM file"), 2);
    assert_sound(*state);
}

/* A study of which some objects are in the archive and others where they lie. */
static void in_place_and_in_the_archive(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    struct index_statistics statistics;
    struct buf folder = {0};
    struct object object;

    assert_done(index_begin(index, &err));
    add_file(index, "/data/x", 3);
    assert_int_equal(index_study_folder(index, "1.2.1.0", &folder, &err), 0);
    add_record(index, object_of(&object, 1, 0, 1, 4));
    assert_int_equal(index_study_folder(index, "1.2.1.0", &folder, &err), 1);
    assert_string_equal(folder.data, object.folder);
    assert_done(index_commit(index, &err));
    assert_done(index_stats(index, &statistics, &err));
    assert_int_equal(statistics.instances, 2);
    assert_int_equal(statistics.in_place, 1);
    assert_int_equal(statistics.files, 1);
    index_close(index);
    assert_sound(*state);
    buf_free(&folder);
}

#define PATHS   24
#define OBJECTS 12

/* What each path is known for. */
static struct {
    bool known;
    int holds;   /* the object that it gave, or -1 */
    int copy_of; /* or that it is a copy of, or -1 */
} model[PATHS];

/* With an object its copies are forgotten. */
static void model_drop(int at)
{
    for (int i = 0; i < PATHS; i++)
        if (i != at && model[at].known && model[at].holds >= 0 && model[i].known &&
            model[i].copy_of == model[at].holds)
            model[i].known = false;
    model[at].known = false;
}

static void model_set(int at, int holds, int copy_of)
{
    model_drop(at);
    model[at].known = true;
    model[at].holds = holds;
    model[at].copy_of = copy_of;
}

static void random_file(struct index *index)
{
    int at = rand() % PATHS, number = rand() % OBJECTS, holder = -1;
    char path[64], uid[80];

    snprintf(path, sizeof path, "/data/%d/f%d", at % 3, at);
    snprintf(uid, sizeof uid, "1.2.1.%d.1.%d", number / 10, number);
    for (int i = 0; i < PATHS; i++)
        if (model[i].known && model[i].holds == number)
            holder = i;
    if (rand() % 4 == 0) {
        assert_int_equal(index_file_remove(index, path, &err), model[at].known);
        model_drop(at);
    } else if (rand() % 5 == 0) {
        assert_done(index_file_put(index, path, 1, 1, NULL, &err));
        model_set(at, -1, -1);
    } else if (holder < 0) {
        add_file(index, path, number);
        model_set(at, number, -1);
    } else if (holder != at) {
        assert_done(index_file_put(index, path, 1, 1, uid, &err));
        model_set(at, -1, number);
    }
}

/* Any mix of files that come, change, go and hold the same objects. */
static void any_mix_of_files(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    int known, holding;

    srand(99);
    for (int round = 0; round < 400; round++) {
        assert_done(index_begin(index, &err));
        for (int step = rand() % 6; step >= 0; step--)
            random_file(index);
        assert_done(index_commit(index, &err));
        known = holding = 0;
        for (int i = 0; i < PATHS; i++) {
            known += model[i].known;
            holding += model[i].known && model[i].holds >= 0;
        }
        assert_int_equal(plain_number(*state, "SELECT count(*) FROM file"), known);
        assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), holding);
        if (round % 20 == 0)
            assert_sound(*state);
    }
    index_close(index);
    assert_sound(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_of_a_folder),   TEST(only_what_lies_below),        TEST(a_file_is_forgotten),
        TEST(a_file_is_rewritten), TEST(in_place_and_in_the_archive), TEST(any_mix_of_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
