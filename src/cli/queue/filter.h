/* Which messages `sallyport queue list` shows. */
#ifndef CLI_QUEUE_FILTER_H
#define CLI_QUEUE_FILTER_H

#include "cli/queue/mail.h"

/* What was asked; NULL and 0: anything. Patterns know * for any characters, and no case. */
struct queue_filter {
    const char *sender, *recipient, *domain, *state;
    uint64_t older_s, younger_s; /* than this since it was accepted */
};

/* Read the values of the options. EX_OK, or EX_USAGE after the fault was printed. older, younger: as 90s,
 * 10m, 4h, 5d. */
int queue_filter_read(struct queue_filter *f, const char *older, const char *younger);

/* The state is that of the message, or of one of its recipients; so are sender, recipient and domain. */
bool queue_filter_fits(const struct queue_filter *f, const struct queue_mail *m);

/* Does the pattern fit the whole text? */
bool queue_pattern_fits(const char *pattern, struct sp_view text);

#endif
