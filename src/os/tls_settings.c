/* What a person may want of TLS: versions and ciphers. */
#include "os/tls.h"

#include "base/view.h"
#include "os/tls_context.h"

#include <openssl/err.h>
#include <string.h>

static int version_of(const char *text)
{
    static const struct {
        const char *text;
        int version;
    } versions[] = {
        {"1.0", TLS1_VERSION}, {"1.1", TLS1_1_VERSION}, {"1.2", TLS1_2_VERSION}, {"1.3", TLS1_3_VERSION}};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        if (strcmp(text, versions[i].text) == 0)
            return versions[i].version;
    return 0;
}

static int refuse(struct sp_buf *error, const char *what, const char *given, const char *why)
{
    sp_buf_add_str(error, what);
    sp_buf_add_str(error, " ");
    sp_buf_add_str(error, given);
    sp_buf_add_str(error, ": ");
    sp_buf_add_str(error, why);
    ERR_clear_error();
    return SP_ERR_SYNTAX;
}

static int set_versions(SSL_CTX *ctx, const struct os_tls_settings *s, struct sp_buf *error)
{
    static const char wanted[] = "1.0, 1.1, 1.2 or 1.3 is wanted";
    if (s->min_version && !version_of(s->min_version))
        return refuse(error, "the TLS version", s->min_version, wanted);
    if (s->max_version && !version_of(s->max_version))
        return refuse(error, "the TLS version", s->max_version, wanted);
    int min = s->min_version ? version_of(s->min_version) : TLS1_2_VERSION;
    int max = s->max_version ? version_of(s->max_version) : 0;
    if (max > 0 && max < min && !s->min_version)
        min = max;
    if (max > 0 && max < min)
        return refuse(error, "the highest TLS version", s->max_version, "it is below the lowest");
    if (min < TLS1_2_VERSION) /* OpenSSL has put their signatures below every level but this */
        SSL_CTX_set_security_level(ctx, 0);
    if (!SSL_CTX_set_min_proto_version(ctx, min) || !SSL_CTX_set_max_proto_version(ctx, max))
        return refuse(error, "the TLS versions", s->max_version ? s->max_version : s->min_version,
                      tls_reason());
    return SP_OK;
}

/* Names of TLS 1.3 are a list of their own in OpenSSL. */
static int set_ciphers(SSL_CTX *ctx, const char *ciphers, struct sp_buf *error)
{
    bool new_ones = strncmp(ciphers, "TLS_", 4) == 0;
    if (new_ones ? SSL_CTX_set_ciphersuites(ctx, ciphers) : SSL_CTX_set_cipher_list(ctx, ciphers))
        return SP_OK;
    return refuse(error, "the ciphers", ciphers, tls_reason());
}

int os_tls_set(struct os_tls_context *t, const struct os_tls_settings *s, struct sp_buf *error)
{
    int status = SP_OK;
    ERR_clear_error();
    if (s->min_version || s->max_version)
        status = set_versions(t->ctx, s, error);
    if (!status && s->ciphers)
        status = set_ciphers(t->ctx, s->ciphers, error);
    return status;
}
