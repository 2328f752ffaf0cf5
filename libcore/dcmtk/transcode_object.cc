/*
 * See transcode_internal.hh: attributes.
 */
#include "dcmtk/transcode_internal.hh"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace transcode
{

static uint32_t number(DcmItem &item, const DcmTagKey &tag, const char *name, long fallback)
{
    Uint16 value = 0;

    if (item.findAndGetUint16(tag, value).good())
        return value;
    if (fallback < 0)
        fail("it has pixel data and no %s", name);
    return static_cast<uint32_t>(fallback);
}

static uint32_t number_of_frames(DcmItem &item)
{
    OFString text;
    char *end;

    if (item.findAndGetOFString(DCM_NumberOfFrames, text).bad() || text.empty())
        return 1;
    long long value = std::strtoll(text.c_str(), &end, 10);
    while (*end == ' ')
        end++;
    if (*end || value < 1 || value > INT32_MAX)
        fail("its Number of Frames is \"%.20s\"", text.c_str());
    return static_cast<uint32_t>(value);
}

Format read_format(DcmItem &item)
{
    Format format;
    OFString text;

    format.rows = number(item, DCM_Rows, "Rows", -1);
    format.columns = number(item, DCM_Columns, "Columns", -1);
    format.samples = number(item, DCM_SamplesPerPixel, "Samples per Pixel", 1);
    format.bits_allocated = number(item, DCM_BitsAllocated, "Bits Allocated", -1);
    format.bits_stored = number(item, DCM_BitsStored, "Bits Stored", format.bits_allocated);
    format.is_signed = number(item, DCM_PixelRepresentation, "Pixel Representation", 0) == 1;
    format.by_plane = number(item, DCM_PlanarConfiguration, "Planar Configuration", 0) == 1;
    format.frames = number_of_frames(item);
    if (item.findAndGetOFString(DCM_PhotometricInterpretation, text).good())
        format.photometric = text.c_str();
    if (format.rows == 0 || format.columns == 0)
        fail("its image is %u x %u", format.columns, format.rows);
    if (format.samples != 1 && format.samples != 3 && format.samples != 4)
        fail("it has %u samples a pixel", format.samples);
    if (format.bits_allocated != 1 && format.bits_allocated != 8 && format.bits_allocated != 16 &&
        format.bits_allocated != 32)
        fail("pixels of %u bits allocated cannot be coded anew", format.bits_allocated);
    if (format.bits_allocated == 1 && format.samples != 1)
        fail("it has %u samples a pixel, of one bit each", format.samples);
    if (format.bits_stored == 0 || format.bits_stored > format.bits_allocated)
        fail("it claims %u bits stored of %u allocated", format.bits_stored, format.bits_allocated);
    if (format.samples == 1)
        format.by_plane = false;
    if (format.frame_bytes() > DCM_FRAME_MAX)
        fail("a frame of %u x %u is larger than can be coded anew (%u MB)", format.columns,
             format.rows, DCM_FRAME_MAX >> 20);
    return format;
}

static void check(const OFCondition &result)
{
    if (result.bad())
        fail("DCMTK: %s", result.text());
}

/* ---- nested ---- */

/* The frame of an icon, from its fragments in memory. */
static Bytes nested_fragments(DcmPixelData &pixels, const Format &format)
{
    E_TransferSyntax syntax = EXS_Unknown;
    const DcmRepresentationParameter *parameter = nullptr;
    DcmPixelSequence *sequence = nullptr;
    Bytes coded;

    pixels.getOriginalRepresentationKey(syntax, parameter);
    check(pixels.getEncapsulatedRepresentation(syntax, parameter, sequence));
    if (!sequence || sequence->card() < 2)
        fail("a nested image has no compressed frame");
    if (format.frames != 1)
        fail("a nested image of %u frames", format.frames);
    for (unsigned long i = 1; i < sequence->card(); i++) {
        DcmPixelItem *item = nullptr;
        Uint8 *bytes = nullptr;

        check(sequence->getItem(item, i));
        if (item->getLength() == 0)
            continue;
        check(item->getUint8Array(bytes));
        if (!bytes || coded.size() + item->getLength() > DCM_FRAME_MAX)
            fail("a nested image is too large");
        coded.insert(coded.end(), bytes, bytes + item->getLength());
    }
    return coded;
}

static void decode_icon(DcmItem &item, DcmPixelData &pixels, const Syntax &source)
{
    const Format before = read_format(item);

    if (source.coding == Coding::none)
        fail("it is in transfer syntax %s, which cannot be decoded here", source.uid);
    Frame frame = decode_frame(source, before, nested_fragments(pixels, before));
    Format after = before;

    after.by_plane = false;
    after.photometric = frame.photometric;
    Bytes data = before.bits_allocated == 1 ? frame.data : interleave(frame, after);
    data.resize((data.size() + 1) & ~size_t{1});
    check(pixels.setVR(before.bits_allocated > 8 ? EVR_OW : EVR_OB));
    if (before.bits_allocated > 8)
        check(pixels.putUint16Array(reinterpret_cast<const Uint16 *>(data.data()),
                                    static_cast<unsigned long>(data.size() / 2)));
    else
        check(pixels.putUint8Array(data.data(), static_cast<unsigned long>(data.size())));
    if (after.photometric != before.photometric)
        check(item.putAndInsertString(DCM_PhotometricInterpretation, after.photometric.c_str()));
    if (before.by_plane)
        check(item.putAndInsertUint16(DCM_PlanarConfiguration, 0));
}

void decode_nested(DcmDataset &dataset, const Syntax &source)
{
    DcmStack stack;

    while (dataset.nextObject(stack, OFTrue).good()) {
        auto *pixels = dynamic_cast<DcmPixelData *>(stack.top());
        E_TransferSyntax syntax = EXS_Unknown;
        const DcmRepresentationParameter *parameter = nullptr;

        if (!pixels || stack.card() < 2)
            continue;
        pixels->getOriginalRepresentationKey(syntax, parameter);
        if (!DcmXfer(syntax).isEncapsulated())
            continue;
        auto *item = dynamic_cast<DcmItem *>(stack.elem(1));
        if (!item)
            fail("a nested image outside of any item");
        try {
            decode_icon(*item, *pixels, source);
        } catch (const Failure &failure) {
            fail("an image in a sequence: %s", failure.text.c_str());
        }
    }
}

/* ---- what a coding changes ---- */

void describe_pixels(DcmDataset &head, const Format &before, const Format &after)
{
    /* Where frames begin in the old coding. */
    for (Uint16 element = 1; element <= 3; element++)
        head.findAndDeleteElement(DcmTagKey(0x7fe0, element));
    if (after.photometric != before.photometric)
        check(head.putAndInsertString(DCM_PhotometricInterpretation, after.photometric.c_str()));
    if (after.samples > 1 &&
        (after.by_plane != before.by_plane || !head.tagExists(DCM_PlanarConfiguration)))
        check(head.putAndInsertUint16(DCM_PlanarConfiguration, after.by_plane ? 1 : 0));
}

/* A value more behind those that are there, one for each time that something was lost. */
static void append(DcmDataset &head, const DcmTagKey &tag, const char *value)
{
    OFString values;

    if (head.findAndGetOFStringArray(tag, values).good() && !values.empty())
        values += "\\";
    values += value;
    check(head.putAndInsertString(tag, values.c_str()));
}

void describe_loss(DcmDataset &head, double ratio, const char *method)
{
    OFString already;
    char text[32];

    if (head.findAndGetOFString(DCM_LossyImageCompression, already).bad() || already != "01")
        check(head.putAndInsertString(DCM_LossyImageCompression, "01"));
    if (ratio > 0) {
        std::snprintf(text, sizeof text, "%.2f", ratio);
        append(head, DCM_LossyImageCompressionRatio, text);
        append(head, DCM_LossyImageCompressionMethod, method);
    }
}

void replace_instance(DcmDataset &head, const char *uid)
{
    OFString type;

    check(head.putAndInsertString(DCM_SOPInstanceUID, uid));
    /* The first value tells whether pixels are those of the acquisition; the others stay. */
    if (head.findAndGetOFStringArray(DCM_ImageType, type).bad() || type.empty())
        type = "DERIVED\\SECONDARY";
    else if (type.find('\\') == OFString_npos)
        type = "DERIVED";
    else
        type = "DERIVED" + type.substr(type.find('\\'));
    check(head.putAndInsertString(DCM_ImageType, type.c_str()));
}

/* ---- meta header ---- */

static void add_element(Bytes &to, unsigned element, const char *vr, const std::string &value)
{
    size_t length = (value.size() + 1) & ~size_t{1};
    const bool wide = std::strcmp(vr, "OB") == 0;

    to.insert(to.end(), {2, 0, static_cast<unsigned char>(element), 0,
                         static_cast<unsigned char>(vr[0]), static_cast<unsigned char>(vr[1])});
    if (wide)
        to.insert(to.end(), {0, 0});
    to.insert(to.end(),
              {static_cast<unsigned char>(length & 0xff), static_cast<unsigned char>(length >> 8)});
    if (wide)
        to.insert(to.end(), {0, 0});
    to.insert(to.end(), value.begin(), value.end());
    if (value.size() % 2)
        to.push_back(std::strcmp(vr, "SH") == 0 ? ' ' : 0);
}

/* As it is: a UID that breaks a rule is no reason to refuse the object here. */
static std::string uid_of(DcmDataset &head, DcmMetaInfo &old, const DcmTagKey &tag,
                          const DcmTagKey &meta_tag, const char *name)
{
    OFString value;

    if (head.findAndGetOFString(tag, value).bad() || value.empty())
        (void)old.findAndGetOFString(meta_tag, value);
    if (value.empty() || value.size() > 2 * UID_MAX)
        fail("its %s is missing or no UID", name);
    return {value.c_str(), value.size()};
}

void write_meta(DcmDataset &head, DcmMetaInfo &old, const char *transfer_syntax, Output &out)
{
    Bytes group, whole(128);

    add_element(group, 0x01, "OB", std::string("\0\1", 2));
    add_element(group, 0x02, "UI",
                uid_of(head, old, DCM_SOPClassUID, DCM_MediaStorageSOPClassUID, "SOP Class UID"));
    add_element(
        group, 0x03, "UI",
        uid_of(head, old, DCM_SOPInstanceUID, DCM_MediaStorageSOPInstanceUID, "SOP Instance UID"));
    add_element(group, 0x10, "UI", transfer_syntax);
    add_element(group, 0x12, "UI", IMPLEMENTATION_CLASS_UID);
    add_element(group, 0x13, "SH", IMPLEMENTATION_VERSION_NAME);
    whole.insert(whole.end(), {'D', 'I', 'C', 'M', 2, 0, 0, 0, 'U', 'L', 4, 0});
    for (unsigned b = 0; b < 4; b++)
        whole.push_back(static_cast<unsigned char>(group.size() >> 8 * b));
    whole.insert(whole.end(), group.begin(), group.end());
    out.write(whole.data(), whole.size());
}

} // namespace transcode
