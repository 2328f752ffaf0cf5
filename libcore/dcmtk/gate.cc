/*
 * See gate.hh. TLS is OpenSSL's, on a socket that never blocks: the waiting is ours.
 */
#include "gate.hh"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

extern "C" {
#include "base/err.h"
#include "base/fs.h"
}

namespace
{

constexpr size_t pdu_head = 6;
/* How long a peer that was refused gets to read why. */
constexpr int refused_linger_ms = 1000;

} // namespace

Gate::Gate(int fd, GateState &s)
    : DcmTCPConnection(fd), state(s), deadline(monotonic_ms() + s.timeout_ms)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    have_mask = s.wait_mask != nullptr;
    if (have_mask)
        mask = *s.wait_mask;
    if (s.tls) {
        int flags = fcntl(fd, F_GETFL);
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        ssl = SSL_new(s.tls);
        if (ssl)
            SSL_set_fd(ssl, fd);
    }
}

Gate::~Gate()
{
    if (ssl)
        SSL_free(ssl);
    state.gate = nullptr;
}

DcmTransportConnection *GateLayer::createConnection(DcmNativeSocketType fd, OFBool)
{
    state.made = true;
    return state.gate = new Gate(fd, state);
}

/* ---- some bytes, without waiting ---- */

/* > 0: done; 0: the end; -1: not now (`*want`), or with `*want` 0 never, errno 0 for a failure of TLS. */
ssize_t Gate::tls_result(int result, short *want)
{
    *want = 0;
    if (result > 0)
        return result;
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *want = POLLIN;
        return -1;
    case SSL_ERROR_WANT_WRITE:
        *want = POLLOUT;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return errno == 0 ? 0 : -1;
    default:
        errno = 0;
        return -1;
    }
}

ssize_t Gate::some_in(void *bytes, size_t length, short *want)
{
    if (ssl) {
        ERR_clear_error();
        errno = 0;
        return tls_result(SSL_read(ssl, bytes, static_cast<int>(std::min<size_t>(length, 1 << 20))),
                          want);
    }
    ssize_t got = recv(getSocket(), bytes, length, MSG_DONTWAIT);
    *want = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? POLLIN : 0;
    return got;
}

ssize_t Gate::some_out(const void *bytes, size_t length, short *want)
{
    if (ssl) {
        ERR_clear_error();
        errno = 0;
        return tls_result(
            SSL_write(ssl, bytes, static_cast<int>(std::min<size_t>(length, 1 << 20))), want);
    }
    ssize_t sent = send(getSocket(), bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    *want = sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? POLLOUT : 0;
    return sent;
}

static int broken(struct err *err, const char *doing)
{
    if (errno) {
        err_sys(err, "%s the peer", doing);
    } else {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        err_set(err, ERR_CLOSED, "%s the peer: TLS: %s", doing, reason ? reason : "failed");
    }
    if (err)
        err->code = ERR_CLOSED;
    return -1;
}

/* ---- waiting ---- */

/* 1: ready, 0: time is up, -1: a signal. */
int Gate::wait(short what, int timeout_ms, bool interruptible)
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

bool Gate::ready()
{
    struct pollfd poll = {getSocket(), POLLIN, 0};
    return (ssl && SSL_pending(ssl) > 0) || ::poll(&poll, 1, 0) > 0;
}

ssize_t Gate::receive(void *bytes, size_t length, int timeout_ms, struct err *err)
{
    for (;;) {
        short want;
        ssize_t got = some_in(bytes, length, &want);
        if (got >= 0) {
            int on = 1;
            if (got > 0)
                (void)setsockopt(getSocket(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
            return got;
        }
        if (!want && errno == EINTR)
            continue;
        if (!want)
            return broken(err, "reading from");
        int ready = wait(want, timeout_ms, true);
        if (ready < 0)
            return err_set(err, ERR_STOPPED, "told to stop");
        if (ready == 0)
            return err_set(err, ERR_TIMEOUT, "the peer kept silent for %g s", timeout_ms / 1000.0);
    }
}

int Gate::send_all(const void *bytes, size_t length, int timeout_ms, struct err *err)
{
    const char *at = static_cast<const char *>(bytes);
    while (length > 0) {
        short want;
        ssize_t sent = some_out(at, length, &want);
        if (sent > 0) {
            at += sent;
            length -= static_cast<size_t>(sent);
        } else if (want) {
            if (wait(want, timeout_ms, false) == 0)
                return err_set(err, ERR_TIMEOUT, "the peer took nothing for %g s",
                               timeout_ms / 1000.0);
        } else if (errno != EINTR) {
            return broken(err, "writing to");
        }
    }
    return 0;
}

void Gate::linger(int timeout_ms)
{
    char waste[16384];
    int64_t until = monotonic_ms() + timeout_ms;
    if (ssl && shaken)
        (void)SSL_shutdown(ssl);
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

int Gate::remaining() const
{
    return static_cast<int>(std::max<int64_t>(deadline - monotonic_ms(), 0));
}

/* ---- TLS ---- */

int Gate::handshake(struct err *err)
{
    if (shaken || !state.tls)
        return 0;
    if (!ssl)
        return err_set(err, ERR_FAILED, "TLS: out of memory");
    for (;;) {
        short want;
        ERR_clear_error();
        errno = 0;
        int result = state.server ? SSL_accept(ssl) : SSL_connect(ssl);
        if (tls_result(result, &want) > 0)
            break;
        if (!want) {
            long verified = SSL_get_verify_result(ssl);
            if (errno == 0 && verified != X509_V_OK)
                return err_set(err, ERR_INPUT, "TLS: the peer's certificate: %s",
                               X509_verify_cert_error_string(verified));
            const char *reason = ERR_reason_error_string(ERR_peek_last_error());
            return err_set(err, ERR_INPUT, "TLS handshake: %s",
                           reason       ? reason
                           : errno != 0 ? strerror(errno)
                                        : "the peer closed the connection");
        }
        int ready = wait(want, remaining(), true);
        if (ready < 0)
            return err_set(err, ERR_STOPPED, "told to stop");
        if (ready == 0)
            return err_set(err, ERR_TIMEOUT, "TLS handshake: the peer kept silent");
    }
    shaken = true;
    X509 *peer = SSL_get_peer_certificate(ssl);
    if (peer) {
        X509_NAME_oneline(X509_get_subject_name(peer), peer_subject, sizeof peer_subject);
        X509_free(peer);
    }
    return 0;
}

OFCondition Gate::serverSideHandshake()
{
    return handshake(&state.problem) == 0 ? EC_Normal : EC_IllegalParameter;
}

OFCondition Gate::clientSideHandshake()
{
    return handshake(&state.problem) == 0 ? EC_Normal : EC_IllegalParameter;
}

/* ---- for DCMTK ---- */

void Gate::abort(uint8_t reason)
{
    /* A-ABORT by the service provider, PS3.8 section 9.3.8. */
    const unsigned char pdu[] = {7, 0, 0, 0, 0, 4, 0, 0, 2, reason};
    struct err ignored;
    (void)send_all(pdu, sizeof pdu, refused_linger_ms, &ignored);
    linger(refused_linger_ms);
}

bool Gate::fill(size_t length)
{
    size_t have = first.size();
    first.resize(length);
    while (have < length) {
        ssize_t got = receive(first.data() + have, length - have, remaining(), &state.problem);
        if (got == 0)
            err_set(&state.problem, ERR_CLOSED,
                    state.server ? "closed before an association was requested"
                                 : "the peer closed the connection before it answered");
        if (got <= 0)
            return false;
        have += static_cast<size_t>(got);
    }
    return true;
}

bool Gate::fetch()
{
    uint8_t reason = 0;
    if (state.problem.code != ERR_NONE)
        return false;
    if (handshake(&state.problem) < 0)
        return false;
    if (!fill(pdu_head)) {
        first.clear();
        return false;
    }
    int verdict = state.check(first.data(), pdu_head, &reason, &state.problem);
    if (verdict == 0) {
        const uint8_t *head = first.data();
        size_t length = static_cast<size_t>(head[2]) << 24 | static_cast<size_t>(head[3]) << 16 |
                        static_cast<size_t>(head[4]) << 8 | head[5];
        if (!fill(pdu_head + length)) {
            first.clear();
            return false;
        }
        verdict = state.check(first.data(), first.size(), &reason, &state.problem);
    }
    if (verdict < 0) {
        first.clear();
        abort(reason);
        return false;
    }
    return fetched = true;
}

ssize_t Gate::read(void *bytes, size_t length)
{
    if (!fetched && !fetch())
        return 0;
    if (taken < first.size()) {
        size_t part = std::min(length, first.size() - taken);
        std::memcpy(bytes, first.data() + taken, part);
        taken += part;
        return static_cast<ssize_t>(part);
    }
    ssize_t got = receive(bytes, length, remaining(), &state.problem);
    return got < 0 ? 0 : got;
}

ssize_t Gate::write(void *bytes, size_t length)
{
    if (handshake(&state.problem) < 0)
        return 0;
    return send_all(bytes, length, remaining(), &state.problem) < 0 ? 0
                                                                    : static_cast<ssize_t>(length);
}
