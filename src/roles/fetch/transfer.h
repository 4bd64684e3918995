/*
 * One document over HTTPS: libcurl on the role's loop. No redirect is followed, no proxy is used, no cookie kept,
 * and names are looked up by dns/, as they are for mail.
 */
#ifndef FETCH_TRANSFER_H
#define FETCH_TRANSFER_H

#include "base/buf.h"
#include "dns/dns.h"

enum {
    FETCH_OCTETS_MAX = 256 << 10, /* of a document; attack: a host that never stops sending */
    FETCH_MS = 10000              /* for the whole, names included */
};

struct fetch_wanted {
    const char    *url;
    struct sp_view authorities_pem; /* who may sign the server's certificate; empty: the system's */
    bool           any_certificate; /* of the server: it is not looked at */
    struct sp_view type, body;      /* body not empty: it is posted, any 2xx is good, none is the document */
    bool           public_only;     /* no connection to addresses that are not, see os_address_is_public */
    bool           in_clear;        /* http:// is meant; the configuration allows it for loopback addresses */
};

struct fetch_result {
    const char    *fault;     /* NULL: here is the document; else a sentence that says why not */
    bool           untrusted; /* because of the server's certificate */
    struct sp_view document;
    int64_t        max_age_s; /* of Cache-Control; 0: not to be kept; -1: nothing is said */
};

struct fetch_transfer;

/* dns: where the resolver stands at the time of each transfer; borrowed. */
struct fetch_transfer *fetch_transfer_new(struct event_base *base, struct dns *const *dns);

/* NULL is fine; what is under way is given up. */
void fetch_transfer_free(struct fetch_transfer *t);

/*
 * Fetch. One at a time: whatever is under way is given up without `done`.
 *
 *   wanted  borrowed until `done`
 *   done    called once, by the loop; the result is borrowed for the call
 */
void fetch_transfer_begin(struct fetch_transfer *t, const struct fetch_wanted *wanted,
                          void (*done)(void *ctx, const struct fetch_result *result), void *ctx);

/* Give up what is under way, without `done`. */
void fetch_transfer_cancel(struct fetch_transfer *t);

/* max-age of a Cache-Control value, as in fetch_result. RFC 9111 5.2. */
int64_t fetch_max_age_s(struct sp_view cache_control);

#endif
