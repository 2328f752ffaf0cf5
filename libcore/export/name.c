/*
 * See name.h.
 */
#include "export/name.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* Letters of Latin-1 and Latin Extended-A (U+00C0 to U+017F) without their marks; German as it is
 * written where there are no umlauts. */
static const char *const latin[] = {
    "A", "A", "A",  "A",  "Ae", "A", "AE", "C", "E", "E", "E", "E", "I",  "I", "I",  "I",
    "D", "N", "O",  "O",  "O",  "O", "Oe", "x", "O", "U", "U", "U", "Ue", "Y", "Th", "ss",
    "a", "a", "a",  "a",  "ae", "a", "ae", "c", "e", "e", "e", "e", "i",  "i", "i",  "i",
    "d", "n", "o",  "o",  "o",  "o", "oe", "_", "o", "u", "u", "u", "ue", "y", "th", "y",
    "A", "a", "A",  "a",  "A",  "a", "C",  "c", "C", "c", "C", "c", "C",  "c", "D",  "d",
    "D", "d", "E",  "e",  "E",  "e", "E",  "e", "E", "e", "E", "e", "G",  "g", "G",  "g",
    "G", "g", "G",  "g",  "H",  "h", "H",  "h", "I", "i", "I", "i", "I",  "i", "I",  "i",
    "I", "i", "IJ", "ij", "J",  "j", "K",  "k", "k", "L", "l", "L", "l",  "L", "l",  "L",
    "l", "L", "l",  "N",  "n",  "N", "n",  "N", "n", "n", "N", "n", "O",  "o", "O",  "o",
    "O", "o", "OE", "oe", "R",  "r", "R",  "r", "R", "r", "S", "s", "S",  "s", "S",  "s",
    "S", "s", "T",  "t",  "T",  "t", "T",  "t", "U", "u", "U", "u", "U",  "u", "U",  "u",
    "U", "u", "U",  "u",  "W",  "w", "Y",  "y", "Y", "Z", "z", "Z", "z",  "Z", "z",  "s",
};

/* One character of UTF-8: its length and number; length 1 and 0 for a byte that begins none. */
static size_t decode(const unsigned char *at, size_t left, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    *code = 0;
    if (length == 0 || length > left || at[0] > 0xf4)
        return 1;
    if (length == 1) {
        *code = at[0];
        return 1;
    }
    uint32_t number = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 1;
        number = number << 6 | (at[i] & 0x3f);
    }
    if (number < least[length] || number > 0x10ffff || (number >= 0xd800 && number < 0xe000))
        return 1;
    *code = number;
    return length;
}

/* Characters beyond ASCII that a name can show: no controls, blanks, marks that change the
 * direction of writing, replacement characters or non-characters. */
static bool is_shown(uint32_t code)
{
    return !(code < 0xa1 || code == 0xad || code == 0x061c || code == 0x1680 || code == 0x180e ||
             (code >= 0x2000 && code <= 0x200f) || (code >= 0x2028 && code <= 0x202f) ||
             (code >= 0x205f && code <= 0x206f) || code == 0x3000 || code == 0xfeff ||
             (code >= 0xfff0 && code <= 0xffff) || (code >= 0xfdd0 && code <= 0xfdef) ||
             (code & 0xfffe) == 0xfffe || code >= 0xe0000);
}

static bool is_plain(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("._-+,=@", c));
}

/* What stands for a character: its bytes, or "_". */
static const char *replacement(const unsigned char *at, size_t length, uint32_t code, bool ascii,
                               size_t *out_length)
{
    const char *text = "_";

    *out_length = 1;
    if (code < 0x80)
        return is_plain((unsigned char)code) ? (const char *)at : text;
    if (!is_shown(code))
        return text;
    if (!ascii) {
        *out_length = length;
        return (const char *)at;
    }
    if (code >= 0x300 && code < 0x370) /* combining marks: the letter before them stays */
        text = "";
    else if (code >= 0xc0 && code < 0x180)
        text = latin[code - 0xc0];
    *out_length = strlen(text);
    return text;
}

void name_add_value(struct buf *out, const char *value, size_t length, size_t limit, bool ascii)
{
    const unsigned char *at = (const unsigned char *)value, *end = at + length;
    size_t start = out->length;
    bool gap = false;

    while (at < end) {
        uint32_t code;
        size_t size = decode(at, (size_t)(end - at), &code), more;
        const char *text = replacement(at, size, code, ascii, &more);

        at += size;
        if (more == 1 && *text == '_') {
            gap = out->length > start;
            continue;
        }
        if (out->length - start + more + gap > limit)
            break;
        if (gap && more)
            buf_addc(out, '_');
        gap = gap && !more;
        buf_add(out, text, more);
    }
}

size_t name_cut(const char *text, size_t length, size_t limit)
{
    if (length <= limit)
        return length;
    while (limit > 0 && ((unsigned char)text[limit] & 0xc0) == 0x80)
        limit--;
    return limit;
}

static bool is_device(const char *component)
{
    static const char *const devices[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
    size_t base = strcspn(component, ".");

    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (base == strlen(devices[i]) && strncasecmp(component, devices[i], base) == 0)
            return true;
    return base == 4 &&
           (strncasecmp(component, "COM", 3) == 0 || strncasecmp(component, "LPT", 3) == 0) &&
           component[3] >= '0' && component[3] <= '9';
}

static void remove_bytes(struct buf *buf, size_t at, size_t count)
{
    memmove(buf->data + at, buf->data + at + count, buf->length - at - count + 1);
    buf->length -= count;
}

void name_finish_component(struct buf *component, size_t limit, size_t keep)
{
    size_t lead = 0;

    if (keep > component->length || keep > limit)
        keep = 0;
    size_t base = component->length - keep;
    while (lead < base && strchr(" .-", component->data[lead]))
        lead++;
    if (lead)
        remove_bytes(component, 0, lead);
    base -= lead;
    if (base + keep > limit) {
        size_t cut = name_cut(component->data, base, limit - keep);

        remove_bytes(component, cut, base - cut);
        base = cut;
    }
    while (base > 0 && strchr(" .", component->data[base - 1]))
        remove_bytes(component, --base, 1);
    while (keep == 0 && component->length && strchr(" .", component->data[component->length - 1]))
        component->data[--component->length] = '\0';
    if (base == 0 || is_device(buf_text(component))) {
        struct buf fixed = {0};

        buf_adds(&fixed, base == 0 ? "unknown" : "_");
        buf_add(&fixed, buf_text(component), component->length);
        buf_free(component);
        *component = fixed;
    }
}
