/*
 * smtpd: client connections, TLS and the server engine. This header is the inside of the role: one
 * process, its doors (listening sockets), its sessions, and the mails that wait for an answer.
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include "base/table.h"
#include "message/id.h"
#include "message/scan.h"
#include "os/address.h"
#include "os/stream.h"
#include "os/tls.h"
#include "roles/role.h"
#include "roles/smtpd/refusals.h"
#include "roles/smtpd/wheel.h"
#include "roles/tally.h"
#include "sallyport/smtp_server.h"

/* "s" and the digits of an id, so that nobody takes it for a message's. */
enum { SESSION_NAME = 1 + MESSAGE_ID_TEXT };

/* After the last session: so that last replies reach clients that are still sending. */
enum { SMTPD_LAST_WORDS_MS = 300 };

/* While it stops: how often it looks whether messages still come in. What has arrived is read by then. */
enum { SMTPD_LOOK_MS = 20 };

/* What a listener wants of its sessions: as the configuration was when the session began. Counted. */
struct terms {
    size_t refs;
    char *name;     /* of the listener */
    char *hostname; /* ours            */
    char *mechanisms_tls, *mechanisms_plain;
    struct sp_server_options options;
    struct os_network *relay_from, *proxy_from;
    size_t relay_from_n, proxy_from_n;
    uint32_t proxy_timeout_ms, greet_pause_ms;
    struct os_network *xclient_from;
    size_t xclient_from_n;
    bool verifies;      /* VRFY                         */
    bool mends_headers; /* of clients that have logged in */
    bool implicit_tls;
    bool checks_from;             /* From and Sender are held against the user's list */
    struct os_tls_context *tls;   /* counted */
    bool asks;                    /* clients for certificates */
    enum os_tls_name client_name; /* what in them names the user */
    uint32_t connections, connections_per_address;
};

struct door {
    struct door *next;
    struct smtpd *smtpd;
    struct terms *terms;
    struct event *event;
    int fd;
};

/* A connection of a proxy whose header has not come yet; see proxy.h. */
struct guest;

/*
 * What a session waits for from another role: until then nothing of the client is read. Only before the
 * greeting it waits for the client to keep silent.
 */
enum session_wait { WAIT_NOTHING, WAIT_SILENCE, WAIT_AUTH, WAIT_SPOOL, WAIT_SUBMIT };

struct session {
    struct smtpd *smtpd;
    struct session *prev, *next;
    struct terms *terms;
    struct os_stream *stream;
    struct sp_server *engine;
    struct mail *mail;         /* the transaction, or NULL */
    struct recorder *recorder; /* NULL: this session is not recorded */
    struct wheel_entry timer;
    struct os_address address;    /* of the client; counted in the tally */
    char client[OS_ADDRESS_TEXT]; /* the same as a text */
    uint64_t number;              /* unlike any other session's of this server */
    char name[SESSION_NAME + 1];
    char *hello, *user; /* NULL: none */
    char *senders;      /* what the user may say in MAIL FROM, one pattern a line; NULL: anything */
    enum session_wait wait;
    uint32_t auth_index;                 /* the auth process that the exchange is with */
    bool auth_open;                      /* an exchange is going on                    */
    bool handshaking;                    /* TLS                                        */
    bool proxied;                        /* its client is the one that a PROXY header names */
    bool over;                           /* the engine has closed the session          */
    bool clogged;                        /* the client does not read its replies       */
    bool held;                           /* not read: the queue's edge is full         */
    uint64_t greet_at_ms;                /* WAIT_SILENCE: until then              */
    enum smtpd_refusal at_door;          /* what its greeting will be             */
    char end_text[32 + MESSAGE_ID_TEXT]; /* LMTP: what the other recipients of a message are told; empty: */
    enum smtpd_refusal end_refusal;      /* why not                                                       */
    uint32_t mails, refusals;
    uint64_t read_octets, seen_octets; /* read in all; and when smtpd looked last while it stops */
    uint64_t born_ms, born_wall_ms;
};

struct smtpd {
    struct role *role;
    struct os_tls_context *tls;
    char *source_mechanisms;             /* what Dovecot can do, when it is the source; NULL: not known */
    struct os_tls_context *next_tls;     /* of the generation to come */
    struct asking *asking, *next_asking; /* contexts of listeners that ask clients for certificates */
    struct sp_buf ticket_keys;
    struct tally *tally;
    struct door *doors;
    struct os_timer door_timer;                     /* descriptors had run out */
    bool resting;                                   /* and nothing is accepted for a moment */
    uint64_t rest_told_ms;                          /* when the log said so last            */
    uint64_t descriptor_max, descriptors_elsewhere; /* see room.h */
    uint64_t spool_n;                               /* large messages that are or will be written by us */
    uint64_t held_octets;                           /* of what clients have sent                        */
    struct guest *guests;
    size_t guest_n;
    struct session *sessions;
    size_t session_n;
    struct wheel wheel;
    struct sp_table exchanges; /* session number -> session, while auth is asked */
    struct sp_table mails;     /* tag -> mail, while queue is asked              */
    uint64_t last_tag;
    struct message_id_maker ids, names;
    uint64_t traces_lost; /* that the console did not take, since it was reported */
    bool queue_full;      /* clients are not read until its edge has room */
    bool stopping;
    uint64_t finish_by_ms; /* messages that go on coming in may end until then */
    struct os_timer look, grace, last_words;
};

extern struct smtpd smtpd_self;

#endif
