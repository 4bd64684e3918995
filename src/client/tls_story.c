/* How TLS went on a connection, for those who report it: kept, since the stream is gone when its end is told.
 */
#include "base/view.h"
#include "client/state.h"

#include <stdio.h>
#include <string.h>

static void set_why(struct client *c, const char *why)
{
    (void)snprintf(c->story.why, sizeof c->story.why, "%s", why ? why : ""); /* fits, or is cut */
}

/* The first word behind 250 of the answer to EHLO. */
static void keep_helo(struct client *c, struct sp_view lines)
{
    struct sp_view word = sp_view_from(lines, 4);
    size_t n = 0;
    while (n < word.len && n + 1 < sizeof c->story.helo && word.p[n] > ' ' && word.p[n] < 0x7f)
        n++;
    (void)snprintf(c->story.helo, sizeof c->story.helo, "%.*s", (int)n, (const char *)word.p);
}

void client_story_connect(struct client *c)
{
    (void)snprintf(c->story.local, sizeof c->story.local, "%s",
                   os_stream_local_address(c->stream)); /* fits */
}

void client_story_reply(struct client *c, const char *phase, const struct sp_client_reply *reply)
{
    bool hello = strcmp(phase, "EHLO") == 0 || strcmp(phase, "HELO") == 0;
    bool secured = c->stream && os_stream_tls(c->stream);
    if (hello && reply->code / 100 == 2)
        keep_helo(c, reply->lines);
    if (secured || c->fell_back)
        return;
    if (hello && reply->code / 100 == 2 && !sp_client_capabilities(c->session)->starttls) {
        c->story.end = CLIENT_TLS_LACKING;
        set_why(c, "STARTTLS is not offered");
    } else if (strcmp(phase, "STARTTLS") == 0 && reply->code != 220 && reply->code) {
        c->story.end = CLIENT_TLS_LACKING;
        (void)snprintf(c->story.why, sizeof c->story.why, "STARTTLS was refused: %d %.*s", reply->code,
                       (int)(reply->text.len < 100 ? reply->text.len : 100), (const char *)reply->text.p);
    }
}

void client_story_up(struct client *c, const struct os_tls_facts *tls)
{
    c->story.end = CLIENT_TLS_UP;
    c->story.fault = tls->fault;
    set_why(c, tls->peer_fault);
}

void client_story_failed(struct client *c, const char *why)
{
    c->story.end = CLIENT_TLS_FAILED;
    c->story.fault = os_stream_tls_fault(c->stream);
    set_why(c, why ? why : "closed by the server during the TLS handshake");
}

const struct client_tls_story *client_tls_story(const struct client *c) { return &c->story; }
