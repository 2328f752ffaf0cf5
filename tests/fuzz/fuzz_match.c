/*
 * The matching language: the first line of the input is a key (`Keyword=value`), the rest a value
 * to be tested. A key's own literal value, where it has one, matches itself.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Suggestions for an unknown keyword cost a thousand times what a match does: not every time. */
static int worth_parsing(const char *expression, size_t size)
{
    char name[80];
    tag_t tag;

    snprintf(name, sizeof name, "%.*s", (int)strcspn(expression, "=<>!"), expression);
    return size % 64 == 0 || keyword_parse(name, &tag, NULL) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    memcpy(text, bytes, size);
    text[size] = 0;
    char *value = strchr(text, '\n');
    size_t length = 0;
    if (value) {
        *value++ = 0;
        length = size - (size_t)(value - text);
    }
    struct err err = {.text = "left out"};
    struct match *match = worth_parsing(text, size) ? match_parse(text, &err) : NULL;
    if (match) {
        const char *const *exact = NULL;
        (void)match_test(match, value ? value : "", length);
        (void)match_test(match, NULL, 0);
        size_t count = match_exact(match, &exact);
        for (size_t i = 0; i < count; i++) {
            assert(exact[i]);
        }
        (void)match_prefix(match);
        (void)match_low(match);
        (void)match_high(match);
        match_free(match);
    } else {
        assert(err.text[0]);
    }
    struct match *given = match_new(0x00100010, VR('P', 'N'), text, strlen(text), &err);
    if (given) {
        (void)match_test(given, value ? value : "", length);
        match_free(given);
    }
    free(text);
    return 0;
}
