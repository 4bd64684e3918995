/*
 * sallyport.conf as one const struct. The same text is read by `sallyport check`, by the
 * supervisor and, passed on by it, by every role. It holds no secrets: those stand in files
 * of their own that only the supervisor reads.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buf.h"
#include "os/address.h"
#include "sasl/names.h"

enum { CONFIG_TEXT_MAX = 2 << 20 }; /* octets of a text; it must fit into one ipc message */

enum config_tls { CONFIG_TLS_OFF, CONFIG_TLS_STARTTLS, CONFIG_TLS_IMPLICIT };
/* Of a client's certificate: a subjectAltName of these kinds, or the subject's common name. In the order of
 * os/stream.h. */
enum config_from_header { CONFIG_FROM_OFF, CONFIG_FROM_CHECK };
enum config_client_name { CONFIG_CLIENT_EMAIL, CONFIG_CLIENT_DNS, CONFIG_CLIENT_COMMON_NAME };
enum config_protocol { CONFIG_PROTOCOL_SMTP, CONFIG_PROTOCOL_LMTP };
enum config_undeclared { CONFIG_UNDECLARED_ACCEPT, CONFIG_UNDECLARED_REFUSE };
enum config_auth { CONFIG_AUTH_OFF, CONFIG_AUTH_OFFERED, CONFIG_AUTH_REQUIRED };

/* listener "NAME" { ... } */
struct config_listener {
    const char *name;
    struct os_address address;
    enum config_tls tls;
    bool tls_required;                        /* require-tls: 530 before STARTTLS                    */
    enum config_auth auth;                    /* required implies TLS first unless auth-in-clear     */
    bool auth_in_clear;                       /* PLAIN and LOGIN without TLS; loopback listeners only */
    const enum sasl_mechanism_id *mechanisms; /* as named; none: all that is possible       */
    size_t mechanism_n;
    uint32_t offered_tls, offered_clear; /* sets of 1 << id: what EHLO lists with TLS, and without */
    const char *client_ca;               /* NULL: clients are not asked for certificates         */
    enum config_from_header from_header; /* hold From and Sender against the user's list */
    enum config_client_name client_name; /* what in a certificate names the user             */
    struct os_network *relay_from;       /* networks that may relay without AUTH                */
    size_t relay_from_n;
    uint32_t greet_pause_s;        /* silence before the greeting                         */
    struct os_network *proxy_from; /* whose connections begin with a PROXY header         */
    size_t proxy_from_n;
    struct os_network *xclient_from; /* peers that may say XCLIENT and XFORWARD             */
    size_t xclient_from_n;
    enum config_protocol protocol;
    bool verify;        /* VRFY says whether a mailbox exists                  */
    bool etrn;          /* ETRN is offered                                     */
    bool fix_line_ends; /* CR and LF alone in messages of those who have logged in */
    bool mend_headers;  /* the manners of submission (RFC 6409 8), for the same */
    enum config_undeclared undeclared_8bit;
    bool last; /* listen-last: listens when all else is up            */
};

enum config_route_kind {
    CONFIG_ROUTE_HOLD,
    CONFIG_ROUTE_DISCARD,
    CONFIG_ROUTE_RELAY,
    CONFIG_ROUTE_MAILDIR,
    CONFIG_ROUTE_MX,
    CONFIG_ROUTE_LMTP
};

/* required: encrypted, with whatever certificate; verified: chain and name, too */
enum config_route_tls {
    CONFIG_ROUTE_TLS_OFF,
    CONFIG_ROUTE_TLS_OPPORTUNISTIC,
    CONFIG_ROUTE_TLS_REQUIRED,
    CONFIG_ROUTE_TLS_VERIFIED
};

/* route "NAME" { kind = ... }; "hold" and "discard" always exist, and so does "mx" unless it is configured.
 */
struct config_route {
    const char *name;
    enum config_route_kind kind;
    /* relay, mx, lmtp */
    const char *host;   /* name or address, without brackets; NULL with mx  */
    const char *socket; /* lmtp: a Unix socket instead of host              */
    uint16_t port;
    enum config_route_tls tls;
    bool dane, mta_sts;           /* mx: what a domain says of itself counts, too     */
    uint16_t mta_sts_port;        /* mx: of HTTPS                                     */
    bool implicit_tls;            /* TLS from the first octet           */
    const char *ca_file;          /* NULL: the system's                 */
    const char *user;             /* NULL: no AUTH                      */
    const char *password_file;    /* read by the supervisor             */
    const char *certificate_file; /* that it shows; NULL: none; read by the supervisor */
    const char *key_file;
    enum sasl_mechanism_id min_mechanism; /* none weaker; SASL_ID_NONE: any     */
    uint32_t rate;                        /* messages a minute to a destination; 0: any number */
    uint32_t connections;                 /* at once to this destination, per delivery process; default 10 */
    /* maildir: path with %d (domain) and %l (local part) */
    const char *path;
};

/* domain "example.org" { route = ...  mailboxes = {...} } */
struct config_domain {
    const char *name; /* lower case */
    const struct config_route *route;
    const char *aliases;    /* a file, read by the supervisor; NULL: there is none */
    const char *catch_all;  /* a mailbox or an alias of it, lower case; NULL: other names are refused */
    bool plus;              /* name+detail is name                                 */
    const char **mailboxes; /* local parts, lower case; none: any is accepted */
    size_t mailbox_n;
};

/* Octets with * for any; without @ it is compared with the domain; "<>" is the null sender. */
struct config_pattern {
    const char *text;
};

/* rule "NAME" { from = ...  to = ...  route = ... }: the first that fits decides for domains that are not
 * ours. */
struct config_rule {
    const char *name;
    struct config_pattern *from, *to; /* none: anybody */
    size_t from_n, to_n;
    const struct config_route *route;
};

enum config_dnssec { CONFIG_DNSSEC_OFF, CONFIG_DNSSEC_TOLERANT, CONFIG_DNSSEC_STRICT };

/* dns { ... } */
struct config_dns {
    struct os_address *servers; /* none: those of /etc/resolv.conf      */
    size_t server_n;
    enum config_dnssec dnssec;
    const char *anchor; /* a file; NULL: the root's known keys  */
    bool hosts;         /* names of /etc/hosts, too             */
};

/* limits { ... }: name, unit, default, range and reason of each stand in config_limits.def */
struct config_limits {
    uint64_t message_octets;
    uint32_t recipients;
    uint32_t errors;
    uint32_t auth_failures;
    uint32_t idle_commands;
    uint32_t connections;             /* at once, in all                    */
    uint32_t connections_per_address; /* 0: no limit                        */
    uint64_t memory_octets;           /* of what clients have sent, for each smtpd process */
    uint64_t free_octets;             /* floor of free space on the data disk */
    uint32_t command_timeout_s;
    uint32_t data_timeout_s;
    uint32_t message_timeout_s;
    uint32_t proxy_timeout_s;
    uint32_t tls_timeout_s;
    uint32_t auth_slow_free, auth_slow_first_s, auth_slow_most_s, auth_slow_forget_s;
    uint32_t auth_remember_s;
    uint32_t auth_waiting;
    uint32_t maildrop_messages; /* of one user in an hour; 0: no limit           */
    bool auth_slow_down;        /* false: addresses and users are not slowed down after failed AUTH */
};

/* Which failures of mail from strangers are told to their senders, who may be forged. */
enum config_strangers { CONFIG_STRANGERS_NOT_SPAM, CONFIG_STRANGERS_ALL, CONFIG_STRANGERS_NONE };

/* queue { ... } */
struct config_queue {
    uint32_t retry_first_s;    /* after the first failure; doubles                 */
    uint32_t retry_most_s;     /* longest pause                                    */
    uint32_t expire_s;         /* after acceptance: bounce                         */
    uint32_t warn_after_s;     /* after acceptance: tell the sender; 0: never      */
    uint32_t back_off_first_s; /* of a destination in trouble; doubles           */
    uint32_t back_off_most_s;
    uint32_t block_patience_s; /* how long a site's refusal of this host is not believed */
    uint32_t attempts; /* leases at once, in all                           */
    enum config_strangers return_to_strangers;
    uint32_t stranger_reports; /* an hour to one domain; 0: any number            */
};

/* Who of this machine may put mail into the maildrop. */
enum config_maildrop { CONFIG_MAILDROP_ALL, CONFIG_MAILDROP_OWN, CONFIG_MAILDROP_OFF };

enum config_source { CONFIG_SOURCE_BUILT_IN, CONFIG_SOURCE_PASSWORD_FILE, CONFIG_SOURCE_DOVECOT };

/* users { ... } */
struct config_users {
    enum config_source source;
    const char *path; /* of the file, read by the supervisor, or of the socket; NULL with built-in */
};

/* tokens { ... }; jwks_file and jwks_url NULL: none are taken */
struct config_tokens {
    const char *jwks_file;    /* read by the supervisor */
    const char *jwks_url;     /* or fetched             */
    const char *jwks_ca_file; /* read by the supervisor; NULL: the system's */
    bool jwks_in_clear;       /* http:// on a loopback address              */
    uint32_t jwks_fresh_least_s, jwks_fresh_most_s, jwks_ask_again_s, jwks_keep_s;
    const char *issuer, *audience;
    const char *scope; /* NULL: any              */
    const char *user_claim;
};

/* srs { ... }: senders of forwarded mail; domain NULL: they stay as they are */
struct config_srs {
    const char *domain;      /* one of ours, lower case  */
    const char *secret_file; /* read by the supervisor   */
    uint32_t max_age_s, hash_len;
};

/* tls-reports { ... }; contact NULL: none are made */
struct config_tls_reports {
    const char *organization; /* NULL: the host name */
    const char *contact;
    const char *from; /* an address; NULL: contact */
    bool private_addresses;
};

enum config_keep { CONFIG_KEEP_FAILED, CONFIG_KEEP_ALL, CONFIG_KEEP_NONE };

/* sessions { ... } */
struct config_sessions {
    enum config_keep keep;
    uint32_t most;   /* sessions     */
    uint64_t octets; /* of traces    */
    uint32_t age_s;
};

struct config {
    const char *hostname;
    const char *data; /* folder                                      */
    enum config_maildrop maildrop;
    const char *user;            /* roles run as, when started as root; NULL: sallyport, else nobody */
    const char *tls_certificate; /* files; NULL: made in the data folder        */
    const char *tls_key;
    struct config_listener *listeners;
    size_t listener_n;
    struct config_route *routes;
    size_t route_n;
    struct config_domain *domains;
    size_t domain_n;
    struct config_rule *rules; /* in the order of the text */
    size_t rule_n;
    const struct config_route *default_route; /* for domains not ours; NULL: none: 550 */
    struct config_dns dns;
    struct config_limits limits;
    struct config_users users;
    struct config_tokens tokens;
    struct config_srs srs;
    struct config_queue queue;
    struct config_sessions sessions;
    struct config_tls_reports tls_reports;
    uint32_t smtpd_n, auth_n, delivery_n; /* processes, at least 1; 0 in the file is one per core */
    void *memory;                         /* owner of all of the above */
};

/*
 * Parse a text.
 *
 *   path       for messages; relative paths in the text start from its folder, so give an absolute one
 *   error      "FILE:LINE: key: what is wrong; allowed: ..." for the operator, one line per fault
 *   config_out owned by the caller: config_free
 *
 * SP_ERR_SYNTAX: the text is faulty; error says all that was found.
 */
SP_MUST_USE int config_parse(const char *path, struct sp_view text, struct sp_buf *error,
                             struct config **config_out);
void config_free(struct config *c);

/* What `sallyport serve` without -c is changed by. NULL or 0 where not given. */
struct config_sandbox {
    const char *data;
    const char *smtp, *submission, *submissions; /* ADDR:PORT */
    const char *relay;                           /* HOST:PORT */
};

/* The sandbox as a configuration text; it is parsed like any other. SP_ERR_SYNTAX: an option is faulty, error
 * says which. */
SP_MUST_USE int config_sandbox_text(const struct config_sandbox *options, struct sp_buf *text_out,
                                    struct sp_buf *error);

/* "SCRAM-SHA-256"; "" for SASL_ID_NONE. Static text. */
const char *config_mechanism_name(enum sasl_mechanism_id id);

/* Append the names of a set of mechanisms, the strongest first: "SCRAM-SHA-256 PLAIN". */
void config_mechanisms_text(uint32_t set, struct sp_buf *out);

/* NULL when there is none. */
const struct config_listener *config_find_listener(const struct config *c, struct sp_view name);
const struct config_route *config_find_route(const struct config *c, struct sp_view name);
const struct config_domain *config_find_domain(const struct config *c, struct sp_view name);

/* Does this configuration need documents of other servers: an issuer's keys, policies of MTA-STS; does it post reports about TLS? */
bool config_fetches(const struct config *c);

/* The route of mail to a domain that is not ours, by sender and recipient as MAIL and RCPT name them. NULL:
 * none. */
const struct config_route *config_route_for(const struct config *c, struct sp_view sender,
                                            struct sp_view recipient);

#endif
