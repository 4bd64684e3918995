/*
 * The listening sockets: one per address, opened and kept here for the server's life, shared by all smtpd
 * processes. A reload keeps the sockets whose address is still wanted, with whatever waits in their backlog.
 */
#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H

#include "config/config.h"

struct listener {
    char *name;
    char wanted[OS_ADDRESS_TEXT]; /* as configured; port 0 stays 0   */
    char bound[OS_ADDRESS_TEXT];  /* as it is: with the real port    */
    int fd;
    bool last; /* listens when all else is up      */
    bool listening;
    bool inherited; /* the socket is also in the set before this one */
};

struct listeners {
    struct listener *items;
    size_t n;
};

/*
 * Bind what a configuration wants, taking over what is open already.
 *
 *   old   NULL at the start; keeps its sockets until listeners_replace
 *   error a sentence per address that could not be bound
 *
 * EX_OK, EX_UNAVAILABLE (taken, or not of this machine), EX_NOPERM. On failure nothing is changed.
 */
int listeners_bind(const struct config *c, const struct listeners *old, struct sp_buf *error,
                   struct listeners *new_out);

/* Put a new set in the place of the old one: what is no longer wanted is closed. */
void listeners_replace(struct listeners *set, struct listeners *by);

/* Close what listeners_bind opened, for a reload that failed. */
void listeners_abandon(struct listeners *set);

/* Begin to take connections, on those that are `last` or on those that are not. EX_OK, EX_OSERR. */
int listeners_listen(struct listeners *set, bool last, struct sp_buf *error);

/* Close all. */
void listeners_close(struct listeners *set);

#endif
