/* The last conversations, for who asks why. */
#ifndef ROLES_QUEUE_TALK_H
#define ROLES_QUEUE_TALK_H

#include "roles/queue/destination.h"
#include "roles/queue/limits.h"

/* A conversation with a server. */
struct queue_talk {
    int64_t ended_ms;
    size_t slot; /* in its ring */
    size_t key_len, text_len;
    uint8_t octets[]; /* key and text */
};

/* The newest of so many keys; the key that came first leaves. */
struct queue_talks {
    struct sp_table by_key;
    struct queue_talk *ring[QUEUE_TALKS_MAX];
    size_t at;
};

void queue_talks_init(struct queue *q, uint64_t seed);
void queue_talks_fini(struct queue *q);
/* Keep what an attempt said, of the site and, when some of it did not arrive, of the message. */
void queue_keep_talk(struct queue *q, const struct queue_site *s, uint64_t mail, struct sp_view text,
                     bool arrived);
/* The last conversation of the message, else that of the site. NULL: none is kept. */
const struct queue_talk *queue_find_talk(const struct queue *q, const struct queue_site *s, uint64_t mail,
                                         bool *own_out);

static inline struct sp_view queue_talk_text(const struct queue_talk *t)
{
    return (struct sp_view){t->octets + t->key_len, t->text_len};
}

#endif
