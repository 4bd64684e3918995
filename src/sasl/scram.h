/* What SCRAM's two sides share. RFC 5802, RFC 7677. Only for src/sasl and its tests. */
#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H

#include "sasl/mechanism.h"

enum {
    SCRAM_NONCE_OCTETS = 18,      /* of randomness: 24 characters of base64     */
    SCRAM_NONCE_MAX = 256,        /* characters of one side's nonce             */
    SCRAM_MESSAGE_MAX = 4096,     /* octets of one message                      */
    SCRAM_MESSAGES_MAX = 12288    /* of all that the proofs are made over       */
};

/* --- messages ---------------------------------------------------------------------------- */

/*
 * Take the attribute `name` from the front of a message: "n=value," or, at the end, "n=value".
 * false: something else stands there; nothing is taken.
 */
bool scram_take(struct sp_view *message, char name, struct sp_view *value_out);

/* What is left is a list of optional extensions, or nothing. */
bool scram_are_extensions(struct sp_view message);

/* Printable ASCII without a comma, not empty, of bearable length. */
bool scram_is_nonce(struct sp_view v);

/* A saslname: "=2C" for a comma and "=3D" for an equals sign. false: grammar, or no memory. */
bool scram_add_name(struct sp_buf *out, struct sp_view name);
bool scram_read_name(struct sp_view saslname, struct sp_buf *out);

/* A fresh nonce, or the one that a test has set. */
void scram_add_nonce(struct sp_buf *out);

/*
 * Tests only, for the examples of the RFCs: every nonce of this process is this text; NULL: random again.
 */
void scram_fix_nonce(const char *nonce);

/* --- proofs -------------------------------------------------------------------------------- */

/* HMAC(StoredKey, AuthMessage) xor a key or a proof: each gives the other. SP_ERR_NOMEM. */
SP_MUST_USE int scram_mask(enum sasl_hash h, const uint8_t *stored_key, struct sp_view auth_message,
                           const uint8_t *in, uint8_t *out);

/* HMAC(ServerKey, AuthMessage). SP_ERR_NOMEM. */
SP_MUST_USE int scram_sign(enum sasl_hash h, const uint8_t *server_key, struct sp_view auth_message, uint8_t *out);

/* --- the two sides -------------------------------------------------------------------------- */

struct scram_server {
    struct sasl_verifier verifier;
    bool                 usable;
    enum sasl_binding_kind binding; /* of the header; SASL_BINDING_N: none                    */
    struct sp_buf        gs2;   /* the header, as it came, and the data that it binds to      */
    struct sp_buf        nonce; /* of both sides                                              */
    struct sp_buf        said;  /* AuthMessage as far as it is known                          */
};

enum sasl_server_state scram_server_start(struct sasl_server *s);
enum sasl_server_state scram_server_step(struct sasl_server *s, struct sp_view response);
enum sasl_server_state scram_server_verifier(struct sasl_server *s, const struct sasl_verifier *v, bool usable);
void                   scram_server_fini(struct sasl_server *s);

struct scram_client {
    struct sp_buf nonce;
    struct sp_buf said;
    uint8_t       signature[SASL_KEY_MAX]; /* that the server must show */
    bool          complete;
};

int  scram_client_step(struct sasl_client *c, struct sp_view challenge, struct sp_buf *out, const char **sent_out);
bool scram_client_is_complete(const struct sasl_client *c);
void scram_client_fini(struct sasl_client *c);

#endif
