/*
 * A password file as a source of users: one a line, NAME:HASH and whatever further fields, the hash as crypt(3) makes it,
 * with or without Dovecot's {SCHEME}. Held in memory as it was when it was read.
 */
#ifndef USERS_PASSWORDS_H
#define USERS_PASSWORDS_H

#include "users/users.h"

struct users_passwords;

/*
 * Take a line apart.
 *
 *   name_out, hash_out  borrowed; hash_out has USERS_CRYPT_MAX octets
 *
 * Returns NULL, or what is wrong with it as a sentence. Empty lines and comments are the caller's.
 */
const char *users_password_line(struct sp_view line, struct sp_view *name_out, char *hash_out);

/*
 * Read a whole file's text.
 *   error  "line 3: NAME: what is wrong" of the first fault
 * SP_ERR_SYNTAX: a line is faulty, or a name stands twice.
 */
SP_MUST_USE int users_passwords_parse(struct sp_view text, struct sp_buf *error,
                                      struct users_passwords **passwords_out);
void users_passwords_free(struct users_passwords *p); /* NULL is fine; overwritten */

/*
 * Look a name up: `crypt` is its hash, and for whoever is not there one of the others, as a decoy. There is no
 * verifier, so SCRAM cannot be offered.
 */
void users_passwords_find(const struct users_passwords *p, struct sp_view name, struct users_login *login_out);

#endif
