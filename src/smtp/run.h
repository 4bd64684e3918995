/* Long stretches of ordinary lines, passed over in blocks instead of line by line. */
#ifndef SMTP_RUN_H
#define SMTP_RUN_H

#include "sallyport/base.h"

/*
 * From `from` (1..in.len) on, how far is every line end a CRLF, and no line begins with a dot? Judged with the octet before
 * `from`, in whole blocks: less than a block is not looked at, nor is a line that is very long.
 *
 * Returns the index behind it; `from` when there is nothing to pass over.
 */
size_t smtp_run_plain(struct sp_view in, size_t from);

#endif
