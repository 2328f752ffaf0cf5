/*
 * See session.h. One message is answered before the next is looked at: we do not negotiate asynchronous
 * operations (PS3.7 annex D.3.3.3), so no peer may send ahead.
 */
#include "net/session.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "net/commit_scp.h"
#include "net/dimse.h"
#include "net/listener.h"
#include "net/pdu.h"
#include "net/query_scp.h"
#include "net/retrieve_scp.h"
#include "net/storage_scp.h"

/* Larger gains nothing (LIMITS: 64 KB to 1 MB are within 10 %); two PDUs of what we announce. */
#define BUFFER (256 * 1024)
/* After a release or an abort the peer closes; it gets this long. */
#define LINGER_MS 1000

enum ending { GOES_ON = 0, RELEASED, ENDED };

struct session {
    struct dcm_association *association;
    const struct session_options *options;
    struct dimse_reader *reader;
    struct storage *storage;
    const struct dcm_context *contexts[256];
    struct buf out;
    bool storing;   /* the data set that comes is an object */
    bool asking;    /* it is the identifier of a query */
    bool committed; /* a storage commitment was asked for */
    struct buf identifier;
    uint64_t echoes;
    int64_t started, stop_deadline; /* stop_deadline 0: not told to stop */
    char name[96];                  /* "ADDRESS TITLE", begins messages */
};

static bool told_to_stop(struct session *session)
{
    if (session->stop_deadline == 0 && *session->options->stop)
        session->stop_deadline = monotonic_ms() + session->options->config->stop_timeout * 1000 + 1;
    return session->stop_deadline != 0;
}

static void send_abort(struct session *session, enum pdu_abort_source source,
                       enum pdu_abort_reason reason)
{
    struct err ignored;

    buf_clear(&session->out);
    pdu_put_abort(&session->out, source, reason);
    /* A peer that has stopped reading will not read this either: no long wait for it. */
    dcm_write(session->association, session->out.data, session->out.length, LINGER_MS, &ignored);
}

static enum ending give_up(struct session *session, enum pdu_abort_source source,
                           enum pdu_abort_reason reason, const char *why)
{
    log_error("%s: association aborted: %s", session->name, why);
    send_abort(session, source, reason);
    return ENDED;
}

/* ---- answers ---- */

static enum ending answer(struct session *session, uint16_t status, const char *comment)
{
    struct dimse_command response;
    struct err err;

    dimse_answer(dimse_command(session->reader), status, comment, &response);
    buf_clear(&session->out);
    dimse_put_command(&session->out, dimse_context_id(session->reader), &response,
                      dcm_peer_max_pdu(session->association));
    if (dcm_write(session->association, session->out.data, session->out.length,
                  (int)session->options->config->timeout * 1000, &err) == 0)
        return GOES_ON;
    if (err.code == ERR_TIMEOUT)
        return give_up(session, PDU_ABORT_USER, PDU_REASON_NONE, err.text);
    log_error("%s: association lost: %s", session->name, err.text);
    return ENDED;
}

static const struct dcm_context *context(const struct session *session)
{
    return session->contexts[dimse_context_id(session->reader)];
}

/* ---- the ends of an association ---- */

static enum ending release(struct session *session)
{
    struct err err;

    if (session->storing) {
        session->storing = false;
        storage_drop(session->storage);
        log_error("%s: released inside an object, which is dropped", session->name);
    }
    /* sync = association promises durability here: no release if that fails. */
    if (storage_flush(session->storage, &err) < 0)
        return give_up(session, PDU_ABORT_USER, PDU_REASON_NONE, err.text);
    buf_clear(&session->out);
    pdu_put_release_rp(&session->out);
    if (dcm_write(session->association, session->out.data, session->out.length,
                  (int)session->options->config->timeout * 1000, &err) < 0)
        log_info("%s: release: %s", session->name, err.text);
    return RELEASED;
}

static enum ending aborted_by_peer(struct session *session)
{
    bool inside = session->storing;

    log_error("%s: the peer aborted the association%s (source %u, reason %u)", session->name,
              inside ? " inside an object, which is dropped" : "",
              dimse_abort_source(session->reader), dimse_abort_reason(session->reader));
    return ENDED;
}

static enum ending lost(struct session *session, const char *how)
{
    log_error("%s: association lost: %s%s", session->name, how,
              session->storing ? " inside an object, which is dropped" : "");
    return ENDED;
}

/* ---- queries ---- */

static enum query_service query_of(const struct session *session, enum query_model *model)
{
    return query_class(context(session)->abstract_syntax, model);
}

/* A request whose identifier is gathered, and which then speaks for itself. */
static bool is_query(const struct session *session, const struct dimse_command *command)
{
    enum query_model model;

    if (strcmp(context(session)->abstract_syntax, UID_COMMITMENT) == 0)
        return command->field == DIMSE_N_ACTION;

    switch (query_of(session, &model)) {
    case QUERY_FIND:
        return command->field == DIMSE_C_FIND;
    case QUERY_MOVE:
        return command->field == DIMSE_C_MOVE;
    case QUERY_GET:
        return command->field == DIMSE_C_GET;
    default:
        return false;
    }
}

/* What a service that speaks for itself leaves of the association. */
static enum ending after_service(struct session *session, const struct dialogue *dialogue,
                                 int status, const struct err *err)
{
    if (status == 0)
        return GOES_ON;
    if (dialogue->released)
        return release(session);
    if (dialogue->broken && err->code != ERR_TIMEOUT)
        return lost(session, err->text);
    return give_up(session, PDU_ABORT_USER, PDU_REASON_NONE, err->text);
}

static int retrieve(struct session *session, struct dialogue *dialogue,
                    const struct message *message, struct err *err)
{
    struct retrieve_scp_options options = {
        .archive = session->options->archive,
        .calling_aet = dcm_calling_aet(session->association),
        .peers = session->options->peers,
        .stopping = listener_stop_waits,
        .peer = session->name,
        .transcoder = transcoder_new(),
    };
    int status;

    status = message->command->field == DIMSE_C_MOVE
                 ? retrieve_scp_move(dialogue, message, &options, err)
                 : retrieve_scp_get(dialogue, message, &options, err);
    transcoder_free(options.transcoder);
    return status;
}

static enum ending query(struct session *session)
{
    const struct session_options *options = session->options;
    struct dialogue dialogue = {
        .association = session->association,
        .reader = session->reader,
        .timeout_ms = (int)options->config->timeout * 1000,
    };
    struct message message = {
        .command = dimse_command(session->reader),
        .context_id = dimse_context_id(session->reader),
        .data = (const uint8_t *)session->identifier.data,
        .length = session->identifier.length,
    };
    struct err err;
    int status;

    session->asking = false;
    switch (message.command->field) {
    case DIMSE_N_ACTION:
        session->committed = true;
        status = commit_scp_action(&dialogue, &message,
                                   &(struct commit_scp_options){
                                       .archive = options->archive,
                                       .peers = options->peers,
                                       .calling_aet = dcm_calling_aet(session->association),
                                       .called_aet = dcm_called_aet(session->association),
                                       .peer = session->name,
                                   },
                                   &err);
        break;
    case DIMSE_C_FIND:
        status = query_scp_find(&dialogue, &message,
                                &(struct query_scp_options){
                                    .archive = options->archive,
                                    .aet = options->config->aet,
                                    .limit = (uint64_t)options->config->find_limit,
                                    .peer = session->name,
                                },
                                &err);
        break;
    default:
        status = retrieve(session, &dialogue, &message, &err);
    }
    enum ending ending = after_service(session, &dialogue, status, &err);
    dialogue_free(&dialogue);
    return ending;
}

/* A command set is there. */
static enum ending begin_message(struct session *session)
{
    const struct dimse_command *command = dimse_command(session->reader);

    if (command->field & DIMSE_RESPONSE)
        return give_up(session, PDU_ABORT_USER, PDU_REASON_NONE,
                       "a response to nothing that was asked");
    session->storing = command->field == DIMSE_C_STORE &&
                       recv_stores(session->options->config, context(session)->abstract_syntax);
    if (session->storing)
        storage_begin(session->storage, command, context(session)->transfer_syntax);
    session->asking = is_query(session, command);
    buf_clear(&session->identifier);
    return GOES_ON;
}

/* Command set and, if there is one, data set are complete. */
static enum ending end_message(struct session *session)
{
    const struct dimse_command *command = dimse_command(session->reader);
    const char *comment = NULL;

    if (session->storing) {
        session->storing = false;
        uint16_t status = storage_end(session->storage, command, &comment);
        return answer(session, status, comment);
    }
    if (session->asking)
        return query(session);
    switch (command->field) {
    case DIMSE_C_ECHO:
        session->echoes++;
        return answer(session, STATUS_SUCCESS, NULL);
    case DIMSE_C_CANCEL:
        return GOES_ON; /* of something that is over: no answer, PS3.7 section 9.3.2.3 */
    case DIMSE_C_STORE:
        log_error("%s: C-STORE in a context for %s: refused", session->name,
                  context(session)->abstract_syntax);
        return answer(session, STATUS_SOP_CLASS_NOT_SUPPORTED, "not a context for storage");
    default:
        log_error("%s: request %04x: refused, not known here", session->name, command->field);
        return answer(session, STATUS_UNRECOGNIZED_OPERATION, NULL);
    }
}

/* ---- reading ---- */

/* After an answer: the next object waits for the next receiver. */
static enum ending go_on(struct session *session, enum ending ending)
{
    if (ending == GOES_ON && (told_to_stop(session) || listener_stop_waits()))
        return give_up(session, PDU_ABORT_USER, PDU_REASON_NONE, "the receiver stops");
    return ending;
}

/* More bytes for the reader. */
static enum ending read_more(struct session *session)
{
    const struct recv_config *config = session->options->config;
    bool inside = dimse_inside(session->reader);
    int64_t wait = (inside ? config->timeout : config->idle_timeout) * 1000;
    struct err err;
    size_t room;
    void *space = dimse_space(session->reader, &room);

    for (;;) {
        if (told_to_stop(session)) {
            int64_t left = session->stop_deadline - monotonic_ms();
            if (!inside || left <= 0)
                return give_up(session, PDU_ABORT_USER, PDU_REASON_NONE,
                               inside ? "the receiver stops, and the object took too long"
                                      : "the receiver stops");
            wait = left < wait ? left : wait;
        }
        ssize_t got = dcm_read(session->association, space, room, (int)wait, &err);
        if (got > 0) {
            dimse_filled(session->reader, (size_t)got);
            return GOES_ON;
        }
        if (got == 0)
            return lost(session, "the peer closed the connection without a release");
        if (err.code == ERR_STOPPED || (err.code == ERR_TIMEOUT && told_to_stop(session)))
            continue;
        if (err.code == ERR_TIMEOUT)
            return give_up(session, PDU_ABORT_USER, PDU_REASON_NONE,
                           inside ? "the peer kept silent inside a message" : err.text);
        return lost(session, err.text);
    }
}

static enum ending gather(struct session *session, const uint8_t *bytes, size_t length)
{
    if (session->identifier.length + length > DIALOGUE_DATA_MAX)
        return give_up(session, PDU_ABORT_USER, PDU_REASON_NONE, "an identifier of more than 4 MB");
    buf_add(&session->identifier, bytes, length);
    return GOES_ON;
}

static enum ending step(struct session *session)
{
    struct err err;
    enum ending ending;
    size_t length;
    const uint8_t *bytes;

    switch (dimse_next(session->reader, &err)) {
    case DIMSE_MORE:
        return read_more(session);
    case DIMSE_COMMAND:
        ending = begin_message(session);
        if (ending == GOES_ON && !dimse_command(session->reader)->has_data)
            ending = go_on(session, end_message(session));
        return ending;
    case DIMSE_DATA:
        bytes = dimse_data(session->reader, &length);
        if (session->storing)
            storage_data(session->storage, bytes, length);
        if (session->asking)
            return gather(session, bytes, length);
        return GOES_ON;
    case DIMSE_DATA_END:
        return go_on(session, end_message(session));
    case DIMSE_RELEASE:
        return release(session);
    case DIMSE_ABORT:
        return aborted_by_peer(session);
    case DIMSE_RELEASED:
        return give_up(session, PDU_ABORT_PROVIDER, PDU_REASON_UNEXPECTED_PDU,
                       "an answer to a release that nobody asked for");
    default:
        return give_up(session, PDU_ABORT_PROVIDER, dimse_abort_reason(session->reader), err.text);
    }
}

static void begin(struct session *session)
{
    size_t count;
    const struct dcm_context *contexts = dcm_contexts(session->association, &count);

    session->started = monotonic_ms();
    session->reader = dimse_reader_new(BUFFER);
    for (size_t i = 0; i < count; i++) {
        session->contexts[contexts[i].id] = &contexts[i];
        dimse_reader_accept(session->reader, contexts[i].id);
    }
    snprintf(session->name, sizeof session->name, "%s %s", session->options->peer,
             dcm_calling_aet(session->association));
    session->storage = storage_new(&(struct storage_options){
        .archive = session->options->archive,
        .report = session->options->report,
        .sync = (enum ingest_sync)session->options->config->sync,
        .peer = session->options->peer,
        .calling_aet = dcm_calling_aet(session->association),
    });
    log_info("%s calling %s: association accepted, %zu contexts", session->name,
             dcm_called_aet(session->association), count);
}

static void end(struct session *session, enum ending ending)
{
    const struct storage_counts *counts = storage_counts(session->storage);
    struct err err;

    storage_drop(session->storage);
    if (ending != RELEASED && storage_flush(session->storage, &err) < 0)
        log_error("%s: %s", session->name, err.text);
    log_info("%s: association %s after %.1f s: %llu stored (%llu bytes), %llu there already, "
             "%llu refused, %llu echoes",
             session->name, ending == RELEASED ? "released" : "ended",
             (double)(monotonic_ms() - session->started) / 1000, (unsigned long long)counts->stored,
             (unsigned long long)counts->bytes, (unsigned long long)counts->same,
             (unsigned long long)counts->refused, (unsigned long long)session->echoes);
    storage_free(session->storage);
    dimse_reader_free(session->reader);
    buf_free(&session->out);
    buf_free(&session->identifier);
    dcm_close(session->association, LINGER_MS);
}

/* What was asked for on this association is reported when it is over, on another one. */
static void report_commitments(const struct session_options *options)
{
    struct err err;

    if (commit_deliver(options->archive, options->peers, &err) < 0)
        log_error("%s", err.text);
}

void session_run(struct dcm_association *association, const struct session_options *options)
{
    struct session session = {.association = association, .options = options};
    enum ending ending;

    begin(&session);
    while ((ending = step(&session)) == GOES_ON)
        ;
    end(&session, ending);
    if (session.committed)
        report_commitments(options);
}
