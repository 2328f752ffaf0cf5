/*
 * The connection of an association as DCMTK sees it, and the bytes below it; for libcore/dcmtk alone.
 *
 * DCMTK reads an association PDU without a time-out once its first six bytes are there, asks for as much
 * memory as they claim, and parses whatever comes. So its connection class is replaced by this one, which
 * reads the whole first PDU of the peer beforehand, within a deadline and a size, has it checked, and only then
 * hands it over; and through which the bytes of the association go afterwards, in the clear or by TLS.
 */
#ifndef PACS_DCMTK_GATE_HH
#define PACS_DCMTK_GATE_HH

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmnet/dcmlayer.h"
#include "dcmtk/dcmnet/dcmtrans.h"

#include <vector>

extern "C" {
#include "dcmtk/association.h"
}

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;

/* What a gate must know, and what is known of it: DCMTK deletes connections as it sees fit, and its
 * conditions do not say what went wrong. */
struct GateState {
    int timeout_ms = 0; /* for the whole negotiation, from the making of the gate on */
    const sigset_t *wait_mask = nullptr;
    dcm_check *check = nullptr; /* of the peer's first PDU */
    SSL_CTX *tls = nullptr;     /* NULL: in the clear */
    bool server = true;
    class Gate *gate = nullptr;
    bool made = false; /* the socket is, or was, a gate's */
    struct err problem = {};
};

class Gate : public DcmTCPConnection
{
  public:
    Gate(int fd, GateState &s);
    ~Gate() override;
    Gate(const Gate &) = delete;
    Gate &operator=(const Gate &) = delete;

    /* For DCMTK. Its errors come back as 0, "closed"; the true reason is in the state. */
    OFCondition serverSideHandshake() override;
    OFCondition clientSideHandshake() override;
    ssize_t read(void *bytes, size_t length) override;
    ssize_t write(void *bytes, size_t length) override;
    /* Waiting is read()'s, within the deadline. */
    OFBool networkDataAvailable(int) override
    {
        return OFTrue;
    }

    /* For the association: as dcm_read and dcm_write. */
    ssize_t receive(void *bytes, size_t length, int timeout_ms, struct err *err);
    int send_all(const void *bytes, size_t length, int timeout_ms, struct err *err);
    /* Bytes that can be had without waiting. */
    bool ready();
    /* Half-closes and throws away what still comes, until the peer closes or the time is up. */
    void linger(int timeout_ms);
    /* The peer's certificate: its subject, or "". */
    const char *subject() const
    {
        return peer_subject;
    }

  private:
    int wait(short what, int timeout_ms, bool interruptible);
    int handshake(struct err *err);
    ssize_t some_in(void *bytes, size_t length, short *want);
    ssize_t some_out(const void *bytes, size_t length, short *want);
    ssize_t tls_result(int result, short *want);
    int remaining() const;
    bool fill(size_t length);
    bool fetch();
    void abort(uint8_t reason);

    GateState &state;
    int64_t deadline;
    bool have_mask = false;
    sigset_t mask = {};
    SSL *ssl = nullptr;
    bool shaken = false; /* the TLS handshake is over */
    bool fetched = false;
    std::vector<uint8_t> first; /* the peer's first PDU */
    size_t taken = 0;
    char peer_subject[256] = "";
};

/* Makes the gate when DCMTK asks for a connection. */
class GateLayer : public DcmTransportLayer
{
  public:
    explicit GateLayer(GateState &s) : state(s)
    {
    }
    DcmTransportConnection *createConnection(DcmNativeSocketType fd, OFBool secure) override;

  private:
    GateState &state;
};

#endif
