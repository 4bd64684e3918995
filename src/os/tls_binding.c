/* Channel binding: what both ends of one TLS connection know, and of another one do not. */
#include "os/stream_state.h"
#include "os/tls_context.h"

#include <openssl/err.h>

enum { EXPORTER_LEN = 32, FINISHED_MAX = 64 };

/* RFC 9266 2: with an empty context. Its renegotiations are why not for TLS 1.2. */
static void add_exporter(SSL *ssl, struct sp_buf *out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    uint8_t octets[EXPORTER_LEN];
    if (SSL_version(ssl) >= TLS1_3_VERSION &&
        SSL_export_keying_material(ssl, octets, sizeof octets, label, sizeof label - 1, (const uint8_t *)"",
                                   0, 1) == 1)
        sp_buf_add(out, (struct sp_view){octets, sizeof octets});
    explicit_bzero(octets, sizeof octets);
}

/* RFC 5929 3: the first Finished of the handshake, the client's in a full one, the server's in a resumed one.
 */
static void add_unique(SSL *ssl, bool server, struct sp_buf *out)
{
    uint8_t octets[FINISHED_MAX];
    bool clients = !SSL_session_reused(ssl);
    if (SSL_version(ssl) >= TLS1_3_VERSION ||
        SSL_get_extms_support(ssl) != 1) /* RFC 7627: else it can be forged */
        return;
    size_t len = clients == server ? SSL_get_peer_finished(ssl, octets, sizeof octets)
                                   : SSL_get_finished(ssl, octets, sizeof octets);
    if (len > 0 && len <= sizeof octets)
        sp_buf_add(out, (struct sp_view){octets, len});
    explicit_bzero(octets, sizeof octets);
}

/* RFC 5929 4: the digest of the server's certificate, by its signature's own digest, SHA-256 at least. */
static void add_end_point(SSL *ssl, bool server, struct sp_buf *out)
{
    uint8_t octets[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int digest_nid = NID_undef;
    X509 *leaf = server ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
    if (!leaf || !X509_get_signature_info(leaf, &digest_nid, NULL, NULL, NULL))
        return;
    const EVP_MD *digest =
        digest_nid == NID_md5 || digest_nid == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(digest_nid);
    if (digest && X509_digest(leaf, digest, octets, &len) == 1)
        sp_buf_add(out, (struct sp_view){octets, len});
}

void os_stream_add_binding(const struct os_stream *s, enum os_tls_binding kind, struct sp_buf *out)
{
    if (!s->ssl || !s->handshake_done)
        return;
    if (kind == OS_TLS_EXPORTER)
        add_exporter(s->ssl, out);
    else if (kind == OS_TLS_UNIQUE)
        add_unique(s->ssl, s->tls->server, out);
    else
        add_end_point(s->ssl, s->tls->server, out);
    ERR_clear_error();
}
