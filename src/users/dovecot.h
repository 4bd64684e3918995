/*
 * A client of Dovecot's auth socket, protocol 1.2 (Dovecot's "Authentication protocol", auth-client): Dovecot says
 * whether a password is right. One connection carries all questions; it is opened when there is one, and again after it
 * was lost. Everything here is asynchronous: `done` is called by the loop, never from inside a call.
 */
#ifndef USERS_DOVECOT_H
#define USERS_DOVECOT_H

#include "base/buf.h"
#include "os/loop.h"

enum {
    USERS_DOVECOT_WAITING_MAX = 4096, /* questions at once; more are USERS_AWAY */
    USERS_DOVECOT_MS = 30000          /* without an answer to the oldest the connection is given up */
};

enum users_answer {
    USERS_RIGHT,
    USERS_WRONG,
    USERS_DISABLED,
    USERS_AWAY /* Dovecot cannot be asked, or cannot tell now */
};

struct users_question {
    struct sp_view user, password; /* no NUL in either */
    struct sp_view client;         /* address, or empty */
    bool           tls;
    /* user: as Dovecot calls it, when RIGHT; borrowed for the call */
    void (*done)(void *ctx, enum users_answer answer, struct sp_view user);
    void *ctx;
};

struct users_dovecot;

/* path: of the socket; copied. */
struct users_dovecot *users_dovecot_new(struct event_base *base, const char *path);

/* Questions that are open are forgotten without `done`. NULL is fine. */
void users_dovecot_free(struct users_dovecot *d);

/* Ask; the question is borrowed for the call. Returns its number, never 0. */
uint32_t users_dovecot_ask(struct users_dovecot *d, const struct users_question *q);

/* Nobody waits for this answer any more. */
void users_dovecot_forget(struct users_dovecot *d, uint32_t number);

#endif
