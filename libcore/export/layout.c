/*
 * See layout.h.
 */
#include "export/layout.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/charset.h"
#include "dicom/dict.h"
#include "export/name.h"
#include "base/set.h"

#define PIECES_MAX    128
#define COUNTER_BYTES 12 /* kept free for "_4294967295" */

enum piece_kind { PIECE_LITERAL, PIECE_VALUE, PIECE_SLASH };

struct piece {
    enum piece_kind kind;
    struct buf text; /* of a literal */
    tag_t tag;
    vr_t vr;
    unsigned pad, cut, hash; /* of a value; 0: none */
    bool alternative;        /* used only when the value before it is empty */
};

struct layout {
    bool ascii;
    struct piece pieces[PIECES_MAX];
    size_t count;
    tag_t tags[PIECES_MAX + 1]; /* the SOP Instance UID is always wanted */
    size_t tag_count;
    struct set *names;
    /* Names that came more than once, and the last number given: few, unless a template is
     * careless, and then the table keeps numbering from being quadratic. */
    struct repeated {
        uint64_t hash; /* 0: free */
        uint32_t number;
    } * repeated;
    size_t repeated_count, repeated_capacity;
    struct buf raw, value, component, folded, work;
};

/* ---- the template ---- */

static struct piece *add_piece(struct layout *layout, enum piece_kind kind)
{
    if (layout->count == PIECES_MAX)
        return NULL;
    struct piece *piece = &layout->pieces[layout->count++];
    piece->kind = kind;
    return piece;
}

static void want_tag(struct layout *layout, tag_t tag)
{
    for (size_t i = 0; i < layout->tag_count; i++)
        if (layout->tags[i] == tag)
            return;
    layout->tags[layout->tag_count++] = tag;
}

/* ":04", ":.16", ":#6" after a keyword. */
static int parse_format(struct piece *piece, const char *format, struct err *err)
{
    char *end;
    unsigned *field = *format == '.' ? &piece->cut : *format == '#' ? &piece->hash : &piece->pad;
    const char *digits = field == &piece->pad ? format : format + 1;
    unsigned long number = isdigit((unsigned char)*digits) ? strtoul(digits, &end, 10) : 0;

    if (number == 0 || *end)
        return err_set(err, ERR_INPUT, "layout: \":%s\": a format is :04, :.16 or :#6", format);
    if (field == &piece->hash ? number < 2 || number > 12 : number > 64)
        return err_set(err, ERR_INPUT, "layout: \":%s\": the number is out of range", format);
    *field = (unsigned)number;
    return 0;
}

/* "Keyword:04|Other" between braces; changes the text. */
static int parse_value(struct layout *layout, char *text, struct err *err)
{
    bool alternative = false;

    for (char *next; text; text = next) {
        next = strchr(text, '|');
        if (next)
            *next++ = '\0';
        char *format = strchr(text, ':');
        if (format)
            *format++ = '\0';
        struct piece *piece = add_piece(layout, PIECE_VALUE);
        if (!piece)
            return err_set(err, ERR_INPUT, "layout: too long");
        if (dict_parse(text, &piece->tag, err) < 0)
            return err_prefix(err, "layout");
        piece->vr = dict_vr(piece->tag);
        piece->alternative = alternative;
        alternative = true;
        if (format && parse_format(piece, format, err) < 0)
            return -1;
        want_tag(layout, piece->tag);
    }
    return 0;
}

static int parse_literal(struct layout *layout, char c, struct err *err)
{
    struct piece *last = layout->count ? &layout->pieces[layout->count - 1] : NULL;

    if (c == '/') {
        last = add_piece(layout, PIECE_SLASH);
    } else {
        if ((unsigned char)c < 0x20 || c == 0x7f || strchr("\\:*?\"<>|", c))
            return err_set(err, ERR_INPUT, "layout: '%c' is not portable in a file's name", c);
        if (!last || last->kind != PIECE_LITERAL)
            last = add_piece(layout, PIECE_LITERAL);
        if (last)
            buf_addc(&last->text, c);
    }
    return last ? 0 : err_set(err, ERR_INPUT, "layout: too long");
}

static int parse(struct layout *layout, const char *text, struct err *err)
{
    struct buf inner = {0};
    int status = 0;

    for (const char *at = text; *at && status == 0; at++) {
        if ((*at == '{' || *at == '}') && at[1] == *at) {
            status = parse_literal(layout, *at++, err);
        } else if (*at == '{') {
            const char *end = strchr(at, '}');

            if (!end) {
                status = err_set(err, ERR_INPUT, "layout: no '}' after \"%s\"", at);
                break;
            }
            buf_clear(&inner);
            buf_add(&inner, at + 1, (size_t)(end - at - 1));
            buf_addc(&inner, '\0');
            status = parse_value(layout, inner.data, err);
            at = end;
        } else if (*at == '}') {
            status = err_set(err, ERR_INPUT, "layout: '}' without '{' (write }} for a brace)");
        } else {
            status = parse_literal(layout, *at, err);
        }
    }
    buf_free(&inner);
    return status;
}

/* Components that stand for nothing, or for another folder, are mistakes worth telling. */
static int check(const struct layout *layout, struct err *err)
{
    size_t depth = 1, in_component = 0;

    for (size_t i = 0; i <= layout->count; i++) {
        const struct piece *piece = &layout->pieces[i];

        if (i == layout->count || piece->kind == PIECE_SLASH) {
            const struct piece *only = in_component == 1 ? &layout->pieces[i - 1] : NULL;

            if (in_component == 0)
                return err_set(err, ERR_INPUT,
                               i == 0 ? "layout: must not be empty, nor begin with '/'"
                                      : "layout: an empty name between two '/' or at the end");
            if (only && only->kind == PIECE_LITERAL &&
                (strcmp(buf_text(&only->text), ".") == 0 ||
                 strcmp(buf_text(&only->text), "..") == 0))
                return err_set(err, ERR_INPUT, "layout: \"%s\" is not a name",
                               buf_text(&only->text));
            depth += i < layout->count;
            in_component = 0;
        } else {
            in_component++;
        }
    }
    if (depth > LAYOUT_DEPTH_MAX)
        return err_set(err, ERR_INPUT, "layout: more than %d names deep", LAYOUT_DEPTH_MAX);
    return 0;
}

struct layout *layout_new(const char *text, bool ascii, struct err *err)
{
    struct layout *layout = xcalloc(1, sizeof *layout);

    layout->ascii = ascii;
    layout->names = set_new(SET_60_BITS);
    if (!text || strcmp(text, "default") == 0)
        text = LAYOUT_DEFAULT;
    else if (strcmp(text, "tree") == 0)
        text = LAYOUT_TREE;
    else if (strcmp(text, "flat") == 0)
        text = LAYOUT_FLAT;
    want_tag(layout, TAG(0x0008, 0x0018));
    if (parse(layout, text, err) < 0 || check(layout, err) < 0) {
        layout_free(layout);
        return NULL;
    }
    return layout;
}

void layout_free(struct layout *layout)
{
    if (!layout)
        return;
    for (size_t i = 0; i < layout->count; i++)
        buf_free(&layout->pieces[i].text);
    set_free(layout->names);
    free(layout->repeated);
    buf_free(&layout->raw);
    buf_free(&layout->value);
    buf_free(&layout->component);
    buf_free(&layout->folded);
    buf_free(&layout->work);
    free(layout);
}

const tag_t *layout_tags(const struct layout *layout, size_t *count)
{
    *count = layout->tag_count;
    return layout->tags;
}

/* ---- values ---- */

/* Letters and digits without those that look alike, from a hash that is the same everywhere. */
static void add_hash(struct buf *out, const char *text, size_t length, unsigned count)
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    static const uint64_t key[2] = {0};
    uint64_t hash[2];

    siphash128(key, text, length, hash);
    while (count-- > 0) {
        buf_addc(out, alphabet[hash[0] & 31]);
        hash[0] >>= 5;
    }
}

/* A whole number with zeros before it; false when the text is none. */
static bool add_padded(struct buf *out, const char *text, size_t length, unsigned width)
{
    bool minus = length && *text == '-';
    size_t sign = minus || (length && *text == '+');

    text += sign;
    length -= sign;
    while (length > 1 && *text == '0') {
        text++;
        length--;
    }
    if (length == 0 || length > 12)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isdigit((unsigned char)text[i]))
            return false;
    if (minus)
        buf_addc(out, 'm'); /* a '-' would look like a separator */
    for (size_t i = length; i < width; i++)
        buf_addc(out, '0');
    buf_add(out, text, length);
    return true;
}

/* The part of a raw value that names use: without blanks around it; of a person's name the first
 * component group that is there; of numbers the first. */
static const char *part_of(const struct piece *piece, const struct buf *raw, size_t *length)
{
    const char *text = buf_text(raw), *end = text + raw->length;

    while (text < end && strchr(piece->vr == VR_PN ? " =" : " ", *text))
        text++;
    if (piece->vr == VR_PN) {
        const char *group = memchr(text, '=', (size_t)(end - text));
        end = group ? group : end;
    }
    if (piece->pad) {
        const char *next = memchr(text, '\\', (size_t)(end - text));
        end = next ? next : end;
    }
    while (end > text && end[-1] == ' ')
        end--;
    *length = (size_t)(end - text);
    return text;
}

/* One value as it stands in a name, in layout->value. `limit` bounds texts; what identifies an
 * object (UIDs, hashes, numbers) is not cut. */
static void render_value(struct layout *layout, const struct piece *piece, size_t limit,
                         layout_value *get, void *context)
{
    size_t length;

    buf_clear(&layout->value);
    buf_clear(&layout->raw);
    get(context, piece->tag, &layout->raw);
    const char *text = part_of(piece, &layout->raw, &length);
    if (length == 0)
        return;
    if (piece->hash) {
        add_hash(&layout->value, text, length, piece->hash);
        return;
    }
    if (piece->pad && add_padded(&layout->value, text, length, piece->pad))
        return;
    if (piece->vr == VR_UI)
        limit = UID_MAX;
    if (piece->cut && piece->cut < limit)
        limit = piece->cut;
    name_add_value(&layout->value, text, length, limit, layout->ascii);
}

/* ---- names ---- */

static bool is_separator(char c)
{
    return c == '_' || c == '-' || c == ' ';
}

/* The separators at the end of a component, or at the start of a literal. */
static size_t separators_before(const struct buf *buf)
{
    size_t count = 0;

    while (count < buf->length && is_separator(buf->data[buf->length - 1 - count]))
        count++;
    return count;
}

/* Appends one component, which starts at piece `at`; returns the piece after it. `ending` becomes
 * how many bytes of its end are a literal such as ".dcm". */
static size_t render_component(struct layout *layout, size_t at, size_t limit, layout_value *get,
                               void *context, size_t *ending)
{
    struct buf *component = &layout->component;
    bool have_value = false, was_empty = false;

    buf_clear(component);
    *ending = 0;
    for (; at < layout->count && layout->pieces[at].kind != PIECE_SLASH; at++) {
        const struct piece *piece = &layout->pieces[at];

        if (piece->kind == PIECE_VALUE) {
            if (piece->alternative && have_value)
                continue;
            render_value(layout, piece, limit, get, context);
            have_value = layout->value.length > 0;
            was_empty = !have_value;
            buf_add(component, buf_text(&layout->value), layout->value.length);
            continue;
        }
        const char *text = buf_text(&piece->text);
        size_t length = piece->text.length;
        have_value = false;
        if (was_empty) {
            /* The separator before the empty value does for the one after it. */
            if (component->length == 0 || separators_before(component))
                while (length && is_separator(*text)) {
                    text++;
                    length--;
                }
            if (length && !is_separator(*text))
                component->length -= separators_before(component);
        }
        buf_add(component, text, length);
        *ending = *text == '.' ? length : 0;
        was_empty = was_empty && length == 0;
    }
    if (was_empty)
        component->length -= separators_before(component);
    if (component->data)
        component->data[component->length] = '\0';
    if (at > 0 && layout->pieces[at - 1].kind != PIECE_LITERAL)
        *ending = 0;
    return at;
}

/* A file whose template gave nothing is called by its SOP Instance UID. */
static void name_after_uid(struct layout *layout, layout_value *get, void *context)
{
    static const struct piece uid = {.tag = TAG(0x0008, 0x0018), .vr = VR_UI};

    render_value(layout, &uid, UID_MAX, get, context);
    buf_add(&layout->value, buf_text(&layout->component), layout->component.length);
    buf_clear(&layout->component);
    buf_add(&layout->component, buf_text(&layout->value), layout->value.length);
}

/* The whole name with texts of at most `limit` bytes. With `share`, every component is cut to it.
 */
static void render(struct layout *layout, size_t limit, size_t share, layout_value *get,
                   void *context, size_t *ending, struct buf *out)
{
    buf_clear(out);
    for (size_t at = 0; at < layout->count; at++) {
        at = render_component(layout, at, limit, get, context, ending);
        if (at == layout->count && layout->component.length == *ending)
            name_after_uid(layout, get, context);
        name_finish_component(&layout->component, share, *ending);
        if (out->length)
            buf_addc(out, '/');
        buf_add(out, buf_text(&layout->component), layout->component.length);
    }
}

static size_t longest_component(const struct buf *path)
{
    size_t longest = 0;

    for (const char *at = buf_text(path);; at++) {
        size_t length = strcspn(at, "/");

        longest = length > longest ? length : longest;
        at += length;
        if (!*at)
            return longest;
    }
}

/* The last number given to a name that came before; made when it was not yet there. */
static uint32_t *repeated_number(struct layout *layout, uint64_t hash)
{
    if (layout->repeated_count * 4 >= layout->repeated_capacity * 3) {
        struct repeated *old = layout->repeated;
        size_t old_capacity = layout->repeated_capacity;

        layout->repeated_capacity = old_capacity ? old_capacity * 2 : 64;
        layout->repeated = xcalloc(layout->repeated_capacity, sizeof *layout->repeated);
        layout->repeated_count = 0;
        for (size_t i = 0; i < old_capacity; i++)
            if (old[i].hash)
                *repeated_number(layout, old[i].hash) = old[i].number;
        free(old);
    }
    size_t at = hash & (layout->repeated_capacity - 1);
    while (layout->repeated[at].hash && layout->repeated[at].hash != hash)
        at = (at + 1) & (layout->repeated_capacity - 1);
    if (!layout->repeated[at].hash) {
        layout->repeated[at] = (struct repeated){.hash = hash, .number = 1};
        layout->repeated_count++;
    }
    return &layout->repeated[at].number;
}

static bool is_new(struct layout *layout, const struct buf *name)
{
    buf_clear(&layout->folded);
    utf8_fold(buf_text(name), name->length, &layout->folded);
    return set_add(layout->names, buf_text(&layout->folded), layout->folded.length);
}

/* Puts "_2" and so on before the ending of a name that came before. */
static void make_unique(struct layout *layout, size_t ending, struct buf *name)
{
    static const uint64_t key[2] = {0x6e616d65, 0x6e756d62};
    uint64_t hash[2];

    if (is_new(layout, name))
        return;
    siphash128(key, buf_text(&layout->folded), layout->folded.length, hash);
    uint32_t *number = repeated_number(layout, hash[0] | 1);
    do {
        buf_clear(&layout->work);
        buf_add(&layout->work, name->data, name->length - ending);
        buf_addf(&layout->work, "_%u", ++*number);
        buf_add(&layout->work, name->data + name->length - ending, ending);
    } while (!is_new(layout, &layout->work));
    buf_clear(name);
    buf_add(name, layout->work.data, layout->work.length);
}

void layout_name_from(struct layout *layout, layout_value *value, void *context, struct buf *out)
{
    static const size_t limits[] = {64, 40, 28, 20, 12};
    const size_t component_max = NAME_COMPONENT_MAX - COUNTER_BYTES;
    const size_t path_max = NAME_PATH_MAX - COUNTER_BYTES;
    size_t ending = 0, depth = 1;

    /* Texts are shortened first, so that what tells objects apart stays. */
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        render(layout, limits[i], 4096, value, context, &ending, out);
        if (out->length <= path_max && longest_component(out) <= component_max)
            break;
    }
    for (size_t i = 0; i < layout->count; i++)
        depth += layout->pieces[i].kind == PIECE_SLASH;
    if (longest_component(out) > component_max)
        render(layout, limits[0], component_max, value, context, &ending, out);
    if (out->length > path_max)
        render(layout, limits[0], (path_max + 1) / depth - 1, value, context, &ending, out);
    make_unique(layout, ending, out);
}

static void value_of_scan(void *context, tag_t tag, struct buf *out)
{
    scan_text(context, tag, out);
}

void layout_name(struct layout *layout, const struct scanner *scanner, struct buf *out)
{
    layout_name_from(layout, value_of_scan, (void *)scanner, out);
}
