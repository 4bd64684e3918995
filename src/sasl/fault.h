/*
 * What can be wrong with a SASL response: a name for the operator's log and a sentence that says what
 * would be right. The client learns only the class.
 */
#ifndef SASL_FAULT_H
#define SASL_FAULT_H

/*
 * NAME, class, id in logs, sentence. GRAMMAR: the response breaks the mechanism's grammar (501 5.5.2);
 * CREDENTIALS: it is well formed but can match nobody (535 5.7.8); INITIAL: it came before the challenge (501 5.7.0).
 */
#define SASL_FAULTS(X)                                                                                       \
    X(NONE, CREDENTIALS, "none", "nothing is wrong")                                                         \
    X(EMPTY, GRAMMAR, "empty-response", "the response is empty")                                             \
    X(MISSING_NUL, GRAMMAR, "missing-nul", "no NUL octet; PLAIN is [authzid] NUL user NUL password")         \
    X(MISSING_LEADING_NUL, GRAMMAR, "missing-leading-nul",                                                   \
      "one NUL octet where two are due; PLAIN is [authzid] NUL user NUL password")                           \
    X(EXTRA_NUL, GRAMMAR, "extra-nul", "more than two NUL octets; PLAIN is [authzid] NUL user NUL password") \
    X(NUL, GRAMMAR, "nul", "a NUL octet inside")                                                             \
    X(BACKSLASH_ZERO, GRAMMAR, "backslash-zero",                                                             \
      "the characters \\0 stand where the octet NUL is due; use printf '\\0user\\0password'")                \
    X(DOUBLE_BASE64, GRAMMAR, "double-base64", "base64 inside base64; encode once")                          \
    X(USER_COLON_PASSWORD, GRAMMAR, "user-colon-password",                                                   \
      "user:password as in HTTP; PLAIN is [authzid] NUL user NUL password")                                  \
    X(NOT_UTF8, GRAMMAR, "not-utf8", "not UTF-8; Latin-1 and other encodings must be converted")             \
    X(SCRAM_GRAMMAR, GRAMMAR, "scram-grammar", "not a SCRAM message of RFC 5802 section 7")                  \
    X(SCRAM_EXTENSION, GRAMMAR, "scram-extension", "a mandatory SCRAM extension that is unknown here")       \
    X(SCRAM_NONCE, GRAMMAR, "scram-nonce", "the nonce differs from the one of this exchange")                \
    X(SCRAM_BINDING, GRAMMAR, "scram-binding", "the channel binding data differ from the first message")     \
    X(BINDING_UNAVAILABLE, GRAMMAR, "binding-unavailable",                                                   \
      "channel binding is asked for with a mechanism that has none; use the name that ends in -PLUS")        \
    X(BINDING_MISSING, GRAMMAR, "binding-missing",                                                           \
      "a mechanism that ends in -PLUS without channel binding in its first message")                         \
    X(BINDING_KIND, CREDENTIALS, "binding-kind",                                                             \
      "a kind of channel binding that this connection does not have; tls-exporter is for TLS 1.3, tls-unique " \
      "for 1.2, tls-server-end-point for both")                                                              \
    X(BINDING_DOWNGRADE, CREDENTIALS, "binding-downgrade",                                                   \
      "the client can bind and believes that the server cannot, though -PLUS is offered: somebody in the middle " \
      "may have taken it out of the list")                                                                   \
    X(BINDING_MISMATCH, CREDENTIALS, "binding-mismatch",                                                     \
      "the client is bound to another TLS connection than this one: somebody is in the middle")              \
    X(OAUTH_GRAMMAR, GRAMMAR, "oauth-grammar",                                                               \
      "not of the form n,a=USER,^Aauth=Bearer TOKEN^A^A (OAUTHBEARER) or user=USER^Aauth=Bearer TOKEN^A^A "  \
      "(XOAUTH2), where ^A is the octet 1")                                                                  \
    X(OAUTH_TOKEN_GRAMMAR, GRAMMAR, "oauth-token-grammar",                                                   \
      "auth= is not Bearer and one token of RFC 6750; a quote or line end has slipped in")                   \
    X(OAUTH_TOKEN_LONG, GRAMMAR, "oauth-token-long", "the token is longer than 8,192 octets")                \
    X(CRAM_GRAMMAR, GRAMMAR, "cram-grammar",                                                                 \
      "not a user name, a space and 32 hexadecimal digits, as CRAM-MD5 wants it")                            \
    X(INITIAL, INITIAL, "initial-response",                                                                  \
      "an initial response, and this mechanism begins with the server's challenge; send AUTH and its name alone") \
    X(TRAILING_NEWLINE, CREDENTIALS, "trailing-newline",                                                     \
      "a line end at the end; use printf '%s' or echo -n before base64")                                     \
    X(CONTROL, CREDENTIALS, "control-character", "a control character inside")                               \
    X(PROHIBITED, CREDENTIALS, "prohibited-character", "a character that SASLprep (RFC 4013) prohibits")     \
    X(UNASSIGNED, CREDENTIALS, "unassigned-character",                                                       \
      "a character that SASLprep (RFC 4013, Unicode 3.2) does not know; newer emoji are such")               \
    X(MIXED_DIRECTION, CREDENTIALS, "mixed-direction",                                                       \
      "left-to-right and right-to-left characters mixed in a way that SASLprep (RFC 4013) prohibits")        \
    X(EMPTY_USER, CREDENTIALS, "empty-user", "the user name is empty")                                       \
    X(EMPTY_PASSWORD, CREDENTIALS, "empty-password", "the password is empty")                                \
    X(USER_LONG, CREDENTIALS, "user-too-long", "the user name is longer than 255 octets")                    \
    X(PASSWORD_LONG, CREDENTIALS, "password-too-long", "the password is longer than 1,024 octets")           \
    X(OTHER_AUTHZID, CREDENTIALS, "other-authzid",                                                           \
      "asks to act as somebody else; leave the authorization identity empty")                                \
    X(REFUSED, CREDENTIALS, "refused", "the user is unknown, disabled, or the password is wrong")

#define X(n, ...) SASL_FAULT_##n,
enum sasl_fault { SASL_FAULTS(X) SASL_FAULT_N };
#undef X

enum sasl_fault_class { SASL_CREDENTIALS, SASL_GRAMMAR, SASL_INITIAL };

enum sasl_fault_class sasl_fault_class(enum sasl_fault f);

/* "missing-nul": static text for logs. */
const char *sasl_fault_id(enum sasl_fault f);

/* The sentence: static text, without a full stop. */
const char *sasl_fault_text(enum sasl_fault f);

#endif
