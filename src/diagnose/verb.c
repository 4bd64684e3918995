#include "diagnose/verb.h"

#include "base/view.h"
#include "diagnose/text.h"

static const struct {
    const char *word, *name;
} verbs[VERB_N] = {
    [VERB_CONNECT] = {NULL, "connection"},
    [VERB_EHLO] = {"EHLO", "EHLO"},
    [VERB_HELO] = {"HELO", "HELO"},
    [VERB_LHLO] = {"LHLO", "LHLO"},
    [VERB_STARTTLS] = {"STARTTLS", "STARTTLS"},
    [VERB_AUTH] = {"AUTH", "AUTH"},
    [VERB_ANSWER] = {NULL, "AUTH"},
    [VERB_MAIL] = {"MAIL", "MAIL FROM"},
    [VERB_RCPT] = {"RCPT", "RCPT TO"},
    [VERB_DATA] = {"DATA", "DATA"},
    [VERB_BDAT] = {"BDAT", "BDAT"},
    [VERB_END] = {NULL, "end of the message"},
    [VERB_RSET] = {"RSET", "RSET"},
    [VERB_NOOP] = {"NOOP", "NOOP"},
    [VERB_VRFY] = {"VRFY", "VRFY"},
    [VERB_EXPN] = {"EXPN", "EXPN"},
    [VERB_HELP] = {"HELP", "HELP"},
    [VERB_QUIT] = {"QUIT", "QUIT"},
    [VERB_ETRN] = {"ETRN", "ETRN"},
    [VERB_XCLIENT] = {"XCLIENT", "XCLIENT"},
};

const char *diagnose_verb_name(enum diagnose_verb verb) { return verbs[verb].name ? verbs[verb].name : ""; }

enum diagnose_verb diagnose_verb_read(struct sp_view line)
{
    if (line.len < 4)
        return VERB_OTHER;
    for (int v = 0; v < VERB_N; v++)
        if (verbs[v].word && verbs[v].word[0] == (char)sp_ascii_upper(line.p[0]) &&
            diagnose_is_word(line, verbs[v].word))
            return (enum diagnose_verb)v;
    return VERB_OTHER;
}

static bool is_upper(struct sp_view line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (line.p[i] < 'A' || line.p[i] > 'Z')
            return false;
    return true;
}

/* One argument without spaces: a name, an address literal. */
static bool has_one_word(struct sp_view argument)
{
    return argument.len > 0 && sp_view_find(argument, ' ', 0) == argument.len;
}

/* "AUTH LOGIN", "AUTH PLAIN <response>" and what masks it, but not "auth failed". */
static bool names_mechanism(struct sp_view argument)
{
    static const char *const mechanisms[] = {"PLAIN",  "LOGIN",    "CRAM-MD5",    "DIGEST-MD5",
                                             "NTLM",   "XOAUTH2",  "OAUTHBEARER", "SCRAM-SHA-",
                                             "GSSAPI", "EXTERNAL", "ANONYMOUS"};
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
        if (diagnose_begins(argument, mechanisms[i]))
            return diagnose_find(argument, " command") == argument.len &&
                   diagnose_find(argument, " failed") == argument.len &&
                   diagnose_find(argument, " succeeded") == argument.len;
    return false;
}

static bool is_path(struct sp_view argument, const char *word)
{
    if (!diagnose_begins(argument, word))
        return false;
    argument = sp_view_trim(sp_view_from(argument, sp_view_of(word).len));
    return argument.len > 0 && argument.p[0] == ':';
}

enum diagnose_verb diagnose_verb_sure(struct sp_view line)
{
    enum diagnose_verb verb = diagnose_verb_read(line);
    size_t n = verbs[verb].word ? sp_view_of(verbs[verb].word).len : 0;
    struct sp_view argument = sp_view_trim(sp_view_from(line, n));
    bool sure = false;
    if (n == 0)
        return VERB_NONE;
    switch (verb) {
    case VERB_EHLO:
    case VERB_HELO:
    case VERB_LHLO:
        sure = argument.len == 0 || has_one_word(argument);
        break;
    case VERB_AUTH:
        sure = names_mechanism(argument) || (is_upper(line, n) && has_one_word(argument));
        break;
    case VERB_MAIL:
        sure = is_path(argument, "FROM");
        break;
    case VERB_RCPT:
        sure = is_path(argument, "TO");
        break;
    case VERB_BDAT:
        sure = argument.len > 0 && sp_ascii_digit(argument.p[0]);
        break;
    case VERB_VRFY:
    case VERB_EXPN:
    case VERB_ETRN:
    case VERB_XCLIENT:
        sure = is_upper(line, n) && argument.len > 0;
        break;
    case VERB_NOOP:
    case VERB_HELP:
        sure = argument.len == 0 || (is_upper(line, n) && has_one_word(argument));
        break;
    default:
        sure = argument.len == 0;
    }
    return sure ? verb : VERB_NONE;
}

bool diagnose_reply_read(struct sp_view line, struct diagnose_reply_line *reply_out)
{
    if (line.len < 3 || line.p[0] < '2' || line.p[0] > '5' || !sp_ascii_digit(line.p[1]) ||
        !sp_ascii_digit(line.p[2]))
        return false;
    if (line.len > 3 && line.p[3] != ' ' && line.p[3] != '-' && line.p[3] != '\t')
        return false;
    *reply_out = (struct diagnose_reply_line){.code = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 +
                                                      (line.p[2] - '0'),
                                              .more = line.len > 3 && line.p[3] == '-',
                                              .text = sp_view_from(line, 4)};
    return true;
}

bool diagnose_code_known(int code)
{
    static const uint16_t known[] = {211, 214, 220, 221, 235, 250, 251, 252, 253, 334, 354, 421, 422, 430,
                                     432, 435, 450, 451, 452, 453, 454, 455, 458, 459, 471, 500, 501, 502,
                                     503, 504, 510, 511, 512, 513, 515, 521, 522, 523, 524, 525, 530, 533,
                                     534, 535, 538, 541, 550, 551, 552, 553, 554, 555, 556, 557, 571};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == code)
            return true;
    return false;
}
