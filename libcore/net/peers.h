/*
 * Peers: the sections [peer NAME] of pacs.conf, and what the tools know of each.
 *
 *   [peer ORTHANC]
 *   aet = ORTHANC                 the AE title to call; default: NAME
 *   host = 192.0.2.7
 *   port = 104
 *   calling-aet = RESEARCH        ours towards this peer; default: aet of [recv]
 *   tls = yes                     by the certificates of [tls]; default: no
 *   transfer-syntaxes = uid, ...  the only ones to propose when sending, best first; default: what is stored,
 *                                 then uncompressed
 *   lossy = yes                   may be sent by a lossy coding when nothing else is taken; default: no
 *   max-pdu = bytes               default: 131072
 *   associations = number         at a time, when sending; default: 1
 *   timeout = seconds             of silence; default: 60
 *   retrieve = get | move | auto  how pacs-move --from fetches; default: auto
 */
#ifndef PACS_NET_PEERS_H
#define PACS_NET_PEERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"
#include "base/err.h"
#include "index/archive.h"
#include "net/settings.h"

enum peer_retrieve { RETRIEVE_AUTO, RETRIEVE_GET, RETRIEVE_MOVE };

struct peer {
    char *name; /* as pacs.conf has it, or AET@HOST:PORT as given */
    char *aet, *host, *calling_aet;
    long long port, tls, lossy, max_pdu, associations, timeout;
    struct text_list transfer_syntaxes;
    long long retrieve; /* enum peer_retrieve */
};

/* [tls]: certificate, key, authorities, revoked (paths, relative ones below the archive), and of the receiver
 * `verify` = require | optional | none. */
struct tls_config {
    char *certificate, *key, *authorities, *revoked;
    long long verify; /* enum dcm_tls_verify */
};

struct peers;

/* All of them. NULL: "FILE:LINE: ..." for a line that is wrong. `root` is the archive's folder. */
struct peers *peers_load(struct config *config, const char *root, struct err *err);
/* Those of the archive that `option` (-A) names, opened for reading into `*archive`. When there is none and none was
 * named, and `without` says that this will do, `*archive` is NULL and every peer has to be written out. */
struct peers *peers_open(const char *option, bool without, struct archive **archive,
                         struct err *err);
void peers_free(struct peers *peers);

size_t peers_count(const struct peers *peers);
const struct peer *peers_at(const struct peers *peers, size_t at);
/* By its name (letter case counts, then without regard to it), or one that pacs.conf does not know, written as
 * AET@HOST:PORT. NULL with ERR_NOTFOUND, and the names that there are. */
const struct peer *peers_find(struct peers *peers, const char *name, struct err *err);
/* The first whose AE title it is, for C-MOVE destinations; NULL when there is none. */
const struct peer *peers_by_aet(const struct peers *peers, const char *aet);
/* Our AE title, where a peer has none of its own for us. */
const char *peers_own_aet(const struct peers *peers);
/* Of all of them: what the command line says wins. */
void peers_set_timeout(struct peers *peers, long long seconds);
const struct tls_config *peers_tls(const struct peers *peers);

#endif
