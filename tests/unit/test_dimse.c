/*
 * libcore/net/pdu, dimse, dimse_reader: command sets as the standard writes them; the reader gives the same
 * events however the stream is cut, and tells what is no DIMSE before it does harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "net/dimse.h"
#include "net/pdu.h"

/* A C-ECHO-RQ as in PS3.7 table 9.3-12, written by hand. */
static const uint8_t echo_set[] = {
    0,   0,   0,    0,   4,   0,   0,   0,   56,   0,   0,   0, /* (0000,0000) length of the rest */
    0,   0,   2,    0,   18,  0,   0,   0,   '1',  '.', '2', '.', '8',
    '4', '0', '.',  '1', '0', '0', '0', '8', '.',  '1', '.', '1', 0, /* (0000,0002) class */
    0,   0,   0,    1,   2,   0,   0,   0,   0x30, 0,                /* (0000,0100) C-ECHO-RQ */
    0,   0,   0x10, 1,   2,   0,   0,   0,   7,    0,                /* (0000,0110) message 7 */
    0,   0,   0,    8,   2,   0,   0,   0,   1,    1,                /* (0000,0800) no data set */
};

/* ---- streams, by hand ---- */

static void put_pdu(struct buf *out, uint8_t type, size_t length)
{
    const uint8_t head[] = {
        type,           0, (uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8),
        (uint8_t)length};

    buf_add(out, head, sizeof head);
}

static void put_pdv(struct buf *out, uint8_t context, uint8_t control, const void *bytes,
                    size_t length)
{
    const uint8_t head[] = {(uint8_t)((length + 2) >> 24),
                            (uint8_t)((length + 2) >> 16),
                            (uint8_t)((length + 2) >> 8),
                            (uint8_t)(length + 2),
                            context,
                            control};

    buf_add(out, head, sizeof head);
    if (length)
        buf_add(out, bytes, length);
}

static void put_one(struct buf *out, uint8_t context, uint8_t control, const void *bytes,
                    size_t length)
{
    put_pdu(out, PDU_DATA, length + 6);
    put_pdv(out, context, control, bytes, length);
}

static void store_set(struct buf *out, uint16_t id)
{
    struct buf pdus = {0};
    const struct dimse_command store = {.field = DIMSE_C_STORE,
                                        .message_id = id,
                                        .has_data = true,
                                        .class_uid = "1.2.840.10008.5.1.4.1.1.2",
                                        .instance_uid = "1.2.3.4"};

    dimse_put_command(&pdus, 1, &store, 0);
    buf_add(out, pdus.data + 12, pdus.length - 12);
    buf_free(&pdus);
}

/* ---- what the reader makes of a stream, in pieces of `piece` bytes, as text ---- */

static void tell_command(const struct dimse_reader *reader, struct buf *told)
{
    const struct dimse_command *command = dimse_command(reader);

    buf_addf(told, "[%u:%04x %u %s%s]", dimse_context_id(reader), command->field,
             command->message_id, command->instance_uid, command->has_data ? " +" : "");
}

static void read_stream(const struct buf *stream, size_t piece, size_t size, struct buf *told)
{
    struct dimse_reader *reader = dimse_reader_new(size);
    struct err err;
    size_t at = 0, room, length;

    buf_clear(told);
    dimse_reader_accept(reader, 1);
    dimse_reader_accept(reader, 3);
    for (;;) {
        const uint8_t *bytes;
        switch (dimse_next(reader, &err)) {
        case DIMSE_MORE: {
            void *space = dimse_space(reader, &room);
            assert_true(room > 0);
            size_t n = stream->length - at;
            n = n < piece ? n : piece;
            n = n < room ? n : room;
            if (n == 0) {
                buf_adds(told, dimse_inside(reader) ? "..." : ".");
                dimse_reader_free(reader);
                return;
            }
            memcpy(space, stream->data + at, n);
            dimse_filled(reader, n);
            at += n;
            break;
        }
        case DIMSE_COMMAND:
            tell_command(reader, told);
            break;
        case DIMSE_DATA:
            bytes = dimse_data(reader, &length);
            assert_true(length > 0);
            buf_add(told, bytes, length);
            break;
        case DIMSE_DATA_END:
            buf_adds(told, ";");
            break;
        case DIMSE_RELEASE:
            buf_adds(told, "<release>");
            break;
        case DIMSE_RELEASED:
            buf_adds(told, "<released>");
            break;
        case DIMSE_ABORT:
            buf_addf(told, "<abort %u %u>", dimse_abort_source(reader), dimse_abort_reason(reader));
            break;
        default:
            assert_true(err.code == ERR_INPUT && err.text[0]);
            buf_addf(told, "!%u", dimse_abort_reason(reader));
            assert_int_equal(dimse_next(reader, &err), DIMSE_BROKEN); /* and stays so */
            dimse_reader_free(reader);
            return;
        }
    }
}

/* In one piece, byte by byte, and in every size in between; with a large buffer and the smallest. */
static void reads_as(struct buf *stream, const char *expected)
{
    struct buf told = {0};

    for (size_t piece = 1; piece <= stream->length + 1; piece++) {
        read_stream(stream, piece, 4096, &told);
        assert_string_equal(buf_text(&told), expected);
        read_stream(stream, piece, 64, &told);
        assert_string_equal(buf_text(&told), expected);
    }
    buf_free(&told);
    buf_free(stream);
}

/* ---- command sets ---- */

static void a_command_set_is_parsed(void **state)
{
    struct dimse_command command;
    struct err err;

    (void)state;
    assert_int_equal(dimse_parse(echo_set, sizeof echo_set, &command, &err), 0);
    assert_int_equal(command.field, DIMSE_C_ECHO);
    assert_int_equal(command.message_id, 7);
    assert_string_equal(command.class_uid, "1.2.840.10008.1.1");
    assert_false(command.has_data);
    assert_false(command.cut);
}

static void a_command_set_cut_anywhere_is_none(void **state)
{
    struct dimse_command command;
    struct err err;

    (void)state;
    for (size_t length = 0; length < sizeof echo_set; length++) {
        uint8_t *exact = malloc(length ? length : 1); /* for the sanitizer to watch its end */
        memcpy(exact, echo_set, length);
        assert_int_equal(dimse_parse(exact, length, &command, &err), -1);
        free(exact);
    }
}

static void what_is_built_is_what_the_standard_says(void **state)
{
    const struct dimse_command echo = {
        .field = DIMSE_C_ECHO, .message_id = 7, .class_uid = "1.2.840.10008.1.1"};
    struct buf out = {0};

    (void)state;
    dimse_put_command(&out, 5, &echo, 16384);
    assert_int_equal(out.length, 12 + sizeof echo_set);
    assert_memory_equal(out.data,
                        "\x04\x00\x00\x00\x00\x4a"  /* P-DATA, 74 bytes */
                        "\x00\x00\x00\x46\x05\x03", /* PDV, 70 bytes, context 5, last command */
                        12);
    assert_memory_equal(out.data + 12, echo_set, sizeof echo_set);
    buf_free(&out);
}

static void an_answer_says_what_it_answers(void **state)
{
    struct dimse_command request = {.field = DIMSE_C_STORE,
                                    .message_id = 0xfffe,
                                    .has_data = true,
                                    .class_uid = "1.2",
                                    .instance_uid = "1.2.3"};
    struct dimse_command answer, read;
    struct buf out = {0};
    char comment[200];
    struct err err;

    (void)state;
    memset(comment, 'x', sizeof comment);
    memcpy(comment, "a\\b\n\xc3\xa9", 6);
    comment[sizeof comment - 1] = 0;
    dimse_answer(&request, STATUS_OUT_OF_RESOURCES, comment, &answer);
    dimse_put_command(&out, 1, &answer, 0);
    assert_int_equal(dimse_parse((const uint8_t *)out.data + 12, out.length - 12, &read, &err), 0);
    assert_int_equal(read.field, 0x8001);
    assert_int_equal(read.message_id, 0xfffe);
    assert_int_equal(read.status, 0xA700);
    assert_false(read.has_data);
    assert_string_equal(read.class_uid, "1.2");
    assert_string_equal(read.instance_uid, "1.2.3");
    assert_int_equal(strlen(read.comment), 64);
    assert_memory_equal(read.comment, "a/b???xxx", 9);
    buf_free(&out);
}

static void long_and_odd_texts_are_cut_and_said_to_be(void **state)
{
    struct dimse_command command;
    struct buf set = {0};
    struct err err;
    uint8_t *at;

    (void)state;
    buf_add(&set, echo_set, sizeof echo_set);
    buf_add(&set, "\0\0\0\x10\xd0\7\0\0", 8); /* (0000,1000), 2000 bytes */
    at = (uint8_t *)buf_reserve(&set, 2000);
    memset(at, '1', 2000);
    set.length += 2000;
    assert_int_equal(dimse_parse((uint8_t *)set.data, set.length, &command, &err), 0);
    assert_int_equal(strlen(command.instance_uid), 64);
    assert_true(command.cut);
    /* A NUL inside ends nothing; padding of any sort goes. */
    buf_clear(&set);
    buf_add(&set, echo_set, sizeof echo_set);
    buf_add(&set, "\0\0\0\x10\x0a\0\0\0  1.2\0003 \0 ", 18);
    assert_int_equal(dimse_parse((uint8_t *)set.data, set.length, &command, &err), 0);
    assert_string_equal(command.instance_uid, "1.2?3");
    /* A number of a wrong length is none. */
    buf_clear(&set);
    buf_add(&set, echo_set, sizeof echo_set);
    buf_add(&set, "\0\0\0\7\4\0\0\0\1\1\1\1", 12);
    assert_int_equal(dimse_parse((uint8_t *)set.data, set.length, &command, &err), 0);
    assert_int_equal(command.priority, 0);
    buf_free(&set);
}

static void a_small_peer_gets_small_pdus(void **state)
{
    const struct dimse_command echo = {
        .field = DIMSE_C_ECHO, .message_id = 7, .class_uid = "1.2.840.10008.1.1"};

    (void)state;
    for (uint32_t most = 1; most < 90; most++) {
        struct buf out = {0};
        dimse_put_command(&out, 1, &echo, most);
        uint32_t first = (uint8_t)out.data[5];
        assert_true(first <= (most < 7 ? 7 : most));
        reads_as(&out, "[1:0030 7 ].");
    }
}

/* ---- the reader ---- */

static void messages_follow_one_another(void **state)
{
    struct buf stream = {0}, set = {0};

    (void)state;
    store_set(&set, 1);
    put_one(&stream, 1, 3, set.data, set.length);
    put_one(&stream, 1, 0, "some ", 5);
    put_one(&stream, 1, 2, "bytes", 5);
    put_one(&stream, 3, 3, echo_set, sizeof echo_set);
    put_pdu(&stream, PDU_RELEASE_RQ, 4);
    buf_add(&stream, "\0\0\0\0", 4);
    buf_free(&set);
    reads_as(&stream, "[1:0001 1 1.2.3.4 +]some bytes;[3:0030 7 ]<release>.");
}

static void pdvs_of_every_shape(void **state)
{
    struct buf stream = {0}, set = {0};

    (void)state;
    store_set(&set, 2);
    /* Command in three fragments, the first of one byte, one of them empty; data in the same PDU. */
    put_pdu(&stream, PDU_DATA, 6 * 6 + set.length + 3);
    put_pdv(&stream, 1, 1, set.data, 1);
    put_pdv(&stream, 1, 1, NULL, 0);
    put_pdv(&stream, 1, 3, set.data + 1, set.length - 1);
    put_pdv(&stream, 1, 0, "a", 1);
    put_pdv(&stream, 1, 0, NULL, 0);
    put_pdv(&stream, 1, 0, "bc", 2);
    /* The end alone. */
    put_one(&stream, 1, 2, NULL, 0);
    /* A data set without a byte. */
    put_one(&stream, 1, 3, set.data, set.length);
    put_one(&stream, 1, 2, NULL, 0);
    /* Control bits that the standard does not know are passed over. */
    put_one(&stream, 1, 0xf3, set.data, set.length);
    put_one(&stream, 1, 0xf2, "x", 1);
    buf_free(&set);
    reads_as(&stream, "[1:0001 2 1.2.3.4 +]abc;[1:0001 2 1.2.3.4 +];[1:0001 2 1.2.3.4 +]x;.");
}

static void an_end_in_the_middle_is_seen(void **state)
{
    struct buf stream = {0}, set = {0};

    (void)state;
    store_set(&set, 2);
    put_one(&stream, 1, 3, set.data, set.length);
    put_one(&stream, 1, 0, "abc", 3);
    buf_free(&set);
    reads_as(&stream, "[1:0001 2 1.2.3.4 +]abc...");
}

static void releases_and_aborts(void **state)
{
    struct buf stream = {0};

    (void)state;
    put_pdu(&stream, PDU_RELEASE_RP, 4);
    buf_add(&stream, "\0\0\0\0", 4);
    put_pdu(&stream, PDU_ABORT, 4);
    buf_add(&stream, "\0\0\2\6", 4);
    reads_as(&stream, "<released><abort 2 6>.");
    pdu_put_abort(&stream, PDU_ABORT_PROVIDER, PDU_REASON_UNEXPECTED_PDU);
    pdu_put_release_rp(&stream);
    reads_as(&stream, "<abort 2 2><released>.");
}

#define BROKEN(expected, ...)          \
    do {                               \
        struct buf stream_ = {0};      \
        struct buf *stream = &stream_; \
        __VA_ARGS__;                   \
        reads_as(stream, expected);    \
    } while (0)

static void lengths_that_lie(void **state)
{
    (void)state;
    /* PDV longer than its PDU, by one and by all; shorter than its own head; nothing in the PDU. */
    BROKEN("!6", put_pdu(stream, PDU_DATA, 10), buf_add(stream, "\0\0\0\7\1\3abcdef", 12));
    BROKEN("!6", put_pdu(stream, PDU_DATA, 10), buf_add(stream, "\xff\xff\xff\xff\1\3abcd", 10));
    BROKEN("!6", put_pdu(stream, PDU_DATA, 10), buf_add(stream, "\0\0\0\1\1\3abcd", 10));
    BROKEN("!6", put_pdu(stream, PDU_DATA, 10), buf_add(stream, "\0\0\0\0\1\3abcd", 10));
    BROKEN("!6", put_pdu(stream, PDU_DATA, 0), buf_add(stream, "abcdef", 6));
    BROKEN("!6", put_pdu(stream, PDU_DATA, 5), buf_add(stream, "abcdef", 6));
    BROKEN("!6", put_pdu(stream, PDU_DATA, 0xffffffff), buf_add(stream, "abcdef", 6));
    /* Bytes behind the last PDV. */
    BROKEN("[1:0030 7 ]!6", put_pdu(stream, PDU_DATA, sizeof echo_set + 6 + 3),
           put_pdv(stream, 1, 3, echo_set, sizeof echo_set), buf_add(stream, "abcdef", 6));
    /* Bytes behind an object: it is cut short, and not taken for whole. */
    struct buf set = {0};
    store_set(&set, 1);
    BROKEN("[1:0001 1 1.2.3.4 +]ab!5", put_one(stream, 1, 3, set.data, set.length),
           put_pdu(stream, PDU_DATA, 6 + 2 + 6 + 1), put_pdv(stream, 1, 2, "ab", 2),
           put_pdv(stream, 1, 2, "c", 1));
    buf_free(&set);
    /* A release of a gigabyte, and of nothing. */
    BROKEN("!6", put_pdu(stream, PDU_RELEASE_RQ, 1 << 30), buf_add(stream, "abcdef", 6));
    BROKEN("!6", put_pdu(stream, PDU_ABORT, 0), buf_add(stream, "abcdef", 6));
}

static void messages_that_are_none(void **state)
{
    struct buf set = {0};

    (void)state;
    store_set(&set, 3);
    /* Data before a command, and after a command that has none. */
    BROKEN("!5", put_one(stream, 1, 2, "abc", 3));
    BROKEN("[1:0030 7 ]!5", put_one(stream, 1, 3, echo_set, sizeof echo_set),
           put_one(stream, 1, 2, "abc", 3));
    /* A command inside a command's data set. */
    BROKEN("[1:0001 3 1.2.3.4 +]ab!5", put_one(stream, 1, 3, set.data, set.length),
           put_one(stream, 1, 0, "ab", 2), put_one(stream, 1, 3, echo_set, sizeof echo_set));
    /* Contexts: one that was not accepted; a change inside a message, of command or data. */
    BROKEN("!6", put_one(stream, 5, 3, echo_set, sizeof echo_set));
    BROKEN("[1:0001 3 1.2.3.4 +]!6", put_one(stream, 1, 3, set.data, set.length),
           put_one(stream, 3, 2, "abc", 3));
    BROKEN("!6", put_one(stream, 1, 1, echo_set, 10), put_one(stream, 3, 3, echo_set + 10, 10));
    /* A command set that is none, or none that is needed. */
    BROKEN("!6", put_one(stream, 1, 3, "abcdefghijkl", 12));
    BROKEN("!6", put_one(stream, 1, 3, NULL, 0));
    BROKEN("!6", put_one(stream, 1, 3, echo_set, sizeof echo_set - 10));
    /* PDUs that have no place here, and that there are not. */
    BROKEN("!2", put_pdu(stream, PDU_ASSOCIATE_RQ, 100), buf_add(stream, "abcdef", 6));
    BROKEN("!2", put_pdu(stream, PDU_ASSOCIATE_RJ, 4), buf_add(stream, "abcdef", 6));
    BROKEN("!1", buf_adds(stream, "GET / HTTP/1.0\r\n\r\n"));
    BROKEN("!1", put_pdu(stream, 0, 4), buf_add(stream, "abcdef", 6));
    buf_free(&set);
}

static void a_command_set_has_an_end(void **state)
{
    struct buf stream = {0}, told = {0};
    static const char zeros[4000];

    (void)state;
    for (size_t sent = 0; sent <= DIMSE_COMMAND_MAX; sent += sizeof zeros)
        put_one(&stream, 1, 1, zeros, sizeof zeros);
    read_stream(&stream, 1000, 4096, &told);
    assert_string_equal(buf_text(&told), "!6");
    buf_free(&stream);
    buf_free(&told);
}

/* ---- association requests ---- */

static void put_item(struct buf *out, uint8_t type, const void *value, size_t length)
{
    const uint8_t head[] = {type, 0, (uint8_t)(length >> 8), (uint8_t)length};

    buf_add(out, head, sizeof head);
    buf_add(out, value, length);
}

#define CONTEXT_START   \
    "\1\0\0\0"          \
    "\x30\0\0\x11"      \
    "1.2.840.10008.1.1" \
    "\x40\0\0\x11"      \
    "1.2.840.10008.1.2"

static void request(struct buf *out, const struct buf *items)
{
    static const char fixed[68] = "\0\1\0\0PACS            ME              ";

    put_pdu(out, PDU_ASSOCIATE_RQ, sizeof fixed + items->length);
    buf_add(out, fixed, sizeof fixed);
    buf_add(out, items->data, items->length);
}

static void sound_items(struct buf *items)
{
    struct buf user = {0};

    put_item(items, 0x10, "1.2.840.10008.3.1.1.1", 21);
    put_item(items, 0x20, CONTEXT_START, sizeof CONTEXT_START - 1);
    put_item(&user, 0x51, "\0\0\x40\0", 4);
    put_item(&user, 0x52, "1.2.3", 5);
    put_item(&user, 0x53, "\0\1\0\1", 4);
    put_item(&user, 0x54,
             "\0\5"
             "1.2.3"
             "\1\0",
             9);
    put_item(&user, 0x56,
             "\0\5"
             "1.2.3"
             "\1\1\1",
             10);
    put_item(&user, 0x58,
             "\2\0\0\3"
             "abc"
             "\0\2"
             "de",
             11);
    put_item(&user, 0x77, "what comes", 10);
    put_item(items, 0x50, user.data, user.length);
    buf_free(&user);
}

static int judge(struct buf *items, uint8_t *reason)
{
    struct buf pdu = {0};
    struct err err;

    request(&pdu, items);
    uint8_t *exact = malloc(pdu.length);
    memcpy(exact, pdu.data, pdu.length);
    int verdict = pdu_check_request(exact, pdu.length, reason, &err);
    free(exact);
    buf_free(&pdu);
    buf_free(items);
    return verdict;
}

static void a_sound_request_passes(void **state)
{
    struct buf items = {0};
    uint8_t reason;

    (void)state;
    sound_items(&items);
    assert_int_equal(judge(&items, &reason), 0);
}

/* Cut anywhere, with the length corrected, it is no request any more, or still a sound one: at the ends
 * of items, once all that is needed is there. */
static void a_request_cut_anywhere(void **state)
{
    struct buf all = {0};
    int passed = 0;

    (void)state;
    sound_items(&all);
    for (size_t length = 0; length < all.length; length++) {
        struct buf items = {0};
        uint8_t reason;
        buf_add(&items, all.data, length);
        int verdict = judge(&items, &reason);
        passed += verdict == 0;
        assert_true(verdict == 0 || reason == PDU_REASON_INVALID_PARAMETER);
    }
    assert_int_equal(passed, 1); /* without its user information */
    buf_free(&all);
}

/* One byte changed: never a crash; and what passes keeps within itself (the sanitizer's business). */
static void a_request_with_any_byte_changed(void **state)
{
    struct buf all = {0};

    (void)state;
    sound_items(&all);
    for (size_t i = 0; i < all.length; i++)
        for (int value = 0; value < 256; value += 5) {
            struct buf items = {0};
            uint8_t reason;
            buf_add(&items, all.data, all.length);
            items.data[i] = (char)value;
            (void)judge(&items, &reason);
        }
    buf_free(&all);
}

static void heads_that_are_not_read_on(void **state)
{
    struct err err;
    uint8_t reason;

    (void)state;
    assert_int_equal(pdu_check_request((const uint8_t *)"\1\0\0\0\1\0", 6, &reason, &err), 0);
    assert_int_equal(pdu_check_request((const uint8_t *)"\1\0\0\x10\0\1", 6, &reason, &err), -1);
    assert_int_equal(reason, PDU_REASON_INVALID_PARAMETER);
    assert_int_equal(pdu_check_request((const uint8_t *)"\1\0\0\0\0\x43", 6, &reason, &err), -1);
    assert_int_equal(pdu_check_request((const uint8_t *)"\5\0\0\0\0\4", 6, &reason, &err), -1);
    assert_int_equal(reason, PDU_REASON_UNEXPECTED_PDU);
    assert_int_equal(pdu_check_request((const uint8_t *)"GET / ", 6, &reason, &err), -1);
    assert_int_equal(reason, PDU_REASON_UNRECOGNIZED_PDU);
}

static void too_much_of_everything(void **state)
{
    struct buf items = {0}, context = {0};
    uint8_t reason;

    (void)state;
    for (int i = 0; i < 129; i++)
        put_item(&items, 0x20, CONTEXT_START, sizeof CONTEXT_START - 1);
    put_item(&items, 0x10, "1.2.840.10008.3.1.1.1", 21);
    assert_int_equal(judge(&items, &reason), -1);
    buf_add(&context, CONTEXT_START, sizeof CONTEXT_START - 1);
    for (int i = 0; i < 300; i++)
        put_item(&context, 0x40, "1.2", 3);
    put_item(&items, 0x20, context.data, context.length);
    assert_int_equal(judge(&items, &reason), -1);
    buf_free(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_set_is_parsed),
        cmocka_unit_test(a_command_set_cut_anywhere_is_none),
        cmocka_unit_test(what_is_built_is_what_the_standard_says),
        cmocka_unit_test(an_answer_says_what_it_answers),
        cmocka_unit_test(long_and_odd_texts_are_cut_and_said_to_be),
        cmocka_unit_test(a_small_peer_gets_small_pdus),
        cmocka_unit_test(messages_follow_one_another),
        cmocka_unit_test(pdvs_of_every_shape),
        cmocka_unit_test(an_end_in_the_middle_is_seen),
        cmocka_unit_test(releases_and_aborts),
        cmocka_unit_test(lengths_that_lie),
        cmocka_unit_test(messages_that_are_none),
        cmocka_unit_test(a_command_set_has_an_end),
        cmocka_unit_test(a_sound_request_passes),
        cmocka_unit_test(a_request_cut_anywhere),
        cmocka_unit_test(a_request_with_any_byte_changed),
        cmocka_unit_test(heads_that_are_not_read_on),
        cmocka_unit_test(too_much_of_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
