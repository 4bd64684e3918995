/* AUTH: the strongest mechanism that both sides have, and when it fails the next. */
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

static void forget_binding(struct client *c)
{
    for (size_t i = 0; i < SASL_BINDING_N; i++)
        if (c->binding_data[i].alloc)
            sp_buf_fini_secret(&c->binding_data[i]);
}

/* What both ends of this connection know. */
static void take_binding(struct client *c)
{
    forget_binding(c);
    static const enum os_tls_binding kinds[SASL_BINDING_N] = {[SASL_BINDING_EXPORTER] = OS_TLS_EXPORTER,
                                                              [SASL_BINDING_UNIQUE] = OS_TLS_UNIQUE,
                                                              [SASL_BINDING_END_POINT] = OS_TLS_END_POINT};
    for (size_t i = 0; i < SASL_BINDING_N; i++) {
        sp_buf_init(&c->binding_data[i], &os_heap, SASL_BINDING_MAX);
        os_stream_add_binding(c->stream, kinds[i], &c->binding_data[i]);
        c->binding.data[i] = sp_buf_view(&c->binding_data[i]);
    }
}

/* Why we do not go on, for the operator and as the end of it all. */
static void say_why(struct client *c, const char *what, const char *why)
{
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, CLIENT_TEXT_MAX);
    sp_buf_add_str(&text, what);
    sp_buf_add(&text, c->mechanism);
    sp_buf_add_str(&text, ": ");
    sp_buf_add_str(&text, why ? why : "the answer is too long");
    client_fail_here(c, SP_CLIENT_RETRY, "AUTH", "4.7.0", sp_buf_view(&text));
    sp_buf_add_u8(&text, 0);
    client_note(c, CLIENT_NOTE_AUTH, (const char *)text.p);
    sp_buf_fini(&text);
}

static bool begin(struct client *c, const struct sasl_offer *offer, struct sp_view mechanism)
{
    struct sp_buf response;
    bool initial = false;
    int status = sasl_client_new(mechanism, c->options->credentials, &os_heap, &c->sasl);
    sp_buf_init(&response, &os_heap, RESPONSE_MAX);
    if (!status)
        sasl_client_bind(c->sasl, offer);
    if (!status && sasl_client_has_initial(c->sasl)) {
        initial = true;
        status = sasl_client_step(c->sasl, SP_LIT(""), &response, &c->secret_name);
    }
    if (!status)
        status = sp_client_auth(c->session, mechanism, initial, sp_buf_view(&response), os_mono_ms());
    sp_buf_fini_secret(&response);
    if (!status)
        return true;
    say_why(c, "AUTH cannot begin with ", c->sasl ? sasl_client_fault(c->sasl) : NULL);
    return give_up(c);
}

/* What comes next; SP_ERR_ABSENT with the reason in why. */
static int choose(struct client *c, struct sasl_offer *offer_out, struct sp_view *mechanism_out,
                  struct sp_buf *why)
{
    *offer_out =
        (struct sasl_offer){.mechanisms = sp_client_capabilities(c->session)->auth,
                            .secure = sp_client_is_tls(c->session) || c->session_options.auth_in_clear,
                            .binding = &c->binding,
                            .floor = c->options->floor,
                            .failed = c->mechanism};
    return sasl_client_choose(offer_out, c->options->mechanism, c->options->credentials, mechanism_out, why);
}

bool client_login(struct client *c)
{
    if (!c->options->credentials || c->authenticated)
        return false;
    if (c->login_over)
        return give_up(c);
    struct sasl_offer offer;
    struct sp_view mechanism;
    struct sp_buf why;
    sp_buf_init(&why, &os_heap, CLIENT_TEXT_MAX);
    take_binding(c);
    bool chosen = choose(c, &offer, &mechanism, &why) == SP_OK;
    if (chosen) {
        c->mechanism = mechanism;
        chosen = begin(c, &offer, mechanism);
    } else {
        client_fail_here(c, SP_CLIENT_RETRY, "AUTH", "4.7.0", sp_buf_view(&why));
        sp_buf_add_u8(&why, 0);
        client_note(c, CLIENT_NOTE_AUTH, (const char *)why.p);
        chosen = give_up(c);
    }
    sp_buf_fini(&why);
    return chosen;
}

/* After a refusal for good: is there another way, and is it said? */
static bool try_another(struct client *c, const struct sp_client_reply *reply)
{
    struct sasl_offer offer;
    struct sp_view next;
    struct sp_buf why;
    /* A refused password would be refused again, and counted, but one comes for the first time behind a
     * certificate; who failed to prove itself gets nothing weaker. */
    bool refused = reply->code == 535 && !sp_view_eq(c->mechanism, SP_LIT("EXTERNAL"));
    if (c->options->mechanism.len || reply->code / 100 != 5 || c->doubted)
        return false;
    sp_buf_init(&why, &os_heap, CLIENT_TEXT_MAX);
    bool another = choose(c, &offer, &next, &why) == SP_OK;
    if (another) {
        sp_buf_clear(&why);
        sp_buf_add(&why, c->mechanism);
        sp_buf_add_str(&why, " failed with ");
        sp_buf_add_dec(&why, (uint64_t)reply->code);
        sp_buf_add_str(&why, refused ? "; " : "; trying ");
        sp_buf_add(&why, next);
        sp_buf_add_str(&why, refused ? " is not tried with what was just refused" : "");
        sp_buf_add_u8(&why, 0);
        client_note(c, CLIENT_NOTE_AUTH, (const char *)why.p);
    }
    sp_buf_fini(&why);
    return another && !refused;
}

void client_login_answer(struct client *c, struct sp_view challenge)
{
    struct sp_buf response;
    sp_buf_init(&response, &os_heap, RESPONSE_MAX);
    int status = c->sasl ? sasl_client_step(c->sasl, challenge, &response, &c->secret_name) : SP_ERR_SYNTAX;
    if (!status)
        status = sp_client_answer(c->session, sp_buf_view(&response), os_mono_ms());
    c->doubted = status != SP_OK;
    if (status)
        say_why(c, "we gave up ", c->sasl ? sasl_client_fault(c->sasl) : "it was not begun");
    if (status && sp_client_cancel(c->session, os_mono_ms()))
        os_panic("client-login", "the session refused to cancel");
    sp_buf_fini_secret(&response);
}

void client_login_done(struct client *c, const struct sp_client_event *e)
{
    const struct sp_client_reply *reply = &e->as.auth.reply;
    bool ok = e->as.auth.ok;
    bool proved = c->sasl && sasl_client_is_complete(c->sasl);
    sasl_client_free(c->sasl);
    c->sasl = NULL;
    if (e->as.auth.not_base64) {
        c->doubted = true;
        say_why(c, "we gave up ", "the server's challenge is not base64");
    }
    if (!ok && try_another(c, reply))
        return;
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
    forget_binding(c);
    c->authenticated = c->login_over = c->doubted = false;
    c->mechanism = (struct sp_view){0};
}
