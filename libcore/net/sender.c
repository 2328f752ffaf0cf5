/*
 * See sender.h.
 */
#include "net/sender.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "dicom/scan.h"
#include "dicom/uid.h"
#include "net/pdu.h"

#define WAIT_MAX_MS 60000

static const char *const uncompressed[] = {UID_EXPLICIT_LE, UID_IMPLICIT_LE};

struct sending {
    struct send_list *list;
    const struct sender_options *options;
    struct send_counts *counts;
    struct store_sender *buffer;
    struct scanner *scanner;
    struct scu *scu;
    struct dcm_request_context context[PDU_CONTEXTS_MAX];
    const char *own[PDU_CONTEXTS_MAX]; /* the one syntax of a context */
    size_t contexts;
    bool *mine; /* per pair: goes over the present association */
};

/* ---- presentation contexts ---- */

/* Where pacs.conf restricts what the peer is offered. */
static bool may_propose(const struct peer *peer, const char *syntax)
{
    return !peer->transfer_syntaxes.count || list_has(&peer->transfer_syntaxes, syntax);
}

static bool has_context(const struct sending *sending, const char *class_uid, const char *own)
{
    for (size_t i = 0; i < sending->contexts; i++)
        if (strcmp(sending->context[i].abstract_syntax, class_uid) == 0 &&
            (own ? sending->own[i] && strcmp(sending->own[i], own) == 0 : !sending->own[i]))
            return true;
    return false;
}

static void add_context(struct sending *sending, const char *class_uid, const char *own)
{
    const struct peer *peer = sending->options->peer;
    struct dcm_request_context *context = &sending->context[sending->contexts];

    sending->own[sending->contexts] = own;
    context->abstract_syntax = class_uid;
    context->requestor_scp = false;
    if (own) {
        context->transfer_syntaxes = &sending->own[sending->contexts];
        context->count = 1;
    } else if (peer->transfer_syntaxes.count) {
        context->transfer_syntaxes = (const char *const *)peer->transfer_syntaxes.items;
        context->count = peer->transfer_syntaxes.count;
    } else {
        context->transfer_syntaxes = uncompressed;
        context->count = 2;
    }
    sending->contexts++;
}

/* The next pairs that fit one association. False when there are none left. */
static bool choose_pairs(struct sending *sending, size_t *from)
{
    size_t count, taken = 0;
    const struct send_pair *pairs = send_list_pairs(sending->list, &count);

    sending->contexts = 0;
    memset(sending->mine, 0, count * sizeof *sending->mine);
    for (; *from < count; ++*from, taken++) {
        const struct send_pair *pair = &pairs[*from];
        bool own = may_propose(sending->options->peer, pair->transfer_syntax);
        size_t need = own && !has_context(sending, pair->class_uid, pair->transfer_syntax);

        need += !has_context(sending, pair->class_uid, NULL);
        if (sending->contexts + need > PDU_CONTEXTS_MAX)
            break;
        if (own && !has_context(sending, pair->class_uid, pair->transfer_syntax))
            add_context(sending, pair->class_uid, pair->transfer_syntax);
        if (!has_context(sending, pair->class_uid, NULL))
            add_context(sending, pair->class_uid, NULL);
        sending->mine[*from] = true;
    }
    return taken > 0;
}

/* ---- associations ---- */

static bool told_to_stop(const struct sending *sending)
{
    return sending->options->stop && *sending->options->stop;
}

/* Before a try that follows `tries` failed ones. */
static void wait_before(const struct sending *sending, int tries)
{
    long ms = sending->options->wait_ms;

    for (int i = 1; i < tries && ms < WAIT_MAX_MS; i++)
        ms *= 2;
    if (ms > WAIT_MAX_MS)
        ms = WAIT_MAX_MS;
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    if (!told_to_stop(sending))
        nanosleep(&time, NULL);
}

static int connect_peer(struct sending *sending, struct err *err)
{
    struct scu_options options = {
        .peer = sending->options->peer,
        .contexts = sending->context,
        .count = sending->contexts,
        .tls = sending->options->tls,
        .wait_mask = sending->options->wait_mask,
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
    }
}

/* ---- one object ---- */

struct object {
    const struct send_item *item;
    int fd;
    uint64_t offset, size;
    const char *syntax; /* as it is encoded */
    const struct dcm_context *context;
};

static int open_object(struct sending *sending, struct object *object, struct err *err)
{
    const char *path = object->item->path;
    const struct scan_info *info;
    struct stat status;

    object->fd = openat(sending->options->root, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (object->fd < 0 || fstat(object->fd, &status) < 0)
        return err_sys(err, "%s", path);
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_INPUT, "%s: not a file", path);
    if (scan_fd(sending->scanner, object->fd, path, err) != SCAN_OK)
        return -1;
    info = scan_info(sending->scanner);
    object->offset = info->dataset_offset;
    object->size = (uint64_t)status.st_size - object->offset;
    object->syntax = object->item->transfer_syntax;
    if (info->meta_disagrees)
        object->syntax = info->big_endian    ? UID_EXPLICIT_BE
                         : info->explicit_vr ? UID_EXPLICIT_LE
                                             : UID_IMPLICIT_LE;
    return 0;
}

/* A file of it in the syntax of the fallback's context. */
static int convert(struct sending *sending, struct object *object, struct err *err)
{
    const struct dcm_context *context = NULL;
    struct stat status;
    int out;

    for (size_t i = 0; i < sending->contexts && !context; i++)
        if (!sending->own[i] &&
            strcmp(sending->context[i].abstract_syntax, object->item->class_uid) == 0)
            for (size_t n = 0; n < sending->context[i].count && !context; n++)
                context = scu_context(sending->scu, object->item->class_uid,
                                      sending->context[i].transfer_syntaxes[n]);
    if (!context)
        return err_set(err, ERR_INPUT,
                       "%s takes neither %s nor an uncompressed transfer syntax for "
                       "SOP class %s",
                       sending->options->peer->name, object->syntax, object->item->class_uid);
    if (!sending->options->transcode)
        return err_set(err, ERR_INPUT, "%s does not take transfer syntax %s",
                       sending->options->peer->name, object->syntax);
    if (sending->options->transcode(sending->options->context, object->item->path, object->fd,
                                    context->transfer_syntax, &out, err) < 0)
        return -1;
    close(object->fd);
    object->fd = out;
    if (fstat(out, &status) < 0)
        return err_sys(err, "%s", object->item->path);
    if (scan_fd(sending->scanner, out, object->item->path, err) != SCAN_OK)
        return -1;
    object->offset = scan_info(sending->scanner)->dataset_offset;
    object->size = (uint64_t)status.st_size - object->offset;
    object->syntax = context->transfer_syntax;
    object->context = context;
    sending->counts->transcoded++;
    return 0;
}

/* 0: answered; -1: the association is lost (scu is NULL), or the file could not be read. */
static int send_once(struct sending *sending, struct object *object, struct store_answer *answer,
                     struct err *err)
{
    struct store_request request = {
        .context = object->context,
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

/* Sends it until there is an answer that stands. 1: answered, 0: unreadable, -1: no association to be had. */
static int send_object(struct sending *sending, struct object *object, struct store_answer *answer,
                       struct err *err)
{
    for (int tries = 1;; tries++) {
        if (connect_peer(sending, err) < 0)
            return -1;
        object->context = scu_context(sending->scu, object->item->class_uid, object->syntax);
        if (!object->context && convert(sending, object, err) < 0)
            return 0;
        int status = send_once(sending, object, answer, err);
        bool last = tries >= sending->options->tries || told_to_stop(sending);

        if (status == 0 && (!is_busy(answer->status) || last))
            return 1;
        if (status < 0 && err->code != ERR_CLOSED && err->code != ERR_TIMEOUT)
            return err->code == ERR_STOPPED ? -1 : 0;
        if (status < 0 && last)
            return -1;
        log_info("%s: %s: trying again", object->item->instance_uid,
                 status < 0 ? err->text : "the peer is out of resources");
        wait_before(sending, tries);
    }
}

static int report(struct sending *sending, const struct object *object, enum send_result result,
                  uint16_t status, const char *text, struct err *err)
{
    struct send_report said = {object->item, result, status, text, object->syntax};
    struct send_counts *counts = sending->counts;

    counts->done += result == SEND_DONE;
    counts->warned += result == SEND_WARNING;
    counts->failed += result == SEND_REFUSED || result == SEND_UNREADABLE;
    if (result == SEND_DONE || result == SEND_WARNING)
        counts->bytes += object->size;
    return sending->options->each(sending->options->context, &said, err);
}

static int send_item(struct sending *sending, const struct send_item *item, struct err *err)
{
    struct object object = {.item = item, .fd = -1, .syntax = item->transfer_syntax};
    struct store_answer answer = {0};
    struct err why = {0};
    int status;

    status =
        open_object(sending, &object, &why) < 0 ? 0 : send_object(sending, &object, &answer, &why);
    if (object.fd >= 0)
        close(object.fd);
    if (status < 0) {
        *err = why;
        return -1;
    }
    if (status == 0)
        return report(sending, &object, SEND_UNREADABLE, 0, why.text, err);
    return report(sending, &object,
                  answer.status == STATUS_SUCCESS      ? SEND_DONE
                  : (answer.status & 0xf000) == 0xb000 ? SEND_WARNING
                                                       : SEND_REFUSED,
                  answer.status, answer.comment, err);
}

/* The list's items of the chosen pairs. */
static int send_chosen(struct sending *sending, struct err *err)
{
    struct send_item item;
    size_t pair;
    int status = send_list_rewind(sending->list, err);

    while (status == 0) {
        int more = send_list_next(sending->list, &item, &pair, err);

        if (more <= 0) {
            status = more;
            break;
        }
        if (!sending->mine[pair])
            continue;
        if (told_to_stop(sending))
            status = err_set(err, ERR_STOPPED, "told to stop");
        else
            status = send_item(sending, &item, err) ? -1 : 0;
    }
    if (status == 0)
        scu_close(sending->scu);
    else
        scu_abort(sending->scu);
    sending->scu = NULL;
    return status;
}

int sender_run(struct send_list *list, const struct sender_options *options,
               struct send_counts *counts, struct err *err)
{
    static const tag_t tags[] = {TAG(0x0008, 0x0018)};
    struct sending sending = {.list = list, .options = options, .counts = counts};
    size_t pairs, from = 0;
    int status = 0;

    memset(counts, 0, sizeof *counts);
    send_list_pairs(list, &pairs);
    sending.mine = xcalloc(pairs + 1, sizeof *sending.mine);
    sending.buffer = store_sender_new();
    sending.scanner = scanner_new(tags, 1);
    while (status == 0 && choose_pairs(&sending, &from))
        status = send_chosen(&sending, err);
    scanner_free(sending.scanner);
    store_sender_free(sending.buffer);
    free(sending.mine);
    return status;
}
