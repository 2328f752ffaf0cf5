/*
 * References: what the tools hand one another through pipes. The first tab-separated column of each
 * line: a DICOM UID, `patient:ID`, or a path (begins with '/' or '.').
 */
#ifndef PACS_BASE_REFS_H
#define PACS_BASE_REFS_H

#include <stdbool.h>

#include "base/err.h"

/* Called for each reference; `line` is the whole line without its end. Returning non-zero stops the
 * loop, which then returns that value. */
typedef int refs_each(void *context, const char *reference, const char *line, struct err *err);

/* The loop that every tool uses: over the arguments, where "-" stands for the lines of stdin; over
 * stdin alone when there are no arguments and stdin is no terminal. `nul` reads NUL-ended entries, of
 * which a path takes all. A line may be up to 1 MiB; empty lines are passed over. Returns 0, what
 * `each` returned, or -1: no arguments and a terminal (ERR_INPUT), or a read error. */
int refs_loop(int count, char **arguments, bool nul, refs_each *each, void *context,
              struct err *err);

/* A path rather than a UID. */
bool ref_is_path(const char *reference);

#endif
