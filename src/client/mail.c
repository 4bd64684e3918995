/*
 * A mail on its way: what is found out about it before it is given to the session, and its content, converted
 * where the server takes less than it holds.
 */
#include "base/view.h"
#include "client/state.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

enum {
    BACKLOG = 128 << 10, /* octets given to the stream and not yet sent, above which no content is added */
    PIECE = 64 << 10,    /* octets that are converted at a time                                          */
    HEADER_MAX = 1 << 20 /* octets in which the end of the header is looked for                          */
};

/* --- before it ----------------------------------------------------------------------------------- */

/* Has the header octets over 127? */
static bool has_utf8_header(struct client *c)
{
    struct sp_view piece;
    size_t line = 0;
    for (uint64_t at = 0; at < HEADER_MAX; at += piece.len) {
        if (c->on->content(c->ctx, at, &piece) || piece.len == 0)
            return false;
        for (size_t i = 0; i < piece.len; i++) {
            if (piece.p[i] & 0x80)
                return true;
            if (piece.p[i] == '\n' && line == 0)
                return false;
            line = piece.p[i] == '\n' ? 0 : line + (piece.p[i] != '\r');
        }
    }
    return false;
}

static void plan_conversion(struct client *c)
{
    struct sp_client_mail *m = &c->mail;
    enum sp_client_need need = sp_client_needs(c->session, m);
    bool binary = m->parameters.body == SP_BODY_BINARYMIME;
    if (!c->options->convert || need == SP_CLIENT_AS_IS || (m->send_eight_bit && !binary))
        return;
    bool eight = need == SP_CLIENT_TO_EIGHT_BIT;
    if (message_convert_new(eight ? MESSAGE_TO_EIGHT_BIT : MESSAGE_TO_SEVEN_BIT, &os_heap, &c->convert))
        os_panic("memory", "no memory for a conversion");
    m->parameters.body = eight ? SP_BODY_8BITMIME : SP_BODY_7BIT;
    m->eight_bit = eight;
    m->size = 0; /* it is not known before it is done */
}

void client_mail(struct client *c, const struct sp_client_mail *mail)
{
    const struct os_tls_facts *tls = client_tls(c);
    c->ready = false;
    c->offset = 0;
    c->mail = *mail;
    c->mail.verified = tls && tls->peer_verified;
    if (mail->parameters.utf8 && !mail->utf8_header)
        c->mail.utf8_header = has_utf8_header(c);
    plan_conversion(c);
    client_expect(c, sp_client_mail(c->session, &c->mail, os_mono_ms()), "a mail");
}

void client_forget_mail(struct client *c)
{
    message_convert_free(c->convert);
    c->convert = NULL;
    sp_buf_clear(&c->converted);
    c->converted_n = 0;
    c->converted_all = false;
}

/* --- its content --------------------------------------------------------------------------------- */

static void unreadable(struct client *c)
{
    sp_client_eof(c->session, SP_LIT("the message could not be read here"));
}

static void give(struct client *c, struct sp_view piece, size_t *used_out)
{
    int status =
        piece.len > 0 ? sp_client_content(c->session, piece, used_out) : sp_client_content_end(c->session);
    if (status)
        os_panic("client-content", "the session refused content: %d", status);
}

/* Convert some more. */
static void convert_piece(struct client *c)
{
    struct sp_view piece = {0};
    const char *enhanced;
    if (c->on->content(c->ctx, c->offset, &piece)) {
        unreadable(c);
        return;
    }
    piece = sp_view_sub(piece, 0, PIECE);
    sp_buf_clear(&c->converted);
    c->converted_n = 0;
    c->converted_all = piece.len == 0;
    int status = piece.len > 0 ? message_convert_feed(c->convert, piece, &c->converted)
                               : message_convert_end(c->convert, &c->converted);
    c->offset += piece.len;
    const char *fault = message_convert_fault(c->convert, &enhanced);
    if (status && !fault)
        os_panic("memory", "no memory for a conversion");
    if (status && sp_client_content_unfit(c->session, enhanced, fault))
        os_panic("client-content", "the session refused to be told that a message is unfit");
}

static void give_converted(struct client *c)
{
    size_t used = 0;
    if (c->converted_n == c->converted.len && !c->converted_all)
        convert_piece(c);
    else
        give(c, sp_view_from(sp_buf_view(&c->converted), c->converted_n), &used);
    c->converted_n += used;
}

bool client_give_content(struct client *c)
{
    struct sp_view piece = {0};
    size_t used = 0;
    if (os_stream_backlog(c->stream) > BACKLOG)
        return false;
    if (c->convert) {
        give_converted(c);
        return true;
    }
    if (c->on->content(c->ctx, c->offset, &piece))
        unreadable(c);
    else
        give(c, piece, &used);
    c->offset += used;
    return true;
}
