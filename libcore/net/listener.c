/*
 * See listener.h.
 *
 * Beyond the limits a connection still gets a child, which tells the peer so in an orderly way (a bare
 * close is taken for a broken network, and many devices then try again at once); of those there is a bound
 * too, and beyond it connections are closed. So a flood costs a fixed number of processes.
 */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#define SOCKETS_MAX    8
#define BACKLOG        512
#define REFUSERS_MAX   16    /* children at a time that only refuse; half of them for one peer */
#define REFUSAL_LOG_MS 1000  /* closes without a word are logged as one line per second */
#define IDLE_MS        2000  /* without connections, until `maintain` with idle */
#define BUSY_MS        60000 /* between two `maintain` while connections are served */
#define AGAIN_MS       30000 /* when maintenance has more to do */
#define BACKOFF_MS     200   /* after a failed accept or fork */
#define KILL_AFTER_MS  1000  /* beyond the time that the children have */
#define PEER_TEXT      64

volatile sig_atomic_t listener_stop_flag;

bool listener_stop_waits(void)
{
    sigset_t pending;

    return listener_stop_flag ||
           (sigpending(&pending) == 0 &&
            (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1));
}

struct child {
    pid_t pid;
    struct in6_addr peer;
    bool refuses;
    char name[PEER_TEXT];
};

struct listener {
    int sockets[SOCKETS_MAX];
    bool secure[SOCKETS_MAX];
    size_t count;
    int port;    /* the first one */
    int opening; /* the port of the sockets that are being opened */
    bool opening_secure;
    struct buf addresses;

    const struct listener_options *options;
    int signals; /* signalfd */
    sigset_t outer_mask;
    struct child *children;
    size_t child_count, refuser_count;
    pid_t maintainer;
    bool died, served; /* since the last maintenance */
    bool again;        /* which has more to do */
    bool stopping;
    int64_t backoff_until;    /* no accept before */
    int64_t last_connection;  /* one came, or ended */
    int64_t last_maintenance; /* ended */
    int64_t closed_logged;
    unsigned long closed;
};

/* ---- sockets ---- */

static void address_text(const struct sockaddr_storage *address, socklen_t length, bool port,
                         char *out, size_t room)
{
    struct sockaddr_in6 in6;
    char host[NI_MAXHOST], service[NI_MAXSERV];

    memcpy(&in6, address, sizeof in6);
    if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
        const uint8_t *b = in6.sin6_addr.s6_addr + 12;
        snprintf(out, room, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
        return;
    }
    if (getnameinfo((const struct sockaddr *)address, length, host, sizeof host, service,
                    sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        snprintf(out, room, "?");
        return;
    }
    if (!port)
        snprintf(out, room, "%.60s", host);
    else
        snprintf(out, room, address->ss_family == AF_INET6 ? "[%.50s]:%.6s" : "%.50s:%.6s", host,
                 service);
}

static int open_socket(struct listener *listener, const struct addrinfo *at, bool all,
                       struct err *err)
{
    int on = 1, off = 0;
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char text[PEER_TEXT];
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_sys(err, "socket");
    memcpy(&bound, at->ai_addr, at->ai_addrlen);
    if (at->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)&bound)->sin6_port = htons((uint16_t)listener->opening);
    else
        ((struct sockaddr_in *)&bound)->sin_port = htons((uint16_t)listener->opening);
    address_text(&bound, at->ai_addrlen, true, text, sizeof text);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, all ? &off : &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&bound, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &length) < 0) {
        err_sys(err, "cannot listen on %s", text);
        close(fd);
        return -1;
    }
    listener->opening = ntohs(at->ai_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                        : ((struct sockaddr_in *)&bound)->sin_port);
    address_text(&bound, length, true, text, sizeof text);
    buf_addf(&listener->addresses, "%s%s%s", listener->count ? ", " : "", text,
             listener->opening_secure ? " (TLS)" : "");
    listener->secure[listener->count] = listener->opening_secure;
    listener->sockets[listener->count++] = fd;
    return 0;
}

/* Every address: one IPv6 socket that takes IPv4 as well, or an IPv4 one where there is no IPv6. */
static int open_all(struct listener *listener, struct err *err)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    struct addrinfo at6 = {
        .ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&in6, .ai_addrlen = sizeof in6};
    struct addrinfo at4 = {
        .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&in4, .ai_addrlen = sizeof in4};

    if (open_socket(listener, &at6, true, err) == 0)
        return 0;
    if (errno == EADDRINUSE || errno == EACCES)
        return -1;
    return open_socket(listener, &at4, true, err);
}

static int open_named(struct listener *listener, const char *name, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int status = getaddrinfo(name, NULL, &hints, &found);

    if (status != 0)
        return err_set(err, ERR_INPUT, "%s: %s", name,
                       status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status));
    status = 0;
    for (struct addrinfo *at = found; at && status == 0 && listener->count < SOCKETS_MAX;
         at = at->ai_next)
        status = open_socket(listener, at, false, err);
    freeaddrinfo(found);
    return status;
}

static int open_port(struct listener *listener, const char *bind, int port, bool secure,
                     struct err *err)
{
    listener->opening = port;
    listener->opening_secure = secure;
    return bind ? open_named(listener, bind, err) : open_all(listener, err);
}

struct listener *listener_open(const char *bind, int port, struct err *err)
{
    struct listener *listener = xcalloc(1, sizeof *listener);

    listener->signals = -1;
    if (open_port(listener, bind, port, false, err) == 0) {
        listener->port = listener->opening;
        return listener;
    }
    listener_close(listener);
    return NULL;
}

int listener_add_secure(struct listener *listener, const char *bind, int port, struct err *err)
{
    return open_port(listener, bind, port, true, err);
}

int listener_port(const struct listener *listener)
{
    return listener->port;
}

const char *listener_addresses(const struct listener *listener)
{
    return buf_text(&listener->addresses);
}

static void close_sockets(struct listener *listener)
{
    for (size_t i = 0; i < listener->count; i++)
        close(listener->sockets[i]);
    listener->count = 0;
}

void listener_close(struct listener *listener)
{
    if (!listener)
        return;
    close_sockets(listener);
    if (listener->signals >= 0)
        close(listener->signals);
    free(listener->children);
    buf_free(&listener->addresses);
    free(listener);
}

/* ---- children ---- */

static void on_stop(int number)
{
    (void)number;
    listener_stop_flag = 1;
}

/* In the child: nothing of the listener but its options; a stop that waits for a safe moment. */
static void become_child(struct listener *listener)
{
    struct sigaction stop = {.sa_handler = on_stop};
    sigset_t blocked = listener->outer_mask;

    /* When the listener is killed its children finish what they have begun. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigemptyset(&stop.sa_mask);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGHUP, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    close_sockets(listener);
    close(listener->signals);
}

static pid_t fork_child(struct listener *listener)
{
    pid_t parent = getpid(), pid = fork();

    if (pid < 0) {
        log_error("fork: %s", strerror(errno));
        listener->backoff_until = monotonic_ms() + BACKOFF_MS;
    }
    if (pid == 0) {
        become_child(listener);
        if (getppid() != parent) /* it died before prctl */
            raise(SIGTERM);
    }
    return pid;
}

static void maintain(struct listener *listener)
{
    const struct listener_options *options = listener->options;
    pid_t pid = fork_child(listener);

    if (pid == 0)
        exit(options->maintain(options->context, listener->stopping));
    if (pid < 0)
        return;
    listener->maintainer = pid;
    listener->died = false;
    listener->served = false;
}

static void tell_death(const struct child *child, int status)
{
    if (WIFSIGNALED(status))
        log_error("%s: worker %d died by signal %d (%s); its peer got no answer", child->name,
                  (int)child->pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        log_error("%s: worker %d ended with status %d", child->name, (int)child->pid,
                  WEXITSTATUS(status));
}

static void reap(struct listener *listener)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == listener->maintainer) {
            listener->maintainer = 0;
            listener->last_maintenance = monotonic_ms();
            listener->again = WIFEXITED(status) && WEXITSTATUS(status) == LISTENER_AGAIN;
            if (WIFSIGNALED(status))
                log_error("maintenance of the archive died by signal %d", WTERMSIG(status));
            continue;
        }
        for (size_t i = 0; i < listener->child_count; i++) {
            struct child *child = &listener->children[i];
            if (child->pid != pid)
                continue;
            tell_death(child, status);
            listener->died |= WIFSIGNALED(status);
            listener->refuser_count -= child->refuses;
            *child = listener->children[--listener->child_count];
            listener->last_connection = monotonic_ms();
            break;
        }
    }
}

/* ---- connections ---- */

static struct in6_addr peer_key(const struct sockaddr_storage *address)
{
    struct in6_addr key = {0};

    if (address->ss_family == AF_INET6) {
        key = ((const struct sockaddr_in6 *)address)->sin6_addr;
    } else {
        key.s6_addr[10] = key.s6_addr[11] = 0xff;
        memcpy(key.s6_addr + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
    }
    return key;
}

static void count_peer(const struct listener *listener, const struct in6_addr *peer, int *served,
                       int *refused)
{
    *served = *refused = 0;
    for (size_t i = 0; i < listener->child_count; i++)
        if (memcmp(&listener->children[i].peer, peer, sizeof *peer) == 0)
            ++*(listener->children[i].refuses ? refused : served);
}

static void closed_without_a_word(struct listener *listener, const char *peer)
{
    int64_t now = monotonic_ms();

    listener->closed++;
    if (now - listener->closed_logged < REFUSAL_LOG_MS)
        return;
    log_error("%s: connection closed: too many at a time (%lu closed since the last such line)",
              peer, listener->closed);
    listener->closed = 0;
    listener->closed_logged = now;
}

static void take_connection(struct listener *listener, int fd, bool secure,
                            const struct sockaddr_storage *address, socklen_t length)
{
    const struct listener_options *options = listener->options;
    struct child child = {.peer = peer_key(address)};
    const char *over = NULL;
    int served, refused;

    address_text(address, length, false, child.name, sizeof child.name);
    count_peer(listener, &child.peer, &served, &refused);
    if (listener->child_count - listener->refuser_count >= (size_t)options->max_children)
        over = "max-associations is reached";
    else if (served >= options->max_per_peer)
        over = "max-per-peer is reached";
    child.refuses = over != NULL;
    if (over && (listener->refuser_count >= REFUSERS_MAX || refused >= REFUSERS_MAX / 2)) {
        closed_without_a_word(listener, child.name);
        close(fd);
        return;
    }
    child.pid = fork_child(listener);
    if (child.pid == 0)
        exit(options->serve(options->context, fd, secure, child.name, over));
    close(fd);
    if (child.pid < 0)
        return;
    listener->refuser_count += child.refuses;
    listener->served |= !child.refuses;
    listener->last_connection = monotonic_ms();
    listener->children[listener->child_count++] = child;
}

static void accept_one(struct listener *listener, size_t which)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    int fd = accept4(listener->sockets[which], (struct sockaddr *)&address, &length, SOCK_CLOEXEC);

    if (fd >= 0) {
        take_connection(listener, fd, listener->secure[which], &address, length);
        return;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        log_error("accept: %s", strerror(errno));
        listener->backoff_until = monotonic_ms() + BACKOFF_MS;
        break;
    default: /* the peer is gone already, or the network has something to say: accept(2) */
        break;
    }
}

/* ---- the loop ---- */

static void signal_children(const struct listener *listener, int number)
{
    for (size_t i = 0; i < listener->child_count; i++)
        kill(listener->children[i].pid, number);
    if (listener->maintainer)
        kill(listener->maintainer, number);
}

static void take_signals(struct listener *listener)
{
    struct signalfd_siginfo info;

    while (read(listener->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            listener->stopping = true;
    reap(listener);
}

/* Starts maintenance when it is time; returns in how many milliseconds to look again, or -1. */
static int maintenance_due(struct listener *listener)
{
    int64_t now = monotonic_ms(), due;
    bool idle = listener->child_count == 0;

    if (listener->maintainer || (!listener->served && !listener->died && !listener->again))
        return -1;
    due = !listener->served && listener->again ? listener->last_maintenance + AGAIN_MS
          : idle                               ? listener->last_connection + IDLE_MS
                                               : listener->last_maintenance + BUSY_MS;
    if (listener->died)
        due = listener->last_maintenance + IDLE_MS;
    if (due > now)
        return (int)(due - now);
    maintain(listener);
    return BACKOFF_MS;
}

static int next_timeout(struct listener *listener, int64_t deadline)
{
    int64_t now = monotonic_ms();
    int64_t timeout = deadline ? deadline - now : maintenance_due(listener);

    if (!deadline && listener->backoff_until > now &&
        (timeout < 0 || listener->backoff_until - now < timeout))
        timeout = listener->backoff_until - now;
    return timeout < -1 ? 0 : (int)timeout;
}

/* Sleeps until something happens, and deals with it. */
static void turn(struct listener *listener, int timeout)
{
    struct pollfd polls[SOCKETS_MAX + 1] = {{listener->signals, POLLIN, 0}};
    nfds_t count = 1;

    if (listener->backoff_until <= monotonic_ms())
        for (size_t i = 0; i < listener->count; i++)
            polls[count++] = (struct pollfd){listener->sockets[i], POLLIN, 0};
    if (poll(polls, count, timeout) < 0)
        return;
    if (polls[0].revents)
        take_signals(listener);
    for (nfds_t i = 1; i < count && !listener->stopping; i++)
        if (polls[i].revents)
            accept_one(listener, i - 1);
}

static int set_signals(struct listener *listener, struct err *err)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t mine;

    sigemptyset(&mine);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&mine, numbers[i]);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* a parent that ignores it would leave nothing to wait for */
    sigprocmask(SIG_BLOCK, &mine, &listener->outer_mask);
    listener->signals = signalfd(-1, &mine, SFD_NONBLOCK | SFD_CLOEXEC);
    return listener->signals < 0 ? err_sys(err, "signalfd") : 0;
}

/* Waits for all of them, with an end to patience. */
static void stop_children(struct listener *listener)
{
    int64_t deadline = monotonic_ms() + listener->options->stop_timeout_ms + KILL_AFTER_MS;

    signal_children(listener, SIGTERM);
    while (listener->child_count > 0 || listener->maintainer) {
        if (monotonic_ms() >= deadline) {
            log_error("%zu workers did not stop in time and are killed", listener->child_count);
            signal_children(listener, SIGKILL);
            deadline = monotonic_ms() + KILL_AFTER_MS;
        }
        turn(listener, next_timeout(listener, deadline));
    }
}

int listener_run(struct listener *listener, const struct listener_options *options, struct err *err)
{
    if (set_signals(listener, err) < 0)
        return -1;
    listener->options = options;
    listener->children =
        xcalloc((size_t)options->max_children + REFUSERS_MAX, sizeof *listener->children);
    /* What a receiver before this one has left to do is begun soon. */
    listener->last_maintenance = monotonic_ms() - AGAIN_MS + IDLE_MS;
    listener->again = true;
    while (!listener->stopping)
        turn(listener, next_timeout(listener, 0));

    close_sockets(listener);
    log_info("stopping; %zu associations are open", listener->child_count);
    stop_children(listener);
    if (listener->served || listener->died)
        maintain(listener);
    stop_children(listener);
    return 0;
}
