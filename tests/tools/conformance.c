/*
 * conformance TABLE: what the code's own tables hold, as lines of mdoc for pacs-conformance(7). Tables:
 *
 *     storage          SOP classes that are taken and given out
 *     syntaxes         transfer syntaxes that are taken as they come
 *     attributes       what queries match and return from the index, by level
 *
 * tests/e2e/94-conformance.t holds the page against these.
 */
#include <stdio.h>
#include <string.h>

#include "dicom/dict.h"
#include "dicom/uid.h"
#include "index/attributes.h"
#include "net/recv_config.h"

static void print_uids(enum uid_kind kind)
{
    size_t count;
    const struct uid_entry *entry = uid_all(&count);
    struct recv_config config = {0};

    for (size_t i = 0; i < count; i++) {
        const char *syntax = entry[i].uid;
        const struct dcm_proposal proposal = {"1.2.840.10008.5.1.4.1.1.2", &syntax, 1, false};

        if (entry[i].kind != kind)
            continue;
        if (kind == UID_TRANSFER_SYNTAX && recv_choose(&config, &proposal) < 0)
            continue;
        printf(".It \"%s\" Ta %s\n", entry[i].name, entry[i].uid);
    }
}

static void print_attributes(void)
{
    static const char *const uses[] = {"unique", "required", "optional"};
    static const char *const levels[] = {"patient", "study", "series", "image"};

    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        printf(".It %s Ta %04X,%04X Ta %s Ta %s\n", attributes[i].keyword,
               TAG_GROUP(attributes[i].tag), TAG_ELEMENT(attributes[i].tag),
               levels[attributes[i].level], uses[attributes[i].use]);
}

int main(int argc, char **argv)
{
    const char *table = argc == 2 ? argv[1] : "";

    if (strcmp(table, "storage") == 0)
        print_uids(UID_STORAGE_CLASS);
    else if (strcmp(table, "syntaxes") == 0)
        print_uids(UID_TRANSFER_SYNTAX);
    else if (strcmp(table, "attributes") == 0)
        print_attributes();
    else {
        fprintf(stderr, "usage: %s storage|syntaxes|attributes\n", argv[0]);
        return 2;
    }
    return 0;
}
