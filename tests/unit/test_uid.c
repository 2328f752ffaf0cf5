/*
 * libcore/dicom/uid: the form of UIDs, and the table against the lists of DCMTK and GDCM.
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

#include "base/fs.h"
#include "dicom/uid.h"

static bool valid(const char *uid)
{
    return uid_valid(uid, strlen(uid));
}

static void forms(void **state)
{
    char longest[UID_MAX + 2];

    (void)state;
    assert_true(valid("1.2.840.10008.1.1"));
    assert_true(valid("2.25.0"));
    assert_true(valid("1"));
    assert_true(valid("1.02.003")); /* common, and harmless */
    assert_false(valid(""));
    assert_false(valid("."));
    assert_false(valid(".."));
    assert_false(valid("1."));
    assert_false(valid(".1"));
    assert_false(valid("1..2"));
    assert_false(valid("1.2.a"));
    assert_false(valid("1.2/3"));
    assert_false(valid("1.2 "));
    assert_false(valid(" 1.2"));
    assert_false(valid("1.2\n"));
    assert_false(valid("-1.2"));
    assert_false(uid_valid("1.2\0003", 5));
    assert_true(uid_valid("1.2.", 3)); /* the length tells, not a NUL */
    memset(longest, '1', sizeof longest);
    assert_true(uid_valid(longest, UID_MAX));
    assert_false(uid_valid(longest, UID_MAX + 1));
    assert_true(valid(IMPLEMENTATION_CLASS_UID));
    assert_true(strlen(IMPLEMENTATION_VERSION_NAME) <= 16);
}

static void the_table_is_in_order(void **state)
{
    size_t count;
    const struct uid_entry *entry = uid_all(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        if (i)
            assert_true(strcmp(entry[i].uid, entry[i - 1].uid) > 0);
        assert_true(valid(entry[i].uid));
        assert_true(*entry[i].keyword && *entry[i].name);
        assert_null(strpbrk(entry[i].keyword, " -/,"));
        assert_ptr_equal(uid_find(entry[i].uid), &entry[i]);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(entry[i].keyword, entry[j].keyword);
    }
    assert_null(uid_find(""));
    assert_null(uid_find("1.2.840.10008"));
    assert_null(uid_find("9"));
}

static void known_ones(void **state)
{
    static const struct {
        const char *uid, *keyword;
        enum uid_kind kind;
    } known[] = {
        {"1.2.840.10008.5.1.4.1.1.2", "CTImageStorage", UID_STORAGE_CLASS},
        {"1.2.840.10008.5.1.4.1.1.5", "NuclearMedicineImageStorageRetired", UID_STORAGE_CLASS},
        {"1.2.840.10008.5.1.4.34.7", "RTBeamsDeliveryInstructionStorage", UID_STORAGE_CLASS},
        {"1.2.840.10008.5.1.4.1.1.66.7", "LabelMapSegmentationStorage", UID_STORAGE_CLASS},
        {"1.2.840.10008.1.1", "Verification", UID_SERVICE_CLASS},
        {"1.2.840.10008.1.20.1", "StorageCommitmentPushModel", UID_SERVICE_CLASS},
        {"1.2.840.10008.5.1.4.1.2.1.1", "PatientRootQueryRetrieveInformationModelFind",
         UID_SERVICE_CLASS},
        {"1.2.840.10008.5.1.4.1.2.2.3", "StudyRootQueryRetrieveInformationModelGet",
         UID_SERVICE_CLASS},
        {"1.2.840.10008.5.1.4.1.2.3.2", "PatientStudyOnlyQueryRetrieveInformationModelMove",
         UID_SERVICE_CLASS},
        {"1.2.840.10008.5.1.4.31", "ModalityWorklistInformationModelFind", UID_SERVICE_CLASS},
        {"1.2.840.10008.3.1.2.3.3", "ModalityPerformedProcedureStep", UID_SERVICE_CLASS},
        {"1.2.840.10008.1.2.4.201", "HTJ2KLossless", UID_TRANSFER_SYNTAX},
        {"1.2.840.10008.1.2.4.112", "JPEGXL", UID_TRANSFER_SYNTAX},
        {"1.2.840.10008.1.2.8.1", "DeflatedImageFrameCompression", UID_TRANSFER_SYNTAX},
        {"1.2.840.10008.1.3.10", "MediaStorageDirectoryStorage", UID_OTHER},
        {"1.2.840.10008.5.1.4.38.1", "HangingProtocolStorage", UID_OTHER},
        {"1.2.840.10008.3.1.1.1", "DICOMApplicationContext", UID_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const struct uid_entry *entry = uid_find(known[i].uid);

        assert_non_null(entry);
        assert_string_equal(entry->keyword, known[i].keyword);
        assert_int_equal(entry->kind, known[i].kind);
    }
}

/* Not held: context groups, names of LDAP objects, and prefixes. */
static bool concerns(const char *uid)
{
    return strncmp(uid, "1.2.840.10008.", 14) == 0 && strncmp(uid, "1.2.840.10008.6.1.", 18) != 0 &&
           strncmp(uid, "1.2.840.10008.15.0.", 19) != 0 && uid[strlen(uid) - 1] != '.' &&
           strlen(uid) > 14;
}

static char *first_file(const char *pattern)
{
    glob_t found;
    char *path;

    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    path = strdup(found.gl_pathv[0]);
    globfree(&found);
    return path;
}

/* Classes that DCMTK calls storage, but that PS3.4 annex B does not carry: objects of no patient,
 * media directories. */
static bool no_patient(const char *name)
{
    static const char *const list[] = {"MediaStorageDirectoryStorage",
                                       "HangingProtocolStorage",
                                       "ColorPaletteStorage",
                                       "GenericImplantTemplateStorage",
                                       "ImplantAssemblyTemplateStorage",
                                       "ImplantTemplateGroupStorage",
                                       "CTDefinedProcedureProtocolStorage",
                                       "XADefinedProcedureProtocolStorage",
                                       "ProtocolApprovalStorage",
                                       "InventoryStorage"};

    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

/* dcuid.h: #define UID_NAME "1.2.840..." */
static void all_that_dcmtk_knows(void **state)
{
    char *path = first_file("/usr/include/dcmtk/dcmdata/dcuid.h"), line[512];
    unsigned seen = 0, storage = 0, syntaxes = 0;
    FILE *in = fopen(path, "r");

    (void)state;
    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        char name[200], uid[200];
        const struct uid_entry *entry;

        if (sscanf(line, "#define UID_%199s \"%199[0-9.]\"", name, uid) != 2 || !concerns(uid))
            continue;
        entry = uid_find(uid);
        if (!entry) {
            fail_msg("%s %s is missing", uid, name);
            continue;
        }
        seen++;
        if (strstr(name, "TransferSyntax")) {
            assert_int_equal(entry->kind, UID_TRANSFER_SYNTAX);
            syntaxes++;
        } else if (strstr(name, "Storage") && !strstr(name, "Commitment") &&
                   !strstr(name, "ServiceClass") && !no_patient(name)) {
            if (entry->kind != UID_STORAGE_CLASS)
                fail_msg("%s %s is no storage class", uid, name);
            storage++;
        } else {
            assert_int_not_equal(entry->kind, UID_TRANSFER_SYNTAX);
        }
    }
    fclose(in);
    free(path);
    assert_true(seen > 300);
    assert_true(storage > 160);
    assert_true(syntaxes > 40);
}

/* The strings in GDCM's dictionary library. */
static void all_that_gdcm_knows(void **state)
{
    /* Two numbers that PS3.6 lists as retired, without any name. */
    static const char *const nameless[] = {"1.2.840.10008.5.1.4.1.1.12.77",
                                           "1.2.840.10008.5.1.4.1.1.40"};
    char *path = first_file("/usr/lib/*/libgdcmDICT.so.3*");
    struct buf bytes = {0};
    struct err err;
    unsigned seen = 0;

    (void)state;
    assert_int_equal(read_file(path, 64 << 20, &bytes, &err), 0);
    for (size_t i = 0; i + 1 < bytes.length; i++) {
        const char *uid = bytes.data + i + 1;
        size_t length;

        if (bytes.data[i] != '\0' || *uid != '1')
            continue;
        length = strspn(uid, "0123456789.");
        if (uid[length] != '\0' || !concerns(uid))
            continue;
        seen++;
        if (!uid_find(uid) && strcmp(uid, nameless[0]) != 0 && strcmp(uid, nameless[1]) != 0)
            fail_msg("%s is missing", uid);
    }
    assert_true(seen > 200);
    buf_free(&bytes);
    free(path);
}

static void check_syntax(const char *uid, const char *letters)
{
    bool known;
    struct transfer_syntax syntax = transfer_syntax_of(uid, &known);
    char got[8];

    snprintf(got, sizeof got, "%c%c%s%s%s", syntax.explicit_vr ? 'E' : 'I',
             syntax.big_endian ? 'B' : 'L', syntax.deflated ? "d" : "",
             syntax.encapsulated ? "c" : "", known ? "" : "?");
    assert_string_equal(got, letters);
    assert_string_equal(syntax.uid, uid);
}

static void transfer_syntaxes(void **state)
{
    size_t count;
    const struct uid_entry *entry = uid_all(&count);
    unsigned syntaxes = 0;

    (void)state;
    check_syntax(UID_IMPLICIT_LE, "IL");
    check_syntax(UID_EXPLICIT_LE, "EL");
    check_syntax(UID_EXPLICIT_BE, "EB");
    check_syntax(UID_DEFLATED_LE, "ELd");
    check_syntax("1.2.840.10008.1.2.1.98", "ELc");  /* encapsulated uncompressed */
    check_syntax("1.2.840.10008.1.2.4.50", "ELc");  /* JPEG */
    check_syntax("1.2.840.10008.1.2.4.90", "ELc");  /* JPEG 2000 */
    check_syntax("1.2.840.10008.1.2.4.94", "EL");   /* JPIP: the pixels are elsewhere */
    check_syntax("1.2.840.10008.1.2.4.95", "ELd");  /* the same, deflated */
    check_syntax("1.2.840.10008.1.2.4.205", "ELd"); /* with HTJ2K */
    check_syntax("1.2.840.10008.1.2.4.203", "ELc"); /* HTJ2K */
    check_syntax("1.2.840.10008.1.2.4.110", "ELc"); /* JPEG XL */
    check_syntax("1.2.840.10008.1.2.4.108", "ELc"); /* HEVC */
    check_syntax("1.2.840.10008.1.2.5", "ELc");     /* RLE */
    check_syntax("1.2.840.10008.1.2.7.1", "EL");    /* SMPTE ST 2110 */
    check_syntax("1.2.840.10008.1.2.8.1", "ELc");   /* deflated frames */
    check_syntax("1.2.840.10008.1.20", "IL");       /* Papyrus 3 */
    check_syntax("1.2.840.113619.5.2", "IL");
    check_syntax("1.2.3.4", "ELc?");
    check_syntax("1.2.840.10008.1.1", "ELc?"); /* a UID, but no syntax */
    check_syntax("", "ELc?");
    for (size_t i = 0; i < count; i++) {
        bool known;

        transfer_syntax_of(entry[i].uid, &known);
        assert_int_equal(known, entry[i].kind == UID_TRANSFER_SYNTAX);
        syntaxes += known;
    }
    assert_true(syntaxes > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(the_table_is_in_order),
        cmocka_unit_test(known_ones),
        cmocka_unit_test(all_that_dcmtk_knows),
        cmocka_unit_test(all_that_gdcm_knows),
        cmocka_unit_test(transfer_syntaxes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
