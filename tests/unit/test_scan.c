/*
 * libcore/dicom/scan: sound objects in every form, the rules for odd ones, values as text, and how much
 * is read. What is meant to do harm is in test_scan_hostile.c; the same values as DCMTK's:
 * tests/e2e/10-scan-dcmtk.t.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scan_build.h"

/* Scans from memory and from a file, whole and byte by byte: all see the same. */
static void check_object(const struct buf *file, bool same_reads)
{
    struct scanner *scanner = scanner_new(wanted, WANTED);

    for (int way = 0; way < 4; way++) {
        read_limit = way == 2 ? 1 : way == 3 ? 37 : 0;
        read_interrupts = way == 3;
        assert_int_equal(way ? scan_as_file(scanner, file) : scan_bytes(scanner, file), SCAN_OK);
        assert_string_equal(value(scanner, TAG(0x0008, 0x0018)), "1.2.3.40");
        assert_string_equal(value(scanner, TAG(0x0008, 0x0060)), "CT");
        assert_string_equal(value(scanner, TAG(0x0010, 0x0010)), "Doe^John");
        assert_string_equal(value(scanner, TAG(0x0010, 0x0020)), "PAT1");
        assert_string_equal(value(scanner, TAG(0x0020, 0x000d)), "1.2.3.4.");
        assert_string_equal(value(scanner, TAG(0x0028, 0x0010)), "512");
        if (way == 1 && same_reads)
            assert_int_equal(read_calls, 1);
    }
    read_limit = 0;
    read_interrupts = false;
    scanner_free(scanner);
}

/* An explicit little endian file with something between modality and patient. */
static void check_middle(const struct buf *middle)
{
    struct buf file = {0};

    preamble(&file);
    meta(&file, UID_EXPLICIT_LE);
    dataset(&file, EXPLICIT, middle);
    head(&file, EXPLICIT, TAG(0x7fe0, 0x0010), VR_OW, 524288); /* not there: never looked at */
    check_object(&file, true);
    buf_free(&file);
}

static struct scan_info info_of(const struct buf *file)
{
    struct scanner *scanner = scanner_new(wanted, WANTED);
    struct scan_info info;

    assert_int_equal(scan_bytes(scanner, file), SCAN_OK);
    info = *scan_info(scanner);
    scanner_free(scanner);
    return info;
}

static void files_in_each_syntax(void **state)
{
    static const char *const syntaxes[] = {UID_IMPLICIT_LE, UID_EXPLICIT_LE, UID_EXPLICIT_BE};

    (void)state;
    for (enum form form = IMPLICIT; form <= BIG; form++) {
        struct buf file = {0};
        struct scan_info info;

        preamble(&file);
        meta(&file, syntaxes[form]);
        size_t offset = file.length;
        dataset(&file, form, NULL);
        us(&file, form, TAG(0x0028, 0x0011), 512); /* behind the last wanted */
        check_object(&file, true);
        info = info_of(&file);
        assert_true(info.has_preamble && info.has_meta);
        assert_int_equal(info.explicit_vr, form != IMPLICIT);
        assert_int_equal(info.big_endian, form == BIG);
        assert_false(info.deflated || info.meta_disagrees);
        assert_string_equal(info.transfer_syntax, syntaxes[form]);
        assert_int_equal(info.dataset_offset, offset);
        buf_free(&file);
    }
}

static void data_sets_alone(void **state)
{
    static const char *const syntaxes[] = {UID_IMPLICIT_LE, UID_EXPLICIT_LE, UID_EXPLICIT_BE};

    (void)state;
    for (enum form form = IMPLICIT; form <= BIG; form++) {
        struct buf file = {0};
        struct scan_info info;

        dataset(&file, form, NULL);
        check_object(&file, false);
        info = info_of(&file);
        assert_false(info.has_preamble || info.has_meta || info.meta_disagrees);
        assert_string_equal(info.transfer_syntax, syntaxes[form]);
        assert_int_equal(info.dataset_offset, 0);
        buf_free(&file);
    }
}

static void headers_with_parts_missing(void **state)
{
    struct buf file = {0};

    (void)state;
    /* no preamble, no DICM */
    meta(&file, UID_IMPLICIT_LE);
    dataset(&file, IMPLICIT, NULL);
    check_object(&file, false);
    assert_false(info_of(&file).has_preamble);
    assert_true(info_of(&file).has_meta);
    /* no preamble, but DICM */
    file.length = 0;
    buf_adds(&file, "DICM");
    meta(&file, UID_EXPLICIT_BE);
    dataset(&file, BIG, NULL);
    check_object(&file, false);
    /* a preamble, no meta header */
    file.length = 0;
    preamble(&file);
    dataset(&file, IMPLICIT, NULL);
    check_object(&file, false);
    assert_string_equal(info_of(&file).transfer_syntax, UID_IMPLICIT_LE);
    /* no transfer syntax in the meta header */
    file.length = 0;
    preamble(&file);
    meta(&file, NULL);
    dataset(&file, BIG, NULL);
    check_object(&file, false);
    assert_string_equal(info_of(&file).transfer_syntax, UID_EXPLICIT_BE);
    assert_false(info_of(&file).meta_disagrees);
    buf_free(&file);
}

static void group_lengths_do_not_matter(void **state)
{
    static const uint32_t lengths[] = {0, 1, 8, 60, 1000, 0x7fffffff, 0xffffffff};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct buf file = {0};

        preamble(&file);
        meta(&file, UID_EXPLICIT_LE);
        for (int n = 0; n < 4; n++)
            file.data[132 + 8 + n] = (char)(lengths[i] >> 8 * n);
        dataset(&file, EXPLICIT, NULL);
        check_object(&file, false);
        /* and without it */
        memmove(file.data + 132, file.data + 132 + 12, file.length - 132 - 12);
        file.length -= 12;
        check_object(&file, false);
        buf_free(&file);
    }
}

static void meta_header_in_implicit_vr(void **state)
{
    struct buf file = {0};

    (void)state;
    preamble(&file);
    text(&file, IMPLICIT, TAG(0x0002, 0x0010), VR_UI, UID_EXPLICIT_LE " ");
    dataset(&file, EXPLICIT, NULL);
    check_object(&file, false);
    assert_string_equal(info_of(&file).transfer_syntax, UID_EXPLICIT_LE);
    buf_free(&file);
}

static void meta_header_is_wrong(void **state)
{
    static const struct {
        const char *said;
        enum form form;
        bool wrong;
    } cases[] = {
        {UID_IMPLICIT_LE, EXPLICIT, true},
        {UID_IMPLICIT_LE, BIG, true},
        {UID_EXPLICIT_LE, IMPLICIT, true},
        {UID_EXPLICIT_LE, BIG, true},
        {UID_EXPLICIT_BE, EXPLICIT, true},
        {UID_EXPLICIT_BE, IMPLICIT, true},
        {UID_DEFLATED_LE, EXPLICIT, true}, /* not deflated at all */
        {UID_DEFLATED_LE, IMPLICIT, true},
        {"1.2.840.10008.1.2.4.50", EXPLICIT, false},
        {"1.2.840.10008.1.2.4.50", IMPLICIT, true},
        {"1.2.3.4.5.6", EXPLICIT, false}, /* unknown ones are explicit */
        {"no UID at all", EXPLICIT, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf file = {0};
        struct scan_info info;

        preamble(&file);
        meta(&file, cases[i].said);
        dataset(&file, cases[i].form, NULL);
        check_object(&file, false);
        info = info_of(&file);
        assert_int_equal(info.meta_disagrees, cases[i].wrong);
        assert_int_equal(info.explicit_vr, cases[i].form != IMPLICIT);
        assert_int_equal(info.big_endian, cases[i].form == BIG);
        assert_false(info.deflated);
        assert_string_equal(info.transfer_syntax, cases[i].said);
        buf_free(&file);
    }
}

/* ---- sequences ---- */

/* What must not be taken for the data set's own. */
static void inner(struct buf *out, enum form form)
{
    text(out, form, TAG(0x0008, 0x0018), VR_UI, "9.9.9.9.");
    text(out, form, TAG(0x0010, 0x0010), VR_PN, "In^Item ");
    text(out, form, TAG(0x0010, 0x0020), VR_LO, "WRONG ");
}

static void sequence(struct buf *out, enum form form, vr_t vr, bool open, bool item_open,
                     const struct buf *content)
{
    enum form inside = vr == VR_UN && open ? IMPLICIT : form;
    uint32_t length = (uint32_t)content->length + 8 + (item_open ? 8 : 0);

    head(out, form, TAG(0x0008, 0x1140), vr, open ? UNDEFINED : length);
    head(out, inside, ITEM, 0, item_open ? UNDEFINED : (uint32_t)content->length);
    buf_add(out, content->data, content->length);
    if (item_open)
        head(out, inside, ITEM_END, 0, 0);
    if (open)
        head(out, inside, SQ_END, 0, 0);
}

static void sequences_are_passed_over(void **state)
{
    (void)state;
    for (enum form form = IMPLICIT; form <= BIG; form++)
        for (int shape = 0; shape < 16; shape++) {
            struct buf file = {0}, content = {0}, middle = {0};

            inner(&content, form);
            /* one in another, each with a defined or undefined length */
            sequence(&middle, form, VR_SQ, shape & 1, shape & 2, &content);
            content.length = 0;
            buf_add(&content, middle.data, middle.length);
            inner(&content, form);
            middle.length = 0;
            sequence(&middle, form, VR_SQ, shape & 4, shape & 8, &content);
            head(&middle, form, TAG(0x0008, 0x1199), VR_SQ, 0);
            head(&middle, form, TAG(0x0008, 0x2218), VR_SQ, UNDEFINED);
            head(&middle, form, SQ_END, 0, 0);
            dataset(&file, form, &middle);
            check_object(&file, false);
            buf_free(&file);
            buf_free(&content);
            buf_free(&middle);
        }
}

static void un_of_undefined_length_is_implicit_inside(void **state)
{
    struct buf content = {0}, middle = {0}, outer = {0};

    (void)state;
    inner(&content, IMPLICIT);
    for (int shape = 0; shape < 2; shape++) {
        middle.length = 0;
        sequence(&middle, EXPLICIT, VR_UN, true, shape, &content);
        check_middle(&middle);
    }
    /* a sequence within it is implicit too; behind it all is explicit again */
    middle.length = 0;
    sequence(&middle, IMPLICIT, VR_SQ, true, true, &content);
    sequence(&outer, EXPLICIT, VR_UN, true, true, &middle);
    inner(&outer, EXPLICIT);
    middle.length = 0;
    sequence(&middle, EXPLICIT, VR_SQ, true, true, &outer);
    check_middle(&middle);
    /* of defined length: bytes */
    middle.length = 0;
    bytes(&middle, EXPLICIT, TAG(0x0009, 0x1001), VR_UN, "\xff\xff\xff\xff\xff\xff", 6);
    check_middle(&middle);
    buf_free(&content);
    buf_free(&middle);
    buf_free(&outer);
}

static void missing_delimiters(void **state)
{
    struct buf middle = {0};

    (void)state;
    /* of the sequence */
    head(&middle, EXPLICIT, TAG(0x0008, 0x1140), VR_SQ, UNDEFINED);
    head(&middle, EXPLICIT, ITEM, 0, 0);
    check_middle(&middle);
    /* of the first item */
    middle.length = 0;
    head(&middle, EXPLICIT, TAG(0x0008, 0x1140), VR_SQ, UNDEFINED);
    head(&middle, EXPLICIT, ITEM, 0, UNDEFINED);
    inner(&middle, EXPLICIT);
    head(&middle, EXPLICIT, ITEM, 0, UNDEFINED);
    inner(&middle, EXPLICIT);
    head(&middle, EXPLICIT, SQ_END, 0, 0);
    check_middle(&middle);
    /* left over */
    middle.length = 0;
    head(&middle, EXPLICIT, SQ_END, 0, 0);
    head(&middle, EXPLICIT, ITEM_END, 0, 0);
    check_middle(&middle);
    buf_free(&middle);
}

/* ---- odd elements ---- */

static void odd_elements_are_passed_over(void **state)
{
    struct buf middle = {0};

    (void)state;
    text(&middle, EXPLICIT, TAG(0x0008, 0x0080), VR_LO, "odd");
    us(&middle, EXPLICIT, TAG(0x0008, 0x0081), 7);
    text(&middle, EXPLICIT, TAG(0x0008, 0x0082), VR_LO, "");
    text(&middle, EXPLICIT, TAG(0x0009, 0x0010), VR_LO, "CREATOR ");
    bytes(&middle, EXPLICIT, TAG(0x0009, 0x1001), VR_OB, "\0\1\2\3", 4);
    text(&middle, EXPLICIT, TAG(0x0009, 0x1002), VR_UT, "private text");
    check_middle(&middle);
    /* VRs that are none: 16 bits of length, and for upper case 32 where two zeros stand before */
    middle.length = 0;
    text(&middle, EXPLICIT, TAG(0x0008, 0x0080), VR('\0', '\0'), "ABCD");
    text(&middle, EXPLICIT, TAG(0x0008, 0x0081), VR('?', '?'), "ABCD");
    text(&middle, EXPLICIT, TAG(0x0008, 0x0082), VR('p', 'n'), "ABCD");
    text(&middle, EXPLICIT, TAG(0x0008, 0x0092), VR('Z', 'Z'), "ABCD");
    number(&middle, 0x0094000800000000 >> 32, 4, false);
    buf_add(&middle, "ZY\0\0\6\0\0\0ABCDEF", 14);
    check_middle(&middle);
    /* group lengths, right or wrong */
    middle.length = 0;
    head(&middle, EXPLICIT, TAG(0x0009, 0x0000), VR_UL, 4);
    number(&middle, 0x7fffffff, 4, false);
    check_middle(&middle);
    buf_free(&middle);
}

static void the_first_of_two_counts(void **state)
{
    struct buf file = {0};
    struct scanner *scanner = scanner_new(wanted, WANTED);

    (void)state;
    dataset(&file, EXPLICIT, NULL);
    text(&file, EXPLICIT, TAG(0x0008, 0x0018), VR_UI, "1.2.3.41");
    text(&file, EXPLICIT, TAG(0x0010, 0x0020), VR_LO, "PAT2");
    assert_int_equal(scan_bytes(scanner, &file), SCAN_OK);
    assert_string_equal(value(scanner, TAG(0x0008, 0x0018)), "1.2.3.40");
    assert_string_equal(value(scanner, TAG(0x0010, 0x0020)), "PAT1");
    /* side by side, and though the first is empty */
    file.length = 0;
    text(&file, EXPLICIT, TAG(0x0008, 0x0018), VR_UI, "");
    text(&file, EXPLICIT, TAG(0x0008, 0x0018), VR_UI, "1.2.3.41");
    assert_int_equal(scan_bytes(scanner, &file), SCAN_NOT_DICOM); /* too odd to begin with */
    file.length = 0;
    preamble(&file);
    meta(&file, UID_EXPLICIT_LE);
    text(&file, EXPLICIT, TAG(0x0008, 0x0018), VR_UI, "");
    text(&file, EXPLICIT, TAG(0x0008, 0x0018), VR_UI, "1.2.3.41");
    assert_int_equal(scan_bytes(scanner, &file), SCAN_OK);
    assert_string_equal(value(scanner, TAG(0x0008, 0x0018)), "");
    scanner_free(scanner);
    buf_free(&file);
}

static void tags_out_of_order(void **state)
{
    struct buf file = {0};
    struct scanner *scanner = scanner_new(wanted, WANTED);

    (void)state;
    /* the disorder shows before the last wanted tag: all is found, behind the pixel data too */
    text(&file, EXPLICIT, TAG(0x0008, 0x0018), VR_UI, "1.2.3.40");
    text(&file, EXPLICIT, TAG(0x0020, 0x000d), VR_UI, "1.2.3.4.");
    text(&file, EXPLICIT, TAG(0x0008, 0x0060), VR_CS, "CT");
    us(&file, EXPLICIT, TAG(0x0028, 0x0011), 1);
    us(&file, EXPLICIT, TAG(0x0028, 0x0010), 512);
    head(&file, EXPLICIT, TAG(0x7fe0, 0x0010), VR_OW, 100000);
    fill(&file, 100000);
    text(&file, EXPLICIT, TAG(0x0010, 0x0010), VR_PN, "Doe^John");
    text(&file, EXPLICIT, TAG(0x0010, 0x0020), VR_LO, "PAT1");
    check_object(&file, false);
    assert_int_equal(scan_as_file(scanner, &file), SCAN_OK);
    assert_true(red < 30000); /* not the pixel data */
    /* what is broken behind it does not count */
    buf_adds(&file, "rest");
    assert_int_equal(scan_bytes(scanner, &file), SCAN_OK);
    assert_string_equal(value(scanner, TAG(0x0010, 0x0010)), "Doe^John");
    /* a data set that begins far behind */
    file.length = 0;
    preamble(&file);
    meta(&file, UID_EXPLICIT_LE);
    us(&file, EXPLICIT, TAG(0x0028, 0x0102), 1);
    dataset(&file, EXPLICIT, NULL);
    check_object(&file, false);
    scanner_free(scanner);
    buf_free(&file);
}

static void meta_elements_in_the_data_set_are_none(void **state)
{
    struct buf file = {0};
    struct scanner *scanner = scanner_new(wanted, WANTED);

    (void)state;
    preamble(&file);
    dataset(&file, EXPLICIT, NULL);
    text(&file, EXPLICIT, TAG(0x0002, 0x0010), VR_UI, UID_IMPLICIT_LE " ");
    assert_int_equal(scan_bytes(scanner, &file), SCAN_OK);
    assert_string_equal(value(scanner, TAG(0x0002, 0x0010)), "-");
    assert_string_equal(scan_info(scanner)->transfer_syntax, UID_EXPLICIT_LE);
    scanner_free(scanner);
    buf_free(&file);
}

/* ---- deflated ---- */

static void deflated_data_sets(void **state)
{
    struct buf file = {0}, plain = {0}, large = {0};

    (void)state;
    /* larger than a window, so that values lie across its edges */
    head(&large, EXPLICIT, TAG(0x0009, 0x1001), VR_OB, 300000);
    fill(&large, 300000);
    for (unsigned i = 0; i < 3000; i++)
        text(&large, EXPLICIT, TAG(0x0009, 0x1100 + i), VR_LO, "many small ones ");
    for (int shape = 0; shape < 4; shape++) {
        struct scan_info info;

        file.length = plain.length = 0;
        preamble(&file);
        meta(&file, UID_DEFLATED_LE);
        dataset(&plain, EXPLICIT, shape & 1 ? &large : NULL);
        deflated(&file, &plain, shape & 2 ? MAX_WBITS : -MAX_WBITS); /* zlib's header, or none */
        check_object(&file, false);
        info = info_of(&file);
        assert_true(info.deflated && info.explicit_vr);
        assert_false(info.meta_disagrees);
        /* cut behind the last wanted tag: of no concern, as one byte more than that is there */
        if (shape & 1)
            continue;
        us(&plain, EXPLICIT, TAG(0x0028, 0x0011), 1);
        buf_addf(&plain, "%0100000d", 0);
        file.length = 0;
        preamble(&file);
        meta(&file, UID_DEFLATED_LE);
        deflated(&file, &plain, -MAX_WBITS);
        file.length -= 20;
        check_object(&file, false);
    }
    buf_free(&file);
    buf_free(&plain);
    buf_free(&large);
}

/* ---- how much is read ---- */

static void an_ordinary_file_takes_one_read(void **state)
{
    struct buf file = {0};
    struct scanner *scanner = scanner_new(wanted, WANTED);

    (void)state;
    preamble(&file);
    meta(&file, UID_EXPLICIT_LE);
    dataset(&file, EXPLICIT, NULL);
    head(&file, EXPLICIT, TAG(0x7fe0, 0x0010), VR_OW, 524288);
    fill(&file, 524288);
    assert_int_equal(scan_as_file(scanner, &file), SCAN_OK);
    assert_int_equal(read_calls, 1);
    assert_true(red <= 16384);
    assert_int_equal(scan_info(scanner)->file_size, 0);
    scanner_free(scanner);
    buf_free(&file);
}

static void large_values_are_not_read(void **state)
{
    tag_t more[] = {TAG(0x0010, 0x0020), TAG(0x7fe0, 0x0010), TAG(0xfffa, 0xfffa)};
    struct buf file = {0}, middle = {0};
    struct scanner *scanner = scanner_new(more, 3);
    const struct scan_value *pixels;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        head(&middle, EXPLICIT, TAG(0x0009, 0x1001 + i), VR_OB, 1000000);
        fill(&middle, 1000000);
    }
    dataset(&file, EXPLICIT, &middle);
    head(&file, EXPLICIT, TAG(0x7fe0, 0x0010), VR_OW, 2000000);
    fill(&file, 2000000);
    head(&file, EXPLICIT, TAG(0xfffa, 0xfffa), VR_SQ, 0);
    check_object(&file, false);
    assert_int_equal(scan_as_file(scanner, &file), SCAN_OK);
    assert_true(read_calls <= 8);
    assert_true(red < 50000);
    assert_string_equal(value(scanner, TAG(0x0010, 0x0020)), "PAT1");
    /* pixel data that is wanted is known of, not read */
    pixels = scan_value(scanner, TAG(0x7fe0, 0x0010));
    assert_non_null(pixels);
    assert_int_equal(pixels->length, 2000000);
    assert_int_equal(pixels->size, 0);
    assert_true(pixels->cut);
    assert_non_null(scan_value(scanner, TAG(0xfffa, 0xfffa)));
    scanner_free(scanner);
    buf_free(&file);
    buf_free(&middle);
}

/* Values found early stay when the window moves on. */
static void values_outlive_the_window(void **state)
{
    struct buf file = {0}, middle = {0};

    (void)state;
    for (unsigned i = 0; i < 40000; i++)
        text(&middle, EXPLICIT, TAG(0x0009, 0x1000 + i), VR_LO, "0123456789");
    dataset(&file, EXPLICIT, &middle);
    check_object(&file, false);
    buf_free(&file);
    buf_free(&middle);
}

static void nothing_stays_from_the_last_object(void **state)
{
    struct buf file = {0};
    struct scanner *scanner = scanner_new(wanted, WANTED);

    (void)state;
    preamble(&file);
    meta(&file, UID_EXPLICIT_LE);
    dataset(&file, EXPLICIT, NULL);
    assert_int_equal(scan_as_file(scanner, &file), SCAN_OK);
    file.length = 0;
    text(&file, EXPLICIT, TAG(0x0008, 0x0060), VR_CS, "MR");
    text(&file, EXPLICIT, TAG(0x0008, 0x0070), VR_LO, "ACME");
    assert_int_equal(scan_as_file(scanner, &file), SCAN_OK);
    assert_string_equal(value(scanner, TAG(0x0008, 0x0060)), "MR");
    for (size_t i = 0; i < WANTED; i++)
        if (wanted[i] != TAG(0x0008, 0x0060))
            assert_null(scan_value(scanner, wanted[i]));
    assert_null(scan_value(scanner, TAG(0x0008, 0x0005)));
    assert_false(scan_info(scanner)->has_meta);
    assert_null(scan_value(scanner, TAG(0x0008, 0x0070))); /* not wanted */
    scanner_free(scanner);
    buf_free(&file);
}

static void a_data_set_from_the_network(void **state)
{
    struct buf data = {0}, packed = {0};
    struct scanner *scanner = scanner_new(wanted, WANTED);
    struct err err;

    (void)state;
    dataset(&data, IMPLICIT, NULL);
    assert_int_equal(scan_memory(scanner, data.data, data.length, UID_IMPLICIT_LE, "object", &err),
                     SCAN_OK);
    assert_string_equal(value(scanner, TAG(0x0010, 0x0010)), "Doe^John");
    assert_false(scan_info(scanner)->meta_disagrees);
    /* not in the syntax that was agreed upon */
    assert_int_equal(scan_memory(scanner, data.data, data.length, UID_EXPLICIT_LE, "object", &err),
                     SCAN_OK);
    assert_string_equal(value(scanner, TAG(0x0010, 0x0010)), "Doe^John");
    assert_true(scan_info(scanner)->meta_disagrees);
    assert_string_equal(scan_info(scanner)->transfer_syntax, UID_EXPLICIT_LE);
    /* deflated */
    data.length = 0;
    dataset(&data, EXPLICIT, NULL);
    deflated(&packed, &data, -MAX_WBITS);
    assert_int_equal(
        scan_memory(scanner, packed.data, packed.length, UID_DEFLATED_LE, "object", &err), SCAN_OK);
    assert_string_equal(value(scanner, TAG(0x0010, 0x0010)), "Doe^John");
    /* one element is enough where a syntax is named */
    data.length = 0;
    text(&data, EXPLICIT, TAG(0x0010, 0x0020), VR_LO, "PAT1");
    assert_int_equal(scan_memory(scanner, data.data, data.length, UID_EXPLICIT_LE, "object", &err),
                     SCAN_OK);
    assert_string_equal(value(scanner, TAG(0x0010, 0x0020)), "PAT1");
    scanner_free(scanner);
    buf_free(&data);
    buf_free(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_in_each_syntax),
        cmocka_unit_test(data_sets_alone),
        cmocka_unit_test(headers_with_parts_missing),
        cmocka_unit_test(group_lengths_do_not_matter),
        cmocka_unit_test(meta_header_in_implicit_vr),
        cmocka_unit_test(meta_header_is_wrong),
        cmocka_unit_test(sequences_are_passed_over),
        cmocka_unit_test(un_of_undefined_length_is_implicit_inside),
        cmocka_unit_test(missing_delimiters),
        cmocka_unit_test(odd_elements_are_passed_over),
        cmocka_unit_test(the_first_of_two_counts),
        cmocka_unit_test(tags_out_of_order),
        cmocka_unit_test(meta_elements_in_the_data_set_are_none),
        cmocka_unit_test(deflated_data_sets),
        cmocka_unit_test(an_ordinary_file_takes_one_read),
        cmocka_unit_test(large_values_are_not_read),
        cmocka_unit_test(values_outlive_the_window),
        cmocka_unit_test(nothing_stays_from_the_last_object),
        cmocka_unit_test(a_data_set_from_the_network),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
