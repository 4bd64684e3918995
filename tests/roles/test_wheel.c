/* The wheel of deadlines, against a clock that the test turns by hand and the plainest oracle. */
#include "tap.h"

#include "os/clock.h"
#include "roles/smtpd/wheel.h"

#include <stdlib.h>
#include <string.h>

static uint64_t now_ms;
static bool timer_is_set;

uint64_t os_mono_ms(void) { return now_ms; }

void os_timer_init(struct os_timer *t, struct event_base *base, void (*run)(void *ctx), void *ctx)
{
    (void)base;
    *t = (struct os_timer){.run = run, .ctx = ctx};
    timer_is_set = false;
}

void os_timer_set(struct os_timer *t, uint64_t in_ms)
{
    (void)t, (void)in_ms;
    timer_is_set = true;
}

void os_timer_stop(struct os_timer *t)
{
    (void)t;
    timer_is_set = false;
}

void os_timer_fini(struct os_timer *t) { (void)t; }

enum { ENTRY_N = 200 };

struct item {
    struct wheel_entry entry; /* first */
    uint64_t due_ms;          /* what the oracle says; UINT64_MAX: never */
    unsigned told;
};

static struct item items[ENTRY_N];
static struct wheel w;

static void note_due(void *ctx, struct wheel_entry *e)
{
    struct item *i = (struct item *)e;
    (void)ctx;
    assert_true(i->due_ms <= now_ms);
    i->due_ms = UINT64_MAX;
    i->told++;
}

static void set(struct item *i, uint64_t due_ms)
{
    i->due_ms = due_ms;
    wheel_set(&w, &i->entry, due_ms);
}

static void turn(uint64_t ms)
{
    now_ms += ms;
    if (!timer_is_set)
        return;
    timer_is_set = false;
    w.timer.run(w.timer.ctx);
}

static void begin(void)
{
    memset(items, 0, sizeof items);
    for (size_t i = 0; i < ENTRY_N; i++)
        items[i].due_ms = UINT64_MAX;
    now_ms = 5000000;
    wheel_init(&w, NULL, note_due, NULL);
}

/* Nothing is told early (note_due), nothing is forgotten longer than two turns. */
static void check(void)
{
    size_t on_wheel = 0;
    for (size_t i = 0; i < ENTRY_N; i++) {
        assert_true(items[i].due_ms > now_ms || now_ms - items[i].due_ms <= 2000);
        on_wheel += items[i].due_ms != UINT64_MAX;
    }
    assert_int_equal(w.n, on_wheel);
    assert_int_equal(timer_is_set, on_wheel > 0);
}

static void tells_each_deadline_once_and_never_early(void **state)
{
    (void)state;
    begin();
    set(&items[0], now_ms + 1500);
    set(&items[1], now_ms + 300000);
    set(&items[2], now_ms + 900000); /* farther than the wheel reaches */
    for (int s = 0; s < 1000; s++) {
        turn(1000);
        check();
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(items[i].told, 1);
}

static void follows_deadlines_that_move(void **state)
{
    (void)state;
    begin();
    set(&items[0], now_ms + 300000);
    set(&items[0], now_ms + 3000); /* nearer */
    set(&items[1], now_ms + 3000);
    set(&items[1], now_ms + 60000); /* farther */
    set(&items[2], now_ms + 3000);
    set(&items[2], UINT64_MAX);
    for (int s = 0; s < 10; s++)
        turn(1000);
    assert_int_equal(items[0].told, 1);
    assert_int_equal(items[1].told, 0);
    assert_int_equal(items[2].told, 0);
    check();
}

static void agrees_with_the_oracle_on_random_walks(void **state)
{
    (void)state;
    begin();
    srand(7);
    for (int step = 0; step < 20000; step++) {
        struct item *i = &items[rand() % ENTRY_N];
        switch (rand() % 4) {
        case 0:
            set(i, now_ms + (uint64_t)(rand() % 700000));
            break;
        case 1:
            set(i, UINT64_MAX);
            break;
        default:
            turn((uint64_t)(rand() % 50 == 0 ? rand() % 2000000 : 1000));
            check();
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(tells_each_deadline_once_and_never_early),
    cmocka_unit_test(follows_deadlines_that_move),
    cmocka_unit_test(agrees_with_the_oracle_on_random_walks),
};

TAP_MAIN(tests)
