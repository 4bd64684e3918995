/* The refusals that smtpd says for the server's policy and for roles that are away; see refusals.def. */
#ifndef SMTPD_REFUSALS_H
#define SMTPD_REFUSALS_H

#include "sallyport/replies.h"

enum smtpd_refusal {
    SMTPD_FINE, /* no refusal */
#define REFUSAL(NAME, id, code, enhanced, text) SMTPD_##NAME,
#include "roles/smtpd/refusals.def"
#undef REFUSAL
    SMTPD_REFUSAL_N
};

/* As the engine wants it. Not for SMTPD_FINE. */
const struct sp_refusal *smtpd_refusal(enum smtpd_refusal why);

/* Is a reason id one of these? */
bool smtpd_is_own_reason(struct sp_view id);

#endif
