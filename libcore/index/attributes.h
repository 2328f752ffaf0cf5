/*
 * What the index holds of each object: one table, from which schema, writer, query and pacs-find
 * are made.
 *
 * The levels and the use of each attribute are those of PS3.4 C.6.1.1 (patient root); where the
 * standard leaves the level open, that of the module in which the attribute is defined (PS3.3).
 * What can differ between the objects of one series (echo time, slice thickness) is held per
 * instance. Patient, study and series rows take their values from the first object that came.
 *
 * An attribute added here is a new column: raise the schema's number and add the migration
 * (schema.c).
 */
#ifndef PACS_INDEX_ATTRIBUTES_H
#define PACS_INDEX_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "dicom/tag.h"

/* Ordered, from the root down; struct query counts on it. */
enum query_level { LEVEL_PATIENT, LEVEL_STUDY, LEVEL_SERIES, LEVEL_INSTANCE };

enum attribute_use { USE_UNIQUE, USE_REQUIRED, USE_OPTIONAL };

/* X(name, keyword, group, element, VR, level, column, use) */
#define ATTRIBUTES(X)                                                                              \
    X(PATIENT_ID, "PatientID", 0x0010, 0x0020, LO, PATIENT, "patient_id", UNIQUE)                  \
    X(ISSUER_OF_PATIENT_ID, "IssuerOfPatientID", 0x0010, 0x0021, LO, PATIENT, "issuer", OPTIONAL)  \
    X(PATIENT_NAME, "PatientName", 0x0010, 0x0010, PN, PATIENT, "name", REQUIRED)                  \
    X(PATIENT_BIRTH_DATE, "PatientBirthDate", 0x0010, 0x0030, DA, PATIENT, "birth_date", OPTIONAL) \
    X(PATIENT_BIRTH_TIME, "PatientBirthTime", 0x0010, 0x0032, TM, PATIENT, "birth_time", OPTIONAL) \
    X(PATIENT_SEX, "PatientSex", 0x0010, 0x0040, CS, PATIENT, "sex", OPTIONAL)                     \
    X(OTHER_PATIENT_IDS, "OtherPatientIDs", 0x0010, 0x1000, LO, PATIENT, "other_ids", OPTIONAL)    \
    X(OTHER_PATIENT_NAMES, "OtherPatientNames", 0x0010, 0x1001, PN, PATIENT, "other_names",        \
      OPTIONAL)                                                                                    \
    X(ETHNIC_GROUP, "EthnicGroup", 0x0010, 0x2160, SH, PATIENT, "ethnic_group", OPTIONAL)          \
    X(PATIENT_COMMENTS, "PatientComments", 0x0010, 0x4000, LT, PATIENT, "comments", OPTIONAL)      \
                                                                                                   \
    X(STUDY_INSTANCE_UID, "StudyInstanceUID", 0x0020, 0x000d, UI, STUDY, "uid", UNIQUE)            \
    X(STUDY_DATE, "StudyDate", 0x0008, 0x0020, DA, STUDY, "date", REQUIRED)                        \
    X(STUDY_TIME, "StudyTime", 0x0008, 0x0030, TM, STUDY, "time", REQUIRED)                        \
    X(ACCESSION_NUMBER, "AccessionNumber", 0x0008, 0x0050, SH, STUDY, "accession", REQUIRED)       \
    X(STUDY_ID, "StudyID", 0x0020, 0x0010, SH, STUDY, "study_id", REQUIRED)                        \
    X(STUDY_DESCRIPTION, "StudyDescription", 0x0008, 0x1030, LO, STUDY, "description", OPTIONAL)   \
    X(REFERRING_PHYSICIAN_NAME, "ReferringPhysicianName", 0x0008, 0x0090, PN, STUDY, "referring",  \
      OPTIONAL)                                                                                    \
    X(NAME_OF_PHYSICIANS_READING_STUDY, "NameOfPhysiciansReadingStudy", 0x0008, 0x1060, PN, STUDY, \
      "reading", OPTIONAL)                                                                         \
    X(ADMITTING_DIAGNOSES_DESCRIPTION, "AdmittingDiagnosesDescription", 0x0008, 0x1080, LO, STUDY, \
      "diagnoses", OPTIONAL)                                                                       \
    X(PATIENT_AGE, "PatientAge", 0x0010, 0x1010, AS, STUDY, "patient_age", OPTIONAL)               \
    X(PATIENT_SIZE, "PatientSize", 0x0010, 0x1020, DS, STUDY, "patient_size", OPTIONAL)            \
    X(PATIENT_WEIGHT, "PatientWeight", 0x0010, 0x1030, DS, STUDY, "patient_weight", OPTIONAL)      \
    X(OCCUPATION, "Occupation", 0x0010, 0x2180, SH, STUDY, "occupation", OPTIONAL)                 \
    X(ADDITIONAL_PATIENT_HISTORY, "AdditionalPatientHistory", 0x0010, 0x21b0, LT, STUDY,           \
      "history", OPTIONAL)                                                                         \
                                                                                                   \
    X(SERIES_INSTANCE_UID, "SeriesInstanceUID", 0x0020, 0x000e, UI, SERIES, "uid", UNIQUE)         \
    X(MODALITY, "Modality", 0x0008, 0x0060, CS, SERIES, "modality", REQUIRED)                      \
    X(SERIES_NUMBER, "SeriesNumber", 0x0020, 0x0011, IS, SERIES, "number", REQUIRED)               \
    X(SERIES_DESCRIPTION, "SeriesDescription", 0x0008, 0x103e, LO, SERIES, "description",          \
      OPTIONAL)                                                                                    \
    X(SERIES_DATE, "SeriesDate", 0x0008, 0x0021, DA, SERIES, "date", OPTIONAL)                     \
    X(SERIES_TIME, "SeriesTime", 0x0008, 0x0031, TM, SERIES, "time", OPTIONAL)                     \
    X(BODY_PART_EXAMINED, "BodyPartExamined", 0x0018, 0x0015, CS, SERIES, "body_part", OPTIONAL)   \
    X(LATERALITY, "Laterality", 0x0020, 0x0060, CS, SERIES, "laterality", OPTIONAL)                \
    X(PATIENT_POSITION, "PatientPosition", 0x0018, 0x5100, CS, SERIES, "patient_position",         \
      OPTIONAL)                                                                                    \
    X(PROTOCOL_NAME, "ProtocolName", 0x0018, 0x1030, LO, SERIES, "protocol", OPTIONAL)             \
    X(MANUFACTURER, "Manufacturer", 0x0008, 0x0070, LO, SERIES, "manufacturer", OPTIONAL)          \
    X(MANUFACTURER_MODEL_NAME, "ManufacturerModelName", 0x0008, 0x1090, LO, SERIES, "model",       \
      OPTIONAL)                                                                                    \
    X(DEVICE_SERIAL_NUMBER, "DeviceSerialNumber", 0x0018, 0x1000, LO, SERIES, "device_serial",     \
      OPTIONAL)                                                                                    \
    X(STATION_NAME, "StationName", 0x0008, 0x1010, SH, SERIES, "station", OPTIONAL)                \
    X(INSTITUTION_NAME, "InstitutionName", 0x0008, 0x0080, LO, SERIES, "institution", OPTIONAL)    \
    X(INSTITUTIONAL_DEPARTMENT_NAME, "InstitutionalDepartmentName", 0x0008, 0x1040, LO, SERIES,    \
      "department", OPTIONAL)                                                                      \
    X(PERFORMING_PHYSICIAN_NAME, "PerformingPhysicianName", 0x0008, 0x1050, PN, SERIES,            \
      "performing", OPTIONAL)                                                                      \
    X(OPERATORS_NAME, "OperatorsName", 0x0008, 0x1070, PN, SERIES, "operators", OPTIONAL)          \
    X(PERFORMED_PROCEDURE_STEP_START_DATE, "PerformedProcedureStepStartDate", 0x0040, 0x0244, DA,  \
      SERIES, "step_date", OPTIONAL)                                                               \
    X(PERFORMED_PROCEDURE_STEP_START_TIME, "PerformedProcedureStepStartTime", 0x0040, 0x0245, TM,  \
      SERIES, "step_time", OPTIONAL)                                                               \
    X(PERFORMED_PROCEDURE_STEP_ID, "PerformedProcedureStepID", 0x0040, 0x0253, SH, SERIES,         \
      "step_id", OPTIONAL)                                                                         \
    X(PERFORMED_PROCEDURE_STEP_DESCRIPTION, "PerformedProcedureStepDescription", 0x0040, 0x0254,   \
      LO, SERIES, "step_description", OPTIONAL)                                                    \
    X(MAGNETIC_FIELD_STRENGTH, "MagneticFieldStrength", 0x0018, 0x0087, DS, SERIES,                \
      "field_strength", OPTIONAL)                                                                  \
    X(FRAME_OF_REFERENCE_UID, "FrameOfReferenceUID", 0x0020, 0x0052, UI, SERIES,                   \
      "frame_of_reference", OPTIONAL)                                                              \
                                                                                                   \
    X(SOP_INSTANCE_UID, "SOPInstanceUID", 0x0008, 0x0018, UI, INSTANCE, "uid", UNIQUE)             \
    X(SOP_CLASS_UID, "SOPClassUID", 0x0008, 0x0016, UI, INSTANCE, "class", REQUIRED)               \
    X(TRANSFER_SYNTAX_UID, "TransferSyntaxUID", 0x0002, 0x0010, UI, INSTANCE, "syntax", OPTIONAL)  \
    X(INSTANCE_NUMBER, "InstanceNumber", 0x0020, 0x0013, IS, INSTANCE, "number", REQUIRED)         \
    X(ACQUISITION_NUMBER, "AcquisitionNumber", 0x0020, 0x0012, IS, INSTANCE, "acquisition",        \
      OPTIONAL)                                                                                    \
    X(CONTENT_DATE, "ContentDate", 0x0008, 0x0023, DA, INSTANCE, "date", OPTIONAL)                 \
    X(CONTENT_TIME, "ContentTime", 0x0008, 0x0033, TM, INSTANCE, "time", OPTIONAL)                 \
    X(ROWS, "Rows", 0x0028, 0x0010, US, INSTANCE, "rows", OPTIONAL)                                \
    X(COLUMNS, "Columns", 0x0028, 0x0011, US, INSTANCE, "columns", OPTIONAL)                       \
    X(NUMBER_OF_FRAMES, "NumberOfFrames", 0x0028, 0x0008, IS, INSTANCE, "frames", OPTIONAL)        \
    X(SLICE_THICKNESS, "SliceThickness", 0x0018, 0x0050, DS, INSTANCE, "thickness", OPTIONAL)      \
    X(KVP, "KVP", 0x0018, 0x0060, DS, INSTANCE, "kvp", OPTIONAL)                                   \
    X(REPETITION_TIME, "RepetitionTime", 0x0018, 0x0080, DS, INSTANCE, "repetition_time",          \
      OPTIONAL)                                                                                    \
    X(ECHO_TIME, "EchoTime", 0x0018, 0x0081, DS, INSTANCE, "echo_time", OPTIONAL)

#define ATTRIBUTE_ENUM(name, keyword, group, element, vr, level, column, use) ATTRIBUTE_##name,
enum attribute { ATTRIBUTES(ATTRIBUTE_ENUM) ATTRIBUTE_COUNT };
#undef ATTRIBUTE_ENUM

struct attribute_info {
    const char *keyword;
    tag_t tag;
    vr_t vr;
    enum query_level level;
    const char *column; /* in the level's table */
    enum attribute_use use;
};

/* Indexed by enum attribute. */
extern const struct attribute_info attributes[ATTRIBUTE_COUNT];

/* The table that holds a level's rows: "patient", "study", ... */
const char *level_name(enum query_level level);

/* NULL for a tag that the index does not hold as a column. */
const struct attribute_info *attribute_find(tag_t tag);

/* What the index knows without it standing in any header: counts, sets, sizes, receipt. `sql` per
 * level is an expression over the tables of that level and above (aliases p, s, r, i), or NULL
 * where it makes no sense. */
struct computed_info {
    tag_t tag;
    vr_t vr;
    enum query_level level; /* at which a key on it is tested; each has `sql` there and below */
    bool any_level;         /* tested at the level of the query instead: Size, Received */
    const char *sql[LEVEL_INSTANCE + 1];
};
const struct computed_info *computed_find(tag_t tag);

#endif
