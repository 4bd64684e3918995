/* What a listener wants of its sessions, kept for as long as a session lives by it. */
#ifndef SMTPD_TERMS_H
#define SMTPD_TERMS_H

#include "roles/smtpd/smtpd.h"

/* One reference, the caller's. */
struct terms *terms_new(const struct smtpd *smtpd, const struct config_listener *listener);
struct terms *terms_ref(struct terms *t);
void terms_unref(struct terms *t);

/* May this peer say XCLIENT and XFORWARD? */
bool terms_trusts_peer(const struct terms *t, const struct os_address *from);

bool terms_may_relay(const struct terms *t, const struct os_address *from);

/* Must a connection from there begin with a PROXY header? */
bool terms_is_proxy(const struct terms *t, const struct os_address *from);

/* The octets by which connections of an address are counted: a machine has a /64 of IPv6 to itself. */
struct sp_view terms_key(const struct os_address *a);

#endif
