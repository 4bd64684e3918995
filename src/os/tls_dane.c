/* Certificates by TLSA records: DANE for SMTP, RFC 7672. */
#include "os/heap.h"
#include "os/tls_context.h"

#include "base/view.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { TRUST_ANCHOR = 2, END_ENTITY = 3, SELECTOR_MOST = 1, FULL = 0, SHA_256 = 1, SHA_512 = 2 };

bool os_tls_tlsa_is_usable(const struct os_tls_tlsa *t)
{
    static const size_t lengths[] = {[SHA_256] = 32, [SHA_512] = 64};
    if ((t->usage != TRUST_ANCHOR && t->usage != END_ENTITY) || t->selector > SELECTOR_MOST ||
        t->matching > SHA_512)
        return false;
    return t->matching == FULL ? t->data.len > 0 : t->data.len == lengths[t->matching];
}

struct tls_dane *tls_dane_new(const struct os_tls_expected *expected)
{
    size_t also = expected->also ? strlen(expected->also) + 1 : 0, octets = also;
    for (size_t i = 0; i < expected->tlsa_n; i++)
        octets += expected->tlsa[i].data.len;
    struct tls_dane *d = os_new(sizeof *d + expected->tlsa_n * sizeof *d->records + octets);
    uint8_t *at = (uint8_t *)&d->records[expected->tlsa_n];
    d->n = expected->tlsa_n;
    for (size_t i = 0; i < d->n; i++) {
        d->records[i] = expected->tlsa[i];
        d->records[i].data.p = at;
        if (expected->tlsa[i].data.len > 0)
            memcpy(at, expected->tlsa[i].data.p, expected->tlsa[i].data.len);
        at += expected->tlsa[i].data.len;
    }
    if (also) {
        memcpy(at, expected->also, also);
        d->also = (const char *)at;
    }
    return d;
}

bool tls_dane_expect(SSL *ssl, const char *server_name, const struct tls_dane *dane)
{
    size_t added = 0;
    if (SSL_dane_enable(ssl, server_name) != 1)
        return false;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    /* RFC 7672 3.1.1: with DANE-EE(3) neither names nor dates of the certificate count. */
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    if (dane->also && SSL_add1_host(ssl, dane->also) != 1)
        return false;
    for (size_t i = 0; i < dane->n; i++) {
        const struct os_tls_tlsa *t = &dane->records[i];
        if (os_tls_tlsa_is_usable(t))
            added += SSL_dane_tlsa_add(ssl, t->usage, t->selector, t->matching, t->data.p, t->data.len) > 0;
    }
    ERR_clear_error();
    return added > 0;
}
