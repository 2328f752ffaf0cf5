/*
 * JPEG-LS by CharLS 2. DCMTK 3.6.7 brings an old CharLS that ends the process (assert) on some damaged data; the two do
 * not go into one program, since they share names.
 */
#include "dcmtk/transcode_internal.hh"

#include <charls/charls_jpegls_decoder.h>
#include <charls/charls_jpegls_encoder.h>

namespace transcode
{

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
    std::unique_ptr<charls_jpegls_encoder, decltype(&charls_jpegls_encoder_destroy)> encoder(
        charls_jpegls_encoder_create(), charls_jpegls_encoder_destroy);
    const Bytes data = interleave(frame, format);
    /* As wide as allocated, so that every bit survives. */
    charls_frame_info info = {};
    size_t room = 0, written = 0;
    Bytes coded;

    if (!encoder)
        throw Failure{ERR_FAILED, "no memory for JPEG-LS"};
    info.width = format.columns;
    info.height = format.rows;
    info.bits_per_sample = static_cast<int32_t>(format.bits_allocated);
    info.component_count = static_cast<int32_t>(format.samples);
    check(charls_jpegls_encoder_set_frame_info(encoder.get(), &info));
    if (format.samples > 1)
        check(charls_jpegls_encoder_set_interleave_mode(encoder.get(),
                                                        charls::interleave_mode::line));
    check(charls_jpegls_encoder_get_estimated_destination_size(encoder.get(), &room));
    coded.resize(room);
    check(charls_jpegls_encoder_set_destination_buffer(encoder.get(), coded.data(), room));
    check(charls_jpegls_encoder_encode_from_buffer(encoder.get(), data.data(), data.size(), 0));
    check(charls_jpegls_encoder_get_bytes_written(encoder.get(), &written));
    coded.resize(written);
    if (written & 1)
        coded.push_back(0);
    return coded;
}

} // namespace transcode
