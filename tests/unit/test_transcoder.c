/*
 * libcore/net/transcoder: a helper that crashes, keeps silent, answers nonsense or is missing costs one object and is
 * replaced. The helper here is a shell script that a test writes; the real one is tested end to end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "net/transcoder.h"

static const struct transcode_request request = {.transfer_syntax = "1.2.840.10008.1.2"};
static char folder[] = "/tmp/pacs-transcoder.XXXXXX";

static void helper(const char *script)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/pacs-transcode", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", script);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

static int run(struct transcoder *transcoder, struct err *err)
{
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC), out = temporary_file(err), status;

    assert_true(in >= 0 && out >= 0);
    status = transcoder_run(transcoder, in, "name", &request, out, NULL, err);
    close(in);
    close(out);
    return status;
}

static void test_crash(void **state)
{
    struct transcoder *transcoder = transcoder_new();
    struct err err = {0};

    (void)state;
    helper("kill -SEGV $$");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run(transcoder, &err), -1);
        assert_int_equal(err.code, ERR_INPUT);
        assert_non_null(strstr(err.text, "name: "));
        assert_non_null(strstr(err.text, "signal 11"));
    }
    helper("exit 3");
    assert_int_equal(run(transcoder, &err), -1);
    assert_non_null(strstr(err.text, "status 3"));
    transcoder_free(transcoder);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_silence(void **state)
{
    struct transcoder *transcoder = transcoder_new();
    struct err err = {0};

    (void)state;
    helper("exec sleep 1000");
    transcoder_set_timeout(transcoder, 50);
    assert_int_equal(run(transcoder, &err), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    /* It is gone, and so is the next. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(run(transcoder, &err), -1);
    assert_int_equal(err.code, ERR_TIMEOUT);
    transcoder_free(transcoder);
}

static void test_missing(void **state)
{
    struct transcoder *transcoder = transcoder_new();
    struct err err = {0};
    char path[256];

    (void)state;
    snprintf(path, sizeof path, "%s/pacs-transcode", folder);
    unlink(path);
    assert_int_equal(run(transcoder, &err), -1);
    assert_int_equal(err.code, ERR_NOTFOUND);
    transcoder_free(transcoder);
    transcoder_free(NULL);
}

/* ---- the helper's side ---- */

static int work(int fd, const char *name, const struct transcode_request *wanted, int out,
                struct transcode_result *result, struct err *err)
{
    char byte;

    if (strcmp(name, "a name with blanks") != 0 || !wanted->lossy || wanted->quality != 55 ||
        strcmp(wanted->new_uid, "1.2.3") != 0 || pread(fd, &byte, 1, 0) != 0)
        return err_set(err, ERR_INPUT, "not what was sent");
    if (strcmp(wanted->transfer_syntax, "1.2.840.10008.1.2.4.50") != 0)
        return err_set(err, ERR_NOSPACE, "%s: no room", name);
    if (write(out, "done", 4) != 4)
        return err_sys(err, "out");
    *result = (struct transcode_result){.frames = 7, .bytes = UINT64_C(5000000000), .lossy = true};
    return 0;
}

/* The test's own program serves, when it is started by the name of the helper. */
static void test_dialogue(void **state)
{
    struct transcoder *transcoder = transcoder_new();
    struct transcode_request wanted = {"1.2.840.10008.1.2.4.50", true, 55, "1.2.3"};
    struct transcode_result result = {0};
    struct err err = {0};
    char script[600], own[400] = "", bytes[8] = "";
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC), out = temporary_file(&err);

    (void)state;
    assert_true(readlink("/proc/self/exe", own, sizeof own - 1) > 0);
    snprintf(script, sizeof script, "exec %s \"$@\"", own);
    helper(script);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            transcoder_run(transcoder, in, "a name with blanks", &wanted, out, &result, &err), 0);
    assert_int_equal(pread(out, bytes, sizeof bytes, 0), 8);
    assert_memory_equal(bytes, "donedone", 8);
    assert_int_equal(result.frames, 7);
    assert_true(result.bytes == UINT64_C(5000000000) && result.lossy);
    wanted.transfer_syntax = "1.2";
    assert_int_equal(
        transcoder_run(transcoder, in, "a name with blanks", &wanted, out, &result, &err), -1);
    assert_int_equal(err.code, ERR_NOSPACE);
    assert_string_equal(err.text, "a name with blanks: no room");
    close(in);
    close(out);
    transcoder_free(transcoder);
}

/* What is no request ends the helper with an error, not by a crash. */
static void test_bad_requests(void **state)
{
    struct err err = {0};
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(send(ends[0], "no descriptors", 14, 0), 14);
    assert_int_equal(transcoder_serve(ends[1], work, &err), -1);
    assert_int_equal(err.code, ERR_INPUT);
    close(ends[0]);
    assert_int_equal(transcoder_serve(ends[1], work, &err), 0);
    close(ends[1]);
    int null = open("/dev/null", O_RDONLY);
    assert_int_equal(transcoder_serve(null, work, &err), -1);
    close(null);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash),        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_missing),      cmocka_unit_test(test_dialogue),
        cmocka_unit_test(test_bad_requests),
    };
    struct err err;
    char path[4096], command[64];
    int status;

    if (argc == 2 && strcmp(argv[1], "--serve") == 0)
        return transcoder_serve(0, work, &err) < 0;
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s:%s", folder, getenv("PATH"));
    setenv("PATH", path, 1);
    status = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "%s/pacs-transcode", folder);
    unlink(command);
    rmdir(folder);
    return status;
}
