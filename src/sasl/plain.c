/*
 * PLAIN, RFC 4616: [authzid] NUL user NUL password in one response.
 *
 * Deviation: an authorization identity that differs from the user is refused before the password is
 * looked at (nobody here acts for somebody else), so the refusal says nothing about the password.
 */
#include "base/utf8.h"
#include "sasl/mechanism.h"

static enum sasl_server_state start(struct sasl_server *s) { return sasl_server_ask(s, SP_LIT("")); }

/* Name the mistake in a response with fewer than two NULs: each was seen in the wild. */
static enum sasl_fault name_defect(struct sp_view r, size_t nul_n)
{
    static const uint8_t backslash_zero[] = {'\\', '0'};
    if (nul_n > 0)
        return SASL_FAULT_MISSING_LEADING_NUL;
    if (r.len == 0)
        return SASL_FAULT_EMPTY;
    if (sasl_looks_encoded(r))
        return SASL_FAULT_DOUBLE_BASE64;
    for (size_t i = 0; i + 1 < r.len; i++)
        if (memcmp(r.p + i, backslash_zero, sizeof backslash_zero) == 0)
            return SASL_FAULT_BACKSLASH_ZERO;
    if (sp_view_find(r, ':', 0) < r.len)
        return SASL_FAULT_USER_COLON_PASSWORD;
    return SASL_FAULT_MISSING_NUL;
}

static enum sasl_server_state step(struct sasl_server *s, struct sp_view r)
{
    size_t nul_n = 0;
    for (size_t i = 0; i < r.len; i++)
        nul_n += r.p[i] == 0;
    if (nul_n > 2)
        return sasl_server_refuse(s, SASL_FAULT_EXTRA_NUL);
    if (nul_n < 2)
        return sasl_server_refuse(s, name_defect(r, nul_n));
    size_t first = sp_view_find(r, 0, 0), second = sp_view_find(r, 0, first + 1);
    struct sp_view authzid = sp_view_sub(r, 0, first);
    struct sp_view user = sp_view_sub(r, first + 1, second - first - 1);
    if (!sp_utf8_is(r))
        return sasl_server_refuse(s, SASL_FAULT_NOT_UTF8);
    if (!sasl_server_take_user(s, user) || !sasl_server_take_password(s, sp_view_from(r, second + 1)))
        return s->state;
    if (authzid.len && !sp_view_eq(authzid, user)) {
        sp_buf_fini_secret(&s->password);
        return sasl_server_refuse(s, SASL_FAULT_OTHER_AUTHZID);
    }
    return SASL_SERVER_ASK_PASSWORD;
}

static int answer(struct sasl_client *c, struct sp_view challenge, struct sp_buf *out, const char **sent_out)
{
    struct sp_view user = c->credentials.user, password = c->credentials.password;
    (void)challenge; /* RFC 4616 has none; whatever a server says with its prompt changes nothing */
    if (c->turn > 0)
        return sasl_client_doubt(c, "the server asks once more than this mechanism does");
    if (sp_view_find(user, 0, 0) < user.len || sp_view_find(password, 0, 0) < password.len)
        return sasl_client_cannot(c, "a NUL octet in the user name or password");
    sp_buf_reserve(out, user.len + password.len + 2);
    sp_buf_add_u8(out, 0);
    sp_buf_add(out, user);
    sp_buf_add_u8(out, 0);
    sp_buf_add(out, password);
    *sent_out = "user name and password";
    return sp_buf_status(out);
}

const struct sasl_mechanism sasl_plain = {
    .name = "PLAIN",
    .shows_password = true,
    .client_first = true,
    .server_start = start,
    .server_step = step,
    .client_step = answer,
};
