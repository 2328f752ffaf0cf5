/*
 * See sender.h. Several processes: sender_parallel.c.
 */
#include "net/sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "dicom/uid.h"
#include "net/pdu.h"
#include "net/send_object.h"

#define WAIT_MAX_MS  60000
#define WAIT_STEP_MS 100 /* in between it looks whether it is to stop */
#define LOST_MAX \
    3 /* objects in a row that end the association each time: then the peer is given up */
#define LISTED_MAX 32 /* of a peer's transfer-syntaxes */

static const char *const uncompressed[] = {UID_EXPLICIT_LE, UID_IMPLICIT_LE};

struct sending {
    struct send_list *list;
    const struct sender_options *options;
    struct send_counts *counts;
    struct store_sender *buffer;
    struct scanner *scanner;
    struct scu *scu;
    struct dcm_request_context context[PDU_CONTEXTS_MAX];
    const char *syntax[PDU_CONTEXTS_MAX]; /* of a context with one; NULL: the uncompressed ones */
    size_t contexts;
    bool *mine; /* per pair: goes over the present association */
    int lost;   /* objects in a row */
};

/* ---- presentation contexts ---- */

/* Where pacs.conf restricts what the peer is offered. */
static bool may_propose(const struct peer *peer, const char *syntax)
{
    return !peer->transfer_syntaxes.count || list_has(&peer->transfer_syntaxes, syntax);
}

static bool has_context(const struct sending *sending, const char *class_uid, const char *syntax)
{
    for (size_t i = 0; i < sending->contexts; i++)
        if (strcmp(sending->context[i].abstract_syntax, class_uid) == 0 &&
            (syntax ? sending->syntax[i] && strcmp(sending->syntax[i], syntax) == 0
                    : !sending->syntax[i]))
            return true;
    return false;
}

/* False when there is no room for it. */
static bool add_context(struct sending *sending, const char *class_uid, const char *syntax)
{
    struct dcm_request_context *context = &sending->context[sending->contexts];

    if (has_context(sending, class_uid, syntax))
        return true;
    if (sending->contexts == PDU_CONTEXTS_MAX)
        return false;
    sending->syntax[sending->contexts] = syntax;
    context->abstract_syntax = class_uid;
    context->requestor_scp = false;
    context->transfer_syntaxes = syntax ? &sending->syntax[sending->contexts] : uncompressed;
    context->count = syntax ? 1 : 2;
    sending->contexts++;
    return true;
}

/* Into what the peer may be sent what it does not take as it is; NULL at the end. */
static const char *listed(const struct peer *peer, size_t at)
{
    return at < peer->transfer_syntaxes.count && at < LISTED_MAX ? peer->transfer_syntaxes.items[at]
                                                                 : NULL;
}

static bool may_code(const struct peer *peer, const char *syntax)
{
    return peer->lossy || !syntax_is_lossy(syntax);
}

static bool add_pair(struct sending *sending, const struct send_pair *pair)
{
    const struct peer *peer = sending->options->peer;

    if (may_propose(peer, pair->transfer_syntax) &&
        !add_context(sending, pair->class_uid, pair->transfer_syntax))
        return false;
    if (!peer->transfer_syntaxes.count)
        return add_context(sending, pair->class_uid, NULL);
    for (size_t i = 0; listed(peer, i); i++)
        if (may_code(peer, listed(peer, i)) &&
            !add_context(sending, pair->class_uid, listed(peer, i)))
            return false;
    return true;
}

/* The next pairs that fit one association. False when there are none left. */
static bool choose_pairs(struct sending *sending, size_t *from)
{
    size_t count, start = *from;
    const struct send_pair *pairs = send_list_pairs(sending->list, &count);

    sending->contexts = 0;
    memset(sending->mine, 0, count * sizeof *sending->mine);
    for (; *from < count; ++*from) {
        size_t before = sending->contexts;

        if (!add_pair(sending, &pairs[*from])) {
            sending->contexts = before;
            break;
        }
        sending->mine[*from] = true;
    }
    return *from > start;
}

/* ---- associations ---- */

static bool told_to_stop(const struct sending *sending)
{
    return sending->options->stopping && sending->options->stopping(sending->options->context);
}

/* Before a try that follows `tries` failed ones. */
static void wait_before(const struct sending *sending, int tries)
{
    long ms = sending->options->wait_ms;

    for (int i = 1; i < tries && ms < WAIT_MAX_MS; i++)
        ms *= 2;
    if (ms > WAIT_MAX_MS)
        ms = WAIT_MAX_MS;
    for (int64_t end = monotonic_ms() + ms; !told_to_stop(sending);) {
        int64_t left = end - monotonic_ms();
        struct timespec step = {0, (left < WAIT_STEP_MS ? left : WAIT_STEP_MS) * 1000000};

        if (left <= 0)
            break;
        nanosleep(&step, NULL);
    }
}

static int connect_peer(struct sending *sending, struct err *err)
{
    struct scu_options options = {
        .peer = sending->options->peer,
        .contexts = sending->context,
        .count = sending->contexts,
        .tls = sending->options->tls,
    };

    if (sending->scu)
        return 0;
    for (int tries = 1;; tries++) {
        sending->scu = scu_open(&options, err);
        if (sending->scu)
            return 0;
        /* What was said for good is not asked again. */
        if (tries >= sending->options->tries || err->code == ERR_INPUT ||
            err->code == ERR_STOPPED || told_to_stop(sending))
            return -1;
        log_info("%s: trying again", err->text);
        wait_before(sending, tries);
        if (told_to_stop(sending))
            return -1;
    }
}

/* ---- one object ---- */

enum outcome {
    ANSWERED,
    UNREADABLE, /* it cannot be sent */
    LOST,       /* the association ended each time */
    GIVEN_UP    /* there is no peer, or we are to stop */
};

/* A file of it in a syntax that the peer has accepted for its class, those that are liked best first. */
static int convert(struct sending *sending, struct send_object *object, struct err *err)
{
    const struct peer *peer = sending->options->peer;
    const char *class_uid = object->item->class_uid;
    struct transcoder *transcoder = sending->options->transcoder;
    bool taken = false;

    for (size_t i = 0; peer->transfer_syntaxes.count ? listed(peer, i) != NULL : i < 2; i++) {
        const char *syntax = peer->transfer_syntaxes.count ? listed(peer, i) : uncompressed[i];

        if (!may_code(peer, syntax) || !scu_context(sending->scu, class_uid, syntax))
            continue;
        taken = true;
        if (transcoder && send_object_convert(object, transcoder, peer->lossy, syntax,
                                              sending->scanner, err) == 0)
            return 0;
    }
    if (!scu_context(sending->scu, class_uid, NULL))
        return err_set(err, ERR_INPUT, "%s does not take SOP class %s", peer->name, class_uid);
    if (taken && transcoder)
        return -1;
    return err_set(err, ERR_INPUT, "%s takes neither %s nor what it could be transcoded to",
                   peer->name, object->syntax);
}

/* 0: answered; -1: the association is gone (scu is NULL). */
static int send_once(struct sending *sending, const struct send_object *object,
                     const struct dcm_context *context, struct store_answer *answer,
                     struct err *err)
{
    struct store_request request = {
        .context = context,
        .class_uid = object->item->class_uid,
        .instance_uid = object->item->instance_uid,
        .fd = object->fd,
        .offset = object->offset,
        .size = object->size,
        .name = object->item->path,
        .move_originator = sending->options->move_originator,
        .move_originator_id = sending->options->move_originator_id,
    };

    if (scu_store(sending->scu, sending->buffer, &request, answer, err) == 0)
        return 0;
    scu_abort(sending->scu);
    sending->scu = NULL;
    return -1;
}

static bool is_busy(uint16_t status)
{
    return (status & 0xff00) == 0xa700;
}

static enum outcome lost(struct sending *sending, const struct err *err)
{
    return err->code == ERR_STOPPED || told_to_stop(sending) || ++sending->lost >= LOST_MAX
               ? GIVEN_UP
               : LOST;
}

/* Sends it until there is an answer that stands. */
static enum outcome send_object(struct sending *sending, struct send_object *object,
                                struct store_answer *answer, struct err *err)
{
    for (int tries = 1;; tries++) {
        const struct dcm_context *context;
        int status;

        if (sending->contexts == 0) {
            err_set(err, ERR_INPUT, "no transfer syntax that pacs.conf lists for %s is one for it",
                    sending->options->peer->name);
            return UNREADABLE;
        }
        if (connect_peer(sending, err) < 0)
            return GIVEN_UP;
        context = scu_context(sending->scu, object->item->class_uid, object->syntax);
        if (!context) {
            if (convert(sending, object, err) < 0)
                return UNREADABLE;
            context = scu_context(sending->scu, object->item->class_uid, object->syntax);
        }
        status = send_once(sending, object, context, answer, err);
        bool last = tries >= sending->options->tries || told_to_stop(sending);

        if (status == 0) {
            sending->lost = 0;
            if (!is_busy(answer->status) || last)
                return ANSWERED;
        } else if (err->code != ERR_CLOSED && err->code != ERR_TIMEOUT) {
            return err->code == ERR_STOPPED ? GIVEN_UP : UNREADABLE;
        } else if (last) {
            return lost(sending, err);
        }
        log_info("%s: %s: trying again", object->item->instance_uid,
                 status < 0 ? err->text : "the peer is out of resources");
        wait_before(sending, tries);
    }
}

void send_count(struct send_counts *counts, const struct send_report *report)
{
    bool taken = report->result == SEND_DONE || report->result == SEND_WARNING;

    counts->done += report->result == SEND_DONE;
    counts->warned += report->result == SEND_WARNING;
    counts->failed += !taken;
    counts->transcoded += taken && report->transcoded;
    counts->bytes += taken ? report->bytes : 0;
}

void send_reason(const struct send_report *report, char *text, size_t size)
{
    if (report->result == SEND_UNREADABLE || report->result == SEND_LOST)
        snprintf(text, size, "%s", report->text);
    else
        snprintf(text, size, "%s with status %04X%s%s",
                 report->result == SEND_REFUSED ? "refused" : "taken", report->status,
                 *report->text ? ": " : "", report->text);
}

static int tell(struct sending *sending, const struct send_object *object, enum send_result result,
                const struct store_answer *answer, const char *text, struct err *err)
{
    struct send_report report = {
        .item = object->item,
        .result = result,
        .status = answer->status,
        .text = text,
        .transfer_syntax = object->syntax,
        .transcoded = object->transcoded,
        .lossy = object->lossy,
        .bytes = object->size,
    };

    int status;

    send_count(sending->counts, &report);
    status = sending->options->each(sending->options->context, &report, err);
    send_list_set(sending->list, object->item->number, SEND_STATE_TOLD);
    return status;
}

static enum send_result result_of(const struct store_answer *answer)
{
    return answer->status == STATUS_SUCCESS      ? SEND_DONE
           : (answer->status & 0xf000) == 0xb000 ? SEND_WARNING
                                                 : SEND_REFUSED;
}

static int send_item(struct sending *sending, const struct send_item *item, struct err *err)
{
    struct send_object object;
    struct store_answer answer = {0};
    struct err why = {0};
    enum outcome outcome = UNREADABLE;
    int status = -1;

    if (send_object_open(&object, item, sending->options->root, sending->scanner, &why) == 0)
        outcome = send_object(sending, &object, &answer, &why);
    switch (outcome) {
    case ANSWERED:
        status = tell(sending, &object, result_of(&answer), &answer, answer.comment, err);
        break;
    case GIVEN_UP:
        send_list_set(sending->list, item->number, SEND_STATE_OPEN);
        *err = why;
        break;
    default:
        answer.status = 0;
        status = tell(sending, &object, outcome == LOST ? SEND_LOST : SEND_UNREADABLE, &answer,
                      why.text, err);
    }
    send_object_close(&object);
    return status ? -1 : 0;
}

/* The list's items of the chosen pairs. */
static int send_chosen(struct sending *sending, struct err *err)
{
    struct send_cursor *cursor = send_cursor_new(sending->list);
    struct send_item item;
    int status = 0, more = 0;

    while (status == 0 && (more = send_cursor_next(cursor, &item, err)) > 0) {
        if (!sending->mine[item.pair])
            continue;
        if (told_to_stop(sending))
            status = err_set(err, ERR_STOPPED, "told to stop");
        else if (send_list_claim(sending->list, item.number))
            status = send_item(sending, &item, err);
    }
    if (more < 0)
        status = -1;
    send_cursor_free(cursor);
    /* To be told to stop is no reason to be rude. */
    if (status == 0 || err->code == ERR_STOPPED)
        scu_close(sending->scu);
    else
        scu_abort(sending->scu);
    sending->scu = NULL;
    return status;
}

int sender_run_here(struct send_list *list, const struct sender_options *options,
                    struct send_counts *counts, struct err *err)
{
    struct sending sending = {.list = list, .options = options, .counts = counts};
    size_t pairs, from = 0;
    int status = 0;

    memset(counts, 0, sizeof *counts);
    send_list_pairs(list, &pairs);
    sending.mine = xcalloc(pairs + 1, sizeof *sending.mine);
    sending.buffer = store_sender_new();
    sending.scanner = send_object_scanner();
    while (status == 0 && choose_pairs(&sending, &from))
        status = send_chosen(&sending, err);
    scanner_free(sending.scanner);
    store_sender_free(sending.buffer);
    free(sending.mine);
    return status;
}
