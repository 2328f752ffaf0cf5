/*
 * Associations that we ask for: see association.h.
 */
#include "association.hh"

#include "dcmtk/dcmnet/cond.h"
#include "dcmtk/dcmnet/dul.h"
#include "dcmtk/ofstd/ofstd.h"

#include <cstring>
#include <exception>
#include <string>

extern "C" {
#include "base/err.h"
#include "dicom/uid.h"
}

namespace
{

int add_contexts(T_ASC_Parameters *params, const dcm_request_options &options, struct err *err)
{
    for (size_t i = 0; i < options.count; i++) {
        const dcm_request_context &context = options.contexts[i];
        std::vector<const char *> syntaxes(context.transfer_syntaxes,
                                           context.transfer_syntaxes + context.count);
        OFCondition condition = ASC_addPresentationContext(
            params, static_cast<T_ASC_PresentationContextID>(2 * i + 1), context.abstract_syntax,
            syntaxes.data(), static_cast<int>(syntaxes.size()),
            context.requestor_scp ? ASC_SC_ROLE_SCUSCP : ASC_SC_ROLE_DEFAULT);
        if (condition.bad())
            return err_set(err, ERR_FAILED, "%s: %s", context.abstract_syntax, condition.text());
    }
    return 0;
}

/* In the words of PS3.8 table 9-21. */
int rejected(dcm_association &a, struct err *err)
{
    T_ASC_RejectParameters why;
    OFString text;

    ASC_getRejectParameters(a.dul->params, &why);
    const char *reason = "no reason given";
    switch (why.reason) {
    case ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED:
        reason = "application context name not supported";
        break;
    case ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED:
        reason = "calling AE title not recognized";
        break;
    case ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED:
        reason = "called AE title not recognized";
        break;
    case ASC_REASON_SP_ACSE_PROTOCOLVERSIONNOTSUPPORTED:
        reason = "protocol version not supported";
        break;
    case ASC_REASON_SP_PRES_TEMPORARYCONGESTION:
        reason = "temporary congestion";
        break;
    case ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED:
        reason = "local limit exceeded";
        break;
    default:
        break;
    }
    bool transient = why.result == ASC_RESULT_REJECTEDTRANSIENT;
    return err_set(err, transient ? ERR_BUSY : ERR_INPUT, "association rejected%s: %s",
                   transient ? " for now" : "", reason);
}

void take_contexts(dcm_association &a, const dcm_request_options &options)
{
    for (size_t i = 0; i < options.count; i++) {
        T_ASC_PresentationContext accepted;
        auto id = static_cast<T_ASC_PresentationContextID>(2 * i + 1);
        if (ASC_findAcceptedPresentationContext(a.dul->params, id, &accepted).bad())
            continue;
        dcm_context context = {};
        context.id = id;
        OFStandard::strlcpy(context.abstract_syntax, accepted.abstractSyntax,
                            sizeof context.abstract_syntax);
        OFStandard::strlcpy(context.transfer_syntax, accepted.acceptedTransferSyntax,
                            sizeof context.transfer_syntax);
        context.requestor_scp =
            accepted.acceptedRole == ASC_SC_ROLE_SCP || accepted.acceptedRole == ASC_SC_ROLE_SCUSCP;
        /* A syntax that was not proposed is none that we could use. */
        for (size_t n = 0; n < options.contexts[i].count; n++)
            if (std::strcmp(options.contexts[i].transfer_syntaxes[n], context.transfer_syntax) ==
                0) {
                a.contexts.push_back(context);
                break;
            }
    }
}

int request(dcm_association &a, const dcm_request_options &options, struct err *err)
{
    auto *layer = new GateLayer(a.state);
    int seconds = options.timeout_ms / 1000 + 2;
    T_ASC_Parameters *params = nullptr;

    dcmConnectionTimeout.set((options.timeout_ms + 999) / 1000);
    OFCondition condition = ASC_initializeNetwork(NET_REQUESTOR, 0, seconds, &a.network);
    if (condition.good())
        condition = ASC_setTransportLayer(a.network, layer, 1);
    if (condition.bad()) {
        delete layer;
        return association_failed(a, err, "network", condition);
    }
    condition = ASC_createAssociationParameters(&params, static_cast<long>(options.max_pdu));
    if (condition.bad())
        return association_failed(a, err, "association", condition);
    std::string address = std::string(options.host) + ":" + std::to_string(options.port);
    if (address.size() >= DUL_LEN_NAME) {
        ASC_destroyAssociationParameters(&params);
        return err_set(err, ERR_INPUT, "the name of the host is too long");
    }
    ASC_setAPTitles(params, options.calling_aet, options.called_aet, nullptr);
    ASC_setTransportLayerType(params, options.tls ? OFTrue : OFFalse);
    ASC_setPresentationAddresses(params, "localhost", address.c_str());
    OFStandard::strlcpy(params->ourImplementationClassUID, IMPLEMENTATION_CLASS_UID,
                        sizeof params->ourImplementationClassUID);
    OFStandard::strlcpy(params->ourImplementationVersionName, IMPLEMENTATION_VERSION_NAME,
                        sizeof params->ourImplementationVersionName);
    if (options.extended_count)
        ASC_setRequestedExtNegList(params,
                                   association_items(options.extended, options.extended_count));
    if (add_contexts(params, options, err) < 0) {
        ASC_destroyAssociationParameters(&params);
        return -1;
    }
    condition =
        ASC_requestAssociation(a.network, params, &a.dul, nullptr, nullptr, DUL_NOBLOCK, seconds);
    if (!a.dul)
        ASC_destroyAssociationParameters(&params);
    if (condition == DUL_ASSOCIATIONREJECTED)
        return rejected(a, err);
    if (condition.bad() || !a.state.gate || a.state.problem.code != ERR_NONE)
        return association_failed(a, err, "no association", condition);
    association_identify(a);
    association_title(a.calling, sizeof a.calling, options.calling_aet);
    association_title(a.called, sizeof a.called, options.called_aet);
    take_contexts(a, options);
    SOPClassExtendedNegotiationSubItemList *accepted = nullptr;
    ASC_getAcceptedExtNegList(a.dul->params, &accepted);
    association_extended(accepted, a.extended);
    return 0;
}

} // namespace

extern "C" {

struct dcm_association *dcm_request(const struct dcm_request_options *options, struct err *err)
{
    dcm_association *a = nullptr;

    try {
        a = new dcm_association;
        a->state.timeout_ms = options->timeout_ms;
        a->state.wait_mask = options->wait_mask;
        a->state.check = options->check;
        a->state.tls = association_tls(options->tls);
        a->state.server = false;
        err->code = ERR_NONE;
        if (request(*a, *options, err) == 0)
            return a;
    } catch (const std::exception &e) {
        err_set(err, ERR_FAILED, "association: %s", e.what());
    }
    delete a;
    return nullptr;
}

} // extern "C"
