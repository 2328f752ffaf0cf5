/*
 * What the tests of the matching language share: one key against one value.
 */
#ifndef PACS_TESTS_MATCH_CHECK_H
#define PACS_TESTS_MATCH_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/match_internal.h"

static inline struct match *parse(const char *expression)
{
    struct err err = {0};
    struct match *match = match_parse(expression, &err);

    if (!match)
        fail_msg("%s: %s", expression, err.text);
    return match;
}

static inline void check(const char *expression, const char *value, bool expected, int line)
{
    struct match *match = parse(expression);
    /* Of exactly the length, so that a sanitizer sees what is read too far. */
    size_t length = value ? strlen(value) : 0;
    char *copy = value ? xmalloc(length) : NULL;

    for (size_t i = 0; i < length; i++)
        copy[i] = value[i];
    if (match_test(match, copy, length) != expected)
        fail_msg("line %d: %s %s \"%s\"", line, expression, expected ? "does not match" : "matches",
                 value ? value : "(none)");
    free(copy);
    match_free(match);
}

static inline void check_new(tag_t tag, vr_t vr, const char *key, const char *value, bool expected,
                             int line)
{
    struct err err = {0};
    struct match *match = match_new(tag, vr, key, strlen(key), &err);

    if (!match)
        fail_msg("line %d: %s: %s", line, key, err.text);
    if (match_test(match, value, strlen(value)) != expected)
        fail_msg("line %d: %s %s \"%s\"", line, key, expected ? "does not match" : "matches",
                 value);
    match_free(match);
}

static inline void check_error(const char *expression, const char *part, int line)
{
    struct err err = {0};
    struct match *match = match_parse(expression, &err);

    if (match || err.code != ERR_INPUT || !strstr(err.text, part))
        fail_msg("line %d: %s: \"%s\", not \"%s\"", line, expression, match ? "" : err.text, part);
    assert_null(match_parse(expression, NULL));
}

#define YES(expression, value)     check(expression, value, true, __LINE__)
#define NO(expression, value)      check(expression, value, false, __LINE__)
#define ERROR(expression, part)    check_error(expression, part, __LINE__)
#define YES_NEW(tag, vr, key, val) check_new(tag, vr, key, val, true, __LINE__)
#define NO_NEW(tag, vr, key, val)  check_new(tag, vr, key, val, false, __LINE__)

static inline uint32_t random_below(uint32_t limit)
{
    static uint32_t seed = 1;

    seed = seed * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)limit * (seed >> 4)) >> 28);
}

/* 1 to `longest` of the letters. */
static inline char *random_text(char *text, const char *letters, uint32_t longest)
{
    uint32_t length = 1 + random_below(longest), count = (uint32_t)strlen(letters);

    for (uint32_t i = 0; i < length; i++)
        text[i] = letters[random_below(count)];
    text[length] = '\0';
    return text;
}

#endif
