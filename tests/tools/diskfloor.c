/*
 * diskfloor FOLDER BYTES WRITERS SECONDS: how fast this disk takes durable files, with nothing else to
 * do: each is written under one name, fdatasynced, renamed into a folder that 25 of them share, and the
 * folder fsynced. Prints files/s and MB/s, separated by a tab. What a receiver that keeps its word cannot
 * beat by much.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FILES_IN_FOLDER = 25 };

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int write_file(const char *path, const unsigned char *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0)
        return -1;
    for (size_t done = 0; done < length;) {
        ssize_t n = write(fd, bytes + done, length - done);

        if (n < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    if (fdatasync(fd) < 0) {
        close(fd);
        return -1;
    }
    return close(fd);
}

static int sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd < 0 ? -1 : fsync(fd);

    if (fd >= 0)
        close(fd);
    return status;
}

/* Files of `writer` until the time is up; -1 when one fails. */
static long write_files(const char *root, int writer, size_t length, double seconds)
{
    unsigned char *bytes = malloc(length);
    char path[4096], folder[4096], final[4200];
    uint64_t noise = 88172645463325252U + (uint64_t)writer;
    double end = now_s() + seconds;
    long count = 0;

    for (size_t i = 0; bytes && i < length; i++) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        bytes[i] = (unsigned char)noise;
    }
    for (; bytes && now_s() < end; count++) {
        memcpy(bytes, &count,
               sizeof count < length ? sizeof count : length); /* no two are the same */
        snprintf(path, sizeof path, "%s/incoming/%d-%ld", root, writer, count);
        snprintf(folder, sizeof folder, "%s/objects/%d-%ld", root, writer, count / FILES_IN_FOLDER);
        snprintf(final, sizeof final, "%s/%ld", folder, count);
        if ((count % FILES_IN_FOLDER == 0 && mkdir(folder, 0777) < 0) ||
            write_file(path, bytes, length) < 0 || rename(path, final) < 0 ||
            sync_folder(folder) < 0) {
            perror(final);
            free(bytes);
            return -1;
        }
    }
    free(bytes);
    return bytes ? count : -1;
}

int main(int argc, char **argv)
{
    char path[4096];
    int failed = 0;

    if (argc != 5) {
        fprintf(stderr, "usage: diskfloor FOLDER BYTES WRITERS SECONDS\n");
        return 2;
    }
    size_t length = strtoull(argv[2], NULL, 10);
    int writers = (int)strtol(argv[3], NULL, 10);
    double seconds = strtod(argv[4], NULL);
    if (length == 0 || writers < 1 || writers > 64 || seconds <= 0)
        return 2;
    snprintf(path, sizeof path, "%s/incoming", argv[1]);
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        failed = 1;
    snprintf(path, sizeof path, "%s/objects", argv[1]);
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        failed = 1;
    long *counts =
        mmap(NULL, 64 * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (failed || counts == MAP_FAILED) {
        perror(path);
        return 2;
    }
    double began = now_s();
    for (int i = 0; i < writers; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            counts[i] = write_files(argv[1], i, length, seconds);
            _exit(counts[i] < 0);
        }
        failed |= pid < 0;
    }
    for (int status = 0; wait(&status) > 0;)
        failed |= status != 0;
    double took = now_s() - began;
    long total = 0;
    for (int i = 0; i < writers; i++)
        total += counts[i];
    if (failed)
        return 1;
    printf("%.1f\t%.1f\n", (double)total / took, (double)total * (double)length / 1e6 / took);
    return 0;
}
