/* The inside of a stream, for stream*.c. */
#ifndef OS_STREAM_STATE_H
#define OS_STREAM_STATE_H

#include "base/buf.h"
#include "os/address.h"
#include "os/stream.h"
#include "os/tls_context.h"

enum stream_phase {
    STREAM_CONNECTING,
    STREAM_OPEN,      /* plain or TLS                                             */
    STREAM_TLS_NEXT,  /* plain output is still to go before the handshake          */
    STREAM_TLS,       /* in the handshake                                         */
    STREAM_FLUSHING,  /* finishing: output is to go                               */
    STREAM_LINGERING, /* finishing: said goodbye, discarding                      */
    STREAM_OVER       /* closed was called                                        */
};

struct stream_names {
    char peer[OS_ADDRESS_TEXT], local[OS_ADDRESS_TEXT];
    uint16_t peer_port, local_port;
};

/* What the streams of one loop share: the work at the end of a turn. */
struct stream_turn {
    struct stream_turn *next; /* of another loop */
    struct event_base *base;
    struct os_later later;
    struct os_stream *first, **last;
    size_t stream_n;
};

struct os_stream {
    struct stream_turn *turn;
    struct os_stream *next_in_turn;
    const struct os_stream_handlers *handlers; /* NULL when finishing */
    void *ctx;
    struct event *readable, *writable, *timer; /* made when first needed */
    struct sp_buf kept;                        /* input that was not consumed            */
    struct sp_buf out;                         /* output that the kernel has not taken   */
    size_t sent;                               /* of out                                 */
    size_t plain;                              /* STREAM_TLS_NEXT: octets that go before */
    SSL *ssl;
    struct os_tls_context *tls;
    char *server_name;
    struct tls_dane *dane; /* what is expected beside the name; NULL: nothing */
    struct os_tls_facts *facts;
    struct stream_names *names; /* made when asked for */
    int fd;
    int connect_errno, dialled_family;
    enum os_tls_fault tls_fault; /* of a handshake that came to nothing */
    uint32_t discarded;
    enum stream_phase phase;
    unsigned busy;                           /* functions on the stack that use s */
    bool paused, reading, writing;           /* reading, writing: the event is pending                 */
    bool in_turn, push;                      /* push: kept input goes to the owner at the turn's end   */
    bool pushing;                            /* the input handler is on the stack                      */
    bool write_wants_read, read_wants_write; /* TLS: messages of its own                     */
    bool eof, broken, freed, handshake_done;
};

/* --- stream_link.c: octets, plain or TLS ----------------------------------------------------- */

enum link_status { LINK_OK, LINK_AGAIN, LINK_EOF, LINK_FAILED };

/* Read up to n octets. LINK_FAILED: why_out (TLS_WORDS_LEN octets) says why. */
enum link_status link_read(struct os_stream *s, void *p, size_t n, size_t *n_out, char *why_out);
enum link_status link_write(struct os_stream *s, struct sp_view v, size_t *n_out, char *why_out);

/* --- stream.c -------------------------------------------------------------------------------- */

struct os_stream *stream_new(struct event_base *base, int fd, const struct os_stream_handlers *h, void *ctx);

/* Free the memory when it is to be freed and nobody on the stack looks at it any more. */
void stream_release(struct os_stream *s);

/* Tell the owner that it is over. why may be NULL. */
void stream_over(struct os_stream *s, const char *why);

/* Write what waits. false: it never can be; why_out (TLS_WORDS_LEN octets) says why. */
bool stream_flush(struct os_stream *s, char *why_out);

/* Flush, and say or do what follows from it. */
void stream_flush_and_tell(struct os_stream *s);

void stream_on_readable(evutil_socket_t fd, short what, void *arg);
void stream_on_writable(evutil_socket_t fd, short what, void *arg);
void stream_on_timer(evutil_socket_t fd, short what, void *arg);

/* --- stream_turn.c --------------------------------------------------------------------------- */

void stream_want_read(struct os_stream *s, bool want);
void stream_want_write(struct os_stream *s, bool want);
void stream_set_timer(struct os_stream *s, uint32_t in_ms);
void stream_stop_timer(struct os_stream *s);

struct stream_turn *stream_find_turn(struct event_base *base);
void stream_leave_turn(struct stream_turn *t);

/* Push and flush at the end of the turn. */
void stream_at_turn_end(struct os_stream *s);

/* --- stream_input.c -------------------------------------------------------------------------- */

/* Reading goes on, or not, as the owner wants it. */
void stream_read_on(struct os_stream *s);
void stream_read_input(struct os_stream *s);
void stream_push_kept(struct os_stream *s);
void stream_discard_input(struct os_stream *s);

/* --- stream_finish.c ------------------------------------------------------------------------- */

void stream_flush_last(struct os_stream *s);

/* --- stream_tls.c ---------------------------------------------------------------------------- */

/* The plain output has gone: begin. */
void stream_tls_begin(struct os_stream *s);
/* Go on with the handshake. */
void stream_tls_step(struct os_stream *s);

#endif
