#include "os/address.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/fetch/transfer_state.h"

#include <stdlib.h>
#include <string.h>

/* libcurl names sockets and what it waits for; an event is ours, one per socket. */

static void look_for_end(struct fetch_transfer *t)
{
    int waiting;
    CURLMsg *m = curl_multi_info_read(t->multi, &waiting);
    if (m && m->msg == CURLMSG_DONE && m->easy_handle == t->easy)
        fetch_transfer_ended(t, m->data.result);
}

static void act(struct fetch_transfer *t, curl_socket_t fd, int what)
{
    int running;
    if (curl_multi_socket_action(t->multi, fd, what, &running) != CURLM_OK)
        os_panic("fetch", "libcurl lost count of its sockets");
    look_for_end(t);
}

static void note_socket(evutil_socket_t fd, short what, void *ctx)
{
    act(ctx, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void note_due(void *ctx) { act(ctx, CURL_SOCKET_TIMEOUT, 0); }

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct fetch_transfer *t = ctx;
    struct os_address a = {.len = (socklen_t)to->addrlen};
    if (purpose != CURLSOCKTYPE_IPCXN || to->addrlen > sizeof a.as)
        return CURL_SOCKET_BAD;
    memcpy(&a.as, &to->addr, to->addrlen);
    if (!os_address_is_public(&a)) {
        t->kept_out = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

bool fetch_loop_watch_door(struct fetch_transfer *t)
{
    return !t->wanted.public_only ||
           (curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
            curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t) == CURLE_OK);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct fetch_transfer *t = ctx;
    struct event *e = socket_ctx;
    (void)easy;
    if (e)
        event_free(e);
    e = NULL;
    if (what != CURL_POLL_REMOVE) {
        short how = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
        e = event_new(t->base, fd, (short)(how | EV_PERSIST), note_socket, t);
        if (!e || event_add(e, NULL) != 0)
            os_panic("fetch", "cannot watch a socket");
    }
    return curl_multi_assign(t->multi, fd, e) == CURLM_OK ? 0 : -1;
}

static int watch_time(CURLM *multi, long ms, void *ctx)
{
    struct fetch_transfer *t = ctx;
    (void)multi;
    if (ms < 0)
        os_timer_stop(&t->due);
    else
        os_timer_set(&t->due, (uint64_t)ms);
    return 0;
}

void fetch_loop_init(struct fetch_transfer *t)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(t->multi = curl_multi_init()))
        os_panic("fetch", "libcurl cannot be used");
    os_timer_init(&t->due, t->base, note_due, t);
    (void)curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, watch_socket); /* these cannot fail */
    (void)curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
    (void)curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, watch_time);
    (void)curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
}

void fetch_loop_fini(struct fetch_transfer *t)
{
    (void)curl_multi_cleanup(t->multi); /* no handle is in it any more */
    os_timer_fini(&t->due);
    curl_global_cleanup();
}
