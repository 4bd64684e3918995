/*
 * The lock of a data folder: DATA/lock, flock(2), with the pid of its holder as text. Roles inherit the
 * descriptor, so the lock lasts until the last process of a server has gone, even after kill -9.
 */
#ifndef OS_LOCK_H
#define OS_LOCK_H

#include "base/buf.h"

/*
 * Take the lock, waiting up to wait_ms while its holder's pid is dead (its roles are still leaving).
 *   pid_out  when SP_ERR_EXISTS: the living holder's pid, 0 when unknown
 *   fd_out   inheritable (no close-on-exec); closing it in all processes gives the lock back
 * SP_ERR_EXISTS: a server or tool is using the folder. SP_ERR_IO: errno says why.
 */
SP_MUST_USE int os_lock_take(int data_folder, uint32_t wait_ms, int *fd_out, int64_t *pid_out);

#endif
