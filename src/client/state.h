/* A connection from inside: shared by the files of this folder. */
#ifndef CLIENT_STATE_H
#define CLIENT_STATE_H

#include "client/client.h"
#include "message/convert.h"

enum client_stage {
    CLIENT_DIALLING, /* resolving, connecting, and the handshake of implicit TLS */
    CLIENT_TALKING,  /* there is a session                                       */
    CLIENT_OVER
};

struct client {
    struct event_base *base;
    struct dns *dns;
    const struct client_options *options;
    const struct client_handlers *on;
    void *ctx;
    enum client_stage stage;

    struct dns_query *query;
    struct dns_addresses addresses;
    size_t address; /* the one that is dialled, from 1            */
    bool reached;   /* it let us connect                          */
    char remote[CLIENT_REMOTE_MAX];

    struct os_stream *stream;
    struct sp_client_options session_options; /* as given; without TLS after a fallback */
    struct sp_client *session;
    struct os_timer timer;
    uint64_t timer_ms; /* when it is due; 0: not set                 */
    bool handshaking;  /* after STARTTLS                             */
    bool fell_back;    /* that failed once: no TLS now               */
    struct client_tls_story story;

    struct sasl_client *sasl;
    struct sp_buf binding_data[SASL_BINDING_N]; /* what the exchange may be bound to */
    struct sasl_binding binding;
    struct sp_view mechanism; /* that is being tried; static text                    */
    bool doubted;             /* the server did not answer as the mechanism demands  */
    bool authenticated, login_over;
    const char *secret_name;

    struct sp_client_mail mail; /* as it is given to the session                  */
    uint64_t offset;            /* octets of content taken from the owner         */
    struct message_convert *convert;
    struct sp_buf converted; /* of which this many were given to the session: */
    size_t converted_n;
    bool converted_all;
    bool told_xclient;
    bool ready; /* the owner was asked what next                                */

    unsigned depth; /* handlers in progress: freeing waits for the outermost         */
    bool working, freed;

    bool failed; /* why it will end; the text stands in `why`        */
    struct client_verdict failure;
    char enhanced[16]; /* of failure                                */
    char failed_at[CLIENT_REMOTE_MAX];
    struct sp_buf why;
    struct sp_buf text; /* of the verdict that is being told                 */
};

/* client.c */
void client_work(struct client *c);
void client_talk(struct client *c, bool tls);
void client_tell_end(struct client *c);
void client_note(struct client *c, enum client_note_type type, const char *text);

/* Every entry from the loop stands between these; after leave c may be gone. */
void client_enter(struct client *c);
void client_leave(struct client *c);

/* Remember why it ends; the first reason counts, until it turns out that it goes on after all. */
void client_fail(struct client *c, enum sp_client_fate fate, const char *phase,
                 const struct sp_client_reply *by);
void client_fail_here(struct client *c, enum sp_client_fate fate, const char *phase, const char *enhanced,
                      struct sp_view text);

void client_unfail(struct client *c);

void client_expect(struct client *c, int status, const char *what);

/* tell.c */
void client_note_event(struct client *c, enum client_note_type type, const struct sp_client_event *e);
void client_tell_outcome(struct client *c, const struct sp_client_event *e);

/* mail.c: answer ASK_CONTENT; false: wait until the stream has sent what it has. */
bool client_give_content(struct client *c);
void client_forget_mail(struct client *c);

/* dial.c */
void client_dial(struct client *c);
void client_redial_plain(struct client *c);
void client_start_tls(struct client *c);
extern const struct os_stream_handlers client_stream_handlers;

/* tls_story.c: what is to be kept of TLS for client_tls_story. */
void client_story_connect(struct client *c);
void client_story_reply(struct client *c, const char *phase, const struct sp_client_reply *reply);
void client_story_up(struct client *c, const struct os_tls_facts *tls);
void client_story_failed(struct client *c, const char *why);

/* login.c: answer ASK_NEXT. false: nothing is to be done, the owner is asked. */
bool client_login(struct client *c);
void client_login_answer(struct client *c, struct sp_view challenge);
void client_login_done(struct client *c, const struct sp_client_event *e);
void client_login_forget(struct client *c);

/* text.c */
void client_text_of_reply(const struct sp_client_reply *reply, struct sp_buf *out);

#endif
