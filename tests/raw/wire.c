/*
 * See wire.h.
 */
#include "wire.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_SIZE = 65536, BODY_LIMIT = 1 << 24 };

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void put16(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

void put32(unsigned char *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

uint32_t get16(const unsigned char *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

uint32_t get32(const unsigned char *at)
{
    return get16(at) << 16 | get16(at + 2);
}

int wire_connect(struct wire *wire, const char *host, const char *port, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int status = getaddrinfo(host, port, &hints, &list);
    int on = 1;

    wire->fd = -1;
    if (status != 0)
        return err_set(err, ERR_FAILED, "%s: %s", host, gai_strerror(status));
    for (struct addrinfo *one = list; one && wire->fd < 0; one = one->ai_next) {
        wire->fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (wire->fd >= 0 && connect(wire->fd, one->ai_addr, one->ai_addrlen) < 0) {
            err_sys(err, "%s:%s", host, port);
            close(wire->fd);
            wire->fd = -1;
        }
    }
    freeaddrinfo(list);
    if (wire->fd < 0)
        return -1;
    if (!wire->stock)
        setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    wire->in = xmalloc(IN_SIZE);
    wire->in_at = wire->in_end = 0;
    return 0;
}

void wire_close(struct wire *wire)
{
    if (wire->fd >= 0)
        close(wire->fd);
    wire->fd = -1;
    free(wire->in);
    wire->in = NULL;
}

void wire_arm(struct wire *wire, const struct fault *fault)
{
    wire->fault = *fault;
    wire->armed = fault->kind != FAULT_NONE;
    wire->since_armed = 0;
}

bool wire_abort_due(const struct wire *wire)
{
    return wire->armed && wire->fault.kind == FAULT_ABORT && wire->since_armed >= wire->fault.at;
}

static int send_failed(struct wire *wire, struct err *err)
{
    if (errno == EPIPE || errno == ECONNRESET)
        err_set(err, ERR_CLOSED, "closed by the peer after %llu bytes",
                (unsigned long long)wire->sent);
    else
        err_sys(err, "send");
    return -1;
}

/* All parts, in as few calls as the kernel allows; the array is used up. */
static int send_parts(struct wire *wire, struct iovec *parts, int count, struct err *err)
{
    while (count > 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        ssize_t n = sendmsg(wire->fd, &message, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return send_failed(wire, err);
        wire->sent += (uint64_t)n;
        wire->since_armed += (uint64_t)n;
        while (count > 0 && (size_t)n >= parts->iov_len) {
            n -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + n;
            parts->iov_len -= (size_t)n;
        }
    }
    return 0;
}

static int send_copy(struct wire *wire, const struct iovec *parts, int count, struct err *err)
{
    struct iovec copy[1024];

    if (wire->stock) {
        for (int i = 0; i < count; i++) {
            copy[0] = parts[i];
            if (send_parts(wire, copy, 1, err) < 0)
                return -1;
        }
        return 0;
    }
    while (count > 0) {
        int some = count < 1024 ? count : 1024;

        memcpy(copy, parts, (size_t)some * sizeof *copy);
        if (send_parts(wire, copy, some, err) < 0)
            return -1;
        parts += some;
        count -= some;
    }
    return 0;
}

/* Nothing goes out; what the peer says meanwhile stays to be read, its close ends the wait. */
static int stall(struct wire *wire, struct err *err)
{
    uint64_t began = now_ns();
    double left = wire->fault.seconds;

    while (wire->fault.seconds == 0 || left > 0) {
        struct pollfd look = {.fd = wire->fd, .events = POLLRDHUP};

        poll(&look, 1, left > 0 ? (int)(left * 1000) + 1 : 1000);
        if (look.revents)
            return err_set(err, ERR_CLOSED, "closed by the peer after a silence of %.1f s",
                           (double)(now_ns() - began) / 1e9);
        left = wire->fault.seconds - (double)(now_ns() - began) / 1e9;
    }
    return 0;
}

static int strike(struct wire *wire, const unsigned char *byte, struct err *err)
{
    struct linger now = {.l_onoff = 1};
    unsigned char inverted = (unsigned char)~*byte;
    struct iovec part = {&inverted, 1};

    wire->armed = false;
    switch (wire->fault.kind) {
    case FAULT_RESET:
        setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        /* fall through */
    case FAULT_CUT:
        close(wire->fd);
        wire->fd = -1;
        return err_set(err, ERR_CLOSED, "cut after %llu bytes, as told",
                       (unsigned long long)wire->since_armed);
    case FAULT_STALL:
        if (stall(wire, err) < 0)
            return -1;
        part.iov_base = (void *)byte;
        /* fall through */
    case FAULT_CORRUPT:
        return send_parts(wire, &part, 1, err);
    default:
        return 0;
    }
}

int wire_send(struct wire *wire, const struct iovec *parts, int count, struct err *err)
{
    if (wire->fd < 0)
        return err_set(err, ERR_CLOSED, "the connection is closed");
    for (int i = 0; i < count && wire->armed && wire->fault.kind != FAULT_ABORT; i++) {
        uint64_t to_fault = wire->fault.at - wire->since_armed;
        const unsigned char *bytes = parts[i].iov_base;

        /* Bytes of earlier parts are not sent yet, so the distance shrinks by them. */
        for (int j = 0; j < i; j++)
            to_fault -= parts[j].iov_len;
        if (to_fault >= parts[i].iov_len)
            continue;
        struct iovec before = {(void *)bytes, (size_t)to_fault};
        struct iovec after = {(void *)(bytes + to_fault + 1), parts[i].iov_len - to_fault - 1};
        if (send_copy(wire, parts, i, err) < 0 || send_copy(wire, &before, 1, err) < 0 ||
            strike(wire, bytes + to_fault, err) < 0)
            return -1;
        if (send_copy(wire, &after, 1, err) < 0)
            return -1;
        return send_copy(wire, parts + i + 1, count - i - 1, err);
    }
    return send_copy(wire, parts, count, err);
}

int wire_send_bytes(struct wire *wire, const void *bytes, size_t length, struct err *err)
{
    struct iovec part = {(void *)bytes, length};

    return wire_send(wire, &part, 1, err);
}

static int receive(struct wire *wire, unsigned char *bytes, size_t length, struct err *err)
{
    while (length > 0) {
        if (wire->in_at < wire->in_end) {
            size_t some = wire->in_end - wire->in_at;

            some = some < length ? some : length;
            memcpy(bytes, wire->in + wire->in_at, some);
            wire->in_at += some;
            bytes += some;
            length -= some;
            continue;
        }
        struct pollfd look = {.fd = wire->fd, .events = POLLIN};
        int ready = poll(&look, 1, wire->timeout_ms);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return err_set(err, ERR_TIMEOUT, "no answer for %d ms", wire->timeout_ms);
        ssize_t n = recv(wire->fd, wire->in, IN_SIZE, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_CLOSED, "recv: %s", strerror(errno));
        if (n == 0)
            return err_set(err, ERR_CLOSED, "closed by the peer");
        wire->in_at = 0;
        wire->in_end = (size_t)n;
    }
    return 0;
}

int wire_read(struct wire *wire, uint8_t *type, struct buf *body, struct err *err)
{
    unsigned char head[6] = {0};

    if (wire->fd < 0)
        return err_set(err, ERR_CLOSED, "the connection is closed");
    if (receive(wire, head, sizeof head, err) < 0)
        return -1;
    uint32_t length = get32(head + 2);
    if (length > BODY_LIMIT)
        return err_set(err, ERR_INPUT, "a PDU of %u bytes came", length);
    *type = head[0];
    buf_clear(body);
    if (receive(wire, (unsigned char *)buf_reserve(body, length), length, err) < 0)
        return -1;
    body->length = length;
    return 0;
}
