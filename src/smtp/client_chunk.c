/*
 * BDAT (RFC 3030 2): the message in chunks of a known length. A chunk is filled before its command is said.
 * With PIPELINING the next follows at once; without it, and in LMTP, where a refusal in between would leave
 * the number of replies in doubt (RFC 2033 4.3), it waits for the reply. After a refusal nothing more is
 * sent.
 */
#include "smtp/client_session.h"

#include "base/view.h"

enum { CHUNKS_ON_THEIR_WAY = 64 };

uint32_t smtp_client_chunks_size(const struct sp_client *s)
{
    uint32_t size = s->mail.mail ? s->mail.mail->chunk : 0;
    if (size == 0)
        return SP_CLIENT_CHUNK_DEFAULT;
    return size < SP_CLIENT_CHUNK_MAX ? size : SP_CLIENT_CHUNK_MAX;
}

bool smtp_client_chunks_wait(const struct sp_client *s)
{
    bool group =
        s->capabilities.pipelining && !s->options->lock_step && s->options->protocol != SP_CLIENT_LMTP;
    return s->phase == CLIENT_BDAT &&
           (s->chunks.ready > 0 || s->chunks.unanswered >= (group ? CHUNKS_ON_THEIR_WAY : 1));
}

/* Room was made when the line was said: this cannot fail. */
void smtp_client_chunks_follow(struct sp_client *s)
{
    struct smtp_client_chunks *c = &s->chunks;
    if (c->ready == 0 || s->out.shown < s->out.octets.len)
        return;
    sp_buf_add(&s->out.octets, sp_view_sub(sp_buf_view(&c->octets), 0, c->ready));
    sp_buf_drop(&c->octets, c->ready);
    c->ready = 0;
    s->out.shown = s->out.octets.len;
}

static void cut(struct sp_client *s, size_t n, bool last)
{
    struct smtp_client_chunks *c = &s->chunks;
    struct sp_buf *b = &s->out.octets;
    if (sp_buf_reserve(b, n + 40))
        return;
    sp_buf_add_str(b, "BDAT ");
    sp_buf_add_dec(b, n);
    sp_buf_add_str(b, last ? " LAST\r\n" : "\r\n");
    c->unanswered++;
    c->last = last;
    if (s->options->transcript && n > 0) {
        c->ready = n; /* else they would be told as lines */
        return;
    }
    sp_buf_add(b, sp_view_sub(sp_buf_view(&c->octets), 0, n));
    sp_buf_drop(&c->octets, n);
}

void smtp_client_chunks_cut(struct sp_client *s, bool last)
{
    uint32_t size = smtp_client_chunks_size(s);
    size_t n = s->chunks.octets.len;
    cut(s, last || n < size ? n : size, last); /* the last may be longer by the line end it was given */
}

int smtp_client_chunks_enter(struct sp_client *s)
{
    struct smtp_client_chunks *c = &s->chunks;
    switch (s->phase) {
    case CLIENT_BDAT_LAST:
        if (s->options->protocol == SP_CLIENT_LMTP && c->unanswered == 1)
            return smtp_client_move(s, CLIENT_IN_EACH);
        break;
    case CLIENT_BDAT_VOID:
        sp_buf_clear(&c->octets);
        c->ready = 0;
        if (c->unanswered == 0)
            return smtp_client_move(s, CLIENT_IN_DONE);
        break;
    default:
        break;
    }
    return smtp_client_check(s, SP_OK);
}
