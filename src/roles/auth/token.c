/* Bearer tokens against the rules of the configuration. */
#include "base/view.h"
#include "os/clock.h"
#include "roles/auth/auth.h"

#include <string.h>

struct sp_view auth_token_refusal(const char *mechanism)
{
    return strcmp(mechanism, "XOAUTH2") == 0 ? SP_LIT("{\"status\":\"401\",\"schemes\":\"bearer\"}")
                                             : SP_LIT("{\"status\":\"invalid_token\"}");
}

enum sasl_token_fault auth_token_judge(const struct auth *a, struct sp_view token, struct sp_view claimed,
                                       struct sp_buf *user_out)
{
    const struct config_tokens *t = &a->role->config->tokens;
    const struct sasl_token_rules rules = {t->issuer, t->audience, t->scope, t->user_claim};
    const struct sasl_jwks *keys = auth_keys(a);
    if (!keys)
        return SASL_TOKEN_KEY;
    enum sasl_token_fault fault = sasl_token_check(keys, &rules, token, os_wall_ms() / 1000, user_out);
    if (fault == SASL_TOKEN_NONE && claimed.len && !sp_view_eq_nocase(claimed, sp_buf_view(user_out)))
        return SASL_TOKEN_OTHER_USER;
    return fault;
}
