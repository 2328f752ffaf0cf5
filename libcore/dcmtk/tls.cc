/*
 * See tls.h. DCMTK's layer knows the profiles; what is used of it is the context that it sets up.
 */
#include "association.hh"

#include "dcmtk/dcmtls/tlslayer.h"

#include <csignal>
#include <exception>
#include <memory>
#include <openssl/ssl.h>
#include <sys/stat.h>

extern "C" {
#include "base/err.h"
#include "dcmtk/tls.h"
}

struct dcm_tls {
    DcmTLSTransportLayer layer;
    explicit dcm_tls(bool server) : layer(server ? NET_ACCEPTOR : NET_REQUESTOR, nullptr, OFTrue)
    {
    }
};

SSL_CTX *association_tls(struct dcm_tls *tls)
{
    return tls ? tls->layer.getNativeHandle() : nullptr;
}

namespace
{

int refuse(struct err *err, const char *file, const OFCondition &condition)
{
    return err_set(err, ERR_INPUT, "%s: %s", file, condition.text());
}

int trust(DcmTLSTransportLayer &layer, const dcm_tls_options &options, struct err *err)
{
    struct stat status;

    if (options.verify == DCM_TLS_NONE) {
        layer.setCertificateVerification(DCV_ignoreCertificate);
        return 0;
    }
    if (!options.authorities)
        return err_set(err, ERR_INPUT,
                       "TLS: no authorities are named to check the peer's certificate with");
    if (stat(options.authorities, &status) < 0)
        return err_sys(err, "%s", options.authorities);
    OFCondition condition =
        S_ISDIR(status.st_mode)
            ? layer.addTrustedCertificateDir(options.authorities, DCF_Filetype_PEM)
            : layer.addTrustedCertificateFile(options.authorities, DCF_Filetype_PEM);
    if (condition.bad())
        return refuse(err, options.authorities, condition);
    if (options.server && !S_ISDIR(status.st_mode))
        (void)layer.addTrustedClientCertificateFile(options.authorities);
    if (options.revoked) {
        condition = layer.addCertificateRevocationList(options.revoked, DCF_Filetype_PEM);
        if (condition.bad())
            return refuse(err, options.revoked, condition);
        (void)layer.setCRLverification(TCR_checkLeafCRL);
    }
    layer.setCertificateVerification(options.verify == DCM_TLS_OPTIONAL ? DCV_checkCertificate
                                                                        : DCV_requireCertificate);
    return 0;
}

int identify(DcmTLSTransportLayer &layer, const dcm_tls_options &options, struct err *err)
{
    if (!options.certificate && !options.server)
        return 0;
    if (!options.certificate || !options.key)
        return err_set(err, ERR_INPUT, "TLS: certificate and key go together");
    layer.setPrivateKeyPasswd("");
    OFCondition condition = layer.setPrivateKeyFile(options.key, DCF_Filetype_PEM);
    if (condition.bad())
        return refuse(err, options.key, condition);
    condition = layer.setCertificateFile(options.certificate, DCF_Filetype_PEM);
    if (condition.bad())
        return refuse(err, options.certificate, condition);
    if (!layer.checkPrivateKeyMatchesCertificate())
        return err_set(err, ERR_INPUT, "%s: not the key of the certificate %s", options.key,
                       options.certificate);
    return 0;
}

int set_up(dcm_tls &tls, const dcm_tls_options &options, struct err *err)
{
    if (!tls.layer)
        return err_set(err, ERR_FAILED, "TLS: OpenSSL could not be started");
    OFCondition condition = tls.layer.setTLSProfile(TSP_Profile_BCP195);
    if (condition.good())
        condition = tls.layer.activateCipherSuites();
    if (condition.bad())
        return err_set(err, ERR_FAILED, "TLS: %s", condition.text());
    if (trust(tls.layer, options, err) < 0 || identify(tls.layer, options, err) < 0)
        return -1;
    SSL_CTX *context = tls.layer.getNativeHandle();
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char *>("pacs"), 4);
    /* OpenSSL writes to sockets without MSG_NOSIGNAL. */
    (void)signal(SIGPIPE, SIG_IGN);
    return 0;
}

} // namespace

extern "C" {

struct dcm_tls *dcm_tls_new(const struct dcm_tls_options *options, struct err *err)
{
    try {
        auto tls = std::make_unique<dcm_tls>(options->server);
        if (set_up(*tls, *options, err) == 0)
            return tls.release();
    } catch (const std::exception &e) {
        err_set(err, ERR_FAILED, "TLS: %s", e.what());
    }
    return nullptr;
}

void dcm_tls_free(struct dcm_tls *tls)
{
    try {
        delete tls;
    } catch (const std::exception &) {
        return;
    }
}

} // extern "C"
