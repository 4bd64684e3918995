/* Lines to paste into a shell: one per program and listener, each sends a message to the sandbox. */
#ifndef SUPERVISOR_PASTE_H
#define SUPERVISOR_PASTE_H

#include "base/buf.h"

/* One way in. */
struct paste_target {
    const char *host, *port; /* numeric, without brackets */
    enum { PASTE_PLAIN, PASTE_STARTTLS, PASTE_TLS } tls;
    const char *user, *password; /* NULL user: no AUTH */
    const char *certificate;     /* file to trust */
    const char *fingerprint;     /* SHA-256, "AB:CD:..." */
    bool named;                  /* the certificate names the host */
};

void paste_swaks(struct sp_buf *out, const struct paste_target *t);
void paste_msmtp(struct sp_buf *out, const struct paste_target *t);
void paste_python(struct sp_buf *out, const struct paste_target *t);
void paste_node(struct sp_buf *out, const struct paste_target *t);

#endif
