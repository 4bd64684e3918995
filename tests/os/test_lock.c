/* The lock of a data folder: one holder, inherited by children, waiting only for the dead. */
#include "folder.h"

#include "os/lock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>

static void read_lock(const struct folder *f, char text[32])
{
    int fd = openat(f->fd, "lock", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, 31);
    assert_true(n >= 0);
    text[n] = 0;
    close(fd);
}

static void test_take(void **state)
{
    (void)state;
    struct folder f;
    int first = -1, second = 77;
    int64_t pid = 0;
    char text[32], expected[32];
    folder_make(&f);
    assert_int_equal(os_lock_take(f.fd, 0, &first, &pid), SP_OK);
    assert_int_equal(fcntl(first, F_GETFD) & FD_CLOEXEC, 0);
    read_lock(&f, text);
    snprintf(expected, sizeof expected, "%ld\n", (long)getpid());
    assert_string_equal(text, expected);
    /* A living holder is not waited for. */
    assert_int_equal(os_lock_take(f.fd, 3600000, &second, &pid), SP_ERR_EXISTS);
    assert_int_equal(pid, getpid());
    assert_int_equal(second, 77);
    close(first);
    assert_int_equal(os_lock_take(f.fd, 0, &second, &pid), SP_OK);
    close(second);
    folder_remove(&f);
}

static void test_no_folder(void **state)
{
    (void)state;
    int fd;
    int64_t pid;
    assert_int_equal(os_lock_take(-1, 0, &fd, &pid), SP_ERR_IO);
    assert_int_equal(errno, EBADF);
}

/* A link in the folder leads nowhere else. */
static void test_link(void **state)
{
    (void)state;
    struct folder f;
    int fd;
    int64_t pid;
    folder_make(&f);
    assert_int_equal(symlinkat("elsewhere", f.fd, "lock"), 0);
    assert_int_equal(os_lock_take(f.fd, 0, &fd, &pid), SP_ERR_IO);
    assert_int_equal(errno, ELOOP);
    folder_remove(&f);
}

/* A server whose supervisor takes the lock, starts a role that inherits it, and dies. */
struct server {
    pid_t supervisor;
    int role_end; /* closing it ends the role */
};

static void start_server(struct server *s, const struct folder *f, bool reap)
{
    int pair[2];
    make_pair(pair);
    s->role_end = pair[0];
    s->supervisor = fork();
    if (s->supervisor == 0) {
        int fd;
        int64_t pid;
        close(pair[0]);
        if (os_lock_take(f->fd, 0, &fd, &pid) != SP_OK)
            _exit(1);
        if (fork() > 0)
            _exit(0);
        char c;
        fcntl(pair[1], F_SETFL, 0);
        (void)!write(pair[1], "!", 1);
        (void)!read(pair[1], &c, 1);
        _exit(0);
    }
    close(pair[1]);
    char c;
    fcntl(pair[0], F_SETFL, 0);
    assert_int_equal(read(pair[0], &c, 1), 1);
    if (reap)
        assert_int_equal(waitpid(s->supervisor, NULL, 0), s->supervisor);
}

static void test_dead_holder(void **state)
{
    (void)state;
    for (int zombie = 0; zombie < 2; zombie++) {
        struct folder f;
        struct server s;
        int fd;
        int64_t pid = 5;
        folder_make(&f);
        start_server(&s, &f, !zombie);
        if (zombie) /* dead, but nobody has asked */
            assert_int_equal(waitid(P_PID, (id_t)s.supervisor, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
        assert_int_equal(os_lock_take(f.fd, 60, &fd, &pid), SP_ERR_EXISTS);
        assert_int_equal(pid, 0);
        /* The role leaves while we wait: when the last holder of its other end does. */
        pid_t last = fork();
        if (last == 0) {
            usleep(50000);
            _exit(0);
        }
        close(s.role_end);
        assert_int_equal(os_lock_take(f.fd, DEADLINE_MS, &fd, &pid), SP_OK);
        assert_int_equal(waitpid(last, NULL, 0), last);
        close(fd);
        if (zombie)
            waitpid(s.supervisor, NULL, 0);
        folder_remove(&f);
    }
}

/* A lock whose file tells no pid: waited for, then given up. */
static void test_unknown_holder(void **state)
{
    (void)state;
    static const char *const contents[] = {"", "x\n", "-1\n", "99999999999\n"};
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        struct folder f;
        int fd;
        int64_t pid = 5;
        folder_make(&f);
        int holder = openat(f.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(holder, contents[i], strlen(contents[i])), strlen(contents[i]));
        assert_int_equal(flock(holder, LOCK_EX), 0);
        assert_int_equal(os_lock_take(f.fd, 30, &fd, &pid), SP_ERR_EXISTS);
        assert_int_equal(pid, 0);
        close(holder);
        folder_remove(&f);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_take),        cmocka_unit_test(test_no_folder),      cmocka_unit_test(test_link),
    cmocka_unit_test(test_dead_holder), cmocka_unit_test(test_unknown_holder),
};

TAP_MAIN(tests)
