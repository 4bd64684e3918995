/* What the files of queue_control_answer share. */
#ifndef ROLES_QUEUE_CONTROL_OWN_H
#define ROLES_QUEUE_CONTROL_OWN_H

#include "roles/queue/control.h"

/* The last answer. */
void queue_control_done(const struct queue_control *c, struct ipc_queue_done done);
/* enum ipc_queue_answer of a status of the store. */
uint8_t queue_control_word(const struct queue_control *c, int status);

void queue_control_change(const struct queue_control *c, const struct ipc_queue_change *m);
void queue_control_suspend(const struct queue_control *c, const struct ipc_queue_suspend *m);
void queue_control_why(const struct queue_control *c, const struct ipc_queue_why *m);
void queue_control_destinations(const struct queue_control *c, const struct ipc_queue_destinations *m);
void queue_control_tls_list(const struct queue_control *c, const struct ipc_queue_tls_list *m);
void queue_control_tls_send(const struct queue_control *c, const struct ipc_queue_tls_send *m);

#endif
