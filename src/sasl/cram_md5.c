/*
 * CRAM-MD5, RFC 2195: the server says something that it never said before, the client answers with its name
 * and HMAC-MD5 of that under the password. No initial response, no proof of the server, no binding.
 *
 * Deviations: the hexadecimal digits may be upper case, their value is what counts; the challenge is random
 * digits throughout, without a time.
 */
#define OPENSSL_SUPPRESS_DEPRECATED  /* HMAC's state in the middle is what is kept: only the old MD5 shows it \
                                      */

#include "sasl/cram_md5.h"

#include "os/heap.h"
#include "sasl/mechanism.h"

#include <openssl/crypto.h>
#include <openssl/md5.h>

enum { BLOCK = 64, STATE = SASL_CRAM_LEN / 2, HEX_LEN = 2 * SASL_CRAM_DIGEST_LEN, CHALLENGE_OCTETS = 16 };

static const char hex_digits[] = "0123456789abcdef";

/* --- the secret ---------------------------------------------------------------------------- */

/* Little endian, as MD5's own output. */
static void put_state(const MD5_CTX *md5, uint8_t out[STATE])
{
    const MD5_LONG words[] = {md5->A, md5->B, md5->C, md5->D};
    for (size_t i = 0; i < STATE; i++)
        out[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
}

/* Go on behind one block. */
static void take_state(const uint8_t in[STATE], MD5_CTX *md5)
{
    MD5_LONG words[STATE / 4] = {0};
    for (size_t i = 0; i < STATE; i++)
        words[i / 4] |= (MD5_LONG)in[i] << 8 * (i % 4);
    MD5_Init(md5);
    md5->A = words[0];
    md5->B = words[1];
    md5->C = words[2];
    md5->D = words[3];
    md5->Nl = BLOCK * 8;
    OPENSSL_cleanse(words, sizeof words);
}

static void derive_half(const uint8_t key[BLOCK], uint8_t pad, uint8_t out[STATE])
{
    uint8_t padded[BLOCK];
    MD5_CTX md5;
    for (size_t i = 0; i < BLOCK; i++)
        padded[i] = key[i] ^ pad;
    MD5_Init(&md5);
    MD5_Update(&md5, padded, BLOCK);
    put_state(&md5, out);
    OPENSSL_cleanse(padded, sizeof padded);
    OPENSSL_cleanse(&md5, sizeof md5);
}

void sasl_cram_derive(struct sp_view password, uint8_t secret_out[SASL_CRAM_LEN])
{
    uint8_t key[BLOCK] = {0};
    if (password.len > BLOCK)
        MD5(password.p, password.len, key);
    else if (password.len)
        memcpy(key, password.p, password.len);
    derive_half(key, 0x36, secret_out);
    derive_half(key, 0x5c, secret_out + STATE);
    OPENSSL_cleanse(key, sizeof key);
}

void sasl_cram_digest(const uint8_t secret[SASL_CRAM_LEN], struct sp_view challenge,
                      uint8_t digest_out[SASL_CRAM_DIGEST_LEN])
{
    MD5_CTX md5;
    take_state(secret, &md5);
    MD5_Update(&md5, challenge.p, challenge.len);
    MD5_Final(digest_out, &md5);
    take_state(secret + STATE, &md5);
    MD5_Update(&md5, digest_out, SASL_CRAM_DIGEST_LEN);
    MD5_Final(digest_out, &md5);
    OPENSSL_cleanse(&md5, sizeof md5);
}

static void write_hex(const uint8_t *octets, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = hex_digits[octets[i] >> 4];
        out[2 * i + 1] = hex_digits[octets[i] & 15];
    }
}

/* --- server -------------------------------------------------------------------------------- */

struct cram {
    uint8_t digest[SASL_CRAM_DIGEST_LEN]; /* that the client has shown */
};

static const char *fixed_challenge;

void sasl_cram_fix_challenge(const char *challenge) { fixed_challenge = challenge; }

static enum sasl_server_state start(struct sasl_server *s)
{
    uint8_t octets[CHALLENGE_OCTETS];
    char digits[2 * CHALLENGE_OCTETS];
    if (fixed_challenge)
        return sasl_server_ask(s, sp_view_of(fixed_challenge));
    os_random(octets, sizeof octets);
    write_hex(octets, sizeof octets, digits);
    sp_buf_clear(&s->challenge);
    sp_buf_add_u8(&s->challenge, '<');
    sp_buf_add(&s->challenge, sp_view_make(digits, sizeof digits));
    sp_buf_add_u8(&s->challenge, '@');
    sp_buf_add(&s->challenge, s->hostname.len ? sp_buf_view(&s->hostname) : SP_LIT("localhost"));
    sp_buf_add_u8(&s->challenge, '>');
    return sp_buf_status(&s->challenge) == SP_OK ? SASL_SERVER_CHALLENGE : SASL_SERVER_BROKEN;
}

static int value_of(uint8_t c)
{
    const char *at = c ? strchr(hex_digits, sp_ascii_lower(c)) : NULL;
    return at ? (int)(at - hex_digits) : -1;
}

static bool read_hex(struct sp_view hex, uint8_t out[SASL_CRAM_DIGEST_LEN])
{
    if (hex.len != HEX_LEN)
        return false;
    for (size_t i = 0; i < SASL_CRAM_DIGEST_LEN; i++) {
        int high = value_of(hex.p[2 * i]), low = value_of(hex.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* A name may hold spaces: the last one stands before the digits. */
static enum sasl_server_state step(struct sasl_server *s, struct sp_view r)
{
    struct cram *c = s->memory;
    if (r.len == 0)
        return sasl_server_refuse(s, SASL_FAULT_EMPTY);
    if (r.len < HEX_LEN + 2 || r.p[r.len - HEX_LEN - 1] != ' ' ||
        !read_hex(sp_view_from(r, r.len - HEX_LEN), c->digest))
        return sasl_server_refuse(s,
                                  sasl_looks_encoded(r) ? SASL_FAULT_DOUBLE_BASE64 : SASL_FAULT_CRAM_GRAMMAR);
    return sasl_server_take_user(s, sp_view_sub(r, 0, r.len - HEX_LEN - 1)) ? SASL_SERVER_ASK_VERIFIER
                                                                            : s->state;
}

/* Who has no such secret is worked on like everybody else, with a decoy's. */
static enum sasl_server_state judge(struct sasl_server *s, const struct sasl_verifier *v, bool usable)
{
    const struct cram *c = s->memory;
    uint8_t wanted[SASL_CRAM_DIGEST_LEN];
    sasl_cram_digest(v->cram, sp_buf_view(&s->challenge), wanted);
    bool same =
        sp_view_eq_secret(sp_view_make(wanted, sizeof wanted), sp_view_make(c->digest, sizeof c->digest));
    OPENSSL_cleanse(wanted, sizeof wanted);
    s->which = SASL_WHICH_OWN;
    return same && usable && v->has_cram ? SASL_SERVER_YES : sasl_server_refuse(s, SASL_FAULT_REFUSED);
}

/* --- client -------------------------------------------------------------------------------- */

static int answer(struct sasl_client *c, struct sp_view challenge, struct sp_buf *out, const char **sent_out)
{
    uint8_t secret[SASL_CRAM_LEN], digest[SASL_CRAM_DIGEST_LEN];
    char hex[HEX_LEN];
    struct sp_view user = c->credentials.user;
    if (c->turn > 0)
        return sasl_client_doubt(c, "the server asks once more than this mechanism does");
    if (challenge.len == 0)
        return sasl_client_doubt(c, "the server's challenge is empty: the answer to it could be used again");
    if (user.len == 0 || sp_view_find(user, 0, 0) < user.len)
        return sasl_client_cannot(c, "the user name is empty, or a NUL octet is in it");
    sasl_cram_derive(c->credentials.password, secret);
    sasl_cram_digest(secret, challenge, digest);
    write_hex(digest, sizeof digest, hex);
    sp_buf_add(out, user);
    sp_buf_add_u8(out, ' ');
    sp_buf_add(out, sp_view_make(hex, sizeof hex));
    *sent_out = "user name and proof of the password";
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(digest, sizeof digest);
    OPENSSL_cleanse(hex, sizeof hex);
    return sp_buf_status(out);
}

const struct sasl_mechanism sasl_cram_md5 = {
    .name = "CRAM-MD5",
    .server_first = true,
    .server_size = sizeof(struct cram),
    .server_start = start,
    .server_step = step,
    .server_verifier = judge,
    .client_step = answer,
};
