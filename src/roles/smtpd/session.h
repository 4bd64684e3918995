/* A session: the engine, its connection, and what it waits for. */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "roles/smtpd/smtpd.h"

/* A connection was accepted and entered into the tally, which the session leaves at its end. */
struct session_door {
    struct terms *terms;
    struct os_address from;
    bool proxied;               /* `from` is what a trusted proxy says */
    enum smtpd_refusal refusal; /* to be said in place of the greeting; SMTPD_FINE */
};

/* fd is owned from now on. */
void session_begin(struct smtpd *smtpd, int fd, const struct session_door *door);

/* The wait is over, whatever came of it. */
void session_go_on(struct session *s);

/* Who had logged in has not. */
void session_forget_user(struct session *s);

/* The answers to END. */
void session_note_stored(struct session *s, const char *id_text);
void session_note_not_stored(struct session *s, enum smtpd_refusal why);

/* Does a message come in: has more of it been read since this was asked last, or does it wait for the queue? */
bool session_is_receiving(struct session *s);

/* The server is going away. */
void session_shut_down(struct session *s);

/* The queue's edge has room again: read on. */
void session_release(struct session *s);

/* The deadline of this entry has passed. */
void session_note_due(void *ctx, struct wheel_entry *e);

#endif
