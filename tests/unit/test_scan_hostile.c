/*
 * libcore/dicom/scan on what is broken or meant to do harm: an orderly result, within bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <malloc.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "scan_build.h"

static void start_file(struct buf *file, const char *syntax)
{
    file->length = 0;
    preamble(file);
    meta(file, syntax);
}

/* From memory and from a file the same result, with these words in the message. */
static void check_result(const struct buf *file, enum scan_result expected, const char *words)
{
    struct scanner *scanner = scanner_new(wanted, WANTED);

    for (int way = 0; way < 3; way++) {
        enum scan_result result;

        read_limit = way == 2 ? 1 : 0;
        result = way ? scan_as_file(scanner, file) : scan_bytes(scanner, file);
        read_limit = 0;
        if (result != expected || (words && !strstr(scan_err.text, words)))
            fail_msg("way %d: result %d, %s (expected: %d, %s)", way, result, scan_err.text,
                     expected, words ? words : "-");
        if (result != SCAN_OK) {
            assert_int_equal(scan_err.code, ERR_INPUT);
            assert_memory_equal(scan_err.text, "object: ", 8);
        }
    }
    scanner_free(scanner);
}

static void what_is_no_dicom(void **state)
{
    struct scanner *scanner = scanner_new(wanted, WANTED);
    struct buf file = {0};

    (void)state;
    check_result(&file, SCAN_NOT_DICOM, "empty file");
    for (int i = 0; i < 2; i++) {
        const char *syntax = i ? UID_DEFLATED_LE : UID_IMPLICIT_LE;

        assert_int_equal(scan_memory(scanner, NULL, 0, syntax, "object", &scan_err), SCAN_ERROR);
    }
    scanner_free(scanner);
    buf_addc(&file, 'x');
    check_result(&file, SCAN_NOT_DICOM, "not DICOM");
    buf_adds(&file, " is a text, and goes on for some lines\nlike this\n");
    check_result(&file, SCAN_NOT_DICOM, "not DICOM");
    file.length = 0;
    buf_adds(&file, "<html><head><title>404</title></head></html>\n");
    check_result(&file, SCAN_NOT_DICOM, "not DICOM");
    file.length = 0;
    buf_adds(&file, "\x7f"
                    "ELF\2\1\1");
    fill(&file, 1000);
    check_result(&file, SCAN_NOT_DICOM, "not DICOM");
    file.length = 0;
    buf_add(&file, "\x1f\x8b\x08\0\0\0\0\0", 8);
    fill(&file, 100);
    check_result(&file, SCAN_NOT_DICOM, "not DICOM");
    for (unsigned i = 1; i < 140; i++) { /* zeros */
        file.length = 0;
        memset(buf_reserve(&file, i * 11), 0, i * 11);
        file.length = i * 11;
        check_result(&file, SCAN_NOT_DICOM, "not DICOM");
    }
    buf_free(&file);
}

static void files_cut_short(void **state)
{
    struct buf file = {0}, part = {0};
    struct scanner *scanner = scanner_new(wanted, WANTED);
    size_t before, rows;

    (void)state;
    start_file(&file, UID_EXPLICIT_LE);
    before = file.length;
    dataset(&file, EXPLICIT, NULL);
    rows = file.length; /* what comes now is behind the last wanted tag */
    us(&file, EXPLICIT, TAG(0x0028, 0x0011), 512);
    text(&file, EXPLICIT, TAG(0x0040, 0x0254), VR_LO, "nothing");
    for (size_t length = 0; length <= file.length; length++) {
        enum scan_result result;

        part.length = 0;
        buf_add(&part, file.data, length);
        result = scan_bytes(scanner, &part);
        if (length < 132)
            assert_int_equal(result, SCAN_NOT_DICOM);
        else if (length <= before)
            assert_int_equal(result, SCAN_ERROR);
        else if (length >= rows + 8)
            assert_int_equal(result, SCAN_OK);
        /* between two elements it is a whole, if short, object */
        else if (result == SCAN_OK)
            assert_true(length == rows || strcmp(value(scanner, TAG(0x0028, 0x0010)), "-") == 0);
        assert_int_equal(scan_as_file(scanner, &part), result);
    }
    scanner_free(scanner);
    buf_free(&file);
    buf_free(&part);
}

static void lengths_beyond_the_end(void **state)
{
    static const uint32_t lengths[] = {1000, 65536, 0x7ffffffe, 0x80000000, 0xfffffffe};
    static const tag_t tags[] = {TAG(0x0008, 0x1030), TAG(0x0010, 0x0010)}; /* not wanted, wanted */
    struct buf file = {0};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (int t = 0; t < 2; t++) {
            start_file(&file, UID_IMPLICIT_LE);
            text(&file, IMPLICIT, TAG(0x0008, 0x0018), VR_UI, "1.2.3.40");
            text(&file, IMPLICIT, TAG(0x0008, 0x0060), VR_CS, "CT");
            head(&file, IMPLICIT, tags[t], VR_LO, lengths[i]);
            buf_adds(&file, "some text");
            check_result(&file, SCAN_ERROR, "a value goes on behind the end");
            start_file(&file, UID_EXPLICIT_LE);
            dataset(&file, EXPLICIT, NULL);
            head(&file, EXPLICIT, TAG(0x0029, 0x1000), VR_OB, lengths[i]);
            check_result(&file, SCAN_OK, NULL); /* behind the last wanted tag */
        }
    /* beyond the last wanted tag, but nothing came before it: that is no regular end */
    start_file(&file, UID_EXPLICIT_LE);
    head(&file, EXPLICIT, TAG(0x0029, 0x1000), VR_OB, 1000);
    check_result(&file, SCAN_ERROR, "a value goes on behind the end");
    /* in the meta header */
    file.length = 0;
    preamble(&file);
    head(&file, EXPLICIT, TAG(0x0002, 0x0001), VR_OB, 0xfffffffe);
    buf_adds(&file, "..");
    check_result(&file, SCAN_ERROR, "meta header");
    file.length = 0;
    preamble(&file);
    head(&file, EXPLICIT, TAG(0x0002, 0x0001), VR_OB, UNDEFINED);
    buf_adds(&file, "..");
    check_result(&file, SCAN_ERROR, "meta header");
    buf_free(&file);
}

static void large_values_are_cut(void **state)
{
    tag_t tags[] = {TAG(0x0008, 0x0018), TAG(0x0040, 0xa160), TAG(0x0040, 0xa170)};
    struct scanner *scanner = scanner_new(tags, 3);
    struct buf file = {0};

    (void)state;
    for (size_t size = SCAN_VALUE_MAX - 2; size <= SCAN_VALUE_MAX + 2; size += 2) {
        const struct scan_value *found;

        start_file(&file, UID_EXPLICIT_LE);
        text(&file, EXPLICIT, TAG(0x0008, 0x0018), VR_UI, "1.2.3.40");
        head(&file, EXPLICIT, TAG(0x0040, 0xa160), VR_UT, (uint32_t)size);
        memset(buf_reserve(&file, size), 'x', size);
        file.length += size;
        text(&file, EXPLICIT, TAG(0x0040, 0xa170), VR_SQ, "");
        for (int way = 0; way < 2; way++) {
            assert_int_equal(way ? scan_as_file(scanner, &file) : scan_bytes(scanner, &file),
                             SCAN_OK);
            found = scan_value(scanner, TAG(0x0040, 0xa160));
            assert_int_equal(found->length, size);
            assert_int_equal(found->size, size < SCAN_VALUE_MAX ? size : SCAN_VALUE_MAX);
            assert_int_equal(found->cut, size > SCAN_VALUE_MAX);
            assert_int_equal(found->data[found->size - 1], 'x');
            assert_string_equal(value(scanner, TAG(0x0008, 0x0018)), "1.2.3.40");
            assert_non_null(scan_value(scanner, TAG(0x0040, 0xa170)));
        }
    }
    scanner_free(scanner);
    buf_free(&file);
}

static void nested(struct buf *file, enum form form, vr_t vr, unsigned depth, bool closed)
{
    for (unsigned i = 0; i < depth; i++) {
        head(file, form, TAG(0x0008, 0x1140), vr, UNDEFINED);
        head(file, form, ITEM, 0, UNDEFINED);
    }
    for (unsigned i = 0; i < depth && closed; i++) {
        head(file, form, ITEM_END, 0, 0);
        head(file, form, SQ_END, 0, 0);
    }
}

static void sequences_too_deep(void **state)
{
    struct buf file = {0}, middle = {0};

    (void)state;
    nested(&middle, EXPLICIT, VR_SQ, SCAN_DEPTH_MAX, true);
    start_file(&file, UID_EXPLICIT_LE);
    dataset(&file, EXPLICIT, &middle);
    check_result(&file, SCAN_OK, NULL);
    middle.length = 0;
    nested(&middle, EXPLICIT, VR_SQ, SCAN_DEPTH_MAX + 1, true);
    start_file(&file, UID_EXPLICIT_LE);
    dataset(&file, EXPLICIT, &middle);
    check_result(&file, SCAN_ERROR, "nested too deep");
    /* a million, never closed */
    start_file(&file, UID_IMPLICIT_LE);
    text(&file, IMPLICIT, TAG(0x0008, 0x0018), VR_UI, "1.2.3.40");
    nested(&file, IMPLICIT, VR_SQ, 1000000, false);
    read_limit = 0;
    struct scanner *scanner = scanner_new(wanted, WANTED);
    assert_int_equal(scan_as_file(scanner, &file), SCAN_ERROR);
    assert_true(red < 100000);
    scanner_free(scanner);
    /* UN in UN */
    middle.length = 0;
    head(&middle, EXPLICIT, TAG(0x0009, 0x1001), VR_UN, UNDEFINED);
    head(&middle, IMPLICIT, ITEM, 0, UNDEFINED);
    nested(&middle, IMPLICIT, VR_UN, 20, true);
    head(&middle, IMPLICIT, ITEM_END, 0, 0);
    head(&middle, IMPLICIT, SQ_END, 0, 0);
    start_file(&file, UID_EXPLICIT_LE);
    dataset(&file, EXPLICIT, &middle);
    check_result(&file, SCAN_OK, NULL);
    buf_free(&file);
    buf_free(&middle);
}

static void sequences_that_never_end(void **state)
{
    struct buf file = {0};

    (void)state;
    start_file(&file, UID_EXPLICIT_LE);
    text(&file, EXPLICIT, TAG(0x0008, 0x0018), VR_UI, "1.2.3.40");
    text(&file, EXPLICIT, TAG(0x0008, 0x0060), VR_CS, "CT");
    head(&file, EXPLICIT, TAG(0x0008, 0x1140), VR_SQ, UNDEFINED);
    check_result(&file, SCAN_ERROR, "inside a sequence");
    head(&file, EXPLICIT, ITEM, 0, 0x10000000);
    check_result(&file, SCAN_ERROR, "inside a sequence");
    for (int i = 0; i < 1000; i++)
        head(&file, EXPLICIT, ITEM_END, 0, 0);
    check_result(&file, SCAN_ERROR, "inside a sequence");
    /* an item where none can be */
    start_file(&file, UID_EXPLICIT_LE);
    text(&file, EXPLICIT, TAG(0x0008, 0x0018), VR_UI, "1.2.3.40");
    text(&file, EXPLICIT, TAG(0x0008, 0x0060), VR_CS, "CT");
    head(&file, EXPLICIT, ITEM, 0, 8);
    buf_adds(&file, "12345678");
    check_result(&file, SCAN_ERROR, "item outside a sequence");
    buf_free(&file);
}

/* ---- deflated ---- */

static void deflated_streams_broken(void **state)
{
    struct buf file = {0}, plain = {0}, packed = {0};

    (void)state;
    for (int i = 0; i < 200; i++) /* not to be packed well */
        bytes(&plain, EXPLICIT, TAG(0x0008, 0x1030), VR_LO, &i, sizeof i);
    dataset(&plain, EXPLICIT, NULL);
    deflated(&packed, &plain, -MAX_WBITS);
    for (size_t length = 0; length + 12 < packed.length; length += 7) {
        start_file(&file, UID_DEFLATED_LE);
        buf_add(&file, packed.data, length);
        check_result(&file, SCAN_ERROR, length ? "cut short" : "object: ");
    }
    start_file(&file, UID_DEFLATED_LE);
    for (int i = 0; i < 64; i++)
        buf_adds(&file, "\xff\xff\xff\xff");
    check_result(&file, SCAN_ERROR, "damaged");
    buf_free(&file);
    buf_free(&plain);
    buf_free(&packed);
}

/* A private value of `size` zeros, deflated without holding them. */
static void put_bomb(struct buf *out, uint32_t size)
{
    static unsigned char zeros[1 << 16], packed[1 << 16];
    struct buf first = {0};
    z_stream stream = {0};

    text(&first, EXPLICIT, TAG(0x0008, 0x0018), VR_UI, "1.2.3.40");
    text(&first, EXPLICIT, TAG(0x0008, 0x0060), VR_CS, "CT");
    head(&first, EXPLICIT, TAG(0x0009, 0x1001), VR_OB, size);
    assert_int_equal(deflateInit2(&stream, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)first.data;
    stream.avail_in = (uInt)first.length;
    for (uint64_t left = size; stream.avail_in || left;) {
        if (!stream.avail_in) {
            stream.next_in = zeros;
            stream.avail_in = left < sizeof zeros ? (uInt)left : (uInt)sizeof zeros;
            left -= stream.avail_in;
        }
        stream.next_out = packed;
        stream.avail_out = sizeof packed;
        deflate(&stream, left || stream.avail_in ? Z_NO_FLUSH : Z_FINISH);
        buf_add(out, packed, sizeof packed - stream.avail_out);
    }
    stream.next_out = packed;
    stream.avail_out = sizeof packed;
    deflate(&stream, Z_FINISH);
    buf_add(out, packed, sizeof packed - stream.avail_out);
    deflateEnd(&stream);
    buf_free(&first);
}

/* What the process holds in memory; 0 under a sanitizer. */
static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void deflated_bombs(void **state)
{
    struct scanner *scanner = scanner_new(wanted, WANTED);
    struct buf file = {0};
    size_t before;

    (void)state;
    start_file(&file, UID_DEFLATED_LE);
    put_bomb(&file, SCAN_INFLATE_MAX + 1000);
    before = in_use();
    assert_int_equal(scan_as_file(scanner, &file), SCAN_ERROR);
    assert_non_null(strstr(scan_err.text, "beyond all measure"));
    assert_true(in_use() < before + 300000);
    /* the first part is of no less worth: what lies before it was found */
    assert_int_equal(scan_value(scanner, TAG(0x0008, 0x0018))->size, 8);
    scanner_free(scanner);
    buf_free(&file);
}

/* ---- memory ---- */

static void memory_stays_bounded(void **state)
{
    enum { MANY = 40 };
    tag_t tags[MANY];
    char path[] = "/tmp/pacs-scan-XXXXXX";
    int fd = mkstemp(path);
    struct scanner *scanner;
    size_t before = in_use();
    off_t end;

    /* A sparse file of forty wanted values, each of 100 MB. */
    (void)state;
    assert_true(fd >= 0);
    unlink(path);
    for (int i = 0; i < MANY; i++) {
        struct buf one = {0};

        tags[i] = TAG(0x0009, 0x1001 + i);
        if (i == 0)
            start_file(&one, UID_EXPLICIT_LE);
        head(&one, EXPLICIT, tags[i], VR_UT, 100000000);
        assert_int_equal(write_all(fd, one.data, one.length), 0);
        buf_free(&one);
        end = lseek(fd, 100000000, SEEK_CUR);
        assert_int_equal(ftruncate(fd, end), 0);
    }
    scanner = scanner_new(tags, MANY);
    read_calls = 0;
    red = 0;
    assert_int_equal(scan_fd(scanner, fd, "object", &scan_err), SCAN_OK);
    assert_true(red < MANY * (SCAN_VALUE_MAX + 40000ULL));
    assert_true(in_use() < before + MANY * (SCAN_VALUE_MAX * 2ULL) + 200000);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(scan_value(scanner, tags[i])->size, SCAN_VALUE_MAX);
        assert_int_equal(scan_value(scanner, tags[i])->length, 100000000);
    }
    scanner_free(scanner);
    close(fd);
}

/* ---- any byte ---- */

static void every_byte_changed(void **state)
{
    static const unsigned char changes[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
    static const char *const syntaxes[] = {UID_IMPLICIT_LE, UID_EXPLICIT_LE, UID_EXPLICIT_BE};
    struct scanner *scanner = scanner_new(wanted, WANTED);
    unsigned ok = 0, other = 0;

    (void)state;
    for (enum form form = IMPLICIT; form <= BIG; form++) {
        struct buf file = {0}, middle = {0};

        nested(&middle, form, VR_SQ, 3, true);
        start_file(&file, syntaxes[form]);
        dataset(&file, form, &middle);
        for (size_t i = 128; i < file.length; i++)
            for (size_t n = 0; n < sizeof changes; n++) {
                char kept = file.data[i];

                file.data[i] = (char)changes[n];
                enum scan_result result = scan_bytes(scanner, &file);
                ok += result == SCAN_OK;
                other += result != SCAN_OK;
                for (size_t w = 0; w < WANTED && result == SCAN_OK; w++) {
                    const struct scan_value *found = scan_value(scanner, wanted[w]);

                    if (found)
                        assert_true(found->size <= file.length);
                    value(scanner, wanted[w]);
                }
                file.data[i] = kept;
            }
        buf_free(&file);
        buf_free(&middle);
    }
    assert_true(ok > 1000 && other > 100);
    scanner_free(scanner);
}

/* ---- the system ---- */

static void reads_that_fail(void **state)
{
    struct scanner *scanner = scanner_new(wanted, WANTED);
    struct buf file = {0}, middle = {0};

    (void)state;
    head(&middle, EXPLICIT, TAG(0x0009, 0x1001), VR_OB, 50000);
    fill(&middle, 50000);
    start_file(&file, UID_EXPLICIT_LE);
    dataset(&file, EXPLICIT, &middle);
    for (unsigned n = 1; n <= 2; n++) {
        read_fail_at = n;
        assert_int_equal(scan_as_file(scanner, &file), SCAN_ERROR);
        assert_string_equal(scan_err.text, "object: Input/output error");
        assert_int_equal(scan_err.code, ERR_FAILED);
    }
    read_fail_at = 0;
    assert_int_equal(scan_as_file(scanner, &file), SCAN_OK);
    scanner_free(scanner);
    buf_free(&file);
    buf_free(&middle);
}

static void check_path(struct scanner *scanner, int dirfd, const char *path, const char *words)
{
    struct err err = {0};

    assert_int_equal(scan_path(scanner, dirfd, path, &err), SCAN_ERROR);
    if (!strstr(err.text, words))
        fail_msg("%s (expected: %s)", err.text, words);
    assert_int_equal(scan_path(scanner, dirfd, path, NULL), SCAN_ERROR); /* no message wanted */
}

static void paths_that_are_no_files(void **state)
{
    char folder[] = "/tmp/pacs-scan-XXXXXX";
    struct scanner *scanner = scanner_new(wanted, WANTED);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int dirfd, fd, open_before = dup(0), open_after;

    (void)state;
    close(open_before);
    assert_non_null(mkdtemp(folder));
    dirfd = open(folder, O_RDONLY | O_DIRECTORY);
    assert_int_equal(mkfifoat(dirfd, "fifo", 0600), 0);
    assert_int_equal(mkdirat(dirfd, "folder", 0700), 0);
    assert_int_equal(symlinkat("nowhere", dirfd, "dangling"), 0);
    assert_int_equal(symlinkat("fifo", dirfd, "link"), 0);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(name.sun_path, sizeof name.sun_path, "%s/socket", folder);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    check_path(scanner, dirfd, "fifo", "fifo: not a regular file");
    check_path(scanner, dirfd, "link", "link: not a regular file");
    check_path(scanner, dirfd, "folder", "folder: a folder, not a file");
    check_path(scanner, dirfd, "dangling", "dangling: No such file");
    check_path(scanner, dirfd, "none", "none: No such file");
    check_path(scanner, dirfd, "socket", "socket: not a regular file");
    check_path(scanner, dirfd, "/dev/null", "not a regular file");
    check_path(scanner, dirfd, "/dev/zero", "not a regular file");
    check_path(scanner, dirfd, "/dev/urandom", "not a regular file");
    close(fd);
    unlinkat(dirfd, "fifo", 0);
    unlinkat(dirfd, "link", 0);
    unlinkat(dirfd, "dangling", 0);
    unlinkat(dirfd, "socket", 0);
    unlinkat(dirfd, "folder", AT_REMOVEDIR);
    close(dirfd);
    rmdir(folder);
    open_after = dup(0);
    assert_int_equal(open_after, open_before); /* nothing left open */
    close(open_after);
    scanner_free(scanner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_dicom),        cmocka_unit_test(files_cut_short),
        cmocka_unit_test(lengths_beyond_the_end),  cmocka_unit_test(large_values_are_cut),
        cmocka_unit_test(sequences_too_deep),      cmocka_unit_test(sequences_that_never_end),
        cmocka_unit_test(deflated_streams_broken), cmocka_unit_test(deflated_bombs),
        cmocka_unit_test(memory_stays_bounded),    cmocka_unit_test(every_byte_changed),
        cmocka_unit_test(reads_that_fail),         cmocka_unit_test(paths_that_are_no_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
