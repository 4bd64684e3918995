#include "base/view.h"
#include "os/heap.h"
#include "users/users.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

const char *users_crypt_fault(const char *hash)
{
    if (strlen(hash) >= USERS_CRYPT_MAX)
        return "it is too long for a crypt(3) hash";
    if (hash[0] == '!' || hash[0] == '*' || hash[0] == '\0' || strcmp(hash, "x") == 0)
        return "it is no hash: the account is locked, or its hash stands elsewhere";
    if (hash[0] != '$')
        return "it is not a crypt(3) hash of the form $id$...; DES hashes and {SCHEME} prefixes are not "
               "taken";
    int known = crypt_checksalt(hash);
    return known == CRYPT_SALT_INVALID || known == CRYPT_SALT_METHOD_DISABLED
               ? "libcrypt does not know its method; allowed: $y$, $6$, $5$, $2b$, $2y$, $2a$, $1$, ..."
               : NULL;
}

bool users_crypt_check(const char *hash, struct sp_view password)
{
    char text[CRYPT_MAX_PASSPHRASE_SIZE + 1];
    if (password.len > CRYPT_MAX_PASSPHRASE_SIZE)
        return false;
    memcpy(text, password.p, password.len);
    text[password.len] = '\0';
    struct crypt_data *data = os_new(sizeof *data);
    const char *made = crypt_rn(text, hash, data, (int)sizeof *data);
    size_t len = strlen(hash);
    bool right = made && strlen(made) == len && sp_view_eq_secret(sp_view_of(made), sp_view_make(hash, len));
    explicit_bzero(text, sizeof text);
    explicit_bzero(data, sizeof *data);
    free(data);
    return right;
}
