/* The facts of a subject: label and value. What two subjects do not share is what a comparison is made of. */
#include <stdlib.h>
#include <string.h>

#include "pages/pages.h"
#include "pages/text.h"

struct list {
    struct pages_facts *facts;
    enum reference_lang lang;
};

/* Takes the value; "" is left out. */
static void give(struct list *l, enum reference_word label, char *value, bool names)
{
    if (*value == '\0' || l->facts->n == PAGES_FACTS_MAX) {
        free(value);
        return;
    }
    l->facts->fact[l->facts->n++] = (struct pages_fact){reference_word(label, l->lang), value, NULL, names};
}

static void add(struct list *l, enum reference_word label, const char *value)
{
    give(l, label, pages_copy(value ? value : ""), false);
}

static void add_strings(struct list *l, enum reference_word label, const char *before,
                        const char *const *items, bool names)
{
    struct pages_text t;
    FILE *to = pages_text_begin(&t);
    for (size_t i = 0; items && items[i]; i++)
        fprintf(to, "%s%s%s", i ? ", " : "", before, items[i]);
    give(l, label, pages_text_end(&t), names);
}

static void add_numbers(struct list *l, enum reference_word label, const int *items)
{
    struct pages_text t;
    FILE *to = pages_text_begin(&t);
    for (size_t i = 0; items[i]; i++)
        fprintf(to, "%s%d", i ? ", " : "", items[i]);
    give(l, label, pages_text_end(&t), true);
}

static void add_standing(struct list *l, enum reference_standing standing)
{
#define X(name, spelling) [REFERENCE_##name] = REFERENCE_WORD_STANDING_##name,
    static const enum reference_word words[REFERENCE_STANDING_N] = {REFERENCE_STANDINGS(X)};
#undef X
    add(l, REFERENCE_WORD_STANDING, reference_word(words[standing], l->lang));
}

static void add_actors(struct list *l, unsigned actors)
{
#define X(name, spelling) [REFERENCE_BY_##name] = REFERENCE_WORD_BY_##name,
    static const enum reference_word words[REFERENCE_ACTOR_N] = {REFERENCE_ACTORS(X)};
#undef X
    struct pages_text t;
    size_t listed = 0;
    FILE *to = pages_text_begin(&t);
    for (size_t i = 0; i < REFERENCE_ACTOR_N; i++)
        if (actors & (1U << i))
            fprintf(to, "%s%s", listed++ ? "; " : "", reference_word(words[i], l->lang));
    give(l, REFERENCE_WORD_WHO, pages_text_end(&t), false);
}

/* Reason ids with this code or, code 0, with this enhanced code; "X.5.1" is any class. */
static void add_reasons(struct list *l, int code, const char *enhanced)
{
    struct pages_text t;
    size_t n, listed = 0;
    const struct reference_reason *reasons = reference_reasons(&n);
    FILE *to = pages_text_begin(&t);
    for (size_t i = 0; i < n; i++) {
        bool fits = code ? reasons[i].code == code
                         : strcmp(reasons[i].enhanced + 1, enhanced + 1) == 0 &&
                               (enhanced[0] == 'X' || enhanced[0] == reasons[i].enhanced[0]);
        if (fits)
            fprintf(to, "%s%s", listed++ ? ", " : "", reasons[i].id);
    }
    give(l, REFERENCE_WORD_REASONS, pages_text_end(&t), true);
}

static void code_facts(struct list *l, const struct pages_subject *s)
{
    const struct reference_code *c = s->entry;
    struct pages_text t;
    if (c)
        add_standing(l, c->standing);
    add(l, REFERENCE_WORD_CLASS, reference_class(s->code, l->lang));
    add(l, REFERENCE_WORD_SUBJECT, reference_digit(s->code, l->lang));
    if (!c)
        return;
    add_actors(l, c->actors);
    add(l, REFERENCE_WORD_RETRY, pages_retry_sentence(c->retry, l->lang));
    FILE *to = pages_text_begin(&t);
    for (size_t i = 0; c->commands[i]; i++)
        fprintf(to, "%s%s", i ? ", " : "", pages_command_word(c->commands[i], l->lang));
    give(l, REFERENCE_WORD_COMMANDS, pages_text_end(&t), true);
    add_strings(l, REFERENCE_WORD_ENHANCED, "", c->enhanced, true);
    add_reasons(l, c->code, NULL);
    add_strings(l, REFERENCE_WORD_RFC, "RFC ", c->rfc, true);
    add_strings(l, REFERENCE_WORD_SOURCE, "", c->sources, false);
    add_numbers(l, REFERENCE_WORD_RELATED, c->related);
}

static void enhanced_facts(struct list *l, const struct pages_subject *s)
{
    struct pages_text t;
    size_t n, listed = 0;
    const struct reference_code *codes = reference_codes(&n);
    add(l, REFERENCE_WORD_NUMBER_1, pages_enhanced_class(&s->enhanced, l->lang));
    add(l, REFERENCE_WORD_NUMBER_2, pages_enhanced_subject(&s->enhanced, l->lang));
    if (s->meaning)
        add_actors(l, s->meaning->actors);
    FILE *to = pages_text_begin(&t);
    for (size_t i = 0; i < n; i++)
        for (const char *const *e = codes[i].enhanced; *e; e++)
            if (strcmp(*e + 1, s->name + 1) == 0 && (!s->enhanced.class || (*e)[0] == s->name[0])) {
                fprintf(to, "%s%d", listed++ ? ", " : "", codes[i].code);
                break;
            }
    give(l, REFERENCE_WORD_CODES, pages_text_end(&t), true);
    add_reasons(l, 0, s->name);
    if (s->meaning)
        give(l, REFERENCE_WORD_RFC, pages_copy("RFC 3463, RFC 5248"), true);
}

static void topic_facts(struct list *l, const struct reference_topic *t)
{
    add_standing(l, t->standing);
    if (*t->syntax)
        give(l, REFERENCE_WORD_SYNTAX, pages_format("`%s`", t->syntax), false);
    add_strings(l, REFERENCE_WORD_ALSO_NAMED, "", t->aliases, false);
    if (t->kind == REFERENCE_MECHANISM) {
        static const enum reference_word tls[] = {[REFERENCE_TLS_OPTIONAL] = REFERENCE_WORD_TLS_OPTIONAL,
                                                  [REFERENCE_TLS_ADVISED] = REFERENCE_WORD_TLS_ADVISED,
                                                  [REFERENCE_TLS_REQUIRED] = REFERENCE_WORD_TLS_REQUIRED};
        bool client = strcmp(t->first, "client") == 0;
        add(l, REFERENCE_WORD_SPEAKS_FIRST,
            reference_word(client ? REFERENCE_WORD_FIRST_CLIENT : REFERENCE_WORD_FIRST_SERVER, l->lang));
        give(l, REFERENCE_WORD_PROMPTS,
             pages_format("%s / %s (%s)", t->prompts[0], t->prompts[1],
                          reference_word(REFERENCE_WORD_PROMPTS_WITH, l->lang)),
             false);
        add(l, REFERENCE_WORD_TLS, reference_word(tls[t->tls], l->lang));
    }
    add_numbers(l, REFERENCE_WORD_ANSWERS, t->codes);
    add_strings(l, REFERENCE_WORD_RFC, "RFC ", t->rfc, true);
    add_strings(l, REFERENCE_WORD_SOURCE, "", t->sources, false);
    add_strings(l, REFERENCE_WORD_RELATED, "", t->related, true);
}

static void reason_facts(struct list *l, const struct reference_reason *r)
{
    const struct reference_code *c = reference_code_find(r->code);
    give(l, REFERENCE_WORD_CODE, pages_format("%d", r->code), true);
    give(l, REFERENCE_WORD_ENHANCED_CODE, pages_copy(r->enhanced), true);
    if (c) {
        add_actors(l, c->actors);
        add(l, REFERENCE_WORD_RETRY, pages_retry_sentence(c->retry, l->lang));
    }
}

void pages_facts(const struct pages_subject *s, enum reference_lang lang, struct pages_facts *facts_out)
{
    struct list l = {facts_out, lang};
    *facts_out = (struct pages_facts){.n = 0};
    switch (s->kind) {
    case PAGES_CODE:
        code_facts(&l, s);
        break;
    case PAGES_ENHANCED:
        enhanced_facts(&l, s);
        break;
    case PAGES_REASON:
        reason_facts(&l, s->reason);
        break;
    case PAGES_PROVIDER:
        add_strings(&l, REFERENCE_WORD_SOURCE, "", s->provider->sources, false);
        break;
    default:
        topic_facts(&l, s->topic);
        break;
    }
}

void pages_facts_free(struct pages_facts *facts)
{
    for (size_t i = 0; i < facts->n; i++) {
        free(facts->fact[i].value);
        free(facts->fact[i].other);
    }
    facts->n = 0;
}
