/*
 * Channel binding: what ties a SASL exchange to the TLS connection it runs in, so that nobody in the middle can
 * pass it on. RFC 5056; the kinds are RFC 9266 (TLS 1.3) and RFC 5929 (TLS 1.2).
 */
#ifndef SASL_BINDING_H
#define SASL_BINDING_H

#include "base/view.h"

/* Best first. NAME, name in the gs2 header. */
#define SASL_BINDINGS(X)                                                                                     \
    X(EXPORTER, "tls-exporter")                                                                              \
    X(UNIQUE, "tls-unique")                                                                                  \
    X(END_POINT, "tls-server-end-point")

#define X(n, ...) SASL_BINDING_##n,
enum sasl_binding_kind { SASL_BINDINGS(X) SASL_BINDING_N };
#undef X

enum { SASL_BINDING_MAX = 64 }; /* octets of one kind's data */

/* What this connection has; an empty view: not that kind. Secrets, all but the end point's. */
struct sasl_binding {
    struct sp_view data[SASL_BINDING_N];
};

/* "tls-exporter": static text. */
const char *sasl_binding_name(enum sasl_binding_kind kind);

/* SASL_BINDING_N: not a kind that is known here. */
enum sasl_binding_kind sasl_binding_find(struct sp_view name);

/* The best kind that this connection has, or SASL_BINDING_N. */
enum sasl_binding_kind sasl_binding_best(const struct sasl_binding *b);

#endif
