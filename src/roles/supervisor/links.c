#include "roles/supervisor/links.h"

#include "os/heap.h"
#include "os/log.h"
#include "roles/supervisor/give.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What broke an edge may last for a moment; and a child that dies is known to be dead by then. */
enum { AGAIN_MS = 100 };

static const struct ipc_edge_rule *rule_between(enum ipc_role a, enum ipc_role b)
{
    for (size_t i = 0; i < ipc_edge_n; i++)
        if ((ipc_edges[i].a == a && ipc_edges[i].b == b) || (ipc_edges[i].a == b && ipc_edges[i].b == a))
            return &ipc_edges[i];
    return NULL;
}

/* NULL: no edge is allowed there. */
static struct link *find(struct supervisor *sv, const struct child *a, const struct child *b)
{
    const struct ipc_edge_rule *rule = rule_between(a->kind, b->kind);
    if (!rule || rule->a == IPC_SUPERVISOR)
        return NULL;
    const struct child *from = rule->a == a->kind ? a : b, *to = from == a ? b : a;
    return &sv->links[rule - ipc_edges][from->index * sv->child_n[to->kind] + to->index];
}

static void join_later(struct supervisor *sv, struct link *l)
{
    l->lost = true;
    os_timer_set(&sv->join_again, AGAIN_MS);
}

/* Give each of two children one end of a new edge. */
static void join(struct supervisor *sv, struct child *a, struct child *b)
{
    struct link *l = find(sv, a, b);
    int ends[2];
    l->lost = false;
    l->number++;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        os_log(OS_WARN, "edge-failed", OS_STR("why", strerror(errno)));
        join_later(sv, l);
        return;
    }
    bool given = give_peer(a, b, l->number, ends[0]);
    if (!given || !give_peer(b, a, l->number, ends[1]))
        join_later(sv, l);
    close(ends[0]);
    close(ends[1]);
}

void links_join_all(struct supervisor *sv, struct child *c)
{
    EACH_CHILD(sv, other)
    {
        if (other->edge && find(sv, c, other))
            join(sv, c, other);
    }
}

/* Those that broke while nobody died. */
static void join_lost(void *ctx)
{
    struct supervisor *sv = ctx;
    if (sv->phase == SUPERVISOR_STOPPING)
        return;
    EACH_CHILD(sv, a)
    {
        for (size_t kind = 0; kind < IPC_ROLE_N; kind++)
            for (struct child *b = sv->children[kind]; b < sv->children[kind] + sv->child_n[kind]; b++) {
                struct link *l = find(sv, a, b);
                if (!l || !l->lost || !a->edge || !b->edge)
                    continue; /* who is dead is joined at its next birth */
                os_log(OS_WARN, "edge-joined-again", OS_STR("a", ipc_role_name(a->kind)),
                       OS_NUM("a-index", a->index), OS_STR("b", ipc_role_name(b->kind)),
                       OS_NUM("b-index", b->index));
                join(sv, a, b);
            }
    }
}

void links_note_lost(struct supervisor *sv, const struct child *c, const struct ipc_peer_lost *lost)
{
    if (lost->role >= IPC_ROLE_N || lost->index >= sv->child_n[lost->role])
        return;
    struct link *l = find(sv, c, &sv->children[lost->role][lost->index]);
    if (l && !l->lost && l->number == lost->edge)
        join_later(sv, l);
}

void links_init(struct supervisor *sv)
{
    sv->links = os_new(ipc_edge_n * sizeof *sv->links);
    for (size_t i = 0; i < ipc_edge_n; i++)
        sv->links[i] =
            os_new((sv->child_n[ipc_edges[i].a] * sv->child_n[ipc_edges[i].b] + 1) * sizeof **sv->links);
    os_timer_init(&sv->join_again, sv->base, join_lost, sv);
}

void links_fini(struct supervisor *sv)
{
    os_timer_fini(&sv->join_again);
    for (size_t i = 0; i < ipc_edge_n; i++)
        free(sv->links[i]);
    free(sv->links);
}
