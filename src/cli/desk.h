/*
 * The desk of a role in a data folder, where a tool asks and is answered, whether a server is running there or
 * not: through the role's control socket, or, under the folder's lock, from its database. Both answer with the
 * same messages.
 */
#ifndef CLI_DESK_H
#define CLI_DESK_H

#include "cli/talk.h"
#include "cli/way_in.h"

/* What the desks of roles differ in. */
struct desk_form {
    enum ipc_role role;
    enum ipc_type last;       /* the type that ends each answer                             */
    const char *every_part;   /* the folder in the data folder that every version makes     */
    struct way_in_file file;  /* the role's database; data is left to desk_open             */
    /* Answer from the database, with desk_give; it may never have been made. */
    void (*answer)(void *ctx, const struct ipc_message *request);
};

struct desk {
    const struct desk_form *form;
    void *ctx; /* of the form's functions */
    struct way_in way;
    struct talk *talk; /* NULL: no server runs */
    /* of the question that is open: */
    void (*take)(void *ctx, const struct ipc_message *m);
    void *take_ctx;
    struct ipc_message last;
};

/* EX_OK, or the sysexits code after the fault was printed. In either case: desk_close. */
int desk_open(struct desk *d, const struct desk_form *form, void *ctx, const char *data);
/* The role's database, if it was opened, is closed before. */
void desk_close(struct desk *d);

/*
 * Ask, and take the answers.
 *
 *   take  of each but the last, which is then d->last; its views are void after the call, its descriptor is closed after
 *         it. May be NULL.
 *
 * EX_OK, or the sysexits code after the fault was printed: the server is gone or does not answer.
 */
int desk_ask(struct desk *d, const struct ipc_message *request,
             void (*take)(void *ctx, const struct ipc_message *m), void *ctx);

/* One message of an answer, for form->answer. ctx: the desk. */
void desk_give(void *ctx, const struct ipc_message *m);

#endif
