/* RFC 5321 5.1: mail must not go round in a circle through ourselves. */
#include "base/view.h"
#include "os/heap.h"
#include "roles/delivery/delivery.h"

#include <ifaddrs.h>

static bool take_interface(struct os_network *n, const struct sockaddr *address)
{
    struct os_address a = {0};
    char text[OS_ADDRESS_TEXT];
    if (address && address->sa_family == AF_INET)
        a.len = sizeof a.as.v4;
    else if (address && address->sa_family == AF_INET6)
        a.len = sizeof a.as.v6;
    else
        return false;
    memcpy(&a.as, address, a.len);
    os_address_host(&a, text);
    struct sp_view host = sp_view_of(text);
    return os_network_parse(sp_view_sub(host, 0, sp_view_find(host, '%', 0)), n) == SP_OK;
}

void delivery_own_start(struct delivery *d)
{
    struct ifaddrs *list = NULL;
    size_t n = 0;
    if (getifaddrs(&list))
        return; /* then names alone tell */
    for (struct ifaddrs *i = list; i; i = i->ifa_next)
        n++;
    d->own = os_new((n + 1) * sizeof *d->own);
    for (struct ifaddrs *i = list; i; i = i->ifa_next)
        d->own_n += take_interface(&d->own[d->own_n], i->ifa_addr);
    freeifaddrs(list);
}

bool delivery_is_own_name(const struct delivery *d, const char *name)
{
    return sp_view_eq_nocase(sp_view_of(name), sp_view_of(d->role->config->hostname));
}

static bool is_any(const struct os_address *a)
{
    return a->as.any.sa_family == AF_INET ? a->as.v4.sin_addr.s_addr == htonl(INADDR_ANY)
                                          : IN6_IS_ADDR_UNSPECIFIED(&a->as.v6.sin6_addr);
}

static bool is_same_host(const struct os_address *a, const struct os_address *b)
{
    char one[OS_ADDRESS_TEXT], other[OS_ADDRESS_TEXT];
    os_address_host(a, one);
    os_address_host(b, other);
    return strcmp(one, other) == 0;
}

bool delivery_is_own_address(const struct delivery *d, const struct os_address *a)
{
    const struct config *c = d->role->config;
    bool interface = false;
    for (size_t i = 0; i < d->own_n && !interface; i++)
        interface = os_network_has(&d->own[i], a);
    for (size_t i = 0; i < c->listener_n; i++) {
        const struct os_address *l = &c->listeners[i].address;
        if (os_address_port(l) == os_address_port(a) && (is_any(l) ? interface : is_same_host(l, a)))
            return true;
    }
    return false;
}
