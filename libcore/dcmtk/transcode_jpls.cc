/*
 * JPEG-LS: decoded by CharLS 2, encoded by DCMTK's coder, which is called for one frame in a data set of
 * its own. DCMTK 3.6.7 decodes with an old CharLS that ends the process (assert) on some damaged data.
 */
#include "dcmtk/transcode_internal.hh"

#include "dcmtk/dcmjpls/djcodece.h"
#include "dcmtk/dcmjpls/djcparam.h"

#include <charls/charls_jpegls_decoder.h>

#include <cstring>

namespace transcode
{

static void check(const OFCondition &result, const char *what)
{
    if (result.bad())
        fail("%s: %s", what, result.text());
}

/* What the coder asks of a data set. */
static void describe(DcmDataset &image, const Format &format, unsigned bits)
{
    const char *what = "describing a frame";

    check(image.putAndInsertUint16(DCM_SamplesPerPixel, static_cast<Uint16>(format.samples)), what);
    check(image.putAndInsertString(DCM_PhotometricInterpretation, format.photometric.c_str()),
          what);
    if (format.samples > 1)
        check(image.putAndInsertUint16(DCM_PlanarConfiguration, 0), what);
    check(image.putAndInsertString(DCM_NumberOfFrames, "1"), what);
    check(image.putAndInsertUint16(DCM_Rows, static_cast<Uint16>(format.rows)), what);
    check(image.putAndInsertUint16(DCM_Columns, static_cast<Uint16>(format.columns)), what);
    check(image.putAndInsertUint16(DCM_BitsAllocated, static_cast<Uint16>(bits)), what);
    check(image.putAndInsertUint16(DCM_BitsStored, static_cast<Uint16>(bits)), what);
    check(image.putAndInsertUint16(DCM_HighBit, static_cast<Uint16>(bits - 1)), what);
    check(image.putAndInsertUint16(DCM_PixelRepresentation, 0), what);
}

static void check(charls_jpegls_errc status)
{
    if (status != charls::jpegls_errc::success)
        fail("its JPEG-LS data: %s", charls_get_error_message(status));
}

Frame decode_jpeg_ls(const Format &format, const Bytes &coded)
{
    const JpegHeader header = read_jpeg_header(format, coded);
    const unsigned width = header.precision > 8 ? 2 : 1;
    std::unique_ptr<charls_jpegls_decoder, decltype(&charls_jpegls_decoder_destroy)> decoder(
        charls_jpegls_decoder_create(), charls_jpegls_decoder_destroy);
    charls_interleave_mode mode = charls::interleave_mode::none;
    size_t size = 0;
    Frame frame;

    if (header.process != 0xf7)
        fail("JPEG under a transfer syntax of JPEG-LS");
    if (!decoder)
        throw Failure{ERR_FAILED, "no memory for JPEG-LS"};
    check(charls_jpegls_decoder_set_source_buffer(decoder.get(), coded.data(), coded.size()));
    check(charls_jpegls_decoder_read_header(decoder.get()));
    check(charls_jpegls_decoder_get_interleave_mode(decoder.get(), &mode));
    check(charls_jpegls_decoder_get_destination_size(decoder.get(), 0, &size));
    frame.data.resize(format.pixels() * format.samples * width);
    if (size != frame.data.size())
        fail("its JPEG-LS data is of another size than it says first");
    check(charls_jpegls_decoder_decode_to_buffer(decoder.get(), frame.data.data(), size, 0));
    widen(frame.data, format, width);
    frame.by_plane = format.samples > 1 && mode == charls::interleave_mode::none;
    frame.photometric = format.photometric;
    frame.lossy = header.near_lossless > 0;
    return frame;
}

Bytes encode_jpeg_ls(const Format &format, const Frame &frame)
{
    /* Raw: as wide as allocated, so that every bit survives. */
    const DJLSCodecParameter parameter(OFFalse, 0, 0, 0, 0, 0, OFFalse, EJLSUC_never, OFFalse,
                                       EJLSPC_restore, OFFalse,
                                       DJLSCodecParameter::interleaveDefault);
    DJLSLosslessEncoder encoder;
    DcmDataset image;
    DcmPixelData element(DcmTag(DCM_PixelData, EVR_OW));
    DcmPixelSequence *made = nullptr;
    DcmPixelItem *item = nullptr;
    DcmStack stack;
    OFBool remove = OFFalse;
    Bytes data = interleave(frame, format);
    const size_t length = data.size();
    Uint8 *coded = nullptr;

    data.resize(length + (length & 1));
    describe(image, format, format.bits_allocated);
    stack.push(&image);
    stack.push(&element);
    OFCondition result =
        encoder.encode(reinterpret_cast<const Uint16 *>(data.data()), static_cast<Uint32>(length),
                       nullptr, made, &parameter, stack, remove);
    std::unique_ptr<DcmPixelSequence> owner(made);
    check(result, "the JPEG-LS encoder");
    if (!made || made->card() != 2)
        fail("the JPEG-LS encoder makes nothing of it");
    check(made->getItem(item, 1), "the JPEG-LS encoder");
    check(item->getUint8Array(coded), "the JPEG-LS encoder");
    return {coded, coded + item->getLength()};
}

} // namespace transcode
