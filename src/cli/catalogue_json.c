#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "cli/catalogue.h"

/* jansson says NULL only when memory is out: there is nothing to be done about it here. */
static json_t *sure(json_t *json)
{
    if (!json)
        abort();
    return json;
}

static void set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, sure(value)) != 0)
        abort();
}

static void set_string(json_t *object, const char *key, const char *value)
{
    set(object, key, value ? json_string(value) : json_null());
}

static void add(json_t *array, json_t *value)
{
    if (json_array_append_new(array, sure(value)) != 0)
        abort();
}

static void set_text(json_t *object, const char *key, const struct reference_text *text,
                     enum reference_lang lang)
{
    set_string(object, key, reference_in(text, lang));
}

static json_t *begin(const char *kind, enum reference_lang lang)
{
    json_t *object = sure(json_object());
    set_string(object, "kind", kind);
    set_string(object, "lang", lang == REFERENCE_VI ? "vi" : "en");
    return object;
}

static json_t *transcript(const struct reference_transcript *t)
{
    json_t *lines = sure(json_array());
    for (size_t i = 0; i < t->n; i++) {
        const char from = t->lines[i].from;
        json_t *line = sure(json_object());
        set_string(line, "from", from == 'S' ? "server" : from == 'C' ? "client" : "event");
        set_string(line, "text", t->lines[i].text);
        add(lines, line);
    }
    return lines;
}

static json_t *strings(const char *const *items)
{
    json_t *array = sure(json_array());
    for (; *items; items++)
        add(array, json_string(*items));
    return array;
}

static json_t *actors(unsigned bits)
{
    json_t *array = sure(json_array());
    for (int i = 0; i < REFERENCE_ACTOR_N; i++)
        if (bits & (1U << i))
            add(array, json_string(reference_actor_name((enum reference_actor)i)));
    return array;
}

static json_t *numbers(const int *items)
{
    json_t *array = sure(json_array());
    for (; *items; items++)
        add(array, json_integer(*items));
    return array;
}

static json_t *cases(const struct reference_code *c, enum reference_lang lang)
{
    json_t *array = sure(json_array());
    for (size_t i = 0; i < c->cases_n; i++) {
        json_t *one = sure(json_object());
        set_text(one, "title", &c->cases[i].title, lang);
        set_string(one, "reason", c->cases[i].reason);
        set_text(one, "when", &c->cases[i].when, lang);
        set_text(one, "fix", &c->cases[i].fix, lang);
        set(one, "transcript", transcript(&c->cases[i].transcript));
        add(array, one);
    }
    return array;
}

static json_t *pair(const struct reference_pair *p, enum reference_lang lang)
{
    json_t *object = sure(json_object());
    set(object, "pages", json_pack("[ss]", p->a, p->b));
    set_text(object, "difference", &p->difference, lang);
    set_text(object, "which", &p->which, lang);
    return object;
}

/* Ids of the reasons with this code, or, code 0, with this enhanced code. */
static json_t *reason_ids(int code, const char *enhanced)
{
    size_t n;
    const struct reference_reason *reasons = reference_reasons(&n);
    json_t *array = sure(json_array());
    for (size_t i = 0; i < n; i++)
        if (enhanced ? strcmp(reasons[i].enhanced, enhanced) == 0 : reasons[i].code == code)
            add(array, json_string(reasons[i].id));
    return array;
}

static void set_code_facts(json_t *object, const struct reference_code *c, enum reference_lang lang)
{
    set_string(object, "class", reference_class(c->code, lang));
    set_string(object, "retry", reference_retry_name(c->retry));
    set_string(object, "standing", reference_standing_name(c->standing));
    set(object, "act", actors(c->actors));
    set(object, "source", strings(c->sources));
    set(object, "commands", strings(c->commands));
    set(object, "enhanced", strings(c->enhanced));
    set(object, "reasons", reason_ids(c->code, NULL));
    set(object, "rfc", strings(c->rfc));
    set(object, "related", numbers(c->related));
}

static json_t *code(const struct reference_code *c, enum reference_lang lang)
{
    json_t *object = begin("code", lang);
    set(object, "code", json_integer(c->code));
    set_text(object, "name", &c->name, lang);
    set_text(object, "summary", &c->summary, lang);
    set_text(object, "description", &c->description, lang);
    set_text(object, "when", &c->when, lang);
    set_text(object, "fix", &c->fix, lang);
    set_code_facts(object, c, lang);
    set(object, "cases", cases(c, lang));
    json_t *comparisons = sure(json_array());
    size_t n;
    char name[12];
    snprintf(name, sizeof name, "%d", c->code);
    const struct reference_pair *pairs = reference_pairs(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i].a, name) == 0 || strcmp(pairs[i].b, name) == 0)
            add(comparisons, pair(&pairs[i], lang));
    set(object, "comparisons", comparisons);
    return object;
}

/* A code without a page. */
static json_t *digits(int number, enum reference_lang lang)
{
    json_t *object = begin("code", lang);
    set(object, "code", json_integer(number));
    set(object, "name", json_null());
    set_string(object, "summary", reference_explain(number, (struct sp_view){NULL, 0}, lang));
    set_string(object, "class", reference_class(number, lang));
    return object;
}

static json_t *reason(const struct reference_reason *r, enum reference_lang lang)
{
    json_t *object = begin("reason", lang);
    set_string(object, "reason", r->id);
    set(object, "code", json_integer(r->code));
    set_string(object, "enhanced", r->enhanced);
    set_text(object, "meaning", &r->meaning, lang);
    set_text(object, "when", &r->when, lang);
    set_text(object, "fix", &r->fix, lang);
    set(object, "transcript", transcript(&r->transcript));
    return object;
}

static json_t *signature(const struct reference_signature *s, enum reference_lang lang)
{
    json_t *object = sure(json_object());
    set_string(object, "id", s->id);
    set_string(object, "provider", s->provider->id);
    set(object, "codes", numbers(s->codes));
    set_text(object, "meaning", &s->meaning, lang);
    set_text(object, "fix", &s->fix, lang);
    set_string(object, "retry", reference_retry_name(s->retry));
    set_string(object, "action", reference_action_text(s->action)->name);
    set(object, "act", actors(s->actors));
    set_string(object, "said", s->said);
    set(object, "reused", json_boolean(s->reused));
    set(object, "source", strings(s->sources ? s->sources : s->provider->sources));
    return object;
}

static json_t *provider(const struct reference_provider *p, enum reference_lang lang)
{
    size_t n;
    const struct reference_signature *all = reference_signatures(&n);
    json_t *object = begin("provider", lang), *replies = sure(json_array());
    set_string(object, "provider", p->id);
    set_string(object, "name", p->name);
    set_text(object, "description", &p->description, lang);
    for (size_t i = 0; i < n; i++)
        if (all[i].provider == p)
            add(replies, signature(&all[i], lang));
    set(object, "replies", replies);
    return object;
}

static json_t *topic(const struct reference_topic *t, enum reference_lang lang)
{
    json_t *object = begin(reference_topic_kind_name(t->kind), lang);
    set_string(object, "name", t->name);
    set_text(object, "title", &t->title, lang);
    set_text(object, "description", &t->description, lang);
    set_text(object, "when", &t->when, lang);
    set_text(object, "fix", &t->fix, lang);
    set_string(object, "syntax", t->syntax);
    set_string(object, "standing", reference_standing_name(t->standing));
    if (t->kind == REFERENCE_MECHANISM) {
        static const char *const tls[] = {"optional", "advised", "required"};
        set_string(object, "first", t->first);
        set(object, "prompts", json_pack("[ss]", t->prompts[0], t->prompts[1]));
        set_string(object, "tls", tls[t->tls]);
    }
    set(object, "codes", numbers(t->codes));
    set(object, "rfc", strings(t->rfc));
    set(object, "source", strings(t->sources));
    set(object, "related", strings(t->related));
    set(object, "transcript", transcript(&t->transcript));
    return object;
}

static json_t *enhanced(const struct pages_subject *s, enum reference_lang lang)
{
    json_t *object = begin("enhanced", lang), *carriers = sure(json_array()), *words = sure(json_array());
    size_t n;
    const struct reference_code *codes = reference_codes(&n);
    set_string(object, "enhanced", s->name);
    set_string(object, "meaning", s->meaning ? reference_in(&s->meaning->text, lang) : NULL);
    set_string(object, "fix", s->meaning ? reference_in(&s->meaning->fix, lang) : NULL);
    set(object, "act", actors(s->meaning ? s->meaning->actors : 0));
    set_string(object, "class", pages_enhanced_class(&s->enhanced, lang));
    set_string(object, "subject", pages_enhanced_subject(&s->enhanced, lang));
    for (size_t i = 0; i < n; i++)
        for (const char *const *e = codes[i].enhanced; *e; e++)
            if (strcmp(*e, s->name) == 0)
                add(carriers, json_integer(codes[i].code));
    const struct reference_signature *all = reference_signatures(&n);
    for (size_t i = 0; i < n; i++)
        if (reference_signature_has(&all[i], &s->enhanced))
            add(words, signature(&all[i], lang));
    set(object, "codes", carriers);
    set(object, "reasons", reason_ids(0, s->name));
    set(object, "providers", words);
    return object;
}

static json_t *subject(const struct pages_subject *s, enum reference_lang lang)
{
    switch (s->kind) {
    case PAGES_CODE:
        return s->entry ? code(s->entry, lang) : digits(s->code, lang);
    case PAGES_ENHANCED:
        return enhanced(s, lang);
    case PAGES_REASON:
        return reason(s->reason, lang);
    case PAGES_PROVIDER:
        return provider(s->provider, lang);
    default:
        return topic(s->topic, lang);
    }
}

static void set_enhanced(json_t *object, const char *text, enum reference_lang lang)
{
    struct reference_enhanced e;
    size_t len;
    bool has = reference_enhanced_read(sp_view_of(text), &e, &len);
    const struct reference_meaning *m = has ? reference_meaning_find(e.subject, e.detail) : NULL;
    set(object, "enhanced", has ? json_stringn(text, len) : json_null());
    set_string(object, "meaning", m ? reference_in(&m->text, lang) : NULL);
}

static json_t *reply(int number, const char *text, enum reference_lang lang)
{
    json_t *object = begin("reply", lang);
    const struct reference_code *entry = reference_code_find(number);
    const struct reference_reason *r = reference_reason_find(reference_bracketed(sp_view_of(text)));
    const struct reference_signature *s = reference_signature_find(number, sp_view_of(text));
    char *decoded = number == 334 ? pages_decoded(text) : NULL;
    set(object, "code", json_integer(number));
    if (json_object_set_new(object, "text", json_string(text)) != 0) /* not UTF-8 */
        set(object, "text", json_null());
    set_string(object, "explanation", reference_explain(number, sp_view_of(text), lang));
    set_enhanced(object, text, lang);
    set_string(object, "decoded", decoded);
    set(object, "reason", r && r->code == number ? reason(r, lang) : json_null());
    set(object, "provider", s ? signature(s, lang) : json_null());
    set(object, "page", entry ? code(entry, lang) : digits(number, lang));
    free(decoded);
    return object;
}

json_t *cli_json_lookup(const struct cli_lookup *l, enum reference_lang lang)
{
    if (l->kind == CLI_LOOKUP_REPLY || l->kind == CLI_LOOKUP_CHALLENGE)
        return reply(l->code, l->text, lang);
    if (l->subjects_n == 0)
        return sure(json_null());
    json_t *object = subject(&l->subjects[0], lang), *others = sure(json_array());
    for (size_t i = 1; i < l->subjects_n; i++)
        add(others, subject(&l->subjects[i], lang));
    set(object, "also", others);
    return object;
}

json_t *cli_json_index(enum reference_lang lang)
{
    size_t n;
    json_t *object = begin("index", lang), *codes = sure(json_array()), *reasons = sure(json_array());
    const struct reference_code *c = reference_codes(&n);
    for (size_t i = 0; i < n; i++) {
        json_t *one = sure(json_pack("{s:i}", "code", c[i].code));
        set_text(one, "name", &c[i].name, lang);
        set_text(one, "summary", &c[i].summary, lang);
        add(codes, one);
    }
    const struct reference_reason *r = reference_reasons(&n);
    for (size_t i = 0; i < n; i++) {
        json_t *one = sure(json_pack("{s:s, s:i}", "reason", r[i].id, "code", r[i].code));
        set_text(one, "meaning", &r[i].meaning, lang);
        add(reasons, one);
    }
    set(object, "codes", codes);
    set(object, "reasons", reasons);
    json_t *topics = sure(json_array()), *providers = sure(json_array());
    const struct reference_topic *t = reference_topics(&n);
    for (size_t i = 0; i < n; i++) {
        json_t *one =
            sure(json_pack("{s:s, s:s}", "kind", reference_topic_kind_name(t[i].kind), "name", t[i].name));
        set_text(one, "title", &t[i].title, lang);
        add(topics, one);
    }
    const struct reference_provider *p = reference_providers(&n);
    for (size_t i = 0; i < n; i++)
        add(providers, json_pack("{s:s, s:s}", "provider", p[i].id, "name", p[i].name));
    set(object, "topics", topics);
    set(object, "providers", providers);
    return object;
}

json_t *cli_json_comparison(const struct pages_subject *a, const struct pages_subject *b,
                            enum reference_lang lang)
{
    const struct reference_pair *written = pages_pair(a, b);
    json_t *object = begin("comparison", lang);
    set(object, "a", subject(a, lang));
    set(object, "b", subject(b, lang));
    set(object, "written", json_boolean(written != NULL));
    if (written) {
        set_text(object, "difference", &written->difference, lang);
        set_text(object, "which", &written->which, lang);
        return object;
    }
    char *difference = pages_composed_difference(a, b, lang), *which = pages_composed_which(a, b, lang);
    set_string(object, "difference", difference);
    set_string(object, "which", which);
    free(difference);
    free(which);
    return object;
}

void cli_json_print(json_t *json)
{
    if (json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) == 0)
        fputc('\n', stdout);
    json_decref(json);
}
