/*
 * See feed.h. A ring of batches: the source fills one after the other, readers take the next filled one,
 * the taker waits for the oldest. Each batch passes EMPTY, FILLED, READING, DONE; three counters say
 * where in the ring each side is. All of it is under one lock, taken a few times per batch.
 */
#include "index/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RING          16
#define BATCH_ITEMS   64
#define BATCH_FOLDERS 16 /* each holds a descriptor */
#define ARENA_KEPT    ((size_t)16 << 10)
#define HELD_MAX      ((size_t)64 << 20) /* bytes of headers that wait to be taken */
#define THREADS_MAX   64
#define STOP_NS       100000000 /* how often a waiting side looks at `stop` */

enum batch_state { BATCH_EMPTY, BATCH_FILLED, BATCH_READING, BATCH_DONE };

struct folder {
    char *path;
    int fd;
    bool follow;
};

struct batch {
    enum batch_state state;
    size_t count, folder_count;
    struct feed_item item[BATCH_ITEMS];
    char *name[BATCH_ITEMS];
    bool unread[BATCH_ITEMS];
    struct folder folder[BATCH_FOLDERS];
};

struct feed {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    feed_source *source;
    void *context;
    int status;
    struct err err;
    bool finished, stopped;
    uint64_t filled, reading, taken; /* batches so far */
    struct batch ring[RING];
    atomic_size_t held;
    pthread_t thread[THREADS_MAX + 1];
    size_t threads;
    struct batch *current; /* of the taker */
    size_t at;             /* in it: the item to come */
    const volatile sig_atomic_t *stop;
    struct object_reader reader;
};

static struct batch *batch_of(struct feed *feed, uint64_t number)
{
    return &feed->ring[number % RING];
}

/* Waits for a change, but not so long that a signal goes unnoticed. */
static void wait_change(struct feed *feed)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += STOP_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&feed->changed, &feed->lock, &until);
    if (feed->stop && *feed->stop)
        feed->stopped = true;
}

/* ---- reading ---- */

static size_t arena_extra(const struct feed_item *item)
{
    size_t capacity = item->object.arena.capacity;

    return capacity > ARENA_KEPT ? capacity : 0;
}

static void read_item(struct object_reader *reader, struct feed_item *item)
{
    bool root = strcmp(item->folder, "/") == 0;
    struct err err = {0};
    int fd;

    if (item->fd >= 0) {
        fd = openat(item->fd, item->name,
                    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (item->follow ? 0 : O_NOFOLLOW));
    } else {
        char *path = xasprintf("%s/%s", item->folder, item->name);

        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        free(path);
    }
    if (fd < 0) {
        err_sys(&err, "%s", item->name);
        item->kind = OBJECT_FAILED;
    } else {
        item->kind = object_read(reader, fd, item->name, &item->object, &err);
        close(fd);
    }
    /* The message begins with the name. */
    if (item->kind != OBJECT_SOUND)
        item->why = xasprintf("%s%s%s", root ? "" : item->folder, "/", err.text);
}

static void read_batch(struct feed *feed, struct object_reader *reader, struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct feed_item *item = &batch->item[i];

        if (item->task != FEED_READ)
            continue;
        if (atomic_load_explicit(&feed->held, memory_order_relaxed) > HELD_MAX) {
            batch->unread[i] = true;
            continue;
        }
        read_item(reader, item);
        atomic_fetch_add_explicit(&feed->held, arena_extra(item), memory_order_relaxed);
    }
}

static void *reader_thread(void *context)
{
    struct feed *feed = context;
    struct object_reader reader;

    object_reader_init(&reader);
    pthread_mutex_lock(&feed->lock);
    for (;;) {
        struct batch *batch;

        while (!feed->stopped && feed->reading == feed->filled && !feed->finished)
            wait_change(feed);
        if (feed->stopped || feed->reading == feed->filled)
            break;
        batch = batch_of(feed, feed->reading++);
        batch->state = BATCH_READING;
        pthread_mutex_unlock(&feed->lock);
        read_batch(feed, &reader, batch);
        pthread_mutex_lock(&feed->lock);
        batch->state = BATCH_DONE;
        pthread_cond_broadcast(&feed->changed);
    }
    pthread_mutex_unlock(&feed->lock);
    object_reader_free(&reader);
    return NULL;
}

/* ---- the source ---- */

/* Hands the batch that is being filled to the readers. */
static void pass_on(struct feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    batch_of(feed, feed->filled)->state = BATCH_FILLED;
    feed->filled++;
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->lock);
}

/* The batch to fill, once it is free; NULL when the taker has stopped. */
static struct batch *filling(struct feed *feed)
{
    struct batch *batch;
    bool stopped;

    pthread_mutex_lock(&feed->lock);
    if (feed->stop && *feed->stop)
        feed->stopped = true;
    while (!feed->stopped && feed->filled - feed->taken >= RING)
        wait_change(feed);
    batch = batch_of(feed, feed->filled);
    stopped = feed->stopped;
    pthread_mutex_unlock(&feed->lock);
    return stopped ? NULL : batch;
}

static struct folder *add_folder(struct batch *batch, int fd, const char *path, bool follow)
{
    struct folder *last = batch->folder_count ? &batch->folder[batch->folder_count - 1] : NULL;

    if (last && last->follow == follow && strcmp(last->path, path) == 0)
        return last;
    last = &batch->folder[batch->folder_count++];
    last->path = xstrdup(path);
    last->follow = follow;
    /* Without a descriptor it goes by the path. */
    last->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    return last;
}

int feed_put(struct feed *feed, int fd, const char *folder, char *const *names, size_t count,
             enum feed_task task, bool follow)
{
    size_t done = 0;

    while (done < count) {
        struct batch *batch = filling(feed);
        const struct folder *in;

        if (!batch)
            return -1;
        if (batch->count == BATCH_ITEMS || batch->folder_count == BATCH_FOLDERS) {
            pass_on(feed);
            continue;
        }
        in = add_folder(batch, fd, folder, follow);
        for (; done < count && batch->count < BATCH_ITEMS; done++, batch->count++) {
            struct feed_item *item = &batch->item[batch->count];

            batch->name[batch->count] = xstrdup(names[done]);
            batch->unread[batch->count] = false;
            item->task = task;
            item->folder = in->path;
            item->fd = in->fd;
            item->follow = follow;
            item->name = batch->name[batch->count];
            item->kind = OBJECT_FAILED;
            item->why = NULL;
        }
        if (batch->count == BATCH_ITEMS)
            pass_on(feed);
    }
    return 0;
}

static void *source_thread(void *context)
{
    struct feed *feed = context;
    int status = feed->source(feed->context, feed, &feed->err);
    const struct batch *last = filling(feed);

    if (last && last->count)
        pass_on(feed);
    pthread_mutex_lock(&feed->lock);
    feed->status = status;
    feed->finished = true;
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->lock);
    return NULL;
}

/* ---- the taker ---- */

static void clear_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct feed_item *item = &batch->item[i];

        if (arena_extra(item))
            buf_free(&item->object.arena);
        free(item->why);
        item->why = NULL;
        free(batch->name[i]);
    }
    for (size_t i = 0; i < batch->folder_count; i++) {
        free(batch->folder[i].path);
        if (batch->folder[i].fd >= 0)
            close(batch->folder[i].fd);
    }
    batch->count = batch->folder_count = 0;
    batch->state = BATCH_EMPTY;
}

static void let_go(struct feed *feed, struct feed_item *item)
{
    size_t extra = arena_extra(item);

    if (!extra)
        return;
    buf_free(&item->object.arena);
    atomic_fetch_sub_explicit(&feed->held, extra, memory_order_relaxed);
}

static bool is_done(struct feed *feed)
{
    return feed->taken < feed->filled && batch_of(feed, feed->taken)->state == BATCH_DONE;
}

/* The oldest batch, read; NULL at the end. */
static struct batch *wait_batch(struct feed *feed)
{
    struct batch *batch = NULL;

    pthread_mutex_lock(&feed->lock);
    while (!feed->stopped && !is_done(feed) && !(feed->finished && feed->taken == feed->filled))
        wait_change(feed);
    if (!feed->stopped && feed->taken < feed->filled)
        batch = batch_of(feed, feed->taken);
    pthread_mutex_unlock(&feed->lock);
    return batch;
}

static void batch_taken(struct feed *feed)
{
    clear_batch(feed->current);
    feed->current = NULL;
    pthread_mutex_lock(&feed->lock);
    feed->taken++;
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->lock);
}

struct feed_item *feed_next(struct feed *feed)
{
    struct feed_item *item;

    if (feed->current && feed->at > 0)
        let_go(feed, &feed->current->item[feed->at - 1]);
    if (feed->current && feed->at == feed->current->count)
        batch_taken(feed);
    if (!feed->current) {
        feed->current = wait_batch(feed);
        feed->at = 0;
    }
    if (!feed->current || (feed->stop && *feed->stop))
        return NULL;
    item = &feed->current->item[feed->at];
    if (feed->current->unread[feed->at]) {
        read_item(&feed->reader, item);
        atomic_fetch_add_explicit(&feed->held, arena_extra(item), memory_order_relaxed);
    }
    feed->at++;
    return item;
}

bool feed_would_wait(struct feed *feed)
{
    uint64_t next = feed->taken + (feed->current != NULL);
    bool wait;

    if (feed->current && feed->at < feed->current->count)
        return false;
    pthread_mutex_lock(&feed->lock);
    wait = !(next < feed->filled && batch_of(feed, next)->state == BATCH_DONE);
    pthread_mutex_unlock(&feed->lock);
    return wait;
}

int feed_status(const struct feed *feed, struct err *err)
{
    if (feed->status && err)
        *err = feed->err;
    return feed->status;
}

/* ---- life ---- */

/* Signals are for the main thread, which looks at what they have set. */
static int start_thread(struct feed *feed, void *(*run)(void *))
{
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&feed->thread[feed->threads], NULL, run, feed);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0)
        feed->threads++;
    errno = result;
    return result == 0 ? 0 : -1;
}

struct feed *feed_new(unsigned threads, feed_source *source, void *context,
                      const volatile sig_atomic_t *stop, struct err *err)
{
    struct feed *feed = xcalloc(1, sizeof *feed);
    int status;

    pthread_mutex_init(&feed->lock, NULL);
    pthread_cond_init(&feed->changed, NULL);
    feed->source = source;
    feed->context = context;
    feed->stop = stop;
    object_reader_init(&feed->reader);
    status = start_thread(feed, source_thread);
    for (unsigned i = 0; i < threads && i < THREADS_MAX && status == 0; i++)
        status = start_thread(feed, reader_thread);
    /* One reader is enough to go on with. */
    if (status < 0 && feed->threads < 2) {
        err_sys(err, "threads");
        feed_free(feed);
        return NULL;
    }
    return feed;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    pthread_mutex_lock(&feed->lock);
    feed->stopped = true;
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->lock);
    for (size_t i = 0; i < feed->threads; i++)
        pthread_join(feed->thread[i], NULL);
    for (size_t i = 0; i < RING; i++) {
        clear_batch(&feed->ring[i]);
        for (size_t k = 0; k < BATCH_ITEMS; k++)
            object_free(&feed->ring[i].item[k].object);
    }
    object_reader_free(&feed->reader);
    pthread_cond_destroy(&feed->changed);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
}
