#include "sasl/client.h"

#include "sasl/mechanism.h"

/* Who shows a certificate may have no password: then nothing that takes one. */
static bool suits(const struct sasl_mechanism *m, const struct sasl_credentials *c)
{
    if (m->external)
        return c->certificate;
    if (m->bearer != c->token)
        return false;
    return !c->certificate || c->password.len > 0;
}

int sasl_client_new(struct sp_view mechanism, const struct sasl_credentials *credentials,
                    const struct sp_allocator *alloc, struct sasl_client **client_out)
{
    const struct sasl_mechanism *m = sasl_mechanism_find(mechanism);
    if (!m)
        return SP_ERR_ABSENT;
    if (!suits(m, credentials))
        return SP_ERR_MISUSE;
    struct sasl_client *c = alloc->resize(alloc->ctx, NULL, 0, sizeof *c);
    if (!c)
        return SP_ERR_NOMEM;
    *c = (struct sasl_client){.mechanism = m, .alloc = alloc, .credentials = *credentials};
    if (m->client_size) {
        c->memory = alloc->resize(alloc->ctx, NULL, 0, m->client_size);
        if (!c->memory) {
            sasl_client_free(c);
            return SP_ERR_NOMEM;
        }
        memset(c->memory, 0, m->client_size);
    }
    *client_out = c;
    return SP_OK;
}

void sasl_client_free(struct sasl_client *c)
{
    if (!c)
        return;
    if (c->memory) {
        if (c->mechanism->client_fini)
            c->mechanism->client_fini(c);
        explicit_bzero(c->memory, c->mechanism->client_size);
        c->alloc->resize(c->alloc->ctx, c->memory, c->mechanism->client_size, 0);
    }
    c->alloc->resize(c->alloc->ctx, c, sizeof *c, 0);
}

bool sasl_client_has_initial(const struct sasl_client *c) { return c->mechanism->client_first; }

int sasl_client_step(struct sasl_client *c, struct sp_view challenge, struct sp_buf *response_out,
                     const char **sent_out)
{
    int status = c->mechanism->client_step(c, challenge, response_out, sent_out);
    c->turn++;
    return status;
}

const char *sasl_client_fault(const struct sasl_client *c) { return c->fault; }

int sasl_client_doubt(struct sasl_client *c, const char *why)
{
    c->fault = why;
    return SP_ERR_SYNTAX;
}

int sasl_client_cannot(struct sasl_client *c, const char *why)
{
    c->fault = why;
    return SP_ERR_MISUSE;
}

bool sasl_client_is_complete(const struct sasl_client *c)
{
    return c->mechanism->client_is_complete ? c->mechanism->client_is_complete(c) : c->turn > 0;
}

/* --- choice ------------------------------------------------------------------------------ */

static bool offers(struct sp_view offered, struct sp_view name)
{
    struct sp_view word;
    while (sp_view_word(&offered, ' ', &word))
        if (sp_view_eq_nocase(word, name))
            return true;
    return false;
}

static void add_ours(const struct sasl_credentials *c, struct sp_buf *why)
{
    const char *between = "";
    for (size_t i = 0; i < sasl_mechanism_n; i++) {
        if (!suits(sasl_mechanisms[i], c))
            continue;
        sp_buf_add_str(why, between);
        sp_buf_add_str(why, sasl_mechanisms[i]->name);
        between = ", ";
    }
}

/* Why a mechanism does not suit. */
static const char *name_lack(const struct sasl_mechanism *m, const struct sasl_credentials *c)
{
    if (m->external)
        return " needs a certificate to show in TLS, and there is none";
    if (m->bearer != c->token)
        return m->bearer ? " takes a token, and there is a password"
                         : " takes a password, and there is a token";
    return " takes a password, and there is none";
}

/* What stood in the way of a mechanism that both sides have. */
enum obstacle { NO_MECHANISM, UNSAFE, WEAK };

static void say_why(const struct sasl_offer *offer, struct sp_view wanted, const struct sasl_credentials *c,
                    enum obstacle obstacle, struct sp_buf *why)
{
    struct sp_view ours = wanted, offered = offer->mechanisms;
    if (wanted.len && !sasl_mechanism_find(wanted)) {
        sp_buf_add(why, wanted);
        sp_buf_add_str(why, " is not a mechanism of this client; it has ");
        add_ours(c, why);
        return;
    }
    if (wanted.len && !suits(sasl_mechanism_find(wanted), c)) {
        sp_buf_add(why, wanted);
        sp_buf_add_str(why, name_lack(sasl_mechanism_find(wanted), c));
        return;
    }
    if (sp_view_trim(offered).len == 0) {
        sp_buf_add_str(why, "the server offers no AUTH here");
        sp_buf_add_str(why,
                       "; many offer it only after STARTTLS, or only on the submission ports 587 and 465");
        return;
    }
    sp_buf_add_str(why, "the server offers AUTH ");
    sp_buf_add(why, sp_view_trim(offered));
    if (obstacle == WEAK) {
        sp_buf_add_str(why, ", and nothing weaker than ");
        sp_buf_add(why, offer->floor);
        sp_buf_add_str(why, " may be used");
        return;
    }
    if (obstacle == UNSAFE) {
        sp_buf_add_str(why, ", but ");
        sp_buf_add(why, ours.len ? ours : SP_LIT("each of these that this client has"));
        sp_buf_add_str(why, " would show the password on a connection without TLS");
        return;
    }
    sp_buf_add_str(why, ", not ");
    if (ours.len)
        sp_buf_add(why, ours);
    else
        add_ours(c, why);
}

/* Somebody in the middle can take names out of a list, not put proofs into a mechanism. */
static bool offers_plus(struct sp_view offered)
{
    struct sp_view word;
    while (sp_view_word(&offered, ' ', &word)) {
        const struct sasl_mechanism *m = sasl_mechanism_find(word);
        if (m && m->plus)
            return true;
    }
    return false;
}

void sasl_client_bind(struct sasl_client *c, const struct sasl_offer *offer)
{
    bool can = offer->binding && sasl_binding_best(offer->binding) < SASL_BINDING_N;
    c->binding = can ? offer->binding : NULL;
    c->plus_offered = offers_plus(offer->mechanisms);
}

bool sasl_client_knows(struct sp_view mechanism) { return sasl_mechanism_find(mechanism) != NULL; }

/* Mechanisms are tried from the strongest on: false for what is behind us, and for what is below the floor.
 */
static bool is_left(size_t at, size_t failed_at, size_t floor_at)
{
    return at <= floor_at && (failed_at == sasl_mechanism_n || at > failed_at);
}

static size_t place_of(struct sp_view name)
{
    size_t i = 0;
    while (i < sasl_mechanism_n && !sp_view_eq_nocase(sp_view_of(sasl_mechanisms[i]->name), name))
        i++;
    return i;
}

int sasl_client_choose(const struct sasl_offer *offer, struct sp_view wanted,
                       const struct sasl_credentials *credentials, struct sp_view *mechanism_out,
                       struct sp_buf *why_out)
{
    enum obstacle obstacle = NO_MECHANISM;
    size_t failed_at = place_of(offer->failed), floor_at = place_of(offer->floor);
    bool can_bind = offer->binding && sasl_binding_best(offer->binding) < SASL_BINDING_N;
    for (size_t i = 0; i < sasl_mechanism_n; i++) {
        const struct sasl_mechanism *m = sasl_mechanisms[i];
        struct sp_view name = sp_view_of(m->name);
        if (!suits(m, credentials) || ((m->plus || m->external) && !can_bind) ||
            !offers(offer->mechanisms, name) || (wanted.len && !sp_view_eq_nocase(wanted, name)))
            continue;
        if (!is_left(i, failed_at, floor_at)) {
            obstacle = i > floor_at ? WEAK : obstacle;
            continue;
        }
        if (m->shows_password && !offer->secure) {
            obstacle = UNSAFE;
            continue;
        }
        *mechanism_out = name;
        return SP_OK;
    }
    say_why(offer, wanted, credentials, obstacle, why_out);
    return SP_ERR_ABSENT;
}
