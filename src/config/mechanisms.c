#include "config/mechanisms.h"

#include "base/nearest.h"
#include "base/view.h"

static const struct mechanism {
    const char *name;
    unsigned needs;
} mechanisms[SASL_ID_N] = {
#define X(id, text, what) [SASL_ID_##id] = {text, what},
    SASL_MECHANISMS(X)
#undef X
};

enum { FIRST = SASL_ID_NONE + 1 };

const char *config_mechanism_name(enum sasl_mechanism_id id) { return id ? mechanisms[id].name : ""; }

unsigned config_mechanism_needs(enum sasl_mechanism_id id) { return mechanisms[id].needs; }

enum sasl_mechanism_id config_mechanism_find(const char *name)
{
    for (unsigned i = FIRST; i < SASL_ID_N; i++)
        if (sp_view_eq_nocase(sp_view_of(mechanisms[i].name), sp_view_of(name)))
            return (enum sasl_mechanism_id)i;
    return SASL_ID_NONE;
}

const char *config_mechanism_nearest(const char *name)
{
    const char *best = NULL;
    for (unsigned i = FIRST; i < SASL_ID_N; i++) {
        const char *candidate = mechanisms[i].name;
        if (sp_word_is_near(name, candidate) &&
            (!best || sp_word_distance(name, candidate) < sp_word_distance(name, best)))
            best = candidate;
    }
    return best;
}

const char *config_mechanism_names(struct sp_arena *arena)
{
    const char *names = mechanisms[FIRST].name;
    for (unsigned i = FIRST + 1; i < SASL_ID_N; i++)
        names = config_text(arena, "%s, %s", names, mechanisms[i].name);
    return names;
}

void config_mechanisms_text(uint32_t set, struct sp_buf *out)
{
    const char *between = "";
    for (unsigned i = FIRST; i < SASL_ID_N; i++) {
        if (!(set >> i & 1))
            continue;
        sp_buf_add_str(out, between);
        sp_buf_add_str(out, mechanisms[i].name);
        between = " ";
    }
}

/* --- what is possible --------------------------------------------------------------------- */

/* Why this listener can never offer it, and what would be right; NULL: it can. */
static const char *find_obstacle(const struct config *c, const struct config_listener *l, unsigned needs)
{
    if (needs & SASL_NEEDS_CERTIFICATE && !l->client_ca)
        return "needs client-ca, the authorities that sign the certificates of clients; allowed: with "
               "client-ca";
    if (needs & SASL_NEEDS_CERTIFICATE && c->users.source == CONFIG_SOURCE_DOVECOT)
        return "needs a source that says whether a user exists, and Dovecot's socket says it of passwords "
               "alone; "
               "allowed: with users { source = built-in } or password-file";
    if (needs & SASL_NEEDS_CHANNEL && l->tls == CONFIG_TLS_OFF)
        return "works over TLS alone, and this listener has tls = off; allowed: with tls = starttls "
               "or "
               "implicit";
    if (needs & SASL_NEEDS_CHANNEL && needs & SASL_NEEDS_VERIFIER && c->users.source == CONFIG_SOURCE_DOVECOT)
        return "is bound to a TLS connection, which is here and not in Dovecot; allowed: without -PLUS";
    if (needs & SASL_NEEDS_VERIFIER && c->users.source == CONFIG_SOURCE_PASSWORD_FILE)
        return "needs verifiers, which only users { source = built-in } has; allowed: PLAIN, LOGIN";
    if (needs & SASL_NEEDS_ISSUER && !c->tokens.jwks_file && !c->tokens.jwks_url &&
        c->users.source != CONFIG_SOURCE_DOVECOT)
        return "takes tokens, and nobody is named whose tokens are good; allowed: with a section tokens";
    return NULL;
}

static bool is_possible(const struct config *c, const struct config_listener *l, unsigned needs, bool tls)
{
    if (needs & SASL_NEEDS_CHANNEL && !tls)
        return false;
    return (tls ? l->tls != CONFIG_TLS_OFF : l->auth_in_clear) && !find_obstacle(c, l, needs);
}

static uint32_t possible(const struct config *c, const struct config_listener *l, bool tls)
{
    uint32_t set = 0;
    for (unsigned i = FIRST; i < SASL_ID_N; i++)
        if (is_possible(c, l, mechanisms[i].needs, tls))
            set |= UINT32_C(1) << i;
    return set;
}

/* --- what is named ------------------------------------------------------------------------ */

/* A name that stands twice is a slip: of the two another one was meant. */
static uint32_t named(const struct config *c, const struct config_block *block, struct config_faults *faults)
{
    const struct config_listener *l = block->target;
    const struct config_setting *s = config_block_setting(block, "mechanisms");
    const char *where = config_block_where(block, "mechanisms", faults->arena);
    uint32_t set = 0;
    for (const struct config_value *v = s->values; v; v = v->next) {
        enum sasl_mechanism_id id = config_mechanism_find(v->text);
        const char *obstacle = find_obstacle(c, l, mechanisms[id].needs);
        if (set >> id & 1)
            config_fault(faults, v->line, "%s: %.60s stands twice", where, v->text);
        else if (obstacle)
            config_fault(faults, v->line, "%s: %s %s", where, mechanisms[id].name, obstacle);
        if (id != SASL_ID_NONE)
            set |= UINT32_C(1) << id;
    }
    return set;
}

/* What Dovecot has was named in its own configuration. */
static uint32_t unnamed(const struct config *c)
{
    uint32_t set = 0;
    for (unsigned i = FIRST; i < SASL_ID_N; i++)
        if (!(mechanisms[i].needs & SASL_NEEDS_NAMING) ||
            (mechanisms[i].needs & SASL_NEEDS_VERIFIER && c->users.source == CONFIG_SOURCE_DOVECOT))
            set |= UINT32_C(1) << i;
    return set;
}

void config_mechanisms_settle(struct config *c, const struct config_block *block,
                              struct config_faults *faults)
{
    struct config_listener *l = block->target;
    if (l->auth == CONFIG_AUTH_OFF)
        return;
    uint32_t wanted = config_block_setting(block, "mechanisms") ? named(c, block, faults) : unnamed(c);
    size_t before = faults->n;
    l->offered_tls = possible(c, l, true) & wanted;
    l->offered_clear = possible(c, l, false) & wanted;
    if (l->auth_in_clear && l->mechanism_n > 0 && l->offered_clear == 0 && faults->n == before)
        config_fault(faults, config_block_setting(block, "mechanisms")->line,
                     "%s: none of these can be used without TLS, so auth-in-clear = yes has no effect",
                     config_block_where(block, "mechanisms", faults->arena));
}
