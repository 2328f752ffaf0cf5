/*
 * UIDs: their form (PS3.5 section 9) and the ones that the standard registers (PS3.6 annex A).
 */
#ifndef PACS_DICOM_UID_H
#define PACS_DICOM_UID_H

#include <stdbool.h>
#include <stddef.h>

#define UID_MAX 64 /* characters, without NUL */

/* Digits and dots, 1 to 64 characters, a digit first and last, no empty component. Leading zeros in a
 * component pass: they are common, and harmless in a file name. Anything that passes is safe as a
 * file name. */
bool uid_valid(const char *uid, size_t length);

enum uid_kind { UID_OTHER, UID_STORAGE_CLASS, UID_TRANSFER_SYNTAX, UID_SERVICE_CLASS };

struct uid_entry {
    const char *uid;
    enum uid_kind kind;
    const char *keyword; /* "CTImageStorage" */
    const char *name;    /* "CT Image Storage" */
};

/* NULL when the standard does not know it. */
const struct uid_entry *uid_find(const char *uid);
/* The whole table, ordered by uid (strcmp). Every storage SOP class of PS3.4 annex B.5 and those
 * retired, every transfer syntax. Classes of objects without a patient (PS3.4 annex GG) are UID_OTHER. */
const struct uid_entry *uid_all(size_t *count);

struct transfer_syntax {
    const char *uid;
    bool explicit_vr;
    bool big_endian;
    bool deflated;
    bool encapsulated; /* compressed pixel data in fragments */
};

/* What PS3.5 section 10 and annex A say of it; for a UID that the table does not hold, explicit VR
 * little endian encapsulated, as PS3.5 A.4 demands of every later one, with `known` false. */
struct transfer_syntax transfer_syntax_of(const char *uid, bool *known);

#define UID_IMPLICIT_LE "1.2.840.10008.1.2"
#define UID_EXPLICIT_LE "1.2.840.10008.1.2.1"
#define UID_EXPLICIT_BE "1.2.840.10008.1.2.2"
#define UID_DEFLATED_LE "1.2.840.10008.1.2.1.99"

/* What identifies this implementation (PS3.7 D.3.3.2). */
#define IMPLEMENTATION_CLASS_UID    "2.25.257905587905102377849610817798770989639"
#define IMPLEMENTATION_VERSION_NAME "PACSUTILS_01"

#endif
