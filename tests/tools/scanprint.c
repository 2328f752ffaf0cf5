/*
 * scanprint: what the header scanner finds in files, in the form of
 *
 *     dcmdump -q -Un +L +F +P TAG... FILE...
 *
 * so that the two can be compared line by line (the "# length, vm keyword" at the end of dcmdump's lines
 * cut off), and how fast it does so.
 *
 *     scanprint [-r] [-s] [-t TAG,TAG...] FILE...     (or names on stdin, one a line, if there are none)
 *     scanprint --time SECONDS [-t TAG,TAG...] FILE...
 *
 *     -r    raw: bytes as they stand in the object, trailing padding off; else text in UTF-8
 *     -s    say what came of each file: "! ok", "! error", "! not-dicom" after its values, and the
 *           reason on stderr
 *     -t    keywords or tags, in the order in which to print them (else those of most indexes)
 *     --time SECONDS   scans the files over and over for so long, on one core; prints files and
 *                    rates, by the clock and by the CPU time used
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "dicom/dict.h"
#include "dicom/scan.h"

#define TAGS_MAX 256

static const char default_tags[] =
    "TransferSyntaxUID,SpecificCharacterSet,SOPClassUID,SOPInstanceUID,StudyDate,SeriesDate,"
    "StudyTime,"
    "SeriesTime,AccessionNumber,Modality,Manufacturer,InstitutionName,ReferringPhysicianName,"
    "StationName,StudyDescription,SeriesDescription,ManufacturerModelName,PatientName,PatientID,"
    "PatientBirthDate,PatientSex,BodyPartExamined,SliceThickness,KVP,ProtocolName,StudyInstanceUID,"
    "SeriesInstanceUID,StudyID,SeriesNumber,InstanceNumber,NumberOfFrames,Rows,Columns";

static tag_t tags[TAGS_MAX];
static size_t tag_count;
static bool raw, say;

static void read_tags(const char *list)
{
    char *copy = xstrdup(list), *rest = copy, *word;
    struct err err;

    tag_count = 0;
    while ((word = strsep(&rest, ","))) {
        char pair[16];

        /* gggg,eeee holds a comma itself */
        if (rest && strlen(word) == 4 && strspn(word, "0123456789abcdefABCDEF") == 4) {
            snprintf(pair, sizeof pair, "%s,%.4s", word, strsep(&rest, ","));
            word = pair;
        }
        if (tag_count == TAGS_MAX || dict_parse(word, &tags[tag_count++], &err) < 0) {
            fprintf(stderr, "scanprint: %s\n", tag_count == TAGS_MAX ? "too many tags" : err.text);
            exit(2);
        }
    }
    free(copy);
}

static bool is_number(vr_t vr)
{
    return vr == VR_US || vr == VR_SS || vr == VR_UL || vr == VR_SL || vr == VR_FL || vr == VR_FD ||
           vr == VR_AT || vr == VR_UV || vr == VR_SV;
}

/* As dcmdump has them: (gggg,eeee), and bytes in hexadecimal. */
static void add_tags(struct buf *text, const struct scanner *scanner, tag_t tag)
{
    struct buf list = {0};
    char *rest, *word;

    scan_text(scanner, tag, &list);
    rest = list.length ? list.data : NULL;
    while ((word = strsep(&rest, "\\")))
        buf_addf(text, "%s(%s)", text->length ? "\\" : "", word);
    buf_free(&list);
}

static void add_bytes(struct buf *text, const struct scan_value *value)
{
    for (size_t i = 0; i < value->size; i++)
        buf_addf(text, "%s%02x", i ? "\\" : "", (unsigned char)value->data[i]);
}

static void print_value(const struct scanner *scanner, const struct scan_value *value)
{
    bool bytes = value->vr == VR_OB || value->vr == VR_UN;
    bool number = is_number(value->vr) || bytes;
    struct buf text = {0};

    if (bytes) {
        add_bytes(&text, value);
    } else if (value->vr == VR_AT) {
        add_tags(&text, scanner, value->tag);
    } else if (raw && !number) {
        size_t size = value->size;

        while (size && (value->data[size - 1] == ' ' || value->data[size - 1] == '\0'))
            size--;
        buf_add(&text, value->data, size);
    } else {
        scan_text(scanner, value->tag, &text);
    }
    printf("(%04x,%04x) %c%c ", TAG_GROUP(value->tag), TAG_ELEMENT(value->tag), value->vr >> 8,
           value->vr & 0xff);
    if (!text.length)
        printf("(no value available)");
    else if (!number)
        printf("[");
    fwrite(buf_text(&text), 1, text.length, stdout);
    printf(text.length && !number ? "]\n" : "\n");
    buf_free(&text);
}

static void print_file(struct scanner *scanner, const char *path)
{
    static const char *const results[] = {"error", "ok", "not-dicom"};
    struct err err = {0};
    enum scan_result result = scan_path(scanner, AT_FDCWD, path, &err);

    printf("# %s\n", path);
    for (size_t i = 0; i < tag_count && result == SCAN_OK; i++) {
        const struct scan_value *value = scan_value(scanner, tags[i]);

        if (value)
            print_value(scanner, value);
    }
    if (say)
        printf("! %s\n", results[result + 1]);
    if (say && result != SCAN_OK)
        fprintf(stderr, "%s\n", err.text);
}

static void measure(struct scanner *scanner, char **paths, int count, double seconds)
{
    int64_t start = monotonic_ms(), spent = 0;
    clock_t cpu = clock();
    uint64_t files = 0, good = 0;

    while (count && (spent = monotonic_ms() - start) < (int64_t)(seconds * 1000))
        for (int i = 0; i < count; i++, files++)
            good += scan_path(scanner, AT_FDCWD, paths[i], NULL) == SCAN_OK;
    cpu = clock() - cpu;
    printf("%" PRIu64 " files (%" PRIu64 " good) in %.2f s: %.0f files/s, %.0f per second of CPU\n",
           files, good, (double)spent / 1000, spent ? (double)files * 1000 / (double)spent : 0,
           cpu ? (double)files * CLOCKS_PER_SEC / (double)cpu : 0);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"time", required_argument, NULL, 'T'}, {"help", no_argument, NULL, 'h'}, {0}};
    struct scanner *scanner;
    double seconds = 0;
    int option;

    read_tags(default_tags);
    while ((option = getopt_long(argc, argv, "rst:h", longs, NULL)) != -1) {
        if (option == 'r')
            raw = true;
        else if (option == 's')
            say = true;
        else if (option == 't')
            read_tags(optarg);
        else if (option == 'T')
            seconds = strtod(optarg, NULL);
        else {
            fprintf(option == 'h' ? stdout : stderr,
                    "usage: scanprint [-r] [-s] [-t TAG,...] [--time SECONDS] [FILE...]\n");
            return option == 'h' ? 0 : 2;
        }
    }
    scanner = scanner_new(tags, tag_count);
    if (seconds > 0) {
        measure(scanner, argv + optind, argc - optind, seconds);
    } else if (optind < argc) {
        for (int i = optind; i < argc; i++)
            print_file(scanner, argv[i]);
    } else {
        char *line = NULL;
        size_t size = 0;

        while (getline(&line, &size, stdin) > 0) {
            line[strcspn(line, "\n")] = '\0';
            print_file(scanner, line);
        }
        free(line);
    }
    scanner_free(scanner);
    return 0;
}
