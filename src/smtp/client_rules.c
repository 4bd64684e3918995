/*
 * SMTP client session: phase x what happens -> next phase, and what it means for whom.
 *
 * Decisions that the RFCs leave to the client:
 * - A refusal of the session as a whole (greeting, EHLO, STARTTLS, RSET) is no verdict on a mail:
 *   mail that waits is tried again, even on 5yz. So is mail answered by 503 or 530: those speak
 *   of the session or of our settings.
 * - 552 to RCPT is permanent unless recipients were taken before it (RFC 5321 4.5.3.1.10).
 * - After a reply that cannot be understood the connection is dropped without QUIT: what the
 *   server would take QUIT for is not known.
 */
#include "smtp/client_rules.h"

#include <string.h>

#define AS_IS CLIENT_LEFT_AS_IS
#define OPEN  CLIENT_LEFT_OPEN
#define CLEAN CLIENT_LEFT_CLEAN

#define FOR_NOBODY    CLIENT_NOBODY, SP_CLIENT_NONE
#define WAITING(fate) CLIENT_NOBODY, SP_CLIENT_##fate
#define THIS(fate)    CLIENT_THIS, SP_CLIENT_##fate
#define ALL(fate)     CLIENT_ALL, SP_CLIENT_##fate

/* Ends that can come in any phase; `whom` is what they mean. */
#define ENDS(p, whom)                                                                                        \
    [CLIENT_##p][CLIENT_IN_SHUT] = {1, CLIENT_CLOSED, whom, AS_IS, "5321 3.8"},                              \
    [CLIENT_##p][CLIENT_IN_BAD] = {1, CLIENT_CLOSED, whom, AS_IS, "5321 4.2"},                               \
    [CLIENT_##p][CLIENT_IN_TIMEOUT] = {1, CLIENT_CLOSED, whom, AS_IS, "5321 4.5.3.2"},                       \
    [CLIENT_##p][CLIENT_IN_EOF] = {1, CLIENT_CLOSED, whom, AS_IS, "5321 3.8"}

const struct smtp_client_rule smtp_client_rules[CLIENT_PHASE_N][CLIENT_INPUT_N] = {

    /* --- the session ------------------------------------------------------------------------- */

    [CLIENT_NEW][CLIENT_IN_OPEN] = {1, CLIENT_GREETING, FOR_NOBODY, AS_IS, "5321 3.1"},
    ENDS(NEW, WAITING(RETRY)),

    [CLIENT_GREETING][CLIENT_IN_YES] = {1, CLIENT_EHLO, FOR_NOBODY, AS_IS, "5321 3.1"},
    [CLIENT_GREETING][CLIENT_IN_LATER] = {1, CLIENT_QUIT, WAITING(RETRY), AS_IS, "5321 3.1"},
    [CLIENT_GREETING][CLIENT_IN_NO] = {1, CLIENT_QUIT, WAITING(RETRY), AS_IS, "5321 3.1"},
    [CLIENT_GREETING][CLIENT_IN_OLD] = {1, CLIENT_HELO, FOR_NOBODY, AS_IS, "5321 3.2"},
    [CLIENT_GREETING][CLIENT_IN_BARE] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "5321 4.1.4"},
    [CLIENT_GREETING][CLIENT_IN_ENOUGH] = {1, CLIENT_QUIT, FOR_NOBODY, AS_IS, "5321 4.1.1.10"},
    ENDS(GREETING, WAITING(RETRY)),

    [CLIENT_EHLO][CLIENT_IN_YES] = {1, CLIENT_CHOOSE, FOR_NOBODY, CLEAN, "5321 4.1.1.1"},
    [CLIENT_EHLO][CLIENT_IN_NO_VERB] = {1, CLIENT_HELO, FOR_NOBODY, AS_IS, "5321 3.2"},
    [CLIENT_EHLO][CLIENT_IN_LATER] = {1, CLIENT_QUIT, WAITING(RETRY), AS_IS, "5321 4.1.1.1"},
    [CLIENT_EHLO][CLIENT_IN_NO] = {1, CLIENT_QUIT, WAITING(RETRY), AS_IS, "5321 4.1.4"},
    ENDS(EHLO, WAITING(RETRY)),

    [CLIENT_HELO][CLIENT_IN_YES] = {1, CLIENT_CHOOSE, FOR_NOBODY, CLEAN, "5321 4.1.1.1"},
    [CLIENT_HELO][CLIENT_IN_LATER] = {1, CLIENT_QUIT, WAITING(RETRY), AS_IS, "5321 4.1.1.1"},
    [CLIENT_HELO][CLIENT_IN_NO] = {1, CLIENT_QUIT, WAITING(RETRY), AS_IS, "5321 4.1.4"},
    ENDS(HELO, WAITING(RETRY)),

    [CLIENT_CHOOSE][CLIENT_IN_GO_ON] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "3207 4"},
    [CLIENT_CHOOSE][CLIENT_IN_UPGRADE] = {1, CLIENT_STARTTLS, FOR_NOBODY, AS_IS, "3207 4"},
    [CLIENT_CHOOSE][CLIENT_IN_NO_TLS] = {1, CLIENT_QUIT, WAITING(RETRY), AS_IS, "3207 4.1"},

    [CLIENT_STARTTLS][CLIENT_IN_YES] = {1, CLIENT_HANDSHAKE, FOR_NOBODY, AS_IS, "3207 4"},
    [CLIENT_STARTTLS][CLIENT_IN_LATER] = {1, CLIENT_CHOOSE, FOR_NOBODY, AS_IS, "3207 4"},
    [CLIENT_STARTTLS][CLIENT_IN_NO] = {1, CLIENT_CHOOSE, FOR_NOBODY, AS_IS, "3207 4"},
    ENDS(STARTTLS, WAITING(RETRY)),

    [CLIENT_HANDSHAKE][CLIENT_IN_SECURED] = {1, CLIENT_EHLO, FOR_NOBODY, AS_IS, "3207 4.2"},
    ENDS(HANDSHAKE, WAITING(RETRY)),

    [CLIENT_READY][CLIENT_IN_BEGIN_AUTH] = {1, CLIENT_AUTH, FOR_NOBODY, AS_IS, "4954 4"},
    [CLIENT_READY][CLIENT_IN_BEGIN_MAIL] = {1, CLIENT_RSET, FOR_NOBODY, AS_IS, "5321 3.3"},
    [CLIENT_READY][CLIENT_IN_BEGIN_RAW] = {1, CLIENT_RAW, FOR_NOBODY, OPEN, "5321 4.1.1"},
    [CLIENT_READY][CLIENT_IN_BEGIN_XCLIENT] = {1, CLIENT_XCLIENT, FOR_NOBODY, AS_IS, "5321 2.2.2"},
    [CLIENT_READY][CLIENT_IN_LEAVE] = {1, CLIENT_QUIT, FOR_NOBODY, AS_IS, "5321 4.1.1.10"},
    /* Whatever comes unasked ends it. */
    ENDS(READY, WAITING(RETRY)),

    /* What the caller says by itself means to the session only that a transaction may be left open. */
    [CLIENT_RAW][CLIENT_IN_YES] = {1, CLIENT_RAW, FOR_NOBODY, AS_IS, "5321 4.2"},
    [CLIENT_RAW][CLIENT_IN_CHALLENGE] = {1, CLIENT_RAW, FOR_NOBODY, AS_IS, "5321 4.2"},
    [CLIENT_RAW][CLIENT_IN_GO] = {1, CLIENT_RAW, FOR_NOBODY, AS_IS, "5321 4.2"},
    [CLIENT_RAW][CLIENT_IN_LATER] = {1, CLIENT_RAW, FOR_NOBODY, AS_IS, "5321 4.2"},
    [CLIENT_RAW][CLIENT_IN_NO] = {1, CLIENT_RAW, FOR_NOBODY, AS_IS, "5321 4.2"},
    [CLIENT_RAW][CLIENT_IN_DONE] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "5321 4.2"},
    ENDS(RAW, WAITING(RETRY)),

    /* A private extension of Postfix: a 220 puts the session back to its greeting. */
    [CLIENT_XCLIENT][CLIENT_IN_YES] = {1, CLIENT_EHLO, FOR_NOBODY, AS_IS, "5321 2.2.2"},
    [CLIENT_XCLIENT][CLIENT_IN_LATER] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "5321 2.2.2"},
    [CLIENT_XCLIENT][CLIENT_IN_NO] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "5321 2.2.2"},
    ENDS(XCLIENT, WAITING(RETRY)),

    /* --- AUTH -------------------------------------------------------------------------------- */

    [CLIENT_AUTH][CLIENT_IN_YES] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "4954 4"},
    [CLIENT_AUTH][CLIENT_IN_CHALLENGE] = {1, CLIENT_SASL, FOR_NOBODY, AS_IS, "4954 4"},
    [CLIENT_AUTH][CLIENT_IN_LATER] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "4954 6"},
    [CLIENT_AUTH][CLIENT_IN_NO] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "4954 6"},
    ENDS(AUTH, WAITING(RETRY)),

    [CLIENT_SASL][CLIENT_IN_ANSWER] = {1, CLIENT_AUTH, FOR_NOBODY, AS_IS, "4954 4"},
    [CLIENT_SASL][CLIENT_IN_CANCEL] = {1, CLIENT_CANCEL, FOR_NOBODY, AS_IS, "4954 4"},
    ENDS(SASL, WAITING(RETRY)),

    [CLIENT_CANCEL][CLIENT_IN_LATER] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "4954 4"},
    [CLIENT_CANCEL][CLIENT_IN_NO] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "4954 4"},
    ENDS(CANCEL, WAITING(RETRY)),

    /* --- a mail ------------------------------------------------------------------------------ */

    [CLIENT_RSET][CLIENT_IN_YES] = {1, CLIENT_MAIL, FOR_NOBODY, CLEAN, "5321 4.1.1.5"},
    [CLIENT_RSET][CLIENT_IN_UNSENT] = {1, CLIENT_MAIL, FOR_NOBODY, AS_IS, "5321 3.3"},
    ENDS(RSET, ALL(RETRY)),

    [CLIENT_MAIL][CLIENT_IN_YES] = {1, CLIENT_RCPT, FOR_NOBODY, OPEN, "5321 3.3"},
    [CLIENT_MAIL][CLIENT_IN_LATER] = {1, CLIENT_RCPT_VOID, ALL(RETRY), AS_IS, "5321 4.2.1"},
    [CLIENT_MAIL][CLIENT_IN_NO] = {1, CLIENT_RCPT_VOID, ALL(BOUNCE), AS_IS, "5321 4.2.1"},
    [CLIENT_MAIL][CLIENT_IN_ORDER] = {1, CLIENT_RCPT_VOID, ALL(RETRY), OPEN, "5321 4.1.4; 4954 6"},
    ENDS(MAIL, ALL(RETRY)),

    [CLIENT_RCPT][CLIENT_IN_YES] = {1, CLIENT_RCPT, FOR_NOBODY, OPEN, "5321 3.3"},
    [CLIENT_RCPT][CLIENT_IN_LATER] = {1, CLIENT_RCPT, THIS(RETRY), OPEN, "5321 4.2.1"},
    [CLIENT_RCPT][CLIENT_IN_NO] = {1, CLIENT_RCPT, THIS(BOUNCE), OPEN, "5321 4.2.1"},
    [CLIENT_RCPT][CLIENT_IN_ORDER] = {1, CLIENT_RCPT, THIS(RETRY), OPEN, "5321 4.1.4; 4954 6"},
    [CLIENT_RCPT][CLIENT_IN_CROWDED] = {1, CLIENT_RCPT, THIS(RETRY), OPEN, "5321 4.5.3.1.10"},
    [CLIENT_RCPT][CLIENT_IN_SOMEBODY] = {1, CLIENT_DATA, FOR_NOBODY, AS_IS, "5321 3.3"},
    [CLIENT_RCPT][CLIENT_IN_CHUNKED] = {1, CLIENT_BDAT, FOR_NOBODY, AS_IS, "3030 2"},
    [CLIENT_RCPT][CLIENT_IN_ENOUGH] = {1, CLIENT_READY, ALL(NONE), OPEN, "5321 3.3"},
    [CLIENT_RCPT][CLIENT_IN_NO_ONE] = {1, CLIENT_DATA_VOID, FOR_NOBODY, AS_IS, "2920 3.1"},
    ENDS(RCPT, ALL(RETRY)),

    [CLIENT_DATA][CLIENT_IN_GO] = {1, CLIENT_CONTENT, FOR_NOBODY, OPEN, "5321 4.1.1.4"},
    [CLIENT_DATA][CLIENT_IN_LATER] = {1, CLIENT_READY, ALL(RETRY), OPEN, "5321 4.2.1"},
    [CLIENT_DATA][CLIENT_IN_NO] = {1, CLIENT_READY, ALL(BOUNCE), OPEN, "5321 4.2.1"},
    [CLIENT_DATA][CLIENT_IN_ORDER] = {1, CLIENT_READY, ALL(RETRY), OPEN, "5321 4.1.4; 4954 6"},
    ENDS(DATA, ALL(RETRY)),

    /* A reply before the dot cannot be answered but by leaving: the rest would be message. */
    [CLIENT_CONTENT][CLIENT_IN_LATER] = {1, CLIENT_CLOSED, ALL(RETRY), AS_IS, "5321 4.2.1"},
    [CLIENT_CONTENT][CLIENT_IN_NO] = {1, CLIENT_CLOSED, ALL(BOUNCE), AS_IS, "5321 4.2.1"},
    [CLIENT_CONTENT][CLIENT_IN_ORDER] = {1, CLIENT_CLOSED, ALL(RETRY), AS_IS, "5321 4.2.1"},
    [CLIENT_CONTENT][CLIENT_IN_END] = {1, CLIENT_DOT, FOR_NOBODY, AS_IS, "5321 4.1.1.4"},
    [CLIENT_CONTENT][CLIENT_IN_ENOUGH] = {1, CLIENT_CLOSED, ALL(NONE), AS_IS, "5321 3.8"},
    [CLIENT_CONTENT][CLIENT_IN_UNFIT] = {1, CLIENT_CLOSED, ALL(BOUNCE), AS_IS, "5321 2.3.8"},
    ENDS(CONTENT, ALL(RETRY)),

    /* 421 is a clear no; anything else that is no reply leaves the question open. */
    [CLIENT_DOT][CLIENT_IN_YES] = {1, CLIENT_READY, ALL(DELIVERED), CLEAN, "5321 4.2.5"},
    [CLIENT_DOT][CLIENT_IN_LATER] = {1, CLIENT_READY, ALL(RETRY), CLEAN, "5321 4.2.5"},
    [CLIENT_DOT][CLIENT_IN_NO] = {1, CLIENT_READY, ALL(BOUNCE), CLEAN, "5321 4.2.5"},
    [CLIENT_DOT][CLIENT_IN_ORDER] = {1, CLIENT_READY, ALL(RETRY), OPEN, "5321 4.2.5"},
    [CLIENT_DOT][CLIENT_IN_EACH] = {1, CLIENT_DOT_EACH, FOR_NOBODY, AS_IS, "2033 4.2"},
    [CLIENT_DOT][CLIENT_IN_SHUT] = {1, CLIENT_CLOSED, ALL(RETRY), AS_IS, "5321 3.8"},
    [CLIENT_DOT][CLIENT_IN_BAD] = {1, CLIENT_CLOSED, ALL(UNKNOWN), AS_IS, "5321 4.2.5"},
    [CLIENT_DOT][CLIENT_IN_TIMEOUT] = {1, CLIENT_CLOSED, ALL(UNKNOWN), AS_IS, "5321 4.5.3.2.6"},
    [CLIENT_DOT][CLIENT_IN_EOF] = {1, CLIENT_CLOSED, ALL(UNKNOWN), AS_IS, "5321 4.2.5"},

    [CLIENT_DOT_EACH][CLIENT_IN_YES] = {1, CLIENT_DOT_EACH, THIS(DELIVERED), CLEAN, "2033 4.2"},
    [CLIENT_DOT_EACH][CLIENT_IN_LATER] = {1, CLIENT_DOT_EACH, THIS(RETRY), CLEAN, "2033 4.2"},
    [CLIENT_DOT_EACH][CLIENT_IN_NO] = {1, CLIENT_DOT_EACH, THIS(BOUNCE), CLEAN, "2033 4.2"},
    [CLIENT_DOT_EACH][CLIENT_IN_ORDER] = {1, CLIENT_DOT_EACH, THIS(RETRY), OPEN, "2033 4.2"},
    [CLIENT_DOT_EACH][CLIENT_IN_DONE] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "2033 4.2"},
    [CLIENT_DOT_EACH][CLIENT_IN_SHUT] = {1, CLIENT_CLOSED, ALL(RETRY), AS_IS, "5321 3.8"},
    [CLIENT_DOT_EACH][CLIENT_IN_BAD] = {1, CLIENT_CLOSED, ALL(UNKNOWN), AS_IS, "2033 4.2"},
    [CLIENT_DOT_EACH][CLIENT_IN_TIMEOUT] = {1, CLIENT_CLOSED, ALL(UNKNOWN), AS_IS, "5321 4.5.3.2.6"},
    [CLIENT_DOT_EACH][CLIENT_IN_EOF] = {1, CLIENT_CLOSED, ALL(UNKNOWN), AS_IS, "2033 4.2"},

    /* A refused chunk is the end of the mail: the server is in no defined state before RSET. */
    [CLIENT_BDAT][CLIENT_IN_PART] = {1, CLIENT_BDAT, FOR_NOBODY, AS_IS, "3030 2"},
    [CLIENT_BDAT][CLIENT_IN_LATER] = {1, CLIENT_BDAT_VOID, ALL(RETRY), OPEN, "3030 2"},
    [CLIENT_BDAT][CLIENT_IN_NO] = {1, CLIENT_BDAT_VOID, ALL(BOUNCE), OPEN, "3030 2"},
    [CLIENT_BDAT][CLIENT_IN_ORDER] = {1, CLIENT_BDAT_VOID, ALL(RETRY), OPEN, "3030 2"},
    [CLIENT_BDAT][CLIENT_IN_END] = {1, CLIENT_BDAT_LAST, FOR_NOBODY, AS_IS, "3030 2"},
    [CLIENT_BDAT][CLIENT_IN_UNFIT] = {1, CLIENT_CLOSED, ALL(BOUNCE), AS_IS, "5321 2.3.8"},
    ENDS(BDAT, ALL(RETRY)),

    [CLIENT_BDAT_LAST][CLIENT_IN_PART] = {1, CLIENT_BDAT_LAST, FOR_NOBODY, AS_IS, "3030 2"},
    [CLIENT_BDAT_LAST][CLIENT_IN_YES] = {1, CLIENT_READY, ALL(DELIVERED), CLEAN, "3030 2"},
    [CLIENT_BDAT_LAST][CLIENT_IN_LATER] = {1, CLIENT_BDAT_VOID, ALL(RETRY), OPEN, "3030 2"},
    [CLIENT_BDAT_LAST][CLIENT_IN_NO] = {1, CLIENT_BDAT_VOID, ALL(BOUNCE), OPEN, "3030 2"},
    [CLIENT_BDAT_LAST][CLIENT_IN_ORDER] = {1, CLIENT_BDAT_VOID, ALL(RETRY), OPEN, "3030 2"},
    [CLIENT_BDAT_LAST][CLIENT_IN_EACH] = {1, CLIENT_DOT_EACH, FOR_NOBODY, AS_IS, "2033 4.2"},
    [CLIENT_BDAT_LAST][CLIENT_IN_SHUT] = {1, CLIENT_CLOSED, ALL(RETRY), AS_IS, "5321 3.8"},
    [CLIENT_BDAT_LAST][CLIENT_IN_BAD] = {1, CLIENT_CLOSED, ALL(UNKNOWN), AS_IS, "5321 4.2.5"},
    [CLIENT_BDAT_LAST][CLIENT_IN_TIMEOUT] = {1, CLIENT_CLOSED, ALL(UNKNOWN), AS_IS, "5321 4.5.3.2.6"},
    [CLIENT_BDAT_LAST][CLIENT_IN_EOF] = {1, CLIENT_CLOSED, ALL(UNKNOWN), AS_IS, "5321 4.2.5"},

    /* --- replies to what was pipelined behind a refusal (RFC 2920 3.1) ------------------------- */

    [CLIENT_RCPT_VOID][CLIENT_IN_YES] = {1, CLIENT_RCPT_VOID, FOR_NOBODY, OPEN, "2920 3.1"},
    [CLIENT_RCPT_VOID][CLIENT_IN_LATER] = {1, CLIENT_RCPT_VOID, FOR_NOBODY, AS_IS, "2920 3.1"},
    [CLIENT_RCPT_VOID][CLIENT_IN_NO] = {1, CLIENT_RCPT_VOID, FOR_NOBODY, AS_IS, "2920 3.1"},
    [CLIENT_RCPT_VOID][CLIENT_IN_NO_ONE] = {1, CLIENT_DATA_VOID, FOR_NOBODY, AS_IS, "2920 3.1"},
    ENDS(RCPT_VOID, WAITING(RETRY)),

    [CLIENT_DATA_VOID][CLIENT_IN_GO] = {1, CLIENT_DOT_VOID, FOR_NOBODY, OPEN, "2920 3.1"},
    [CLIENT_DATA_VOID][CLIENT_IN_LATER] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "2920 3.1"},
    [CLIENT_DATA_VOID][CLIENT_IN_NO] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "2920 3.1"},
    [CLIENT_DATA_VOID][CLIENT_IN_UNSENT] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "2920 3.1"},
    ENDS(DATA_VOID, WAITING(RETRY)),

    [CLIENT_DOT_VOID][CLIENT_IN_YES] = {1, CLIENT_READY, FOR_NOBODY, CLEAN, "2920 3.1"},
    [CLIENT_DOT_VOID][CLIENT_IN_LATER] = {1, CLIENT_READY, FOR_NOBODY, CLEAN, "2920 3.1"},
    [CLIENT_DOT_VOID][CLIENT_IN_NO] = {1, CLIENT_READY, FOR_NOBODY, CLEAN, "2920 3.1"},
    ENDS(DOT_VOID, WAITING(RETRY)),

    [CLIENT_BDAT_VOID][CLIENT_IN_YES] = {1, CLIENT_BDAT_VOID, FOR_NOBODY, AS_IS, "3030 2"},
    [CLIENT_BDAT_VOID][CLIENT_IN_PART] = {1, CLIENT_BDAT_VOID, FOR_NOBODY, AS_IS, "3030 2"},
    [CLIENT_BDAT_VOID][CLIENT_IN_LATER] = {1, CLIENT_BDAT_VOID, FOR_NOBODY, AS_IS, "3030 2"},
    [CLIENT_BDAT_VOID][CLIENT_IN_NO] = {1, CLIENT_BDAT_VOID, FOR_NOBODY, AS_IS, "3030 2"},
    [CLIENT_BDAT_VOID][CLIENT_IN_DONE] = {1, CLIENT_READY, FOR_NOBODY, AS_IS, "3030 2"},
    ENDS(BDAT_VOID, WAITING(RETRY)),

    /* --- the end: nothing that is said here matters ------------------------------------------- */

    [CLIENT_QUIT][CLIENT_IN_YES] = {1, CLIENT_CLOSED, FOR_NOBODY, AS_IS, "5321 4.1.1.10"},
    [CLIENT_QUIT][CLIENT_IN_LATER] = {1, CLIENT_CLOSED, FOR_NOBODY, AS_IS, "5321 4.1.1.10"},
    [CLIENT_QUIT][CLIENT_IN_NO] = {1, CLIENT_CLOSED, FOR_NOBODY, AS_IS, "5321 4.1.1.10"},
    ENDS(QUIT, FOR_NOBODY),
};

const struct smtp_client_rule *smtp_client_rule_find(enum smtp_client_phase phase,
                                                     enum smtp_client_input input)
{
    const struct smtp_client_rule *row = smtp_client_rules[phase];
    if (row[input].known)
        return &row[input];
    bool special = input == CLIENT_IN_NO_VERB || input == CLIENT_IN_ORDER || input == CLIENT_IN_CROWDED;
    if (special && row[CLIENT_IN_NO].known)
        return &row[CLIENT_IN_NO];
    if (input < CLIENT_IN_BAD && row[CLIENT_IN_BAD].known)
        return &row[CLIENT_IN_BAD];
    return NULL;
}

#define X(n, timeout, text) #n,
static const char *const phase_names[CLIENT_PHASE_N] = {CLIENT_PHASES(X)};
#undef X

#define X(n, timeout, text) text,
static const char *const phase_texts[CLIENT_PHASE_N] = {CLIENT_PHASES(X)};
#undef X

#define X(n, text) text,
static const char *const input_texts[CLIENT_INPUT_N] = {CLIENT_INPUTS(X)};
#undef X

#define X(n, text) #n,
static const char *const fate_names[SP_CLIENT_FATE_N] = {SP_CLIENT_FATES(X)};
#undef X

const char *smtp_client_phase_name(enum smtp_client_phase phase) { return phase_names[phase]; }

const char *smtp_client_phase_text(enum smtp_client_phase phase) { return phase_texts[phase]; }

const char *smtp_client_input_text(enum smtp_client_input input) { return input_texts[input]; }

const char *sp_client_fate_name(enum sp_client_fate fate)
{
    return fate < SP_CLIENT_FATE_N ? fate_names[fate] : "?";
}

#define X(n, timeout, text) timeout,
static const size_t phase_timeouts[CLIENT_PHASE_N] = {CLIENT_PHASES(X)};
#undef X

uint32_t smtp_client_phase_timeout(enum smtp_client_phase phase, const struct sp_client_timeouts *timeouts)
{
    uint32_t ms = 0;
    if (phase_timeouts[phase] != CLIENT_NO_TIMEOUT)
        memcpy(&ms, (const uint8_t *)timeouts + phase_timeouts[phase], sizeof ms);
    return ms;
}
