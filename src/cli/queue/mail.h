/* A message of the queue, gathered from the answers to queue_list and queue_show, and its ways onto paper. */
#ifndef CLI_QUEUE_MAIL_H
#define CLI_QUEUE_MAIL_H

#include "ipc/ipc.h"

#include <jansson.h>
#include <stdio.h>

/* Views are into octets of its own. */
struct queue_mail {
    struct ipc_queue_mail facts;
    struct sp_buf text;       /* what facts points into                 */
    struct sp_buf recipients; /* for ipc_next_queue_recipient           */
    bool there;
};

void queue_mail_init(struct queue_mail *m);
void queue_mail_fini(struct queue_mail *m);

/* Begin a message; the one before is forgotten. */
void queue_mail_begin(struct queue_mail *m, const struct ipc_queue_mail *facts);
void queue_mail_add(struct queue_mail *m, struct sp_view recipients);

/*
 * The state of the whole: active when an attempt for any recipient is under way, deferred when any waits
 * after one, queued when any waits for its first, else held.
 */
const char *queue_mail_state(const struct queue_mail *m);

/* The object of `queue list --json`; `whole` adds what `queue show --json` has. */
json_t *queue_mail_json(const struct queue_mail *m, bool whole);

/* A JSON string; octets that are no UTF-8 become U+FFFD. */
json_t *queue_json_text(struct sp_view v);

/* Two lines and more of `queue list`; the header of `queue show`. */
void queue_mail_print_row(const struct queue_mail *m, FILE *to);
void queue_mail_print_envelope(const struct queue_mail *m, FILE *to);

/* Text from the network for a terminal: what could steer it is written as \xNN. keep_lines: but for tab and
 * line ends. */
void queue_print_text(struct sp_view text, bool keep_lines, FILE *to);

/* For those who print more of it: RFC 3339 in UTC; JSON, null for nothing; a line "name  value". */
struct queue_time {
    char s[40];
};
struct queue_time queue_time_of(uint64_t ms);
json_t *queue_json_time(uint64_t ms);
json_t *queue_json_text_or_null(struct sp_view v);
void queue_put_json(json_t *o); /* on stdout, and release */
void queue_print_fact(const char *name, struct sp_view value, FILE *to);

#endif
