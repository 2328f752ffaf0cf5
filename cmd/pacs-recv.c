/*
 * pacs-recv: the DICOM front door of an archive. Receives objects (C-STORE), stores and indexes each before it
 * is answered, and prints one line for each.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "index/archive.h"
#include "index/ingest.h"
#include "net/receiver.h"

struct recv_options {
    const char *archive;
    int verbose;
    bool quiet, check;
    const char *port_file;
    /* Settings of pacs.conf: checked by the same table. */
    const char *port, *bind, *aet, *sync, *max_pdu, *max_associations, *max_per_peer;
    const char *timeout, *idle_timeout, *negotiation_timeout, *stop_timeout;
};

#define FIELD(name) offsetof(struct recv_options, name)

static const struct option_entry table[] = {
    {'p', "port", OPTION_TEXT, FIELD(port), "N", "the port to listen on (11112; 0: any)"},
    {'a', "aet", OPTION_TEXT, FIELD(aet), "TITLE", "our AE title (PACS)"},
    {0, "bind", OPTION_TEXT, FIELD(bind), "ADDRESS", "listen on this address only"},
    {0, "sync", OPTION_TEXT, FIELD(sync), "WHAT", "object, association or none: durable when"},
    {0, "max-pdu", OPTION_TEXT, FIELD(max_pdu), "BYTES", "the largest PDU to announce"},
    {0, "max-associations", OPTION_TEXT, FIELD(max_associations), "N", "at a time, in all"},
    {0, "max-per-peer", OPTION_TEXT, FIELD(max_per_peer), "N", "at a time, from one address"},
    {0, "timeout", OPTION_TEXT, FIELD(timeout), "S", "silence inside a message"},
    {0, "idle-timeout", OPTION_TEXT, FIELD(idle_timeout), "S", "silence between messages"},
    {0, "negotiation-timeout", OPTION_TEXT, FIELD(negotiation_timeout), "S",
     "time for the association request"},
    {0, "stop-timeout", OPTION_TEXT, FIELD(stop_timeout), "S",
     "time for objects in flight when told to stop"},
    {0, "port-file", OPTION_TEXT, FIELD(port_file), "FILE", "write the port there once it listens"},
    {0, "check", OPTION_FLAG, FIELD(check), NULL, "only look whether pacs.conf is in order"},
    OPTIONS_COMMON(struct recv_options),
    OPTIONS_END,
};

static const struct options_usage usage = {
    "[options]",
    "Receives DICOM objects into an archive, and prints one line for each.",
    "Settings are read from pacs.conf in the archive; options win over them.\n",
    table,
};

/* What the command line says of settings. */
static void apply(struct recv_config *config, const struct recv_options *o)
{
    const struct {
        const char *name, *option, *value;
    } given[] = {
        {"port", "--port", o->port},
        {"aet", "--aet", o->aet},
        {"bind", "--bind", o->bind},
        {"sync", "--sync", o->sync},
        {"max-pdu", "--max-pdu", o->max_pdu},
        {"max-associations", "--max-associations", o->max_associations},
        {"max-per-peer", "--max-per-peer", o->max_per_peer},
        {"timeout", "--timeout", o->timeout},
        {"idle-timeout", "--idle-timeout", o->idle_timeout},
        {"negotiation-timeout", "--negotiation-timeout", o->negotiation_timeout},
        {"stop-timeout", "--stop-timeout", o->stop_timeout},
    };
    struct err err;

    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i].value &&
            recv_config_set(config, given[i].name, given[i].value, given[i].option, &err) < 0)
            die(2, &err);
}

/* A socket must not become 0, 1 or 2 because nothing was open there. */
static void fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    struct recv_options o = {0};
    struct recv_config config;
    struct err err;

    log_init(argv[0]);
    fill_standard_descriptors();
    int first = options_parse(argc, argv, &usage, &o);
    if (first < argc) {
        err_set(&err, ERR_INPUT, "%s: no operands are taken (--help tells more)", argv[first]);
        die(2, &err);
    }
    struct archive *archive =
        archive_open(o.archive, o.check ? ARCHIVE_WRITE : ARCHIVE_CREATE, &err);
    if (!archive || recv_config_load(&config, archive_config(archive), &err) < 0 ||
        ingest_check_config(archive_config(archive), &err) < 0)
        die(2, &err);
    apply(&config, &o);
    if (!o.check && receiver_run(
                        &(struct receiver_options){
                            .archive = archive,
                            .config = &config,
                            .port_file = o.port_file,
                            .out = STDOUT_FILENO,
                        },
                        &err) < 0)
        die(2, &err);
    recv_config_free(&config);
    archive_close(archive);
    return 0;
}
