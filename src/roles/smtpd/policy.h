/* Who may send to whom, and the route that a recipient takes: decided when it is accepted. */
#ifndef SMTPD_POLICY_H
#define SMTPD_POLICY_H

#include "config/config.h"
#include "roles/addresses.h"
#include "roles/smtpd/refusals.h"
#include "sallyport/smtp_server.h"

typedef void policy_take(void *ctx, struct sp_view address, const struct config_route *route);

/*
 *   may_relay  authenticated, or from a network of relay-from
 *   sender     of MAIL FROM, empty for the null path
 *   take       called when the answer is SMTPD_FINE: with the recipient, or with each that it stands for
 */
enum smtpd_refusal policy_recipient(const struct addresses *a, const struct config *c, bool may_relay,
                                    struct sp_view sender, const struct sp_path *recipient, policy_take *take,
                                    void *ctx);

/* What VRFY is told of a mailbox: FINE, UNKNOWN_RECIPIENT; NO_ROUTE where it is none of ours. */
enum smtpd_refusal policy_mailbox(const struct addresses *a, const struct config *c, const struct sp_path *mailbox);

/* The same for EXPN, of a mailbox, or of a name alone in the server's own domain. take: each that it stands for. */
enum smtpd_refusal policy_expand(const struct addresses *a, const struct config *c, struct sp_view words,
                                 policy_take *take, void *ctx);

/* Is the domain, if it is Unicode, one that DNS can have (RFC 6531 3.2)? */
bool policy_is_domain(struct sp_view domain);

/*
 * May the sender of a MAIL FROM be this one?
 *   senders  patterns "LOCAL@DOMAIN", one a line, with * for any octets
 * The null path is: notifications that a mail program sends (RFC 8098) have it.
 */
bool policy_may_send(struct sp_view senders, const struct sp_path *sender);

#endif
