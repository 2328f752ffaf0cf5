/*
 * Character sets: the first line of the input is Specific Character Set, the rest the text.
 * Whatever comes out is UTF-8, of bounded length, and folding it twice changes nothing.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "dicom/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const uint8_t nothing[1];
    const uint8_t *end = size ? memchr(bytes, '\n', size) : NULL;
    size_t specific = end ? (size_t)(end - bytes) : 0;
    const char *text = end ? (const char *)end + 1 : (const char *)(size ? bytes : nothing);
    size_t length = end ? size - specific - 1 : size;
    static const char vrs[][3] = {"PN", "LO", "LT"};
    for (int i = 0; i < 3; i++) {
        struct buf out = {0}, once = {0}, twice = {0};
        charset_to_utf8((const char *)bytes, specific, VR(vrs[i][0], vrs[i][1]), text, length,
                        &out);
        assert(utf8_valid(buf_text(&out), out.length));
        /* A byte becomes three at most: U+FFFD, or a letter of the Basic Multilingual Plane. */
        assert(out.length <= 3 * length + 8);
        utf8_fold(buf_text(&out), out.length, &once);
        assert(utf8_valid(buf_text(&once), once.length));
        utf8_fold(buf_text(&once), once.length, &twice);
        assert(once.length == twice.length);
        assert(memcmp(buf_text(&once), buf_text(&twice), once.length) == 0);
        buf_free(&out);
        buf_free(&once);
        buf_free(&twice);
    }
    return 0;
}
