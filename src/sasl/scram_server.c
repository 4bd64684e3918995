#include "sasl/scram.h"

#include "base/base64.h"

#include <string.h>

enum sasl_server_state scram_server_start(struct sasl_server *s) { return sasl_server_ask(s, SP_LIT("")); }

void scram_server_fini(struct sasl_server *s)
{
    struct scram_server *m = s->memory;
    if (!m->said.alloc)
        return;
    sp_buf_fini_secret(&m->gs2);
    sp_buf_fini(&m->nonce);
    sp_buf_fini_secret(&m->said);
}

static enum sasl_server_state broken(struct sasl_server *s) { return s->state = SASL_SERVER_BROKEN; }

/* --- client-first-message ------------------------------------------------------------------- */

/*
 * "p=tls-exporter", "n" (the client cannot bind) or "y" (it can, and was not offered it). RFC 5802 6. What
 * the client is bound to goes behind the header, as its last message will repeat both.
 */
static enum sasl_fault read_flag(struct sasl_server *s, struct sp_view flag)
{
    struct scram_server *m = s->memory;
    bool none = sp_view_eq(flag, SP_LIT("n")), could = sp_view_eq(flag, SP_LIT("y"));
    m->binding = SASL_BINDING_N;
    if (could && s->plus_offered)
        return SASL_FAULT_BINDING_DOWNGRADE;
    if (none || could)
        return s->mechanism->plus ? SASL_FAULT_BINDING_MISSING : SASL_FAULT_NONE;
    if (!sp_view_starts(flag, SP_LIT("p=")))
        return SASL_FAULT_SCRAM_GRAMMAR;
    if (!s->mechanism->plus)
        return SASL_FAULT_BINDING_UNAVAILABLE;
    m->binding = sasl_binding_find(sp_view_from(flag, 2));
    bool known = m->binding < SASL_BINDING_N && s->binding[m->binding].len > 0;
    return known ? SASL_FAULT_NONE : SASL_FAULT_BINDING_KIND;
}

/* "n,a=name," or "y,,": the header in front; *authzid_out is empty when there is none. */
static enum sasl_fault read_gs2(struct sasl_server *s, struct sp_view *message, struct sp_view *authzid_out)
{
    size_t first = sp_view_find(*message, ',', 0), second = sp_view_find(*message, ',', first + 1);
    struct sp_view flag = sp_view_sub(*message, 0, first);
    if (second >= message->len)
        return SASL_FAULT_SCRAM_GRAMMAR;
    enum sasl_fault fault = read_flag(s, flag);
    if (fault)
        return fault;
    struct sp_view authzid = sp_view_sub(*message, first + 1, second - first - 1);
    if (authzid.len && (!sp_view_starts(authzid, SP_LIT("a=")) || authzid.len == 2))
        return SASL_FAULT_SCRAM_GRAMMAR;
    *authzid_out = sp_view_from(authzid, 2);
    *message = sp_view_from(*message, second + 1);
    return SASL_FAULT_NONE;
}

/* "n=name,r=nonce": both as they came. */
static enum sasl_fault read_bare(struct sp_view bare, struct sp_view *name_out, struct sp_view *nonce_out)
{
    if (sp_view_starts(bare, SP_LIT("m=")))
        return SASL_FAULT_SCRAM_EXTENSION;
    if (!scram_take(&bare, 'n', name_out) || !scram_take(&bare, 'r', nonce_out) ||
        !scram_is_nonce(*nonce_out) || !scram_are_extensions(bare))
        return SASL_FAULT_SCRAM_GRAMMAR;
    return SASL_FAULT_NONE;
}

static bool take_name(struct sasl_server *s, struct sp_view saslname)
{
    struct sp_buf name;
    sp_buf_init(&name, s->alloc, SCRAM_MESSAGE_MAX);
    bool taken = false;
    if (scram_read_name(saslname, &name))
        taken = sasl_server_take_user(s, sp_buf_view(&name));
    else if (sp_buf_status(&name) == SP_ERR_NOMEM)
        (void)broken(s);
    else
        (void)sasl_server_refuse(s, SASL_FAULT_SCRAM_GRAMMAR);
    sp_buf_fini(&name);
    return taken;
}

static enum sasl_server_state take_first(struct sasl_server *s, struct sp_view message)
{
    struct scram_server *m = s->memory;
    struct sp_view bare = message, authzid, name, nonce;
    if (message.len > SCRAM_MESSAGE_MAX)
        return sasl_server_refuse(s, SASL_FAULT_SCRAM_GRAMMAR);
    enum sasl_fault fault = read_gs2(s, &bare, &authzid);
    if (!fault)
        fault = read_bare(bare, &name, &nonce);
    if (fault)
        return sasl_server_refuse(s, fault);
    if (!take_name(s, name))
        return s->state;
    /* The same escapes stand in both, so they are compared as they came. */
    if (authzid.len && !sp_view_eq(authzid, name))
        return sasl_server_refuse(s, SASL_FAULT_OTHER_AUTHZID);
    sp_buf_init(&m->gs2, s->alloc, SCRAM_MESSAGE_MAX);
    sp_buf_init(&m->nonce, s->alloc, SCRAM_MESSAGE_MAX);
    sp_buf_init(&m->said, s->alloc, SCRAM_MESSAGES_MAX);
    sp_buf_add(&m->gs2, sp_view_sub(message, 0, message.len - bare.len));
    if (m->binding < SASL_BINDING_N)
        sp_buf_add(&m->gs2, sp_buf_view(&s->binding[m->binding]));
    sp_buf_add(&m->nonce, nonce);
    scram_add_nonce(&m->nonce);
    sp_buf_add(&m->said, bare);
    if (sp_buf_status(&m->gs2) || sp_buf_status(&m->nonce) || sp_buf_status(&m->said))
        return broken(s);
    return SASL_SERVER_ASK_VERIFIER;
}

/* --- server-first-message ------------------------------------------------------------------- */

enum sasl_server_state scram_server_verifier(struct sasl_server *s, const struct sasl_verifier *v,
                                             bool usable)
{
    struct scram_server *m = s->memory;
    m->verifier = *v;
    m->usable = usable;
    sp_buf_clear(&s->challenge);
    sp_buf_add_str(&s->challenge, "r=");
    sp_buf_add(&s->challenge, sp_buf_view(&m->nonce));
    sp_buf_add_str(&s->challenge, ",s=");
    sp_buf_add_base64(&s->challenge, sp_view_make(v->salt, v->salt_len));
    sp_buf_add_str(&s->challenge, ",i=");
    sp_buf_add_dec(&s->challenge, v->iterations);
    sp_buf_add_u8(&m->said, ',');
    sp_buf_add(&m->said, sp_buf_view(&s->challenge));
    return sp_buf_status(&s->challenge) || sp_buf_status(&m->said) ? broken(s) : SASL_SERVER_CHALLENGE;
}

/* --- client-final-message ------------------------------------------------------------------- */

static bool is_base64_of(struct sasl_server *s, struct sp_view text, struct sp_view octets)
{
    struct sp_buf wanted;
    sp_buf_init(&wanted, s->alloc, 2 * SCRAM_MESSAGE_MAX);
    bool same = sp_buf_add_base64(&wanted, octets) == SP_OK && sp_view_eq(sp_buf_view(&wanted), text);
    sp_buf_fini(&wanted);
    return same;
}

/* "c=...,r=...,p=...": proof_out has the digest's length; *signed_n_out octets of the message are signed. */
static enum sasl_fault read_final(struct sasl_server *s, struct sp_view message, uint8_t *proof_out,
                                  size_t *signed_n_out)
{
    struct scram_server *m = s->memory;
    struct sp_view rest = message, binding, nonce, value, proof = {0};
    uint8_t decoded[SASL_KEY_MAX + 3];
    size_t len = 0, hash_len = sasl_hash_len(s->mechanism->hash);
    if (message.len > SCRAM_MESSAGE_MAX || !scram_take(&rest, 'c', &binding) ||
        !scram_take(&rest, 'r', &nonce))
        return SASL_FAULT_SCRAM_GRAMMAR;
    while (rest.len > 0 && rest.p[0] != 'p') {
        char name = (char)rest.p[0];
        if (!sp_ascii_alpha(rest.p[0]) || !scram_take(&rest, name, &value))
            return SASL_FAULT_SCRAM_GRAMMAR;
    }
    *signed_n_out = message.len - rest.len;
    if (!scram_take(&rest, 'p', &proof) || rest.len > 0 || *signed_n_out == 0 ||
        sp_base64_decoded_max(proof.len) > sizeof decoded ||
        sp_base64_decode(proof, decoded, &len) != SP_OK || len != hash_len)
        return SASL_FAULT_SCRAM_GRAMMAR;
    if (!sp_view_eq(nonce, sp_buf_view(&m->nonce)))
        return SASL_FAULT_SCRAM_NONCE;
    if (!is_base64_of(s, binding, sp_buf_view(&m->gs2)))
        return s->mechanism->plus ? SASL_FAULT_BINDING_MISMATCH : SASL_FAULT_SCRAM_BINDING;
    memcpy(proof_out, decoded, len);
    *signed_n_out -= 1; /* the comma before the proof */
    return SASL_FAULT_NONE;
}

/* The client's key differs with the password it has: what of the verifier does the proof fit? All are tried.
 */
static int find_password(const struct sasl_verifier *v, enum sasl_hash h, struct sp_view said,
                         const uint8_t *proof, int *which_out)
{
    uint8_t key[SASL_KEY_MAX], digest[SASL_KEY_MAX];
    size_t len = sasl_hash_len(h);
    int which = SASL_WHICH_NONE, status = SP_OK;
    for (int i = SASL_MORE_MAX; i >= 0 && !status; i--) {
        const uint8_t *stored = sasl_verifier_keys(v, h, i)->stored;
        status = scram_mask(h, stored, said, proof, key);
        if (!status)
            status = sasl_digest(h, sp_view_make(key, len), digest);
        bool same = !status && sp_view_eq_secret(sp_view_make(digest, len), sp_view_make(stored, len));
        if (same && i <= (int)v->more_n)
            which = i;
    }
    explicit_bzero(key, sizeof key);
    *which_out = which;
    return status;
}

static enum sasl_server_state take_final(struct sasl_server *s, struct sp_view message)
{
    struct scram_server *m = s->memory;
    enum sasl_hash h = s->mechanism->hash;
    uint8_t proof[SASL_KEY_MAX], signature[SASL_KEY_MAX];
    size_t signed_n = 0;
    enum sasl_fault fault = read_final(s, message, proof, &signed_n);
    if (fault)
        return sasl_server_refuse(s, fault);
    sp_buf_add_u8(&m->said, ',');
    sp_buf_add(&m->said, sp_view_sub(message, 0, signed_n));
    struct sp_view said = sp_buf_view(&m->said);
    int which;
    if (sp_buf_status(&m->said) || find_password(&m->verifier, h, said, proof, &which))
        return broken(s);
    int place = which == SASL_WHICH_NONE ? SASL_WHICH_OWN : which;
    if (scram_sign(h, sasl_verifier_keys(&m->verifier, h, place)->server, said, signature))
        return broken(s);
    if (which == SASL_WHICH_NONE || !m->usable)
        return sasl_server_refuse(s, SASL_FAULT_REFUSED);
    s->which = which;
    sp_buf_clear(&s->challenge);
    sp_buf_add_str(&s->challenge, "v=");
    sp_buf_add_base64(&s->challenge, sp_view_make(signature, sasl_hash_len(h)));
    return sp_buf_status(&s->challenge) ? broken(s) : SASL_SERVER_CHALLENGE;
}

enum sasl_server_state scram_server_step(struct sasl_server *s, struct sp_view response)
{
    switch (s->turn) {
    case 0:
        return take_first(s, response);
    case 1:
        return take_final(s, response);
    default:
        /* server-final-message was the last word. */
        return response.len == 0 ? SASL_SERVER_YES : sasl_server_refuse(s, SASL_FAULT_SCRAM_GRAMMAR);
    }
}
