/* The two kinds of lines that SMTP has: a command and a reply. */
#ifndef DIAGNOSE_VERB_H
#define DIAGNOSE_VERB_H

#include "sallyport/base.h"

/* What a reply may answer. CONNECT, ANSWER (to a 334) and END (of the message) are no verbs. */
enum diagnose_verb {
    VERB_NONE, VERB_CONNECT, VERB_EHLO, VERB_HELO, VERB_LHLO, VERB_STARTTLS, VERB_AUTH, VERB_ANSWER,
    VERB_MAIL, VERB_RCPT, VERB_DATA, VERB_BDAT, VERB_END, VERB_RSET, VERB_NOOP, VERB_VRFY, VERB_EXPN,
    VERB_HELP, VERB_QUIT, VERB_ETRN, VERB_XCLIENT, VERB_OTHER,
    VERB_N
};

/* "MAIL FROM", "RCPT TO", "end of the message"; "" for NONE and OTHER. */
const char *diagnose_verb_name(enum diagnose_verb verb);

/* The verb at the front of a client's line, VERB_OTHER when there is none. */
enum diagnose_verb diagnose_verb_read(struct sp_view line);

/* The same for a line that nobody says is a client's: VERB_NONE unless its grammar is beyond doubt. */
enum diagnose_verb diagnose_verb_sure(struct sp_view line);

static inline bool diagnose_verb_is_greeting(enum diagnose_verb v)
{
    return v == VERB_EHLO || v == VERB_HELO || v == VERB_LHLO;
}

struct diagnose_reply_line {
    int code;            /* 200..599                          */
    bool more;           /* a hyphen: further lines follow    */
    struct sp_view text; /* behind the code and its separator */
};

/* Read "250-SIZE", "334 ", "250". false: it is no line of a reply. */
bool diagnose_reply_read(struct sp_view line, struct diagnose_reply_line *reply_out);

/* A code that RFCs define for SMTP. */
bool diagnose_code_known(int code);

#endif
