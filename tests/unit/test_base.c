/*
 * The base floor: errors, buffers, folders, locks, configuration, rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/print.h"
#include "base/refs.h"

static char folder[] = "/tmp/pacs-base-XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void write_file(const char *name, const char *text)
{
    FILE *out = fopen(name, "w");

    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void errors_are_one_printable_line(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(err_set(&err, ERR_INPUT, "name %s", "a\nb\033[1m"), -1);
    assert_string_equal(err.text, "name a?b?[1m");
    err_set(&err, ERR_INPUT, "%s",
            "M\xc3\xbcller\xc2\x9b"
            "2J"); /* C1 too, in UTF-8 */
    assert_string_equal(err.text, "M\xc3\xbcller?2J");
    err_set(&err, ERR_INPUT, "name %s", "a\nb\033[1m");
    err_prefix(&err, "file %d", 7);
    assert_string_equal(err.text, "file 7: name a?b?[1m");
    errno = ENOSPC;
    err_sys(&err, "objects/x");
    assert_int_equal(err.code, ERR_NOSPACE);
    assert_string_equal(err.text, "objects/x: No space left on device");
    assert_int_equal(err_set(NULL, ERR_FAILED, "nobody listens"), -1);
}

static void an_error_may_quote_itself_and_is_cut_at_its_size(void **state)
{
    struct err err;
    char *longest = xmalloc(5000);

    (void)state;
    memset(longest, 'x', 4999);
    longest[4999] = '\0';
    err_set(&err, ERR_FAILED, "first");
    err_set(&err, ERR_FAILED, "%s, again", err.text);
    assert_string_equal(err.text, "first, again");
    errno = EACCES;
    err_sys(&err, "%s", longest);
    assert_true(strlen(err.text) < sizeof err.text);
    assert_non_null(strstr(err.text, "Permission denied"));
    free(longest);
}

static void folders_are_made_with_their_parents(void **state)
{
    struct err err;
    struct stat st;
    int fd = open(".", O_RDONLY | O_DIRECTORY);

    (void)state;
    assert_int_equal(make_folders(fd, "a/b//c/", true, &err), 0);
    assert_int_equal(stat("a/b/c", &st), 0);
    assert_int_equal(make_folders(fd, "a/b/c", true, &err), 0);
    assert_int_equal(make_folders(AT_FDCWD, "d", true, &err), 0);
    assert_int_equal(stat("d", &st), 0);
    write_file("a/file", "x");
    assert_int_equal(make_folders(fd, "a/file/c", true, &err), -1);
    assert_int_equal(make_folders(fd, "a/file", true, &err), -1);
    assert_string_equal(err.text, "a/file: not a folder");
    close(fd);
}

static void a_file_is_replaced_whole(void **state)
{
    struct err err;
    struct buf text = {0};

    (void)state;
    assert_int_equal(replace_file("r", "one", 3, 0600, &err), 0);
    assert_int_equal(replace_file("r", "three", 5, 0600, &err), 0);
    assert_int_equal(read_file("r", 100, &text, &err), 0);
    assert_string_equal(buf_text(&text), "three");
    buf_clear(&text);
    assert_int_equal(read_file("r", 4, &text, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    buf_free(&text);
}

static void a_lock_names_its_holder_and_waits(void **state)
{
    struct err err;
    int ready[2], done[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(done), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int fd = lock_file("lock", 0, NULL);

        close(done[1]);
        if (fd < 0 || write(ready[1], "x", 1) != 1 || read(done[0], &byte, 1) != 1)
            _exit(1);
        usleep(50000);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    char expected[64];
    snprintf(expected, sizeof expected, "lock: locked by pid %d", (int)child);
    assert_int_equal(lock_file("lock", 0, &err), -1);
    assert_int_equal(err.code, ERR_BUSY);
    assert_string_equal(err.text, expected);
    assert_int_equal(lock_file("lock", 30, &err), -1);
    assert_string_equal(err.text, expected);
    assert_int_equal(write(done[1], "x", 1), 1);
    int fd = lock_file("lock", 10000, &err);
    assert_true(fd >= 0);
    close(fd);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void configuration_errors_name_the_line(void **state)
{
    struct err err;
    struct config *config;
    long long number;
    int choice;
    bool flag;

    (void)state;
    write_file("good.conf", "# a comment\n[recv]\nport = 11112\n  aet = PACS ; ours\n\n[peer CT]\n"
                            "tls = yes\ntypo = 1\n");
    config = config_load("good.conf", &err);
    assert_non_null(config);
    assert_int_equal(config_number(config, "recv", "port", 1, 65535, 104, &number, &err), 0);
    assert_int_equal(number, 11112);
    assert_string_equal(config_get(config, "recv", "aet"), "PACS");
    assert_null(config_get(config, "recv", "absent"));
    assert_int_equal(config_unknown(config, "recv", &err), 0);
    assert_int_equal(config_flag(config, "peer CT", "tls", false, &flag, &err), 0);
    assert_true(flag);
    assert_int_equal(config_unknown(config, "peer CT", &err), -1);
    assert_string_equal(err.text, "good.conf:8: [peer CT] knows no setting named typo");
    assert_int_equal(config_number(config, "recv", "port", 1, 100, 1, &number, &err), -1);
    assert_string_equal(err.text, "good.conf:3: port = 11112: wants a number from 1 to 100");
    assert_int_equal(config_choice(config, "recv", "aet", "a|b", 0, &choice, &err), -1);
    assert_string_equal(err.text, "good.conf:4: aet = PACS: wants one of a|b");
    config_free(config);

    write_file("bad.conf", "[recv]\nport 11112\n");
    assert_null(config_load("bad.conf", &err));
    assert_string_equal(err.text, "bad.conf:2: neither [section] nor name = value");
    config = config_load("missing.conf", &err);
    assert_non_null(config);
    config_free(config);
}

static char *print_rows(enum print_format format)
{
    static const struct print_column columns[] = {
        {"UID", "UI", false}, {"Name", "PN", false}, {"Rows", "US", true}};
    const char *one[] = {"1.2", "M\xc3\xbcller\033[2J\n\"x\", y", "512"};
    const char *two[] = {"1.22", NULL, "x"};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct printer *printer = printer_new(out, format, columns, 3, true);
    struct err err;

    printer_row(printer, one);
    printer_row(printer, two);
    assert_int_equal(printer_close(printer, &err), 0);
    /* NUL-ended lines are made comparable. */
    fflush(out);
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\0')
            text[i] = '@';
    fclose(out);
    return text;
}

static void check_rows(enum print_format format, const char *expected)
{
    char *text = print_rows(format);

    assert_string_equal(text, expected);
    free(text);
}

static void rows_are_written_in_every_format(void **state)
{
    (void)state;
    check_rows(PRINT_TSV, "1.2\tM\xc3\xbcller?[2J?\"x\", y\t512\n1.22\t\tx\n");
    check_rows(PRINT_NUL, "1.2\tM\xc3\xbcller?[2J?\"x\", y\t512@1.22\t\tx@");
    check_rows(PRINT_CSV, "UID,Name,Rows\r\n1.2,\"M\xc3\xbcller\033[2J\n\"\"x\"\", y\",512\r\n"
                          "1.22,,x\r\n");
    check_rows(
        PRINT_JSON,
        "{\"UID\":\"1.2\",\"Name\":\"M\xc3\xbcller\\u001b[2J\\u000a\\\"x\\\", y\",\"Rows\":512}\n"
        "{\"UID\":\"1.22\",\"Rows\":\"x\"}\n");
    check_rows(PRINT_TABLE, "UID   Name               Rows\n"
                            "1.2   M\xc3\xbcller?[2J?\"x\", y   512\n"
                            "1.22                        x\n");
}

/* Rows of two columns, as one text. */
static char *print_pairs(enum print_format format, const char *const (*rows)[2], size_t count)
{
    static const struct print_column columns[] = {
        {"Reference", "UI", false}, {"PatientName", "PN", false, "Name"}, {"Reference", "UI"}};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct printer *printer = printer_new(out, format, columns, 3, true);
    struct err err;

    for (size_t i = 0; i < count; i++) {
        const char *row[] = {rows[i][0], rows[i][1], "z"};

        assert_int_equal(printer_row(printer, row), 0);
    }
    assert_int_equal(printer_close(printer, &err), 0);
    fclose(out);
    return text;
}

static void a_table_cuts_values_but_no_reference(void **state)
{
    static const char *rows[301][2];

    (void)state;
    for (size_t i = 0; i < 300; i++) {
        rows[i][0] = "1.2";
        rows[i][1] = "x";
    }
    rows[1][1] = "\xe5\xb1\xb1\xe5\xb1\xb1";
    rows[2][1] = "\xe2\x80\xae"
                 "evil\xff";
    rows[3][1] = "a name of more than forty characters is too long";
    rows[300][0] = "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15"; /* the widths are set by then */
    rows[300][1] = NULL;
    char *text = print_pairs(PRINT_TABLE, rows, 301);
    char *line = strtok(text, "\n");
    assert_string_equal(line, "Reference  Name                                      Reference");
    strtok(NULL, "\n");
    line = strtok(NULL, "\n");
    assert_string_equal(
        line, "1.2        \xe5\xb1\xb1\xe5\xb1\xb1                                      z");
    line = strtok(NULL, "\n");
    assert_string_equal(line, "1.2        ?evil?                                    z");
    line = strtok(NULL, "\n");
    assert_string_equal(line, "1.2        a name of more than forty characters is\xe2\x80\xa6  z");
    for (int i = 0; i < 297; i++)
        line = strtok(NULL, "\n");
    assert_string_equal(line, "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15  "
                              "                                          z");
    free(text);
}

static void json_is_json_whatever_the_value(void **state)
{
    static const char *rows[][2] = {{"1.2", "\xff\xc2\x9b\xed\xa0\x80"
                                            "a\xc3"},
                                    {"1\\2", "A^B\\C"}};
    char *text = print_pairs(PRINT_JSON, rows, 2);

    (void)state;
    /* A name that comes twice is one key. */
    assert_string_equal(text, "{\"Reference\":\"1.2\",\"PatientName\":"
                              "\"\\ufffd\\u009b\\ufffd\\ufffd\\ufffda\\ufffd\"}\n"
                              "{\"Reference\":[\"1\",\"2\"],\"PatientName\":[\"A^B\",\"C\"]}\n");
    free(text);
}

static void a_full_disk_stops_the_rows(void **state)
{
    static const struct print_column column = {"UID", "UI", false};
    FILE *full = fopen("/dev/full", "w");
    const char *value = "1.2.3";
    struct err err;
    int rows = 0;

    (void)state;
    assert_non_null(full);
    struct printer *printer = printer_new(full, PRINT_TSV, &column, 1, false);
    while (rows < 1000000 && printer_row(printer, &value) == 0)
        rows++;
    assert_true(rows < 100000);
    assert_int_equal(printer_close(printer, &err), -1);
    assert_int_equal(err.code, ERR_NOSPACE);
    fclose(full);
}

struct fields {
    const char *archive;
    int verbose;
    bool quiet;
    long long limit;
    int level;
};

static void options_and_operands_may_be_mixed(void **state)
{
    static const struct option_entry table[] = {
        OPTIONS_COMMON(struct fields),
        {0, "limit", OPTION_NUMBER, offsetof(struct fields, limit), "N", "at most N"},
        {'L', "level", OPTION_CHOICE, offsetof(struct fields, level), "patient|study", "level"},
        OPTIONS_END};
    static const struct options_usage usage = {"[options]", "Tests.", NULL, table};
    char *argv[] = {"/usr/bin/tool", "first",   "-vA", "dir", "--limit=4K", "-",
                    "-Lstudy",       "--quiet", "--",  "-x",  NULL};
    struct fields fields = {0};

    (void)state;
    int first = options_parse(10, argv, &usage, &fields);
    assert_int_equal(10 - first, 3);
    assert_string_equal(argv[first], "first");
    assert_string_equal(argv[first + 1], "-");
    assert_string_equal(argv[first + 2], "-x");
    assert_string_equal(fields.archive, "dir");
    assert_int_equal(fields.verbose, 1);
    assert_true(fields.quiet);
    assert_int_equal(fields.limit, 4096);
    assert_int_equal(fields.level, 1);
}

static int collect(void *context, const char *reference, const char *line, struct err *err)
{
    (void)err;
    buf_addf(context, "%s|%s;", reference, line);
    return 0;
}

static void references_come_from_arguments_and_stdin(void **state)
{
    char *arguments[] = {"1.2.3", "-", "./x"};
    struct buf seen = {0};
    struct err err;

    (void)state;
    write_file("in", "4.5\tmore\r\n\n\tno first\n6.7");
    assert_non_null(freopen("in", "r", stdin));
    assert_int_equal(refs_loop(3, arguments, false, collect, &seen, &err), 0);
    assert_string_equal(buf_text(&seen), "1.2.3|1.2.3;4.5|4.5\tmore;6.7|6.7;./x|./x;");
    assert_true(ref_is_path("./x") && ref_is_path("/x") && !ref_is_path("1.2"));
    buf_clear(&seen);
    FILE *out = fopen("nul", "w");
    assert_int_equal(fwrite("./a\tb\nc\0"
                            "1.2\tx\0"
                            "\0"
                            "3.4",
                            1, 19, out),
                     19);
    assert_int_equal(fclose(out), 0);
    assert_non_null(freopen("nul", "r", stdin));
    assert_int_equal(refs_loop(0, NULL, true, collect, &seen, &err), 0);
    assert_string_equal(buf_text(&seen), "./a\tb\nc|./a\tb\nc;1.2|1.2\tx;3.4|3.4;");
    assert_non_null(freopen("nul", "r", stdin));
    assert_int_equal(refs_loop(0, NULL, false, collect, &seen, &err), -1);
    assert_string_equal(err.text, "stdin: NUL in a line (-0 reads NUL-ended entries)");
    buf_free(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_one_printable_line),
        cmocka_unit_test(an_error_may_quote_itself_and_is_cut_at_its_size),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(a_file_is_replaced_whole),
        cmocka_unit_test(a_lock_names_its_holder_and_waits),
        cmocka_unit_test(configuration_errors_name_the_line),
        cmocka_unit_test(rows_are_written_in_every_format),
        cmocka_unit_test(a_table_cuts_values_but_no_reference),
        cmocka_unit_test(json_is_json_whatever_the_value),
        cmocka_unit_test(a_full_disk_stops_the_rows),
        cmocka_unit_test(options_and_operands_may_be_mixed),
        cmocka_unit_test(references_come_from_arguments_and_stdin),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
