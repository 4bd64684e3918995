/*
 * The client's side of a SASL exchange: challenges in, responses out. Octets only, no base64, no
 * I/O. RFC 4422; the mechanisms' own RFCs stand in their files.
 */
#ifndef SASL_CLIENT_H
#define SASL_CLIENT_H

#include "sasl/binding.h"

#include "base/buf.h"

/* What the user gave. Borrowed for the life of the exchange; password is a secret. */
struct sasl_credentials {
    struct sp_view user;
    struct sp_view password;
    bool token; /* password is a bearer token: it goes to OAuth mechanisms only, and a password never does */
    bool certificate; /* TLS shows one: EXTERNAL can be used, and without a password nothing else. user may be empty then */
};

/* What a mechanism is chosen by, and what the connection is. Borrowed for the life of the exchange. */
struct sasl_offer {
    struct sp_view mechanisms;          /* words behind AUTH in the EHLO reply                        */
    bool secure;                        /* TLS is up, or what shows a password may go in clear anyway */
    const struct sasl_binding *binding; /* NULL: nothing to bind to                                   */
    struct sp_view floor;               /* nothing weaker than this mechanism; empty: any             */
    struct sp_view failed;              /* only weaker ones than this, which was tried; empty: all    */
};

/* Is it one of ours? For options that name one. */
bool sasl_client_knows(struct sp_view mechanism);

struct sasl_client;

/*
 * Begin an exchange.
 *
 *   mechanism   one name, any case: EXTERNAL, SCRAM-SHA-256, ...
 *   client_out  owned by the caller: sasl_client_free
 *
 * SP_ERR_ABSENT: not a mechanism of ours. SP_ERR_MISUSE: it takes a token and there is a password, or the
 * other way round, or a certificate that is not there. SP_ERR_NOMEM.
 */
SP_MUST_USE int sasl_client_new(struct sp_view mechanism, const struct sasl_credentials *credentials,
                                const struct sp_allocator *alloc, struct sasl_client **client_out);

/* NULL is fine; secrets are overwritten. */
void sasl_client_free(struct sasl_client *c);

/* May the first response go along with the AUTH command? Then ask sasl_client_step with an empty challenge. */
bool sasl_client_has_initial(const struct sasl_client *c);

/*
 * Answer a challenge.
 *
 *   challenge     decoded; empty for the initial response
 *   response_out  appended to; a secret: sp_buf_fini_secret
 *   sent_out      names what was answered, for an explained conversation: "user name", "password",
 *                 "user name and password". Static text
 *
 * SP_ERR_SYNTAX: the challenge makes no sense for this mechanism: cancel with "*".
 * SP_ERR_MISUSE: this mechanism cannot carry these credentials (a NUL inside, an empty name).
 * For both sasl_client_fault says which.
 * SP_ERR_NOMEM, SP_ERR_LONG: as of response_out.
 */
SP_MUST_USE int sasl_client_step(struct sasl_client *c, struct sp_view challenge, struct sp_buf *response_out,
                                 const char **sent_out);

/* Why the last step was SP_ERR_SYNTAX or SP_ERR_MISUSE: a sentence, static text. NULL: it was neither. */
const char *sasl_client_fault(const struct sasl_client *c);

/*
 * May the server's "yes" be believed? Not before SCRAM's server has proved that it knows the password too
 * (RFC 5802 section 3): a 235 that comes earlier is a failure.
 */
bool sasl_client_is_complete(const struct sasl_client *c);

/*
 * Bind the exchange to its connection, and let SCRAM say whether it could: before the first step.
 *   offer  binding and mechanisms; the binding is borrowed for the life of the exchange
 */
void sasl_client_bind(struct sasl_client *c, const struct sasl_offer *offer);

/*
 * The best mechanism both sides have.
 *
 *   wanted      a mechanism's name, or empty for the strongest
 *   credentials what there is: mechanisms that need something else are passed over
 *   why_out     when SP_ERR_ABSENT: a sentence that says what was offered and what would be needed
 */
SP_MUST_USE int sasl_client_choose(const struct sasl_offer *offer, struct sp_view wanted, const struct sasl_credentials *credentials,
                                   struct sp_view *mechanism_out, struct sp_buf *why_out);

#endif
