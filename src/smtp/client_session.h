/* The client session from inside: shared by the client_*.c files, and by nobody else. */
#ifndef SMTP_CLIENT_SESSION_H
#define SMTP_CLIENT_SESSION_H

#include "smtp/client_reply.h"
#include "smtp/client_rules.h"

enum {
    CLIENT_OUTPUT_MAX = 1 << 20, /* ceiling of the output; WINDOW plus a command is the most ever used  */
    CLIENT_WINDOW = 32768,       /* octets queued, above which no further command or content is added   */
    CLIENT_COMMAND_MAX = 512,    /* RFC 5321 4.5.3.1.4                                                  */
    CLIENT_SASL_MAX = 9000,      /* octets of a response before encoding: fits a line of 12,288         */
    CLIENT_WHY_MAX = 200
};

/* Where a recipient stands. DONE: its outcome was said. */
enum smtp_client_recipient {
    CLIENT_TO_SEND,
    CLIENT_TO_ANSWER,
    CLIENT_TAKEN,
    CLIENT_DONE,
    /* judged here, not sent: */
    CLIENT_UNFIT_ADDRESS,
    CLIENT_NEEDS_UTF8,
    CLIENT_OVER_LIMIT
};

/* The transaction under way. */
struct smtp_client_mail_state {
    const struct sp_client_mail *mail; /* NULL: none                                        */
    uint8_t *states;                   /* enum smtp_client_recipient, one each; owned            */
    size_t state_cap;
    size_t to_send;    /* recipients before it were sent or are unfit       */
    size_t to_answer;  /* the recipient whose reply is looked for from here */
    size_t unanswered; /* RCPTs on their way                                */
    size_t taken;      /* recipients that the server took                   */
    size_t told;       /* LMTP: those of them that have their reply         */
    bool mail_sent, data_sent;
    bool utf8; /* SMTPUTF8 is needed */
};

/* The message on its way in chunks. */
struct smtp_client_chunks {
    struct sp_buf octets; /* of the chunk that is being filled                          */
    size_t ready;         /* octets of it whose BDAT line is told before they follow it */
    size_t unanswered;    /* chunks on their way                                        */
    bool last;            /* the last one is among them                                 */
};

/* Outcomes that are still to be said. */
struct smtp_client_settling {
    bool on;
    bool judged; /* those that were judged here */
    size_t at, end;
    enum sp_client_fate fate;
    enum smtp_client_phase phase;
    struct sp_client_reply reply;
};

/* Facts that are still to be said, besides. */
struct smtp_client_facts {
    bool reply, auth, auth_ok, failed, mail_done, tls, closed;
    enum smtp_client_phase phase; /* before the rule */
    enum smtp_client_scope scope;
    enum sp_client_fate fate, failed_fate;
    size_t recipient;
    struct sp_client_reply last; /* the reply, or what came instead */
    struct sp_client_reply failed_by;
};

struct smtp_client_output {
    struct sp_buf octets;
    size_t sent, shown;            /* octets of the front that were sent, that SENT has told   */
    size_t secret_from, secret_to; /* a SASL response; equal: none                             */
    size_t secret_len;             /* decoded                                                  */
    bool dot;                      /* the final dot is in there                                */
};

/* What will end the session once the facts before it are read. */
struct smtp_client_ending {
    bool on;
    enum smtp_client_input input;
    struct sp_client_reply what;
};

struct sp_client {
    const struct sp_client_options *options;
    const struct sp_allocator *alloc;
    struct sp_client_timeouts timeouts;
    enum smtp_client_phase phase;
    uint64_t now_ms, deadline_ms;
    bool tls, tls_refused;
    bool left_open; /* RSET before MAIL                                  */
    struct smtp_client_reply reply;
    struct smtp_client_output out;
    struct sp_client_capabilities capabilities;
    struct sp_buf hello_lines; /* of the last EHLO                                  */
    struct sp_buf auth_words;  /* mechanisms of all AUTH lines                      */
    struct sp_buf initial;     /* waits for the first challenge; secret             */
    bool has_initial;
    struct sp_buf challenge;
    bool challenge_garbled;    /* it was no base64, and AUTH is given up            */
    struct smtp_client_mail_state mail;
    struct smtp_client_chunks chunks;
    unsigned raw_due; /* replies to the caller's octets */
    uint32_t mails_n; /* begun over this connection     */
    struct smtp_client_settling settling;
    struct smtp_client_facts facts;
    struct smtp_client_ending ending;
    int dead; /* SP_OK or SP_ERR_NOMEM                                */
    uint8_t why[CLIENT_WHY_MAX];
    bool line_start, after_cr; /* of the content                           */
};

/* client_move.c: the only place that moves a session. */

/* Go where the table says. SP_ERR_MISUSE: no such cell. */
int smtp_client_move(struct sp_client *s, enum smtp_client_input input);

/* The same, and say what it means: `what` is the reply, or why there is none. */
int smtp_client_apply(struct sp_client *s, enum smtp_client_input input, const struct sp_client_reply *what);

/* End the session, or the mail, by this input as soon as the facts before it are read. The first ending
 * counts. */
void smtp_client_end(struct sp_client *s, enum smtp_client_input input, const char *enhanced,
                     struct sp_view text);

/* The mail went as far as was wanted: when the facts before it are read, who is open gets no verdict. */
void smtp_client_enough(struct sp_client *s);

/* SP_OK, or SP_ERR_NOMEM when the output or `status` failed: the session then ends. */
int smtp_client_check(struct sp_client *s, int status);

/* Is the session at this question, with all facts read? */
bool smtp_client_asks(const struct sp_client *s, enum smtp_client_phase phase);

/* The timer of the phase starts anew. */
void smtp_client_arm(struct sp_client *s);

/* client_events.c */
bool smtp_client_facts_pending(const struct sp_client *s);

/* client_output.c */
size_t smtp_client_output_queued(const struct sp_client *s);
void smtp_client_output_drop(struct sp_client *s);
bool smtp_client_output_line(struct sp_client *s, struct sp_client_event *event_out);
void smtp_client_wipe(void *p, size_t n);

/* Append a command line; failures stick in out.octets. An empty argument leaves its space out. */
void smtp_client_say(struct sp_client *s, const char *verb, struct sp_view argument);

/* prefix, base64 of the secret (or "=" for none, when asked), CRLF. */
void smtp_client_say_secret(struct sp_client *s, struct sp_view prefix, struct sp_view secret,
                            bool empty_is_equals);

/* client_capabilities.c */
int smtp_client_capabilities_learn(struct sp_client *s);
void smtp_client_capabilities_forget(struct sp_client *s);

/* client_envelope.c: what is said of a mail before its content. */
void smtp_client_say_mail(struct sp_client *s);
void smtp_client_say_rcpt(struct sp_client *s, size_t recipient);
bool smtp_client_is_parameters(struct sp_view v);
bool smtp_client_is_chunked(const struct sp_client *s); /* BDAT is used for the mail under way */

/* client_judge.c: a mail, or recipients of it, that this server need not be asked about. */
struct smtp_client_judgement {
    enum sp_client_fate fate; /* NONE: it may be tried */
    const char *enhanced, *text;
};
struct smtp_client_judgement smtp_client_judge(const struct sp_client *s, const struct sp_client_mail *mail);
struct smtp_client_judgement smtp_client_judge_state(enum smtp_client_recipient state);

/* Set the recipients' states; returns how many are judged here. */
size_t smtp_client_judge_recipients(struct sp_client *s);

/* client_chunk.c */
int smtp_client_chunks_enter(struct sp_client *s);
void smtp_client_chunks_follow(struct sp_client *s); /* the line is told: its octets follow */
bool smtp_client_chunks_wait(const struct sp_client *s);
void smtp_client_chunks_cut(struct sp_client *s, bool last);
uint32_t smtp_client_chunks_size(const struct sp_client *s);

/* client_mail.c */
int smtp_client_mail_enter(struct sp_client *s);
void smtp_client_mail_pump(struct sp_client *s);
size_t smtp_client_mail_answered(struct sp_client *s, enum smtp_client_input input);

/* client_auth.c */
int smtp_client_auth_challenged(struct sp_client *s);

#endif
