/*
 * An association as accept and request make it; for libcore/dcmtk alone.
 */
#ifndef PACS_DCMTK_ASSOCIATION_HH
#define PACS_DCMTK_ASSOCIATION_HH

#include "gate.hh"

#include "dcmtk/dcmnet/assoc.h"
#include "dcmtk/dcmnet/extneg.h"

#include <vector>

struct dcm_association {
    GateState state;
    T_ASC_Network *network = nullptr;
    T_ASC_Association *dul = nullptr;
    std::vector<dcm_context> contexts;
    std::vector<dcm_extended> extended;
    char calling[17] = "", called[17] = "";
    uint32_t peer_max_pdu = 0;

    dcm_association() = default;
    ~dcm_association();
    dcm_association(const dcm_association &) = delete;
    dcm_association &operator=(const dcm_association &) = delete;
};

/* err from what DCMTK says, unless the gate knows better. Returns -1. */
int association_failed(const dcm_association &a, struct err *err, const char *what,
                       const OFCondition &condition);
/* An AE title without blanks around it and characters that it cannot have. */
void association_title(char *to, size_t room, const char *from);
/* Our names, and the peer's PDU size kept within what DCMTK understands. */
void association_identify(dcm_association &a);
/* A list of DCMTK's as a vector; items that are too long are left out. */
void association_extended(const SOPClassExtendedNegotiationSubItemList *list,
                          std::vector<dcm_extended> &out);
/* And back: a list on the heap, with its items. */
SOPClassExtendedNegotiationSubItemList *association_items(const dcm_extended *items, size_t count);
/* SSL_CTX of a dcm_tls; NULL stays NULL. */
SSL_CTX *association_tls(struct dcm_tls *tls);

#endif
