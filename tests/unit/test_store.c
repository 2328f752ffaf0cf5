/*
 * The store: paths, placements that never go over another file, what lies in incoming/ after a process
 * is gone, quarantine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/internal.h"

#define PLACE "objects/2024/01/31/1.2/1.2.3/1.2.3.4.dcm"

static char folder[64];
static struct store *store;
static struct err err;

static int open_store(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pacs-store-XXXXXX");
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    store = store_open(folder, true, &err);
    return store ? 0 : -1;
}

static int close_store(void **state)
{
    char command[96];

    (void)state;
    store_close(store);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static struct incoming *incoming_of(const char *text)
{
    struct incoming *incoming = incoming_new(store, &err);

    assert_non_null(incoming);
    assert_int_equal(incoming_write(incoming, text, strlen(text), &err), 0);
    return incoming;
}

static void assert_content(const char *path, const char *text)
{
    struct buf content = {0};

    assert_int_equal(read_file(path, 1 << 20, &content, &err), 0);
    assert_string_equal(buf_text(&content), text);
    buf_free(&content);
}

static int count_entries(const char *path)
{
    DIR *list = opendir(path);
    const struct dirent *entry;
    int count = 0;

    assert_non_null(list);
    while ((entry = readdir(list)))
        count += entry->d_name[0] != '.';
    closedir(list);
    return count;
}

static nlink_t links_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_nlink;
}

/* ---- paths ---- */

static void paths_follow_from_date_and_uids(void **state)
{
    static const char *const dates[][2] = {
        {"20240131", "objects/2024/01/31/1.2"},   {"1994.02.28", "objects/1994/02/28/1.2"},
        {"20240230", "objects/0000/00/00/1.2"},   {"20241301", "objects/0000/00/00/1.2"},
        {"../../etc", "objects/0000/00/00/1.2"},  {"2024013", "objects/0000/00/00/1.2"},
        {"202401311", "objects/0000/00/00/1.2"},  {"", "objects/0000/00/00/1.2"},
        {"2024-01-31", "objects/0000/00/00/1.2"}, {"20240100", "objects/0000/00/00/1.2"},
    };
    struct buf path = {0};

    (void)state;
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        buf_clear(&path);
        store_study_folder(dates[i][0], "1.2", &path);
        assert_string_equal(path.data, dates[i][1]);
    }
    buf_clear(&path);
    store_study_folder(NULL, "1.2", &path);
    assert_string_equal(path.data, "objects/0000/00/00/1.2");
    buf_clear(&path);
    store_object_path("objects/2024/01/31/1.2", "1.2.3", "1.2.3.4", &path);
    assert_string_equal(path.data, PLACE);
    buf_free(&path);
}

/* ---- placing ---- */

static void an_object_is_placed_and_its_second_name_stays(void **state)
{
    struct incoming *incoming = incoming_of("object");
    char *name = xstrdup(incoming_path(incoming));

    (void)state;
    assert_int_equal(incoming_size(incoming), 6);
    assert_int_equal(store_place(store, incoming, PLACE, true, &err), PLACE_DONE);
    incoming_free(incoming);
    assert_content(PLACE, "object");
    assert_content(name, "object");
    assert_int_equal(links_of(PLACE), 2);
    assert_int_equal(store_forget(store, name, &err), 0);
    assert_int_equal(store_forget(store, name, &err), 0);
    assert_int_equal(links_of(PLACE), 1);
    free(name);
}

static void what_is_there_is_never_written_over(void **state)
{
    struct incoming *first = incoming_of("first"), *second = incoming_of("second");

    (void)state;
    assert_int_equal(store_place(store, first, PLACE, true, &err), PLACE_DONE);
    assert_int_equal(store_place(store, second, PLACE, true, &err), PLACE_EXISTS);
    assert_content(incoming_path(second), "second");
    incoming_free(first);
    incoming_free(second);
    assert_content(PLACE, "first");
    assert_int_equal(count_entries("incoming"), 1);
}

static void without_hard_links_it_is_renamed(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        const char *path = way ? PLACE : "objects/0000/00/00/1/2/3.dcm";
        struct incoming *first = incoming_of("first"), *second = incoming_of("second");

        store->no_links = true;
        store->no_noreplace = way;
        assert_false(store_keeps_names(store));
        assert_int_equal(store_place(store, first, path, true, &err), PLACE_DONE);
        assert_int_equal(store_place(store, second, path, true, &err), PLACE_EXISTS);
        incoming_free(first);
        assert_int_equal(links_of(path), 1);
        assert_content(path, "first");
        assert_int_equal(store_replace(store, second, path, &err), 0);
        incoming_free(second);
        assert_content(path, "second");
        assert_int_equal(count_entries("incoming"), 0);
    }
}

static void a_placement_is_taken_back(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct incoming *incoming = incoming_of("object");

        store->no_links = way;
        assert_int_equal(store_place(store, incoming, PLACE, true, &err), PLACE_DONE);
        assert_int_equal(store_unplace(store, incoming, PLACE, &err), 0);
        assert_int_equal(access(PLACE, F_OK), -1);
        assert_content(incoming_path(incoming), "object");
        incoming_free(incoming);
        assert_int_equal(count_entries("incoming"), 0);
    }
}

static void only_ones_own_placement_is_taken_back(void **state)
{
    struct incoming *first = incoming_of("first"), *second = incoming_of("second");

    (void)state;
    assert_int_equal(store_place(store, first, PLACE, true, &err), PLACE_DONE);
    assert_int_equal(store_unplace(store, second, PLACE, &err), -1);
    assert_content(PLACE, "first");
    incoming_free(first);
    incoming_free(second);
}

static void a_replacement_leaves_no_third_name(void **state)
{
    struct incoming *first = incoming_of("first"), *second = incoming_of("second");

    (void)state;
    assert_int_equal(store_place(store, first, PLACE, true, &err), PLACE_DONE);
    assert_int_equal(store_replace(store, second, PLACE, &err), 0);
    assert_content(PLACE, "second");
    assert_content(incoming_path(second), "second");
    incoming_free(first);
    incoming_free(second);
    assert_int_equal(count_entries("incoming"), 2);
}

static void folders_that_vanish_are_made_again(void **state)
{
    struct incoming *first = incoming_of("first"), *second = incoming_of("second");

    (void)state;
    assert_int_equal(store_place(store, first, PLACE, true, &err), PLACE_DONE);
    assert_int_equal(unlink(PLACE), 0);
    assert_int_equal(rmdir("objects/2024/01/31/1.2/1.2.3"), 0);
    assert_int_equal(rmdir("objects/2024/01/31/1.2"), 0);
    assert_int_equal(store_place(store, second, PLACE, true, &err), PLACE_DONE);
    assert_content(PLACE, "second");
    incoming_free(first);
    incoming_free(second);
}

static void a_file_in_the_way_of_a_folder_is_an_error(void **state)
{
    struct incoming *incoming = incoming_of("object");

    (void)state;
    assert_int_equal(replace_file("objects/2024", "x", 1, 0666, &err), 0);
    assert_int_equal(store_place(store, incoming, PLACE, true, &err), PLACE_ERROR);
    incoming_free(incoming);
    assert_int_equal(count_entries("incoming"), 0);
}

static void no_room_is_told_as_such(void **state)
{
    struct rlimit limit = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY}, before;
    struct incoming *incoming = incoming_new(store, &err);
    static const char block[65536];

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(incoming_write(incoming, block, sizeof block, &err), 0);
    assert_int_equal(incoming_write(incoming, block, sizeof block, &err), -1);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(err.code, ERR_NOSPACE);
    incoming_free(incoming);
    assert_int_equal(count_entries("incoming"), 0);
}

static void large_files_are_written_behind_and_whole(void **state)
{
    struct incoming *incoming = incoming_new(store, &err);
    char block[10007];
    struct stat status;

    (void)state;
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i * 7);
    for (int i = 0; i < 300; i++)
        assert_int_equal(incoming_write(incoming, block, sizeof block, &err), 0);
    assert_int_equal(store_place(store, incoming, PLACE, true, &err), PLACE_DONE);
    assert_int_equal(stat(PLACE, &status), 0);
    assert_int_equal(status.st_size, 300 * sizeof block);
    incoming_free(incoming);
}

static void copies_and_links_of_files(void **state)
{
    struct incoming *incoming;
    int source;

    (void)state;
    assert_int_equal(replace_file("source", "bytes of a file", 15, 0666, &err), 0);
    source = open("source", O_RDONLY | O_CLOEXEC);
    incoming = incoming_new(store, &err);
    assert_int_equal(incoming_copy(incoming, source, &err), 0);
    assert_int_equal(incoming_size(incoming), 15);
    assert_content(incoming_path(incoming), "bytes of a file");
    assert_int_equal(links_of("source"), 1);
    incoming_free(incoming);

    incoming = incoming_link(store, "source", &err);
    assert_non_null(incoming);
    assert_int_equal(incoming_size(incoming), 15);
    assert_int_equal(links_of("source"), 2);
    assert_int_equal(store_place(store, incoming, PLACE, true, &err), PLACE_DONE);
    incoming_free(incoming);
    assert_int_equal(links_of("source"), 3);
    assert_null(incoming_link(store, "nowhere", &err));
    assert_null(incoming_link(store, ".", &err));
    close(source);
    assert_int_equal(count_entries("incoming"), 1);
}

/* ---- what a process leaves ---- */

static int each_count, each_loose, each_linked;
static uint64_t each_size;

static int count_placement(void *context, const struct placement *placement, struct err *error)
{
    (void)context;
    (void)error;
    each_count++;
    each_loose += placement->loose;
    each_linked += placement->linked;
    each_size += placement->size;
    return 0;
}

static int sweep(void)
{
    each_count = each_loose = each_linked = 0;
    each_size = 0;
    return store_sweep(store, count_placement, NULL, &err);
}

static void leftovers_of_the_dead_are_swept(void **state)
{
    int ready[2], status;
    char c;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        struct incoming *placed = incoming_of("placed"), *loose = incoming_of("loose");

        (void)incoming_of("half");
        if (store_place(store, placed, PLACE, true, &err) != PLACE_DONE ||
            store_place(store, loose, "objects/0000/00/00/1/2/3.dcm", false, &err) != PLACE_DONE ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    /* Alive: nothing is touched. */
    assert_int_equal(sweep(), 0);
    assert_int_equal(each_count, 0);
    assert_int_equal(count_entries("incoming"), 3);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_int_equal(sweep(), 1);
    assert_int_equal(each_count, 2);
    assert_int_equal(each_loose, 1);
    assert_int_equal(each_size, 11);
    assert_int_equal(count_entries("incoming"), 2);
    assert_content(PLACE, "placed");
    assert_content("objects/0000/00/00/1/2/3.dcm", "loose");
}

static void a_torn_loose_file_shows_in_its_size(void **state)
{
    struct incoming *incoming = incoming_of("all of it");

    (void)state;
    assert_int_equal(store_place(store, incoming, PLACE, false, &err), PLACE_DONE);
    incoming_free(incoming);
    assert_int_equal(truncate(PLACE, 3), 0);
    assert_int_equal(sweep(), 0);
    assert_int_equal(each_loose, 1);
    assert_int_equal(each_size, 9);
}

static void a_replacement_that_was_cut_off_is_a_leftover(void **state)
{
    char *name;
    struct incoming *incoming = incoming_of("new");

    (void)state;
    /* As store_replace leaves it when it dies before its rename. */
    name = xasprintf("%s.over", incoming_path(incoming));
    assert_int_equal(link(incoming_path(incoming), name), 0);
    free(name);
    incoming->placed = true;
    incoming_free(incoming);
    assert_int_equal(count_entries("incoming"), 2);
    assert_int_equal(sweep(), 1);
    assert_int_equal(each_count, 0);
    assert_int_equal(count_entries("incoming"), 0);
}

static void a_link_that_was_not_placed_is_told_as_linked(void **state)
{
    struct incoming *incoming;

    (void)state;
    assert_int_equal(replace_file("source", "bytes", 5, 0666, &err), 0);
    incoming = incoming_link(store, "source", &err);
    incoming->placed = true;
    incoming_free(incoming);
    assert_int_equal(sweep(), 0);
    assert_int_equal(each_linked, 1);
}

static void sweepers_and_writers_do_not_meet(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    if (child == 0) {
        for (int i = 0; i < 2000; i++)
            if (store_sweep(store, NULL, NULL, &err) < 0)
                _exit(1);
        _exit(0);
    }
    for (int i = 0; i < 2000; i++) {
        struct incoming *incoming = incoming_of("object");

        assert_int_equal(links_of(incoming_path(incoming)), 1);
        incoming_free(incoming);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- quarantine ---- */

static void quarantine_keeps_the_file_and_the_reason(void **state)
{
    struct incoming *incoming = incoming_of("bad");
    struct buf where = {0}, why = {0};

    (void)state;
    assert_int_equal(store_quarantine(store, incoming, "../..//e\033vil name",
                                      "no\tgood\nfrom: CT1", &where, &err),
                     0);
    incoming_free(incoming);
    assert_string_equal(where.data, "quarantine/_._..__e_vil_name");
    assert_content(where.data, "bad");
    assert_int_equal(read_file("quarantine/_._..__e_vil_name.why", 1000, &why, &err), 0);
    assert_non_null(strstr(why.data, "no?good\nfrom: CT1\nwhen: 20"));
    assert_int_equal(count_entries("incoming"), 0);
    buf_free(&where);
    buf_free(&why);
}

static void names_in_quarantine_are_unique_and_bounded(void **state)
{
    char name[2000];
    struct buf where = {0};

    (void)state;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 5; i++) {
        char text[32];
        struct incoming *incoming;

        snprintf(text, sizeof text, "number %d", i);
        incoming = incoming_of(text);
        buf_clear(&where);
        assert_int_equal(store_quarantine(store, incoming, name, "why", &where, &err), 0);
        incoming_free(incoming);
        assert_content(where.data, text);
        assert_in_range(where.length, 1, 200);
    }
    assert_int_equal(count_entries("quarantine"), 10);
    buf_free(&where);
}

static void the_same_again_adds_nothing(void **state)
{
    struct buf where = {0};

    (void)state;
    for (int i = 0; i < 6; i++) {
        struct incoming *incoming = incoming_of(i % 2 ? "the other" : "the same");

        buf_clear(&where);
        assert_int_equal(store_quarantine(store, incoming, "1.2.3", "why", &where, &err), 0);
        incoming_free(incoming);
        assert_content(where.data, i % 2 ? "the other" : "the same");
    }
    assert_int_equal(count_entries("quarantine"), 4);
    assert_int_equal(count_entries("incoming"), 0);
    buf_free(&where);
}

static void objects_go_to_quarantine_or_are_kept_there_too(void **state)
{
    struct incoming *incoming = incoming_of("object");
    struct buf where = {0};

    (void)state;
    assert_int_equal(store_place(store, incoming, PLACE, true, &err), PLACE_DONE);
    incoming_free(incoming);
    assert_int_equal(store_quarantine_copy(store, PLACE, "copy", "replaced", &where, &err), 0);
    assert_content(PLACE, "object");
    assert_content("quarantine/copy", "object");
    store->no_links = true;
    assert_int_equal(store_quarantine_copy(store, PLACE, "again", "replaced", NULL, &err), 0);
    assert_content("quarantine/again", "object");
    assert_int_equal(links_of("quarantine/again"), 1);
    assert_int_equal(store_quarantine_path(store, PLACE, "moved", "broken", NULL, &err), 0);
    assert_content("quarantine/moved", "object");
    assert_int_equal(access(PLACE, F_OK), -1);
    assert_int_equal(store_quarantine_path(store, PLACE, "gone", "broken", NULL, &err), -1);
    assert_int_equal(access("quarantine/gone.why", F_OK), -1);
    buf_free(&where);
}

static void contents_are_compared_from_their_offsets(void **state)
{
    int one, other;

    (void)state;
    assert_int_equal(replace_file("one", "headA data", 10, 0666, &err), 0);
    assert_int_equal(replace_file("other", "other head data", 15, 0666, &err), 0);
    one = open("one", O_RDONLY | O_CLOEXEC);
    other = open("other", O_RDONLY | O_CLOEXEC);
    assert_int_equal(store_same_bytes(one, 5, other, 10), 1);
    assert_int_equal(store_same_bytes(one, 4, other, 9), 0);
    assert_int_equal(store_same_bytes(one, 5, other, 9), 0);
    assert_int_equal(store_same_bytes(one, 11, other, 16), 0);
    assert_int_equal(store_same_bytes(one, 0, one, 0), 1);
    assert_int_equal(store_same_bytes(one, 0, -1, 0), -1);
    close(one);
    close(other);
}

static void a_store_is_only_made_when_asked(void **state)
{
    (void)state;
    assert_null(store_open("missing", false, &err));
    assert_int_equal(err.code, ERR_NOTFOUND);
    struct store *made = store_open("made/deep", true, &err);
    assert_non_null(made);
    assert_string_equal(store_root_path(made), "made/deep");
    assert_int_equal(count_entries("made/deep"), 3);
    store_close(made);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(paths_follow_from_date_and_uids),
        TEST(an_object_is_placed_and_its_second_name_stays),
        TEST(what_is_there_is_never_written_over),
        TEST(without_hard_links_it_is_renamed),
        TEST(a_placement_is_taken_back),
        TEST(only_ones_own_placement_is_taken_back),
        TEST(a_replacement_leaves_no_third_name),
        TEST(folders_that_vanish_are_made_again),
        TEST(a_file_in_the_way_of_a_folder_is_an_error),
        TEST(no_room_is_told_as_such),
        TEST(large_files_are_written_behind_and_whole),
        TEST(copies_and_links_of_files),
        TEST(leftovers_of_the_dead_are_swept),
        TEST(a_torn_loose_file_shows_in_its_size),
        TEST(a_replacement_that_was_cut_off_is_a_leftover),
        TEST(a_link_that_was_not_placed_is_told_as_linked),
        TEST(sweepers_and_writers_do_not_meet),
        TEST(quarantine_keeps_the_file_and_the_reason),
        TEST(names_in_quarantine_are_unique_and_bounded),
        TEST(the_same_again_adds_nothing),
        TEST(objects_go_to_quarantine_or_are_kept_there_too),
        TEST(contents_are_compared_from_their_offsets),
        TEST(a_store_is_only_made_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
