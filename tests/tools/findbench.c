/*
 * The speed of C-FIND inside pacs-recv, without a network: identifiers are parsed, answered from an index
 * that `indexbench write DIR STUDIES OBJECTS` made, and the responses encoded.
 *
 *   findbench [--cpu] DIR [ROUNDS]
 *
 * Prints a line for each query: its name, the median of the time to the first response and to the last one
 * in milliseconds, the number of responses; separated by tabs. The line "open" is what the first
 * query of an association pays on top. With --cpu it is processor time: what others do on the machine is
 * left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "dicom/dict.h"
#include "dicom/uid.h"
#include "net/query_identifier.h"

static struct err err;

static clockid_t which_clock = CLOCK_MONOTONIC;

static double now(void)
{
    struct timespec time;

    clock_gettime(which_clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct wish {
    const char *name, *level;
    const char *key, *value;
    const char *other_key, *other_value;
    bool fuzzy;
};

/* Names and dates are those of indexbench.c: 16 families with 500 numbers, dates from 1996 on. */
static const struct wish wishes[] = {
    {"exact PatientID", "STUDY", "PatientID", "P00001234"},
    {"exact AccessionNumber", "STUDY", "AccessionNumber", "A0000001234"},
    {"name prefix, few", "STUDY", "PatientName", "DOE17^JOH*"},
    {"name prefix, hundreds", "STUDY", "PatientName", "DOE17*"},
    {"name prefix, thousands", "STUDY", "PatientName", "DOE*"},
    {"a day", "STUDY", "StudyDate", "20040115"},
    {"a range of days", "STUDY", "StudyDate", "20040101-20040107"},
    {"a month", "STUDY", "StudyDate", "20040101-20040131"},
    {"a day and a modality", "STUDY", "StudyDate", "20040115", "ModalitiesInStudy", "MR"},
    {"name infix, few", "STUDY", "PatientName", "*OE17^*OHN1*"},
    {"name infix, none", "STUDY", "PatientName", "*XYZZY*"},
    {"name infix, thousands", "STUDY", "PatientName", "*OHN*"},
    {"name infix, case and mark", "STUDY", "PatientName", "*üLLER1*"},
    {"name, fuzzy", "STUDY", "PatientName", "DOO17^JON1", NULL, NULL, true},
    {"10,000 matches", "STUDY", "StudyDate", "20040101-20050625"},
    {"every study", "STUDY", "StudyDate", ""},
    {"series of a study", "SERIES", "StudyInstanceUID", "1.2.826.0.1.3680043.2.1125.1.000001234"},
    {"images of a series", "IMAGE", "SeriesInstanceUID", "1.2.826.0.1.3680043.2.1125.2.000002468",
     "StudyInstanceUID", "1.2.826.0.1.3680043.2.1125.1.000001234"},
    {"patients by name prefix", "PATIENT", "PatientName", "DOE17^JOH*"},
};

static const char *const columns[][12] = {
    {"PatientID", "PatientName", "PatientBirthDate", "PatientSex", "NumberOfPatientRelatedStudies"},
    {"PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate",
     "StudyTime", "AccessionNumber", "StudyDescription", "ModalitiesInStudy",
     "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"},
    {"SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription",
     "NumberOfSeriesRelatedInstances"},
    {"SOPInstanceUID", "SOPClassUID", "InstanceNumber", "Rows", "Columns"},
};

static void put(struct dataset *dataset, const char *keyword, const char *value)
{
    const struct dict_entry *entry = dict_by_keyword(keyword);

    if (!entry) {
        err_set(&err, ERR_INPUT, "%s: no keyword", keyword);
        die(2, &err);
    }
    dataset_put(dataset, entry->tag, value);
}

/* The identifier as it comes from the network. */
static void encode(const struct wish *wish, struct buf *bytes)
{
    struct dataset *dataset = dataset_new();
    int level = strcmp(wish->level, "PATIENT") == 0  ? 0
                : strcmp(wish->level, "STUDY") == 0  ? 1
                : strcmp(wish->level, "SERIES") == 0 ? 2
                                                     : 3;

    for (size_t i = 0; i < 12 && columns[level][i]; i++)
        put(dataset, columns[level][i], NULL);
    put(dataset, "QueryRetrieveLevel", wish->level);
    put(dataset, wish->key, wish->value);
    if (wish->other_key)
        put(dataset, wish->other_key, wish->other_value);
    dataset_choose_charset(dataset, "ISO_IR 192");
    dataset_write(dataset, UID_EXPLICIT_LE, bytes);
    dataset_free(dataset);
}

struct answer {
    struct buf out;
    double first;
    uint64_t count;
};

static int take(void *context, struct dataset *response, struct err *error)
{
    struct answer *answer = context;

    (void)error;
    buf_clear(&answer->out);
    dataset_write(response, UID_EXPLICIT_LE, &answer->out);
    if (answer->count++ == 0)
        answer->first = now();
    return 0;
}

static void ask(struct index *index, const struct wish *wish, const struct buf *bytes,
                struct answer *answer)
{
    struct query_negotiated negotiated = {.fuzzy_names = wish->fuzzy};
    enum query_model model =
        strcmp(wish->level, "PATIENT") == 0 ? MODEL_PATIENT_ROOT : MODEL_STUDY_ROOT;
    uint16_t status = 0;
    struct dataset *identifier = dataset_parse(bytes->data, bytes->length, UID_EXPLICIT_LE, &err);
    struct find_request *request =
        identifier ? find_request_new(identifier, model, &negotiated, &status, &err) : NULL;

    answer->count = 0;
    if (!request || find_request_run(request, index, "BENCH", take, answer, &err) < 0)
        die(2, &err);
    find_request_free(request);
    dataset_free(identifier);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2] * 1e3;
}

int main(int argc, char **argv)
{
    bool cpu = argc > 1 && strcmp(argv[1], "--cpu") == 0;

    argc -= cpu;
    argv += cpu;
    if (cpu)
        which_clock = CLOCK_PROCESS_CPUTIME_ID;
    int rounds = argc > 2 ? atoi(argv[2]) : 9;
    double *first = xcalloc((size_t)rounds, sizeof *first);
    double *whole = xcalloc((size_t)rounds, sizeof *whole), start;
    struct answer answer = {0};
    struct index *index;

    log_init(argv[0]);
    if (argc < 2 || rounds < 1) {
        fprintf(stderr, "usage: findbench [--cpu] DIR [ROUNDS]\n");
        return 2;
    }
    for (int round = 0; round < rounds; round++) {
        start = now();
        index = index_open(argv[1], INDEX_READ, &err);
        if (!index)
            die(2, &err);
        whole[round] = now() - start;
        index_close(index);
    }
    printf("open\t-\t%.3f\t0\n", median(whole, rounds));
    index = index_open(argv[1], INDEX_READ, &err);
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        struct buf bytes = {0};

        encode(&wishes[i], &bytes);
        for (int round = 0; round < rounds; round++) {
            start = answer.first = now();
            ask(index, &wishes[i], &bytes, &answer);
            whole[round] = now() - start;
            first[round] = answer.count ? answer.first - start : whole[round];
        }
        printf("%s\t%.3f\t%.3f\t%llu\n", wishes[i].name, median(first, rounds),
               median(whole, rounds), (unsigned long long)answer.count);
        buf_free(&bytes);
    }
    index_close(index);
    buf_free(&answer.out);
    free(first);
    free(whole);
    return 0;
}
