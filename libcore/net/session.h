/*
 * An association once it is accepted: messages come in, go to the service that they are for, and are
 * answered, until it is released, aborted, silent for too long, or we are told to stop.
 */
#ifndef PACS_NET_SESSION_H
#define PACS_NET_SESSION_H

#include <signal.h>
#include <stdbool.h>

#include "dcmtk/association.h"
#include "index/archive.h"
#include "net/recv_config.h"
#include "net/report.h"

struct session_options {
    const struct recv_config *config;
    struct archive *archive;
    struct report *report;
    const char *peer; /* address, for messages */
    /* Set by a signal that is blocked except while waiting for the peer. */
    const volatile sig_atomic_t *stop;
};

/* Serves it to its end and closes it. What was stored and refused is in the log; nothing that happens here
 * is an error of the process. */
void session_run(struct dcm_association *association, const struct session_options *options);

#endif
