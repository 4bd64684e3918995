/* The filter of each role, tried by children: what is allowed works, the rest fails or kills. */
#include "harness.h"

#include "base/view.h"
#include "os/sandbox.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Run a deed in a child under the role's filter; its wait status. The deed's value is the exit status. */
static int try_as(enum ipc_role role, int (*deed)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || os_sandbox_filter(role))
            _exit(99);
        _exit(deed());
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int exit_of(int status)
{
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 99);
    return WEXITSTATUS(status);
}

/* Deeds: 0 or errno. */
static int deed(bool ok) { return ok ? 0 : errno; }
static int do_open(void) { return deed(open("/etc/passwd", O_RDONLY) >= 0); }
static int do_unix(void) { return deed(socket(AF_UNIX, SOCK_STREAM, 0) >= 0); }
static int do_inet(void) { return deed(socket(AF_INET, SOCK_STREAM, 0) >= 0); }
static int do_inet6(void) { return deed(socket(AF_INET6, SOCK_STREAM, 0) >= 0); }
static int do_netlink(void) { return deed(socket(AF_NETLINK, SOCK_RAW, 0) >= 0); }
static int do_exec_memory(void)
{
    return deed(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}
static int do_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return deed(pid > 0);
}
static int do_kill(void) { return deed(kill(getppid(), 0) == 0); }
static int do_exec(void)
{
    char *const argv[] = {"true", NULL};
    execv("/bin/true", argv);
    return errno;
}
static int do_setuid(void) { return deed(setuid(0) == 0); }
static int do_abort(void)
{
    signal(SIGABRT, SIG_DFL);
    abort();
}

static void *run_thread(void *arg) { return arg; }

/* What every role does all day. */
static int do_work(void)
{
    int pair[2], here;
    pthread_t thread;
    void *result = NULL;
    char octets[8];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return 1;
    struct event_base *base = os_loop_new();
    event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
    if (write(pair[0], "x", 1) != 1 || recv(pair[1], octets, sizeof octets, 0) != 1)
        return 2;
    if (pthread_create(&thread, NULL, run_thread, &here) || pthread_join(thread, &result) || result != &here)
        return 3;
    void *large = malloc(8 << 20);
    if (!large)
        return 4;
    memset(large, 1, 8 << 20);
    free(large);
    os_wall_ms();
    os_mono_ms();
    os_log(OS_INFO, "sandboxed", OS_NUM("pid", getpid()));
    return 0;
}

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        int (*deed)(void);
        int smtpd, auth, queue, delivery, fetch, pickup, console;
    } rows[] = {
        {do_work, 0, 0, 0, 0, 0, 0, 0},
        {do_open, ENOSYS, 0, 0, 0, 0, 0, 0},
        {do_unix, ENOSYS, 0, 0, 0, ENOSYS, ENOSYS, 0},
        {do_inet, ENOSYS, ENOSYS, ENOSYS, 0, 0, ENOSYS, ENOSYS},
        {do_inet6, ENOSYS, ENOSYS, ENOSYS, 0, 0, ENOSYS, ENOSYS},
        {do_netlink, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS},
        {do_exec_memory, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS},
        {do_fork, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS},
        {do_kill, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS, ENOSYS},
    };
    struct caught log;
    catch_start(&log);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(exit_of(try_as(IPC_SMTPD, rows[i].deed)), rows[i].smtpd);
        assert_int_equal(exit_of(try_as(IPC_AUTH, rows[i].deed)), rows[i].auth);
        assert_int_equal(exit_of(try_as(IPC_QUEUE, rows[i].deed)), rows[i].queue);
        assert_int_equal(exit_of(try_as(IPC_DELIVERY, rows[i].deed)), rows[i].delivery);
        assert_int_equal(exit_of(try_as(IPC_FETCH, rows[i].deed)), rows[i].fetch);
        assert_int_equal(exit_of(try_as(IPC_PICKUP, rows[i].deed)), rows[i].pickup);
        assert_int_equal(exit_of(try_as(IPC_CONSOLE, rows[i].deed)), rows[i].console);
    }
    assert_non_null(strstr(catch_end(&log), "event=sandboxed"));
}

static void test_deadly(void **state)
{
    (void)state;
    for (enum ipc_role role = IPC_SMTPD; role <= IPC_CONSOLE; role++) {
        int status = try_as(role, do_exec);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        status = try_as(role, do_setuid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        status = try_as(role, do_abort);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

/* A thread that was there before is shut in as well. */
static int to_thread[2];

static void *open_when_told(void *arg)
{
    char c;
    if (read(to_thread[0], &c, 1) == 1)
        *(int *)arg = do_open();
    return NULL;
}

static void test_older_thread(void **state)
{
    (void)state;
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        int outcome = -1;
        if (pipe(to_thread) || pthread_create(&thread, NULL, open_when_told, &outcome) ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || os_sandbox_filter(IPC_SMTPD) ||
            write(to_thread[1], "x", 1) != 1 || pthread_join(thread, NULL))
            _exit(99);
        _exit(outcome);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(exit_of(status), ENOSYS);
}

static void test_no_row(void **state)
{
    (void)state;
    assert_int_equal(os_sandbox_filter(IPC_SUPERVISOR), SP_ERR_IO);
    assert_int_equal(errno, EINVAL);
}

static void test_close_others(void **state)
{
    (void)state;
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        for (int fd = 3; fd < 12; fd++)
            dup2(2, fd);
        os_sandbox_close_others((const int[]){2, 3, 7, 8}, 4);
        int open_n = 0;
        for (int fd = 3; fd < 64; fd++)
            open_n += fcntl(fd, F_GETFD) >= 0;
        _exit(open_n == 3 && fcntl(3, F_GETFD) >= 0 && fcntl(7, F_GETFD) >= 0 && fcntl(8, F_GETFD) >= 0 ? 0
                                                                                                        : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(exit_of(status), 0);
}

enum { NOBODY = 65534 };

static void test_drop(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (os_sandbox_drop(NOBODY, NOBODY))
            _exit(1);
        if (getuid() != NOBODY || getegid() != NOBODY || getgroups(0, NULL) != 0)
            _exit(2);
        _exit(open("/etc/shadow", O_RDONLY) < 0 && errno == EACCES ? 0 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(exit_of(status), 0);
}

static void test_drop_refused(void **state)
{
    (void)state;
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY))
            _exit(98);
        _exit(os_sandbox_drop(0, 0) == SP_ERR_IO && errno == EPERM ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(exit_of(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_deadly),
        cmocka_unit_test(test_older_thread), cmocka_unit_test(test_no_row),
        cmocka_unit_test(test_close_others), cmocka_unit_test(test_drop),
        cmocka_unit_test(test_drop_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
