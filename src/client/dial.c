/* From a name to a connection: addresses in turn, TLS from the first octet where it is wanted. */
#include "base/view.h"
#include "client/state.h"
#include "os/address.h"
#include "os/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

enum { LOOKUP_MS = 30000, CONNECT_MS = 30000, HANDSHAKE_MS = 60000 };

/* "host [192.0.2.1]:25", or "[192.0.2.1]:25" when the host is that address. */
static void name_remote(struct client *c, const struct os_address *a)
{
    char text[OS_ADDRESS_TEXT];
    os_address_text(a, text);
    char *colon = strrchr(text, ':');
    *colon = '\0';
    const char *numeric = text[0] == '[' ? text + 1 : text;
    size_t n = strcspn(numeric, "]");
    bool same = strlen(c->options->host) == n && memcmp(c->options->host, numeric, n) == 0;
    snprintf(c->remote, sizeof c->remote, "%s%s[%.*s]:%s", same ? "" : c->options->host, same ? "" : " ",
             (int)n, numeric, colon + 1);
}

static void over(struct client *c, enum sp_client_fate fate, const char *enhanced, const char *text)
{
    client_fail_here(c, fate, "CONNECT", enhanced, sp_view_of(text));
    client_tell_end(c);
}

static void connect_to(struct client *c, const void *address, size_t len)
{
    const struct os_address *from = c->options->from;
    client_note(c, CLIENT_NOTE_DIAL, c->remote);
    c->reached = false;
    c->stream = os_stream_connect_from(
        c->base,
        &(struct os_stream_dial){.address = address,
                                 .address_len = len,
                                 .from = from ? &from->as.any : NULL,
                                 .from_len = from ? from->len : 0,
                                 .timeout_ms = c->options->connect_ms ? c->options->connect_ms : CONNECT_MS},
        &client_stream_handlers, c);
}

static void connect_address(struct client *c)
{
    const struct os_address *a = &c->addresses.addresses[c->address++];
    name_remote(c, a);
    connect_to(c, &a->as.any, a->len);
}

/* A path is dialled once, from the loop like an address. */
static void connect_path(struct client *c)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", c->options->path);
    snprintf(c->remote, sizeof c->remote, "%s", c->options->path);
    c->address = c->addresses.n = 1;
    connect_to(c, &a, sizeof a);
}

/* The fault of this machine says nothing of the other one (RFC 3463 3.4: "4.3.0"). */
static void fail_to_connect(struct client *c, bool starved, const char *text)
{
    client_fail_here(c, SP_CLIENT_RETRY, "CONNECT", starved ? "4.3.0" : "4.4.1", sp_view_of(text));
    c->failure.starved = starved;
    client_tell_end(c);
}

/*
 * When none is left the first that was reached says why, whatever came after it: a certificate that is not
 * right tells more than the next address where nobody listens.
 */
static void try_next(struct client *c, const char *why)
{
    char text[CLIENT_REMOTE_MAX + 200];
    snprintf(text, sizeof text, "connect to %s: %s", c->remote, why ? why : "closed by the server");
    client_note(c, CLIENT_NOTE_DOWN, text);
    bool starved = os_stream_is_starved(c->stream);
    os_stream_free(c->stream);
    c->stream = NULL;
    if (c->freed)
        return;
    if (c->reached)
        client_fail_here(c, SP_CLIENT_RETRY, "HANDSHAKE", "4.7.5", sp_view_of(text));
    if (c->address < c->addresses.n)
        connect_address(c);
    else
        fail_to_connect(c, starved, text);
}

/* Only addresses of the family that is wanted, if one is. */
static void keep_family(struct client *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->addresses.n && c->options->family; i++)
        if (c->addresses.addresses[i].as.any.sa_family == c->options->family)
            c->addresses.addresses[n++] = c->addresses.addresses[i];
    if (!c->options->family || c->addresses.verdict != DNS_FOUND)
        return;
    c->addresses.n = n;
    if (n == 0)
        c->addresses.verdict = DNS_NO_DATA;
}

static void resolved(void *ctx, const struct dns_addresses *found)
{
    struct client *c = ctx;
    client_enter(c);
    c->query = NULL;
    c->addresses = *found;
    keep_family(c);
    if (c->addresses.verdict == DNS_FOUND) {
        connect_address(c);
    } else {
        char text[CLIENT_REMOTE_MAX];
        snprintf(text, sizeof text, "host %.255s: %s", c->options->host,
                 dns_verdict_text(c->addresses.verdict));
        bool final = dns_is_final(c->addresses.verdict);
        client_note(c, CLIENT_NOTE_DOWN, text);
        over(c, final ? SP_CLIENT_BOUNCE : SP_CLIENT_RETRY, final ? "5.4.4" : "4.4.3", text);
    }
    client_leave(c);
}

void client_dial(struct client *c)
{
    if (c->options->path) {
        connect_path(c);
        return;
    }
    if (c->options->addresses) {
        c->addresses = *c->options->addresses;
        connect_address(c);
        return;
    }
    c->query = dns_addresses(c->dns, sp_view_of(c->options->host), c->options->port, LOOKUP_MS, resolved, c);
}

/* The handshake after STARTTLS failed: the same address once more, in clear (RFC 7435 3, opportunistic). */
void client_redial_plain(struct client *c)
{
    os_stream_free(c->stream);
    c->stream = NULL;
    sp_client_free(c->session);
    c->session = NULL;
    client_login_forget(c);
    os_timer_stop(&c->timer);
    c->timer_ms = 0;
    c->handshaking = false;
    c->fell_back = true;
    c->session_options.tls = SP_CLIENT_TLS_OFF;
    c->stage = CLIENT_DIALLING;
    c->address--;
    if (c->options->path)
        connect_path(c);
    else
        connect_address(c);
}

/* A numeric host has no name to indicate (RFC 6066 3); its certificate is checked for the address. */
void client_start_tls(struct client *c)
{
    uint32_t ms = c->session_options.timeouts.tls_ms;
    const struct os_tls_expected host = {.name = c->options->server_name ? c->options->server_name
                                                                         : c->options->host};
    const struct os_tls_expected *expected = c->options->expected ? c->options->expected : &host;
    os_stream_start_tls_expecting(c->stream, c->options->tls, expected, ms ? ms : HANDSHAKE_MS);
}

/* --- the stream's voice -------------------------------------------------------------------- */

static void stream_ready(void *ctx, const struct os_tls_facts *tls)
{
    struct client *c = ctx;
    client_enter(c);
    if (tls)
        client_story_up(c, tls);
    else
        client_story_connect(c);
    if (tls && c->on->note)
        c->on->note(c->ctx, &(struct client_note){.type = CLIENT_NOTE_TLS, .tls = tls});
    if (!tls)
        client_note(c, CLIENT_NOTE_UP, c->remote);
    c->reached = true;
    if (c->freed) {
        client_leave(c);
        return;
    }
    if (!tls && c->options->preamble.len > 0)
        os_stream_write(c->stream, c->options->preamble);
    if (!tls && c->options->implicit_tls)
        client_start_tls(c);
    else
        client_talk(c, tls != NULL);
    client_leave(c);
}

static void stream_closed(void *ctx, const char *why)
{
    struct client *c = ctx;
    client_enter(c);
    if (os_stream_tls_fault(c->stream))
        client_story_failed(c, why);
    if (c->stage == CLIENT_DIALLING) {
        try_next(c, why);
    } else if (c->handshaking && c->options->plain_fallback && !c->fell_back) {
        client_note(c, CLIENT_NOTE_DOWN, why ? why : "closed by the server during the TLS handshake");
        client_redial_plain(c);
    } else if (c->stage == CLIENT_TALKING) {
        sp_client_eof(c->session, sp_view_of(why));
        client_work(c);
    }
    client_leave(c);
}

static size_t stream_input(void *ctx, struct sp_view in)
{
    struct client *c = ctx;
    size_t used_n = 0, used = 1;
    client_enter(c);
    while (used > 0 && used_n < in.len && c->stage == CLIENT_TALKING && c->session && !c->freed) {
        if (sp_client_feed(c->session, sp_view_from(in, used_n), os_mono_ms(), &used))
            break;
        used_n += used;
        client_work(c);
    }
    if (c->stage != CLIENT_TALKING || c->freed)
        used_n = in.len;
    client_leave(c);
    return used_n;
}

static void stream_drained(void *ctx)
{
    struct client *c = ctx;
    client_enter(c);
    client_work(c);
    client_leave(c);
}

const struct os_stream_handlers client_stream_handlers = {
    .input = stream_input,
    .drained = stream_drained,
    .ready = stream_ready,
    .closed = stream_closed,
};
