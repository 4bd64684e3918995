/* `sallyport queue tls-reports` and `tls-send`. */
#ifndef CLI_QUEUE_TLS_H
#define CLI_QUEUE_TLS_H

#include "cli/queue/store.h"

int queue_look_tls_reports(struct queue_store *s, bool json);

/* day: today, yesterday or YYYY-MM-DD, in UTC. domain: NULL for all. */
int queue_tls_send(struct queue_store *s, const char *day, const char *domain);

#endif
