/*
 * What a process may still do after it has begun to listen to strangers. Three steps, and no way back:
 *
 *   os_sandbox_drop      in a child of root, before it becomes a role: its user and group
 *   os_sandbox_renounce  in a role, before it starts a thread: no capabilities, no new privileges
 *   os_sandbox_enter     in a role, before it serves: no core dumps with secrets in them, and the system
 *                        calls of its row in sandbox.c, no others
 *
 * An unknown call fails with ENOSYS, so that a newer libc takes its older way; a call that only an intruder
 * makes (execve, ptrace, setuid, mount, ...) kills the process.
 */
#ifndef OS_SANDBOX_H
#define OS_SANDBOX_H

#include "ipc/ipc.h"

#include <sys/types.h>

/* Become that user for good, with that group alone. SP_ERR_IO: errno says why; do not go on. */
SP_MUST_USE int os_sandbox_drop(uid_t uid, gid_t gid);

/*
 * Close all descriptors from 3 on but these.
 *   keep  n descriptors, in rising order
 */
void os_sandbox_close_others(const int *keep, size_t n);

/* Give up capabilities, which are each thread's own, and all ways to new privileges. What fails is logged. */
void os_sandbox_renounce(void);

/*
 * Shut this process in, for the rest of its life, with all its threads. Where the kernel has no
 * seccomp it is logged, and the process goes on without. In a build with AddressSanitizer, which needs calls
 * of its own, there is no filter.
 */
void os_sandbox_enter(enum ipc_role role);

/* The filter alone, in any build. SP_ERR_IO: the kernel refuses it; errno says why. */
SP_MUST_USE int os_sandbox_filter(enum ipc_role role);

#endif
