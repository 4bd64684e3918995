/*
 * `sallyport send`: what was asked for (send.c), the message (send_message.c), the conversation as it is
 * shown (send_show.c), and the run that connects them (send_run.c).
 */
#ifndef CLI_SEND_H
#define CLI_SEND_H

#include "client/client.h"
#include "reference/reference.h"

enum { SEND_RECIPIENTS_MAX = 1000, SEND_HEADERS_MAX = 64 };

enum send_tls { SEND_TLS_AUTO, SEND_TLS_OFF, SEND_TLS_STARTTLS, SEND_TLS_IMPLICIT };

/* What was asked for, checked. Views borrow from the command line or from the buffers here. */
struct send_plan {
    char host[256];
    uint16_t port;
    enum send_tls tls;
    bool verify;        /* the certificate must be valid, else nothing is sent */
    bool auth_in_clear; /* the password may be shown to who listens            */
    const char *ca_file;
    const char *cert_file, *key_file; /* what we show in TLS; NULL: nothing */
    char hello[256];
    struct sp_view sender;
    char default_sender[320];
    struct sp_view recipients[SEND_RECIPIENTS_MAX];
    size_t recipient_n;
    bool auth, token; /* token: what password holds is one */
    struct sp_buf user, password;
    const char *mechanism, *floor;
    uint32_t timeout_ms;
    const char *subject, *body;
    const char *headers[SEND_HEADERS_MAX];
    size_t header_n;
    const char *file; /* NULL: none; "-": standard input */
    enum reference_lang lang;
    bool json, pipeline;
};

/* --- send_message.c ------------------------------------------------------------------------------ */

/*
 * The message with CRLF line ends: the file, or a test message. One without a header gets one.
 * A sysexits code; the fault was printed.
 */
int send_message_make(const struct send_plan *plan, struct sp_buf *message_out);

/* --- send_show.c --------------------------------------------------------------------------------- */

struct send_show;

struct send_show *send_show_new(const struct send_plan *plan);
void send_show_free(struct send_show *s);

/* The conversation as it goes; outcomes are shown behind it. */
void send_show_note(struct send_show *s, const struct client_note *n);
void send_show_content(struct send_show *s, struct sp_view message);
void send_show_outcome(struct send_show *s, struct sp_view recipient, const struct client_verdict *v);

/* The end: why nothing could be sent (NULL: something was), and the exit code. */
void send_show_end(struct send_show *s, const struct client_verdict *failure, int exit_code);

/* --- send_run.c ---------------------------------------------------------------------------------- */

/* Send; returns a sysexits code. */
int send_run(const struct send_plan *plan, struct sp_view message);

#endif
