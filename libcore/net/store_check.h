/*
 * Is an object safe in the archive? Found out from its file: it is there, it can be read to its end, it is what the
 * index says, and its data set is what was received.
 */
#ifndef PACS_NET_STORE_CHECK_H
#define PACS_NET_STORE_CHECK_H

#include "index/archive.h"

struct store_check;

struct store_check *store_check_new(struct archive *archive, struct err *err);
void store_check_free(struct store_check *check);

/* 0: it is. Else a failure reason of PS3.3 C.14.1.1: 0112H no such object instance, 0119H class / instance conflict,
 * 0110H processing failure; the details go to the log. */
unsigned store_check_object(struct store_check *check, const char *class_uid,
                            const char *instance_uid);

#endif
