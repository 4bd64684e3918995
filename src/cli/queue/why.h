/* `sallyport queue why` and `destinations`. */
#ifndef CLI_QUEUE_WHY_H
#define CLI_QUEUE_WHY_H

#include "cli/queue/store.h"

int queue_look_why(struct queue_store *s, const char *word, bool json);
int queue_look_destinations(struct queue_store *s, bool json);

#endif
