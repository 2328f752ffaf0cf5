/*
 * What rawscu sends: the data set of a file, byte for byte as it lies there.
 */
#ifndef TESTS_RAW_OBJECT_H
#define TESTS_RAW_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct object {
    const char *path;
    char class_uid[65];
    char instance_uid[65];
    char syntax_uid[65];
    const unsigned char *data; /* the data set */
    size_t length;
    void *mapped;
    size_t mapped_length;
    unsigned char *own; /* a copy of the data set with other UIDs in it */
};

/* UIDs that the file does not tell, or that shall be used instead of what it tells. */
struct object_names {
    const char *class_uid;
    const char *instance_uid;
    const char *syntax_uid;
};

/* Maps a Part 10 file, with or without preamble, or a bare data set; fails when it does not tell class,
 * instance and transfer syntax and `names` does not either. */
int object_open(struct object *object, const char *path, const struct object_names *names,
                struct err *err);
void object_close(struct object *object);
/* Writes another SOP Instance UID of the same length over the one in the data set, made of `run` and
 * `number`; with `study` >= 0, Study and Series Instance UID made of `run` and `study` as well. UIDs
 * count upwards, as those of a scanner do. Little endian data sets only. */
int object_renew(struct object *object, uint64_t run, uint64_t number, long long study,
                 struct err *err);
/* SHA-256 of the data set, in hex. */
void object_digest(const struct object *object, char hex[65]);

#endif
