/*
 * The server's side of a SASL exchange: responses in, challenges and questions out. Octets only, no
 * base64, no I/O, no users: whoever runs the exchange answers its questions (the engine's habit).
 *
 *     sasl_server_new("PLAIN", alloc, &s);
 *     state = sasl_server_start(s, true, initial);
 *     for (;;) switch (state) {
 *     case SASL_SERVER_CHALLENGE:    send sasl_server_challenge(s); state = sasl_server_step(s, response);
 *     case SASL_SERVER_ASK_PASSWORD: state = sasl_server_password_is(s, right);
 *     case SASL_SERVER_ASK_VERIFIER: state = sasl_server_give_verifier(s, &verifier, usable);
 *     case SASL_SERVER_ASK_TOKEN:    state = sasl_server_token_is(s, user, json);
 *     case SASL_SERVER_ASK_EXTERNAL: state = sasl_server_external_is(s, user);
 *     case SASL_SERVER_YES:          sasl_server_user(s) is who he says
 *     case SASL_SERVER_NO:           sasl_server_fault(s) says why
 *     }
 *
 * RFC 4422; each mechanism's own RFC stands in its file.
 */
#ifndef SASL_SERVER_H
#define SASL_SERVER_H

#include "base/buf.h"
#include "sasl/binding.h"
#include "sasl/fault.h"
#include "sasl/verifier.h"

enum sasl_server_state {
    SASL_SERVER_CHALLENGE,    /* a challenge is due to the client, then its response               */
    SASL_SERVER_ASK_PASSWORD, /* is sasl_server_password the password of sasl_server_user?         */
    SASL_SERVER_ASK_VERIFIER, /* the verifier of sasl_server_user is needed                        */
    SASL_SERVER_ASK_TOKEN,    /* does sasl_server_password, a token, speak for sasl_server_user?   */
    SASL_SERVER_ASK_EXTERNAL, /* does what the client has shown outside, in TLS, speak for sasl_server_user? */
    SASL_SERVER_YES,
    SASL_SERVER_NO,
    SASL_SERVER_BROKEN        /* out of memory, or OpenSSL failed: nobody's fault among the two    */
};

struct sasl_server;

/*
 * Begin an exchange.
 *
 *   mechanism   one name, any case
 *   alloc       borrowed for the life of the exchange
 *   server_out  owned by the caller: sasl_server_free
 *
 * SP_ERR_ABSENT: not a mechanism of ours. SP_ERR_NOMEM.
 */
SP_MUST_USE int sasl_server_new(struct sp_view mechanism, const struct sp_allocator *alloc,
                                struct sasl_server **server_out);

/* NULL is fine; secrets are overwritten. */
void sasl_server_free(struct sasl_server *s);

/*
 * What ties the exchange to its connection; before the start. Without this call nothing does.
 *
 *   binding       copied
 *   plus_offered  the client was offered mechanisms that end in -PLUS
 *
 * SP_ERR_NOMEM.
 */
SP_MUST_USE int sasl_server_bind(struct sasl_server *s, const struct sasl_binding *binding, bool plus_offered);

/*
 * The name of this server, for challenges that hold one; before the start.
 *   hostname  copied; at most 255 octets
 * SP_ERR_LONG, SP_ERR_NOMEM.
 */
SP_MUST_USE int sasl_server_call(struct sasl_server *s, struct sp_view hostname);

/* Start, with the initial response or without. Once, first. */
enum sasl_server_state sasl_server_start(struct sasl_server *s, bool has_initial, struct sp_view initial);

/* The client's response to the challenge. Only in CHALLENGE; borrowed for the call. */
enum sasl_server_state sasl_server_step(struct sasl_server *s, struct sp_view response);

/* The answer to ASK_PASSWORD. The password is overwritten. */
enum sasl_server_state sasl_server_password_is(struct sasl_server *s, bool right);

/*
 * The answer to ASK_VERIFIER.
 *
 *   usable  false for a user who is unknown (give sasl_verifier_decoy) or disabled: the exchange goes
 *           on and looks the same, and its end is NO
 */
enum sasl_server_state sasl_server_give_verifier(struct sasl_server *s, const struct sasl_verifier *v, bool usable);

/*
 * The answer to ASK_TOKEN. The token is overwritten.
 *
 *   user         whom the token speaks for: becomes sasl_server_user; empty when it is refused
 *   error_json   when it is refused: what the client is told before the end, RFC 7628 3.2.2
 */
enum sasl_server_state sasl_server_token_is(struct sasl_server *s, struct sp_view user, struct sp_view error_json);

/*
 * The answer to ASK_EXTERNAL.
 *   user  who it is: becomes sasl_server_user, which is empty where the client left it to the server; empty: nobody
 */
enum sasl_server_state sasl_server_external_is(struct sasl_server *s, struct sp_view user);

/* Borrowed until the next call that changes the state. */
struct sp_view sasl_server_challenge(const struct sasl_server *s);

/* The name as the client wrote it; empty before it is known, and never made of something malformed. */
struct sp_view sasl_server_user(const struct sasl_server *s);

/* A secret; only in ASK_PASSWORD, where it is prepared, and in ASK_TOKEN. */
struct sp_view sasl_server_password(const struct sasl_server *s);

/* After SCRAM's YES: which password of the verifier it was (SASL_WHICH_OWN, or a further one's number). */
int sasl_server_which(const struct sasl_server *s);

/* Why NO: SASL_FAULT_REFUSED when an answer of the caller decided. */
enum sasl_fault sasl_server_fault(const struct sasl_server *s);

/* "PLAIN": static text. */
const char *sasl_server_mechanism(const struct sasl_server *s);

/*
 * After a NO: something odd about the name or the password that could explain it, as a sentence for the operator, or
 * NULL. Static text.
 */
const char *sasl_server_hint(const struct sasl_server *s);

#endif
