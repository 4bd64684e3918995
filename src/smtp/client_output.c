/*
 * Lines on their way to the server. A SASL response stands in the output only from the command to the
 * moment it is sent; it is overwritten then. Room is made before it is written, so that growing never
 * leaves a copy behind.
 */
#include "smtp/client_session.h"

#include "base/base64.h"
#include "base/view.h"

void smtp_client_wipe(void *p, size_t n)
{
    volatile uint8_t *octets = p;
    for (size_t i = 0; i < n; i++)
        octets[i] = 0;
}

size_t smtp_client_output_queued(const struct sp_client *s) { return s->out.octets.len - s->out.sent; }

void smtp_client_output_drop(struct sp_client *s)
{
    struct smtp_client_output *o = &s->out;
    if (o->secret_to > o->secret_from)
        smtp_client_wipe(o->octets.p + o->secret_from, o->secret_to - o->secret_from);
    sp_buf_clear(&o->octets);
    o->sent = o->shown = o->secret_from = o->secret_to = 0;
}

/* Give back what was sent and told. */
static void tidy(struct sp_client *s)
{
    struct smtp_client_output *o = &s->out;
    bool secret = o->secret_to > 0;
    size_t done = s->options->transcript && o->shown < o->sent ? o->shown : o->sent;
    if (done == o->octets.len) {
        smtp_client_output_drop(s);
    } else if (done >= CLIENT_WINDOW && !secret) {
        sp_buf_drop(&o->octets, done);
        o->sent -= done;
        o->shown -= o->shown < done ? o->shown : done;
    }
}

void smtp_client_say(struct sp_client *s, const char *verb, struct sp_view argument)
{
    struct sp_buf *b = &s->out.octets;
    sp_buf_add_str(b, verb);
    if (argument.len > 0) {
        sp_buf_add_u8(b, ' ');
        sp_buf_add(b, argument);
    }
    sp_buf_add(b, SP_LIT("\r\n"));
}

void smtp_client_say_secret(struct sp_client *s, struct sp_view prefix, struct sp_view secret,
                            bool empty_is_equals)
{
    struct sp_buf *b = &s->out.octets;
    if (sp_buf_reserve(b, prefix.len + sp_base64_encoded_len(secret.len) + 3))
        return;
    sp_buf_add(b, prefix);
    s->out.secret_from = b->len;
    s->out.secret_len = secret.len;
    if (secret.len == 0 && empty_is_equals)
        sp_buf_add_u8(b, '=');
    sp_buf_add_base64(b, secret);
    s->out.secret_to = b->len;
    sp_buf_add(b, SP_LIT("\r\n"));
}

/* The next line that SENT has to tell. */
bool smtp_client_output_line(struct sp_client *s, struct sp_client_event *event_out)
{
    struct smtp_client_output *o = &s->out;
    if (!s->options->transcript)
        return false;
    tidy(s);
    struct sp_view rest = sp_view_from(sp_buf_view(&o->octets), o->shown);
    if (rest.len == 0)
        return false;
    size_t end = sp_view_find(rest, '\n', 0);
    size_t n = end < rest.len ? end + 1 : end;
    bool secret = o->secret_to > 0 && o->secret_from >= o->shown && o->secret_from < o->shown + n;
    size_t line = n - (end < rest.len) - (end < rest.len && end > 0 && rest.p[end - 1] == '\r');
    event_out->type = SP_CLIENT_SENT;
    event_out->as.sent.line = sp_view_sub(rest, 0, secret ? o->secret_from - o->shown : line);
    event_out->as.sent.secret = secret;
    event_out->as.sent.secret_len = secret ? o->secret_len : 0;
    o->shown += n;
    smtp_client_chunks_follow(s);
    return true;
}

struct sp_view sp_client_output(struct sp_client *s)
{
    return sp_view_from(sp_buf_view(&s->out.octets), s->out.sent);
}

void sp_client_sent(struct sp_client *s, size_t n, uint64_t now_ms)
{
    struct smtp_client_output *o = &s->out;
    size_t queued = smtp_client_output_queued(s);
    o->sent += n < queued ? n : queued;
    s->now_ms = now_ms;
    if (n > 0 && s->phase != CLIENT_READY && s->phase != CLIENT_SASL)
        smtp_client_arm(s);
    bool content = s->phase == CLIENT_CONTENT || s->phase == CLIENT_BDAT;
    bool ended = content && o->dot && o->sent == o->octets.len && s->chunks.ready == 0;
    tidy(s);
    if (s->dead || s->ending.on)
        return;
    if (ended)
        (void)smtp_client_move(s, CLIENT_IN_END); /* sends nothing, so it cannot fail */
    smtp_client_mail_pump(s);
    (void)smtp_client_check(s, SP_OK); /* a failure is kept and told by the next call */
}
