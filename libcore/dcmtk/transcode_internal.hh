/*
 * What the transcoder's files share; for transcode*.cc alone. C++ with exceptions, which end at the door.
 *
 *     transcode.cc         the door: checks, reads, decides, writes
 *     transcode_object.cc  attributes: what describes pixels, what a change of coding changes
 *     transcode_pixels.cc  where frames are, uncompressed and compressed; from one to the other
 *     transcode_stream.cc  bytes: DCMTK's streams over descriptors, output, temporary files
 *     transcode_jpeg.cc, _jpls.cc, _j2k.cc, _rle.cc   the codecs, a frame at a time
 */
#ifndef PACS_DCMTK_TRANSCODE_INTERNAL_H
#define PACS_DCMTK_TRANSCODE_INTERNAL_H

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmdata/dctk.h"
#include "dcmtk/dcmdata/dcpxitem.h"
#include "dcmtk/dcmdata/dcwcache.h"
#include "dcmtk/dcmdata/dcistrma.h"
#include "dcmtk/dcmdata/dcostrma.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>
#include <zlib.h>

extern "C" {
#include "base/err.h"
#include "dicom/verify.h"
#include "dcmtk/transcode.h"
}

namespace transcode
{

using Bytes = std::vector<unsigned char>;

/* Why it cannot be done, without the object's name; the door puts that before it. */
struct Failure {
    enum err_code code;
    std::string text;
};
[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
[[noreturn]] void fail_errno(const char *what);

enum class Coding {
    native,
    jpeg_lossy,    /* decoded: baseline, extended, and the retired progressive ones */
    jpeg_lossless, /* process 14 */
    jpeg_ls,
    jpeg_2000, /* and high throughput, decoded */
    rle,
    deflated_frames,
    none /* we have no codec for it */
};

struct Syntax {
    const char *uid;
    Coding coding;
    bool encodes; /* it can be a target */
    bool loses;   /* as a target */
};
/* NULL: not known. */
const Syntax *find_syntax(const char *uid);

/* The Image Pixel module of a data set or an icon. */
struct Format {
    uint32_t rows = 0, columns = 0, samples = 1;
    uint32_t bits_allocated = 0, bits_stored = 0;
    bool is_signed = false;
    bool by_plane = false; /* Planar Configuration 1 */
    std::string photometric;
    uint32_t frames = 1;

    size_t sample_bytes() const
    {
        return bits_allocated / 8;
    }
    size_t pixels() const
    {
        return static_cast<size_t>(rows) * columns;
    }
    bool subsampled() const; /* uncompressed with half the chroma */
    /* Of an uncompressed frame; of 1-bit frames the bytes that hold it. */
    size_t frame_bytes() const;
};

/* An uncompressed frame: little endian, 1 or 2 or 4 bytes a sample as allocated. */
struct Frame {
    Bytes data;
    bool by_plane = false;
    std::string photometric;
    bool lossy = false; /* its coding says that it lost something */
};

/* ---- transcode_stream.cc ---- */

/* Reads all `length` bytes at `offset`. */
void read_exactly(int fd, void *bytes, size_t length, uint64_t offset);

/* The bytes of a descriptor from `start` to `end`, for DCMTK. Values that it leaves in the file are
 * read from there later, so the descriptor must live as long as the data set. */
class Input : public DcmInputStream
{
  public:
    Input(int fd, uint64_t start, uint64_t end);
    ~Input() override;
    DcmInputStreamFactory *newFactory() const override;

  private:
    class Producer;
    explicit Input(Producer *producer);
    std::unique_ptr<Producer> producer;
};

/* A place for bytes: a descriptor, deflated on the way if asked. */
class Output
{
  public:
    explicit Output(int fd);
    ~Output();
    Output(const Output &) = delete;
    Output &operator=(const Output &) = delete;

    void deflate_from_here();
    void write(const void *bytes, size_t length);
    void finish();
    uint64_t written() const
    {
        return total;
    }

  private:
    void put(const unsigned char *bytes, size_t length);
    void flush();
    void deflate_some(int how);
    int fd;
    Bytes buffer;
    size_t used = 0;
    uint64_t total = 0;
    bool deflating = false, odd = false;
    z_stream stream = {};
};

/* Writes a data set (head or tail of one) in a native transfer syntax. */
void write_elements(DcmDataset &dataset, E_TransferSyntax syntax, E_EncodingType lengths,
                    Output &out);

/* A temporary file without a name. */
class Temporary
{
  public:
    Temporary();
    ~Temporary();
    Temporary(const Temporary &) = delete;
    Temporary &operator=(const Temporary &) = delete;
    int fd;
};

/* Compressed frames on their way: in memory as long as they are small. */
class Spool
{
  public:
    void add(const unsigned char *bytes, size_t length);
    void copy_to(Output &out) const;
    uint64_t size() const
    {
        return total;
    }

  private:
    void spill();
    Bytes memory;
    std::unique_ptr<Temporary> file;
    uint64_t total = 0;
};

/* ---- transcode_object.cc ---- */

Format read_format(DcmItem &item);
/* Icons and the like: pixels inside sequences become uncompressed. */
void decode_nested(DcmDataset &dataset, const Syntax &source);
/* What the head must say of pixels that are now coded as `target`. */
void describe_pixels(DcmDataset &head, const Format &before, const Format &after);
/* `ratio` 0: lost before, nothing is known of how. */
void describe_loss(DcmDataset &head, double ratio, const char *method);
/* And marks the image derived. */
void replace_instance(DcmDataset &head, const char *uid);
/* Preamble and meta header; `old` is asked for UIDs that the data set does not have. */
void write_meta(DcmDataset &head, DcmMetaInfo &old, const char *transfer_syntax, Output &out);

/* ---- transcode_pixels.cc ---- */

/* Checks that the pixel data holds the frames that are claimed, then hands them out. */
class Frames
{
  public:
    virtual ~Frames() = default;
    /* In any order; each number below format.frames. */
    virtual Frame frame(uint32_t number) = 0;
};
std::unique_ptr<Frames> open_frames(int fd, const verify_layout &layout, const Syntax &source,
                                    const Format &format);

/* Uncompressed frames to the end of an element, in the byte order wanted; 1-bit frames close up. */
class NativeWriter
{
  public:
    NativeWriter(const Format &format, bool swap, Output &out);
    void add(const Frame &frame);
    void finish();

  private:
    void write(const unsigned char *bytes, size_t length);
    const Format format;
    const bool swap;
    Output &out;
    Bytes words;
    uint64_t total = 0;
    unsigned bits = 0, pending = 0;
};

/* The value as it is from one file to the other, `unit` bytes turned round (1: none). */
void copy_value(int fd, uint64_t offset, uint64_t length, unsigned unit, Output &out);

Bytes interleave(const Frame &frame, const Format &format);
Bytes separate(const Frame &frame, const Format &format);
/* Bytes of samples that are less wide in their coding than allocated. */
void widen(Bytes &data, const Format &format, unsigned coded_bytes);

/* ---- codecs: a frame at a time ---- */

Frame decode_frame(const Syntax &source, const Format &format, const Bytes &coded);
/* `format` says how the frame is laid out; it is changed to what the coding makes of it. */
Bytes encode_frame(const Syntax &target, Format &format, const Frame &frame, int quality);
/* Whether the target can hold it at all; fails with the reason. */
void check_encodable(const Syntax &target, const Format &format);

Frame decode_jpeg(const Format &format, const Bytes &coded);
Bytes encode_jpeg_lossless(const Format &format, const Frame &frame);
Bytes encode_jpeg_lossy(Format &format, const Frame &frame, bool baseline, int quality);
Frame decode_jpeg_ls(const Format &format, const Bytes &coded);
Bytes encode_jpeg_ls(const Format &format, const Frame &frame);
Frame decode_jpeg_2000(const Format &format, const Bytes &coded);
Bytes encode_jpeg_2000(Format &format, const Frame &frame);
Frame decode_rle(const Format &format, const Bytes &coded);
Bytes encode_rle(const Format &format, const Frame &frame);
Frame decode_deflated(const Format &format, const Bytes &coded);

/* What a JPEG or JPEG-LS stream says of itself. */
struct JpegHeader {
    unsigned process; /* the SOF marker's low byte; 0xf7: JPEG-LS */
    unsigned precision, rows, columns, components;
    unsigned near_lossless; /* JPEG-LS */
    size_t selection;       /* where the first scan's spectral selection is told */
};
JpegHeader read_jpeg_header(const Format &format, const Bytes &coded);

} // namespace transcode

#endif
