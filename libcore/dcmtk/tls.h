/*
 * TLS for associations: PS3.15 annex B, the BCP 195 profiles (B.9 and the later ones), through DCMTK.
 */
#ifndef PACS_DCMTK_TLS_H
#define PACS_DCMTK_TLS_H

#include <stdbool.h>

#include "base/err.h"

struct dcm_tls;

enum dcm_tls_verify {
    DCM_TLS_REQUIRE,  /* a certificate that one of ours has signed, or no association */
    DCM_TLS_OPTIONAL, /* the same, if there is one (servers) */
    DCM_TLS_NONE      /* whatever it is: encrypted, not authenticated */
};

struct dcm_tls_options {
    bool server;
    const char *certificate; /* PEM, with its chain; a client may have none (NULL) */
    const char *key;         /* PEM, without a password */
    const char
        *authorities;    /* PEM file, or a folder of such: who is trusted; NULL with DCM_TLS_NONE */
    const char *revoked; /* PEM file of a revocation list, or NULL */
    enum dcm_tls_verify verify;
};

/* Before any fork; may then be used by every process. NULL with a message that names the file. */
struct dcm_tls *dcm_tls_new(const struct dcm_tls_options *options, struct err *err);
void dcm_tls_free(struct dcm_tls *tls);

#endif
