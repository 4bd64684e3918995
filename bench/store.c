/*
 * The store alone: messages added, leased, read and settled per second, by batch size, in steady state.
 *
 *   bench-store FOLDER [OCTETS [SECONDS]]
 *
 * FOLDER is made when missing, and its database is left there. 500 messages are under way at any time.
 */
#include "store/store.h"
#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { UNDER_WAY = 500 };

struct bench {
    struct store *store;
    struct sp_view content;
    uint64_t added, settled;
};

static void must(const struct bench *b, int status)
{
    if (status == SP_OK)
        return;
    fprintf(stderr, "store: %s\n", store_error(b->store));
    exit(1);
}

static void add_one(struct bench *b)
{
    struct store_mail mail = {.id = ++b->added,
                              .received_ms = os_wall_ms(),
                              .session = SP_LIT("0c4n9f8m4t0g1"),
                              .client = SP_LIT("127.0.0.1"),
                              .sender = SP_LIT("sender@example.org"),
                              .size = b->content.len};
    struct store_recipient recipient = {.address = SP_LIT("recipient@example.net"),
                                        .route = SP_LIT("relay"),
                                        .state = STORE_QUEUED,
                                        .next_ms = mail.received_ms};
    must(b, store_add(b->store, &mail, &recipient, 1, &b->content, true));
}

static void settle_one(struct bench *b)
{
    struct store_settlement done = {
        .state = STORE_DELIVERED, .attempted = true, .reply = SP_LIT("250 2.0.0 Ok")};
    struct store_body body;
    bool gone = false;
    uint64_t mail = ++b->settled;
    must(b, store_body(b->store, mail, &body));
    must(b, store_settle(b->store, mail, &done, 1, &gone));
    store_release(b->store, mail, 0, STORE_NEVER);
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t); /* cannot fail for these clocks */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void measure(struct bench *b, size_t batch, double seconds)
{
    double start = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID), now;
    uint64_t before = b->added;
    do {
        must(b, store_begin(b->store));
        for (size_t i = 0; i < batch; i++) {
            add_one(b);
            if (b->added - b->settled > UNDER_WAY)
                settle_one(b);
        }
        must(b, store_commit(b->store));
        (void)store_tidy(b->store, STORE_BUSY);
        now = seconds_of(CLOCK_MONOTONIC);
    } while (now - start < seconds);
    double n = (double)(b->added - before);
    printf("batch %4zu: %8.0f messages/s, %5.1f us CPU each\n", batch, n / (now - start),
           (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) / n * 1e6);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: bench-store FOLDER [OCTETS [SECONDS]]\n");
        return 64;
    }
    size_t octets = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 4096;
    double seconds = argc > 3 ? strtod(argv[3], NULL) : 2;
    if (mkdir(argv[1], 0700) != 0 && errno != EEXIST) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    int folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    struct bench b = {0};
    if (folder < 0 ||
        store_open(&(struct store_options){.folder = folder, .create = true}, &error, &b.store) != SP_OK) {
        fprintf(stderr, "%s: %.*s\n", argv[1], (int)error.len, error.p ? (const char *)error.p : "");
        return 1;
    }
    uint8_t *content = os_new(octets);
    os_random(content, octets);
    b.content = sp_view_make(content, octets);
    b.added = b.settled = (uint64_t)os_wall_ms() << 20; /* ids of an earlier run are not met again */
    static const size_t batches[] = {1, 8, 64, 256};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
        measure(&b, batches[i], seconds);
    store_close(b.store);
    sp_buf_fini(&error);
    free(content);
    close(folder);
    return 0;
}
