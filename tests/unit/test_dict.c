/*
 * libcore/dicom/dict: the table against the file that it was made from, look-ups, what users write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/dict.h"

static void the_table_is_in_order(void **state)
{
    size_t count;
    const struct dict_entry *entry = dict_all(&count);

    (void)state;
    assert_true(count > 4900);
    for (size_t i = 0; i < count; i++) {
        if (i)
            assert_true(entry[i].tag > entry[i - 1].tag);
        assert_non_null(entry[i].keyword);
        assert_true(isalnum((unsigned char)entry[i].keyword[0]));
        assert_true(entry[i].vm_min >= 1 && entry[i].vm_max >= entry[i].vm_min);
        assert_ptr_equal(dict_by_tag(entry[i].tag), &entry[i]);
        assert_ptr_equal(dict_by_keyword(entry[i].keyword), &entry[i]);
    }
}

/* DCMTK's own letters for VRs that depend on the object. */
static vr_t vr_of(const char *text)
{
    static const struct {
        const char *text;
        vr_t vr;
    } special[] = {{"xs", VR_US}, {"ox", VR_OW}, {"px", VR_OW}, {"lt", VR_OW}, {"up", VR_UL}};

    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (strcmp(text, special[i].text) == 0)
            return special[i].vr;
    return VR(text[0], text[1]);
}

static void check_line(char *line, unsigned *checked)
{
    char *field[5], *rest = line;
    const struct dict_entry *entry;
    unsigned group, element;

    for (int i = 0; i < 5; i++) {
        field[i] = strsep(&rest, "\t\n");
        if (!field[i])
            return; /* no entry */
    }
    /* Ranges begin with their first tag; patterns of private tags and delimiters are not held. */
    if (field[0][0] != '(' || strcmp(field[1], "na") == 0 || strstr(field[4], "PRIVATE") ||
        strstr(field[4], "ILLEGAL") || strstr(field[4], "GENERIC"))
        return;
    group = (unsigned)strtoul(field[0] + 1, NULL, 16);
    element = (unsigned)strtoul(strchr(field[0], ',') + 1, NULL, 16);
    entry = dict_by_tag(TAG(group, element));
    assert_non_null(entry);
    if (strncmp(field[2], "RETIRED_", 8) == 0)
        field[2] += 8;
    assert_string_equal(entry->keyword, field[2]);
    assert_int_equal(entry->vr, vr_of(field[1]));
    assert_int_equal(entry->vm_min, strtol(field[3], &rest, 10));
    if (!*rest)
        assert_int_equal(entry->vm_max, entry->vm_min);
    else if (rest[strlen(rest) - 1] == 'n')
        assert_int_equal(entry->vm_max, 255);
    else
        assert_int_equal(entry->vm_max, strtol(rest + 1, NULL, 10));
    (*checked)++;
}

static void the_table_holds_what_dcmtk_installs(void **state)
{
    char line[1024];
    unsigned checked = 0;
    size_t count;
    glob_t found;
    FILE *in;

    (void)state;
    assert_int_equal(glob("/usr/share/*dcmtk*/dicom.dic", 0, NULL, &found), 0);
    in = fopen(found.gl_pathv[found.gl_pathc - 1], "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in))
        if (line[0] != '#')
            check_line(line, &checked);
    fclose(in);
    globfree(&found);
    dict_all(&count);
    assert_int_equal(checked, count);
}

static void known_attributes(void **state)
{
    const struct dict_entry *entry = dict_by_tag(TAG(0x0010, 0x0010));

    (void)state;
    assert_string_equal(entry->keyword, "PatientName");
    assert_int_equal(entry->vr, VR_PN);
    assert_int_equal(dict_by_keyword("ModalitiesInStudy")->tag, TAG(0x0008, 0x0061));
    assert_int_equal(dict_by_keyword("ModalitiesInStudy")->vm_max, 255);
    assert_null(dict_by_keyword("patientname"));
    assert_null(dict_by_keyword(""));
    assert_null(dict_by_tag(TAG(0x0010, 0x0011)));
    assert_null(dict_by_tag(TAG(0xffff, 0xffff)));
    assert_null(dict_by_tag(TAG(0xfffe, 0xe000)));
}

static void repeating_groups(void **state)
{
    (void)state;
    assert_string_equal(dict_by_tag(TAG(0x6000, 0x0010))->keyword, "OverlayRows");
    assert_string_equal(dict_by_tag(TAG(0x6002, 0x0010))->keyword, "OverlayRows");
    assert_string_equal(dict_by_tag(TAG(0x60fe, 0x3000))->keyword, "OverlayData");
    assert_string_equal(dict_by_tag(TAG(0x501e, 0x0005))->keyword, "CurveDimensions");
    assert_string_equal(dict_by_tag(TAG(0x7f02, 0x0010))->keyword, "VariablePixelData");
    assert_string_equal(dict_by_tag(TAG(0x7fe0, 0x0010))->keyword, "PixelData");
    assert_string_equal(dict_by_tag(TAG(0x0020, 0x3102))->keyword, "SourceImageIDs");
    assert_null(dict_by_tag(TAG(0x6001, 0x0010)));
    assert_null(dict_by_tag(TAG(0x6100, 0x0010)));
    assert_null(dict_by_tag(TAG(0x6002, 0x0013)));
}

static void vrs_of_implicit_data(void **state)
{
    (void)state;
    assert_int_equal(dict_vr(TAG(0x0010, 0x0010)), VR_PN);
    assert_int_equal(dict_vr(TAG(0x0028, 0x0106)), VR_US); /* US or SS */
    assert_int_equal(dict_vr(TAG(0x7fe0, 0x0010)), VR_OW);
    assert_int_equal(dict_vr(TAG(0x6004, 0x0010)), VR_US);
    assert_int_equal(dict_vr(TAG(0x0008, 0x0000)), VR_UL);
    assert_int_equal(dict_vr(TAG(0x0099, 0x0000)), VR_UL);
    assert_int_equal(dict_vr(TAG(0x0009, 0x0010)), VR_LO);
    assert_int_equal(dict_vr(TAG(0x0009, 0x00ff)), VR_LO);
    assert_int_equal(dict_vr(TAG(0x0009, 0x000f)), VR_UN);
    assert_int_equal(dict_vr(TAG(0x0009, 0x1001)), VR_UN);
    assert_int_equal(dict_vr(TAG(0x0010, 0x0011)), VR_UN);
}

static void check_tag(const char *text, tag_t expected)
{
    struct err err;
    tag_t tag = 0;

    assert_int_equal(dict_parse(text, &tag, &err), 0);
    assert_int_equal(tag, expected);
}

static void what_users_write(void **state)
{
    (void)state;
    check_tag("PatientName", 0x00100010);
    check_tag("patientname", 0x00100010);
    check_tag("PATIENTNAME", 0x00100010);
    check_tag("0010,0010", 0x00100010);
    check_tag("(0010,0010)", 0x00100010);
    check_tag("00100010", 0x00100010);
    check_tag("7Fe0,001F", 0x7fe0001f);
    check_tag("ffffffff", 0xffffffff);
}

static void check_suggestion(const char *text, const char *expected)
{
    struct err err;
    tag_t tag = 0;

    assert_int_equal(dict_parse(text, &tag, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    if (!strstr(err.text, expected))
        fail_msg("%s (expected: %s)", err.text, expected);
}

static void mistakes_are_answered_with_the_nearest(void **state)
{
    (void)state;
    check_suggestion("PatientNam", "PatientNam: no such keyword; did you mean PatientName?");
    check_suggestion("PatietnName", "did you mean PatientName?");
    check_suggestion("patient_id", "PatientID");
    check_suggestion("Study Date", "StudyDate");
    check_suggestion("ModalityInStudy", "ModalitiesInStudy");
    check_suggestion("ReferringPhysician", "ReferringPhysicianName");
    check_suggestion("ReferingPhysician", "ReferringPhysicianName");
    check_suggestion("BodyPart", "BodyPartExamined");
}

static void nonsense_is_refused(void **state)
{
    static const char *const texts[] = {"",          " ",          "0010",      "0010,001",
                                        "(0010,001", "0010,00100", "0010;0010", "001g,0010",
                                        "(00100010", "0x00100010", "xqzzywvut", "PatientName "};
    char *text = malloc(100001);
    struct err err;
    tag_t tag;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(dict_parse(texts[i], &tag, &err), -1);
    check_suggestion("xqzzywvut", "xqzzywvut: no such keyword");
    assert_null(strstr(err.text, "did you mean KVP"));
    assert_non_null(text);
    memset(text, 'P', 100000);
    text[100000] = '\0';
    assert_int_equal(dict_parse(text, &tag, &err), -1);
    assert_true(strlen(err.text) < 400);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_in_order),
        cmocka_unit_test(the_table_holds_what_dcmtk_installs),
        cmocka_unit_test(known_attributes),
        cmocka_unit_test(repeating_groups),
        cmocka_unit_test(vrs_of_implicit_data),
        cmocka_unit_test(what_users_write),
        cmocka_unit_test(mistakes_are_answered_with_the_nearest),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
