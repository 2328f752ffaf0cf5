/*
 * libcore/index: killed at any moment, no room, damaged files, media that cannot be written.
 */
#include "index_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "index/internal.h"

static void fill(struct index *index, int from, int to)
{
    struct object object;

    assert_done(index_begin(index, &err));
    for (int i = from; i < to; i++)
        add_record(index, object_of(&object, i / 100, i / 20, i / 5, i));
    assert_done(index_commit(index, &err));
}

static int count_row(void *context, const struct query_row *row, struct err *error)
{
    (void)row;
    (void)error;
    ++*(int *)context;
    return 0;
}

static int64_t ask(struct index *index, const char *key)
{
    struct query *query = query_new(LEVEL_INSTANCE);
    int64_t result;
    int rows = 0;

    query_add(query, match_parse(key, &err));
    result = index_query(index, query, count_row, &rows, &err);
    query_free(query);
    return result;
}

/* ---- killed ---- */

/* Says the number of each object once it is committed. */
static void write_until_killed(const char *root, int first, int out)
{
    struct index *index = index_open(root, INDEX_WRITE, &err);
    struct object object;

    for (int i = first; index; i++) {
        bool large = i % 10 == 0; /* and some that are never committed */

        if (index_begin(index, &err) < 0)
            break;
        for (int k = 0; large && k < 200; k++)
            index_add(index, object_of(&object, 7, 7, 7, i * 1000 + k), &err);
        if (large)
            index_rollback(index);
        if ((large && index_begin(index, &err) < 0) ||
            index_add(index, object_of(&object, i % 5, i % 10, i % 20, i), &err) != INDEX_ADDED ||
            index_commit(index, &err) < 0 || write(out, &i, sizeof i) != sizeof i)
            break;
        if (i % 50 == 0)
            index_checkpoint(index, i % 100 == 0, &err);
    }
    fprintf(stderr, "# %s\n", err.text);
    _exit(1);
}

/* Some moment after `count` are committed. Returns one more than the last that was. */
static int run_and_kill(const char *root, int first, int count, int microseconds)
{
    int fds[2], number, last = first;
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (child == 0) {
        close(fds[0]);
        write_until_killed(root, first, fds[1]);
    }
    close(fds[1]);
    while (count-- > 0 && read(fds[0], &number, sizeof number) == sizeof number)
        last = number + 1;
    usleep((useconds_t)microseconds);
    kill(child, SIGKILL);
    while (read(fds[0], &number, sizeof number) == sizeof number)
        last = number + 1;
    close(fds[0]);
    assert_int_equal(wait_child(child), 128 + SIGKILL);
    return last;
}

static void killed_at_any_moment(void **state)
{
    struct index_instance row;
    struct object object;
    int next = 0, end;

    srand(3);
    for (int round = 0; round < 25; round++) {
        struct index *index;

        end = run_and_kill(*state, next, rand() % 60, rand() % 3000);
        index = index_open(*state, INDEX_READ, &err);
        if (!index) { /* before it was made */
            assert_int_equal(err.code, ERR_NOTFOUND);
            assert_int_equal(end, 0);
            continue;
        }
        for (int i = next; i < end; i++) {
            object_of(&object, i % 5, i % 10, i % 20, i);
            assert_int_equal(index_find_instance(index, object.uid[2], &row, &err), 1);
        }
        /* One more may be committed that was not said. */
        object_of(&object, end % 5, end % 10, end % 20, end);
        next = end + index_find_instance(index, object.uid[2], &row, &err);
        assert_int_equal(ask(index, "PatientID=P7"), 0);
        index_close(index);
        assert_sound(*state);
        assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), next);
    }
    assert_true(next > 25);
}

static void load_until_killed(const char *root, int out)
{
    struct index *bulk = index_open(root, INDEX_BULK, &err);
    struct object object;

    if (!bulk || index_begin(bulk, &err) < 0 || write(out, "x", 1) != 1)
        _exit(1);
    for (int i = 0;; i++)
        index_add(bulk, object_of(&object, i, i, i, i), &err);
}

/* A bulk load that ended half-way is no harm to the index, to writers or to the next load. */
static void a_bulk_load_is_killed(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);
    int fds[2];
    pid_t child;
    char c;

    fill(index, 0, 50);
    index_close(index);
    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (child == 0)
        load_until_killed(*state, fds[1]);
    assert_int_equal(read(fds[0], &c, 1), 1);
    usleep(100000);
    kill(child, SIGKILL);
    assert_int_equal(wait_child(child), 128 + SIGKILL);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(access(path_in(*state, "index.db.new"), F_OK), 0);
    index = open_index(*state, INDEX_WRITE);
    fill(index, 50, 60);
    index_close(index);
    index = open_index(*state, INDEX_BULK);
    fill(index, 0, 100);
    assert_done(index_replace(index, &err));
    index_close(index);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 100);
    assert_sound(*state);
}

/* ---- no room ---- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
}

#define EXPECT(condition)                                                           \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "# line %d: %s: %s\n", __LINE__, #condition, err.text); \
            return 1;                                                               \
        }                                                                           \
    } while (0)

/* In a child: the limit is that of the whole process. */
static int fill_the_disk(const char *root, int bulk)
{
    struct index *index;
    struct object object;
    int added = 0;

    signal(SIGXFSZ, SIG_IGN);
    limit_files(0);
    err.code = ERR_NONE;
    EXPECT(!index_open(root, bulk ? INDEX_BULK : INDEX_WRITE, &err));
    EXPECT(err.code == ERR_NOSPACE);
    limit_files(400000);
    index = index_open(root, bulk ? INDEX_BULK : INDEX_WRITE, &err);
    EXPECT(index);
    for (;; added++) {
        EXPECT(index_begin(index, &err) == 0);
        for (int i = 0; i < 20; i++)
            if (index_add(index, object_of(&object, added, added, added, i), &err) != INDEX_ADDED)
                goto full;
        if (index_commit(index, &err) < 0)
            goto full;
        EXPECT(added < 10000);
    }
full:
    EXPECT(err.code == ERR_NOSPACE);
    index_rollback(index);
    limit_files(RLIM_INFINITY);
    if (bulk) { /* a load is given up as a whole */
        EXPECT(index_begin(index, &err) < 0);
        EXPECT(index_replace(index, &err) < 0);
        index_close(index);
        EXPECT(access(path_in(root, "index.db.new"), F_OK) < 0);
        return 0;
    }
    /* Room again, and it goes on. */
    EXPECT(index_begin(index, &err) == 0);
    for (int i = 0; i < 20; i++)
        EXPECT(index_add(index, object_of(&object, added, added, added, i), &err) == INDEX_ADDED);
    EXPECT(index_commit(index, &err) == 0);
    index_close(index);
    return plain_number(root, "SELECT count(*) FROM instance") == (added + 1) * 20 ? 0 : 2;
}

static void no_room(void **state)
{
    assert_int_equal(wait_child(start_child(fill_the_disk, *state, 0)), 0);
    assert_sound(*state);
    assert_int_equal(wait_child(start_child(fill_the_disk, *state, 1)), 0);
    assert_sound(*state);
}

/* The load fits, its indexes do not. */
static int no_room_to_replace(const char *root, int unused)
{
    struct index *index = index_open(root, INDEX_WRITE, &err);
    struct stat status;

    (void)unused;
    signal(SIGXFSZ, SIG_IGN);
    fill(index, 0, 10);
    index_close(index);
    index = index_open(root, INDEX_BULK, &err);
    fill(index, 0, 5000);
    assert_int_equal(sqlite3_db_cacheflush(index->db), SQLITE_OK);
    EXPECT(stat(path_in(root, "index.db.new"), &status) == 0);
    limit_files((rlim_t)status.st_size + 50000);
    EXPECT(index_replace(index, &err) < 0);
    EXPECT(err.code == ERR_NOSPACE);
    EXPECT(index_replace(index, &err) < 0);
    limit_files(RLIM_INFINITY);
    index_close(index);
    EXPECT(access(path_in(root, "index.db.new"), F_OK) < 0);
    return 0;
}

static void no_room_for_the_new_one(void **state)
{
    assert_int_equal(wait_child(start_child(no_room_to_replace, *state, 0)), 0);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 10);
    assert_sound(*state);
}

/* ---- damaged ---- */

static int see_file(void *context, const struct index_file *file, struct err *error)
{
    (void)error;
    *(size_t *)context += strlen(file->name);
    return 0;
}

static int see_folder(void *context, const char *path, struct err *error)
{
    (void)error;
    *(size_t *)context += strlen(path);
    return 0;
}

static int see_object(void *context, const struct index_object *object, struct err *error)
{
    (void)error;
    *(size_t *)context += strlen(object->path) + strlen(object->sop_uid) +
                          strlen(object->series_uid) + strlen(object->study_uid);
    return 0;
}

/* Everything that a program does with an index; whatever comes of it, it says so and goes on. Returns
 * whether anything was refused. */
static bool use(const char *root, enum index_mode mode)
{
    struct index_statistics statistics;
    struct index_instance row;
    struct object object;
    struct index *index;
    size_t seen = 0;
    bool refused;

    memset(&err, 0, sizeof err);
    index = index_open(root, mode, &err);
    refused = !index;
    if (index) {
        refused |= ask(index, "PatientName=D*") < 0;
        refused |= ask(index, "KVP!=120") < 0;
        refused |= index_stats(index, &statistics, &err) < 0;
        refused |= index_objects(index, "patient:P0", see_object, &seen, &err) < 0;
        refused |= index_folder_files(index, "/data", see_file, &seen, &err) < 0;
        refused |= index_folders(index, "/", see_folder, &seen, &err) < 0;
        refused |= index_find_instance(index, "1.2.0.0.0.1", &row, &err) < 0;
    }
    if (index && mode == INDEX_WRITE && index_begin(index, &err) == 0) {
        refused |= index_add(index, object_of(&object, 0, 0, 0, 9999), &err) == INDEX_ERROR;
        refused |= index_remove(index, "1.2.0.0.0", &err) < 0;
        refused |= index_commit(index, &err) < 0;
    }
    index_close(index);
    if (refused) {
        assert_int_not_equal(err.code, ERR_NONE);
        if (!strstr(err.text, "index.db") && !strstr(err.text, "not in the index"))
            fail_msg("%s", err.text);
    }
    return refused;
}

static void make_one(const char *root, struct buf *bytes)
{
    struct index *index = open_index(root, INDEX_WRITE);
    struct object object;
    char path[64];
    FILE *file;

    fill(index, 0, 300);
    assert_done(index_begin(index, &err));
    for (int i = 0; i < 100; i++) {
        object_of(&object, 0, 0, 0, 1000 + i);
        snprintf(path, sizeof path, "/data/%d", i);
        object.record.path = path;
        add_record(index, &object.record);
    }
    assert_done(index_commit(index, &err));
    assert_done(index_checkpoint(index, true, &err));
    index_close(index);
    file = fopen(path_in(root, "index.db"), "r");
    for (int c; (c = getc(file)) != EOF;)
        buf_addc(bytes, (char)c);
    fclose(file);
}

static void put_back(const char *root, const void *bytes, size_t length)
{
    FILE *file;

    unlink(path_in(root, "index.db-wal"));
    unlink(path_in(root, "index.db-shm"));
    file = fopen(path_in(root, "index.db"), "w");
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void cut_short(void **state)
{
    struct buf bytes = {0};

    make_one(*state, &bytes);
    assert_false(use(*state, INDEX_READ));
    for (size_t length = 1; length < bytes.length; length += length < 200 ? 33 : 4096 * 3 + 777) {
        put_back(*state, bytes.data, length);
        assert_true(use(*state, INDEX_READ));
        if (length > 8192)
            assert_non_null(strstr(err.text, "pacs-index --rebuild"));
        use(*state, INDEX_WRITE);
    }
    buf_free(&bytes);
}

static void garbage_in_it(void **state)
{
    struct buf bytes = {0}, bad = {0};
    int refused = 0;

    srand(8);
    make_one(*state, &bytes);
    for (int round = 0; round < 150; round++) {
        size_t page = (size_t)rand() % (bytes.length / 4096) * 4096;

        buf_clear(&bad);
        buf_add(&bad, bytes.data, bytes.length);
        if (round % 3 == 0) /* a whole page, a few bytes, a few bits */
            for (int i = page ? 0 : 100; i < 4096; i++)
                bad.data[page + (size_t)i] = (char)rand();
        else
            for (int i = rand() % 40; i >= 0; i--)
                bad.data[page + (size_t)(rand() % (round % 3 == 1 ? 4096 : 200))] ^=
                    (char)(round % 2 ? 1 << rand() % 8 : rand());
        put_back(*state, bad.data, bad.length);
        refused += use(*state, INDEX_READ);
        refused += use(*state, INDEX_WRITE);
    }
    assert_true(refused > 50);
    buf_free(&bytes);
    buf_free(&bad);
}

/* Rows that contradict each other, as no writer of ours leaves them. */
static void rows_that_make_no_sense(void **state)
{
    static const char *const nonsense[] = {
        "UPDATE instance SET folder = 4711 WHERE path IS NOT NULL",
        "UPDATE study SET folder = NULL",
        "UPDATE file SET instance = 999999",
        "UPDATE study SET patient = 999999, modalities = x'00ff', classes = 5",
        "UPDATE series SET uid = CAST(uid AS BLOB), number = x'00'",
        "UPDATE instance SET number = 1e300, class = 999, syntax = -1",
        "DELETE FROM term",
        "DELETE FROM folder",
        "DELETE FROM series",
        "DROP TABLE file",
        "DROP TABLE patient_name; CREATE TABLE patient_name(other)",
    };
    struct buf bytes = {0};

    make_one(*state, &bytes);
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        put_back(*state, bytes.data, bytes.length);
        run_plain(*state, nonsense[i]);
        use(*state, INDEX_READ);
        use(*state, INDEX_WRITE);
    }
    buf_free(&bytes);
}

static void no_database_at_all(void **state)
{
    static const size_t sizes[] = {600, 4096, 20000};
    char text[20000];

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < 3; i++) {
        put_back(*state, text, sizes[i]);
        assert_null(index_open(*state, INDEX_READ, &err));
        assert_string_equal(err.text, "index.db: file is not a database");
        assert_null(index_open(*state, INDEX_WRITE, &err));
        assert_string_equal(err.text, "index.db: file is not a database");
        assert_int_equal(err.code, ERR_INPUT);
    }
    /* A rebuild puts an index in its place. */
    struct index *bulk = open_index(*state, INDEX_BULK);

    fill(bulk, 0, 10);
    assert_done(index_replace(bulk, &err));
    index_close(bulk);
    assert_sound(*state);
    unlink(path_in(*state, "index.db"));
    assert_int_equal(mkdir(path_in(*state, "index.db"), 0777), 0);
    assert_null(index_open(*state, INDEX_READ, &err));
    assert_non_null(strstr(err.text, "index.db"));
    assert_null(index_open(*state, INDEX_WRITE, &err));
    assert_non_null(strstr(err.text, "index.db"));
}

/* ---- without the right to write ---- */

static void become_no_one(void)
{
    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
        _exit(9);
}

/* For someone else, to whom the folder is not writable. */
static int read_only(const char *root, int expected)
{
    struct index *index;

    become_no_one();
    EXPECT(access(root, W_OK) < 0);
    index = index_open(root, INDEX_READ, &err);
    if (expected < 0) {
        EXPECT(!index);
        EXPECT(strstr(err.text, "index.db"));
        EXPECT(strstr(err.text, "cannot be written"));
        return 0;
    }
    EXPECT(index);
    EXPECT(ask(index, "Modality=CT") == expected);
    index_close(index);
    EXPECT(!index_open(root, INDEX_WRITE, &err));
    EXPECT(strstr(err.text, "Permission denied"));
    return 0;
}

static int leave_the_log(const char *root, int from)
{
    struct index *index = index_open(root, INDEX_WRITE, &err);

    fill(index, from, from + 5);
    return 0; /* as kill would: nothing is closed */
}

static void without_the_right_to_write(void **state)
{
    struct index *index;
    pid_t child;

    /* The log is empty and gone: the file stands for itself. */
    index = open_index(*state, INDEX_WRITE);
    fill(index, 0, 10);
    index_close(index);
    assert_int_equal(access(path_in(*state, "index.db-shm"), F_OK), -1);
    assert_int_equal(chmod(*state, 0555), 0);
    assert_int_equal(wait_child(start_child(read_only, *state, 10)), 0);

    /* A log with newer rows, left by one who was killed. */
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(wait_child(start_child(leave_the_log, *state, 10)), 0);
    assert_int_equal(chmod(*state, 0555), 0);
    assert_int_equal(wait_child(start_child(read_only, *state, 15)), 0);

    /* The same, and the file that the readers share is not there and cannot be made. */
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(unlink(path_in(*state, "index.db-shm")), 0);
    assert_int_equal(chmod(*state, 0555), 0);
    assert_int_equal(wait_child(start_child(read_only, *state, -1)), 0);

    /* A writer at work. */
    assert_int_equal(chmod(*state, 0755), 0);
    child = start_child(read_only, *state, 20); /* forked before, stopped until then */
    kill(child, SIGSTOP);
    index = open_index(*state, INDEX_WRITE);
    fill(index, 15, 20);
    assert_int_equal(chmod(*state, 0555), 0);
    kill(child, SIGCONT);
    assert_int_equal(wait_child(child), 0);
    assert_int_equal(chmod(*state, 0755), 0);
    index_close(index);
    assert_sound(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(killed_at_any_moment),
        TEST(a_bulk_load_is_killed),
        TEST(no_room),
        TEST(no_room_for_the_new_one),
        TEST(cut_short),
        TEST(garbage_in_it),
        TEST(rows_that_make_no_sense),
        TEST(no_database_at_all),
        TEST(without_the_right_to_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
