/* What must be known of a message's header while it streams by. Octets in any split; nothing is stored. */
#ifndef MESSAGE_SCAN_H
#define MESSAGE_SCAN_H

#include "sallyport/base.h"

struct message_scan {
    uint32_t received_n; /* Received fields so far (RFC 5321 6.3: loops)  */
    bool     in_header;  /* the empty line was not yet seen               */
    /* the scanner's own */
    uint32_t line_at;    /* octets of the current line seen, capped       */
    bool     match;      /* the line still looks like "Received:"         */
    uint8_t  last;
};

void message_scan_init(struct message_scan *s);
void message_scan_feed(struct message_scan *s, struct sp_view octets);

#endif
