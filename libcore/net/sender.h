/*
 * Sends a list of objects to a peer: the one sender behind pacs-move --to, C-MOVE and routes.
 *
 * Presentation contexts follow from what is on the list: for each SOP class one for each transfer syntax in which
 * its objects are stored, and one of the uncompressed syntaxes (or those that pacs.conf lists for the peer) for what the
 * peer does not take as it is; more than 128 go over several associations, one after the other. An object whose syntax was
 * accepted goes out as it lies on the disk; another is transcoded. A failed object is told and the rest sent. A7xx ("out
 * of resources") and a lost association are tried again, after a while; other refusals are final.
 */
#ifndef PACS_NET_SENDER_H
#define PACS_NET_SENDER_H

#include <signal.h>

#include "net/scu.h"
#include "net/send_list.h"
#include "net/store_scu.h"
#include "net/transcoder.h"

enum send_result {
    SEND_DONE,    /* status 0000 */
    SEND_WARNING, /* Bxxx: taken, with a remark */
    SEND_REFUSED, /* any other status */
    SEND_UNREADABLE, /* the file is missing or broken, or not to be had as the peer wants it: it was not asked */
    SEND_LOST /* no answer, several times */
};

struct send_report {
    const struct send_item *item;
    enum send_result result;
    uint16_t status;             /* of the peer's answer; else 0 */
    const char *text;            /* the peer's comment or our reason, "" */
    const char *transfer_syntax; /* in which it went out */
    bool transcoded, lossy;
    uint64_t bytes; /* of its data set, as it went out */
};
/* After each object. Non-zero stops sending. */
typedef int send_each(void *context, const struct send_report *report, struct err *err);
/* Asked before each object, and while waiting: true ends in order. */
typedef bool send_stopping(void *context);

struct sender_options {
    const struct peer *peer;
    struct dcm_tls *tls;
    int root;                    /* descriptor of the archive's folder, for paths below it */
    const char *move_originator; /* of a C-MOVE, or NULL */
    uint16_t move_originator_id;
    int tries;   /* of an object that A7xx answers, and of a lost association; at least 1 */
    int wait_ms; /* before the second try; doubled for each further one, to a minute at most */
    struct transcoder *transcoder; /* NULL: what is not taken as it is fails */
    send_each *each;
    send_stopping *stopping; /* or NULL */
    void *context;
    int processes; /* associations at a time; 0 and 1: one, in this process */
};

struct send_counts {
    uint64_t done, warned, failed, transcoded, bytes;
};

/* Sends what is open on the (closed) list, and marks what it has told to `each`. 0: every object has been told,
 * whatever became of it. -1: it could not go on (no association to be had, `each` or `stopping` ended it): `counts` and
 * the list's states say how far it came. */
int sender_run(struct send_list *list, const struct sender_options *options,
               struct send_counts *counts, struct err *err);

/* Adds a report to the counts. */
void send_count(struct send_counts *counts, const struct send_report *report);
/* "refused with status A900: comment": why an object failed. `text` has room for 512. */
void send_reason(const struct send_report *report, char *text, size_t size);

/* One process's part of it. */
int sender_run_here(struct send_list *list, const struct sender_options *options,
                    struct send_counts *counts, struct err *err);

#endif
