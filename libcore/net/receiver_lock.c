/*
 * The lock that a pacs-recv keeps on its archive: see receiver.h. In a file of its own for tools that only
 * want to know whether one runs.
 */
#include "net/receiver.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"

#define LOCK_NAME "pacs-recv.lock"

int receiver_lock(const struct archive *archive, struct err *err)
{
    char *path = xasprintf("%s/%s", archive_path(archive), LOCK_NAME);
    int fd = lock_file(path, 0, err);

    free(path);
    return fd;
}

bool receiver_runs(const struct archive *archive)
{
    struct err err = {0};
    int fd = receiver_lock(archive, &err);

    if (fd >= 0)
        close(fd);
    return fd < 0 && err.code == ERR_BUSY;
}
