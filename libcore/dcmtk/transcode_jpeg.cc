/*
 * JPEG by DCMTK's three builds of the IJG library (8, 12 and 16 bits).
 */
#include "dcmtk/transcode_internal.hh"

#include "dcmtk/dcmjpeg/djcparam.h"
#include "dcmtk/dcmjpeg/djdijg12.h"
#include "dcmtk/dcmjpeg/djdijg16.h"
#include "dcmtk/dcmjpeg/djdijg8.h"
#include "dcmtk/dcmjpeg/djeijg12.h"
#include "dcmtk/dcmjpeg/djeijg16.h"
#include "dcmtk/dcmjpeg/djeijg8.h"

#include <cstring>

namespace transcode
{

constexpr unsigned lossless_process = 0xc3;
constexpr unsigned jpeg_ls_process = 0xf7;

/* The frame header, which must be the image that the object claims: the library decodes what the stream
 * says, into a buffer of the size that the object says. */
JpegHeader read_jpeg_header(const Format &format, const Bytes &coded)
{
    JpegHeader header = {};
    size_t at = 2;

    if (coded.size() < 4 || coded[0] != 0xff || coded[1] != 0xd8)
        fail("not JPEG");
    for (;;) {
        while (at < coded.size() && coded[at] == 0xff)
            at++;
        if (coded.size() - at < 3 || coded[at - 1] != 0xff)
            fail("its JPEG header is broken or cut short");
        unsigned marker = coded[at];
        size_t length = static_cast<size_t>(coded[at + 1] << 8 | coded[at + 2]);
        const unsigned char *p = &coded[at];

        if (length < 2 || coded.size() - at - 1 < length)
            fail("its JPEG header is broken or cut short");
        if (marker == 0xda) { /* start of scan */
            if (!header.process)
                fail("its JPEG header does not tell the image's size");
            if (length != 6 + 2u * p[3])
                fail("its JPEG header is broken");
            header.selection = at + 4 + 2u * p[3];
            if (header.process == jpeg_ls_process)
                header.near_lossless = coded[header.selection];
            break;
        }
        if ((marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 &&
             marker != 0xcc) ||
            marker == jpeg_ls_process) {
            if (length < 8 || header.process)
                fail("its JPEG header is broken");
            header.process = marker;
            header.precision = p[3];
            header.rows = static_cast<unsigned>(p[4] << 8 | p[5]);
            header.columns = static_cast<unsigned>(p[6] << 8 | p[7]);
            header.components = p[8];
        }
        at += 1 + length;
        if (at >= coded.size() || coded[at] != 0xff)
            fail("its JPEG header is broken or cut short");
    }
    if (header.rows != format.rows || header.columns != format.columns ||
        header.components != format.samples)
        fail("its JPEG data is %u x %u with %u components, and the object claims %u x %u with %u",
             header.columns, header.rows, header.components, format.columns, format.rows,
             format.samples);
    if (header.precision < 2 || header.precision > format.bits_allocated)
        fail("its JPEG data has %u bits a sample, and the object claims %u", header.precision,
             format.bits_allocated);
    return header;
}

/* The library goes on after damage with a warning; here that is an error. */
template <class Base> class Decoder : public Base
{
  public:
    using Base::Base;
    void emitMessage(int level) const override
    {
        if (level == -1)
            warnings++;
    }
    mutable unsigned warnings = 0;
};

template <class Base>
static OFCondition run(Decoder<Base> &decoder, const Bytes &coded, Bytes &out, bool is_signed,
                       bool &damaged, bool &rgb)
{
    OFCondition result = decoder.init();

    if (result.good())
        result =
            decoder.decode(const_cast<Uint8 *>(coded.data()), static_cast<Uint32>(coded.size()),
                           out.data(), static_cast<Uint32>(out.size()), is_signed);
    damaged = decoder.warnings > 0;
    rgb = decoder.getDecompressedColorModel() == EPI_RGB;
    return result;
}

/* Sequential JPEG has no choice of spectral selection and approximation. Some encoders write something
 * else, which means nothing, but is worth a warning to the library. */
static const Bytes &with_selection(const Bytes &coded, const JpegHeader &header, Bytes &copy)
{
    static const unsigned char all[] = {0, 63, 0};

    if ((header.process != 0xc0 && header.process != 0xc1) ||
        std::memcmp(&coded[header.selection], all, sizeof all) == 0)
        return coded;
    copy = coded;
    std::memcpy(&copy[header.selection], all, sizeof all);
    return copy;
}

Frame decode_jpeg(const Format &format, const Bytes &stream)
{
    const JpegHeader header = read_jpeg_header(format, stream);
    Bytes copy;
    const Bytes &coded = with_selection(stream, header, copy);
    const bool lossless = header.process == lossless_process;
    const bool ybr = format.photometric.compare(0, 3, "YBR") == 0 && format.samples == 3;
    /* Lossless chroma stays as it is: turning it into RGB would round. */
    const DJCodecParameter parameter(ECC_lossyYCbCr,
                                     lossless ? EDC_never : EDC_photometricInterpretation,
                                     EUC_never, EPC_colorByPixel);
    const unsigned width = header.precision > 8 ? 2 : 1;
    Frame frame;
    OFCondition result;
    bool damaged = false, rgb = false;

    if (header.process == jpeg_ls_process)
        fail("JPEG-LS under a transfer syntax of JPEG");
    frame.data.resize(format.pixels() * format.samples * width);
    if (header.precision <= 8) {
        Decoder<DJDecompressIJG8Bit> decoder(parameter, ybr);
        result = run(decoder, coded, frame.data, format.is_signed, damaged, rgb);
    } else if (header.precision <= 12) {
        Decoder<DJDecompressIJG12Bit> decoder(parameter, ybr);
        result = run(decoder, coded, frame.data, format.is_signed, damaged, rgb);
    } else {
        Decoder<DJDecompressIJG16Bit> decoder(parameter, ybr);
        result = run(decoder, coded, frame.data, format.is_signed, damaged, rgb);
    }
    if (result == EJ_Suspension)
        fail("its JPEG data is cut short");
    if (result.bad())
        fail("its JPEG data: %s", result.text());
    if (damaged)
        fail("its JPEG data is damaged");
    widen(frame.data, format, width);
    frame.photometric = rgb && ybr ? "RGB" : format.subsampled() ? "YBR_FULL" : format.photometric;
    frame.lossy = !lossless;
    return frame;
}

static EP_Interpretation interpretation(const std::string &photometric)
{
    if (photometric == "MONOCHROME1")
        return EPI_Monochrome1;
    if (photometric == "MONOCHROME2")
        return EPI_Monochrome2;
    if (photometric == "RGB")
        return EPI_RGB;
    if (photometric == "YBR_FULL")
        return EPI_YBR_Full;
    return EPI_Unknown;
}

template <class Sample>
static Bytes compress(DJEncoder &encoder, const Format &format, const Frame &frame)
{
    Bytes data = interleave(frame, format);
    Uint8 *coded = nullptr;
    Uint32 length = 0;
    OFCondition result =
        encoder.encode(static_cast<Uint16>(format.columns), static_cast<Uint16>(format.rows),
                       interpretation(format.photometric), static_cast<Uint16>(format.samples),
                       reinterpret_cast<Sample *>(data.data()), coded, length);
    std::unique_ptr<Uint8[]> owner(coded);

    if (result.bad())
        fail("the JPEG encoder: %s", result.text());
    if (!coded || length == 0)
        fail("the JPEG encoder makes nothing of it");
    return {coded, coded + length};
}

Bytes encode_jpeg_lossless(const Format &format, const Frame &frame)
{
    const DJCodecParameter parameter(ECC_lossyYCbCr, EDC_never, EUC_never, EPC_colorByPixel,
                                     OFFalse, OFFalse, OFFalse, OFTrue);

    /* As wide as allocated, so that every bit survives. Selection value 1, no point transform. */
    if (format.bits_allocated == 8) {
        DJCompressIJG8Bit encoder(parameter, EJM_lossless, 1, 0);
        return compress<Uint8>(encoder, format, frame);
    }
    DJCompressIJG16Bit encoder(parameter, EJM_lossless, 1, 0);
    return compress<Uint16>(encoder, format, frame);
}

Bytes encode_jpeg_lossy(Format &format, const Frame &frame, bool baseline, int quality)
{
    const DJCodecParameter parameter(ECC_lossyYCbCr, EDC_never, EUC_never, EPC_colorByPixel,
                                     OFFalse, OFFalse, OFFalse, OFTrue, 0, 0, 0, OFTrue, ESS_422);
    const auto mode = baseline ? EJM_baseline : EJM_sequential;
    const auto level = static_cast<Uint8>(quality);
    Bytes coded;

    if (format.bits_allocated == 8) {
        DJCompressIJG8Bit encoder(parameter, mode, level);
        coded = compress<Uint8>(encoder, format, frame);
        if (format.samples == 3)
            format.photometric = "YBR_FULL_422";
        return coded;
    }
    if (format.bits_stored > 8) {
        DJCompressIJG12Bit encoder(parameter, mode, level);
        for (size_t i = 1; i < frame.data.size(); i += 2)
            if (frame.data[i] > 0x0f)
                fail("it has values of more than 12 bits");
        return compress<Uint16>(encoder, format, frame);
    }
    /* Eight bits in words. */
    Frame narrow;

    narrow.data.resize(frame.data.size() / 2);
    for (size_t i = 0; i < narrow.data.size(); i++) {
        narrow.data[i] = frame.data[2 * i];
        if (frame.data[2 * i + 1])
            fail("it has values of more than 8 bits");
    }
    DJCompressIJG8Bit encoder(parameter, mode, level);
    return compress<Uint8>(encoder, format, narrow);
}

} // namespace transcode
