/*
 * See retrieve_scu.h.
 */
#include "net/retrieve_scu.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dicom/dataset.h"
#include "dicom/uid.h"
#include "net/storage_scp.h"

#define UID_MOVE_STUDY "1.2.840.10008.5.1.4.1.2.2.2"
#define UID_GET_STUDY  "1.2.840.10008.5.1.4.1.2.2.3"
#define CONTEXTS_MAX   128
/* Objects and responses that are still taken after our C-CANCEL. */
#define AFTER_CANCEL       64
#define IS_PENDING(status) ((status) == 0xff00 || (status) == 0xff01)

struct retriever {
    struct retrieve_options options;
    struct scu *scu;
    bool gets;        /* the association is one for C-GET */
    struct buf known; /* classes that it was negotiated for, each ended by NUL */
    struct storage *storage;
    struct report *report;
    struct dcm_request_context contexts[CONTEXTS_MAX];
    size_t context_count;
};

struct retriever *retriever_new(const struct retrieve_options *options)
{
    struct retriever *retriever = xcalloc(1, sizeof *retriever);

    retriever->options = *options;
    return retriever;
}

static void leave(struct retriever *retriever, bool in_order)
{
    struct err err;

    if (in_order)
        scu_close(retriever->scu);
    else
        scu_abort(retriever->scu);
    retriever->scu = NULL;
    if (!retriever->storage)
        return;
    storage_drop(retriever->storage);
    if (storage_flush(retriever->storage, &err) < 0)
        log_error("%s", err.text);
}

void retriever_free(struct retriever *retriever)
{
    if (!retriever)
        return;
    leave(retriever, true);
    storage_free(retriever->storage);
    report_close(retriever->report);
    buf_free(&retriever->known);
    free(retriever);
}

/* ---- contexts for C-GET ---- */

static const char *const identifiers[] = {UID_EXPLICIT_LE, UID_IMPLICIT_LE};
/* In contexts of their own: a peer takes one syntax of each, and shall find the one that it has stored. */
static const char *const each[] = {
    UID_EXPLICIT_LE,           UID_IMPLICIT_LE,           UID_EXPLICIT_BE,
    "1.2.840.10008.1.2.4.70",  "1.2.840.10008.1.2.4.57",  "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",  "1.2.840.10008.1.2.4.80",  "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",  "1.2.840.10008.1.2.4.91",  "1.2.840.10008.1.2.5",
    UID_DEFLATED_LE,           "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203",
};
#define SYNTAXES     (sizeof each / sizeof *each)
#define UNCOMPRESSED 3

static void add_context(struct retriever *retriever, const char *class_uid,
                        const char *const *syntaxes, size_t count)
{
    if (retriever->context_count < CONTEXTS_MAX)
        retriever->contexts[retriever->context_count++] =
            (struct dcm_request_context){class_uid, syntaxes, count, true};
}

static void add_classes(struct retriever *retriever, const char *const *classes)
{
    size_t count = 0, all;
    const struct uid_entry *entry = uid_all(&all);

    while (classes[count])
        count++;
    retriever->context_count = 0;
    retriever->contexts[retriever->context_count++] =
        (struct dcm_request_context){UID_GET_STUDY, identifiers, 2, false};
    for (size_t i = 0; i < count; i++) {
        if (count * SYNTAXES < CONTEXTS_MAX) {
            for (size_t n = 0; n < SYNTAXES; n++)
                add_context(retriever, classes[i], &each[n], 1);
        } else {
            add_context(retriever, classes[i], each, UNCOMPRESSED);
            add_context(retriever, classes[i], each + UNCOMPRESSED, SYNTAXES - UNCOMPRESSED);
        }
    }
    /* The peer has not said which: those of the standard, as many as there is room for. */
    for (size_t i = 0; i < all && count == 0; i++)
        if (entry[i].kind == UID_STORAGE_CLASS)
            add_context(retriever, entry[i].uid, each, UNCOMPRESSED);
}

static bool knows(const struct retriever *retriever, const char *const *classes)
{
    const char *end = retriever->known.data + retriever->known.length;

    for (; *classes; classes++) {
        const char *at = retriever->known.data;

        while (at && at < end && strcmp(at, *classes) != 0)
            at += strlen(at) + 1;
        if (!at || at >= end)
            return false;
    }
    return true;
}

/* An association for the service, and for the classes; the present one where it will do. */
static int open_for(struct retriever *retriever, bool gets, const char *const *classes,
                    struct err *err)
{
    static const struct dcm_request_context move = {UID_MOVE_STUDY, identifiers, 2, false};

    if (retriever->scu && retriever->gets == gets && (!gets || knows(retriever, classes)))
        return 0;
    leave(retriever, true);
    buf_clear(&retriever->known);
    retriever->gets = gets;
    if (gets) {
        add_classes(retriever, classes);
        for (; *classes; classes++)
            buf_add(&retriever->known, *classes, strlen(*classes) + 1);
    }
    retriever->scu = scu_open(
        &(struct scu_options){
            .peer = retriever->options.peer,
            .contexts = gets ? retriever->contexts : &move,
            .count = gets ? retriever->context_count : 1,
            .tls = retriever->options.tls,
        },
        err);
    return retriever->scu ? 0 : -1;
}

/* ---- objects that come ---- */

static bool begin_object(void *context, const struct dimse_command *command,
                         const struct dcm_context *presentation)
{
    struct retriever *retriever = context;

    if (command->field != DIMSE_C_STORE || !presentation ||
        strcmp(presentation->abstract_syntax, UID_GET_STUDY) == 0)
        return false;
    storage_begin(retriever->storage, command, presentation->transfer_syntax);
    return true;
}

static void object_data(void *context, const void *bytes, size_t length)
{
    struct retriever *retriever = context;

    storage_data(retriever->storage, bytes, length);
}

static int end_object(struct retriever *retriever, const struct message *message,
                      struct retrieve_answer *answer, struct err *err)
{
    const char *comment = NULL;
    uint64_t bytes = storage_counts(retriever->storage)->bytes;
    uint16_t status = storage_end(retriever->storage, message->command, &comment);
    struct dimse_command response;

    if (status == STATUS_SUCCESS)
        answer->stored++;
    else
        answer->refused++;
    dimse_answer(message->command, status, comment, &response);
    if (retriever->options.progress)
        retriever->options.progress(retriever->options.context, status == STATUS_SUCCESS,
                                    storage_counts(retriever->storage)->bytes - bytes);
    return scu_send(retriever->scu, message->context_id, &response, NULL, 0, err);
}

/* ---- the request ---- */

static int send_request(struct retriever *retriever, const struct dcm_context *context,
                        const struct retrieve_request *request, struct dimse_command *command,
                        struct err *err)
{
    static const char *const levels[] = {"PATIENT", "STUDY", "SERIES", "IMAGE"};
    struct dataset *identifier = dataset_new();
    struct buf encoded = {0};
    int status;

    dataset_put(identifier, TAG(0x0008, 0x0052), levels[request->level]);
    dataset_put(identifier, TAG(0x0020, 0x000d), request->study_uid);
    if (request->level >= LEVEL_SERIES)
        dataset_put(identifier, TAG(0x0020, 0x000e), request->series_uid);
    if (request->level >= LEVEL_INSTANCE)
        dataset_put(identifier, TAG(0x0008, 0x0018), request->sop_uids);
    dataset_write(identifier, context->transfer_syntax, &encoded);
    dataset_free(identifier);
    memset(command, 0, sizeof *command);
    command->field = retriever->gets ? DIMSE_C_GET : DIMSE_C_MOVE;
    command->has_data = true;
    command->message_id = scu_message_id(retriever->scu);
    memcpy(command->class_uid, context->abstract_syntax, sizeof command->class_uid);
    if (!retriever->gets)
        strncpy(command->destination, retriever->options.destination,
                sizeof command->destination - 1);
    status = scu_send(retriever->scu, context->id, command, encoded.data, encoded.length, err);
    buf_free(&encoded);
    return status;
}

static int cancel(struct retriever *retriever, uint8_t context_id,
                  const struct dimse_command *request, struct err *err)
{
    const struct dimse_command command = {.field = DIMSE_C_CANCEL,
                                          .message_id = request->message_id};

    return scu_send(retriever->scu, context_id, &command, NULL, 0, err);
}

static void count(struct retriever *retriever, const struct dimse_command *command,
                  struct retrieve_answer *answer)
{
    uint64_t completed = command->has_counts ? command->completed + (uint64_t)command->warning : 0;

    if (!command->has_counts)
        return;
    if (!retriever->gets && retriever->options.progress && completed > answer->completed)
        retriever->options.progress(retriever->options.context, completed - answer->completed, 0);
    answer->completed = completed;
    answer->failed = command->failed;
}

/* Objects and pending responses, until the last response. */
static int converse(struct retriever *retriever, const struct dcm_context *context,
                    const struct dimse_command *request, struct retrieve_answer *answer,
                    struct err *err)
{
    const struct message_sink sink = {begin_object, object_data, retriever};
    unsigned after_cancel = 0;
    bool cancelled = false;

    for (;;) {
        struct message message;

        if (scu_receive(retriever->scu, &message, retriever->gets ? &sink : NULL, err) < 0)
            return -1;
        if (retriever->gets && message.command->field == DIMSE_C_STORE &&
            message.context_id != context->id) {
            if (end_object(retriever, &message, answer, err) < 0)
                return -1;
        } else if (message.command->field != (request->field | DIMSE_RESPONSE) ||
                   message.command->message_id != request->message_id) {
            return err_set(err, ERR_INPUT, "%s: answered something else than was asked",
                           retriever->options.peer->name);
        } else {
            count(retriever, message.command, answer);
            if (!IS_PENDING(message.command->status)) {
                answer->status = message.command->status;
                memcpy(answer->comment, message.command->comment, sizeof answer->comment);
                break;
            }
        }
        if (cancelled && ++after_cancel > AFTER_CANCEL)
            return err_set(err, ERR_STOPPED, "interrupted");
        if (!cancelled && retriever->options.stopping &&
            retriever->options.stopping(retriever->options.context)) {
            cancelled = true;
            if (cancel(retriever, context->id, request, err) < 0)
                return -1;
        }
    }
    return cancelled ? err_set(err, ERR_STOPPED, "interrupted") : 1;
}

static int run(struct retriever *retriever, const char *class_uid,
               const struct retrieve_request *request, struct retrieve_answer *answer,
               struct err *err)
{
    const struct dcm_context *context = scu_context(retriever->scu, class_uid, NULL);
    struct dimse_command command;
    int status;

    memset(answer, 0, sizeof *answer);
    if (!context) {
        leave(retriever, true);
        return 0;
    }
    status = send_request(retriever, context, request, &command, err);
    if (status == 0)
        status = converse(retriever, context, &command, answer, err);
    if (status < 0)
        leave(retriever, false);
    return status;
}

int retriever_get(struct retriever *retriever, const struct retrieve_request *request,
                  struct retrieve_answer *answer, struct err *err)
{
    const struct retrieve_options *options = &retriever->options;

    if (!retriever->storage) {
        retriever->report = report_open(-1, archive_path(options->archive)); /* no lines */
        retriever->storage = storage_new(&(struct storage_options){
            .archive = options->archive,
            .report = retriever->report,
            .sync = SYNC_OBJECT,
            .peer = options->peer->name,
            .calling_aet = options->peer->aet,
        });
    }
    if (open_for(retriever, true, request->classes, err) < 0)
        return -1;
    return run(retriever, UID_GET_STUDY, request, answer, err);
}

int retriever_move(struct retriever *retriever, const struct retrieve_request *request,
                   struct retrieve_answer *answer, struct err *err)
{
    if (open_for(retriever, false, request->classes, err) < 0)
        return -1;
    return run(retriever, UID_MOVE_STUDY, request, answer, err);
}
