/* The parts of `sallyport queue` that look: list, show, status; and what all of it shares. */
#ifndef CLI_QUEUE_LOOK_H
#define CLI_QUEUE_LOOK_H

#include "cli/queue/filter.h"
#include "cli/queue/store.h"

/* Each prints on stdout and returns a sysexits code; faults go to stderr. */
/* filter: NULL for all. */
int queue_look_list(struct queue_store *s, const struct queue_filter *filter, bool json);
int queue_look_show(struct queue_store *s, const char *word, bool json, bool content);
int queue_look_status(struct queue_store *s, bool json);

/* The ids of all messages, uint64_t after uint64_t; appended. */
int queue_look_ids(struct queue_store *s, struct sp_buf *ids_out);

/* What the last answer says: EX_OK, or the fault is printed. id: as it was given. */
int queue_fault_of(const struct ipc_queue_done *done, const char *id);

int queue_parse_id(const char *word, uint64_t *id_out);

/* Whether all that was printed has left; else the code that was there before is kept. */
int queue_finish_output(int code);

#endif
