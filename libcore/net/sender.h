/*
 * Sends a list of objects to a peer: the one sender behind pacs-move --to, C-MOVE and routes.
 *
 * Presentation contexts follow from what is on the list: for each SOP class one for each transfer syntax in which
 * its objects are stored, and one of the uncompressed syntaxes for what the peer does not take as it is; more than
 * 128 go over several associations, one after the other. An object whose syntax was accepted goes out as it lies
 * on the disk; another is transcoded. A failed object is told and the rest sent. A7xx ("out of resources") and a lost
 * association are tried again, after a while; other refusals are final.
 */
#ifndef PACS_NET_SENDER_H
#define PACS_NET_SENDER_H

#include <signal.h>

#include "net/scu.h"
#include "net/send_list.h"
#include "net/store_scu.h"

enum send_result {
    SEND_DONE,      /* status 0000 */
    SEND_WARNING,   /* Bxxx: taken, with a remark */
    SEND_REFUSED,   /* any other status */
    SEND_UNREADABLE /* the file is missing or broken; the peer was not asked */
};

struct send_report {
    const struct send_item *item;
    enum send_result result;
    uint16_t status;             /* of the peer's answer; else 0 */
    const char *text;            /* the peer's comment or our reason, "" */
    const char *transfer_syntax; /* in which it went out */
};
/* After each object. Non-zero stops sending. */
typedef int send_each(void *context, const struct send_report *report, struct err *err);

/* Makes a file of the object in another transfer syntax: 0 and a descriptor of a Part 10 file without a name, which
 * the caller closes; -1. */
typedef int send_transcode(void *context, const char *path, int fd, const char *transfer_syntax,
                           int *out, struct err *err);

struct sender_options {
    const struct peer *peer;
    struct dcm_tls *tls;
    int root;                    /* descriptor of the archive's folder, for paths below it */
    const char *move_originator; /* of a C-MOVE, or NULL */
    uint16_t move_originator_id;
    int tries;   /* of an object that A7xx answers, and of a lost association; at least 1 */
    int wait_ms; /* before the second try; doubled for each further one, to a minute at most */
    send_transcode *transcode; /* NULL: what is not taken as it is fails */
    send_each *each;
    void *context;
    const volatile sig_atomic_t *stop; /* set: ends before the next object; may be NULL */
    const sigset_t *wait_mask;
};

struct send_counts {
    uint64_t done, warned, failed, transcoded, bytes;
};

/* 0: every object has been told to `each`, whatever became of it. -1: it could not go on (no association, `each`
 * stopped it): `counts` says how far it came. */
int sender_run(struct send_list *list, const struct sender_options *options,
               struct send_counts *counts, struct err *err);

#endif
