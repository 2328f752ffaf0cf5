/*
 * See manifest.h.
 */
#include "export/manifest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"

#define FLUSH_BYTES 65536

struct manifest {
    struct part part;
    int fd;
    char *path;
    struct buf lines;
    EVP_MD_CTX *digest;
    bool broken; /* libcrypto failed: cannot happen with SHA-256, but never write a wrong sum */
    struct sink_watch watch;
};

static void begin(void *context)
{
    struct manifest *manifest = context;

    manifest->broken = EVP_DigestInit_ex(manifest->digest, EVP_sha256(), NULL) != 1;
}

static void bytes(void *context, const void *data, size_t length)
{
    struct manifest *manifest = context;

    if (EVP_DigestUpdate(manifest->digest, data, length) != 1)
        manifest->broken = true;
}

struct manifest *manifest_new(const char *path, bool force, struct err *err)
{
    struct manifest *manifest = xcalloc(1, sizeof *manifest);

    manifest->part.fd = -1;
    manifest->path = xstrdup(path);
    manifest->watch = (struct sink_watch){begin, bytes, manifest};
    manifest->digest = EVP_MD_CTX_new();
    manifest->fd = STDOUT_FILENO;
    if (!manifest->digest) {
        err_set(err, ERR_FAILED, "%s: no memory for a checksum", path);
        manifest_free(manifest);
        return NULL;
    }
    if (strcmp(path, "-") != 0) {
        if (part_open(&manifest->part, path, force, err) < 0) {
            manifest_free(manifest);
            return NULL;
        }
        manifest->fd = manifest->part.fd;
    }
    return manifest;
}

const struct sink_watch *manifest_watch(struct manifest *manifest)
{
    return &manifest->watch;
}

static int flush(struct manifest *manifest, struct err *err)
{
    if (write_all(manifest->fd, buf_text(&manifest->lines), manifest->lines.length) < 0)
        return err_sys(err, "%s", manifest->path);
    buf_clear(&manifest->lines);
    return 0;
}

int manifest_put(struct manifest *manifest, const char *name, struct err *err)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    if (manifest->broken || EVP_DigestFinal_ex(manifest->digest, sum, &size) != 1)
        return err_set(err, ERR_FAILED, "%s: no checksum", name);
    for (unsigned i = 0; i < size; i++)
        buf_addf(&manifest->lines, "%02x", sum[i]);
    buf_addf(&manifest->lines, "  %s\n", name); /* names hold nothing that would need escaping */
    return manifest->lines.length < FLUSH_BYTES ? 0 : flush(manifest, err);
}

int manifest_finish(struct manifest *manifest, struct err *err)
{
    if (flush(manifest, err) < 0)
        return -1;
    return manifest->part.path ? part_finish(&manifest->part, err) : 0;
}

void manifest_free(struct manifest *manifest)
{
    if (!manifest)
        return;
    EVP_MD_CTX_free(manifest->digest);
    part_free(&manifest->part);
    buf_free(&manifest->lines);
    free(manifest->path);
    free(manifest);
}
