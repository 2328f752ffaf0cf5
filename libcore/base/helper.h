/*
 * Programs that tools start and people do not: what would make a tool slow to start, or should not share
 * its memory, stands in one of these.
 */
#ifndef PACS_BASE_HELPER_H
#define PACS_BASE_HELPER_H

#include "base/err.h"

/* Where the helper of that name is: in helpers/ beside the running program (the build tree), or in
 * ../lib/pacsutils/ (installed). Free it. NULL with ERR_NOTFOUND and both places. */
char *helper_path(const char *name, struct err *err);

#endif
