/* What a mechanism is made of: a row of facts and the functions of its two sides. Only for src/sasl. */
#ifndef SASL_MECHANISM_H
#define SASL_MECHANISM_H

#include "base/view.h"
#include "sasl/client.h"
#include "sasl/names.h"
#include "sasl/prep.h"
#include "sasl/server.h"

struct sasl_server {
    const struct sasl_mechanism *mechanism;
    const struct sp_allocator   *alloc;
    unsigned                     turn; /* responses taken so far */
    enum sasl_server_state       state;
    enum sasl_fault              fault;
    bool                         password_encoded; /* it looked like base64 */
    int                          which; /* see sasl_server_which */
    struct sp_buf                user;
    struct sp_buf                password; /* prepared                        */
    struct sp_buf                challenge;
    struct sp_buf                hostname;
    struct sp_buf                binding[SASL_BINDING_N];
    bool                         plus_offered;
    void                        *memory; /* the mechanism's own, zeroed; NULL when it needs none */
};

struct sasl_client {
    const struct sasl_mechanism *mechanism;
    const struct sp_allocator   *alloc;
    struct sasl_credentials      credentials;
    unsigned                     turn;
    const struct sasl_binding   *binding;      /* NULL: nothing to bind to             */
    bool                         plus_offered; /* the server has mechanisms that bind  */
    const char                  *fault;        /* see sasl_client_fault                */
    void                        *memory;
};

struct sasl_mechanism {
    const char *name;
    bool shows_password; /* to whoever reads along: wants TLS     */
    bool external;       /* the certificate of TLS, no password   */
    bool bearer;         /* takes a token, never a password       */
    bool client_first;   /* the client may speak with the command */
    bool server_first;   /* and here it must not                  */
    enum sasl_hash hash; /* SCRAM's                               */
    bool plus;           /* and bound to the channel              */

    size_t server_size; /* of sasl_server.memory */
    enum sasl_server_state (*server_start)(struct sasl_server *s); /* no initial response came */
    enum sasl_server_state (*server_step)(struct sasl_server *s, struct sp_view response);
    enum sasl_server_state (*server_verifier)(struct sasl_server *s, const struct sasl_verifier *v, bool usable);
    enum sasl_server_state (*server_token_refused)(struct sasl_server *s, struct sp_view error_json);

    size_t client_size;
    int (*client_step)(struct sasl_client *c, struct sp_view challenge, struct sp_buf *response_out,
                       const char **sent_out);
    bool (*client_is_complete)(const struct sasl_client *c); /* NULL: once something was said */

    void (*client_fini)(struct sasl_client *c); /* may be NULL */
    void (*server_fini)(struct sasl_server *s); /* may be NULL */
};

/* One object for each row of SASL_MECHANISMS, in its order. */
#define X(id, ...) extern const struct sasl_mechanism sasl_##id;
SASL_MECHANISMS(X)
#undef X
extern const struct sasl_mechanism *const sasl_mechanisms[];
extern const size_t                       sasl_mechanism_n;

/* NULL: not one of ours. */
const struct sasl_mechanism *sasl_mechanism_find(struct sp_view name);

/* The exchange ends in NO. */
enum sasl_server_state sasl_server_refuse(struct sasl_server *s, enum sasl_fault why);

/* Take a name or password as presented; false: the state is NO or BROKEN now. */
bool sasl_server_take_user(struct sasl_server *s, struct sp_view user);
bool sasl_server_take_password(struct sasl_server *s, struct sp_view password);

/* The challenge is this text. */
enum sasl_server_state sasl_server_ask(struct sasl_server *s, struct sp_view challenge);

/* The client does not go on, and why: a sentence, static text. For a challenge: SP_ERR_SYNTAX; for the credentials: SP_ERR_MISUSE. */
int sasl_client_doubt(struct sasl_client *c, const char *why);
int sasl_client_cannot(struct sasl_client *c, const char *why);

/* Base64 of printable UTF-8, long enough not to be chance. */
bool sasl_looks_encoded(struct sp_view v);

#endif
