/* Mailboxes and paths. */
#include "smtp/grammar.h"

#include "base/utf8.h"
#include "base/view.h"

static bool fault(struct smtp_fault *f, struct sp_view in, size_t at, struct sp_view what)
{
    *f = (struct smtp_fault){what, at, at < in.len && in.p[at] > 126};
    return false;
}

/* atext of RFC 5322 3.2.3 */
static bool is_atext(uint8_t c)
{
    static const char marks[] = "!#$%&'*+-/=?^_`{|}~";
    return sp_ascii_alpha(c) || sp_ascii_digit(c) || (c != 0 && memchr(marks, c, sizeof(marks) - 1));
}

/* UTF8-non-ascii, which RFC 6531 3.3 adds to atext and qtextSMTP, but for the controls of C1. 0: none. */
static size_t wide_len(struct sp_view in, size_t at)
{
    size_t n = sp_utf8_text_len(sp_view_from(in, at));
    return n > 1 ? n : 0;
}

/* Dot-string = Atom *("."  Atom) */
static bool skip_dot_string(struct sp_view in, size_t *at, bool utf8, struct smtp_fault *f)
{
    for (;;) {
        size_t start = *at, n = 1;
        for (; *at < in.len && n > 0; *at += n)
            n = is_atext(in.p[*at]) ? 1 : utf8 ? wide_len(in, *at) : 0;
        if (*at == start)
            return fault(f, in, *at,
                         SP_LIT("a local part is letters, digits, marks and single dots, or \"quoted\""));
        if (*at == in.len || in.p[*at] != '.')
            return true;
        ++*at;
    }
}

/*
 * Quoted-string   = DQUOTE *( qtextSMTP / quoted-pairSMTP ) DQUOTE
 * qtextSMTP       = %d32-33 / %d35-91 / %d93-126
 * quoted-pairSMTP = %d92 %d32-126
 */
static bool skip_quoted_string(struct sp_view in, size_t *at, bool utf8, struct smtp_fault *f)
{
    for (size_t i = *at + 1, n = 1; i < in.len; i += n) {
        n = utf8 ? wide_len(in, i) : 0;
        if (n > 0)
            continue;
        n = 1;
        if (in.p[i] == '"') {
            *at = i + 1;
            return true;
        }
        if (in.p[i] == '\\')
            i++;
        if (i < in.len && (in.p[i] < 32 || in.p[i] > 126))
            return fault(f, in, i, SP_LIT("between quotes stands printable ASCII"));
    }
    return fault(f, in, *at, SP_LIT("a '\"' is not closed"));
}

/* Local-part = Dot-string / Quoted-string */
bool smtp_local_skip(struct sp_view in, size_t *at, bool utf8, struct smtp_fault *f)
{
    size_t start = *at;
    bool quoted = start < in.len && in.p[start] == '"';
    if (!(quoted ? skip_quoted_string(in, at, utf8, f) : skip_dot_string(in, at, utf8, f)))
        return false;
    if (*at - start > SMTP_LOCAL_MAX)
        return fault(f, in, start, SP_LIT("a local part has at most 64 octets"));
    return true;
}

static bool skip_domain_or_literal(struct sp_view in, size_t *at, bool utf8, struct smtp_fault *f)
{
    if (*at < in.len && in.p[*at] == '[')
        return smtp_literal_skip(in, at, f);
    size_t start = *at;
    if (smtp_domain_skip(in, at, utf8 ? SMTP_DOMAIN_UTF8 : SMTP_DOMAIN_STRICT))
        return true;
    if (*at - start > SMTP_DOMAIN_MAX)
        return fault(f, in, start, SP_LIT("a domain has at most 255 octets"));
    return fault(f, in, *at, SP_LIT("a domain is labels of letters, digits and '-' with dots between"));
}

/* Mailbox = Local-part "@" ( Domain / address-literal ) */
static bool skip_mailbox(struct sp_view in, size_t *at, bool utf8, struct sp_path *p, struct smtp_fault *f)
{
    size_t start = *at;
    if (!smtp_local_skip(in, at, utf8, f))
        return false;
    p->local = sp_view_sub(in, start, *at - start);
    if (*at == in.len || in.p[*at] != '@')
        return fault(f, in, *at, SP_LIT("'@' and a domain are missing"));
    size_t domain = ++*at;
    if (!skip_domain_or_literal(in, at, utf8, f))
        return false;
    p->domain = sp_view_sub(in, domain, *at - domain);
    p->text = sp_view_sub(in, start, *at - start);
    return true;
}

/*
 * A-d-l     = At-domain *( "," At-domain )
 * At-domain = "@" Domain
 *
 * "MUST BE accepted, SHOULD NOT be generated, and SHOULD be ignored."
 */
static bool skip_route(struct sp_view in, size_t *at, bool utf8, struct smtp_fault *f)
{
    while (*at < in.len && in.p[*at] == '@') {
        ++*at;
        if (!skip_domain_or_literal(in, at, utf8, f))
            return false;
        if (*at < in.len && in.p[*at] == ':') {
            ++*at;
            return true;
        }
        if (*at + 1 >= in.len || in.p[*at] != ',' || in.p[*at + 1] != '@')
            return fault(f, in, *at, SP_LIT("a source route is @domain,@domain: and a mailbox"));
        ++*at;
    }
    return true;
}

/* "<Postmaster>" in any case, RCPT only (RFC 5321 4.1.1.3). */
static bool is_postmaster(struct sp_view in, size_t at)
{
    struct sp_view word = SP_LIT("postmaster>");
    return sp_view_eq_nocase(sp_view_sub(in, at, word.len), word);
}

/*
 * Reverse-path = Path / "<>"
 * Forward-path = Path            ; and "<Postmaster>"
 * Path         = "<" [ A-d-l ":" ] Mailbox ">"
 */
int smtp_path_parse(struct sp_view in, size_t *at, enum smtp_path_kind kind, bool utf8,
                    struct sp_path *path_out, struct smtp_fault *f)
{
    size_t start = *at, i = *at;
    struct sp_path p = {0};
    if (i == in.len || in.p[i] != '<') {
        (void)fault(f, in, i, SP_LIT("an address stands in '<>'"));
        return SP_ERR_SYNTAX;
    }
    i++;
    if (kind == SMTP_PATH_SENDER && i < in.len && in.p[i] == '>') {
        p.null = true;
    } else if (kind == SMTP_PATH_RECIPIENT && is_postmaster(in, i)) {
        p.local = p.text = sp_view_sub(in, i, sizeof("postmaster") - 1);
        i += p.local.len;
    } else if (!skip_route(in, &i, utf8, f) || !skip_mailbox(in, &i, utf8, &p, f)) {
        return SP_ERR_SYNTAX;
    }
    if (i == in.len || in.p[i] != '>') {
        (void)fault(f, in, i, SP_LIT("the address ends here, '>' is missing"));
        return SP_ERR_SYNTAX;
    }
    i++;
    if (i - start > SMTP_PATH_MAX) {
        (void)fault(f, in, start, SP_LIT("an address has at most 256 octets with its '<>'"));
        return SP_ERR_LONG;
    }
    *path_out = p;
    *at = i;
    return SP_OK;
}

int smtp_mailbox_parse(struct sp_view in, bool utf8, struct sp_path *path_out, struct smtp_fault *f)
{
    struct sp_path p = {0};
    size_t at = 0;
    if (!skip_mailbox(in, &at, utf8, &p, f))
        return SP_ERR_SYNTAX;
    if (at < in.len) {
        (void)fault(f, in, at, SP_LIT("the address ends here, more follows"));
        return SP_ERR_SYNTAX;
    }
    *path_out = p;
    return SP_OK;
}

bool smtp_ascii_is(struct sp_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] > 126)
            return false;
    return true;
}

bool smtp_printable_is(struct sp_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] < 32 || text.p[i] > 126)
            return false;
    return true;
}
