/*
 * What libcore makes of encoded text: reads lines "name <TAB> Specific Character Set <TAB> VR <TAB>
 * value in hexadecimal", prints "name <TAB> value in UTF-8". Control characters in it become '?'.
 *
 * With -e the other way: the value is UTF-8 (in hexadecimal), and the same line is printed with what is
 * written in the character set, or "-" when it cannot be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/charset.h"

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static void print_encoded(const char *name, const char *specific, vr_t vr, const struct buf *text)
{
    struct buf bytes = {0};

    printf("%s\t%s\t%c%c\t", name, specific, vr >> 8, vr & 0xff);
    if (!charset_from_utf8(specific, vr, buf_text(text), text->length, &bytes))
        printf("-");
    for (size_t i = 0; i < bytes.length; i++)
        printf("%02x", (unsigned char)bytes.data[i]);
    printf("\n");
    buf_free(&bytes);
}

static void print_decoded(const char *name, const char *specific, vr_t vr, const struct buf *bytes)
{
    struct buf text = {0};

    charset_to_utf8(specific, strlen(specific), vr, buf_text(bytes), bytes->length, &text);
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] < 0x20)
            text.data[i] = '?';
    printf("%s\t%s\n", name, buf_text(&text));
    buf_free(&text);
}

int main(int argc, char **argv)
{
    bool encode = argc > 1 && strcmp(argv[1], "-e") == 0;
    char *line = NULL;
    size_t size = 0;
    int status = 0;

    while (getline(&line, &size, stdin) > 0) {
        char *at = line, *name = strsep(&at, "\t"), *specific = strsep(&at, "\t"),
             *vr = strsep(&at, "\t");
        struct buf bytes = {0};

        if (!vr || strlen(vr) != 2 || !at) {
            fprintf(stderr, "not understood: %s\n", line);
            status = 2;
            break;
        }
        for (; hex(at[0]) >= 0 && hex(at[1]) >= 0; at += 2)
            buf_addc(&bytes, (char)(hex(at[0]) * 16 + hex(at[1])));
        (encode ? print_encoded : print_decoded)(name, specific, VR(vr[0], vr[1]), &bytes);
        buf_free(&bytes);
    }
    free(line);
    return status;
}
