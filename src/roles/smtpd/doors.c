#include "roles/smtpd/doors.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "roles/smtpd/log.h"
#include "roles/smtpd/proxy.h"
#include "roles/smtpd/room.h"
#include "roles/smtpd/session.h"
#include "roles/smtpd/terms.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ACCEPTS_A_TURN = 16,  /* the rest waits for its turn like everything else          */
    DOOR_PAUSE_MS = 100,  /* when descriptors have run out: until some session ends    */
    TELL_MS = 10000,      /* when there was no need to rest for so long it is worth a line */
    BEYOND_LIMIT = 64,    /* connections over a limit that are still told so, in all   */
    BEYOND_OF_ADDRESS = 8 /* and of one address                                        */
};

/* Readiness would be told again and again while no descriptor is to be had. */
static void rest(struct smtpd *smtpd, int why)
{
    uint64_t now_ms = os_mono_ms();
    if (!smtpd->rest_told_ms || now_ms - smtpd->rest_told_ms >= TELL_MS)
        os_log(OS_WARN, "accept-failed", OS_STR("why", strerror(why)), OS_NUM("sessions", smtpd->session_n));
    smtpd->rest_told_ms = now_ms;
    smtpd->resting = true;
    for (struct door *d = smtpd->doors; d; d = d->next)
        (void)event_del(d->event);
    os_timer_set(&smtpd->door_timer, DOOR_PAUSE_MS);
}

void doors_rest_over(void *ctx)
{
    struct smtpd *smtpd = ctx;
    smtpd->resting = false;
    for (struct door *d = smtpd->doors; d; d = d->next)
        (void)event_add(d->event, NULL);
}

/* Count a connection and judge it. false: it is so far beyond the limits that nothing is said to it. */
static bool judge(struct smtpd *smtpd, struct session_door *door)
{
    uint32_t all, of_address, most = door->terms->connections;
    uint32_t most_of_address = door->terms->connections_per_address;
    tally_enter(smtpd->tally, terms_key(&door->from), &all, &of_address);
    bool too_many_of_address = most_of_address && of_address > most_of_address;
    door->refusal = all > most            ? SMTPD_TOO_MANY_CONNECTIONS
                    : too_many_of_address ? SMTPD_TOO_MANY_FROM_ADDRESS
                                          : SMTPD_FINE;
    return all <= most + BEYOND_LIMIT &&
           (!most_of_address || of_address <= most_of_address + BEYOND_OF_ADDRESS);
}

void doors_admit(struct smtpd *smtpd, int fd, struct session_door *door)
{
    if (judge(smtpd, door)) {
        session_begin(smtpd, fd, door);
        return;
    }
    tally_leave(smtpd->tally, terms_key(&door->from));
    close(fd);
}

static void welcome(struct door *d, int fd, const struct os_address *from)
{
    const int on = 1;
    struct session_door door = {.terms = d->terms, .from = *from};
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* slower without, not wrong */
    if (terms_is_proxy(d->terms, from))
        proxy_begin(d->smtpd, d->terms, fd, from);
    else
        doors_admit(d->smtpd, fd, &door);
}

static void answer_door(evutil_socket_t listening, short what, void *ctx)
{
    struct door *d = ctx;
    (void)what;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        if (!room_for_session(d->smtpd)) {
            rest(d->smtpd, EMFILE);
            return;
        }
        struct os_address from = {.len = sizeof from.as};
        int fd = accept4(listening, &from.as.any, &from.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(d, fd, &from);
            continue;
        }
        int why = errno;
        if (why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM)
            rest(d->smtpd, why);
        if (why != ECONNABORTED && why != EINTR)
            return; /* EAGAIN: another process was faster */
    }
}

static void watch(struct door *d, int fd)
{
    d->fd = fd;
    d->event = event_new(d->smtpd->role->base, fd, EV_READ | EV_PERSIST, answer_door, d);
    if (!d->event || event_priority_set(d->event, OS_PRIORITY_IO) != 0)
        os_panic("door", "cannot watch a listening socket");
    if (!d->smtpd->resting && event_add(d->event, NULL) != 0)
        os_panic("door", "cannot watch a listening socket");
}

static void leave(struct door *d)
{
    event_free(d->event);
    close(d->fd);
}

static void free_door(struct door *d)
{
    leave(d);
    terms_unref(d->terms);
    free(d);
}

static struct door *find(const struct smtpd *smtpd, struct sp_view name)
{
    for (struct door *d = smtpd->doors; d; d = d->next)
        if (sp_view_eq(sp_view_of(d->terms->name), name))
            return d;
    return NULL;
}

void doors_open(struct smtpd *smtpd, struct sp_view name, int fd)
{
    const struct config_listener *listener = config_find_listener(smtpd->role->config, name);
    struct door *d = find(smtpd, name);
    if (!listener || smtpd->stopping) {
        close(fd);
        return;
    }
    if (d) {
        leave(d);
    } else {
        d = os_new(sizeof *d);
        d->smtpd = smtpd;
        d->terms = terms_new(smtpd, listener);
        d->next = smtpd->doors;
        smtpd->doors = d;
    }
    watch(d, fd);
}

void doors_renew(struct smtpd *smtpd)
{
    for (struct door **link = &smtpd->doors; *link;) {
        struct door *d = *link;
        const struct config_listener *listener =
            config_find_listener(smtpd->role->config, sp_view_of(d->terms->name));
        if (!listener) {
            *link = d->next;
            free_door(d);
            continue;
        }
        terms_unref(d->terms);
        d->terms = terms_new(smtpd, listener);
        link = &d->next;
    }
}

void doors_close(struct smtpd *smtpd)
{
    os_timer_stop(&smtpd->door_timer);
    proxy_end_all(smtpd);
    while (smtpd->doors) {
        struct door *d = smtpd->doors;
        smtpd->doors = d->next;
        free_door(d);
    }
}
