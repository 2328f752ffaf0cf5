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
    struct dialogue dialogue;
    const struct peer *peer;
    uint16_t message_id;
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
    scu->dialogue.association = association;
    scu->peer = peer;
    scu->dialogue.name = peer->name;
    scu->dialogue.timeout_ms = (int)peer->timeout * 1000;
    scu->dialogue.reader = dimse_reader_new(BUFFER);
    const struct dcm_context *contexts = dcm_contexts(association, &count);
    for (size_t i = 0; i < count; i++)
        dimse_reader_accept(scu->dialogue.reader, contexts[i].id);
    return scu;
}

static void scu_free(struct scu *scu, int linger_ms)
{
    dcm_close(scu->dialogue.association, linger_ms);
    dimse_reader_free(scu->dialogue.reader);
    dialogue_free(&scu->dialogue);
    free(scu);
}

void scu_abort(struct scu *scu)
{
    struct err ignored;

    if (!scu)
        return;
    if (!scu->dialogue.broken) {
        buf_clear(&scu->dialogue.out);
        /* A peer that has asked for a release gets it. */
        if (scu->dialogue.released)
            pdu_put_release_rp(&scu->dialogue.out);
        else
            pdu_put_abort(&scu->dialogue.out, PDU_ABORT_USER, PDU_REASON_NONE);
        dcm_write(scu->dialogue.association, scu->dialogue.out.data, scu->dialogue.out.length,
                  LINGER_MS, &ignored);
    }
    scu_free(scu, LINGER_MS);
}

void scu_close(struct scu *scu)
{
    struct err err;

    if (!scu)
        return;
    if (!scu->dialogue.broken) {
        buf_clear(&scu->dialogue.out);
        pdu_put_release_rq(&scu->dialogue.out);
        scu->dialogue.broken =
            dcm_write(scu->dialogue.association, scu->dialogue.out.data, scu->dialogue.out.length,
                      scu->dialogue.timeout_ms, &err) < 0;
    }
    /* What still comes before the answer is of no interest. */
    while (!scu->dialogue.broken) {
        struct message message;

        if (dialogue_receive(&scu->dialogue, &message, NULL, &err) == 0)
            continue;
        if (!scu->dialogue.released)
            break;
        /* Both at once: PS3.8 9.2, the requestor answers first. */
        scu->dialogue.released = false;
        buf_clear(&scu->dialogue.out);
        pdu_put_release_rp(&scu->dialogue.out);
        if (dcm_write(scu->dialogue.association, scu->dialogue.out.data, scu->dialogue.out.length,
                      LINGER_MS, &err) < 0)
            break;
    }
    scu_free(scu, 0);
}

const struct peer *scu_peer(const struct scu *scu)
{
    return scu->peer;
}

struct dcm_association *scu_association(struct scu *scu)
{
    return scu->dialogue.association;
}

struct dialogue *scu_dialogue(struct scu *scu)
{
    return &scu->dialogue;
}

const struct dcm_context *scu_context(const struct scu *scu, const char *abstract_syntax,
                                      const char *transfer_syntax)
{
    size_t count;
    const struct dcm_context *contexts = dcm_contexts(scu->dialogue.association, &count);

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
    return dialogue_send(&scu->dialogue, context_id, command, data, length, err);
}

int scu_receive(struct scu *scu, struct message *message, const struct message_sink *sink,
                struct err *err)
{
    return dialogue_receive(&scu->dialogue, message, sink, err);
}

int scu_echo(struct scu *scu, uint16_t *status, struct err *err)
{
    const struct dcm_context *context = scu_context(scu, UID_VERIFICATION, NULL);
    struct dimse_command request = {.field = DIMSE_C_ECHO, .class_uid = UID_VERIFICATION};
    struct message answer;

    if (!context)
        return err_set(err, ERR_INPUT, "%s: does not take C-ECHO", scu->peer->name);
    request.message_id = scu_message_id(scu);
    if (scu_send(scu, context->id, &request, NULL, 0, err) < 0 ||
        scu_receive(scu, &answer, NULL, err) < 0)
        return -1;
    if (answer.command->field != (DIMSE_C_ECHO | DIMSE_RESPONSE) ||
        answer.command->message_id != request.message_id)
        return err_set(err, ERR_INPUT, "%s: answered something else than C-ECHO", scu->peer->name);
    *status = answer.command->status;
    return 0;
}
