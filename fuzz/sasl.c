/*
 * Any octets as a SASL exchange, from both sides of every mechanism: a digit, the mechanism's name and a line
 * feed; then come messages, each behind an octet of its length. Bits of the digit: 1 with an initial
 * response, 2 the answers to the server's questions are yes, 4 the client's side.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "base/view.h"
#include "os/heap.h"
#include "sasl/cram_md5.h"
#include "sasl/mechanism.h"
#include "sasl/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS_MAX = 8 };

static void demand(bool fact)
{
    if (!fact)
        abort();
}

static struct sp_view next_message(struct sp_view *rest)
{
    size_t n = rest->len ? rest->p[0] : 0;
    struct sp_view message = sp_view_sub(*rest, 1, n);
    *rest = sp_view_from(*rest, 1 + n);
    return message;
}

static void serve(struct sp_view mechanism, bool has_initial, bool right, struct sp_view rest)
{
    static const struct sasl_verifier v = {.salt_len = 1, .iterations = SASL_ITERATIONS, .has_cram = true};
    struct sasl_server *s = NULL;
    demand(sasl_server_new(mechanism, &os_heap, &s) == SP_OK);
    static const struct sasl_binding binding = {{[SASL_BINDING_EXPORTER] = SP_LIT_INIT("exported")}};
    demand(sasl_server_bind(s, &binding, true) == SP_OK);
    enum sasl_server_state at = sasl_server_start(s, has_initial, has_initial ? next_message(&rest) : rest);
    int turns = 0;
    while (at < SASL_SERVER_YES) {
        demand(turns++ < TURNS_MAX);
        if (at == SASL_SERVER_CHALLENGE) {
            at = sasl_server_step(s, next_message(&rest));
        } else if (at == SASL_SERVER_ASK_PASSWORD) {
            size_t len = sasl_server_password(s).len;
            demand(sasl_server_user(s).len > 0 && len > 0 && len <= SASL_PASSWORD_MAX);
            at = sasl_server_password_is(s, right);
            demand(at == (right ? SASL_SERVER_YES : SASL_SERVER_NO));
        } else if (at == SASL_SERVER_ASK_TOKEN) {
            size_t len = sasl_server_password(s).len;
            demand(len > 0 && len <= SASL_TOKEN_MAX);
            at = sasl_server_token_is(s, right ? SP_LIT("demo") : SP_LIT(""), SP_LIT("{}"));
            demand(at == (right ? SASL_SERVER_YES : SASL_SERVER_CHALLENGE));
        } else if (at == SASL_SERVER_ASK_EXTERNAL) {
            at = sasl_server_external_is(s, right ? SP_LIT("demo") : SP_LIT(""));
            demand(at == (right ? SASL_SERVER_YES : SASL_SERVER_NO));
        } else {
            demand(sasl_server_user(s).len > 0);
            at = sasl_server_give_verifier(s, &v, right);
        }
    }
    demand(at != SASL_SERVER_BROKEN);
    demand((at == SASL_SERVER_NO) == (sasl_server_fault(s) != SASL_FAULT_NONE));
    demand(at == SASL_SERVER_NO || sp_utf8_is(sasl_server_user(s)));
    (void)sasl_server_hint(s);
    sasl_server_free(s);
}

static void speak(struct sp_view mechanism, struct sp_view rest)
{
    struct sasl_credentials demo = {.user = SP_LIT("demo"), .password = SP_LIT("secret")};
    struct sasl_client *c = NULL;
    int status = sasl_client_new(mechanism, &demo, &os_heap, &c);
    if (status == SP_ERR_MISUSE) {
        demo.token = demo.certificate = true;
        status = sasl_client_new(mechanism, &demo, &os_heap, &c);
    }
    demand(status == SP_OK);
    static const struct sasl_binding binding = {{[SASL_BINDING_EXPORTER] = SP_LIT_INIT("exported")}};
    sasl_client_bind(c, &(struct sasl_offer){.secure = true, .binding = &binding});
    for (int turn = 0; turn < TURNS_MAX && status == SP_OK; turn++) {
        struct sp_buf out;
        const char *sent = NULL;
        sp_buf_init(&out, &os_heap, 1 << 16);
        status = sasl_client_step(
            c, turn == 0 && sasl_client_has_initial(c) ? SP_LIT("") : next_message(&rest), &out, &sent);
        demand(status == SP_OK ? sent != NULL : out.len == 0);
        sp_buf_fini_secret(&out);
    }
    demand(status == SP_ERR_SYNTAX); /* no mechanism goes on for ever */
    sasl_client_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned choice = data[0];
    struct sp_view rest = sp_view_make(data + 1, size - 1),
                   name = sp_view_sub(rest, 0, sp_view_find(rest, '\n', 0));
    const struct sasl_mechanism *m = sasl_mechanism_find(name);
    if (!m) /* no input is wasted on names that are none */
        m = sasl_mechanisms[name.len % sasl_mechanism_n];
    struct sp_view mechanism = sp_view_of(m->name);
    rest = sp_view_from(rest, name.len + 1);
    scram_fix_nonce("server");
    sasl_cram_fix_challenge("<1896.697170952@postoffice.reston.mci.net>");
    if (choice & 4)
        speak(mechanism, rest);
    else
        serve(mechanism, choice & 1, choice & 2, rest);
    return 0;
}
