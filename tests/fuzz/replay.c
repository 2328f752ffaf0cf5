/*
 * Runs a fuzz target over files, without a fuzzer: `fuzz_x FILE|FOLDER...` for make check, and to
 * see again what a fuzzer found. Ends with 0 after the last file; a finding is a crash.
 */
#include <fts.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int replay(const char *path)
{
    FILE *in = fopen(path, "rb");
    if (!in) {
        perror(path);
        return -1;
    }
    /* Of exactly the right size, so that a sanitizer sees the first byte read too far. */
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (fseek(in, 0, SEEK_END) == 0) {
        long end = ftell(in);
        size = end > 0 ? (size_t)end : 0;
        rewind(in);
    }
    bytes = malloc(size ? size : 1);
    if (!bytes || fread(bytes, 1, size, in) != size) {
        perror(path);
        free(bytes);
        fclose(in);
        return -1;
    }
    fclose(in);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
        return 2;
    }
    FTS *tree = fts_open(argv + 1, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    if (!tree) {
        perror("fts_open");
        return 2;
    }
    int failed = 0;
    size_t count = 0;
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info == FTS_F) {
            failed |= replay(entry->fts_accpath);
            count++;
        } else if (entry->fts_info == FTS_NS || entry->fts_info == FTS_DNR) {
            fprintf(stderr, "%s: %s\n", entry->fts_path, strerror(entry->fts_errno));
            failed = -1;
        }
    }
    fts_close(tree);
    printf("%zu inputs\n", count);
    return failed || count == 0;
}
