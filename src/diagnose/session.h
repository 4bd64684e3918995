/*
 * One conversation as far as it was told: the state of client and server, and what went wrong in it.
 * Internal to diagnose. All of it is of fixed size.
 */
#ifndef DIAGNOSE_SESSION_H
#define DIAGNOSE_SESSION_H

#include "diagnose/diagnose.h"
#include "diagnose/verb.h"

enum { TEXT_SIZE = 1400, MECHANISMS_SIZE = 160, PENDING_MAX = 64, FINDINGS_MAX = 10, ROUNDS_MAX = 8 };

/* Where a line stands in the input. */
struct place {
    uint64_t line;
    char quote[DIAGNOSE_QUOTE_MAX];
};

/* A reply with all of its lines. */
struct reply {
    int code;
    int class, subject, detail; /* enhanced code; class 0: none             */
    char text[TEXT_SIZE];       /* lines joined by spaces, in lower case    */
    size_t len;
    struct place place;         /* its first line */
    enum diagnose_verb verb;    /* that it answers */
    uint64_t verb_line;
    bool told;                  /* in an error message, not in a conversation */
    bool implied;               /* the code is a guess of ours: the log has none */
    bool more;                  /* further lines follow */
};

/* What the latest EHLO reply offered. */
struct caps {
    bool known, starttls, auth, chunking, smtputf8, masked;
    uint64_t size;
    char mechanisms[MECHANISMS_SIZE]; /* " plain login " */
};

enum challenge { CHALLENGE_NONE, CHALLENGE_EMPTY, CHALLENGE_USER, CHALLENGE_PASSWORD, CHALLENGE_JSON, CHALLENGE_OTHER,
                 CHALLENGE_BROKEN };

/* How a response of the client looks; the response itself is not kept. */
struct response {
    bool seen, base64, hidden; /* hidden: the log shows something else in its place */
    bool twice, line_end, address, empty, cancel, command, wrapped;
    bool plain_bad, xoauth2_bad;
    bool full_line; /* the length of one of wrapped base64 */
    size_t characters;
    struct place place;
};

struct auth {
    bool active;                /* AUTH sent, no final reply yet                */
    char mechanism[32];         /* upper case; "" when unknown                  */
    bool initial;               /* AUTH carried a response                      */
    unsigned challenges;        /* 334s so far                                  */
    enum challenge last;        /* the 334 that waits for an answer             */
    bool waiting;               /* for an answer to it                          */
    bool user_repeated;         /* the name was asked for although it was given */
    bool password_was_asked;
    bool token_refused;         /* a JSON challenge with a status               */
    bool cancelled;
    size_t previous_len;        /* of the client's line before, when it was long and had no '=' */
    struct response bad;        /* the first response with something wrong      */
    struct response first;      /* the first response                           */
    struct place challenge_place, command_place, repeat_place, token_place;
};

struct pending {
    enum diagnose_verb verb;
    uint64_t line;
};

struct noted {
    struct diagnose_finding finding;
    enum diagnose_verb verb;
    uint64_t recipient;  /* hash of the address of the RCPT it answers; 0: none */
    bool temporary;      /* 4yz                                                */
    bool consequence;    /* of another finding                                 */
    bool overcome;       /* later the same thing worked                        */
    bool general;        /* no more is known than the code says                */
    bool told;           /* see struct reply                                   */
};

struct session {
    uint64_t key, touched; /* hash of the connection's name; number of the last line */
    bool used;
    uint64_t lines;        /* of the conversation, both sides */
    uint64_t replies;      /* lines of the server among them  */
    uint64_t first_line;
    /* connection */
    unsigned port;
    bool implicit_tls, tls, connected, greeted, refused, closed, quit, left;
    struct place close_place, connect_place, last_command, starttls_place;
    bool timed_out;
    /* greeting */
    bool hello, esmtp, hello_failed, starttls_done, hello_after_starttls, helo_used;
    struct caps caps;
    struct caps caps_before_tls;
    /* AUTH */
    bool authed, auth_failed;
    unsigned auth_tries;
    struct auth auth;
    /* message */
    bool transaction, in_data, in_chunk, bdat_used, bdat_last, mail_failed, content_over;
    unsigned rcpt_ok, rcpt_bad, unknown_run, header_like;
    struct place unknown_first;
    uint64_t recipient;             /* hash of the latest RCPT's address */
    uint64_t accepted[ROUNDS_MAX];  /* hashes of recipients of this message */
    unsigned accepted_n;
    uint64_t delivered;
    uint64_t declared_size;
    enum diagnose_verb last_verb;
    uint64_t last_verb_line;
    int last_code;
    struct pending pending[PENDING_MAX];
    size_t pending_n, pending_at;
    struct reply reply;             /* being read */
    bool in_reply;
    struct noted found[FINDINGS_MAX];
    size_t found_n;
    unsigned told_successes;
};

/* Where findings of sessions that are over are gathered. */
struct gathering {
    struct noted best[DIAGNOSE_FINDINGS_MAX * 2];
    size_t n;
    struct diagnose_challenge challenges[DIAGNOSE_CHALLENGES_MAX];
    size_t challenge_n;
    uint64_t sessions, healthy, delivered, talk_lines, finished;
};

void diagnose_session_begin(struct session *s, uint64_t key, uint64_t line);

/* The client said a line; the server said a line. place: as quoted, masked. */
void diagnose_session_client(struct session *s, struct sp_view text, bool marked, const struct place *place);
void diagnose_session_server(struct session *s, struct gathering *g, struct sp_view text, const struct place *place);

/* A reply that an error message tells. verb may be NONE; implied: see struct reply. */
void diagnose_session_told(struct session *s, enum diagnose_verb verb, int code, bool implied, struct sp_view text,
                           const struct place *place);

/* session_move.c: a whole reply that is matched to its command; a refusal wherever it was told. */
void diagnose_session_take(struct session *s, const struct reply *r);
void diagnose_session_refuse(struct session *s, const struct reply *r);

/* The reply that is being read has no further lines. */
void diagnose_session_finish_reply(struct session *s, struct gathering *g);

/* No further lines: what is left unanswered is judged, and all goes to the gathering. */
void diagnose_session_end(struct session *s, struct gathering *g);

/* Is this line of a server the greeting of another connection? */
bool diagnose_session_is_over_before(const struct session *s, struct sp_view server_line);

/* What reading an unmarked line of the log needs to know. */
bool diagnose_session_waits_for_answer(const struct session *s);

/* Note a finding; returns it, or NULL when there is no room. */
struct noted *diagnose_session_note(struct session *s, enum diagnose_cause_id id, double confidence, const struct place *place,
                           const struct reply *reply);

/* rules_*.c: the cause of a refusal, or CAUSE_N when the rules of that file do not apply. */
struct judgement {
    enum diagnose_cause_id id;
    double confidence;
    const struct place *place; /* NULL: the reply's own */
};
typedef bool judge_fn(const struct session *s, const struct reply *r, struct judgement *j);
judge_fn diagnose_judge_auth, diagnose_judge_order, diagnose_judge_tls, diagnose_judge_policy, diagnose_judge_words, diagnose_judge_general;

/* sasl.c */
void diagnose_auth_command(struct session *s, struct sp_view text, const struct place *place);
void diagnose_auth_answer(struct session *s, struct sp_view text, const struct place *place);
void diagnose_auth_challenge(struct session *s, struct gathering *g, struct sp_view text, const struct place *place);

static inline bool enhanced_is(const struct reply *r, int subject, int detail)
{
    return r->class != 0 && r->subject == subject && r->detail == detail;
}

#endif
