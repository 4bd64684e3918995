#include "os/stream_state.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static enum link_status plain_result(ssize_t n, size_t *n_out, char *why_out)
{
    if (n >= 0) {
        *n_out = (size_t)n;
        return LINK_OK;
    }
    if (errno == EAGAIN || errno == EINTR)
        return LINK_AGAIN;
    snprintf(why_out, TLS_WORDS_LEN, "%s", strerror(errno));
    return LINK_FAILED;
}

static enum link_status tls_result(struct os_stream *s, int result, char *why_out)
{
    int why_errno = errno;
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return LINK_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return LINK_EOF;
    case SSL_ERROR_SYSCALL:
        if (why_errno == 0)
            return LINK_EOF;
        snprintf(why_out, TLS_WORDS_LEN, "%s", strerror(why_errno));
        ERR_clear_error();
        break;
    default:
        tls_explain(s->ssl, result, why_errno, s->tls->server, s->server_name, why_out);
    }
    s->broken = true;
    return LINK_FAILED;
}

enum link_status link_read(struct os_stream *s, void *p, size_t n, size_t *n_out, char *why_out)
{
    if (!s->ssl) {
        enum link_status status = plain_result(recv(s->fd, p, n, MSG_DONTWAIT), n_out, why_out);
        return status == LINK_OK && *n_out == 0 ? LINK_EOF : status;
    }
    size_t got = 0;
    ERR_clear_error();
    errno = 0;
    int ok = SSL_read_ex(s->ssl, p, n, &got);
    s->read_wants_write = !ok && SSL_get_error(s->ssl, ok) == SSL_ERROR_WANT_WRITE;
    *n_out = got;
    return ok ? LINK_OK : tls_result(s, ok, why_out);
}

enum link_status link_write(struct os_stream *s, struct sp_view v, size_t *n_out, char *why_out)
{
    if (!s->ssl)
        return plain_result(send(s->fd, v.p, v.len, MSG_DONTWAIT | MSG_NOSIGNAL), n_out, why_out);
    size_t put = 0;
    ERR_clear_error();
    errno = 0;
    int ok = SSL_write_ex(s->ssl, v.p, v.len, &put);
    s->write_wants_read = !ok && SSL_get_error(s->ssl, ok) == SSL_ERROR_WANT_READ;
    *n_out = put;
    return ok ? LINK_OK : tls_result(s, ok, why_out);
}
