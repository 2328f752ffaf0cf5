/*
 * See dialogue.h.
 */
#include "net/dialogue.h"

#include "net/pdu.h"

void dialogue_free(struct dialogue *dialogue)
{
    buf_free(&dialogue->out);
    buf_free(&dialogue->data);
}

/* As others say it: with the peer's name before it, where the dialogue has one. */
static int named(const struct dialogue *dialogue, struct err *err)
{
    return dialogue->name ? err_prefix(err, "%s", dialogue->name) : -1;
}

int dialogue_send(struct dialogue *dialogue, uint8_t context_id,
                  const struct dimse_command *command, const void *data, size_t length,
                  struct err *err)
{
    uint32_t max_pdu = dcm_peer_max_pdu(dialogue->association);

    buf_clear(&dialogue->out);
    dimse_put_command(&dialogue->out, context_id, command, max_pdu);
    if (data)
        pdu_put_message(&dialogue->out, context_id, false, data, length, max_pdu);
    if (dcm_write(dialogue->association, dialogue->out.data, dialogue->out.length,
                  dialogue->timeout_ms, err) == 0)
        return 0;
    dialogue->broken = true;
    return named(dialogue, err);
}

const struct dcm_context *dialogue_context(const struct dialogue *dialogue, uint8_t id)
{
    size_t count;
    const struct dcm_context *contexts = dcm_contexts(dialogue->association, &count);

    for (size_t i = 0; i < count; i++)
        if (contexts[i].id == id)
            return &contexts[i];
    return NULL;
}

static int ended(struct dialogue *dialogue, enum err_code code, const char *how, struct err *err)
{
    dialogue->broken = true;
    err_set(err, code, "%s", how);
    return named(dialogue, err);
}

/* One read into the reader's buffer. */
static int read_more(struct dialogue *dialogue, struct err *err)
{
    size_t room;
    void *space = dimse_space(dialogue->reader, &room);
    ssize_t got = dcm_read(dialogue->association, space, room, dialogue->timeout_ms, err);

    if (got > 0) {
        dimse_filled(dialogue->reader, (size_t)got);
        return 0;
    }
    if (got == 0)
        return ended(dialogue, ERR_CLOSED, "the peer closed the connection", err);
    dialogue->broken = err->code != ERR_STOPPED;
    return named(dialogue, err);
}

static int take_data(struct dialogue *dialogue, const struct message_sink *sink, struct err *err)
{
    size_t length;
    const uint8_t *bytes = dimse_data(dialogue->reader, &length);

    if (sink) {
        sink->data(sink->context, bytes, length);
        return 0;
    }
    if (dialogue->data.length + length > DIALOGUE_DATA_MAX)
        return ended(dialogue, ERR_INPUT,
                     "a data set of more than 4 MB where none such is expected", err);
    buf_add(&dialogue->data, bytes, length);
    return 0;
}

static int give_message(struct dialogue *dialogue, struct message *message, bool has_data)
{
    message->command = dimse_command(dialogue->reader);
    message->context_id = dimse_context_id(dialogue->reader);
    message->data = has_data ? (const uint8_t *)buf_text(&dialogue->data) : NULL;
    message->length = has_data ? dialogue->data.length : 0;
    return 1;
}

static int end_of(struct dialogue *dialogue, enum dimse_event event, struct err *err)
{
    switch (event) {
    case DIMSE_ABORT:
        return ended(dialogue, ERR_CLOSED, "the peer aborted the association", err);
    case DIMSE_RELEASE:
        dialogue->released = true;
        err_set(err, ERR_CLOSED, "the peer released the association");
        return named(dialogue, err);
    case DIMSE_RELEASED:
        return ended(dialogue, ERR_INPUT, "an answer to a release that nobody asked for", err);
    default:
        return named(dialogue, err);
    }
}

/* 1: a message, 0: only with `waits` false, nothing there. */
static int next_message(struct dialogue *dialogue, struct message *message,
                        const struct message_sink *sink, bool waits, struct err *err)
{
    const struct message_sink *to = NULL;

    buf_clear(&dialogue->data);
    for (;;) {
        enum dimse_event event = dimse_next(dialogue->reader, err);

        switch (event) {
        case DIMSE_MORE:
            if (!waits && !dimse_inside(dialogue->reader) && !dcm_ready(dialogue->association))
                return 0;
            if (read_more(dialogue, err) < 0)
                return -1;
            break;
        case DIMSE_COMMAND: {
            const struct dimse_command *command = dimse_command(dialogue->reader);
            const struct dcm_context *context =
                dialogue_context(dialogue, dimse_context_id(dialogue->reader));

            if (sink && sink->begin(sink->context, command, context))
                to = sink;
            if (!command->has_data)
                return give_message(dialogue, message, false);
            break;
        }
        case DIMSE_DATA:
            if (take_data(dialogue, to, err) < 0)
                return -1;
            break;
        case DIMSE_DATA_END:
            return give_message(dialogue, message, !to);
        default:
            return end_of(dialogue, event, err);
        }
    }
}

int dialogue_receive(struct dialogue *dialogue, struct message *message,
                     const struct message_sink *sink, struct err *err)
{
    return next_message(dialogue, message, sink, true, err) < 0 ? -1 : 0;
}

int dialogue_poll(struct dialogue *dialogue, struct message *message, struct err *err)
{
    return next_message(dialogue, message, NULL, false, err);
}
