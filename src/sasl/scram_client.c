#include "sasl/scram.h"

#include "base/base64.h"

#include <string.h>

/*
 * The header: bound to the channel, able to but not offered, or not able. RFC 5802 6. The middle one tells
 * the server of a downgrade: if it did offer, somebody has taken it out of the list.
 */
static void add_gs2(const struct sasl_client *c, struct sp_buf *out)
{
    if (c->mechanism->plus) {
        sp_buf_add_str(out, "p=");
        sp_buf_add_str(out, sasl_binding_name(sasl_binding_best(c->binding)));
        sp_buf_add_str(out, ",,");
    } else {
        sp_buf_add_str(out, c->binding && !c->plus_offered ? "y,," : "n,,");
    }
}

/* "c=" of the last message: the header and what it binds to, in base64. */
static int add_binding(const struct sasl_client *c, struct sp_buf *out)
{
    struct sp_buf all;
    sp_buf_init(&all, c->alloc, SCRAM_MESSAGE_MAX);
    add_gs2(c, &all);
    if (c->mechanism->plus)
        sp_buf_add(&all, c->binding->data[sasl_binding_best(c->binding)]);
    int status = sp_buf_status(&all);
    if (!status)
        status = sp_buf_add_base64(out, sp_buf_view(&all));
    sp_buf_fini_secret(&all);
    return status;
}

void scram_client_fini(struct sasl_client *c)
{
    struct scram_client *m = c->memory;
    if (!m->said.alloc)
        return;
    sp_buf_fini(&m->nonce);
    sp_buf_fini_secret(&m->said);
}

bool scram_client_is_complete(const struct sasl_client *c)
{
    return ((const struct scram_client *)c->memory)->complete;
}

static int say_first(struct sasl_client *c, struct sp_buf *out, const char **sent_out)
{
    struct scram_client *m = c->memory;
    struct sp_buf name;
    enum sasl_fault fault;
    sp_buf_init(&name, c->alloc, SCRAM_MESSAGE_MAX);
    sp_buf_init(&m->nonce, c->alloc, SCRAM_MESSAGE_MAX);
    sp_buf_init(&m->said, c->alloc, SCRAM_MESSAGES_MAX);
    int status = sasl_prep(c->credentials.user, SASL_PREP_QUERY, &name, &fault);
    if (status == SP_ERR_SYNTAX)
        status = sasl_client_cannot(c, sasl_fault_text(fault));
    else if (!status && name.len == 0)
        status = sasl_client_cannot(c, "the user name is empty");
    else if (!status && c->mechanism->plus && !c->binding)
        status = sasl_client_cannot(c, "there is no TLS connection to bind to");
    if (!status) {
        scram_add_nonce(&m->nonce);
        sp_buf_add_str(&m->said, "n=");
        (void)scram_add_name(&m->said, sp_buf_view(&name)); /* failure sticks to the buffer */
        sp_buf_add_str(&m->said, ",r=");
        sp_buf_add(&m->said, sp_buf_view(&m->nonce));
        status = sp_buf_status(&m->said);
    }
    sp_buf_fini(&name);
    if (status)
        return status;
    add_gs2(c, out);
    sp_buf_add(out, sp_buf_view(&m->said));
    *sent_out = "user name and a nonce";
    return sp_buf_status(out);
}

/* --- client-final-message ------------------------------------------------------------------- */

struct first {
    struct sp_view nonce;
    uint8_t salt[SASL_SALT_MAX * 4]; /* other servers' may be longer than ours */
    size_t salt_len;
    uint32_t iterations;
};

static int read_server_first(struct sasl_client *c, struct sp_view message, struct first *out)
{
    const struct scram_client *m = c->memory;
    struct sp_view salt, iterations;
    uint64_t n = 0;
    if (message.len > SCRAM_MESSAGE_MAX)
        return sasl_client_doubt(c, "the server's first message is too long");
    if (sp_view_starts(message, SP_LIT("m=")))
        return sasl_client_doubt(c, "the server demands an extension of SCRAM that is unknown here");
    if (!scram_take(&message, 'r', &out->nonce) || !scram_take(&message, 's', &salt) ||
        !scram_take(&message, 'i', &iterations) || !scram_are_extensions(message))
        return sasl_client_doubt(
            c, "the server's first message is not one of SCRAM: r=NONCE,s=SALT,i=ITERATIONS");
    if (!sp_view_starts(out->nonce, sp_buf_view(&m->nonce)) || out->nonce.len == m->nonce.len ||
        out->nonce.len > SCRAM_MESSAGE_MAX / 2)
        return sasl_client_doubt(
            c, "the server's nonce is not ours with its own behind: an answer to somebody else");
    if (sp_base64_decoded_max(salt.len) > sizeof out->salt ||
        sp_base64_decode(salt, out->salt, &out->salt_len) != SP_OK || out->salt_len == 0)
        return sasl_client_doubt(c, "the server's salt is empty, too long or no base64");
    if (sp_view_u64(iterations, SASL_ITERATIONS_MAX, &n) != SP_OK)
        return sasl_client_doubt(c, "the server's count of iterations is no number up to 1,000,000");
    if (n < SASL_ITERATIONS)
        return sasl_client_doubt(c, "the server asks for fewer than 4,096 iterations, so that who reads "
                                    "along could guess the password");
    out->iterations = (uint32_t)n;
    return SP_OK;
}

/* The password prepared; as it is when SASLprep refuses it, because servers that took it did not prepare it.
 */
static int derive(struct sasl_client *c, const struct first *f, struct sasl_keys *keys_out,
                  uint8_t *client_key_out)
{
    struct sp_view password = c->credentials.password;
    struct sp_buf prepared;
    enum sasl_fault fault;
    sp_buf_init(&prepared, c->alloc, SCRAM_MESSAGE_MAX);
    int status = sp_buf_reserve(&prepared, SCRAM_MESSAGE_MAX);
    if (!status && sasl_prep(password, SASL_PREP_QUERY, &prepared, &fault) == SP_OK)
        password = sp_buf_view(&prepared);
    if (!status)
        status = sasl_client_key_derive(c->mechanism->hash, password, sp_view_make(f->salt, f->salt_len),
                                        f->iterations, client_key_out, keys_out);
    sp_buf_fini_secret(&prepared);
    return status;
}

static int say_final(struct sasl_client *c, struct sp_view challenge, struct sp_buf *out,
                     const char **sent_out)
{
    struct scram_client *m = c->memory;
    enum sasl_hash h = c->mechanism->hash;
    struct first f = {.iterations = 0};
    struct sasl_keys keys = {0};
    uint8_t key[SASL_KEY_MAX] = {0}, proof[SASL_KEY_MAX];
    if (read_server_first(c, challenge, &f) != SP_OK)
        return SP_ERR_SYNTAX;
    sp_buf_add_u8(&m->said, ',');
    sp_buf_add(&m->said, challenge);
    sp_buf_add_str(&m->said, ",c=");
    int status = add_binding(c, &m->said);
    sp_buf_add_str(&m->said, ",r=");
    sp_buf_add(&m->said, f.nonce);
    if (!status)
        status = sp_buf_status(&m->said);
    struct sp_view said = sp_buf_view(&m->said);
    if (!status)
        status = derive(c, &f, &keys, key);
    if (!status)
        status = scram_mask(h, keys.stored, said, key, proof);
    if (!status)
        status = scram_sign(h, keys.server, said, m->signature);
    if (!status) {
        sp_buf_add_str(out, "c=");
        status = add_binding(c, out);
        sp_buf_add_str(out, ",r=");
        sp_buf_add(out, f.nonce);
        sp_buf_add_str(out, ",p=");
        sp_buf_add_base64(out, sp_view_make(proof, sasl_hash_len(h)));
        status = status ? status : sp_buf_status(out);
        *sent_out = "proof of the password";
    }
    explicit_bzero(&keys, sizeof keys);
    explicit_bzero(key, sizeof key);
    return status;
}

/* --- server-final-message ------------------------------------------------------------------- */

static int take_final(struct sasl_client *c, struct sp_view challenge, const char **sent_out)
{
    struct scram_client *m = c->memory;
    struct sp_view value;
    uint8_t signature[SASL_KEY_MAX + 3];
    size_t len = 0, hash_len = sasl_hash_len(c->mechanism->hash);
    if (sp_view_starts(challenge,
                       SP_LIT("e="))) { /* RFC 5802 7; the refusal itself comes behind our answer */
        *sent_out = "nothing: the server refuses, and will say so";
        return SP_OK;
    }
    if (!scram_take(&challenge, 'v', &value) || !scram_are_extensions(challenge) ||
        sp_base64_decoded_max(value.len) > sizeof signature ||
        sp_base64_decode(value, signature, &len) != SP_OK || len != hash_len ||
        !sp_view_eq_secret(sp_view_make(signature, len), sp_view_make(m->signature, len)))
        return sasl_client_doubt(
            c, "the server's proof is wrong: it does not know the password, and may be an impostor");
    m->complete = true;
    *sent_out = "nothing: the server has proved that it knows the password";
    return SP_OK;
}

int scram_client_step(struct sasl_client *c, struct sp_view challenge, struct sp_buf *out,
                      const char **sent_out)
{
    switch (c->turn) {
    case 0:
        if (challenge.len > 0)
            return sasl_client_doubt(c, "the server speaks first, and SCRAM begins with the client");
        return say_first(c, out, sent_out);
    case 1:
        return say_final(c, challenge, out, sent_out);
    case 2:
        return take_final(c, challenge, sent_out);
    default:
        return sasl_client_doubt(c, "the server asks once more than this mechanism does");
    }
}
