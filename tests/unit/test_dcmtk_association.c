/*
 * libcore/dcmtk/association: what is accepted, refused and rejected, and that no peer can make the
 * negotiation crash, hang or grow. The peer is this test, byte by byte, over a pair of sockets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "dcmtk/association.h"
#include "net/pdu.h"

#define CT       "1.2.840.10008.5.1.4.1.1.2"
#define MR       "1.2.840.10008.5.1.4.1.1.4"
#define IMPLICIT "1.2.840.10008.1.2"
#define EXPLICIT "1.2.840.10008.1.2.1"

/* DCMTK 3.6.7 forgets parts of requests that it refuses; a worker ends soon after. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libdcmnet";
}

/* ---- requests ---- */

static void put_item(struct buf *out, uint8_t type, const void *value, size_t length)
{
    const uint8_t head[] = {type, 0, (uint8_t)(length >> 8), (uint8_t)length};

    buf_add(out, head, sizeof head);
    buf_add(out, value, length);
}

static void put_context(struct buf *items, uint8_t id, const char *abstract, const char *first,
                        const char *second)
{
    const uint8_t start[] = {id, 0, 0, 0};
    struct buf context = {0};

    buf_add(&context, start, sizeof start);
    put_item(&context, 0x30, abstract, strlen(abstract));
    put_item(&context, 0x40, first, strlen(first));
    if (second)
        put_item(&context, 0x40, second, strlen(second));
    put_item(items, 0x20, context.data, context.length);
    buf_free(&context);
}

static void put_request(struct buf *out, const char *application, const struct buf *contexts)
{
    static const char fixed[68] = "\0\1\0\0PACS            ME              ";
    struct buf items = {0}, user = {0};

    put_item(&items, 0x10, application, strlen(application));
    buf_add(&items, contexts->data, contexts->length);
    put_item(&user, 0x51, "\0\0\x40\0", 4);
    put_item(&user, 0x52, "1.2.3", 5);
    put_item(&user, 0x53, "\0\1\0\1", 4);          /* asynchronous operations */
    put_item(&user, 0x54, "\0\x19" CT "\1\1", 29); /* role selection */
    put_item(&user, 0x55, "SOMEONE", 7);
    put_item(&user, 0x56, "\0\x19" CT "\1\1\1", 30); /* extended negotiation */
    put_item(&user, 0x58,
             "\2\1\0\3"
             "abc"
             "\0\2"
             "de",
             11); /* user identity */
    put_item(&items, 0x50, user.data, user.length);
    const size_t length = sizeof fixed + items.length;
    const uint8_t head[] = {
        1, 0, 0, (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length};
    buf_add(out, head, sizeof head);
    buf_add(out, fixed, sizeof fixed);
    buf_add(out, items.data, items.length);
    buf_free(&items);
    buf_free(&user);
}

static void usual_request(struct buf *out)
{
    struct buf contexts = {0};

    put_context(&contexts, 1, CT, IMPLICIT, EXPLICIT);
    put_context(&contexts, 3, MR, "1.2.3.4.5", NULL);
    put_context(&contexts, 5, "1.2.3", IMPLICIT, NULL);
    put_context(&contexts, 255, MR, EXPLICIT, NULL);
    put_request(out, "1.2.840.10008.3.1.1.1", &contexts);
    buf_free(&contexts);
}

/* ---- our side ---- */

static const char *refusal;
static enum dcm_reject refusal_code;

static const char *admit(void *context, const char *calling, const char *called,
                         enum dcm_reject *reject)
{
    assert_ptr_equal(context, &refusal);
    assert_true(strlen(calling) <= 16 && strlen(called) <= 16);
    *reject = refusal_code;
    return refusal;
}

/* CT and MR, in the first syntax that begins as the standard's do. */
static int choose(void *context, const struct dcm_proposal *proposal)
{
    assert_ptr_equal(context, &refusal);
    if (strcmp(proposal->abstract_syntax, CT) != 0 && strcmp(proposal->abstract_syntax, MR) != 0)
        return -1;
    for (size_t i = 0; i < proposal->count; i++)
        if (strncmp(proposal->transfer_syntaxes[i], IMPLICIT, strlen(IMPLICIT)) == 0)
            return (int)i;
    return -2;
}

static const struct dcm_accept_options options = {
    .max_pdu = 131072,
    .timeout_ms = 5000,
    .check = pdu_check_request,
    .admit = admit,
    .choose = choose,
    .context = &refusal,
};

/* Accepts what the peer has sent; `ends`: the peer sends nothing more. `peer` stays open to read from. */
static struct dcm_association *take(const void *bytes, size_t length, bool ends, int *peer,
                                    struct err *err)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], bytes, length), length);
    if (ends)
        shutdown(pair[1], SHUT_WR);
    *peer = pair[1];
    return dcm_accept(pair[0], &options, err);
}

static size_t answer(int peer, uint8_t *bytes, size_t room)
{
    size_t length = 0;

    for (ssize_t got; (got = recv(peer, bytes + length, room - length, MSG_DONTWAIT)) > 0;)
        length += (size_t)got;
    return length;
}

/* ---- */

static void contexts_are_judged_one_by_one(void **state)
{
    struct buf request = {0};
    struct err err;
    uint8_t bytes[8192];
    size_t count;
    int peer;

    (void)state;
    usual_request(&request);
    struct dcm_association *a = take(request.data, request.length, false, &peer, &err);
    assert_non_null(a);
    assert_string_equal(dcm_calling_aet(a), "ME");
    assert_string_equal(dcm_called_aet(a), "PACS");
    assert_int_equal(dcm_peer_max_pdu(a), 0x4000);
    const struct dcm_context *contexts = dcm_contexts(a, &count);
    assert_int_equal(count, 2);
    assert_int_equal(contexts[0].id, 1);
    assert_string_equal(contexts[0].abstract_syntax, CT);
    assert_string_equal(contexts[0].transfer_syntax, IMPLICIT);
    assert_int_equal(contexts[1].id, 255);
    assert_string_equal(contexts[1].transfer_syntax, EXPLICIT);

    size_t length = answer(peer, bytes, sizeof bytes);
    assert_int_equal(bytes[0], 2);
    assert_int_equal(bytes[4] << 8 | bytes[5], length - 6);
    /* The results, in the items 21H of the answer; and what it says of us. */
    assert_non_null(memmem(bytes, length, "\x21\0\0\x19\1\0\0\0", 8));
    assert_non_null(memmem(bytes, length, "\x21\0\0\x19\3\0\4\0", 8));
    assert_non_null(memmem(bytes, length, "\x21\0\0\x19\5\0\3\0", 8));
    assert_non_null(memmem(bytes, length, "\x21\0\0\x1b\xff\0\0\0", 8));
    assert_non_null(memmem(bytes, length, "\x51\0\0\4\0\2\0\0", 8));
    assert_non_null(memmem(bytes, length, "PACSUTILS", 9));
    /* What was not offered by us: no asynchronous operations. */
    assert_null(memmem(bytes, length, "\x53\0\0\4", 4));
    dcm_close(a, 0);
    assert_int_equal(read(peer, bytes, 1), 0);
    close(peer);
    buf_free(&request);
}

static void odd_numbers_of_contexts(void **state)
{
    struct buf request = {0}, contexts = {0};
    struct err err;
    uint8_t bytes[8192];
    size_t count;
    int peer;

    (void)state;
    put_context(&contexts, 2, CT, IMPLICIT, NULL); /* even: refused */
    put_context(&contexts, 3, CT, IMPLICIT, NULL);
    put_context(&contexts, 3, MR, EXPLICIT, NULL); /* the number again: the first counts */
    put_context(&contexts, 5, CT, EXPLICIT, NULL); /* one class in several contexts is usual */
    put_request(&request, "1.2.840.10008.3.1.1.1", &contexts);
    struct dcm_association *a = take(request.data, request.length, false, &peer, &err);
    assert_non_null(a);
    const struct dcm_context *accepted = dcm_contexts(a, &count);
    assert_int_equal(count, 2);
    assert_int_equal(accepted[0].id, 3);
    assert_string_equal(accepted[0].abstract_syntax, CT);
    assert_int_equal(accepted[1].id, 5);
    size_t length = answer(peer, bytes, sizeof bytes);
    assert_non_null(memmem(bytes, length, "\x21\0\0\x19\2\0\2\0", 8));
    dcm_close(a, 0);
    close(peer);
    buf_free(&request);
    buf_free(&contexts);
}

static void most_contexts_with_many_syntaxes(void **state)
{
    struct buf request = {0}, contexts = {0};
    struct err err;
    size_t count;
    int peer;

    (void)state;
    for (int id = 1; id < 256; id += 2) {
        const uint8_t start[] = {(uint8_t)id, 0, 0, 0};
        struct buf context = {0};
        buf_add(&context, start, sizeof start);
        put_item(&context, 0x30, CT, strlen(CT));
        for (int i = 0; i < 60; i++) /* more than DCMTK's own way of looking at them holds */
            put_item(&context, 0x40, "1.2.3", 5);
        put_item(&context, 0x40, EXPLICIT, strlen(EXPLICIT));
        put_item(&contexts, 0x20, context.data, context.length);
        buf_free(&context);
    }
    put_request(&request, "1.2.840.10008.3.1.1.1", &contexts);
    struct dcm_association *a = take(request.data, request.length, false, &peer, &err);
    assert_non_null(a);
    const struct dcm_context *accepted = dcm_contexts(a, &count);
    assert_int_equal(count, 128);
    assert_string_equal(accepted[127].transfer_syntax, EXPLICIT);
    dcm_close(a, 0);
    close(peer);
    buf_free(&request);
    buf_free(&contexts);
}

static void rejections(void **state)
{
    static const struct {
        enum dcm_reject code;
        uint8_t result, source, reason;
    } all[] = {
        {DCM_REJECT_CALLED_AE, 1, 1, 7}, {DCM_REJECT_CALLING_AE, 1, 1, 3},
        {DCM_REJECT_LIMIT, 2, 3, 2},     {DCM_REJECT_CONGESTION, 2, 3, 1},
        {DCM_REJECT_NO_REASON, 1, 1, 1},
    };
    struct buf request = {0};
    struct err err;
    uint8_t bytes[64];
    int peer;

    (void)state;
    usual_request(&request);
    refusal = "because";
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const uint8_t expected[] = {
            3, 0, 0, 0, 0, 4, 0, all[i].result, all[i].source, all[i].reason};
        refusal_code = all[i].code;
        assert_null(take(request.data, request.length, true, &peer, &err));
        assert_string_equal(err.text, "ME calling PACS: rejected: because");
        assert_int_equal(answer(peer, bytes, sizeof bytes), 10);
        assert_memory_equal(bytes, expected, 10);
        close(peer);
    }
    refusal = NULL;
    buf_free(&request);
}

static void another_application_context(void **state)
{
    struct buf request = {0}, contexts = {0};
    struct err err;
    uint8_t bytes[64];
    int peer;

    (void)state;
    put_context(&contexts, 1, CT, IMPLICIT, NULL);
    put_request(&request, "1.2.840.10008.3.1.1.2", &contexts);
    assert_null(take(request.data, request.length, true, &peer, &err));
    assert_int_equal(answer(peer, bytes, sizeof bytes), 10);
    assert_memory_equal(bytes, "\3\0\0\0\0\4\0\1\1\2", 10);
    close(peer);
    buf_free(&request);
    buf_free(&contexts);
}

static void garbage_is_answered_with_an_abort(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        uint8_t reason;
    } all[] = {
        {"GET / HTTP/1.0\r\n\r\n", 18, PDU_REASON_UNRECOGNIZED_PDU},
        {"\1\0\xff\xff\xff\xff....", 10, PDU_REASON_INVALID_PARAMETER},
        {"\1\0\0\0\0\1....", 10, PDU_REASON_INVALID_PARAMETER},
        {"\5\0\0\0\0\4\0\0\0\0", 10, PDU_REASON_UNEXPECTED_PDU},
        {"\4\0\0\0\0\6\0\0\0\2\1\3", 12, PDU_REASON_UNEXPECTED_PDU},
    };
    struct err err;
    uint8_t bytes[64];
    int peer;

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const uint8_t expected[] = {7, 0, 0, 0, 0, 4, 0, 0, 2, all[i].reason};
        assert_null(take(all[i].bytes, all[i].length, true, &peer, &err));
        assert_int_equal(err.code, ERR_INPUT);
        assert_int_equal(answer(peer, bytes, sizeof bytes), 10);
        assert_memory_equal(bytes, expected, 10);
        close(peer);
    }
}

static void a_request_cut_anywhere(void **state)
{
    struct buf request = {0};
    struct err err;
    int peer;

    (void)state;
    usual_request(&request);
    for (size_t length = 0; length < request.length; length++) {
        assert_null(take(request.data, length, true, &peer, &err));
        assert_int_equal(err.code, ERR_CLOSED);
        close(peer);
    }
    buf_free(&request);
}

static void a_request_with_any_byte_changed(void **state)
{
    struct buf request = {0};
    struct err err;
    int peer;

    (void)state;
    usual_request(&request);
    for (size_t i = 0; i < request.length; i++)
        for (int value = 1; value < 256; value += 36) {
            char kept = request.data[i];
            request.data[i] = (char)value;
            struct dcm_association *a = take(request.data, request.length, true, &peer, &err);
            if (!a)
                assert_true(err.code != ERR_NONE && err.text[0]);
            dcm_close(a, 0);
            close(peer);
            request.data[i] = kept;
        }
    buf_free(&request);
}

static void silence_ends(void **state)
{
    struct dcm_accept_options soon = options;
    struct buf request = {0};
    struct err err;
    int pair[2];

    (void)state;
    soon.timeout_ms = 30;
    usual_request(&request);
    for (size_t length = 0; length < request.length; length += 37) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        assert_int_equal(write(pair[1], request.data, length), length);
        assert_null(dcm_accept(pair[0], &soon, &err));
        assert_int_equal(err.code, ERR_TIMEOUT);
        close(pair[1]);
    }
    buf_free(&request);
}

/* The time is for the whole: a peer that sends a byte now and then does not stretch it. */
static void a_trickle_ends(void **state)
{
    struct dcm_accept_options soon = options;
    struct err err;
    int pair[2], status;

    (void)state;
    soon.timeout_ms = 100;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        close(pair[0]);
        for (size_t i = 0; write(pair[1], i == 0 || i == 4 ? "\1" : "\0", 1) == 1; i++)
            usleep(10000);
        _exit(errno == EPIPE || errno == ECONNRESET ? 0 : 1);
    }
    close(pair[1]);
    assert_null(dcm_accept(pair[0], &soon, &err));
    assert_int_equal(err.code, ERR_TIMEOUT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void on_signal(int number)
{
    (void)number;
}

static void a_signal_ends_the_wait(void **state)
{
    struct dcm_accept_options patient = options;
    struct sigaction action = {.sa_handler = on_signal};
    struct buf request = {0};
    struct err err;
    sigset_t blocked, waiting;
    uint8_t bytes[64];
    int pair[2], peer;

    (void)state;
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &waiting);
    patient.wait_mask = &waiting;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    raise(SIGUSR1);
    assert_null(dcm_accept(pair[0], &patient, &err));
    assert_int_equal(err.code, ERR_STOPPED);
    close(pair[1]);

    /* And inside an association. */
    usual_request(&request);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], request.data, request.length), request.length);
    peer = pair[1];
    struct dcm_association *a = dcm_accept(pair[0], &patient, &err);
    assert_non_null(a);
    raise(SIGUSR1);
    assert_int_equal(dcm_read(a, bytes, sizeof bytes, 5000, &err), -1);
    assert_int_equal(err.code, ERR_STOPPED);
    /* Bytes that are there come first. */
    raise(SIGUSR1);
    assert_int_equal(write(peer, "abc", 3), 3);
    assert_int_equal(dcm_read(a, bytes, sizeof bytes, 5000, &err), 3);
    sigprocmask(SIG_SETMASK, &waiting, NULL);
    dcm_close(a, 0);
    close(peer);
    buf_free(&request);
}

static void bytes_go_both_ways(void **state)
{
    struct buf request = {0};
    struct err err;
    uint8_t bytes[8192];
    int peer;

    (void)state;
    usual_request(&request);
    buf_adds(&request, "first"); /* behind the request in the same segment */
    struct dcm_association *a = take(request.data, request.length, false, &peer, &err);
    assert_non_null(a);
    assert_int_equal(dcm_read(a, bytes, sizeof bytes, 1000, &err), 5);
    assert_memory_equal(bytes, "first", 5);
    assert_int_equal(dcm_read(a, bytes, sizeof bytes, 20, &err), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    (void)answer(peer, bytes, sizeof bytes);
    assert_int_equal(dcm_write(a, "second", 6, 1000, &err), 0);
    assert_int_equal(answer(peer, bytes, sizeof bytes), 6);
    /* A peer that takes nothing. */
    static char much[8 << 20];
    assert_int_equal(dcm_write(a, much, sizeof much, 20, &err), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    close(peer);
    assert_int_equal(dcm_write(a, "third", 5, 1000, &err), -1);
    assert_int_equal(err.code, ERR_CLOSED);
    dcm_close(a, 50);
    dcm_close(NULL, 0);
    buf_free(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_are_judged_one_by_one),
        cmocka_unit_test(odd_numbers_of_contexts),
        cmocka_unit_test(most_contexts_with_many_syntaxes),
        cmocka_unit_test(rejections),
        cmocka_unit_test(another_application_context),
        cmocka_unit_test(garbage_is_answered_with_an_abort),
        cmocka_unit_test(a_request_cut_anywhere),
        cmocka_unit_test(a_request_with_any_byte_changed),
        cmocka_unit_test(silence_ends),
        cmocka_unit_test(a_trickle_ends),
        cmocka_unit_test(a_signal_ends_the_wait),
        cmocka_unit_test(bytes_go_both_ways),
    };

    dcm_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
