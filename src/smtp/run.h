/* Long stretches of ordinary lines, passed over in blocks instead of line by line. */
#ifndef SMTP_RUN_H
#define SMTP_RUN_H

#include "sallyport/base.h"

/*
 * Octets to look through for the next CR or LF at once. Where CR or LF stand alone, each is a stop: were
 * everything looked through at each, many of them would cost the square of their number.
 */
enum { SMTP_RUN_LOOK = 4096 };

/*
 * From `from` (1..in.len) on, how far is every line end a CRLF, and no line begins with a dot? Judged with
 * the octet before `from`, in whole blocks: less than a block is not looked at. Stops after SMTP_RUN_LOOK
 * octets, since then lines may be long.
 *
 *   line_end  where the next CR or LF is; the end of what was looked through, where none was found. When it
 * is far, nothing is passed over: the caller, who has looked, takes a long line faster by itself
 *
 * Returns the index behind it; `from` when there is nothing to pass over.
 */
size_t smtp_run_plain(struct sp_view in, size_t from, size_t line_end);

#endif
