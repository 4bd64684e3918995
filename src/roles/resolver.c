#include "roles/resolver.h"

#include "os/heap.h"
#include "os/log.h"

struct dns *role_resolver_new(const struct role *r, struct sp_buf *error)
{
    static const enum dns_trust trusts[] = {[CONFIG_DNSSEC_OFF] = DNS_TRUST_OFF,
                                            [CONFIG_DNSSEC_TOLERANT] = DNS_TRUST_TOLERANT,
                                            [CONFIG_DNSSEC_STRICT] = DNS_TRUST_STRICT};
    const struct config_dns *c = &r->config->dns;
    const struct dns_options options = {.servers = c->servers,
                                        .server_n = c->server_n,
                                        .trust = trusts[c->dnssec],
                                        .anchor_file = c->anchor,
                                        .hosts = c->hosts};
    return dns_open(r->base, &options, error);
}

void role_resolver_renew(const struct role *r, struct dns **dns)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    struct dns *fresh = role_resolver_new(r, &error);
    if (fresh) {
        dns_free(*dns);
        *dns = fresh;
    } else {
        os_log(OS_WARN, "resolver", OS_VIEW("why", sp_buf_view(&error)),
               OS_STR("effect", "questions go on as the configuration before said"));
    }
    sp_buf_fini(&error);
}
