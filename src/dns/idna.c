#include "dns/idna.h"

#include "base/view.h"

#include <idn2.h>
#include <string.h>

static bool is_ascii(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] > 127)
            return false;
    return true;
}

static int put(const void *text, size_t len, char *out, size_t *len_out)
{
    if (len >= DNS_IDNA_MAX)
        return SP_ERR_LONG;
    if (len)
        memcpy(out, text, len);
    out[len] = 0;
    *len_out = len;
    return SP_OK;
}

int dns_idna(struct sp_view domain, char out[DNS_IDNA_MAX], size_t *len_out)
{
    enum { UNICODE_MAX = 1024 };
    uint8_t text[UNICODE_MAX];
    uint8_t *ascii = NULL;
    if (is_ascii(domain))
        return put(domain.p, domain.len, out, len_out);
    if (domain.len >= sizeof text)
        return SP_ERR_LONG;
    memcpy(text, domain.p, domain.len);
    text[domain.len] = 0;
    if (idn2_lookup_u8(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return SP_ERR_SYNTAX;
    int status = put(ascii, strlen((const char *)ascii), out, len_out);
    idn2_free(ascii);
    return status;
}
