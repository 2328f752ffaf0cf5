/*
 * The header scanner on any bytes: as a whole file, and as a bare data set in each family of
 * transfer syntax. Values must lie within what was given, texts must be UTF-8.
 */
#include <assert.h>
#include <stdint.h>

#include "dicom/charset.h"
#include "dicom/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const tag_t wanted[] = {
    0x00020010, 0x00080005, 0x00080016, 0x00080018, 0x00080020, 0x00080060, 0x00081110,
    0x00100010, 0x00100020, 0x0020000d, 0x0020000e, 0x00200013, 0x00280010, 0x00431029,
};
enum { WANTED = sizeof(wanted) / sizeof(wanted[0]) };

static void check(const struct scanner *scanner)
{
    struct buf text = {0};
    for (int i = 0; i < WANTED; i++) {
        const struct scan_value *value = scan_value(scanner, wanted[i]);
        if (value) {
            volatile char sum = 0;
            assert(value->size <= SCAN_VALUE_MAX);
            for (size_t n = 0; n < value->size; n++) {
                sum = (char)(sum + value->data[n]);
            }
        }
        text.length = 0;
        scan_text(scanner, wanted[i], &text);
        assert(utf8_valid(buf_text(&text), text.length));
    }
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const syntaxes[] = {NULL, UID_IMPLICIT_LE, UID_EXPLICIT_LE, UID_EXPLICIT_BE,
                                           UID_DEFLATED_LE};
    struct scanner *scanner = scanner_new(wanted, WANTED);
    for (size_t i = 0; i < sizeof(syntaxes) / sizeof(syntaxes[0]); i++) {
        struct err err;
        if (scan_memory(scanner, bytes, size, syntaxes[i], "input", &err) == SCAN_OK) {
            check(scanner);
        }
    }
    scanner_free(scanner);
    return 0;
}
