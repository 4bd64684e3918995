#include <stdlib.h>
#include <sysexits.h>

#include "cli/commands.h"
#include "roles/role.h"

static const struct role_ops *const ops[IPC_ROLE_N] = {
    [IPC_SMTPD] = &smtpd_ops,
    [IPC_AUTH] = &auth_ops,
    [IPC_QUEUE] = &queue_ops,
    [IPC_DELIVERY] = &delivery_ops,
};

/* Born by the supervisor alone: the words are never a person's. */
int cmd_role(int argc, char **argv)
{
    char *end = NULL;
    enum ipc_role kind = argc == 3 ? ipc_role_find(argv[1]) : IPC_ROLE_N;
    unsigned long index = kind < IPC_ROLE_N && ops[kind] ? strtoul(argv[2], &end, 10) : 0;
    if (!end || *end != '\0' || index >= ROLE_PEERS_MAX)
        return cli_usage_fault("role", "this command is the server's own; 'sallyport serve' starts a server");
    role_run(kind, (uint32_t)index, ops[kind], NULL);
}
