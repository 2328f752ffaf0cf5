/*
 * The matching language: text, lists, wild cards and names as match.h describes them, hostile patterns and
 * values, and that what an index narrows by never leaves out what matches.
 */
#include "match_check.h"

#define TAG_MODALITY  TAG(0x0008, 0x0060)
#define TAG_NAME      TAG(0x0010, 0x0010)
#define TAG_STUDY_UID TAG(0x0020, 0x000d)

/* ---- text ---- */

static void single_values(void **state)
{
    (void)state;
    YES("PatientID=123", "123");
    NO("PatientID=123", "1234");
    NO("PatientID=123", "12");
    NO("PatientID=123", "");
    NO("PatientID=123", NULL);
    NO("StudyDescription=Head", "HEAD");
    /* Spaces around a value are padding; within it they count. */
    YES("PatientID= 123 ", "123");
    YES("PatientID=123", " 123  ");
    NO("PatientID=12 3", "123");
    /* Any of several values. */
    YES("ImageType=PRIMARY", "ORIGINAL\\PRIMARY\\AXIAL");
    NO("ImageType=PRIM", "ORIGINAL\\PRIMARY\\AXIAL");
    NO("ImageType=ORIGINAL\\", "PRIMARY");
    /* By tag, in any spelling; keywords in any letter case. */
    YES("0010,0020=1", "1");
    YES("(0010,0020)=1", "1");
    YES("00100020=1", "1");
    YES("patientid=1", "1");
    /* The value begins after the first operator. */
    YES("PatientID==1", "=1");
    YES("PatientID=a!=b", "a!=b");
    /* Text VRs are one value, whatever is in it. */
    YES("PatientComments=a\\b,c", "a\\b,c");
    NO("PatientComments=a", "a\\b");
    YES("Path=/a,b/c", "/a,b/c");
}

static void universal_and_empty(void **state)
{
    static const char *const keys[] = {
        "PatientID=",      "PatientID=*",     "PatientID=**",  "PatientID= ",  "Rows=",
        "StudyDate=",      "StudyDate=*",     "PatientName=*", "PatientName=", "PatientName=^^^^",
        "PatientName=*^*", "PatientName== ^", "Modality=,\\"};

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct match *match = parse(keys[i]);

        assert_int_equal(match_kind(match), MATCH_UNIVERSAL);
        match_free(match);
        YES(keys[i], "x");
        YES(keys[i], "");
        YES(keys[i], NULL);
    }
    YES("PatientID=\"\"", "");
    YES("PatientID=\"\"", NULL);
    NO("PatientID=\"\"", "x");
    NO("PatientName=\"\"", "X^Y");
    YES("StudyDate=\"\"", "");
    /* "!=": any value; any but; none. */
    YES("PatientID!=", "x");
    NO("PatientID!=", "");
    YES("PatientID!=\"\"", "x");
    NO("PatientID!=\"\"", NULL);
    NO("PatientID!=*", "x");
    YES("PatientID!=1", "2");
    YES("PatientID!=1", NULL);
    NO("PatientID!=1", "1");
    NO("Modality!=CT,MR", "MR");
    YES("Modality!=CT,MR", "US");
    NO("PatientName!=DOE*", "Doe^John");
    NO("ImageType!=PRIMARY", "ORIGINAL\\PRIMARY");
}

static void lists(void **state)
{
    (void)state;
    YES("Modality=CT,MR", "MR");
    YES("Modality=CT\\MR", "MR");
    YES("Modality=CT\\,MR", "MR");
    NO("Modality=CT,MR", "US");
    NO("Modality=CT,MR", "CT,MR");
    YES("Modality=X*,M?", "MR");
    /* No list in what may hold a comma. */
    YES("StudyDescription=Head, Neck", "Head, Neck");
    NO("StudyDescription=Head,Neck", "Neck");
    YES("StudyDescription=Head\\Neck", "Neck");
    YES("AccessionNumber=1,2", "1,2");
    YES("StudyInstanceUID=1.2\\1.3", "1.3");
    YES("StudyInstanceUID=1.2,1.3", "1.3");
    NO("StudyInstanceUID=1.2,1.3", "1.33");
    NO("StudyInstanceUID=1.2,1.3", "1");
    YES("PatientName=DOE\\ROE", "Roe^X");
    ERROR("StudyInstanceUID=1.2.*", "wild");
    /* In a C-FIND a comma is a comma, "" two quotes. */
    YES_NEW(TAG_MODALITY, VR_CS, "CT\\MR", "MR");
    NO_NEW(TAG_MODALITY, VR_CS, "CT,MR", "MR");
    YES_NEW(TAG_MODALITY, VR_CS, "CT,MR", "CT,MR");
    YES_NEW(TAG_MODALITY, VR_CS, "\"\"", "\"\"");
    YES_NEW(TAG_MODALITY, VR_CS, "CT ", "CT");
    YES_NEW(TAG_MODALITY, VR_CS, "", "CT");
    YES_NEW(TAG_STUDY_UID, VR_UI, "1.2\\1.3", "1.3");
    NO_NEW(TAG_STUDY_UID, VR_UI, "1.*", "1.3");
}

static void a_long_list_of_uids(void **state)
{
    struct buf key = {0};
    struct match *match;

    (void)state;
    buf_adds(&key, "SOPInstanceUID=");
    for (int i = 0; i < 100000; i++)
        buf_addf(&key, "%s1.2.%d", i ? "\\" : "", i * 7);
    match = parse(buf_text(&key));
    assert_int_equal(match_kind(match), MATCH_LIST);
    for (int i = 0; i < 700000; i++) {
        char uid[32];
        int length = snprintf(uid, sizeof uid, "1.2.%d", i);

        assert_int_equal(match_test(match, uid, (size_t)length), i % 7 == 0);
    }
    match_free(match);
    buf_free(&key);
}

static void wild_cards(void **state)
{
    (void)state;
    YES("StudyDescription=H*", "Head");
    YES("StudyDescription=*d", "Head");
    YES("StudyDescription=H*d", "Head");
    YES("StudyDescription=H*d", "Hd");
    NO("StudyDescription=H*d", "H");
    NO("StudyDescription=H*H", "H");
    YES("StudyDescription=*ea*", "Head");
    NO("StudyDescription=*ae*", "Head");
    YES("StudyDescription=H??d", "Head");
    NO("StudyDescription=H?d", "Head");
    NO("StudyDescription=????", "Hea");
    NO("StudyDescription=????", "Heads");
    YES("StudyDescription=?*", "H");
    NO("StudyDescription=?*", "");
    YES("StudyDescription=*?a?", "Head");
    YES("StudyDescription=*ab*ab", "abab");
    NO("StudyDescription=*ab*ab", "aab");
    YES("StudyDescription=*a?c*d", "abaacd");
    YES("StudyDescription=a**b", "ab");
    /* '?' is a character, not a byte. */
    YES("StudyDescription=M?ller", "Müller");
    YES("StudyDescription=??", "山田");
    NO("StudyDescription=???", "山");
    YES("StudyDescription=*?", "山");
    NO("StudyDescription=*??", "山");
    YES("StudyDescription=*?田", "山田");
    YES("StudyDescription=*ü?l*", "Müller");
    /* Broken UTF-8 is matched byte by byte, or so. */
    YES("StudyDescription=a*b", "a\xff\x80"
                                "b");
    YES("StudyDescription=a?b", "a\xff"
                                "b");
    /* An asterisk in the value is a letter like another. */
    YES("PatientID=a*", "a*");
    NO("PatientID=ab", "a*");
}

/* The plain definition: '*' any run, '?' one byte. */
static bool defined_match(const char *pattern, const char *text)
{
    if (!*pattern)
        return !*text;
    if (*pattern == '*')
        return defined_match(pattern + 1, text) || (*text && defined_match(pattern, text + 1));
    return *text && (*pattern == '?' || *pattern == *text) && defined_match(pattern + 1, text + 1);
}

static void wild_cards_equal_their_definition(void **state)
{
    int matched = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        char pattern[16], text[16];
        struct err err;
        struct match *match;
        bool expected;

        random_text(pattern, "ab*?*", 8);
        random_text(text, "ab", 10);
        match = match_new(TAG(0x0008, 0x1030), VR_LO, pattern, strlen(pattern), &err);
        assert_non_null(match);
        expected = defined_match(pattern, text);
        matched += expected;
        if (match_test(match, text, strlen(text)) != expected)
            fail_msg("%s, %s", pattern, text);
        match_free(match);
    }
    assert_in_range(matched, 20000, 180000);
}

/* With time as patterns times text to the power of the stars this would not end. */
static void hostile_patterns_end(void **state)
{
    size_t size = 1 << 20;
    char *text = xmalloc(size), *pattern = xmalloc(size + 32);
    struct match *match;
    struct err err;

    (void)state;
    memset(text, 'a', size);
    YES("PatientComments=*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaa");
    match = parse("PatientComments=*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b*a");
    assert_false(match_test(match, text, size));
    match_free(match);
    match = parse("PatientComments=*a?a?a?a?a?a?a?a?a*?a?a?a?a?b");
    assert_false(match_test(match, text, size));
    text[size - 1] = 'b';
    assert_true(match_test(match, text, size));
    match_free(match);
    /* As many stars as letters; one long literal. */
    pattern[snprintf(pattern, 32, "PatientComments=")] = '*';
    for (size_t i = 16; i + 1 < size; i += 2)
        memcpy(pattern + i, "*a", 2);
    pattern[size] = '\0';
    match = match_parse(pattern, &err);
    assert_non_null(match);
    assert_false(match_test(match, text, size));
    match_free(match);
    memset(pattern + 17, 'a', size / 2);
    snprintf(pattern + 17 + size / 2, 3, "*b");
    match = match_parse(pattern, &err);
    assert_true(match_test(match, text, size));
    match_free(match);
    pattern[20] = '?';
    assert_null(match_parse(pattern, &err));
    assert_non_null(strstr(err.text, "1024"));
    free(pattern);
    free(text);
}

static void values_with_nul(void **state)
{
    struct match *match = parse("Modality=CT");

    (void)state;
    assert_false(match_test(match, "CT\0CT", 5));
    assert_false(match_test(match, "CT\0", 3));
    assert_false(match_test(match, "\0", 1));
    match_free(match);
    match = parse("Modality=C*,D");
    assert_true(match_test(match, "C\0T", 3));
    assert_false(match_test(match, "D\0", 2));
    match_free(match);
    assert_null(match_new(TAG_MODALITY, VR_CS, "C\0T", 3, NULL));
    match = match_new(TAG_STUDY_UID, VR_UI, "1.2\0", 4, NULL); /* padding */
    assert_non_null(match);
    assert_true(match_test(match, "1.2", 3));
    match_free(match);
}

/* ---- names ---- */

static void names(void **state)
{
    (void)state;
    /* Letter case, spaces around components and empty components at the end mean nothing. */
    YES("PatientName=doe^john", "DOE^John");
    YES("PatientName=MÜLLER", "Müller^Jürgen");
    YES("PatientName=διονυσιοσ", "ΔΙΟΝΥΣΙΟΣ");
    YES("PatientName=ЛЮКСЕМБУРГ", "Люксембург");
    YES("PatientName=Doe^John^^^", "DOE^JOHN");
    YES("PatientName=Doe^John", "DOE ^ JOHN ^^^");
    NO("PatientName=Doe^John", "DOE^^JOHN");
    /* Without '^': the family name, or a whole group. */
    YES("PatientName=Doe", "DOE^John");
    YES("PatientName=Doe", "DOE");
    NO("PatientName=Doe", "John^DOE");
    NO("PatientName=Do", "DOE^John");
    YES("PatientName=D*", "DOE^John");
    YES("PatientName=*John", "DOE^John");
    YES("PatientName=D?E", "DOE^John");
    YES("PatientName=*ohn*", "DOE^John^^Dr");
    /* With '^': the group as given. */
    NO("PatientName=Doe^", "ROE^John");
    YES("PatientName=Doe^J*", "DOE^John");
    NO("PatientName=Doe^J", "DOE^John");
    YES("PatientName=*^John", "DOE^John");
    NO("PatientName=*^John", "DOE^Johnny");
    YES("PatientName=Doe^*^*^Dr", "DOE^John^Q^Dr");
    /* Any group may be met by one; several meet one each. */
    YES("PatientName=山田", "Yamada^Tarou=山田^太郎=やまだ^たろう");
    YES("PatientName=山?", "Yamada^Tarou=山田^太郎=やまだ^たろう");
    YES("PatientName=やまだ^*", "Yamada^Tarou=山田^太郎=やまだ^たろう");
    YES("PatientName=Yamada^Tarou", "Yamada^Tarou=山田^太郎=やまだ^たろう");
    YES("PatientName==山田^太郎", "Yamada^Tarou=山田^太郎=やまだ^たろう");
    YES("PatientName=Yamada^Tarou=山田^太郎", "Yamada^Tarou=山田^太郎=やまだ^たろう");
    YES("PatientName=Yamada*=山田*=や*", "Yamada^Tarou=山田^太郎=やまだ^たろう");
    NO("PatientName==Yamada*", "Yamada^Tarou=山田^太郎=やまだ^たろう");
    NO("PatientName=Yamada*=山本*", "Yamada^Tarou=山田^太郎=やまだ^たろう");
    NO("PatientName==*山*=*", "Yamada^Tarou");
    NO("PatientName=Yamada=", "Yamada^Tarou");
    /* Several names, in the key or in the value. */
    YES("PatientName=Roe\\Doe", "DOE^John");
    YES("PatientName=Doe", "ROE^Jane\\DOE^John");
    YES("PatientName=Doe, John", "Doe, John");
    NO("PatientName=Doe, John", "John");
    YES_NEW(TAG_NAME, VR_PN, "DOE^JOHN ", "Doe^John");
    YES_NEW(TAG_NAME, VR_PN, "^^^^", "Doe^John");
    NO_NEW(TAG_NAME, VR_PN, "DOE^", "Roe^John");
}

static void check_key(const char *name, const char *expected, const char *rest)
{
    struct buf key = {0};
    const char *end = name_key(name, &key);

    assert_string_equal(buf_text(&key), expected);
    assert_string_equal(end, rest);
    buf_free(&key);
}

static void name_keys(void **state)
{
    (void)state;
    check_key("", "", "");
    check_key("DOE^John", "doe^john", "");
    check_key(" DOE ^ J Q ^^ ^", "doe^j q", "");
    check_key("^John", "^john", "");
    check_key("A^B=C^D", "a^b", "C^D");
    check_key("=C", "", "C");
    check_key("A\\B", "a", "B");
    check_key("A=", "a", "");
}

/* ---- keywords ---- */

static void keywords(void **state)
{
    char space[10];
    tag_t tag;

    (void)state;
    assert_int_equal(keyword_parse("size", &tag, NULL), 0);
    assert_int_equal(tag, TAG_SIZE);
    assert_int_equal(keyword_vr(TAG_SIZE), VR_UV);
    assert_int_equal(keyword_vr(TAG_RECEIVED), VR_DT);
    assert_int_equal(keyword_vr(TAG_NAME), VR_PN);
    assert_string_equal(keyword_name(TAG_RECEIVED, space), "Received");
    assert_string_equal(keyword_name(TAG_NAME, space), "PatientName");
    assert_string_equal(keyword_name(TAG(0x0009, 0x10ab), space), "0009,10ab");
    ERROR("PatientNmae=x", "PatientName");
    ERROR("NoSuchThing=x", "NoSuchThing");
    ERROR("PatientName", "PatientName=");
    ERROR("20240131", "StudyDate=20240131");
    ERROR("4711", "PatientID=4711");
    ERROR("Doe", "PatientName=Doe");
    ERROR("", "PatientName");
    ERROR("=x", "");
    ERROR("!x", "");
    ERROR("PatientName!x", "");
    ERROR("PatientName<x", "takes = or !=");
}

/* ---- what narrows the candidates ---- */

static bool narrowed(const struct match *match, const char *value)
{
    const char *const *exact, *prefix = match_prefix(match);
    size_t count = match_exact(match, &exact);
    bool among = count == 0, begins = prefix == NULL;
    struct buf key = {0};

    assert_int_equal(count == 0, exact == NULL);
    for (size_t i = 0; exact && i < count; i++)
        among = among || strcmp(exact[i], value) == 0;
    if (prefix && match_vr(match) == VR_PN)
        for (const char *at = value; *at && !begins;) {
            buf_clear(&key);
            at = name_key(at, &key);
            begins = strncmp(buf_text(&key), prefix, strlen(prefix)) == 0;
        }
    else if (prefix)
        begins = strncmp(value, prefix, strlen(prefix)) == 0;
    buf_free(&key);
    return among && begins;
}

static void narrowing_is_implied(void **state)
{
    static const struct {
        vr_t vr;
        const char *letters, *values;
    } kinds[] = {
        {VR_CS, "AB*?\\", "AB"},   {VR_LO, "ab *?\\", "ab"},        {VR_UI, "12.\\*", "12."},
        {VR_LT, "ab*?\\", "ab\\"}, {VR_PN, "aB^=*?\\ ", "Ab^=\\ "},
    };
    int matched = 0, useful = 0;

    (void)state;
    for (int i = 0; i < 400000; i++) {
        size_t kind = (size_t)i % 5;
        char key[16], value[16];
        struct match *match;

        random_text(key, kinds[kind].letters, 7);
        random_text(value, kinds[kind].values, 5);
        match = match_new(TAG(0x0009, 0x1001), kinds[kind].vr, key, strlen(key), NULL);
        assert_non_null(match);
        if (match_test(match, value, strlen(value))) {
            matched++;
            if (!narrowed(match, value))
                fail_msg("%s, %s", key, value);
        } else {
            useful += !narrowed(match, value);
        }
        match_free(match);
    }
    assert_true(matched > 20000);
    assert_true(useful > 20000);
}

static void check_narrow(const char *expression, enum match_kind kind, const char *exact,
                         const char *prefix)
{
    struct match *match = parse(expression);
    const char *const *values;
    size_t count = match_exact(match, &values);
    struct buf joined = {0};

    for (size_t i = 0; i < count; i++)
        buf_addf(&joined, "%s%s", i ? "|" : "", values[i]);
    assert_int_equal(match_kind(match), kind);
    assert_string_equal(buf_text(&joined), exact);
    assert_string_equal(match_prefix(match) ? match_prefix(match) : "", prefix);
    buf_free(&joined);
    match_free(match);
}

static void narrowing_as_described(void **state)
{
    struct match *match = parse("PatientID!=1");

    (void)state;
    assert_true(match_negated(match));
    assert_int_equal(match_tag(match), TAG(0x0010, 0x0020));
    match_free(match);
    check_narrow("PatientID=1", MATCH_SINGLE, "1", "");
    check_narrow("Modality=MR,CT", MATCH_LIST, "CT|MR", "");
    check_narrow("StudyInstanceUID=1.3\\1.2", MATCH_LIST, "1.2|1.3", "");
    check_narrow("PatientID=ab*c", MATCH_WILD, "", "ab");
    check_narrow("PatientID=a?", MATCH_WILD, "", "a");
    check_narrow("PatientID=*c", MATCH_WILD, "", "");
    check_narrow("Modality=MR,C*", MATCH_LIST, "", "");
    check_narrow("PatientName=DOE^J*", MATCH_WILD, "", "doe^j");
    check_narrow("PatientName=DOE", MATCH_SINGLE, "", "doe");
    check_narrow("PatientName==山*", MATCH_WILD, "", "山");
    check_narrow("PatientName!=DOE", MATCH_SINGLE, "", "");
    check_narrow("PatientID!=ab*", MATCH_WILD, "", "");
    check_narrow("PatientID=\"\"", MATCH_EMPTY, "", "");
    check_narrow("Rows=1", MATCH_NUMBER, "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_values),
        cmocka_unit_test(universal_and_empty),
        cmocka_unit_test(lists),
        cmocka_unit_test(a_long_list_of_uids),
        cmocka_unit_test(wild_cards),
        cmocka_unit_test(wild_cards_equal_their_definition),
        cmocka_unit_test(hostile_patterns_end),
        cmocka_unit_test(values_with_nul),
        cmocka_unit_test(names),
        cmocka_unit_test(name_keys),
        cmocka_unit_test(keywords),
        cmocka_unit_test(narrowing_is_implied),
        cmocka_unit_test(narrowing_as_described),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
