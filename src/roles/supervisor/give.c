#include "roles/supervisor/give.h"

#include "base/view.h"
#include "os/log.h"

/* A child whose edge is gone is told everything again when it is born anew. */
static bool send_message(struct child *c, const struct ipc_message *m)
{
    int status = c->edge ? os_edge_send(c->edge, m) : SP_ERR_CLOSED;
    if (status != SP_OK && status != SP_ERR_CLOSED)
        os_log(OS_WARN, "not-given", OS_STR("name", ipc_role_name(c->kind)), OS_NUM("index", c->index),
               OS_STR("what", ipc_type_name(m->type)),
               OS_STR("why", status == SP_ERR_IO ? "no descriptor is left" : "the message is too long"));
    return status == SP_OK || status == SP_ERR_CLOSED;
}

#define GIVE(c, name, ...)                                                                                   \
    send_message(c, &(struct ipc_message){.type = IPC_TYPE_##name, .as.name = {__VA_ARGS__}})

static void give_users(struct supervisor *sv, struct child *c)
{
    for (size_t i = 0; i < sv->user_n; i++)
        if (!sv->users[i].known)
            (void)GIVE(c, user_wanted, .name = sp_view_of(sv->users[i].name),
                       .password = sp_buf_view(&sv->users[i].password), .replace = sv->users[i].replace);
}

bool give_birthright(struct supervisor *sv, struct child *c)
{
    bool given = true;
    if (sv->parts[c->kind] >= 0)
        given &= GIVE(c, folder, .fd = sv->parts[c->kind]);
    if (c->kind == IPC_SMTPD) {
        given &= GIVE(c, tally, .rows = sv->child_n[IPC_SMTPD], .fd = sv->tally);
        give_tickets(sv, c);
    }
    if (c->kind == IPC_PICKUP)
        given &= GIVE(c, maildrop, .fd = sv->maildrop);
    if (c->kind == IPC_AUTH)
        given &= GIVE(c, slow_table, .fd = sv->slow);
    if (c->kind == IPC_AUTH && c->index == 0)
        give_users(sv, c);
    return given;
}

void give_generation(struct supervisor *sv, struct child *c)
{
    const struct generation *g = sv->generation;
    (void)GIVE(c, configure, .generation = g->number, .path = sp_view_of(g->path),
               .text = sp_buf_view(&g->text));
    if (c->kind == IPC_SMTPD)
        (void)GIVE(c, tls_identity, .generation = g->number,
                   .certificates_pem = sp_buf_view(&g->certificates_pem),
                   .key_pem = sp_buf_view(&g->key_pem));
    for (size_t i = 0; c->kind == IPC_SMTPD && i < g->authorities_n; i++)
        (void)GIVE(c, client_authorities, .generation = g->number,
                   .listener = sp_view_of(g->authorities[i].listener),
                   .authorities_pem = sp_buf_view(&g->authorities[i].pem));
    bool resolves = c->kind == IPC_SMTPD || c->kind == IPC_QUEUE || c->kind == IPC_PICKUP;
    for (size_t i = 0; resolves && i < g->alias_n; i++)
        (void)GIVE(c, aliases, .generation = g->number, .domain = sp_view_of(g->aliases[i].domain),
                   .text = sp_buf_view(&g->aliases[i].text));
    if (resolves && g->srs_secrets.len > 0)
        (void)GIVE(c, srs_secrets, .generation = g->number, .text = sp_buf_view(&g->srs_secrets));
    if (c->kind == IPC_FETCH)
        (void)GIVE(c, fetch_trust, .generation = g->number,
                   .authorities_pem = sp_buf_view(&g->fetch_authorities_pem));
    if (c->kind == IPC_AUTH && g->jwks.len > 0)
        (void)GIVE(c, token_keys, .generation = g->number, .jwks = sp_buf_view(&g->jwks));
    if (c->kind == IPC_AUTH && g->config->users.source == CONFIG_SOURCE_PASSWORD_FILE)
        (void)GIVE(c, user_file, .generation = g->number, .text = sp_buf_view(&g->passwords));
    for (size_t i = 0; c->kind == IPC_DELIVERY && i < g->credential_n; i++)
        (void)GIVE(c, credential, .generation = g->number, .route = sp_view_of(g->credentials[i].route),
                   .user = sp_view_of(g->credentials[i].user),
                   .password = sp_buf_view(&g->credentials[i].password),
                   .authorities_pem = sp_buf_view(&g->credentials[i].authorities_pem),
                   .certificates_pem = sp_buf_view(&g->credentials[i].certificates_pem),
                   .key_pem = sp_buf_view(&g->credentials[i].key_pem));
}

void give_start(struct supervisor *sv, struct child *c)
{
    (void)GIVE(c, start, .generation = sv->generation->number);
}

void give_tickets(struct supervisor *sv, struct child *c)
{
    (void)GIVE(c, ticket_keys, .keys = tickets_view(&sv->tickets));
}

bool give_listeners(struct supervisor *sv, struct child *c)
{
    bool given = true;
    for (size_t i = 0; i < sv->listeners.n; i++)
        if (sv->listeners.items[i].listening)
            given &= GIVE(c, listener, .name = sp_view_of(sv->listeners.items[i].name),
                          .fd = sv->listeners.items[i].fd);
    return given;
}

bool give_peer(struct child *c, const struct child *peer, uint32_t edge, int fd)
{
    return GIVE(c, peer, .role = (uint8_t)peer->kind, .index = peer->index, .edge = edge, .fd = fd);
}

void give_stop(struct child *c, uint32_t grace_ms) { (void)GIVE(c, stop, .grace_ms = grace_ms); }
