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

enum {
    USERS_CRYPT_MAX = 256,   /* octets of a crypt(3) hash and its NUL                */
    USERS_LABEL_MAX = 64,    /* octets of an application password's label           */
    USERS_SENDER_MAX = 320,  /* octets of one pattern: RFC 5321 4.5.3.1.1 and .2    */
    USERS_SENDERS_MAX = 100, /* patterns of one user                                */
    USERS_USED_MS = 300000   /* "last used" is written no more often than this      */
};

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
 *   folder     "." for the role
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
    struct sasl_verifier verifier; /* with the application passwords as `more`                */
    int64_t              more_id[SASL_MORE_MAX];
    bool                 imported; /* the password is the one of `crypt`                      */
    char                 crypt[USERS_CRYPT_MAX]; /* not imported: somebody's, as a decoy, or empty */
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

/* A user whose password is known as a crypt(3) hash only; users_set_verifier replaces it. */
SP_MUST_USE int users_import(struct users *u, struct sp_view name, const char *crypt_hash, int64_t now_ms);

/*
 * With a secret for CRAM-MD5 if the verifier has one; one that was kept is gone otherwise.
 * A user with application passwords has one salt for all of them, so the verifier must have it too
 * (sasl_verifier_remake); else SP_ERR_ABSENT.
 */
SP_MUST_USE int users_set_verifier(struct users *u, struct sp_view name, const struct sasl_verifier *v,
                                   int64_t now_ms);
SP_MUST_USE int users_set_disabled(struct users *u, struct sp_view name, bool disabled);
SP_MUST_USE int users_remove(struct users *u, struct sp_view name);

struct users_entry {
    struct users_name name;
    bool              disabled;
    int64_t           created_ms; /* wall times */
    int64_t           changed_ms; /* the password's */
    bool              imported;
    uint32_t          app_password_n, sender_n;
    bool              has_cram; /* a secret for CRAM-MD5 is kept */
};

/*
 * The user behind this name in the order of names; an empty name is before the first.
 * SP_ERR_ABSENT: that was the last. SP_ERR_IO.
 */
SP_MUST_USE int users_next(struct users *u, struct sp_view after, struct users_entry *entry_out);

/* This user. SP_ERR_ABSENT, SP_ERR_IO. */
SP_MUST_USE int users_show(struct users *u, struct sp_view name, struct users_entry *entry_out);

/* --- application passwords: app.c ----------------------------------------------------------- */

/* What is wrong with a label, as a sentence, or NULL. 1 to USERS_LABEL_MAX octets of UTF-8, no control characters. */
const char *users_label_fault(struct sp_view label);

/*
 * Give a user a further password.
 *
 *   v  its keys, made under the salt and the iterations of the user's own verifier
 *
 * SP_ERR_EXISTS  the user has one of this label
 * SP_ERR_ABSENT  no such user, another salt, or SASL_MORE_MAX are there
 */
SP_MUST_USE int users_app_add(struct users *u, struct sp_view name, struct sp_view label,
                              const struct sasl_verifier *v, int64_t now_ms);
SP_MUST_USE int users_app_remove(struct users *u, struct sp_view name, struct sp_view label);

struct users_app {
    int64_t id;
    uint8_t label[USERS_LABEL_MAX];
    size_t  label_len;
    int64_t created_ms;
    int64_t used_ms; /* 0: never; to USERS_USED_MS */
};

/* The one behind this id in the order of their making; 0 is before the first. SP_ERR_ABSENT, SP_ERR_IO. */
SP_MUST_USE int users_app_next(struct users *u, struct sp_view name, int64_t after, struct users_app *app_out);

/* It was used; written when the last time is USERS_USED_MS ago. */
void users_app_note_used(struct users *u, struct sp_view name, int64_t id, int64_t now_ms);

/* --- whom a user may send as: sender.c ------------------------------------------------------ */

/*
 * What is wrong with a pattern, as a sentence, or NULL. "bob@example.org", or with * for any octets:
 * "*@example.org", "bob+*@example.org", "*@*.example.org". Without regard to case.
 */
const char *users_sender_fault(struct sp_view pattern);

/*
 * Replace the list of a user.
 *   senders  one pattern a line; empty: whatever sender
 * SP_ERR_SYNTAX: a pattern is faulty, or there are too many.
 */
SP_MUST_USE int users_set_senders(struct users *u, struct sp_view name, struct sp_view senders);

/* The list of a user, one pattern a line; appended. SP_ERR_IO. */
SP_MUST_USE int users_senders(struct users *u, struct sp_view name, struct sp_buf *senders_out);

/* --- passwords of other servers: crypt.c ---------------------------------------------------- */

/* What is wrong with a crypt(3) hash, as a sentence, or NULL. */
const char *users_crypt_fault(const char *hash);

/* Is it the password of this hash? Takes what the hash's method takes: milliseconds and more. */
bool users_crypt_check(const char *hash, struct sp_view password);

#endif
