/*
 * EXTERNAL, RFC 4422 appendix A: the client says at most whom it acts as, and what it has shown elsewhere,
 * here the certificate of TLS, says who it is. An empty response leaves the name to the server.
 *
 * Deviation: nobody here acts for somebody else, so a name must be one that the certificate speaks for.
 */
#include "sasl/mechanism.h"

static enum sasl_server_state start(struct sasl_server *s) { return sasl_server_ask(s, SP_LIT("")); }

static enum sasl_server_state step(struct sasl_server *s, struct sp_view r)
{
    if (sp_view_find(r, 0, 0) < r.len)
        return sasl_server_refuse(s, SASL_FAULT_NUL);
    if (r.len > 0 && !sasl_server_take_user(s, r))
        return s->state;
    return SASL_SERVER_ASK_EXTERNAL;
}

static int answer(struct sasl_client *c, struct sp_view challenge, struct sp_buf *out, const char **sent_out)
{
    struct sp_view user = c->credentials.user;
    (void)challenge; /* whatever it says, there is one thing to answer */
    if (c->turn > 0)
        return sasl_client_doubt(c, "the server asks once more than this mechanism does");
    if (sp_view_find(user, 0, 0) < user.len)
        return sasl_client_cannot(c, "a NUL octet in the user name");
    *sent_out = user.len ? "user name; the certificate was shown in TLS"
                         : "nothing: the certificate that was shown in TLS has the user's name";
    return sp_buf_add(out, user);
}

const struct sasl_mechanism sasl_external = {
    .name = "EXTERNAL",
    .external = true,
    .client_first = true,
    .server_start = start,
    .server_step = step,
    .client_step = answer,
};
