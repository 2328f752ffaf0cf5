/*
 * See peers.h.
 */
#include "net/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SECTION      "peer "
#define GIVEN_MAX    16 /* peers that are not in pacs.conf, as AET@HOST:PORT */

#define FIELD(name) offsetof(struct peer, name)
/* tests/e2e/92-conf-page.t holds these tables against pacs.conf(5). */
/* clang-format off */
static const struct setting peer_settings[] = {
    {"aet", SETTING_AET, FIELD(aet), NULL},
    {"host", SETTING_TEXT, FIELD(host), NULL},
    {"port", SETTING_NUMBER, FIELD(port), "104", 1, 65535},
    {"calling-aet", SETTING_AET, FIELD(calling_aet), NULL},
    {"tls", SETTING_CHOICE, FIELD(tls), "no", 0, 0, "no|yes"},
    {"transfer-syntaxes", SETTING_UIDS, FIELD(transfer_syntaxes), NULL},
    {"lossy", SETTING_CHOICE, FIELD(lossy), "no", 0, 0, "no|yes"},
    {"max-pdu", SETTING_NUMBER, FIELD(max_pdu), "131072", 4096, 131072},
    {"associations", SETTING_NUMBER, FIELD(associations), "1", 1, 64},
    {"timeout", SETTING_NUMBER, FIELD(timeout), "60", 1, 86400},
    {"retrieve", SETTING_CHOICE, FIELD(retrieve), "auto", 0, 0, "auto|get|move"},
};
#undef FIELD
#define FIELD(name) offsetof(struct tls_config, name)
static const struct setting tls_settings[] = {
    {"certificate", SETTING_TEXT, FIELD(certificate), NULL},
    {"key", SETTING_TEXT, FIELD(key), NULL},
    {"authorities", SETTING_TEXT, FIELD(authorities), NULL},
    {"revoked", SETTING_TEXT, FIELD(revoked), NULL},
    {"verify", SETTING_CHOICE, FIELD(verify), "require", 0, 0, "require|optional|none"},
};
#undef FIELD
/* clang-format on */

struct peers {
    struct peer *peer;
    size_t count;
    struct peer given[GIVEN_MAX];
    size_t given_count;
    struct tls_config tls;
    char *aet; /* ours */
};

static void peer_free(struct peer *peer)
{
    free(peer->name);
    settings_free(peer_settings, COUNT(peer_settings), peer);
}

void peers_free(struct peers *peers)
{
    if (!peers)
        return;
    for (size_t i = 0; i < peers->count; i++)
        peer_free(&peers->peer[i]);
    for (size_t i = 0; i < peers->given_count; i++)
        peer_free(&peers->given[i]);
    settings_free(tls_settings, COUNT(tls_settings), &peers->tls);
    free(peers->peer);
    free(peers->aet);
    free(peers);
}

/* A path of the file is below the archive unless it is absolute. */
static void below(char **path, const char *root)
{
    char *whole;

    if (!*path || **path == '/')
        return;
    whole = xasprintf("%s/%s", root, *path);
    free(*path);
    *path = whole;
}

static struct peer *known(struct peers *peers, const char *name)
{
    for (size_t i = 0; i < peers->count; i++)
        if (strcmp(peers->peer[i].name, name) == 0)
            return &peers->peer[i];
    return NULL;
}

/* What a pipe or a query line could not tell from something else is no name. */
static bool name_valid(const char *name)
{
    return *name && strlen(name) <= 64 && !strpbrk(name, " \t@:,/=") &&
           strcasecmp(name, "all") != 0 && strcasecmp(name, "local") != 0;
}

static int complete(struct peers *peers, struct peer *peer, const char *where, struct err *err)
{
    if (!peer->host)
        return err_set(err, ERR_INPUT, "%s: host is missing", where);
    if (!peer->aet) {
        if (!aet_valid(peer->name))
            return err_set(err, ERR_INPUT, "%s: aet is missing, and the name is no AE title",
                           where);
        peer->aet = xstrdup(peer->name);
    }
    if (!peer->calling_aet)
        peer->calling_aet = xstrdup(peers->aet);
    return 0;
}

static int load_peer(struct peers *peers, struct config *config, const struct config_entry *entry,
                     struct err *err)
{
    const char *name = entry->section + strlen(SECTION);
    struct peer *peer;
    char where[256];

    if (known(peers, name))
        return 0;
    snprintf(where, sizeof where, "%s:%d: [%.100s]", config_path(config), entry->line,
             entry->section);
    if (!name_valid(name))
        return err_set(err, ERR_INPUT,
                       "%s: a peer's name has 1 to 64 characters, none of them a blank, @ : , / or "
                       "=, and is neither \"all\" nor \"local\"",
                       where);
    peers->peer = xreallocarray(peers->peer, peers->count + 1, sizeof *peers->peer);
    peer = &peers->peer[peers->count++];
    memset(peer, 0, sizeof *peer);
    peer->name = xstrdup(name);
    if (settings_load(peer_settings, COUNT(peer_settings), peer, config, entry->section, err) < 0)
        return -1;
    return complete(peers, peer, where, err);
}

struct peers *peers_load(struct config *config, const char *root, struct err *err)
{
    struct peers *peers = xcalloc(1, sizeof *peers);
    const char *aet = config_get(config, "recv", "aet");
    size_t count;
    const struct config_entry *entries = config_entries(config, &count);

    peers->aet = xstrdup(aet && aet_valid(aet) ? aet : "PACS");
    if (settings_load(tls_settings, COUNT(tls_settings), &peers->tls, config, "tls", err) < 0)
        goto failed;
    below(&peers->tls.certificate, root);
    below(&peers->tls.key, root);
    below(&peers->tls.authorities, root);
    below(&peers->tls.revoked, root);
    for (size_t i = 0; i < count; i++)
        if (strncmp(entries[i].section, SECTION, strlen(SECTION)) == 0 &&
            load_peer(peers, config, &entries[i], err) < 0)
            goto failed;
    return peers;
failed:
    peers_free(peers);
    return NULL;
}

struct peers *peers_open(const char *option, bool without, struct archive **archive,
                         struct err *err)
{
    struct config *config;
    struct peers *peers = NULL;

    *archive = archive_open(option, ARCHIVE_READ, err);
    if (*archive) {
        peers = peers_load(archive_config(*archive), archive_path(*archive), err);
    } else if (without && !option) {
        config = config_load("/dev/null", err);
        peers = config ? peers_load(config, "/", err) : NULL;
        config_free(config);
    }
    return peers;
}

size_t peers_count(const struct peers *peers)
{
    return peers->count;
}

const struct peer *peers_at(const struct peers *peers, size_t at)
{
    return &peers->peer[at];
}

const struct tls_config *peers_tls(const struct peers *peers)
{
    return &peers->tls;
}

const char *peers_own_aet(const struct peers *peers)
{
    return peers->aet;
}

void peers_set_timeout(struct peers *peers, long long seconds)
{
    for (size_t i = 0; i < peers->count; i++)
        peers->peer[i].timeout = seconds;
    for (size_t i = 0; i < peers->given_count; i++)
        peers->given[i].timeout = seconds;
}

const struct peer *peers_by_aet(const struct peers *peers, const char *aet)
{
    for (size_t i = 0; i < peers->count; i++)
        if (strcmp(peers->peer[i].aet, aet) == 0)
            return &peers->peer[i];
    return NULL;
}

/* AET@HOST:PORT. */
static const struct peer *given(struct peers *peers, const char *text, struct err *err)
{
    const char *at = strchr(text, '@'), *colon = strrchr(text, ':');
    struct peer *peer;
    char *end;
    long port;

    if (peers->given_count == GIVEN_MAX) {
        err_set(err, ERR_INPUT, "%s: more than %d peers that pacs.conf does not know", text,
                GIVEN_MAX);
        return NULL;
    }
    port = colon && colon > at + 1 ? strtol(colon + 1, &end, 10) : 0;
    if (port < 1 || port > 65535 || *end) {
        err_set(err, ERR_INPUT, "%s: a peer is written AET@HOST:PORT", text);
        return NULL;
    }
    peer = &peers->given[peers->given_count];
    memset(peer, 0, sizeof *peer);
    for (size_t i = 0; i < COUNT(peer_settings); i++)
        if (peer_settings[i].fallback)
            settings_set(peer_settings, COUNT(peer_settings), peer, peer_settings[i].name,
                         peer_settings[i].fallback, "", err);
    peer->aet = xstrndup(text, (size_t)(at - text));
    if (!aet_valid(peer->aet)) {
        err_set(err, ERR_INPUT, "%s: \"%s\" is no AE title", text, peer->aet);
        free(peer->aet);
        return NULL;
    }
    peer->name = xstrdup(text);
    peer->host = xstrndup(at + 1, (size_t)(colon - at) - 1);
    peer->port = port;
    peer->calling_aet = xstrdup(peers->aet);
    peers->given_count++;
    return peer;
}

const struct peer *peers_find(struct peers *peers, const char *name, struct err *err)
{
    const struct peer *peer = known(peers, name);
    struct buf names = {0};

    if (peer)
        return peer;
    for (size_t i = 0; i < peers->count; i++)
        if (strcasecmp(peers->peer[i].name, name) == 0)
            return &peers->peer[i];
    if (strchr(name, '@'))
        return given(peers, name, err);
    for (size_t i = 0; i < peers->count && names.length < 200; i++)
        buf_addf(&names, "%s%s", i ? ", " : "", peers->peer[i].name);
    err_set(err, ERR_NOTFOUND, "%s: no such peer in pacs.conf (%s%s); or write AET@HOST:PORT", name,
            names.length ? "there are " : "there is none", buf_text(&names));
    buf_free(&names);
    return NULL;
}
