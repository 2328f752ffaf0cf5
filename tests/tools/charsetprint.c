/*
 * What libcore makes of encoded text: reads lines "name <TAB> Specific Character Set <TAB> VR <TAB>
 * value in hexadecimal", prints "name <TAB> value in UTF-8". Control characters in it become '?'.
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

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    int status = 0;

    while (getline(&line, &size, stdin) > 0) {
        char *at = line, *name = strsep(&at, "\t"), *specific = strsep(&at, "\t"),
             *vr = strsep(&at, "\t");
        struct buf bytes = {0}, text = {0};

        if (!vr || strlen(vr) != 2 || !at) {
            fprintf(stderr, "not understood: %s\n", line);
            status = 2;
            break;
        }
        for (; hex(at[0]) >= 0 && hex(at[1]) >= 0; at += 2)
            buf_addc(&bytes, (char)(hex(at[0]) * 16 + hex(at[1])));
        charset_to_utf8(specific, strlen(specific), VR(vr[0], vr[1]), buf_text(&bytes),
                        bytes.length, &text);
        for (size_t i = 0; i < text.length; i++)
            if ((unsigned char)text.data[i] < 0x20)
                text.data[i] = '?';
        printf("%s\t%s\n", name, buf_text(&text));
        buf_free(&bytes);
        buf_free(&text);
    }
    free(line);
    return status;
}
