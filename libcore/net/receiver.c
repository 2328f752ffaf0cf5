/*
 * See receiver.h. The listener's process opens no index and parses nothing: what does (start-up repair,
 * workers, maintenance) runs in children, so that neither a connection to SQLite crosses a fork nor a
 * poisonous file takes the listener down.
 */
#include "net/receiver.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "dcmtk/tls.h"
#include "index/ingest.h"
#include "net/commit_scp.h"
#include "net/listener.h"
#include "net/pdu.h"
#include "net/query_scp.h"
#include "net/report.h"
#include "net/session.h"

#define REFUSE_TIMEOUT_MS 5000
/* A worker needs a tenth of this. What a peer makes it ask for beyond that ends the worker alone. */
#define WORKER_MEMORY (256L << 20)

#if defined(__SANITIZE_ADDRESS__)
#define LIMIT_MEMORY 0 /* the sanitizer's shadow is terabytes */
#else
#define LIMIT_MEMORY 1
#endif

struct receiver {
    const struct receiver_options *options;
    struct report *report;
    struct dcm_tls *tls; /* for the connections of tls-port */
    int lock;
};

/* ---- the worker ---- */

struct admission {
    const struct recv_config *config;
    const char *over;
};

static const char *admit(void *context, const char *calling, const char *called,
                         enum dcm_reject *reject)
{
    const struct admission *admission = context;

    if (admission->over) {
        *reject = DCM_REJECT_LIMIT;
        return admission->over;
    }
    return recv_admit(admission->config, calling, called, reject);
}

static int choose(void *context, const struct dcm_proposal *proposal)
{
    const struct admission *admission = context;

    return recv_choose(admission->config, proposal);
}

static bool extend(void *context, struct dcm_extended *item)
{
    (void)context;
    return query_negotiate(item);
}

static void tell_not_accepted(const char *peer, const struct err *err)
{
    /* Closed without a word, as by a probe that looks whether the port is open; or stopped by us. */
    if (err->code == ERR_CLOSED || err->code == ERR_STOPPED)
        log_info("%s: %s", peer, err->text);
    else
        log_error("%s: %s", peer, err->text);
}

static int serve(void *context, int fd, bool secure, const char *peer, const char *over)
{
    struct receiver *receiver = context;
    const struct recv_config *config = receiver->options->config;
    struct admission admission = {config, over};
    struct rlimit memory;
    sigset_t waiting;
    struct err err;

    close(receiver->lock);
    /* The helper that transcodes may have more again. */
    if (LIMIT_MEMORY && getrlimit(RLIMIT_DATA, &memory) == 0 && memory.rlim_max >= WORKER_MEMORY) {
        memory.rlim_cur = WORKER_MEMORY;
        setrlimit(RLIMIT_DATA, &memory);
    }
    sigprocmask(SIG_SETMASK, NULL, &waiting);
    sigdelset(&waiting, SIGTERM);
    sigdelset(&waiting, SIGINT);
    struct dcm_association *association = dcm_accept(
        fd,
        &(struct dcm_accept_options){
            .max_pdu = (uint32_t)config->max_pdu,
            .timeout_ms = over ? REFUSE_TIMEOUT_MS : (int)config->negotiation_timeout * 1000,
            .wait_mask = &waiting,
            .check = pdu_check_request,
            .admit = admit,
            .choose = choose,
            .extend = extend,
            .context = &admission,
            .tls = secure ? receiver->tls : NULL,
        },
        &err);
    if (!association) {
        tell_not_accepted(peer, &err);
        return 0;
    }
    session_run(association, &(struct session_options){
                                 .config = config,
                                 .archive = receiver->options->archive,
                                 .report = receiver->report,
                                 .peers = receiver->options->peers,
                                 .peer = peer,
                                 .stop = &listener_stop_flag,
                             });
    archive_close_index(receiver->options->archive);
    return 0;
}

/* ---- the archive's upkeep ---- */

static int recover(struct archive *archive)
{
    struct err err;
    int found = archive_recover(archive, &err);

    if (found < 0) {
        log_error("%s", err.text);
        return 1;
    }
    if (found > 0)
        log_info("%d objects without a row in the index found again", found);
    return 0;
}

/* What a dead worker left, the write-ahead log, second names in incoming/. Objects that workers have in
 * hand are let alone. */
static int maintain(void *context, bool stopping)
{
    struct receiver *receiver = context;
    struct archive *archive = receiver->options->archive;
    struct err err;
    int status = archive_checkpoint(archive, true, &err);

    close(receiver->lock);
    if (status < 0)
        log_error("%s", err.text);
    /* No peer is waited for at the end. */
    int64_t waiting = stopping ? 0 : commit_deliver(archive, receiver->options->peers, &err);
    if (waiting < 0)
        log_error("%s", err.text);
    archive_close_index(archive);
    return status < 0 ? 1 : waiting > 0 ? LISTENER_AGAIN : 0;
}

/* What was acknowledged is made findable before anyone can ask, in a child. A child that dies of a file in
 * the archive keeps nobody from receiving; one that says that index or disk do not work does. */
static int start_up(struct receiver *receiver, struct err *err)
{
    struct archive *archive = receiver->options->archive;
    pid_t pid = fork();
    int status;

    if (pid < 0)
        return err_sys(err, "fork");
    if (pid == 0) {
        status = recover(archive);
        archive_close_index(archive);
        exit(status);
    }
    while (waitpid(pid, &status, 0) < 0)
        ;
    if (WIFSIGNALED(status))
        log_error("looking for unfinished objects died by signal %d; pacs-index --rebuild may find "
                  "what is missing",
                  WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        return err_set(err, ERR_FAILED, "%s: the archive cannot be written as it is",
                       archive_path(archive));
    return 0;
}

/* ---- */

/* Certificate, key and authorities are read before anything is promised to anyone. */
static int load_tls(struct receiver *receiver, struct err *err)
{
    const struct tls_config *tls = peers_tls(receiver->options->peers);

    if (!receiver->options->config->tls_port)
        return 0;
    receiver->tls = dcm_tls_new(
        &(struct dcm_tls_options){
            .server = true,
            .certificate = tls->certificate,
            .key = tls->key,
            .authorities = tls->authorities,
            .revoked = tls->revoked,
            .verify = (enum dcm_tls_verify)tls->verify,
        },
        err);
    return receiver->tls ? 0 : err_prefix(err, "[tls]");
}

static int take_lock(struct receiver *receiver, struct err *err)
{
    receiver->lock = receiver_lock(receiver->options->archive, err);
    if (receiver->lock >= 0)
        return 0;
    return err->code == ERR_BUSY ? err_prefix(err, "%s: another pacs-recv serves this archive",
                                              archive_path(receiver->options->archive))
                                 : -1;
}

static int write_port(const char *path, int port, struct err *err)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%d\n", port);

    return path ? replace_file(path, text, (size_t)length, 0666, err) : 0;
}

static int listen_and_serve(struct receiver *receiver, struct err *err)
{
    const struct recv_config *config = receiver->options->config;
    struct listener *listener = listener_open(config->bind, (int)config->port, err);
    int status = -1;

    if (!listener)
        return -1;
    if (config->tls_port &&
        listener_add_secure(listener, config->bind, (int)config->tls_port, err) < 0) {
        listener_close(listener);
        return -1;
    }
    if (write_port(receiver->options->port_file, listener_port(listener), err) == 0) {
        log_info("%s listens on %s as %s", archive_path(receiver->options->archive),
                 listener_addresses(listener), config->aet);
        status = listener_run(listener,
                              &(struct listener_options){
                                  .max_children = (int)config->max_associations,
                                  .max_per_peer = (int)config->max_per_peer,
                                  .stop_timeout_ms = (int)config->stop_timeout * 1000,
                                  .serve = serve,
                                  .maintain = maintain,
                                  .context = receiver,
                              },
                              err);
    }
    listener_close(listener);
    return status;
}

int receiver_run(const struct receiver_options *options, struct err *err)
{
    struct receiver receiver = {.options = options};
    int status = -1;

    if (take_lock(&receiver, err) < 0)
        return -1;
    dcm_init();
    if (load_tls(&receiver, err) == 0 && start_up(&receiver, err) == 0) {
        receiver.report = report_open(options->out, archive_path(options->archive));
        status = listen_and_serve(&receiver, err);
        report_close(receiver.report);
    }
    dcm_tls_free(receiver.tls);
    close(receiver.lock);
    return status;
}
