/*
 * Archives: which folders are one, how they are named, made and refused; and the walk over a tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "index/archive.h"
#include "store/walk.h"

static char folder[64];
static struct err err;

static int enter(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pacs-archive-XXXXXX");
    unsetenv("PACS_ARCHIVE");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    char command[192];

    (void)state;
    snprintf(command, sizeof command, "chmod -R u+rwx %s && rm -rf %s", folder, folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void touch(const char *path)
{
    assert_int_equal(replace_file(path, "", 0, 0666, &err), 0);
}

static void refused(const char *option, enum archive_mode mode, enum err_code code,
                    const char *text)
{
    struct archive *archive = archive_open(option, mode, &err);

    assert_null(archive);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void assert_opens(const char *option, enum archive_mode mode, bool created)
{
    struct archive *archive = archive_open(option, mode, &err);

    if (!archive)
        fail_msg("%s", err.text);
    assert_int_equal(archive_created(archive), created);
    assert_int_equal(archive_path(archive)[0], '/');
    archive_close(archive);
}

static void one_is_made_when_asked(void **state)
{
    (void)state;
    refused("new", ARCHIVE_READ, ERR_NOTFOUND, "not an archive");
    refused("new", ARCHIVE_WRITE, ERR_NOTFOUND, "not an archive");
    assert_opens("new", ARCHIVE_CREATE, true);
    assert_int_equal(access("new/pacs.conf", F_OK), 0);
    assert_int_equal(access("new/objects", F_OK), 0);
    assert_opens("new", ARCHIVE_CREATE, false);
    assert_opens("new", ARCHIVE_WRITE, false);
    assert_opens("new", ARCHIVE_READ, false);
    assert_int_equal(mkdir("empty", 0777), 0);
    refused("empty", ARCHIVE_WRITE, ERR_NOTFOUND, "not an archive");
    assert_opens("empty", ARCHIVE_CREATE, true);
    /* A spelling mistake in the path makes no tree. */
    refused("some/where", ARCHIVE_CREATE, ERR_NOTFOUND, "some/where");
}

static void a_foreign_folder_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir("home", 0777), 0);
    touch("home/letter.txt");
    refused("home", ARCHIVE_CREATE, ERR_INPUT, "letter.txt");
    assert_int_equal(access("home/objects", F_OK), -1);
    touch("file");
    refused("file", ARCHIVE_CREATE, ERR_FAILED, "file");
    assert_opens("new", ARCHIVE_CREATE, true);
    touch("new/notes.txt");
    assert_opens("new", ARCHIVE_CREATE, false);
}

static void one_is_completed_from_its_own_parts(void **state)
{
    struct buf text = {0};

    (void)state;
    assert_int_equal(mkdir("prepared", 0777), 0);
    assert_int_equal(replace_file("prepared/pacs.conf", "[recv]\naet = US\n", 16, 0666, &err), 0);
    assert_opens("prepared", ARCHIVE_CREATE, true);
    assert_int_equal(read_file("prepared/pacs.conf", 1000, &text, &err), 0);
    assert_string_equal(text.data, "[recv]\naet = US\n");
    buf_free(&text);
    /* As a backup brings it back. */
    assert_opens("restored", ARCHIVE_CREATE, true);
    assert_int_equal(rmdir("restored/incoming"), 0);
    assert_opens("restored", ARCHIVE_READ, false);
    assert_int_equal(access("restored/incoming", F_OK), -1);
    assert_opens("restored", ARCHIVE_WRITE, false);
    assert_int_equal(access("restored/incoming", F_OK), 0);
}

static void how_it_is_named(void **state)
{
    (void)state;
    refused(NULL, ARCHIVE_CREATE, ERR_INPUT, "PACS_ARCHIVE");
    assert_int_equal(access("objects", F_OK), -1);
    assert_opens("one", ARCHIVE_CREATE, true);
    setenv("PACS_ARCHIVE", "one", 1);
    assert_opens(NULL, ARCHIVE_READ, false);
    setenv("PACS_ARCHIVE", "two", 1);
    refused(NULL, ARCHIVE_READ, ERR_NOTFOUND, "two");
    assert_opens("one", ARCHIVE_READ, false); /* the option wins */
    unsetenv("PACS_ARCHIVE");
    assert_int_equal(chdir("one"), 0);
    assert_opens(NULL, ARCHIVE_READ, false);
}

static void the_first_settings_are_accepted(void **state)
{
    struct archive *archive;
    size_t count;

    (void)state;
    archive = archive_open("new", ARCHIVE_CREATE, &err);
    assert_non_null(archive);
    config_entries(archive_config(archive), &count);
    assert_int_equal(count, 0); /* all of it are comments */
    archive_close(archive);
    assert_int_equal(replace_file("new/pacs.conf", "[recieve]\nport = 1\n", 19, 0666, &err), 0);
    refused("new", ARCHIVE_WRITE, ERR_INPUT, "pacs.conf:2: there is no section [recieve]");
    assert_opens("new", ARCHIVE_READ, false);
}

static void an_index_is_opened_once(void **state)
{
    struct archive *archive = archive_open("new", ARCHIVE_CREATE, &err);
    struct index *index;

    (void)state;
    assert_non_null(archive);
    index = archive_index(archive, &err);
    assert_non_null(index);
    assert_ptr_equal(archive_index(archive, &err), index);
    archive_close_index(archive);
    assert_non_null(archive_index(archive, &err));
    archive_close(archive);
    archive = archive_open("new", ARCHIVE_READ, &err);
    assert_non_null(archive_index(archive, &err));
    archive_close(archive);
    assert_int_equal(unlink("new/index.db"), 0);
    archive = archive_open("new", ARCHIVE_READ, &err);
    assert_null(archive_index(archive, &err));
    assert_int_equal(err.code, ERR_NOTFOUND);
    archive_close(archive);
}

/* ---- the walk ---- */

struct seen {
    struct buf text;
    const char *skip;
    int stop_after, failed;
};

static int each_folder(void *context, int fd, const char *path, char *const *names, size_t count,
                       struct err *error)
{
    struct seen *seen = context;

    (void)error;
    buf_addf(&seen->text, "%s:", path);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(faccessat(fd, names[i], F_OK, 0), 0);
        buf_addf(&seen->text, " %s", names[i]);
    }
    buf_addc(&seen->text, '\n');
    return seen->stop_after && --seen->stop_after == 0 ? 7 : 0;
}

static void each_failure(void *context, const char *path, const struct err *why)
{
    struct seen *seen = context;

    assert_non_null(strstr(why->text, path));
    seen->failed++;
}

static bool each_enter(void *context, const char *path, const struct stat *status)
{
    const struct seen *seen = context;

    assert_true(S_ISDIR(status->st_mode));
    return !seen->skip || strcmp(path, seen->skip) != 0;
}

static void make_tree(void)
{
    assert_int_equal(make_folders(AT_FDCWD, "tree/b/deep/er", false, &err), 0);
    assert_int_equal(make_folders(AT_FDCWD, "tree/a", false, &err), 0);
    touch("tree/z");
    touch("tree/b.txt");
    touch("tree/b/2");
    touch("tree/b/1");
    touch("tree/b/deep/er/x\ny");
    assert_int_equal(mkfifo("tree/a/pipe", 0666), 0);
    assert_int_equal(symlink("..", "tree/a/up"), 0);
    assert_int_equal(symlink("../z", "tree/a/link"), 0);
    assert_int_equal(symlink("tree", "named"), 0);
}

static void a_tree_is_walked_in_order_and_without_loops(void **state)
{
    struct seen seen = {0};
    struct walk walk = {each_folder, each_failure, each_enter, &seen};

    (void)state;
    make_tree();
    assert_int_equal(walk_tree(AT_FDCWD, "tree", &walk, &err), 0);
    assert_string_equal(seen.text.data, "tree: b.txt z\n"
                                        "tree/a:\n"
                                        "tree/b: 1 2\n"
                                        "tree/b/deep:\n"
                                        "tree/b/deep/er: x\ny\n");
    buf_clear(&seen.text);
    seen.skip = "named/b";
    assert_int_equal(walk_tree(AT_FDCWD, "named", &walk, &err), 0);
    assert_string_equal(seen.text.data, "named: b.txt z\nnamed/a:\n");
    buf_clear(&seen.text);
    seen.skip = NULL;
    seen.stop_after = 2;
    assert_int_equal(walk_tree(AT_FDCWD, "tree", &walk, &err), 7);
    assert_int_equal(walk_tree(AT_FDCWD, "nowhere", &walk, &err), -1);
    assert_int_equal(err.code, ERR_NOTFOUND);
    assert_int_equal(seen.failed, 0);
    buf_free(&seen.text);
}

static void a_tree_deeper_than_descriptors(void **state)
{
    struct seen seen = {0};
    struct walk walk = {each_folder, each_failure, NULL, &seen};
    struct buf path = {0};

    (void)state;
    buf_adds(&path, "deep");
    for (int i = 0; i < 1500; i++)
        buf_adds(&path, "/d");
    assert_int_equal(make_folders(AT_FDCWD, path.data, false, &err), 0);
    assert_int_equal(walk_tree(AT_FDCWD, "deep", &walk, &err), 0);
    assert_int_equal(seen.failed, 0);
    assert_non_null(strstr(seen.text.data, path.data));
    buf_free(&path);
    buf_free(&seen.text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_is_made_when_asked),
        TEST(a_foreign_folder_is_refused),
        TEST(one_is_completed_from_its_own_parts),
        TEST(how_it_is_named),
        TEST(the_first_settings_are_accepted),
        TEST(an_index_is_opened_once),
        TEST(a_tree_is_walked_in_order_and_without_loops),
        TEST(a_tree_deeper_than_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
