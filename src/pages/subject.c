#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "pages/pages.h"

enum { CODE_LEN = 3 };

static struct pages_subject subject(enum pages_kind kind, const char *name)
{
    struct pages_subject s = {.kind = kind};
    snprintf(s.name, sizeof s.name, "%s", name);
    return s;
}

static struct pages_subject of_number(int code)
{
    char name[12];
    snprintf(name, sizeof name, "%d", code);
    struct pages_subject s = subject(PAGES_CODE, name);
    s.code = code;
    s.entry = reference_code_find(code);
    return s;
}

struct pages_subject pages_subject_of_code(const struct reference_code *entry)
{
    return of_number(entry->code);
}

static struct pages_subject of_enhanced(const struct reference_enhanced *e)
{
    char name[40];
    if (e->class)
        snprintf(name, sizeof name, "%d.%d.%d", e->class, e->subject, e->detail);
    else
        snprintf(name, sizeof name, "X.%d.%d", e->subject, e->detail);
    struct pages_subject s = subject(PAGES_ENHANCED, name);
    s.enhanced = *e;
    s.meaning = reference_meaning_find(e->subject, e->detail);
    return s;
}

struct pages_subject pages_subject_of_enhanced(int subject, int detail)
{
    return of_enhanced(&(struct reference_enhanced){0, subject, detail});
}

struct pages_subject pages_subject_of_meaning(const struct reference_meaning *meaning)
{
    return pages_subject_of_enhanced(meaning->subject, meaning->detail);
}

struct pages_subject pages_subject_of_topic(const struct reference_topic *topic)
{
    static const enum pages_kind kinds[REFERENCE_TOPIC_KIND_N] = {
        [REFERENCE_COMMAND] = PAGES_COMMAND,
        [REFERENCE_KEYWORD] = PAGES_KEYWORD,
        [REFERENCE_MECHANISM] = PAGES_MECHANISM,
    };
    struct pages_subject s = subject(kinds[topic->kind], topic->name);
    s.topic = topic;
    return s;
}

struct pages_subject pages_subject_of_reason(const struct reference_reason *reason)
{
    struct pages_subject s = subject(PAGES_REASON, reason->id);
    s.reason = reason;
    return s;
}

struct pages_subject pages_subject_of_provider(const struct reference_provider *provider)
{
    struct pages_subject s = subject(PAGES_PROVIDER, provider->id);
    s.provider = provider;
    return s;
}

/* One number, not a range of them, that no registry knows. */
static bool is_private(const struct reference_range *r)
{
    return r->low == r->high && !reference_meaning_find(r->subject, r->low);
}

bool pages_private_enhanced(int *subject, int *detail)
{
    enum { MANY = 10000 };
    size_t n;
    int after = *subject * MANY + *detail, best = 0;
    const struct reference_signature *all = reference_signatures(&n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < all[i].ranges_n; k++) {
            const struct reference_range *r = &all[i].ranges[k];
            int at = r->subject * MANY + r->low;
            if (is_private(r) && at > after && (best == 0 || at < best))
                best = at;
        }
    if (best == 0)
        return false;
    *subject = best / MANY;
    *detail = best % MANY;
    return true;
}

static bool is_of_a_provider(const struct reference_enhanced *e)
{
    size_t n;
    const struct reference_signature *all = reference_signatures(&n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < all[i].ranges_n; k++)
            if (is_private(&all[i].ranges[k]) && all[i].ranges[k].subject == e->subject &&
                all[i].ranges[k].low == e->detail)
                return true;
    return false;
}

bool pages_subject_is_known(const struct pages_subject *s)
{
    return !(s->kind == PAGES_CODE && !s->entry) &&
           !(s->kind == PAGES_ENHANCED && !s->meaning && !is_of_a_provider(&s->enhanced));
}

bool pages_subject_eq(const struct pages_subject *a, const struct pages_subject *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == PAGES_ENHANCED)
        return a->enhanced.subject == b->enhanced.subject && a->enhanced.detail == b->enhanced.detail;
    return strcmp(a->name, b->name) == 0;
}

const char *pages_kind_word(enum pages_kind kind, enum reference_lang lang)
{
    static const enum reference_word words[PAGES_KIND_N] = {
        [PAGES_CODE] = REFERENCE_WORD_KIND_CODE,           [PAGES_ENHANCED] = REFERENCE_WORD_KIND_ENHANCED,
        [PAGES_COMMAND] = REFERENCE_WORD_KIND_COMMAND,     [PAGES_KEYWORD] = REFERENCE_WORD_KIND_KEYWORD,
        [PAGES_MECHANISM] = REFERENCE_WORD_KIND_MECHANISM, [PAGES_REASON] = REFERENCE_WORD_KIND_REASON,
        [PAGES_PROVIDER] = REFERENCE_WORD_KIND_PROVIDER,
    };
    return reference_word(words[kind], lang);
}

static bool read_code(const char *name, struct pages_subject *out)
{
    int code = 0;
    for (size_t i = 0; i < CODE_LEN; i++) {
        if (!sp_ascii_digit((uint8_t)name[i]))
            return false;
        code = code * 10 + (name[i] - '0');
    }
    if (name[CODE_LEN] != '\0' || code < 200 || code > 599)
        return false;
    *out = of_number(code);
    return true;
}

/* "5.7.8", or "X.7.8" for whatever class. */
static bool read_enhanced(const char *name, struct pages_subject *out)
{
    struct reference_enhanced e;
    size_t len;
    char any[PAGES_NAME_MAX + 1];
    bool open = (name[0] == 'X' || name[0] == 'x') && name[1] == '.';
    snprintf(any, sizeof any, "%s%s", open ? "5" : "", open ? name + 1 : name);
    if (!reference_enhanced_read(sp_view_of(any), &e, &len) || any[len] != '\0')
        return false;
    if (open)
        e.class = 0;
    *out = of_enhanced(&e);
    return true;
}

static bool read_reason(const char *name, struct pages_subject *out)
{
    char lower[PAGES_NAME_MAX + 1];
    size_t n = strlen(name);
    bool bracketed = n > 2 && name[0] == '[' && name[n - 1] == ']';
    if (n > PAGES_NAME_MAX)
        return false;
    snprintf(lower, sizeof lower, "%.*s", (int)(bracketed ? n - 2 : n), bracketed ? name + 1 : name);
    for (char *c = lower; *c; c++)
        *c = (char)sp_ascii_lower((uint8_t)*c);
    const struct reference_reason *reason = reference_reason_find(sp_view_of(lower));
    if (reason)
        *out = pages_subject_of_reason(reason);
    return reason != NULL;
}

/* "keyword AUTH": the kind, and the name behind it. REFERENCE_TOPIC_KIND_N: none is named. */
static enum reference_topic_kind named_kind(const char **name)
{
    for (int kind = 0; kind < REFERENCE_TOPIC_KIND_N; kind++) {
        const char *word = reference_topic_kind_name((enum reference_topic_kind)kind);
        size_t n = strlen(word);
        if (strncasecmp(*name, word, n) == 0 && (*name)[n] == ' ') {
            *name += n + strspn(*name + n, " ");
            return (enum reference_topic_kind)kind;
        }
    }
    return REFERENCE_TOPIC_KIND_N;
}

size_t pages_subjects(const char *name, struct pages_subject out[PAGES_SAME_NAME_MAX])
{
    if (read_code(name, &out[0]) || read_enhanced(name, &out[0]) || read_reason(name, &out[0]))
        return 1;
    size_t n = 0;
    enum reference_topic_kind only = named_kind(&name);
    for (int kind = 0; kind < REFERENCE_TOPIC_KIND_N; kind++) {
        const struct reference_topic *topic =
            only == REFERENCE_TOPIC_KIND_N || (int)only == kind
                ? reference_topic_find((enum reference_topic_kind)kind, sp_view_of(name))
                : NULL;
        if (topic)
            out[n++] = pages_subject_of_topic(topic);
    }
    const struct reference_provider *provider = reference_provider_find(sp_view_of(name));
    if (provider)
        out[n++] = pages_subject_of_provider(provider);
    return n;
}

const struct reference_pair *pages_pair(const struct pages_subject *a, const struct pages_subject *b)
{
    return reference_pair_find(a->name, b->name);
}
