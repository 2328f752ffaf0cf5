/*
 * See storage_scp.h.
 */
#include "net/storage_scp.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dicom/meta.h"

/* Data that come with the head of the file go into one write with it. */
#define FIRST_WRITE 32768

struct storage {
    struct storage_options options;
    struct ingest *ingest;     /* opened for the first object: an echo needs no index */
    struct incoming *incoming; /* NULL: the data set is thrown away */
    struct buf head;           /* not yet written */
    struct data_hash *hash;    /* of the data set so far */
    size_t hash_place;         /* where it goes in the file */
    struct err err;            /* why it is thrown away */
    struct ingest_report report;
    struct buf comment;
    struct storage_counts counts;
};

struct storage *storage_new(const struct storage_options *options)
{
    struct storage *storage = xcalloc(1, sizeof *storage);

    storage->options = *options;
    storage->hash = data_hash_new();
    return storage;
}

void storage_free(struct storage *storage)
{
    if (!storage)
        return;
    storage_drop(storage);
    ingest_free(storage->ingest);
    ingest_report_free(&storage->report);
    data_hash_free(storage->hash);
    buf_free(&storage->head);
    buf_free(&storage->comment);
    free(storage);
}

const struct storage_counts *storage_counts(const struct storage *storage)
{
    return &storage->counts;
}

void storage_drop(struct storage *storage)
{
    incoming_free(storage->incoming);
    storage->incoming = NULL;
    buf_clear(&storage->head);
}

void storage_begin(struct storage *storage, const struct dimse_command *request,
                   const char *transfer_syntax)
{
    const struct meta meta = {
        .sop_class_uid = request->class_uid,
        .sop_instance_uid = request->instance_uid,
        .transfer_syntax = transfer_syntax,
        .source_aet = storage->options.calling_aet,
        .with_hash = true,
    };

    storage_drop(storage);
    storage->err.code = ERR_NONE;
    storage->incoming = incoming_new(archive_store(storage->options.archive), &storage->err);
    if (!storage->incoming)
        return;
    meta_put(&storage->head, &meta);
    storage->hash_place = meta_hash_place(&storage->head);
    data_hash_reset(storage->hash);
}

static void write_bytes(struct storage *storage, const void *bytes, size_t length)
{
    if (incoming_write(storage->incoming, bytes, length, &storage->err) < 0) {
        incoming_free(storage->incoming);
        storage->incoming = NULL;
    }
}

static void write_head(struct storage *storage)
{
    if (storage->incoming && storage->head.length > 0)
        write_bytes(storage, storage->head.data, storage->head.length);
    buf_clear(&storage->head);
}

void storage_data(struct storage *storage, const void *bytes, size_t length)
{
    if (!storage->incoming)
        return;
    data_hash_add(storage->hash, bytes, length);
    if (storage->head.length > 0 && length <= FIRST_WRITE) {
        buf_add(&storage->head, bytes, length);
        length = 0;
    }
    write_head(storage);
    if (length > 0 && storage->incoming)
        write_bytes(storage, bytes, length);
}

/* ---- the end of an object ---- */

/* Into the head, which a small object still has in memory. */
static void put_hash(struct storage *storage)
{
    char digits[DATA_HASH_SIZE];

    if (!storage->incoming)
        return;
    data_hash_get(storage->hash, digits);
    if (storage->head.length > 0) {
        memcpy(storage->head.data + storage->hash_place, digits, sizeof digits);
    } else if (incoming_patch(storage->incoming, storage->hash_place, digits, sizeof digits,
                              &storage->err) < 0) {
        incoming_free(storage->incoming);
        storage->incoming = NULL;
    }
}

static enum ingest_result take_in(struct storage *storage, const struct dimse_command *request)
{
    const struct ingest_options options = {
        .sync = storage->options.sync,
        .calling_aet = storage->options.calling_aet,
        .sop_class_uid = request->class_uid,
        .sop_instance_uid = request->instance_uid,
    };
    struct incoming *incoming;

    put_hash(storage);
    write_head(storage);
    if (!storage->incoming)
        return INGEST_FAILED;
    if (!storage->ingest)
        storage->ingest = ingest_new(storage->options.archive, &storage->err);
    if (!storage->ingest)
        return INGEST_FAILED;
    incoming = storage->incoming;
    storage->incoming = NULL;
    return ingest_object(storage->ingest, incoming, &options, &storage->report, &storage->err);
}

/* `why` goes to the sender, in 64 characters at most; `detail` into the log, or is NULL. */
static uint16_t refuse(struct storage *storage, const struct dimse_command *request,
                       uint16_t status, const char *why, const char *detail)
{
    storage->counts.refused++;
    buf_clear(&storage->comment);
    buf_adds(&storage->comment, why);
    log_error("%s %s: %s: answered %04X: %s", storage->options.peer, storage->options.calling_aet,
              request->instance_uid[0] ? request->instance_uid : "an object without a UID", status,
              detail ? detail : why);
    return status;
}

/* The archive has judged the object, and may have put it into quarantine. `why` NULL: its own reason. */
static uint16_t refuse_judged(struct storage *storage, const struct dimse_command *request,
                              uint16_t status, const char *why)
{
    const struct ingest_report *report = &storage->report;
    const char *reason = buf_text(&report->reason);
    struct buf detail = {0};

    buf_adds(&detail, reason);
    if (report->path.length > 0 && status != STATUS_CONFLICT)
        buf_addf(&detail, " (kept as %s)", buf_text(&report->path));
    status = refuse(storage, request, status, why ? why : reason, buf_text(&detail));
    buf_free(&detail);
    return status;
}

static uint16_t success(struct storage *storage, bool stored)
{
    if (stored) {
        storage->counts.stored++;
        storage->counts.bytes += storage->report.size;
        report_line(storage->options.report, &storage->report, storage->options.calling_aet);
        uint64_t dropped = report_dropped(storage->options.report);
        if (dropped)
            log_warn("stdout: %llu lines of stored objects could not be written",
                     (unsigned long long)dropped);
    } else {
        storage->counts.same++;
    }
    return STATUS_SUCCESS;
}

uint16_t storage_end(struct storage *storage, const struct dimse_command *request,
                     const char **comment)
{
    uint16_t status;
    enum ingest_result result;

    buf_clear(&storage->comment);
    if (!request->has_data) {
        storage_drop(storage);
        status =
            refuse(storage, request, STATUS_CANNOT_UNDERSTAND, "the request has no data set", NULL);
        *comment = buf_text(&storage->comment);
        return status;
    }
    result = take_in(storage, request);
    storage_drop(storage);
    switch (result) {
    case INGEST_STORED:
        status = success(storage, true);
        break;
    case INGEST_REPLACED:
        log_warn("%s %s: %s: %s", storage->options.peer, storage->options.calling_aet,
                 request->instance_uid, buf_text(&storage->report.reason));
        status = success(storage, true);
        break;
    case INGEST_SAME:
        status = success(storage, false);
        break;
    case INGEST_CONFLICT:
        status = refuse_judged(storage, request, STATUS_CONFLICT,
                               "another object is stored under this SOP Instance UID");
        break;
    case INGEST_MISMATCH:
        status = refuse_judged(storage, request, STATUS_DOES_NOT_MATCH_CLASS,
                               "data set is not of the announced SOP class or instance");
        break;
    case INGEST_BROKEN:
        status = refuse_judged(storage, request, STATUS_CANNOT_UNDERSTAND, NULL);
        break;
    default:
        /* Disk, memory, index: ours, not the object's. The one status that says "try again later". */
        status = refuse(storage, request, STATUS_OUT_OF_RESOURCES, storage->err.text, NULL);
        break;
    }
    *comment = buf_text(&storage->comment);
    return status;
}

int storage_flush(struct storage *storage, struct err *err)
{
    return storage->ingest ? ingest_flush(storage->ingest, err) : 0;
}
