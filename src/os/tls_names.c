/* The names that a peer's certificate is for. */
#include "base/view.h"
#include "os/stream_state.h"
#include "os/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { NAME_MAX_LEN = 255 };

/* A line end inside would make two names of one, and a NUL has fooled many. */
static bool is_clean(struct sp_view name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] < 0x20 || name.p[i] == 0x7f)
            return false;
    return name.len > 0 && name.len <= NAME_MAX_LEN;
}

static void add_string(const ASN1_STRING *string, struct sp_buf *out)
{
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, string);
    struct sp_view name = n > 0 ? sp_view_make(utf8, (size_t)n) : (struct sp_view){0};
    if (is_clean(name) && out->max - out->len > name.len) {
        sp_buf_add(out, name);
        sp_buf_add_u8(out, '\n');
    }
    OPENSSL_free(utf8);
}

static void add_common_names(X509 *leaf, struct sp_buf *out)
{
    X509_NAME *subject = X509_get_subject_name(leaf);
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
        add_string(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), out);
}

static void add_alternatives(X509 *leaf, int type, struct sp_buf *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) { /* of NULL -1 */
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        if (one->type == type)
            add_string(type == GEN_EMAIL ? one->d.rfc822Name : one->d.dNSName, out);
    }
    GENERAL_NAMES_free(names);
}

void os_stream_add_names(const struct os_stream *s, enum os_tls_name kind, struct sp_buf *out)
{
    X509 *leaf = s->ssl && s->handshake_done ? SSL_get0_peer_certificate(s->ssl) : NULL;
    if (!leaf)
        return;
    if (kind == OS_TLS_COMMON_NAME)
        add_common_names(leaf, out);
    else
        add_alternatives(leaf, kind == OS_TLS_EMAIL ? GEN_EMAIL : GEN_DNS, out);
    ERR_clear_error();
}
