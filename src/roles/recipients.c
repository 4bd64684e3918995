#include "roles/recipients.h"

#include "base/view.h"

/* What a record takes beside its texts: numbers and lengths, see ipc/messages.def. */
enum { RECORD_MAX = 256, ORIGINAL_MAX = 1024 };

void recipients_init(struct recipients *r, const struct sp_allocator *alloc, uint64_t seed)
{
    *r = (struct recipients){0};
    sp_buf_init(&r->list, alloc, RECIPIENTS_MAX);
    sp_table_init(&r->known, alloc, seed);
}

void recipients_fini(struct recipients *r)
{
    sp_buf_fini(&r->list);
    sp_table_fini(&r->known);
}

static int know(struct recipients *r, struct sp_view address) { return sp_table_put(&r->known, address, r); }

/* Most messages have one recipient, and need no table. */
static int know_first(struct recipients *r)
{
    struct sp_view rest = sp_buf_view(&r->list);
    struct ipc_recipient first;
    return ipc_next_recipient(&rest, &first) ? know(r, first.address) : SP_OK;
}

static int append(struct recipients *r, const struct ipc_recipient *one)
{
    size_t len = RECORD_MAX + one->address.len + one->route.len + one->parameters.orcpt.len;
    if (r->list.len + len > RECIPIENTS_MAX)
        return SP_ERR_LONG;
    int status = sp_buf_reserve(&r->list, len);
    return status ? status : ipc_add_recipient(&r->list, one);
}

int recipients_add(struct recipients *r, struct sp_view said, struct sp_view address, const char *route,
                   const struct sp_rcpt_parameters *asked)
{
    struct sp_buf original;
    struct ipc_recipient one = {.address = address,
                                .route = sp_view_of(route),
                                .forwarded = !sp_view_eq(address, said),
                                .parameters = *asked};
    int status = r->n == 1 && r->known.n == 0 ? know_first(r) : SP_OK;
    if (status || sp_table_get(&r->known, address))
        return status;
    sp_buf_init(&original, r->list.alloc, ORIGINAL_MAX);
    if (one.forwarded && asked->orcpt.len == 0) {
        sp_buf_add_str(&original, "rfc822;");
        sp_buf_add(&original, said);
        one.parameters.orcpt = sp_buf_view(&original);
        status = sp_buf_status(&original);
    }
    if (!status && r->n > 0)
        status = know(r, address);
    if (!status)
        status = append(r, &one);
    if (!status)
        r->n++;
    else
        (void)sp_table_take(&r->known, address);
    sp_buf_fini(&original);
    return status;
}

void recipients_rewind(struct recipients *r, struct recipients_mark mark)
{
    struct sp_view rest = sp_view_from(sp_buf_view(&r->list), mark.len);
    for (struct ipc_recipient one; ipc_next_recipient(&rest, &one);)
        (void)sp_table_take(&r->known, one.address);
    r->list.len = mark.len;
    r->n = mark.n;
}
