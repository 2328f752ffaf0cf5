/*
 * pacs-recv as a whole: an archive, a listener in front of it, workers that serve associations.
 */
#ifndef PACS_NET_RECEIVER_H
#define PACS_NET_RECEIVER_H

#include <stdbool.h>

#include "base/err.h"
#include "index/archive.h"
#include "net/peers.h"
#include "net/recv_config.h"

struct receiver_options {
    struct archive *archive; /* its index is closed */
    const struct recv_config *config;
    struct peers *peers;
    const char *port_file; /* the port goes there once we listen; or NULL */
    int out;               /* where the lines of stored objects go */
};

/* Refuses when another receiver serves the archive; puts right what a kill or a power loss left; listens; serves
 * until it is told to stop. -1 when it could not start. */
int receiver_run(const struct receiver_options *options, struct err *err);

/* Whether some pacs-recv serves the archive at the moment (receiver_lock.c). */
bool receiver_runs(const struct archive *archive);
/* The lock that says so: its descriptor; ERR_BUSY when another has it. */
int receiver_lock(const struct archive *archive, struct err *err);

#endif
