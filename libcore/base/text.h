/*
 * UTF-8 on its way to people: what a terminal makes of it, and what must never reach one.
 */
#ifndef PACS_BASE_TEXT_H
#define PACS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character that begins at `at` (NUL-terminated text); returns its length. A byte that begins none
 * (no overlong forms, surrogates, or values above U+10FFFF) gives TEXT_INVALID and 1. */
#define TEXT_INVALID 0xffffffffu
size_t text_next(const char *at, uint32_t *code);

/* C0, DEL and C1: a terminal acts upon them, the last also in UTF-8. */
bool text_is_control(uint32_t code);
/* Marks that change the direction of what follows: they can make one value look like another. */
bool text_is_directional(uint32_t code);

/* Columns on a terminal: 0, 1 or 2. */
int text_code_width(uint32_t code);
int text_width(const char *text);

/* Control characters become '?', in place. Other bytes stay, whether they are UTF-8 or not. */
void text_make_printable(char *text);

#endif
