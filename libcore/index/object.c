/*
 * See object.h.
 */
#include "index/object.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/store.h"

#define MEDIA_STORAGE_CLASS TAG(0x0002, 0x0002)
#define SOURCE_AET          TAG(0x0002, 0x0016) /* who wrote the file */
#define SENDING_AET         TAG(0x0002, 0x0017) /* who sent it over a network */

#define DIRECTORY_CLASS "1.2.840.10008.1.3.10"

void object_free(struct object *object)
{
    buf_free(&object->arena);
}

void object_reader_init(struct object_reader *reader)
{
    size_t count;
    const tag_t *wanted = index_tags(&count);
    tag_t *tags = xcalloc(count + 3, sizeof *tags);

    memcpy(tags, wanted, count * sizeof *tags);
    tags[count] = MEDIA_STORAGE_CLASS;
    tags[count + 1] = SOURCE_AET;
    tags[count + 2] = SENDING_AET;
    reader->scanner = scanner_new(tags, count + 3);
    reader->memory = index_record_memory_new();
    reader->text = (struct buf){0};
    free(tags);
}

void object_reader_free(struct object_reader *reader)
{
    if (reader->scanner)
        scanner_free(reader->scanner);
    reader->scanner = NULL;
    index_record_memory_free(reader->memory);
    reader->memory = NULL;
    buf_free(&reader->text);
}

static bool is_directory(struct object_reader *reader)
{
    struct buf *text = &reader->text;

    buf_clear(text);
    scan_text(reader->scanner, MEDIA_STORAGE_CLASS, text);
    return strcmp(buf_text(text), DIRECTORY_CLASS) == 0;
}

/* What the receiver has written into the meta header, so that a rebuilt index knows it as well. */
static void read_calling(struct object_reader *reader, struct object *object)
{
    static const tag_t tags[] = {SENDING_AET, SOURCE_AET};
    struct buf *text = &reader->text;

    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        const char *start;
        size_t length;

        buf_clear(text);
        scan_text(reader->scanner, tags[i], text);
        start = buf_text(text) + strspn(buf_text(text), " ");
        length = strlen(start);
        if (length > 0 && length <= AET_MAX) {
            memcpy(object->calling, start, length + 1);
            object->record.calling_aet = object->calling;
            return;
        }
    }
}

static enum object_kind kind_of(enum scan_result result, const struct err *err)
{
    if (result == SCAN_NOT_DICOM)
        return OBJECT_NOT_DICOM;
    return err->code == ERR_INPUT ? OBJECT_BROKEN : OBJECT_FAILED;
}

static void fill_status(struct index_record *record, const struct stat *status)
{
    record->size = (uint64_t)status->st_size;
    record->mtime_ns = (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec;
    record->received_ms = record->mtime_ns / 1000000;
}

enum object_kind object_read(struct object_reader *reader, int fd, const char *name,
                             struct object *object, struct err *err)
{
    struct err why = {0};
    struct stat status;
    enum scan_result result;
    enum object_kind kind = OBJECT_SOUND;

    memset(&object->record, 0, sizeof object->record);
    buf_clear(&object->arena);
    /* Before it is read: if it changes meanwhile, it will differ from this later. */
    if (fstat(fd, &status) < 0) {
        err_sys(err, "%s", name);
        return OBJECT_FAILED;
    }
    result = scan_fd(reader->scanner, fd, name, &why);
    if (result != SCAN_OK) {
        kind = kind_of(result, &why);
        if (err)
            *err = why;
    } else if (is_directory(reader)) {
        kind = OBJECT_DIRECTORY;
        err_set(err, ERR_INPUT, "%s: a DICOMDIR, no object", name);
    } else if (index_record_from_scan(reader->scanner, reader->memory, &object->record,
                                      &object->arena, err) < 0) {
        kind = OBJECT_BROKEN;
        err_prefix(err, "%s", name);
    } else {
        read_calling(reader, object);
        object->dataset_offset = scan_info(reader->scanner)->dataset_offset;
        object->is_part10 =
            scan_info(reader->scanner)->has_preamble && scan_info(reader->scanner)->has_meta;
    }
    fill_status(&object->record, &status);
    return kind;
}

void object_place(const struct index_record *record, const char *study_folder, struct buf *path)
{
    store_object_path(study_folder, record->value[ATTRIBUTE_SERIES_INSTANCE_UID],
                      record->value[ATTRIBUTE_SOP_INSTANCE_UID], path);
}

/* objects/dddd/dd/dd/ */
static bool begins_with_date(const char *path)
{
    static const char pattern[] = "objects/dddd/dd/dd/";

    for (size_t i = 0; pattern[i]; i++)
        if (pattern[i] == 'd' && i >= 8 ? path[i] < '0' || path[i] > '9' : path[i] != pattern[i])
            return false;
    return true;
}

bool object_folder_of(const struct index_record *record, const char *path, struct buf *folder)
{
    struct buf expected = {0};
    const char *study;
    bool same;

    if (!begins_with_date(path))
        return false;
    study = path + strlen("objects/dddd/dd/dd/");
    buf_add(&expected, path, (size_t)(study - path));
    buf_adds(&expected, record->value[ATTRIBUTE_STUDY_INSTANCE_UID]);
    size_t length = expected.length;
    buf_addf(&expected, "/%s/%s.dcm", record->value[ATTRIBUTE_SERIES_INSTANCE_UID],
             record->value[ATTRIBUTE_SOP_INSTANCE_UID]);
    same = strcmp(expected.data, path) == 0;
    if (same)
        buf_add(folder, expected.data, length);
    buf_free(&expected);
    return same;
}
