/* `sallyport queue destinations`. */
#ifndef CLI_QUEUE_DESTINATIONS_H
#define CLI_QUEUE_DESTINATIONS_H

#include "cli/queue/store.h"

/* NULL: any. */
struct queue_places_filter {
    const char *pattern; /* of the whole name, or of its domain; knows * for any characters, and no case */
    const char *health;  /* good, trying, paused, suspended */
};

int queue_look_destinations(struct queue_store *s, const struct queue_places_filter *filter, bool json);

#endif
