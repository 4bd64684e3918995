#include "roles/smtpd/peer.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/smtpd/session.h"
#include "roles/smtpd/terms.h"

#include <stdio.h>
#include <stdlib.h>

/* An address and a port as one; what is not said is kept, or 0. */
static bool parse(const struct session *s, const struct sp_server_peer *peer, struct os_address *address_out)
{
    char text[2 * OS_ADDRESS_TEXT];
    struct sp_view host = peer->address.len ? peer->address : sp_view_of(s->client);
    bool v6 = sp_view_find(host, ':', 0) < host.len;
    int n =
        snprintf(text, sizeof text, v6 ? "[%.*s]:%.*s" : "%.*s:%.*s", (int)host.len, (const char *)host.p,
                 peer->port.len ? (int)peer->port.len : 1, peer->port.len ? (const char *)peer->port.p : "0");
    return n > 0 && (size_t)n < sizeof text &&
           os_address_parse(sp_view_make(text, (size_t)n), address_out) == SP_OK;
}

void peer_is_client(struct session *s, const struct sp_server_peer *peer)
{
    struct os_address address;
    uint32_t all, of_address;
    char before[OS_ADDRESS_TEXT];
    memcpy(before, s->client, sizeof before);
    if (parse(s, peer, &address)) {
        tally_leave(s->smtpd->tally, terms_key(&s->address));
        s->address = address;
        os_address_host(&s->address, s->client);
        tally_enter(s->smtpd->tally, terms_key(&s->address), &all, &of_address); /* limits are the peer's */
    }
    session_forget_user(s);
    if (peer->login.len)
        s->user = os_text(peer->login);
    if (peer->hello.len) {
        free(s->hello);
        s->hello = os_text(peer->hello);
    }
    os_log(OS_INFO, "xclient", OS_STR("session", s->name), OS_STR("peer", before),
           OS_STR("client", s->client), OS_VIEW("name", peer->name), OS_VIEW("hello", peer->hello),
           OS_VIEW("user", peer->login));
}

void peer_forwards(struct session *s, const struct sp_server_peer *peer)
{
    os_log(OS_INFO, "xforward", OS_STR("session", s->name), OS_STR("peer", s->client),
           OS_VIEW("client", peer->address), OS_VIEW("name", peer->name), OS_VIEW("hello", peer->hello),
           OS_VIEW("protocol", peer->protocol), OS_VIEW("ident", peer->ident),
           OS_VIEW("source", peer->source));
}
