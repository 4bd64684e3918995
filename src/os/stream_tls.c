#include "os/heap.h"
#include "os/stream_state.h"

#include "base/view.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>

void os_stream_start_tls(struct os_stream *s, struct os_tls_context *tls, const char *server_name,
                         uint32_t timeout_ms)
{
    os_stream_start_tls_expecting(s, tls, &(struct os_tls_expected){.name = server_name}, timeout_ms);
}

void os_stream_start_tls_expecting(struct os_stream *s, struct os_tls_context *tls,
                                   const struct os_tls_expected *expected, uint32_t timeout_ms)
{
    if (s->phase != STREAM_OPEN || s->ssl)
        return;
    s->tls = os_tls_ref(tls);
    s->server_name = expected->name ? os_text(sp_view_of(expected->name)) : NULL;
    s->dane = expected->tlsa_n > 0 ? tls_dane_new(expected) : NULL;
    s->plain = s->out.len - s->sent;
    s->phase = STREAM_TLS_NEXT;
    sp_buf_fini(&s->kept);
    s->push = false;
    stream_want_read(s, false);
    stream_set_timer(s, timeout_ms);
    /* From the loop, so that no handler is called before this call has returned. */
    stream_at_turn_end(s);
}

void stream_tls_begin(struct os_stream *s)
{
    int flags = fcntl(s->fd, F_GETFL);
    if (!(flags & O_NONBLOCK))
        (void)fcntl(s->fd, F_SETFL, flags | O_NONBLOCK);
    s->ssl = tls_begin(s->tls, s->fd, s->server_name, s->dane);
    if (!s->ssl) {
        s->broken = true;
        s->tls_fault = OS_TLS_FAULT_HANDSHAKE;
        stream_over(s, "TLS: the handshake cannot be prepared (is the server's name valid?)");
        ERR_clear_error();
        return;
    }
    s->phase = STREAM_TLS;
    stream_tls_step(s);
}

void stream_tls_step(struct os_stream *s)
{
    char why[TLS_WORDS_LEN];
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(s->ssl), why_errno = errno;
    int kind = result == 1 ? SSL_ERROR_NONE : SSL_get_error(s->ssl, result);
    stream_want_write(s, kind == SSL_ERROR_WANT_WRITE);
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        stream_want_read(s, kind == SSL_ERROR_WANT_READ);
        return;
    }
    stream_stop_timer(s);
    if (result != 1) {
        s->broken = true;
        s->tls_fault = tls_fault_of(s->ssl);
        tls_explain(s->ssl, result, why_errno, s->tls->server, s->server_name, why);
        stream_over(s, why);
        return;
    }
    s->handshake_done = true;
    s->facts = tls_facts_new(s->ssl, s->tls, s->server_name);
    s->phase = STREAM_OPEN;
    stream_read_on(s);
    /* The handshake may have read the first octets behind it already: no event would tell. */
    s->push = true;
    stream_at_turn_end(s);
    if (s->handlers->ready)
        s->handlers->ready(s->ctx, s->facts);
}

const struct os_tls_facts *os_stream_tls(const struct os_stream *s) { return s->facts; }

enum os_tls_fault os_stream_tls_fault(const struct os_stream *s)
{
    /* Whoever hangs up or says nothing in the middle has not come through it either. */
    bool cut = !s->tls_fault && s->phase == STREAM_OVER && s->ssl && !s->handshake_done;
    return cut ? OS_TLS_FAULT_HANDSHAKE : s->tls_fault;
}
