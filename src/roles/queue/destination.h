/* Where mail goes, and the servers behind it. */
#ifndef ROLES_QUEUE_DESTINATION_H
#define ROLES_QUEUE_DESTINATION_H

#include "reference/reference.h"
#include "roles/role.h"
#include "store/store.h"

struct queue;

/* --- destination.c -------------------------------------------------------------------------- */

struct queue_destination;
struct queue_item;

/* Destinations that stand in the same place, in a ring. */
struct queue_ring {
    struct queue_destination *first;
};

struct queue_line {
    struct queue_item *first, **end;
};

enum queue_stand {
    QUEUE_NOWHERE, /* nothing of it waits in memory                                              */
    QUEUE_RINGED,  /* in window.ring: something waits, and may go as far as is known             */
    QUEUE_RESTING, /* in site.resting: what waits is to wait for the end of an attempt, or for the rate */
    QUEUE_PARKING  /* in window.parking: nothing may go; what waits is on its way into the store */
};

/*
 * Where items go: a route, or one domain of a route that leads to each domain's own servers. Its name is the
 * route's, or "route/domain"; the store knows what is parked by that name.
 */
struct queue_destination {
    struct queue_destination *next, *previous; /* where it stands */
    enum queue_stand stand;
    struct queue_site *site;
    struct queue_destination *site_next;   /* of the same site */
    struct queue_destination *refill_next; /* in window.refill, when refilling */
    bool refilling;
    bool parked;              /* the store may have recipients that are parked here   */
    struct store_place place; /* up to where those were leased                        */
    struct queue_line fresh, retries;
    size_t item_n;   /* items that name it, wherever they are         */
    size_t waiting;  /* recipients in its lines                       */
    uint32_t turns;  /* leases given: each fifth is a retry's         */
    uint32_t active; /* items under way                              */
    struct sp_view name, route, domain;
    uint8_t text[];
};

/* The destination of mail to that address by that route; made when there is none. */
struct queue_destination *queue_destination_of(struct queue *q, struct sp_view route, struct sp_view address);
struct queue_destination *queue_destination_named(struct queue *q, struct sp_view name);
struct queue_destination *queue_destination_find(const struct queue *q, struct sp_view name);

/* Its route, as the configuration is now. NULL: there is none any more. */
const struct config_route *queue_route_of(const struct queue *q, const struct queue_destination *d);

/* Let it stand where it belongs now. */
void queue_destination_place(struct queue *q, struct queue_destination *d);
void queue_destination_stand(struct queue *q, struct queue_destination *d, enum queue_stand stand);
/* Free it, and its site, unless something of it is worth remembering. */
void queue_destination_drop(struct queue *q, struct queue_destination *d);

/* May nothing be given to it at the moment, whatever ends? */
bool queue_destination_is_blocked(const struct queue *q, const struct queue_destination *d, int64_t now_ms);

/* Does it go there, as the configuration and the suspensions are now? */
bool queue_destination_fits(const struct queue *q, const struct queue_destination *d,
                            const struct queue_item *item);
/* They have changed: let everything stand where it belongs now. What waits for another destination than the
 * one that it was meant for goes back to the store. Without an open batch. */
void queue_destinations_review(struct queue *q);
/* Drop all that nothing names any more. */
void queue_destinations_sweep(struct queue *q);

/* Suspended by an operator: its domain, its route or its name. since_out may be NULL. */
bool queue_is_suspended(const struct queue *q, const struct queue_destination *d, int64_t *since_out);
/* Read the suspensions from the store, and let every destination stand where it belongs. */
void queue_read_suspensions(struct queue *q);

/* --- site.c --------------------------------------------------------------------------------- */

enum { QUEUE_SAID_MAX = 240 };

/*
 * The servers behind destinations: those whose domains name the same set of hosts share one, with its limits
 * and its troubles. Any other destination has one of its own, of its own name.
 */
struct queue_site {
    struct queue_site *timed_next, **timed_at; /* in window.timed while it waits for a time */
    struct queue_destination *destinations;
    struct queue_ring resting;
    uint32_t connections; /* that it may have now: grows with success, shrinks with trouble */
    uint32_t credit;      /* successes towards one more, once there was trouble             */
    bool shrunk;          /* there was trouble since the start                              */
    uint32_t active;      /* attempts under way to all its destinations                     */
    uint32_t troubles;    /* in a row                                                       */
    int64_t until_ms;     /* nothing is given before: back-off; 0: open                     */
    int64_t rate_ms;      /* the next attempt not before, by the rate                       */
    int64_t refused_ms;   /* since when it refuses this host; 0: it does not                */
    int64_t keep_ms;      /* until when that and its troubles are remembered without mail   */
    enum reference_action action; /* of the reply that slowed it; NONE: it was no reply     */
    const char *meaning;          /* and its id                                             */
    enum ipc_health health;
    int64_t since_ms;        /* when its troubles began      */
    int64_t told_ms;         /* when the log spoke of them   */
    int64_t good_ms, bad_ms; /* when it last took mail, when it was last in trouble; 0: never */
    uint64_t delivered, deferred, failed;
    size_t said_len; /* what it said, or what happened, last */
    uint8_t said[QUEUE_SAID_MAX];
    size_t slowed_len; /* when its last trouble began        */
    uint8_t slowed[QUEUE_SAID_MAX];
    size_t key_len;
    uint8_t key[];
};

struct queue_site *queue_site_of(struct queue *q, struct sp_view key);
void queue_site_join(struct queue *q, struct queue_destination *d, struct sp_view key);
void queue_site_leave(struct queue *q, struct queue_destination *d);

/* Attempts at once. */
uint32_t queue_site_room(const struct queue_site *s, const struct config_route *route);
/* One more is given now. */
void queue_site_count(struct queue_site *s, const struct config_route *route, int64_t now_ms);
/* One has ended: who rests may go. */
void queue_site_wake(struct queue *q, struct queue_site *s, uint32_t room);
/* Nobody is to rest for the end of an attempt when there is none. */
void queue_site_keep_awake(struct queue *q, struct queue_site *s);

/* What an attempt has learnt of a site. */
struct queue_lesson {
    enum ipc_health health;
    uint32_t pause_s;                   /* that it asks for                                */
    struct reference_advice advice; /* of the reply that slows it; else action is NONE */
    struct sp_view said;
};
void queue_site_note(struct queue *q, struct queue_site *s, const struct config_route *route,
                     const struct queue_lesson *lesson);
/* Forget its troubles. */
void queue_site_reopen(struct queue *q, struct queue_site *s);
/* Wait for until_ms or rate_ms. */
void queue_site_time(struct queue *q, struct queue_site *s);
/* The clock went back. */
void queue_sites_set_back(struct queue *q, int64_t by_ms);
/* Whose time has come. */
void queue_sites_tick(struct queue *q, int64_t now_ms);

#endif
