/* Questions about text that has been lowered and ends in NUL. Nothing allocates. */
#ifndef DIAGNOSE_TEXT_H
#define DIAGNOSE_TEXT_H

#include "sallyport/base.h"

/*
 * Is one of the alternatives in the text? Alternatives are parted by '|'; a '*' inside one lets
 * anything stand between its parts. All of it in lower case: "relay*denied|unable to relay".
 */
bool diagnose_has(const char *text, const char *alternatives);

/* Which pairs of neighbouring letters a text has: most alternatives are ruled out by their first two. */
struct diagnose_pairs {
    uint64_t bits[16];
};
void diagnose_pairs_of(const char *text, struct diagnose_pairs *pairs_out);

/* diagnose_has for a text that is asked many things. */
bool diagnose_has_quick(const char *text, const struct diagnose_pairs *pairs, const char *alternatives);

/* Copy what fits, as lower-case printable ASCII and UTF-8 with other octets as spaces; ends in NUL. */
size_t diagnose_lower(struct sp_view v, char *out, size_t size);

/* Does the text have the word at its front, letters of either case; then a space, '\t', ':' or its end? */
bool diagnose_is_word(struct sp_view text, const char *word);

/* Does it begin so, letters of either case? */
bool diagnose_begins(struct sp_view text, const char *prefix);

/* The position of a needle in any letter case, or v.len. */
size_t diagnose_find(struct sp_view v, const char *needle);

/* Undo the escapes of a quoted string of Python, Ruby, C or JSON; returns octets written, at most in.len. */
size_t diagnose_unescape(struct sp_view in, uint8_t *out);

#endif
