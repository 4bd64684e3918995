#include "sasl/server.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "sasl/mechanism.h"

enum {
    CHALLENGE_MAX = 1024,
    HOSTNAME_MAX = 255,
    LOOKS_ENCODED_MIN = 8, /* octets: "demo" is base64 too, by chance */
    LOOKS_ENCODED_MAX = 4096
};

static void release(const struct sp_allocator *alloc, void *p, size_t n)
{
    if (!p)
        return;
    if (n)
        explicit_bzero(p, n);
    alloc->resize(alloc->ctx, p, n, 0);
}

static void *obtain(const struct sp_allocator *alloc, size_t n)
{
    void *p = alloc->resize(alloc->ctx, NULL, 0, n);
    if (p)
        memset(p, 0, n);
    return p;
}

int sasl_server_new(struct sp_view mechanism, const struct sp_allocator *alloc,
                    struct sasl_server **server_out)
{
    const struct sasl_mechanism *m = sasl_mechanism_find(mechanism);
    if (!m)
        return SP_ERR_ABSENT;
    struct sasl_server *s = obtain(alloc, sizeof *s);
    if (!s)
        return SP_ERR_NOMEM;
    *s = (struct sasl_server){.mechanism = m, .alloc = alloc, .state = SASL_SERVER_CHALLENGE};
    sp_buf_init(&s->user, alloc, SASL_USER_MAX);
    sp_buf_init(&s->password, alloc, m->bearer ? SASL_TOKEN_MAX : SASL_PASSWORD_MAX);
    sp_buf_init(&s->challenge, alloc, CHALLENGE_MAX);
    sp_buf_init(&s->hostname, alloc, HOSTNAME_MAX);
    for (size_t i = 0; i < SASL_BINDING_N; i++)
        sp_buf_init(&s->binding[i], alloc, SASL_BINDING_MAX);
    if (m->server_size && !(s->memory = obtain(alloc, m->server_size))) {
        sasl_server_free(s);
        return SP_ERR_NOMEM;
    }
    *server_out = s;
    return SP_OK;
}

void sasl_server_free(struct sasl_server *s)
{
    if (!s)
        return;
    if (s->mechanism->server_fini && s->memory)
        s->mechanism->server_fini(s);
    release(s->alloc, s->memory, s->mechanism->server_size);
    sp_buf_fini(&s->user);
    sp_buf_fini_secret(&s->password);
    sp_buf_fini_secret(&s->challenge);
    sp_buf_fini(&s->hostname);
    for (size_t i = 0; i < SASL_BINDING_N; i++)
        sp_buf_fini_secret(&s->binding[i]);
    release(s->alloc, s, sizeof *s);
}

int sasl_server_bind(struct sasl_server *s, const struct sasl_binding *binding, bool plus_offered)
{
    s->plus_offered = plus_offered;
    for (size_t i = 0; i < SASL_BINDING_N; i++) {
        sp_buf_clear(&s->binding[i]);
        if (sp_buf_add(&s->binding[i], binding->data[i]) != SP_OK)
            return SP_ERR_NOMEM;
    }
    return SP_OK;
}

int sasl_server_call(struct sasl_server *s, struct sp_view hostname)
{
    sp_buf_clear(&s->hostname);
    return sp_buf_add(&s->hostname, hostname);
}

enum sasl_server_state sasl_server_start(struct sasl_server *s, bool has_initial, struct sp_view initial)
{
    if (has_initial && s->mechanism->server_first)
        return sasl_server_refuse(s, SASL_FAULT_INITIAL);
    if (has_initial)
        return sasl_server_step(s, initial);
    return s->state = s->mechanism->server_start(s);
}

enum sasl_server_state sasl_server_step(struct sasl_server *s, struct sp_view response)
{
    s->state = s->mechanism->server_step(s, response);
    s->turn++;
    return s->state;
}

enum sasl_server_state sasl_server_password_is(struct sasl_server *s, bool right)
{
    sp_buf_fini_secret(&s->password);
    return right ? (s->state = SASL_SERVER_YES) : sasl_server_refuse(s, SASL_FAULT_REFUSED);
}

enum sasl_server_state sasl_server_token_is(struct sasl_server *s, struct sp_view user,
                                            struct sp_view error_json)
{
    sp_buf_fini_secret(&s->password);
    if (user.len == 0)
        return s->state = s->mechanism->server_token_refused(s, error_json);
    return sasl_server_take_user(s, user) ? (s->state = SASL_SERVER_YES) : s->state;
}

enum sasl_server_state sasl_server_external_is(struct sasl_server *s, struct sp_view user)
{
    if (user.len == 0)
        return sasl_server_refuse(s, SASL_FAULT_REFUSED);
    return sasl_server_take_user(s, user) ? (s->state = SASL_SERVER_YES) : s->state;
}

enum sasl_server_state sasl_server_give_verifier(struct sasl_server *s, const struct sasl_verifier *v,
                                                 bool usable)
{
    return s->state = s->mechanism->server_verifier(s, v, usable);
}

struct sp_view sasl_server_challenge(const struct sasl_server *s) { return sp_buf_view(&s->challenge); }

struct sp_view sasl_server_user(const struct sasl_server *s) { return sp_buf_view(&s->user); }

struct sp_view sasl_server_password(const struct sasl_server *s) { return sp_buf_view(&s->password); }

int sasl_server_which(const struct sasl_server *s) { return s->which; }

enum sasl_fault sasl_server_fault(const struct sasl_server *s) { return s->fault; }

const char *sasl_server_mechanism(const struct sasl_server *s) { return s->mechanism->name; }

const char *sasl_server_hint(const struct sasl_server *s)
{
    if (sasl_looks_encoded(sp_buf_view(&s->user)))
        return "the user name is base64 itself: encoded twice?";
    return s->password_encoded ? "the password is base64 itself: encoded twice?" : NULL;
}

/* --- for the mechanisms ------------------------------------------------------------------ */

enum sasl_server_state sasl_server_refuse(struct sasl_server *s, enum sasl_fault why)
{
    s->fault = why;
    return s->state = SASL_SERVER_NO;
}

bool sasl_server_take_user(struct sasl_server *s, struct sp_view user)
{
    enum sasl_fault fault = sasl_user_fault(user, SASL_PREP_QUERY);
    if (fault) {
        sasl_server_refuse(s, fault);
        return false;
    }
    sp_buf_clear(&s->user);
    if (sp_buf_add(&s->user, user) == SP_OK)
        return true;
    s->state = SASL_SERVER_BROKEN;
    return false;
}

bool sasl_server_take_password(struct sasl_server *s, struct sp_view password)
{
    enum sasl_fault fault = sasl_password_fault(password, SASL_PREP_QUERY);
    if (fault) {
        sasl_server_refuse(s, fault);
        return false;
    }
    s->password_encoded = sasl_looks_encoded(password);
    if (sp_buf_reserve(&s->password, SASL_PASSWORD_MAX) == SP_OK &&
        sasl_prep(password, SASL_PREP_QUERY, &s->password, &fault) == SP_OK)
        return true;
    s->state = SASL_SERVER_BROKEN;
    return false;
}

enum sasl_server_state sasl_server_ask(struct sasl_server *s, struct sp_view challenge)
{
    sp_buf_clear(&s->challenge);
    return sp_buf_add(&s->challenge, challenge) == SP_OK ? SASL_SERVER_CHALLENGE : SASL_SERVER_BROKEN;
}

bool sasl_looks_encoded(struct sp_view v)
{
    uint8_t decoded[LOOKS_ENCODED_MAX];
    size_t len = 0;
    while (v.len && (v.p[v.len - 1] == '\n' || v.p[v.len - 1] == '\r'))
        v.len--;
    if (v.len < LOOKS_ENCODED_MIN || v.len > LOOKS_ENCODED_MAX || sp_base64_decode(v, decoded, &len) != SP_OK)
        return false;
    bool likely = sp_utf8_is(sp_view_make(decoded, len));
    for (size_t i = 0; i < len; i++)
        likely =
            likely && (decoded[i] >= 0x20 || decoded[i] == 0 || decoded[i] == '\n') && decoded[i] != 0x7f;
    explicit_bzero(decoded, sizeof decoded);
    return likely;
}
