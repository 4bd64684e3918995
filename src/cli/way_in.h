/* The data folder of a server, as the tools that work in it come in: through a role that runs, or under its
 * lock. */
#ifndef CLI_WAY_IN_H
#define CLI_WAY_IN_H

#include "base/buf.h"
#include "ipc/ipc.h"

/* The way in. */
struct way_in {
    int socket; /* to the role that runs there; -1: none runs, and: */
    int folder; /* the data folder itself, until way_in_close  */
    int lock;   /* held until way_in_close                     */
};

/*
 * Find the way into a data folder. While a server starts or another tool is at work, it waits for some
 * seconds.
 *
 *   command  for faults
 *   part     the folder in it that every version makes
 *   role     whose control socket it is
 *
 * EX_OK, or the sysexits code after the fault was printed; out is then closed. The socket is the caller's.
 */
int way_in_open(const char *command, const char *data, const char *part, enum ipc_role role,
                struct way_in *out);
void way_in_close(struct way_in *d);

/*
 * What root would make in there, the role could not open later: be the owner of a file, until
 * way_in_become_oneself.
 *
 *   what  for the fault
 */
int way_in_become_owner(const char *command, int folder, const char *file, const char *what);
void way_in_become_oneself(void);

/* A database of a role, for a tool that came in without a server. */
struct way_in_file {
    const char *command, *data; /* for faults                                                     */
    const char *part, *file;    /* "queue", "queue.db"                                            */
    const char *owned;          /* in the part: its owner is who makes what is new; see above     */
    const char *owned_name;     /* for the fault                                                  */
    /* SP_ERR_ABSENT: it was never made, which is no fault; SP_ERR_RANGE: of a newer program. error: why not. */
    int (*open)(void *ctx, int part, struct sp_buf *error);
};

/* EX_OK, also where the part or the file was never made, or the sysexits code after the fault was printed. */
int way_in_open_file(const struct way_in *d, const struct way_in_file *f, void *ctx);

#endif
