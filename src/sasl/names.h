/*
 * The mechanisms by name, and what each needs of the place where it is offered. A table alone, so that the
 * configuration can name mechanisms without what runs them.
 */
#ifndef SASL_NAMES_H
#define SASL_NAMES_H

/* What a mechanism needs; bits. */
enum sasl_need {
    SASL_NEEDS_CHANNEL = 1,     /* a TLS connection                                                  */
    SASL_NEEDS_CERTIFICATE = 2, /* a certificate of the client, shown in it                          */
    SASL_NEEDS_VERIFIER = 4,    /* a source of users that has SCRAM verifiers                        */
    SASL_NEEDS_ISSUER = 8,      /* an issuer of tokens whose keys are known                          */
    SASL_NEEDS_PRIVACY = 16,    /* it shows a password or token to whoever reads along               */
    SASL_NEEDS_NAMING = 32      /* offered only where somebody names it                              */
};

/* ID, name, needs. Strongest first: the order of EHLO and of a client's choice. */
#define SASL_MECHANISMS(X)                                                                                   \
    X(external, "EXTERNAL", SASL_NEEDS_CHANNEL | SASL_NEEDS_CERTIFICATE)                                     \
    X(scram_sha_256_plus, "SCRAM-SHA-256-PLUS", SASL_NEEDS_CHANNEL | SASL_NEEDS_VERIFIER)                    \
    X(scram_sha_1_plus, "SCRAM-SHA-1-PLUS", SASL_NEEDS_CHANNEL | SASL_NEEDS_VERIFIER)                        \
    X(scram_sha_256, "SCRAM-SHA-256", SASL_NEEDS_VERIFIER)                                                   \
    X(scram_sha_1, "SCRAM-SHA-1", SASL_NEEDS_VERIFIER)                                                       \
    X(cram_md5, "CRAM-MD5", SASL_NEEDS_VERIFIER | SASL_NEEDS_NAMING)                                         \
    X(oauthbearer, "OAUTHBEARER", SASL_NEEDS_ISSUER | SASL_NEEDS_PRIVACY)                                 \
    X(xoauth2, "XOAUTH2", SASL_NEEDS_ISSUER | SASL_NEEDS_PRIVACY)                                         \
    X(plain, "PLAIN", SASL_NEEDS_PRIVACY)                                                                 \
    X(login, "LOGIN", SASL_NEEDS_PRIVACY)

#define X(id, ...) SASL_ID_##id,
enum sasl_mechanism_id { SASL_ID_NONE, SASL_MECHANISMS(X) SASL_ID_N };
#undef X

#endif
