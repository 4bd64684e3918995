/*
 * `sallyport send`: what was asked for (send.c, options.c, where.c, envelope.c,
 * secret.c), the message (message.c, attach.c), the conversation as it is shown (show.c,
 * result.c), the run that connects them (run.c), and deliberate mistakes (misbehave.c).
 */
#ifndef CLI_SEND_H
#define CLI_SEND_H

#include "cli/host_port.h"
#include "cli/options.h"
#include "client/client.h"
#include "os/address.h"
#include "reference/reference.h"

enum {
    SEND_RECIPIENTS_MAX = 1000,
    SEND_HEADERS_MAX = 128,
    SEND_ATTACHMENTS_MAX = CLI_VALUES_MAX,
    SEND_PARALLEL_MAX = 100
};

enum send_tls { SEND_TLS_AUTO, SEND_TLS_OFF, SEND_TLS_STARTTLS, SEND_TLS_IMPLICIT };

/* Where a session may be ended. NAME, word. */
#define SEND_STAGES(X)                                                                                       \
    X(NONE, "")                                                                                              \
    X(CONNECT, "connect")                                                                                    \
    X(BANNER, "banner")                                                                                      \
    X(EHLO, "ehlo")                                                                                          \
    X(TLS, "tls")                                                                                            \
    X(AUTH, "auth")                                                                                          \
    X(MAIL, "mail")                                                                                          \
    X(RCPT, "rcpt")                                                                                          \
    X(DATA, "data")                                                                                          \
    X(DOT, "dot")

#define X(n, word) SEND_STAGE_##n,
enum send_stage { SEND_STAGES(X) SEND_STAGE_N };
#undef X

struct send_attachment {
    const char *path, *type, *name; /* type, name: NULL when they follow from the path */
};

/* What was asked for, checked. Views borrow from the command line or from the buffers here. */
struct send_plan {
    /* where */
    char host[CLI_HOST_SIZE];
    uint16_t port;
    const char *path; /* of a unix socket, instead */
    bool mx;          /* the host is found by the first recipient's domain */
    struct os_address name_server;
    bool has_name_server;
    int family; /* AF_INET, AF_INET6, or 0 */
    struct os_address from;
    bool has_from;
    enum sp_client_protocol protocol;
    enum send_tls tls;
    bool verify;        /* the certificate must be valid, else nothing is sent */
    bool auth_in_clear; /* the password may be shown to who listens            */
    const char *ca_file, *server_name;
    const char *cert_file, *key_file; /* what we show in TLS; NULL: nothing */
    struct os_tls_settings tls_settings;
    char hello[256];
    struct sp_buf preamble; /* a PROXY header */
    struct sp_view xclient;
    uint32_t timeout_ms;

    /* who */
    bool auth, token; /* token: what password holds is one */
    struct sp_buf user, password;
    const char *mechanism, *floor;
    struct sp_view sender;
    char default_sender[320];
    struct sp_view recipients[SEND_RECIPIENTS_MAX];
    struct sp_rcpt_parameters asked[SEND_RECIPIENTS_MAX];
    size_t recipient_n, shown_n,
        copied_n; /* the first are those of To, then those of Cc; the others are not shown */
    struct sp_mail_parameters parameters;
    struct sp_view extra, extra_rcpt;

    /* what */
    const char *subject, *body, *body_type;
    const char *headers[SEND_HEADERS_MAX];
    bool added[SEND_HEADERS_MAX]; /* stands beside one of ours of that name */
    size_t header_n;
    struct send_attachment attachments[SEND_ATTACHMENTS_MAX];
    size_t attachment_n;
    const char *file; /* NULL: none; "-": standard input    */
    bool as_is;       /* no header is added to it           */
    bool binary;      /* BODY=BINARYMIME: octets as they are */

    /* how */
    enum send_stage until;
    bool drop; /* hang up there, without QUIT */
    bool pipeline, quiet, json, dump;
    uint32_t chunk;
    uint32_t repeat, parallel;
    bool reuse;
    const char *misbehave;
    enum reference_lang lang;
};

/* --- parsing: each returns EX_OK, or another sysexits code after the fault was printed --------------- */

extern struct cli_option send_options[];

int send_parse_where(struct send_plan *p, const struct cli_operands *operands);
int send_parse_envelope(struct send_plan *p);
int send_parse_auth(struct send_plan *p);
int send_parse_certificate(struct send_plan *p);
int send_parse_message(struct send_plan *p, const char *file);
int send_parse_run(struct send_plan *p);

/* The password or token, from where it was said to be; given: on the command line, or NULL. */
int send_obtain_password(struct send_plan *p, const char *given);

/* A number of an option, from 1 to max, of a unit or NULL; EX_OK, and untouched, when it is not given. */
int send_number(const char *name, const char *unit, uint64_t max, uint64_t *n_out);

/* --- message.c, attach.c ------------------------------------------------------------------- */

/* What the message is made of, read once. */
struct send_parts {
    struct sp_buf text; /* the file, or the body */
    struct sp_buf attachments[SEND_ATTACHMENTS_MAX];
};

void send_parts_init(struct send_parts *parts);
void send_parts_fini(struct send_parts *parts);
int send_parts_read(const struct send_plan *p, struct send_parts *parts);

/*
 * The message with CRLF line ends: the file, or a test message. One without a header gets one.
 * A sysexits code; the fault was printed.
 */
int send_message_make(const struct send_plan *plan, const struct send_parts *parts,
                      struct sp_buf *message_out);

/* The Content-* fields of the whole and all that follows the header: a multipart. */
void send_attach(const struct send_plan *p, const struct send_parts *parts, struct sp_view text_fields,
                 struct sp_buf *out);

bool send_has_eight_bit(struct sp_view v);
void send_add_lines(struct sp_buf *out, struct sp_view v); /* every line end becomes CRLF */

/* --- show.c, result.c ---------------------------------------------------------------------- */

struct send_show;

struct send_show *send_show_new(const struct send_plan *plan);
void send_show_free(struct send_show *s);

/* The conversation as it goes; outcomes are shown behind it. */
void send_show_note(struct send_show *s, const struct client_note *n, const struct client *c);
void send_show_content(struct send_show *s, struct sp_view message);
void send_show_outcome(struct send_show *s, struct sp_view recipient, const struct client_verdict *v);

/* What became of many. */
struct send_summary {
    uint64_t messages, connections, accepted, deferred, refused, unknown,
        failed;                                          /* recipients; connections */
    uint64_t took_ms, shortest_ms, longest_ms, total_ms; /* of a message             */
};

/*
 * The end: why nothing could be sent (NULL: something was), what became of many (NULL: it was one), and the
 * exit code.
 */
void send_show_end(struct send_show *s, const struct client_verdict *failure,
                   const struct send_summary *summary, int exit_code);

/* --- mx.c: set the plan's host to the mail server of its first recipient. ------------------------- */

int send_find_mx(struct send_plan *p);
struct dns *send_open_dns(const struct send_plan *p, struct event_base *base, struct sp_buf *error);

/* --- run.c -------------------------------------------------------------------------------------- */

/* What the client is told of the plan. */
struct send_setup {
    struct event_base *base;
    struct dns *dns;
    struct client_options options;
    struct sasl_credentials credentials;
};
int send_setup(const struct send_plan *p, struct send_setup *setup_out);
void send_setdown(struct send_setup *s);

/* A sysexits code for a reply, or for its absence. */
int send_code_of(const struct client_verdict *v);

/* Send; returns a sysexits code. */
int send_run(const struct send_plan *plan, const struct send_parts *parts);

/* --- misbehave.c -------------------------------------------------------------------------------- */

/* Is there one of that name, or is it "all" or "list"? */
bool send_misbehave_knows(const char *name);
void send_misbehave_list(const struct send_plan *plan);
int send_misbehave(const struct send_plan *plan);

#endif
