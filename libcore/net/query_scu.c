/*
 * The association and the single request of query_scu.h; what is asked is decided in query_walk.c.
 */
#include "net/query_scu.h"

#include <string.h>

#include "dicom/dataset.h"
#include "dicom/uid.h"

#define UID_FIND_PATIENT   "1.2.840.10008.5.1.4.1.2.1.1"
#define UID_FIND_STUDY     "1.2.840.10008.5.1.4.1.2.2.1"
#define IS_PENDING(status) ((status) == 0xff00 || (status) == 0xff01)
#define STATUS_CANCEL      0xfe00
/* Answers that may still be under way when the peer reads our C-CANCEL. */
#define AFTER_CANCEL 20000

static const char *class_of(enum query_level level)
{
    return level == LEVEL_PATIENT ? UID_FIND_PATIENT : UID_FIND_STUDY;
}

struct scu *query_scu_open(const struct peer *peer, enum query_level level, struct dcm_tls *tls,
                           const sigset_t *wait_mask, struct err *err)
{
    static const char *const syntaxes[] = {UID_EXPLICIT_LE, UID_IMPLICIT_LE};
    const struct dcm_request_context context = {class_of(level), syntaxes, 2, false};
    /* PS3.4 table C.5-1: relational queries; neither combined date-time nor fuzzy names, which would mean
     * something else than the same key does locally. */
    struct dcm_extended extended = {.bytes = {1, 0, 0}, .length = 3};
    struct scu *scu;

    memcpy(extended.abstract_syntax, class_of(level), strlen(class_of(level)) + 1);
    scu = scu_open(
        &(struct scu_options){
            .peer = peer,
            .contexts = &context,
            .count = 1,
            .extended = &extended,
            .extended_count = 1,
            .tls = tls,
            .wait_mask = wait_mask,
        },
        err);
    if (scu && !scu_context(scu, class_of(level), NULL)) {
        err_set(err, ERR_INPUT, "%s: takes no queries (C-FIND, %s Root)", peer->name,
                level == LEVEL_PATIENT ? "Patient" : "Study");
        scu_close(scu);
        return NULL;
    }
    return scu;
}

bool query_scu_relational(const struct scu *scu, enum query_level level)
{
    const struct dcm_extended *agreed =
        dcm_agreed(scu_association((struct scu *)scu), class_of(level));

    return agreed && agreed->length > 0 && agreed->bytes[0] == 1;
}

/* ---- statuses ---- */

static const char *meaning(uint16_t status)
{
    switch (status) {
    case 0x0122:
        return "SOP class not supported";
    case 0x0124:
        return "not authorized";
    case 0x0211:
        return "unrecognized operation";
    case 0xa700:
        return "out of resources: more matches than it gives, or busy";
    case 0xa701:
    case 0xa702:
        return "out of resources";
    case 0xa801:
        return "the destination is unknown to it";
    case 0xa900:
        return "identifier does not match SOP class";
    case 0xb000:
        return "some sub-operations failed";
    case 0xfe00:
        return "cancelled";
    default:
        return status >> 12 == 0xc ? "unable to process" : "no status of this service";
    }
}

int query_scu_failed(const struct scu *scu, const char *what, const struct dimse_command *answer,
                     struct err *err)
{
    return err_set(err, ERR_FAILED, "%s: %s: status %04X (%s)%s%s", scu_peer(scu)->name, what,
                   answer->status, meaning(answer->status), answer->comment[0] ? ": " : "",
                   answer->comment);
}

/* ---- one request ---- */

static int cancel(struct scu *scu, uint8_t context_id, const struct dimse_command *request,
                  struct err *err)
{
    const struct dimse_command command = {.field = DIMSE_C_CANCEL,
                                          .message_id = request->message_id};

    return scu_send(scu, context_id, &command, NULL, 0, err);
}

static int give_answer(struct scu *scu, const struct dcm_context *context,
                       const struct message *message, query_scu_answer *each, void *user,
                       struct err *err)
{
    struct dataset *answer;
    int status;

    if (!message->data)
        return err_set(err, ERR_INPUT, "%s: C-FIND: a pending answer without an identifier",
                       scu_peer(scu)->name);
    answer = dataset_parse(message->data, message->length, context->transfer_syntax, err);
    if (!answer)
        return err_prefix(err, "%s: C-FIND: an answer that is no data set", scu_peer(scu)->name);
    status = each(user, answer, err);
    dataset_free(answer);
    return status;
}

/* Takes the answers until the last one. */
static int take_answers(struct scu *scu, const struct dcm_context *context,
                        const struct dimse_command *request, query_scu_answer *each, void *user,
                        struct err *err)
{
    unsigned long after_cancel = 0;
    bool enough = false;

    for (;;) {
        struct message message;
        int status = 0;

        if (scu_receive(scu, &message, NULL, err) < 0)
            return -1;
        if (message.command->field != (DIMSE_C_FIND | DIMSE_RESPONSE) ||
            message.command->message_id != request->message_id)
            return err_set(err, ERR_INPUT, "%s: answered something else than C-FIND",
                           scu_peer(scu)->name);
        if (!IS_PENDING(message.command->status)) {
            if (message.command->status == STATUS_SUCCESS ||
                (enough && message.command->status == STATUS_CANCEL))
                return 0;
            return query_scu_failed(scu, "C-FIND", message.command, err);
        }
        if (enough) {
            if (++after_cancel > AFTER_CANCEL)
                return err_set(err, ERR_INPUT, "%s: C-FIND: goes on after C-CANCEL",
                               scu_peer(scu)->name);
            continue;
        }
        status = give_answer(scu, context, &message, each, user, err);
        if (status < 0)
            return -1;
        enough = status > 0;
        if (enough && cancel(scu, context->id, request, err) < 0)
            return -1;
    }
}

int query_scu_request(struct scu *scu, enum query_level level, struct dataset *identifier,
                      query_scu_answer *each, void *user, struct err *err)
{
    /* As the levels are named in a request. */
    static const char *const names[] = {"PATIENT", "STUDY", "SERIES", "IMAGE"};
    const struct dcm_context *context = scu_context(scu, UID_FIND_STUDY, NULL);
    struct dimse_command request = {.field = DIMSE_C_FIND, .has_data = true};
    struct buf encoded = {0};
    int status;

    if (!context) /* an association has one of the two */
        context = scu_context(scu, UID_FIND_PATIENT, NULL);
    if (!context)
        return err_set(err, ERR_INPUT, "%s: takes no queries", scu_peer(scu)->name);
    dataset_put(identifier, TAG(0x0008, 0x0052), names[level]);
    dataset_choose_charset(identifier, NULL);
    dataset_write(identifier, context->transfer_syntax, &encoded);
    memcpy(request.class_uid, context->abstract_syntax, sizeof request.class_uid);
    request.message_id = scu_message_id(scu);
    status = scu_send(scu, context->id, &request, encoded.data, encoded.length, err);
    buf_free(&encoded);
    return status < 0 ? -1 : take_answers(scu, context, &request, each, user, err);
}
