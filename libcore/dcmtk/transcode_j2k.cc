/*
 * JPEG 2000, and what OpenJPEG decodes of high throughput JPEG 2000.
 */
#include "dcmtk/transcode_internal.hh"

#include <openjpeg.h>

#include <algorithm>
#include <cstring>

namespace transcode
{

namespace
{

/* Samples that OpenJPEG's 32-bit arithmetic holds without loss. */
constexpr unsigned precision_max = 16;

struct Memory {
    const unsigned char *data; /* to read */
    size_t size, at;
    Bytes *grow; /* to write */
};

OPJ_SIZE_T read_memory(void *to, OPJ_SIZE_T length, void *user)
{
    auto *memory = static_cast<Memory *>(user);
    size_t part = std::min<size_t>(length, memory->size - memory->at);

    if (part == 0)
        return static_cast<OPJ_SIZE_T>(-1);
    std::memcpy(to, memory->data + memory->at, part);
    memory->at += part;
    return part;
}

OPJ_OFF_T skip_read(OPJ_OFF_T length, void *user)
{
    auto *memory = static_cast<Memory *>(user);

    if (length < 0 || static_cast<uint64_t>(length) > memory->size - memory->at)
        return -1;
    memory->at += static_cast<size_t>(length);
    return length;
}

OPJ_BOOL seek_read(OPJ_OFF_T offset, void *user)
{
    auto *memory = static_cast<Memory *>(user);

    if (offset < 0 || static_cast<uint64_t>(offset) > memory->size)
        return OPJ_FALSE;
    memory->at = static_cast<size_t>(offset);
    return OPJ_TRUE;
}

/* The encoder goes back to fill in lengths. OpenJPEG is C: nothing is thrown through it. */
OPJ_SIZE_T write_memory(void *from, OPJ_SIZE_T length, void *user)
{
    auto *memory = static_cast<Memory *>(user);

    try {
        if (memory->at + length > memory->grow->size())
            memory->grow->resize(memory->at + length);
    } catch (const std::exception &) {
        return static_cast<OPJ_SIZE_T>(-1);
    }
    std::memcpy(memory->grow->data() + memory->at, from, length);
    memory->at += length;
    return length;
}

OPJ_OFF_T skip_write(OPJ_OFF_T length, void *user)
{
    auto *memory = static_cast<Memory *>(user);

    if (length < 0)
        return -1;
    memory->at += static_cast<size_t>(length);
    return length;
}

OPJ_BOOL seek_write(OPJ_OFF_T offset, void *user)
{
    if (offset < 0)
        return OPJ_FALSE;
    static_cast<Memory *>(user)->at = static_cast<size_t>(offset);
    return OPJ_TRUE;
}

/* The first message says what is wrong. */
struct Messages {
    char error[200], warning[200];
};

void keep(char (&to)[200], const char *text)
{
    if (to[0])
        return;
    std::strncpy(to, text, sizeof to - 1);
    to[std::strcspn(to, "\r\n")] = '\0';
}

void on_error(const char *text, void *user)
{
    keep(static_cast<Messages *>(user)->error, text);
}

void on_warning(const char *text, void *user)
{
    keep(static_cast<Messages *>(user)->warning, text);
}

struct Codec {
    opj_codec_t *codec;
    opj_stream_t *stream = nullptr;
    opj_image_t *image = nullptr;
    Memory memory = {};
    Messages messages = {};

    explicit Codec(opj_codec_t *c) : codec(c)
    {
        if (!codec)
            throw Failure{ERR_FAILED, "OpenJPEG does not start"};
        opj_set_error_handler(codec, on_error, &messages);
        opj_set_warning_handler(codec, on_warning, &messages);
    }
    Codec(const Codec &) = delete;
    Codec &operator=(const Codec &) = delete;
    ~Codec()
    {
        if (stream)
            opj_stream_destroy(stream);
        opj_destroy_codec(codec);
        opj_image_destroy(image);
    }

    void open_stream(bool reading)
    {
        stream = opj_stream_create(size_t{1} << 16, reading);
        if (!stream)
            throw Failure{ERR_FAILED, "OpenJPEG does not start"};
        opj_stream_set_user_data(stream, &memory, nullptr);
        if (reading) {
            opj_stream_set_user_data_length(stream, memory.size);
            opj_stream_set_read_function(stream, read_memory);
            opj_stream_set_skip_function(stream, skip_read);
            opj_stream_set_seek_function(stream, seek_read);
        } else {
            opj_stream_set_write_function(stream, write_memory);
            opj_stream_set_skip_function(stream, skip_write);
            opj_stream_set_seek_function(stream, seek_write);
        }
    }

    [[noreturn]] void refuse(const char *what) const
    {
        fail("%s: %s", what,
             messages.error[0]     ? messages.error
             : messages.warning[0] ? messages.warning
                                   : "damaged");
    }
};

bool is_jp2(const Bytes &coded)
{
    static const unsigned char signature[] = {0, 0, 0, 12, 'j', 'P', ' ', ' '};

    return coded.size() > sizeof signature &&
           std::memcmp(coded.data(), signature, sizeof signature) == 0;
}

/* Before OpenJPEG asks for memory. */
void check_image(const opj_image_t &image, const Format &format)
{
    if (image.x1 - image.x0 != format.columns || image.y1 - image.y0 != format.rows ||
        image.numcomps != format.samples)
        fail("its JPEG 2000 data is %u x %u with %u components, and the object claims %u x %u "
             "with %u",
             image.x1 - image.x0, image.y1 - image.y0, image.numcomps, format.columns, format.rows,
             format.samples);
    for (unsigned c = 0; c < image.numcomps; c++) {
        const opj_image_comp_t &comp = image.comps[c];

        if (comp.dx != 1 || comp.dy != 1)
            fail("its JPEG 2000 data has components of less resolution");
        if (comp.prec > format.bits_allocated || comp.prec > precision_max)
            fail("its JPEG 2000 data has %u bits a sample, and the object claims %u", comp.prec,
                 format.bits_allocated);
    }
}

void store(Frame &frame, const Format &format, const opj_image_t &image)
{
    const size_t count = format.pixels(), width = format.sample_bytes();

    frame.data.resize(format.frame_bytes());
    for (unsigned c = 0; c < image.numcomps; c++) {
        const opj_image_comp_t &comp = image.comps[c];

        if (!comp.data || comp.w != format.columns || comp.h != format.rows)
            fail("its JPEG 2000 data is cut short");
        unsigned char *to = frame.data.data() + c * width;
        for (size_t i = 0; i < count; i++, to += format.samples * width) {
            auto value = static_cast<uint32_t>(comp.data[i]);

            to[0] = static_cast<unsigned char>(value);
            if (width > 1)
                to[1] = static_cast<unsigned char>(value >> 8);
            if (width > 2)
                to[2] = to[3] = comp.data[i] < 0 ? 0xff : 0;
        }
    }
}

} // namespace

Frame decode_jpeg_2000(const Format &format, const Bytes &coded)
{
    Codec codec(opj_create_decompress(is_jp2(coded) ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K));
    opj_dparameters_t parameters;
    Frame frame;
    bool transformed = false;

    if (format.bits_allocated < 8)
        fail("JPEG 2000 of %u bits allocated", format.bits_allocated);
    codec.memory.data = coded.data();
    codec.memory.size = coded.size();
    codec.open_stream(true);
    opj_set_default_decoder_parameters(&parameters);
    /* As stored: palettes and colour spaces of a JP2 header mean nothing in DICOM. */
    parameters.flags |= OPJ_DPARAMETERS_IGNORE_PCLR_CMAP_CDEF_FLAG;
    if (!opj_setup_decoder(codec.codec, &parameters) ||
        !opj_decoder_set_strict_mode(codec.codec, OPJ_TRUE) ||
        !opj_read_header(codec.stream, codec.codec, &codec.image))
        codec.refuse("its JPEG 2000 data");
    check_image(*codec.image, format);
    opj_codestream_info_v2_t *info = opj_get_cstr_info(codec.codec);
    if (info) {
        transformed = info->m_default_tile_info.mct == 1;
        frame.lossy = info->m_default_tile_info.tccp_info &&
                      info->m_default_tile_info.tccp_info[0].qmfbid == 0;
        opj_destroy_cstr_info(&info);
    }
    if (!opj_decode(codec.codec, codec.stream, codec.image) ||
        !opj_end_decompress(codec.codec, codec.stream))
        codec.refuse("its JPEG 2000 data");
    if (codec.messages.error[0])
        codec.refuse("its JPEG 2000 data");
    store(frame, format, *codec.image);
    frame.photometric = format.photometric;
    if (format.samples == 3 &&
        (transformed || format.photometric == "YBR_RCT" || format.photometric == "YBR_ICT"))
        frame.photometric = "RGB";
    else if (format.subsampled())
        frame.photometric = "YBR_FULL";
    return frame;
}

/* Whether all samples are numbers of the bits stored, so that only these need be coded. */
static bool within_stored(const Format &format, const Bytes &data)
{
    const size_t width = format.sample_bytes();

    for (size_t i = 0; i < data.size(); i += width) {
        int value = width == 1 ? data[i] : data[i] | data[i + 1] << 8;

        if (format.is_signed) {
            value = width == 1 ? static_cast<int8_t>(value) : static_cast<int16_t>(value);
            value = value < 0 ? ~value : value;
            if (value >> (format.bits_stored - 1))
                return false;
        } else if (value >> format.bits_stored) {
            return false;
        }
    }
    return true;
}

static void fill_image(opj_image_t &image, const Format &format, const Bytes &data)
{
    const size_t count = format.pixels(), width = format.sample_bytes();

    image.x1 = format.columns;
    image.y1 = format.rows;
    for (unsigned c = 0; c < format.samples; c++) {
        const unsigned char *from = data.data() + c * width;

        for (size_t i = 0; i < count; i++, from += format.samples * width) {
            int value = width == 1 ? from[0] : from[0] | from[1] << 8;

            if (format.is_signed)
                value = width == 1 ? static_cast<int8_t>(value) : static_cast<int16_t>(value);
            image.comps[c].data[i] = value;
        }
    }
}

Bytes encode_jpeg_2000(Format &format, const Frame &frame)
{
    const Bytes data = interleave(frame, format);
    const unsigned precision =
        within_stored(format, data) ? format.bits_stored : format.bits_allocated;
    const bool colour = format.samples == 3 && format.photometric == "RGB";
    Codec codec(opj_create_compress(OPJ_CODEC_J2K));
    std::vector<opj_image_cmptparm_t> components(format.samples);
    opj_cparameters_t parameters;
    Bytes coded;

    for (auto &component : components) {
        component = {};
        component.dx = component.dy = 1;
        component.w = format.columns;
        component.h = format.rows;
        component.prec = precision;
        component.sgnd = format.is_signed;
    }
    codec.image = opj_image_create(format.samples, components.data(),
                                   format.samples == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY);
    if (!codec.image)
        throw Failure{ERR_FAILED, "no memory for JPEG 2000"};
    fill_image(*codec.image, format, data);
    opj_set_default_encoder_parameters(&parameters);
    parameters.tcp_numlayers = 1;
    parameters.tcp_rates[0] = 0; /* lossless */
    parameters.cp_disto_alloc = 1;
    parameters.irreversible = 0;
    parameters.tcp_mct = colour;
    while (parameters.numresolution > 1 &&
           (std::min(format.rows, format.columns) >> (parameters.numresolution - 1)) == 0)
        parameters.numresolution--;
    coded.reserve(data.size() / 2);
    codec.memory.grow = &coded;
    codec.open_stream(false);
    if (!opj_setup_encoder(codec.codec, &parameters, codec.image) ||
        !opj_start_compress(codec.codec, codec.image, codec.stream) ||
        !opj_encode(codec.codec, codec.stream) || !opj_end_compress(codec.codec, codec.stream))
        codec.refuse("the JPEG 2000 encoder");
    if (colour)
        format.photometric = "YBR_RCT";
    return coded;
}

} // namespace transcode
