#include "roles/smtpd/refusals.h"

#include "base/view.h"

static const struct sp_refusal refusals[SMTPD_REFUSAL_N] = {
#define REFUSAL(NAME, id, c, e, t)                                                                           \
    [SMTPD_##NAME] = {.code = (c), .enhanced = (e), .reason = (id), .text = SP_LIT_INIT(t)},
#include "roles/smtpd/refusals.def"
#undef REFUSAL
};

const struct sp_refusal *smtpd_refusal(enum smtpd_refusal why) { return &refusals[why]; }

bool smtpd_is_own_reason(struct sp_view id)
{
    for (size_t i = SMTPD_FINE + 1; i < SMTPD_REFUSAL_N; i++)
        if (sp_view_eq(id, sp_view_of(refusals[i].reason)))
            return true;
    return false;
}
