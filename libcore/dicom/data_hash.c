/*
 * See data_hash.h.
 */
#include "dicom/data_hash.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"

struct data_hash {
    XXH3_state_t *state;
};

struct data_hash *data_hash_new(void)
{
    struct data_hash *hash = xcalloc(1, sizeof *hash);

    hash->state = XXH3_createState();
    if (!hash->state)
        abort(); /* as xmalloc would */
    data_hash_reset(hash);
    return hash;
}

void data_hash_free(struct data_hash *hash)
{
    if (!hash)
        return;
    XXH3_freeState(hash->state);
    free(hash);
}

void data_hash_reset(struct data_hash *hash)
{
    XXH3_128bits_reset(hash->state);
}

void data_hash_add(struct data_hash *hash, const void *bytes, size_t length)
{
    XXH3_128bits_update(hash->state, bytes, length);
}

void data_hash_get(const struct data_hash *hash, char digits[DATA_HASH_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(hash->state));
    for (size_t i = 0; i < sizeof canonical.digest; i++) {
        digits[2 * i] = hex[canonical.digest[i] >> 4];
        digits[2 * i + 1] = hex[canonical.digest[i] & 15];
    }
}
