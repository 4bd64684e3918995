/* The data folder: made, locked, and divided among those who may use its parts. */
#ifndef SUPERVISOR_DATA_FOLDER_H
#define SUPERVISOR_DATA_FOLDER_H

#include "base/buf.h"
#include "config/config.h"
#include "ipc/ipc.h"

#include <sys/types.h>

/* Whom the roles run as. */
struct role_user {
    bool change; /* started as root: roles change to uid and gid */
    uid_t uid;
    gid_t gid;
    const char *name;
};

/*
 * Find whom the roles run as: the ones started as root as `wanted`, else "sallyport", else "nobody".
 * EX_OK; EX_NOUSER: no such user, or it is root; error says so.
 */
int role_user_find(const char *wanted, struct sp_buf *error, struct role_user *user_out);

/* Open the folder, made (0700) when it is not there. EX_OK, EX_CANTCREAT, EX_NOPERM. */
int data_folder_open(const char *path, struct sp_buf *error, int *folder_out);

/*
 * Take its lock, waiting for what is left of a dead server.
 *   lock_out  kept until the end, inherited by the roles
 * EX_OK; EX_TEMPFAIL: another server is using it; EX_CANTCREAT.
 */
int data_folder_lock(int folder, const char *path, struct sp_buf *error, int *lock_out);

/* The part of a role that keeps something (0700, owned by the role's user). EX_OK, EX_CANTCREAT, EX_NOPERM.
 */
int data_folder_part(int folder, enum ipc_role role, const struct role_user *user, struct sp_buf *error,
                     int *part_out);

/*
 * The maildrop, where programs of this machine put mail, made for whom the configuration wants:
 *
 *   all  3733, with the roles' group. Anybody may make a file there and rename or remove their own; nobody but the
 *        roles' user can list it. What is put there belongs to the roles' group, so 0640 is enough for the roles to
 *        read it, and nobody else can. The data folder itself becomes 0711 if it is as we make it, 0700.
 *   own  2700, and the data folder 0700 if it was 0711; root and the roles' user alone
 *   off  maildrop_out is -1; what waits in one from before stays there
 *
 * EX_OK, EX_CANTCREAT, EX_NOPERM.
 */
int data_folder_maildrop(int folder, enum config_maildrop who, const struct role_user *user, struct sp_buf *error,
                         int *maildrop_out);

/* Certificate and key in tls/, both made when there is no certificate. EX_OK, EX_CANTCREAT, EX_NOINPUT,
 * EX_CONFIG. */
int data_folder_identity(int folder, const char *hostname, struct sp_buf *certificate_pem_out,
                         struct sp_buf *key_pem_out, struct sp_buf *error);

#endif
