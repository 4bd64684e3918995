/* Session-ticket keys: made here, shared by all smtpd processes, rotated so that an old one opens little. */
#ifndef SUPERVISOR_TICKETS_H
#define SUPERVISOR_TICKETS_H

#include "os/loop.h"
#include "os/tls.h"

struct tickets {
    uint8_t keys[OS_TLS_TICKET_KEY_N][OS_TLS_TICKET_KEY_LEN]; /* newest first */
    size_t n;
    struct os_timer timer;
    void (*rotated)(void *ctx);
    void *ctx;
};

/* rotated: called after each rotation, to hand the keys out. */
void tickets_init(struct tickets *t, struct event_base *base, void (*rotated)(void *ctx), void *ctx);
void tickets_fini(struct tickets *t);

/* The keys as the message ticket_keys carries them; borrowed until the next rotation. */
struct sp_view tickets_view(const struct tickets *t);

#endif
