/*
 * Whose a message says it is: the addresses of its From and Sender fields, while it streams by. Octets in any split; memory
 * is bounded by MESSAGE_AUTHOR_FIELD_MAX.
 *
 * Read are the forms of RFC 5322 3.4 and 4.4 (groups, comments, quoted strings, folded lines, source routes, blanks
 * anywhere) and RFC 6532 (UTF-8). What cannot be read for certain is MALFORMED, since a mail program might read it in
 * another way and show somebody else's address.
 */
#ifndef MESSAGE_AUTHOR_H
#define MESSAGE_AUTHOR_H

#include "base/buf.h"

enum { MESSAGE_AUTHOR_FIELD_MAX = 16384, MESSAGE_AUTHOR_ADDRESS_MAX = 512 };

enum message_author_verdict {
    MESSAGE_AUTHOR_FINE,
    MESSAGE_AUTHOR_REFUSED,  /* `may` said no of an address */
    MESSAGE_AUTHOR_MALFORMED /* a field that cannot be read, or is too long */
};

/* local: without quotes where they are not needed; domain: a name or [literal]. Comments and blanks are gone. */
typedef bool message_author_may(void *ctx, struct sp_view local, struct sp_view domain);

/*
 * Read one field's value; it ends before its last CRLF.
 *   refused_out  appended to: the address of REFUSED
 */
enum message_author_verdict message_author_read(struct sp_view value, message_author_may *may, void *ctx,
                                                struct sp_buf *refused_out);

struct message_author {
    message_author_may         *may;
    void                       *ctx;
    enum message_author_verdict verdict; /* of the first field that is not fine */
    struct sp_buf               field;   /* the line being read, with those folded into it */
    struct sp_buf               refused; /* the address that may not be, for the log */
    bool                        in_header, skipping;
    uint8_t                     last;
};

/* alloc: borrowed until message_author_fini; one buffer of at most MESSAGE_AUTHOR_FIELD_MAX. */
void message_author_init(struct message_author *a, const struct sp_allocator *alloc, message_author_may *may,
                         void *ctx);
void message_author_feed(struct message_author *a, struct sp_view octets);

/* The message is whole: a header without a body ends here. */
enum message_author_verdict message_author_end(struct message_author *a);
void message_author_fini(struct message_author *a);

#endif
