/*
 * See set.h. 4096 small tables with open addressing: each grows by itself, by a quarter, so that
 * growing never holds two copies of everything.
 */
#include "base/set.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/fs.h"
#include "base/mem.h"

#define SHARDS 4096 /* 12 bits of the hash choose one */

struct shard {
    unsigned char *entries; /* all zero: free */
    uint32_t count, capacity;
};

struct set {
    size_t width;
    uint64_t key[2];
    uint64_t count;
    struct shard shards[SHARDS];
};

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
    while (rounds-- > 0) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

static uint64_t little_endian(const unsigned char *at, size_t count)
{
    uint64_t word = 0;

    for (size_t i = 0; i < count; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

void siphash128(const uint64_t key[2], const void *bytes, size_t length, uint64_t out[2])
{
    const unsigned char *at = bytes;
    size_t rest = length & 7;
    uint64_t v[4] = {0x736f6d6570736575 ^ key[0], 0x646f72616e646f6d ^ key[1] ^ 0xee,
                     0x6c7967656e657261 ^ key[0], 0x7465646279746573 ^ key[1]};
    uint64_t word;

    for (const unsigned char *end = at + (length - rest); at < end; at += 8) {
        word = little_endian(at, 8);
        v[3] ^= word;
        sip_rounds(v, 2);
        v[0] ^= word;
    }
    word = (uint64_t)length << 56 | little_endian(at, rest);
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
    v[2] ^= 0xee;
    sip_rounds(v, 4);
    out[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    sip_rounds(v, 4);
    out[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct set *set_new(enum set_width width)
{
    struct set *set = xcalloc(1, sizeof *set);

    set->width = (size_t)width;
    if (getrandom(set->key, sizeof set->key, 0) != (ssize_t)sizeof set->key) {
        set->key[0] = (uint64_t)wall_ms();
        set->key[1] = (uint64_t)(uintptr_t)set;
    }
    return set;
}

void set_free(struct set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < SHARDS; i++)
        free(set->shards[i].entries);
    free(set);
}

/* Splits the hash of a text into a table's number and an entry that is not all zero. */
static size_t locate(const struct set *set, const void *text, size_t length,
                     unsigned char entry[SET_108_BITS])
{
    uint64_t hash[2];

    siphash128(set->key, text, length, hash);
    memcpy(entry, hash, 8);
    memcpy(entry + 8, hash + 1, 4);
    if (little_endian(entry, 6) == 0)
        entry[0] = 1;
    return (size_t)(hash[1] >> 52);
}

static bool is_free(const unsigned char *entry)
{
    static const unsigned char zero[6];

    return memcmp(entry, zero, sizeof zero) == 0;
}

/* Where the entry is, or the free place where it would go. The table is never full. */
static unsigned char *probe(const struct set *set, const struct shard *shard,
                            const unsigned char *entry)
{
    size_t at = (size_t)(little_endian(entry, 6) % shard->capacity);

    for (;;) {
        unsigned char *place = shard->entries + at * set->width;

        if (is_free(place) || memcmp(place, entry, set->width) == 0)
            return place;
        if (++at == shard->capacity)
            at = 0;
    }
}

static void grow(struct set *set, struct shard *shard)
{
    struct shard old = *shard;

    shard->capacity = old.capacity ? old.capacity + old.capacity / 4 + 1 : 8;
    shard->entries = xcalloc(shard->capacity, set->width);
    for (size_t i = 0; i < old.capacity; i++) {
        const unsigned char *entry = old.entries + i * set->width;

        if (!is_free(entry))
            memcpy(probe(set, shard, entry), entry, set->width);
    }
    free(old.entries);
}

bool set_add(struct set *set, const void *text, size_t length)
{
    unsigned char entry[SET_108_BITS], *place;
    struct shard *shard = &set->shards[locate(set, text, length, entry)];

    if (shard->count + 1 > shard->capacity - shard->capacity / 8)
        grow(set, shard);
    place = probe(set, shard, entry);
    if (!is_free(place))
        return false;
    memcpy(place, entry, set->width);
    shard->count++;
    set->count++;
    return true;
}

bool set_has(const struct set *set, const void *text, size_t length)
{
    unsigned char entry[SET_108_BITS];
    const struct shard *shard = &set->shards[locate(set, text, length, entry)];

    return shard->capacity && !is_free(probe(set, shard, entry));
}

uint64_t set_count(const struct set *set)
{
    return set->count;
}
