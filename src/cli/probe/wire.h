/*
 * One connection of the probe, step by step: each call runs the loop until the step is done, or its time is
 * up. Whatever the server does, a step ends: octets, lines and time are bounded.
 */
#ifndef CLI_PROBE_WIRE_H
#define CLI_PROBE_WIRE_H

#include "base/buf.h"
#include "os/address.h"
#include "os/stream.h"
#include "os/tls.h"
#include "sallyport/smtp_client.h"
#include "smtp/client_reply.h"

enum {
    PROBE_WIRE_OCTETS_MAX = 1 << 20, /* of a connection; attack: a server that never stops talking */
    PROBE_WIRE_TEXT_MAX = 300
};

/* How a step ended. */
enum probe_step {
    PROBE_DONE,
    PROBE_LATE,    /* its time is up                          */
    PROBE_CLOSED,  /* the connection is gone; `why`           */
    PROBE_GARBAGE, /* no reply; `text` is how it begins       */
    PROBE_ENDLESS, /* more octets or lines than there may be  */
    PROBE_SPENT    /* the time for the whole port is up       */
};

struct probe_wire {
    struct event_base *base;
    struct os_stream *stream; /* NULL: not connected */
    struct os_timer timer;
    struct smtp_client_reply reply;
    struct sp_buf in;       /* arrived, not looked at                   */
    uint64_t octets, heard; /* of all that arrived; of this reply       */
    uint64_t limit_ms;      /* monotonic: for all connections of a port */
    uint32_t timeout_ms;    /* for a step                               */
    bool up, closed;        /* connected, or TLS is up; it is over      */
    bool bare_lf;           /* a line of a reply ended in LF alone      */
    bool endless;           /* the last reply had no end                */
    char why[PROBE_WIRE_TEXT_MAX];

    /* of the last reply: */
    int code;
    uint64_t took_ms;
    char text[PROBE_WIRE_TEXT_MAX]; /* "250 2.0.0 Ok": its last line, or what came instead; printable */
};

void probe_wire_init(struct probe_wire *w, struct event_base *base, uint32_t timeout_ms, uint64_t limit_ms);
void probe_wire_fini(struct probe_wire *w);

/* Connect; a connection that there was is closed first. */
enum probe_step probe_wire_dial(struct probe_wire *w, const struct os_address *to);
void probe_wire_hang_up(struct probe_wire *w);

/* The handshake; what was read before is thrown away. `why` says what failed. */
enum probe_step probe_wire_secure(struct probe_wire *w, struct os_tls_context *tls,
                                  const struct os_tls_expected *expected);

/* Octets as they are. */
void probe_wire_say(struct probe_wire *w, const char *text);

/* The next reply, within ms. */
enum probe_step probe_wire_hear(struct probe_wire *w, uint32_t ms);

/* A line, without its end, and the reply to it. */
enum probe_step probe_wire_ask(struct probe_wire *w, const char *line);

/* The whole reply, for sp_client_reply_line; until the next one is asked for. */
struct sp_view probe_wire_lines(const struct probe_wire *w);

/* Printable ASCII; all else as \xNN. text_out: its size in octets, NUL included; cut when it does not fit. */
void probe_clean(struct sp_view v, char *text_out, size_t size);

#endif
