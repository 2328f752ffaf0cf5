/*
 * The lines of pacs-recv on stdout, one for each stored object, tab-separated:
 *
 *   SOP instance UID, path, study UID, series UID, SOP class UID, transfer syntax UID, bytes, calling AE
 *   title, time of receipt (UTC)
 *
 * Workers share stdout: each line is one write. Whoever reads it must not be able to hold up receiving: a
 * reader that takes nothing is waited for REPORT_WAIT_MS once; from then on lines are dropped, and counted,
 * until it reads again. A reader that is gone ends the lines and nothing else.
 */
#ifndef PACS_NET_REPORT_H
#define PACS_NET_REPORT_H

#include <stdint.h>

#include "index/ingest.h"

#define REPORT_WAIT_MS 5000

struct report;

/* Before the first fork. `root` begins the paths. */
struct report *report_open(int fd, const char *root);
void report_line(struct report *report, const struct ingest_report *object,
                 const char *calling_aet);
/* Lines that this process has dropped since the last call. */
uint64_t report_dropped(struct report *report);
void report_close(struct report *report);

#endif
