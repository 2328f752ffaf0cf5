/*
 * libcore/export/sink: an archive is whole or not there; an object that shrinks while it is read
 * leaves no trace in it; more entries than a zip of old can count.
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
#include <unistd.h>

#include "export/sink.h"

static char folder[] = "/tmp/pacs-sink-XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static int leave_folder(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("/") < 0 || system(command) != 0;
}

static struct sink_source make_source(const char *path, off_t size)
{
    struct sink_source source = {.dirfd = AT_FDCWD, .path = path};

    source.fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    assert_true(source.fd >= 0);
    assert_int_equal(write(source.fd, "object", 6), 6);
    assert_int_equal(ftruncate(source.fd, size), 0);
    assert_int_equal(fstat(source.fd, &source.stat), 0);
    return source;
}

static struct sink *open_sink(enum sink_format format, const char *output)
{
    struct sink_options options = {.format = format, .output = output, .level = -1};
    struct err err = {0};
    struct sink *sink =
        format == SINK_FOLDER ? sink_folder_new(&options, &err) : sink_archive_new(&options, &err);

    if (!sink)
        fail_msg("%s", err.text);
    return sink;
}

static bool shell(const char *command)
{
    return system(command) == 0;
}

static const struct {
    enum sink_format format;
    const char *output, *test;
} archives[] = {
    {SINK_ZIP, "a.zip", "unzip -tqq a.zip >/dev/null && test $(unzip -Z1 a.zip | wc -l) = 2"},
    {SINK_TAR, "a.tar", "test $(tar -tf a.tar | wc -l) = 2"},
    {SINK_TAR_ZST, "a.tar.zst", "test $(tar -tf a.tar.zst | wc -l) = 2"},
};

static void one_that_shrinks_leaves_no_trace(void **state)
{
    struct sink_source good = make_source("good", 5000), bad = make_source("bad", 5000);
    struct err err;

    (void)state;
    assert_int_equal(ftruncate(bad.fd, 100), 0);
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
        struct sink *sink = open_sink(archives[i].format, archives[i].output);

        assert_int_equal(sink->type->add(sink, "1", &good, NULL, &err), SINK_DONE);
        assert_int_equal(sink->type->add(sink, "2", &bad, NULL, &err), SINK_FAILED);
        assert_non_null(strstr(err.text, "changed"));
        assert_int_equal(sink->type->add(sink, "3", &good, NULL, &err), SINK_DONE);
        assert_int_equal(access(archives[i].output, F_OK), -1); /* not before it is whole */
        assert_int_equal(sink->type->finish(sink, &err), 0);
        sink->type->free(sink);
        assert_true(shell(archives[i].test));
    }
    close(good.fd);
    close(bad.fd);
}

static void a_large_one_that_shrinks_ends_it(void **state)
{
    struct sink_source bad = make_source("large", SINK_WHOLE + 3 * SINK_BLOCK);
    struct err err;

    (void)state;
    assert_int_equal(ftruncate(bad.fd, SINK_WHOLE), 0);
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
        char output[32];

        snprintf(output, sizeof output, "b-%s", archives[i].output);
        struct sink *sink = open_sink(archives[i].format, output);
        assert_int_equal(sink->type->add(sink, "1", &bad, NULL, &err), SINK_FATAL);
        assert_non_null(strstr(err.text, "large"));
        sink->type->free(sink);
    }
    assert_false(shell("ls b-* >/dev/null 2>&1"));
    close(bad.fd);
}

static void a_folder_keeps_only_whole_files(void **state)
{
    struct sink_source good = make_source("good", 5000), bad = make_source("bad", 5000);
    struct sink *sink = open_sink(SINK_FOLDER, "out/below");
    struct err err;

    (void)state;
    assert_int_equal(ftruncate(bad.fd, 100), 0);
    assert_int_equal(sink->type->add(sink, "a/good", &good, NULL, &err), SINK_DONE);
    assert_int_equal(sink->type->add(sink, "a/bad", &bad, NULL, &err), SINK_FAILED);
    assert_int_equal(sink->type->add(sink, "a/good", &good, NULL, &err), SINK_KEPT);
    assert_int_equal(sink->type->finish(sink, &err), 0);
    sink->type->free(sink);
    assert_true(shell("test \"$(find out -type f)\" = out/below/a/good && cmp -s good "
                      "out/below/a/good"));
    close(good.fd);
    close(bad.fd);
}

/* An archive may not take the place of one that came while it was written. */
static void names_taken_meanwhile_are_not_replaced(void **state)
{
    struct sink_source good = make_source("good", 5000);
    struct sink *sink = open_sink(SINK_TAR, "c.tar");
    struct err err;

    (void)state;
    assert_int_equal(sink->type->add(sink, "1", &good, NULL, &err), SINK_DONE);
    assert_true(shell("echo other >c.tar"));
    assert_int_equal(sink->type->finish(sink, &err), -1);
    sink->type->free(sink);
    assert_true(shell("test \"$(cat c.tar)\" = other && test $(ls c.tar* | wc -l) = 1"));
    close(good.fd);
}

static void more_entries_than_16_bits_count(void **state)
{
    struct sink_source good = make_source("good", 10);
    struct sink *sink = open_sink(SINK_ZIP, "many.zip");
    struct err err;
    char name[16];

    (void)state;
    for (int i = 0; i < 70000; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(sink->type->add(sink, name, &good, NULL, &err), SINK_DONE);
    }
    assert_int_equal(sink->type->finish(sink, &err), 0);
    sink->type->free(sink);
    assert_true(shell("test $(unzip -Z1 many.zip | wc -l) = 70000 && unzip -tqq many.zip "
                      ">/dev/null"));
    close(good.fd);
}

/* In the C locale, in which programs run that set none. */
static void names_beyond_ascii_are_utf8(void **state)
{
    static const struct {
        enum sink_format format;
        const char *output, *list;
    } kinds[] = {
        {SINK_ZIP, "u.zip",
         "python3 -c 'import zipfile; print(zipfile.ZipFile(\"u.zip\").namelist()[0])'"},
        {SINK_ZIP, "v.zip", "bsdtar -tf v.zip"},
        {SINK_TAR, "u.tar", "tar -tf u.tar --quoting-style=literal"},
        {SINK_TAR, "v.tar",
         "python3 -c 'import tarfile; print(tarfile.open(\"v.tar\").getnames()[0])'"},
    };
    static const char name[] = "M\xc3\xbcller/\xe5\xb1\xb1\xe7\x94\xb0_\xd0\x98.dcm";
    struct sink_source good = make_source("good", 10);
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct sink *sink = open_sink(kinds[i].format, kinds[i].output);
        char command[300];

        assert_int_equal(sink->type->add(sink, name, &good, NULL, &err), SINK_DONE);
        assert_int_equal(sink->type->finish(sink, &err), 0);
        sink->type->free(sink);
        snprintf(command, sizeof command, "export LC_ALL=C.UTF-8; test \"$(%s)\" = '%s'",
                 kinds[i].list, name);
        if (!shell(command))
            fail_msg("%s", command);
    }
    close(good.fd);
}

static void only_files_are_replaced(void **state)
{
    struct sink_options options = {.format = SINK_ZIP, .level = -1, .force = true};
    const char *outputs[] = {"pipe", "/dev/null", "dangling/x.zip", "."};
    struct err err;

    (void)state;
    assert_true(shell("mkfifo pipe"));
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        options.output = outputs[i];
        assert_null(sink_archive_new(&options, &err));
        assert_non_null(strstr(err.text, outputs[i]));
    }
    assert_true(shell("test -p pipe && test -c /dev/null && test $(ls pipe* | wc -l) = 1"));
}

static void of_nothing_no_folder_is_left(void **state)
{
    struct sink *sink = open_sink(SINK_FOLDER, "empty");
    struct err err;

    (void)state;
    assert_int_equal(sink->type->finish(sink, &err), 0);
    sink->type->free(sink);
    assert_int_equal(access("empty", F_OK), -1);
    assert_true(shell("mkdir ours"));
    sink = open_sink(SINK_FOLDER, "ours");
    sink->type->free(sink);
    assert_int_equal(access("ours", F_OK), 0);
}

static void formats_follow_from_names(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(sink_format_of("a.zip", &err), SINK_ZIP);
    assert_int_equal(sink_format_of("a.ZIP", &err), SINK_ZIP);
    assert_int_equal(sink_format_of("-", &err), SINK_TAR);
    assert_int_equal(sink_format_of("a.tar", &err), SINK_TAR);
    assert_int_equal(sink_format_of("a.tgz", &err), SINK_TAR_GZ);
    assert_int_equal(sink_format_of("a.tar.xz", &err), SINK_TAR_XZ);
    assert_int_equal(sink_format_of("a.tar.zst", &err), SINK_TAR_ZST);
    assert_int_equal(sink_format_of("a/b", &err), SINK_FOLDER);
    assert_int_equal(sink_format_of(".zip", &err), SINK_FOLDER);
    assert_int_equal(err.code, ERR_NONE);
    assert_int_equal(sink_format_of("a.7z", &err), SINK_AUTO);
    assert_int_equal(err.code, ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_shrinks_leaves_no_trace),
        cmocka_unit_test(a_large_one_that_shrinks_ends_it),
        cmocka_unit_test(a_folder_keeps_only_whole_files),
        cmocka_unit_test(names_taken_meanwhile_are_not_replaced),
        cmocka_unit_test(more_entries_than_16_bits_count),
        cmocka_unit_test(names_beyond_ascii_are_utf8),
        cmocka_unit_test(only_files_are_replaced),
        cmocka_unit_test(of_nothing_no_folder_is_left),
        cmocka_unit_test(formats_follow_from_names),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
