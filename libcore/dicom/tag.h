/*
 * Tags and value representations as numbers. PS3.5 section 6.2 and 7.
 */
#ifndef PACS_DICOM_TAG_H
#define PACS_DICOM_TAG_H

#include <stdint.h>

typedef uint32_t tag_t; /* group << 16 | element */

#define TAG(group, element) ((tag_t)(((uint32_t)(group) << 16) | (uint32_t)(element)))
#define TAG_GROUP(tag)      ((uint16_t)((tag) >> 16))
#define TAG_ELEMENT(tag)    ((uint16_t)((tag)&0xffff))

/* A VR as its two letters, first letter in the high byte; 0 is "not known". */
typedef uint16_t vr_t;
#define VR(a, b) ((vr_t)(((a) << 8) | (b)))

/* clang-format off */
enum {
    VR_NONE = 0,
    VR_AE = VR('A', 'E'), VR_AS = VR('A', 'S'), VR_AT = VR('A', 'T'), VR_CS = VR('C', 'S'),
    VR_DA = VR('D', 'A'), VR_DS = VR('D', 'S'), VR_DT = VR('D', 'T'), VR_FD = VR('F', 'D'),
    VR_FL = VR('F', 'L'), VR_IS = VR('I', 'S'), VR_LO = VR('L', 'O'), VR_LT = VR('L', 'T'),
    VR_OB = VR('O', 'B'), VR_OD = VR('O', 'D'), VR_OF = VR('O', 'F'), VR_OL = VR('O', 'L'),
    VR_OV = VR('O', 'V'), VR_OW = VR('O', 'W'), VR_PN = VR('P', 'N'), VR_SH = VR('S', 'H'),
    VR_SL = VR('S', 'L'), VR_SQ = VR('S', 'Q'), VR_SS = VR('S', 'S'), VR_ST = VR('S', 'T'),
    VR_SV = VR('S', 'V'), VR_TM = VR('T', 'M'), VR_UC = VR('U', 'C'), VR_UI = VR('U', 'I'),
    VR_UL = VR('U', 'L'), VR_UN = VR('U', 'N'), VR_UR = VR('U', 'R'), VR_US = VR('U', 'S'),
    VR_UT = VR('U', 'T'), VR_UV = VR('U', 'V'),
};
/* clang-format on */

#endif
