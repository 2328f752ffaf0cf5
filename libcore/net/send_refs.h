/*
 * References (base/refs.h) as objects to send: what the index knows behind a UID or a patient, and files that are
 * named by their path, whose headers are read.
 */
#ifndef PACS_NET_SEND_REFS_H
#define PACS_NET_SEND_REFS_H

#include "index/archive.h"
#include "net/send_list.h"

struct send_refs;

/* `why`: the reference cannot be sent, or not all of it. The others are. */
typedef void send_refs_failed(void *context, const char *reference, const struct err *why);

/* `archive` NULL: only paths can be sent, any other reference is ERR_INPUT. */
struct send_refs *send_refs_new(struct archive *archive, send_refs_failed *failed, void *context);
void send_refs_free(struct send_refs *refs);
/* Onto the list. -1: it makes no sense to go on (no index, no room). */
int send_refs_add(struct send_refs *refs, struct send_list *list, const char *reference,
                  struct err *err);

#endif
