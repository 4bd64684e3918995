#include "message/trace.h"

#include "base/time.h"
#include "base/view.h"

enum { LINE_MAX_WISHED = 78, HELLO_MAX = 255 };

/* What EHLO said goes into a header of ours: only octets of domains and literals, RFC 5321 4.1.2. */
static void add_hello(struct sp_buf *out, struct sp_view hello)
{
    if (hello.len == 0)
        sp_buf_add_str(out, "unknown");
    for (size_t i = 0; i < hello.len && i < HELLO_MAX; i++) {
        uint8_t c = hello.p[i];
        bool plain = sp_ascii_alpha(c) || sp_ascii_digit(c) || (c && memchr("-._:[]", c, 6));
        sp_buf_add_u8(out, plain ? c : '?');
    }
}

static void add_client(struct sp_buf *out, const char *address)
{
    struct sp_view text = sp_view_of(address);
    sp_buf_add_str(out, sp_view_find(text, ':', 0) < text.len ? "([IPv6:" : "([");
    sp_buf_add(out, text);
    sp_buf_add_str(out, "])");
}

/* The line that is being filled: every clause begins with a space, or on a line of its own. */
struct folder {
    struct sp_buf *out;
    size_t line_start, clause_start;
};

static void begin_clause(struct folder *f)
{
    f->clause_start = f->out->len;
    sp_buf_add_str(f->out, " ");
}

/* Fold in front of the clause when it made the line too long; room is kept for what closes it. */
static void end_clause(struct folder *f)
{
    static const char fold[] = "\r\n\t";
    struct sp_buf *out = f->out;
    if (sp_buf_status(out) != SP_OK || out->len + 1 - f->line_start <= LINE_MAX_WISHED)
        return;
    if (sp_buf_reserve(out, 2) != SP_OK)
        return;
    uint8_t *clause = out->p + f->clause_start;
    memmove(clause + 3, clause + 1, out->len - f->clause_start - 1);
    memcpy(clause, fold, 3);
    out->len += 2;
    f->line_start = f->clause_start + 2;
}

static void add_clause(struct folder *f, const char *word, const char *value, const char *end)
{
    begin_clause(f);
    sp_buf_add_str(f->out, word);
    sp_buf_add_str(f->out, value);
    sp_buf_add_str(f->out, end);
    end_clause(f);
}

static void add_tls(struct folder *f, const struct message_received *r)
{
    begin_clause(f);
    sp_buf_add_str(f->out, "(");
    sp_buf_add_str(f->out, r->tls_version ? r->tls_version : "TLS");
    if (r->tls_cipher) {
        sp_buf_add_str(f->out, " ");
        sp_buf_add_str(f->out, r->tls_cipher);
    }
    sp_buf_add_str(f->out, ")");
    end_clause(f);
}

int message_add_received(struct sp_buf *out, const struct message_received *r)
{
    struct folder f = {out, out->len, out->len};
    sp_buf_add_str(out, "Received:");
    begin_clause(&f);
    sp_buf_add_str(out, "from ");
    add_hello(out, r->hello);
    end_clause(&f);
    begin_clause(&f);
    add_client(out, r->client);
    end_clause(&f);
    add_clause(&f, "by ", r->hostname, "");
    add_clause(&f, "with ", message_protocol(r->lmtp, r->utf8, r->esmtp, r->tls, r->authenticated), "");
    if (r->tls)
        add_tls(&f, r);
    add_clause(&f, "id ", r->id, r->only_recipient.len ? "" : ";");
    if (r->only_recipient.len) {
        begin_clause(&f);
        sp_buf_add_str(out, "for <");
        sp_buf_add(out, r->only_recipient);
        sp_buf_add_str(out, ">;");
        end_clause(&f);
    }
    begin_clause(&f);
    sp_buf_add_rfc5322(out, r->wall_ms);
    end_clause(&f);
    sp_buf_add_str(out, "\r\n");
    return sp_buf_status(out);
}

const char *message_protocol(bool lmtp, bool utf8, bool esmtp, bool tls, bool authenticated)
{
    static const char *const names[][4] = {{"ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"},
                                           {"UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"},
                                           {"LMTP", "LMTPA", "LMTPS", "LMTPSA"},
                                           {"UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"}};
    if (!esmtp && !lmtp)
        return "SMTP"; /* TLS and AUTH are extensions: only ESMTP has names for them */
    return names[(lmtp ? 2 : 0) + (utf8 ? 1 : 0)][(tls ? 2 : 0) + (authenticated ? 1 : 0)];
}
