/*
 * rawscu's connection: bytes out, with a fault at one of them if wanted; PDUs in.
 */
#ifndef TESTS_RAW_WIRE_H
#define TESTS_RAW_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/mem.h"

enum pdu_type {
    PDU_ASSOCIATE_RQ = 1,
    PDU_ASSOCIATE_AC = 2,
    PDU_ASSOCIATE_RJ = 3,
    PDU_DATA = 4,
    PDU_RELEASE_RQ = 5,
    PDU_RELEASE_RP = 6,
    PDU_ABORT = 7
};

enum fault_kind {
    FAULT_NONE,
    FAULT_CUT,    /* close the connection */
    FAULT_RESET,  /* the same, with RST instead of FIN */
    FAULT_ABORT,  /* A-ABORT before the first PDU that begins at or after the byte */
    FAULT_STALL,  /* send nothing for some seconds, or until the peer closes */
    FAULT_CORRUPT /* invert the byte */
};

struct fault {
    enum fault_kind kind;
    uint64_t at;    /* bytes sent since it was armed */
    double seconds; /* of a stall; 0: until the peer closes */
};

struct wire {
    int fd;         /* -1: closed */
    bool stock;     /* as DCMTK sends: Nagle on, head and body of each PDU in a write of its own */
    int timeout_ms; /* for each answer */
    struct fault fault;
    bool armed;
    uint64_t since_armed;
    uint64_t sent;
    unsigned char *in; /* what came and was not taken yet */
    size_t in_at, in_end;
};

int wire_connect(struct wire *wire, const char *host, const char *port, struct err *err);
void wire_close(struct wire *wire);
/* From here on bytes are counted for the fault. */
void wire_arm(struct wire *wire, const struct fault *fault);
/* Sends all; -1 with ERR_CLOSED when the peer is gone or a fault ended the connection. */
int wire_send(struct wire *wire, const struct iovec *parts, int count, struct err *err);
int wire_send_bytes(struct wire *wire, const void *bytes, size_t length, struct err *err);
/* The fault is an abort, and due before the next PDU. */
bool wire_abort_due(const struct wire *wire);
/* Reads one PDU: its type, and its body. */
int wire_read(struct wire *wire, uint8_t *type, struct buf *body, struct err *err);

uint64_t now_ns(void);
void put16(unsigned char *at, uint32_t value); /* big endian, as PDUs are */
void put32(unsigned char *at, uint32_t value);
uint32_t get16(const unsigned char *at);
uint32_t get32(const unsigned char *at);

#endif
