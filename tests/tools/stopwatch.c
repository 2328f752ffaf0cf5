/*
 * stopwatch [-n RUNS] COMMAND...: starts the command so many times, one after another, with its output
 * thrown away, and prints on one line, separated by tabs: median and best time from start to end in
 * milliseconds, and the most memory that it took, in KB. Status 0 if each run had the same exit status;
 * that is not looked at.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Returns the wait status, or -1. */
static int run(char **command, const posix_spawn_file_actions_t *actions, double *ms, long *kb)
{
    struct rusage usage;
    double began = now_ms();
    int status = 0;
    pid_t pid;

    if (posix_spawnp(&pid, command[0], actions, NULL, command, environ) != 0 ||
        wait4(pid, &status, 0, &usage) < 0)
        return -1;
    *ms = now_ms() - began;
    *kb = usage.ru_maxrss > *kb ? usage.ru_maxrss : *kb;
    return status;
}

int main(int argc, char **argv)
{
    posix_spawn_file_actions_t actions;
    long runs = 1, kb = 0;
    int first = 1, expected = 0;

    if (argc > 3 && strcmp(argv[1], "-n") == 0) {
        runs = strtol(argv[2], NULL, 10);
        first = 3;
    }
    if (first >= argc || runs < 1 || runs > 100000) {
        fprintf(stderr, "usage: stopwatch [-n RUNS] COMMAND...\n");
        return 2;
    }
    double *times = calloc((size_t)runs, sizeof *times);
    if (!times)
        return 2;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    for (long i = 0; i < runs; i++) {
        int status = run(argv + first, &actions, &times[i], &kb);

        if (i == 0)
            expected = status;
        if (status < 0 || status != expected || WIFSIGNALED(status) || WEXITSTATUS(status) >= 126) {
            fprintf(stderr, "stopwatch: %s cannot run, or ended differently\n", argv[first]);
            free(times);
            return 1;
        }
    }
    qsort(times, (size_t)runs, sizeof *times, by_value);
    printf("%.2f\t%.2f\t%ld\n", times[runs / 2], times[0], kb);
    posix_spawn_file_actions_destroy(&actions);
    free(times);
    return 0;
}
