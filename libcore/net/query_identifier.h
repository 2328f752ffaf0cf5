/*
 * The identifier of a C-FIND, C-MOVE or C-GET request as a query of the index, and a row of the index
 * as the identifier of a response. PS3.4 C.4.1, C.4.2, C.6.
 *
 * No network in here: what a peer asks by DIMSE can be asked in a test without one.
 */
#ifndef PACS_NET_QUERY_IDENTIFIER_H
#define PACS_NET_QUERY_IDENTIFIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "dicom/dataset.h"
#include "index/query.h"

/* PS3.4 C.6.1, C.6.2, and the retired C.6.3. */
enum query_model { MODEL_PATIENT_ROOT, MODEL_STUDY_ROOT, MODEL_PATIENT_STUDY_ONLY };

/* What was agreed for the association: PS3.4 C.5.1.1. */
struct query_negotiated {
    bool relational;
    bool combined_datetime;
    bool fuzzy_names;
};

/* Statuses of PS3.4 table C.4-1. */
#define QUERY_STATUS_MISMATCH 0xa900 /* identifier does not match SOP class */
#define QUERY_STATUS_FAILED   0xc001 /* unable to process */

struct find_request;

/* Checks the identifier against the model. NULL with `*status` and a message for the peer in `err`: no
 * level or one that the model does not have, a unique key above the level that a hierarchical query must
 * have (a list of UIDs is as good as one), a value that cannot be matched (a bad date), more keys or
 * values than anyone asks for. Borrows `identifier`. */
struct find_request *find_request_new(const struct dataset *identifier, enum query_model model,
                                      const struct query_negotiated *negotiated, uint16_t *status,
                                      struct err *err);
void find_request_free(struct find_request *request);

enum query_level find_request_level(const struct find_request *request);
/* A key with a value that was not matched, or that is returned empty, because the index knows no such
 * attribute: each pending response says so (FF01 instead of FF00). */
bool find_request_unsupported(const struct find_request *request);

/* `response` is the caller's to write out, and gone after the call. Non-zero stops. */
typedef int find_each(void *context, struct dataset *response, struct err *err);

/* Asked every now and then while it runs, matches or not; true ends it. */
void find_request_stop_when(struct find_request *request, query_stop *stop, void *context);

/* Runs it: every key that was asked for comes back, and the unique key of the level, with Query/Retrieve Level, Retrieve AE Title
 * (`retrieve_aet`), Instance Availability, in the character set of the request where that can hold the values, else
 * ISO_IR 192. Returns the number of responses, or -1. */
int64_t find_request_run(struct find_request *request, struct index *index,
                         const char *retrieve_aet, find_each *each, void *context, struct err *err);

/* ---- retrieval ---- */

/* The objects that the unique keys of a C-MOVE or C-GET identifier name: PS3.4 C.4.2.1.4, C.4.3.1.3. Keys other
 * than the unique ones are left out of account. Returns how many there are (0: nothing matches), or -1 with
 * `*status`. */
int64_t retrieve_objects(const struct dataset *identifier, enum query_model model,
                         const struct query_negotiated *negotiated, struct index *index,
                         index_each_object *each, void *context, uint16_t *status, struct err *err);

#endif
