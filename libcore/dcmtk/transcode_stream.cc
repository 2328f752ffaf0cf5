/*
 * See transcode_internal.hh: bytes in and out.
 */
#include "dcmtk/transcode_internal.hh"

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

extern "C" {
#include "base/fs.h"
}

namespace transcode
{

constexpr size_t block = 65536;
/* What a spool keeps in memory. */
constexpr size_t spool_memory = size_t{8} << 20;

void fail(const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);
    throw Failure{ERR_INPUT, text};
}

void fail_errno(const char *what)
{
    struct err err;

    err_sys(&err, "%s", what);
    throw Failure{err.code, err.text};
}

void read_exactly(int fd, void *bytes, size_t length, uint64_t offset)
{
    ssize_t count = pread_all(fd, bytes, length, static_cast<off_t>(offset));

    if (count < 0)
        fail_errno("reading");
    if (static_cast<size_t>(count) != length)
        fail("it became shorter while it was read");
}

/* ---- DCMTK reads ---- */

class Input::Producer : public DcmProducer
{
  public:
    Producer(int d, uint64_t start, uint64_t e) : fd(d), position(start), end(e)
    {
    }
    OFBool good() const override
    {
        return result.good();
    }
    OFCondition status() const override
    {
        return result;
    }
    OFBool eos() override
    {
        return position >= end;
    }
    offile_off_t avail() override
    {
        return static_cast<offile_off_t>(end - position);
    }
    offile_off_t read(void *to, offile_off_t wanted) override
    {
        auto *out = static_cast<unsigned char *>(to);
        size_t left = std::min<uint64_t>(static_cast<uint64_t>(wanted), end - position), done = 0;

        while (done < left) {
            if (position < base || position >= base + have) {
                if (left - done >= block) { /* past the buffer */
                    ssize_t count = pread_all(fd, out + done, left - done, file_offset());

                    if (count <= 0)
                        return broken(done);
                    position += static_cast<uint64_t>(count);
                    done += static_cast<size_t>(count);
                    continue;
                }
                if (!fill())
                    return broken(done);
            }
            size_t at = position - base, part = std::min(left - done, have - at);

            std::memcpy(out + done, buffer.data() + at, part);
            position += part;
            done += part;
        }
        return static_cast<offile_off_t>(done);
    }
    offile_off_t skip(offile_off_t length) override
    {
        uint64_t part = std::min<uint64_t>(static_cast<uint64_t>(length), end - position);

        position += part;
        return static_cast<offile_off_t>(part);
    }
    void putback(offile_off_t count) override
    {
        position -= static_cast<uint64_t>(count);
    }

    const int fd;
    uint64_t position;
    const uint64_t end;

  private:
    off_t file_offset() const
    {
        return static_cast<off_t>(position);
    }
    bool fill()
    {
        buffer.resize(block);
        ssize_t count =
            pread_all(fd, buffer.data(), std::min<uint64_t>(block, end - position), file_offset());
        base = position;
        have = count > 0 ? static_cast<size_t>(count) : 0;
        return have > 0;
    }
    offile_off_t broken(size_t done)
    {
        result = EC_InvalidStream;
        return static_cast<offile_off_t>(done);
    }
    Bytes buffer;
    uint64_t base = 0;
    size_t have = 0;
    OFCondition result = EC_Normal;
};

Input::Input(Producer *p) : DcmInputStream(p), producer(p)
{
}

Input::Input(int fd, uint64_t start, uint64_t end) : Input(new Producer(fd, start, end))
{
}

Input::~Input() = default;

namespace
{

class Reopen : public DcmInputStreamFactory
{
  public:
    Reopen(int d, uint64_t s, uint64_t e) : fd(d), start(s), end(e)
    {
    }
    DcmInputStream *create() const override
    {
        return new Input(fd, start, end);
    }
    DcmInputStreamFactory *clone() const override
    {
        return new Reopen(*this);
    }
    DcmInputStreamFactoryType ident() const override
    {
        return DFT_DcmInputFileStreamFactory;
    }

  private:
    int fd;
    uint64_t start, end;
};

/* What DCMTK writes into. A failure is kept: exceptions do not travel through DCMTK. */
class Consumer : public DcmConsumer
{
  public:
    explicit Consumer(Output &o) : out(o)
    {
    }
    OFBool good() const override
    {
        return !failed;
    }
    OFCondition status() const override
    {
        return failed ? EC_InvalidStream : EC_Normal;
    }
    OFBool isFlushed() const override
    {
        return OFTrue;
    }
    offile_off_t avail() const override
    {
        return block;
    }
    offile_off_t write(const void *bytes, offile_off_t length) override
    {
        if (failed)
            return 0;
        try {
            out.write(bytes, static_cast<size_t>(length));
        } catch (const Failure &f) {
            failure = f;
            failed = true;
            return 0;
        }
        return length;
    }
    void flush() override
    {
    }

    Failure failure = {ERR_NONE, ""};
    bool failed = false;

  private:
    Output &out;
};

class OutputStream : public DcmOutputStream
{
  public:
    explicit OutputStream(Consumer &consumer) : DcmOutputStream(&consumer)
    {
    }
};

} // namespace

DcmInputStreamFactory *Input::newFactory() const
{
    return new Reopen(producer->fd, producer->position, producer->end);
}

void write_elements(DcmDataset &dataset, E_TransferSyntax syntax, E_EncodingType lengths,
                    Output &out)
{
    Consumer consumer(out);
    OutputStream stream(consumer);
    DcmWriteCache cache;
    OFCondition result;

    dataset.transferInit();
    result = dataset.write(stream, syntax, lengths, &cache, EGL_withoutGL, EPD_noChange);
    dataset.transferEnd();
    if (consumer.failed)
        throw consumer.failure;
    if (result.bad())
        fail("DCMTK cannot write it: %s", result.text());
}

/* ---- output ---- */

Output::Output(int descriptor) : fd(descriptor), buffer(block)
{
}

Output::~Output()
{
    if (deflating)
        deflateEnd(&stream);
}

void Output::flush()
{
    if (used && write_all(fd, buffer.data(), used) < 0)
        fail_errno("writing");
    used = 0;
}

void Output::put(const unsigned char *bytes, size_t length)
{
    total += length;
    if (length >= block) {
        flush();
        if (write_all(fd, bytes, length) < 0)
            fail_errno("writing");
        return;
    }
    if (used + length > block)
        flush();
    std::memcpy(buffer.data() + used, bytes, length);
    used += length;
}

void Output::deflate_from_here()
{
    /* The level that DCMTK uses. */
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        throw Failure{ERR_FAILED, "zlib does not start"};
    deflating = true;
}

void Output::deflate_some(int how)
{
    unsigned char packed[16384];

    do {
        stream.next_out = packed;
        stream.avail_out = sizeof packed;
        if (deflate(&stream, how) == Z_STREAM_ERROR)
            throw Failure{ERR_FAILED, "zlib fails"};
        size_t count = sizeof packed - stream.avail_out;
        odd ^= (count & 1) != 0;
        put(packed, count);
    } while (stream.avail_out == 0);
}

void Output::write(const void *bytes, size_t length)
{
    const auto *from = static_cast<const unsigned char *>(bytes);

    if (!deflating) {
        put(from, length);
        return;
    }
    while (length > 0) {
        size_t part = std::min(length, size_t{1} << 30);

        stream.next_in = const_cast<unsigned char *>(from);
        stream.avail_in = static_cast<uInt>(part);
        deflate_some(Z_NO_FLUSH);
        from += part;
        length -= part;
    }
}

void Output::finish()
{
    if (deflating) {
        deflate_some(Z_FINISH);
        if (odd)
            put(reinterpret_cast<const unsigned char *>(""), 1);
    }
    flush();
}

/* ---- temporary files ---- */

Temporary::Temporary()
{
    const char *folder = std::getenv("TMPDIR");

    if (!folder || !*folder)
        folder = "/tmp";
    fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { /* not every file system has them */
        std::string path = std::string(folder) + "/pacs-XXXXXX";

        fd = mkostemp(path.data(), O_CLOEXEC);
        if (fd < 0)
            fail_errno(folder);
        unlink(path.c_str());
    }
}

Temporary::~Temporary()
{
    close(fd);
}

void Spool::spill()
{
    if (!file)
        file = std::make_unique<Temporary>();
    if (write_all(file->fd, memory.data(), memory.size()) < 0)
        fail_errno("writing a temporary file");
    memory.clear();
}

void Spool::add(const unsigned char *bytes, size_t length)
{
    if (memory.size() + length > spool_memory && !memory.empty())
        spill();
    memory.insert(memory.end(), bytes, bytes + length);
    total += length;
}

void Spool::copy_to(Output &out) const
{
    uint64_t in_file = total - memory.size();
    Bytes part(std::min<uint64_t>(in_file, size_t{1} << 20));

    for (uint64_t at = 0; at < in_file;) {
        size_t length = std::min<uint64_t>(part.size(), in_file - at);

        read_exactly(file->fd, part.data(), length, at);
        out.write(part.data(), length);
        at += length;
    }
    out.write(memory.data(), memory.size());
}

} // namespace transcode
