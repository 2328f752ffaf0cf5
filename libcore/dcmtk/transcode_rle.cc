/*
 * RLE (PS3.5 annex G) by DCMTK's byte coder, and deflated image frames (PS3.5 A.4.12) by zlib.
 */
#include "dcmtk/transcode_internal.hh"

#include "dcmtk/dcmdata/dcrledec.h"
#include "dcmtk/dcmdata/dcrleenc.h"

#include <cstring>

namespace transcode
{

constexpr size_t header_size = 64;
constexpr uint32_t segments_max = 15;

/* A frame as planes of bytes: of each sample, the most significant byte first. */
struct Planes {
    uint32_t count;   /* of planes */
    size_t size;      /* bytes of one */
    uint32_t columns; /* bytes of a row */
};

static Planes planes_of(const Format &format)
{
    if (format.bits_allocated == 1)
        return {1, format.frame_bytes(), static_cast<uint32_t>(format.frame_bytes())};
    return {static_cast<uint32_t>(format.samples * format.sample_bytes()), format.pixels(),
            format.columns};
}

/* Where byte `i` of plane `p` is in a frame by planes. */
static size_t place(const Format &format, const Planes &planes, uint32_t p, size_t i)
{
    size_t width = planes.count == 1 ? 1 : format.sample_bytes();

    return (p / width * planes.size + i) * width + (width - 1 - p % width);
}

static uint32_t get32(const unsigned char *p)
{
    return static_cast<uint32_t>(p[0]) | static_cast<uint32_t>(p[1]) << 8 |
           static_cast<uint32_t>(p[2]) << 16 | static_cast<uint32_t>(p[3]) << 24;
}

Frame decode_rle(const Format &format, const Bytes &coded)
{
    const Planes planes = planes_of(format);
    Frame frame;

    if (coded.size() < header_size)
        fail("its RLE header is cut short");
    if (get32(coded.data()) != planes.count)
        fail("its RLE header names %u segments instead of %u", get32(coded.data()), planes.count);
    frame.data.resize(format.frame_bytes());
    for (uint32_t p = 0; p < planes.count; p++) {
        size_t begin = get32(&coded[4 + 4 * size_t{p}]);
        size_t end = p + 1 < planes.count ? get32(&coded[8 + 4 * size_t{p}]) : coded.size();

        if (begin < header_size || begin > end || end > coded.size())
            fail("its RLE segment %u lies outside of it", p + 1);
        DcmRLEDecoder decoder(planes.size);
        (void)decoder.decompress(const_cast<unsigned char *>(coded.data() + begin), end - begin);
        if (decoder.size() != planes.size)
            fail("its RLE segment %u holds too few bytes", p + 1);
        const auto *bytes = static_cast<const unsigned char *>(decoder.getOutputBuffer());
        if (planes.count == 1) {
            std::memcpy(frame.data.data(), bytes, planes.size);
            continue;
        }
        for (size_t i = 0; i < planes.size; i++)
            frame.data[place(format, planes, p, i)] = bytes[i];
    }
    frame.by_plane = true;
    frame.photometric = format.photometric;
    return frame;
}

Bytes encode_rle(const Format &format, const Frame &frame)
{
    const Planes planes = planes_of(format);
    const Bytes data = format.bits_allocated == 1 ? frame.data : separate(frame, format);
    Bytes coded(header_size), row(planes.columns);

    coded[0] = static_cast<unsigned char>(planes.count);
    for (uint32_t p = 0; p < planes.count; p++) {
        DcmRLEEncoder encoder(1);
        size_t begin = coded.size();

        for (unsigned b = 0; b < 4; b++)
            coded[4 + 4 * size_t{p} + b] = static_cast<unsigned char>(begin >> 8 * b);
        for (size_t at = 0; at < planes.size; at += planes.columns) {
            for (size_t i = 0; i < planes.columns; i++)
                row[i] = data[place(format, planes, p, at + i)];
            encoder.add(row.data(), row.size());
            encoder.flush(); /* no run crosses a row */
        }
        if (encoder.fail())
            throw Failure{ERR_FAILED, "no memory for RLE"};
        coded.resize(begin + encoder.size());
        encoder.write(&coded[begin]);
    }
    return coded;
}

Frame decode_deflated(const Format &format, const Bytes &coded)
{
    Frame frame;
    z_stream stream = {};

    frame.data.resize(format.frame_bytes());
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        throw Failure{ERR_FAILED, "zlib does not start"};
    stream.next_in = const_cast<unsigned char *>(coded.data());
    stream.avail_in = static_cast<uInt>(coded.size());
    stream.next_out = frame.data.data();
    stream.avail_out = static_cast<uInt>(frame.data.size());
    int status = inflate(&stream, Z_FINISH);
    /* What it holds beyond the frame is padding. */
    bool whole = stream.avail_out <= 0;
    inflateEnd(&stream);
    if (!whole)
        fail("its deflated data is %s", status == Z_DATA_ERROR ? "damaged" : "cut short");
    frame.by_plane = format.by_plane;
    frame.photometric = format.photometric;
    return frame;
}

} // namespace transcode
