/*
 * libcore/index: several processes at once, and a new index in the place of the old.
 */
#include "index_fixture.h"

#include "index/internal.h"

/* ---- a child that does something in steps; made before the test opens an index, since SQLite's memory
 * does not cross a fork ---- */

struct child {
    pid_t pid;
    int to, from;
};

static void say(int fd)
{
    if (write(fd, "x", 1) != 1)
        _exit(3);
}

static void await(int fd)
{
    char c;

    if (read(fd, &c, 1) != 1)
        _exit(4);
}

/* `work` begins when go() is called, which returns when it says so. */
static struct child prepare(void (*work)(const char *root, int in, int out), const char *root)
{
    struct child child;
    int down[2], up[2];

    assert_int_equal(pipe(down), 0);
    assert_int_equal(pipe(up), 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        close(down[1]);
        close(up[0]);
        await(down[0]);
        work(root, down[0], up[1]);
        _exit(0);
    }
    close(down[0]);
    close(up[1]);
    child.to = down[1];
    child.from = up[0];
    return child;
}

static void go(const struct child *child)
{
    say(child->to);
    await(child->from);
}

static void finish(struct child *child)
{
    say(child->to);
    assert_int_equal(wait_child(child->pid), 0);
    close(child->to);
    close(child->from);
}

/* ---- writers ---- */

static int write_many(const char *root, int number)
{
    struct index *index = index_open(root, INDEX_WRITE, &err);
    struct object object;

    if (!index)
        return 1;
    /* Study 0 is everyone's. */
    for (int i = 0; i < 200; i++) {
        if (index_begin(index, &err) < 0)
            return 2;
        if (index_add(index, object_of(&object, 1, 0, i % 3, number * 1000 + i), &err) !=
                INDEX_ADDED ||
            index_add(index, object_of(&object, 1, number + 1, 1, i), &err) != INDEX_ADDED)
            return 3;
        if (i % 10 == 9 && index_remove(index, object.uid[0], &err) < 0)
            return 4;
        if (index_commit(index, &err) < 0)
            return 5;
    }
    index_close(index);
    return 0;
}

static void writers_take_turns(void **state)
{
    pid_t child[4];

    for (int i = 0; i < 4; i++) /* they make it together, too */
        child[i] = start_child(write_many, *state, i);
    for (int i = 0; i < 4; i++)
        assert_int_equal(wait_child(child[i]), 0);
    assert_int_equal(plain_number(*state, "SELECT instances FROM study WHERE uid = '1.2.1.0'"),
                     800);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM study"), 1);
    assert_sound(*state);
}

static void keep_transaction(const char *root, int in, int out)
{
    struct index *index = index_open(root, INDEX_WRITE, &err);
    struct object object;

    if (!index || index_begin(index, &err) < 0 ||
        index_add(index, object_of(&object, 9, 9, 9, 9), &err) != INDEX_ADDED)
        _exit(1);
    say(out);
    await(in);
    if (index_commit(index, &err) < 0)
        _exit(2);
    index_close(index);
}

static void who_waits_is_told_for_whom(void **state)
{
    struct child child = prepare(keep_transaction, *state);
    struct index *index = open_index(*state, INDEX_WRITE), *reader;
    struct index_instance row;
    char message[80];

    go(&child);
    index->lock_ms = 50;
    assert_int_equal(index_begin(index, &err), -1);
    assert_int_equal(err.code, ERR_BUSY);
    snprintf(message, sizeof message, "index.db: database is locked by pid %d", (int)child.pid);
    assert_string_equal(err.text, message);
    assert_int_equal(index_begin(index, NULL), -1);
    assert_int_equal(index_hold(index, &err), -1);
    assert_int_equal(err.code, ERR_BUSY);
    /* Readers do not wait: not those that are open, not those that come. */
    assert_int_equal(index_find_instance(index, "1.2.9.9.9.9", &row, &err), 0);
    reader = open_index(*state, INDEX_READ);
    assert_int_equal(index_find_instance(reader, "1.2.9.9.9.9", &row, &err), 0);
    finish(&child);
    assert_int_equal(index_find_instance(reader, "1.2.9.9.9.9", &row, &err), 1);
    index_close(reader);
    add_one(index, 1, 1, 1, 1);
    index_close(index);
    assert_sound(*state);
}

static void hold_it(const char *root, int in, int out)
{
    struct index *index = index_open(root, INDEX_WRITE, &err);

    if (!index || index_hold(index, &err) < 0)
        _exit(1);
    if (index_begin(index, &err) < 0 || index_commit(index, &err) < 0) /* its own go on */
        _exit(2);
    say(out);
    await(in);
    index_release(index);
    index_release(index); /* no harm */
    say(out);
    await(in);
    index_close(index);
}

static void a_hold_keeps_writers_out(void **state)
{
    struct child child = prepare(hold_it, *state);
    struct index *index = open_index(*state, INDEX_WRITE);

    go(&child);
    index->lock_ms = 50;
    assert_int_equal(index_begin(index, &err), -1);
    assert_int_equal(err.code, ERR_BUSY);
    go(&child);
    add_one(index, 1, 1, 1, 1);
    finish(&child);
    index_close(index);
}

/* ---- checkpoints ---- */

static long long size_of_file(const char *root, const char *name)
{
    struct stat status;

    return stat(path_in(root, name), &status) == 0 ? (long long)status.st_size : -1;
}

static void the_log_moves_into_the_index(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE);

    for (int i = 0; i < 20; i++)
        add_one(index, 1, 1, 1, i);
    assert_true(size_of_file(*state, "index.db-wal") > 100000);
    assert_done(index_checkpoint(index, false, &err));
    assert_true(size_of_file(*state, "index.db-wal") > 100000);
    assert_done(index_checkpoint(index, true, &err));
    assert_int_equal(size_of_file(*state, "index.db-wal"), 0);
    assert_done(index_begin(index, &err));
    assert_int_equal(index_checkpoint(index, true, &err), -1); /* not inside a transaction */
    index_rollback(index);
    add_one(index, 2, 1, 1, 1);
    index_close(index);
    assert_sound(*state);
}

static int one_row(void *context, const struct query_row *row, struct err *error)
{
    (void)row;
    (void)error;
    say(((int *)context)[1]);
    await(((int *)context)[0]);
    return 0;
}

/* In the middle of a query until it is told to go on. */
static void read_slowly(const char *root, int in, int out)
{
    struct index *index = index_open(root, INDEX_READ, &err);
    struct query *query = query_new(LEVEL_INSTANCE);
    int fds[2] = {in, out};

    query_limit(query, 1);
    if (!index || index_query(index, query, one_row, fds, &err) != 1)
        _exit(1);
    query_free(query);
    index_close(index);
}

static void write_rows(const char *root, int in, int out)
{
    struct index *index = index_open(root, INDEX_WRITE, &err);
    struct object object;

    if (!index)
        _exit(1);
    for (int i = 0; i < 100; i++)
        if (index_begin(index, &err) < 0 ||
            index_add(index, object_of(&object, 5, 5, 5, i), &err) != INDEX_ADDED ||
            index_commit(index, &err) < 0)
            _exit(2);
    index_close(index);
    say(out);
    await(in);
}

/* A reader that takes its time holds up the checkpoint, but no one else for it. */
static void a_slow_reader_stops_no_writer(void **state)
{
    struct child reader = prepare(read_slowly, *state), writer = prepare(write_rows, *state);
    struct index *index = open_index(*state, INDEX_WRITE);

    add_one(index, 1, 1, 1, 1);
    go(&reader);
    add_one(index, 1, 1, 1, 2);
    say(writer.to);
    index->lock_ms = 500;
    assert_int_equal(index_checkpoint(index, true, &err), -1);
    assert_int_equal(err.code, ERR_BUSY);
    await(writer.from);
    assert_done(index_checkpoint(index, false, &err));
    finish(&reader);
    finish(&writer);
    assert_done(index_checkpoint(index, true, &err));
    assert_int_equal(size_of_file(*state, "index.db-wal"), 0);
    index_close(index);
    assert_sound(*state);
}

/* ---- a new index in the place of the old ---- */

/* The same rows, by whatever way they came. */
static void same_rows(const char *one, const char *other)
{
    static const char rows[] =
        "SELECT group_concat(line, char(10)) FROM (SELECT p.patient_id || '|' || p.issuer || '|' "
        "|| "
        "s.uid || '|' || s.series || '|' || s.instances || '|' || s.bytes || '|' || "
        "coalesce(s.modalities, '') || '|' || r.uid || '|' || r.instances || '|' || i.uid || '|' "
        "|| "
        "coalesce(i.path, '') AS line FROM instance AS i JOIN series AS r ON r.id = i.series JOIN "
        "study AS s ON s.id = r.study JOIN patient AS p ON p.id = s.patient ORDER BY line)";
    char *text = xstrdup(plain_text(one, rows));

    assert_true(*text);
    assert_string_equal(plain_text(other, rows), text);
    free(text);
}

static void fill(struct index *index, int from, int to)
{
    struct object object;

    assert_done(index_begin(index, &err));
    for (int i = from; i < to; i++)
        add_record(index, object_of(&object, i / 100, i / 20, i / 5, i));
    assert_done(index_commit(index, &err));
}

static void a_bulk_load_takes_the_place(void **state)
{
    char *other = xasprintf("%s/other", (char *)*state);
    struct index *index = open_index(*state, INDEX_WRITE), *bulk;
    struct index_instance row;

    assert_int_equal(mkdir(other, 0777), 0);
    fill(index, 9000, 9050); /* the old one */
    index_close(index);
    bulk = open_index(*state, INDEX_BULK);
    fill(bulk, 0, 300);
    fill(bulk, 300, 500);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 50);
    assert_done(index_replace(bulk, &err));
    assert_int_equal(access(path_in(*state, "index.db.new"), F_OK), -1);
    assert_sound(*state);
    /* It is a writer like any other now. */
    assert_int_equal(index_find_instance(bulk, "1.2.0.0.0.0", &row, &err), 1);
    fill(bulk, 500, 600);
    index_close(bulk);
    index = open_index(other, INDEX_WRITE);
    fill(index, 0, 600);
    index_close(index);
    same_rows(*state, other);
    assert_sound(*state);
    run_plain(other, "VACUUM");
    assert_string_equal(plain_text(*state, "SELECT group_concat(name) FROM (SELECT name FROM "
                                           "sqlite_schema ORDER BY name)"),
                        plain_text(other, "SELECT group_concat(name) FROM (SELECT name FROM "
                                          "sqlite_schema ORDER BY name)"));
    free(other);
}

static void an_abandoned_bulk_load_leaves_nothing(void **state)
{
    struct index *index = open_index(*state, INDEX_WRITE), *bulk;

    fill(index, 0, 10);
    bulk = open_index(*state, INDEX_BULK);
    fill(bulk, 0, 300);
    index_close(bulk);
    assert_int_equal(access(path_in(*state, "index.db.new"), F_OK), -1);
    bulk = open_index(*state, INDEX_BULK);
    assert_done(index_begin(bulk, &err));
    assert_int_equal(index_replace(bulk, &err), -1); /* unfinished */
    index_rollback(bulk);
    assert_int_equal(index_begin(bulk, &err), -1);
    assert_int_equal(index_replace(bulk, &err), -1); /* broken */
    index_close(bulk);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 10);
    fill(index, 10, 20);
    index_close(index);
    assert_sound(*state);
}

/* What a bulk load cannot notice while it runs is sorted out at its end: of equal ones the first stays. */
static void copies_in_a_bulk_load(void **state)
{
    struct index *bulk = open_index(*state, INDEX_BULK);
    struct index_instance row;
    struct object object;
    char path[64];

    assert_done(index_begin(bulk, &err));
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 3000; i++) {
            if (round && i % 7)
                continue;
            object_of(&object, i / 100, i / 50 + (round == 2) * 1000, i / 10 + round, i);
            /* The same instance, in a series and (the third time) a study that nothing else is in. */
            snprintf(object.uid[2], 65, "1.2.3.%d", i);
            snprintf(path, sizeof path, "/data/%d/%d.dcm", round, i);
            object.record.path = i % 2 ? path : NULL;
            add_record(bulk, &object.record);
        }
    assert_done(index_commit(bulk, &err));
    assert_done(index_replace(bulk, &err));
    assert_int_equal(index_find_instance(bulk, "1.2.3.7", &row, &err), 1);
    assert_string_equal(row.path, "/data/0/7.dcm");
    assert_string_equal(row.study_uid, "1.2.0.0");
    index_close(bulk);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 3000);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM series"), 300);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM study"), 60);
    /* Copies are known as such, so that they are not read again. */
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM file WHERE instance < 0"), 428);
    assert_sound(*state);
}

/* A writer with the old one open goes over at its next transaction; one bulk load at a time. */
static void writers_follow(void **state)
{
    struct index *writer = open_index(*state, INDEX_WRITE), *bulk;
    struct index_instance row;

    fill(writer, 0, 10);
    bulk = open_index(*state, INDEX_BULK);
    writer->lock_ms = 50;
    assert_int_equal(index_begin(writer, &err), -1); /* held off while it loads */
    assert_int_equal(err.code, ERR_BUSY);
    fill(bulk, 0, 20);
    assert_done(index_replace(bulk, &err));
    index_close(bulk);
    fill(writer, 20, 30);
    assert_int_equal(index_find_instance(writer, "1.2.0.0.3.15", &row, &err), 1);
    index_close(writer);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 30);
    assert_sound(*state);
}

static void a_deleted_index_is_made_again(void **state)
{
    struct index *writer = open_index(*state, INDEX_WRITE);

    fill(writer, 0, 10);
    unlink(path_in(*state, "index.db"));
    unlink(path_in(*state, "index.db-wal"));
    unlink(path_in(*state, "index.db-shm"));
    fill(writer, 10, 15);
    index_close(writer);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 5);
    assert_sound(*state);
}

/* Its place is taken by something that is no index: nothing works, and nothing ends the process. */
static void a_writer_without_a_database(void **state)
{
    struct index *writer = open_index(*state, INDEX_WRITE);
    struct query *query = query_new(LEVEL_STUDY);
    struct index_instance row;
    FILE *file;

    fill(writer, 0, 10);
    assert_done(index_checkpoint(writer, true, &err));
    unlink(path_in(*state, "index.db"));
    file = fopen(path_in(*state, "index.db"), "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database\n", file);
    fclose(file);
    assert_int_equal(index_begin(writer, &err), -1);
    assert_string_equal(err.text, "index.db: file is not a database");
    assert_int_equal(index_find_instance(writer, "1.2", &row, &err), -1);
    assert_string_equal(err.text, "index.db: not open");
    assert_int_equal(index_checkpoint(writer, true, &err), -1);
    assert_int_equal(index_query(writer, query, one_row, NULL, &err), -1);
    assert_int_equal(index_remove(writer, "1.2", &err), -1);
    assert_int_equal(index_begin(writer, &err), -1);
    query_free(query);
    index_close(writer);
}

/* A reader in the middle of the old one finishes on it. */
static void readers_finish_on_the_old_one(void **state)
{
    struct child reader = prepare(read_slowly, *state);
    struct index *index = open_index(*state, INDEX_WRITE), *bulk;

    fill(index, 0, 10);
    index_close(index);
    go(&reader);
    bulk = open_index(*state, INDEX_BULK);
    fill(bulk, 0, 20);
    assert_done(index_replace(bulk, &err));
    finish(&reader);
    index_close(bulk);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 20);
    assert_sound(*state);
}

/* One that reads an older state than the newest keeps the log from being emptied. */
static void an_old_reader_is_waited_for(void **state)
{
    struct child reader = prepare(read_slowly, *state);
    struct index *index = open_index(*state, INDEX_WRITE), *bulk;

    fill(index, 20, 30);
    go(&reader);
    fill(index, 30, 40);
    bulk = open_index(*state, INDEX_BULK);
    fill(bulk, 0, 50);
    bulk->lock_ms = 200;
    assert_int_equal(index_replace(bulk, &err), -1);
    assert_int_equal(err.code, ERR_BUSY);
    assert_non_null(strstr(err.text, "a reader"));
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 20);
    finish(&reader);
    assert_done(index_replace(bulk, &err)); /* again */
    index_close(bulk);
    index_close(index);
    assert_int_equal(plain_number(*state, "SELECT count(*) FROM instance"), 50);
    assert_sound(*state);
}

static int count_row(void *context, const struct query_row *row, struct err *error)
{
    (void)row;
    (void)error;
    ++*(int *)context;
    return 0;
}

static void read_again_and_again(const char *root, int in, int out)
{
    struct query *query = query_new(LEVEL_INSTANCE);

    say(out);
    for (int i = 0; i < 300; i++) {
        struct index *index = index_open(root, INDEX_READ, &err);
        int rows = 0;

        if (!index || index_query(index, query, count_row, &rows, &err) < 0 || rows % 20) {
            fprintf(stderr, "# %d rows, %s\n", rows, err.text);
            _exit(1);
        }
        index_close(index);
    }
    query_free(query);
    await(in);
}

/* Readers that come at any moment see the old or the new, whole. */
static void readers_come_while_it_is_replaced(void **state)
{
    struct child reader[2] = {prepare(read_again_and_again, *state),
                              prepare(read_again_and_again, *state)};
    struct index *index = open_index(*state, INDEX_WRITE);

    fill(index, 0, 20);
    for (int i = 0; i < 2; i++)
        go(&reader[i]);
    for (int round = 1; round < 20; round++) {
        struct index *bulk = open_index(*state, INDEX_BULK);

        fill(bulk, 0, round * 20);
        assert_done(index_replace(bulk, &err));
        fill(bulk, round * 20, round * 20 + 20);
        index_close(bulk);
    }
    for (int i = 0; i < 2; i++)
        finish(&reader[i]);
    index_close(index);
    assert_sound(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writers_take_turns),
        TEST(who_waits_is_told_for_whom),
        TEST(a_hold_keeps_writers_out),
        TEST(the_log_moves_into_the_index),
        TEST(a_slow_reader_stops_no_writer),
        TEST(a_bulk_load_takes_the_place),
        TEST(an_abandoned_bulk_load_leaves_nothing),
        TEST(copies_in_a_bulk_load),
        TEST(writers_follow),
        TEST(a_deleted_index_is_made_again),
        TEST(a_writer_without_a_database),
        TEST(readers_finish_on_the_old_one),
        TEST(an_old_reader_is_waited_for),
        TEST(readers_come_while_it_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
