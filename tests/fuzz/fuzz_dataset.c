/*
 * Small data sets: the first byte of the input chooses implicit or explicit VR, the rest is the data set.
 * What is taken is written, and what was written is taken and writes the same; values lie within what
 * came, texts are UTF-8, and choosing a character set changes no text.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/charset.h"
#include "dicom/dataset.h"
#include "dicom/uid.h"
#include "dicom/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Everything that can be read is read; what the texts that have a character set say, in order, is gathered. */
static void look(const struct dataset *dataset, struct buf *texts)
{
    tag_t last = 0;

    for (size_t i = 0; i < dataset_count(dataset); i++) {
        tag_t tag = dataset_tag(dataset, i);
        struct buf text = {0};
        volatile char sum = 0;
        size_t length;
        const char *value = dataset_bytes(dataset, tag, &length);

        assert(i == 0 || tag > last);
        last = tag;
        for (size_t n = 0; n < length; n++)
            sum = (char)(sum + value[n]);
        assert(dataset_has(dataset, tag) && dataset_vr(dataset, tag) != VR_NONE);
        dataset_text(dataset, tag, &text);
        assert(utf8_valid(buf_text(&text), text.length));
        if (tag != TAG(0x0008, 0x0005) && value_has_charset(dataset_vr(dataset, tag)))
            buf_add(texts, buf_text(&text), text.length);
        for (size_t n = 0; n < dataset_items(dataset, tag); n++)
            look(dataset_item(dataset, tag, n), texts);
        buf_free(&text);
    }
}

/* Only what was read without doubt stays as it is; U+FFFD is a letter like others from then on. */
static void check_charset(const struct buf *written, const char *wanted)
{
    struct err err;
    struct dataset *dataset =
        dataset_parse(buf_text(written), written->length, UID_EXPLICIT_LE, &err);
    struct buf before = {0}, after = {0}, out = {0};

    assert(dataset);
    look(dataset, &before);
    dataset_choose_charset(dataset, wanted);
    dataset_write(dataset, UID_EXPLICIT_LE, &out);
    dataset_free(dataset);
    dataset = dataset_parse(buf_text(&out), out.length, UID_EXPLICIT_LE, &err);
    if (dataset) { /* a text that grew may be too long for its VR, and then reads as another */
        look(dataset, &after);
        if (out.length < 65536) {
            assert(before.length == after.length);
            assert(memcmp(buf_text(&before), buf_text(&after), before.length) == 0);
        }
    }
    dataset_free(dataset);
    buf_free(&before);
    buf_free(&after);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const syntax[] = {UID_IMPLICIT_LE, UID_EXPLICIT_LE};
    const char *from = syntax[size ? bytes[0] & 1 : 0];
    struct buf once = {0}, twice = {0}, texts = {0};
    struct err err = {.text = "left out"};
    struct dataset *dataset =
        dataset_parse(size ? bytes + 1 : bytes, size ? size - 1 : 0, from, &err);

    if (!dataset) {
        assert(err.code == ERR_INPUT && err.text[0]);
        return 0;
    }
    look(dataset, &texts);
    dataset_write(dataset, UID_IMPLICIT_LE, &twice);
    buf_clear(&twice);
    dataset_write(dataset, UID_EXPLICIT_LE, &once);
    dataset_free(dataset);
    if (once.length < 65536) {
        dataset = dataset_parse(buf_text(&once), once.length, UID_EXPLICIT_LE, &err);
        assert(dataset);
        dataset_write(dataset, UID_EXPLICIT_LE, &twice);
        assert(once.length == twice.length);
        assert(memcmp(buf_text(&once), buf_text(&twice), once.length) == 0);
        dataset_free(dataset);
        check_charset(&once, size & 2 ? "ISO_IR 100" : "\\ISO 2022 IR 87");
    }
    buf_free(&once);
    buf_free(&twice);
    buf_free(&texts);
    return 0;
}
