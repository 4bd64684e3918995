/*
 * The role delivery: takes attempts from queue, carries them out, and says what became of each
 * recipient. A pool stands for a set of hosts and how they are to be reached; it has the attempts that wait
 * and the links that carry them. A route of kind relay has one pool; one of kind mx has as many as its
 * domains have different sites, which are found by search.
 */
#ifndef ROLES_DELIVERY_DELIVERY_H
#define ROLES_DELIVERY_DELIVERY_H

#include "base/table.h"
#include "client/client.h"
#include "message/id.h"
#include "reference/reference.h"
#include "roles/delivery/tls_report.h"
#include "roles/role.h"

/* --- an attempt: one message for recipients of one route ------------------------------------- */

struct delivery_target {
    uint64_t recipient; /* number in the store */
    struct sp_view address;
    struct sp_rcpt_parameters parameters;
    bool settled, postponed;    /* postponed: another host is asked when this one is through */
    struct delivery_kept *kept; /* what a host said of it that another may say otherwise     */
};

struct delivery_attempt {
    struct delivery_attempt *next;
    struct delivery *delivery;
    uint64_t lease, id;
    uint64_t number; /* in the order in which its pool took attempts */
    char id_text[MESSAGE_ID_TEXT + 1];
    struct os_edge *queue; /* whose it is; NULL once that queue is gone: nobody wants the result */
    struct sp_view sender, content, route;
    struct sp_mail_parameters parameters; /* what its sender asked: sallyport/envelope.h */
    int fd;                               /* the content, or -1 */
    uint64_t size;
    bool eight_bit, declared_eight_bit;
    bool plain_will_do; /* TLS-Required: No (RFC 8689 5), and no REQUIRETLS */
    struct sp_buf outcomes;
    struct sp_buf talk;      /* with the hosts that it was at so far */
    uint32_t connections;    /* that the queue allows to the destination at the moment */
    enum ipc_health health;  /* of the destination, as this attempt met it */
    struct delivery_aim *aim; /* NULL: nobody reports how TLS goes */
    const char *site;        /* key of the pool that had it; "" before. Lives as long as the pool, which outlives it */
    uint32_t seen;           /* hosts of the pool's site that would not have all of it, as bits */
    size_t target_n, open_n; /* open: without an outcome */
    size_t postponed_n;      /* of them                  */
    struct delivery_target targets[];
};

/* Copy an attempt out of its message; takes the descriptor. NULL: it names no target. */
struct delivery_attempt *delivery_attempt_new(struct delivery *d, struct os_edge *queue,
                                              const struct ipc_attempt *m);

/* What became of a target: remembered for the result, and logged. */
struct delivery_outcome {
    enum ipc_outcome_kind kind;
    enum ipc_end end; /* of DELIVERED */
    enum reference_stage stage;
    int code;
    struct sp_view enhanced, reply;
    const char *remote;
    const char *tls; /* what was demanded of the connection, and what it had; NULL: nothing is to be said */
};
/* What a reply in a phase of the client's engine was an answer to. */
enum reference_stage delivery_stage_of(const char *phase);

void delivery_attempt_settle(struct delivery_attempt *a, size_t target, const struct delivery_outcome *o);
void delivery_attempt_settle_open(struct delivery_attempt *a, const struct delivery_outcome *o);

/* All targets are settled: tell queue, and free. */
void delivery_attempt_finish(struct delivery_attempt *a);

/* Forget it without a result: queue leases it anew. */
void delivery_attempt_drop(struct delivery_attempt *a);

/* --- recipients done whose result queue may have lost ------------------------------------------ */

enum { DELIVERY_DONE_N = 8192 };

/*
 * The last deliveries. A queue that dies before it has stored a result asks again when it is back;
 * those are answered from here instead of being sent twice. A ring; the oldest are overwritten.
 */
struct delivery_done {
    struct {
        uint64_t id, recipient;
    } ring[DELIVERY_DONE_N];
    uint16_t heads[DELIVERY_DONE_N], nexts[DELIVERY_DONE_N]; /* chains by hash; 0: the end; n + 1 else */
    size_t at;
};
void delivery_done_add(struct delivery_done *d, uint64_t id, uint64_t recipient);
bool delivery_done_has(const struct delivery_done *d, uint64_t id, uint64_t recipient);

/* --- a route: its settings, of one generation of the configuration ---------------------------------- */

struct delivery_route {
    struct delivery_route *next;
    struct delivery *delivery;
    size_t use_n; /* pools and searches */
    bool retired;
    enum config_route_kind kind;
    enum config_route_tls tls;
    bool dane, mta_sts;
    char *name, *path, *host, *socket, *hello;
    uint16_t port;
    uint32_t connections;
    struct client_options options; /* what is the same for all its connections      */
    struct os_tls_context *any, *verified, *by_dane; /* NULL: not needed, or not to be had */
    struct sp_buf authorities_pem; /* of ca-file; empty: the system's */
    uint16_t mta_sts_port;
    struct sasl_credentials credentials;
    struct sp_buf secret; /* what credentials point to */
};

/* route.c */
struct delivery_route *delivery_route_new(struct delivery *d, const struct config_route *route);
void delivery_route_release(struct delivery_route *r); /* one use less */
void delivery_route_bury(struct delivery *d);          /* those that nobody uses any more */

/* --- a pool: connections to one set of hosts ---------------------------------------------------------- */

enum { DELIVERY_HOSTS_MAX = 20 };

struct delivery_host {
    unsigned preference;
    char name[DNS_NAME_MAX + 1]; /* or a numeric address */
};

/* Where mail goes, and on what conditions; domains with the same share a pool. */
struct delivery_site {
    struct delivery_host hosts[DELIVERY_HOSTS_MAX]; /* by preference, then by name */
    size_t host_n;
    bool secure;      /* the DNS names them under a signature                         */
    bool sts;         /* a policy of MTA-STS demands verified certificates            */
    bool require_tls; /* a mail does (RFC 8689)                                       */
    bool plain_will_do; /* a mail waives what the domain demands: "TLS-Required: No"   */
};

struct delivery_pool {
    struct delivery_pool *next, **here; /* of all; what points to this one   */
    struct delivery_pool *next_idle;    /* of those to be buried, if is_idle */
    bool is_idle;
    struct delivery *delivery;
    struct delivery_route *route;
    struct delivery_site site;
    char *name; /* "ROUTE HOST", for the memory of troubles                           */
    char *key;  /* what the queue calls this site; "" for a route that has one server */
    uint32_t connections; /* as the queue last allowed */
    struct delivery_attempt *waiting, **waiting_end;
    size_t waiting_n;
    struct delivery_attempt *detours, **detours_end; /* that wait for a host that has not seen them */
    struct delivery_link *links;
    size_t link_n, dialling_n;
    size_t detour_link_n, dialling_detour_n; /* of these, for detours */
    bool making_room;                        /* a link leaves for one */
    bool no_chunks;                          /* it did not know BDAT, whatever it offered */
    size_t extra_n; /* connections under way beyond one for each link */
    uint64_t taken_n;        /* attempts so far                                                   */
    uint64_t enough_till_ms; /* monotonic: the server has just refused one more connection         */
    bool retired;            /* of an earlier configuration: goes when its links are gone */
};

/* pool.c */
/* The pool of a route for a site, made when there is none. */
struct delivery_pool *delivery_pool_of(struct delivery_route *route, const struct delivery_site *site);
/* A link has gone, or what waited: if the pool is needed no more, the next delivery_pool_bury frees it. */
void delivery_pool_may_go(struct delivery_pool *p);
/* Its work is as much as pools went, however many there are. None may be in use. */
void delivery_pool_bury(struct delivery *d);
void delivery_pool_take(struct delivery_pool *p, struct delivery_attempt *a);
/* To the front; or out of a pool that is retired, or away when its queue is gone: the next one gives it anew. */
void delivery_pool_give_back(struct delivery_pool *p, struct delivery_attempt *a);
void delivery_pool_feed(struct delivery_pool *p);
void delivery_pool_retire(struct delivery_pool *p);
void delivery_pool_forget_queue(struct delivery_pool *p, const struct os_edge *queue);

/* Settle what waited when this link was dialled, but for detours: none of its addresses came to anything. */
void delivery_pool_settle_waiting(struct delivery_pool *p, const struct delivery_link *failed);
/* Settle all that waits. */
void delivery_pool_settle_all(struct delivery_pool *p, const struct delivery_outcome *o);
/* The next attempt for a link that is ready; NULL: none. */
struct delivery_attempt *delivery_pool_next(struct delivery_pool *p, const struct delivery_link *l);
/* Any that waits, to take it elsewhere. */
struct delivery_attempt *delivery_pool_take_back(struct delivery_pool *p);
void delivery_pool_detour(struct delivery_pool *p, struct delivery_attempt *a);
/* Must the link leave, so that a detour has a connection within the limit? */
bool delivery_pool_needs_room(const struct delivery_pool *p);

/* --- detour.c: the next host, for recipients that one will not have now ------------------------------------- */

/* Settle the target of the link's attempt, or keep the outcome until another host has spoken. */
void delivery_detour_settle(struct delivery_link *l, size_t target, const struct delivery_outcome *o);
/* All open targets of the link's attempt are postponed: it leaves the link for another host. */
void delivery_detour_begin(struct delivery_link *l);
/* Has the link's host not seen it? */
bool delivery_detour_fits(const struct delivery_link *l, const struct delivery_attempt *a);
/* No other host can be reached: what was kept counts. */
void delivery_detour_failed(struct delivery_link *l);
/* What hosts have said stays; which they were does not count any more. */
void delivery_detour_restart(struct delivery_attempt *a);
/* Of the outcome and what was kept, the one that tells more. */
const struct delivery_outcome *delivery_detour_telling(const struct delivery_target *t,
                                                       const struct delivery_outcome *o);
void delivery_detour_forget(struct delivery_target *t);

/* --- search.c: from a domain to its site ---------------------------------------------------------------- */

/* Find where the attempt's domain wants its mail, and give it to that pool. Attempts for one domain share a search. */
void delivery_search(struct delivery_route *route, struct delivery_attempt *a);

/* Take back the attempts of all searches, linked by next; the searches end. */
struct delivery_attempt *delivery_search_stop(struct delivery *d);
void delivery_search_forget_queue(struct delivery *d, const struct os_edge *queue);

/* --- own.c: is it this server? --------------------------------------------------------------------------- */

/* The addresses of this machine, for listeners on all of them. Only before the role is shut in. */
void delivery_own_start(struct delivery *d);
bool delivery_is_own_name(const struct delivery *d, const char *name);
bool delivery_is_own_address(const struct delivery *d, const struct os_address *a);

/* --- trouble.c: what could not be reached, for a while ----------------------------------------------------- */

struct delivery_trouble {
    uint64_t since_ms, last_ms; /* monotonic */
    uint32_t pause_ms;          /* doubles with each failure */
    struct sp_buf text;
};

enum { DELIVERY_TROUBLES_MAX = 4096 };

/* Note a failure. true: it is the first, or another one than before: worth a line in the log. */
bool delivery_trouble_note(struct delivery *d, struct sp_view key, struct sp_view text);
/* NULL: none is known. */
const struct delivery_trouble *delivery_trouble_find(const struct delivery *d, struct sp_view key);
/* It is over. The seconds that it lasted; -1: there was none. */
int64_t delivery_trouble_end(struct delivery *d, struct sp_view key);
void delivery_trouble_forget_all(struct delivery *d);

/* --- talk.c: what was said over a link, for who asks why --------------------------------------------------- */

/* Its first lines and its last ones. */
struct delivery_talk_part {
    struct sp_buf lines;
    size_t head;     /* octets of the first lines, which stay */
    size_t left_out; /* lines behind them                     */
};

/* Commands and replies, without secrets and without content. */
struct delivery_talk {
    struct delivery_talk_part opening; /* until it can take mail */
    struct delivery_talk_part mail;    /* the last mail          */
};

enum { DELIVERY_TALK_MAX = 8192 }; /* of one attempt, with all its hosts */

void delivery_talk_init(struct delivery_talk *t);
void delivery_talk_fini(struct delivery_talk *t);
/* A line of ours, about what happened. */
void delivery_talk_say(struct delivery_link *l, const char *text, struct sp_view more);
void delivery_talk_note(struct delivery_link *l, const struct client_note *n);
/* The next mail begins. */
void delivery_talk_begin(struct delivery_link *l);
/* Add what was said to what the attempt knows. */
void delivery_talk_tell(const struct delivery_link *l, struct delivery_attempt *a);

/* --- a link: one connection of a pool ------------------------------------------------------------ */

enum { DELIVERY_RECIPIENTS = 100 }; /* in one transaction; RFC 5321 4.5.3.1.8 */

/* What is demanded of the link. NAME, word for log and queue. */
#define DELIVERY_POLICIES(X)                                                                                 \
    X(OFF, "off")                                                                                            \
    X(OPPORTUNISTIC, "opportunistic")                                                                        \
    X(REQUIRED, "required")                                                                                  \
    X(VERIFIED, "verified")                                                                                  \
    X(STS, "mta-sts")                                                                                        \
    X(DANE, "dane")                                                                                          \
    X(DANE_UNUSABLE, "dane-unusable")

#define X(n, ...) DELIVERY_##n,
enum delivery_policy { DELIVERY_POLICIES(X) DELIVERY_POLICY_N };
#undef X

enum { DELIVERY_TRIED_MAX = 8 }; /* connections that are tried for one link */

/* From the hosts of a pool to a connection: dial.h. */
struct delivery_dial {
    uint8_t order[DELIVERY_HOSTS_MAX]; /* hosts, the equal ones shuffled          */
    size_t order_n, order_at;          /* of them; behind those looked up so far  */
    struct delivery_dial_host *hosts[DELIVERY_HOSTS_MAX]; /* looked up, in that order */
    size_t open_n;                     /* hosts of which something is not known yet */
    struct delivery_place *places;     /* addresses of the preference at hand, in the order of the race */
    size_t place_n, untried_n;
    struct delivery_racer *racers;     /* connections under way, the newest first */
    size_t racer_n;
    struct delivery_racer *winner;     /* the one that stands */
    size_t tried_n;                    /* connections so far  */
    bool starved;                      /* one of them for want of what this machine has to give */
    struct os_timer turn;              /* the next address's  */
    struct delivery_dial_host *spare_host; /* whose address was left alone for longest */
    uint8_t spare_address;
    uint64_t spare_ms;
    /* The first failure of those that tell most, which is told when all others fail too. */
    struct delivery_outcome failure;
    struct sp_buf failure_text;
    const char *phase;
    char remote[CLIENT_REMOTE_MAX];
};

struct delivery_link {
    struct delivery_link *next;
    struct delivery_pool *pool;
    struct delivery_dial dial;
    struct delivery_talk talk;
    struct client *client; /* NULL until one of the addresses let us connect */
    struct delivery_aim *aim; /* of the attempt that it is dialled for */
    struct delivery_attempt *attempt;
    struct sp_client_mail mail;
    struct sp_view recipients[DELIVERY_RECIPIENTS];
    struct sp_rcpt_parameters asked[DELIVERY_RECIPIENTS];
    size_t targets[DELIVERY_RECIPIENTS]; /* their places in the attempt        */
    bool crowded[DELIVERY_RECIPIENTS];   /* too many for this transaction      */
    size_t crowded_n, taken_n;
    char tls[64];    /* "dane, TLSv1.3, verified" */
    bool lost;       /* before anything of this mail was answered             */
    bool unreadable; /* the content, not the host, is what failed             */
    uint32_t avoided; /* hosts that have seen its attempts: it is for detours; 0: for ordinary mail */
    bool was_ready;  /* it has come as far as to take mail                    */
    bool abandoned;  /* no further address is tried                           */
    uint64_t born;   /* attempts that the pool had taken when it was dialled  */
    uint64_t mail_n; /* mails done over it                                    */
    struct os_timer idle;
    uint8_t *block;                /* of content read from a file                               */
    struct delivery_outcome crowd; /* what those recipients were told                           */
    struct sp_buf crowd_text;
};

/* link.c */
/* For a detour, which may then not be NULL, or for the mail that waits. */
void delivery_link_open(struct delivery_pool *p, struct delivery_attempt *detour);
bool delivery_link_is_idle(const struct delivery_link *l);
void delivery_link_begin(struct delivery_link *l, struct delivery_attempt *a);
void delivery_link_leave(struct delivery_link *l); /* QUIT, when idle */
void delivery_link_abandon(struct delivery_link *l, struct sp_view why);
void delivery_link_failed(struct delivery_link *l); /* no address is left; l is freed */
extern const struct client_handlers delivery_link_handlers;

/* --- the role -------------------------------------------------------------------------------------- */

struct delivery_credential {
    struct delivery_credential *next;
    uint32_t generation;
    struct sp_buf route, user, password, authorities_pem, certificates_pem, key_pem;
};

struct delivery {
    struct role *role;
    struct dns *dns;
    struct delivery_route *routes;
    struct delivery_pool *pools, *idle_pools;
    struct sp_table pools_by_site; /* those that are not retired */
    size_t link_n;                 /* of all pools               */
    struct delivery_search *searches;
    struct sp_table troubles;
    struct sp_table policies;        /* of MTA-STS, by domain */
    struct sts_question *questions;  /* about them            */
    uint64_t last_tag;               /* of documents          */
    struct delivery_errand *errands; /* for queue: where reports go, and posting them */
    struct os_network *own; /* addresses of this machine's interfaces */
    size_t own_n;
    struct delivery_credential *credentials;
    struct delivery_done done;
    int64_t paired_ms; /* wall time since when this process and queue have known each other */
    size_t extra_n; /* of all pools */
    uint64_t starved_ms; /* monotonic: when the log last said that a connection wants means of this machine */
    bool stopping;
    struct os_timer grace;
    struct os_later tidy; /* pools that nobody needs any more, and the end */
};

/* Take an attempt whose pool is of an earlier configuration; it goes the way that there is now. */
void delivery_anew(struct delivery *d, struct delivery_attempt *a);

/* A link has gone: its pool may go too, and when stopping so may the process. */
void delivery_link_ended(struct delivery *d);

/* mailboxes.c: deliver to each open target. */
void delivery_maildir(struct delivery_route *r, struct delivery_attempt *a);

#endif
