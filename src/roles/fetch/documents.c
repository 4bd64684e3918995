#include "roles/fetch/documents.h"

#include "base/view.h"
#include "os/heap.h"

#include <stdlib.h>

struct wish {
    struct wish *next;
    uint32_t peer;
    uint64_t tag;
    char *url;
    struct sp_buf authorities_pem;
    bool any_certificate;
    char *type;
    struct sp_buf body;
    bool public_only;
    bool forgotten; /* nobody waits for it any more */
};

struct desk {
    struct fetch_documents *documents;
    struct fetch_transfer *transfer;
    struct fetch_wanted wanted;
    struct wish *wish; /* NULL: free */
};

struct fetch_documents {
    struct role *role;
    struct desk desks[FETCH_AT_ONCE];
    struct wish *waiting, **waiting_end;
    size_t waiting_n;
};

static void wish_free(struct wish *w)
{
    sp_buf_fini(&w->authorities_pem);
    sp_buf_fini(&w->body);
    free(w->type);
    free(w->url);
    free(w);
}

static void tell(const struct fetch_documents *f, const struct wish *w, const struct fetch_result *result)
{
    struct os_edge *to = w->forgotten ? NULL : role_peer_at(f->role, IPC_DELIVERY, w->peer);
    struct ipc_message m = {.type = IPC_TYPE_document_here};
    m.as.document_here.tag = w->tag;
    m.as.document_here.fault = sp_view_of(result->fault);
    m.as.document_here.untrusted = result->untrusted;
    m.as.document_here.document = result->fault ? (struct sp_view){0} : result->document;
    if (to)
        (void)os_edge_send(to, &m); /* who is gone wants nothing */
}

static void begin_next(struct desk *desk);

static void take_result(void *ctx, const struct fetch_result *result)
{
    struct desk *desk = ctx;
    struct wish *w = desk->wish;
    desk->wish = NULL;
    tell(desk->documents, w, result);
    wish_free(w);
    begin_next(desk);
}

/* Out of the line: the first whose turn it is. NULL: there is none. */
static struct wish *take_next(struct fetch_documents *f)
{
    struct wish **at = &f->waiting;
    size_t posts = 0;
    for (size_t i = 0; i < FETCH_AT_ONCE; i++)
        posts += f->desks[i].wish && f->desks[i].wish->body.len > 0;
    while (*at && (*at)->body.len > 0 && posts >= FETCH_POSTS_AT_ONCE)
        at = &(*at)->next;
    struct wish *w = *at;
    if (!w)
        return NULL;
    *at = w->next;
    if (f->waiting_end == &w->next)
        f->waiting_end = at;
    f->waiting_n--;
    return w;
}

static void begin_next(struct desk *desk)
{
    struct fetch_documents *f = desk->documents;
    struct wish *w = desk->wish ? NULL : take_next(f);
    if (!w)
        return;
    desk->wish = w;
    desk->wanted = (struct fetch_wanted){.url = w->url,
                                         .authorities_pem = sp_buf_view(&w->authorities_pem),
                                         .any_certificate = w->any_certificate,
                                         .public_only = w->public_only,
                                         .type = sp_view_of(w->type),
                                         .body = sp_buf_view(&w->body)};
    fetch_transfer_begin(desk->transfer, &desk->wanted, take_result, desk);
}

void fetch_documents_want(struct fetch_documents *f, struct os_edge *from,
                          const struct ipc_document_wanted *m)
{
    static const struct fetch_result too_many = {.fault = "too many documents are waited for"};
    struct wish *w = os_new(sizeof *w);
    w->peer = os_edge_peer_index(from);
    w->tag = m->tag;
    w->url = os_text(m->url);
    sp_buf_init(&w->authorities_pem, &os_heap, m->authorities_pem.len);
    sp_buf_add(&w->authorities_pem, m->authorities_pem);
    w->any_certificate = m->any_certificate != 0;
    w->public_only = m->public_only != 0;
    w->type = os_text(m->type);
    sp_buf_init(&w->body, &os_heap, m->body.len);
    sp_buf_add(&w->body, m->body);
    if (f->waiting_n >= FETCH_WAITING_MAX) {
        tell(f, w, &too_many);
        wish_free(w);
        return;
    }
    *f->waiting_end = w;
    f->waiting_end = &w->next;
    f->waiting_n++;
    for (size_t i = 0; i < FETCH_AT_ONCE; i++)
        begin_next(&f->desks[i]);
}

void fetch_documents_forget(struct fetch_documents *f, uint32_t peer)
{
    for (struct wish *w = f->waiting; w; w = w->next)
        w->forgotten = w->forgotten || w->peer == peer;
    for (size_t i = 0; i < FETCH_AT_ONCE; i++)
        if (f->desks[i].wish && f->desks[i].wish->peer == peer)
            f->desks[i].wish->forgotten = true;
}

struct fetch_documents *fetch_documents_new(struct role *r, struct dns *const *dns)
{
    struct fetch_documents *f = os_new(sizeof *f);
    f->role = r;
    f->waiting_end = &f->waiting;
    for (size_t i = 0; i < FETCH_AT_ONCE; i++)
        f->desks[i] = (struct desk){.documents = f, .transfer = fetch_transfer_new(r->base, dns)};
    return f;
}
