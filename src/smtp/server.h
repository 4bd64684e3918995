/* The inside of a server session, shared by the server_*.c files alone. */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "base/buf.h"
#include "base/view.h"
#include "smtp/content.h"
#include "smtp/grammar.h"
#include "smtp/line.h"
#include "smtp/server_rules.h"

/* Facts that wait to be read, in the order in which they are told; the question stands between. */
enum smtp_fact {
    FACT_GIVEN_UP = 1,
    FACT_DROPPED = 2,
    FACT_CONTENT = 4,
    FACT_START_TLS = 8,
    FACT_CLOSED = 16
};

/* What is to be said once the octets of a refused chunk are thrown away. */
enum smtp_held { HELD_NOTHING, HELD_REFUSAL, HELD_INPUT, HELD_CALLER };

struct sp_server {
    struct sp_server_options options; /* defaults filled in; its views are borrowed      */
    const struct sp_allocator *alloc; /* borrowed                                        */
    smtp_rule_row *rules;             /* smtp_rules                                      */
    int dead;                         /* sticky: SP_OK or why no call works any more     */

    /* What the walk sees. */
    uint8_t phase; /* enum smtp_phase; only smtp_server_move writes it */
    bool tls, user, esmtp;
    bool mail;         /* a sender is accepted                      */
    bool rcpt_refused; /* and a recipient was refused since         */
    uint8_t body;      /* enum sp_body: what that MAIL declared     */
    bool utf8;         /* it said SMTPUTF8                          */

    bool opened;
    bool closing;                  /* close once END is answered: the client or the server goes */
    bool shutdown;                 /* and say 421 then                                          */
    bool exchange;                 /* AUTH was asked and has no verdict yet                     */
    uint8_t input;                 /* enum smtp_input that is being answered                    */
    const struct smtp_rule *asked; /* the question that is open, or NULL                        */
    const struct smtp_word *word;  /* the command that is being answered                        */
    unsigned facts;                /* set of enum smtp_fact                                     */
    struct sp_server_event question;
    struct sp_view content;

    struct smtp_line line;
    size_t line_max; /* limit that the last long line was held to          */
    bool line_read;  /* the held line is done with at the next feed       */
    bool long_chunk; /* that line began with BDAT                         */
    struct smtp_content message;
    bool bare_lf, bare_cr, after_cr; /* in chunks of a message that is no BINARYMIME */
    bool nul, wide;                  /* the message has octets that its body type does not allow */
    uint64_t size;                   /* octets of content so far                                 */
    uint64_t chunk_left;             /* octets of the chunk that are still to come               */
    bool chunk_last;                 /* BDAT ... LAST                                            */
    uint8_t held;                    /* enum smtp_held; while it is not 0 octets are thrown away */
    uint16_t held_what;              /* enum smtp_reply_id or enum smtp_input                    */
    struct sp_refusal held_refusal;
    struct sp_buf held_text;
    uint32_t answered;    /* LMTP: recipients that had their answer to END            */
    bool taken;           /* and one of them was yes                                  */
    struct sp_buf secret; /* a decoded SASL response */
    struct sp_buf xtext;  /* what parameters and attributes decode to */
    struct sp_buf out;
    size_t out_sent;

    uint32_t recipients, errors, idlers, auth_failures;
    uint32_t forgiven; /* RCPTs pipelined behind a refused MAIL that are not held against the client */
    uint64_t now_ms, since_ms;
    uint64_t mail_since_ms; /* when the sender was accepted */
    int64_t wall_base_ms;   /* wall time where now_ms is 0 */
    bool wall_known;
    int last_code;
    const char *last_reason;
    struct smtp_fault fault;
    struct sp_view withheld; /* a mechanism that EHLO does not list */
    struct sp_view named;    /* a keyword of the client's to name in a refusal; letters, digits, hyphens */
};

/* server.c: what a call returns when all else went well. */
int smtp_server_settle(struct sp_server *s);

/* server_reply.c: write one reply. Failures stick in s->out and are taken up by the caller's caller. */
void smtp_server_say(struct sp_server *s, enum smtp_reply_id reply);
/* Each LF in the text ends a line of the reply. */
void smtp_server_say_text(struct sp_server *s, enum smtp_reply_id reply, struct sp_view text);
void smtp_server_say_refusal(struct sp_server *s, const struct sp_refusal *refusal);
void smtp_server_say_challenge(struct sp_server *s, struct sp_view challenge);

/* server_move.c: apply the table. */

/* The needs of the table that hold now, all of them but ALONE. For verb 0 OFFERED is that of no verb. */
unsigned smtp_server_met(const struct sp_server *s, unsigned verb);

/* Is this extension offered now? One bit of enum sp_server_extension. */
bool smtp_server_offers(const struct sp_server *s, unsigned extension);

/* Would this verb be accepted now? */
bool smtp_server_accepts(const struct sp_server *s, const struct smtp_word *word);

/* Something happened: do what the row says. SP_ERR_MISUSE: there is no such row. */
SP_MUST_USE int smtp_server_apply(struct sp_server *s, enum smtp_input input);

/* The same where the row is there by law; without it the session dies of SP_ERR_MISUSE. */
void smtp_server_happen(struct sp_server *s, enum smtp_input input);

/* The verb's argument is wrong, or a need unmet: refuse and go home. */
void smtp_server_refuse(struct sp_server *s, enum smtp_reply_id reply);

/* How many replies a refusal of the present input takes: in LMTP, after a message, one for each recipient. */
uint32_t smtp_server_replies_due(const struct sp_server *s);

/* Take an outcome of the row: the reply is said already. */
void smtp_server_accept(struct sp_server *s, const struct smtp_rule *rule);
void smtp_server_continue(struct sp_server *s, const struct smtp_rule *rule);
void smtp_server_decline(struct sp_server *s, uint8_t next);

/* One refusal more: is it still to be said? false: 421 was said in its place. */
bool smtp_server_bear(struct sp_server *s, int code);

/* server_command.c */

/* Run one line of a command phase. */
void smtp_server_command(struct sp_server *s, struct sp_view line, bool alone);

/* Take one line of the SASL phase. */
void smtp_server_answer(struct sp_server *s, struct sp_view line);

/* server_chunk.c: BDAT. */

/* Take the count behind BDAT. false: it is none. */
bool smtp_server_chunk(struct sp_server *s, struct sp_view args);
/* Would the message pass its limit with it? */
bool smtp_server_chunk_is_big(const struct sp_server *s);
/* The octets may come, or there are none. */
void smtp_server_chunk_begin(struct sp_server *s);
/* Take octets of it; returns how many. */
size_t smtp_server_chunk_take(struct sp_server *s, struct sp_view in);
/* Refuse it once its octets are thrown away: with a reply, by the row of an input, in the caller's words. */
void smtp_server_chunk_hold(struct sp_server *s, enum smtp_held how, unsigned what);
void smtp_server_chunk_hold_refusal(struct sp_server *s, const struct sp_refusal *refusal);
void smtp_server_chunk_unhold(struct sp_server *s);
size_t smtp_server_chunk_throw(struct sp_server *s, struct sp_view in);

/* Note what the message may not hold; false: it is refused anyway, its octets are of no use. */
bool smtp_server_note_content(struct sp_server *s, struct sp_view piece);
/* Which end of the message this is, when its lines are right. */
enum smtp_input smtp_server_end(const struct sp_server *s);

/* server_parameter.c: the parameters of MAIL or RCPT from line.p[at] on. */
enum smtp_reply_id smtp_server_mail_parameters(struct sp_server *s, struct sp_view line, size_t at);
enum smtp_reply_id smtp_server_rcpt_parameters(struct sp_server *s, struct sp_view line, size_t at);

/* server_peer.c: the attributes of XCLIENT or XFORWARD. */
enum smtp_reply_id smtp_server_peer(struct sp_server *s, struct sp_view line, size_t at);

/* Note a fault of an argument. Returns reply. */
enum smtp_reply_id smtp_server_complain(struct sp_server *s, size_t at, struct sp_view what,
                                        enum smtp_reply_id reply);

/* Room for n octets that s->question may point to, until the next feed. NULL: the session is dead. The octets
 * that were given before do not move as long as all together are at most `line` octets. */
uint8_t *smtp_server_decode_room(struct sp_server *s, size_t line);

/* server_argument.c: parse the argument of s->word, from line.p[at] on, into s->question; R_NONE or the
 * refusal. */
enum smtp_reply_id smtp_server_argument(struct sp_server *s, struct sp_view line, size_t at);

/* Append those that EHLO lists. */
void smtp_server_add_mechanisms(const struct sp_server *s, struct sp_buf *out);

/* Mechanisms offered on the link as it is. */
struct sp_view smtp_server_mechanisms(const struct sp_server *s);

/* Decode base64 into s->secret. SP_ERR_SYNTAX: it is none. SP_ERR_NOMEM: the session is dead. */
SP_MUST_USE int smtp_server_decode(struct sp_server *s, struct sp_view text);

/* AUTH with an initial response for a mechanism that never asks back: more may follow it (RFC 4954 4). */
bool smtp_server_is_single_round(struct sp_view args);

#endif
