/* Replies looked up in the law book (rfc_codes.def), and their form checked. */
#ifndef TESTS_SMTP_BOOK_H
#define TESTS_SMTP_BOOK_H

#include "sallyport/base.h"

/* May this code answer this input? A verb that the book does not know: ANSWERS_ANY alone. */
bool book_allows(const char *input, int code);

/*
 * Is this one whole reply, all of its lines, in the form that RFC 5321 4.2, RFC 2034 and our own
 * rule of reason ids ask for, and may it answer this input?
 *
 *   NULL for yes, else what is wrong (static)
 */
const char *book_fault(const char *input, struct sp_view reply);

/* The length of the first whole reply in `out`, or 0 while its last line is not there. */
size_t book_reply_len(struct sp_view out);

/* The code of a reply, or 0. */
int book_code(struct sp_view reply);

/* Its reason id, or the empty view. */
struct sp_view book_reason(struct sp_view reply);

#endif
