/*
 * Transcoding: every object of the test data against what dcmdjpeg, dcmdjpls, dcmdrle, dcmconv and
 * gdcmconv make of it; round trips; loss only where allowed; broken objects.
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "dcmtk/transcode.h"
#include "dicom/verify.h"

#define DATA           "tests/data/dicom/"
#define CT             DATA "one-ct-13-syntaxes/CTImage_1.2.840.10008.1.2."
#define JPEG_BASELINE  "1.2.840.10008.1.2.4.50"
#define JPEG_EXTENDED  "1.2.840.10008.1.2.4.51"
#define JPEG_LOSSLESS  "1.2.840.10008.1.2.4.70"
#define JPEG_LS        "1.2.840.10008.1.2.4.80"
#define JPEG_2000      "1.2.840.10008.1.2.4.90"
#define RLE            "1.2.840.10008.1.2.5"
#define DEFLATED_FRAME "1.2.840.10008.1.2.8.1"

static char folder[] = "/tmp/pacs-transcode-XXXXXX";
static char ours[64], back[64], theirs[64], input[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(ours, sizeof ours, "%s/ours.dcm", folder);
    snprintf(back, sizeof back, "%s/back.dcm", folder);
    snprintf(theirs, sizeof theirs, "%s/theirs.dcm", folder);
    snprintf(input, sizeof input, "%s/input.dcm", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(ours);
    unlink(back);
    unlink(theirs);
    unlink(input);
    return rmdir(folder);
}

/* ---- the two sides ---- */

static int transcode_with(const struct dcm_transcode_options *options, const char *from,
                          const char *to, struct dcm_transcoded *result, struct err *err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int status;

    assert_true(in >= 0);
    assert_true(out >= 0);
    status = dcm_transcode(in, from, out, options, result, err);
    if (status < 0) {
        assert_true(strncmp(err->text, from, strlen(from)) == 0);
        assert_int_equal(err->text[strlen(from)], ':');
    }
    close(in);
    close(out);
    return status;
}

static int transcode(const char *from, const char *syntax, const char *to, struct err *err)
{
    struct dcm_transcode_options options = {.transfer_syntax = syntax};

    return transcode_with(&options, from, to, NULL, err);
}

/* Runs one of the tools of others, quietly. */
static int run(const char *const *argv)
{
    posix_spawn_file_actions_t quiet;
    int status;
    pid_t pid;

    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    assert_int_equal(posix_spawnp(&pid, argv[0], &quiet, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&quiet);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

/* An object in explicit little endian, as others decode it, into `theirs`. */
static int decode_theirs(const char *path, const char *syntax)
{
    unlink(theirs);
    if (strcmp(syntax, RLE) == 0)
        return RUN("dcmdrle", "--group-length-remove", path, theirs);
    if (strncmp(syntax, "1.2.840.10008.1.2.4.8", 21) == 0)
        return RUN("dcmdjpls", "--group-length-remove", path, theirs);
    if (strncmp(syntax, "1.2.840.10008.1.2.4.5", 21) == 0 || strcmp(syntax, JPEG_LOSSLESS) == 0)
        return RUN("dcmdjpeg", "--group-length-remove", path, theirs);
    if (strncmp(syntax, "1.2.840.10008.1.2.4", 19) == 0)
        return RUN("gdcmconv", "--raw", "-i", path, "-o", theirs);
    return RUN("dcmconv", "--write-xfer-little", "--group-length-remove", path, theirs);
}

struct object {
    struct verify_layout layout;
    struct buf bytes;
};

static void load(const char *path, struct object *object)
{
    struct err err;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    memset(&object->bytes, 0, sizeof object->bytes);
    if (verify_fd(fd, path, &object->layout, &err) < 0 ||
        read_file(path, 1 << 28, &object->bytes, &err) < 0)
        fail_msg("%s", err.text);
    close(fd);
}

static const char *pixels(const struct object *object)
{
    return object->bytes.data + object->layout.pixel_value;
}

static void save(const char *path, const struct buf *bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, bytes->data, bytes->length), 0);
    close(fd);
}

static bool same_pixels(const char *a, const char *b)
{
    struct object one, two;
    bool same;

    load(a, &one);
    load(b, &two);
    same = one.layout.pixel_tag && one.layout.pixel_length == two.layout.pixel_length &&
           memcmp(pixels(&one), pixels(&two), one.layout.pixel_length) == 0;
    buf_free(&one.bytes);
    buf_free(&two.bytes);
    return same;
}

static bool has_pixels(const char *path)
{
    struct object object;

    load(path, &object);
    buf_free(&object.bytes);
    return object.layout.pixel_tag != 0;
}

/* The data sets but for the pixels' element. */
static bool same_rest(const char *a, const char *b)
{
    struct object one, two;
    size_t head, tail;
    bool same;

    load(a, &one);
    load(b, &two);
    head = one.layout.pixel_start - one.layout.dataset_offset;
    tail = one.layout.dataset_end - one.layout.pixel_end;
    same = head == two.layout.pixel_start - two.layout.dataset_offset &&
           tail == two.layout.dataset_end - two.layout.pixel_end &&
           memcmp(one.bytes.data + one.layout.dataset_offset,
                  two.bytes.data + two.layout.dataset_offset, head) == 0 &&
           memcmp(one.bytes.data + one.layout.pixel_end, two.bytes.data + two.layout.pixel_end,
                  tail) == 0;
    buf_free(&one.bytes);
    buf_free(&two.bytes);
    return same;
}

static bool same_dataset(const char *a, const char *b)
{
    struct object one, two;
    bool same;

    load(a, &one);
    load(b, &two);
    same = one.bytes.length - one.layout.dataset_offset ==
               two.bytes.length - two.layout.dataset_offset &&
           memcmp(one.bytes.data + one.layout.dataset_offset,
                  two.bytes.data + two.layout.dataset_offset,
                  one.bytes.length - one.layout.dataset_offset) == 0;
    buf_free(&one.bytes);
    buf_free(&two.bytes);
    return same;
}

/* Whether dcmdump's text of the file has the line's beginning. */
static bool dumped(const char *path, const char *line)
{
    char command[256], text[4096];
    bool found = false;
    FILE *out;

    snprintf(command, sizeof command, "dcmdump '%s' 2>&1", path);
    out = popen(command, "r");
    assert_non_null(out);
    while (fgets(text, sizeof text, out))
        found = found || strncmp(text, line, strlen(line)) == 0;
    assert_int_equal(pclose(out), 0);
    return found;
}

/* ---- the test data ---- */

static char *column(char *line, int n)
{
    char *start = line;

    while (n-- > 0)
        start = strchr(start, '\t') + 1;
    start[strcspn(start, "\t\n")] = '\0';
    return start;
}

typedef void each_file(const char *path, const char *syntax, const char *valid);

static void for_each(each_file *each)
{
    FILE *table = fopen("tests/data/manifest.tsv", "r");
    char line[8192], copy[8192], third[8192], path[sizeof DATA + 8192];

    assert_non_null(table);
    assert_non_null(fgets(line, sizeof line, table));
    while (fgets(line, sizeof line, table)) {
        memcpy(copy, line, sizeof copy);
        memcpy(third, line, sizeof third);
        snprintf(path, sizeof path, DATA "%s", column(line, 0));
        each(path, column(copy, 5), column(third, 9));
    }
    fclose(table);
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);

    return a >= b && strcmp(text + a - b, end) == 0;
}

/* Lossy attributes may be added and nothing else changed; this is checked where nothing is added. */
static unsigned decoded;

static void decode_one(const char *path, const char *syntax, const char *valid)
{
    struct err err;
    int status;

    if (strncmp(syntax, "1.2.840.10008.1.2.4.", 20) != 0 && strcmp(syntax, RLE) != 0)
        return;
    status = transcode(path, UID_EXPLICIT_LE, ours, &err);
    if (status < 0) {
        if (strcmp(valid, "yes") == 0 && !ends_with(path, "nonbyte_aligned_rle.dcm"))
            fail_msg("%s", err.text);
        return;
    }
    if (!has_pixels(ours))
        return;
    /* Single bits are beyond the others; see single_bits. */
    if (decode_theirs(path, syntax) != 0) {
        assert_true(ends_with(path, "nonbyte_aligned_rle.dcm"));
        return;
    }
    if (!same_pixels(ours, theirs))
        fail_msg("%s: decodes to other pixels than with others", path);
    decoded++;
}

static void decodes_as_others(void **state)
{
    (void)state;
    for_each(decode_one);
    assert_in_range(decoded, 45, 55);
}

static unsigned converted;

/* Each into one of the uncompressed syntaxes, in turn. */
static void convert_one(const char *path, const char *syntax, const char *valid)
{
    static const struct {
        const char *syntax, *option;
    } targets[] = {{UID_EXPLICIT_LE, "--write-xfer-little"},
                   {UID_IMPLICIT_LE, "--write-xfer-implicit"},
                   {UID_EXPLICIT_BE, "--write-xfer-big"},
                   {UID_DEFLATED_LE, "--write-xfer-deflated"}};
    static unsigned turn;
    struct err err;

    if (strcmp(valid, "yes") != 0 || strncmp(syntax, "1.2.840.10008.1.2.4.", 20) == 0 ||
        strcmp(syntax, RLE) == 0 || strcmp(syntax, DEFLATED_FRAME) == 0)
        return;
    if (strcmp(targets[++turn % 4].syntax, syntax) == 0)
        turn++;
    if (transcode(path, targets[turn % 4].syntax, ours, &err) < 0) {
        if (!strstr(err.text, "SOP "))
            fail_msg("%s", err.text);
        return;
    }
    if (RUN("dcmconv", targets[turn % 4].option, "--group-length-remove", path, theirs) != 0)
        return;
    if (turn % 4 == 3) { /* zlib's output may differ */
        assert_int_equal(RUN("dcmconv", "--write-xfer-little", ours, back), 0);
        assert_int_equal(RUN("dcmconv", "--write-xfer-little", theirs, ours), 0);
        if (!same_dataset(back, ours))
            fail_msg("%s: deflated, it is another than dcmconv's", path);
    } else if (!same_dataset(ours, theirs)) {
        fail_msg("%s: in %s it is another than dcmconv's", path, targets[turn % 4].syntax);
    }
    converted++;
}

static void converts_as_dcmconv(void **state)
{
    (void)state;
    for_each(convert_one);
    assert_true(converted > 90);
}

/* Through a coding and back: the same pixels and the same attributes; others decode it alike. */
static void round_trip(const char *path, const char *syntax)
{
    struct err err;

    if (transcode(path, syntax, ours, &err) < 0 || transcode(ours, UID_EXPLICIT_LE, back, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(decode_theirs(ours, syntax), 0);
    if (!same_pixels(back, theirs))
        fail_msg("%s: others decode our %s to other pixels", path, syntax);
    assert_int_equal(decode_theirs(path, UID_EXPLICIT_LE), 0);
    if (!same_pixels(back, theirs) || !same_rest(back, theirs))
        fail_msg("%s: through %s it becomes another", path, syntax);
}

static void round_trips(void **state)
{
    static const char *const syntaxes[] = {JPEG_LOSSLESS, JPEG_LS, JPEG_2000, RLE};
    static const char *const paths[] = {
        DATA "ct-study/S2010/I10",
        DATA "dcmqi/paramaps/701-ADCb500/000000.dcm",      /* signed */
        DATA "pydicom/test_files/MR_small_bigendian.dcm",  /* signed, big endian */
        DATA "pydicom/test_files/image_dfl.dcm",           /* 8 bits, deflated */
        DATA "pydicom/test_files/SC_rgb_small_odd.dcm",    /* colours, a pixel's byte to pad */
        DATA "highdicom/seg_image_ct_true_fractional.dcm", /* three frames of 8 bits */
        DATA "enhanced/emr-siemens-xa10-1.dcm",            /* six of 16 */
        DATA "pydicom/test_files/dicomdirtests/77654033/CR1/6154",
        DATA "odd/good.dcm"};
    /* What only RLE holds: by plane, 32 bits. */
    static const char *const rle[] = {DATA "pydicom/test_files/ExplVR_BigEnd.dcm",
                                      DATA "pydicom/test_files/rtdose.dcm",
                                      DATA "pydicom/test_files/rtdose_expb_1frame.dcm"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (size_t s = 0; s < sizeof syntaxes / sizeof *syntaxes; s++)
            round_trip(paths[i], syntaxes[s]);
    for (size_t i = 0; i < sizeof rle / sizeof *rle; i++)
        round_trip(rle[i], RLE);
}

static void single_bits(void **state)
{
    struct object native, image;
    struct err err;

    /* Frames that end inside a byte, in RLE: as the reference decoding has them. */
    (void)state;
    if (transcode(DATA "pydicom-data/liver_nonbyte_aligned_rle.dcm", UID_EXPLICIT_LE, ours, &err) <
            0 ||
        transcode(ours, RLE, back, &err) < 0)
        fail_msg("%s", err.text);
    load(ours, &native);
    assert_int_equal(native.layout.pixel_length, (510 * 510 * 3 + 7) / 8);
    buf_free(&native.bytes);
    assert_int_equal(rename(ours, input), 0);
    if (transcode(back, UID_EXPLICIT_LE, ours, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(same_pixels(ours, input));
    /* The same frames at 512 x 512 by another coding: rows are bytes there, and can be compared. */
    if (transcode(DATA "pydicom-data/liver_deflate.dcm", UID_EXPLICIT_LE, ours, &err) < 0)
        fail_msg("%s", err.text);
    load(input, &native);
    load(ours, &image);
    for (unsigned frame = 0; frame < 3; frame++)
        for (unsigned row = 0; row < 510; row++)
            for (unsigned x = 0; x < 510; x++) {
                size_t a = (frame * 510u + row) * 510u + x, b = (frame * 512u + row) * 512u + x;

                if ((pixels(&native)[a / 8] >> a % 8 & 1) != (pixels(&image)[b / 8] >> b % 8 & 1))
                    fail_msg("frame %u, row %u, column %u differs", frame, row, x);
            }
    buf_free(&native.bytes);
    buf_free(&image.bytes);
}

/* ---- loss ---- */

static void loses_only_if_allowed(void **state)
{
    struct dcm_transcode_options options = {.transfer_syntax = JPEG_EXTENDED};
    struct dcm_transcoded result;
    struct object before, after;
    struct stat info;
    struct err err;

    (void)state;
    assert_int_equal(transcode_with(&options, DATA "ct-study/S2010/I10", ours, &result, &err), -1);
    assert_non_null(strstr(err.text, "not allowed"));
    assert_int_equal(stat(ours, &info), 0);
    assert_int_equal(info.st_size, 0);

    options.lossy = true;
    options.sop_instance_uid = "2.25.1";
    if (transcode_with(&options, DATA "ct-study/S2010/I10", ours, &result, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(result.lossy);
    assert_true(result.ratio > 2);
    assert_true(dumped(ours, "(0028,2110) CS [01]"));
    assert_true(dumped(ours, "(0028,2112) DS ["));
    assert_true(dumped(ours, "(0028,2114) CS [ISO_10918_1]"));
    assert_true(dumped(ours, "(0008,0018) UI [2.25.1]"));
    assert_true(dumped(ours, "(0002,0003) UI [2.25.1]"));
    assert_true(dumped(ours, "(0008,0008) CS [DERIVED\\"));
    assert_int_equal(decode_theirs(ours, JPEG_EXTENDED), 0);
    load(DATA "ct-study/S2010/I10", &before);
    load(theirs, &after);
    assert_int_equal(before.layout.pixel_length, after.layout.pixel_length);
    for (size_t i = 0; i < before.layout.pixel_length; i += 2) {
        int a = (unsigned char)pixels(&before)[i] | (unsigned char)pixels(&before)[i + 1] << 8;
        int b = (unsigned char)pixels(&after)[i] | (unsigned char)pixels(&after)[i + 1] << 8;

        assert_in_range(a - b + 200, 0, 400);
    }
    buf_free(&before.bytes);
    buf_free(&after.bytes);
    /* Decoding it keeps the mark; a second loss is noted beside the first. */
    if (transcode(ours, UID_IMPLICIT_LE, back, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(dumped(back, "(0028,2110) CS [01]"));
    if (transcode_with(&options, back, ours, &result, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(dumped(ours, "(0028,2114) CS [ISO_10918_1\\ISO_10918_1]"));

    options.transfer_syntax = JPEG_BASELINE;
    assert_int_equal(transcode_with(&options, DATA "ct-study/S2010/I10", ours, &result, &err), -1);
    assert_non_null(strstr(err.text, "do not go into JPEG baseline"));
    if (transcode_with(&options, DATA "pydicom/test_files/SC_rgb_rle.dcm", ours, &result, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(dumped(ours, "(0028,0004) CS [YBR_FULL_422]"));
    assert_int_equal(decode_theirs(ours, JPEG_BASELINE), 0);
}

/* ---- objects with more to them ---- */

static void put(struct buf *out, const char *bytes, size_t length)
{
    buf_add(out, bytes, length);
}
#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)

/* The value of an attribute of 16 bits, in explicit little endian before the pixels. */
static unsigned char *attribute(struct object *object, const char *tag_and_vr)
{
    for (size_t i = object->layout.dataset_offset; i < object->layout.pixel_start; i++)
        if (memcmp(object->bytes.data + i, tag_and_vr, 6) == 0)
            return (unsigned char *)object->bytes.data + i + 8;
    fail_msg("no such attribute");
    return NULL;
}

/* An icon that is compressed too: the image itself in an Icon Image Sequence. */
static void icons_are_decoded(void **state)
{
    struct object image, result;
    struct buf out = {0};
    struct err err;

    (void)state;
    load(CT "4.70.dcm", &image);
    put(&out, image.bytes.data, image.layout.pixel_start);
    PUT(&out, "\x88\0\0\2SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff");
    PUT(&out, "\x28\0\2\0US\2\0\1\0\x28\0\4\0CS\x0c\0MONOCHROME2 ");
    for (const char *tag = "\x10\x11"; *tag; tag++) {
        char head[] = "\x28\0\x10\0US";

        head[2] = *tag;
        PUT(&out, "\x28\0");
        buf_addc(&out, *tag);
        PUT(&out, "\0US\2\0");
        put(&out, (const char *)attribute(&image, head), 2);
    }
    PUT(&out, "\x28\0\0\1US\2\0\x10\0\x28\0\1\1US\2\0\x10\0");
    put(&out, image.bytes.data + image.layout.pixel_start,
        image.layout.pixel_end - image.layout.pixel_start);
    PUT(&out, "\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0");
    put(&out, image.bytes.data + image.layout.pixel_start,
        image.bytes.length - image.layout.pixel_start);
    save(input, &out);

    if (transcode(input, UID_EXPLICIT_LE, ours, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(decode_theirs(CT "4.70.dcm", JPEG_LOSSLESS), 0);
    assert_true(same_pixels(ours, theirs));
    load(ours, &result);
    assert_non_null(memmem(result.bytes.data, result.layout.pixel_start, pixels(&result),
                           result.layout.pixel_length));
    /* Into another coding: the icon stays uncompressed, and dcmdump has no complaint. */
    if (transcode(input, JPEG_LS, back, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(dumped(back, "(0088,0200) SQ"));
    assert_true(dumped(back, "    (7fe0,0010) OW"));
    buf_free(&out);
    buf_free(&image.bytes);
    buf_free(&result.bytes);
}

static void same_syntax_is_a_copy(void **state)
{
    static const char *const paths[] = {CT "4.91.dcm", DATA "odd/good.dcm",
                                        DATA "odd/deflated.dcm"};
    static const char *const syntaxes[] = {"1.2.840.10008.1.2.4.91", UID_EXPLICIT_LE,
                                           UID_DEFLATED_LE};
    struct dcm_transcode_options options = {0};
    struct dcm_transcoded result;
    struct err err;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct buf out = {0};
        struct object in;

        options.transfer_syntax = syntaxes[i];
        options.data_set_only = false;
        assert_int_equal(transcode_with(&options, paths[i], ours, &result, &err), 0);
        load(paths[i], &in);
        assert_int_equal(read_file(ours, 1 << 26, &out, &err), 0);
        assert_int_equal(out.length, in.bytes.length);
        assert_memory_equal(out.data, in.bytes.data, out.length);
        assert_int_equal(result.frames, 0);
        options.data_set_only = true;
        assert_int_equal(transcode_with(&options, paths[i], ours, &result, &err), 0);
        buf_clear(&out);
        assert_int_equal(read_file(ours, 1 << 26, &out, &err), 0);
        assert_int_equal(result.bytes, out.length);
        assert_int_equal(out.length, in.bytes.length - in.layout.dataset_offset);
        assert_memory_equal(out.data, in.bytes.data + in.layout.dataset_offset, out.length);
        buf_free(&out);
        buf_free(&in.bytes);
    }
}

static void claims_are_checked(void **state)
{
    struct object image;
    struct err err;
    unsigned char *rows;

    (void)state;
    load(CT "4.70.dcm", &image);
    rows = attribute(&image, "\x28\0\x10\0US");
    rows[0] ^= 1;
    save(input, &image.bytes);
    assert_int_equal(transcode(input, UID_EXPLICIT_LE, ours, &err), -1);
    assert_non_null(strstr(err.text, "frame 1 of 1: its JPEG data is 512 x 512"));
    buf_free(&image.bytes);

    load(DATA "odd/good.dcm", &image);
    rows = attribute(&image, "\x28\0\x10\0US");
    rows[0] = 9;
    save(input, &image.bytes);
    assert_int_equal(transcode(input, JPEG_LS, ours, &err), -1);
    assert_non_null(strstr(err.text, "claims 1 frames of 144 bytes"));
    rows[0] = 4;
    save(input, &image.bytes);
    assert_int_equal(transcode(input, JPEG_LS, ours, &err), -1);
    assert_non_null(strstr(err.text, "and its pixel data has 128"));
    buf_free(&image.bytes);

    assert_int_equal(transcode(DATA "odd/frames-huge.dcm", RLE, ours, &err), -1);
    assert_non_null(strstr(err.text, "claims 2147483647 frames"));
    assert_int_equal(transcode(DATA "odd/frames-negative.dcm", RLE, ours, &err), -1);
    assert_non_null(strstr(err.text, "Number of Frames"));
    assert_int_equal(transcode(DATA "odd/rows-65535.dcm", RLE, ours, &err), -1);
    assert_non_null(strstr(err.text, "larger than can be coded anew"));
    assert_int_equal(transcode(DATA "odd/rle-bad-segments.dcm", UID_EXPLICIT_LE, ours, &err), -1);
    assert_non_null(strstr(err.text, "15 segments"));
    assert_int_equal(transcode(DATA "made/encapsulated-pdf.dcm", JPEG_LS, ours, &err), -1);
    assert_non_null(strstr(err.text, "no pixel data to compress"));
    assert_int_equal(transcode(DATA "odd/good.dcm", "1.2.840.10008.1.2.4.91", ours, &err), -1);
    assert_non_null(strstr(err.text, "not one to transcode into"));
    assert_int_equal(transcode(DATA "odd/sq-deep-20000.dcm", UID_IMPLICIT_LE, ours, &err), -1);
    assert_non_null(strstr(err.text, "nested too deep"));
}

/* Damage in the coded bytes: decoded or refused by name. Cut short: refused. */
static void damage_is_no_crash(void **state)
{
    static const char *const paths[] = {CT "4.50.dcm", CT "4.51.dcm", CT "4.57.dcm", CT "4.70.dcm",
                                        CT "4.80.dcm", CT "4.81.dcm", CT "4.90.dcm", CT "4.91.dcm",
                                        CT "5.dcm",    CT "4.53.dcm", CT "4.55.dcm"};
    unsigned refused = 0;
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct object image;
        struct err err;
        size_t length;
        char *coded;

        load(paths[i], &image);
        coded = image.bytes.data + image.layout.pixel_value + 16;
        length = image.layout.pixel_end - image.layout.pixel_value - 32;
        for (unsigned n = 0; n < 16; n++) {
            size_t at[3];
            char old[3];

            for (unsigned k = 0; k < 3; k++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                /* One in three near the start, where the headers are. */
                at[k] = (seed >> 33) % (k == 0 && n % 3 == 0 ? 256 : length);
                old[k] = coded[at[k]];
                coded[at[k]] ^= (char)(1 << (seed >> 60) % 8);
            }
            save(input, &image.bytes);
            refused += transcode(input, UID_EXPLICIT_LE, ours, &err) < 0;
            for (unsigned k = 3; k-- > 0;)
                coded[at[k]] = old[k];
        }
        buf_free(&image.bytes);
    }
    assert_in_range(refused, 30, 175);
}

/* ---- where it goes ---- */

static void goes_through_pipes(void **state)
{
    struct dcm_transcode_options options = {.transfer_syntax = JPEG_LS};
    int ends[2], in, status;
    struct buf got = {0}, expected = {0};
    char part[65536];
    struct err err;
    ssize_t count;
    pid_t pid;

    (void)state;
    assert_int_equal(transcode(CT "4.70.dcm", JPEG_LS, ours, &err), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        in = open(CT "4.70.dcm", O_RDONLY | O_CLOEXEC);
        _exit(dcm_transcode(in, "input", ends[1], &options, NULL, &err) < 0);
    }
    close(ends[1]);
    while ((count = read(ends[0], part, sizeof part)) > 0)
        buf_add(&got, part, (size_t)count);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(read_file(ours, 1 << 26, &expected, &err), 0);
    assert_int_equal(got.length, expected.length);
    assert_memory_equal(got.data, expected.data, got.length);
    buf_free(&got);
    buf_free(&expected);

    assert_int_equal(transcode(CT "4.70.dcm", UID_EXPLICIT_LE, "/dev/full", &err), -1);
    assert_int_equal(err.code, ERR_NOSPACE);
}

/* 240 MB in 480 frames: a hole in a file. */
static void memory_is_bounded(void **state)
{
    static const char head[] = "\2\0\0\0UL\4\0\x1c\0\0\0\2\0\x10\0UI\x14\0" UID_EXPLICIT_LE "\0"
                               "\x08\0\x16\0UI\2\0"
                               "1.\x08\0\x18\0UI\2\0"
                               "2.\x28\0\2\0US\2\0\1\0"
                               "\x28\0\4\0CS\x0c\0MONOCHROME2 \x28\0\x08\0IS\4\0"
                               "480 \x28\0\x10\0US\2\0\0\2\x28\0\x11\0US\2\0\0\2"
                               "\x28\0\0\1US\2\0\x10\0\x28\0\1\1US\2\0\x0c\0\xe0\x7f\x10\0OW\0\0";
    const uint32_t length = 480u * 512 * 512 * 2;
    struct rusage usage;
    struct buf out = {0};
    struct err err;
    int status;
    pid_t pid;

    (void)state;
    for (int i = 0; i < 128; i++)
        buf_addc(&out, 0);
    PUT(&out, "DICM");
    put(&out, head, sizeof head - 1);
    for (int i = 0; i < 4; i++)
        buf_addc(&out, (char)(length >> 8 * i & 0xff));
    save(input, &out);
    assert_int_equal(truncate(input, (off_t)(out.length + length)), 0);
    buf_free(&out);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (transcode(input, RLE, ours, &err) < 0 ||
            transcode(ours, UID_IMPLICIT_LE, back, &err) < 0)
            _exit(1);
        getrusage(RUSAGE_SELF, &usage);
        _exit(usage.ru_maxrss > 200000 ? 2 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(same_pixels(input, back));
}

static void what_can_be_had(void **state)
{
    (void)state;
    assert_true(dcm_can_transcode(JPEG_2000, UID_EXPLICIT_LE, false));
    assert_true(dcm_can_transcode("1.2.840.10008.1.2.4.201", UID_EXPLICIT_LE, false));
    assert_true(dcm_can_transcode(UID_EXPLICIT_BE, JPEG_LS, false));
    assert_false(dcm_can_transcode(UID_EXPLICIT_LE, JPEG_BASELINE, false));
    assert_true(dcm_can_transcode(UID_EXPLICIT_LE, JPEG_BASELINE, true));
    assert_false(dcm_can_transcode("1.2.840.10008.1.2.4.102", UID_EXPLICIT_LE, true));
    assert_true(dcm_can_transcode("1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.102", false));
    assert_false(dcm_can_transcode(UID_EXPLICIT_LE, "1.2.840.10008.1.2.4.91", true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_as_others),     cmocka_unit_test(converts_as_dcmconv),
        cmocka_unit_test(round_trips),           cmocka_unit_test(single_bits),
        cmocka_unit_test(loses_only_if_allowed), cmocka_unit_test(icons_are_decoded),
        cmocka_unit_test(same_syntax_is_a_copy), cmocka_unit_test(claims_are_checked),
        cmocka_unit_test(damage_is_no_crash),    cmocka_unit_test(goes_through_pipes),
        cmocka_unit_test(memory_is_bounded),     cmocka_unit_test(what_can_be_had),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
