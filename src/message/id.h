/*
 * Queue ids: a number that smtpd makes and that is in the Received field, in `250 2.0.0 Queued as
 * <id>`, in the store, in the logs and on the command line. 63 bits: milliseconds since 2020
 * (41), process (6), counter (16); as text 13 digits of base32 in which time order is text order.
 */
#ifndef MESSAGE_ID_H
#define MESSAGE_ID_H

#include "base/buf.h"

enum { MESSAGE_ID_TEXT = 13, MESSAGE_ID_PROCESS_PICKUP = 62, MESSAGE_ID_PROCESS_QUEUE = 63 };

struct message_id_maker {
    uint64_t last_ms;
    uint32_t counter;
    uint32_t process; /* 0..63; 63 is the queue itself, for bounces; 62 pickup */
};

/* The next id; never the same twice from one maker, even when the clock goes back. */
uint64_t message_id_next(struct message_id_maker *m, int64_t wall_ms);

/* When it was made, by the maker's clock. */
int64_t message_id_wall_ms(uint64_t id);

/* MESSAGE_ID_TEXT characters and a NUL. */
void message_id_text(uint64_t id, char text_out[MESSAGE_ID_TEXT + 1]);

/* SP_ERR_SYNTAX: not 13 digits of that alphabet. Upper case is accepted. */
SP_MUST_USE int message_id_parse(struct sp_view text, uint64_t *id_out);

#endif
