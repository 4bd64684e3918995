#include "os/sandbox.h"

#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

/* --- who may do what ------------------------------------------------------------------------ */

enum { LOOP = 1, FILES = 2, CONTROL = 4, NETWORK = 8, NEIGHBOUR = 16, DEADLY = 32 };

static const unsigned grants[IPC_ROLE_N] = {
    [IPC_SMTPD] = LOOP,
    [IPC_AUTH] = LOOP | FILES | CONTROL | NEIGHBOUR,
    [IPC_QUEUE] = LOOP | FILES | CONTROL,
    [IPC_DELIVERY] = LOOP | FILES | NETWORK | NEIGHBOUR,
    [IPC_FETCH] = LOOP | FILES | NETWORK,
    [IPC_PICKUP] = LOOP | FILES,
    [IPC_CONSOLE] = LOOP | FILES | CONTROL,
};

#define CALL(name, group) {#name, group},
static const struct {
    const char *name;
    unsigned group;
} calls[] = {
#include "os/sandbox_calls.def"
};
#undef CALL

/* The calls of each message, first in the filter. */
static const char *const hot[] = {"epoll_wait", "recvmsg", "sendmsg",  "recvfrom", "sendto",
                                  "write",      "read",    "pwrite64", "fdatasync"};

/* --- the filter ----------------------------------------------------------------------------- */

/* Calls of other machines and newer kernels have no number here; they are refused anyway. */
static int number_of(const char *name) { return seccomp_syscall_resolve_name(name); }

static int add_calls(scmp_filter_ctx f, unsigned granted)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls && !failed; i++) {
        int number = number_of(calls[i].name);
        if (number < 0)
            continue;
        if (calls[i].group == DEADLY)
            failed = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, number, 0);
        else if (calls[i].group & granted)
            failed = seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 0);
    }
    for (size_t i = 0; i < sizeof hot / sizeof *hot && !failed; i++)
        failed = seccomp_syscall_priority(f, number_of(hot[i]), (uint8_t)(255 - i));
    return failed;
}

/* One call with one condition on its arguments. */
static int allow_if(scmp_filter_ctx f, int number, struct scmp_arg_cmp condition)
{
    return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, number, 1, &condition);
}

static int add_memory(scmp_filter_ctx f)
{
    /* All code is loaded: memory that is written is never run. */
    int failed = allow_if(f, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return failed ? failed : allow_if(f, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int add_process(scmp_filter_ctx f)
{
    static const int options[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_GET_DUMPABLE};
    int failed = 0;
    for (size_t i = 0; i < sizeof options / sizeof *options && !failed; i++)
        failed = allow_if(f, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)options[i]));
    /* Threads, not processes. clone3 hides its flags: unknown, so that libc takes clone. */
    if (!failed)
        failed = allow_if(f, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    /* abort() */
    if (!failed)
        failed = allow_if(f, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (!failed)
        failed = allow_if(f, SCMP_SYS(kill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    /* Reading one's own limits; NULL is "no new ones". */
    if (!failed)
        failed = allow_if(f, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
    if (!failed)
        failed = allow_if(f, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONREAD));
    if (!failed)
        failed = allow_if(f, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONBIO));
    return failed ? failed : allow_if(f, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, TCGETS)); /* isatty */
}

static int add_sockets(scmp_filter_ctx f, unsigned granted)
{
    static const struct {
        unsigned group;
        int family;
    } families[] = {{CONTROL | NEIGHBOUR, AF_UNIX}, {NETWORK, AF_INET}, {NETWORK, AF_INET6}};
    int failed = 0;
    for (size_t i = 0; i < sizeof families / sizeof *families && !failed; i++)
        if (granted & families[i].group)
            failed = allow_if(f, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i].family));
    return failed;
}

int os_sandbox_filter(enum ipc_role role)
{
    unsigned granted = role < IPC_ROLE_N ? grants[role] : 0;
    scmp_filter_ctx f = granted ? seccomp_init(SCMP_ACT_ERRNO(ENOSYS)) : NULL;
    int failed = f ? 0 : -EINVAL;
    if (!failed)
        failed = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!failed) /* threads that live already, too */
        failed = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!failed)
        failed = add_calls(f, granted);
    if (!failed)
        failed = add_memory(f);
    if (!failed)
        failed = add_process(f);
    if (!failed)
        failed = add_sockets(f, granted);
    if (!failed)
        failed = seccomp_load(f);
    if (f)
        seccomp_release(f);
    if (!failed)
        return SP_OK;
    errno = -failed;
    return SP_ERR_IO;
}

/* --- privileges ----------------------------------------------------------------------------- */

int os_sandbox_drop(uid_t uid, gid_t gid)
{
    if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
        return SP_ERR_IO;
    /* A half-done change would be a hole that nobody sees. */
    if (uid != 0 && (setuid(0) == 0 || geteuid() != uid || getegid() != gid)) {
        errno = EPERM;
        return SP_ERR_IO;
    }
    return SP_OK;
}

void os_sandbox_close_others(const int *keep, size_t n)
{
    unsigned from = 3;
    for (size_t i = 0; i < n; i++) {
        unsigned fd = (unsigned)keep[i];
        if (fd > from)
            (void)close_range(from, fd - 1, 0); /* fails only for a range that is none */
        if (fd >= from)
            from = fd + 1;
    }
    (void)close_range(from, ~0U, 0);
}

/* An ordinary user's server may have been given CAP_NET_BIND_SERVICE: the listeners are bound, roles need
 * none. */
static void drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* an old kernel has no such set */
    if (syscall(SYS_capset, &header, none))
        os_log(OS_WARN, "sandbox", OS_STR("step", "capabilities"), OS_STR("error", strerror(errno)));
}

static void forbid_dumps(void)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        os_log(OS_WARN, "sandbox", OS_STR("step", "core dumps"), OS_STR("error", strerror(errno)));
}

void os_sandbox_renounce(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        os_log(OS_WARN, "sandbox", OS_STR("step", "no new privileges"), OS_STR("error", strerror(errno)));
    drop_capabilities();
}

void os_sandbox_enter(enum ipc_role role)
{
    (void)prctl(PR_SET_NAME, ipc_role_name(role), 0, 0, 0); /* what ps and top show; no error matters */
    /* OpenSSL reads its configuration file once; later there may be no opening of files. */
    OPENSSL_init_ssl(0, NULL);
#ifndef __SANITIZE_ADDRESS__
    forbid_dumps();
    if (os_sandbox_filter(role))
        os_log(OS_WARN, "sandbox", OS_STR("step", "system calls"), OS_STR("error", strerror(errno)),
               OS_STR("effect", "the role runs without a filter"));
#else
    (void)forbid_dumps; /* the leak checker attaches to its own process */
#endif
}
