/*
 * The index's speed, without files and network: rows written, and queries on what was written.
 *
 *   indexbench write DIR STUDIES OBJECTS [random] [bulk] [tx=N] [in-place]
 *   indexbench query DIR [ROUNDS]
 *
 * `write` makes STUDIES studies of OBJECTS objects each, with two series and 2.2 studies a patient;
 * the same arguments make the same index. It prints one line: rows/s by the clock and by processor time
 * (what others do on the machine and the disk left out), bytes of index.db for each object. `query` prints a line for each query: the median of a run from preparing to the last row,
 * of the first row, and the number of rows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/log.h"
#include "index/query.h"

static struct err err;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* SplitMix64: small, and the same everywhere. */
static uint64_t random_of(uint64_t seed)
{
    uint64_t z = seed * 0x9e3779b97f4a7c15u + 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double processor(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static long memory_kb(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* ---- writing ---- */

static const char *const families[] = {"Doe",     "Smith", "Müller", "Garcia", "Nguyen", "Rossi",
                                       "Johnson", "Meier", "Dubois", "Novak",  "Yamada", "Silva",
                                       "Hansen",  "Kowal", "Popov",  "Cohn"};
static const char *const givens[] = {"John",  "Maria", "Anna",  "Peter",  "Li",    "Ivan",
                                     "Laura", "José",  "Grace", "Thomas", "Sofia", "Johanna"};
static const char *const modalities[] = {"CT", "CT", "MR", "CR", "US", "DX", "MG", "PT"};

struct text {
    char uid[3][80], patient[32], name[64], birth[16], date[16], clock[16], accession[32];
    char series_text[64], numbers[3][16], folder[120], path[200];
};

static void make_uid(char out[80], bool random, int level, uint64_t number)
{
    uint64_t high = random_of(number * 4 + (uint64_t)level);

    if (random)
        snprintf(out, 80, "2.25.%llu%019llu", 1 + (unsigned long long)(high % 33),
                 (unsigned long long)(random_of(high) % 10000000000000000000u));
    else
        snprintf(out, 80, "1.2.826.0.1.3680043.2.1125.%d.%09llu", level + 1,
                 (unsigned long long)number);
}

static void day_of(char out[16], unsigned first_year, unsigned days)
{
    snprintf(out, 16, "%04u%02u%02u", first_year + days / 372, days / 31 % 12 + 1, days % 31 + 1);
}

static void make_study(struct text *text, struct index_record *record, uint64_t study, bool random)
{
    uint64_t patient = study * 10 / 22, luck = random_of(patient), other = random_of(~study);

    memset(record, 0, sizeof *record);
    snprintf(text->patient, sizeof text->patient, "P%08llu", (unsigned long long)patient);
    snprintf(text->name, sizeof text->name, "%s%u^%s%u^^", families[luck % 16],
             (unsigned)(luck >> 8) % 500, givens[(luck >> 20) % 12], (unsigned)(luck >> 28) % 90);
    day_of(text->birth, 1930, (unsigned)(luck >> 32) % 31000);
    day_of(text->date, 1996, (unsigned)(study % 10000));
    snprintf(text->clock, sizeof text->clock, "%02u%02u%02u", (unsigned)other % 24,
             (unsigned)(other >> 8) % 60, (unsigned)(other >> 16) % 60);
    snprintf(text->accession, sizeof text->accession, "A%010llu", (unsigned long long)study);
    make_uid(text->uid[0], random, 0, study);
    snprintf(text->folder, sizeof text->folder, "objects/%.4s/%.2s/%.2s/%s", text->date,
             text->date + 4, text->date + 6, text->uid[0]);
    record->value[ATTRIBUTE_PATIENT_ID] = text->patient;
    record->value[ATTRIBUTE_PATIENT_NAME] = text->name;
    record->value[ATTRIBUTE_PATIENT_BIRTH_DATE] = text->birth;
    record->value[ATTRIBUTE_PATIENT_SEX] = luck & 1 ? "F" : "M";
    record->value[ATTRIBUTE_STUDY_INSTANCE_UID] = text->uid[0];
    record->value[ATTRIBUTE_STUDY_DATE] = text->date;
    record->value[ATTRIBUTE_STUDY_TIME] = text->clock;
    record->value[ATTRIBUTE_ACCESSION_NUMBER] = text->accession;
    record->value[ATTRIBUTE_STUDY_ID] = "1";
    record->value[ATTRIBUTE_STUDY_DESCRIPTION] = other & 4 ? "Thorax routine" : "Abdomen";
    record->value[ATTRIBUTE_REFERRING_PHYSICIAN_NAME] = "House^Gregory";
    record->value[ATTRIBUTE_MODALITY] = modalities[other >> 40 & 7];
    record->value[ATTRIBUTE_BODY_PART_EXAMINED] = "CHEST";
    record->value[ATTRIBUTE_MANUFACTURER] = "Acme Medical";
    record->value[ATTRIBUTE_MANUFACTURER_MODEL_NAME] = "Scanner 64";
    record->value[ATTRIBUTE_STATION_NAME] = "CT1";
    record->value[ATTRIBUTE_INSTITUTION_NAME] = "General Hospital";
    record->value[ATTRIBUTE_PROTOCOL_NAME] = "Thorax 1.5 B31f";
    record->value[ATTRIBUTE_PATIENT_POSITION] = "HFS";
    record->value[ATTRIBUTE_SOP_CLASS_UID] = "1.2.840.10008.5.1.4.1.1.2";
    record->value[ATTRIBUTE_TRANSFER_SYNTAX_UID] = "1.2.840.10008.1.2.1";
    record->value[ATTRIBUTE_ACQUISITION_NUMBER] = "1";
    record->value[ATTRIBUTE_CONTENT_DATE] = text->date;
    record->value[ATTRIBUTE_CONTENT_TIME] = text->clock;
    record->value[ATTRIBUTE_ROWS] = "512";
    record->value[ATTRIBUTE_COLUMNS] = "512";
    record->value[ATTRIBUTE_SLICE_THICKNESS] = "1.5";
    record->value[ATTRIBUTE_KVP] = "120";
    record->calling_aet = "MODALITY1";
    record->size = 526000;
    record->received_ms = 1700000000000 + (int64_t)study * 1000;
    record->mtime_ns = record->received_ms * 1000000;
}

static void make_object(struct text *text, struct index_record *record, uint64_t study,
                        uint64_t object, uint64_t objects, bool random, bool in_place)
{
    uint64_t series = object * 2 / objects;

    make_uid(text->uid[1], random, 1, study * 2 + series);
    make_uid(text->uid[2], random, 2, study * objects + object);
    snprintf(text->numbers[0], 16, "%u", (unsigned)series + 1);
    snprintf(text->numbers[1], 16, "%u", (unsigned)object + 1);
    snprintf(text->series_text, sizeof text->series_text, "Series %u", (unsigned)series + 1);
    record->value[ATTRIBUTE_SERIES_INSTANCE_UID] = text->uid[1];
    record->value[ATTRIBUTE_SOP_INSTANCE_UID] = text->uid[2];
    record->value[ATTRIBUTE_SERIES_NUMBER] = text->numbers[0];
    record->value[ATTRIBUTE_SERIES_DESCRIPTION] = text->series_text;
    record->value[ATTRIBUTE_INSTANCE_NUMBER] = text->numbers[1];
    record->study_folder = in_place ? NULL : text->folder;
    snprintf(text->path, sizeof text->path, "/data/%s/%08llu/IM%06u.dcm", text->patient,
             (unsigned long long)study, (unsigned)object);
    record->path = in_place ? text->path : NULL;
}

static int write_index(const char *folder, int count, char **word)
{
    uint64_t studies = strtoull(word[0], NULL, 10), objects = strtoull(word[1], NULL, 10);
    uint64_t rows = 0, per_transaction = 1000;
    bool random = false, bulk = false, in_place = false;
    struct index_statistics statistics;
    struct index_record record;
    struct index *index;
    struct text text;
    double start, busy;

    for (int i = 2; i < count; i++) {
        random = random || strcmp(word[i], "random") == 0;
        bulk = bulk || strcmp(word[i], "bulk") == 0;
        in_place = in_place || strcmp(word[i], "in-place") == 0;
        if (strncmp(word[i], "tx=", 3) == 0)
            per_transaction = strtoull(word[i] + 3, NULL, 10);
    }
    start = now();
    busy = processor();
    index = index_open(folder, bulk ? INDEX_BULK : INDEX_WRITE, &err);
    if (!index || index_begin(index, &err) < 0)
        die(2, &err);
    for (uint64_t study = 0; study < studies; study++) {
        make_study(&text, &record, study, random);
        for (uint64_t object = 0; object < objects; object++) {
            make_object(&text, &record, study, object, objects, random, in_place);
            if (index_add(index, &record, &err) == INDEX_ERROR)
                die(2, &err);
            if (++rows % per_transaction == 0 &&
                (index_commit(index, &err) < 0 || index_begin(index, &err) < 0))
                die(2, &err);
        }
    }
    if (index_commit(index, &err) < 0 || (bulk && index_replace(index, &err) < 0))
        die(2, &err);
    double seconds = now() - start;

    busy = processor() - busy;
    if (index_checkpoint(index, true, &err) < 0 || index_stats(index, &statistics, &err) < 0)
        die(2, &err);
    printf(
        "%llu objects in %.2f s: %.0f rows/s (%.2f s of processor time: %.0f rows/s), %.0f bytes "
        "each, %ld KB of memory\n",
        (unsigned long long)rows, seconds, (double)rows / seconds, busy, (double)rows / busy,
        (double)statistics.index_bytes / (double)rows, memory_kb());
    index_close(index);
    return 0;
}

/* ---- queries ---- */

struct wish {
    const char *name;
    enum query_level level;
    const char *key[3];
    const char *column[8];
    const char *sort; /* "-Keyword": descending */
    uint64_t limit;
};

#define STUDY_LIST                                                                        \
    {                                                                                     \
        "PatientName", "PatientID", "StudyDate", "StudyDescription", "ModalitiesInStudy", \
            "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"                 \
    }

static const struct wish wishes[] = {
    {"PatientID", LEVEL_STUDY, {"PatientID=P00001234"}, STUDY_LIST, NULL, 0},
    {"AccessionNumber", LEVEL_STUDY, {"AccessionNumber=A0000001234"}, STUDY_LIST, NULL, 0},
    {"AccessionNumber prefix", LEVEL_STUDY, {"AccessionNumber=A00000012*"}, STUDY_LIST, NULL, 0},
    {"name prefix, few", LEVEL_STUDY, {"PatientName=DOE17^JOH*"}, STUDY_LIST, NULL, 0},
    {"name prefix, many", LEVEL_STUDY, {"PatientName=DOE*"}, STUDY_LIST, NULL, 0},
    {"name infix", LEVEL_STUDY, {"PatientName=*OE17^*OHN1*"}, STUDY_LIST, NULL, 0},
    {"name infix, many", LEVEL_STUDY, {"PatientName=*OHN*"}, STUDY_LIST, NULL, 0},
    {"name infix, none", LEVEL_STUDY, {"PatientName=*XYZZY*"}, STUDY_LIST, NULL, 0},
    {"one of two names",
     LEVEL_STUDY,
     {"PatientName=Doe17^John1\\Rossi3^Anna4"},
     STUDY_LIST,
     NULL,
     0},
    {"StudyDate, a day", LEVEL_STUDY, {"StudyDate=20040115"}, STUDY_LIST, NULL, 0},
    {"StudyDate, a month", LEVEL_STUDY, {"StudyDate=20040101-20040131"}, STUDY_LIST, NULL, 0},
    {"StudyDate, a year", LEVEL_STUDY, {"StudyDate=2004"}, STUDY_LIST, NULL, 0},
    {"StudyDate, a year, sorted", LEVEL_STUDY, {"StudyDate=2004"}, STUDY_LIST, "PatientName", 0},
    {"modality and a week",
     LEVEL_STUDY,
     {"ModalitiesInStudy=MR", "StudyDate=20040101-20040107"},
     STUDY_LIST,
     NULL,
     0},
    {"modality of a series, a week",
     LEVEL_STUDY,
     {"Modality=MR", "StudyDate=20040101-20040107"},
     STUDY_LIST,
     NULL,
     0},
    {"modality alone", LEVEL_STUDY, {"ModalitiesInStudy=MG"}, STUDY_LIST, NULL, 0},
    {"name prefix and a year",
     LEVEL_STUDY,
     {"PatientName=DOE*", "StudyDate=2004"},
     STUDY_LIST,
     NULL,
     0},
    {"birth date", LEVEL_STUDY, {"PatientBirthDate=19500101"}, STUDY_LIST, NULL, 0},
    {"newest 100", LEVEL_STUDY, {NULL}, STUDY_LIST, "-StudyDate", 100},
    {"first 100 by name", LEVEL_STUDY, {NULL}, STUDY_LIST, "PatientName", 100},
    {"every study", LEVEL_STUDY, {NULL}, STUDY_LIST, NULL, 0},
    {"StudyDescription infix", LEVEL_STUDY, {"StudyDescription=*orax*"}, STUDY_LIST, NULL, 0},
    {"series of a study",
     LEVEL_SERIES,
     {"StudyInstanceUID=1.2.826.0.1.3680043.2.1125.1.000001234"},
     {"Modality", "SeriesNumber", "NumberOfSeriesRelatedInstances"},
     NULL,
     0},
    {"instances of a study",
     LEVEL_INSTANCE,
     {"StudyInstanceUID=1.2.826.0.1.3680043.2.1125.1.000001234"},
     {"InstanceNumber", "Path"},
     NULL,
     0},
    {"an instance",
     LEVEL_INSTANCE,
     {"SOPInstanceUID=1.2.826.0.1.3680043.2.1125.3.000001234"},
     {"InstanceNumber", "Path"},
     NULL,
     0},
    {"patients of a day", LEVEL_PATIENT, {"StudyDate=20040115"}, {"PatientName"}, NULL, 0},
    {"patients by name prefix",
     LEVEL_PATIENT,
     {"PatientName=DOE17^JOH*"},
     {"PatientName"},
     NULL,
     0},
    {"patients by name infix",
     LEVEL_PATIENT,
     {"PatientName=*OHN1*"},
     {"PatientName", "NumberOfPatientRelatedStudies"},
     NULL,
     0},
};

static double first_row;

static int count_row(void *context, const struct query_row *row, struct err *error)
{
    (void)row;
    (void)error;
    if (*(uint64_t *)context == 0)
        first_row = now();
    ++*(uint64_t *)context;
    return 0;
}

static struct query *make_query(const struct wish *wish)
{
    struct query *query = query_new(wish->level);
    tag_t tag;

    for (size_t i = 0; i < 3 && wish->key[i]; i++) {
        struct match *match = match_parse(wish->key[i], &err);

        if (!match)
            die(2, &err);
        query_add(query, match);
    }
    for (size_t i = 0; i < 8 && wish->column[i]; i++)
        if (keyword_parse(wish->column[i], &tag, &err) < 0 || query_column(query, tag, &err) < 0)
            die(2, &err);
    if (wish->sort && (keyword_parse(wish->sort + (*wish->sort == '-'), &tag, &err) < 0 ||
                       query_sort(query, tag, *wish->sort == '-', &err) < 0))
        die(2, &err);
    query_limit(query, wish->limit);
    return query;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static int query_index(const char *folder, int rounds)
{
    double *whole = xcalloc((size_t)rounds, sizeof *whole), *first = xcalloc((size_t)rounds, 8);
    double start = now(), opened;
    struct index *index = index_open(folder, INDEX_READ, &err);

    if (!index)
        die(2, &err);
    opened = now() - start;
    printf("%-30s %9.3f ms\n", "open", opened * 1e3);
    printf("%-30s %9s    %9s\n", "query", "all", "first row");
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        uint64_t rows = 0;

        for (int round = 0; round < rounds; round++) {
            struct query *query = make_query(&wishes[i]);

            rows = 0;
            start = first_row = now();
            if (index_query(index, query, count_row, &rows, &err) < 0)
                die(2, &err);
            whole[round] = now() - start;
            first[round] = first_row - start;
            query_free(query);
        }
        qsort(whole, (size_t)rounds, sizeof *whole, by_value);
        qsort(first, (size_t)rounds, sizeof *first, by_value);
        printf("%-30s %9.3f ms %9.3f ms %8llu rows\n", wishes[i].name, whole[rounds / 2] * 1e3,
               first[rounds / 2] * 1e3, (unsigned long long)rows);
    }
    printf("%ld KB of memory\n", memory_kb());
    index_close(index);
    free(whole);
    free(first);
    return 0;
}

int main(int argc, char **argv)
{
    log_init(argv[0]);
    if (argc >= 5 && strcmp(argv[1], "write") == 0)
        return write_index(argv[2], argc - 3, argv + 3);
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "query") == 0)
        return query_index(argv[2], argc == 4 ? atoi(argv[3]) : 5);
    fprintf(stderr,
            "usage: indexbench write DIR STUDIES OBJECTS [random] [bulk] [tx=N] [in-place]\n"
            "       indexbench query DIR [ROUNDS]\n");
    return 2;
}
