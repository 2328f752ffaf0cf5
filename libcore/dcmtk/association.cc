/*
 * See association.h. DCMTK 3.6.7 negotiates; this keeps the negotiation within bounds.
 *
 * DCMTK reads an A-ASSOCIATE-RQ without a time-out once its first six bytes are there, asks for as much
 * memory as they claim, and parses whatever comes. So its connection class is replaced by one (Gate) that
 * reads the whole request first, within a deadline and a size, has it checked, and only then hands it over;
 * and through which the bytes of the association go afterwards. A TLS connection can stand behind the
 * same class.
 *
 * The network that DCMTK wants is a shell around one accepted socket: it never listens.
 */
#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmnet/assoc.h"
#include "dcmtk/dcmnet/dcmlayer.h"
#include "dcmtk/dcmnet/dcmtrans.h"
#include "dcmtk/dcmnet/dul.h"
#include "dcmtk/dcmnet/lst.h"
#include "dcmtk/oflog/oflog.h"
#include "dcmtk/ofstd/ofstd.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <new>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

extern "C" {
#include "base/err.h"
#include "base/fs.h"
#include "dicom/uid.h"
#include "dcmtk/association.h"
}

namespace
{

constexpr size_t pdu_head = 6;
/* PS3.8 annex A.2.1: the one application context name of DICOM. */
constexpr const char application_context[] = "1.2.840.10008.3.1.1.1";
/* How long a peer that was refused gets to read why. */
constexpr int refused_linger_ms = 1000;

class Gate;

/* Makes the Gate when DCMTK asks for a connection; knows whether it still lives, and what went wrong in
 * it: DCMTK deletes connections as it sees fit, and its conditions do not say why. */
class Layer : public DcmTransportLayer
{
  public:
    explicit Layer(const dcm_accept_options &o) : options(o)
    {
    }
    DcmTransportConnection *createConnection(DcmNativeSocketType fd, OFBool secure) override;

    const dcm_accept_options options;
    Gate *gate = nullptr;
    bool made = false; /* the socket is, or was, a gate's */
    struct err problem = {};
};

/* The connection as DCMTK sees it, and the bytes below it. */
class Gate : public DcmTCPConnection
{
  public:
    Gate(int fd, Layer &l)
        : DcmTCPConnection(fd), layer(l), problem(l.problem),
          deadline(monotonic_ms() + l.options.timeout_ms)
    {
        have_mask = l.options.wait_mask != nullptr;
        if (have_mask)
            mask = *l.options.wait_mask;
    }

    ~Gate() override
    {
        layer.gate = nullptr;
    }

    /* For DCMTK. Its errors come back as 0, "closed"; the true reason is in the layer. */
    ssize_t read(void *bytes, size_t length) override
    {
        if (!fetched && !fetch())
            return 0;
        if (taken < request.size()) {
            size_t part = std::min(length, request.size() - taken);
            std::memcpy(bytes, request.data() + taken, part);
            taken += part;
            return static_cast<ssize_t>(part);
        }
        ssize_t got = receive(bytes, length, remaining(), &problem);
        return got < 0 ? 0 : got;
    }

    ssize_t write(void *bytes, size_t length) override
    {
        return send_all(bytes, length, remaining(), &problem) < 0 ? 0
                                                                  : static_cast<ssize_t>(length);
    }

    OFBool networkDataAvailable(int) override
    {
        /* Waiting is read()'s, within the deadline. */
        return OFTrue;
    }

    /* 1: ready, 0: time is up, -1: a signal. */
    int wait(short what, int timeout_ms, bool interruptible)
    {
        int64_t until = monotonic_ms() + timeout_ms;
        for (;;) {
            int64_t left = std::max<int64_t>(until - monotonic_ms(), 0);
            struct timespec time = {static_cast<time_t>(left / 1000),
                                    static_cast<long>(left % 1000) * 1000000};
            struct pollfd poll = {getSocket(), what, 0};
            int ready = ppoll(&poll, 1, &time, have_mask && interruptible ? &mask : nullptr);
            if (ready >= 0)
                return ready;
            if (errno != EINTR)
                return 1; /* the next call on the socket says what is wrong */
            if (have_mask && interruptible)
                return -1;
        }
    }

    ssize_t receive(void *bytes, size_t length, int timeout_ms, struct err *err)
    {
        for (;;) {
            ssize_t got = recv(getSocket(), bytes, length, MSG_DONTWAIT);
            if (got >= 0) {
                int on = 1;
                if (got > 0)
                    (void)setsockopt(getSocket(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
                return got;
            }
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN && errno != EWOULDBLOCK) {
                err_sys(err, "reading from the peer");
                if (err)
                    err->code = ERR_CLOSED;
                return -1;
            }
            int ready = wait(POLLIN, timeout_ms, true);
            if (ready < 0)
                return err_set(err, ERR_STOPPED, "told to stop");
            if (ready == 0)
                return err_set(err, ERR_TIMEOUT, "the peer kept silent for %g s",
                               timeout_ms / 1000.0);
        }
    }

    int send_all(const void *bytes, size_t length, int timeout_ms, struct err *err)
    {
        const char *at = static_cast<const char *>(bytes);
        while (length > 0) {
            ssize_t sent = send(getSocket(), at, length, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent > 0) {
                at += sent;
                length -= static_cast<size_t>(sent);
            } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
                if (wait(POLLOUT, timeout_ms, false) == 0)
                    return err_set(err, ERR_TIMEOUT, "the peer took nothing for %g s",
                                   timeout_ms / 1000.0);
            } else if (errno != EINTR) {
                err_sys(err, "writing to the peer");
                if (err)
                    err->code = ERR_CLOSED;
                return -1;
            }
        }
        return 0;
    }

    /* Half-closes and throws away what still comes, until the peer closes or the time is up. */
    void linger(int timeout_ms)
    {
        char waste[16384];
        int64_t until = monotonic_ms() + timeout_ms;
        if (shutdown(getSocket(), SHUT_WR) < 0)
            return;
        for (;;) {
            ssize_t got = recv(getSocket(), waste, sizeof waste, MSG_DONTWAIT);
            int64_t left = until - monotonic_ms();
            if (got == 0 || left <= 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
                return;
            if (got < 0 && wait(POLLIN, static_cast<int>(left), false) == 0)
                return;
        }
    }

    void abort(uint8_t reason)
    {
        /* A-ABORT by the service provider, PS3.8 section 9.3.8. */
        const unsigned char pdu[] = {7, 0, 0, 0, 0, 4, 0, 0, 2, reason};
        struct err ignored;
        (void)send_all(pdu, sizeof pdu, refused_linger_ms, &ignored);
        linger(refused_linger_ms);
    }

  private:
    int remaining() const
    {
        return static_cast<int>(std::max<int64_t>(deadline - monotonic_ms(), 0));
    }

    bool fill(size_t length)
    {
        size_t have = request.size();
        request.resize(length);
        while (have < length) {
            ssize_t got = receive(request.data() + have, length - have, remaining(), &problem);
            if (got == 0)
                err_set(&problem, ERR_CLOSED, "closed before an association was requested");
            if (got <= 0)
                return false;
            have += static_cast<size_t>(got);
        }
        return true;
    }

    bool fetch()
    {
        uint8_t reason = 0;
        if (problem.code != ERR_NONE)
            return false;
        if (!fill(pdu_head)) {
            request.clear();
            return false;
        }
        int verdict = layer.options.check(request.data(), pdu_head, &reason, &problem);
        if (verdict == 0) {
            const uint8_t *head = request.data();
            size_t length = static_cast<size_t>(head[2]) << 24 |
                            static_cast<size_t>(head[3]) << 16 | static_cast<size_t>(head[4]) << 8 |
                            head[5];
            if (!fill(pdu_head + length)) {
                request.clear();
                return false;
            }
            verdict = layer.options.check(request.data(), request.size(), &reason, &problem);
        }
        if (verdict < 0) {
            request.clear();
            abort(reason);
            return false;
        }
        return fetched = true;
    }

    Layer &layer;
    struct err &problem;
    int64_t deadline;
    bool have_mask = false;
    sigset_t mask = {};
    bool fetched = false;
    std::vector<uint8_t> request;
    size_t taken = 0;
};

DcmTransportConnection *Layer::createConnection(DcmNativeSocketType fd, OFBool)
{
    made = true;
    return gate = new Gate(fd, *this);
}

void trimmed(char *to, size_t room, const char *from)
{
    while (*from == ' ')
        from++;
    size_t length = std::strlen(from);
    while (length > 0 && from[length - 1] == ' ')
        length--;
    length = std::min(length, room - 1);
    /* An AE title has no control characters and no backslash; whatever comes is shown and stored. */
    for (size_t i = 0; i < length; i++)
        to[i] = from[i] < ' ' || from[i] > '~' || from[i] == '\\' ? '?' : from[i];
    to[length] = 0;
}

} // namespace

struct dcm_association {
    T_ASC_Network *network = nullptr;
    T_ASC_Association *dul = nullptr;
    Gate *gate = nullptr;
    std::vector<dcm_context> contexts;
    char calling[17] = "", called[17] = "";
    uint32_t peer_max_pdu = 0;

    ~dcm_association()
    {
        ASC_destroyAssociation(&dul); /* closes the socket, deletes the gate */
        ASC_dropNetwork(&network);
    }
};

namespace
{

int failed(struct err *err, const char *what, const OFCondition &condition)
{
    return err_set(err, ERR_FAILED, "%s: %s", what, condition.text());
}

/* Tells the requestor no, and lets it read that. */
int reject(dcm_association &a, const T_ASC_RejectParameters &why)
{
    Gate *gate = a.gate;
    ASC_rejectAssociation(a.dul, &why);
    gate->linger(refused_linger_ms);
    return -1;
}

int admit(dcm_association &a, const dcm_accept_options &options, struct err *err)
{
    static const T_ASC_RejectParameters reasons[] = {
        {ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
         ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED},
        {ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
         ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED},
        {ASC_RESULT_REJECTEDTRANSIENT, ASC_SOURCE_SERVICEPROVIDER_PRESENTATION_RELATED,
         ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED},
        {ASC_RESULT_REJECTEDTRANSIENT, ASC_SOURCE_SERVICEPROVIDER_PRESENTATION_RELATED,
         ASC_REASON_SP_PRES_TEMPORARYCONGESTION},
        {ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER, ASC_REASON_SU_NOREASON},
    };
    const DUL_ASSOCIATESERVICEPARAMETERS &dul = a.dul->params->DULparams;

    trimmed(a.calling, sizeof a.calling, dul.callingAPTitle);
    trimmed(a.called, sizeof a.called, dul.calledAPTitle);
    if (std::strcmp(dul.applicationContextName, application_context) != 0) {
        err_set(err, ERR_INPUT, "%s: rejected: application context %s", a.calling,
                dul.applicationContextName);
        return reject(a, {ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
                          ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED});
    }
    enum dcm_reject which = DCM_REJECT_NO_REASON;
    const char *why =
        options.admit ? options.admit(options.context, a.calling, a.called, &which) : nullptr;
    if (!why)
        return 0;
    err_set(err, ERR_INPUT, "%s calling %s: rejected: %s", a.calling, a.called, why);
    return reject(a, reasons[which]);
}

/* One proposed context: judged, and answered in DCMTK's list. */
void answer_context(dcm_association &a, DUL_PRESENTATIONCONTEXT *proposed,
                    const dcm_accept_options &options)
{
    std::vector<const char *> syntaxes;
    auto id = proposed->presentationContextID;
    LST_HEAD **list = &proposed->proposedTransferSyntax;
    auto *syntax = *list ? static_cast<DUL_TRANSFERSYNTAX *>(LST_Head(list)) : nullptr;

    if (syntax)
        (void)LST_Position(list, syntax);
    for (; syntax; syntax = static_cast<DUL_TRANSFERSYNTAX *>(LST_Next(list)))
        syntaxes.push_back(syntax->transferSyntax);
    if ((id & 1) == 0) { /* PS3.8 section 9.3.2.2: odd numbers */
        ASC_refusePresentationContext(a.dul->params, id, ASC_P_NOREASON);
        return;
    }
    dcm_proposal proposal = {proposed->abstractSyntax, syntaxes.data(), syntaxes.size()};
    int chosen = options.choose(options.context, &proposal);
    if (chosen < 0 || static_cast<size_t>(chosen) >= syntaxes.size()) {
        ASC_refusePresentationContext(a.dul->params, id,
                                      chosen == -1 ? ASC_P_ABSTRACTSYNTAXNOTSUPPORTED
                                                   : ASC_P_TRANSFERSYNTAXESNOTSUPPORTED);
        return;
    }
    dcm_context context = {};
    context.id = id;
    OFStandard::strlcpy(context.abstract_syntax, proposed->abstractSyntax,
                        sizeof context.abstract_syntax);
    OFStandard::strlcpy(context.transfer_syntax, syntaxes[static_cast<size_t>(chosen)],
                        sizeof context.transfer_syntax);
    /* Role selection that is proposed is answered by DCMTK: what is not accepted explicitly is the
     * default, the requestor as SCU. */
    OFCondition condition =
        ASC_acceptPresentationContext(a.dul->params, id, context.transfer_syntax);
    if (condition.good())
        a.contexts.push_back(context);
}

void answer_contexts(dcm_association &a, const dcm_accept_options &options)
{
    LST_HEAD **list = &a.dul->params->DULparams.requestedPresentationContext;
    std::vector<DUL_PRESENTATIONCONTEXT *> all;
    bool seen[256] = {};

    if (!*list)
        return;
    auto *proposed = static_cast<DUL_PRESENTATIONCONTEXT *>(LST_Head(list));
    if (proposed)
        (void)LST_Position(list, proposed);
    for (; proposed; proposed = static_cast<DUL_PRESENTATIONCONTEXT *>(LST_Next(list)))
        all.push_back(proposed);
    for (DUL_PRESENTATIONCONTEXT *one : all) {
        /* A number that comes twice: the first counts, and there is one answer. */
        if (!seen[one->presentationContextID])
            answer_context(a, one, options);
        seen[one->presentationContextID] = true;
    }
}

int negotiate(dcm_association &a, int fd, const dcm_accept_options &options, struct err *err)
{
    Layer *layer = new Layer(options);
    int seconds = options.timeout_ms / 1000 + 2; /* the gate's deadline comes first */

    dcmExternalSocketHandle.set(fd);
    OFCondition condition = ASC_initializeNetwork(NET_ACCEPTOR, 0, seconds, &a.network);
    if (condition.good())
        condition = ASC_setTransportLayer(a.network, layer, 1);
    if (condition.bad()) {
        delete layer;
        close(fd);
        return failed(err, "network", condition);
    }
    condition = ASC_receiveAssociation(a.network, &a.dul, static_cast<long>(options.max_pdu),
                                       nullptr, nullptr, OFFalse, DUL_NOBLOCK, seconds);
    dcmExternalSocketHandle.set(-1);
    if (!layer->made)
        close(fd);
    a.gate = layer->gate;
    /* DCMTK's state machine takes a closed connection for success. */
    if (layer->problem.code != ERR_NONE) {
        *err = layer->problem;
        return -1;
    }
    if (condition.bad() || !a.gate)
        return failed(err, "association request", condition);
    if (admit(a, options, err) < 0)
        return -1;
    T_ASC_Parameters *params = a.dul->params;
    a.peer_max_pdu = static_cast<uint32_t>(params->theirMaxPDUReceiveSize);
    /* DCMTK takes some values above 2^31 for a sign of an old version of itself. */
    params->theirMaxPDUReceiveSize &= 0x7fffffff;
    OFStandard::strlcpy(params->ourImplementationClassUID, IMPLEMENTATION_CLASS_UID,
                        sizeof params->ourImplementationClassUID);
    OFStandard::strlcpy(params->ourImplementationVersionName, IMPLEMENTATION_VERSION_NAME,
                        sizeof params->ourImplementationVersionName);
    answer_contexts(a, options);
    condition = ASC_acknowledgeAssociation(a.dul);
    if (condition.good())
        return 0;
    failed(err, "association acceptance", condition);
    if (layer->problem.code != ERR_NONE)
        *err = layer->problem;
    return -1;
}

} // namespace

extern "C" {

void dcm_init(void)
{
    try {
        OFLog::configure(OFLogger::OFF_LOG_LEVEL);
        dcmDisableGethostbyaddr.set(OFTrue);
    } catch (const std::exception &) {
        /* Then it talks on stderr, or knows hosts by name: no harm. */
        return;
    }
}

struct dcm_association *dcm_accept(int socket, const struct dcm_accept_options *options,
                                   struct err *err)
{
    dcm_association *a = nullptr;

    try {
        int on = 1;
        if (socket < 3) { /* DCMTK takes 0 for none, and who prints must not meet the peer */
            int moved = fcntl(socket, F_DUPFD_CLOEXEC, 3);
            close(socket);
            if (moved < 0) {
                err_sys(err, "socket");
                return nullptr;
            }
            socket = moved;
        }
        (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        a = new dcm_association;
        err->code = ERR_NONE;
        if (negotiate(*a, socket, *options, err) == 0)
            return a;
    } catch (const std::exception &e) {
        err_set(err, ERR_FAILED, "association request: %s", e.what());
    }
    delete a;
    return nullptr;
}

const char *dcm_calling_aet(const struct dcm_association *association)
{
    return association->calling;
}

const char *dcm_called_aet(const struct dcm_association *association)
{
    return association->called;
}

uint32_t dcm_peer_max_pdu(const struct dcm_association *association)
{
    return association->peer_max_pdu;
}

const struct dcm_context *dcm_contexts(const struct dcm_association *association, size_t *count)
{
    *count = association->contexts.size();
    return association->contexts.data();
}

ssize_t dcm_read(struct dcm_association *association, void *bytes, size_t length, int timeout_ms,
                 struct err *err)
{
    return association->gate->receive(bytes, length, timeout_ms, err);
}

int dcm_write(struct dcm_association *association, const void *bytes, size_t length, int timeout_ms,
              struct err *err)
{
    return association->gate->send_all(bytes, length, timeout_ms, err);
}

void dcm_close(struct dcm_association *association, int linger_ms)
{
    if (!association)
        return;
    try {
        if (linger_ms > 0)
            association->gate->linger(linger_ms);
        delete association;
    } catch (const std::exception &) {
        return; /* the process is about to end */
    }
}

} // extern "C"
