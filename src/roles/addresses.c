#include "roles/addresses.h"

#include "base/table.h"
#include "base/view.h"
#include "config/aliases.h"
#include "dns/idna.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum { LOCAL_MAX = 128, ADDRESS_MAX = 512 };

/* The aliases of one domain. */
struct file {
    struct file *next;
    uint32_t generation;
    struct config_aliases *aliases;
    size_t domain_len;
    uint8_t domain[];
};

struct addresses {
    struct file *files;
    struct srs *srs;
    uint32_t generation; /* in use */
};

struct addresses *addresses_new(void)
{
    struct addresses *a = os_new(sizeof *a);
    a->srs = srs_new();
    return a;
}

static void free_files(struct addresses *a, uint32_t keep)
{
    for (struct file **at = &a->files; *at;) {
        struct file *f = *at;
        if (f->generation >= keep) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        config_aliases_free(f->aliases);
        free(f);
    }
}

void addresses_free(struct addresses *a)
{
    if (!a)
        return;
    for (struct file *f = a->files; f; f = f->next)
        f->generation = 0;
    free_files(a, 1);
    srs_free(a->srs);
    free(a);
}

void addresses_take(struct addresses *a, const struct ipc_aliases *m)
{
    struct sp_buf error;
    struct file *f = os_new(sizeof *f + m->domain.len);
    sp_buf_init(&error, &os_heap, 4096);
    if (config_aliases_parse("aliases", m->text, &error, &f->aliases) != SP_OK)
        os_panic("aliases", "%.*s", (int)error.len, (const char *)error.p); /* the supervisor has tried it */
    sp_buf_fini(&error);
    f->generation = m->generation;
    f->domain_len = m->domain.len;
    memcpy(f->domain, m->domain.p, m->domain.len);
    f->next = a->files;
    a->files = f;
}

void addresses_use(struct addresses *a, uint32_t generation)
{
    a->generation = generation;
    free_files(a, generation);
    srs_use(a->srs, generation);
}

void addresses_take_srs(struct addresses *a, const struct ipc_srs_secrets *m) { srs_take(a->srs, m); }

const struct srs *addresses_srs(const struct addresses *a) { return a ? a->srs : NULL; }

static const struct config_aliases *aliases_of(const struct addresses *a, const struct config_domain *d)
{
    for (const struct file *f = a ? a->files : NULL; f; f = f->next)
        if (f->generation == a->generation &&
            sp_view_eq(sp_view_make(f->domain, f->domain_len), sp_view_of(d->name)))
            return f->aliases;
    return NULL;
}

/* --- names ---------------------------------------------------------------------------------- */

/* "a b" and a\ b are the same mailbox (RFC 5321 4.1.2): in lower case, without quotes and backslashes. An
 * empty view: longer than any of ours. */
static struct sp_view plain(struct sp_view local, uint8_t out[LOCAL_MAX])
{
    bool quoted = local.len > 1 && local.p[0] == '"';
    size_t n = 0, end = quoted ? local.len - 1 : local.len;
    for (size_t i = quoted; i < end; i++) {
        if (quoted && local.p[i] == '\\' && i + 1 < end)
            i++;
        if (n == LOCAL_MAX)
            return (struct sp_view){0};
        out[n++] = sp_ascii_lower(local.p[i]);
    }
    return sp_view_make(out, n);
}

static bool has_mailbox(const struct config_domain *d, struct sp_view name)
{
    if (d->mailbox_n == 0 || sp_view_eq(name, SP_LIT("postmaster"))) /* RFC 5321 4.5.1 */
        return true;
    for (size_t i = 0; i < d->mailbox_n; i++)
        if (sp_view_eq(name, sp_view_of(d->mailboxes[i])))
            return true;
    return false;
}

/* As aliases and senders name it: in Unicode too. */
static const struct config_domain *find_domain(const struct config *c, struct sp_view domain)
{
    char ascii[DNS_IDNA_MAX];
    size_t len;
    return dns_idna(domain, ascii, &len) == SP_OK ? config_find_domain(c, sp_view_make(ascii, len)) : NULL;
}

/* <postmaster> alone is the server's own: in the domain of its name, else in the first it serves. */
static const struct config_domain *domain_of(const struct config *c, struct sp_view domain)
{
    if (domain.len > 0)
        return find_domain(c, domain);
    const struct config_domain *own = config_find_domain(c, sp_view_of(c->hostname));
    return own || c->domain_n == 0 ? own : &c->domains[0];
}

/* --- resolving ------------------------------------------------------------------------------ */

struct resolving {
    const struct addresses *addresses;
    const struct config *config;
    struct sp_view sender;
    void (*take)(void *ctx, struct sp_view address, const struct config_route *route);
    void *ctx;
    struct sp_table met; /* aliases that were opened, and targets that were told, by address */
    size_t told, depth;
    bool living; /* one of those that were told exists, as far as can be known here */
    bool tangled;
    enum addresses_answer unread; /* why an address stands for no sender; HERE: none was met */
};

static bool meet(struct resolving *r, struct sp_view address)
{
    if (sp_table_get(&r->met, address))
        return false;
    int status = sp_table_put(&r->met, address, r);
    (void)status; /* os_heap never says no */
    return true;
}

/* dead: it is a mailbox of ours that does not exist. */
static void tell(struct resolving *r, struct sp_view address, const struct config_route *route, bool dead)
{
    if (r->told == ADDRESSES_TARGETS_MAX)
        r->tangled = true;
    if (r->tangled || !meet(r, address))
        return;
    r->told++;
    r->living = r->living || !dead;
    if (r->take)
        r->take(r->ctx, address, route ? route : config_find_route(r->config, SP_LIT("hold")));
}

/* A target as it was said goes into `out`. */
static struct sp_view join(struct sp_view local, struct sp_view domain, char mark, uint8_t out[ADDRESS_MAX])
{
    size_t n = 0;
    if (local.len + domain.len + 2 > ADDRESS_MAX)
        return (struct sp_view){0};
    if (mark)
        out[n++] = (uint8_t)mark;
    memcpy(out + n, local.p, local.len);
    n += local.len;
    out[n++] = '@';
    memcpy(out + n, domain.p, domain.len);
    return sp_view_make(out, n + domain.len);
}

static bool resolve_name(struct resolving *r, const struct config_domain *d, struct sp_view local,
                         struct sp_view whole);

static void resolve_target(struct resolving *r, const struct config_domain *d, struct sp_view name,
                           struct sp_view target)
{
    uint8_t text[ADDRESS_MAX], small[LOCAL_MAX];
    bool name_in_quotes = target.len > 0 && target.p[target.len - 1] == '"'; /* no domain ends so */
    size_t at = name_in_quotes ? 0 : target.len;
    while (at > 0 && target.p[at - 1] != '@')
        at--;
    struct sp_view domain = at > 0 ? sp_view_from(target, at) : sp_view_of(d->name);
    struct sp_view local = at > 0 ? sp_view_sub(target, 0, at - 1) : target;
    const struct config_domain *there = find_domain(r->config, domain);
    struct sp_view whole = at > 0 ? target : join(local, domain, 0, text);
    if (there == d && sp_view_eq(plain(local, small), name)) {
        tell(r, whole, d->route, false); /* itself: the mailbox of that name */
        return;
    }
    if (!there) {
        tell(r, whole, config_route_for(r->config, r->sender, whole), false);
        return;
    }
    if (r->depth == ADDRESSES_DEPTH_MAX) {
        r->tangled = true;
        return;
    }
    r->depth++;
    if (!resolve_name(r, there, local, whole))
        tell(r, whole, there->route, true); /* its delivery will say so, and to whom it matters */
    r->depth--;
}

/* false: it is no alias. An alias that was opened before is not opened again. */
static bool open_alias(struct resolving *r, const struct config_domain *d, struct sp_view name,
                       struct sp_view targets)
{
    uint8_t text[ADDRESS_MAX];
    struct sp_view target, key = join(name, sp_view_of(d->name), ':', text);
    if (!targets.len)
        return false;
    if (!key.len || !meet(r, key))
        return true;
    while (sp_view_word(&targets, '\n', &target))
        if (target.len)
            resolve_target(r, d, name, target);
    return true;
}

static bool find_name(struct resolving *r, const struct config_domain *d, struct sp_view name,
                      struct sp_view whole)
{
    const struct config_aliases *aliases = aliases_of(r->addresses, d);
    if (aliases && open_alias(r, d, name, config_aliases_find(aliases, name)))
        return true;
    if (!has_mailbox(d, name))
        return false;
    tell(r, whole, d->route, false);
    return true;
}

/* In the domain of senders of forwarded mail. SP_ERR_ABSENT: it is a name like any other. What other failures
 * mean is in r->unread. */
static int resolve_sender(struct resolving *r, const struct config_domain *d, struct sp_view local)
{
    struct sp_buf address;
    sp_buf_init(&address, &os_heap, ADDRESS_MAX * 2);
    int status = srs_read(r->addresses->srs, r->config, local, os_wall_ms(), &address);
    if (status == SP_OK)
        resolve_target(r, d, (struct sp_view){0}, sp_buf_view(&address));
    else if (status != SP_ERR_ABSENT)
        r->unread = status == SP_ERR_RANGE ? ADDRESSES_EXPIRED : ADDRESSES_FORGED;
    sp_buf_fini(&address);
    return status;
}

static bool is_for_senders(const struct resolving *r, const struct config_domain *d)
{
    return r->addresses && r->config->srs.domain &&
           sp_view_eq(sp_view_of(d->name), sp_view_of(r->config->srs.domain));
}

/* A sender that is returned to, else the name, else what stands before its +, else the domain's catch-all.
 * whole: the address as it was said. */
static bool resolve_name(struct resolving *r, const struct config_domain *d, struct sp_view local,
                         struct sp_view whole)
{
    uint8_t small[LOCAL_MAX], base[ADDRESS_MAX];
    int status = is_for_senders(r, d) ? resolve_sender(r, d, local) : SP_ERR_ABSENT;
    if (status != SP_ERR_ABSENT)
        return status == SP_OK;
    struct sp_view name = plain(local, small);
    size_t plus = sp_view_find(name, '+', 0);
    if (!name.len || !whole.len)
        return false;
    bool detailed = d->plus && plus > 0 && plus < name.len && local.p[0] != '"';
    if (!(detailed && d->mailbox_n == 0) && find_name(r, d, name, whole))
        return true;
    /* A folder knows no detail; a server of mailboxes may sort by it. */
    if (detailed && find_name(r, d, sp_view_sub(name, 0, plus),
                              d->route->kind == CONFIG_ROUTE_MAILDIR
                                  ? join(sp_view_sub(local, 0, plus), sp_view_of(d->name), 0, base)
                                  : whole))
        return true;
    if (!d->catch_all)
        return false;
    resolve_target(r, d, name, sp_view_of(d->catch_all));
    return true;
}

enum addresses_answer addresses_resolve(
    const struct addresses *a, const struct config *c, struct sp_view local, struct sp_view domain,
    struct sp_view address, struct sp_view sender,
    void (*take)(void *ctx, struct sp_view address, const struct config_route *route), void *ctx)
{
    const struct config_domain *d = domain_of(c, domain);
    struct resolving r = {.addresses = a, .config = c, .sender = sender, .take = take, .ctx = ctx};
    if (!d)
        return ADDRESSES_FOREIGN;
    sp_table_init(&r.met, &os_heap, 0);
    bool known = resolve_name(&r, d, local, address);
    sp_table_fini(&r.met);
    /* Who only stands for nobody is told so now, not in a report afterwards. */
    if (!known || (r.told > 0 && !r.living && !r.tangled))
        return r.unread == ADDRESSES_HERE ? ADDRESSES_UNKNOWN : r.unread;
    return r.tangled || r.told == 0 ? ADDRESSES_TANGLED : ADDRESSES_HERE;
}
