/* AUTH: the strongest mechanism that both sides have, once per session. */
#include "base/view.h"
#include "client/state.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

enum { RESPONSE_MAX = 9000 };

static bool give_up(struct client *c)
{
    c->login_over = true;
    return sp_client_quit(c->session, os_mono_ms()) == SP_OK;
}

static bool begin(struct client *c, struct sp_view mechanism)
{
    struct sp_buf response;
    bool initial = false;
    int status = sasl_client_new(mechanism, c->options->credentials, &os_heap, &c->sasl);
    sp_buf_init(&response, &os_heap, RESPONSE_MAX);
    if (!status && sasl_client_has_initial(c->sasl)) {
        initial = true;
        status = sasl_client_step(c->sasl, SP_LIT(""), &response, &c->secret_name);
    }
    if (!status)
        status = sp_client_auth(c->session, mechanism, initial, sp_buf_view(&response), os_mono_ms());
    sp_buf_fini_secret(&response);
    if (!status)
        return true;
    client_fail_here(c, SP_CLIENT_RETRY, "AUTH", "4.7.0",
                     SP_LIT("AUTH cannot begin: user name or password cannot be sent by this mechanism"));
    return give_up(c);
}

bool client_login(struct client *c)
{
    if (!c->options->credentials || c->authenticated)
        return false;
    if (c->login_over)
        return give_up(c);
    const struct sp_client_capabilities *can = sp_client_capabilities(c->session);
    bool secure = sp_client_is_tls(c->session) || c->session_options.auth_in_clear;
    struct sp_view mechanism;
    struct sp_buf why;
    sp_buf_init(&why, &os_heap, CLIENT_TEXT_MAX);
    bool chosen = sasl_client_choose(can->auth, c->options->mechanism, c->options->credentials->token, secure,
                                     &mechanism, &why) == SP_OK;
    if (chosen)
        chosen = begin(c, mechanism);
    else {
        client_fail_here(c, SP_CLIENT_RETRY, "AUTH", "4.7.0", sp_buf_view(&why));
        sp_buf_add_u8(&why, 0);
        client_note(c, CLIENT_NOTE_AUTH, (const char *)why.p);
        chosen = give_up(c);
    }
    sp_buf_fini(&why);
    return chosen;
}

void client_login_answer(struct client *c, struct sp_view challenge)
{
    struct sp_buf response;
    sp_buf_init(&response, &os_heap, RESPONSE_MAX);
    int status = c->sasl ? sasl_client_step(c->sasl, challenge, &response, &c->secret_name) : SP_ERR_SYNTAX;
    if (!status)
        status = sp_client_answer(c->session, sp_buf_view(&response), os_mono_ms());
    if (status && sp_client_cancel(c->session, os_mono_ms()))
        os_panic("client-login", "the session refused to cancel");
    sp_buf_fini_secret(&response);
}

void client_login_done(struct client *c, bool ok, const struct sp_client_reply *reply)
{
    bool proved = c->sasl && sasl_client_is_complete(c->sasl);
    client_login_forget(c);
    c->authenticated = ok && proved;
    c->login_over = true;
    if (!ok)
        client_fail(c, SP_CLIENT_RETRY, "AUTH", reply);
    else if (!proved)
        client_fail_here(
            c, SP_CLIENT_RETRY, "AUTH", "4.7.0",
            SP_LIT("the server said yes before it proved that it knows the password, as SCRAM demands: "
                   "it may be an impostor"));
}

void client_login_forget(struct client *c)
{
    sasl_client_free(c->sasl);
    c->sasl = NULL;
    c->authenticated = c->login_over = false;
}
