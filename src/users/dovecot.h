/*
 * A client of Dovecot's auth socket, protocol 1.2 (Dovecot's "Authentication protocol", auth-client): Dovecot says
 * whether a password is right, or is the one that a client proves itself to, step by step, while we pass the octets on. One
 * connection carries all questions; it is opened when there is one, and again after it was lost. Everything here is
 * asynchronous: `done` and `challenge` are called by the loop, never from inside a call.
 */
#ifndef USERS_DOVECOT_H
#define USERS_DOVECOT_H

#include "base/buf.h"
#include "os/loop.h"

enum {
    USERS_DOVECOT_WAITING_MAX = 4096, /* questions at once; more are USERS_AWAY */
    USERS_DOVECOT_RESPONSE_MAX = 5800, /* octets; Dovecot hangs up at a line of 8,192 */
    USERS_DOVECOT_MS = 30000          /* without an answer to any of them the connection is given up */
};

enum users_answer {
    USERS_RIGHT,
    USERS_WRONG,
    USERS_DISABLED,
    USERS_AWAY /* Dovecot cannot be asked, or cannot tell now */
};

/* A mechanism of Dovecot's, begun. */
struct users_question {
    struct sp_view mechanism;      /* one of users_dovecot_mechanisms */
    bool           has_response;   /* the client gave one with its command */
    struct sp_view response;
    struct sp_view client;         /* address, or empty */
    bool           tls;
    /* A challenge for the client; users_dovecot_continue answers it. NULL: one would be a fault. */
    void (*challenge)(void *ctx, struct sp_view challenge);
    /* user: as Dovecot calls it, when it has said so; borrowed for the call */
    void (*done)(void *ctx, enum users_answer answer, struct sp_view user);
    void *ctx;
};

/* Is this the password? Asked as PLAIN. */
struct users_password_question {
    struct sp_view user, password; /* no NUL in either */
    struct sp_view client;
    bool           tls;
    void (*done)(void *ctx, enum users_answer answer, struct sp_view user);
    void *ctx;
};

struct users_dovecot;

/* path: of the socket; copied. */
struct users_dovecot *users_dovecot_new(struct event_base *base, const char *path);

/* Questions that are open are forgotten without `done`. NULL is fine. */
void users_dovecot_free(struct users_dovecot *d);

/*
 * Connect now, and again whenever the connection is lost, so that what Dovecot offers is known.
 *   news  called when that has changed
 */
void users_dovecot_watch(struct users_dovecot *d, void (*news)(void *ctx), void *ctx);

/* Names with blanks between, of what may be offered to clients and passed on; empty while it is not known. */
struct sp_view users_dovecot_mechanisms(const struct users_dovecot *d);

/* Ask; the question is borrowed for the call. Returns its number, never 0. */
uint32_t users_dovecot_begin(struct users_dovecot *d, const struct users_question *q);
uint32_t users_dovecot_ask(struct users_dovecot *d, const struct users_password_question *q);

/* The client's response to a challenge. */
void users_dovecot_continue(struct users_dovecot *d, uint32_t number, struct sp_view response);

/* Nobody waits for this answer any more. */
void users_dovecot_forget(struct users_dovecot *d, uint32_t number);

#endif
