#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/commands.h"
#include "os/log.h"
#include "os/sandbox.h"
#include "roles/role.h"

static const struct role_ops *const ops[IPC_ROLE_N] = {
    [IPC_SMTPD] = &smtpd_ops,       [IPC_AUTH] = &auth_ops,   [IPC_QUEUE] = &queue_ops,
    [IPC_DELIVERY] = &delivery_ops, [IPC_FETCH] = &fetch_ops, [IPC_PICKUP] = &pickup_ops,
    [IPC_CONSOLE] = &console_ops,
};

static bool take_number(const char *word, unsigned long most, unsigned long *n_out)
{
    char *end;
    *n_out = strtoul(word, &end, 10);
    return word[0] >= '0' && word[0] <= '9' && *end == '\0' && *n_out <= most;
}

static const struct role_ops *ops_of(enum ipc_role kind) { return kind < IPC_ROLE_N ? ops[kind] : NULL; }

/* Born by the supervisor alone: the words are never a person's. A child of root becomes its user here first.
 */
int cmd_role(int argc, char **argv)
{
    unsigned long index, uid, gid;
    enum ipc_role kind = argc == 3 || argc == 5 ? ipc_role_find(argv[1]) : IPC_ROLE_N;
    if (!ops_of(kind) || !take_number(argv[2], ROLE_PEERS_MAX - 1, &index))
        return cli_usage_fault("role", "this command is the server's own; 'sallyport serve' starts a server");
    if (argc == 5 && (!take_number(argv[3], UINT32_MAX, &uid) || !take_number(argv[4], UINT32_MAX, &gid) ||
                      os_sandbox_drop((uid_t)uid, (gid_t)gid) != SP_OK))
        os_fatal(EX_NOPERM, "drop", "the role %s cannot become user %s with group %s: %s", argv[1], argv[3],
                 argv[4], strerror(errno));
    role_run(kind, (uint32_t)index, ops_of(kind), NULL);
}
