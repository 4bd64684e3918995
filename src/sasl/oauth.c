/*
 * OAUTHBEARER, RFC 7628, and XOAUTH2, which came before it: a bearer token instead of a password. One
 * response; when the token is refused the reason goes to the client as JSON in a challenge, the client
 * answers that with next to nothing (^A, or an empty line), and only then comes the refusal.
 *
 *   OAUTHBEARER  n,a=USER, ^A host=... ^A port=... ^A auth=Bearer TOKEN ^A ^A
 *   XOAUTH2      user=USER ^A auth=Bearer TOKEN ^A ^A
 */
#include "sasl/mechanism.h"

enum { CTRL_A = 1, NAME_MAX = 1024 };

struct oauth {
    bool told; /* the client knows why its token is refused */
};

/* --- server ------------------------------------------------------------------------------- */

static enum sasl_server_state start(struct sasl_server *s) { return sasl_server_ask(s, SP_LIT("")); }

/* "auth=Bearer TOKEN" without its name; SP_ERR_SYNTAX when it is not of that form. RFC 6750 2.1. */
static int take_bearer(struct sp_view value, struct sp_view *token_out)
{
    static const char extra[] = "-._~+/=";
    if (!sp_view_starts_nocase(value, SP_LIT("Bearer ")))
        return SP_ERR_SYNTAX;
    struct sp_view token = sp_view_from(value, sizeof "Bearer " - 1);
    for (size_t i = 0; i < token.len; i++)
        if (!sp_ascii_alpha(token.p[i]) && !sp_ascii_digit(token.p[i]) &&
            (token.p[i] == 0 || !memchr(extra, token.p[i], sizeof extra - 1)))
            return SP_ERR_SYNTAX;
    *token_out = token;
    return token.len > 0 ? SP_OK : SP_ERR_SYNTAX;
}

/* The key-value pairs behind the head: each ends in ^A, and one more ^A ends them all. */
static enum sasl_fault take_pairs(struct sp_view rest, struct sp_view *token_out)
{
    bool found = false;
    while (rest.len > 0 && rest.p[0] != CTRL_A) {
        size_t end = sp_view_find(rest, CTRL_A, 0);
        struct sp_view pair = sp_view_sub(rest, 0, end);
        if (end == rest.len)
            return SASL_FAULT_OAUTH_GRAMMAR;
        if (sp_view_starts(pair, SP_LIT("auth="))) {
            if (found || take_bearer(sp_view_from(pair, 5), token_out) != SP_OK)
                return SASL_FAULT_OAUTH_TOKEN_GRAMMAR;
            found = true;
        }
        rest = sp_view_from(rest, end + 1);
    }
    return rest.len == 1 && found ? SASL_FAULT_NONE : SASL_FAULT_OAUTH_GRAMMAR;
}

/* A saslname: =2C is a comma, =3D an equals sign, RFC 5801 4. */
static int unescape(struct sp_view name, uint8_t *out, size_t *len_out)
{
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.p[i];
        if (c == '=') {
            bool comma = sp_view_eq_nocase(sp_view_sub(name, i, 3), SP_LIT("=2C"));
            if (!comma && !sp_view_eq_nocase(sp_view_sub(name, i, 3), SP_LIT("=3D")))
                return SP_ERR_SYNTAX;
            c = comma ? ',' : '=';
            i += 2;
        }
        if (n == NAME_MAX)
            return SP_ERR_LONG;
        out[n++] = c;
    }
    *len_out = n;
    return SP_OK;
}

/* The user may be left out of OAUTHBEARER: then the token alone says who it is. */
static bool take_name(struct sasl_server *s, struct sp_view name)
{
    uint8_t plain[NAME_MAX];
    size_t len = 0;
    if (unescape(name, plain, &len) != SP_OK) {
        sasl_server_refuse(s, SASL_FAULT_OAUTH_GRAMMAR);
        return false;
    }
    return len == 0 || sasl_server_take_user(s, sp_view_make(plain, len));
}

static enum sasl_server_state take_token(struct sasl_server *s, struct sp_view pairs)
{
    struct sp_view token;
    enum sasl_fault fault = take_pairs(pairs, &token);
    if (fault != SASL_FAULT_NONE)
        return sasl_server_refuse(s, fault);
    if (sp_buf_reserve(&s->password, token.len) || sp_buf_add(&s->password, token))
        return sasl_server_refuse(s, SASL_FAULT_OAUTH_TOKEN_LONG);
    return SASL_SERVER_ASK_TOKEN;
}

/* Whatever the client says to the JSON, the refusal follows. RFC 7628 3.2.3. */
static bool is_told(struct sasl_server *s)
{
    struct oauth *o = s->memory;
    if (o->told)
        sasl_server_refuse(s, SASL_FAULT_REFUSED);
    return o->told;
}

static enum sasl_fault name_defect(struct sp_view r)
{
    if (r.len == 0)
        return SASL_FAULT_EMPTY;
    return sasl_looks_encoded(r) ? SASL_FAULT_DOUBLE_BASE64 : SASL_FAULT_OAUTH_GRAMMAR;
}

static enum sasl_server_state bearer_step(struct sasl_server *s, struct sp_view r)
{
    size_t comma = sp_view_find(r, ',', 0), head_end = sp_view_find(r, CTRL_A, 0);
    if (is_told(s))
        return s->state;
    if (head_end == r.len || comma >= head_end)
        return sasl_server_refuse(s, name_defect(r));
    if (comma != 1 || (r.p[0] != 'n' && r.p[0] != 'y'))
        return sasl_server_refuse(s,
                                  r.p[0] == 'p' ? SASL_FAULT_BINDING_UNAVAILABLE : SASL_FAULT_OAUTH_GRAMMAR);
    struct sp_view authzid = sp_view_sub(r, 2, head_end - 2);
    if (authzid.len == 0 || authzid.p[authzid.len - 1] != ',')
        return sasl_server_refuse(s, SASL_FAULT_OAUTH_GRAMMAR);
    authzid.len--;
    if (authzid.len > 0 && !sp_view_starts(authzid, SP_LIT("a=")))
        return sasl_server_refuse(s, SASL_FAULT_OAUTH_GRAMMAR);
    if (!take_name(s, authzid.len ? sp_view_from(authzid, 2) : authzid))
        return s->state;
    return take_token(s, sp_view_from(r, head_end + 1));
}

static enum sasl_server_state x_step(struct sasl_server *s, struct sp_view r)
{
    size_t end = sp_view_find(r, CTRL_A, 0);
    if (is_told(s))
        return s->state;
    if (end == r.len || !sp_view_starts(r, SP_LIT("user=")))
        return sasl_server_refuse(s, name_defect(r));
    if (!sasl_server_take_user(s, sp_view_sub(r, 5, end - 5)))
        return s->state;
    return take_token(s, sp_view_from(r, end + 1));
}

static enum sasl_server_state say_why(struct sasl_server *s, struct sp_view json)
{
    ((struct oauth *)s->memory)->told = true;
    return sasl_server_ask(s, json);
}

/* --- client ------------------------------------------------------------------------------- */

static void add_escaped(struct sp_buf *out, struct sp_view name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] == ',' || name.p[i] == '=')
            sp_buf_add_str(out, name.p[i] == ',' ? "=2C" : "=3D");
        else
            sp_buf_add_u8(out, name.p[i]);
}

static bool has_control(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] < 0x20 || v.p[i] == 0x7f)
            return true;
    return false;
}

static int say_token(struct sasl_client *c, struct sp_buf *out, const char **sent_out)
{
    bool bearer = c->mechanism == &sasl_oauthbearer;
    struct sp_view user = c->credentials.user, token = c->credentials.password;
    if (has_control(user) || has_control(token) || token.len == 0)
        return sasl_client_cannot(c,
                                  "the token is empty, or a control character is in it or in the user name");
    sp_buf_reserve(out, 3 * user.len + token.len + 64);
    sp_buf_add_str(out, bearer ? "n,a=" : "user=");
    if (bearer)
        add_escaped(out, user);
    else
        sp_buf_add(out, user);
    sp_buf_add_str(out, bearer ? ",\001auth=Bearer " : "\001auth=Bearer ");
    sp_buf_add(out, token);
    sp_buf_add_str(out, "\001\001");
    *sent_out = "user name and token";
    return sp_buf_status(out);
}

/* The second challenge is the reason of a refusal: it is acknowledged, and the refusal comes. */
static int answer(struct sasl_client *c, struct sp_view challenge, struct sp_buf *out, const char **sent_out)
{
    (void)challenge;
    if (c->turn == 0)
        return say_token(c, out, sent_out);
    if (c->turn > 1)
        return sasl_client_doubt(c, "the server asks once more than this mechanism does");
    *sent_out = "acknowledgement of the refusal";
    return c->mechanism == &sasl_oauthbearer ? sp_buf_add_u8(out, CTRL_A) : SP_OK;
}

#define OAUTH(text, step_function)                                                                           \
    {                                                                                                        \
        .name = text, .shows_password = true, .bearer = true, .client_first = true,                          \
        .server_size = sizeof(struct oauth), .server_start = start, .server_step = step_function,            \
        .server_token_refused = say_why, .client_step = answer,                                              \
    }

const struct sasl_mechanism sasl_oauthbearer = OAUTH("OAUTHBEARER", bearer_step);
const struct sasl_mechanism sasl_xoauth2 = OAUTH("XOAUTH2", x_step);
