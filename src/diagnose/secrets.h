/* The secrets that an input has shown, so that a later line which repeats one in prose does not show it. */
#ifndef DIAGNOSE_SECRETS_H
#define DIAGNOSE_SECRETS_H

#include "diagnose/session.h"

enum { SECRETS_MAX = 16, SECRET_SIZE = 256, SECRET_SHORTEST = 2 };

/* The latest of them; the owner wipes it. */
struct secrets {
    uint8_t text[SECRETS_MAX][SECRET_SIZE];
    size_t len[SECRETS_MAX];
    size_t n; /* ever learnt; the next takes place n % SECRETS_MAX */
};

/* A client's response as it stands in the log: a password or token in it, and its encoded form. asked: for a password. */
void diagnose_secrets_learn_response(struct secrets *k, struct sp_view mechanism, bool asked, struct sp_view response);

/* A line in which a secret stands behind its name: an option of a command, a setting, a dumped structure. */
void diagnose_secrets_learn_named(struct secrets *k, struct sp_view line);

/* Hide what is known in a text that ends in NUL; it never grows. */
void diagnose_secrets_hide(const struct secrets *k, char *text);

#endif
