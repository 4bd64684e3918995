/* `sallyport queue why`. */
#ifndef CLI_QUEUE_WHY_H
#define CLI_QUEUE_WHY_H

#include "cli/queue/rules.h"
#include "cli/queue/store.h"

int queue_look_why(struct queue_store *s, const char *word, bool json, enum reference_lang lang);

#endif
