/*
 * See query_scp.h. Responses are gathered and go out together: one send for many rows, the first one at
 * once.
 */
#include "net/query_scp.h"

#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "net/pdu.h"

#define PENDING             0xff00
#define PENDING_UNSUPPORTED 0xff01
#define CANCELLED           0xfe00
/* Bytes of responses that are held back to go out in one send, and how long at most. */
#define GATHER    (32 * 1024)
#define GATHER_MS 50

/* ---- C-FIND ---- */

struct find {
    struct dialogue *dialogue;
    const struct query_scp_options *options;
    struct dimse_command request; /* of its own: the reader's is gone when a C-CANCEL is read */
    uint8_t context_id;
    const char *transfer_syntax;
    struct dimse_command pending;
    struct buf encoded, out;
    uint64_t count;
    int64_t looked_ms; /* when the peer was last heard and what there was for it went out */
    bool cancelled, limited, lost;
    struct err why; /* of lost */
};

static int flush(struct find *find, struct err *err)
{
    int status = 0;

    if (find->out.length)
        status = dcm_write(find->dialogue->association, find->out.data, find->out.length,
                           find->dialogue->timeout_ms, err);
    buf_clear(&find->out);
    if (status < 0) {
        find->lost = true;
        /* Who only does not read is told that it is over. */
        find->dialogue->broken = err->code != ERR_TIMEOUT;
    }
    return status;
}

/* -1 when the requestor wants no more. */
static int look_for_cancel(struct find *find, struct err *err)
{
    struct message message;
    int found;

    /* One that is for a request answered before was on its way too long: PS3.7 9.3.2.3. */
    do
        found = dialogue_poll(find->dialogue, &message, err);
    while (found > 0 && message.command->field == DIMSE_C_CANCEL &&
           message.command->message_id != find->request.message_id);
    if (found == 0)
        return 0;
    find->lost = found < 0;
    if (found < 0)
        return -1;
    if (message.command->field == DIMSE_C_CANCEL) {
        find->cancelled = true;
        return err_set(err, ERR_STOPPED, "cancelled");
    }
    /* Nothing else may come before our last answer: no asynchronous operations are negotiated. */
    find->lost = true;
    return err_set(err, ERR_INPUT, "request %04x before the C-FIND was answered",
                   message.command->field);
}

static int send_and_look(struct find *find, struct err *err)
{
    find->looked_ms = monotonic_ms();
    return flush(find, err) < 0 || look_for_cancel(find, err) < 0 ? -1 : 0;
}

/* While the index is searched, matches or not. */
static bool stop(void *context)
{
    struct find *find = context;

    return find->cancelled || find->lost || find->limited ||
           (monotonic_ms() - find->looked_ms >= GATHER_MS && send_and_look(find, &find->why) < 0);
}

static int give_response(void *context, struct dataset *response, struct err *err)
{
    struct find *find = context;
    uint32_t max_pdu = dcm_peer_max_pdu(find->dialogue->association);

    if (find->options->limit && find->count == find->options->limit) {
        find->limited = true;
        return -1;
    }
    find->count++;
    buf_clear(&find->encoded);
    dataset_write(response, find->transfer_syntax, &find->encoded);
    dimse_put_command(&find->out, find->context_id, &find->pending, max_pdu);
    pdu_put_message(&find->out, find->context_id, false, find->encoded.data, find->encoded.length,
                    max_pdu);
    if (find->count > 1 && find->out.length < GATHER)
        return 0;
    (void)err;
    return send_and_look(find, &find->why);
}

static int finish(struct find *find, uint16_t status, const char *comment, struct err *err)
{
    struct dimse_command answer;

    dimse_answer(&find->request, status, comment, &answer);
    if (flush(find, err) < 0)
        return -1;
    return dialogue_send(find->dialogue, find->context_id, &answer, NULL, 0, err);
}

/* What the request asks; NULL with a status for the peer. */
static struct find_request *understand(struct find *find, const struct dataset *identifier,
                                       uint16_t *status, struct err *why)
{
    const char *class_uid = find->request.class_uid;
    struct query_negotiated negotiated =
        query_agreed(dcm_agreed(find->dialogue->association, class_uid));
    enum query_model model = MODEL_STUDY_ROOT;

    query_class(class_uid, &model);
    return find_request_new(identifier, model, &negotiated, status, why);
}

/* The last answer. */
static int conclude(struct find *find, int64_t count, const struct err *why, struct err *err)
{
    const char *peer = find->options->peer;
    unsigned long long matches = find->count;

    if (find->lost) {
        *err = find->why;
        return -1;
    }
    if (find->cancelled) {
        log_info("%s: C-FIND: %llu matches, cancelled", peer, matches);
        return finish(find, CANCELLED, NULL, err);
    }
    if (find->limited) {
        log_info("%s: C-FIND: %llu matches, and more beyond the limit", peer, matches);
        return finish(find, STATUS_OUT_OF_RESOURCES,
                      "more matches than are given out: ask for less", err);
    }
    if (count < 0) {
        log_error("%s: C-FIND: %s", peer, why->text);
        return finish(find, QUERY_STATUS_FAILED, why->text, err);
    }
    log_info("%s: C-FIND: %llu matches", peer, matches);
    return finish(find, STATUS_SUCCESS, NULL, err);
}

static int run(struct find *find, const struct message *request, struct err *err)
{
    const struct query_scp_options *options = find->options;
    struct err why = {0};
    uint16_t status = QUERY_STATUS_FAILED;
    struct dataset *identifier =
        request->data ? dataset_parse(request->data, request->length, find->transfer_syntax, &why)
                      : NULL;
    struct find_request *query = NULL;
    struct index *index = NULL;
    int result;

    if (!request->data)
        err_set(&why, ERR_INPUT, "no identifier");
    if (identifier)
        query = understand(find, identifier, &status, &why);
    if (query) {
        status = QUERY_STATUS_FAILED;
        index = archive_index(options->archive, &why);
    }
    if (index) {
        dimse_answer(&find->request,
                     find_request_unsupported(query) ? PENDING_UNSUPPORTED : PENDING, NULL,
                     &find->pending);
        find->pending.has_data = true;
        find->looked_ms = monotonic_ms();
        find_request_stop_when(query, stop, find);
        int64_t count = find_request_run(query, index, options->aet, give_response, find, &why);
        result = conclude(find, count, &why, err);
    } else {
        log_error("%s: C-FIND refused with %04X: %s", options->peer, status, why.text);
        result = finish(find, status, why.text, err);
    }
    find_request_free(query);
    dataset_free(identifier);
    return result;
}

int query_scp_find(struct dialogue *dialogue, const struct message *request,
                   const struct query_scp_options *options, struct err *err)
{
    struct find find = {.dialogue = dialogue, .options = options};
    int status;

    find.request = *request->command;
    find.context_id = request->context_id;
    find.transfer_syntax = dialogue_context(dialogue, request->context_id)->transfer_syntax;
    status = run(&find, request, err);
    buf_free(&find.encoded);
    buf_free(&find.out);
    return status;
}
