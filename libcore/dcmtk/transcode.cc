/*
 * See transcode.h. The data set is read by DCMTK up to the pixel data and behind it; the pixel data
 * itself never goes through a DCMTK data set: frames are found in the file (dicom/verify.h tells where)
 * and go through the codecs one at a time.
 */
#include "dcmtk/transcode_internal.hh"

#include "dcmtk/oflog/oflog.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "dicom/verify_internal.h"
}

namespace transcode
{

static const Syntax syntaxes[] = {
    {UID_IMPLICIT_LE, Coding::native, true, false},
    {UID_EXPLICIT_LE, Coding::native, true, false},
    {UID_EXPLICIT_BE, Coding::native, true, false},
    {UID_DEFLATED_LE, Coding::native, true, false},
    {"1.2.840.10008.1.2.4.50", Coding::jpeg_lossy, true, true},
    {"1.2.840.10008.1.2.4.51", Coding::jpeg_lossy, true, true},
    {"1.2.840.10008.1.2.4.53", Coding::jpeg_lossy, false, true},
    {"1.2.840.10008.1.2.4.55", Coding::jpeg_lossy, false, true},
    {"1.2.840.10008.1.2.4.57", Coding::jpeg_lossless, false, false},
    {"1.2.840.10008.1.2.4.70", Coding::jpeg_lossless, true, false},
    {"1.2.840.10008.1.2.4.80", Coding::jpeg_ls, true, false},
    {"1.2.840.10008.1.2.4.81", Coding::jpeg_ls, false, true},
    {"1.2.840.10008.1.2.4.90", Coding::jpeg_2000, true, false},
    {"1.2.840.10008.1.2.4.91", Coding::jpeg_2000, false, true},
    {"1.2.840.10008.1.2.4.201", Coding::jpeg_2000, false, false},
    {"1.2.840.10008.1.2.4.202", Coding::jpeg_2000, false, false},
    {"1.2.840.10008.1.2.4.203", Coding::jpeg_2000, false, true},
    {"1.2.840.10008.1.2.5", Coding::rle, true, false},
    {"1.2.840.10008.1.2.8.1", Coding::deflated_frames, false, false},
};

const Syntax *find_syntax(const char *uid)
{
    for (const Syntax &syntax : syntaxes)
        if (std::strcmp(syntax.uid, uid) == 0)
            return &syntax;
    return nullptr;
}

Frame decode_frame(const Syntax &source, const Format &format, const Bytes &coded)
{
    if (format.subsampled() && (source.coding == Coding::rle || source.coding == Coding::jpeg_ls ||
                                source.coding == Coding::deflated_frames))
        fail("%s in a coding that has no subsampling", format.photometric.c_str());
    switch (source.coding) {
    case Coding::jpeg_lossy:
    case Coding::jpeg_lossless:
        return decode_jpeg(format, coded);
    case Coding::jpeg_ls:
        return decode_jpeg_ls(format, coded);
    case Coding::jpeg_2000:
        return decode_jpeg_2000(format, coded);
    case Coding::rle:
        return decode_rle(format, coded);
    case Coding::deflated_frames:
        return decode_deflated(format, coded);
    case Coding::native:
    case Coding::none:
        break;
    }
    fail("transfer syntax %s cannot be decoded here", source.uid);
}

void check_encodable(const Syntax &target, const Format &format)
{
    const bool wide = format.bits_allocated == 32, single = format.bits_allocated == 1;

    if (target.coding == Coding::rle) {
        if (format.samples * std::max<size_t>(format.sample_bytes(), 1) > 15)
            fail("it has too many bytes a pixel for RLE");
        return;
    }
    if (wide || single)
        fail("pixels of %u bits allocated do not go into transfer syntax %s", format.bits_allocated,
             target.uid);
    if (format.samples == 4)
        fail("four samples a pixel do not go into transfer syntax %s", target.uid);
    if (target.coding != Coding::jpeg_lossy)
        return;
    if (format.is_signed)
        fail("signed pixels do not go into transfer syntax %s", target.uid);
    if (format.photometric == "PALETTE COLOR")
        fail("a palette does not survive lossy compression");
    if (format.samples == 3 && format.bits_allocated != 8)
        fail("colours of more than 8 bits do not go into transfer syntax %s", target.uid);
    if (format.bits_stored > 12)
        fail("%u bits stored do not go into transfer syntax %s", format.bits_stored, target.uid);
    if (format.bits_stored > 8 && std::strcmp(target.uid, "1.2.840.10008.1.2.4.50") == 0)
        fail("%u bits stored do not go into JPEG baseline", format.bits_stored);
}

Bytes encode_frame(const Syntax &target, Format &format, const Frame &frame, int quality)
{
    switch (target.coding) {
    case Coding::jpeg_lossy:
        return encode_jpeg_lossy(format, frame,
                                 std::strcmp(target.uid, "1.2.840.10008.1.2.4.50") == 0, quality);
    case Coding::jpeg_lossless:
        return encode_jpeg_lossless(format, frame);
    case Coding::jpeg_ls:
        return encode_jpeg_ls(format, frame);
    case Coding::jpeg_2000:
        return encode_jpeg_2000(format, frame);
    case Coding::rle:
        return encode_rle(format, frame);
    case Coding::deflated_frames:
    case Coding::native:
    case Coding::none:
        break;
    }
    fail("transfer syntax %s is not one to encode", target.uid);
}

namespace
{

void put32(Bytes &to, uint32_t value)
{
    for (unsigned b = 0; b < 4; b++)
        to.push_back(static_cast<unsigned char>(value >> 8 * b));
}

/* The header of the pixel data in the target's encoding. */
void write_pixel_header(tag_t tag, vr_t vr, uint32_t length, const transfer_syntax &syntax,
                        Output &out)
{
    Bytes header;
    auto put = [&](uint32_t value, unsigned bytes) {
        for (unsigned b = 0; b < bytes; b++)
            header.push_back(
                static_cast<unsigned char>(value >> 8 * (syntax.big_endian ? bytes - 1 - b : b)));
    };

    put(TAG_GROUP(tag), 2);
    put(TAG_ELEMENT(tag), 2);
    if (syntax.explicit_vr)
        header.insert(header.end(), {static_cast<unsigned char>(vr >> 8),
                                     static_cast<unsigned char>(vr & 0xff), 0, 0});
    put(length, 4);
    out.write(header.data(), header.size());
}

E_TransferSyntax dcmtk_syntax(const transfer_syntax &syntax)
{
    if (syntax.encapsulated) /* for reading; any of them parses alike */
        return EXS_JPEGProcess14SV1;
    return !syntax.explicit_vr ? EXS_LittleEndianImplicit
           : syntax.big_endian ? EXS_BigEndianExplicit
                               : EXS_LittleEndianExplicit;
}

/* Depth by elements: a few tenths of a second. */
constexpr uint64_t lengths_work = 10000000;

/* One call of dcm_transcode. */
class Job
{
  public:
    Job(int f, const verify_layout &l, const Syntax &t, const dcm_transcode_options &o, int to)
        : fd(f), layout(l), target(t), options(o), out(to)
    {
        bool known;

        target_syntax = transfer_syntax_of(target.uid, &known);
        const Syntax *found = find_syntax(layout.transfer_syntax);
        source = found ? *found : Syntax{layout.transfer_syntax, Coding::none, false, false};
    }

    void run(dcm_transcoded &result)
    {
        if (std::strcmp(target.uid, source.uid) == 0) {
            copy();
        } else {
            if (target.loses && !options.lossy)
                fail("transfer syntax %s would lose something, and that was not allowed",
                     target.uid);
            read_meta();
            if (layout.syntax.deflated)
                inflate_data_set();
            read();
            code();
        }
        result.frames = frames_coded;
        result.bytes = out.written();
        result.ratio = ratio;
        result.lossy = changed;
    }

  private:
    /* The same transfer syntax: the same bytes. */
    void copy()
    {
        struct stat info;

        if (fstat(fd, &info) < 0)
            fail_errno("reading");
        uint64_t begin = options.data_set_only ? layout.dataset_offset : 0;
        copy_value(fd, begin, static_cast<uint64_t>(info.st_size) - begin, 1, out);
        out.finish();
    }

    /* Frames are read out of order and DCMTK goes back for large values: a file serves both. */
    void inflate_data_set()
    {
        verify_source bytes;
        struct err err;

        inflated = std::make_unique<Temporary>();
        Output to(inflated->fd);
        if (verify_source_open(&bytes, fd, "its data set", &err) < 0)
            throw Failure{err.code, err.text};
        std::unique_ptr<verify_source, decltype(&verify_source_close)> closer(&bytes,
                                                                              verify_source_close);
        bytes.position = layout.dataset_offset;
        if (verify_source_inflate(&bytes, VERIFY_INFLATE_MAX) < 0)
            throw Failure{ERR_FAILED, "zlib does not start"};
        const unsigned char *run;
        while (size_t length = verify_source_run(&bytes, &run)) {
            to.write(run, length);
            bytes.position += length;
        }
        to.finish();
        if (to.written() != layout.dataset_end)
            fail("it changed while it was read");
        fd = inflated->fd;
        layout.dataset_offset = 0;
    }

    void read_meta()
    {
        Input input(fd, 0, layout.dataset_offset);

        meta.transferInit();
        OFCondition result = meta.read(input, EXS_Unknown, EGL_noChange);
        meta.transferEnd();
        if (result.bad())
            fail("DCMTK cannot read its meta header: %s", result.text());
    }

    void read_part(DcmDataset &part, uint64_t begin, uint64_t end)
    {
        if (begin == end)
            return;
        Input input(fd, begin, end);
        part.transferInit();
        OFCondition result = part.read(input, dcmtk_syntax(layout.syntax), EGL_noChange, 65536);
        part.transferEnd();
        if (result.bad())
            fail("DCMTK cannot read it: %s", result.text());
        if (!input.good() || !input.eos())
            fail("DCMTK cannot read it to its end");
    }

    /* Elements on the wrong side of the pixel data, in objects out of order. */
    static void move_elements(DcmDataset &from, DcmDataset &to, bool before)
    {
        const DcmTagKey pixels = DCM_PixelData;

        for (unsigned long i = from.card(); i-- > 0;) {
            DcmElement *element = from.getElement(i);

            if (!element || (element->getTag() < pixels) != before)
                continue;
            element = from.remove(i);
            if (to.insert(element, OFFalse).bad())
                delete element; /* it is there already, and the first counts */
        }
    }

    void read()
    {
        uint64_t begin = layout.dataset_offset, end = layout.dataset_end;

        if (!layout.pixel_tag) {
            read_part(head, begin, end);
        } else {
            read_part(head, begin, layout.pixel_start);
            read_part(tail, layout.pixel_end, end);
            move_elements(tail, head, true);
            move_elements(head, tail, false);
        }
        if (layout.syntax.encapsulated) {
            decode_nested(head, source);
            decode_nested(tail, source);
        }
        /* Explicit lengths are what most peers are used to. At each level DCMTK adds them up anew. */
        lengths = uint64_t{layout.depth} * layout.elements > lengths_work ? EET_UndefinedLength
                                                                          : EET_ExplicitLength;
    }

    void code()
    {
        const bool pixels = layout.pixel_tag == TAG(0x7fe0, 0x0010);

        if (!pixels && target_syntax.encapsulated)
            fail("it has no pixel data to compress");
        if (!pixels || (source.coding == Coding::native && target.coding == Coding::native))
            copy_pixels();
        else
            code_frames();
        out.finish();
    }

    void begin_object()
    {
        if (options.sop_instance_uid && changed)
            replace_instance(head, options.sop_instance_uid);
        if (!options.data_set_only)
            write_meta(head, meta, target.uid, out);
        if (target_syntax.deflated)
            out.deflate_from_here();
        write_part(head);
    }

    void write_part(DcmDataset &part)
    {
        const E_TransferSyntax syntax =
            target_syntax.encapsulated ? EXS_LittleEndianExplicit : dcmtk_syntax(target_syntax);

        if (part.card() > 0)
            write_elements(part, syntax, lengths, out);
    }

    /* Uncompressed to uncompressed: at most the order of bytes changes. */
    void copy_pixels()
    {
        vr_t vr = layout.pixel_vr ? layout.pixel_vr : static_cast<vr_t>(VR_OW);
        unsigned unit = 1;

        begin_object();
        if (!layout.pixel_tag)
            return;
        if (layout.pixel_tag == TAG(0x7fe0, 8))
            vr = VR_OF;
        else if (layout.pixel_tag == TAG(0x7fe0, 9))
            vr = VR_OD;
        if (layout.syntax.big_endian != target_syntax.big_endian)
            unit = vr == VR_OW ? 2 : vr == VR_OF ? 4 : vr == VR_OD ? 8 : 1;
        write_pixel_header(layout.pixel_tag, vr, (layout.pixel_length + 1) & ~1u, target_syntax,
                           out);
        copy_value(fd, layout.pixel_value, layout.pixel_length, unit, out);
        write_part(tail);
    }

    void code_frames()
    {
        const Format format = read_format(head);
        auto frames = open_frames(fd, layout, source, format);
        Frame first = frames->frame(0);
        Format after = format;

        after.photometric = first.photometric;
        if (target_syntax.encapsulated)
            compress(*frames, std::move(first), format, after);
        else
            decompress(*frames, std::move(first), format, after);
        frames_coded = format.frames;
    }

    /* The frame, which must be like the first. */
    static Frame next(Frames &frames, uint32_t number, const std::string &photometric)
    {
        Frame frame = frames.frame(number);

        if (frame.photometric != photometric)
            fail("frame %u has colours of another kind than the first", number + 1);
        return frame;
    }

    void decompress(Frames &frames, Frame first, const Format &before, Format after)
    {
        const bool single = before.bits_allocated == 1;
        const uint64_t length = single ? (uint64_t{before.pixels()} * before.frames + 7) / 8
                                       : uint64_t{before.frames} * before.pixels() *
                                             before.samples * before.sample_bytes();
        const vr_t vr = before.bits_allocated > 8 ? VR_OW : VR_OB;

        if (length > UINT32_MAX - 2)
            fail("uncompressed it would have %llu bytes, more than an element can",
                 static_cast<unsigned long long>(length));
        /* JPEG gives colours by pixel; in the others the object's own order is kept. */
        if (source.coding != Coding::rle && source.coding != Coding::jpeg_ls &&
            source.coding != Coding::deflated_frames)
            after.by_plane = false;
        describe_pixels(head, before, after);
        if (first.lossy)
            describe_loss(head, 0, "");
        begin_object();
        write_pixel_header(TAG(0x7fe0, 0x0010), vr, static_cast<uint32_t>((length + 1) & ~1ull),
                           target_syntax, out);
        NativeWriter writer(after, target_syntax.big_endian && vr == VR_OW, out);
        writer.add(first);
        for (uint32_t i = 1; i < before.frames; i++)
            writer.add(next(frames, i, after.photometric));
        writer.finish();
        write_part(tail);
    }

    void compress(Frames &frames, Frame first, const Format &before, Format after)
    {
        Spool spool;
        std::vector<uint64_t> offsets;
        const Format plain = after; /* between the codings */
        const std::string photometric = first.photometric;
        bool lossy = first.lossy;
        uint64_t raw = 0, packed = 0;

        check_encodable(target, plain);
        for (uint32_t i = 0; i < before.frames; i++) {
            Frame frame = i ? next(frames, i, photometric) : std::move(first);
            Format coding = plain;
            Bytes item, coded = encode_frame(target, coding, frame, quality());

            offsets.push_back(spool.size());
            raw += plain.frame_bytes();
            packed += coded.size();
            after.photometric = coding.photometric;
            coded.resize((coded.size() + 1) & ~size_t{1});
            item.insert(item.end(), {0xfe, 0xff, 0x00, 0xe0});
            put32(item, static_cast<uint32_t>(coded.size()));
            spool.add(item.data(), item.size());
            spool.add(coded.data(), coded.size());
        }
        ratio = static_cast<double>(raw) / static_cast<double>(packed);
        changed = target.loses;
        after.by_plane = target.coding == Coding::rle && before.by_plane;
        describe_pixels(head, before, after);
        if (changed)
            describe_loss(head, ratio, "ISO_10918_1");
        else if (lossy)
            describe_loss(head, 0, "");
        begin_object();
        write_pixel_header(TAG(0x7fe0, 0x0010), VR_OB, VERIFY_UNDEFINED, target_syntax, out);
        write_offsets(offsets);
        spool.copy_to(out);
        out.write("\xfe\xff\xdd\xe0\0\0\0\0", 8);
        write_part(tail);
    }

    /* The basic offset table; empty when 32 bits do not reach. */
    void write_offsets(const std::vector<uint64_t> &offsets)
    {
        Bytes table = {0xfe, 0xff, 0x00, 0xe0};

        if (offsets.back() > UINT32_MAX || offsets.size() > (size_t{1} << 28)) {
            put32(table, 0);
        } else {
            put32(table, static_cast<uint32_t>(4 * offsets.size()));
            for (uint64_t offset : offsets)
                put32(table, static_cast<uint32_t>(offset));
        }
        out.write(table.data(), table.size());
    }

    int quality() const
    {
        return options.quality ? std::clamp(options.quality, 1, 100) : 90;
    }

    int fd;
    verify_layout layout;
    Syntax source = {};
    const Syntax &target;
    transfer_syntax target_syntax;
    const dcm_transcode_options &options;
    Output out;
    std::unique_ptr<Temporary> inflated;
    DcmMetaInfo meta;
    DcmDataset head, tail;
    E_EncodingType lengths = EET_ExplicitLength;
    uint32_t frames_coded = 0;
    double ratio = 0;
    bool changed = false;
};

/* DCMTK reports what it meets on stderr; what matters comes back as a condition. */
void quiet_once()
{
    static const bool done = [] {
        OFLog::configure(OFLogger::OFF_LOG_LEVEL);
        return true;
    }();

    (void)done;
}

} // namespace

} // namespace transcode

extern "C" int dcm_transcode(int fd, const char *name, int out,
                             const struct dcm_transcode_options *options,
                             struct dcm_transcoded *result, struct err *err)
{
    using namespace transcode;

    try {
        verify_layout layout;
        dcm_transcoded own;
        dcm_transcoded &to = result ? *result : own;

        to = {};
        if (verify_fd(fd, name, &layout, err) < 0)
            return -1;
        std::memcpy(to.from, layout.transfer_syntax, sizeof to.from);
        const Syntax *target = find_syntax(options->transfer_syntax);
        const bool same = std::strcmp(options->transfer_syntax, layout.transfer_syntax) == 0;
        const Syntax copied = {layout.transfer_syntax, Coding::none, true, false};
        if (same)
            target = &copied;
        if (!target || !target->encodes)
            return err_set(err, ERR_INPUT, "%s: transfer syntax %s is not one to transcode into",
                           name, options->transfer_syntax);
        quiet_once();
        Job(fd, layout, *target, *options, out).run(to);
        return 0;
    } catch (const Failure &failure) {
        return err_set(err, failure.code, "%s: %s", name, failure.text.c_str());
    } catch (const std::bad_alloc &) {
        return err_set(err, ERR_FAILED, "%s: no memory to transcode it", name);
    } catch (const std::exception &e) {
        return err_set(err, ERR_FAILED, "%s: %s", name, e.what());
    } catch (...) {
        return err_set(err, ERR_FAILED, "%s: transcoding failed", name);
    }
}

extern "C" bool dcm_can_transcode(const char *from, const char *to, bool lossy)
{
    const transcode::Syntax *source = transcode::find_syntax(from);
    const transcode::Syntax *target = transcode::find_syntax(to);

    if (std::strcmp(from, to) == 0)
        return true;
    return source && target && target->encodes && (lossy || !target->loses);
}
