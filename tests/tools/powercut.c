/*
 * powercut FOLDER: from now on the ext4 file system that FOLDER lies on writes nothing more to its
 * device, not even its journal, and every access fails. What was not fsynced by then is as lost as after
 * a power cut, and the next mount replays the journal as after one. For file systems made for a test.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* include/uapi/linux/ext4.h of newer kernels; the number is that of XFS, and as old as ext4's. */
#define EXT4_SHUTDOWN _IOR('X', 125, uint32_t)
enum { WITHOUT_LOG_FLUSH = 2 };

int main(int argc, char **argv)
{
    uint32_t how = WITHOUT_LOG_FLUSH;
    struct stat here, root;
    int fd;

    if (argc != 2) {
        fprintf(stderr, "usage: powercut FOLDER\n");
        return 2;
    }
    fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &here) < 0 || stat("/", &root) < 0) {
        perror(argv[1]);
        return 2;
    }
    /* A slip would stop the machine's own disk. */
    if (here.st_dev == root.st_dev) {
        fprintf(stderr, "powercut: %s is on the root file system\n", argv[1]);
        return 2;
    }
    if (ioctl(fd, EXT4_SHUTDOWN, &how) < 0) {
        perror("powercut");
        return 1;
    }
    return 0;
}
