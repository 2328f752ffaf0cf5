/*
 * Transcoding in a process of its own. The codecs (JPEG, JPEG 2000, JPEG-LS, RLE, deflate) read what strangers
 * have written: a codestream that crashes or stalls one of them ends the helper, pacs-transcode --serve, and
 * nothing else; the next object gets a new one. Nothing here links a codec.
 *
 * The helper is started at first use: the pacs-transcode beside this program, else that of PATH. It gets open
 * files over a socket and opens none by name. It ends with its user, whatever becomes of that.
 */
#ifndef PACS_NET_TRANSCODER_H
#define PACS_NET_TRANSCODER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct transcode_request {
    const char *transfer_syntax; /* the one wanted, a UID */
    bool lossy;          /* JPEG baseline and extended are encoded only if this allows the loss */
    int quality;         /* of them, 1 to 100; 0: the codec's usual one */
    const char *new_uid; /* SOP Instance UID when something was lost; NULL: stays as it is */
};

struct transcode_result {
    uint32_t frames; /* coded anew */
    uint64_t bytes;
    bool lossy; /* pixel values were changed */
};

struct transcoder;

/* Starts nothing yet. */
struct transcoder *transcoder_new(void);
/* Ends the helper. NULL is fine. */
void transcoder_free(struct transcoder *transcoder);
/* In the child after a fork: the parent's helper is not used; the next call starts one of its own. */
void transcoder_forked(struct transcoder *transcoder);
/* For one object, beside what its size gives it; 120 seconds unless set. */
void transcoder_set_timeout(struct transcoder *transcoder, int timeout_ms);

/* Writes the Part 10 file `fd` in another transfer syntax to `out`, an empty file. 0, or -1: what `out` holds is
 * worthless then. ERR_INPUT: cannot be had in that syntax, or it broke the helper; ERR_NOTFOUND: there is no
 * helper; ERR_TIMEOUT. `result` may be NULL. */
int transcoder_run(struct transcoder *transcoder, int fd, const char *name,
                   const struct transcode_request *request, int out,
                   struct transcode_result *result, struct err *err);

/* The helper's side: serves on `socket` until its user has closed the other end. `work` does one object. Returns 0,
 * or -1 when the socket is none of transcoder_run's. */
typedef int transcoder_work(int fd, const char *name, const struct transcode_request *request,
                            int out, struct transcode_result *result, struct err *err);
int transcoder_serve(int socket, transcoder_work *work, struct err *err);

#endif
