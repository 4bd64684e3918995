#include "roles/supervisor/listeners.h"

#include "base/view.h"
#include "os/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* The kernel cuts it down to net.core.somaxconn. */
enum { BACKLOG = 4096 };

static const char *explain_bind(int why)
{
    switch (why) {
    case EADDRINUSE:
        return "the address is in use by another program; stop that one or choose another port "
               "(port 0 takes any that is free)";
    case EACCES:
    case EPERM:
        return "permission denied: use a port above 1023 or give the program CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
        return "no network interface of this machine has this address";
    case EAFNOSUPPORT:
        return "this machine does not speak that version of IP";
    default:
        return strerror(why);
    }
}

static int tell(struct sp_buf *error, const struct listener *l, int why)
{
    sp_buf_add_str(error, "listener \"");
    sp_buf_add_str(error, l->name);
    sp_buf_add_str(error, "\": ");
    sp_buf_add_str(error, l->wanted);
    sp_buf_add_str(error, ": ");
    sp_buf_add_str(error, explain_bind(why));
    sp_buf_add_str(error, "\n");
    return why == EACCES || why == EPERM ? EX_NOPERM : EX_UNAVAILABLE;
}

/* The open socket for an address. Those with port 0 are told apart by name: each has a port of its own. */
static const struct listener *find_open(const struct listeners *set, const struct listener *l, bool any_port)
{
    for (size_t i = 0; set && i < set->n; i++)
        if (!strcmp(set->items[i].wanted, l->wanted) && (!any_port || !strcmp(set->items[i].name, l->name)))
            return &set->items[i];
    return NULL;
}

static bool holds(const struct listeners *set, int fd)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->items[i].fd == fd)
            return true;
    return false;
}

static int bind_one(struct listener *l, const struct config_listener *c, const struct listeners *old)
{
    l->name = os_text(sp_view_of(c->name));
    l->last = c->last;
    os_address_text(&c->address, l->wanted);
    const struct listener *open = find_open(old, l, os_address_port(&c->address) == 0);
    if (open) {
        l->fd = open->fd;
        l->listening = open->listening;
        l->inherited = true;
        memcpy(l->bound, open->bound, sizeof l->bound);
        return 0;
    }
    l->fd = os_address_bind(&c->address);
    struct os_address bound = {.len = sizeof bound.as};
    if (l->fd < 0 || getsockname(l->fd, &bound.as.any, &bound.len) != 0)
        return errno;
    os_address_text(&bound, l->bound);
    return 0;
}

int listeners_bind(const struct config *c, const struct listeners *old, struct sp_buf *error,
                   struct listeners *new_out)
{
    int code = EX_OK;
    struct listeners set = {os_new((c->listener_n + 1) * sizeof *set.items), 0};
    for (; set.n < c->listener_n; set.n++) {
        int why = bind_one(&set.items[set.n], &c->listeners[set.n], old);
        if (why)
            code = tell(error, &set.items[set.n], why);
    }
    if (code == EX_OK)
        *new_out = set;
    else
        listeners_abandon(&set);
    return code;
}

static void forget(struct listeners *set)
{
    for (size_t i = 0; i < set->n; i++)
        free(set->items[i].name);
    free(set->items);
    *set = (struct listeners){0};
}

void listeners_replace(struct listeners *set, struct listeners *by)
{
    for (size_t i = 0; i < set->n; i++)
        if (!holds(by, set->items[i].fd))
            close(set->items[i].fd);
    forget(set);
    *set = *by;
    *by = (struct listeners){0};
    for (size_t i = 0; i < set->n; i++)
        set->items[i].inherited = false;
}

void listeners_abandon(struct listeners *set)
{
    for (size_t i = 0; i < set->n; i++)
        if (!set->items[i].inherited && set->items[i].fd >= 0)
            close(set->items[i].fd);
    forget(set);
}

int listeners_listen(struct listeners *set, bool last, struct sp_buf *error)
{
    for (size_t i = 0; i < set->n; i++) {
        struct listener *l = &set->items[i];
        if (l->listening || l->last != last)
            continue;
        if (listen(l->fd, BACKLOG) != 0) {
            (void)tell(error, l, errno);
            return EX_OSERR;
        }
        l->listening = true;
    }
    return EX_OK;
}

void listeners_close(struct listeners *set)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->items[i].fd >= 0)
            close(set->items[i].fd);
    forget(set);
}
