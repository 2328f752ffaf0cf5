/*
 * See object.h. Reads as little of DICOM as it needs: the meta header, and UIDs by looking for the bytes
 * of their elements' heads. Uses none of the archive's own code for DICOM, so that both cannot be wrong
 * in the same way.
 */
#include "object.h"

#include <ctype.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* UIDs of the levels stand early; nobody looks further. */
enum { LOOK = 65536, UID_SHORTEST = 28 };

static uint32_t little16(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

static uint32_t little32(const unsigned char *at)
{
    return little16(at) | little16(at + 2) << 16;
}

static void copy_uid(char uid[65], const unsigned char *value, size_t length)
{
    length = length < 64 ? length : 64;
    memcpy(uid, value, length);
    uid[length] = '\0';
    length = strlen(uid);
    while (length > 0 && uid[length - 1] == ' ')
        uid[--length] = '\0';
}

/* Where the data set begins; reads the UIDs on the way. The group length is not trusted: the header ends
 * where the group does. */
static size_t read_meta(struct object *object, const unsigned char *bytes, size_t length)
{
    size_t at = 0;

    if (length >= 132 && memcmp(bytes + 128, "DICM", 4) == 0)
        at = 132;
    else if (length >= 4 && memcmp(bytes, "DICM", 4) == 0)
        at = 4;
    while (at + 8 <= length && little16(bytes + at) == 2) {
        uint32_t element = little16(bytes + at + 2);
        bool is_long = memcmp(bytes + at + 4, "OB", 2) == 0 || memcmp(bytes + at + 4, "UN", 2) == 0;
        size_t head = is_long ? 12 : 8;
        size_t value = at + head;

        if (value > length)
            break;
        size_t size = is_long ? little32(bytes + at + 8) : little16(bytes + at + 6);
        if (size > length - value)
            break;
        if (element == 0x0002)
            copy_uid(object->class_uid, bytes + value, size);
        else if (element == 0x0003)
            copy_uid(object->instance_uid, bytes + value, size);
        else if (element == 0x0010)
            copy_uid(object->syntax_uid, bytes + value, size);
        at = value + size;
    }
    return at;
}

/* The value of the first element with this tag and VR UI, explicit or implicit little endian. */
static size_t find_uid(const unsigned char *data, size_t length, uint32_t group, uint32_t element,
                       size_t *size)
{
    size_t end = length < LOOK ? length : LOOK;

    for (size_t at = 0; at + 8 <= end; at += 2) {
        if (little16(data + at) != group || little16(data + at + 2) != element)
            continue;
        if (memcmp(data + at + 4, "UI", 2) == 0)
            *size = little16(data + at + 6);
        else
            *size = little32(data + at + 4);
        if (*size <= 64 && at + 8 + *size <= length)
            return at + 8;
    }
    return 0;
}

static void uid_from_data(char uid[65], const struct object *object, uint32_t element)
{
    size_t size = 0;
    size_t at = find_uid(object->data, object->length, 0x0008, element, &size);

    if (*uid == '\0' && at > 0)
        copy_uid(uid, object->data + at, size);
}

int object_open(struct object *object, const char *path, const struct object_names *names,
                struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    *object = (struct object){.path = path};
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_sys(err, "%s", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (st.st_size > 0) {
        object->mapped_length = (size_t)st.st_size;
        object->mapped = mmap(NULL, object->mapped_length, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    if (!object->mapped || object->mapped == MAP_FAILED) {
        object->mapped = NULL;
        return err_set(err, ERR_INPUT, "%s: empty, or no file", path);
    }
    size_t start = read_meta(object, object->mapped, object->mapped_length);
    object->data = (const unsigned char *)object->mapped + start;
    object->length = object->mapped_length - start;
    uid_from_data(object->class_uid, object, 0x0016);
    uid_from_data(object->instance_uid, object, 0x0018);
    if (names->class_uid)
        snprintf(object->class_uid, sizeof object->class_uid, "%s", names->class_uid);
    if (names->instance_uid)
        snprintf(object->instance_uid, sizeof object->instance_uid, "%s", names->instance_uid);
    if (names->syntax_uid)
        snprintf(object->syntax_uid, sizeof object->syntax_uid, "%s", names->syntax_uid);
    if (*object->class_uid && *object->instance_uid && *object->syntax_uid)
        return 0;
    err_set(err, ERR_INPUT, "%s: %s unknown", path,
            !*object->class_uid      ? "SOP class (--class)"
            : !*object->instance_uid ? "SOP instance (--instance)"
                                     : "transfer syntax (--syntax)");
    object_close(object);
    return -1;
}

void object_close(struct object *object)
{
    if (object->mapped)
        munmap(object->mapped, object->mapped_length);
    free(object->own);
    object->mapped = NULL;
    object->own = NULL;
}

/* 2.25.1<run, 12 digits><zeros as needed><number, 10 digits>, exactly `length` characters. */
static void make_uid(char *uid, size_t length, unsigned level, uint64_t run, uint64_t number)
{
    char digits[80];

    snprintf(digits, sizeof digits, "2.25.%u%012llu", level,
             (unsigned long long)(run % 1000000000000U));
    snprintf(uid, length + 1, "%s%0*llu", digits, (int)(length - strlen(digits)),
             (unsigned long long)(number % 10000000000U));
}

static int renew_uid(struct object *object, uint32_t group, uint32_t element, unsigned level,
                     uint64_t run, uint64_t number, struct err *err)
{
    size_t size = 0;
    size_t at = find_uid(object->own, object->length, group, element, &size);
    char uid[65];

    while (size > 0 && at > 0 && !isdigit(object->own[at + size - 1]))
        size--;
    if (at == 0 || size < UID_SHORTEST)
        return err_set(err, ERR_INPUT, "%s: no UID of at least %d characters in (%04X,%04X)",
                       object->path, UID_SHORTEST, group, element);
    make_uid(uid, size, level, run, number);
    memcpy(object->own + at, uid, size);
    if (level == 3)
        snprintf(object->instance_uid, sizeof object->instance_uid, "%s", uid);
    return 0;
}

int object_renew(struct object *object, uint64_t run, uint64_t number, long long study,
                 struct err *err)
{
    if (!object->own) {
        object->own = xmalloc(object->length);
        memcpy(object->own, object->data, object->length);
        object->data = object->own;
    }
    if (renew_uid(object, 0x0008, 0x0018, 3, run, number, err) < 0)
        return -1;
    if (study < 0)
        return 0;
    if (renew_uid(object, 0x0020, 0x000D, 1, run, (uint64_t)study, err) < 0 ||
        renew_uid(object, 0x0020, 0x000E, 2, run, (uint64_t)study, err) < 0)
        return -1;
    return 0;
}

void object_digest(const struct object *object, char hex[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    EVP_Digest(object->data, object->length, digest, &length, EVP_sha256(), NULL);
    for (unsigned i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
