/* Questions about text that has been lowered and ends in NUL. Nothing allocates. */
#ifndef DIAGNOSE_TEXT_H
#define DIAGNOSE_TEXT_H

#include "sallyport/base.h"

/*
 * Is one of the alternatives in the text? Alternatives are parted by '|'; a '*' inside one lets
 * anything stand between its parts. All of it in lower case: "relay*denied|unable to relay".
 */
bool diagnose_has(const char *text, const char *alternatives);

/* A text that is asked many things, and which three letters stand side by side in it: most alternatives are
 * ruled out by their first or last three. */
enum { DIAGNOSE_TRIPLES = 4096 };
struct diagnose_heard {
    const char *text; /* as diagnose_has takes it; borrowed */
    size_t len;
    uint64_t triples[DIAGNOSE_TRIPLES / 64];
};
void diagnose_hear(const char *text, size_t len, struct diagnose_heard *heard_out);

/* diagnose_has of such a text. */
bool diagnose_hears(const struct diagnose_heard *h, const char *alternatives);

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
