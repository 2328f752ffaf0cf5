/*
 * See helper.h.
 */
#include "base/helper.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

char *helper_path(const char *name, struct err *err)
{
    static const char *const places[] = {"helpers", "../lib/pacsutils"};
    char program[PATH_MAX], *slash;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    if (length < 0) {
        err_sys(err, "/proc/self/exe");
        return NULL;
    }
    program[length] = '\0';
    slash = strrchr(program, '/');
    *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *path = xasprintf("%s/%s/%s", program, places[i], name);

        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    err_set(
        err, ERR_NOTFOUND,
        "the program %s, which asks peers, is neither in %s/helpers nor in %s/../lib/pacsutils: "
        "the installation is not whole",
        name, program, program);
    return NULL;
}
