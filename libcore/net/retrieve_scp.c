/*
 * See retrieve_scp.h. Statuses: PS3.4 tables C.4-2 and C.4-3. Pending responses go out a few times a second, not after
 * each object: they say how far it is, and cost a packet.
 */
#include "net/retrieve_scp.h"

#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "dicom/uid.h"
#include "net/query_scp.h"
#include "net/send_object.h"

#define STATUS_PENDING             0xff00
#define STATUS_CANCELLED           0xfe00
#define STATUS_SOME_FAILED         0xb000 /* warning: one or more sub-operations failed */
#define STATUS_CANNOT_CALCULATE    0xa701
#define STATUS_CANNOT_PERFORM      0xa702
#define STATUS_DESTINATION_UNKNOWN 0xa801

#define TAG_FAILED_LIST TAG(0x0008, 0x0058)
/* Bytes of UIDs that are listed: explicit VR has 16 bits for the length of a UI. */
#define FAILED_MAX_EXPLICIT 65534
#define FAILED_MAX_IMPLICIT (1 << 20)
#define PENDING_MS          250
#define TRIES               3
#define WAIT_MS             500 /* between them, doubled: the requestor waits as well */

struct retrieve {
    struct dialogue *dialogue;
    const struct retrieve_scp_options *options;
    struct dimse_command request;
    uint8_t context_id;
    const char *transfer_syntax;
    struct send_list *list;
    uint64_t total, completed, failed, warned, transcoded;
    struct buf failed_uids;
    size_t failed_max;
    int64_t pending_at;
    bool cancelled;
    bool unexpected; /* the requestor asked for something else in between */
};

/* ---- responses ---- */

static uint16_t clamp(uint64_t count)
{
    return count > 0xffff ? 0xffff : (uint16_t)count;
}

static void fill(const struct retrieve *retrieve, uint16_t status, const char *comment,
                 struct dimse_command *answer)
{
    dimse_answer(&retrieve->request, status, comment, answer);
    answer->has_counts = true;
    answer->has_remaining = status == STATUS_PENDING || status == STATUS_CANCELLED;
    answer->completed = clamp(retrieve->completed);
    answer->failed = clamp(retrieve->failed);
    answer->warning = clamp(retrieve->warned);
    answer->remaining =
        clamp(retrieve->total - retrieve->completed - retrieve->failed - retrieve->warned);
}

static int pending(struct retrieve *retrieve, struct err *err)
{
    struct dimse_command answer;

    if (monotonic_ms() < retrieve->pending_at)
        return 0;
    retrieve->pending_at = monotonic_ms() + PENDING_MS;
    fill(retrieve, STATUS_PENDING, NULL, &answer);
    return dialogue_send(retrieve->dialogue, retrieve->context_id, &answer, NULL, 0, err);
}

/* The last response, with the UIDs of what failed. */
static int finish(struct retrieve *retrieve, uint16_t status, const char *comment, struct err *err)
{
    struct dimse_command answer;
    struct dataset *identifier;
    struct buf encoded = {0};
    unsigned long long sent = retrieve->completed + retrieve->warned;
    int result;

    fill(retrieve, status, comment, &answer);
    answer.has_data = retrieve->failed > 0;
    if (answer.has_data) {
        identifier = dataset_new();
        dataset_put(identifier, TAG_FAILED_LIST, buf_text(&retrieve->failed_uids));
        dataset_write(identifier, retrieve->transfer_syntax, &encoded);
        dataset_free(identifier);
    }
    result = dialogue_send(retrieve->dialogue, retrieve->context_id, &answer,
                           answer.has_data ? encoded.data : NULL, encoded.length, err);
    buf_free(&encoded);
    log_info("%s: %s: status %04x, %llu of %llu sent, %llu of them transcoded%s%s",
             retrieve->options->peer, retrieve->request.field == DIMSE_C_MOVE ? "C-MOVE" : "C-GET",
             status, sent, (unsigned long long)retrieve->total,
             (unsigned long long)retrieve->transcoded, comment ? ": " : "", comment ? comment : "");
    return result;
}

static int refuse(struct retrieve *retrieve, uint16_t status, const char *why, struct err *err)
{
    struct dimse_command answer;

    log_error("%s: %s refused: %s", retrieve->options->peer,
              retrieve->request.field == DIMSE_C_MOVE ? "C-MOVE" : "C-GET", why);
    dimse_answer(&retrieve->request, status, why, &answer);
    return dialogue_send(retrieve->dialogue, retrieve->context_id, &answer, NULL, 0, err);
}

static void add_failed(struct retrieve *retrieve, const char *instance_uid)
{
    retrieve->failed++;
    if (retrieve->failed_uids.length + strlen(instance_uid) + 1 <= retrieve->failed_max)
        buf_addf(&retrieve->failed_uids, "%s%s", retrieve->failed_uids.length ? "\\" : "",
                 instance_uid);
}

/* What could not even be tried. */
static void add_rest(struct retrieve *retrieve)
{
    struct send_cursor *cursor = send_cursor_new(retrieve->list);
    struct send_item item;
    struct err err;

    while (send_cursor_next(cursor, &item, &err) > 0)
        if (send_list_state(retrieve->list, item.number) != SEND_STATE_TOLD)
            add_failed(retrieve, item.instance_uid);
    send_cursor_free(cursor);
}

static int is_cancel(struct retrieve *retrieve, const struct message *message, struct err *err)
{
    retrieve->unexpected = message->command->field != DIMSE_C_CANCEL;
    if (retrieve->unexpected)
        return err_set(err, ERR_INPUT, "request %04x before the last was answered",
                       message->command->field);
    retrieve->cancelled |= message->command->message_id == retrieve->request.message_id;
    return 0;
}

static int look_for_cancel(struct retrieve *retrieve, struct err *err)
{
    struct message message;
    int found = dialogue_poll(retrieve->dialogue, &message, err);

    return found <= 0 ? found : is_cancel(retrieve, &message, err);
}

/* What all came to. */
static int conclude(struct retrieve *retrieve, struct err *err)
{
    if (retrieve->cancelled)
        return finish(retrieve, STATUS_CANCELLED, NULL, err);
    if (retrieve->failed == 0)
        return finish(retrieve, STATUS_SUCCESS, NULL, err);
    return finish(retrieve,
                  retrieve->completed + retrieve->warned ? STATUS_SOME_FAILED
                                                         : STATUS_CANNOT_PERFORM,
                  "some objects could not be sent", err);
}

/* ---- what is asked for ---- */

static int add_object(void *context, const struct index_object *object, struct err *err)
{
    struct retrieve *retrieve = context;

    return send_list_add(retrieve->list,
                         &(struct send_item){
                             .path = object->path,
                             .class_uid = object->sop_class_uid,
                             .instance_uid = object->sop_uid,
                             .transfer_syntax = object->transfer_syntax,
                             .size = object->size,
                         },
                         err) < 0
               ? -1
               : 0;
}

/* Fills the list; -1 with the status to refuse with. */
static int read_request(struct retrieve *retrieve, const struct message *request, uint16_t *status,
                        struct err *err)
{
    struct query_negotiated negotiated =
        query_agreed(dcm_agreed(retrieve->dialogue->association, retrieve->request.class_uid));
    enum query_model model = MODEL_STUDY_ROOT;
    struct dataset *identifier;
    struct index *index;
    int64_t count = -1;

    *status = QUERY_STATUS_FAILED;
    query_class(retrieve->request.class_uid, &model);
    if (!request->data)
        return err_set(err, ERR_INPUT, "no identifier");
    identifier = dataset_parse(request->data, request->length, retrieve->transfer_syntax, err);
    if (!identifier)
        return -1;
    index = archive_index(retrieve->options->archive, err);
    if (index)
        count = retrieve_objects(identifier, model, &negotiated, index, add_object, retrieve,
                                 status, err);
    dataset_free(identifier);
    if (count >= 0 && send_list_close(retrieve->list, err) < 0)
        count = -1;
    if (count < 0 && *status == QUERY_STATUS_FAILED)
        *status = STATUS_CANNOT_CALCULATE;
    retrieve->total = send_list_count(retrieve->list);
    return count < 0 ? -1 : 0;
}

static void begin(struct retrieve *retrieve, struct dialogue *dialogue,
                  const struct message *request, const struct retrieve_scp_options *options)
{
    *retrieve = (struct retrieve){.dialogue = dialogue, .options = options};
    retrieve->request = *request->command;
    retrieve->context_id = request->context_id;
    retrieve->transfer_syntax = dialogue_context(dialogue, request->context_id)->transfer_syntax;
    retrieve->failed_max = strcmp(retrieve->transfer_syntax, UID_IMPLICIT_LE) == 0
                               ? FAILED_MAX_IMPLICIT
                               : FAILED_MAX_EXPLICIT;
    retrieve->list = send_list_new();
}

static void end(struct retrieve *retrieve)
{
    send_list_free(retrieve->list);
    buf_free(&retrieve->failed_uids);
}

/* ---- C-MOVE ---- */

static int moved(void *context, const struct send_report *report, struct err *err)
{
    struct retrieve *retrieve = context;
    char reason[512];

    retrieve->transcoded += report->transcoded;
    switch (report->result) {
    case SEND_DONE:
        retrieve->completed++;
        break;
    case SEND_WARNING:
        retrieve->warned++;
        break;
    default:
        add_failed(retrieve, report->item->instance_uid);
        send_reason(report, reason, sizeof reason);
        log_error("%s: C-MOVE to %s: %s: %s", retrieve->options->peer,
                  retrieve->request.destination, report->item->instance_uid, reason);
    }
    if (pending(retrieve, err) < 0 || look_for_cancel(retrieve, err) < 0)
        return -1;
    return retrieve->cancelled ? err_set(err, ERR_STOPPED, "cancelled") : 0;
}

static bool told_to_stop(const struct retrieve *retrieve)
{
    return retrieve->options->stopping && retrieve->options->stopping();
}

static bool stopping(void *context)
{
    return told_to_stop(context);
}

static int send_to(struct retrieve *retrieve, const struct peer *peer, struct err *err)
{
    const struct retrieve_scp_options *options = retrieve->options;
    struct send_counts counts;
    struct dcm_tls *tls = NULL;
    struct err why = {0};
    int status = scu_tls(options->peers, &peer, 1, &tls, &why);

    /* At once: the destination may be slow to take the call. */
    if (pending(retrieve, err) < 0) {
        dcm_tls_free(tls);
        return -1;
    }
    if (status == 0)
        status = sender_run(retrieve->list,
                            &(struct sender_options){
                                .peer = peer,
                                .tls = tls,
                                .root = store_root(archive_store(options->archive)),
                                .move_originator = options->calling_aet,
                                .move_originator_id = retrieve->request.message_id,
                                .tries = TRIES,
                                .wait_ms = WAIT_MS,
                                .transcoder = options->transcoder,
                                .each = moved,
                                .stopping = stopping,
                                .context = retrieve,
                            },
                            &counts, &why);
    dcm_tls_free(tls);
    if (retrieve->dialogue->broken || retrieve->dialogue->released || retrieve->unexpected) {
        *err = why;
        return -1;
    }
    if (status == 0 || retrieve->cancelled)
        return conclude(retrieve, err);
    /* The destination is gone: what was not sent has failed. */
    log_error("%s: C-MOVE to %s: %s", options->peer, retrieve->request.destination, why.text);
    add_rest(retrieve);
    return finish(retrieve, STATUS_CANNOT_PERFORM, why.text, err);
}

int retrieve_scp_move(struct dialogue *dialogue, const struct message *request,
                      const struct retrieve_scp_options *options, struct err *err)
{
    const struct peer *peer = peers_by_aet(options->peers, request->command->destination);
    struct retrieve retrieve;
    struct err why = {0};
    uint16_t status;
    int result;

    begin(&retrieve, dialogue, request, options);
    if (!peer) {
        err_set(&why, ERR_NOTFOUND, "no peer with AE title \"%s\"", request->command->destination);
        result = refuse(&retrieve, STATUS_DESTINATION_UNKNOWN, why.text, err);
    } else if (read_request(&retrieve, request, &status, &why) < 0) {
        result = refuse(&retrieve, status, why.text, err);
    } else if (retrieve.total == 0) {
        result = finish(&retrieve, STATUS_SUCCESS, NULL, err);
    } else {
        result = send_to(&retrieve, peer, err);
    }
    end(&retrieve);
    return result;
}

/* ---- C-GET ---- */

struct getting {
    struct retrieve *retrieve;
    struct store_sender *buffer;
    struct scanner *scanner;
    uint16_t message_id;
    bool lossy; /* the requestor is a peer that may get it so */
};

/* A context in which the requestor takes objects of the class: of that syntax, or any (NULL). */
static const struct dcm_context *context_for(const struct retrieve *retrieve, const char *class_uid,
                                             const char *syntax)
{
    size_t count;
    const struct dcm_context *contexts = dcm_contexts(retrieve->dialogue->association, &count);

    for (size_t i = 0; i < count; i++)
        if (contexts[i].requestor_scp && strcmp(contexts[i].abstract_syntax, class_uid) == 0 &&
            (!syntax || strcmp(contexts[i].transfer_syntax, syntax) == 0))
            return &contexts[i];
    return NULL;
}

/* Into a syntax that the requestor has accepted for the class: uncompressed if it can be. */
static int convert(struct getting *getting, struct send_object *object, struct err *err)
{
    static const char *const plain[] = {UID_EXPLICIT_LE, UID_IMPLICIT_LE};
    const struct retrieve *retrieve = getting->retrieve;
    const char *class_uid = object->item->class_uid;
    struct transcoder *transcoder = retrieve->options->transcoder;
    size_t count;
    const struct dcm_context *contexts = dcm_contexts(retrieve->dialogue->association, &count);

    if (!context_for(retrieve, class_uid, NULL))
        return err_set(err, ERR_INPUT, "the requestor takes no objects of SOP class %s", class_uid);
    err_set(err, ERR_INPUT, "the requestor does not take transfer syntax %s", object->syntax);
    for (size_t i = 0; i < 2 && transcoder; i++)
        if (context_for(retrieve, class_uid, plain[i]))
            return send_object_convert(object, transcoder, false, plain[i], getting->scanner, err);
    for (size_t i = 0; i < count && transcoder; i++)
        if (contexts[i].requestor_scp && strcmp(contexts[i].abstract_syntax, class_uid) == 0 &&
            send_object_convert(object, transcoder, getting->lossy, contexts[i].transfer_syntax,
                                getting->scanner, err) == 0)
            return 0;
    return -1;
}

static int open_object(struct getting *getting, struct send_object *object,
                       const struct send_item *item, struct store_request *request, struct err *err)
{
    const struct retrieve *retrieve = getting->retrieve;

    if (send_object_open(object, item, store_root(archive_store(retrieve->options->archive)),
                         getting->scanner, err) < 0)
        return -1;
    if (!context_for(retrieve, item->class_uid, object->syntax) &&
        convert(getting, object, err) < 0)
        return -1;
    *request = (struct store_request){
        .context = context_for(retrieve, item->class_uid, object->syntax),
        .class_uid = item->class_uid,
        .instance_uid = item->instance_uid,
        .fd = object->fd,
        .offset = object->offset,
        .size = object->size,
        .name = item->path,
    };
    return 0;
}

/* The answer to our C-STORE; a C-CANCEL may come before it. */
static int await_answer(struct getting *getting, uint16_t message_id, uint16_t *status,
                        struct err *err)
{
    struct dialogue *dialogue = getting->retrieve->dialogue;
    struct message message;

    for (;;) {
        if (dialogue_receive(dialogue, &message, NULL, err) < 0)
            return -1;
        if (message.command->field == (DIMSE_C_STORE | DIMSE_RESPONSE) &&
            message.command->message_id == message_id)
            break;
        if (is_cancel(getting->retrieve, &message, err) < 0)
            return -1;
    }
    *status = message.command->status;
    return 0;
}

static int get_object(struct getting *getting, const struct send_item *item, struct err *err)
{
    struct retrieve *retrieve = getting->retrieve;
    struct send_object object;
    struct store_request request;
    struct err why = {0};
    uint16_t status = STATUS_CANNOT_PERFORM;
    int result = 0;

    if (open_object(getting, &object, item, &request, &why) < 0) {
        log_error("%s: C-GET: %s: %s", retrieve->options->peer, item->instance_uid, why.text);
    } else {
        if (++getting->message_id == retrieve->request.message_id)
            getting->message_id++;
        retrieve->transcoded += object.transcoded;
        result = store_send(retrieve->dialogue->association, retrieve->dialogue->timeout_ms,
                            getting->buffer, &request, getting->message_id, err);
        if (result == 0)
            result = await_answer(getting, getting->message_id, &status, err);
        if (result == 0 && status != STATUS_SUCCESS)
            log_error("%s: C-GET: %s: answered with status %04X", retrieve->options->peer,
                      item->instance_uid, status);
    }
    send_object_close(&object);
    send_list_set(retrieve->list, item->number, SEND_STATE_TOLD);
    if (status == STATUS_SUCCESS)
        retrieve->completed++;
    else if ((status & 0xf000) == 0xb000)
        retrieve->warned++;
    else
        add_failed(retrieve, item->instance_uid);
    return result;
}

/* 1: told to stop before the end. */
static int get_all(struct retrieve *retrieve, struct err *err)
{
    const struct retrieve_scp_options *options = retrieve->options;
    const struct peer *peer = peers_by_aet(options->peers, options->calling_aet);
    struct getting getting = {
        .retrieve = retrieve,
        .buffer = store_sender_new(),
        .scanner = send_object_scanner(),
        .lossy = peer && peer->lossy,
    };
    struct send_cursor *cursor = send_cursor_new(retrieve->list);
    struct send_item item;
    int status = 0, more = 0;

    while (status == 0 && !retrieve->cancelled &&
           (more = send_cursor_next(cursor, &item, err)) > 0) {
        status = told_to_stop(retrieve) ? 1 : get_object(&getting, &item, err);
        if (status == 0)
            status = pending(retrieve, err);
        if (status == 0)
            status = look_for_cancel(retrieve, err);
    }
    send_cursor_free(cursor);
    store_sender_free(getting.buffer);
    scanner_free(getting.scanner);
    return more < 0 ? -1 : status;
}

int retrieve_scp_get(struct dialogue *dialogue, const struct message *request,
                     const struct retrieve_scp_options *options, struct err *err)
{
    struct retrieve retrieve;
    struct err why = {0};
    uint16_t status;
    int result;

    begin(&retrieve, dialogue, request, options);
    if (read_request(&retrieve, request, &status, &why) < 0)
        result = refuse(&retrieve, status, why.text, err);
    else if ((result = get_all(&retrieve, err)) == 0)
        result = conclude(&retrieve, err);
    else if (result > 0) {
        add_rest(&retrieve);
        result = finish(&retrieve, STATUS_CANNOT_PERFORM, "the receiver stops", err);
    }
    end(&retrieve);
    return result;
}
