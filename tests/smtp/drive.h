/*
 * The drive: every sequence of commands up to a depth is typed into the real engine and its
 * replies are compared with an oracle written apart from the rule table. Each reply goes
 * through the law book, and the engine's facts are compared with the oracle's after each.
 *
 * Sequences share their beginnings: between commands a session holds no memory but itself,
 * so a copy of it is a session in the same state.
 */
#ifndef TESTS_SMTP_DRIVE_H
#define TESTS_SMTP_DRIVE_H

#include "smtp/server_rules.h"

struct drive_listener {
    bool starttls, tls_required, auth_required, clear_auth, implicit_tls, lmtp, extended;
};

struct drive {
    struct drive_listener listener;
    smtp_rule_row *rules;    /* smtp_rules, or a damaged table              */
    unsigned commands;       /* of the oracle's, from the first             */
    unsigned depth;
    unsigned first[4];       /* commands to begin with                      */
    unsigned first_n;
    size_t cut;              /* type in pieces of so many octets; 0: whole  */
    unsigned long sequences; /* out: tried                                  */
    char fault[800];         /* out: empty, or the first difference         */
};

/* false: there is a difference. */
bool drive_run(struct drive *d);

#endif
