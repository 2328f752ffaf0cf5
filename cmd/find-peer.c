/*
 * find-peer: asks one peer by C-FIND for pacs-find, which starts it with the question on stdin and the
 * peer's name as its argument, and reads the rows from its stdout (net/ask.h). A program of its own because
 * pacs-find must not link DCMTK, and because a peer can do no harm to more than the process that asks it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "index/archive.h"
#include "net/ask.h"
#include "net/query_scu.h"

struct asked {
    struct ask_question question;
    struct query_scu_options options;
    struct match **keys;
    tag_t *columns;
    const char **references;
    struct buf space;
};

static void on_signal(int number)
{
    (void)number; /* ends the wait for the peer */
}

/* SIGTERM ends a wait for the peer, and nothing else. */
static void let_stop(sigset_t *waiting)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;

    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, waiting);
    sigdelset(waiting, SIGTERM);
}

/* The texts of a list, each ended by NUL. */
static const char *next_text(const struct buf *list, const char *at)
{
    at = at ? at + strlen(at) + 1 : list->data;
    return at && at < list->data + list->length ? at : NULL;
}

static int read_question(struct asked *asked, struct err *err)
{
    struct ask_question *question = &asked->question;
    struct query_scu_options *options = &asked->options;
    const char *at = NULL;

    if (ask_read(0, question, err) < 0)
        return -1;
    log_set_level((enum log_level)question->log_level);
    while ((at = next_text(&question->keys, at))) {
        asked->keys = xreallocarray(asked->keys, options->key_count + 1, sizeof(struct match *));
        if (!(asked->keys[options->key_count] = match_parse(at, err)))
            return -1;
        options->key_count++;
    }
    while ((at = next_text(&question->columns, at))) {
        asked->columns =
            xreallocarray(asked->columns, options->column_count + 1, sizeof *asked->columns);
        if (keyword_parse(at, &asked->columns[options->column_count], err) < 0)
            return -1;
        options->column_count++;
    }
    while ((at = next_text(&question->references, at))) {
        asked->references =
            xreallocarray(asked->references, options->reference_count + 1, sizeof(char *));
        asked->references[options->reference_count++] = at;
    }
    options->level = question->level;
    options->limit = question->limit;
    options->any_reference = question->any_reference;
    options->keys = (const struct match *const *)asked->keys;
    options->columns = asked->columns;
    options->references = asked->references;
    if (options->column_count == question->column_count)
        return 0;
    return err_set(err, ERR_FAILED, "columns got lost on the way here");
}

static int put_row(void *context, const struct query_row *row, struct err *err)
{
    struct asked *asked = context;

    (void)err;
    return ask_put_row(1, &asked->space, row, asked->options.column_count);
}

static int ask(struct asked *asked, const struct peer *peer, struct dcm_tls *tls, struct err *err)
{
    sigset_t waiting;
    struct scu *scu;

    let_stop(&waiting);
    scu = query_scu_open(peer, asked->options.level, tls, &waiting, err);
    if (!scu)
        return -1;
    if (query_scu_run(scu, &asked->options, put_row, asked, err) < 0) {
        scu_abort(scu);
        return -1;
    }
    scu_close(scu);
    return 0;
}

static void free_asked(struct asked *asked)
{
    for (size_t i = 0; i < asked->options.key_count; i++)
        match_free(asked->keys[i]);
    free(asked->keys);
    free(asked->columns);
    free(asked->references);
    free((char *)asked->question.archive);
    buf_free(&asked->space);
    ask_question_free(&asked->question);
}

int main(int argc, char **argv)
{
    struct asked asked = {0};
    struct archive *archive = NULL;
    struct dcm_tls *tls = NULL;
    const struct peer *peer = NULL;
    struct peers *peers = NULL;
    struct err err = {0};
    int status = -1;

    log_init(argv[0]);
    dcm_init();
    if (argc != 2)
        err_set(&err, ERR_INPUT, "find-peer is started by pacs-find");
    else if (read_question(&asked, &err) == 0)
        peers = peers_open(asked.question.archive, true, &archive, &err);
    if (peers)
        peer = peers_find(peers, argv[1], &err);
    if (peer && asked.question.timeout)
        peers_set_timeout(peers, asked.question.timeout);
    if (peer && scu_tls(peers, &peer, 1, &tls, &err) == 0)
        status = ask(&asked, peer, tls, &err);
    if (status < 0 && err.code == ERR_STOPPED)
        status = 0;
    else if (status < 0)
        log_error("%s", err.text);
    dcm_tls_free(tls);
    peers_free(peers);
    archive_close(archive);
    free_asked(&asked);
    return status < 0;
}
