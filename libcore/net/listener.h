/*
 * Listens, and has one process per connection: accept, limits, fork, reaping, an orderly end. It reads
 * nothing from any peer and knows nothing of DICOM or of the archive; what the children do is said by its
 * caller.
 */
#ifndef PACS_NET_LISTENER_H
#define PACS_NET_LISTENER_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"

struct listener;

/* `bind`: an address or a host name, NULL for every address of the machine (IPv6 and IPv4). Port 0: any free
 * one, the same on all addresses. */
struct listener *listener_open(const char *bind, int port, struct err *err);
/* Listens on a further port, whose connections are served as secure ones. */
int listener_add_secure(struct listener *listener, const char *bind, int port, struct err *err);
int listener_port(const struct listener *listener);
/* "0.0.0.0:11112, [::]:11112": where it listens, for messages. Borrowed. */
const char *listener_addresses(const struct listener *listener);
void listener_close(struct listener *listener);

struct listener_options {
    int max_children, max_per_peer;
    int stop_timeout_ms; /* for the children, from SIGTERM on; a second later they are killed */
    /* In the child, whose exit status this returns: serves the connection and closes it. `over`: a limit is
     * exceeded, NULL or what for the log: the peer is to be told so, and nothing else. SIGTERM and
     * SIGINT are blocked there, and `stop_flag` is set when they are let through. */
    int (*serve)(void *context, int fd, bool secure, const char *peer, const char *over);
    /* In a child as well, one at a time: at the start, when no connection has been served for a while after some were,
     * when a child has been killed by a signal, from time to time while connections are served, and
     * at the end. */
    int (*maintain)(void *context, bool stopping);
#define LISTENER_AGAIN 3 /* its exit status when there is more to do half a minute later */
    void *context;
};

/* What a child's signal handler sets. */
extern volatile sig_atomic_t listener_stop_flag;
/* It is set, or the signal waits to be let through: work that goes on without waiting for anyone asks here. */
bool listener_stop_waits(void);

/* Serves until SIGTERM, SIGINT or SIGHUP, then waits for the children. Returns 0; -1 with err when it could
 * not go on. */
int listener_run(struct listener *listener, const struct listener_options *options,
                 struct err *err);

#endif
