/*
 * The users: one SQLite file, users.db, in the folder of the role auth. Passwords are not in it, only
 * SCRAM verifiers (sasl/verifier.h). Several processes may have it open; what one commits the next
 * call of every other sees.
 *
 * Names are kept as they were given and found without regard to case and spelling (SASLprep, then
 * case folding): "Demo@Example.org" and "demo@example.org" are one user. At most 255 octets of UTF-8,
 * no control characters.
 */
#ifndef USERS_USERS_H
#define USERS_USERS_H

#include "base/buf.h"
#include "sasl/prep.h"
#include "sasl/verifier.h"

struct users;

struct users_name {
    uint8_t octets[SASL_USER_MAX];
    size_t  len;
};

static inline struct sp_view users_name_view(const struct users_name *n)
{
    return (struct sp_view){n->octets, n->len};
}

/*
 * Open users.db, making it when it is not there (0600, owned by the folder's owner).
 *
 *   folder     "." for the role; taken as it is, so the current folder must stay
 *   error      a sentence for the operator when it fails
 *   users_out  owned by the caller: users_close
 *
 * SP_ERR_IO     the file cannot be opened, read or made
 * SP_ERR_RANGE  a newer sallyport made it
 */
SP_MUST_USE int users_open(const char *folder, struct sp_buf *error, struct users **users_out);

/* NULL is fine. */
void users_close(struct users *u);

/* Who a client says it is, and what to check the secret against: a decoy for a user who is not there. */
struct users_login {
    bool                 known;
    bool                 disabled;
    struct users_name    name; /* as kept; empty when not known */
    struct sasl_verifier verifier;
};

/*
 * Look a name up; takes the same work whether it is there or not.
 * SP_ERR_IO: the database cannot be read; it is logged.
 */
SP_MUST_USE int users_find(struct users *u, struct sp_view name, struct users_login *login_out);

/*
 * Change something; on disk when SP_OK comes back.
 *
 *   now_ms  wall time
 *
 * SP_ERR_SYNTAX  the name cannot be one (sasl_user_fault says why)
 * SP_ERR_EXISTS  add: it is there already
 * SP_ERR_ABSENT  the others: it is not there
 * SP_ERR_IO      the database cannot be written; it is logged
 */
SP_MUST_USE int users_add(struct users *u, struct sp_view name, const struct sasl_verifier *v, int64_t now_ms);
SP_MUST_USE int users_set_verifier(struct users *u, struct sp_view name, const struct sasl_verifier *v,
                                   int64_t now_ms);
SP_MUST_USE int users_set_disabled(struct users *u, struct sp_view name, bool disabled);
SP_MUST_USE int users_remove(struct users *u, struct sp_view name);

struct users_entry {
    struct users_name name;
    bool              disabled;
    int64_t           created_ms; /* wall times */
    int64_t           changed_ms; /* the password's */
};

/*
 * The user behind this name in the order of names; an empty name is before the first.
 * SP_ERR_ABSENT: that was the last. SP_ERR_IO.
 */
SP_MUST_USE int users_next(struct users *u, struct sp_view after, struct users_entry *entry_out);

#endif
