/*
 * The structure check: every file of the test data, and what it passes against dcmdump; limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "dicom/verify.h"

#define DATA "tests/data/dicom/"

/* In memory; dcmdump inherits it. */
static int scratch_fd;
static char scratch[32];

static int make_scratch(void **state)
{
    (void)state;
    scratch_fd = memfd_create("scratch", 0);
    snprintf(scratch, sizeof scratch, "/proc/self/fd/%d", scratch_fd);
    return scratch_fd < 0 ? -1 : 0;
}

static int remove_scratch(void **state)
{
    (void)state;
    return close(scratch_fd);
}

static int verify_path(const char *path, struct verify_layout *layout, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int result;

    assert_true(fd >= 0);
    result = verify_fd(fd, path, layout, err);
    close(fd);
    return result;
}

static int verify_bytes(const struct buf *bytes, struct verify_layout *layout, struct err *err)
{
    assert_int_equal(ftruncate(scratch_fd, 0), 0);
    assert_true(lseek(scratch_fd, 0, SEEK_SET) == 0);
    assert_int_equal(write_all(scratch_fd, bytes->data, bytes->length), 0);
    return verify_path(scratch, layout, err);
}

static void read_data(const char *path, struct buf *out)
{
    struct err err;

    if (read_file(path, 1 << 26, out, &err) < 0)
        fail_msg("%s", err.text);
}

/* Its exit status; a signal fails the test. Its output is counted in lines that hold `needle`. */
static int dcmdump(const char *path, const char *needle, unsigned *lines)
{
    const char *const argv[] = {"dcmdump", path, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], status;
    char line[4096];
    FILE *out;
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    out = fdopen(ends[0], "r");
    assert_non_null(out);
    *lines = 0;
    while (fgets(line, sizeof line, out))
        *lines += strstr(line, needle) != NULL;
    assert_int_equal(fclose(out), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status))
        fail_msg("dcmdump %s: signal %d", path, WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* Column `n` of a line of tab-separated text, cut out of it. */
static char *column(char *line, int n)
{
    char *start = line;

    while (n-- > 0)
        start = strchr(start, '\t') + 1;
    start[strcspn(start, "\t\n")] = '\0';
    return start;
}

/* The table says of each file whether an object can be had from it; dcmdump reads all that passes. */
static void test_data(void **state)
{
    FILE *table = fopen("tests/data/manifest.tsv", "r");
    char line[8192], path[sizeof DATA + 8192], copy[8192];
    unsigned passed = 0, refused = 0, lines;

    (void)state;
    assert_non_null(table);
    assert_non_null(fgets(line, sizeof line, table));
    while (fgets(line, sizeof line, table)) {
        const char *valid;
        struct err err;
        int result;

        memcpy(copy, line, sizeof copy);
        valid = column(copy, 9);
        snprintf(path, sizeof path, DATA "%s", column(line, 0));
        result = verify_path(path, NULL, &err);
        if (strcmp(valid, "yes") == 0 && result < 0)
            fail_msg("a valid file is refused: %s", err.text);
        if (strcmp(valid, "no") == 0 && result == 0)
            fail_msg("%s: a file without an object passes", path);
        if (result < 0) {
            refused++;
            assert_int_equal(err.code, ERR_INPUT);
            assert_true(strncmp(err.text, path, strlen(path)) == 0);
            continue;
        }
        passed++;
        if (dcmdump(path, "(", &lines) != 0)
            fail_msg("%s: passes, and dcmdump complains", path);
        assert_true(lines > 0);
    }
    fclose(table);
    assert_true(passed > 200);
    assert_true(refused > 30);
}

/* Cut anywhere: what still passes is whole for dcmdump too. */
static void cut_files(void **state)
{
    static const char *const paths[] = {DATA "odd/sq-undefined.dcm",
                                        DATA "odd/sq-defined-item-undefined.dcm",
                                        DATA "odd/sq-un-undefined.dcm",
                                        DATA "odd/fragments-bad-offsets.dcm",
                                        DATA "odd/deflated.dcm",
                                        DATA "odd/big-endian.dcm",
                                        DATA "pydicom/test_files/UN_sequence.dcm"};
    unsigned passed = 0, lines;

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct buf bytes = {0};

        read_data(paths[i], &bytes);
        for (size_t n = bytes.length - 1; n > 0; n--) {
            struct err err;

            bytes.length = n;
            if (verify_bytes(&bytes, NULL, &err) < 0)
                continue;
            passed++;
            if (dcmdump(scratch, "(", &lines) != 0)
                fail_msg("%s: cut at %zu it passes, and dcmdump complains", paths[i], n);
        }
        buf_free(&bytes);
    }
    assert_in_range(passed, 100, 400);
}

static void add(struct buf *out, const char *literal, size_t length, size_t times)
{
    while (times-- > 0)
        buf_add(out, literal, length);
}
#define ADD(out, literal, times) add(out, literal, sizeof(literal) - 1, times)

static void add_u32(struct buf *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        buf_addc(out, (char)(value >> 8 * i & 0xff));
}

/* Preamble and meta header. */
static void begin(struct buf *out, const char *syntax)
{
    size_t length = (strlen(syntax) + 1) & ~(size_t)1;

    buf_clear(out);
    ADD(out, "\0", 128);
    ADD(out, "DICM\x02\0\0\0UL\x04\0", 1);
    add_u32(out, (uint32_t)(8 + length));
    ADD(out, "\x02\0\x10\0UI", 1);
    buf_addc(out, (char)length);
    buf_addc(out, 0);
    buf_add(out, syntax, strlen(syntax));
    if (strlen(syntax) % 2)
        buf_addc(out, 0);
    ADD(out, "\x08\0\x60\0", 1);
    if (strcmp(syntax, UID_IMPLICIT_LE) == 0)
        ADD(out, "\x02\0\0\0CT", 1);
    else
        ADD(out, "CS\x02\0CT", 1);
}

#define SEQ_DELIMITER  "\xfe\xff\xdd\xe0\0\0\0\0"
#define ITEM_DELIMITER "\xfe\xff\x0d\xe0\0\0\0\0"
#define ITEM           "\xfe\xff\x00\xe0\xff\xff\xff\xff"

static void add_nested(struct buf *out, const char *head, size_t length, size_t depth)
{
    for (size_t i = 0; i < depth; i++) {
        buf_add(out, head, length);
        ADD(out, "\xff\xff\xff\xff" ITEM, 1);
    }
    ADD(out, ITEM_DELIMITER SEQ_DELIMITER, depth);
}

static void depth_is_limited(void **state)
{
    struct verify_layout layout;
    struct buf bytes = {0};
    struct err err;

    (void)state;
    begin(&bytes, UID_EXPLICIT_LE);
    add_nested(&bytes, "\x40\0\x30\xa7SQ\0\0", 8, VERIFY_DEPTH_MAX);
    assert_int_equal(verify_bytes(&bytes, &layout, &err), 0);
    assert_int_equal(layout.depth, VERIFY_DEPTH_MAX);
    begin(&bytes, UID_EXPLICIT_LE);
    add_nested(&bytes, "\x40\0\x30\xa7SQ\0\0", 8, VERIFY_DEPTH_MAX + 1);
    assert_int_equal(verify_bytes(&bytes, &layout, &err), -1);
    assert_non_null(strstr(err.text, "nested too deep"));
    /* By UN, whose contents are implicit; and private in implicit VR. */
    begin(&bytes, UID_EXPLICIT_LE);
    ADD(&bytes, "\x09\0\x10\x10UN\0\0\xff\xff\xff\xff" ITEM, 1);
    add_nested(&bytes, "\x40\0\x30\xa7", 4, VERIFY_DEPTH_MAX);
    ADD(&bytes, ITEM_DELIMITER SEQ_DELIMITER, 1);
    assert_int_equal(verify_bytes(&bytes, &layout, &err), -1);
    assert_non_null(strstr(err.text, "nested too deep"));
    begin(&bytes, UID_IMPLICIT_LE);
    add_nested(&bytes, "\x09\0\x10\x10", 4, VERIFY_DEPTH_MAX + 1);
    assert_int_equal(verify_bytes(&bytes, &layout, &err), -1);
    assert_non_null(strstr(err.text, "nested too deep"));
    buf_free(&bytes);
}

/* A private element of defined length in implicit VR: DCMTK's dictionary may call it a sequence. */
static void hidden_sequences_are_walked(void **state)
{
    struct verify_layout layout;
    struct buf bytes = {0};
    struct err err;

    (void)state;
    begin(&bytes, UID_IMPLICIT_LE);
    ADD(&bytes, "\x09\0\x10\x10", 1);
    add_u32(&bytes, 16);
    ADD(&bytes, "\xfe\xff\0\xe0", 1);
    add_u32(&bytes, 8);
    ADD(&bytes, "\x10\0\x20\0\0\0\0\0", 1);
    assert_int_equal(verify_bytes(&bytes, &layout, &err), 0);
    assert_int_equal(layout.depth, 1);
    bytes.data[bytes.length - 4] = 1; /* a length that leaves the item */
    assert_int_equal(verify_bytes(&bytes, &layout, &err), -1);
    assert_non_null(strstr(err.text, "longer than what it is in"));
    buf_free(&bytes);
}

static void elements_are_limited(void **state)
{
    struct verify_layout layout;
    struct buf bytes = {0};
    struct err err;

    (void)state;
    begin(&bytes, UID_EXPLICIT_LE);
    ADD(&bytes, "\x09\0\x10\x10LO\0\0", VERIFY_ELEMENTS_MAX - 1);
    assert_int_equal(verify_bytes(&bytes, &layout, &err), 0);
    assert_int_equal(layout.elements, VERIFY_ELEMENTS_MAX);
    ADD(&bytes, "\x09\0\x10\x10LO\0\0", 1);
    assert_int_equal(verify_bytes(&bytes, &layout, &err), -1);
    assert_non_null(strstr(err.text, "too many elements"));
    buf_free(&bytes);
}

/* `megabytes` of zeros in one value, deflated. */
static void deflate_zeros(struct buf *out, uint32_t megabytes)
{
    static unsigned char zeros[1 << 20];
    unsigned char packed[4096];
    struct buf head = {0};
    z_stream stream = {0};

    begin(out, UID_DEFLATED_LE);
    out->length -= 10;
    assert_int_equal(deflateInit2(&stream, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ADD(&head, "\x09\0\x10\x10OB\0\0", 1);
    add_u32(&head, megabytes << 20);
    for (uint32_t i = 0; i <= megabytes; i++) {
        stream.next_in = i ? zeros : (unsigned char *)head.data;
        stream.avail_in = i ? sizeof zeros : (unsigned)head.length;
        do {
            stream.next_out = packed;
            stream.avail_out = sizeof packed;
            assert_int_not_equal(deflate(&stream, i == megabytes ? Z_FINISH : Z_NO_FLUSH),
                                 Z_STREAM_ERROR);
            buf_add(out, packed, sizeof packed - stream.avail_out);
        } while (stream.avail_out == 0);
    }
    deflateEnd(&stream);
    buf_free(&head);
}

static void inflation_is_limited(void **state)
{
    struct verify_layout layout;
    struct buf bytes = {0};
    struct err err;

    (void)state;
    deflate_zeros(&bytes, 8);
    assert_int_equal(verify_bytes(&bytes, &layout, &err), 0);
    assert_int_equal(layout.dataset_end, (8 << 20) + 12);
    bytes.length -= 4;
    assert_int_equal(verify_bytes(&bytes, &layout, &err), -1);
    assert_non_null(strstr(err.text, "cut short"));
    deflate_zeros(&bytes, VERIFY_INFLATE_MAX >> 20);
    assert_int_equal(verify_bytes(&bytes, &layout, &err), -1);
    assert_non_null(strstr(err.text, "beyond all measure"));
    buf_free(&bytes);
}

static void pixels_are_found(void **state)
{
    struct verify_layout layout;
    unsigned lines;
    struct err err;
    struct stat info;
    const char *path = DATA "fragments/CT0012.fragmented_no_bot_jpeg_baseline.51.dcm";

    (void)state;
    assert_int_equal(verify_path(path, &layout, &err), 0);
    assert_int_equal(dcmdump(path, "(fffe,e000) pi", &lines), 0);
    assert_int_equal(layout.fragments, lines);
    assert_true(lines > 2);
    assert_int_equal(layout.pixel_tag, TAG(0x7fe0, 0x0010));
    assert_int_equal(layout.pixel_length, VERIFY_UNDEFINED);
    assert_int_equal(layout.pixel_value, layout.pixel_start + 12);

    path = DATA "odd/good.dcm";
    assert_int_equal(verify_path(path, &layout, &err), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(layout.pixel_length, 128);
    assert_int_equal(layout.pixel_end, info.st_size);
    assert_string_equal(layout.syntax.uid, UID_EXPLICIT_LE);

    assert_int_equal(verify_path(DATA "made/encapsulated-pdf.dcm", &layout, &err), 0);
    assert_int_equal(layout.pixel_tag, 0);
}

static void only_regular_files(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(verify_path("/dev/null", NULL, &err), -1);
    assert_non_null(strstr(err.text, "not a regular file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(hidden_sequences_are_walked),
        cmocka_unit_test(elements_are_limited),
        cmocka_unit_test(inflation_is_limited),
        cmocka_unit_test(pixels_are_found),
        cmocka_unit_test(only_regular_files),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
