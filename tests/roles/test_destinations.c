/* The queue role and destinations that are slow, down, shared, limited or suspended. */
#include "roles/queue_bench.h"

#include <signal.h>
#include <sys/resource.h>

static struct queue_destination *destination(struct bench *b, const char *name)
{
    return queue_destination_find(bench_queue(b), sp_view_of(name));
}

static struct queue_site *site(struct bench *b, const char *key)
{
    return sp_table_get(&bench_queue(b)->window.sites, sp_view_of(key));
}

static size_t attempts(struct bench *b) { return b->delivery[0].attempts + b->delivery[1].attempts; }

static void everybody(struct bench *b, enum ipc_health health, const char *site)
{
    for (size_t i = 0; i < BENCH_DELIVERIES; i++) {
        b->delivery[i].health = health;
        b->delivery[i].site = site;
    }
}

static void deliver_nothing(struct bench *b)
{
    for (size_t i = 0; i < BENCH_DELIVERIES; i++)
        b->delivery[i].deliver = false;
}

static void submit_many(struct bench *b, size_t n, const char *route)
{
    size_t before = b->smtpd.n;
    for (size_t i = 0; i < n; i++)
        (void)bench_submit_one(b, "a@example.org", route);
    bench_until(b, &b->smtpd.n, before + n);
    bench_settle(b);
}

static size_t parked_in_store(struct bench *b, const char *name)
{
    size_t n = 0;
    assert_int_equal(store_count_parked(bench_queue(b)->store, sp_view_of(name), 100000, &n), SP_OK);
    return n;
}

#define QUICK "queue {\nretry-first = 60s\nback-off-first = 10s\nback-off-most = 80s\nattempts = 1000\n}"

static void test_one_message_finds_out_whether_a_site_is_up_again(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 0, "connection refused");
    everybody(b, IPC_HEALTH_DOWN, NULL);
    submit_many(b, 1, "relay");
    size_t before = attempts(b);
    assert_int_equal(before, 1);
    submit_many(b, 200, "relay");
    assert_int_equal(attempts(b), before); /* nothing is given while it backs off */
    assert_int_equal(parked_in_store(b, "relay"), 200);
    assert_true(bench_queue(b)->window.fresh == 0);

    int64_t pause = 10000;
    for (size_t i = 1; i <= 5; i++) { /* 10, 20, 40, 80, 80 seconds and up to a sixteenth */
        bench_pass(b, pause - 1);
        assert_int_equal(attempts(b), before + i - 1);
        bench_pass(b, pause / 16 + 1);
        assert_int_equal(attempts(b), before + i);
        pause = pause < 80000 ? pause * 2 : pause;
    }
    assert_int_equal(site(b, "relay")->troubles, 6);

    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    everybody(b, IPC_HEALTH_GOOD, NULL);
    bench_pass(b, 90000);
    bench_pass(b, 90000); /* those that were tried have a pause of their own */
    bench_pass(b, 900000);
    assert_int_equal(bench_list(b).n, 0);
    assert_int_equal(bench_queue(b)->window.destinations.n, 0);
    assert_int_equal(bench_queue(b)->window.sites.n, 0);
    bench_free(b);
}

#define RARE "queue {\nretry-first = 600s\nretry-most = 600s\nback-off-first = 10s\nback-off-most = 80s\n}"

/* Its mail comes again when the pause is long over: that is one trouble more, and not the first again. */
static void test_troubles_outlast_the_pause(void **state)
{
    (void)state;
    struct bench *b = bench_new(RARE);
    struct queue *q = bench_queue(b);
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 0, "connection refused");
    everybody(b, IPC_HEALTH_DOWN, NULL);
    submit_many(b, 1, "relay");
    int64_t pause = 10000;
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(attempts(b), i);
        assert_int_equal(site(b, "relay")->troubles, i);
        assert_in_range(site(b, "relay")->until_ms - bench_now_ms, pause, pause + pause / 16);
        bench_pass(b, 100000);
        assert_int_equal(q->window.destinations.n, 0); /* nothing is known of its mail */
        bench_pass(b, 540000);
        pause = pause < 80000 ? pause * 2 : pause;
    }
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok"); /* and then it was gone again */
    bench_pass(b, 640000);
    assert_int_equal(bench_list(b).n, 0);
    assert_int_equal(q->window.sites.n, 1);
    bench_pass(b,
               723000); /* 80 s, 600 s, and a sixteenth of each: by now all that was put off has been here */
    assert_int_equal(q->window.sites.n, 0);

    bench_deliver(b, IPC_OUTCOME_DEFERRED, 0, "connection refused");
    submit_many(b, 1, "relay");
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    everybody(b, IPC_HEALTH_GOOD, NULL);
    bench_pass(b, 640000);
    bench_pass(b, 10000);
    assert_int_equal(bench_list(b).n, 0);
    assert_int_equal(q->window.sites.n, 0); /* who takes mail again has no troubles to remember */
    bench_free(b);
}

/* Whoever names a great many dead hosts fills no memory with them. */
static void test_troubles_of_so_many_sites(void **state)
{
    (void)state;
    struct bench *b = bench_new(RARE);
    struct queue *q = bench_queue(b);
    char name[30];
    for (size_t i = q->window.sites.n; i <= QUEUE_SITES_MAX; i++) {
        (void)snprintf(name, sizeof name, "site %zu", i);
        queue_site_of(q, sp_view_of(name))->keep_ms = bench_now_ms + 50000;
        queue_site_time(q, queue_site_of(q, sp_view_of(name)));
    }
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 0, "connection refused");
    everybody(b, IPC_HEALTH_DOWN, NULL);
    submit_many(b, 1, "relay");
    assert_null(site(b, "relay"));
    bench_pass(b, 60000);
    assert_int_equal(q->window.sites.n, 0);
    bench_pass(b, 580000);
    assert_int_equal(site(b, "relay")->troubles, 1);
    bench_free(b);
}

static void test_a_slow_destination_delays_nobody(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    struct bench *b = bench_new(QUICK);
    for (size_t i = 0; i < MANY; i += 500)
        submit_many(b, 500, "relay"); /* some attempts are under way, and hang */
    size_t hanging = attempts(b);
    struct queue *q = bench_queue(b);
    assert_true(hanging > 0 && hanging <= 64);
    assert_int_equal(q->window.fresh + parked_in_store(b, "relay"), MANY);
    /* Of a batch that is not committed nobody waits yet. */
    assert_in_range(destination(b, "relay")->waiting, 1, QUEUE_SHARE_MAX + QUEUE_BATCH_MAX);
    uint64_t id = bench_submit_one(b, "b@example.org", "other");
    bench_settle(b);
    assert_int_equal(attempts(b), hanging + 1);
    struct bench_end *end =
        bench_last(&b->delivery[0])->m.as.attempt.id == id ? b->delivery : b->delivery + 1;
    assert_int_equal(bench_last(end)->m.as.attempt.id, id);

    bench_kill(b); /* and all that is there again, out of the store */
    for (size_t i = 0; i < BENCH_DELIVERIES; i++)
        bench_forget_seen(&b->delivery[i]);
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    everybody(b, IPC_HEALTH_GOOD, NULL);
    bench_start(b);
    struct bench_end *relay = &b->delivery[0];
    bench_settle(b);
    relay = b->delivery[0].attempts > b->delivery[1].attempts ? &b->delivery[0] : &b->delivery[1];
    bench_until(b, &relay->attempts, MANY);
    bench_settle(b);
    assert_int_equal(bench_list(b).n, 0);
    assert_int_equal(attempts(b), MANY + 1); /* each once */
    bench_free(b);
}

/* RFC 6710: it goes before those that wait, though more of them wait than memory holds. */
static void test_an_urgent_message_to_a_slow_destination(void **state)
{
    enum { MANY = 3000 };
    (void)state;
    struct bench *b = bench_new(QUICK);
    for (size_t i = 0; i < MANY; i += 500)
        submit_many(b, 500, "relay"); /* some attempts are under way, and hang */
    size_t hanging = attempts(b);
    assert_in_range(parked_in_store(b, "relay"), 1, MANY);
    b->priority = 4;
    uint64_t id = bench_submit_one(b, "a@example.org", "relay");
    bench_until(b, &b->smtpd.n, b->smtpd.n + 1);
    bench_settle(b);
    struct bench_end *end = bench_deliverer(b);
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    deliver_nothing(b); /* but for this one */
    bench_answer_attempt(end, &end->seen[0].m.as.attempt);
    bench_settle(b);
    assert_int_equal(attempts(b), hanging + 1);
    assert_int_equal(bench_last(end)->m.as.attempt.id, id);

    size_t before = parked_in_store(b, "relay");
    for (size_t i = 0; i < 4; i++) /* whoever says so of everything gains no more room */
        submit_many(b, QUEUE_URGENT_MAX, "relay");
    assert_in_range(parked_in_store(b, "relay"), before + 2 * QUEUE_URGENT_MAX,
                    before + 3 * QUEUE_URGENT_MAX);
    bench_free(b);
}

static void test_mail_that_is_due_does_not_crowd_out_others(void **state)
{
    (void)state;
    enum { MANY = 2500 };
    struct bench *b = bench_new(QUICK);
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
    everybody(b, IPC_HEALTH_GOOD, NULL);
    for (size_t i = 0; i < MANY; i += 500)
        submit_many(b, 500, "relay");
    assert_int_equal(attempts(b), MANY);
    bench_now_ms++;
    submit_many(b, 1, "other");
    assert_int_equal(attempts(b), MANY + 1);
    deliver_nothing(b);
    bench_pass(b, 70000); /* all are due; the one to other last */
    bench_settle(b);
    struct queue_destination *other = destination(b, "other");
    assert_non_null(other);
    assert_int_equal(other->active, 1);
    assert_in_range(destination(b, "relay")->waiting, 1, QUEUE_SHARE_MAX + 256);
    bench_free(b);
}

static void test_connections_grow_and_shrink(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    submit_many(b, 1, "relay");
    struct bench_end *end = bench_deliverer(b);
    assert_int_equal(bench_last(end)->m.as.attempt.connections, 3);
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    everybody(b, IPC_HEALTH_GOOD, NULL);
    bench_answer_attempt(end, &bench_last(end)->m.as.attempt);
    submit_many(b, 20, "relay");
    submit_many(b, 1, "relay");
    assert_int_equal(bench_last(end)->m.as.attempt.connections, 3); /* nothing waited: it was forgotten */
    deliver_nothing(b);
    submit_many(b, 100, "relay");
    assert_int_equal(destination(b, "relay")->active, 12);
    struct ipc_attempt first = bench_last(end)->m.as.attempt;
    end->deliver = true;
    bench_answer_attempt(end, &first);
    bench_until(b, &end->attempts, 120);
    bench_settle(b);
    assert_int_equal(site(b, "relay")->connections, 10);
    end->health = IPC_HEALTH_BUSY;
    end->outcome =
        (struct ipc_outcome){.kind = IPC_OUTCOME_DEFERRED, .code = 421, .reply = SP_LIT("421 too many")};
    submit_many(b, 1, "relay");
    struct queue_site *s = site(b, "relay");
    assert_int_equal(s->connections, 5);
    assert_int_equal(s->troubles, 1);
    assert_true(sp_view_eq(sp_view_make(s->said, s->said_len), SP_LIT("421 too many")));
    bench_free(b);
}

static void test_a_pause_that_was_asked_for_is_kept(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 451, "451 4.7.1 come back in an hour");
    everybody(b, IPC_HEALTH_BUSY, NULL);
    b->delivery[0].pause_s = b->delivery[1].pause_s = 3600;
    submit_many(b, 1, "relay");
    assert_int_equal(site(b, "relay")->until_ms, bench_now_ms + 3600000);
    bench_free(b);
}

static void test_destinations_of_one_site_share_its_troubles(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    everybody(b, IPC_HEALTH_GOOD, "mx.example.net");
    deliver_nothing(b);
    submit_many(b, 2, "relay");
    submit_many(b, 2, "other");
    for (size_t i = 0; i < BENCH_DELIVERIES; i++) {
        struct bench_end *end = &b->delivery[i];
        for (size_t k = 0, n = end->n; k < n; k++)
            if (k % 2 == 0)
                bench_answer_attempt(end, &end->seen[k].m.as.attempt);
    }
    bench_settle(b);
    struct queue_destination *relay = destination(b, "relay"), *other = destination(b, "other");
    assert_non_null(relay);
    assert_non_null(other);
    assert_ptr_equal(relay->site, other->site);
    assert_int_equal(relay->site->active, relay->active + other->active);
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 0, "connection timed out");
    everybody(b, IPC_HEALTH_DOWN, "mx.example.net");
    size_t before = attempts(b);
    submit_many(b, 1, "other");
    assert_int_equal(attempts(b), before + 1);
    submit_many(b, 5, "relay");
    assert_int_equal(attempts(b), before + 1); /* its servers are the same, and they are down */
    bench_free(b);
}

static void test_a_rate_is_kept(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK "route \"slow\" {\nkind = relay\nhost = \"127.0.0.3\"\nrate = 60\n}");
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    everybody(b, IPC_HEALTH_GOOD, NULL);
    submit_many(b, 10, "slow");
    assert_int_equal(attempts(b), 1);
    for (size_t i = 2; i <= 10; i++) {
        bench_pass(b, 999);
        assert_int_equal(attempts(b), i - 1);
        bench_pass(b, 1);
        assert_int_equal(attempts(b), i);
    }
    assert_int_equal(bench_list(b).n, 0);
    bench_free(b);
}

static void test_what_is_suspended_waits_and_survives(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    struct queue *q = bench_queue(b);
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    everybody(b, IPC_HEALTH_GOOD, NULL);
    assert_int_equal(store_begin(q->store), SP_OK);
    assert_int_equal(store_suspend(q->store, SP_LIT("example.net"), bench_now_ms), SP_OK);
    assert_int_equal(store_commit(q->store), SP_OK);
    queue_read_suspensions(q);
    const char *free_one[][2] = {{"relay", "b@example.com"}};
    submit_many(b, 3, "relay"); /* to example.net */
    (void)bench_submit(b, "a@example.org", free_one, 1);
    bench_settle(b);
    assert_int_equal(attempts(b), 1); /* the other domain of the same route */
    assert_int_equal(parked_in_store(b, "relay/example.net"), 3);
    bench_kill(b);
    bench_start(b);
    q = bench_queue(b);
    bench_pass(b, 86400000);
    assert_int_equal(attempts(b), 1);
    assert_int_equal(store_begin(q->store), SP_OK);
    assert_int_equal(store_resume(q->store, SP_LIT("example.net")), SP_OK);
    assert_int_equal(store_commit(q->store), SP_OK);
    queue_read_suspensions(q);
    bench_pass(b, 1);
    assert_int_equal(attempts(b), 4);
    assert_int_equal(bench_list(b).n, 0);
    bench_free(b);
}

static void submit_to(struct bench *b, const char *route, const char *address)
{
    const char *to[][2] = {{route, address}};
    size_t before = b->smtpd.n;
    (void)bench_submit(b, "a@example.org", to, 1);
    bench_until(b, &b->smtpd.n, before + 1);
    bench_settle(b);
}

#define DIRECT "route \"direct\" {\nkind = mx\n}\n"

static struct bench_end *last_end(struct bench *b, uint64_t id)
{
    for (size_t i = 0; i < BENCH_DELIVERIES; i++)
        if (b->delivery[i].n && bench_last(&b->delivery[i])->m.as.attempt.id == id)
            return &b->delivery[i];
    return NULL;
}

/* One attempt finds out whether a site is up; others rest for its end, and it ends at another site. */
static void test_nobody_rests_at_a_site_that_was_left(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK DIRECT);
    deliver_nothing(b);
    struct bench_end *end;
    const char *addresses[] = {"a@x.example", "b@y.example"};
    for (size_t i = 0; i < 2;
         i++) { /* two attempts each, one result: both stand at the site, which is down */
        submit_to(b, "direct", addresses[i]);
        struct ipc_attempt first;
        assert_non_null(end = last_end(b, b->next_id));
        first = bench_last(end)->m.as.attempt;
        submit_to(b, "direct", addresses[i]);
        end->site = "mx.one";
        end->health = i ? IPC_HEALTH_DOWN : IPC_HEALTH_GOOD;
        end->outcome = (struct ipc_outcome){.kind = IPC_OUTCOME_DELIVERED};
        bench_answer_attempt(end, &first);
        bench_settle(b);
    }
    struct queue_destination *x = destination(b, "direct/x.example"), *y = destination(b, "direct/y.example");
    assert_ptr_equal(x->site, y->site);
    assert_int_equal(x->site->active, 2);
    submit_to(b, "direct", addresses[1]);
    size_t before = attempts(b);
    bench_pass(b, 11000); /* its time has come, and two are under way */
    assert_int_equal(y->stand, QUEUE_RESTING);
    for (size_t i = 0; i < BENCH_DELIVERIES; i++)
        for (size_t k = 0; k < b->delivery[i].n; k++) {
            struct ipc_attempt *a = &b->delivery[i].seen[k].m.as.attempt;
            if (a->id == 2 || a->id == 4) { /* they end, and leave for servers of their own */
                b->delivery[i].site = a->id == 2 ? "mx.two" : "mx.three";
                b->delivery[i].health = IPC_HEALTH_GOOD;
                b->delivery[i].outcome = (struct ipc_outcome){.kind = IPC_OUTCOME_DELIVERED};
                bench_answer_attempt(&b->delivery[i], a);
                bench_settle(b);
            }
        }
    assert_int_equal(attempts(b), before + 1);
    bench_free(b);
}

/* What rests in memory is not lost with the route, and goes by the kind that the route has now. */
static void test_mail_goes_where_its_route_leads_now(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    deliver_nothing(b);
    submit_many(b, 70, "relay"); /* more than are given out at once */
    size_t before = attempts(b);
    assert_true(before < 70);
    assert_int_equal(destination(b, "relay")->stand, QUEUE_RESTING);
    bench_configure(b, "hostname = \"mx.example.org\"\ndata = \"/nonexistent\"\ndefault-route = \"relay\"\n"
                       "route \"relay\" {\nkind = mx\n}\n" QUICK
                       "listener \"l\" {\naddress = \"127.0.0.1:25\"\n}\n");
    queue_ops.reload(&b->role);
    bench_settle(b);
    assert_int_equal(destination(b, "relay")->waiting, 0);
    struct queue_destination *d = destination(b, "relay/example.net");
    assert_non_null(d);
    assert_int_equal(d->waiting + d->active, 70 - before);
    assert_true(d->active > 0);
    bench_free(b);
}

static void test_a_domain_without_dns_waits_by_itself(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK DIRECT);
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    everybody(b, IPC_HEALTH_GOOD, "mx.one");
    deliver_nothing(b);
    submit_to(b, "direct", "a@x.example");
    submit_to(b, "direct", "b@x.example");
    submit_to(b, "direct", "c@y.example");
    submit_to(b, "direct", "d@y.example");
    for (size_t i = 0; i < BENCH_DELIVERIES; i++) /* the first of each: both are at one site */
        for (size_t k = 0, n = b->delivery[i].n; k < n; k += 2)
            bench_answer_attempt(&b->delivery[i], &b->delivery[i].seen[k].m.as.attempt);
    bench_settle(b);
    struct queue_destination *x = destination(b, "direct/x.example"), *y = destination(b, "direct/y.example");
    assert_ptr_equal(x->site, y->site);
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 0, "its MX records: no answer");
    everybody(b, IPC_HEALTH_UNFOUND, NULL);
    size_t before = attempts(b);
    submit_to(b, "direct", "e@x.example");
    assert_int_equal(attempts(b), before + 1);
    submit_to(b, "direct", "f@x.example");
    assert_int_equal(attempts(b), before + 1); /* once, not for each message */
    assert_int_equal(parked_in_store(b, "direct/x.example"), 1);
    assert_ptr_not_equal(x->site, y->site);
    assert_int_equal(y->site->troubles, 0);
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    everybody(b, IPC_HEALTH_GOOD, "mx.one");
    submit_to(b, "direct", "g@y.example");
    assert_int_equal(attempts(b), before + 2);
    for (size_t i = 0; i < BENCH_DELIVERIES; i++) /* one that hung ends well: x has its servers again */
        for (size_t k = 0; k < b->delivery[i].n; k++)
            if (b->delivery[i].seen[k].m.as.attempt.id == 2)
                bench_answer_attempt(&b->delivery[i], &b->delivery[i].seen[k].m.as.attempt);
    bench_settle(b);
    assert_int_equal(attempts(b), before + 3);
    assert_int_equal(parked_in_store(b, "direct/x.example"), 0);
    bench_free(b);
}

static void test_a_clock_that_goes_back_prolongs_no_pause(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 0, "connection refused");
    everybody(b, IPC_HEALTH_DOWN, NULL);
    submit_many(b, 1, "relay");
    submit_many(b, 5, "relay");
    assert_int_equal(attempts(b), 1);
    bench_pass(b, -86400000);
    assert_int_equal(attempts(b), 1);
    bench_pass(b, 11000);
    assert_int_equal(attempts(b), 2);
    bench_free(b);
}

/* Times of the store are wall time: what was planned by a clock that was ahead does not wait for it. */
static void test_a_clock_that_was_ahead_prolongs_no_retry(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct bench *b = bench_new(QUICK);
        bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
        everybody(b, IPC_HEALTH_GOOD, NULL);
        submit_many(b, 3, "relay");
        assert_int_equal(attempts(b), 3);
        if (restart) {
            bench_kill(b);
            bench_now_ms -= (int64_t)30 * 86400000;
            bench_start(b);
            bench_settle(b);
        } else {
            bench_pass(b, -(int64_t)30 * 86400000);
        }
        assert_int_equal(attempts(b), 6);
        bench_pass(b, 50000);
        assert_int_equal(attempts(b), 6); /* once: they have a pause again */
        bench_free(b);
    }
}

/* Returned while nothing can be written: said to have failed, and neither returned nor lost later. */
static void test_what_a_tool_could_not_write_is_forgotten(void **state)
{
    (void)state;
    struct bench *b = bench_new(QUICK);
    struct queue *q = bench_queue(b);
    struct rlimit r;
    bench_deliver(b, IPC_OUTCOME_DEFERRED, 450, "450 4.2.0 later");
    everybody(b, IPC_HEALTH_GOOD, NULL);
    (void)signal(SIGXFSZ, SIG_IGN);
    submit_many(b, 1, "relay");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = 8192;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
    assert_int_equal(queue_give_up(q, b->next_id, SP_LIT("no more")), SP_ERR_IO);
    r.rlim_cur = r.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
    bench_deliver(b, IPC_OUTCOME_DELIVERED, 250, "250 Ok");
    queue_settle_again(q);
    bench_pass(b, 70000);
    assert_int_equal(attempts(b), 2); /* itself, and no report */
    assert_int_equal(bench_last(bench_deliverer(b))->m.as.attempt.id, b->next_id);
    assert_int_equal(bench_list(b).n, 0);
    bench_free(b);
}

/* Pages of destinations name each of them once, in the order of names, however they lie in the table. */
static void test_pages_of_destinations(void **state)
{
    (void)state;
    enum { MANY = 1234 };
    struct bench *b = bench_new("");
    char name[40], last[40] = "";
    size_t seen = 0;
    bool more = true;
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "direct/d%04zu.example", i * 7 % MANY);
        queue_destination_named(bench_queue(b), sp_view_of(name))->parked = true;
    }
    for (size_t pages = 0; more; pages++) {
        struct sp_buf places;
        sp_buf_init(&places, &os_heap, IPC_PAYLOAD_MAX);
        more = queue_list_places(bench_queue(b), sp_view_of(last), &places);
        struct sp_view rest = sp_buf_view(&places);
        assert_in_range(pages, 0, MANY / 100);
        for (struct ipc_queue_place p; ipc_next_queue_place(&rest, &p); seen++) {
            (void)snprintf(last, sizeof last, "%.*s", (int)p.name.len, (const char *)p.name.p);
            (void)snprintf(name, sizeof name, "direct/d%04zu.example", seen);
            assert_string_equal(last, name);
        }
        sp_buf_fini(&places);
    }
    assert_int_equal(seen, MANY);
    bench_free(b);
}

/* However many sites and messages there are, so many conversations are kept; a busy one drives out no others.
 */
static void test_so_many_conversations(void **state)
{
    (void)state;
    struct bench *b = bench_new("");
    struct queue *q = bench_queue(b);
    char key[40];
    bool own;
    const struct queue_site *busy = queue_site_of(q, SP_LIT("busy")), *last = NULL;
    for (size_t i = 0; i < 3 * QUEUE_TALKS_MAX; i++)
        queue_keep_talk(q, busy, 1, SP_LIT("S: 250 Ok\n"), true);
    for (size_t i = 1; i <= 3 * QUEUE_TALKS_MAX; i++) {
        (void)snprintf(key, sizeof key, "site %zu", i);
        last = queue_site_of(q, sp_view_of(key));
        queue_keep_talk(q, last, i, SP_LIT("S: 450 later\n"), false);
    }
    assert_int_equal(q->site_talks.by_key.n, QUEUE_TALKS_MAX);
    assert_int_equal(q->mail_talks.by_key.n, QUEUE_TALKS_MAX);
    assert_null(queue_find_talk(q, busy, 0, &own));
    assert_non_null(queue_find_talk(q, busy, 3 * QUEUE_TALKS_MAX, &own));
    assert_true(own);
    queue_keep_talk(q, last, 3 * QUEUE_TALKS_MAX, SP_LIT("S: 250 Ok\n"), true); /* it has arrived */
    const struct queue_talk *talk = queue_find_talk(q, last, 3 * QUEUE_TALKS_MAX, &own);
    assert_non_null(talk);
    assert_false(own);
    assert_true(sp_view_eq(queue_talk_text(talk), SP_LIT("S: 250 Ok\n")));
    bench_free(b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_pages_of_destinations),
    cmocka_unit_test(test_so_many_conversations),
    cmocka_unit_test(test_one_message_finds_out_whether_a_site_is_up_again),
    cmocka_unit_test(test_troubles_outlast_the_pause),
    cmocka_unit_test(test_troubles_of_so_many_sites),
    cmocka_unit_test(test_a_slow_destination_delays_nobody),
    cmocka_unit_test(test_an_urgent_message_to_a_slow_destination),
    cmocka_unit_test(test_mail_that_is_due_does_not_crowd_out_others),
    cmocka_unit_test(test_connections_grow_and_shrink),
    cmocka_unit_test(test_a_pause_that_was_asked_for_is_kept),
    cmocka_unit_test(test_destinations_of_one_site_share_its_troubles),
    cmocka_unit_test(test_a_rate_is_kept),
    cmocka_unit_test(test_what_is_suspended_waits_and_survives),
    cmocka_unit_test(test_nobody_rests_at_a_site_that_was_left),
    cmocka_unit_test(test_mail_goes_where_its_route_leads_now),
    cmocka_unit_test(test_a_domain_without_dns_waits_by_itself),
    cmocka_unit_test(test_a_clock_that_goes_back_prolongs_no_pause),
    cmocka_unit_test(test_a_clock_that_was_ahead_prolongs_no_retry),
    cmocka_unit_test(test_what_a_tool_could_not_write_is_forgotten),
};

TAP_MAIN(tests)
