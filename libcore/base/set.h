/*
 * A compact set of texts: which objects and which names have been had already.
 *
 * Only keyed hashes are kept (SipHash with a random key: nobody can make two texts collide on
 * purpose), so that ten million names take some 75 MB. Two different texts are taken for one with a
 * probability that follows from the width: 60 bits serve names, where a mistake costs a needless
 * number at the end of a name; 108 bits serve objects, of which none may be lost.
 */
#ifndef PACS_BASE_SET_H
#define PACS_BASE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum set_width { SET_60_BITS = 6, SET_108_BITS = 12 }; /* bytes an entry */

struct set;

struct set *set_new(enum set_width width);
void set_free(struct set *set);
/* Returns true when the text is new. */
bool set_add(struct set *set, const void *text, size_t length);
bool set_has(const struct set *set, const void *text, size_t length);
uint64_t set_count(const struct set *set);

/* SipHash-2-4 with 128 bits of result. */
void siphash128(const uint64_t key[2], const void *bytes, size_t length, uint64_t out[2]);

#endif
