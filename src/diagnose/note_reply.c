/* Replies that stand in the middle of a line. */
#include <string.h>

#include "base/view.h"
#include "diagnose/note.h"
#include "diagnose/text.h"

/* What was refused, by the words around the reply; the first that fits. */
static const struct {
    const char *words;
    enum diagnose_verb verb;
} contexts[] = {
    {"smtpauthenticationerror|authenticationfailedexception|eauth|invalid login|auth plain|auth login|auth "
     "xoauth2|authentication failed|"
     "could not authenticate|smtpauthentication|authenticationexception|failed to authenticate|password "
     "command failed|username command failed|auth command failed|user name command failed|smtp auth|sasl",
     VERB_AUTH},
    {"smtprecipientsrefused|rcpt to command|rcpt to|after rcpt|command=\"rcpt|rcpt from|rcpt "
     "command|sendfailedexception|all recipients*refused|recipients "
     "failed|recipients*rejected|check_rcpt|rejected rcpt|recipient*refused|command: 'rcpt",
     VERB_RCPT},
    {"smtpsenderrefused|mail from command|mail from|after mail|command=\"mail|mail command|from "
     "command|sender*refused|check_mail|command: 'mail|mail from:",
     VERB_MAIL},
    {"end of data|smtpdataerror|end-of-data|after pipelined end of data|data end|message content "
     "rejected|message rejected after data|milter-reject: end-of-message|after end of data|command=\"\"",
     VERB_END},
    {"data command|after data|command=\"data|data not accepted|command: 'data|rejected after data",
     VERB_DATA},
    {"smtpheloerror|ehlo command|helo command|ehlo or helo|command=\"ehlo|command=\"helo|check_helo|rejected "
     "ehlo|rejected helo|command: 'ehlo|invalid greeting response to ehlo",
     VERB_EHLO},
    {"starttls command|starttls failed|command=\"starttls|command: 'starttls|after starttls", VERB_STARTTLS},
    {"smtpconnecterror|initial server greeting|connect from|check_relay|refused to talk to me|invalid "
     "greeting|connection rejected|initial connection",
     VERB_CONNECT},
};

static enum diagnose_verb context(const struct diagnose_heard *low)
{
    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++)
        if (diagnose_hears(low, contexts[i].words))
            return contexts[i].verb;
    return VERB_NONE;
}

static bool is_left_edge(struct sp_view v, size_t i)
{
    if (i == 0)
        return true;
    uint8_t c = v.p[i - 1];
    if (c == ':' || c == '=')
        return false;
    return !sp_ascii_alpha(c) && !sp_ascii_digit(c) && c != '.' && c != '-' && c != '[' && c != '/' &&
           c != '_' && c != '#' && c != '$';
}

static bool is_enhanced_at(struct sp_view v)
{
    struct reference_enhanced e;
    size_t n;
    return reference_enhanced_read(v, &e, &n);
}

/* Behind the digits of a code: a reply's text. strong_out: an enhanced code follows. */
static bool is_right_edge(struct sp_view rest, struct sp_view *text_out, bool *strong_out)
{
    struct sp_view v = rest;
    *strong_out = false;
    if (v.len == 0) {
        *text_out = v;
        return true;
    }
    if (v.p[0] == ' ' || v.p[0] == '-') {
        v = sp_view_from(v, 1);
    } else if (v.p[0] == ',' || v.p[0] == ':' || v.p[0] == '"' || v.p[0] == '\'' || v.p[0] == ')') {
        bool tuple = v.p[0] == ',';
        while (v.len > 0 && strchr(",: b\"'()", v.p[0]))
            v = sp_view_from(v, 1);
        if (tuple && rest.len > 3 && rest.p[1] == ' ' && rest.p[2] != 'b' && rest.p[2] != '\'' &&
            rest.p[2] != '"' && !is_enhanced_at(v))
            return false;
    } else {
        return false;
    }
    *text_out = v;
    *strong_out = is_enhanced_at(v);
    return true;
}

/* "code 535", "smtpstatus=535", "got code "503"": told to be a code. */
static bool is_named(struct sp_view v, size_t i)
{
    static const char *const names[] = {
        "code",     "smtpstatus=", "status=",   "responsecode", "smtp-code", "reply",  "response",
        "said",     "error",       "refused",   "reject",       "failed",    "server", "smtp;",
        "status",   "got",         "err",       "result=",      "reply=",    "login",  "smtp error",
        "answered", "returned",    "exception", "reject=",      "stat=",     "denied", "message"};
    char low[48];
    size_t from = i > 40 ? i - 40 : 0;
    diagnose_lower(sp_view_sub(v, from, i - from), low, sizeof low);
    if (diagnose_has(low, "line ") && !diagnose_has(low, "line: "))
        return false;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (strstr(low, names[k]))
            return true;
    return false;
}

/* "<412 bytes ...>": a count of something is no code. */
static bool is_count(struct sp_view text)
{
    static const char *const units[] = {"byte", "bytes", "octets", "ms", "seconds", "messages", "recipients"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (diagnose_is_word(text, units[i]))
            return true;
    return false;
}

/* One with an enhanced code behind it is surer than another. */
static bool find_reply(struct sp_view v, const struct diagnose_heard *low, bool want_strong,
                       struct note *note_out)
{
    for (size_t i = 0; i + 3 <= v.len; i++) {
        if ((v.p[i] != '4' && v.p[i] != '5') || !sp_ascii_digit(v.p[i + 1]) || !sp_ascii_digit(v.p[i + 2]))
            continue;
        int code = (v.p[i] - '0') * 100 + (v.p[i + 1] - '0') * 10 + (v.p[i + 2] - '0');
        struct sp_view text;
        bool strong;
        if (!diagnose_code_known(code) || !is_right_edge(sp_view_from(v, i + 3), &text, &strong) ||
            strong != want_strong || (v.p[i + 3 < v.len ? i + 3 : i] == ' ' && is_count(text)))
            continue;
        bool named = is_named(v, i);
        if (!is_left_edge(v, i) && !(named && i > 0 && (v.p[i - 1] == '=' || v.p[i - 1] == ':')))
            continue;
        if (!strong && !named && context(low) == VERB_NONE)
            continue;
        bool number = i + 4 < v.len && v.p[i + 3] == ',' && v.p[i + 4] == '"';
        if (number && !diagnose_hears(low, "smtp|responsecode"))
            continue; /* "status":503 of a record that another protocol wrote */
        *note_out = (struct note){.kind = NOTE_REPLY, .code = code, .text = text, .verb = context(low)};
        return true;
    }
    return false;
}

bool diagnose_note_find_reply(struct sp_view v, const struct diagnose_heard *low, struct note *note_out)
{
    if (diagnose_hears(low,
                       " http/1| http/2| http/3|httperror|for url: http|http status|http error|http code") &&
        !diagnose_hears(low, "smtp"))
        return false; /* a web server's status */
    return find_reply(v, low, true, note_out) || find_reply(v, low, false, note_out);
}

/* "dsn=5.1.1, stat=User unknown", "The server response was: 5.7.57 Client not ...". */
static bool find_enhanced(struct sp_view v, const struct diagnose_heard *low, struct note *note_out)
{
    static const char *const before[] = {
        "dsn=",     "response was: ", "response: ",        "response is: ",     "smtp error: ",
        "status: ", "status=",        "diagnostic-code: ", "commandexception: "};
    struct reference_enhanced e;
    size_t n;
    if (!diagnose_hears(low, "dsn=|response|status|smtp error|diagnostic|commandexception|milter-reject"))
        return false;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        size_t milter = diagnose_find(v, "milter-reject: ");
        size_t at = diagnose_find(v, before[i]) + strlen(before[i]);
        if (milter < v.len) /* Postfix: "milter-reject: END-OF-MESSAGE from host[192.0.2.1]: 5.7.1 ..." */
            at = milter + diagnose_find(sp_view_from(v, milter), "]: ") + strlen("]: ");
        struct sp_view rest = sp_view_from(v, at);
        struct sp_view digits = rest;
        digits.len = 0;
        while (digits.len < rest.len && (sp_ascii_digit(rest.p[digits.len]) || rest.p[digits.len] == '.'))
            digits.len++;
        if (at >= v.len || !reference_enhanced_read(digits, &e, &n) || e.class < 4)
            continue;
        bool auth = e.subject == 7 && (e.detail == 8 || e.detail == 3 || e.detail == 139 || e.detail == 9);
        bool login = e.subject == 7 && e.detail == 57;
        note_out->code = auth ? 535 : login ? 530 : e.class == 4 ? 450 : 550;
        note_out->verb = context(low) != VERB_NONE ? context(low) : auth ? VERB_AUTH : VERB_NONE;
        note_out->text = rest;
        return true;
    }
    return false;
}

bool diagnose_note_find_refusal(struct sp_view v, const struct diagnose_heard *low, struct note *note_out)
{
    static const char *const rejections[] = {"rejected rcpt", "rejected mail",       "rejected ehlo",
                                             "rejected helo", "rejected after data", "temporarily rejected",
                                             "rejected data", "rejected connection", "rejected auth"};
    bool found = find_enhanced(v, low, note_out);
    for (size_t i = 0;
         !found && diagnose_hears(low, "rejected") && i < sizeof rejections / sizeof *rejections; i++) {
        size_t at = diagnose_find(v, rejections[i]);
        if (at == v.len)
            continue;
        size_t colon = at;
        while (colon + 1 < v.len && !(v.p[colon] == ':' && v.p[colon + 1] == ' '))
            colon++;
        note_out->code = diagnose_hears(low, "temporarily") ? 450 : 550;
        note_out->verb = context(low);
        note_out->text = sp_view_from(v, colon + 1);
        found = true;
    }
    /* Exim gives an address up: "1abcDE-000xyz-Ab ** ann@example.com: Unrouteable address". */
    size_t stars = found ? v.len : diagnose_find(v, " ** ");
    struct sp_view address = sp_view_from(v, stars + 4), reason = address;
    if (stars < v.len && sp_view_word(&reason, ' ', &address) &&
        sp_view_find(address, '@', 0) < address.len) {
        bool bare = sp_view_ends(address, SP_LIT(":"));
        note_out->text = bare ? reason : sp_view_from(reason, diagnose_find(reason, ": "));
        note_out->code = 550;
        note_out->verb = VERB_RCPT;
        found = note_out->text.len > 0;
    }
    if (found) {
        note_out->kind = NOTE_REPLY;
        note_out->implied = true;
    }
    return found;
}
