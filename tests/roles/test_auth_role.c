/*
 * The role auth as a process of its own. This program plays its supervisor, two smtpd and a tool: what each
 * is told, what the log says of it, and that no password is in either or in the folder.
 */
#include "base/view.h"
#include "ipc/ipc.h"
#include "os/control.h"
#include "os/edge.h"
#include "os/heap.h"
#include "roles/auth/worker.h"
#include "roles/role.h"
#include "roles/slow.h"
#include "sasl/client.h"
#include "tap.h"
#include "users/users.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SMTPD_N = 2, DEADLINE_S = 60 };

#define RIGHT "Xyzzy-plugh-1977"
#define OTHER "Plover-1977-xyzzy"
#define WRONG "Fee-fie-foe-foo"

struct smtpd {
    struct os_edge *edge;
    size_t yes, no, unavailable, more;
    struct sp_buf last; /* the last message, packed */
    struct ipc_message said;
};

static struct rig {
    char data[64], folder[80], log[80];
    pid_t pid;
    struct event_base *base;
    struct os_edge *supervisor, *tool;
    struct smtpd smtpd[SMTPD_N];
    bool ready, known, known_changed, fault, done, page, lost;
    enum ipc_user_result result;
    size_t listed;
    bool listed_disabled;
} rig;

/* --- what the role says ------------------------------------------------------------------- */

static void take_supervisor_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    (void)ctx, (void)edge;
    if (m->type == IPC_TYPE_ready)
        rig.ready = true;
    if (m->type == IPC_TYPE_user_known) {
        rig.known = true;
        rig.known_changed = m->as.user_known.changed;
        rig.fault = m->as.user_known.fault.len > 0;
    }
}

static void take_smtpd_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct smtpd *s = ctx;
    int fd;
    (void)edge;
    s->yes += m->type == IPC_TYPE_auth_yes;
    s->more += m->type == IPC_TYPE_auth_more;
    s->no += m->type == IPC_TYPE_auth_no;
    s->unavailable += m->type == IPC_TYPE_auth_no && m->as.auth_no.verdict == IPC_AUTH_UNAVAILABLE;
    sp_buf_clear(&s->last);
    assert_int_equal(ipc_pack(m, &s->last, &fd), SP_OK);
    struct sp_view payload = sp_view_from(sp_buf_view(&s->last), IPC_HEADER_LEN);
    assert_int_equal(ipc_unpack(m->type, payload, -1, &s->said), SP_OK);
}

static void take_tool_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    (void)ctx, (void)edge;
    if (m->type == IPC_TYPE_user_done) {
        rig.done = true;
        rig.result = (enum ipc_user_result)m->as.user_done.result;
    } else if (m->type == IPC_TYPE_user_page) {
        struct sp_view rest = m->as.user_page.users;
        struct ipc_user u;
        rig.page = true;
        for (rig.listed = 0; ipc_next_user(&rest, &u); rig.listed++)
            rig.listed_disabled = u.disabled;
    }
}

static void note_closed(void *ctx, struct os_edge *edge)
{
    (void)ctx, (void)edge;
    rig.lost = true;
}

static const struct os_edge_handlers supervisor_handlers = {take_supervisor_message, note_closed, NULL};
static const struct os_edge_handlers smtpd_handlers = {take_smtpd_message, note_closed, NULL};
static const struct os_edge_handlers tool_handlers = {take_tool_message, note_closed, NULL};

static void note_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    *(bool *)arg = true;
}

/* Run the loop until the condition holds. */
#define AWAIT(condition)                                                                                     \
    do {                                                                                                     \
        bool late_ = false;                                                                                  \
        struct event *timer_ = evtimer_new(rig.base, note_deadline, &late_);                                 \
        event_add(timer_, &(struct timeval){.tv_sec = DEADLINE_S});                                          \
        while (!(condition) && !late_ && !rig.lost)                                                          \
            event_base_loop(rig.base, EVLOOP_ONCE);                                                          \
        event_free(timer_);                                                                                  \
        assert_false(rig.lost);                                                                              \
        assert_false(late_);                                                                                 \
    } while (0)

/* --- birth and end ------------------------------------------------------------------------ */

static void be_the_role(int fd)
{
    int log = open(rig.log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (log < 0 || dup2(log, STDERR_FILENO) < 0 || dup2(fd, ROLE_SUPERVISOR_FD) < 0)
        _exit(99);
    closefrom(ROLE_SUPERVISOR_FD + 1);
    role_run(IPC_AUTH, 0, &auth_ops, NULL);
}

static void send_to_role(const struct ipc_message *m)
{
    assert_int_equal(os_edge_send(rig.supervisor, m), SP_OK);
}

static void configure(void)
{
    struct config_sandbox options = {.data = rig.data};
    struct sp_buf text, error;
    sp_buf_init(&text, &os_heap, 1 << 16);
    sp_buf_init(&error, &os_heap, 1 << 16);
    assert_int_equal(config_sandbox_text(&options, &text, &error), SP_OK);
    struct ipc_message m = {
        .type = IPC_TYPE_configure,
        .as.configure = {.generation = 1, .path = SP_LIT("(sandbox)"), .text = sp_buf_view(&text)}};
    send_to_role(&m);
    sp_buf_fini(&text);
    sp_buf_fini(&error);
}

static void add_smtpd(uint32_t index)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    struct ipc_message m = {.type = IPC_TYPE_peer,
                            .as.peer = {.role = IPC_SMTPD, .index = index, .fd = ends[1]}};
    send_to_role(&m);
    close(ends[1]);
    struct smtpd *s = &rig.smtpd[index];
    s->edge = os_edge_new(rig.base, ends[0], IPC_SMTPD, IPC_AUTH, 0, &smtpd_handlers, s);
}

static int give_birth(void **state)
{
    int ends[2];
    (void)state;
    (void)snprintf(rig.data, sizeof rig.data, "/tmp/sallyport-auth-XXXXXX");
    if (!mkdtemp(rig.data))
        return -1;
    (void)snprintf(rig.folder, sizeof rig.folder, "%s/auth", rig.data);
    (void)snprintf(rig.log, sizeof rig.log, "%s/log", rig.data);
    if (mkdir(rig.folder, 0700) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))
        return -1;
    rig.pid = fork();
    if (rig.pid < 0)
        return -1;
    if (rig.pid == 0)
        be_the_role(ends[1]);
    close(ends[1]);
    rig.base = os_loop_new();
    rig.supervisor = os_edge_new(rig.base, ends[0], IPC_SUPERVISOR, IPC_AUTH, 0, &supervisor_handlers, NULL);
    for (size_t i = 0; i < SMTPD_N; i++)
        sp_buf_init(&rig.smtpd[i].last, &os_heap, 1 << 16);
    configure();
    int folder = open(rig.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    send_to_role(&(struct ipc_message){.type = IPC_TYPE_folder, .as.folder = {.fd = folder}});
    close(folder);
    int slow = slow_make();
    send_to_role(&(struct ipc_message){.type = IPC_TYPE_slow_table, .as.slow_table = {.fd = slow}});
    close(slow);
    return 0;
}

static int bury(void **state)
{
    (void)state;
    os_edge_free(rig.supervisor);
    os_edge_free(rig.tool);
    for (size_t i = 0; i < SMTPD_N; i++) {
        os_edge_free(rig.smtpd[i].edge);
        sp_buf_fini(&rig.smtpd[i].last);
    }
    event_base_free(rig.base);
    if (rig.pid > 0) {
        kill(rig.pid, SIGKILL);
        waitpid(rig.pid, NULL, 0);
    }
    DIR *d = opendir(rig.folder);
    for (struct dirent *e; d && (e = readdir(d));)
        (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    (void)rmdir(rig.folder);
    (void)unlink(rig.log);
    return rmdir(rig.data);
}

/* --- what is said to it ------------------------------------------------------------------- */

static void begin(struct smtpd *s, uint64_t session, const char *mechanism, const char *client,
                  struct sp_view initial, bool has_initial)
{
    struct ipc_message m = {.type = IPC_TYPE_auth_begin,
                            .as.auth_begin = {.session = session,
                                              .mechanism = sp_view_of(mechanism),
                                              .has_initial = has_initial,
                                              .initial = initial,
                                              .tls = 1,
                                              .client = sp_view_of(client),
                                              .session_name = SP_LIT("s1")}};
    assert_int_equal(os_edge_send(s->edge, &m), SP_OK);
}

static void answer(struct smtpd *s, uint64_t session, struct sp_view response)
{
    struct ipc_message m = {.type = IPC_TYPE_auth_answer,
                            .as.auth_answer = {.session = session, .response = response}};
    assert_int_equal(os_edge_send(s->edge, &m), SP_OK);
}

static void say_plain(struct smtpd *s, uint64_t session, const char *client, const char *user,
                      const char *password)
{
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, 4096);
    sp_buf_add_u8(&b, 0);
    sp_buf_add_str(&b, user);
    sp_buf_add_u8(&b, 0);
    sp_buf_add_str(&b, password);
    begin(s, session, "PLAIN", client, sp_buf_view(&b), true);
    sp_buf_fini_secret(&b);
}

/* The verdict: 'y', 'n' (bad credentials), 'm' (malformed), 'u' (unavailable), '?' (unknown mechanism). */
static char verdict(struct smtpd *s, size_t before)
{
    AWAIT(s->yes + s->no > before);
    if (s->said.type == IPC_TYPE_auth_yes)
        return 'y';
    switch (s->said.as.auth_no.verdict) {
    case IPC_AUTH_BAD_CREDENTIALS:
        return 'n';
    case IPC_AUTH_MALFORMED:
        return 'm';
    case IPC_AUTH_UNAVAILABLE:
        return 'u';
    default:
        return '?';
    }
}

static char plain(const char *user, const char *password)
{
    struct smtpd *s = &rig.smtpd[0];
    size_t before = s->yes + s->no;
    say_plain(s, 7, "192.0.2.1", user, password);
    return verdict(s, before);
}

static enum ipc_user_result tool(const struct ipc_message *m)
{
    rig.done = false;
    assert_int_equal(os_edge_send(rig.tool, m), SP_OK);
    AWAIT(rig.done);
    return rig.result;
}

static enum ipc_user_result enable(const char *name, bool enabled)
{
    return tool(&(struct ipc_message){.type = IPC_TYPE_user_enable,
                                      .as.user_enable = {.name = sp_view_of(name), .enabled = enabled}});
}

static enum ipc_user_result passwd(const char *name, const char *password)
{
    return tool(&(struct ipc_message){
        .type = IPC_TYPE_user_passwd,
        .as.user_passwd = {.name = sp_view_of(name), .password = sp_view_of(password)}});
}

static enum ipc_user_result add(const char *name, const char *password)
{
    return tool(
        &(struct ipc_message){.type = IPC_TYPE_user_add,
                              .as.user_add = {.name = sp_view_of(name), .password = sp_view_of(password)}});
}

static void want(const char *name, const char *password, bool replace)
{
    rig.known = false;
    send_to_role(&(struct ipc_message){
        .type = IPC_TYPE_user_wanted,
        .as.user_wanted = {.name = sp_view_of(name), .password = sp_view_of(password), .replace = replace}});
    AWAIT(rig.known);
}

/* The log from its start or from a mark on. */
static struct sp_view read_log(void)
{
    static char octets[4 << 20];
    FILE *f = fopen(rig.log, "rb");
    assert_non_null(f);
    size_t n = fread(octets, 1, sizeof octets, f);
    fclose(f);
    return sp_view_make(octets, n);
}

static bool has(struct sp_view v, const char *text) { return memmem(v.p, v.len, text, strlen(text)) != NULL; }

/* The log's last line. */
static struct sp_view last_line(void)
{
    struct sp_view log = read_log();
    size_t start = log.len ? log.len - 1 : 0;
    while (start > 0 && log.p[start - 1] != '\n')
        start--;
    return sp_view_from(log, start);
}

/* The line is written behind the verdict, so it may lag a moment. */
static void assert_logged(const char *a, const char *b)
{
    for (int i = 0; i < 500 && !(has(last_line(), a) && has(last_line(), b)); i++) {
        event_base_loop(rig.base, EVLOOP_NONBLOCK); /* what was said leaves with the loop */
        usleep(10000);
    }
    if (!has(last_line(), a) || !has(last_line(), b))
        fail_msg("the last line is '%.*s'", (int)last_line().len, (const char *)last_line().p);
}

/* --- tests, in this order ----------------------------------------------------------------- */

static void a_user_may_be_wanted_before_the_start(void **state)
{
    (void)state;
    want("demo", RIGHT, false);
    assert_true(rig.known_changed);
    assert_false(rig.fault);
    send_to_role(&(struct ipc_message){.type = IPC_TYPE_start, .as.start = {.generation = 1}});
    AWAIT(rig.ready);
    add_smtpd(0);
    add_smtpd(1);
    want("Demo", WRONG, false);
    assert_false(rig.known_changed);
    want("demo", "", true);
    assert_true(rig.fault);
    want("de\nmo", "x", true);
    assert_true(rig.fault);
    assert_int_equal(plain("demo", RIGHT), 'y');
    want("demo", OTHER, true);
    assert_true(rig.known_changed);
    assert_int_equal(plain("demo", RIGHT), 'n');
    assert_int_equal(plain("demo", OTHER), 'y');
    want("demo", RIGHT, true);
}

static void yes_names_the_user_as_kept(void **state)
{
    (void)state;
    assert_int_equal(plain("DEMO", RIGHT), 'y');
    assert_true(sp_view_eq(rig.smtpd[0].said.as.auth_yes.user, SP_LIT("demo")));
    assert_int_equal(rig.smtpd[0].said.as.auth_yes.session, 7);
    assert_logged("event=auth-ok", "mechanism=PLAIN");
    assert_true(has(last_line(), "client=192.0.2.1"));
    assert_true(has(last_line(), "session=s1"));
    assert_true(has(last_line(), "user=demo"));
}

static void a_tool_changes_users(void **state)
{
    (void)state;
    int fd = os_control_connect(rig.data, IPC_AUTH);
    assert_true(fd >= 0);
    rig.tool = os_edge_new(rig.base, fd, IPC_TOOL, IPC_AUTH, 0, &tool_handlers, NULL);
    assert_int_equal(add("demo", "x"), IPC_USER_EXISTS);
    assert_int_equal(add("second", OTHER), IPC_USER_OK);
    assert_int_equal(add("third", ""), IPC_USER_INVALID);
    assert_int_equal(add("", "x"), IPC_USER_INVALID);
    assert_int_equal(passwd("nobody", "x"), IPC_USER_ABSENT);
    assert_int_equal(enable("nobody", false), IPC_USER_ABSENT);
    assert_int_equal(enable("second", false), IPC_USER_OK);
    rig.page = false;
    assert_int_equal(os_edge_send(rig.tool, &(struct ipc_message){.type = IPC_TYPE_user_list}), SP_OK);
    AWAIT(rig.page);
    assert_int_equal(rig.listed, 2);
    assert_true(rig.listed_disabled);
}

/* The same octets for all three, by the wire; the log tells them apart. */
static void three_failures_are_one(void **state)
{
    struct sp_buf first;
    struct smtpd *s = &rig.smtpd[0];
    (void)state;
    sp_buf_init(&first, &os_heap, 4096);
    assert_int_equal(plain("demo", WRONG), 'n');
    assert_logged("event=auth-failed", "reason=bad-password");
    sp_buf_add(&first, sp_buf_view(&s->last));
    assert_int_equal(plain("nobody", WRONG), 'n');
    assert_true(sp_view_eq(sp_buf_view(&first), sp_buf_view(&s->last)));
    assert_logged("event=auth-failed", "reason=unknown-user");
    assert_int_equal(plain("second", OTHER), 'n');
    assert_true(sp_view_eq(sp_buf_view(&first), sp_buf_view(&s->last)));
    assert_logged("event=auth-failed", "reason=disabled");
    sp_buf_fini(&first);
}

static void defects_are_named_in_the_log(void **state)
{
    struct smtpd *s = &rig.smtpd[0];
    (void)state;
    size_t before = s->no;
    begin(s, 1, "PLAIN", "192.0.2.1", SP_LIT("demo:" RIGHT), true);
    assert_int_equal(verdict(s, s->yes + before), 'm');
    assert_logged("reason=malformed", "defect=user-colon-password");
    begin(s, 1, "PLAIN", "192.0.2.1", SP_LIT("\0demo\0" RIGHT "\n"), true);
    assert_int_equal(verdict(s, s->yes + before + 1), 'n');
    assert_logged("reason=malformed", "defect=trailing-newline");
    begin(s, 1, "LOGIN", "192.0.2.1", SP_LIT("ZGVtb0BleGFtcGxlLm9yZw=="), true);
    AWAIT(s->more > 0);
    answer(s, 1, SP_LIT(WRONG));
    assert_int_equal(verdict(s, s->yes + before + 2), 'n');
    assert_logged("reason=unknown-user", "encoded twice");
    begin(s, 1, "NTLM", "192.0.2.1", SP_LIT(""), false);
    assert_int_equal(verdict(s, s->yes + before + 3), '?');
    assert_logged("reason=unknown-mechanism", "mechanism=NTLM");
    answer(s, 99, SP_LIT("x"));
    assert_int_equal(verdict(s, s->yes + before + 4), 'u');
}

static void login_takes_two_turns(void **state)
{
    struct smtpd *s = &rig.smtpd[1];
    (void)state;
    size_t more = s->more, before = s->yes + s->no;
    begin(s, 5, "LOGIN", "2001:db8::1", SP_LIT(""), false);
    AWAIT(s->more == more + 1);
    assert_true(sp_view_eq(s->said.as.auth_more.challenge, SP_LIT("Username:")));
    answer(s, 5, SP_LIT("demo"));
    AWAIT(s->more == more + 2);
    assert_true(sp_view_eq(s->said.as.auth_more.challenge, SP_LIT("Password:")));
    answer(s, 5, SP_LIT(RIGHT));
    assert_int_equal(verdict(s, before), 'y');
    begin(s, 6, "LOGIN", "2001:db8::1", SP_LIT("demo"), true);
    AWAIT(s->more == more + 3);
    assert_int_equal(os_edge_send(s->edge, &(struct ipc_message){.type = IPC_TYPE_auth_drop,
                                                                 .as.auth_drop = {.session = 6}}),
                     SP_OK);
    assert_logged("event=auth-given-up", "user=demo");
}

/* Done by scram() behind the server's first message; NULL: nothing. */
static void (*meanwhile)(void);

/* SCRAM from the client's first word to the verdict. */
static char scram(const char *user, const char *password, struct sp_buf *first_out)
{
    struct smtpd *s = &rig.smtpd[1];
    struct sasl_credentials credentials = {sp_view_of(user), sp_view_of(password)};
    struct sasl_client *c = NULL;
    const char *sent = NULL;
    size_t more = s->more, before = s->yes + s->no;
    int status = SP_OK;
    assert_int_equal(sasl_client_new(SP_LIT("SCRAM-SHA-256"), &credentials, &os_heap, &c), SP_OK);
    for (int turn = 0; turn < 3 && status == SP_OK && s->yes + s->no == before; turn++) {
        struct sp_buf out;
        sp_buf_init(&out, &os_heap, 4096);
        status = sasl_client_step(c, turn ? s->said.as.auth_more.challenge : SP_LIT(""), &out, &sent);
        if (turn == 0)
            begin(s, 8, "SCRAM-SHA-256", "192.0.2.1", sp_buf_view(&out), true);
        else if (status == SP_OK)
            answer(s, 8, sp_buf_view(&out));
        sp_buf_fini_secret(&out);
        if (status == SP_OK)
            AWAIT(s->more > more || s->yes + s->no > before);
        more = s->more;
        if (turn == 0)
            sp_buf_add(first_out, s->said.as.auth_more.challenge);
        if (turn == 0 && meanwhile)
            meanwhile();
    }
    sasl_client_free(c);
    assert_int_equal(status, SP_OK);
    return verdict(s, before);
}

/* The salt that a server-first-message shows. */
static struct sp_view salt_in(const struct sp_buf *first)
{
    const uint8_t *at = memmem(first->p, first->len, ",s=", 3);
    assert_non_null(at);
    return sp_view_from(sp_buf_view(first), (size_t)(at - first->p));
}

static void scram_hides_who_exists(void **state)
{
    struct sp_buf first[4];
    (void)state;
    for (size_t i = 0; i < 4; i++)
        sp_buf_init(&first[i], &os_heap, 4096);
    assert_int_equal(scram("demo", RIGHT, &first[0]), 'y');
    assert_logged("event=auth-ok", "mechanism=SCRAM-SHA-256");
    assert_int_equal(scram("demo", WRONG, &first[1]), 'n');
    assert_logged("event=auth-failed", "reason=bad-password");
    assert_int_equal(scram("nobody", WRONG, &first[2]), 'n');
    assert_logged("event=auth-failed", "reason=unknown-user");
    assert_int_equal(scram("nobody", RIGHT, &first[3]), 'n');
    assert_true(sp_view_eq(salt_in(&first[0]), salt_in(&first[1])));
    assert_true(sp_view_eq(salt_in(&first[2]), salt_in(&first[3])));
    assert_int_equal(first[0].len, first[2].len);
    for (size_t i = 0; i < 4; i++)
        sp_buf_fini(&first[i]);
}

static void disable_demo(void) { assert_int_equal(enable("demo", false), IPC_USER_OK); }
static void change_demo(void) { assert_int_equal(passwd("demo", OTHER), IPC_USER_OK); }
static void change_nothing(void) { assert_int_equal(passwd("demo", RIGHT), IPC_USER_OK); }

/* Behind the server's first message the client may take its time. */
static void what_is_taken_back_within_an_exchange_is_gone(void **state)
{
    struct sp_buf first;
    (void)state;
    sp_buf_init(&first, &os_heap, 16384);
    meanwhile = disable_demo;
    assert_int_equal(scram("demo", RIGHT, &first), 'n');
    assert_logged("event=auth-failed", "reason=disabled");
    assert_int_equal(enable("demo", true), IPC_USER_OK);
    meanwhile = change_demo;
    assert_int_equal(scram("demo", RIGHT, &first), 'n');
    assert_logged("event=auth-failed", "reason=bad-password");
    meanwhile = change_nothing; /* to the same word under another salt: it is another password all the same */
    assert_int_equal(scram("demo", OTHER, &first), 'n');
    meanwhile = NULL;
    assert_int_equal(scram("demo", RIGHT, &first), 'y');
    sp_buf_fini(&first);
}

static void a_change_empties_the_cache(void **state)
{
    struct users *u = NULL;
    struct sp_buf error;
    struct sasl_verifier v;
    (void)state;
    assert_int_equal(plain("demo", RIGHT), 'y');
    assert_int_equal(plain("demo", RIGHT), 'y');
    assert_logged("event=auth-ok", "cached=yes");
    assert_int_equal(plain("demo", WRONG), 'n');
    assert_int_equal(passwd("demo", OTHER), IPC_USER_OK);
    assert_int_equal(plain("demo", RIGHT), 'n');
    assert_int_equal(plain("demo", OTHER), 'y');
    assert_int_equal(enable("demo", false), IPC_USER_OK);
    assert_int_equal(plain("demo", OTHER), 'n');
    assert_int_equal(enable("demo", true), IPC_USER_OK);
    assert_int_equal(plain("demo", OTHER), 'y');
    /* Another process of the role changes it. */
    sp_buf_init(&error, &os_heap, 1024);
    assert_int_equal(users_open(rig.folder, &error, &u), SP_OK);
    assert_int_equal(sasl_verifier_make(SP_LIT(RIGHT), &v), SP_OK);
    assert_int_equal(users_set_verifier(u, SP_LIT("demo"), &v, 1), SP_OK);
    assert_int_equal(plain("demo", OTHER), 'n');
    assert_int_equal(plain("demo", RIGHT), 'y');
    assert_int_equal(users_set_disabled(u, SP_LIT("demo"), true), SP_OK);
    assert_int_equal(plain("demo", RIGHT), 'n');
    assert_int_equal(users_set_disabled(u, SP_LIT("demo"), false), SP_OK);
    users_close(u);
    sp_buf_fini(&error);
}

/* One client asks for more than the line holds; another is served meanwhile, then the first is gone. */
static void a_flood_is_bounded_and_fair(void **state)
{
    struct smtpd *flood = &rig.smtpd[0], *other = &rig.smtpd[1];
    enum { ATTEMPTS = AUTH_WAITING_MAX + 500 };
    (void)state;
    size_t before = flood->no, busy = flood->unavailable, yes = other->yes;
    for (uint64_t i = 0; i < ATTEMPTS; i++)
        say_plain(flood, 1000 + i, "198.51.100.9", "demo", WRONG);
    AWAIT(flood->unavailable > busy);
    say_plain(other, 1, "203.0.113.4", "demo", RIGHT);
    say_plain(other, 2, "203.0.113.5", "nobody", RIGHT);
    AWAIT(other->yes == yes + 1);
    assert_true(flood->no - before < ATTEMPTS);
    os_edge_free(flood->edge);
    flood->edge = NULL;
    yes = other->yes;
    say_plain(other, 3, "203.0.113.6", "demo", RIGHT);
    AWAIT(other->yes == yes + 1);
}

static void a_reload_forgets_and_goes_on(void **state)
{
    struct smtpd *s = &rig.smtpd[1];
    (void)state;
    rig.ready = false;
    configure();
    send_to_role(&(struct ipc_message){.type = IPC_TYPE_start, .as.start = {.generation = 1}});
    AWAIT(rig.ready);
    size_t yes = s->yes;
    say_plain(s, 4, "203.0.113.7", "demo", RIGHT);
    AWAIT(s->yes == yes + 1);
    assert_logged("event=auth-ok", "client=203.0.113.7");
    assert_false(has(last_line(), "cached"));
}

static void assert_no_password_in(const char *path)
{
    static char octets[8 << 20];
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(octets, 1, sizeof octets, f);
    fclose(f);
    static const char *const secrets[] = {RIGHT, OTHER, WRONG, "WHl6enktcGx1Z2gt"}; /* and base64 of one */
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        assert_false(has(sp_view_make(octets, n), secrets[i]));
}

static void it_leaves_with_its_supervisor_and_no_secret_stays(void **state)
{
    int status = 0;
    char path[384];
    (void)state;
    os_edge_free(rig.supervisor);
    rig.supervisor = NULL;
    assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
    rig.pid = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_no_password_in(rig.log);
    assert_true(has(read_log(), "event=user-added"));
    assert_false(has(read_log(), "level=warn"));
    assert_false(has(read_log(), "level=panic"));
    DIR *d = opendir(rig.folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        (void)snprintf(path, sizeof path, "%s/%s", rig.folder, e->d_name);
        struct stat st;
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
            assert_no_password_in(path);
    }
    closedir(d);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_user_may_be_wanted_before_the_start),
    cmocka_unit_test(yes_names_the_user_as_kept),
    cmocka_unit_test(a_tool_changes_users),
    cmocka_unit_test(three_failures_are_one),
    cmocka_unit_test(defects_are_named_in_the_log),
    cmocka_unit_test(login_takes_two_turns),
    cmocka_unit_test(scram_hides_who_exists),
    cmocka_unit_test(what_is_taken_back_within_an_exchange_is_gone),
    cmocka_unit_test(a_change_empties_the_cache),
    cmocka_unit_test(a_flood_is_bounded_and_fair),
    cmocka_unit_test(a_reload_forgets_and_goes_on),
    cmocka_unit_test(it_leaves_with_its_supervisor_and_no_secret_stays),
};

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, give_birth, bury);
}
