/* The order of the race: no family and no host twice in a row while there are others. */
#include "roles/delivery/dial.h"

#include <string.h>
#include <sys/socket.h>

/* The first address of this family that has no place yet; those before are taken in order. */
static bool find_address(const struct dns_addresses *all, bool six, size_t taken, uint8_t *address_out)
{
    for (size_t i = 0; i < all->n; i++) {
        if ((all->addresses[i].as.any.sa_family == AF_INET6) != six || taken-- > 0)
            continue;
        *address_out = (uint8_t)i;
        return true;
    }
    return false;
}

/* Of the hosts from `from` on, round to those before it. */
static bool find_place(struct delivery_dial_host *const *hosts, size_t host_n, size_t from, bool six,
                       uint8_t taken[][2], struct delivery_place *place_out)
{
    for (size_t i = 0; i < host_n; i++) {
        size_t h = (from + i) % host_n;
        *place_out = (struct delivery_place){.host = (uint8_t)h};
        if (find_address(&hosts[h]->addresses, six, taken[h][six], &place_out->address))
            return true;
    }
    return false;
}

size_t delivery_dial_order(struct delivery_dial_host *const *hosts, size_t host_n,
                           struct delivery_place *places_out)
{
    uint8_t taken[DELIVERY_HOSTS_MAX][2], first;
    size_t n = 0, from = 0;
    memset(taken, 0, sizeof taken);
    while (from < host_n && hosts[from]->addresses.n == 0)
        from++;
    /* Hosts of equal preference share the load (RFC 5321 5.1): a family may not choose among them. */
    bool six = from < host_n && find_address(&hosts[from]->addresses, true, 0, &first);
    for (;; six = !six) {
        struct delivery_place next; /* there is room for those that there are, and for none behind them */
        if (!find_place(hosts, host_n, from, six, taken, &next)) {
            six = !six;
            if (!find_place(hosts, host_n, from, six, taken, &next))
                return n;
        }
        taken[next.host][six]++;
        from = (size_t)next.host + 1;
        places_out[n++] = next;
    }
}
