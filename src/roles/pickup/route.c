#include "roles/pickup/pickup.h"

#include "base/view.h"
#include "dns/idna.h"
#include "os/heap.h"

#include <string.h>

enum { ADDRESS_MAX = 1024 };

struct refusal {
    const char *enhanced, *reply;
};

static const struct refusal
    bad_domain = {"5.1.3", "553 5.1.3 The domain is no name that DNS can have [bad-domain]"},
    no_route = {"5.4.4", "550 5.4.4 This server has no route to other domains than its "
                         "own [no-route]"},
    refusals[] = {[ADDRESSES_UNKNOWN] = {"5.1.1", "550 5.1.1 There is no such mailbox here "
                                                  "[unknown-recipient]"},
                  [ADDRESSES_FORGED] = {"5.1.1", "550 5.1.1 This return address was not made by "
                                                 "this server, or it was damaged on its way "
                                                 "[srs-forged]"},
                  [ADDRESSES_EXPIRED] = {"5.1.1", "550 5.1.1 This return address is too old: its "
                                                  "message was forwarded long ago [srs-expired]"},
                  [ADDRESSES_TANGLED] = {"5.4.6", "550 5.4.6 The aliases of this address lead in a "
                                                  "circle [alias-tangle]"}};

struct taking {
    struct parcel *parcel;
    struct sp_view said;
    const struct sp_rcpt_parameters *asked;
};

static void take_target(void *ctx, struct sp_view address, const struct config_route *route)
{
    const struct taking *t = ctx;
    struct recipients *r = &t->parcel->recipients;
    uint32_t n = r->n;
    if (recipients_add(r, t->said, address, route->name, t->asked) != SP_OK)
        t->parcel->fault =
            "with all that aliases stand for, it has more recipients than one message may have";
    bool itself = sp_view_eq(address, t->said);
    if (r->n > n) /* Received names one that stands for itself */
        t->parcel->only_recipient =
            r->n == 1 && itself ? parcel_keep(t->parcel, t->said) : (struct sp_view){0};
}

/* Rules know domains as DNS does. */
static const struct config_route *route_for(const struct config *c, struct sp_view sender,
                                            const struct sp_path *to, struct sp_view ascii)
{
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, ADDRESS_MAX);
    sp_buf_add(&text, to->local);
    sp_buf_add_u8(&text, '@');
    sp_buf_add(&text, ascii);
    const struct config_route *route = config_route_for(c, sender, sp_buf_view(&text));
    sp_buf_fini(&text);
    return route;
}

const char *pickup_route(struct pickup *p, struct parcel *parcel, const struct sp_path *to,
                         const struct sp_rcpt_parameters *parameters, const char **enhanced_out)
{
    const struct config *c = p->role->config;
    const struct addresses *a = p->role->addresses;
    const struct refusal *refused = &bad_domain;
    struct taking taking = {parcel, to->text, parameters};
    char ascii[DNS_IDNA_MAX];
    size_t len = 0;
    if (dns_idna(to->domain, ascii, &len) == SP_OK) {
        struct sp_view domain = sp_view_make(ascii, len), sender = parcel->sender;
        /* Once to judge, once to tell: what is tangled is told to nobody. */
        enum addresses_answer answer =
            addresses_resolve(a, c, to->local, domain, to->text, sender, NULL, NULL);
        const struct config_route *away =
            answer == ADDRESSES_FOREIGN ? route_for(c, sender, to, domain) : NULL;
        if (answer == ADDRESSES_HERE)
            (void)addresses_resolve(a, c, to->local, domain, to->text, sender, take_target, &taking);
        if (away)
            take_target(&taking, to->text, away);
        if (answer == ADDRESSES_HERE || away)
            return NULL;
        refused = answer == ADDRESSES_FOREIGN ? &no_route : &refusals[answer];
    }
    *enhanced_out = refused->enhanced;
    return refused->reply;
}
