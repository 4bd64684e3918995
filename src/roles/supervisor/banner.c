#include "roles/supervisor/banner.h"

#include "base/view.h"
#include "os/heap.h"
#include "roles/supervisor/paste.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BANNER_MAX = 1 << 18, NAME_WIDTH = 13, VALUE_WIDTH = 17 };

/* "  name         value" and, where there is something to say, "  words". */
static void add_fact(struct sp_buf *out, const char *name, const char *value, const char *words)
{
    sp_buf_add_str(out, "  ");
    sp_buf_add_str(out, name);
    for (size_t n = strlen(name); n < NAME_WIDTH || n == strlen(name); n++)
        sp_buf_add_u8(out, ' ');
    sp_buf_add_str(out, value);
    for (size_t n = strlen(value); *words && n < VALUE_WIDTH; n++)
        sp_buf_add_u8(out, ' ');
    if (*words) {
        sp_buf_add_str(out, "  ");
        sp_buf_add_str(out, words);
    }
    sp_buf_add_u8(out, '\n');
}

static const char *tls_words(const struct config_listener *c)
{
    if (c->tls == CONFIG_TLS_IMPLICIT)
        return "TLS from the first octet";
    if (c->tls == CONFIG_TLS_OFF)
        return "no TLS";
    return c->tls_required ? "STARTTLS required" : "STARTTLS offered";
}

static const char *auth_words(const struct config_listener *c)
{
    if (c->auth == CONFIG_AUTH_OFF)
        return ", no AUTH";
    if (c->auth == CONFIG_AUTH_REQUIRED)
        return c->auth_in_clear ? ", AUTH required (also in clear)" : ", AUTH required";
    return c->auth_in_clear ? ", AUTH offered (also in clear)" : ", AUTH offered";
}

static void add_listeners(struct sp_buf *out, const struct supervisor *sv)
{
    for (size_t i = 0; i < sv->listeners.n; i++) {
        const struct listener *l = &sv->listeners.items[i];
        const struct config_listener *c = config_find_listener(sv->generation->config, sp_view_of(l->name));
        char words[128];
        (void)snprintf(words, sizeof words, "%s%s", tls_words(c), auth_words(c)); /* fits */
        add_fact(out, l->name, l->bound, words);
    }
}

static const char *password_of(const struct wanted_user *u)
{
    return u->changed ? (const char *)u->password.p : NULL;
}

static void add_users(struct sp_buf *out, const struct supervisor *sv)
{
    for (size_t i = 0; i < sv->user_n; i++) {
        const struct wanted_user *u = &sv->users[i];
        char advice[256];
        add_fact(out, "user", u->name, "");
        if (password_of(u)) {
            add_fact(out, "password", password_of(u), "");
            continue;
        }
        (void)snprintf(advice, sizeof advice,
                       "(as before; kept only as a verifier: 'sallyport user passwd %.64s' or --user "
                       "NAME:PASSWORD sets a new one)",
                       u->name);
        add_fact(out, "password", advice, "");
    }
}

static void add_mail(struct sp_buf *out, const struct supervisor *sv)
{
    const struct config_route *route = sv->generation->config->default_route;
    char where[320];
    if (route && route->kind == CONFIG_ROUTE_RELAY) {
        (void)snprintf(where, sizeof where, "relayed to %.255s:%u", route->host, route->port); /* fits */
        add_fact(out, "mail", where, "");
    } else if (route && route->kind == CONFIG_ROUTE_MX) {
        add_fact(out, "mail", "sent to the servers of each domain", "");
    } else {
        add_fact(out, "mail", "held, not sent", "");
    }
}

/* --- lines to paste ----------------------------------------------------------------------------- */

/* The certificate that is made at the first start has these names. */
static bool is_named(const char *host) { return !strcmp(host, "127.0.0.1") || !strcmp(host, "::1"); }

static void add_lines(struct sp_buf *out, const struct supervisor *sv, const struct listener *l,
                      struct paste_target *t)
{
    static void (*const programs[])(struct sp_buf *, const struct paste_target *) = {
        paste_swaks, paste_msmtp, paste_python, paste_node};
    const struct config_listener *c = config_find_listener(sv->generation->config, sp_view_of(l->name));
    struct paste_target target = *t;
    char host[OS_ADDRESS_TEXT];
    const char *colon = strrchr(l->bound, ':');
    bool brackets = l->bound[0] == '[';
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - l->bound) - 2 * brackets, l->bound + brackets);
    target.host = host;
    target.port = colon + 1;
    target.named = is_named(host);
    target.tls = c->tls == CONFIG_TLS_IMPLICIT ? PASTE_TLS : c->tls_required ? PASTE_STARTTLS : PASTE_PLAIN;
    if (c->auth != CONFIG_AUTH_REQUIRED)
        target.user = NULL;
    sp_buf_add_str(out, "\nSend a message through ");
    sp_buf_add_str(out, l->name);
    sp_buf_add_str(out, ":\n");
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        sp_buf_add_str(out, "  ");
        programs[i](out, &target);
        sp_buf_add_u8(out, '\n');
    }
}

static void add_sandbox(struct sp_buf *out, const struct supervisor *sv, const char *certificate,
                        const char *fingerprint)
{
    struct paste_target t = {.certificate = certificate, .fingerprint = fingerprint};
    if (sv->user_n > 0) {
        t.user = sv->users[0].name;
        t.password = password_of(&sv->users[0]);
        if (!t.password) {
            t.password = "PASSWORD";
            sp_buf_add_str(out, "\nPut the password in the place of PASSWORD.\n");
        }
    }
    for (size_t i = 0; i < sv->listeners.n; i++)
        add_lines(out, sv, &sv->listeners.items[i], &t);
    sp_buf_add_u8(out, '\n');
}

/* --- all together --------------------------------------------------------------------------------- */

static char *full_path(const struct supervisor *sv, const char *file)
{
    char *folder = realpath(sv->data, NULL);
    char *path = NULL;
    if (asprintf(&path, "%s%s", folder ? folder : sv->data, file) < 0)
        path = NULL;
    free(folder);
    return path ? path : os_text(sp_view_of(file));
}

static void add_all(struct sp_buf *out, const struct supervisor *sv, const char *fingerprint)
{
    const struct config *c = sv->generation->config;
    bool sandbox = !sv->options->path;
    char *data = full_path(sv, "");
    char *certificate =
        c->tls_certificate ? os_text(sp_view_of(c->tls_certificate)) : full_path(sv, "/tls/cert.pem");
    sp_buf_add_str(out, sandbox ? "Sallyport, a sandbox for mail on this machine\n\n" : "Sallyport\n\n");
    add_listeners(out, sv);
    add_users(out, sv);
    add_fact(out, "certificate", certificate, "");
    char line[160];
    (void)snprintf(line, sizeof line, "SHA256 %s", fingerprint); /* fits */
    add_fact(out, "fingerprint", line, "");
    add_fact(out, "data", data, "");
    if (sandbox) {
        add_mail(out, sv);
        add_sandbox(out, sv, certificate, fingerprint);
    }
    sp_buf_add_str(out, "ready\n");
    free(certificate);
    free(data);
}

void banner_print(const struct supervisor *sv)
{
    struct sp_buf out, fingerprint;
    sp_buf_init(&out, &os_heap, BANNER_MAX);
    sp_buf_init(&fingerprint, &os_heap, 256);
    if (os_tls_fingerprint(sp_buf_view(&sv->generation->certificates_pem), &fingerprint) != SP_OK)
        sp_buf_add_str(&fingerprint, "unknown");
    sp_buf_add_u8(&fingerprint, 0);
    add_all(&out, sv, (const char *)fingerprint.p);
    (void)fwrite(out.p, 1, out.len, stdout); /* nobody reading it is no reason not to serve */
    (void)fflush(stdout);
    sp_buf_fini_secret(&out);
    sp_buf_fini(&fingerprint);
}
