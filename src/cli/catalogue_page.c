#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "cli/catalogue.h"

enum { INDENT = 2, STEP = 3 };

static const char *word(enum reference_word w, enum reference_lang lang) { return reference_word(w, lang); }

/* A text that grows: a list in a fact, a title. */
struct text {
    char *p;
    size_t n;
    FILE *to;
};

static FILE *begin(struct text *t)
{
    *t = (struct text){NULL, 0, NULL};
    t->to = open_memstream(&t->p, &t->n);
    if (!t->to)
        abort();
    return t->to;
}

static const char *end(struct text *t)
{
    if (fclose(t->to) != 0)
        abort();
    return t->p;
}

/* A block of facts: labels first, so that their values stand in one column. */
struct fact {
    enum reference_word label;
    char *value; /* owned; "" is left out */
};

struct facts {
    struct fact fact[10];
    size_t n;
};

static void add_fact(struct facts *f, enum reference_word label, const char *value)
{
    char *copy = strdup(value ? value : "");
    if (!copy)
        abort();
    f->fact[f->n++] = (struct fact){label, copy};
}

static void end_fact(struct facts *f, enum reference_word label, struct text *t)
{
    add_fact(f, label, end(t));
    free(t->p);
}

static void print_facts(struct cli_page *page, struct facts *f, enum reference_lang lang)
{
    size_t widest = 0;
    for (size_t i = 0; i < f->n; i++) {
        size_t columns = cli_columns(word(f->fact[i].label, lang));
        if (*f->fact[i].value && columns > widest)
            widest = columns;
    }
    for (size_t i = 0; i < f->n; i++) {
        if (*f->fact[i].value)
            cli_page_fact(page, widest, word(f->fact[i].label, lang), f->fact[i].value);
        free(f->fact[i].value);
    }
}

static void add_list(struct facts *f, enum reference_word label, const char *before, const char *const *items)
{
    struct text t;
    begin(&t);
    for (size_t i = 0; items[i]; i++)
        fprintf(t.to, "%s%s%s", i ? ", " : "", before, items[i]);
    end_fact(f, label, &t);
}

static void add_reasons(struct facts *f, int code)
{
    struct text t;
    size_t n, listed = 0;
    const struct reference_reason *reasons = reference_reasons(&n);
    begin(&t);
    for (size_t i = 0; i < n; i++)
        if (reasons[i].code == code)
            fprintf(t.to, "%s%s", listed++ ? ", " : "", reasons[i].id);
    end_fact(f, REFERENCE_WORD_REASONS, &t);
}

static void print_code_facts(struct cli_page *page, const struct reference_code *c, enum reference_lang lang)
{
    struct facts f = {.n = 0};
    struct text t;
    add_fact(&f, REFERENCE_WORD_CLASS, reference_class(c->code, lang));
    add_fact(&f, REFERENCE_WORD_SUBJECT, reference_digit(c->code, lang));
    add_fact(&f, REFERENCE_WORD_RETRY, cli_retry_sentence(c->retry, lang));
    begin(&t);
    for (size_t i = 0; c->commands[i]; i++)
        fprintf(t.to, "%s%s", i ? ", " : "", cli_command_word(c->commands[i], lang));
    end_fact(&f, REFERENCE_WORD_COMMANDS, &t);
    add_list(&f, REFERENCE_WORD_ENHANCED, "", c->enhanced);
    add_reasons(&f, c->code);
    add_list(&f, REFERENCE_WORD_RFC, "RFC ", c->rfc);
    begin(&t);
    for (size_t i = 0; c->related[i]; i++)
        fprintf(t.to, "%s%d", i ? ", " : "", c->related[i]);
    end_fact(&f, REFERENCE_WORD_RELATED, &t);
    cli_page_heading(page, word(REFERENCE_WORD_FACTS, lang));
    print_facts(page, &f, lang);
}

static void print_cases(struct cli_page *page, const struct reference_code *c, enum reference_lang lang)
{
    for (size_t i = 0; i < c->cases_n; i++) {
        const struct reference_case *k = &c->cases[i];
        struct text title;
        begin(&title);
        fprintf(title.to, "%zu. %s", i + 1, reference_in(&k->title, lang));
        if (k->reason)
            fprintf(title.to, " [%s]", k->reason);
        cli_page_subheading(page, INDENT, end(&title));
        free(title.p);
        cli_page_text(page, INDENT + STEP, reference_in(&k->when, lang));
        if (k->transcript.n > 0) {
            cli_page_gap(page);
            cli_page_transcript(page, INDENT + 2 * STEP, &k->transcript);
            cli_page_gap(page);
        }
        struct text fix;
        begin(&fix);
        fprintf(fix.to, "%s: %s", word(REFERENCE_WORD_FIX, lang), reference_in(&k->fix, lang));
        cli_page_text(page, INDENT + STEP, end(&fix));
        free(fix.p);
    }
}

/* The first paragraph of each written comparison with this code. */
static void print_pairs(struct cli_page *page, const struct reference_code *c, enum reference_word heading,
                        enum reference_lang lang)
{
    size_t n, listed = 0;
    const struct reference_pair *pairs = reference_pairs(&n);
    for (size_t i = 0; i < n; i++) {
        if (pairs[i].a != c->code && pairs[i].b != c->code)
            continue;
        if (listed++ == 0)
            cli_page_heading(page, word(heading, lang));
        const char *all =
            reference_in(heading == REFERENCE_WORD_WHICH ? &pairs[i].which : &pairs[i].difference, lang);
        struct text t;
        begin(&t);
        fprintf(t.to, "- %d / %d: %.*s", pairs[i].a, pairs[i].b, (int)strcspn(all, "\n"), all);
        cli_page_text(page, INDENT, end(&t));
        free(t.p);
    }
    if (listed > 0 && heading == REFERENCE_WORD_WHICH) {
        struct text t;
        begin(&t);
        fprintf(t.to, "%s: `sallyport compare %d CODE`", word(REFERENCE_WORD_MORE, lang), c->code);
        cli_page_text(page, INDENT, end(&t));
        free(t.p);
    }
}

static void print_code(struct cli_page *page, const struct reference_code *c, enum reference_lang lang)
{
    char number[12];
    snprintf(number, sizeof number, "%d", c->code);
    cli_page_title(page, number, reference_in(&c->name, lang));
    cli_page_text(page, 0, reference_in(&c->summary, lang));
    cli_page_heading(page, word(REFERENCE_WORD_DESCRIPTION, lang));
    cli_page_text(page, INDENT, reference_in(&c->description, lang));
    cli_page_heading(page, word(REFERENCE_WORD_WHEN, lang));
    cli_page_text(page, INDENT, reference_in(&c->when, lang));
    print_cases(page, c, lang);
    cli_page_heading(page, word(REFERENCE_WORD_FIX, lang));
    cli_page_text(page, INDENT, reference_in(&c->fix, lang));
    print_pairs(page, c, REFERENCE_WORD_DIFFERENCE, lang);
    print_pairs(page, c, REFERENCE_WORD_WHICH, lang);
    print_code_facts(page, c, lang);
}

/* A code without a page: what its digits say. */
static void print_digits(struct cli_page *page, int code, enum reference_lang lang)
{
    struct facts f = {.n = 0};
    char number[12];
    snprintf(number, sizeof number, "%d", code);
    cli_page_title(page, number, reference_explain(code, SP_LIT(""), lang));
    cli_page_text(page, 0, word(REFERENCE_WORD_UNLISTED_CODE, lang));
    cli_page_gap(page);
    add_fact(&f, REFERENCE_WORD_CLASS, reference_class(code, lang));
    add_fact(&f, REFERENCE_WORD_SUBJECT, reference_digit(code, lang));
    print_facts(page, &f, lang);
}

static void print_more(struct cli_page *page, int code, enum reference_lang lang)
{
    struct text t;
    begin(&t);
    fprintf(t.to, "%s: `sallyport explain %d`", word(REFERENCE_WORD_MORE, lang), code);
    cli_page_gap(page);
    cli_page_text(page, 0, end(&t));
    free(t.p);
}

static void print_reason_body(struct cli_page *page, const struct reference_reason *r,
                              enum reference_lang lang)
{
    cli_page_heading(page, word(REFERENCE_WORD_WHEN, lang));
    cli_page_text(page, INDENT, reference_in(&r->when, lang));
    if (r->transcript.n > 0) {
        cli_page_gap(page);
        cli_page_transcript(page, INDENT + STEP, &r->transcript);
    }
    cli_page_heading(page, word(REFERENCE_WORD_FIX, lang));
    cli_page_text(page, INDENT, reference_in(&r->fix, lang));
    print_more(page, r->code, lang);
}

static void print_reason(struct cli_page *page, const struct reference_reason *r, enum reference_lang lang)
{
    struct facts f = {.n = 0};
    struct text t;
    const struct reference_code *c = reference_code_find(r->code);
    cli_page_title(page, r->id, reference_in(&r->meaning, lang));
    begin(&t);
    fprintf(t.to, "%d %s", r->code, c ? reference_in(&c->name, lang) : "");
    end_fact(&f, REFERENCE_WORD_CODE, &t);
    add_fact(&f, REFERENCE_WORD_ENHANCED_CODE, r->enhanced);
    print_facts(page, &f, lang);
    print_reason_body(page, r, lang);
}

static bool carries(const struct reference_code *c, const char *enhanced)
{
    for (const char *const *e = c->enhanced; *e; e++)
        if (strcmp(*e, enhanced) == 0)
            return true;
    return false;
}

static void add_codes_with(struct facts *f, const char *enhanced, enum reference_lang lang)
{
    struct text t;
    size_t n, listed = 0;
    const struct reference_code *codes = reference_codes(&n);
    begin(&t);
    for (size_t i = 0; i < n; i++) {
        if (!carries(&codes[i], enhanced))
            continue;
        /* What this code means with this enhanced code, where it is known. */
        const struct reference_text *variant = reference_variant_find(&codes[i], sp_view_of(enhanced));
        fprintf(t.to, "%s%d %s", listed++ ? "\n- " : "- ", codes[i].code,
                reference_in(variant ? variant : &codes[i].name, lang));
    }
    end_fact(f, REFERENCE_WORD_CODES, &t);
    listed = 0;
    const struct reference_reason *reasons = reference_reasons(&n);
    begin(&t);
    for (size_t i = 0; i < n; i++)
        if (strcmp(reasons[i].enhanced, enhanced) == 0)
            fprintf(t.to, "%s%s", listed++ ? ", " : "", reasons[i].id);
    end_fact(f, REFERENCE_WORD_REASONS, &t);
}

static void print_enhanced(struct cli_page *page, const struct cli_lookup *l, enum reference_lang lang)
{
    struct facts f = {.n = 0};
    char name[40];
    snprintf(name, sizeof name, "%d.%d.%d", l->enhanced.class, l->enhanced.subject, l->enhanced.detail);
    if (l->meaning) {
        cli_page_title(page, name, reference_in(&l->meaning->text, lang));
    } else {
        cli_page_title(page, name, word(REFERENCE_WORD_ENHANCED_CODE, lang));
        cli_page_text(page, 0, word(REFERENCE_WORD_UNLISTED_ENHANCED, lang));
    }
    cli_page_gap(page);
    add_fact(&f, REFERENCE_WORD_CLASS, cli_enhanced_class(&l->enhanced, lang));
    add_fact(&f, REFERENCE_WORD_SUBJECT, cli_enhanced_subject(&l->enhanced, lang));
    add_codes_with(&f, name, lang);
    print_facts(page, &f, lang);
}

/* A whole reply: what each part of it says, then what to do. */
static void print_reply(struct cli_page *page, const struct cli_lookup *l, enum reference_lang lang)
{
    struct facts f = {.n = 0};
    struct text t;
    char number[12];
    snprintf(number, sizeof number, "%d", l->code);
    cli_page_title(page, number, reference_explain(l->code, sp_view_of(l->text), lang));
    begin(&t);
    fprintf(t.to, "%d %s", l->code,
            l->entry ? reference_in(&l->entry->name, lang) : reference_class(l->code, lang));
    end_fact(&f, REFERENCE_WORD_CODE, &t);
    if (l->has_enhanced && l->meaning) {
        begin(&t);
        fprintf(t.to, "%d.%d.%d %s", l->enhanced.class, l->enhanced.subject, l->enhanced.detail,
                reference_in(&l->meaning->text, lang));
        end_fact(&f, REFERENCE_WORD_ENHANCED_CODE, &t);
    }
    add_fact(&f, REFERENCE_WORD_REASON, l->reason ? l->reason->id : "");
    add_fact(&f, REFERENCE_WORD_DECODED, l->decoded);
    add_fact(&f, REFERENCE_WORD_RETRY, l->entry ? cli_retry_sentence(l->entry->retry, lang) : "");
    print_facts(page, &f, lang);
    if (l->reason) {
        print_reason_body(page, l->reason, lang);
    } else if (l->entry) {
        cli_page_heading(page, word(REFERENCE_WORD_FIX, lang));
        cli_page_text(page, INDENT, reference_in(&l->entry->fix, lang));
        print_more(page, l->code, lang);
    }
}

void cli_page_lookup(struct cli_page *page, const struct cli_lookup *l, enum reference_lang lang)
{
    switch (l->kind) {
    case CLI_LOOKUP_CODE:
        if (l->entry)
            print_code(page, l->entry, lang);
        else
            print_digits(page, l->code, lang);
        break;
    case CLI_LOOKUP_ENHANCED:
        print_enhanced(page, l, lang);
        break;
    case CLI_LOOKUP_REASON:
        print_reason(page, l->reason, lang);
        break;
    case CLI_LOOKUP_REPLY:
    case CLI_LOOKUP_CHALLENGE:
        print_reply(page, l, lang);
        break;
    case CLI_LOOKUP_NOTHING:
        break;
    }
}

void cli_page_index(struct cli_page *page, enum reference_lang lang)
{
    size_t n, widest = 0;
    const struct reference_code *codes = reference_codes(&n);
    cli_page_heading(page, word(REFERENCE_WORD_PAGES, lang));
    for (size_t i = 0; i < n; i++) {
        char number[12];
        snprintf(number, sizeof number, "%d", codes[i].code);
        cli_page_fact(page, 3, number, reference_in(&codes[i].name, lang));
    }
    const struct reference_reason *reasons = reference_reasons(&n);
    cli_page_heading(page, word(REFERENCE_WORD_REASONS, lang));
    for (size_t i = 0; i < n; i++)
        if (strlen(reasons[i].id) > widest)
            widest = strlen(reasons[i].id);
    for (size_t i = 0; i < n; i++)
        cli_page_fact(page, widest, reasons[i].id, reference_in(&reasons[i].meaning, lang));
    cli_page_gap(page);
    cli_page_text(page, 0, word(REFERENCE_WORD_ALSO, lang));
}
