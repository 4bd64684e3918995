/* What a line tells of a conversation without being part of it: an exception, a notice, a server's log. */
#ifndef DIAGNOSE_NOTE_H
#define DIAGNOSE_NOTE_H

#include "diagnose/session.h"
#include "diagnose/text.h"

enum note_kind {
    NOTE_NOTHING,
    NOTE_REPLY,     /* a refusal is told: code, text, verb                  */
    NOTE_DELIVERED, /* a message was accepted by another server, or by this */
    NOTE_CAUSE,     /* the program names the trouble itself: cause          */
    NOTE_CLOSED,
    NOTE_TIMED_OUT,
    NOTE_TLS,       /* the connection is secured                            */
    NOTE_CONNECT    /* a connection is being made; port, when it is told    */
};

/* How sure a cause is that only says what did not happen; the next that is told takes its place. */
#define NOTE_WEAK 0.5

struct note {
    enum note_kind kind;
    int code;
    bool implied;        /* the line has no reply code, only words or an enhanced code */
    struct sp_view text; /* behind the code; borrowed from the line */
    enum diagnose_verb verb;
    enum diagnose_cause_id cause;
    double confidence;
    unsigned port;       /* 0: not told */
    bool begins;         /* CONNECT: that it begins, and not merely something about one */
    struct sp_view key;  /* an id of a queued message, if that ties lines together */
};

void diagnose_note_read(struct sp_view line, struct note *note_out);

/* What a program says in its own words of why it gave up, in lower case: not a server's refusal. */
bool diagnose_note_saying(const char *low, enum diagnose_cause_id *cause_out, double *confidence_out);

/* Is it trouble of any connection, in a line that names another protocol and no mail? */
bool diagnose_note_is_elsewhere(const struct note *n, struct sp_view line);

/* Does a server of IMAP or POP speak here? Behind the prefix of the log. */
bool diagnose_note_is_foreign(struct sp_view rest);

/* A reply in the middle of a line: "said: 550 5.1.1 ...", "(535, b'5.7.8 ...')". false: there is none.
 * low: the line in lower case. */
bool diagnose_note_find_reply(struct sp_view line, const struct diagnose_heard *low, struct note *note_out);

/* A refusal without a reply code: an enhanced code alone, or a server's own words. */
bool diagnose_note_find_refusal(struct sp_view line, const struct diagnose_heard *low, struct note *note_out);

#endif
