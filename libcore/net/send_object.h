/*
 * One stored object on its way out: opened, its data set found, its real encoding known; and, where the peer takes
 * another, a file of it in that one. What sender.c and a C-GET share.
 */
#ifndef PACS_NET_SEND_OBJECT_H
#define PACS_NET_SEND_OBJECT_H

#include "dicom/scan.h"
#include "net/send_list.h"
#include "net/transcoder.h"

struct send_object {
    const struct send_item *item;
    int fd;
    uint64_t offset, size;  /* of the data set in the file */
    char syntax[65];        /* as it is encoded, whatever the meta header says */
    bool mislabelled;       /* its meta header is missing or wrong */
    bool transcoded, lossy; /* the file is not the stored one; and pixel values were changed */
};

struct scanner *send_object_scanner(void);

/* `root`: descriptor of the folder that relative paths begin at. -1: unreadable, not DICOM, gone. Whatever it
 * returns, send_object_close frees what it holds. */
int send_object_open(struct send_object *object, const struct send_item *item, int root,
                     struct scanner *scanner, struct err *err);
/* Goes over to a copy without a name in another transfer syntax; -1: it stays as it was. */
int send_object_convert(struct send_object *object, struct transcoder *transcoder, bool lossy,
                        const char *transfer_syntax, struct scanner *scanner, struct err *err);
void send_object_close(struct send_object *object);

/* Coding in it changes pixel values. */
bool syntax_is_lossy(const char *transfer_syntax);

#endif
