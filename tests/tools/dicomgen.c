/*
 * dicomgen: writes a tree of DICOM files, the same for the same options on every machine.
 *
 *     dicomgen [--patients N] [--studies N] [--series N] [--instances N] [--pixels BYTES] [--seed N]
 *              [--uids ordered|random] [--syntax implicit|explicit|big|deflated] [--list] [--vary] DIR
 *
 * makes DIR/pNNNNN/sNNN/eNNN/iNNNNN.dcm: patients, studies of each, series of each study, instances of
 * each series. UIDs, names, dates and accession numbers differ as in an archive; modality and SOP class
 * change from series to series; each instance has pixels of its own (noise). Sound files, all ASCII.
 *
 * --vary is for testing readers: every file has another shape. Transfer syntaxes (implicit, explicit,
 * big endian, deflated, encapsulated), with and without preamble, meta header or its group length,
 * attributes of the whole dictionary, sequences of defined and undefined length in each other, UN of
 * undefined length, private blocks, group lengths, empty and long values, several values, padding at
 * the end. Each is what DCMTK reads without an error; all values are ASCII.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/options.h"
#include "dicom/dict.h"
#include "dicom/uid.h"

#include "dicomgen_random.h"

#define UID_ROOT "1.2.826.0.1.3680043.9.7777"
#define UID_JPEG "1.2.840.10008.1.2.4.50"
#define ELEMENTS 512

/* ---- an object ---- */

enum syntax { IMPLICIT, EXPLICIT, BIG, DEFLATED, ENCAPSULATED };

static const char *const syntax_uid[] = {UID_IMPLICIT_LE, UID_EXPLICIT_LE, UID_EXPLICIT_BE,
                                         UID_DEFLATED_LE, UID_JPEG};

struct element {
    tag_t tag;
    vr_t vr;
    char *text; /* NULL: a value by chance */
};

struct object {
    enum syntax syntax;
    struct encoding encoding;
    struct element elements[ELEMENTS];
    size_t count;
    const char *class_uid;
    char instance_uid[UID_MAX + 1];
};

struct options {
    long long patients, studies, series, instances, pixels, seed;
    int uids, syntax;
    bool vary, list;
};

static void add(struct object *object, tag_t tag, vr_t vr, char *text)
{
    if (object->count < ELEMENTS)
        object->elements[object->count++] = (struct element){tag, vr, text};
    else
        free(text);
}

static void add_standard(struct object *object, tag_t tag, char *text)
{
    add(object, tag, dict_vr(tag), text);
}

/* ---- what an object holds ---- */

static const struct {
    const char *modality, *class_uid, *part, *description;
} kinds[] = {
    {"CT", "1.2.840.10008.5.1.4.1.1.2", "CHEST", "Thorax 5.0 B31f"},
    {"MR", "1.2.840.10008.5.1.4.1.1.4", "BRAIN", "t1_mprage_sag"},
    {"CR", "1.2.840.10008.5.1.4.1.1.1", "HAND", "Hand ap"},
    {"US", "1.2.840.10008.5.1.4.1.1.6.1", "ABDOMEN", "Liver"},
    {"PT", "1.2.840.10008.5.1.4.1.1.128", "WHOLEBODY", "WB FDG"},
    {"OT", "1.2.840.10008.5.1.4.1.1.7", "", "Screen"},
};

static char *make_uid(const struct options *options, const unsigned *place, int level)
{
    struct buf uid = {0};

    if (options->uids == 1) {
        uint64_t kept = state;
        unsigned own[4] = {0, 0, 0, 0};

        for (int i = 0; i < level; i++)
            own[i] = place[i] + 1;
        start_chance((uint64_t)options->seed ^ 0x5555, own);
        random_uid(&uid);
        state = kept;
    } else {
        buf_addf(&uid, UID_ROOT ".%lld", options->seed);
        for (int i = 0; i < level; i++)
            buf_addf(&uid, ".%u", place[i] + 1);
    }
    return buf_take(&uid);
}

static void add_identity(struct object *object, const struct options *options,
                         const unsigned place[4])
{
    static const char *const family[] = {"DOE",   "SMITH", "MUELLER", "GARCIA", "ROSSI",  "DUPONT",
                                         "NOVAK", "SILVA", "KIM",     "TANAKA", "OKAFOR", "JENSEN"};
    static const char *const given[] = {"JOHN", "ANNA", "PETER", "MARIA", "LUCA",  "CLAIRE",
                                        "JAN",  "RITA", "MIN",   "YUKI",  "CHIDI", "LISE"};
    unsigned patient = place[0], day = (patient * 7919 + place[1] * 331) % 3650;
    unsigned kind = (place[0] + place[1] + place[2]) % COUNT(kinds);
    char *uid = make_uid(options, place, 4);

    snprintf(object->instance_uid, sizeof object->instance_uid, "%s", uid);
    object->class_uid = kinds[kind].class_uid;
    add_standard(object, 0x00080005, xstrdup("ISO_IR 100"));
    add_standard(object, 0x00080008, xstrdup("ORIGINAL\\PRIMARY\\AXIAL"));
    add_standard(object, 0x00080016, xstrdup(kinds[kind].class_uid));
    add_standard(object, 0x00080018, uid);
    for (unsigned i = 0; i < 4; i++) {
        add_standard(object, 0x00080020 + i,
                     xasprintf("%04u%02u%02u", 2015 + day / 365, 1 + day % 365 / 31, 1 + day % 28));
        add_standard(object, 0x00080030 + i,
                     xasprintf("%02u%02u%02u", 7 + (patient + place[2]) % 12, place[3] / 60 % 60,
                               place[3] % 60));
    }
    add_standard(object, 0x00080050, xasprintf("A%05u%03u", patient + 1, place[1] + 1));
    add_standard(object, 0x00080060, xstrdup(kinds[kind].modality));
    add_standard(object, 0x00080070, xstrdup("Example Medical"));
    add_standard(object, 0x00080080, xasprintf("Hospital %u", patient % 5 + 1));
    add_standard(object, 0x00080090, xasprintf("REFERRER^%s", given[(patient + 5) % COUNT(given)]));
    add_standard(object, 0x00081010, xasprintf("%s%u", kinds[kind].modality, patient % 3 + 1));
    add_standard(object, 0x00081030, xasprintf("Study %u of %s", place[1] + 1, kinds[kind].part));
    add_standard(object, 0x0008103e, xstrdup(kinds[kind].description));
    add_standard(object, 0x00081090, xasprintf("Model %u", kind));
    add_standard(object, 0x00100010,
                 xasprintf("%s^%s", family[patient % COUNT(family)],
                           given[patient / COUNT(family) % COUNT(given)]));
    add_standard(object, 0x00100020, xasprintf("PAT%06u", patient + 1));
    add_standard(
        object, 0x00100030,
        xasprintf("19%02u%02u%02u", patient * 37 % 100, 1 + patient % 12, 1 + patient % 28));
    add_standard(object, 0x00100040, xstrdup(patient % 2 ? "M" : "F"));
    add_standard(object, 0x00180015, xstrdup(kinds[kind].part));
    add_standard(object, 0x00180050, xasprintf("%u.%u", 1 + kind, patient % 10));
    add_standard(object, 0x00180060, xstrdup("120"));
    add_standard(object, 0x00181030, xasprintf("Protocol %u", place[2] + 1));
    add_standard(object, 0x0020000d, make_uid(options, place, 2));
    add_standard(object, 0x0020000e, make_uid(options, place, 3));
    add_standard(object, 0x00200010, xasprintf("%u", place[1] + 1));
    add_standard(object, 0x00200011, xasprintf("%u", place[2] + 1));
    add_standard(object, 0x00200013, xasprintf("%u", place[3] + 1));
    add_standard(object, 0x00200032, xasprintf("-125\\-125\\%u", place[3] * 5));
    add_standard(object, 0x00200037, xstrdup("1\\0\\0\\0\\1\\0"));
    add_standard(object, 0x00280004, xstrdup("MONOCHROME2"));
    add_standard(object, 0x00280030, xstrdup("0.48828125\\0.48828125"));
    add_standard(object, 0x00281050, xstrdup("40"));
    add_standard(object, 0x00281051, xstrdup("400"));
    add_standard(object, 0x00281052, xstrdup("-1024"));
    add_standard(object, 0x00281053, xstrdup("1"));
}

/* Attributes of the whole dictionary, each file others; some of each VR more often, to be looked for. */
static void add_variety(struct object *object)
{
    static const tag_t often[] = {
        0x00080000, 0x0008002a, 0x00080081, 0x00080119, 0x00080120, 0x00081140, 0x00082218,
        0x00089459, 0x00100000, 0x00101010, 0x00104000, 0x00181120, 0x00186020, 0x00189219,
        0x00189306, 0x00200062, 0x00209157, 0x00209165, 0x00280009, 0x00281102, 0x0040a160,
        0x00400275, 0x00540220, 0x00660040, 0x00720082, 0x00720083, 0x60000010, 0x60000050,
    };
    size_t count;
    const struct dict_entry *entry = dict_all(&count);

    for (size_t i = 0; i < COUNT(often); i++)
        if (one_in(3))
            add_standard(object, often[i], NULL);
    for (size_t i = below(600); i < count; i += 1 + below(600)) {
        uint16_t group = TAG_GROUP(entry[i].tag);

        /* Not what says how other elements are to be read. */
        if (group >= 0x0008 && group != 0x0028 && group < 0x7f00 && entry[i].tag != 0x00080005)
            add(object, entry[i].tag, entry[i].vr, NULL);
    }
    for (unsigned left = below(3); left; left--) {
        static const vr_t vrs[] = {VR_LO, VR_UN, VR_OB, VR_SQ, VR_US, VR_UT, VR_FD, VR_UI, VR_DS};
        uint16_t group = (uint16_t)(0x0009 + 2 * below(40));

        add(object, TAG(group, 0x0010), VR_LO, xasprintf("DICOMGEN %u", below(9)));
        for (unsigned n = below(6); n; n--) {
            vr_t vr = vrs[below(COUNT(vrs))];

            add(object, TAG(group, 0x1000 + below(256)), vr, NULL);
        }
        if (one_in(3) && !object->encoding.big_endian)
            add(object, TAG(group, 0x10ff), VR_NONE, NULL); /* UN of undefined length */
    }
    if (one_in(10)) /* as modalities pad data sets */
        add(object, 0xfffcfffc, VR_OB, xstrdup("padding"));
}

static int by_tag(const void *a, const void *b)
{
    const struct element *left = a, *right = b;

    if (left->tag != right->tag)
        return left->tag < right->tag ? -1 : 1;
    return (right->text != NULL) - (left->text != NULL); /* the one with a text first */
}

static void add_numbers(struct object *object, struct buf *out, tag_t tag, size_t pixels)
{
    static const struct {
        tag_t tag;
        unsigned value;
    } numbers[] = {{0x00280002, 1},  {0x00280010, 0},  {0x00280011, 0}, {0x00280100, 16},
                   {0x00280101, 12}, {0x00280102, 11}, {0x00280103, 0}};
    size_t words = pixels / 2, rows = 1;
    unsigned value;

    while (rows * rows < words && words % (rows * 2) == 0 && rows < 1024)
        rows *= 2;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (numbers[i].tag != tag)
            continue;
        value = tag == 0x00280010   ? (unsigned)rows
                : tag == 0x00280011 ? (unsigned)(words / rows)
                                    : numbers[i].value;
        put_header(out, object->encoding, tag, VR_US, 2);
        put(out, value, 2, object->encoding.big_endian);
    }
}

static void put_pixels(struct object *object, struct buf *out, size_t pixels)
{
    size_t fragments = 1 + below(3), size;
    char *place;

    if (object->syntax != ENCAPSULATED) {
        put_header(out, object->encoding, 0x7fe00010, VR_OW, (uint32_t)pixels);
        place = buf_reserve(out, pixels + 8);
        for (size_t i = 0; i < pixels; i += 8) {
            uint64_t noise = chance() & UINT64_C(0x0fff0fff0fff0fff);

            memcpy(place + i, &noise, 8);
        }
        out->length += pixels;
        return;
    }
    put_header(out, object->encoding, 0x7fe00010, VR_OB, UNDEFINED);
    put_header(out, object->encoding, 0xfffee000, 0, 0);
    for (size_t i = 0; i < fragments; i++) {
        size = (pixels / fragments + 2) & ~(size_t)1;
        put_header(out, object->encoding, 0xfffee000, 0, (uint32_t)size);
        for (size_t n = 0; n < size; n++)
            buf_addc(out, (char)chance());
    }
    put_header(out, object->encoding, 0xfffee0dd, 0, 0);
}

static void put_dataset(struct object *object, struct buf *out, size_t pixels)
{
    static const tag_t numbers[] = {0x00280002, 0x00280010, 0x00280011, 0x00280100,
                                    0x00280101, 0x00280102, 0x00280103};
    tag_t last = 0;

    /* Placeholders, so that these come in their order too. */
    for (size_t i = 0; i < COUNT(numbers) && pixels; i++)
        add(object, numbers[i], VR_US, xstrdup(""));
    if (pixels)
        add(object, 0x7fe00010, VR_OW, xstrdup(""));
    qsort(object->elements, object->count, sizeof object->elements[0], by_tag);
    for (size_t i = 0; i < object->count; i++) {
        struct element *element = &object->elements[i];

        if (element->tag != last && element->tag == 0x7fe00010)
            put_pixels(object, out, pixels);
        else if (element->tag != last && element->vr == VR_US && element->text)
            add_numbers(object, out, element->tag, pixels);
        else if (element->tag != last && element->text)
            put_text(out, object->encoding, element->tag, element->vr, element->text);
        else if (element->tag != last && TAG_ELEMENT(element->tag) == 0) {
            put_header(out, object->encoding, element->tag, VR_UL, 4);
            put(out, chance() & 0xffff, 4, object->encoding.big_endian);
        } else if (element->tag != last && element->vr == VR_NONE)
            put_sequence(out, object->encoding, element->tag, VR_UN, 0);
        else if (element->tag != last)
            put_random(out, object->encoding, element->tag, element->vr, 0);
        last = element->tag;
        free(element->text);
    }
}

/* ---- the file ---- */

static void put_meta(const struct object *object, struct buf *out, bool with_length)
{
    static const struct encoding encoding = {true, false};
    struct buf rest = {0};

    put_bytes(&rest, encoding, 0x00020001, VR_OB, "\0\1", 2);
    put_text(&rest, encoding, 0x00020002, VR_UI, object->class_uid);
    put_text(&rest, encoding, 0x00020003, VR_UI, object->instance_uid);
    put_text(&rest, encoding, 0x00020010, VR_UI, syntax_uid[object->syntax]);
    put_text(&rest, encoding, 0x00020012, VR_UI, UID_ROOT ".1");
    put_text(&rest, encoding, 0x00020013, VR_SH, "DICOMGEN");
    if (with_length) {
        put_header(out, encoding, 0x00020000, VR_UL, 4);
        put(out, rest.length, 4, false);
    }
    buf_add(out, rest.data, rest.length);
    buf_free(&rest);
}

static void deflate_into(struct buf *out, const struct buf *dataset)
{
    z_stream stream = {0};

    if (deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    stream.next_in = (Bytef *)dataset->data;
    stream.avail_in = (uInt)dataset->length;
    stream.avail_out = (uInt)deflateBound(&stream, stream.avail_in);
    stream.next_out = (Bytef *)buf_reserve(out, stream.avail_out);
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        abort();
    out->length += stream.total_out;
    if (stream.total_out % 2)
        buf_addc(out, '\0');
    deflateEnd(&stream);
}

static void make_file(const struct options *options, const unsigned place[4], struct buf *out)
{
    static struct object object;
    struct buf dataset = {0};
    size_t pixels = (size_t)options->pixels & ~(size_t)1;
    unsigned shape = 0;

    start_chance((uint64_t)options->seed, place);
    object.count = 0;
    object.syntax = (enum syntax)options->syntax;
    if (options->vary) {
        static const enum syntax some[] = {IMPLICIT, IMPLICIT, EXPLICIT, EXPLICIT,
                                           EXPLICIT, BIG,      DEFLATED, ENCAPSULATED};

        object.syntax = some[below(COUNT(some))];
        shape = below(20);
    }
    object.encoding = (struct encoding){object.syntax != IMPLICIT, object.syntax == BIG};
    add_identity(&object, options, place);
    if (options->vary) {
        add_variety(&object);
        pixels = one_in(8) ? 0 : pixels;
    }
    put_dataset(&object, &dataset, pixels);
    out->length = 0;
    if (shape != 1 || object.syntax >= DEFLATED) { /* 1: the data set alone */
        if (shape != 2) {                          /* 2: no preamble */
            static const char preamble[128];

            buf_add(out, preamble, sizeof preamble);
            buf_adds(out, "DICM");
        }
        put_meta(&object, out, shape != 3);
    }
    if (object.syntax == DEFLATED)
        deflate_into(out, &dataset);
    else
        buf_add(out, dataset.data, dataset.length);
    buf_free(&dataset);
}

static void write_file(const char *path, const struct buf *bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0 || write_all(fd, bytes->data, bytes->length) < 0 || close(fd) < 0) {
        perror(path);
        exit(1);
    }
}

static void write_series(const struct options *options, const char *folder, unsigned place[4])
{
    struct buf bytes = {0};
    struct err err;

    if (make_folders(AT_FDCWD, folder, false, &err) < 0) {
        fprintf(stderr, "dicomgen: %s\n", err.text);
        exit(1);
    }
    for (place[3] = 0; place[3] < options->instances; place[3]++) {
        char *path = xasprintf("%s/i%05u.dcm", folder, place[3] + 1);

        make_file(options, place, &bytes);
        write_file(path, &bytes);
        if (options->list)
            puts(path);
        free(path);
    }
    buf_free(&bytes);
}

int main(int argc, char **argv)
{
#define FIELD(name) offsetof(struct options, name)
    static const struct option_entry table[] = {
        {0, "patients", OPTION_NUMBER, FIELD(patients), "N", "patients (1)"},
        {0, "studies", OPTION_NUMBER, FIELD(studies), "N", "studies of each patient (1)"},
        {0, "series", OPTION_NUMBER, FIELD(series), "N", "series of each study (1)"},
        {0, "instances", OPTION_NUMBER, FIELD(instances), "N", "instances of each series (1)"},
        {0, "pixels", OPTION_NUMBER, FIELD(pixels), "BYTES", "pixel data of each instance (1024)"},
        {0, "seed", OPTION_NUMBER, FIELD(seed), "N", "other UIDs and noise (1)"},
        {0, "uids", OPTION_CHOICE, FIELD(uids), "ordered|random", "in order, or 2.25.*"},
        {0, "syntax", OPTION_CHOICE, FIELD(syntax), "implicit|explicit|big|deflated", "(explicit)"},
        {0, "vary", OPTION_FLAG, FIELD(vary), NULL, "every file in another shape"},
        {0, "list", OPTION_FLAG, FIELD(list), NULL, "print the path of each file"},
        OPTIONS_END,
    };
    static const struct options_usage usage = {"[options] DIR", "Write a tree of DICOM files.",
                                               NULL, table};
    struct options options = {1, 1, 1, 1, 1024, 1, 0, EXPLICIT, false, false};
    int first = options_parse(argc, argv, &usage, &options);
    unsigned place[4];

    if (argc - first != 1) {
        fprintf(stderr, "dicomgen: one folder is needed\n");
        return 2;
    }
    for (place[0] = 0; place[0] < options.patients; place[0]++)
        for (place[1] = 0; place[1] < options.studies; place[1]++)
            for (place[2] = 0; place[2] < options.series; place[2]++) {
                char *folder = xasprintf("%s/p%05u/s%03u/e%03u", argv[first], place[0] + 1,
                                         place[1] + 1, place[2] + 1);

                write_series(&options, folder, place);
                free(folder);
            }
    return 0;
}
