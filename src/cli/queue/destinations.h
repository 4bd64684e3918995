/* `sallyport queue destinations`. */
#ifndef CLI_QUEUE_DESTINATIONS_H
#define CLI_QUEUE_DESTINATIONS_H

#include "cli/queue/store.h"

int queue_look_destinations(struct queue_store *s, bool json);

#endif
