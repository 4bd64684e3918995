/*
 * Alias files: which addresses a name of a domain stands for.
 *
 *     # a comment
 *     sales:       ann, bob@example.net     targets: a name of this domain, or an address
 *     info:        sales,
 *                  info-archive             a line that begins with a space goes on
 *     ann:         ann, ann@example.com     a name among its own targets: the mailbox itself, too
 *
 * Names are compared without case; quotes around a name with a colon, comma, # or space in it.
 */
#ifndef CONFIG_ALIASES_H
#define CONFIG_ALIASES_H

#include "base/buf.h"

struct config_aliases;

/*
 * Read the text of a file.
 *
 *   file         its name, for the faults
 *   error        each fault with its line is added
 *   aliases_out  config_aliases_free
 *
 * SP_ERR_SYNTAX: there are faults.
 */
SP_MUST_USE int config_aliases_parse(const char *file, struct sp_view text, struct sp_buf *error,
                                     struct config_aliases **aliases_out);
void config_aliases_free(struct config_aliases *a);

/* The targets of a name in lower case and without quotes, one a line; empty: it is none. */
struct sp_view config_aliases_find(const struct config_aliases *a, struct sp_view name);

size_t config_aliases_count(const struct config_aliases *a);

#endif
