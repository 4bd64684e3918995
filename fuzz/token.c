/* Any octets as a bearer token, up to the first line feed, and, behind it, as the JWK set that shall have
 * signed it. */
#include <stdlib.h>

#include "base/view.h"
#include "os/heap.h"
#include "sasl/prep.h"
#include "sasl/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Times and names of RFC 7515 A.3 and of the seeds that are made like it. */
enum { NOW_S = 1300819300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sasl_token_rules rules = {"joe", NULL, NULL, "iss"};
    struct sp_view in = sp_view_make(data, size), token = sp_view_sub(in, 0, sp_view_find(in, '\n', 0));
    struct sp_view set = sp_view_from(in, token.len < in.len ? token.len + 1 : token.len);
    struct sasl_jwks *keys = NULL;
    struct sp_buf error, user;
    sp_buf_init(&error, &os_heap, 4096);
    sp_buf_init(&user, &os_heap, SASL_USER_MAX);
    int status = sasl_jwks_parse(set, &error, &keys);
    if ((status == SP_OK) != (keys != NULL) || (status != SP_OK && error.len == 0))
        abort();
    if (status == SP_OK) {
        enum sasl_token_fault fault = sasl_token_check(keys, &rules, token, NOW_S, &user);
        if (fault >= SASL_TOKEN_N || (fault == SASL_TOKEN_NONE) != (user.len > 0))
            abort();
        /* The token of nobody: without its last octet it is no signature. */
        if (fault == SASL_TOKEN_NONE && sasl_token_check(keys, &rules, sp_view_sub(token, 0, token.len - 2),
                                                         NOW_S, &error) == SASL_TOKEN_NONE)
            abort();
        sasl_jwks_free(keys);
    }
    sp_buf_fini(&error);
    sp_buf_fini(&user);
    return 0;
}
