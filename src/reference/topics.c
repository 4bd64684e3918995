/* Commands, keywords, mechanisms and the words of providers. */
#include "base/view.h"
#include "reference/data.h"
#include "reference/reference.h"

const struct reference_meaning *reference_meanings(size_t *n_out)
{
    *n_out = reference_data_meanings_n;
    return reference_data_meanings;
}

const struct reference_topic *reference_topics(size_t *n_out)
{
    *n_out = reference_data_topics_n;
    return reference_data_topics;
}

const struct reference_provider *reference_providers(size_t *n_out)
{
    *n_out = reference_data_providers_n;
    return reference_data_providers;
}

const struct reference_signature *reference_signatures(size_t *n_out)
{
    *n_out = reference_data_signatures_n;
    return reference_data_signatures;
}

const char *reference_standing_name(enum reference_standing standing)
{
#define X(name, word) [REFERENCE_##name] = word,
    static const char *const names[REFERENCE_STANDING_N] = {REFERENCE_STANDINGS(X)};
#undef X
    return names[standing];
}

const char *reference_actor_name(enum reference_actor actor)
{
#define X(name, word) [REFERENCE_BY_##name] = word,
    static const char *const names[REFERENCE_ACTOR_N] = {REFERENCE_ACTORS(X)};
#undef X
    return names[actor];
}

const char *reference_topic_kind_name(enum reference_topic_kind kind)
{
#define X(name, word) [REFERENCE_##name] = word,
    static const char *const names[REFERENCE_TOPIC_KIND_N] = {REFERENCE_TOPIC_KINDS(X)};
#undef X
    return names[kind];
}

static bool named(struct sp_view name, const char *s)
{
    for (size_t i = 0; i < name.len; i++)
        if (s[i] == '\0' || sp_ascii_lower(name.p[i]) != sp_ascii_lower((uint8_t)s[i]))
            return false;
    return s[name.len] == '\0';
}

const struct reference_topic *reference_topic_find(enum reference_topic_kind kind, struct sp_view name)
{
    for (size_t i = 0; i < reference_data_topics_n; i++) {
        const struct reference_topic *topic = &reference_data_topics[i];
        if (topic->kind != kind)
            continue;
        bool found = named(name, topic->name);
        for (const char *const *alias = topic->aliases; alias && *alias && !found; alias++)
            found = named(name, *alias);
        if (found)
            return topic;
    }
    return NULL;
}

const struct reference_provider *reference_provider_find(struct sp_view id)
{
    for (size_t i = 0; i < reference_data_providers_n; i++)
        if (named(id, reference_data_providers[i].id))
            return &reference_data_providers[i];
    return NULL;
}

static bool is_letter(uint8_t c) { return sp_ascii_alpha(c) || c >= 0x80; }

/* Where part, up to its '*' or end, begins in the text at or behind `from`; the text's length when it does
 * not. The first part begins where a word does. */
static size_t find_part(struct sp_view text, size_t from, const char *part, size_t len)
{
    bool word = from == 0 && is_letter((uint8_t)*part);
    for (size_t at = from; at + len <= text.len; at++) {
        size_t n = 0;
        if (word && at > 0 && is_letter(text.p[at - 1]))
            continue;
        while (n < len && sp_ascii_lower(text.p[at + n]) == (uint8_t)part[n])
            n++;
        if (n == len)
            return at;
    }
    return text.len;
}

bool reference_text_holds(struct sp_view text, const char *pattern)
{
    for (size_t at = 0; *pattern != '\0';) {
        size_t len = 0;
        while (pattern[len] != '\0' && pattern[len] != '*')
            len++;
        at = find_part(text, at, pattern, len);
        if (at == text.len)
            return false;
        at += len;
        pattern += len + (pattern[len] == '*');
    }
    return true;
}

static bool has_code(const struct reference_signature *signature, int code)
{
    for (const int *c = signature->codes; *c; c++)
        if (*c == code)
            return true;
    return false;
}

bool reference_ranges_have(const struct reference_range *ranges, size_t n, const struct reference_enhanced *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct reference_range *r = &ranges[i];
        if (r->class == e->class && r->subject == e->subject && r->low <= e->detail && e->detail <= r->high)
            return true;
    }
    return false;
}

bool reference_signature_has(const struct reference_signature *signature, const struct reference_enhanced *e)
{
    return reference_ranges_have(signature->ranges, signature->ranges_n, e);
}

const struct reference_signature *reference_signature_find(int code, struct sp_view text)
{
    struct reference_enhanced enhanced;
    size_t len;
    for (size_t i = 0; i < reference_data_signatures_n; i++) {
        const struct reference_signature *s = &reference_data_signatures[i];
        for (const char *const *t = has_code(s, code) ? s->texts : NULL; t && *t; t++)
            if (reference_text_holds(text, *t))
                return s;
    }
    if (!reference_enhanced_read(sp_view_trim(text), &enhanced, &len) || enhanced.class != code / 100)
        return NULL;
    for (size_t i = 0; i < reference_data_signatures_n; i++) {
        const struct reference_signature *s = &reference_data_signatures[i];
        if (s->by_number && reference_signature_has(s, &enhanced))
            return s;
    }
    return NULL;
}
