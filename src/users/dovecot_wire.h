/*
 * The connection to Dovecot's auth socket: lines in and out. It is opened when there is something to say, and
 * again after it was lost. Only for src/users.
 */
#ifndef USERS_DOVECOT_WIRE_H
#define USERS_DOVECOT_WIRE_H

#include "base/buf.h"
#include "os/loop.h"

enum { USERS_WIRE_LINE_MAX = 8192 }; /* of Dovecot: AUTH_CLIENT_MAX_LINE_LENGTH */

struct users_wire {
    /* Borrowed for the call, in which the connection may be lost. */
    void (*line)(void *ctx, struct sp_view line);
    void (*lost)(void *ctx);
    void *ctx;
    struct sp_buf out; /* write whole lines to it, then users_wire_send; void when the connection is lost */
    bool complained;   /* of its absence, once until it is back */
    /* for dovecot_wire.c alone: */
    struct event_base *base;
    char *path;
    int fd; /* -1: not connected */
    struct event *readable, *writable;
    struct os_timer again;
    uint32_t pause_ms;
    struct sp_buf in;
};

/* `line`, `lost` and `ctx` are the caller's to set. path: copied. */
void users_wire_init(struct users_wire *w, struct event_base *base, const char *path);

/* Hangs up without `lost`. */
void users_wire_fini(struct users_wire *w);

/* Connect, unless it is connected. false: it cannot be, and `lost` was called. */
bool users_wire_open(struct users_wire *w);

/* Connect now, by the loop. */
void users_wire_keep(struct users_wire *w);

/* Send what was written; `lost` may be called. */
void users_wire_send(struct users_wire *w);

/* Hang up, call `lost`, and connect again after a pause. why: for the log. */
void users_wire_lose(struct users_wire *w, const char *why);

/* It has greeted rightly: what was complained of is over. */
void users_wire_note_ready(struct users_wire *w);

#endif
