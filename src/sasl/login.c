/*
 * LOGIN, never standardised (draft-murchison-sasl-login): the server asks for the user name, then for
 * the password.
 *
 * The server takes an initial response as the user name, as most do. The client sends none, because
 * some servers ignore it and ask again, and goes by what a prompt says before it goes by their order.
 */
#include "sasl/mechanism.h"

static enum sasl_server_state start(struct sasl_server *s) { return sasl_server_ask(s, SP_LIT("Username:")); }

static enum sasl_server_state step(struct sasl_server *s, struct sp_view response)
{
    if (s->turn == 0)
        return sasl_server_take_user(s, response) ? sasl_server_ask(s, SP_LIT("Password:")) : s->state;
    return sasl_server_take_password(s, response) ? SASL_SERVER_ASK_PASSWORD : s->state;
}

/* --- the client's side ------------------------------------------------------------------- */

enum { PROMPTS_MAX = 3 }; /* the user name may be asked for twice, the password once */

struct login {
    bool user_sent, password_sent;
};

static bool says(struct sp_view text, struct sp_view word)
{
    for (size_t i = 0; i + word.len <= text.len; i++)
        if (sp_view_starts_nocase(sp_view_from(text, i), word))
            return true;
    return false;
}

static bool wants_password(const struct login *l, struct sp_view prompt)
{
    bool user = says(prompt, SP_LIT("user")) || says(prompt, SP_LIT("name")) || says(prompt, SP_LIT("login"));
    bool password = says(prompt, SP_LIT("pass")) || says(prompt, SP_LIT("secret"));
    return user == password ? l->user_sent : password;
}

static int answer(struct sasl_client *c, struct sp_view challenge, struct sp_buf *out, const char **sent_out)
{
    struct login *l = c->memory;
    struct sp_view prompt = sp_view_trim(challenge);
    /* A JSON object is how OAuth mechanisms report an error: no prompt, so nothing secret goes there. */
    if (prompt.len && prompt.p[0] == '{')
        return sasl_client_doubt(c, "the server's question is JSON, which is no prompt of LOGIN");
    if (c->turn >= PROMPTS_MAX || l->password_sent)
        return sasl_client_doubt(c, "the server asks once more than this mechanism does");
    bool password = wants_password(l, prompt);
    struct sp_view v = password ? c->credentials.password : c->credentials.user;
    sp_buf_add(out, v);
    l->password_sent = password;
    l->user_sent |= !password;
    *sent_out = password ? "password" : "user name";
    return sp_buf_status(out);
}

const struct sasl_mechanism sasl_login = {
    .name = "LOGIN",
    .shows_password = true,
    .server_start = start,
    .server_step = step,
    .client_size = sizeof(struct login),
    .client_step = answer,
};
