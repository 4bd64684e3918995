/* What the supervisor does with the system: listening sockets over reloads, the data folder and its parts. */
#include "tap.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/tls.h"
#include "roles/supervisor/data_folder.h"
#include "roles/supervisor/listeners.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static struct sp_buf error;
static char folder_path[64];
static int folder;

static int begin(void **state)
{
    (void)state;
    sp_buf_init(&error, &os_heap, 65536);
    (void)snprintf(folder_path, sizeof folder_path, "/tmp/test-supervisor-XXXXXX");
    assert_non_null(mkdtemp(folder_path));
    folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0;
}

static int finish(void **state)
{
    char command[128];
    (void)state;
    sp_buf_fini(&error);
    close(folder);
    (void)snprintf(command, sizeof command, "rm -r %s", folder_path);
    return system(command);
}

static bool error_has(const char *word)
{
    sp_buf_add_u8(&error, 0);
    bool found = strstr((const char *)error.p, word) != NULL;
    sp_buf_clear(&error);
    return found;
}

/* --- listeners ---------------------------------------------------------------------------------- */

enum { LISTENERS_MAX = 3 };

struct wanted {
    struct config config;
    struct config_listener items[LISTENERS_MAX];
};

static struct wanted *want(struct wanted *w, size_t n, const char *const names[],
                           const char *const addresses[])
{
    memset(w, 0, sizeof *w);
    for (size_t i = 0; i < n; i++) {
        w->items[i].name = names[i];
        assert_int_equal(os_address_parse(sp_view_of(addresses[i]), &w->items[i].address), SP_OK);
    }
    w->config.listeners = w->items;
    w->config.listener_n = n;
    return w;
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static void sockets_are_kept_by_address(void **state)
{
    (void)state;
    struct wanted w;
    struct listeners set, next;
    want(&w, 2, (const char *[]){"a", "b"}, (const char *[]){"127.0.0.1:0", "127.0.0.1:0"});
    assert_int_equal(listeners_bind(&w.config, NULL, &error, &set), EX_OK);
    assert_int_equal(listeners_listen(&set, false, &error), EX_OK);
    int a = set.items[0].fd, b = set.items[1].fd;
    assert_int_not_equal(a, b);
    assert_string_not_equal(set.items[0].bound, set.items[1].bound);
    assert_string_not_equal(set.items[0].bound, "127.0.0.1:0");

    /* The same names in another order, and one more. */
    want(&w, 3, (const char *[]){"b", "c", "a"},
         (const char *[]){"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"});
    assert_int_equal(listeners_bind(&w.config, &set, &error, &next), EX_OK);
    assert_int_equal(next.items[0].fd, b);
    assert_int_equal(next.items[2].fd, a);
    assert_true(next.items[0].listening && !next.items[1].listening && next.items[2].listening);
    listeners_replace(&set, &next);
    int c = set.items[1].fd;

    /* One is left, under a new name but with a port that is not 0. */
    char address[OS_ADDRESS_TEXT];
    (void)snprintf(address, sizeof address, "%s", set.items[1].bound);
    close(c); /* so that the real port can be asked for by number */
    set.items[1].fd = -1;
    want(&w, 1, (const char *[]){"d"}, (const char *[]){address});
    assert_int_equal(listeners_bind(&w.config, &set, &error, &next), EX_OK);
    listeners_replace(&set, &next);
    assert_false(is_open(a));
    assert_int_equal(set.n, 1);
    int d = set.items[0].fd;
    want(&w, 1, (const char *[]){"renamed"}, (const char *[]){address});
    assert_int_equal(listeners_bind(&w.config, &set, &error, &next), EX_OK);
    assert_int_equal(next.items[0].fd, d);
    listeners_replace(&set, &next);
    assert_true(is_open(d));
    listeners_close(&set);
    assert_false(is_open(d));
}

static void a_failed_reload_changes_nothing(void **state)
{
    (void)state;
    struct wanted w;
    struct listeners set, other, next;
    want(&w, 1, (const char *[]){"a"}, (const char *[]){"127.0.0.1:0"});
    assert_int_equal(listeners_bind(&w.config, NULL, &error, &set), EX_OK);
    assert_int_equal(listeners_listen(&set, false, &error), EX_OK);
    assert_int_equal(listeners_bind(&w.config, NULL, &error, &other), EX_OK);
    assert_int_equal(listeners_listen(&other, false, &error), EX_OK);

    char taken[OS_ADDRESS_TEXT];
    (void)snprintf(taken, sizeof taken, "%s", other.items[0].bound);
    want(&w, 3, (const char *[]){"a", "new", "clash"}, (const char *[]){"127.0.0.1:0", "127.0.0.1:0", taken});
    assert_int_equal(listeners_bind(&w.config, &set, &error, &next), EX_UNAVAILABLE);
    assert_true(error_has("listener \"clash\": 127.0.0.1:"));
    assert_int_equal(set.n, 1);
    assert_true(is_open(set.items[0].fd));
    listeners_close(&set);
    listeners_close(&other);
}

static void every_fault_names_its_address(void **state)
{
    (void)state;
    struct wanted w;
    struct listeners set;
    want(&w, 2, (const char *[]){"far", "farther"}, (const char *[]){"192.0.2.1:2525", "[2001:db8::1]:2525"});
    assert_int_equal(listeners_bind(&w.config, NULL, &error, &set), EX_UNAVAILABLE);
    sp_buf_add_u8(&error, 0);
    assert_non_null(strstr((const char *)error.p, "listener \"far\": 192.0.2.1:2525: "));
    assert_non_null(strstr((const char *)error.p, "listener \"farther\": [2001:db8::1]:2525: "));
}

/* --- certificate and key ------------------------------------------------------------------------ */

static void the_identity_is_made_once(void **state)
{
    (void)state;
    struct sp_buf certificate, key, again, key_again;
    sp_buf_init(&certificate, &os_heap, 65536);
    sp_buf_init(&key, &os_heap, 65536);
    sp_buf_init(&again, &os_heap, 65536);
    sp_buf_init(&key_again, &os_heap, 65536);
    assert_int_equal(data_folder_identity(folder, "mail.example.org", &certificate, &key, &error), EX_OK);
    assert_int_equal(data_folder_identity(folder, "other.example.org", &again, &key_again, &error), EX_OK);
    assert_true(sp_view_eq(sp_buf_view(&certificate), sp_buf_view(&again)));
    assert_true(sp_view_eq(sp_buf_view(&key), sp_buf_view(&key_again)));
    /* A certificate without its key is the operator's to mend. */
    assert_int_equal(unlinkat(folder, "tls/key.pem", 0), 0);
    assert_int_equal(data_folder_identity(folder, "mail.example.org", &again, &key_again, &error),
                     EX_NOINPUT);
    assert_true(error_has("tls/key.pem"));
    /* A key alone is what a crash in the middle leaves. */
    assert_int_equal(unlinkat(folder, "tls/cert.pem", 0), 0);
    sp_buf_clear(&again);
    sp_buf_clear(&key_again);
    assert_int_equal(data_folder_identity(folder, "mail.example.org", &again, &key_again, &error), EX_OK);
    struct os_tls_context *tls = os_tls_server_new(sp_buf_view(&again), sp_buf_view(&key_again), &error);
    assert_non_null(tls);
    os_tls_unref(tls);
    sp_buf_fini(&certificate);
    sp_buf_fini(&key);
    sp_buf_fini(&again);
    sp_buf_fini(&key_again);
}

/* --- parts of the data folder ------------------------------------------------------------------------ */

static void parts_are_private(void **state)
{
    (void)state;
    struct role_user me = {.uid = geteuid(), .gid = getegid()};
    struct stat st;
    int part;
    assert_int_equal(mkdirat(folder, "queue", 0755), 0);
    assert_int_equal(data_folder_part(folder, IPC_QUEUE, &me, &error, &part), EX_OK);
    assert_int_equal(fstat(part, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    close(part);
    assert_int_equal(symlinkat("/tmp", folder, "auth"), 0);
    assert_int_not_equal(data_folder_part(folder, IPC_AUTH, &me, &error, &part), EX_OK);
    assert_true(error_has("auth"));
}

static uid_t owner_of(const char *path)
{
    struct stat st;
    assert_int_equal(fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_uid;
}

static void make_file(const char *path)
{
    int fd = openat(folder, path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* Root hands over what another user has left, and nothing that user could have planted there. */
static void a_part_is_handed_to_its_new_user(void **state)
{
    (void)state;
    enum { OLD = 12345, NEW = 12346 };
    struct role_user new_user = {.change = true, .uid = NEW, .gid = NEW};
    int part;
    if (geteuid() != 0)
        skip();
    make_file("mine");
    assert_int_equal(mkdirat(folder, "queue", 0700), 0);
    assert_int_equal(mkdirat(folder, "queue/incoming", 0700), 0);
    make_file("queue/queue.db");
    make_file("queue/incoming/x");
    assert_int_equal(linkat(folder, "mine", folder, "queue/hard", 0), 0);
    assert_int_equal(symlinkat("../mine", folder, "queue/soft"), 0);
    assert_int_equal(fchownat(folder, "queue", OLD, OLD, 0), 0);
    assert_int_equal(data_folder_part(folder, IPC_QUEUE, &new_user, &error, &part), EX_OK);
    close(part);
    assert_int_equal(owner_of("queue"), NEW);
    assert_int_equal(owner_of("queue/queue.db"), NEW);
    assert_int_equal(owner_of("queue/incoming"), NEW);
    assert_int_equal(owner_of("queue/incoming/x"), NEW);
    assert_int_equal(owner_of("mine"), 0);
}

static void roles_never_run_as_root(void **state)
{
    (void)state;
    struct role_user user;
    if (geteuid() != 0) {
        assert_int_equal(role_user_find("root", &error, &user), EX_OK); /* it does not matter then */
        assert_false(user.change);
        return;
    }
    assert_int_equal(role_user_find("root", &error, &user), EX_NOUSER);
    assert_true(error_has("root"));
    assert_int_equal(role_user_find("no-such-user", &error, &user), EX_NOUSER);
    assert_true(error_has("no-such-user"));
    assert_int_equal(role_user_find("nobody", &error, &user), EX_OK);
    assert_true(user.change && user.uid != 0);
    assert_int_equal(role_user_find(NULL, &error, &user), EX_OK);
    assert_true(user.change && user.uid != 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, finish)

static const struct CMUnitTest tests[] = {
    CASE(sockets_are_kept_by_address),
    CASE(a_failed_reload_changes_nothing),
    CASE(every_fault_names_its_address),
    CASE(the_identity_is_made_once),
    CASE(parts_are_private),
    CASE(a_part_is_handed_to_its_new_user),
    CASE(roles_never_run_as_root),
};

TAP_MAIN(tests)
