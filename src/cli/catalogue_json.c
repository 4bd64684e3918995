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
    set(object, "codes", json_pack("[ii]", p->a, p->b));
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
    set(object, "commands", strings(c->commands));
    set(object, "enhanced", strings(c->enhanced));
    set(object, "reasons", reason_ids(c->code, NULL));
    set(object, "rfc", strings(c->rfc));
    json_t *related = sure(json_array());
    for (const int *other = c->related; *other; other++)
        add(related, json_integer(*other));
    set(object, "related", related);
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
    const struct reference_pair *pairs = reference_pairs(&n);
    for (size_t i = 0; i < n; i++)
        if (pairs[i].a == c->code || pairs[i].b == c->code)
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

static void set_enhanced(json_t *object, const char *key, const struct reference_enhanced *e)
{
    char name[40];
    snprintf(name, sizeof name, "%d.%d.%d", e->class, e->subject, e->detail);
    set_string(object, key, name);
}

static json_t *enhanced(const struct cli_lookup *l, enum reference_lang lang)
{
    json_t *object = begin("enhanced", lang), *carriers = sure(json_array());
    size_t n;
    const struct reference_code *codes = reference_codes(&n);
    set_enhanced(object, "enhanced", &l->enhanced);
    set_string(object, "meaning", l->meaning ? reference_in(&l->meaning->text, lang) : NULL);
    set_string(object, "class", cli_enhanced_class(&l->enhanced, lang));
    set_string(object, "subject", cli_enhanced_subject(&l->enhanced, lang));
    const char *name = json_string_value(json_object_get(object, "enhanced"));
    for (size_t i = 0; i < n; i++)
        for (const char *const *e = codes[i].enhanced; *e; e++)
            if (strcmp(*e, name) == 0)
                add(carriers, json_integer(codes[i].code));
    set(object, "codes", carriers);
    set(object, "reasons", reason_ids(0, name));
    return object;
}

static json_t *reply(const struct cli_lookup *l, enum reference_lang lang)
{
    struct sp_view text = sp_view_of(l->text);
    json_t *object = begin("reply", lang);
    set(object, "code", json_integer(l->code));
    if (json_object_set_new(object, "text", json_string(l->text)) != 0) /* not UTF-8 */
        set(object, "text", json_null());
    set_string(object, "explanation", reference_explain(l->code, text, lang));
    if (l->has_enhanced)
        set_enhanced(object, "enhanced", &l->enhanced);
    else
        set(object, "enhanced", json_null());
    set_string(object, "meaning", l->meaning ? reference_in(&l->meaning->text, lang) : NULL);
    set(object, "decoded", l->decoded ? json_stringn(l->decoded + 1, strlen(l->decoded) - 2) : json_null());
    set(object, "reason", l->reason ? reason(l->reason, lang) : json_null());
    set(object, "page", l->entry ? code(l->entry, lang) : digits(l->code, lang));
    return object;
}

json_t *cli_json_lookup(const struct cli_lookup *l, enum reference_lang lang)
{
    switch (l->kind) {
    case CLI_LOOKUP_CODE:
        return l->entry ? code(l->entry, lang) : digits(l->code, lang);
    case CLI_LOOKUP_ENHANCED:
        return enhanced(l, lang);
    case CLI_LOOKUP_REASON:
        return reason(l->reason, lang);
    case CLI_LOOKUP_REPLY:
    case CLI_LOOKUP_CHALLENGE:
        return reply(l, lang);
    case CLI_LOOKUP_NOTHING:
        break;
    }
    return sure(json_null());
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
    return object;
}

json_t *cli_json_comparison(const struct reference_code *a, const struct reference_code *b,
                            enum reference_lang lang)
{
    const struct reference_pair *written = reference_pair_find(a->code, b->code);
    json_t *object = begin("comparison", lang);
    set(object, "a", code(a, lang));
    set(object, "b", code(b, lang));
    set(object, "written", json_boolean(written != NULL));
    if (written) {
        set_text(object, "difference", &written->difference, lang);
        set_text(object, "which", &written->which, lang);
        return object;
    }
    char *difference = cli_composed_difference(a, b, lang), *which = cli_composed_which(a, b, lang);
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
