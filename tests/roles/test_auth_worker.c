/* The thread beside the loop: every job is answered once, forgotten ones never, the loop goes on. */
#include "base/view.h"
#include "os/heap.h"
#include "roles/auth/worker.h"
#include "tap.h"

#include <stdlib.h>

struct bench {
    struct event_base *base;
    struct auth_worker *worker;
    size_t done, right, full, wanted;
    struct sasl_verifier made;
};

static void note_done(struct auth_job *job)
{
    struct bench *b = job->owner;
    b->done++;
    b->right += job->which == SASL_WHICH_OWN;
    b->full += job->status == SP_ERR_LONG;
    if (job->kind == AUTH_JOB_MAKE)
        b->made = job->verifier;
    if (b->done == b->wanted)
        event_base_loopbreak(b->base);
}

static void give_up(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    fail_msg("the worker did not answer within its deadline");
}

static void run_until(struct bench *b, size_t wanted)
{
    struct timeval deadline = {60, 0};
    struct event *timer = evtimer_new(b->base, give_up, NULL);
    b->wanted = wanted;
    event_add(timer, &deadline);
    if (b->done < wanted)
        event_base_dispatch(b->base);
    event_free(timer);
    assert_int_equal(b->done, wanted);
}

static void begin(struct bench *b)
{
    *b = (struct bench){.base = os_loop_new()};
    b->worker = auth_worker_new(b->base);
}

static void finish(struct bench *b)
{
    auth_worker_free(b->worker);
    event_base_free(b->base);
}

static struct auth_job *check(struct bench *b, const struct sasl_verifier *v, const char *password)
{
    struct auth_job *job = auth_job_new(AUTH_JOB_CHECK, sp_view_of(password));
    job->verifier = *v;
    job->done = note_done;
    job->owner = b;
    return job;
}

static void makes_and_checks(void **state)
{
    struct bench b;
    (void)state;
    begin(&b);
    struct auth_job *make = auth_job_new(AUTH_JOB_MAKE, SP_LIT("secret"));
    make->done = note_done;
    make->owner = &b;
    auth_worker_give(b.worker, SP_LIT("tool"), make);
    run_until(&b, 1);
    auth_worker_give(b.worker, SP_LIT("c"), check(&b, &b.made, "secret"));
    auth_worker_give(b.worker, SP_LIT("c"), check(&b, &b.made, "wrong"));
    run_until(&b, 3);
    assert_int_equal(b.right, 1);
    finish(&b);
}

static void answers_each_job_once_and_bounds_their_number(void **state)
{
    struct bench b;
    struct sasl_verifier v = {.salt_len = 1, .iterations = 1};
    enum { JOBS = 2 * AUTH_WAITING_MAX };
    (void)state;
    begin(&b);
    for (size_t i = 0; i < JOBS; i++)
        auth_worker_give(b.worker, SP_LIT("greedy"), check(&b, &v, "x"));
    run_until(&b, JOBS);
    assert_int_equal(b.right, 0);
    finish(&b);
}

static void a_full_line_is_said_to_the_greedy(void **state)
{
    struct bench b;
    struct sasl_verifier slow = {.salt_len = 1, .iterations = 1000000}, v = {.salt_len = 1, .iterations = 1};
    (void)state;
    begin(&b);
    /* While this one is under way the line fills. */
    auth_worker_give(b.worker, SP_LIT("greedy"), check(&b, &slow, "x"));
    for (size_t i = 0; i < AUTH_WAITING_MAX + 10; i++)
        auth_worker_give(b.worker, SP_LIT("greedy"), check(&b, &v, "x"));
    run_until(&b, AUTH_WAITING_MAX + 11);
    assert_true(b.full >= 9);
    assert_true(b.full <= 11);
    finish(&b);
}

static void forgotten_jobs_are_never_heard_of(void **state)
{
    struct bench b;
    struct sasl_verifier v = {.salt_len = 1, .iterations = 1000};
    struct auth_job *jobs[50];
    (void)state;
    begin(&b);
    for (size_t i = 0; i < 50; i++) {
        jobs[i] = check(&b, &v, "x");
        auth_worker_give(b.worker, SP_LIT("c"), jobs[i]);
    }
    for (size_t i = 0; i < 50; i += 2)
        auth_worker_forget(b.worker, jobs[i]);
    run_until(&b, 25);
    finish(&b);
}

static void leaves_while_work_waits(void **state)
{
    struct bench b;
    struct sasl_verifier v = {.salt_len = 1, .iterations = 1000};
    (void)state;
    begin(&b);
    for (size_t i = 0; i < 100; i++)
        auth_worker_give(b.worker, SP_LIT("c"), check(&b, &v, "x"));
    finish(&b);
    assert_int_equal(b.done, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(makes_and_checks),
    cmocka_unit_test(answers_each_job_once_and_bounds_their_number),
    cmocka_unit_test(a_full_line_is_said_to_the_greedy),
    cmocka_unit_test(forgotten_jobs_are_never_heard_of),
    cmocka_unit_test(leaves_while_work_waits),
};

TAP_MAIN(tests)
