/*
 * Ingest: what becomes of one object under each policy, and what a kill between any two steps leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "index/ingest.h"
#include "store/internal.h"

static char folder[64];
static struct archive *archive;
static struct ingest *ingest;
static struct ingest_report report;
static struct err err;

/* ---- objects ---- */

struct made {
    const char *study, *series, *sop, *date, *pixels, *sop_class, *syntax;
};

#define CT     "1.2.840.10008.5.1.4.1.1.2"
#define OBJECT ((struct made){"1.2", "1.2.3", "1.2.3.4", "20240131", "pixels", CT, UID_EXPLICIT_LE})
#define PLACE  "objects/2024/01/31/1.2/1.2.3/1.2.3.4.dcm"

static void put_element(struct buf *out, tag_t tag, const char *vr, const char *text)
{
    size_t length = strlen(text), even = length + (length & 1);
    unsigned char head[8] = {(unsigned char)(tag >> 16), (unsigned char)(tag >> 24),
                             (unsigned char)tag,         (unsigned char)(tag >> 8),
                             (unsigned char)vr[0],       (unsigned char)vr[1],
                             (unsigned char)even,        (unsigned char)(even >> 8)};

    buf_add(out, head, sizeof head);
    buf_add(out, text, length);
    if (length & 1)
        buf_addc(out, strcmp(vr, "UI") == 0 ? '\0' : ' ');
}

static void make_object(struct made made, struct buf *out)
{
    for (int i = 0; i < 128; i++)
        buf_addc(out, '\0');
    buf_adds(out, "DICM");
    put_element(out, TAG(0x0002, 0x0010), "UI", made.syntax);
    put_element(out, TAG(0x0002, 0x0016), "AE", "SCANNER");
    put_element(out, TAG(0x0008, 0x0016), "UI", made.sop_class);
    put_element(out, TAG(0x0008, 0x0018), "UI", made.sop);
    put_element(out, TAG(0x0008, 0x0020), "DA", made.date);
    put_element(out, TAG(0x0008, 0x0060), "CS", "CT");
    put_element(out, TAG(0x0010, 0x0020), "LO", "4711");
    put_element(out, TAG(0x0020, 0x000d), "UI", made.study);
    put_element(out, TAG(0x0020, 0x000e), "UI", made.series);
    unsigned char pixels[12] = {
        0xe0, 0x7f, 0x10, 0, 'O', 'B', 0, 0, (unsigned char)strlen(made.pixels)};
    buf_add(out, pixels, sizeof pixels);
    buf_adds(out, made.pixels);
}

static struct incoming *incoming_of(struct made made)
{
    struct incoming *incoming = incoming_new(archive_store(archive), &err);
    struct buf bytes = {0};

    assert_non_null(incoming);
    make_object(made, &bytes);
    assert_int_equal(incoming_write(incoming, bytes.data, bytes.length, &err), 0);
    buf_free(&bytes);
    return incoming;
}

static enum ingest_result take_with(struct made made, const struct ingest_options *options)
{
    return ingest_object(ingest, incoming_of(made), options, &report, &err);
}

static enum ingest_result take(struct made made)
{
    static const struct ingest_options options = {SYNC_OBJECT, "CALLER", NULL, NULL};

    return take_with(made, &options);
}

static void write_object(const char *path, struct made made)
{
    struct buf bytes = {0};

    make_object(made, &bytes);
    assert_int_equal(replace_file(path, bytes.data, bytes.length, 0666, &err), 0);
    buf_free(&bytes);
}

/* ---- an archive ---- */

static int open_archive(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pacs-ingest-XXXXXX");
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return -1;
    archive = archive_open(folder, ARCHIVE_CREATE, &err);
    ingest = archive ? ingest_new(archive, &err) : NULL;
    return ingest ? 0 : -1;
}

static void close_all(void)
{
    ingest_free(ingest);
    archive_close(archive);
    ingest_report_free(&report);
    report = (struct ingest_report){0};
    ingest = NULL;
    archive = NULL;
}

static void reopen(void)
{
    close_all();
    archive = archive_open(folder, ARCHIVE_WRITE, &err);
    assert_non_null(archive);
    ingest = ingest_new(archive, &err);
    assert_non_null(ingest);
}

static void set_policy(const char *policy)
{
    char text[64];

    snprintf(text, sizeof text, "[store]\nduplicate = %s\n", policy);
    assert_int_equal(replace_file("pacs.conf", text, strlen(text), 0666, &err), 0);
    reopen();
}

static int close_archive(void **state)
{
    char command[96];

    (void)state;
    close_all();
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static struct index_instance row_of(const char *sop)
{
    struct index_instance row = {0};
    struct index *index = archive_index(archive, &err);

    assert_non_null(index);
    assert_in_range(index_find_instance(index, sop, &row, &err), 0, 1);
    return row;
}

static void assert_row(const char *sop, const char *path)
{
    struct index_instance row = row_of(sop);
    struct stat status;

    assert_non_null(row.path);
    assert_string_equal(row.path, path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, row.size);
}

static bool ends_with(const char *path, const char *text)
{
    struct buf content = {0};
    bool ends;

    assert_int_equal(read_file(path, 1 << 20, &content, &err), 0);
    ends = content.length >= strlen(text) &&
           strcmp(content.data + content.length - strlen(text), text) == 0;
    buf_free(&content);
    return ends;
}

static int count_entries(const char *path)
{
    DIR *list = opendir(path);
    const struct dirent *entry;
    int count = 0;

    assert_non_null(list);
    while ((entry = readdir(list)))
        count += entry->d_name[0] != '.';
    closedir(list);
    return count;
}

static uint64_t count_rows(void)
{
    struct index_statistics statistics;

    assert_int_equal(index_stats(archive_index(archive, &err), &statistics, &err), 0);
    return statistics.instances;
}

static struct made with_pixels(const char *pixels)
{
    struct made made = OBJECT;

    made.pixels = pixels;
    return made;
}

/* ---- the good path ---- */

static void an_object_is_stored_and_found(void **state)
{
    (void)state;
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_string_equal(report.path.data, PLACE);
    assert_string_equal(report.study_uid, "1.2");
    assert_string_equal(report.series_uid, "1.2.3");
    assert_string_equal(report.sop_uid, "1.2.3.4");
    assert_string_equal(report.sop_class_uid, CT);
    assert_string_equal(report.transfer_syntax, UID_EXPLICIT_LE);
    assert_row("1.2.3.4", PLACE);
    assert_true(ends_with(PLACE, "pixels"));
    /* Until a checkpoint its second name leads to it. */
    assert_int_equal(count_entries("incoming"), 1);
    assert_int_equal(archive_checkpoint(archive, false, &err), 0);
    assert_int_equal(count_entries("incoming"), 1);
    assert_int_equal(archive_checkpoint(archive, true, &err), 0);
    assert_int_equal(count_entries("incoming"), 0);
    assert_row("1.2.3.4", PLACE);
}

static void a_study_keeps_the_folder_of_its_first_object(void **state)
{
    struct made second = OBJECT;

    (void)state;
    second.date = "20250101";
    second.sop = "1.2.3.5";
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(take(second), INGEST_STORED);
    assert_row("1.2.3.5", "objects/2024/01/31/1.2/1.2.3/1.2.3.5.dcm");
}

static void each_way_to_be_durable_stores(void **state)
{
    struct ingest_options options = {SYNC_ASSOCIATION, NULL, NULL, NULL};
    struct made made = OBJECT;
    char sop[32];

    (void)state;
    made.sop = sop;
    /* More than are kept open at a time. */
    for (int i = 0; i < 150; i++) {
        snprintf(sop, sizeof sop, "1.2.3.%d", i);
        assert_int_equal(take_with(made, &options), INGEST_STORED);
        options.sync = i < 140 ? SYNC_ASSOCIATION : SYNC_NONE;
    }
    assert_int_equal(ingest_flush(ingest, &err), 0);
    assert_int_equal(count_rows(), 150);
    assert_int_equal(count_entries("objects/2024/01/31/1.2/1.2.3"), 150);
    assert_int_equal(archive_checkpoint(archive, true, &err), 0);
    assert_int_equal(count_entries("incoming"), 0);
}

static void without_hard_links_all_is_the_same(void **state)
{
    (void)state;
    archive_store(archive)->no_links = true;
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(take(OBJECT), INGEST_SAME);
    assert_int_equal(take(with_pixels("others")), INGEST_CONFLICT);
    assert_row("1.2.3.4", PLACE);
    assert_int_equal(count_entries("incoming"), 0);
}

/* ---- the same again ---- */

static void the_same_again_is_a_quiet_success(void **state)
{
    (void)state;
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(take(OBJECT), INGEST_SAME);
    assert_string_equal(report.path.data, PLACE);
    assert_int_equal(count_entries("quarantine"), 0);
    assert_int_equal(count_entries("incoming"), 1);
    assert_int_equal(count_rows(), 1);
}

static void other_content_goes_to_quarantine(void **state)
{
    struct buf why = {0};

    (void)state;
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(take(with_pixels("others")), INGEST_CONFLICT);
    assert_string_equal(report.path.data, "quarantine/1.2.3.4");
    assert_non_null(strstr(report.reason.data, "other content"));
    assert_true(ends_with("quarantine/1.2.3.4", "others"));
    assert_true(ends_with(PLACE, "pixels"));
    assert_int_equal(read_file("quarantine/1.2.3.4.why", 4096, &why, &err), 0);
    assert_non_null(strstr(why.data, "other content"));
    assert_non_null(strstr(why.data, "from: CALLER"));
    /* Sent for ever, it is kept once. */
    assert_int_equal(take(with_pixels("others")), INGEST_CONFLICT);
    assert_int_equal(count_entries("quarantine"), 2);
    buf_free(&why);
}

static void the_same_pixels_in_another_syntax_are_other_content(void **state)
{
    struct made other = OBJECT;

    (void)state;
    other.syntax = "1.2.840.10008.1.2.4.50";
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(take(other), INGEST_CONFLICT);
}

static void policy_keep_drops_the_second(void **state)
{
    (void)state;
    set_policy("keep");
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(take(with_pixels("others")), INGEST_CONFLICT);
    assert_string_equal(report.path.data, PLACE);
    assert_int_equal(count_entries("quarantine"), 0);
    assert_true(ends_with(PLACE, "pixels"));
}

static void policy_replace_keeps_the_first_in_quarantine(void **state)
{
    (void)state;
    set_policy("replace");
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(take(with_pixels("other pixels")), INGEST_REPLACED);
    assert_string_equal(report.path.data, PLACE);
    assert_true(ends_with(PLACE, "other pixels"));
    assert_true(ends_with("quarantine/1.2.3.4", "pixels"));
    assert_row("1.2.3.4", PLACE);
    assert_int_equal(count_rows(), 1);
    assert_int_equal(archive_checkpoint(archive, true, &err), 0);
    assert_int_equal(count_entries("incoming"), 0);
    assert_int_equal(count_entries("quarantine"), 2);
    assert_row("1.2.3.4", PLACE);
}

static void policy_replace_over_to_another_study(void **state)
{
    struct made other = OBJECT;

    (void)state;
    set_policy("replace");
    other.study = "1.9";
    other.series = "1.9.1";
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(take(other), INGEST_REPLACED);
    assert_row("1.2.3.4", "objects/2024/01/31/1.9/1.9.1/1.2.3.4.dcm");
    assert_int_equal(access(PLACE, F_OK), -1);
    assert_true(ends_with("quarantine/1.2.3.4", "pixels"));
    assert_int_equal(count_rows(), 1);
}

static void an_instance_of_two_studies_is_a_conflict(void **state)
{
    struct made other = OBJECT;

    (void)state;
    other.study = "1.9";
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(take(other), INGEST_CONFLICT);
    assert_int_equal(access("objects/2024/01/31/1.9", F_OK), -1);
    assert_row("1.2.3.4", PLACE);
}

static void what_was_damaged_is_mended(void **state)
{
    (void)state;
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(truncate(PLACE, 150), 0);
    assert_int_equal(take(OBJECT), INGEST_REPLACED);
    assert_true(ends_with(PLACE, "pixels"));
    assert_row("1.2.3.4", PLACE);
    assert_int_equal(count_entries("quarantine"), 2);
}

static void what_was_removed_is_stored_again(void **state)
{
    (void)state;
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(unlink(PLACE), 0);
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_row("1.2.3.4", PLACE);
    assert_int_equal(count_rows(), 1);
}

static void a_file_in_place_steps_back(void **state)
{
    struct index *index = archive_index(archive, &err);
    const struct index_record record = {
        .value = {[ATTRIBUTE_STUDY_INSTANCE_UID] = "1.2",
                  [ATTRIBUTE_SERIES_INSTANCE_UID] = "1.2.3",
                  [ATTRIBUTE_SOP_INSTANCE_UID] = "1.2.3.4",
                  [ATTRIBUTE_SOP_CLASS_UID] = CT},
        .path = "/data/file",
        .size = 5,
    };

    (void)state;
    assert_int_equal(index_begin(index, &err), 0);
    assert_int_equal(index_add(index, &record, &err), INDEX_ADDED);
    assert_int_equal(index_commit(index, &err), 0);
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_row("1.2.3.4", PLACE);
    assert_int_equal(count_rows(), 1);
}

/* ---- what is refused ---- */

static void what_was_announced_differently_is_kept_aside(void **state)
{
    struct ingest_options options = {SYNC_OBJECT, "CT1", CT, "1.2.3.99"};

    (void)state;
    assert_int_equal(take_with(OBJECT, &options), INGEST_MISMATCH);
    assert_non_null(strstr(report.reason.data, "1.2.3.99"));
    assert_string_equal(report.path.data, "quarantine/1.2.3.4");
    options.sop_instance_uid = "1.2.3.4";
    options.sop_class_uid = "1.2.840.10008.5.1.4.1.1.4";
    assert_int_equal(take_with(OBJECT, &options), INGEST_MISMATCH);
    options.sop_class_uid = CT;
    assert_int_equal(take_with(OBJECT, &options), INGEST_STORED);
}

static void bad_uids_never_become_a_path(void **state)
{
    static const char too_long[] =
        "1234567890.1234567890.1234567890.1234567890.1234567890.1234567890";
    static const char *const bad[] = {"../../../x", "1/2", "",   "1.2\n", "1..2",
                                      ".1",         "..",  "1.", too_long};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (int which = 0; which < 3; which++) {
            struct made made = OBJECT;

            if (which == 0)
                made.study = bad[i];
            else if (which == 1)
                made.series = bad[i];
            else
                made.sop = bad[i];
            assert_int_equal(take(made), INGEST_BROKEN);
            assert_int_equal(strncmp(report.path.data, "quarantine/", 11), 0);
            assert_null(strchr(report.path.data + 11, '/'));
            assert_int_equal(access(report.path.data, F_OK), 0);
        }
    assert_int_equal(count_rows(), 0);
    assert_int_equal(count_entries("objects"), 0);
    assert_int_equal(count_entries("incoming"), 0);
}

static void what_is_no_dicom_is_kept_aside(void **state)
{
    struct incoming *incoming = incoming_new(archive_store(archive), &err);
    static const struct ingest_options options = {SYNC_OBJECT, NULL, NULL, "1.2.3.4"};

    (void)state;
    assert_int_equal(incoming_write(incoming, "hello", 5, &err), 0);
    assert_int_equal(ingest_object(ingest, incoming, &options, &report, &err), INGEST_BROKEN);
    assert_string_equal(report.path.data, "quarantine/1.2.3.4");
    assert_true(report.reason.length > 0);
}

static void a_bad_policy_is_an_error_with_its_line(void **state)
{
    static const char *const bad[][2] = {
        {"[store]\nduplicate = often\n", "pacs.conf:2:"},
        {"[store]\n\nduplicates = keep\n", "pacs.conf:3:"},
        {"[stores]\nduplicate = keep\n", "pacs.conf:2:"},
        {"duplicate = keep\n", "pacs.conf:1:"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        close_all();
        assert_int_equal(replace_file("pacs.conf", bad[i][0], strlen(bad[i][0]), 0666, &err), 0);
        archive = archive_open(folder, ARCHIVE_WRITE, &err);
        if (archive)
            assert_null(ingest_new(archive, &err));
        assert_int_equal(err.code, ERR_INPUT);
        assert_non_null(strstr(err.text, bad[i][1]));
    }
}

/* ---- kills ---- */

static void a_placement_without_a_row_is_completed_by_the_same(void **state)
{
    (void)state;
    /* As after a kill between link and row. */
    struct incoming *incoming = incoming_of(OBJECT);
    assert_int_equal(store_place(archive_store(archive), incoming, PLACE, true, &err), PLACE_DONE);
    incoming_free(incoming);
    assert_int_equal(count_rows(), 0);
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_row("1.2.3.4", PLACE);
    assert_int_equal(take(OBJECT), INGEST_SAME);
    assert_int_equal(count_entries("incoming"), 1);
}

static void a_placement_without_a_row_counts_as_the_first(void **state)
{
    struct incoming *incoming = incoming_of(OBJECT);

    (void)state;
    assert_int_equal(store_place(archive_store(archive), incoming, PLACE, true, &err), PLACE_DONE);
    incoming_free(incoming);
    assert_int_equal(take(with_pixels("others")), INGEST_CONFLICT);
    assert_row("1.2.3.4", PLACE);
    assert_true(ends_with(PLACE, "pixels"));
    assert_true(ends_with("quarantine/1.2.3.4", "others"));
}

static void what_lies_in_the_way_goes_to_quarantine(void **state)
{
    struct made other = OBJECT;

    (void)state;
    other.sop = "1.2.3.77";
    assert_int_equal(make_folders(AT_FDCWD, "objects/2024/01/31/1.2/1.2.3", false, &err), 0);
    assert_int_equal(replace_file(PLACE, "half", 4, 0666, &err), 0);
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_true(ends_with("quarantine/1.2.3.4", "half"));
    assert_row("1.2.3.4", PLACE);
    write_object("objects/2024/01/31/1.2/1.2.3/1.2.3.5.dcm", other);
    other.sop = "1.2.3.5";
    assert_int_equal(take(other), INGEST_STORED);
    assert_row("1.2.3.5", "objects/2024/01/31/1.2/1.2.3/1.2.3.5.dcm");
}

static void recovery_finds_placements_and_sweeps(void **state)
{
    struct made second = OBJECT;
    struct incoming *incoming;

    (void)state;
    /* The first object of the study lies by another date than the row that came later says. */
    second.date = "20250101";
    second.sop = "1.2.3.5";
    incoming = incoming_of(second);
    assert_int_equal(store_place(archive_store(archive), incoming,
                                 "objects/2025/01/01/1.2/1.2.3/1.2.3.5.dcm", true, &err),
                     PLACE_DONE);
    incoming_free(incoming);
    assert_int_equal(take(OBJECT), INGEST_STORED);
    incoming = incoming_of(OBJECT);
    incoming->placed = true; /* left behind */
    incoming_free(incoming);
    assert_int_equal(count_entries("incoming"), 3);
    assert_int_equal(archive_recover(archive, &err), 1);
    assert_row("1.2.3.5", "objects/2025/01/01/1.2/1.2.3/1.2.3.5.dcm");
    assert_row("1.2.3.4", PLACE);
    assert_int_equal(count_entries("incoming"), 2);
    assert_int_equal(archive_recover(archive, &err), 0);
    /* A row that was just added is not forgotten in the same breath. */
    assert_int_equal(archive_checkpoint(archive, true, &err), 0);
    assert_int_equal(count_entries("incoming"), 0);
    assert_int_equal(count_rows(), 2);
}

static void a_lost_index_comes_back_from_recent_placements(void **state)
{
    (void)state;
    assert_int_equal(take(OBJECT), INGEST_STORED);
    close_all();
    assert_int_equal(unlink("index.db"), 0);
    archive = archive_open(folder, ARCHIVE_WRITE, &err);
    assert_int_equal(archive_recover(archive, &err), 1);
    assert_row("1.2.3.4", PLACE);
}

static void a_stale_row_is_brought_up_to_date(void **state)
{
    struct incoming *incoming;

    (void)state;
    set_policy("replace");
    assert_int_equal(take(OBJECT), INGEST_STORED);
    assert_int_equal(archive_checkpoint(archive, true, &err), 0);
    /* A replacement whose row a power loss took back. */
    incoming = incoming_of(with_pixels("more pixels"));
    assert_int_equal(store_replace(archive_store(archive), incoming, PLACE, &err), 0);
    incoming_free(incoming);
    assert_int_equal(archive_recover(archive, &err), 1);
    assert_row("1.2.3.4", PLACE);
}

static void torn_objects_are_taken_out(void **state)
{
    static const struct ingest_options options = {SYNC_NONE, NULL, NULL, NULL};
    struct made second = OBJECT;

    (void)state;
    second.sop = "1.2.3.5";
    assert_int_equal(take_with(OBJECT, &options), INGEST_STORED);
    assert_int_equal(take_with(second, &options), INGEST_STORED);
    assert_int_equal(truncate(PLACE, 0), 0); /* as a power loss does */
    assert_int_equal(archive_recover(archive, &err), 0);
    assert_int_equal(access(PLACE, F_OK), -1);
    assert_null(row_of("1.2.3.4").path);
    assert_row("1.2.3.5", "objects/2024/01/31/1.2/1.2.3/1.2.3.5.dcm");
    assert_int_equal(access("quarantine/1.2.3.4", F_OK), 0);
    assert_int_equal(count_entries("incoming"), 1);
    assert_int_equal(take(OBJECT), INGEST_STORED);
}

static void an_object_that_was_moved_away_is_not_lost(void **state)
{
    struct incoming *incoming = incoming_of(OBJECT);

    (void)state;
    assert_int_equal(store_place(archive_store(archive), incoming, PLACE, true, &err), PLACE_DONE);
    incoming_free(incoming);
    assert_int_equal(rename(PLACE, "elsewhere"), 0);
    assert_int_equal(archive_recover(archive, &err), 0);
    assert_int_equal(count_entries("incoming"), 0);
    assert_int_equal(access("quarantine/1.2.3.4", F_OK), 0);
}

/* Children that ingest the same objects at once, some with other content, and are killed in between. */
static void many_at_once_agree(void **state)
{
    pid_t child[6];
    int status;

    (void)state;
    close_all();
    for (int c = 0; c < 6; c++) {
        child[c] = fork();
        if (child[c] != 0)
            continue;
        archive = archive_open(folder, ARCHIVE_WRITE, &err);
        ingest = archive ? ingest_new(archive, &err) : NULL;
        if (!ingest)
            _exit(1);
        for (int i = 0; i < 60; i++) {
            struct made made = OBJECT;
            char sop[32];

            snprintf(sop, sizeof sop, "1.2.3.%d", i);
            made.sop = sop;
            made.date = c % 2 ? "20240131" : "20240201"; /* first objects with two dates */
            made.pixels = c == 5 ? "others" : "pixels";
            int result = take(made);
            if (result != INGEST_STORED && result != INGEST_SAME && result != INGEST_CONFLICT)
                _exit(2);
        }
        close_all();
        _exit(0);
    }
    for (int c = 0; c < 6; c++) {
        assert_int_equal(waitpid(child[c], &status, 0), child[c]);
        assert_int_equal(status, 0);
    }
    archive = archive_open(folder, ARCHIVE_WRITE, &err);
    assert_int_equal(archive_checkpoint(archive, true, &err), 0);
    assert_int_equal(count_rows(), 60);
    assert_int_equal(count_entries("incoming"), 0);
    for (int i = 0; i < 60; i++) {
        char sop[32];
        struct index_instance row;

        snprintf(sop, sizeof sop, "1.2.3.%d", i);
        row = row_of(sop);
        assert_non_null(row.path);
        assert_int_equal(access(row.path, F_OK), 0);
    }
}

/* Kills at random moments: what was answered is there, and nothing half is. */
static void kills_lose_nothing_that_was_answered(void **state)
{
    int next = 0;

    (void)state;
    close_all();
    for (int round = 0; round < 25; round++) {
        int answers[2], status, answered = 0;
        pid_t child;

        assert_int_equal(pipe(answers), 0);
        child = fork();
        if (child == 0) {
            archive = archive_open(folder, ARCHIVE_WRITE, &err);
            ingest = archive ? ingest_new(archive, &err) : NULL;
            for (int i = next; ingest; i++) {
                struct made made = OBJECT;
                char sop[32];

                snprintf(sop, sizeof sop, "1.2.3.%d", i);
                made.sop = sop;
                if (take(made) < 0 || write(answers[1], &i, sizeof i) != sizeof i)
                    break;
            }
            _exit(1);
        }
        close(answers[1]);
        for (int i = 0; i <= round * 7919 % 9; i++) {
            assert_int_equal(read(answers[0], &answered, sizeof answered), sizeof answered);
            next = answered + 1;
        }
        usleep((useconds_t)(round * 7919 % 1500));
        kill(child, SIGKILL);
        while (read(answers[0], &answered, sizeof answered) == sizeof answered)
            next = answered + 1;
        close(answers[0]);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
    }
    archive = archive_open(folder, ARCHIVE_WRITE, &err);
    assert_non_null(archive);
    assert_true(archive_recover(archive, &err) >= 0);
    for (int i = 0; i < next; i++) {
        char sop[32];

        snprintf(sop, sizeof sop, "1.2.3.%d", i);
        assert_non_null(row_of(sop).path);
        assert_true(ends_with(row_of(sop).path, "pixels"));
    }
    /* Every file has its row: also what was placed and not answered. */
    assert_int_equal(count_entries("objects/2024/01/31/1.2/1.2.3"), count_rows());
    assert_int_equal(archive_checkpoint(archive, true, &err), 0);
    assert_int_equal(count_entries("incoming"), 0);
    assert_in_range(next, 25, 1 << 20);
}

/* A full disk as far as the index goes: the answer is honest, and later all is well. */
static void no_room_for_the_index_is_told(void **state)
{
    struct rlimit before, limit;
    struct made made = OBJECT;
    char sop[32];
    enum ingest_result result = INGEST_STORED;
    int stored = 0;

    (void)state;
    made.sop = sop;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 200000; /* the log grows past it, the objects do not */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 1000 && result == INGEST_STORED; i++) {
        snprintf(sop, sizeof sop, "1.2.3.%d", i);
        result = take(made);
        stored += result == INGEST_STORED;
    }
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(result, INGEST_FAILED);
    assert_int_equal(err.code, ERR_NOSPACE);
    assert_int_equal(count_rows(), stored);
    assert_int_equal(take(made), INGEST_STORED);
    assert_int_equal(count_rows(), stored + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_archive, close_archive)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_object_is_stored_and_found),
        TEST(a_study_keeps_the_folder_of_its_first_object),
        TEST(each_way_to_be_durable_stores),
        TEST(without_hard_links_all_is_the_same),
        TEST(the_same_again_is_a_quiet_success),
        TEST(other_content_goes_to_quarantine),
        TEST(the_same_pixels_in_another_syntax_are_other_content),
        TEST(policy_keep_drops_the_second),
        TEST(policy_replace_keeps_the_first_in_quarantine),
        TEST(policy_replace_over_to_another_study),
        TEST(an_instance_of_two_studies_is_a_conflict),
        TEST(what_was_damaged_is_mended),
        TEST(what_was_removed_is_stored_again),
        TEST(a_file_in_place_steps_back),
        TEST(what_was_announced_differently_is_kept_aside),
        TEST(bad_uids_never_become_a_path),
        TEST(what_is_no_dicom_is_kept_aside),
        TEST(a_bad_policy_is_an_error_with_its_line),
        TEST(a_placement_without_a_row_is_completed_by_the_same),
        TEST(a_placement_without_a_row_counts_as_the_first),
        TEST(what_lies_in_the_way_goes_to_quarantine),
        TEST(recovery_finds_placements_and_sweeps),
        TEST(a_lost_index_comes_back_from_recent_placements),
        TEST(a_stale_row_is_brought_up_to_date),
        TEST(torn_objects_are_taken_out),
        TEST(an_object_that_was_moved_away_is_not_lost),
        TEST(many_at_once_agree),
        TEST(kills_lose_nothing_that_was_answered),
        TEST(no_room_for_the_index_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
