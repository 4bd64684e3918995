#include "roles/smtpd/proxy.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "os/proxy.h"
#include "roles/smtpd/doors.h"
#include "roles/smtpd/terms.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct guest {
    struct guest *prev, *next;
    struct smtpd *smtpd;
    struct terms *terms;
    struct os_address from;
    struct event *readable;
    struct os_timer timer;
    int fd; /* -1: somebody else's now */
};

static void end(struct guest *g)
{
    struct smtpd *smtpd = g->smtpd;
    event_free(g->readable);
    os_timer_fini(&g->timer);
    if (g->fd >= 0)
        close(g->fd);
    tally_leave(smtpd->tally, terms_key(&g->from));
    *(g->prev ? &g->prev->next : &smtpd->guests) = g->next;
    if (g->next)
        g->next->prev = g->prev;
    smtpd->guest_n--;
    terms_unref(g->terms);
    free(g);
}

static void refuse(struct guest *g, const char *why)
{
    char host[OS_ADDRESS_TEXT];
    os_address_host(&g->from, host);
    os_log(OS_WARN, "proxy-refused", OS_STR("client", host), OS_STR("listener", g->terms->name),
           OS_STR("why", why));
    end(g);
}

/* What follows the header stays where it is: it may be a TLS handshake. */
static bool take_header(const struct guest *g, size_t len)
{
    uint8_t octets[4096];
    while (len > 0) {
        ssize_t n = recv(g->fd, octets, len < sizeof octets ? len : sizeof octets, MSG_DONTWAIT);
        if (n <= 0)
            return false;
        len -= (size_t)n;
    }
    return true;
}

static void admit(struct guest *g, const struct os_proxy *header)
{
    if (!take_header(g, header->len)) {
        end(g);
        return;
    }
    struct smtpd *smtpd = g->smtpd;
    struct terms *terms = terms_ref(g->terms);
    struct session_door door = {
        .terms = terms, .from = header->known ? header->from : g->from, .proxied = header->known};
    int fd = g->fd;
    g->fd = -1;
    end(g);
    doors_admit(smtpd, fd, &door);
    terms_unref(terms);
}

static void look(evutil_socket_t fd, short what, void *ctx)
{
    static uint8_t octets[OS_PROXY_MAX];
    struct guest *g = ctx;
    struct os_proxy header;
    const char *fault = NULL;
    (void)what;
    ssize_t n = recv(fd, octets, sizeof octets, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* a health check that only connects */
        end(g);
        return;
    }
    int status = os_proxy_parse(sp_view_make(octets, (size_t)n), &header, &fault);
    if (status == SP_OK)
        admit(g, &header);
    else if (status == SP_ERR_SYNTAX)
        refuse(g, fault);
}

static void note_time_up(void *ctx) { refuse(ctx, "no whole header came in time"); }

void proxy_begin(struct smtpd *smtpd, struct terms *terms, int fd, const struct os_address *from)
{
    uint32_t all, of_address;
    struct guest *g = os_new(sizeof *g);
    g->smtpd = smtpd;
    g->terms = terms_ref(terms);
    g->from = *from;
    g->fd = fd;
    g->next = smtpd->guests;
    if (g->next)
        g->next->prev = g;
    smtpd->guests = g;
    smtpd->guest_n++;
    tally_enter(smtpd->tally, terms_key(from), &all, &of_address);
    os_timer_init(&g->timer, smtpd->role->base, note_time_up, g);
    os_timer_set(&g->timer, terms->proxy_timeout_ms);
    /* By edge: octets that are looked at and left would wake us again and again. */
    g->readable = event_new(smtpd->role->base, fd, EV_READ | EV_ET | EV_PERSIST, look, g);
    if (!g->readable || event_priority_set(g->readable, OS_PRIORITY_IO) || event_add(g->readable, NULL))
        os_panic("proxy", "cannot watch a connection");
}

void proxy_end_all(struct smtpd *smtpd)
{
    while (smtpd->guests)
        end(smtpd->guests);
}
