/*
 * See scu.h.
 */
#include "net/scu.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/pdu.h"
#include "net/recv_config.h"

#define BUFFER    (256 * 1024)
#define LINGER_MS 500

struct scu {
    struct dcm_association *association;
    const struct peer *peer;
    struct dimse_reader *reader;
    struct buf out, data;
    uint16_t message_id;
    bool broken; /* no more words on it: close */
};

int scu_tls(const struct peers *peers, const struct peer *const *peer, size_t count,
            struct dcm_tls **tls, struct err *err)
{
    const struct tls_config *config = peers_tls(peers);
    bool wanted = false;

    *tls = NULL;
    for (size_t i = 0; i < count; i++)
        wanted |= peer[i]->tls != 0;
    if (!wanted)
        return 0;
    *tls = dcm_tls_new(
        &(struct dcm_tls_options){
            .certificate = config->certificate,
            .key = config->key,
            .authorities = config->authorities,
            .revoked = config->revoked,
            .verify = config->authorities ? DCM_TLS_REQUIRE : (enum dcm_tls_verify)config->verify,
        },
        err);
    return *tls ? 0 : -1;
}

struct scu *scu_open(const struct scu_options *options, struct err *err)
{
    const struct peer *peer = options->peer;
    struct scu *scu;
    size_t count;
    struct dcm_association *association = dcm_request(
        &(struct dcm_request_options){
            .host = peer->host,
            .port = (int)peer->port,
            .calling_aet = peer->calling_aet,
            .called_aet = peer->aet,
            .max_pdu = (uint32_t)peer->max_pdu,
            .timeout_ms = (int)peer->timeout * 1000,
            .wait_mask = options->wait_mask,
            .check = pdu_check_answer,
            .contexts = options->contexts,
            .count = options->count,
            .extended = options->extended,
            .extended_count = options->extended_count,
            .tls = peer->tls ? options->tls : NULL,
        },
        err);

    if (!association) {
        err_prefix(err, "%s", peer->name);
        return NULL;
    }
    scu = xcalloc(1, sizeof *scu);
    scu->association = association;
    scu->peer = peer;
    scu->reader = dimse_reader_new(BUFFER);
    const struct dcm_context *contexts = dcm_contexts(association, &count);
    for (size_t i = 0; i < count; i++)
        dimse_reader_accept(scu->reader, contexts[i].id);
    return scu;
}

static void scu_free(struct scu *scu, int linger_ms)
{
    dcm_close(scu->association, linger_ms);
    dimse_reader_free(scu->reader);
    buf_free(&scu->out);
    buf_free(&scu->data);
    free(scu);
}

static int timeout_ms(const struct scu *scu)
{
    return (int)scu->peer->timeout * 1000;
}

void scu_abort(struct scu *scu)
{
    struct err ignored;

    if (!scu)
        return;
    if (!scu->broken) {
        buf_clear(&scu->out);
        pdu_put_abort(&scu->out, PDU_ABORT_USER, PDU_REASON_NONE);
        dcm_write(scu->association, scu->out.data, scu->out.length, LINGER_MS, &ignored);
    }
    scu_free(scu, LINGER_MS);
}

/* One read into the reader's buffer. */
static int read_more(struct scu *scu, struct err *err)
{
    size_t room;
    void *space = dimse_space(scu->reader, &room);
    ssize_t got = dcm_read(scu->association, space, room, timeout_ms(scu), err);

    if (got > 0) {
        dimse_filled(scu->reader, (size_t)got);
        return 0;
    }
    scu->broken = true;
    if (got == 0)
        err_set(err, ERR_CLOSED, "the peer closed the connection");
    return err_prefix(err, "%s", scu->peer->name);
}

void scu_close(struct scu *scu)
{
    struct err err;
    enum dimse_event event;

    if (!scu)
        return;
    if (!scu->broken) {
        buf_clear(&scu->out);
        pdu_put_release_rq(&scu->out);
        scu->broken =
            dcm_write(scu->association, scu->out.data, scu->out.length, timeout_ms(scu), &err) < 0;
    }
    /* What still comes before the answer is of no interest. */
    while (!scu->broken) {
        event = dimse_next(scu->reader, &err);
        if (event == DIMSE_RELEASED || event == DIMSE_ABORT || event == DIMSE_BROKEN)
            break;
        if (event == DIMSE_RELEASE) { /* both at once: PS3.8 9.2, the requestor answers first */
            buf_clear(&scu->out);
            pdu_put_release_rp(&scu->out);
            dcm_write(scu->association, scu->out.data, scu->out.length, LINGER_MS, &err);
        }
        if (event == DIMSE_MORE)
            read_more(scu, &err);
    }
    scu_free(scu, 0);
}

const struct peer *scu_peer(const struct scu *scu)
{
    return scu->peer;
}

struct dcm_association *scu_association(struct scu *scu)
{
    return scu->association;
}

const struct dcm_context *scu_context(const struct scu *scu, const char *abstract_syntax,
                                      const char *transfer_syntax)
{
    size_t count;
    const struct dcm_context *contexts = dcm_contexts(scu->association, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(contexts[i].abstract_syntax, abstract_syntax) == 0 &&
            (!transfer_syntax || strcmp(contexts[i].transfer_syntax, transfer_syntax) == 0))
            return &contexts[i];
    return NULL;
}

uint16_t scu_message_id(struct scu *scu)
{
    if (++scu->message_id == 0)
        scu->message_id = 1;
    return scu->message_id;
}

int scu_send(struct scu *scu, uint8_t context_id, const struct dimse_command *command,
             const void *data, size_t length, struct err *err)
{
    uint32_t max_pdu = dcm_peer_max_pdu(scu->association);

    buf_clear(&scu->out);
    dimse_put_command(&scu->out, context_id, command, max_pdu);
    if (data)
        pdu_put_message(&scu->out, context_id, false, data, length, max_pdu);
    if (dcm_write(scu->association, scu->out.data, scu->out.length, timeout_ms(scu), err) == 0)
        return 0;
    scu->broken = true;
    return err_prefix(err, "%s", scu->peer->name);
}

/* ---- receiving ---- */

static const struct dcm_context *context_of(const struct scu *scu, uint8_t id)
{
    size_t count;
    const struct dcm_context *contexts = dcm_contexts(scu->association, &count);

    for (size_t i = 0; i < count; i++)
        if (contexts[i].id == id)
            return &contexts[i];
    return NULL;
}

static int ended(struct scu *scu, enum err_code code, const char *how, struct err *err)
{
    scu->broken = true;
    return err_set(err, code, "%s: %s", scu->peer->name, how);
}

static int take_data(struct scu *scu, const struct scu_sink *sink, struct err *err)
{
    size_t length;
    const uint8_t *bytes = dimse_data(scu->reader, &length);

    if (sink) {
        sink->data(sink->context, bytes, length);
        return 0;
    }
    if (scu->data.length + length > SCU_DATA_MAX)
        return ended(scu, ERR_INPUT, "a data set of more than 4 MB where none such is expected",
                     err);
    buf_add(&scu->data, bytes, length);
    return 0;
}

static int give_message(struct scu *scu, struct scu_message *message, bool has_data)
{
    message->command = dimse_command(scu->reader);
    message->context_id = dimse_context_id(scu->reader);
    message->data = has_data ? (const uint8_t *)buf_text(&scu->data) : NULL;
    message->length = has_data ? scu->data.length : 0;
    return 0;
}

int scu_receive(struct scu *scu, struct scu_message *message, const struct scu_sink *sink,
                struct err *err)
{
    const struct scu_sink *to = NULL;
    const struct dimse_command *command;

    buf_clear(&scu->data);
    for (;;) {
        switch (dimse_next(scu->reader, err)) {
        case DIMSE_MORE:
            if (read_more(scu, err) < 0)
                return -1;
            break;
        case DIMSE_COMMAND:
            command = dimse_command(scu->reader);
            if (sink &&
                sink->begin(sink->context, command, context_of(scu, dimse_context_id(scu->reader))))
                to = sink;
            if (!command->has_data)
                return give_message(scu, message, false);
            break;
        case DIMSE_DATA:
            if (take_data(scu, to, err) < 0)
                return -1;
            break;
        case DIMSE_DATA_END:
            return give_message(scu, message, !to);
        case DIMSE_ABORT:
            return ended(scu, ERR_CLOSED, "the peer aborted the association", err);
        case DIMSE_RELEASE:
        case DIMSE_RELEASED:
            return ended(scu, ERR_CLOSED, "the peer released the association", err);
        default:
            err_prefix(err, "%s", scu->peer->name);
            return -1;
        }
    }
}

int scu_echo(struct scu *scu, uint16_t *status, struct err *err)
{
    const struct dcm_context *context = scu_context(scu, UID_VERIFICATION, NULL);
    struct dimse_command request = {.field = DIMSE_C_ECHO, .class_uid = UID_VERIFICATION};
    struct scu_message answer;

    if (!context)
        return err_set(err, ERR_INPUT, "%s: does not take C-ECHO", scu->peer->name);
    request.message_id = scu_message_id(scu);
    if (scu_send(scu, context->id, &request, NULL, 0, err) < 0 ||
        scu_receive(scu, &answer, NULL, err) < 0)
        return -1;
    if (answer.command->field != (DIMSE_C_ECHO | DIMSE_RESPONSE) ||
        answer.command->message_id != request.message_id)
        return ended(scu, ERR_INPUT, "answered something else than C-ECHO", err);
    *status = answer.command->status;
    return 0;
}
