/* The loop: work at the end of a turn, timers, clocks, and the heap. */
#include "harness.h"

#include "base/buf.h"
#include "base/view.h"
#include "os/heap.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct world {
    struct event_base *base;
    struct os_later later, other;
    unsigned run_n, other_n, read_n, again;
    bool fini_in_run;
    char order[64];
};

static void note(struct world *w, const char *what) { strcat(w->order, what); }

static void run(void *ctx)
{
    struct world *w = ctx;
    w->run_n++;
    note(w, "L");
    if (w->again > 0) {
        w->again--;
        os_later_ask(&w->later);
    }
    if (w->fini_in_run)
        os_later_fini(&w->later);
}

static void run_other(void *ctx)
{
    struct world *w = ctx;
    w->other_n++;
    note(w, "O");
    os_later_ask(&w->later);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    struct world *w = arg;
    char c;
    (void)what;
    assert_int_equal(read(fd, &c, 1), 1);
    w->read_n++;
    note(w, "R");
    os_later_ask(&w->later);
}

static void test_behind_all_that_is_ready(void **state)
{
    (void)state;
    struct world w = {.base = os_loop_new()};
    struct event *events[5];
    int pairs[5][2];
    os_later_init(&w.later, w.base, run, &w);
    for (int i = 0; i < 5; i++) {
        make_pair(pairs[i]);
        events[i] = event_new(w.base, pairs[i][0], EV_READ | EV_PERSIST, on_read, &w);
        event_add(events[i], NULL);
        assert_int_equal(write(pairs[i][1], "x", 1), 1);
    }
    event_base_loop(w.base, EVLOOP_ONCE);
    assert_string_equal(w.order, "RRRRRL");
    event_base_loop(w.base, EVLOOP_NONBLOCK);
    assert_string_equal(w.order, "RRRRRL");
    for (int i = 0; i < 5; i++) {
        event_free(events[i]);
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    os_later_fini(&w.later);
    event_base_free(w.base);
}

/* One that asks for another: the same turn. One that asks for itself: the next, and I/O comes between. */
static void test_asking_while_running(void **state)
{
    (void)state;
    struct world w = {.base = os_loop_new(), .again = 3};
    int pair[2];
    make_pair(pair);
    os_later_init(&w.later, w.base, run, &w);
    os_later_init(&w.other, w.base, run_other, &w);
    struct event *readable = event_new(w.base, pair[0], EV_READ | EV_PERSIST, on_read, &w);
    event_add(readable, NULL);
    os_later_ask(&w.other);
    os_later_ask(&w.other);
    event_base_loop(w.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_string_equal(w.order, "OL");
    assert_int_equal(write(pair[1], "x", 1), 1);
    RUN_UNTIL(w.base, w.again == 0 && w.read_n == 1);
    run_ready(w.base);
    assert_int_equal(w.run_n, 4);
    assert_non_null(strstr(w.order, "RL")); /* not behind all of them */
    event_free(readable);
    close(pair[0]);
    close(pair[1]);
    os_later_fini(&w.later);
    os_later_fini(&w.other);
    event_base_free(w.base);
}

static void test_fini_while_running(void **state)
{
    (void)state;
    struct world w = {.base = os_loop_new(), .fini_in_run = true};
    os_later_init(&w.later, w.base, run, &w);
    os_later_ask(&w.later);
    event_base_loop(w.base, EVLOOP_NONBLOCK);
    assert_int_equal(w.run_n, 1);
    w.fini_in_run = false;
    os_later_init(&w.later, w.base, run, &w);
    os_later_ask(&w.later);
    os_later_fini(&w.later);
    event_base_loop(w.base, EVLOOP_NONBLOCK);
    assert_int_equal(w.run_n, 1);
    event_base_free(w.base);
}

static void count(void *ctx) { ++*(unsigned *)ctx; }

static void test_timer(void **state)
{
    (void)state;
    struct event_base *base = os_loop_new();
    struct os_timer t;
    unsigned n = 0;
    os_timer_init(&t, base, count, &n);
    os_timer_set(&t, 0);
    RUN_UNTIL(base, n == 1);
    run_ready(base);
    assert_int_equal(n, 1); /* once, until it is set again */
    os_timer_set(&t, 1);
    RUN_UNTIL(base, n == 2);
    os_timer_set(&t, 0);
    os_timer_set(&t, 3600000); /* replaces */
    run_ready(base);
    assert_int_equal(n, 2);
    os_timer_set(&t, 0);
    os_timer_stop(&t);
    run_ready(base);
    assert_int_equal(n, 2);
    os_timer_set(&t, 0);
    os_timer_fini(&t);
    run_ready(base);
    assert_int_equal(n, 2);
    event_base_free(base);
}

static void test_sigpipe(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    event_base_free(os_loop_new());
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    close(ends[1]);
}

static void test_clocks(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL), wall = os_wall_ms(), after = (int64_t)time(NULL);
    /* time() may lag the clock by a tick, and the wall clock may be set while we look. */
    if (before <= after && after - before < 2)
        assert_true(wall / 1000 >= before - 1 && wall / 1000 <= after + 1);
    uint64_t last = os_mono_ms();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = os_mono_ms();
        assert_true(now >= last);
        last = now;
    }
}

static void test_heap(void **state)
{
    (void)state;
    const struct sp_allocator *all[] = {&os_heap, &os_heap_secret};
    for (size_t i = 0; i < 2; i++) {
        struct sp_buf b;
        sp_buf_init(&b, all[i], 1 << 20);
        for (uint64_t n = 0; n < 5000; n++)
            sp_buf_add_dec(&b, n);
        assert_int_equal(b.len, 10 + 180 + 2700 + 16000);
        assert_memory_equal(b.p, "0123456789101112", 16);
        sp_buf_fini(&b);
        void *p = all[i]->resize(NULL, NULL, 0, 100);
        memset(p, 7, 100);
        p = all[i]->resize(NULL, p, 100, 10);
        assert_int_equal(((uint8_t *)p)[9], 7);
        assert_null(all[i]->resize(NULL, p, 10, 0));
        assert_null(all[i]->resize(NULL, NULL, 0, 0));
    }
    uint8_t *zeros = os_new(1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(zeros[i], 0);
    free(zeros);
    char *text = os_text(SP_LIT("text"));
    assert_string_equal(text, "text");
    free(text);
    text = os_text((struct sp_view){0});
    assert_string_equal(text, "");
    free(text);
}

static void test_random(void **state)
{
    (void)state;
    uint8_t a[64] = {0}, b[64] = {0};
    os_random(a, sizeof a);
    os_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    os_random(a, 0);
    uint8_t *large = os_new(1 << 20);
    os_random(large, 1 << 20);
    assert_memory_not_equal(large + (1 << 20) - 64, large, 64);
    free(large);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_behind_all_that_is_ready),
    cmocka_unit_test(test_asking_while_running),
    cmocka_unit_test(test_fini_while_running),
    cmocka_unit_test(test_timer),
    cmocka_unit_test(test_sigpipe),
    cmocka_unit_test(test_clocks),
    cmocka_unit_test(test_heap),
    cmocka_unit_test(test_random),
};

TAP_MAIN(tests)
