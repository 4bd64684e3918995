/*
 * The words of the SMTP client session and the shape of one rule.
 *
 * A phase is what the session waits for, named by the command whose reply is due. In a pipelined
 * group several commands are on their way; the phase is that of the oldest without a reply.
 */
#ifndef SMTP_CLIENT_RULES_H
#define SMTP_CLIENT_RULES_H

#include "sallyport/smtp_client.h"

#define CLIENT_TIMEOUT(field) offsetof(struct sp_client_timeouts, field)
#define CLIENT_NO_TIMEOUT     SIZE_MAX

/* NAME, the timeout that runs, what is true there. */
#define CLIENT_PHASES(X)                                                                                     \
    X(NEW, CLIENT_NO_TIMEOUT, "not opened")                                                                  \
    X(GREETING, CLIENT_TIMEOUT(greeting_ms), "connected; the server speaks first")                           \
    X(EHLO, CLIENT_TIMEOUT(command_ms), "EHLO is sent")                                                      \
    X(HELO, CLIENT_TIMEOUT(command_ms), "HELO is sent: the server did not know EHLO")                        \
    X(CHOOSE, CLIENT_NO_TIMEOUT, "passed through at once: STARTTLS, READY or QUIT, as the TLS policy says")  \
    X(STARTTLS, CLIENT_TIMEOUT(command_ms), "STARTTLS is sent")                                              \
    X(HANDSHAKE, CLIENT_TIMEOUT(tls_ms), "the caller runs the TLS handshake")                                \
    X(READY, CLIENT_NO_TIMEOUT, "identified; the caller says what next")                                     \
    X(AUTH, CLIENT_TIMEOUT(command_ms), "AUTH or a SASL response is sent")                                   \
    X(SASL, CLIENT_NO_TIMEOUT, "a challenge came; the caller answers it")                                    \
    X(CANCEL, CLIENT_TIMEOUT(command_ms), "\"*\" is sent")                                                   \
    X(RAW, CLIENT_TIMEOUT(command_ms), "octets of the caller are sent; replies to them are due")             \
    X(XCLIENT, CLIENT_TIMEOUT(command_ms), "XCLIENT is sent")                                                \
    X(RSET, CLIENT_TIMEOUT(command_ms), "RSET is sent: an earlier mail left a transaction open")             \
    X(MAIL, CLIENT_TIMEOUT(command_ms), "MAIL is sent")                                                      \
    X(RCPT, CLIENT_TIMEOUT(command_ms), "the sender is taken; RCPT is sent")                                 \
    X(DATA, CLIENT_TIMEOUT(data_ms), "a recipient is taken; DATA is sent")                                   \
    X(CONTENT, CLIENT_TIMEOUT(block_ms), "the message is on its way; its final dot is not")                  \
    X(DOT, CLIENT_TIMEOUT(end_ms), "the final dot is sent")                                                  \
    X(DOT_EACH, CLIENT_TIMEOUT(end_ms), "LMTP: the message is sent; each recipient has a reply of its own")  \
    X(BDAT, CLIENT_TIMEOUT(block_ms), "a recipient is taken; chunks are on their way, not yet the last")     \
    X(BDAT_LAST, CLIENT_TIMEOUT(end_ms), "the last chunk is sent")                                           \
    X(RCPT_VOID, CLIENT_TIMEOUT(command_ms),                                                                 \
      "the sender was refused; replies to pipelined RCPT are still to come")                                 \
    X(DATA_VOID, CLIENT_TIMEOUT(data_ms),                                                                    \
      "no recipient was taken; the reply to pipelined DATA is still to come")                                \
    X(DOT_VOID, CLIENT_TIMEOUT(end_ms), "DATA was accepted for nobody; a lone dot is sent")                  \
    X(BDAT_VOID, CLIENT_TIMEOUT(block_ms), "a chunk was refused; replies to those behind it are to come")    \
    X(QUIT, CLIENT_TIMEOUT(quit_ms), "QUIT is sent")                                                         \
    X(CLOSED, CLIENT_NO_TIMEOUT, "the end")

/* What can happen to a session. NAME, phrase. The first ones are classes of replies. */
#define CLIENT_INPUTS(X)                                                                                     \
    X(YES, "2yz")                                                                                            \
    X(CHALLENGE, "334")                                                                                      \
    X(GO, "354")                                                                                             \
    X(LATER, "4yz")                                                                                          \
    X(NO, "5yz")                                                                                             \
    X(NO_VERB, "500 or 502: the verb is not known")                                                          \
    X(ORDER, "503 or 530: about the session, not about the mail")                                            \
    X(CROWDED, "552 to RCPT after others were taken: too many recipients (RFC 5321 4.5.3.1.10)")             \
    X(PART, "2yz to a chunk that is not the last")                                                           \
    X(SHUT, "421: the server closes")                                                                        \
    X(BAD, "no reply at all, or one that cannot stand here")                                                 \
    X(OPEN, "the connection is up")                                                                          \
    X(SECURED, "the handshake is done")                                                                      \
    X(BEGIN_AUTH, "the caller begins AUTH")                                                                  \
    X(ANSWER, "the caller answers the challenge")                                                            \
    X(CANCEL, "the caller gives AUTH up, or the challenge is no base64")                                     \
    X(OLD, "2yz, and HELO is wanted")                                                                        \
    X(BARE, "2yz, and nothing shall be said by itself")                                                      \
    X(BEGIN_RAW, "the caller gives octets")                                                                  \
    X(BEGIN_XCLIENT, "the caller tells of another client")                                                   \
    X(BEGIN_MAIL, "the caller gives a mail")                                                                 \
    X(END, "the final dot, or the last chunk, was handed over to be sent")                                   \
    X(EACH, "LMTP: a reply for each recipient that was taken is due")                                        \
    X(DONE, "every reply that was due has come")                                                             \
    X(ENOUGH, "the caller wanted no more than this")                                                         \
    X(LEAVE, "the caller wants to leave")                                                                    \
    X(GO_ON, "TLS is up, not wanted, or not to be had and not required")                                     \
    X(UPGRADE, "STARTTLS is offered, and the policy wants it")                                               \
    X(NO_TLS, "TLS is required and not to be had")                                                           \
    X(UNSENT, "the phase's command was not sent, so no reply is due")                                        \
    X(SOMEBODY, "every RCPT is answered, one at least was taken")                                            \
    X(CHUNKED, "every RCPT is answered, one at least was taken; the message goes in chunks")                 \
    X(NO_ONE, "every RCPT is answered, none was taken")                                                      \
    X(UNFIT, "the message cannot be sent: it has a bare CR or LF, or cannot be converted")                   \
    X(TIMEOUT, "the timer ran out")                                                                          \
    X(EOF, "the connection is gone, or was given up")

#define X(n, ...) CLIENT_##n,
enum smtp_client_phase { CLIENT_PHASES(X) CLIENT_PHASE_N };
#undef X

#define X(n, ...) CLIENT_IN_##n,
enum smtp_client_input { CLIENT_INPUTS(X) CLIENT_INPUT_N };
#undef X

/* Whose fate a rule decides. */
enum smtp_client_scope { CLIENT_NOBODY, CLIENT_THIS, CLIENT_ALL };

/* What is known of a transaction at the server: OPEN asks for RSET before the next MAIL. */
enum smtp_client_left { CLIENT_LEFT_AS_IS, CLIENT_LEFT_OPEN, CLIENT_LEFT_CLEAN };

struct smtp_client_rule {
    uint8_t known; /* 0: an absent cell                                                       */
    uint8_t next;  /* enum smtp_client_phase                                                       */
    uint8_t scope; /* enum smtp_client_scope                                                       */
    uint8_t fate;  /* enum sp_client_fate, for `scope`; for NOBODY, when next ends the
                      session: for mail that waits for it                                     */
    uint8_t left;  /* enum smtp_client_left                                                        */
    const char *rfc;
};

/* The law. Use smtp_client_rule_find, which knows what absent cells mean. */
extern const struct smtp_client_rule smtp_client_rules[CLIENT_PHASE_N][CLIENT_INPUT_N];

/*
 * The rule for an input. An absent cell of NO_VERB, ORDER or CROWDED is that of NO; an absent cell
 * of any other reply is that of BAD; NULL: the caller of the engine broke its contract.
 */
const struct smtp_client_rule *smtp_client_rule_find(enum smtp_client_phase phase,
                                                     enum smtp_client_input input);

const char *smtp_client_phase_name(enum smtp_client_phase phase);
const char *smtp_client_phase_text(enum smtp_client_phase phase);
const char *smtp_client_input_text(enum smtp_client_input input);

/* The timeout that runs in a phase, in ms; 0 for none. */
uint32_t smtp_client_phase_timeout(enum smtp_client_phase phase, const struct sp_client_timeouts *timeouts);

#endif
