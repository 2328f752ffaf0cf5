/*
 * libFuzzer target: the structure check. What passes lies inside the file, in order.
 */
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "dicom/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static int fd = -1;
    struct verify_layout layout;
    struct err err;

    if (fd < 0 && (fd = memfd_create("input", MFD_CLOEXEC)) < 0) {
        abort();
    }
    if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0 || write_all(fd, bytes, size) < 0) {
        abort();
    }
    if (verify_fd(fd, "input", &layout, &err) < 0) {
        assert(err.text[0] && (err.code == ERR_INPUT || err.code == ERR_FAILED));
        return 0;
    }
    assert(layout.transfer_syntax[0] && layout.elements <= VERIFY_ELEMENTS_MAX);
    assert(layout.depth <= VERIFY_DEPTH_MAX && layout.dataset_offset < size);
    assert(layout.syntax.deflated ? layout.dataset_end <= VERIFY_INFLATE_MAX
                                  : layout.dataset_end == size);
    if (layout.pixel_tag) {
        assert(layout.pixel_start < layout.pixel_value);
        assert(layout.pixel_value <= layout.pixel_end);
        assert(layout.pixel_end <= layout.dataset_end);
    }
    return 0;
}
