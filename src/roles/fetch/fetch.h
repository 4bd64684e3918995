/* What the files of the role fetch share. */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include "os/loop.h"
#include "roles/fetch/documents.h"
#include "roles/fetch/kept.h"
#include "roles/fetch/transfer.h"
#include "roles/role.h"

/* After a failure the next attempt waits; each further failure twice as long. */
enum { FETCH_PAUSE_FIRST_S = 5, FETCH_PAUSE_MOST_S = 300 };

/* A key set without Cache-Control is fresh for this long, within the bounds of the configuration. */
enum { FETCH_FRESH_S = 3600 };

/* The keys of tokens/jwks-url. */
struct fetch_keys {
    struct role *role;
    struct fetch_transfer *transfer;
    char *url;                     /* NULL: none is configured                          */
    struct sp_buf authorities_pem; /* who may sign the issuer's certificate             */
    struct sp_buf jwks;            /* the newest; empty: none                           */
    struct fetch_kept kept;        /* of jwks                                           */
    struct fetch_wanted wanted;    /* what is under way                                 */
    bool under_way;
    uint64_t tried_ms;             /* monotonic: the end of the newest attempt; 0: none */
    bool failed;                   /* that attempt                                      */
    uint32_t pause_s;              /* before the next one, while it fails               */
    char *complaint;               /* what was logged last; NULL: all is well           */
    struct os_timer due;
    bool asks[ROLE_PEERS_MAX];     /* processes of auth that wait for an answer         */
};

struct fetch {
    struct role *role;
    struct dns *dns;
    struct fetch_transfer *transfer;
    struct sp_buf next_authorities_pem; /* of the generation to come */
    struct fetch_keys keys;
    struct fetch_documents *documents;
};

void fetch_keys_init(struct fetch_keys *k, struct role *r, struct fetch_transfer *transfer);

/* A new configuration: fetch what it names, unless what is kept is fresh. */
void fetch_keys_use(struct fetch_keys *k, struct sp_view authorities_pem);

/* A process of auth has come up: it is told what there is. */
void fetch_keys_greet(struct fetch_keys *k, struct os_edge *auth);

/* It wants newer keys, since a token names one that is not there; it gets one answer. */
void fetch_keys_want(struct fetch_keys *k, struct os_edge *auth, struct sp_view url);

#endif
