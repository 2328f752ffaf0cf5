/*
 * Fuzzy matching of person names, where a peer has negotiated it: PS3.4 C.2.2.2.1 leaves the rules to us.
 *
 * A name fits when each word of the key fits a word of its own in one of the name's component groups,
 * whatever the order and the component. Two words fit when their letters without marks are the same, or
 * the key's begins the name's (three letters at least), or they differ by one letter left out, added,
 * changed or swapped with its neighbour, where the key's has four letters at least; by two where both
 * have eight. Wild cards, hyphens, dots, commas and apostrophes part words. Sixteen words and 32
 * letters of each are looked at.
 */
#include "dicom/match_internal.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX  16
#define LETTER_MAX 32 /* letters of a word that are compared */

struct words {
    size_t count;
    size_t length[WORDS_MAX];
    uint32_t letter[WORDS_MAX][LETTER_MAX];
};

/* Letters of U+00E0 to U+017F (folded: lower case) without their marks; '.' stays as it is. */
static const char base[] = "aaaaaa.ceeeeiiii.nooooo.ouuuuy.yaaaaaaccccccccddddeeeeeeeeeegggg"
                           "gggghhhhiiiiiiii.i..jjkk.llllll..llnnnnnn...oooooo..rrrrrrssssss"
                           "ssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

static uint32_t plain_letter(uint32_t character)
{
    uint32_t at = character - 0xe0;

    if (character >= 0xe0 && at < sizeof base - 1 && base[at] != '.')
        return (unsigned char)base[at];
    return character;
}

static uint32_t decode(const char **text, const char *end)
{
    const unsigned char *at = (const unsigned char *)*text;
    size_t size = *at < 0xc0 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
    uint32_t character = size == 1 ? *at : *at & (0x7fu >> size);

    for (size_t i = 1; i < size && (const char *)at + i < end; i++)
        character = character << 6 | (at[i] & 0x3f);
    *text += size;
    return character;
}

static bool parts_words(uint32_t character)
{
    return character < 0x80 && strchr("^ -,.'*?\t", (int)character);
}

static void split(const char *text, size_t length, struct words *words)
{
    const char *end = text + length;
    size_t letters = 0;

    words->count = 0;
    while (text < end && words->count < WORDS_MAX) {
        uint32_t character = decode(&text, end);

        if (character >= 0x300 && character <= 0x36f) /* marks that stand alone */
            continue;
        if (parts_words(character)) {
            words->length[words->count] = letters;
            words->count += letters > 0;
            letters = 0;
        } else if (letters < LETTER_MAX) {
            words->letter[words->count][letters++] = plain_letter(character);
        }
    }
    if (words->count < WORDS_MAX && letters) {
        words->length[words->count] = letters;
        words->count++;
    }
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Letters left out, added, changed, swapped: Damerau and Levenshtein, neighbours swapped once. */
static unsigned distance(const uint32_t *a, size_t a_length, const uint32_t *b, size_t b_length)
{
    unsigned row[3][LETTER_MAX + 1];

    for (size_t j = 0; j <= b_length; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned *now = row[i % 3];
        const unsigned *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

            best = least(best, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, before[j - 2] + 1);
            now[j] = best;
        }
    }
    return row[a_length % 3][b_length];
}

static bool word_fits(const uint32_t *key, size_t key_length, const uint32_t *word, size_t length)
{
    size_t shorter = key_length < length ? key_length : length;

    if (shorter == key_length && (key_length == length || key_length >= 3) &&
        memcmp(key, word, key_length * sizeof *key) == 0)
        return true;
    if (key_length < 4 || length + 2 < key_length || key_length + 2 < length)
        return false;
    return distance(key, key_length, word, length) <= (shorter >= 8 ? 2 : 1);
}

struct pairing {
    const struct words *key, *name;
    int owner[WORDS_MAX]; /* of each word of the name: the key's word that has it, or -1 */
    bool asked[WORDS_MAX];
};

/* Finds a word of the name for the key's word; one that another has is given up if that finds
 * another (an augmenting path; as deep as there are words). */
static bool find_word(struct pairing *pairing, size_t word)
{
    const struct words *key = pairing->key, *name = pairing->name;

    for (size_t j = 0; j < name->count; j++) {
        if (pairing->asked[j] ||
            !word_fits(key->letter[word], key->length[word], name->letter[j], name->length[j]))
            continue;
        pairing->asked[j] = true;
        if (pairing->owner[j] < 0 || find_word(pairing, (size_t)pairing->owner[j])) {
            pairing->owner[j] = (int)word;
            return true;
        }
    }
    return false;
}

/* Each word of the key fits a word of the name that is its own. */
static bool words_fit(const struct words *key, const struct words *name)
{
    struct pairing pairing = {.key = key, .name = name};

    if (key->count > name->count)
        return false;
    for (size_t j = 0; j < name->count; j++)
        pairing.owner[j] = -1;
    for (size_t i = 0; i < key->count; i++) {
        memset(pairing.asked, 0, sizeof pairing.asked);
        if (!find_word(&pairing, i))
            return false;
    }
    return true;
}

bool fuzzy_group(const struct match *match, const char *group, size_t length)
{
    struct words name, key;

    split(group, length, &name);
    for (size_t i = 0; i < match->count; i++)
        for (size_t g = 0; g < NAME_GROUPS; g++) {
            const char *text = match->item[i].group[g];

            if (!text)
                continue;
            split(text, strlen(text), &key);
            if (words_fit(&key, &name))
                return true;
        }
    return false;
}

void match_fuzzy(struct match *match)
{
    if (match->family != FAMILY_NAME ||
        (match->kind != MATCH_SINGLE && match->kind != MATCH_WILD && match->kind != MATCH_LIST))
        return;
    match->fuzzy = true;
    /* Nothing narrows the candidates now. */
    free(match->exact);
    match->exact = NULL;
    free(match->prefix);
    match->prefix = NULL;
}
