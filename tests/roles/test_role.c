/* The skeleton that every role shares, around a role that notes down what it is told. */
#include "tap.h"

#include "base/view.h"
#include "ipc/ipc.h"
#include "os/heap.h"
#include "roles/role.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 60000, NOTE_FD = 9 };

static struct rig {
    int supervisor; /* our end */
    int notes;      /* what the role noted, a line each */
    pid_t pid;
} rig;

/* --- the role ------------------------------------------------------------------------------- */

static void note(const char *what, const char *detail)
{
    char line[128];
    int n = snprintf(line, sizeof line, "%s %s\n", what, detail);
    if (write(NOTE_FD, line, (size_t)n) != n)
        abort();
}

static void note_start(struct role *r) { note("start", r->config->hostname); }
static void note_reload(struct role *r) { note("reload", r->config->hostname); }

static void note_message(struct role *r, struct os_edge *from, const struct ipc_message *m)
{
    (void)r;
    note(ipc_role_name(os_edge_peer(from)), ipc_type_name(m->type));
}

static void note_peer(const char *what, struct role *r, struct os_edge *peer)
{
    char detail[64];
    bool there = role_peer_at(r, os_edge_peer(peer), os_edge_peer_index(peer)) == peer;
    (void)snprintf(detail, sizeof detail, "%s/%u of %zu%s", ipc_role_name(os_edge_peer(peer)),
                   os_edge_peer_index(peer), role_peer_n(r, os_edge_peer(peer)), there ? "" : " gone");
    note(what, detail);
}

static void note_up(struct role *r, struct os_edge *peer) { note_peer("up", r, peer); }
static void note_gone(struct role *r, struct os_edge *peer) { note_peer("down", r, peer); }

static void note_stop(struct role *r, uint32_t grace_ms)
{
    note("stop", grace_ms == 700 ? "700" : "?");
    role_exit(r);
}

static const struct role_ops noting = {.start = note_start,
                                       .reload = note_reload,
                                       .message = note_message,
                                       .peer_up = note_up,
                                       .peer_gone = note_gone,
                                       .stop = note_stop};
static const struct role_ops silent = {.start = NULL};

static void be_the_role(const struct role_ops *ops, int edge, int notes)
{
    int null = open("/dev/null", O_WRONLY);
    if (dup2(notes, NOTE_FD) < 0 || dup2(edge, ROLE_SUPERVISOR_FD) < 0 || dup2(null, STDERR_FILENO) < 0)
        _exit(99);
    closefrom(NOTE_FD + 1);
    for (int fd = ROLE_SUPERVISOR_FD + 1; fd < NOTE_FD; fd++)
        close(fd);
    role_run(IPC_SMTPD, 2, ops, NULL);
}

/* --- its supervisor -------------------------------------------------------------------------- */

static void send_octets(int fd, struct sp_view octets, int passed)
{
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)octets.p, .iov_len = octets.len};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    if (passed >= 0) {
        h.msg_control = &control;
        h.msg_controllen = sizeof control.room;
        control.head = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.head), &passed, sizeof passed);
    }
    assert_int_equal(sendmsg(fd, &h, MSG_NOSIGNAL), octets.len);
}

static void send_message(int fd, struct ipc_message m)
{
    struct sp_buf b;
    int passed = -1;
    sp_buf_init(&b, &os_heap, 1 << 20);
    assert_int_equal(ipc_pack(&m, &b, &passed), SP_OK);
    send_octets(fd, sp_buf_view(&b), passed);
    sp_buf_fini(&b);
}

#define GIVE(name, ...)                                                                                      \
    send_message(rig.supervisor, (struct ipc_message){.type = IPC_TYPE_##name, .as.name = {__VA_ARGS__}})

static void configure(uint32_t generation, const char *hostname)
{
    char text[256];
    (void)snprintf(text, sizeof text,
                   "hostname = %s\ndefault-route = hold\nlistener a {\n address = \"127.0.0.1:0\"\n}\n",
                   hostname);
    GIVE(configure, .generation = generation, .path = SP_LIT("/test.conf"), .text = sp_view_of(text));
}

static uint32_t introduced; /* edges so far; the number of the last one */

/* Introduce a peer; our end of the edge to it. */
static int introduce(enum ipc_role kind, uint32_t index)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    GIVE(peer, .role = (uint8_t)kind, .index = index, .edge = ++introduced, .fd = ends[1]);
    close(ends[1]);
    return ends[0];
}

static size_t read_some(int fd, void *p, size_t n)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    ssize_t got = read(fd, p, n);
    assert_true(got >= 0);
    return (size_t)got;
}

static void expect_note(const char *line)
{
    char got[128] = "";
    size_t n = 0;
    while (n + 1 < sizeof got && (n == 0 || got[n - 1] != '\n')) {
        size_t more = read_some(rig.notes, got + n, 1);
        if (more == 0)
            break;
        n += more;
    }
    got[n > 0 ? n - 1 : 0] = '\0';
    assert_string_equal(got, line);
}

enum { PAYLOAD_MAX = 16 };

/* The role's next message to the supervisor; octets holds its payload. */
static struct ipc_message hear(enum ipc_type type, size_t payload_len, uint8_t octets[])
{
    struct ipc_message m;
    size_t n = 0;
    while (n < IPC_HEADER_LEN + payload_len) {
        size_t more = read_some(rig.supervisor, octets + n, IPC_HEADER_LEN + payload_len - n);
        assert_true(more > 0);
        n += more;
    }
    assert_int_equal(octets[4], type);
    assert_int_equal(ipc_unpack(type, sp_view_make(octets + IPC_HEADER_LEN, payload_len), -1, &m), SP_OK);
    return m;
}

static void expect_ready(uint32_t generation)
{
    uint8_t octets[IPC_HEADER_LEN + PAYLOAD_MAX];
    assert_int_equal(hear(IPC_TYPE_ready, 4, octets).as.ready.generation, generation);
}

static void expect_lost(enum ipc_role kind, uint32_t index, uint32_t edge)
{
    uint8_t octets[IPC_HEADER_LEN + PAYLOAD_MAX];
    struct ipc_peer_lost lost = hear(IPC_TYPE_peer_lost, 9, octets).as.peer_lost;
    assert_int_equal(lost.role, kind);
    assert_int_equal(lost.index, index);
    assert_int_equal(lost.edge, edge);
}

static void expect_end(int exit_code)
{
    char c;
    int status;
    assert_int_equal(read_some(rig.notes, &c, 1), 0); /* it noted nothing more */
    assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), exit_code);
    rig.pid = 0;
}

static void begin(const struct role_ops *ops)
{
    int edge[2], notes[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, edge), 0);
    assert_int_equal(pipe(notes), 0);
    rig.pid = fork();
    if (rig.pid == 0)
        be_the_role(ops, edge[1], notes[1]);
    close(edge[1]);
    close(notes[1]);
    rig.supervisor = edge[0];
    rig.notes = notes[0];
}

static int finish(void **state)
{
    (void)state;
    if (rig.pid > 0 && kill(rig.pid, SIGKILL) == 0)
        (void)waitpid(rig.pid, NULL, 0);
    rig.pid = 0;
    if (rig.supervisor >= 0)
        close(rig.supervisor);
    close(rig.notes);
    return 0;
}

static void leave(void)
{
    close(rig.supervisor);
    rig.supervisor = -1;
    expect_end(0);
}

/* --- tests ------------------------------------------------------------------------------------- */

static void nothing_is_read_from_a_peer_before_the_role_can_serve(void **state)
{
    (void)state;
    begin(&noting);
    configure(1, "one.example");
    int auth = introduce(IPC_AUTH, 0), queue = introduce(IPC_QUEUE, 0);
    send_message(auth, (struct ipc_message){.type = IPC_TYPE_auth_yes, .as.auth_yes = {.session = 7}});
    GIVE(listener, .name = SP_LIT("a"), .fd = rig.notes);
    expect_note("supervisor listener");
    GIVE(start, .generation = 1);
    expect_note("start one.example");
    expect_note("up auth/0 of 1");
    expect_note("up queue/0 of 1");
    expect_ready(1);
    expect_note("auth auth_yes");
    leave();
    close(auth);
    close(queue);
}

static void start_one(void)
{
    begin(&noting);
    configure(1, "one.example");
    GIVE(start, .generation = 1);
    expect_note("start one.example");
    expect_ready(1);
}

static void a_later_generation_reloads(void **state)
{
    (void)state;
    start_one();
    configure(2, "two.example");
    GIVE(start, .generation = 2);
    expect_note("reload two.example");
    expect_ready(2);
    leave();
}

static void a_peer_that_came_back_takes_the_place_of_the_old_one(void **state)
{
    (void)state;
    start_one();
    int old = introduce(IPC_AUTH, 1);
    expect_note("up auth/1 of 1");
    int new = introduce(IPC_AUTH, 1); /* before the end of the old one is seen */
    expect_note("down auth/1 of 0 gone");
    expect_note("up auth/1 of 1");
    close(old);
    int other = introduce(IPC_AUTH, 0);
    expect_note("up auth/0 of 2");
    close(new);
    expect_note("down auth/1 of 1 gone");
    leave();
    close(other);
}

static void a_peer_that_breaks_the_rules_is_cut_off_alone(void **state)
{
    (void)state;
    start_one();
    int bad = introduce(IPC_AUTH, 0), worse = introduce(IPC_AUTH, 1), good = introduce(IPC_QUEUE, 0);
    expect_note("up auth/0 of 1");
    expect_note("up auth/1 of 2");
    expect_note("up queue/0 of 1");
    send_octets(bad, SP_LIT("\xff\xff\xff\xff\xff\xff\xff\xff nonsense"), -1);
    expect_note("down auth/0 of 1 gone");
    /* Well-formed, but not auth's to say. */
    send_message(worse, (struct ipc_message){.type = IPC_TYPE_submit_yes, .as.submit_yes = {.tag = 1}});
    expect_note("down auth/1 of 0 gone");
    send_message(good, (struct ipc_message){.type = IPC_TYPE_submit_yes, .as.submit_yes = {.tag = 1}});
    expect_note("queue submit_yes");
    leave();
    close(bad);
    close(worse);
    close(good);
}

/* A peer that lives may have lost its edge all the same; one that was replaced has not been lost. */
static void the_supervisor_is_told_of_an_edge_that_ends(void **state)
{
    (void)state;
    start_one();
    int old = introduce(IPC_AUTH, 1);
    expect_note("up auth/1 of 1");
    int new = introduce(IPC_AUTH, 1);
    uint32_t edge = introduced;
    expect_note("down auth/1 of 0 gone");
    expect_note("up auth/1 of 1");
    int queue = introduce(IPC_QUEUE, 0);
    expect_note("up queue/0 of 1");
    close(new);
    expect_note("down auth/1 of 0 gone");
    expect_lost(IPC_AUTH, 1, edge);
    send_octets(queue, SP_LIT("\xff\xff\xff\xff\xff\xff\xff\xff nonsense"), -1);
    expect_note("down queue/0 of 0 gone");
    expect_lost(IPC_QUEUE, 0, edge + 1);
    leave();
    close(old);
    close(queue);
}

static void stop_is_told_with_its_grace(void **state)
{
    (void)state;
    start_one();
    GIVE(stop, .grace_ms = 700);
    expect_note("stop 700");
    expect_end(0);
}

static void a_role_without_wishes_leaves_at_once(void **state)
{
    (void)state;
    begin(&silent);
    configure(1, "one.example");
    GIVE(start, .generation = 1);
    expect_ready(1);
    GIVE(stop, .grace_ms = 1);
    expect_end(0);
}

static void signals_are_for_the_supervisor(void **state)
{
    (void)state;
    start_one();
    assert_int_equal(kill(rig.pid, SIGTERM), 0);
    assert_int_equal(kill(rig.pid, SIGINT), 0);
    assert_int_equal(kill(rig.pid, SIGHUP), 0);
    configure(2, "two.example");
    GIVE(start, .generation = 2);
    expect_note("reload two.example");
    leave();
}

static void nobody_outlives_the_supervisor(void **state)
{
    (void)state;
    begin(&noting);
    leave(); /* even before it was told anything */
}

/* Session numbers are a time and a count whose last octet is mostly 0. */
static void numbers_fall_to_all_peers(void **state)
{
    enum { PEERS = 4, NUMBERS = 4000 };
    static struct role r;
    uint8_t places[PEERS];
    unsigned counts[PEERS] = {0};
    (void)state;
    assert_null(role_peer_for(&r, IPC_AUTH, 7));
    for (size_t i = 0; i < PEERS; i++)
        r.peers[IPC_AUTH][i * 2] = (struct os_edge *)(void *)&places[i]; /* never looked at */
    for (uint64_t n = 0; n < NUMBERS; n++) {
        struct os_edge *peer = role_peer_for(&r, IPC_AUTH, (UINT64_C(0x197a000000) + n) << 20);
        for (size_t i = 0; i < PEERS; i++)
            counts[i] += (void *)peer == &places[i];
    }
    for (size_t i = 0; i < PEERS; i++)
        assert_in_range(counts[i], NUMBERS / PEERS / 2, NUMBERS / PEERS * 2);
}

#define CASE(f) cmocka_unit_test_teardown(f, finish)

static const struct CMUnitTest tests[] = {
    CASE(nothing_is_read_from_a_peer_before_the_role_can_serve),
    CASE(a_later_generation_reloads),
    CASE(a_peer_that_came_back_takes_the_place_of_the_old_one),
    CASE(a_peer_that_breaks_the_rules_is_cut_off_alone),
    CASE(the_supervisor_is_told_of_an_edge_that_ends),
    CASE(stop_is_told_with_its_grace),
    CASE(a_role_without_wishes_leaves_at_once),
    CASE(signals_are_for_the_supervisor),
    CASE(nobody_outlives_the_supervisor),
    cmocka_unit_test(numbers_fall_to_all_peers),
};

TAP_MAIN(tests)
