/*
 * SCRAM-SHA-256 and SCRAM-SHA-1, RFC 5802 and 7677, and both bound to the channel (-PLUS).
 *
 * Deviations: a failed proof is told by the protocol's own failure, not by a server-final "e=" first
 * (RFC 5802 section 7 leaves it open, and SMTP's 535 says it in one step). A client refuses fewer than
 * 4,096 iterations and more than a million.
 */
#include "sasl/scram.h"

#include "base/base64.h"
#include "os/heap.h"

#include <string.h>

/* --- messages ---------------------------------------------------------------------------- */

bool scram_take(struct sp_view *message, char name, struct sp_view *value_out)
{
    if (message->len < 2 || message->p[0] != (uint8_t)name || message->p[1] != '=')
        return false;
    size_t end = sp_view_find(*message, ',', 2);
    *value_out = sp_view_sub(*message, 2, end - 2);
    /* A comma promises that something follows. */
    if (end + 1 == message->len)
        return false;
    *message = sp_view_from(*message, end < message->len ? end + 1 : end);
    return true;
}

bool scram_are_extensions(struct sp_view message)
{
    while (message.len > 0) {
        struct sp_view value;
        char name = (char)message.p[0];
        if (!sp_ascii_alpha(message.p[0]) || !scram_take(&message, name, &value) || value.len == 0)
            return false;
    }
    return true;
}

bool scram_is_nonce(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] < 0x21 || v.p[i] > 0x7e || v.p[i] == ',')
            return false;
    return v.len > 0 && v.len <= SCRAM_NONCE_MAX;
}

bool scram_add_name(struct sp_buf *out, struct sp_view name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.p[i] == ',')
            sp_buf_add_str(out, "=2C");
        else if (name.p[i] == '=')
            sp_buf_add_str(out, "=3D");
        else
            sp_buf_add_u8(out, name.p[i]);
    }
    return sp_buf_status(out) == SP_OK;
}

bool scram_read_name(struct sp_view saslname, struct sp_buf *out)
{
    for (size_t i = 0; i < saslname.len; i++) {
        struct sp_view escape = sp_view_sub(saslname, i, 3);
        if (saslname.p[i] != '=') {
            sp_buf_add_u8(out, saslname.p[i]);
            continue;
        }
        if (sp_view_eq(escape, SP_LIT("=2C")))
            sp_buf_add_u8(out, ',');
        else if (sp_view_eq(escape, SP_LIT("=3D")))
            sp_buf_add_u8(out, '=');
        else
            return false;
        i += 2;
    }
    return sp_buf_status(out) == SP_OK;
}

static const char *fixed_nonce;

void scram_fix_nonce(const char *nonce) { fixed_nonce = nonce; }

void scram_add_nonce(struct sp_buf *out)
{
    uint8_t octets[SCRAM_NONCE_OCTETS];
    if (fixed_nonce) {
        sp_buf_add_str(out, fixed_nonce);
        return;
    }
    os_random(octets, sizeof octets);
    sp_buf_add_base64(out, sp_view_make(octets, sizeof octets));
}

/* --- proofs -------------------------------------------------------------------------------- */

int scram_mask(enum sasl_hash h, const uint8_t *stored_key, struct sp_view auth_message, const uint8_t *in,
               uint8_t *out)
{
    uint8_t signature[SASL_KEY_MAX];
    size_t len = sasl_hash_len(h);
    int status = sasl_hmac(h, sp_view_make(stored_key, len), auth_message, signature);
    for (size_t i = 0; i < len && !status; i++)
        out[i] = in[i] ^ signature[i];
    explicit_bzero(signature, sizeof signature);
    return status;
}

int scram_sign(enum sasl_hash h, const uint8_t *server_key, struct sp_view auth_message, uint8_t *out)
{
    return sasl_hmac(h, sp_view_make(server_key, sasl_hash_len(h)), auth_message, out);
}

/* --- the table's rows ----------------------------------------------------------------------- */

#define SCRAM(text, digest, bound)                                                                           \
    {                                                                                                        \
        .name = text, .client_first = true, .hash = digest, .plus = bound,                                   \
        .server_size = sizeof(struct scram_server), .server_start = scram_server_start,                      \
        .server_step = scram_server_step, .server_verifier = scram_server_verifier,                          \
        .server_fini = scram_server_fini, .client_size = sizeof(struct scram_client),                        \
        .client_step = scram_client_step, .client_is_complete = scram_client_is_complete,                    \
        .client_fini = scram_client_fini                                                                     \
    }

const struct sasl_mechanism sasl_scram_sha_256 = SCRAM("SCRAM-SHA-256", SASL_SHA256, false);
const struct sasl_mechanism sasl_scram_sha_256_plus = SCRAM("SCRAM-SHA-256-PLUS", SASL_SHA256, true);
const struct sasl_mechanism sasl_scram_sha_1 = SCRAM("SCRAM-SHA-1", SASL_SHA1, false);
const struct sasl_mechanism sasl_scram_sha_1_plus = SCRAM("SCRAM-SHA-1-PLUS", SASL_SHA1, true);
