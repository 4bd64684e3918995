/*
 * A queue role on a bench: the role's own code in this process, its folder in /tmp, and the ends of its edges
 * in the test's hands. Time is the test's.
 */
#ifndef TESTS_ROLES_QUEUE_BENCH_H
#define TESTS_ROLES_QUEUE_BENCH_H

#include "tap.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "roles/queue/queue.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BENCH_SEEN_MAX = 64, BENCH_DELIVERIES = 2 };

/* A message that came out of the queue, with what it pointed to copied. */
struct bench_seen {
    struct ipc_message m;
    uint8_t *octets;
};

/* The other end of an edge. */
struct bench_end {
    struct os_edge *edge;
    struct bench_seen seen[BENCH_SEEN_MAX];
    size_t n;     /* ever; the last BENCH_SEEN_MAX are kept */
    bool deliver; /* answer attempts with this: */
    struct ipc_outcome outcome;
    enum ipc_health health; /* what the answers say of the destination */
    const char *site;
    enum ipc_end end;
    uint32_t pause_s;
    size_t attempts;
    void (*attempted)(struct bench_end *end, const struct ipc_attempt *a); /* or NULL */
};

struct bench {
    struct event_base *base;
    struct role role;
    struct config *config;
    char folder[64];
    struct bench_end smtpd, delivery[BENCH_DELIVERIES];
    uint64_t next_id, next_tag;
    int8_t priority; /* of what is submitted */
};

static int64_t bench_now_ms;
static int64_t bench_wall_ms(void) { return bench_now_ms; }

static inline struct queue *bench_queue(struct bench *b) { return b->role.state; }

/* --- edges ------------------------------------------------------------------------------------ */

static void bench_role_message(void *ctx, struct os_edge *e, const struct ipc_message *m)
{
    queue_ops.message(&((struct bench *)ctx)->role, e, m);
}

static void bench_role_closed(void *ctx, struct os_edge *e)
{
    struct bench *b = ctx;
    b->role.peers[os_edge_peer(e)][os_edge_peer_index(e)] = NULL;
    queue_ops.peer_gone(&b->role, e);
    os_edge_free(e);
}

static void bench_role_drained(void *ctx, struct os_edge *e)
{
    queue_ops.peer_drained(&((struct bench *)ctx)->role, e);
}

static const struct os_edge_handlers bench_role_handlers = {bench_role_message, bench_role_closed,
                                                            bench_role_drained};

static void bench_answer_attempt(struct bench_end *end, const struct ipc_attempt *a)
{
    struct sp_buf outcomes;
    sp_buf_init(&outcomes, &os_heap, 1 << 20);
    struct sp_view rest = a->targets;
    for (struct ipc_target t; ipc_next_target(&rest, &t);) {
        struct ipc_outcome o = end->outcome;
        o.recipient = t.recipient;
        o.end = (uint8_t)end->end;
        assert_int_equal(ipc_add_outcome(&outcomes, &o), SP_OK);
    }
    struct ipc_message m = {
        .type = IPC_TYPE_attempt_result,
        .as.attempt_result = {.lease = a->lease,
                              .outcomes = sp_buf_view(&outcomes),
                              .health = (uint8_t)end->health,
                              .pause_s = end->pause_s,
                              .site = end->site ? sp_view_of(end->site) : (struct sp_view){0}}};
    assert_int_equal(os_edge_send(end->edge, &m), SP_OK);
    sp_buf_fini(&outcomes);
}

/* Views of an attempt are copied, so that tests may look at them later. */
static void bench_end_message(void *ctx, struct os_edge *e, const struct ipc_message *m)
{
    struct bench_end *end = ctx;
    struct bench_seen *seen = &end->seen[end->n++ % BENCH_SEEN_MAX];
    (void)e;
    free(seen->octets);
    *seen = (struct bench_seen){.m = *m};
    if (m->type != IPC_TYPE_attempt)
        return;
    struct ipc_attempt *a = &seen->m.as.attempt;
    struct sp_view *views[] = {&a->sender, &a->route, &a->targets, &a->content};
    size_t at = 0;
    seen->octets = os_new(a->sender.len + a->route.len + a->targets.len + a->content.len);
    for (size_t i = 0; i < 4; i++) {
        if (views[i]->len)
            memcpy(seen->octets + at, views[i]->p, views[i]->len);
        views[i]->p = seen->octets + at;
        at += views[i]->len;
    }
    end->attempts++;
    if (end->attempted)
        end->attempted(end, &m->as.attempt);
    if (end->deliver)
        bench_answer_attempt(end, &m->as.attempt);
}

static void bench_end_closed(void *ctx, struct os_edge *e)
{
    struct bench_end *end = ctx;
    end->edge = NULL;
    os_edge_free(e);
}

static const struct os_edge_handlers bench_end_handlers = {bench_end_message, bench_end_closed, NULL};

static inline void bench_join(struct bench *b, enum ipc_role kind, uint32_t index, struct bench_end *end)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct os_edge *e = os_edge_new(b->base, fds[0], IPC_QUEUE, kind, index, &bench_role_handlers, b);
    end->edge = os_edge_new(b->base, fds[1], kind, IPC_QUEUE, 0, &bench_end_handlers, end);
    b->role.peers[kind][index] = e;
    queue_ops.peer_up(&b->role, e);
}

/* --- life --------------------------------------------------------------------------------------- */

static inline void bench_configure(struct bench *b, const char *text)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    struct config *old = b->config;
    if (config_parse("bench.conf", sp_view_of(text), &error, &b->config) != SP_OK)
        fail_msg("%.*s", (int)error.len, (const char *)error.p);
    b->role.config = b->config;
    sp_buf_fini(&error);
    config_free(old);
}

#define BENCH_CONFIG                                                                                         \
    "hostname = \"mx.example.org\"\n"                                                                        \
    "data = \"/nonexistent\"\n"                                                                              \
    "default-route = \"relay\"\n"                                                                            \
    "route \"relay\" {\nkind = relay\nhost = \"127.0.0.1\"\n}\n"                                             \
    "route \"other\" {\nkind = relay\nhost = \"127.0.0.2\"\n}\n"                                             \
    "listener \"l\" {\naddress = \"127.0.0.1:25\"\n}\n"

static inline void bench_start(struct bench *b)
{
    b->role.kind = IPC_QUEUE;
    b->role.base = b->base;
    b->role.ops = &queue_ops;
    queue_ops.start(&b->role);
    bench_queue(b)->wall_ms = bench_wall_ms;
    bench_join(b, IPC_SMTPD, 0, &b->smtpd);
    for (uint32_t i = 0; i < BENCH_DELIVERIES; i++)
        bench_join(b, IPC_DELIVERY, i, &b->delivery[i]);
}

static inline struct bench *bench_new(const char *limits)
{
    struct bench *b = os_new(sizeof *b);
    char text[2048];
    bench_now_ms = 1800000000000;
    b->base = os_loop_new();
    strcpy(b->folder, "/tmp/sallyport-queue-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->role.folder = open(b->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(text, sizeof text, BENCH_CONFIG "%s\n", limits);
    bench_configure(b, text);
    bench_start(b);
    return b;
}

/* What role_exit leaves to the kernel. Like a kill: nothing is committed that was not. */
static inline void bench_kill(struct bench *b)
{
    queue_free(bench_queue(b));
    b->role.state = NULL;
    for (size_t i = 0; i < IPC_ROLE_N; i++)
        for (size_t k = 0; k < ROLE_PEERS_MAX; k++) {
            os_edge_free(b->role.peers[i][k]);
            b->role.peers[i][k] = NULL;
        }
    os_edge_free(b->smtpd.edge);
    b->smtpd.edge = NULL;
    for (size_t i = 0; i < BENCH_DELIVERIES; i++) {
        os_edge_free(b->delivery[i].edge);
        b->delivery[i].edge = NULL;
    }
}

static inline void bench_empty(int fd)
{
    DIR *d = fdopendir(fd);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            unlinkat(dirfd(d), e->d_name, 0) == 0)
            continue;
        bench_empty(openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        assert_int_equal(unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR), 0);
    }
    closedir(d);
}

static inline void bench_forget_seen(struct bench_end *end)
{
    for (size_t i = 0; i < BENCH_SEEN_MAX; i++)
        free(end->seen[i].octets);
    memset(end->seen, 0, sizeof end->seen);
    end->n = end->attempts = 0;
}

static inline void bench_free(struct bench *b)
{
    bench_kill(b);
    bench_forget_seen(&b->smtpd);
    for (size_t i = 0; i < BENCH_DELIVERIES; i++)
        bench_forget_seen(&b->delivery[i]);
    bench_empty(b->role.folder);
    assert_int_equal(rmdir(b->folder), 0);
    event_base_free(b->base);
    config_free(b->config);
    free(b);
}

/* --- time ---------------------------------------------------------------------------------------- */

/* Run the loop until so much was seen; a bounded time. */
static inline void bench_until(struct bench *b, const size_t *counter, size_t n)
{
    uint64_t end = os_mono_ms() + 20000;
    while (*counter < n) {
        if (os_mono_ms() > end)
            fail_msg("%zu of %zu", *counter, n);
        (void)event_base_loop(b->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
}

/* Run the loop until nothing moves: some turns without an event. */
static inline void bench_settle(struct bench *b)
{
    for (int i = 0; i < 50; i++)
        (void)event_base_loop(b->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static inline void bench_pass(struct bench *b, int64_t ms)
{
    bench_now_ms += ms;
    os_later_ask(&bench_queue(b)->turn);
    bench_settle(b);
}

/* --- mail ---------------------------------------------------------------------------------------- */

static inline struct bench_seen *bench_last(struct bench_end *end)
{
    return &end->seen[(end->n - 1) % BENCH_SEEN_MAX];
}

/* The delivery process that has seen an attempt. Both exist, one of them is the route's. */
static inline struct bench_end *bench_deliverer(struct bench *b)
{
    return b->delivery[0].attempts ? &b->delivery[0] : &b->delivery[1];
}

static inline void bench_deliver(struct bench *b, enum ipc_outcome_kind kind, uint32_t code,
                                 const char *reply)
{
    for (size_t i = 0; i < BENCH_DELIVERIES; i++) {
        b->delivery[i].deliver = true;
        b->delivery[i].outcome =
            (struct ipc_outcome){.kind = (uint8_t)kind,
                                 .code = code,
                                 .enhanced = code >= 500 ? SP_LIT("5.1.1") : SP_LIT("4.2.0"),
                                 .reply = sp_view_of(reply),
                                 .remote = SP_LIT("mx.example.net [192.0.2.1]:25")};
    }
}

#define BENCH_CONTENT "Subject: hello\r\nFrom: a@example.org\r\n\r\nBody.\r\n"

/* Send a message; routes and addresses: "route address" words. Returns its id. */
static inline uint64_t bench_submit(struct bench *b, const char *sender, const char *to[][2], size_t n)
{
    struct sp_buf list;
    sp_buf_init(&list, &os_heap, 1 << 20);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ipc_add_recipient(&list, &(struct ipc_recipient){.address = sp_view_of(to[i][1]),
                                                                          .route = sp_view_of(to[i][0])}),
                         SP_OK);
    struct ipc_submit s = {.tag = ++b->next_tag,
                           .id = ++b->next_id,
                           .received_ms = (uint64_t)bench_now_ms,
                           .session = SP_LIT("s1"),
                           .client = SP_LIT("127.0.0.1"),
                           .sender = sp_view_of(sender),
                           .recipients = sp_buf_view(&list),
                           .parameters = {.priority = b->priority},
                           .size = sizeof BENCH_CONTENT - 1,
                           .content = SP_LIT(BENCH_CONTENT)};
    assert_int_equal(
        os_edge_send(b->smtpd.edge, &(struct ipc_message){.type = IPC_TYPE_submit, .as.submit = s}), SP_OK);
    sp_buf_fini(&list);
    return s.id;
}

static inline uint64_t bench_submit_one(struct bench *b, const char *sender, const char *route)
{
    const char *to[][2] = {{route, "b@example.net"}};
    return bench_submit(b, sender, to, 1);
}

/* --- what the store knows -------------------------------------------------------------------------- */

struct bench_listing {
    char text[4096];
    size_t n;
    struct store_recipient last;
    char reply[512];
};

static void bench_note(void *ctx, const struct store_mail *m, const struct store_recipient *r)
{
    struct bench_listing *l = ctx;
    size_t at = strlen(l->text);
    if (at < sizeof l->text - 256)
        (void)snprintf(l->text + at, sizeof l->text - at, "<%.*s> to %.*s %s %u;", (int)m->sender.len,
                       (const char *)m->sender.p, (int)r->address.len, (const char *)r->address.p,
                       store_state_word(r->state), r->attempts);
    (void)snprintf(l->reply, sizeof l->reply, "%.*s", (int)r->reply.len, (const char *)r->reply.p);
    l->last = *r;
    l->n++;
}

static inline struct bench_listing bench_list(struct bench *b)
{
    struct bench_listing l = {0};
    struct store_cursor cursor = {0};
    while (!cursor.end)
        assert_int_equal(store_list(bench_queue(b)->store, &cursor, 100, bench_note, &l), SP_OK);
    return l;
}

#endif
