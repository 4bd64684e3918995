/* SASLprep (RFC 4013): two spellings of one name or password become the same octets. */
#ifndef SASL_PREP_H
#define SASL_PREP_H

#include "base/buf.h"
#include "sasl/fault.h"

enum {
    SASL_USER_MAX = 255,      /* octets: what RFC 4616 section 2 asks for */
    SASL_PASSWORD_MAX = 1024, /* octets, before and after preparation     */
    SASL_TOKEN_MAX = 8192     /* octets of a bearer token: within a line of AUTH   */
};

enum sasl_prep_kind {
    SASL_PREP_QUERY, /* what a client presents: unassigned characters pass                     */
    SASL_PREP_STORED /* what is kept: they do not, or it would change with Unicode's growth     */
};

/*
 * Prepare a text.
 *
 *   out        appended to; holds no second copy behind: reserve it first when it is a secret
 *   fault_out  set when SP_ERR_SYNTAX; the password's and user's own rules are not looked at here
 *
 * SP_ERR_SYNTAX  not UTF-8, or SASLprep prohibits it
 * SP_ERR_LONG    out's ceiling
 * SP_ERR_NOMEM
 */
SP_MUST_USE int sasl_prep(struct sp_view in, enum sasl_prep_kind kind, struct sp_buf *out,
                          enum sasl_fault *fault_out);

/*
 * The same, and without regard to case (nameprep, RFC 3491, on top): for the names of users, which
 * people write as they write mail addresses.
 */
SP_MUST_USE int sasl_prep_name(struct sp_view in, enum sasl_prep_kind kind, struct sp_buf *out,
                               enum sasl_fault *fault_out);

/* What is wrong with a name of a user or a password as presented, or SASL_FAULT_NONE. */
enum sasl_fault sasl_user_fault(struct sp_view user, enum sasl_prep_kind kind);
enum sasl_fault sasl_password_fault(struct sp_view password, enum sasl_prep_kind kind);

#endif
