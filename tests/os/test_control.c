/* Control sockets: found by tools whatever the path, for their owner alone, replaced and removed. */
#include "folder.h"

#include "base/view.h"
#include "os/control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct world {
    struct folder data;
    int role, fds_before;
    struct event_base *base;
    struct os_control *control;
    struct os_edge *at_role, *at_tool;
    unsigned message_n, closed_n, accepted_n;
};

static void on_message(void *ctx, struct os_edge *edge, const struct ipc_message *m)
{
    struct world *w = ctx;
    (void)edge, (void)m;
    w->message_n++;
}

static void on_closed(void *ctx, struct os_edge *edge)
{
    struct world *w = ctx;
    w->closed_n++;
    if (edge == w->at_role)
        w->at_role = NULL;
    else
        w->at_tool = NULL;
    os_edge_free(edge);
}

static const struct os_edge_handlers handlers = {.message = on_message, .closed = on_closed};

static void on_tool(void *ctx, struct os_edge *tool)
{
    struct world *w = ctx;
    w->accepted_n++;
    w->at_role = tool;
}

static void open_world(struct world *w)
{
    *w = (struct world){.fds_before = count_fds()};
    folder_make(&w->data);
    assert_int_equal(mkdirat(w->data.fd, "queue", 0700), 0);
    w->role = openat(w->data.fd, "queue", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->base = os_loop_new();
    w->control = os_control_new(w->base, w->role, IPC_QUEUE, &handlers, on_tool, w);
    assert_non_null(w->control);
}

static void close_world(struct world *w)
{
    os_edge_free(w->at_role);
    os_edge_free(w->at_tool);
    os_control_free(w->control);
    event_base_free(w->base);
    close(w->role);
    folder_remove(&w->data);
    assert_int_equal(count_fds(), w->fds_before);
}

static void connect_tool(struct world *w)
{
    int fd = os_control_connect(w->data.path, IPC_QUEUE);
    assert_true(fd >= 0);
    w->at_tool = os_edge_new(w->base, fd, IPC_TOOL, IPC_QUEUE, 0, &handlers, w);
    RUN_UNTIL(w->base, w->accepted_n == 1);
}

static void test_connect(void **state)
{
    (void)state;
    struct world w;
    struct stat st;
    open_world(&w);
    assert_int_equal(fstatat(w.role, "control", &st, 0), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    connect_tool(&w);
    assert_int_equal(os_edge_peer(w.at_role), IPC_TOOL);
    os_edge_free(w.at_tool);
    w.at_tool = NULL;
    RUN_UNTIL(w.base, w.closed_n == 1);
    close_world(&w);
}

/* sun_path holds 108 octets; folders are deeper than that. */
static void test_long_path(void **state)
{
    (void)state;
    struct folder top;
    char path[1000];
    folder_make(&top);
    int len = snprintf(path, sizeof path, "%s", top.path);
    for (int i = 0; i < 3; i++) {
        len += snprintf(path + len, sizeof path - (size_t)len, "/%0100d", i);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(path + len, sizeof path - (size_t)len, "/auth");
    assert_int_equal(mkdir(path, 0700), 0);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct event_base *base = os_loop_new();
    struct world w = {0};
    struct os_control *c = os_control_new(base, folder, IPC_AUTH, &handlers, on_tool, &w);
    assert_non_null(c);
    path[len] = 0;
    int fd = os_control_connect(path, IPC_AUTH);
    assert_true(fd >= 0);
    RUN_UNTIL(base, w.accepted_n == 1);
    close(fd);
    RUN_UNTIL(base, w.closed_n == 1);
    os_control_free(c);
    event_base_free(base);
    close(folder);
    folder_remove(&top);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    assert_int_equal(os_control_connect("/nonexistent", IPC_QUEUE), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(os_control_connect(w.data.path, IPC_AUTH), -1);
    assert_int_equal(errno, ENOENT);
    os_control_free(w.control);
    w.control = NULL;
    assert_int_equal(os_control_connect(w.data.path, IPC_QUEUE), -1);
    assert_int_equal(errno, ENOENT);
    close_world(&w);
}

/* What a killed role left behind is no hindrance, and tells tools that nobody is there. */
static void test_left_behind(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct event_base *base = os_loop_new();
        _exit(os_control_new(base, w.role, IPC_QUEUE, &handlers, on_tool, &w) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(os_control_connect(w.data.path, IPC_QUEUE), -1);
    assert_int_equal(errno, ECONNREFUSED);
    os_control_free(w.control);
    w.control = os_control_new(w.base, w.role, IPC_QUEUE, &handlers, on_tool, &w);
    assert_non_null(w.control);
    connect_tool(&w);
    close_world(&w);
}

static void test_not_a_folder(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    assert_null(os_control_new(w.base, -1, IPC_QUEUE, &handlers, on_tool, &w));
    assert_int_equal(errno, EBADF);
    int file = memfd_create("file", MFD_CLOEXEC);
    assert_null(os_control_new(w.base, file, IPC_QUEUE, &handlers, on_tool, &w));
    assert_int_equal(errno, ENOTDIR);
    close(file);
    close_world(&w);
}

/* A stranger that gets past the file's mode is still turned away by its credentials. */
static void test_stranger(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct world w;
    struct caught log;
    open_world(&w);
    assert_int_equal(fchmodat(w.role, "control", 0666, 0), 0);
    assert_int_equal(fchmod(w.role, 0755), 0);
    assert_int_equal(fchmod(w.data.fd, 0755), 0);
    catch_start(&log);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        if (setresuid(65534, 65534, 65534))
            _exit(9);
        int fd = os_control_connect(w.data.path, IPC_QUEUE);
        _exit(fd >= 0 && read(fd, &c, 1) == 0 ? 0 : 1);
    }
    int status = -1;
    pid_t ended = 0;
    RUN_UNTIL(w.base, (ended = waitpid(pid, &status, WNOHANG)) == pid);
    assert_int_equal(status, 0);
    assert_int_equal(w.accepted_n, 0);
    char expected[80];
    snprintf(expected, sizeof expected, "event=control-refused uid=65534 pid=%ld\n", (long)pid);
    assert_non_null(strstr(catch_end(&log), expected));
    close_world(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_connect),      cmocka_unit_test(test_long_path),
    cmocka_unit_test(test_nobody_there), cmocka_unit_test(test_left_behind),
    cmocka_unit_test(test_not_a_folder), cmocka_unit_test(test_stranger),
};

TAP_MAIN(tests)
