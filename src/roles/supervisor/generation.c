#include "roles/supervisor/generation.h"

#include "base/view.h"
#include "os/file.h"
#include "os/heap.h"
#include "os/tls.h"
#include "roles/supervisor/alias_file.h"
#include "roles/supervisor/data_folder.h"
#include "roles/supervisor/srs_file.h"
#include "sasl/token.h"
#include "users/passwords.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>

enum { PEM_MAX = 1 << 20, PASSWORD_FILE_MAX = 4096, PASSWORDS_MAX = 3 << 20 };

/* Absolute, since relative paths in the file begin at its folder and every role parses it from its own. */
static char *absolute(const char *path)
{
    char *whole = path ? realpath(path, NULL) : NULL;
    return whole ? whole : os_text(sp_view_of(path ? path : "(sandbox)"));
}

static struct generation *make(uint32_t number, const char *path)
{
    struct generation *g = os_new(sizeof *g);
    g->number = number;
    g->path = absolute(path);
    sp_buf_init(&g->text, &os_heap, CONFIG_TEXT_MAX);
    sp_buf_init(&g->certificates_pem, &os_heap, PEM_MAX);
    sp_buf_init(&g->key_pem, &os_heap, PEM_MAX);
    sp_buf_init(&g->jwks, &os_heap, PEM_MAX);
    sp_buf_init(&g->fetch_authorities_pem, &os_heap, PEM_MAX);
    sp_buf_init(&g->passwords, &os_heap, PASSWORDS_MAX);
    sp_buf_init(&g->srs_secrets, &os_heap, SRS_FILE_MAX);
    return g;
}

void generation_free(struct generation *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->credential_n; i++) {
        sp_buf_fini_secret(&g->credentials[i].password);
        sp_buf_fini(&g->credentials[i].authorities_pem);
        sp_buf_fini(&g->credentials[i].certificates_pem);
        sp_buf_fini_secret(&g->credentials[i].key_pem);
    }
    free(g->credentials);
    for (size_t i = 0; i < g->authorities_n; i++)
        sp_buf_fini(&g->authorities[i].pem);
    free(g->authorities);
    for (size_t i = 0; i < g->alias_n; i++)
        sp_buf_fini(&g->aliases[i].text);
    free(g->aliases);
    sp_buf_fini_secret(&g->key_pem);
    sp_buf_fini(&g->jwks);
    sp_buf_fini(&g->fetch_authorities_pem);
    sp_buf_fini_secret(&g->passwords);
    sp_buf_fini_secret(&g->srs_secrets);
    sp_buf_fini(&g->certificates_pem);
    config_free(g->config);
    sp_buf_fini(&g->text);
    free(g->path);
    free(g);
}

static int read_named(const char *path, struct sp_buf *out, struct sp_buf *error)
{
    int status = os_file_read(AT_FDCWD, path, out);
    if (status == SP_OK)
        return EX_OK;
    os_file_add_fault(error, path, "cannot be read", status);
    return EX_NOINPUT;
}

int generation_read(const struct supervisor_options *options, uint32_t number, struct sp_buf *error,
                    struct generation **generation_out)
{
    struct generation *g = make(number, options->path);
    int code = EX_OK;
    if (options->path)
        code = read_named(options->path, &g->text, error);
    else if (config_sandbox_text(&options->sandbox, &g->text, error) != SP_OK)
        code = EX_USAGE;
    if (code == EX_OK && config_parse(g->path, sp_buf_view(&g->text), error, &g->config) != SP_OK)
        code = EX_CONFIG;
    if (code == EX_OK)
        *generation_out = g;
    else
        generation_free(g);
    return code;
}

/* --- what a file holds, tried out ----------------------------------------------------------- */

/* false: error says why not. */
typedef bool judge(const void *held, struct sp_buf *error);

/* Whoever is to use it judges it here, so that a faulty file is refused before any role has it. */
static int try_out(const char *path, judge *is_good, const void *held, struct sp_buf *error)
{
    size_t before = error->len;
    sp_buf_add_str(error, path);
    sp_buf_add_str(error, ": ");
    if (is_good(held, error)) {
        error->len = before;
        return EX_OK;
    }
    sp_buf_add_str(error, "\n");
    return EX_CONFIG;
}

struct identity {
    struct sp_view certificates_pem, key_pem;
};

static bool is_identity(const void *held, struct sp_buf *error)
{
    const struct identity *identity = held;
    struct os_tls_context *tls = os_tls_server_new(identity->certificates_pem, identity->key_pem, error);
    os_tls_unref(tls);
    return tls != NULL;
}

static bool are_authorities(const void *held, struct sp_buf *error)
{
    struct os_tls_context *tls = os_tls_client_trusting(OS_TLS_ANY, sp_buf_view(held), error);
    os_tls_unref(tls);
    return tls != NULL;
}

static bool are_token_keys(const void *held, struct sp_buf *error)
{
    struct sasl_jwks *keys = NULL;
    bool good = sasl_jwks_parse(sp_buf_view(held), error, &keys) == SP_OK;
    sasl_jwks_free(keys);
    return good;
}

static bool are_passwords(const void *held, struct sp_buf *error)
{
    struct users_passwords *passwords = NULL;
    bool good = users_passwords_parse(sp_buf_view(held), error, &passwords) == SP_OK;
    users_passwords_free(passwords);
    return good;
}

/* --- secrets ------------------------------------------------------------------------------- */

static int read_identity(struct generation *g, int data_folder, struct sp_buf *error)
{
    const struct config *c = g->config;
    int code;
    if (c->tls_certificate) {
        code = read_named(c->tls_certificate, &g->certificates_pem, error);
        if (code == EX_OK)
            code = read_named(c->tls_key, &g->key_pem, error);
    } else {
        code = data_folder_identity(data_folder, c->hostname, &g->certificates_pem, &g->key_pem, error);
    }
    const struct identity identity = {sp_buf_view(&g->certificates_pem), sp_buf_view(&g->key_pem)};
    const char *path = c->tls_certificate ? c->tls_certificate : "tls/cert.pem";
    return code == EX_OK ? try_out(path, is_identity, &identity, error) : code;
}

/* The first line of the file, without its end. */
static int read_password(struct credential *credential, const char *path, struct sp_buf *error)
{
    struct sp_buf *b = &credential->password;
    int status = os_file_read(AT_FDCWD, path, b);
    if (status != SP_OK) {
        os_file_add_fault(error, path, "the route's password cannot be read", status);
        return EX_NOINPUT;
    }
    b->len = sp_view_find(sp_buf_view(b), '\n', 0);
    if (b->len > 0 && b->p[b->len - 1] == '\r')
        b->len--;
    if (b->len > 0)
        return EX_OK;
    sp_buf_add_str(error, path);
    sp_buf_add_str(error, ": the first line is empty; it should be the password of the route\n");
    return EX_CONFIG;
}

static int read_certificate(struct credential *credential, const struct config_route *route,
                            struct sp_buf *error)
{
    int code = read_named(route->certificate_file, &credential->certificates_pem, error);
    if (code == EX_OK)
        code = read_named(route->key_file, &credential->key_pem, error);
    const struct identity identity = {sp_buf_view(&credential->certificates_pem),
                                      sp_buf_view(&credential->key_pem)};
    return code == EX_OK ? try_out(route->certificate_file, is_identity, &identity, error) : code;
}

static int read_credential(struct credential *credential, const struct config_route *route,
                           struct sp_buf *error)
{
    credential->route = route->name;
    credential->user = route->user;
    sp_buf_init(&credential->password, &os_heap, PASSWORD_FILE_MAX);
    sp_buf_init(&credential->authorities_pem, &os_heap, PEM_MAX);
    sp_buf_init(&credential->certificates_pem, &os_heap, PEM_MAX);
    sp_buf_init(&credential->key_pem, &os_heap_secret, PEM_MAX);
    int code = route->password_file ? read_password(credential, route->password_file, error) : EX_OK;
    if (code == EX_OK && route->ca_file)
        code = read_named(route->ca_file, &credential->authorities_pem, error);
    return code == EX_OK && route->certificate_file ? read_certificate(credential, route, error) : code;
}

static int read_credentials(struct generation *g, struct sp_buf *error)
{
    const struct config *c = g->config;
    g->credentials = os_new((c->route_n + 1) * sizeof *g->credentials);
    for (size_t i = 0; i < c->route_n; i++) {
        const struct config_route *route = &c->routes[i];
        if (!route->password_file && !route->ca_file && !route->certificate_file)
            continue;
        int code = read_credential(&g->credentials[g->credential_n++], route, error);
        if (code != EX_OK)
            return code;
    }
    return EX_OK;
}

static int read_authorities(struct generation *g, struct sp_buf *error)
{
    const struct config *c = g->config;
    g->authorities = os_new((c->listener_n + 1) * sizeof *g->authorities);
    for (size_t i = 0; i < c->listener_n; i++) {
        const struct config_listener *l = &c->listeners[i];
        if (!l->client_ca)
            continue;
        struct authorities *a = &g->authorities[g->authorities_n++];
        a->listener = l->name;
        sp_buf_init(&a->pem, &os_heap, PEM_MAX);
        int code = read_named(l->client_ca, &a->pem, error);
        if (code == EX_OK)
            code = try_out(l->client_ca, are_authorities, &a->pem, error);
        if (code != EX_OK)
            return code;
    }
    return EX_OK;
}

static int read_token_keys(struct generation *g, struct sp_buf *error)
{
    const char *path = g->config->tokens.jwks_file;
    int code = path ? read_named(path, &g->jwks, error) : EX_OK;
    return path && code == EX_OK ? try_out(path, are_token_keys, &g->jwks, error) : code;
}

static int read_fetch_authorities(struct generation *g, struct sp_buf *error)
{
    const char *path = g->config->tokens.jwks_ca_file;
    int code = path ? read_named(path, &g->fetch_authorities_pem, error) : EX_OK;
    if (!path || code != EX_OK || g->fetch_authorities_pem.len > 0)
        return code;
    sp_buf_add_str(error, path);
    sp_buf_add_str(error, ": is empty; certificates in PEM form are needed\n");
    return EX_CONFIG;
}

static int read_password_file(struct generation *g, struct sp_buf *error)
{
    const struct config_users *u = &g->config->users;
    if (u->source != CONFIG_SOURCE_PASSWORD_FILE)
        return EX_OK;
    int code = read_named(u->path, &g->passwords, error);
    return code == EX_OK ? try_out(u->path, are_passwords, &g->passwords, error) : code;
}

static int read_aliases(struct generation *g, struct sp_buf *error)
{
    const struct config *c = g->config;
    g->aliases = os_new((c->domain_n + 1) * sizeof *g->aliases);
    for (size_t i = 0; i < c->domain_n; i++) {
        if (!c->domains[i].aliases)
            continue;
        struct alias_file *a = &g->aliases[g->alias_n++];
        a->domain = c->domains[i].name;
        sp_buf_init(&a->text, &os_heap, ALIASES_MAX);
        int code = alias_file_read(c->domains[i].aliases, &a->text, error);
        if (code != EX_OK)
            return code;
    }
    return EX_OK;
}

int generation_read_secrets(struct generation *g, int data_folder, struct sp_buf *error)
{
    int code = read_identity(g, data_folder, error);
    if (code == EX_OK)
        code = read_authorities(g, error);
    if (code == EX_OK)
        code = read_token_keys(g, error);
    if (code == EX_OK)
        code = read_fetch_authorities(g, error);
    if (code == EX_OK)
        code = read_password_file(g, error);
    if (code == EX_OK)
        code = read_aliases(g, error);
    if (code == EX_OK && g->config->srs.domain)
        code = srs_file_read(g->config->srs.secret_file, &g->srs_secrets, error);
    return code != EX_OK ? code : read_credentials(g, error);
}
