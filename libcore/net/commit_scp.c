/*
 * See commit_scp.h.
 */
#include "net/commit_scp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "dicom/dataset.h"
#include "dicom/uid.h"
#include "net/pdu.h"
#include "net/scu.h"
#include "net/store_check.h"
#include "state/state.h"

#define TAG_CLASS       TAG(0x0008, 0x1150)
#define TAG_INSTANCE    TAG(0x0008, 0x1155)
#define TAG_TRANSACTION TAG(0x0008, 0x1195)
#define TAG_REASON      TAG(0x0008, 0x1197)
#define TAG_FAILED      TAG(0x0008, 0x1198)
#define TAG_REFERENCED  TAG(0x0008, 0x1199)
#define TAG_RETRIEVE_AE TAG(0x0008, 0x0054)

#define ACTION_REQUEST 1
#define EVENT_ALL      1
#define EVENT_FAILURES 2

/* PS3.7 annex C. */
#define STATUS_INVALID_ARGUMENT 0x0115
#define STATUS_NO_SUCH_ACTION   0x0123
#define STATUS_PROCESSING       0x0110

#define LEASE_MS     (10 * 60 * 1000LL) /* longer than any report takes */
#define FIRST_WAIT   (30 * 1000LL)
#define LONGEST_WAIT (60 * 60 * 1000LL)
#define GIVE_UP_MS   (30 * 24 * 60 * 60 * 1000LL)

/* ---- the report ---- */

static bool copy_text(const struct dataset *from, tag_t tag, struct buf *text)
{
    buf_clear(text);
    return dataset_text(from, tag, text);
}

/* One of the items: into the list of what is safe, or of what is not, with the reason. */
static void judge(struct store_check *check, const struct dataset *item, struct dataset *report,
                  struct buf *class_uid, struct buf *instance_uid)
{
    struct dataset *said;
    unsigned reason;
    char number[12];

    copy_text(item, TAG_CLASS, class_uid);
    copy_text(item, TAG_INSTANCE, instance_uid);
    reason = store_check_object(check, buf_text(class_uid), buf_text(instance_uid));
    said = dataset_add_item(report, reason ? TAG_FAILED : TAG_REFERENCED);
    dataset_put(said, TAG_CLASS, buf_text(class_uid));
    dataset_put(said, TAG_INSTANCE, buf_text(instance_uid));
    if (reason) {
        snprintf(number, sizeof number, "%u", reason);
        dataset_put(said, TAG_REASON, number);
    }
}

/* The event information for a request: PS3.4 table J.3-2. NULL when the archive cannot be looked into. */
static struct dataset *make_report(struct archive *archive, const struct dataset *request,
                                   const char *aet, struct err *err)
{
    struct store_check *check = store_check_new(archive, err);
    struct dataset *report;
    struct buf one = {0}, other = {0};

    if (!check)
        return NULL;
    report = dataset_new();
    copy_text(request, TAG_TRANSACTION, &one);
    dataset_put(report, TAG_TRANSACTION, buf_text(&one));
    dataset_put(report, TAG_RETRIEVE_AE, aet);
    for (size_t i = 0; i < dataset_items(request, TAG_REFERENCED); i++)
        judge(check, dataset_item(request, TAG_REFERENCED, i), report, &one, &other);
    buf_free(&one);
    buf_free(&other);
    store_check_free(check);
    return report;
}

/* N-EVENT-REPORT and its answer, on a context of the service. */
static int send_report(struct dialogue *dialogue, const struct dcm_context *context,
                       uint16_t message_id, const struct dataset *report, struct err *err)
{
    struct dimse_command event = {
        .field = DIMSE_N_EVENT_REPORT,
        .message_id = message_id,
        .action = dataset_items(report, TAG_FAILED) ? EVENT_FAILURES : EVENT_ALL,
        .has_data = true,
        .class_uid = UID_COMMITMENT,
        .instance_uid = UID_COMMITMENT_INSTANCE,
    };
    struct message answer;
    struct buf encoded = {0};
    int status;

    dataset_write(report, context->transfer_syntax, &encoded);
    status = dialogue_send(dialogue, context->id, &event, encoded.data, encoded.length, err);
    buf_free(&encoded);
    if (status < 0 || dialogue_receive(dialogue, &answer, NULL, err) < 0)
        return -1;
    if (answer.command->field != (DIMSE_N_EVENT_REPORT | DIMSE_RESPONSE))
        return err_set(err, ERR_INPUT, "answered something else than N-EVENT-REPORT");
    if (answer.command->status != STATUS_SUCCESS)
        return err_set(err, ERR_FAILED, "answered N-EVENT-REPORT with status %04x",
                       answer.command->status);
    return 0;
}

/* ---- the request ---- */

/* What makes a request one: a transaction, and something that it is about. */
static int check_request(const struct dataset *request, struct buf *transaction, struct err *err)
{
    size_t count = dataset_items(request, TAG_REFERENCED);
    struct buf uid = {0};
    int status = 0;

    if (!copy_text(request, TAG_TRANSACTION, transaction) ||
        !uid_valid(buf_text(transaction), transaction->length))
        return err_set(err, ERR_INPUT, "Transaction UID is missing, or is no UID");
    if (count == 0)
        return err_set(err, ERR_INPUT, "Referenced SOP Sequence is missing or empty");
    for (size_t i = 0; i < count && status == 0; i++) {
        const struct dataset *item = dataset_item(request, TAG_REFERENCED, i);

        if (!copy_text(item, TAG_CLASS, &uid) || !uid_valid(buf_text(&uid), uid.length) ||
            !copy_text(item, TAG_INSTANCE, &uid) || !uid_valid(buf_text(&uid), uid.length))
            status = err_set(err, ERR_INPUT, "Referenced SOP Sequence, item %zu: no UIDs", i + 1);
    }
    buf_free(&uid);
    return status;
}

static int answer(struct dialogue *dialogue, const struct dimse_command *request,
                  uint8_t context_id, uint16_t status, const char *comment, struct err *err)
{
    struct dimse_command response;

    dimse_answer(request, status, comment, &response);
    return dialogue_send(dialogue, context_id, &response, NULL, 0, err);
}

static int keep_request(const struct commit_scp_options *options, const struct dataset *request,
                        const char *transaction, int64_t *id, struct err *err)
{
    struct state *state = state_open(archive_path(options->archive), err);
    struct buf encoded = {0};
    int status;

    if (!state)
        return -1;
    dataset_write(request, UID_EXPLICIT_LE, &encoded);
    struct commitment commitment = {
        .transaction_uid = transaction,
        .calling_aet = options->calling_aet,
        .called_aet = options->called_aet,
        .request = encoded.data,
        .length = encoded.length,
        .created_ms = wall_ms(),
    };
    status = state_commitment_add(state, &commitment, err);
    *id = commitment.id;
    buf_free(&encoded);
    state_close(state);
    return status;
}

/* Nobody knows where this peer listens: now or never. */
static int report_here(struct dialogue *dialogue, const struct dcm_context *context,
                       uint16_t message_id, const struct dataset *request,
                       const struct commit_scp_options *options, int64_t id, struct err *err)
{
    struct state *state;
    struct dataset *report = make_report(options->archive, request, options->called_aet, err);
    int status = -1;

    if (report)
        status = send_report(dialogue, context, message_id, report, err);
    dataset_free(report);
    if (status < 0)
        log_error("%s: storage commitment not reported, and pacs.conf knows no peer with AE title "
                  "\"%s\" to try again with: %s",
                  options->peer, options->calling_aet, err->text);
    state = state_open(archive_path(options->archive), err);
    if (!state || state_commitment_done(state, id, err) < 0)
        log_error("%s", err->text);
    state_close(state);
    return status < 0 && (dialogue->broken || dialogue->released) ? -1 : 0;
}

int commit_scp_action(struct dialogue *dialogue, const struct message *request,
                      const struct commit_scp_options *options, struct err *err)
{
    const struct dcm_context *context = dialogue_context(dialogue, request->context_id);
    const struct dimse_command command = *request->command;
    struct buf transaction = {0};
    struct err why = {0};
    struct dataset *information = NULL;
    uint16_t status = STATUS_INVALID_ARGUMENT;
    int64_t id = 0;
    int result;

    if (command.action != ACTION_REQUEST) {
        err_set(&why, ERR_INPUT, "no such action");
        status = STATUS_NO_SUCH_ACTION;
    } else if (!request->data) {
        err_set(&why, ERR_INPUT, "no action information");
    } else {
        information = dataset_parse(request->data, request->length, context->transfer_syntax, &why);
        if (information && check_request(information, &transaction, &why) == 0) {
            status = keep_request(options, information, buf_text(&transaction), &id, &why) == 0
                         ? STATUS_SUCCESS
                     : why.code == ERR_NOSPACE ? 0x0213 /* resource limitation */
                                               : STATUS_PROCESSING;
        }
    }
    if (status != STATUS_SUCCESS)
        log_error("%s: storage commitment refused: %s", options->peer, why.text);
    result = answer(dialogue, &command, context->id, status,
                    status == STATUS_SUCCESS ? NULL : why.text, err);
    if (result == 0 && status == STATUS_SUCCESS &&
        !peers_by_aet(options->peers, options->calling_aet))
        result = report_here(dialogue, context, (uint16_t)(command.message_id + 1), information,
                             options, id, err);
    dataset_free(information);
    buf_free(&transaction);
    return result;
}

/* ---- later, on an association of our own ---- */

static int report_to(struct archive *archive, const struct peer *peer, struct dcm_tls *tls,
                     const struct commitment *commitment, struct err *err)
{
    static const char *const syntaxes[] = {UID_EXPLICIT_LE, UID_IMPLICIT_LE};
    /* We are the provider, and ask for the association: PS3.4 J.3.3. */
    const struct dcm_request_context proposed = {UID_COMMITMENT, syntaxes, 2, true};
    struct peer called = *peer;
    struct dataset *request =
        dataset_parse(commitment->request, commitment->length, UID_EXPLICIT_LE, err);
    struct dataset *report = NULL;
    struct scu *scu = NULL;
    const struct dcm_context *context;
    int status = -1;

    called.calling_aet = (char *)commitment->called_aet;
    if (request)
        report = make_report(archive, request, commitment->called_aet, err);
    if (report)
        scu = scu_open(
            &(struct scu_options){.peer = &called, .contexts = &proposed, .count = 1, .tls = tls},
            err);
    context = scu ? scu_context(scu, UID_COMMITMENT, NULL) : NULL;
    if (scu && !context)
        err_set(err, ERR_INPUT, "%s: takes no storage commitment reports", peer->name);
    if (context)
        status = send_report(scu_dialogue(scu), context, scu_message_id(scu), report, err);
    if (status == 0)
        scu_close(scu);
    else
        scu_abort(scu);
    dataset_free(report);
    dataset_free(request);
    return status;
}

static int64_t next_wait(int tries)
{
    int64_t wait = FIRST_WAIT;

    while (tries-- > 0 && wait < LONGEST_WAIT)
        wait *= 2;
    return wait < LONGEST_WAIT ? wait : LONGEST_WAIT;
}

static int deliver_one(struct state *state, struct archive *archive, struct peers *peers,
                       struct commitment *commitment, struct err *err)
{
    const struct peer *peer = peers_by_aet(peers, commitment->calling_aet);
    struct dcm_tls *tls = NULL;
    struct err why = {0};
    int64_t now = wall_ms();
    int status = -1;

    if (!peer)
        err_set(&why, ERR_NOTFOUND, "pacs.conf knows no peer with AE title \"%s\"",
                commitment->calling_aet);
    else if (scu_tls(peers, &peer, 1, &tls, &why) == 0)
        status = report_to(archive, peer, tls, commitment, &why);
    dcm_tls_free(tls);
    if (status == 0) {
        log_info("%s: storage commitment %s reported", peer->name, commitment->transaction_uid);
        return state_commitment_done(state, commitment->id, err);
    }
    if (now - commitment->created_ms > GIVE_UP_MS) {
        log_error("storage commitment %s for %s: given up after 30 days: %s",
                  commitment->transaction_uid, commitment->calling_aet, why.text);
        return state_commitment_done(state, commitment->id, err);
    }
    log_error("storage commitment %s for %s: %s; trying again later", commitment->transaction_uid,
              commitment->calling_aet, why.text);
    return state_commitment_later(state, commitment->id, now + next_wait(commitment->tries),
                                  why.text, err);
}

int64_t commit_deliver(struct archive *archive, struct peers *peers, struct err *err)
{
    struct commitment commitment;
    struct state *state;
    int64_t waiting;
    int found = 1, status = 0;

    if (faccessat(store_root(archive_store(archive)), "state.db", F_OK, 0) < 0)
        return errno == ENOENT ? 0 : err_sys(err, "state.db");
    state = state_open(archive_path(archive), err);
    if (!state)
        return -1;
    while (found > 0 && status == 0) {
        found = state_commitment_take(state, wall_ms(), LEASE_MS, &commitment, err);
        if (found > 0)
            status = deliver_one(state, archive, peers, &commitment, err);
    }
    waiting = found < 0 || status < 0 ? -1 : state_commitments(state, err);
    state_close(state);
    return waiting;
}
