/*
 * The queue role against a random life: mail, results of all kinds, time in both directions, tools, reloads,
 * a disk that is full, processes that die. Whatever comes: no recipient is given out twice at once, none that
 * is finished is given out again, and in the end all are delivered, returned or removed, and nothing is left.
 */
#include "roles/queue_bench.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/un.h>

enum { MAILS = 400, TARGETS = 3, PENDING = 512, STEPS = 250, ROUNDS = 5 };

struct fate {
    bool there;     /* was accepted                                                    */
    bool excused;   /* a process died before its outcome was on disk: may come again   */
    bool elsewhere; /* removed or redirected by the operator                           */
    bool delivered, returned;
};

struct pending {
    struct bench_end *end;
    uint64_t lease, id;
    uint32_t numbers[QUEUE_TARGETS_MAX];
    size_t n;
};

static struct life {
    struct bench *b;
    uint64_t random, seed;
    struct os_edge *tool;
    uint64_t tag_ids[MAILS + 1];
    struct fate fates[MAILS + 1][TARGETS];
    struct pending pending[PENDING];
    size_t pending_n;
    size_t said; /* answers of smtpd's edge that were read */
    bool full;   /* the disk */
    size_t step;
} life;

static uint64_t pick(uint64_t n)
{
    life.random ^= life.random << 13;
    life.random ^= life.random >> 7;
    life.random ^= life.random << 17;
    return life.random % n;
}

#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            print_message("seed %llu, step %zu: ", (unsigned long long)life.seed, life.step);                \
            print_message(__VA_ARGS__);                                                                      \
            print_message("\n");                                                                             \
            assert_true(condition);                                                                          \
        }                                                                                                    \
    } while (0)

/* --- what is given out -------------------------------------------------------------------------- */

/* A report: whose recipients it is about stands in it. */
static void note_report(struct sp_view to, struct sp_view content)
{
    char text[64];
    unsigned long long about = 0;
    (void)snprintf(text, sizeof text, "%.*s", (int)to.len, (const char *)to.p);
    if (sscanf(text, "s%llu@", &about) != 1 || about > MAILS)
        return; /* it was redirected */
    for (uint32_t k = 0; k < TARGETS; k++) {
        char line[64];
        struct fate *f = &life.fates[about][k];
        int n = snprintf(line, sizeof line, "Final-Recipient: rfc822; r%u@", k);
        if (!memmem(content.p, content.len, line, (size_t)n) || f->elsewhere)
            continue;
        f->returned = true;
        CHECK(f->excused || !f->delivered, "%llu/%u is returned and was delivered", about, k);
    }
}

static void attempted(struct bench_end *end, const struct ipc_attempt *a)
{
    struct pending *p = &life.pending[life.pending_n];
    struct sp_view rest = a->targets;
    CHECK(life.pending_n < PENDING, "too many attempts");
    *p = (struct pending){.end = end, .lease = a->lease, .id = a->id};
    if (a->fd >= 0)
        close(a->fd);
    for (struct ipc_target t; ipc_next_target(&rest, &t);) {
        for (size_t i = 0; i < life.pending_n; i++)
            for (size_t k = 0; k < life.pending[i].n; k++)
                CHECK(life.pending[i].id != a->id || life.pending[i].numbers[k] != t.recipient,
                      "%llu/%u is given out twice at once", (unsigned long long)a->id, (unsigned)t.recipient);
        p->numbers[p->n++] = (uint32_t)t.recipient;
        if (a->id > MAILS) {
            note_report(t.address, a->content);
            continue;
        }
        struct fate *f = &life.fates[a->id][t.recipient];
        CHECK(f->excused || f->elsewhere || (!f->delivered && !f->returned),
              "%llu/%u is given out and was finished", (unsigned long long)a->id, (unsigned)t.recipient);
    }
    life.pending_n++;
}

/* The outcome is about to be told: a delivery is one from here on. Reports are read when they arrive. */
static void answer(size_t i, enum ipc_outcome_kind kind, enum ipc_health health, const char *site)
{
    struct pending p = life.pending[i];
    struct sp_buf outcomes;
    life.pending[i] = life.pending[--life.pending_n];
    sp_buf_init(&outcomes, &os_heap, 1 << 20);
    for (size_t k = 0; k < p.n; k++) {
        struct ipc_outcome o = {.recipient = p.numbers[k],
                                .kind = (uint8_t)kind,
                                .code = kind == IPC_OUTCOME_FAILED ? 550 : 450,
                                .enhanced = SP_LIT("4.2.0"),
                                .reply = SP_LIT("450 4.2.0 as it comes")};
        assert_int_equal(ipc_add_outcome(&outcomes, &o), SP_OK);
        if (p.id <= MAILS && kind == IPC_OUTCOME_DELIVERED)
            life.fates[p.id][p.numbers[k]].delivered = true;
    }
    struct ipc_message m = {.type = IPC_TYPE_attempt_result,
                            .as.attempt_result = {.lease = p.lease,
                                                  .outcomes = sp_buf_view(&outcomes),
                                                  .health = (uint8_t)health,
                                                  .pause_s = pick(20) == 0 ? 300 : 0,
                                                  .site = site ? sp_view_of(site) : (struct sp_view){0}}};
    if (p.end->edge)
        assert_int_equal(os_edge_send(p.end->edge, &m), SP_OK);
    sp_buf_fini(&outcomes);
}

/* --- the queue's own tables ----------------------------------------------------------------------- */

static void check_tables(void)
{
    struct queue *q = bench_queue(life.b);
    size_t at = 0, stored = 0;
    struct sp_view key;
    for (void *value; sp_table_next(&q->window.destinations, &at, &key, &value);) {
        struct queue_destination *d = value;
        size_t waiting = 0;
        struct queue_item *lines[] = {d->fresh.first, d->retries.first};
        for (size_t i = 0; i < 2; i++)
            for (struct queue_item *item = lines[i]; item; item = item->next) {
                waiting += item->target_n;
                CHECK(item->destination == d, "an item stands in another's line");
            }
        CHECK(waiting == d->waiting, "%zu wait and %zu are counted", waiting, d->waiting);
        CHECK((waiting > 0) == (d->stand != QUEUE_NOWHERE), "%.*s stands in the wrong place",
              (int)d->name.len, (const char *)d->name.p);
        CHECK(d->stand != QUEUE_RESTING || d->site->active > 0 || d->site->timed_at, "%.*s rests for ever",
              (int)d->name.len, (const char *)d->name.p);
        stored += waiting;
    }
    at = 0;
    for (void *value; sp_table_next(&q->window.sites, &at, &key, &value);) {
        struct queue_site *s = value;
        uint32_t active = 0;
        for (struct queue_destination *d = s->destinations; d; d = d->site_next)
            active += d->active;
        CHECK(active == s->active, "a site has %u active, and counts %u", active, s->active);
    }
    CHECK(q->window.stored + q->window.fresh >= stored, "more wait than are counted");
}

/* --- steps ------------------------------------------------------------------------------------------ */

static const char *const routes[] = {"relay", "other", "direct", "slow"};
static const char *const sites[] = {NULL, NULL, "mx.a", "mx.b", "mx.c"};

static void submit(void)
{
    char texts[TARGETS][64], sender[32];
    const char *to[TARGETS][2];
    size_t n = 1 + pick(TARGETS);
    if (life.b->next_id >= MAILS)
        return;
    for (size_t k = 0; k < n; k++) {
        (void)snprintf(texts[k], sizeof texts[k], "r%zu@d%u.example", k, (unsigned)pick(4));
        to[k][0] = routes[pick(4)];
        to[k][1] = texts[k];
    }
    (void)snprintf(sender, sizeof sender, "s%llu@example.org", (unsigned long long)life.b->next_id + 1);
    uint64_t id = bench_submit(life.b, sender, to, n);
    life.tag_ids[life.b->next_tag] = id;
    for (size_t k = 0; k < n; k++)
        life.fates[id][k].elsewhere = false;
    for (size_t k = n; k < TARGETS; k++)
        life.fates[id][k].elsewhere = true;
}

static void read_answers(void)
{
    for (; life.said < life.b->smtpd.n; life.said++) {
        const struct ipc_message *m = &life.b->smtpd.seen[life.said % BENCH_SEEN_MAX].m;
        if (m->type == IPC_TYPE_submit_yes)
            for (size_t k = 0; k < TARGETS; k++)
                life.fates[life.tag_ids[m->as.submit_yes.tag]][k].there = true;
    }
}

static void results(void)
{
    size_t n = pick(6);
    while (n-- > 0 && life.pending_n > 0) {
        size_t i = pick(life.pending_n);
        enum ipc_health health = (enum ipc_health)pick(IPC_HEALTH_N);
        answer(i, (enum ipc_outcome_kind)pick(IPC_OUTCOME_N), health, sites[pick(5)]);
    }
}

static void ask(const struct ipc_message *m)
{
    if (life.tool)
        (void)os_edge_send(life.tool, m);
}

static void forget_pending(const struct bench_end *end)
{
    for (size_t i = 0; i < life.pending_n;) {
        struct pending *p = &life.pending[i];
        if (end && p->end != end) {
            i++;
            continue;
        }
        for (size_t k = 0; k < p->n && p->id <= MAILS; k++)
            life.fates[p->id][p->numbers[k]].excused = true;
        *p = life.pending[--life.pending_n];
    }
}

static void tool_message(void *ctx, struct os_edge *e, const struct ipc_message *m)
{
    (void)ctx;
    (void)e;
    (void)m;
}

static void tool_closed(void *ctx, struct os_edge *e)
{
    (void)ctx;
    os_edge_free(e);
    life.tool = NULL;
}

static const struct os_edge_handlers tool_handlers = {tool_message, tool_closed, NULL};

static void open_tool(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s/control", life.b->folder);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    life.tool = os_edge_new(life.b->base, fd, IPC_TOOL, IPC_QUEUE, 0, &tool_handlers, NULL);
}

static void change(void)
{
    uint64_t id = 1 + pick(life.b->next_id + 1);
    struct ipc_message m = {.type = IPC_TYPE_queue_change,
                            .as.queue_change = {.id = id, .change = (uint8_t)pick(IPC_QUEUE_CHANGE_N)}};
    if (id > MAILS)
        return;
    if (m.as.queue_change.change == IPC_QUEUE_CHANGE_REDIRECT) {
        m.as.queue_change.address = SP_LIT("else@d1.example");
        for (size_t k = 0; k < TARGETS; k++)
            life.fates[id][k].elsewhere = true;
    }
    ask(&m);
}

static void use_tool(void)
{
    static const char *const names[] = {"d0.example", "d1.example", "relay", "direct/d2.example", "direct"};
    uint64_t id = 1 + pick(life.b->next_id + 1);
    struct ipc_message m = {0};
    switch (pick(6)) {
    case 0:
        m.type = IPC_TYPE_queue_suspend;
        m.as.queue_suspend.name = sp_view_of(names[pick(5)]);
        m.as.queue_suspend.resume = pick(2) == 0;
        break;
    case 1:
        m.type = IPC_TYPE_queue_retry;
        m.as.queue_retry.id = pick(2) ? id : 0;
        break;
    case 2:
        m.type = IPC_TYPE_queue_why;
        m.as.queue_why.id = id;
        break;
    case 3:
        if (pick(4) || id > MAILS)
            return;
        m.type = IPC_TYPE_queue_remove;
        m.as.queue_remove.id = id;
        for (size_t k = 0; k < TARGETS; k++)
            life.fates[id][k].elsewhere = true;
        break;
    default:
        change();
        return;
    }
    ask(&m);
}

#define LIFE_CONFIG                                                                                          \
    "hostname = \"mx.example.org\"\ndata = \"/nonexistent\"\ndefault-route = \"relay\"\n"                    \
    "queue {\nretry-first = 60s\nback-off-first = 10s\nback-off-most = 80s\nattempts = 40\n"                 \
    "expire = 2h\nwarn-after = 20m\n}\nlimits {\nfree-space = 0\n}\n"                                        \
    "listener \"l\" {\naddress = \"127.0.0.1:25\"\n}\n"                                                      \
    "route \"slow\" {\nkind = relay\nhost = \"127.0.0.3\"\nrate = 60\n}\n"
#define LIFE_RELAY(name) "route \"" name "\" {\nkind = relay\nhost = \"127.0.0.1\"\n}\n"
#define LIFE_MX(name)    "route \"" name "\" {\nkind = mx\nconnections = 2\n}\n"

static const char *const configs[] = {
    LIFE_CONFIG LIFE_RELAY("relay") LIFE_RELAY("other") LIFE_MX("direct"),
    LIFE_CONFIG LIFE_RELAY("relay") LIFE_MX("other") LIFE_MX("direct"),
    LIFE_CONFIG LIFE_RELAY("relay") LIFE_MX("direct"),
    LIFE_CONFIG LIFE_RELAY("relay") LIFE_RELAY("other") LIFE_RELAY("direct"),
    LIFE_CONFIG LIFE_MX("relay") LIFE_RELAY("other") LIFE_MX("direct"),
};

static void reload(size_t which)
{
    bench_configure(life.b, configs[which]);
    queue_ops.reload(&life.b->role);
}

static void set_full(bool full)
{
    struct rlimit r;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = full ? 8192 : r.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
    life.full = full;
}

static void lose_process(void)
{
    uint32_t i = (uint32_t)pick(BENCH_DELIVERIES);
    struct bench_end *end = &life.b->delivery[i];
    bench_settle(life.b); /* what it has said has arrived */
    forget_pending(end);
    os_edge_free(end->edge);
    end->edge = NULL;
    bench_settle(life.b);
    bench_join(life.b, IPC_DELIVERY, i, end);
}

static void restart(void)
{
    read_answers();
    if (life.full)
        for (size_t i = 0; i <= MAILS; i++)
            for (size_t k = 0; k < TARGETS; k++)
                life.fates[i][k].excused = true;
    forget_pending(NULL);
    if (life.tool)
        os_edge_free(life.tool);
    life.tool = NULL;
    bench_kill(life.b);
    set_full(false);
    bench_start(life.b);
    open_tool();
}

static void one_step(void)
{
    switch (pick(24)) {
    case 0:
        reload(pick(5));
        break;
    case 1:
        bench_pass(life.b, (int64_t)pick(90000) - (pick(4) ? 0 : 60000));
        break;
    case 2:
        queue_watch_step(bench_queue(life.b));
        break;
    case 3:
        if (pick(3) == 0)
            set_full(!life.full);
        queue_settle_again(bench_queue(life.b));
        break;
    case 4:
        if (pick(4) == 0)
            lose_process();
        break;
    case 5:
        if (pick(6) == 0)
            restart();
        break;
    case 6:
    case 7:
    case 8:
        use_tool();
        break;
    case 9:
    case 10:
    case 11:
    case 12:
        submit();
        break;
    case 13:
    case 14:
        bench_pass(life.b, (int64_t)pick(20000));
        break;
    default:
        results();
    }
    for (int i = 0; i < 8; i++)
        (void)event_base_loop(life.b->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    read_answers();
    check_tables();
}

/* --- the end ---------------------------------------------------------------------------------------- */

static void answer_all(void)
{
    while (life.pending_n > 0) {
        while (life.pending_n > 0)
            answer(0, IPC_OUTCOME_DELIVERED, IPC_HEALTH_GOOD, NULL);
        bench_settle(life.b);
        read_answers();
    }
}

static void release(void *ctx, const struct store_mail *m, const struct store_recipient *r)
{
    (void)ctx;
    if (r->state == STORE_HELD)
        ask(&(struct ipc_message){.type = IPC_TYPE_queue_change,
                                  .as.queue_change = {.id = m->id, .change = IPC_QUEUE_CHANGE_RELEASE}});
}

static void resume_all(void)
{
    static const char *const names[] = {"d0.example", "d1.example", "relay", "direct/d2.example", "direct"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ask(&(struct ipc_message){.type = IPC_TYPE_queue_suspend,
                                  .as.queue_suspend = {.name = sp_view_of(names[i]), .resume = 1}});
}

/* All is well again: everything goes. */
static void live_on(void)
{
    struct queue *q = bench_queue(life.b);
    set_full(false);
    queue_settle_again(q);
    reload(0);
    resume_all();
    for (int i = 0; i < 60; i++) {
        struct store_cursor cursor = {0};
        bench_pass(life.b, 61000);
        answer_all();
        while (!cursor.end)
            assert_int_equal(store_list(q->store, &cursor, 4, release, NULL), SP_OK);
        bench_settle(life.b);
        check_tables();
    }
}

static void check_end(void)
{
    struct queue *q = bench_queue(life.b);
    struct bench_listing l = bench_list(life.b);
    CHECK(l.n == 0, "%zu are left: %s (%s)", l.n, l.text, l.reply);
    for (size_t i = 1; i <= life.b->next_id; i++)
        for (size_t k = 0; k < TARGETS; k++) {
            const struct fate *f = &life.fates[i][k];
            CHECK(!f->there || f->elsewhere || f->delivered || f->returned, "%zu/%zu is lost", i, k);
        }
    CHECK(q->window.stored == 0 && q->window.fresh == 0 && q->window.active == 0 && q->leases.n == 0,
          "counted in memory: %zu, %zu, %zu", q->window.stored, q->window.fresh, q->window.active);
    CHECK(q->window.destinations.n == 0, "%zu destinations are left", q->window.destinations.n);
    size_t cursor = 0;
    struct sp_view key;
    for (void *value; sp_table_next(&q->window.sites, &cursor, &key, &value);) {
        const struct queue_site *s = value;
        CHECK(s->keep_ms > 0 && !s->destinations && s->active == 0, "site %.*s is left without troubles",
              (int)key.len, (const char *)key.p);
    }
}

static void live(uint64_t seed)
{
    life = (struct life){.seed = seed, .random = seed * 0x9e3779b97f4a7c15u + 1};
    life.b = bench_new("");
    bench_configure(life.b, configs[0]);
    for (size_t i = 0; i < BENCH_DELIVERIES; i++)
        life.b->delivery[i].attempted = attempted;
    open_tool();
    for (life.step = 0; life.step < STEPS; life.step++)
        one_step();
    live_on();
    check_end();
    if (life.tool)
        os_edge_free(life.tool);
    bench_free(life.b);
}

static void test_whatever_comes_nothing_is_lost(void **state)
{
    (void)state;
    const char *seed = getenv("SEED"), *rounds = getenv("ROUNDS");
    (void)signal(SIGXFSZ, SIG_IGN);
    if (seed)
        live(strtoull(seed, NULL, 10));
    else
        for (uint64_t i = 1; i <= (rounds ? strtoull(rounds, NULL, 10) : ROUNDS); i++)
            live(i);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_whatever_comes_nothing_is_lost),
};

TAP_MAIN(tests)
