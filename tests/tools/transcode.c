/*
 * transcode [-d] [-l] [-q QUALITY] [-u UID] SYNTAX IN OUT: dcm_transcode from one file to another, for
 * tests and for trying out. OUT "-" is stdout. -d: the data set alone; -l: with loss; -u: a new SOP
 * Instance UID. Exit status 1: refused, with the reason on stderr.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dcmtk/transcode.h"

int main(int argc, char **argv)
{
    struct dcm_transcode_options options = {0};
    struct dcm_transcoded result;
    struct err err;
    int option, in, out = 1;

    while ((option = getopt(argc, argv, "dlq:u:")) != -1) {
        switch (option) {
        case 'd':
            options.data_set_only = true;
            break;
        case 'l':
            options.lossy = true;
            break;
        case 'q':
            options.quality = (int)strtol(optarg, NULL, 10);
            break;
        case 'u':
            options.sop_instance_uid = optarg;
            break;
        default:
            return 2;
        }
    }
    if (argc - optind != 3)
        return 2;
    options.transfer_syntax = argv[optind];
    in = open(argv[optind + 1], O_RDONLY | O_CLOEXEC);
    if (strcmp(argv[optind + 2], "-") != 0)
        out = open(argv[optind + 2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (in < 0 || out < 0) {
        perror(in < 0 ? argv[optind + 1] : argv[optind + 2]);
        return 2;
    }
    if (dcm_transcode(in, argv[optind + 1], out, &options, &result, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    fprintf(stderr, "%s: %u frames, %llu bytes, ratio %.2f%s\n", result.from, result.frames,
            (unsigned long long)result.bytes, result.ratio, result.lossy ? ", lossy" : "");
    return 0;
}
