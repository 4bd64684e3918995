/*
 * The role delivery as a process of its own. This program plays its supervisor, its queue and the servers it
 * delivers to, which follow scripts.
 */
#include "client/fake.h"
#include "ipc/ipc.h"
#include "message/id.h"
#include "os/clock.h"
#include "os/edge.h"
#include "os/loop.h"
#include "roles/role.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { DEADLINE_S = 60, RESULTS = 300, REPLY = 300 };

struct heard {
    uint64_t lease;
    enum ipc_health health;
    size_t outcome_n;
    struct {
        uint64_t recipient;
        enum ipc_outcome_kind kind;
        uint32_t code;
        char enhanced[12], reply[REPLY], remote[100];
    } outcomes[150];
};

static struct rig {
    char data[64], log[80];
    pid_t pid;
    struct event_base *base;
    struct os_edge *supervisor, *queue;
    struct fake fake;
    struct heard *heard;
    size_t heard_n;
    bool ready, gone;
    uint64_t next_id;
} rig;

/* --- what the role says ------------------------------------------------------------------- */

static void copy(char *to, size_t size, struct sp_view v)
{
    (void)snprintf(to, size, "%.*s", (int)v.len, (const char *)v.p);
}

static void take_result(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    (void)ctx, (void)edge;
    assert_int_equal(m->type, IPC_TYPE_attempt_result);
    assert_true(rig.heard_n < RESULTS);
    struct heard *h = &rig.heard[rig.heard_n++];
    struct sp_view rest = m->as.attempt_result.outcomes;
    struct ipc_outcome o;
    *h = (struct heard){.lease = m->as.attempt_result.lease,
                        .health = (enum ipc_health)m->as.attempt_result.health};
    while (ipc_next_outcome(&rest, &o)) {
        h->outcomes[h->outcome_n].recipient = o.recipient;
        h->outcomes[h->outcome_n].kind = (enum ipc_outcome_kind)o.kind;
        h->outcomes[h->outcome_n].code = o.code;
        copy(h->outcomes[h->outcome_n].enhanced, sizeof h->outcomes[0].enhanced, o.enhanced);
        copy(h->outcomes[h->outcome_n].reply, REPLY, o.reply);
        copy(h->outcomes[h->outcome_n].remote, sizeof h->outcomes[0].remote, o.remote);
        h->outcome_n++;
    }
}

static void take_supervisor_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    (void)ctx, (void)edge;
    rig.ready = rig.ready || m->type == IPC_TYPE_ready;
}

static void note_closed(void *ctx, struct os_edge *edge)
{
    (void)ctx, (void)edge;
    rig.gone = true;
}

static const struct os_edge_handlers supervisor_handlers = {take_supervisor_message, note_closed, NULL};
static const struct os_edge_handlers queue_handlers = {take_result, note_closed, NULL};

static void note_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    *(bool *)arg = true;
}

static void show_log_and_fail(const char *what)
{
    char line[1000];
    FILE *in = fopen(rig.log, "r");
    while (in && fgets(line, sizeof line, in))
        print_message("%s", line);
    if (in)
        fclose(in);
    kill(rig.pid, SIGKILL);
    fail_msg("not reached: %s; script %s", what, rig.fake.fault);
}

#define AWAIT(condition)                                                                                     \
    do {                                                                                                     \
        bool late_ = false;                                                                                  \
        struct event *timer_ = evtimer_new(rig.base, note_deadline, &late_);                                 \
        event_add(timer_, &(struct timeval){.tv_sec = DEADLINE_S});                                          \
        while (!(condition) && !late_ && !rig.gone)                                                          \
            event_base_loop(rig.base, EVLOOP_ONCE);                                                          \
        event_free(timer_);                                                                                  \
        if (!(condition))                                                                                    \
            show_log_and_fail(#condition);                                                                   \
    } while (0)

/* --- birth and end ------------------------------------------------------------------------ */

static void be_the_role(int fd)
{
    int log = open(rig.log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (log < 0 || dup2(log, STDERR_FILENO) < 0 || dup2(fd, ROLE_SUPERVISOR_FD) < 0)
        _exit(99);
    closefrom(ROLE_SUPERVISOR_FD + 1);
    role_run(IPC_DELIVERY, 0, &delivery_ops, NULL);
}

static void send_to_role(const struct ipc_message *m)
{
    assert_int_equal(os_edge_send(rig.supervisor, m), SP_OK);
}

static void meet_queue(void)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    struct ipc_message m = {.type = IPC_TYPE_peer, .as.peer = {.role = IPC_QUEUE, .index = 0, .fd = ends[1]}};
    send_to_role(&m);
    close(ends[1]);
    rig.queue = os_edge_new(rig.base, ends[0], IPC_QUEUE, IPC_DELIVERY, 0, &queue_handlers, NULL);
}

static void configure(uint32_t generation, const char *more)
{
    static char text[2000];
    (void)snprintf(text, sizeof text,
                   "hostname = relay.example\ndata = \"%s/data\"\ndefault-route = relay\n"
                   "listener smtp { address = \"127.0.0.1:0\" }\n"
                   "route relay { kind = relay\n host = \"127.0.0.1\"\n port = %u\n tls = off\n %s }\n"
                   "route boxes { kind = maildir\n path = \"%s/boxes/%%d/%%l\" }\n",
                   rig.data, rig.fake.port, more, rig.data);
    struct ipc_message m = {
        .type = IPC_TYPE_configure,
        .as.configure = {.generation = generation, .path = SP_LIT("test.conf"), .text = sp_view_of(text)}};
    send_to_role(&m);
}

static void give_birth(const char *const *scripts, size_t script_n, const char *route)
{
    int ends[2];
    rig = (struct rig){.next_id = 1};
    rig.heard = os_new(RESULTS * sizeof *rig.heard);
    (void)snprintf(rig.data, sizeof rig.data, "/tmp/sallyport-delivery-XXXXXX");
    assert_non_null(mkdtemp(rig.data));
    (void)snprintf(rig.log, sizeof rig.log, "%s/log", rig.data);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    rig.pid = fork();
    assert_true(rig.pid >= 0);
    if (rig.pid == 0)
        be_the_role(ends[1]);
    close(ends[1]);
    rig.base = os_loop_new();
    fake_open(&rig.fake, rig.base, scripts, script_n);
    rig.supervisor =
        os_edge_new(rig.base, ends[0], IPC_SUPERVISOR, IPC_DELIVERY, 0, &supervisor_handlers, NULL);
    configure(1, route);
    struct ipc_message secret = {
        .type = IPC_TYPE_credential,
        .as.credential = {
            .generation = 1, .route = SP_LIT("relay"), .user = SP_LIT("me"), .password = SP_LIT("secret")}};
    send_to_role(&secret);
    meet_queue();
    send_to_role(&(struct ipc_message){.type = IPC_TYPE_start, .as.start = {.generation = 1}});
    AWAIT(rig.ready);
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char name[1024];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (unlink(name) != 0)
            remove_tree(name);
    }
    if (d)
        closedir(d);
    (void)rmdir(path);
}

static void bury(void)
{
    int status = 0;
    if (rig.fake.fault[0])
        fail_msg("%s", rig.fake.fault);
    os_edge_free(rig.supervisor); /* so it leaves */
    assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    os_edge_free(rig.queue);
    fake_close(&rig.fake);
    while (os_stream_n(rig.base) > 0)
        event_base_loop(rig.base, EVLOOP_ONCE);
    event_base_free(rig.base);
    remove_tree(rig.data);
    free(rig.heard);
}

#define BORN_WITH(route, ...)                                                                                \
    static const char *const scripts[] = {__VA_ARGS__};                                                      \
    give_birth(scripts, sizeof scripts / sizeof *scripts, route)
#define BORN(...) BORN_WITH("", __VA_ARGS__)

/* --- attempts ------------------------------------------------------------------------------ */

static const char body[] = "Subject: x\r\n\r\n.dot\r\n";

struct wish {
    const char *route;
    uint64_t id;
    size_t recipient_n;
    const char *address; /* of the only recipient */
    int fd;
    uint64_t size;
};

static uint64_t attempt(struct wish w)
{
    struct sp_buf targets;
    char name[40];
    sp_buf_init(&targets, &os_heap, 1 << 16);
    for (uint64_t i = 0; i < (w.recipient_n ? w.recipient_n : 1); i++) {
        (void)snprintf(name, sizeof name, "r%u@example.org", (unsigned)i);
        struct ipc_target t = {.recipient = i + 1, .address = sp_view_of(w.address ? w.address : name)};
        ipc_add_target(&targets, &t);
    }
    uint64_t lease = ++rig.next_id;
    struct message_id_maker maker = {0};
    bool file = w.size > 0;
    struct ipc_message m = {.type = IPC_TYPE_attempt,
                            .as.attempt = {.lease = lease,
                                           .id = w.id ? w.id : message_id_next(&maker, os_wall_ms()) + lease,
                                           .sender = SP_LIT("me@example.org"),
                                           .route = sp_view_of(w.route ? w.route : "relay"),
                                           .targets = sp_buf_view(&targets),
                                           .size = file ? w.size : sizeof body - 1,
                                           .content = file ? SP_LIT("") : sp_view_make(body, sizeof body - 1),
                                           .fd = file ? w.fd : -1}};
    assert_int_equal(os_edge_send(rig.queue, &m), SP_OK);
    sp_buf_fini(&targets);
    return lease;
}

static const struct heard *result_of(uint64_t lease)
{
    for (size_t i = 0; i < rig.heard_n; i++)
        if (rig.heard[i].lease == lease)
            return &rig.heard[i];
    return NULL;
}

/* Wait for a result with one outcome and check it. */
static void expect(uint64_t lease, enum ipc_outcome_kind kind, uint32_t code, const char *reply)
{
    const struct heard *h = NULL;
    AWAIT((h = result_of(lease)));
    assert_int_equal(h->outcome_n, 1);
    if (h->outcomes[0].kind != kind || h->outcomes[0].code != code || !strstr(h->outcomes[0].reply, reply))
        fail_msg("outcome %d %u %s", h->outcomes[0].kind, h->outcomes[0].code, h->outcomes[0].reply);
}

#define GREET "S 220 mx.example\nC EHLO relay.example\nS 250 mx.example\n"
#define MAIL_TO_DATA                                                                                         \
    "C MAIL FROM:<me@example.org>\nS 250 ok\nC RCPT TO:<r0@example.org>\nS 250 ok\nC DATA\nS 354 go\n"
#define MAIL MAIL_TO_DATA "D\nS 250 2.0.0 taken\n"
#define BYE  "C QUIT\nS 221 bye\nX"

/* --- relay --------------------------------------------------------------------------------- */

static void test_one_connection_for_many(void **state)
{
    (void)state;
    BORN(GREET "L\n" MAIL "R");
    for (int i = 0; i < 20; i++)
        expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "250 2.0.0 taken");
    assert_int_equal(rig.fake.connection_n, 1);
    assert_int_equal(rig.fake.message_n, 20);
    assert_true(
        sp_view_starts(sp_buf_view(&rig.fake.messages), SP_LIT("Subject: x\r\n\r\n..dot\r\nSubject:")));
    bury();
}

static void test_several_at_once(void **state)
{
    (void)state;
    BORN_WITH("connections = 3\n", GREET "L\n" MAIL "R");
    for (int i = 0; i < 200; i++)
        (void)attempt((struct wish){0});
    AWAIT(rig.heard_n == 200);
    assert_true(rig.fake.connection_n >= 2 && rig.fake.connection_n <= 3);
    assert_int_equal(rig.fake.message_n, 200);
    bury();
}

static void test_nobody_there(void **state)
{
    (void)state;
    BORN("X");
    event_free(rig.fake.accepting);
    rig.fake.accepting = NULL;
    close(rig.fake.listener);
    rig.fake.listener = -1;
    for (int i = 0; i < 3; i++) {
        uint64_t lease = attempt((struct wish){0});
        expect(lease, IPC_OUTCOME_DEFERRED, 0, "Connection refused");
        assert_string_equal(result_of(lease)->outcomes[0].enhanced, "4.4.1");
    }
    bury();
}

/* Let the role open no further file; the limit that it had. */
static struct rlimit take_descriptors(void)
{
    struct rlimit had, none;
    char path[60];
    rlim_t n = 0;
    do
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%u", (int)rig.pid, (unsigned)n++);
    while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    assert_int_equal(prlimit(rig.pid, RLIMIT_NOFILE, NULL, &had), 0);
    none = (struct rlimit){n - 1, had.rlim_max}; /* the lowest that is free */
    assert_int_equal(prlimit(rig.pid, RLIMIT_NOFILE, &none, NULL), 0);
    return had;
}

static bool log_has(const char *word)
{
    char line[1000];
    bool found = false;
    FILE *in = fopen(rig.log, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in))
        found = found || strstr(line, word);
    fclose(in);
    return found;
}

/* What this machine cannot do is no trouble of the server: nothing is held against it. */
static void test_out_of_descriptors(void **state)
{
    (void)state;
    BORN(GREET "L\n" MAIL "R");
    struct rlimit had = take_descriptors();
    uint64_t lease = attempt((struct wish){0});
    expect(lease, IPC_OUTCOME_DEFERRED, 0, "Too many open files");
    assert_string_equal(result_of(lease)->outcomes[0].enhanced, "4.3.0");
    assert_int_equal(result_of(lease)->health, IPC_HEALTH_UNTOLD);
    assert_true(log_has("event=dial-starved"));
    assert_int_equal(prlimit(rig.pid, RLIMIT_NOFILE, &had, NULL), 0);
    expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    assert_false(log_has("event=remote-failed"));
    assert_false(log_has("event=remote-back"));
    bury();
}

/* A server that is down is dialled a few times for what waits together, not for ever. */
static void test_many_for_nobody(void **state)
{
    enum { MANY = 64 };
    uint64_t leases[MANY];
    (void)state;
    BORN("X");
    event_free(rig.fake.accepting);
    rig.fake.accepting = NULL;
    close(rig.fake.listener);
    rig.fake.listener = -1;
    for (int i = 0; i < MANY; i++)
        leases[i] = attempt((struct wish){0});
    for (int i = 0; i < MANY; i++)
        expect(leases[i], IPC_OUTCOME_DEFERRED, 0, "Connection refused");
    bury();
}

static void test_refusals(void **state)
{
    (void)state;
    BORN(GREET "C MAIL\nS 250 ok\nC RCPT TO:<r0@\nS 250 ok\nC RCPT TO:<r1@\nS 550 5.1.1 who?\n"
               "C RCPT TO:<r2@\nS 450 4.2.1 later\nC DATA\nS 354 go\nD\nS 250 ok\n" BYE);
    uint64_t lease = attempt((struct wish){.recipient_n = 3});
    AWAIT(result_of(lease));
    const struct heard *h = result_of(lease);
    assert_int_equal(h->outcome_n, 3);
    for (size_t i = 0; i < 3; i++) {
        static const enum ipc_outcome_kind kinds[] = {IPC_OUTCOME_DELIVERED, IPC_OUTCOME_FAILED,
                                                      IPC_OUTCOME_DEFERRED};
        assert_int_equal(h->outcomes[i].kind, kinds[h->outcomes[i].recipient - 1]);
        if (h->outcomes[i].recipient == 2)
            assert_string_equal(h->outcomes[i].reply, "550 5.1.1 who?");
        assert_true(strncmp(h->outcomes[i].remote, "[127.0.0.1]:", 12) == 0);
    }
    bury();
}

#define CHUNKED "S 220 mx\nC EHLO\nS 250-mx\nS 250 CHUNKING\n"

/* Somebody in between passes EHLO on and knows no BDAT: each line of the chunk is a command to it. */
static void test_chunks_that_nobody_knows(void **state)
{
    (void)state;
    BORN_WITH(
        "connections = 1\n",
        CHUNKED
        "C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC BDAT 20 LAST\nS 500 5.5.1 what?\nC Subject\nS 500 what?\nC "
        "\nS 500 what?\nC .dot\nS 500 what?\nX",
        CHUNKED "L\n" MAIL "R");
    expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    assert_int_equal(rig.fake.connection_n, 2);
    bury();
}

/* A message that is refused in chunks is refused. */
static void test_a_chunk_refused(void **state)
{
    (void)state;
    BORN(CHUNKED
         "C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC BDAT 20 LAST\nC Subject\nC \nC .dot\nS 554 5.7.1 no\n");
    expect(attempt((struct wish){0}), IPC_OUTCOME_FAILED, 554, "554 5.7.1 no");
    bury();
}

static void test_lost_after_the_dot(void **state)
{
    (void)state;
    BORN(GREET MAIL_TO_DATA "D\nX");
    expect(attempt((struct wish){0}), IPC_OUTCOME_UNKNOWN, 0, "connection closed");
    bury();
}

/* The server closes what is idle just when the next mail is begun: no delay, no mark on the mail. */
static void test_stale_connection(void **state)
{
    (void)state;
    BORN(GREET MAIL "C MAIL\nX", GREET MAIL "C MAIL\nS 421 4.4.2 idle\nX", GREET MAIL);
    for (int i = 0; i < 3; i++)
        expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    assert_int_equal(rig.fake.connection_n, 3);
    bury();
}

/* A server that takes two mails over a connection: 452 to the third is no reason to wait. */
static void test_worn_out_connection(void **state)
{
    (void)state;
    BORN(GREET MAIL MAIL "C MAIL\nS 452 4.5.3 Too many messages sent\nC QUIT\nS 221 2.0.0 Bye\nX",
         GREET MAIL BYE);
    for (int i = 0; i < 3; i++)
        expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    assert_int_equal(rig.fake.connection_n, 2);
    bury();
}

/* On a fresh connection the same is an answer. */
static void test_closed_at_once(void **state)
{
    (void)state;
    BORN(GREET "C MAIL\nX");
    expect(attempt((struct wish){0}), IPC_OUTCOME_DEFERRED, 0, "connection closed");
    expect(attempt((struct wish){0}), IPC_OUTCOME_DEFERRED, 0, "connection closed");
    assert_int_equal(rig.fake.connection_n, 2);
    bury();
}

static void test_too_many_recipients(void **state)
{
    (void)state;
    BORN(GREET "C MAIL\nS 250 ok\nC RCPT TO:<r0@\nS 250 ok\nC RCPT TO:<r1@\nS 452 4.5.3 enough\nC RCPT "
               "TO:<r2@\nS 552 enough\n"
               "C DATA\nS 354 go\nD\nS 250 ok\n"
               "C MAIL\nS 250 ok\nC RCPT TO:<r1@\nS 250 ok\nC RCPT TO:<r2@\nS 452 4.5.3 enough\nC DATA\nS "
               "354 go\nD\nS 250 ok\n"
               "C MAIL\nS 250 ok\nC RCPT TO:<r2@\nS 452 4.5.3 never\nC RSET\nS 250 ok\n" MAIL);
    uint64_t lease = attempt((struct wish){.recipient_n = 3});
    AWAIT(result_of(lease));
    const struct heard *h = result_of(lease);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(h->outcomes[i].kind,
                         h->outcomes[i].recipient < 3 ? IPC_OUTCOME_DELIVERED : IPC_OUTCOME_DEFERRED);
    expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    bury();
}

/* A server that says a great deal more than is kept of it: its word is cut, and not lost. */
static void test_a_long_word(void **state)
{
    (void)state;
    static char script[8000];
    size_t at = (size_t)snprintf(script, sizeof script, GREET "C MAIL\nS 250 ok\nC RCPT\n");
    for (int i = 0; i < 110; i++)
        at += (size_t)snprintf(
            script + at, sizeof script - at, "S 452-4.5.3 %.*s\n", i < 12 ? 80 : 1,
            "enough is enough is enough is enough is enough is enough is enough is enough is enough");
    (void)snprintf(script + at, sizeof script - at, "S 452 4.5.3 x\nC RSET\nS 250 ok\n");
    const char *const scripts[] = {script};
    give_birth(scripts, 1, "");
    expect(attempt((struct wish){0}), IPC_OUTCOME_DEFERRED, 452, "452 4.5.3 enough is enough");
    bury();
}

/* More than a transaction may hold. */
static void test_hundred_and_twenty(void **state)
{
    (void)state;
    BORN("S 220 mx\nC EHLO\nS 250-mx\nS 250 PIPELINING\nC MAIL\nL\nC RCPT\nR", "X");
    rig.fake.scripts = NULL; /* made below */
    static char script[20000];
    static const char *made;
    size_t at = (size_t)snprintf(script, sizeof script, "S 220 mx\nC EHLO\nS 250-mx\nS 250 PIPELINING\n");
    for (int n = 100; n > 0; n = n == 100 ? 20 : 0) {
        at += (size_t)snprintf(script + at, sizeof script - at, "C MAIL\nS 250 ok\n");
        for (int i = 0; i < n; i++)
            at += (size_t)snprintf(script + at, sizeof script - at, "C RCPT\nS 250 ok\n");
        at += (size_t)snprintf(script + at, sizeof script - at, "C DATA\nS 354 go\nD\nS 250 ok\n");
    }
    made = script;
    rig.fake.scripts = &made;
    rig.fake.script_n = 1;
    uint64_t lease = attempt((struct wish){.recipient_n = 120});
    AWAIT(result_of(lease));
    assert_int_equal(result_of(lease)->outcome_n, 120);
    assert_int_equal(rig.fake.message_n, 2);
    bury();
}

static void test_from_a_file(void **state)
{
    (void)state;
    enum { N = 3 << 20 };
    BORN(GREET MAIL);
    uint8_t *content = os_new(N);
    for (size_t i = 0; i < N; i++)
        content[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
    int fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(write(fd, content, N), N);
    uint64_t lease = attempt((struct wish){.fd = fd, .size = N});
    close(fd);
    expect(lease, IPC_OUTCOME_DELIVERED, 250, "taken");
    assert_int_equal(rig.fake.messages.len, N);
    assert_memory_equal(rig.fake.messages.p, content, N);
    free(content);
    bury();
}

static void test_file_too_short(void **state)
{
    (void)state;
    BORN(GREET MAIL_TO_DATA "D");
    int fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(write(fd, body, sizeof body - 1), sizeof body - 1);
    uint64_t lease = attempt((struct wish){.fd = fd, .size = 5000});
    close(fd);
    expect(lease, IPC_OUTCOME_DEFERRED, 0, "could not be read");
    assert_int_equal(rig.fake.message_n, 0);
    bury();
}

static void test_logs_in(void **state)
{
    (void)state;
    BORN_WITH("user = me\n password-file = \"/nonexistent\"\n",
              "S 220 mx\nC EHLO\nS 250-mx\nS 250 AUTH PLAIN\nC AUTH PLAIN AG1lAHNlY3JldA==\nS 235 in\n" MAIL);
    expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    bury();
}

static void test_login_refused(void **state)
{
    (void)state;
    BORN_WITH(
        "user = me\n password-file = \"/nonexistent\"\n",
        "S 220 mx\nC EHLO\nS 250-mx\nS 250 AUTH PLAIN\nC AUTH PLAIN AG1lAHNlY3JldA==\nS 535 5.7.8 no\n" BYE);
    expect(attempt((struct wish){0}), IPC_OUTCOME_DEFERRED, 535, "535 5.7.8 no");
    bury();
}

/* A queue that was killed before it stored the result asks again. */
static void test_result_lost(void **state)
{
    (void)state;
    BORN(GREET MAIL "C MAIL");
    uint64_t id = 0x123456789;
    expect(attempt((struct wish){.id = id}), IPC_OUTCOME_DELIVERED, 250, "taken");
    os_edge_free(rig.queue);
    meet_queue();
    expect(attempt((struct wish){.id = id}), IPC_OUTCOME_DELIVERED, 0, "delivered before");
    assert_int_equal(rig.fake.message_n, 1);
    bury();
}

/* What is left of a message whose queue has died is the next queue's to give: it is not sent twice. */
static void test_the_rest_of_a_lost_queue(void **state)
{
    (void)state;
    BORN_WITH("connections = 1\n",
              GREET "C MAIL\nS 250 ok\nC RCPT TO:<r0@\nS 250 ok\nC RCPT TO:<r1@\nS 452 4.5.3 enough\nC DATA\n"
                    "S 354 go\nD\nC WAIT");
    (void)attempt((struct wish){.recipient_n = 2});
    AWAIT(rig.fake.message_n == 1);
    os_edge_free(rig.queue);
    meet_queue();
    expect(attempt((struct wish){.route = "gone"}), IPC_OUTCOME_DEFERRED, 0, "no route"); /* they have met */
    os_stream_write(rig.fake.connections[0].stream, SP_LIT("250 2.0.0 taken\r\n"));
    rig.fake.connections[0].at = MAIL;
    expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    assert_int_equal(rig.fake.connection_n, 1);
    bury();
}

static void test_unknown_route(void **state)
{
    (void)state;
    BORN("X");
    expect(attempt((struct wish){.route = "gone"}), IPC_OUTCOME_DEFERRED, 0, "no route of this name");
    bury();
}

/* A new configuration: the old connection is left, the new one is made by its settings. */
static void test_reload(void **state)
{
    (void)state;
    BORN(GREET MAIL BYE,
         "S 220 mx\nC EHLO\nS 250-mx\nS 250 AUTH PLAIN\nC AUTH PLAIN AHlvdQBvdGhlcg==\nS 235 in\n" MAIL);
    expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    configure(2, "user = you\n password-file = \"/nonexistent\"\n");
    struct ipc_message secret = {
        .type = IPC_TYPE_credential,
        .as.credential = {
            .generation = 2, .route = SP_LIT("relay"), .user = SP_LIT("you"), .password = SP_LIT("other")}};
    rig.ready = false;
    send_to_role(&secret);
    send_to_role(&(struct ipc_message){.type = IPC_TYPE_start, .as.start = {.generation = 2}});
    AWAIT(rig.ready);
    expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    assert_int_equal(rig.fake.connection_n, 2);
    AWAIT(!rig.fake.connections[0].stream); /* QUIT was said */
    bury();
}

static void hang_up(void)
{
    os_stream_finish(rig.fake.connections[0].stream);
    rig.fake.connections[0].stream = NULL;
    rig.fake.open_n--;
}

static void start_again(void)
{
    rig.ready = false;
    configure(2, "");
    send_to_role(&(struct ipc_message){.type = IPC_TYPE_start, .as.start = {.generation = 2}});
    AWAIT(rig.ready);
}

/* Of three recipients one has it and the next ones wait for another connection, when all connections change.
 */
static void test_reload_of_what_is_half_done(void **state)
{
    (void)state;
    BORN(GREET "C MAIL\nS 250 ok\nC RCPT TO:<r0@\nS 250 ok\nC RCPT TO:<r1@\nS 452 4.5.3 enough\nC RCPT "
               "TO:<r2@\nS 452 4.5.3 enough\nC DATA\nS 354 go\nD\nS 250 ok\nC MAIL\nX",
         "C NOTHING", /* no greeting */
         GREET "C MAIL\nS 250 ok\nC RCPT TO:<r1@\nS 250 ok\nC RCPT TO:<r2@\nS 250 ok\nC DATA\nS 354 go\nD\nS "
               "250 2.0.0 taken\n");
    uint64_t lease = attempt((struct wish){.recipient_n = 3});
    AWAIT(rig.fake.connection_n == 2);
    start_again();
    AWAIT(result_of(lease));
    assert_int_equal(result_of(lease)->outcome_n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(result_of(lease)->outcomes[i].kind, IPC_OUTCOME_DELIVERED);
    bury();
}

/* The server closes what the mail was begun over, and its settings are gone meanwhile. */
static void test_reload_with_a_stale_connection(void **state)
{
    (void)state;
    BORN(GREET MAIL "C MAIL\nC NOTHING", GREET MAIL);
    expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    uint64_t lease = attempt((struct wish){0});
    AWAIT(strcmp(rig.fake.connections[0].at, "C NOTHING") == 0);
    start_again();
    hang_up();
    expect(lease, IPC_OUTCOME_DELIVERED, 250, "taken");
    assert_int_equal(rig.fake.connection_n, 2);
    bury();
}

/* The same while this process is told to stop: the mail is given back. */
static void test_stop_with_a_stale_connection(void **state)
{
    (void)state;
    BORN_WITH("connections = 1\n", GREET MAIL "C MAIL\nC NOTHING");
    expect(attempt((struct wish){0}), IPC_OUTCOME_DELIVERED, 250, "taken");
    uint64_t lease = attempt((struct wish){0}), waits = attempt((struct wish){0});
    AWAIT(strcmp(rig.fake.connections[0].at, "C NOTHING") == 0);
    send_to_role(&(struct ipc_message){.type = IPC_TYPE_stop, .as.stop = {.grace_ms = 20000}});
    expect(waits, IPC_OUTCOME_DEFERRED, 0, "being stopped");
    hang_up();
    expect(lease, IPC_OUTCOME_DEFERRED, 0, "being stopped");
    AWAIT(rig.gone);
    bury();
}

/* What is on the wire is finished, what waits is given back. */
static void test_stop(void **state)
{
    (void)state;
    BORN_WITH("connections = 1\n", GREET MAIL_TO_DATA "D\nC WAIT");
    uint64_t first = attempt((struct wish){0}), second = attempt((struct wish){0});
    AWAIT(rig.fake.message_n == 1);
    send_to_role(&(struct ipc_message){.type = IPC_TYPE_stop, .as.stop = {.grace_ms = 20000}});
    expect(second, IPC_OUTCOME_DEFERRED, 0, "being stopped");
    os_stream_write(rig.fake.connections[0].stream, SP_LIT("250 2.0.0 taken\r\n"));
    rig.fake.connections[0].at = BYE;
    expect(first, IPC_OUTCOME_DELIVERED, 250, "taken");
    AWAIT(rig.gone);
    bury();
}

static void test_stop_without_patience(void **state)
{
    (void)state;
    BORN(GREET MAIL_TO_DATA "D\nC WAIT");
    uint64_t lease = attempt((struct wish){0});
    AWAIT(rig.fake.message_n == 1);
    send_to_role(&(struct ipc_message){.type = IPC_TYPE_stop, .as.stop = {.grace_ms = 50}});
    expect(lease, IPC_OUTCOME_UNKNOWN, 0, "being stopped");
    AWAIT(rig.gone);
    bury();
}

/* --- maildir ------------------------------------------------------------------------------- */

/* The only file in a folder of a mailbox, as text; NULL when there is none, failure when there are more. */
static char *only_file(const char *box, const char *part)
{
    char path[400], name[700] = "";
    (void)snprintf(path, sizeof path, "%s/boxes/%s/%s", rig.data, box, part);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        assert_int_equal(name[0], 0);
        (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
    }
    closedir(d);
    if (!name[0])
        return NULL;
    char *text = os_new(4096);
    FILE *in = fopen(name, "r");
    assert_non_null(in);
    assert_true(fread(text, 1, 4095, in) > 0);
    fclose(in);
    return text;
}

static void test_maildir(void **state)
{
    (void)state;
    BORN("X");
    expect(attempt((struct wish){.route = "boxes", .address = "Anna@Example.ORG"}), IPC_OUTCOME_DELIVERED, 0,
           "stored");
    char *text = only_file("example.org/anna", "new");
    assert_string_equal(text, "Return-Path: <me@example.org>\nSubject: x\n\n.dot\n");
    free(text);
    assert_null(only_file("example.org/anna", "tmp"));
    assert_null(only_file("example.org/anna", "cur"));
    bury();
}

static void test_maildir_once(void **state)
{
    (void)state;
    BORN("X");
    char from[400], to[700];
    uint64_t id = 77 << 22; /* long before this process: it may have been delivered */
    for (int i = 0; i < 3; i++) {
        os_edge_free(rig.queue);
        meet_queue();
        expect(attempt((struct wish){.route = "boxes", .address = "a@b", .id = id}), IPC_OUTCOME_DELIVERED, 0,
               "");
        if (i > 0)
            continue;
        free(only_file("b/a", "new"));
        (void)snprintf(from, sizeof from, "%s/boxes/b/a/new", rig.data);
        DIR *d = opendir(from);
        for (struct dirent *e; (e = readdir(d));) {
            if (e->d_name[0] == '.')
                continue;
            (void)snprintf(from, sizeof from, "%s/boxes/b/a/new/%.200s", rig.data, e->d_name);
            (void)snprintf(to, sizeof to, "%s/boxes/b/a/cur/%.200s:2,S", rig.data, e->d_name);
            assert_int_equal(rename(from, to), 0);
        }
        closedir(d);
    }
    assert_null(only_file("b/a", "new"));
    free(only_file("b/a", "cur"));
    bury();
}

static void test_maildir_stays_inside(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "../x@b",
        "..@b",
        ".hidden@b",
        "a/b@c",
        "\"a\\\\b\"@c",
        "\"\"@c",
        "@c",
        "a@../c",
        "a@..",
        "a@",
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmno@c"};
    BORN("X");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect(attempt((struct wish){.route = "boxes", .address = bad[i]}), IPC_OUTCOME_FAILED, 0,
               "no mailbox");
    static const char *const good[] = {"a+b@c", "\"a b\"@c", "\"a@b\"@c", "x!#$%&'*+-=?^_`{|}~@c",
                                       "a@[127.0.0.1]"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        expect(attempt((struct wish){.route = "boxes", .address = good[i]}), IPC_OUTCOME_DELIVERED, 0,
               "stored");
    free(only_file("c/a b", "new"));
    free(only_file("c/a@b", "new"));
    bury();
}

/* A thousand names: no two the same. */
static void test_maildir_unique(void **state)
{
    (void)state;
    BORN("X");
    size_t n = 0;
    for (int i = 0; i < 250; i++)
        (void)attempt((struct wish){.route = "boxes", .address = "a@b", .recipient_n = 4});
    AWAIT(rig.heard_n == 250);
    char path[400];
    (void)snprintf(path, sizeof path, "%s/boxes/b/a/new", rig.data);
    DIR *d = opendir(path);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    assert_int_equal(n, 1000);
    bury();
}

static void test_maildir_cannot(void **state)
{
    (void)state;
    BORN("X");
    char path[400];
    (void)snprintf(path, sizeof path, "%s/boxes", rig.data);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* a file where a folder is needed */
    assert_true(fd >= 0);
    close(fd);
    expect(attempt((struct wish){.route = "boxes", .address = "a@b"}), IPC_OUTCOME_DEFERRED, 0,
           "Not a directory");
    bury();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_one_connection_for_many),
    cmocka_unit_test(test_several_at_once),
    cmocka_unit_test(test_nobody_there),
    cmocka_unit_test(test_out_of_descriptors),
    cmocka_unit_test(test_many_for_nobody),
    cmocka_unit_test(test_refusals),
    cmocka_unit_test(test_chunks_that_nobody_knows),
    cmocka_unit_test(test_a_chunk_refused),
    cmocka_unit_test(test_lost_after_the_dot),
    cmocka_unit_test(test_stale_connection),
    cmocka_unit_test(test_worn_out_connection),
    cmocka_unit_test(test_closed_at_once),
    cmocka_unit_test(test_too_many_recipients),
    cmocka_unit_test(test_a_long_word),
    cmocka_unit_test(test_hundred_and_twenty),
    cmocka_unit_test(test_from_a_file),
    cmocka_unit_test(test_file_too_short),
    cmocka_unit_test(test_logs_in),
    cmocka_unit_test(test_login_refused),
    cmocka_unit_test(test_result_lost),
    cmocka_unit_test(test_the_rest_of_a_lost_queue),
    cmocka_unit_test(test_unknown_route),
    cmocka_unit_test(test_reload),
    cmocka_unit_test(test_reload_of_what_is_half_done),
    cmocka_unit_test(test_reload_with_a_stale_connection),
    cmocka_unit_test(test_stop_with_a_stale_connection),
    cmocka_unit_test(test_stop),
    cmocka_unit_test(test_stop_without_patience),
    cmocka_unit_test(test_maildir),
    cmocka_unit_test(test_maildir_once),
    cmocka_unit_test(test_maildir_stays_inside),
    cmocka_unit_test(test_maildir_unique),
    cmocka_unit_test(test_maildir_cannot),
};

TAP_MAIN(tests)
