/*
 * How many connections there are, in all and of one address, over all smtpd processes: memory that they
 * share. Each process writes its own row and reads the sum of all, so nothing needs a lock and a process
 * that dies takes only its own row with it (the supervisor clears it).
 *
 * Addresses are counted in two places each, chosen by a secret hash; the smaller count is the answer. It is
 * never too small; it is too large only where another address shares both places.
 */
#ifndef ROLES_TALLY_H
#define ROLES_TALLY_H

#include "sallyport/base.h"

struct tally;

/* Make the memory for `rows` processes: a descriptor to pass on, or -1 with errno. */
int tally_make(uint32_t rows);

/* Clear the row of a process that has died. */
void tally_clear(int fd, uint32_t row);

/* Open it as the process `row`, whose row is cleared. NULL with errno. The descriptor may be closed then. */
struct tally *tally_open(int fd, uint32_t rows, uint32_t row);
void tally_close(struct tally *t);

/* A connection more; the counts tell of all processes and hold this one too. */
void tally_enter(struct tally *t, struct sp_view address, uint32_t *all_out, uint32_t *of_address_out);
void tally_leave(struct tally *t, struct sp_view address);

#endif
