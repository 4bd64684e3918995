#include "roles/auth/line.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct auth_line_client {
    struct auth_line_client *next, *previous; /* in the ring                */
    struct auth_line_item *first, *last;
    size_t n;
    size_t key_len;
    uint8_t key[AUTH_CLIENT_KEY_MAX];
};

void auth_line_init(struct auth_line *l, size_t max, uint64_t seed)
{
    *l = (struct auth_line){.max = max};
    sp_table_init(&l->clients, &os_heap, seed);
}

void auth_line_fini(struct auth_line *l) { sp_table_fini(&l->clients); }

/* --- clients ----------------------------------------------------------------------------- */

/* A newcomer stands behind all others: just before the one whose turn it is. */
static void join_ring(struct auth_line *l, struct auth_line_client *c)
{
    if (!l->turn) {
        l->turn = c->next = c->previous = c;
        return;
    }
    c->next = l->turn;
    c->previous = l->turn->previous;
    c->previous->next = c;
    c->next->previous = c;
}

static struct auth_line_client *obtain_client(struct auth_line *l, struct sp_view key)
{
    key = sp_view_sub(key, 0, AUTH_CLIENT_KEY_MAX);
    struct auth_line_client *c = sp_table_get(&l->clients, key);
    if (c)
        return c;
    c = os_new(sizeof *c);
    c->key_len = key.len;
    memcpy(c->key, key.p, key.len);
    if (sp_table_put(&l->clients, key, c))
        os_panic("auth-line", "os_heap said no");
    join_ring(l, c);
    return c;
}

static void drop_client(struct auth_line *l, struct auth_line_client *c)
{
    (void)sp_table_take(&l->clients, sp_view_make(c->key, c->key_len));
    if (l->turn == c)
        l->turn = c->next == c ? NULL : c->next;
    c->previous->next = c->next;
    c->next->previous = c->previous;
    free(c);
}

/* --- items ------------------------------------------------------------------------------- */

static void append(struct auth_line *l, struct auth_line_client *c, struct auth_line_item *item)
{
    *item = (struct auth_line_item){.before = c->last, .client = c};
    *(c->last ? &c->last->behind : &c->first) = item;
    c->last = item;
    c->n++;
    l->n++;
}

void auth_line_remove(struct auth_line *l, struct auth_line_item *item)
{
    struct auth_line_client *c = item->client;
    *(item->before ? &item->before->behind : &c->first) = item->behind;
    *(item->behind ? &item->behind->before : &c->last) = item->before;
    *item = (struct auth_line_item){.client = NULL};
    l->n--;
    if (--c->n == 0)
        drop_client(l, c);
}

struct auth_line_item *auth_line_push(struct auth_line *l, struct sp_view client, struct auth_line_item *item)
{
    struct auth_line_client *c = obtain_client(l, client);
    append(l, c, item);
    if (l->n <= l->max)
        return NULL;
    struct auth_line_client *most = c;
    for (struct auth_line_client *o = c->next; o != c; o = o->next)
        if (o->n > most->n)
            most = o;
    struct auth_line_item *leaves = most->last;
    auth_line_remove(l, leaves);
    return leaves;
}

struct auth_line_item *auth_line_pop(struct auth_line *l)
{
    struct auth_line_client *c = l->turn;
    if (!c)
        return NULL;
    struct auth_line_item *item = c->first;
    l->turn = c->next;
    auth_line_remove(l, item);
    return item;
}

size_t auth_client_key(struct sp_view address, uint8_t *out)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    if (address.len > 0 && address.len < sizeof text) {
        memcpy(text, address.p, address.len);
        text[address.len] = 0;
        if (inet_pton(AF_INET6, text, &v6) == 1 && !IN6_IS_ADDR_V4MAPPED(&v6)) {
            memcpy(out, v6.s6_addr, 8);
            return 8;
        }
    }
    size_t n = address.len < AUTH_CLIENT_KEY_MAX ? address.len : AUTH_CLIENT_KEY_MAX;
    if (n)
        memcpy(out, address.p, n);
    return n;
}
