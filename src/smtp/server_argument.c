/*
 * The arguments of the verbs.
 *
 * Deliberate leniency: spaces between "FROM:" or "TO:" and '<', and at the end of a line.
 * Many programs send them, and no two readings are possible.
 */
#include "smtp/server.h"

#include "base/base64.h"

enum smtp_reply_id smtp_server_complain(struct sp_server *s, size_t at, struct sp_view what,
                                        enum smtp_reply_id reply)
{
    s->fault = (struct smtp_fault){what, at, false};
    return reply;
}

static enum smtp_reply_id parse_none(struct sp_server *s, struct sp_view line, size_t at)
{
    return at < line.len
               ? smtp_server_complain(s, at, SP_LIT("nothing follows the command"), R_UNEXPECTED_ARGUMENT)
               : R_NONE;
}

static enum smtp_reply_id parse_words(struct sp_server *s, struct sp_view line, size_t at)
{
    s->question.as.words = sp_view_from(line, at);
    return at < line.len ? R_NONE : R_MISSING_ARGUMENT;
}

/* NOOP and HELP take a word and ignore it. */
static enum smtp_reply_id parse_ignored(struct sp_server *s, struct sp_view line, size_t at)
{
    (void)s, (void)line, (void)at;
    return R_NONE;
}

static enum smtp_reply_id parse_hello(struct sp_server *s, struct sp_view line, size_t at)
{
    struct sp_view name = sp_view_from(line, at);
    if (!smtp_hello_is(name, &s->fault)) {
        s->fault.at += at;
        return R_HELLO_ARGUMENT;
    }
    s->question.as.hello.domain = name;
    s->question.as.hello.esmtp = s->word->input != IN_HELO;
    return R_NONE;
}

/* Skip "FROM:" or "TO:" and spaces; *at is then at the path. */
static bool skip_keyword(struct sp_view line, size_t *at, struct sp_view keyword)
{
    if (!sp_view_eq_nocase(sp_view_sub(line, *at, keyword.len), keyword))
        return false;
    *at += keyword.len;
    while (*at < line.len && line.p[*at] == ' ')
        ++*at;
    return true;
}

static enum smtp_reply_id parse_path(struct sp_server *s, struct sp_view line, size_t *at,
                                     enum smtp_path_kind kind, struct sp_path *path_out)
{
    bool sender = kind == SMTP_PATH_SENDER;
    bool opened = *at < line.len && line.p[*at] == '<';
    bool utf8 = s->esmtp && smtp_server_offers(s, SP_EXT_SMTPUTF8);
    if (smtp_path_parse(line, at, kind, utf8, path_out, &s->fault) == SP_OK)
        return R_NONE;
    if (!opened)
        return sender ? R_MAIL_SYNTAX : R_RCPT_SYNTAX;
    if (s->fault.not_ascii && !utf8)
        return R_ADDRESS_NOT_ASCII;
    return sender ? R_SENDER_ADDRESS : R_RECIPIENT_ADDRESS;
}

/* mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF */
static enum smtp_reply_id parse_mail(struct sp_server *s, struct sp_view line, size_t at)
{
    s->question.as.mail.size = 0;
    s->question.as.mail.parameters = (struct sp_mail_parameters){0};
    if (!skip_keyword(line, &at, SP_LIT("FROM:")))
        return smtp_server_complain(s, at, SP_LIT("FROM: follows MAIL"), R_MAIL_SYNTAX);
    enum smtp_reply_id wrong = parse_path(s, line, &at, SMTP_PATH_SENDER, &s->question.as.mail.sender);
    return wrong != R_NONE ? wrong : smtp_server_mail_parameters(s, line, at);
}

/* rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF
 */
static enum smtp_reply_id parse_rcpt(struct sp_server *s, struct sp_view line, size_t at)
{
    s->question.as.rcpt.n = s->recipients;
    s->question.as.rcpt.parameters = (struct sp_rcpt_parameters){0};
    if (!skip_keyword(line, &at, SP_LIT("TO:")))
        return smtp_server_complain(s, at, SP_LIT("TO: follows RCPT"), R_RCPT_SYNTAX);
    enum smtp_reply_id wrong = parse_path(s, line, &at, SMTP_PATH_RECIPIENT, &s->question.as.rcpt.recipient);
    return wrong != R_NONE ? wrong : smtp_server_rcpt_parameters(s, line, at);
}

/*
 * etrn-cmd = "ETRN" SP option-character node-name ; RFC 1985 5
 * Here: a domain, "@" and a domain (with all below it). Queues by name ("#") there are none.
 */
static enum smtp_reply_id parse_etrn(struct sp_server *s, struct sp_view line, size_t at)
{
    size_t start = at + (at < line.len && line.p[at] == '@'), end = start;
    if (!smtp_domain_skip(line, &end, SMTP_DOMAIN_STRICT) || end < line.len)
        return smtp_server_complain(s, end, SP_LIT("a domain follows, with @ for all below it too"),
                                    R_ETRN_ARGUMENT);
    s->question.as.words = sp_view_from(line, at);
    return R_NONE;
}

/* The word among those offered, as it is spelled there. */
static bool find_mechanism(struct sp_view offered, struct sp_view name, struct sp_view *mechanism_out)
{
    struct sp_view word;
    while (sp_view_word(&offered, ' ', &word))
        if (sp_view_eq_nocase(word, name)) {
            *mechanism_out = word;
            return true;
        }
    return false;
}

struct sp_view smtp_server_mechanisms(const struct sp_server *s)
{
    return s->tls ? s->options.mechanisms_tls : s->options.mechanisms_plain;
}

void smtp_server_add_mechanisms(const struct sp_server *s, struct sp_buf *out)
{
    struct sp_view word, rest = smtp_server_mechanisms(s);
    bool first = true;
    while (sp_view_word(&rest, ' ', &word)) {
        if (sp_view_eq_nocase(word, s->withheld))
            continue;
        if (!first)
            sp_buf_add_u8(out, ' ');
        sp_buf_add(out, word);
        first = false;
    }
}

/* auth = "AUTH" SP sasl-mech [SP initial-response] ; initial-response = base64 / "=" ; RFC 4954 8 */
static enum smtp_reply_id parse_auth(struct sp_server *s, struct sp_view line, size_t at)
{
    struct sp_view rest = sp_view_from(line, at), name, initial = {0}, more;
    if (!sp_view_word(&rest, ' ', &name) || !smtp_mechanism_is(name))
        return smtp_server_complain(s, at, SP_LIT("the name of a mechanism follows AUTH"), R_AUTH_SYNTAX);
    s->question.as.auth.has_initial = sp_view_word(&rest, ' ', &initial);
    if (sp_view_word(&rest, ' ', &more))
        return smtp_server_complain(s, (size_t)(more.p - line.p),
                                    SP_LIT("nothing follows the initial response"), R_AUTH_SYNTAX);
    if (!find_mechanism(smtp_server_mechanisms(s), name, &s->question.as.auth.mechanism)) {
        bool later = !s->tls && s->options.starttls &&
                     find_mechanism(s->options.mechanisms_tls, name, &s->question.as.auth.mechanism);
        return later ? R_AUTH_NEEDS_TLS : R_AUTH_MECHANISM;
    }
    s->question.as.auth.initial = (struct sp_view){0};
    if (initial.len == 0 || sp_view_eq(initial, SP_LIT("=")))
        return R_NONE;
    if (smtp_server_decode(s, initial) == SP_ERR_SYNTAX)
        return R_AUTH_BASE64;
    s->question.as.auth.initial = sp_buf_view(&s->secret);
    return R_NONE;
}

bool smtp_server_is_single_round(struct sp_view args)
{
    struct sp_view name, initial;
    return sp_view_word(&args, ' ', &name) && sp_view_word(&args, ' ', &initial) &&
           (sp_view_eq_nocase(name, SP_LIT("PLAIN")) || sp_view_eq_nocase(name, SP_LIT("EXTERNAL")));
}

int smtp_server_decode(struct sp_server *s, struct sp_view text)
{
    size_t len = 0, room = sp_base64_decoded_max(text.len);
    sp_buf_clear(&s->secret);
    if (sp_buf_reserve(&s->secret, room ? room : 1) != SP_OK)
        return s->dead = SP_ERR_NOMEM;
    int status = sp_base64_decode(text, s->secret.p, &len);
    s->secret.len = status == SP_OK ? len : room;
    if (status != SP_OK)
        sp_buf_fini_secret(&s->secret);
    return status;
}

enum smtp_reply_id smtp_server_argument(struct sp_server *s, struct sp_view line, size_t at)
{
    typedef enum smtp_reply_id parse(struct sp_server *, struct sp_view, size_t);
    static parse *const parsers[IN_N] = {
        [IN_EHLO] = parse_hello,         [IN_HELO] = parse_hello,          [IN_MAIL] = parse_mail,
        [IN_RCPT] = parse_rcpt,          [IN_AUTH] = parse_auth,           [IN_VRFY] = parse_words,
        [IN_EXPN] = parse_words,         [IN_DATA] = parse_none,           [IN_RSET] = parse_none,
        [IN_STARTTLS] = parse_none,      [IN_QUIT] = parse_none,           [IN_NOOP] = parse_ignored,
        [IN_HELP] = parse_ignored,       [IN_LHLO] = parse_hello,          [IN_ETRN] = parse_etrn,
        [IN_XCLIENT] = smtp_server_peer, [IN_XFORWARD] = smtp_server_peer,
    };
    parse *run = parsers[s->word->input];
    return run ? run(s, line, at) : R_NONE;
}
