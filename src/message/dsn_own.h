/* What the files of message_add_dsn share. */
#ifndef MESSAGE_DSN_OWN_H
#define MESSAGE_DSN_OWN_H

#include "message/dsn.h"

enum {
    DSN_FOLD_AT = 76,         /* columns of what we write                                 */
    DSN_LINE_MAX = 998,       /* RFC 5322 2.1.1                                           */
    DSN_HEADER_MAX = 32 << 10 /* of the message's header, so that a report stays small    */
};

/* A report that is being written. */
struct dsn_writing {
    struct sp_buf *out;
    const struct message_dsn *d;
    bool utf8; /* an address is */
    enum message_dsn_action action;
};

/* Text of strangers: what is not printable becomes '?'; at most half a line of it, for nothing that was
 * accepted is longer. UTF-8 stays in a report in UTF-8, what is none does not (RFC 6533 3). */
void dsn_add_text(const struct dsn_writing *w, struct sp_view text);
/* The same in lines, broken at spaces where it can be; `indent` begins each further line. */
void dsn_add_folded(const struct dsn_writing *w, size_t column, const char *indent, struct sp_view text);
void dsn_add_field(const struct dsn_writing *w, const char *name, const char *type, struct sp_view text);
void dsn_add_date(const struct dsn_writing *w, const char *name, int64_t ms);
/* The boundary, and the header of the next part. */
void dsn_add_boundary(const struct dsn_writing *w, const char *end);
void dsn_add_part(const struct dsn_writing *w, const char *header);

/* dsn_status.c: the part for programs */
void dsn_add_status(const struct dsn_writing *w);
/* dsn_return.c: the message or its header. true: it is 8bit. */
bool dsn_add_returned(const struct dsn_writing *w);

#endif
