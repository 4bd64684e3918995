/*
 * AUTH seen from the client. RFC 4954 4: challenges and responses are base64 and nothing else; `=` is an
 * empty initial response and only that; `*` gives up; a line over 512 octets must not carry the
 * initial response: it then answers the first, empty challenge.
 */
#include "smtp/client_session.h"

#include "base/base64.h"
#include "base/view.h"

static bool is_mechanism(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!sp_ascii_alpha(v.p[i]) && !sp_ascii_digit(v.p[i]) && v.p[i] != '-' && v.p[i] != '_')
            return false;
    return v.len > 0 && v.len <= 20;
}

/* SCRAM (RFC 5802) and CRAM-MD5 (RFC 2195) send proofs of a password; of any other mechanism the worst is
 * assumed. */
static bool shows_password(struct sp_view mechanism)
{
    return !sp_view_starts_nocase(mechanism, SP_LIT("SCRAM-")) &&
           !sp_view_eq_nocase(mechanism, SP_LIT("CRAM-MD5"));
}

static void say_auth(struct sp_client *s, struct sp_view mechanism, bool has_initial, struct sp_view initial)
{
    uint8_t prefix[32] = "AUTH ";
    size_t n = 5 + mechanism.len;
    memcpy(prefix + 5, mechanism.p, mechanism.len);
    if (!has_initial) {
        smtp_client_say(s, "AUTH", mechanism);
        return;
    }
    prefix[n++] = ' ';
    smtp_client_say_secret(s, sp_view_make(prefix, n), initial, true);
}

int sp_client_auth(struct sp_client *s, struct sp_view mechanism, bool has_initial, struct sp_view initial,
                   uint64_t now_ms)
{
    bool shown = !s->tls && !s->options->auth_in_clear && shows_password(mechanism);
    if (!smtp_client_asks(s, CLIENT_READY) || !is_mechanism(mechanism) || shown)
        return SP_ERR_MISUSE;
    if (initial.len > CLIENT_SASL_MAX)
        return SP_ERR_LONG;
    s->now_ms = now_ms;
    s->challenge_garbled = false;
    size_t line = SP_LIT("AUTH  \r\n").len + mechanism.len + sp_base64_encoded_len(initial.len);
    bool along = has_initial && line <= CLIENT_COMMAND_MAX;
    s->has_initial = has_initial && !along;
    if (s->has_initial && (sp_buf_reserve(&s->initial, initial.len) || sp_buf_add(&s->initial, initial)))
        return smtp_client_check(s, SP_ERR_NOMEM);
    say_auth(s, mechanism, along, initial);
    return smtp_client_move(s, CLIENT_IN_BEGIN_AUTH);
}

static int decode(struct sp_client *s, struct sp_view text)
{
    size_t len = 0;
    sp_buf_clear(&s->challenge);
    if (sp_buf_reserve(&s->challenge, sp_base64_decoded_max(text.len) + 1))
        return SP_ERR_NOMEM;
    int status = sp_base64_decode(text, s->challenge.p, &len);
    if (!status)
        s->challenge.len = len;
    return status;
}

/* A challenge has come. One that is no base64 must be answered with "*" (RFC 4954 4). */
int smtp_client_auth_challenged(struct sp_client *s)
{
    int status = decode(s, sp_view_trim(s->facts.last.text));
    s->challenge_garbled = status == SP_ERR_SYNTAX;
    if (status == SP_ERR_SYNTAX)
        return smtp_client_move(s, CLIENT_IN_CANCEL);
    if (status)
        return smtp_client_check(s, status);
    if (!s->has_initial)
        return SP_OK;
    smtp_client_say_secret(s, SP_LIT(""), sp_buf_view(&s->initial), false);
    sp_buf_fini_secret(&s->initial);
    s->has_initial = false;
    return smtp_client_move(s, CLIENT_IN_ANSWER);
}

int sp_client_answer(struct sp_client *s, struct sp_view response, uint64_t now_ms)
{
    if (!smtp_client_asks(s, CLIENT_SASL))
        return SP_ERR_MISUSE;
    if (response.len > CLIENT_SASL_MAX)
        return SP_ERR_LONG;
    s->now_ms = now_ms;
    smtp_client_say_secret(s, SP_LIT(""), response, false);
    return smtp_client_move(s, CLIENT_IN_ANSWER);
}

int sp_client_cancel(struct sp_client *s, uint64_t now_ms)
{
    if (!smtp_client_asks(s, CLIENT_SASL))
        return SP_ERR_MISUSE;
    s->now_ms = now_ms;
    return smtp_client_move(s, CLIENT_IN_CANCEL);
}
