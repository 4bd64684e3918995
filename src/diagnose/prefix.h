/* What a log writes before a line of SMTP: times, levels, programs, connections. */
#ifndef DIAGNOSE_PREFIX_H
#define DIAGNOSE_PREFIX_H

#include "sallyport/base.h"

/*
 * Skip it.
 *
 *   key_out  what tells this conversation from others: a program with its process id, a session
 *            id; empty when the line has none. Borrowed from the line.
 */
struct sp_view diagnose_prefix_skip(struct sp_view line, struct sp_view *key_out);

/* Take ANSI escapes, HTML tags and entities, CR and NUL out of a line, in place. Returns its new length. */
size_t diagnose_clean(uint8_t *p, size_t n);

#endif
