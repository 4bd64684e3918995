/* Start a process of a role: this program again, as `sallyport role NAME INDEX [UID GID]`. */
#ifndef SUPERVISOR_SPAWN_H
#define SUPERVISOR_SPAWN_H

#include "ipc/ipc.h"
#include "roles/supervisor/data_folder.h"

/* What a process is born with. */
struct birth {
    enum ipc_role kind;
    uint32_t index;
    int edge;                     /* becomes its ROLE_SUPERVISOR_FD      */
    int lock;                     /* stays open for as long as it lives  */
    const struct role_user *user; /* whom it becomes, before all else    */
};

/* -1 with errno. */
pid_t spawn(const struct birth *b);

#endif
