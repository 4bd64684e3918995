/* The words of `sallyport queue` that change something, for one operand each. */
#ifndef CLI_QUEUE_WORDS_H
#define CLI_QUEUE_WORDS_H

#include "cli/queue/store.h"

/* Each says on stdout what it has done, and returns a sysexits code; faults go to stderr. */
int queue_retry_word(struct queue_store *s, const char *word);  /* ID or all */
int queue_remove_word(struct queue_store *s, const char *word); /* ID or all */
int queue_hold_word(struct queue_store *s, const char *word);
int queue_release_word(struct queue_store *s, const char *word);
int queue_bounce_word(struct queue_store *s, const char *word);
int queue_redirect(struct queue_store *s, const char *word, const char *address);
int queue_suspend_word(struct queue_store *s, const char *word); /* a domain, route or destination */
int queue_resume_word(struct queue_store *s, const char *word);

#endif
