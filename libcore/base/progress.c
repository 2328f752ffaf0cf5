/*
 * See progress.h.
 */
#include "base/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"

void progress_start(struct progress *progress, const char *noun, uint64_t total)
{
    *progress = (struct progress){.noun = noun, .total = total, .start_ms = monotonic_ms()};
    progress->shown_ms = progress->start_ms + 800; /* first shown after a second */
    progress->on = log_level() > LOG_QUIET && isatty(STDERR_FILENO);
}

static void show(struct progress *progress, int64_t now)
{
    double seconds = (double)(now - progress->start_ms) / 1000;
    double rate = (double)progress->done / seconds;
    char left[32] = "", size[32] = "";

    if (progress->total > progress->done && rate > 0) {
        long rest = (long)((double)(progress->total - progress->done) / rate) + 1;

        if (rest >= 3600)
            snprintf(left, sizeof left, ", %ldh%02ldm left", rest / 3600, rest / 60 % 60);
        else
            snprintf(left, sizeof left, ", %ldm%02lds left", rest / 60, rest % 60);
    }
    if (progress->bytes)
        snprintf(size, sizeof size, ", %.0f MB/s", (double)progress->bytes / seconds / 1e6);
    if (progress->total)
        fprintf(stderr, "\r\033[K%s: %llu of %llu %s, %.0f/s%s%s", log_program(),
                (unsigned long long)progress->done, (unsigned long long)progress->total,
                progress->noun, rate, size, left);
    else
        fprintf(stderr, "\r\033[K%s: %llu %s, %.0f/s%s", log_program(),
                (unsigned long long)progress->done, progress->noun, rate, size);
    fflush(stderr);
    progress->shown_ms = now;
    progress->visible = true;
}

void progress_add(struct progress *progress, uint64_t count, uint64_t bytes)
{
    progress->done += count;
    progress->bytes += bytes;
    if (!progress->on)
        return;
    int64_t now = monotonic_ms();
    if (now - progress->shown_ms >= 200)
        show(progress, now);
}

void progress_hide(struct progress *progress)
{
    if (progress->on && progress->visible)
        fprintf(stderr, "\r\033[K");
    progress->visible = false;
}

void progress_end(struct progress *progress)
{
    progress_hide(progress);
    progress->on = false;
}
