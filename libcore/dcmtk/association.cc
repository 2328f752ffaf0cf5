/*
 * See association.h. DCMTK 3.6.7 negotiates; gate.cc keeps the negotiation within bounds.
 *
 * The network that DCMTK wants is a shell around one accepted socket: it never listens.
 */
#include "association.hh"

#include "dcmtk/dcmnet/dul.h"
#include "dcmtk/dcmnet/lst.h"
#include "dcmtk/oflog/oflog.h"
#include "dcmtk/ofstd/ofstd.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <unistd.h>

extern "C" {
#include "base/err.h"
#include "dicom/uid.h"
}

namespace
{

/* PS3.8 annex A.2.1: the one application context name of DICOM. */
constexpr const char application_context[] = "1.2.840.10008.3.1.1.1";
/* How long a peer that was refused gets to read why. */
constexpr int refused_linger_ms = 1000;

} // namespace

/* ---- what requesting shares ---- */

dcm_association::~dcm_association()
{
    ASC_destroyAssociation(&dul); /* closes the socket, deletes the gate */
    ASC_dropNetwork(&network);
}

void association_title(char *to, size_t room, const char *from)
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

int association_failed(const dcm_association &a, struct err *err, const char *what,
                       const OFCondition &condition)
{
    if (a.state.problem.code != ERR_NONE) {
        *err = a.state.problem;
        return -1;
    }
    return err_set(err, ERR_FAILED, "%s: %s", what, condition.text());
}

void association_identify(dcm_association &a)
{
    T_ASC_Parameters *params = a.dul->params;
    a.peer_max_pdu = static_cast<uint32_t>(params->theirMaxPDUReceiveSize);
    /* DCMTK takes some values above 2^31 for a sign of an old version of itself. */
    params->theirMaxPDUReceiveSize &= 0x7fffffff;
}

void association_extended(const SOPClassExtendedNegotiationSubItemList *list,
                          std::vector<dcm_extended> &out)
{
    if (!list)
        return;
    for (auto at = list->begin(); at != list->end(); ++at) {
        dcm_extended item = {};
        if ((*at)->serviceClassAppInfoLength > DCM_EXTENDED_MAX ||
            (*at)->sopClassUID.size() >= sizeof item.abstract_syntax)
            continue;
        OFStandard::strlcpy(item.abstract_syntax, (*at)->sopClassUID.c_str(),
                            sizeof item.abstract_syntax);
        item.length = (*at)->serviceClassAppInfoLength;
        if (item.length > 0)
            std::memcpy(item.bytes, (*at)->serviceClassAppInfo, item.length);
        out.push_back(item);
    }
}

SOPClassExtendedNegotiationSubItemList *association_items(const dcm_extended *items, size_t count)
{
    auto *list = new SOPClassExtendedNegotiationSubItemList;
    for (size_t i = 0; i < count; i++) {
        auto *item = new SOPClassExtendedNegotiationSubItem;
        item->sopClassUID = items[i].abstract_syntax;
        item->sopClassUIDLength = static_cast<unsigned short>(item->sopClassUID.size());
        item->serviceClassAppInfoLength = static_cast<unsigned short>(items[i].length);
        item->serviceClassAppInfo = new unsigned char[items[i].length];
        std::memcpy(item->serviceClassAppInfo, items[i].bytes, items[i].length);
        item->itemLength = static_cast<unsigned short>(2 + item->sopClassUIDLength +
                                                       item->serviceClassAppInfoLength);
        list->push_back(item);
    }
    return list;
}

/* ---- accepting ---- */

namespace
{

/* Tells the requestor no, and lets it read that. */
int reject(dcm_association &a, const T_ASC_RejectParameters &why)
{
    Gate *gate = a.state.gate;
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

    association_title(a.calling, sizeof a.calling, dul.callingAPTitle);
    association_title(a.called, sizeof a.called, dul.calledAPTitle);
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
    bool scp = proposed->proposedSCRole == DUL_SC_ROLE_SCP ||
               proposed->proposedSCRole == DUL_SC_ROLE_SCUSCP;
    dcm_proposal proposal = {proposed->abstractSyntax, syntaxes.data(), syntaxes.size(), scp};
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
    context.requestor_scp = scp;
    T_ASC_SC_ROLE role = proposed->proposedSCRole == DUL_SC_ROLE_SCP      ? ASC_SC_ROLE_SCP
                         : proposed->proposedSCRole == DUL_SC_ROLE_SCUSCP ? ASC_SC_ROLE_SCUSCP
                                                                          : ASC_SC_ROLE_DEFAULT;
    OFCondition condition =
        ASC_acceptPresentationContext(a.dul->params, id, context.transfer_syntax, role);
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

void answer_extended(dcm_association &a, const dcm_accept_options &options)
{
    SOPClassExtendedNegotiationSubItemList *asked = nullptr;
    std::vector<dcm_extended> items;

    if (!options.extend)
        return;
    ASC_getRequestedExtNegList(a.dul->params, &asked);
    association_extended(asked, items);
    for (dcm_extended &item : items)
        if (options.extend(options.context, &item))
            a.extended.push_back(item);
    if (!a.extended.empty())
        ASC_setAcceptedExtNegList(a.dul->params,
                                  association_items(a.extended.data(), a.extended.size()));
}

int negotiate(dcm_association &a, int fd, const dcm_accept_options &options, struct err *err)
{
    auto *layer = new GateLayer(a.state);
    int seconds = options.timeout_ms / 1000 + 2; /* the gate's deadline comes first */

    dcmExternalSocketHandle.set(fd);
    OFCondition condition = ASC_initializeNetwork(NET_ACCEPTOR, 0, seconds, &a.network);
    if (condition.good())
        condition = ASC_setTransportLayer(a.network, layer, 1);
    if (condition.bad()) {
        delete layer;
        close(fd);
        return association_failed(a, err, "network", condition);
    }
    condition =
        ASC_receiveAssociation(a.network, &a.dul, static_cast<long>(options.max_pdu), nullptr,
                               nullptr, options.tls ? OFTrue : OFFalse, DUL_NOBLOCK, seconds);
    dcmExternalSocketHandle.set(-1);
    if (!a.state.made)
        close(fd);
    /* DCMTK's state machine takes a closed connection for success. */
    if (condition.bad() || !a.state.gate || a.state.problem.code != ERR_NONE)
        return association_failed(a, err, "association request", condition);
    if (admit(a, options, err) < 0)
        return -1;
    association_identify(a);
    OFStandard::strlcpy(a.dul->params->ourImplementationClassUID, IMPLEMENTATION_CLASS_UID,
                        sizeof a.dul->params->ourImplementationClassUID);
    OFStandard::strlcpy(a.dul->params->ourImplementationVersionName, IMPLEMENTATION_VERSION_NAME,
                        sizeof a.dul->params->ourImplementationVersionName);
    answer_contexts(a, options);
    answer_extended(a, options);
    condition = ASC_acknowledgeAssociation(a.dul);
    return condition.good() ? 0 : association_failed(a, err, "association acceptance", condition);
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
        if (socket < 3) { /* DCMTK takes 0 for none, and who prints must not meet the peer */
            int moved = fcntl(socket, F_DUPFD_CLOEXEC, 3);
            close(socket);
            if (moved < 0) {
                err_sys(err, "socket");
                return nullptr;
            }
            socket = moved;
        }
        a = new dcm_association;
        a->state.timeout_ms = options->timeout_ms;
        a->state.wait_mask = options->wait_mask;
        a->state.check = options->check;
        a->state.tls = association_tls(options->tls);
        err->code = ERR_NONE;
        if (negotiate(*a, socket, *options, err) == 0)
            return a;
    } catch (const std::exception &e) {
        err_set(err, ERR_FAILED, "association request: %s", e.what());
    }
    delete a;
    return nullptr;
}

const struct dcm_extended *dcm_agreed(const struct dcm_association *association,
                                      const char *abstract_syntax)
{
    for (const dcm_extended &item : association->extended)
        if (std::strcmp(item.abstract_syntax, abstract_syntax) == 0)
            return &item;
    return nullptr;
}

const char *dcm_peer_subject(const struct dcm_association *association)
{
    return association->state.gate->subject();
}

bool dcm_ready(struct dcm_association *association)
{
    return association->state.gate->ready();
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
    return association->state.gate->receive(bytes, length, timeout_ms, err);
}

int dcm_write(struct dcm_association *association, const void *bytes, size_t length, int timeout_ms,
              struct err *err)
{
    return association->state.gate->send_all(bytes, length, timeout_ms, err);
}

void dcm_close(struct dcm_association *association, int linger_ms)
{
    if (!association)
        return;
    try {
        if (linger_ms > 0)
            association->state.gate->linger(linger_ms);
        delete association;
    } catch (const std::exception &) {
        return; /* the process is about to end */
    }
}

} // extern "C"
