/*
 * See ingest.h. The order of things is what makes a success true:
 *
 *   file durable -> named at its place -> folder durable -> row committed -> answer
 *
 * A kill or a power loss between any two of them leaves either a leftover in incoming/, or a placement
 * without a row, which its second name in incoming/ leads to (archive_recover), and which the same object
 * coming again completes. A placement is never taken back because the index failed: another process may
 * have met it in the meantime, and have answered for it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "index/ingest_internal.h"

void ingest_report_free(struct ingest_report *report)
{
    buf_free(&report->path);
    buf_free(&report->reason);
}

static int read_policy(struct config *config, int *policy, struct err *err)
{
    if (config_choice(config, "store", "duplicate", "quarantine|keep|replace", DUPLICATE_QUARANTINE,
                      policy, err) < 0)
        return -1;
    return config_unknown(config, "store", err);
}

int ingest_check_config(struct config *config, struct err *err)
{
    int policy;

    return read_policy(config, &policy, err);
}

struct ingest *ingest_new(struct archive *archive, struct err *err)
{
    struct ingest *ingest = xcalloc(1, sizeof *ingest);

    object_reader_init(&ingest->reader);
    ingest->store = archive_store(archive);
    if (read_policy(archive_config(archive), &ingest->policy, err) < 0 ||
        !(ingest->index = archive_index(archive, err))) {
        ingest_free(ingest);
        return NULL;
    }
    return ingest;
}

void ingest_free(struct ingest *ingest)
{
    if (!ingest)
        return;
    for (size_t i = 0; i < ingest->pending_count; i++) {
        incoming_free(ingest->pending[i]);
        free(ingest->pending_path[i]);
    }
    object_reader_free(&ingest->reader);
    object_free(&ingest->fresh);
    object_free(&ingest->stored);
    buf_free(&ingest->folder);
    buf_free(&ingest->path);
    buf_free(&ingest->why);
    free(ingest);
}

/* ---- what is told ---- */

static void copy_uid(char *to, const char *from)
{
    size_t length = from ? strlen(from) : 0;

    if (length > UID_MAX)
        length = UID_MAX;
    if (length)
        memcpy(to, from, length);
    to[length] = '\0';
}

static void fill_report(const struct task *task)
{
    struct ingest_report *report = task->report;
    const char *const *value = task->record->value;

    copy_uid(report->study_uid, value[ATTRIBUTE_STUDY_INSTANCE_UID]);
    copy_uid(report->series_uid, value[ATTRIBUTE_SERIES_INSTANCE_UID]);
    copy_uid(report->sop_uid, value[ATTRIBUTE_SOP_INSTANCE_UID]);
    copy_uid(report->sop_class_uid, value[ATTRIBUTE_SOP_CLASS_UID]);
    copy_uid(report->transfer_syntax, value[ATTRIBUTE_TRANSFER_SYNTAX_UID]);
}

void set_text(struct buf *buf, const char *text)
{
    buf_clear(buf);
    buf_adds(buf, text);
}

const char *task_name(const struct task *task)
{
    const char *uid = task->record->value[ATTRIBUTE_SOP_INSTANCE_UID];

    if (!uid || !*uid)
        uid = task->options->sop_instance_uid;
    return uid && *uid ? uid : "object";
}

static const char *compose_why(struct task *task, const char *reason)
{
    struct buf *why = &task->ingest->why;
    const struct ingest_options *options = task->options;

    set_text(&task->report->reason, reason);
    set_text(why, reason);
    buf_addc(why, '\n');
    if (options->calling_aet)
        buf_addf(why, "from: %s\n", options->calling_aet);
    if (options->sop_instance_uid)
        buf_addf(why, "announced: instance %s of class %s\n", options->sop_instance_uid,
                 options->sop_class_uid ? options->sop_class_uid : "?");
    return why->data;
}

int task_set_aside(struct task *task, enum ingest_result result, const char *reason,
                   struct err *err)
{
    buf_clear(&task->report->path);
    if (store_quarantine(task->ingest->store, task->incoming, task_name(task),
                         compose_why(task, reason), &task->report->path, err) < 0)
        return INGEST_FAILED;
    return result;
}

/* ---- storing ---- */

int task_find_place(struct task *task, struct err *err)
{
    struct ingest *ingest = task->ingest;
    const char *study = task->record->value[ATTRIBUTE_STUDY_INSTANCE_UID];
    int found;

    buf_clear(&ingest->folder);
    found = index_study_folder(ingest->index, study, &ingest->folder, err);
    if (found < 0)
        return -1;
    if (found == 0)
        store_study_folder(task->record->value[ATTRIBUTE_STUDY_DATE], study, &ingest->folder);
    task->record->study_folder = ingest->folder.data;
    buf_clear(&ingest->path);
    object_place(task->record, ingest->folder.data, &ingest->path);
    return 0;
}

static void keep_pending(struct task *task)
{
    struct ingest *ingest = task->ingest;

    if (task->options->sync != SYNC_ASSOCIATION)
        return;
    ingest->pending[ingest->pending_count] = task->incoming;
    ingest->pending_path[ingest->pending_count++] = xstrdup(ingest->path.data);
    task->incoming = NULL;
}

static int place_new(struct task *task, struct err *err)
{
    struct ingest *ingest = task->ingest;
    bool sync = task->options->sync == SYNC_OBJECT;
    enum place_result placed;
    enum entered entered;

    if (task_find_place(task, err) < 0)
        return INGEST_FAILED;
    placed = store_place(ingest->store, task->incoming, ingest->path.data, sync, err);
    if (placed == PLACE_EXISTS)
        return meet_unknown(task, err);
    if (placed == PLACE_ERROR)
        return INGEST_FAILED;
    entered = enter_row(ingest, task->record, ingest->path.data, task->replace_row,
                        sync && !store_keeps_names(ingest->store), err);
    if (entered == ENTER_FAILED)
        return INGEST_FAILED;
    if (entered == ENTER_TAKEN) {
        /* The instance has come at the same time in another study. Nobody can have answered for ours:
         * only its own row would allow that. */
        int status = store_unplace(ingest->store, task->incoming, ingest->path.data, err);

        index_rollback(ingest->index);
        return status < 0 ? INGEST_FAILED : STEP_AGAIN;
    }
    set_text(&task->report->path, ingest->path.data);
    keep_pending(task);
    /* Another process has met our placement before its row was there, and has told of it already. */
    return entered == ENTER_KNOWN ? INGEST_SAME : INGEST_STORED;
}

static int store_object(struct task *task, struct err *err)
{
    struct ingest *ingest = task->ingest;
    int result = STEP_AGAIN;

    for (int tries = 0; tries < TRIES_MAX && result == STEP_AGAIN; tries++) {
        struct index_instance row;
        int found = index_find_instance(ingest->index,
                                        task->record->value[ATTRIBUTE_SOP_INSTANCE_UID], &row, err);

        if (found < 0)
            return INGEST_FAILED;
        task->replace_row = false;
        if (found == 1 && row.path[0] != '/') {
            char *path = xstrdup(row.path);

            result = meet_stored(task, path, err);
            free(path);
            if (!task->replace_row)
                continue;
        }
        result = place_new(task, err);
    }
    if (result == STEP_AGAIN)
        return err_set(err, ERR_BUSY, "%s: others change it again and again", ingest->path.data);
    return result;
}

/* ---- judging ---- */

static int check_announced(struct task *task, struct err *err)
{
    const struct ingest_options *options = task->options;
    const char *class_uid = task->record->value[ATTRIBUTE_SOP_CLASS_UID];
    const char *sop_uid = task->record->value[ATTRIBUTE_SOP_INSTANCE_UID];
    struct buf reason = {0};
    int result = INGEST_STORED;

    if (options->sop_class_uid && strcmp(options->sop_class_uid, class_uid) != 0)
        buf_addf(&reason, "class %s was announced, the data set is of %s", options->sop_class_uid,
                 class_uid);
    else if (options->sop_instance_uid && strcmp(options->sop_instance_uid, sop_uid) != 0)
        buf_addf(&reason, "instance %s was announced, the data set is %s",
                 options->sop_instance_uid, sop_uid);
    if (reason.length)
        result = task_set_aside(task, INGEST_MISMATCH, reason.data, err);
    buf_free(&reason);
    return result;
}

static int judge(struct task *task, struct err *err)
{
    struct ingest *ingest = task->ingest;
    struct err why = {0};
    enum object_kind kind =
        object_read(&ingest->reader, incoming_fd(task->incoming), "object", task->object, &why);

    fill_report(task);
    if (kind == OBJECT_FAILED) {
        if (err)
            *err = why;
        return INGEST_FAILED;
    }
    if (kind != OBJECT_SOUND)
        return task_set_aside(task, INGEST_BROKEN, why.text, err);
    if (task->options->calling_aet)
        task->record->calling_aet = task->options->calling_aet;
    return check_announced(task, err);
}

static void clear_report(struct ingest_report *report, const struct incoming *incoming)
{
    report->study_uid[0] = report->series_uid[0] = report->sop_uid[0] = '\0';
    report->sop_class_uid[0] = report->transfer_syntax[0] = '\0';
    buf_clear(&report->path);
    buf_clear(&report->reason);
    report->size = incoming_size(incoming);
}

enum ingest_result ingest_object(struct ingest *ingest, struct incoming *incoming,
                                 const struct ingest_options *options, struct ingest_report *report,
                                 struct err *err)
{
    struct err why = {0};
    struct task task = {.ingest = ingest,
                        .incoming = incoming,
                        .options = options,
                        .report = report,
                        .object = &ingest->fresh,
                        .record = &ingest->fresh.record};
    int result;

    clear_report(report, incoming);
    if (ingest->pending_count == PENDING_MAX && ingest_flush(ingest, err) < 0) {
        incoming_free(incoming);
        return INGEST_FAILED;
    }
    result = judge(&task, &why);
    if (result == INGEST_STORED)
        result = store_object(&task, &why);
    if (result == INGEST_FAILED) {
        set_text(&report->reason, why.text);
        if (err)
            *err = why;
    }
    incoming_free(task.incoming);
    return (enum ingest_result)result;
}

/* ---- SYNC_ASSOCIATION ---- */

static bool folder_seen(const struct ingest *ingest, size_t at)
{
    const char *path = ingest->pending_path[at];
    size_t length = (size_t)(strrchr(path, '/') - path) + 1;

    for (size_t i = 0; i < at; i++)
        if (strncmp(ingest->pending_path[i], path, length) == 0 &&
            !strchr(ingest->pending_path[i] + length, '/'))
            return true;
    return false;
}

int ingest_flush(struct ingest *ingest, struct err *err)
{
    int status = 0;

    for (size_t i = 0; i < ingest->pending_count && status == 0; i++)
        status = incoming_sync(ingest->pending[i], err);
    for (size_t i = 0; i < ingest->pending_count && status == 0; i++)
        if (!folder_seen(ingest, i))
            status = store_sync_place(ingest->store, ingest->pending_path[i], err);
    for (size_t i = 0; i < ingest->pending_count; i++) {
        incoming_free(ingest->pending[i]);
        free(ingest->pending_path[i]);
    }
    if (status == 0 && ingest->pending_count && !store_keeps_names(ingest->store))
        status = index_sync(ingest->index, err);
    ingest->pending_count = 0;
    return status;
}
