/* Replies: how they are written. What is said, and when, is in the table. */
#include "base/time.h"
#include "smtp/server.h"

/* RFC 2034 4: no enhanced code in the greeting and in what answers EHLO, HELO and LHLO. */
static bool is_enhanced(const struct sp_server *s)
{
    return s->input != IN_OPEN && s->input != IN_EHLO && s->input != IN_HELO && s->input != IN_LHLO &&
           s->phase != P_GREET;
}

/* Does a yes, or a question back, bring the session further? */
static bool leads_on(const struct sp_server *s, unsigned verb)
{
    const struct smtp_rule *rule = &s->rules[s->phase][verb];
    return (rule->yes.next > s->phase && rule->yes.next != P_CLOSED) || rule->more.next > s->phase;
}

/* What leads on is named first. */
static void add_now(struct sp_server *s, struct sp_buf *b)
{
    bool first = true;
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < IN_VERB_N; i++) {
            if (leads_on(s, i) != (pass == 0) || !smtp_server_accepts(s, &smtp_words[i]))
                continue;
            if (!first)
                sp_buf_add(b, SP_LIT(", "));
            sp_buf_add(b, smtp_words[i].spelling);
            first = false;
        }
}

static void add_fault(struct sp_server *s, struct sp_buf *b)
{
    if (s->named.len > 0) {
        sp_buf_add(b, sp_view_sub(s->named, 0, 64));
        sp_buf_add(b, SP_LIT(", "));
    }
    sp_buf_add(b, SP_LIT("at octet "));
    sp_buf_add_dec(b, s->fault.at + 1);
    sp_buf_add(b, SP_LIT(": "));
    sp_buf_add(b, s->fault.what);
}

/* RFC 4865 4: the longest span, and the last time of now. */
static void add_hold(struct sp_server *s, struct sp_buf *b)
{
    int64_t now_ms = s->wall_base_ms + (int64_t)s->now_ms;
    sp_buf_add_dec(b, s->options.max_hold_s);
    sp_buf_add_u8(b, ' ');
    sp_buf_add_rfc3339(b, now_ms + (int64_t)s->options.max_hold_s * 1000, false);
}

/* What stands for a `$` and a letter in the table's texts. */
static void add_value(struct sp_server *s, struct sp_buf *b, uint8_t name)
{
    switch (name) {
    case 'v':
        sp_buf_add(b, s->word ? s->word->spelling : SP_LIT("It"));
        break;
    case 'n':
        add_now(s, b);
        break;
    case 'd':
        add_fault(s, b);
        break;
    case 'l':
        sp_buf_add_dec(b, s->line_max);
        break;
    case 'm':
        smtp_server_add_mechanisms(s, b);
        break;
    case 's':
        sp_buf_add_dec(b, s->options.max_message_octets);
        break;
    case 'k':
        sp_buf_add_dec(b, s->size);
        break;
    case 'r': /* RFC 9422 4: at most six digits */
        sp_buf_add_dec(b, s->options.max_recipients < 999999 ? s->options.max_recipients : 999999);
        break;
    case 'f':
        add_hold(s, b);
        break;
    case 'p':
        sp_buf_add(b, s->options.lmtp ? SP_LIT("LMTP") : SP_LIT("ESMTP"));
        break;
    case 'h':
        sp_buf_add(b, s->options.hostname);
        break;
    case 'c':
        sp_buf_add(b, s->question.as.hello.domain);
        break;
    default:
        break;
    }
}

static void add_template(struct sp_server *s, struct sp_buf *b, struct sp_view text)
{
    for (size_t i = 0; i < text.len;) {
        size_t dollar = sp_view_find(text, '$', i);
        sp_buf_add(b, sp_view_sub(text, i, dollar - i));
        if (dollar + 1 < text.len)
            add_value(s, b, text.p[dollar + 1]);
        i = dollar + 2;
    }
}

/* Begin a line; returns where it begins. */
static size_t begin_line(struct sp_server *s, int code, bool last, const char *enhanced)
{
    size_t start = s->out.len;
    sp_buf_add_dec(&s->out, (uint64_t)code);
    sp_buf_add_u8(&s->out, last ? ' ' : '-');
    if (enhanced[0] && is_enhanced(s)) {
        sp_buf_add_str(&s->out, enhanced);
        sp_buf_add_u8(&s->out, ' ');
    }
    return start;
}

/* Bounded, and by hand: this floor calls no libc but mem*. */
static struct sp_view id_of(const char *reason)
{
    size_t n = 0;
    while (n < SMTP_REASON_MAX && reason[n])
        n++;
    return sp_view_make(reason, n);
}

/* End it: printable, cut so that it keeps within 512 octets with its reason and CRLF. */
static void end_line(struct sp_server *s, size_t start, const char *reason)
{
    struct sp_view id = id_of(reason);
    size_t tail = 2 + (id.len ? id.len + 3 : 0);
    if (s->out.len - start > SMTP_REPLY_MAX - tail)
        s->out.len = start + SMTP_REPLY_MAX - tail;
    for (size_t i = start; i < s->out.len; i++)
        if (s->out.p[i] < 32 || s->out.p[i] > 126)
            s->out.p[i] = '?';
    if (id.len) {
        sp_buf_add(&s->out, SP_LIT(" ["));
        sp_buf_add(&s->out, id);
        sp_buf_add_u8(&s->out, ']');
    }
    sp_buf_add(&s->out, SP_LIT("\r\n"));
}

static void note(struct sp_server *s, int code, const char *reason)
{
    s->last_code = code;
    s->last_reason = reason;
    s->since_ms = s->now_ms;
}

static void say_line(struct sp_server *s, enum smtp_reply_id reply, bool last, struct sp_view text)
{
    const struct smtp_reply_row *row = &smtp_replies[reply];
    size_t start = begin_line(s, row->code, last, row->enhanced);
    add_template(s, &s->out, text);
    end_line(s, start, row->reason);
}

/* AUTH without a mechanism behind it says nothing: the only one may be withheld. */
static unsigned met_to_list(const struct sp_server *s, unsigned verb)
{
    unsigned met = smtp_server_met(s, verb);
    bool none = verb == IN_AUTH && sp_view_eq_nocase(smtp_server_mechanisms(s), s->withheld);
    return none ? met & ~(unsigned)NEED_MECHANISM : met;
}

static bool is_listed(const struct sp_server *s, const struct smtp_extension *x)
{
    return (x->offer == 0 || smtp_server_offers(s, x->offer)) &&
           (x->need == 0 || (x->need & ~met_to_list(s, x->verb)) == 0);
}

static void say_extensions(struct sp_server *s)
{
    size_t last = 0;
    for (size_t i = 0; i < smtp_extensions_n; i++)
        if (is_listed(s, &smtp_extensions[i]))
            last = i;
    for (size_t i = 0; i <= last; i++)
        if (is_listed(s, &smtp_extensions[i]))
            say_line(s, R_EXTENSIONS, i == last, smtp_extensions[i].text);
}

void smtp_server_say(struct sp_server *s, enum smtp_reply_id reply)
{
    const struct smtp_reply_row *row = &smtp_replies[reply];
    if (row->code == 0)
        return;
    say_line(s, reply, reply != R_EXTENSIONS, row->text);
    if (reply == R_EXTENSIONS)
        say_extensions(s);
    note(s, row->code, row->reason);
}

void smtp_server_say_text(struct sp_server *s, enum smtp_reply_id reply, struct sp_view text)
{
    const struct smtp_reply_row *row = &smtp_replies[reply];
    bool last;
    do {
        size_t lf = sp_view_find(text, '\n', 0);
        last = lf == text.len;
        size_t start = begin_line(s, row->code, last, row->enhanced);
        sp_buf_add(&s->out, sp_view_sub(text, 0, lf < SMTP_REPLY_MAX ? lf : SMTP_REPLY_MAX));
        end_line(s, start, row->reason);
        text = sp_view_from(text, lf + 1);
    } while (!last);
    note(s, row->code, row->reason);
}

void smtp_server_say_refusal(struct sp_server *s, const struct sp_refusal *refusal)
{
    size_t start = begin_line(s, refusal->code, true, refusal->enhanced);
    sp_buf_add(&s->out, sp_view_sub(refusal->text, 0, SMTP_REPLY_MAX));
    end_line(s, start, refusal->reason);
    note(s, refusal->code, refusal->reason);
}

/* No enhanced code, no text, and a space even before nothing: RFC 4954 4. */
void smtp_server_say_challenge(struct sp_server *s, struct sp_view challenge)
{
    sp_buf_add_dec(&s->out, smtp_replies[R_CHALLENGE].code);
    sp_buf_add_u8(&s->out, ' ');
    sp_buf_add_base64(&s->out, challenge);
    sp_buf_add(&s->out, SP_LIT("\r\n"));
    note(s, smtp_replies[R_CHALLENGE].code, "");
}
