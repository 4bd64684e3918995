/* One configuration with all that is read for it: what a reload replaces at once, or not at all. */
#ifndef SUPERVISOR_GENERATION_H
#define SUPERVISOR_GENERATION_H

#include "roles/supervisor/supervisor.h"

/* What a relay route logs in with, and whom it trusts: files that only the supervisor may be able to read. */
struct credential {
    const char *route, *user; /* of the configuration; user NULL: no AUTH */
    struct sp_buf password;
    struct sp_buf authorities_pem;
    struct sp_buf certificates_pem, key_pem; /* that it shows */
};

/* Who signs the certificates of a listener's clients. */
struct authorities {
    const char *listener; /* of the configuration */
    struct sp_buf pem;
};

/* What names of a domain stand for. */
struct alias_file {
    const char *domain; /* of the configuration */
    struct sp_buf text;
};

struct generation {
    uint32_t number;
    char *path; /* for messages */
    struct sp_buf text;
    struct config *config;
    struct sp_buf certificates_pem, key_pem;
    struct sp_buf jwks; /* of tokens/jwks-file; empty: none */
    struct sp_buf fetch_authorities_pem; /* of tokens/jwks-ca-file; empty: the system's */
    struct sp_buf srs_secrets; /* of srs/secret-file; empty: none */
    struct sp_buf passwords; /* of users/path, when that is a password file */
    struct credential *credentials;
    size_t credential_n;
    struct authorities *authorities;
    size_t authorities_n;
    struct alias_file *aliases;
    size_t alias_n;
};

/*
 * Read and parse the configuration. The rest is read by generation_read_secrets, when the data folder is
 * known.
 *
 *   error           sentences for the operator
 *   generation_out  owned by the caller: generation_free
 *
 * Returns EX_OK or what went wrong: EX_NOINPUT, EX_CONFIG, EX_USAGE.
 */
int generation_read(const struct supervisor_options *options, uint32_t number, struct sp_buf *error,
                    struct generation **generation_out);

/* Read certificate, key, token keys, and the passwords and authorities of routes. EX_OK, EX_NOINPUT,
 * EX_CONFIG. */
int generation_read_secrets(struct generation *g, int data_folder, struct sp_buf *error);

/* NULL is fine. Secrets are overwritten. */
void generation_free(struct generation *g);

#endif
