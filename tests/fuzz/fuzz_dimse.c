/*
 * What a peer sends. An input that begins with the type of an A-ASSOCIATE-RQ is judged as one; any other is
 * a stream of PDUs inside an association, behind one byte that says in what pieces it comes. The reader
 * makes the same of it in pieces and in one; what it hands on lies within what came.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/dimse.h"
#include "net/pdu.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void add(uint64_t *digest, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < length; i++)
        *digest = (*digest ^ at[i]) * 1099511628211U; /* FNV-1a */
}

static void add_command(uint64_t *digest, const struct dimse_reader *reader)
{
    const struct dimse_command *command = dimse_command(reader);
    struct dimse_command answer;
    struct buf out = {0};

    assert(strlen(command->class_uid) <= 64 && strlen(command->instance_uid) <= 64);
    dimse_answer(command, STATUS_SUCCESS, command->comment, &answer);
    dimse_put_command(&out, dimse_context_id(reader), &answer, 16384);
    add(digest, out.data, out.length);
    buf_free(&out);
}

static uint64_t digest_of(const uint8_t *bytes, size_t size, size_t piece, size_t buffer)
{
    struct dimse_reader *reader = dimse_reader_new(buffer);
    struct err err;
    uint64_t digest = 14695981039346656037U;
    size_t at = 0, data = 0, room, length;

    for (int id = 1; id < 8; id += 2)
        dimse_reader_accept(reader, (uint8_t)id);
    for (;;) {
        enum dimse_event event = dimse_next(reader, &err);
        if (event == DIMSE_MORE) {
            void *space = dimse_space(reader, &room);
            assert(room > 0);
            size_t n = size - at < piece ? size - at : piece;
            n = n < room ? n : room;
            if (n == 0)
                break;
            memcpy(space, bytes + at, n);
            dimse_filled(reader, n);
            at += n;
            continue;
        }
        if (event == DIMSE_DATA) { /* in other pieces, the same bytes */
            const uint8_t *part = dimse_data(reader, &length);
            assert(length > 0);
            data += length;
            assert(data <= size);
            add(&digest, part, length);
            continue;
        }
        add(&digest, &event, sizeof event);
        if (event == DIMSE_COMMAND)
            add_command(&digest, reader);
        if (event == DIMSE_BROKEN)
            break;
    }
    dimse_reader_free(reader);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct err err;
    uint8_t reason;

    if (size > 0 && bytes[0] == PDU_ASSOCIATE_RQ) {
        (void)pdu_check_request(bytes, size, &reason, &err);
        return 0;
    }
    if (size < 1)
        return 0;
    size_t piece = (size_t)bytes[0] + 1;
    uint64_t whole = digest_of(bytes + 1, size - 1, size, 65536);
    uint64_t parts = digest_of(bytes + 1, size - 1, piece, 64 + piece);
    assert(whole == parts);
    (void)whole;
    (void)parts;
    return 0;
}
