/* The inside of transfer.c (what is asked and answered) and transfer_loop.c (libcurl's sockets on our loop). */
#ifndef FETCH_TRANSFER_STATE_H
#define FETCH_TRANSFER_STATE_H

#include "os/loop.h"
#include "roles/fetch/transfer.h"

#include <curl/curl.h>

struct fetch_transfer {
    struct event_base *base;
    struct dns *const *dns;
    CURLM *multi;
    struct os_timer due;        /* what libcurl wants to be called for */
    struct os_timer late;       /* the end of everybody's patience     */
    struct os_later done_later; /* a fault that is known at once       */
    struct fetch_wanted wanted;
    void (*done)(void *ctx, const struct fetch_result *result);
    void *ctx;
    struct dns_query *query;
    CURL *easy; /* NULL: none is under way */
    struct curl_slist *addresses;
    char *host;
    uint16_t port;
    struct sp_buf document;
    struct curl_slist *headers;
    bool too_long, known_fault, untrusted, kept_out;
    int64_t max_age_s;
    char fault[256 + CURL_ERROR_SIZE];
    char curl_fault[CURL_ERROR_SIZE];
};

/* transfer_loop.c */
void fetch_loop_init(struct fetch_transfer *t);
void fetch_loop_fini(struct fetch_transfer *t);
/* Whatever libcurl connects to goes through here, however it came by the address. */
bool fetch_loop_watch_door(struct fetch_transfer *t);

/* transfer.c: libcurl has come to an end. */
void fetch_transfer_ended(struct fetch_transfer *t, CURLcode code);

#endif
