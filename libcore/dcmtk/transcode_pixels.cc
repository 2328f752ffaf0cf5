/*
 * See transcode_internal.hh: where the frames are.
 */
#include "dcmtk/transcode_internal.hh"

#include <algorithm>
#include <cstring>

namespace transcode
{

/* ---- layout of a frame ---- */

bool Format::subsampled() const
{
    return samples == 3 && (photometric == "YBR_FULL_422" || photometric == "YBR_PARTIAL_422");
}

size_t Format::frame_bytes() const
{
    if (bits_allocated == 1)
        return (pixels() * samples + 7) / 8;
    return pixels() * samples * sample_bytes();
}

static uint32_t get32(const unsigned char *p)
{
    return static_cast<uint32_t>(p[0]) | static_cast<uint32_t>(p[1]) << 8 |
           static_cast<uint32_t>(p[2]) << 16 | static_cast<uint32_t>(p[3]) << 24;
}

static void swap_pairs(unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i + 1 < length; i += 2)
        std::swap(bytes[i], bytes[i + 1]);
}

Bytes interleave(const Frame &frame, const Format &format)
{
    if (!frame.by_plane || format.samples == 1)
        return frame.data;
    Bytes out(frame.data.size());
    size_t width = format.sample_bytes(), plane = format.pixels() * width;

    for (size_t s = 0; s < format.samples; s++)
        for (size_t i = 0; i < format.pixels(); i++)
            std::memcpy(&out[(i * format.samples + s) * width], &frame.data[s * plane + i * width],
                        width);
    return out;
}

Bytes separate(const Frame &frame, const Format &format)
{
    if (frame.by_plane || format.samples == 1)
        return frame.data;
    Bytes out(frame.data.size());
    size_t width = format.sample_bytes(), plane = format.pixels() * width;

    for (size_t s = 0; s < format.samples; s++)
        for (size_t i = 0; i < format.pixels(); i++)
            std::memcpy(&out[s * plane + i * width], &frame.data[(i * format.samples + s) * width],
                        width);
    return out;
}

void widen(Bytes &data, const Format &format, unsigned coded_bytes)
{
    size_t width = format.sample_bytes(), count = data.size() / coded_bytes;

    if (coded_bytes == width)
        return;
    Bytes wide(count * width);
    for (size_t i = 0; i < count; i++) {
        const unsigned char *from = &data[i * coded_bytes];
        bool minus = format.is_signed && (from[coded_bytes - 1] & 0x80);

        std::memset(&wide[i * width], minus ? 0xff : 0, width);
        std::memcpy(&wide[i * width], from, coded_bytes);
    }
    data.swap(wide);
}

/* ---- uncompressed ---- */

namespace
{

class NativeFrames : public Frames
{
  public:
    NativeFrames(int d, const verify_layout &l, const Format &f)
        : fd(d), offset(l.pixel_value), length(l.pixel_length), format(f),
          swap(l.syntax.big_endian && l.pixel_vr == VR_OW)
    {
        uint64_t frame = format.frame_bytes();
        uint64_t needed = format.bits_allocated == 1
                              ? (uint64_t{format.frames} * format.pixels() * format.samples + 7) / 8
                              : frame * format.frames;

        if (format.subsampled())
            fail("uncompressed %s does not go into another coding", format.photometric.c_str());
        if (length < needed || (length - needed > 1 && length - needed >= frame))
            fail("it claims %u frames of %llu bytes, and its pixel data has %llu", format.frames,
                 static_cast<unsigned long long>(frame), static_cast<unsigned long long>(length));
    }

    Frame frame(uint32_t number) override
    {
        Frame result;

        if (format.bits_allocated == 1) {
            result.data = bits(uint64_t{number} * format.pixels() * format.samples);
        } else {
            result.data.resize(format.frame_bytes());
            read(result.data, format.frame_bytes() * uint64_t{number});
        }
        result.by_plane = format.by_plane;
        result.photometric = format.photometric;
        return result;
    }

  private:
    /* Bytes as little endian has them. A frame may begin inside a word. */
    void read(Bytes &to, uint64_t at)
    {
        if (!swap) {
            read_exactly(fd, to.data(), to.size(), offset + at);
            return;
        }
        uint64_t begin = at & ~uint64_t{1};
        uint64_t end = std::min<uint64_t>((at + to.size() + 1) & ~uint64_t{1}, length);
        Bytes words(end - begin);

        read_exactly(fd, words.data(), words.size(), offset + begin);
        swap_pairs(words.data(), words.size());
        std::memcpy(to.data(), words.data() + (at - begin), to.size());
    }

    /* A frame of single bits, which may begin inside a byte. */
    Bytes bits(uint64_t first)
    {
        uint64_t count = format.pixels() * format.samples;
        unsigned shift = first % 8;
        Bytes raw((shift + count + 7) / 8), out((count + 7) / 8);

        read(raw, first / 8);
        for (size_t i = 0; i < out.size(); i++) {
            unsigned next = i + 1 < raw.size() ? raw[i + 1] : 0;

            out[i] = static_cast<unsigned char>((raw[i] | next << 8) >> shift);
        }
        if (count % 8)
            out.back() &= static_cast<unsigned char>((1 << count % 8) - 1);
        return out;
    }

    const int fd;
    const uint64_t offset, length;
    const Format format;
    const bool swap;
};

/* ---- compressed ---- */

struct Fragment {
    uint64_t offset;
    uint32_t length;
};

class CodedFrames : public Frames
{
  public:
    CodedFrames(int d, const verify_layout &layout, const Syntax &s, const Format &f)
        : fd(d), source(s), format(f)
    {
        list(layout);
        group(layout.pixel_value);
    }

    Frame frame(uint32_t number) override
    {
        Bytes coded;
        uint64_t size = 0;

        for (size_t i = starts[number]; i < starts[number + 1]; i++)
            size += fragments[i].length;
        if (size > DCM_FRAME_MAX)
            fail("its frame %u has %llu compressed bytes: too many", number + 1,
                 static_cast<unsigned long long>(size));
        coded.resize(size);
        size = 0;
        for (size_t i = starts[number]; i < starts[number + 1]; i++) {
            read_exactly(fd, coded.data() + size, fragments[i].length, fragments[i].offset);
            size += fragments[i].length;
        }
        try {
            return decode_frame(source, format, coded);
        } catch (const Failure &failure) {
            fail("frame %u of %u: %s", number + 1, format.frames, failure.text.c_str());
        }
    }

  private:
    void list(const verify_layout &layout)
    {
        uint64_t at = layout.pixel_value;

        if (layout.fragments < 2)
            fail("it has no compressed frames");
        if (layout.fragments > DCM_FRAGMENTS_MAX)
            fail("it has too many fragments");
        fragments.reserve(layout.fragments);
        for (uint32_t i = 0; i < layout.fragments; i++) {
            unsigned char header[8];

            read_exactly(fd, header, sizeof header, at);
            at += 8;
            fragments.push_back({at, get32(header + 4)});
            at += fragments.back().length;
            if (at > layout.pixel_end)
                fail("it changed while it was read");
        }
        table.resize(fragments[0].length / 4);
        Bytes bytes(table.size() * 4);
        read_exactly(fd, bytes.data(), bytes.size(), fragments[0].offset);
        for (size_t i = 0; i < table.size(); i++)
            table[i] = get32(&bytes[4 * i]);
        fragments.erase(fragments.begin());
    }

    /* Which fragments make which frame. */
    void group(uint64_t pixels)
    {
        if (fragments.size() < format.frames)
            fail("it claims %u frames, and has %zu fragments", format.frames, fragments.size());
        if (fragments.size() == format.frames) {
            for (uint32_t i = 0; i <= format.frames; i++)
                starts.push_back(i);
            return;
        }
        if (!by_table(pixels + 8 + table.size() * 4) && !by_beginning())
            fail("it claims %u frames, and its %zu fragments are not those of %u", format.frames,
                 fragments.size(), format.frames);
    }

    /* By the basic offset table, which counts from the first fragment's item. */
    bool by_table(uint64_t first)
    {
        if (table.size() != format.frames)
            return false;
        starts.clear();
        for (size_t i = 0; i < fragments.size() && starts.size() < table.size(); i++)
            if (fragments[i].offset - 8 - first == table[starts.size()])
                starts.push_back(static_cast<uint32_t>(i));
        if (starts.size() != table.size() || starts[0] != 0)
            return false;
        starts.push_back(static_cast<uint32_t>(fragments.size()));
        return true;
    }

    /* By how each frame begins. */
    bool by_beginning()
    {
        starts.clear();
        for (size_t i = 0; i < fragments.size(); i++)
            if (begins_frame(fragments[i]))
                starts.push_back(static_cast<uint32_t>(i));
        if (starts.size() != format.frames || starts[0] != 0)
            return false;
        starts.push_back(static_cast<uint32_t>(fragments.size()));
        return true;
    }

    bool begins_frame(const Fragment &fragment) const
    {
        static const unsigned char jp2[] = {0, 0, 0, 12, 'j', 'P', ' ', ' '};
        static const unsigned char codestream[] = {0xff, 0x4f, 0xff, 0x51};
        unsigned char bytes[8] = {0};

        read_exactly(fd, bytes, std::min<size_t>(sizeof bytes, fragment.length), fragment.offset);
        switch (source.coding) {
        case Coding::jpeg_lossy:
        case Coding::jpeg_lossless:
        case Coding::jpeg_ls:
            return bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
        case Coding::jpeg_2000:
            return std::memcmp(bytes, codestream, sizeof codestream) == 0 ||
                   std::memcmp(bytes, jp2, sizeof jp2) == 0;
        default:
            return false;
        }
    }

    const int fd;
    const Syntax source;
    const Format format;
    std::vector<Fragment> fragments;
    std::vector<uint32_t> table;  /* basic offset table */
    std::vector<uint32_t> starts; /* the first fragment of each frame, and the end */
};

} // namespace

std::unique_ptr<Frames> open_frames(int fd, const verify_layout &layout, const Syntax &source,
                                    const Format &format)
{
    if (source.coding == Coding::none)
        fail("its pixels are in transfer syntax %s, which cannot be decoded here", source.uid);
    if (source.coding == Coding::native)
        return std::make_unique<NativeFrames>(fd, layout, format);
    return std::make_unique<CodedFrames>(fd, layout, source, format);
}

/* ---- writing ---- */

NativeWriter::NativeWriter(const Format &f, bool s, Output &o) : format(f), swap(s), out(o)
{
}

void NativeWriter::write(const unsigned char *bytes, size_t length)
{
    total += length;
    if (!swap) {
        out.write(bytes, length);
        return;
    }
    words.insert(words.end(), bytes, bytes + length);
    size_t whole = words.size() & ~size_t{1};
    swap_pairs(words.data(), whole);
    out.write(words.data(), whole);
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(whole));
}

void NativeWriter::add(const Frame &frame)
{
    if (format.bits_allocated != 1) {
        Bytes data = format.by_plane ? separate(frame, format) : interleave(frame, format);

        write(data.data(), data.size());
        return;
    }
    /* The bits of a frame begin where those of the last ended. */
    size_t left = format.pixels() * format.samples;
    Bytes closed;

    closed.reserve(frame.data.size() + 1);
    for (size_t i = 0; left > 0; i++) {
        unsigned count = static_cast<unsigned>(std::min<size_t>(left, 8));

        bits |= (frame.data[i] & ((1u << count) - 1)) << pending;
        pending += count;
        left -= count;
        if (pending >= 8) {
            closed.push_back(static_cast<unsigned char>(bits & 0xff));
            bits >>= 8;
            pending -= 8;
        }
    }
    write(closed.data(), closed.size());
}

void NativeWriter::finish()
{
    unsigned char last = static_cast<unsigned char>(bits), zero = 0;

    if (pending)
        write(&last, 1);
    if (total % 2)
        write(&zero, 1);
}

void copy_value(int fd, uint64_t offset, uint64_t length, unsigned unit, Output &out)
{
    Bytes part(size_t{1} << 18);

    for (uint64_t at = 0; at < length;) {
        size_t count = std::min<uint64_t>(part.size(), length - at);

        read_exactly(fd, part.data(), count, offset + at);
        at += count;
        if (count % 2) /* only the last */
            part[count++] = 0;
        if (unit == 2)
            swap_pairs(part.data(), count);
        else if (unit > 2)
            for (size_t i = 0; i + unit <= count; i += unit)
                std::reverse(&part[i], &part[i] + unit);
        out.write(part.data(), count);
    }
}

} // namespace transcode
