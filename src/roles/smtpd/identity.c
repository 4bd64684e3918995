#include "roles/smtpd/identity.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

/* A listener with a client-ca of its own. */
struct asking {
    struct asking *next;
    char *listener;
    struct os_tls_context *tls;
};

static struct os_tls_context *must(struct os_tls_context *tls, const char *what, struct sp_buf *error)
{
    if (!tls) /* the supervisor has tried it before */
        os_panic("tls", "%s cannot be used: %.*s", what, (int)error->len, (const char *)error->p);
    sp_buf_fini(error);
    return tls;
}

static void free_all(struct asking *a)
{
    for (struct asking *next; a; a = next) {
        next = a->next;
        os_tls_unref(a->tls);
        free(a->listener);
        free(a);
    }
}

void identity_take(struct smtpd *smtpd, const struct ipc_tls_identity *m)
{
    struct sp_buf error;
    sp_buf_init(&error, &os_heap, 4096);
    os_tls_unref(smtpd->next_tls);
    free_all(smtpd->next_asking);
    smtpd->next_asking = NULL;
    smtpd->next_tls =
        must(os_tls_server_new(m->certificates_pem, m->key_pem, &error), "the certificate", &error);
}

void identity_take_authorities(struct smtpd *smtpd, const struct ipc_client_authorities *m)
{
    struct sp_buf error;
    struct asking *a = os_new(sizeof *a);
    if (!smtpd->next_tls)
        os_panic("tls", "authorities of clients came before the certificate");
    sp_buf_init(&error, &os_heap, 4096);
    *a = (struct asking){.next = smtpd->next_asking, .listener = os_text(m->listener)};
    a->tls = must(os_tls_server_asking(smtpd->next_tls, m->authorities_pem, &error), "client-ca", &error);
    smtpd->next_asking = a;
}

static void set_tickets(struct smtpd *smtpd)
{
    struct sp_view keys = sp_buf_view(&smtpd->ticket_keys);
    if (smtpd->tls)
        os_tls_set_ticket_keys(smtpd->tls, keys);
    for (struct asking *a = smtpd->asking; a; a = a->next)
        os_tls_set_ticket_keys(a->tls, keys);
}

void identity_take_tickets(struct smtpd *smtpd, struct sp_view keys)
{
    sp_buf_clear(&smtpd->ticket_keys);
    sp_buf_add(&smtpd->ticket_keys, keys);
    set_tickets(smtpd);
}

void identity_use(struct smtpd *smtpd)
{
    if (!smtpd->next_tls)
        return;
    os_tls_unref(smtpd->tls);
    free_all(smtpd->asking);
    smtpd->tls = smtpd->next_tls;
    smtpd->asking = smtpd->next_asking;
    smtpd->next_tls = NULL;
    smtpd->next_asking = NULL;
    set_tickets(smtpd);
}

struct os_tls_context *identity_of(const struct smtpd *smtpd, const char *listener)
{
    for (const struct asking *a = smtpd->asking; a; a = a->next)
        if (strcmp(a->listener, listener) == 0)
            return a->tls;
    return smtpd->tls;
}
