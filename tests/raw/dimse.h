/*
 * rawscu's messages: C-STORE and C-ECHO requests, whole or wrong in a chosen way, and their answers.
 */
#ifndef TESTS_RAW_DIMSE_H
#define TESTS_RAW_DIMSE_H

#include "association.h"
#include "object.h"

/* How messages are cut into PDUs, and what is wrong with them. */
struct manner {
    uint32_t max_pdu;  /* 0: what the peer takes, at most 131072 */
    bool beyond;       /* more than the peer takes, if max_pdu says so */
    uint32_t pdv;      /* data bytes in a PDV; 0: as many as the PDU holds */
    bool together;     /* command and data set share PDUs */
    bool data_first;   /* the data set before its command */
    bool no_data;      /* the command says that none follows */
    bool no_last;      /* the last fragment is not marked as such */
    int context_id;    /* 0: the right one */
    int pdv_lie;       /* added to the length of the data set's first PDV */
    int pdu_lie;       /* added to the length of its first PDU */
    int odd_pdu;       /* type of a PDU sent before the command; 0: none */
    int command_field; /* 0: C-STORE-RQ */
    int group_length_lie;
    long extra;       /* bytes of an element that no C-STORE-RQ has; 0: none */
    const char *omit; /* elements left out: "0000,1000;0000,0110" */
};

struct answer {
    bool came;
    uint32_t status;
    char comment[65];
    char instance_uid[65];
};

/* -1: the association is over. */
int dimse_store(struct association *association, const struct manner *manner,
                const struct object *object, uint32_t message_id, struct answer *answer,
                struct err *err);
int dimse_echo(struct association *association, const struct manner *manner, uint32_t message_id,
               struct answer *answer, struct err *err);

#endif
