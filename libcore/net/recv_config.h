/*
 * What pacs-recv may be told: the section [recv] of pacs.conf and the options of the command line, checked
 * by one table; and what follows from it: who may call, which classes and transfer syntaxes are taken.
 */
#ifndef PACS_NET_RECV_CONFIG_H
#define PACS_NET_RECV_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"
#include "base/err.h"
#include "dcmtk/association.h"
#include "net/settings.h"

struct recv_config {
    long long port, tls_port, max_pdu, max_associations, max_per_peer;
    long long timeout, idle_timeout, negotiation_timeout, stop_timeout; /* seconds */
    char *bind;                                                         /* NULL: all addresses */
    char *aet;
    struct text_list called_aets, calling_aets, storage_classes, transfer_syntaxes;
    long long sync;       /* enum ingest_sync */
    long long find_limit; /* responses to a C-FIND; 0: all */
};

/* Defaults, then what the file says. -1: "FILE:LINE: ..." (also for a name or a section that does not
 * exist). */
int recv_config_load(struct recv_config *config, struct config *file, struct err *err);
/* One setting, by the name that it has in the file; `origin` begins the message ("--port"). */
int recv_config_set(struct recv_config *config, const char *name, const char *value,
                    const char *origin, struct err *err);
void recv_config_free(struct recv_config *config);

/* Why the titles are not admitted, or NULL. */
const char *recv_admit(const struct recv_config *config, const char *calling_aet,
                       const char *called_aet, enum dcm_reject *reject);
/* Is this an abstract syntax under which objects are stored? */
bool recv_stores(const struct recv_config *config, const char *abstract_syntax);
/* As dcm_choose. The first of the proposed transfer syntaxes that can be stored, in the sender's order:
 * senders put first what they have, and it reaches us without being encoded again. */
int recv_choose(const struct recv_config *config, const struct dcm_proposal *proposal);

#define UID_VERIFICATION "1.2.840.10008.1.1"

#endif
