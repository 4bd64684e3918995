/* Secrets out of what is shown: a line of input is quoted only through here. */
#ifndef DIAGNOSE_MASK_H
#define DIAGNOSE_MASK_H

#include "diagnose/session.h"

/*
 * Quote a line: printable, cut to its size, and without passwords, tokens and SASL responses in any
 * form they are known to take.
 *
 *   secret  an octet range of the line that is hidden as a whole; empty for none. A copy of it elsewhere in the
 *           line is hidden too.
 */
void diagnose_mask_quote(struct sp_view line, struct sp_view secret, uint64_t number, struct place *place_out);

/*
 * The secret that stands at i or soon behind it with a name that says so ("password = ...", "-ap ...",
 * "smtp://name:...@host"); empty when there is none, or when a word of prose may stand there.
 */
struct sp_view diagnose_mask_named(struct sp_view line, size_t i);

/* What of a client's line is secret: the argument of AUTH behind the mechanism, a response; empty for none. */
struct sp_view diagnose_mask_secret_of(struct sp_view text, bool answers_challenge);

#endif
