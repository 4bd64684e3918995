/*
 * A refusal as data: what a caller of the engine says when it says no, and
 * what a client learns from a reply.
 */
#ifndef SALLYPORT_REPLIES_H
#define SALLYPORT_REPLIES_H

#include "sallyport/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One refusal. On the wire: `550 5.1.1 No such mailbox [unknown-recipient]`.
 *
 *   code      400..599 (RFC 5321 4.2.1)
 *   enhanced  "5.1.1", class equal to the code's first digit (RFC 3463); static text
 *   reason    stable id of lower-case letters, digits and hyphens; static text
 *   text      one sentence, printable ASCII, no closing bracket needed; cut so that
 *             the whole line keeps within 512 octets
 *
 * `text` and the struct are borrowed for the call they are given to; `enhanced` and `reason` are not copied.
 */
struct sp_refusal {
    int            code;
    const char    *enhanced;
    const char    *reason;
    struct sp_view text;
};

#ifdef __cplusplus
}
#endif

#endif
