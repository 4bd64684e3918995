/* The page of a subject, block after block. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/view.h"
#include "pages/pages.h"
#include "pages/text.h"

static const char *word(const struct pages_out *out, enum reference_word w)
{
    return reference_word(w, out->lang);
}

static void heading(struct pages_out *out, const char *anchor, enum reference_word w)
{
    out->ops->heading(out, anchor, word(out, w));
}

/* Takes the text. */
static void give_text(struct pages_out *out, char *text)
{
    out->ops->text(out, text);
    free(text);
}

static void write_part(struct pages_out *out, const char *anchor, const struct pages_subject *s,
                       enum pages_part part)
{
    heading(out, anchor, pages_part_heading(s, part));
    give_text(out, pages_part(s, part, out->lang));
}

static void write_title(struct pages_out *out, const struct pages_subject *s)
{
    char *name = pages_part(s, PAGES_PART_NAME, out->lang),
         *summary = pages_part(s, PAGES_PART_SUMMARY, out->lang);
    out->ops->title(out, s->provider ? "" : s->name, pages_kind_word(s->kind, out->lang), name);
    if (*summary)
        out->ops->lead(out, summary);
    free(name);
    free(summary);
}

static void write_facts(struct pages_out *out, const struct pages_subject *s)
{
    struct pages_facts facts;
    pages_facts(s, out->lang, &facts);
    if (facts.n > 0) {
        heading(out, "facts", REFERENCE_WORD_FACTS);
        out->ops->facts(out, &facts);
    }
    pages_facts_free(&facts);
}

static void write_cases(struct pages_out *out, const struct reference_code *c)
{
    for (size_t i = 0; i < c->cases_n; i++) {
        const struct reference_case *k = &c->cases[i];
        char *title = pages_format(k->reason ? "%zu. %s [%s]" : "%zu. %s", i + 1,
                                   reference_in(&k->title, out->lang), k->reason);
        char *anchor = pages_format("case-%zu", i + 1);
        out->ops->subheading(out, anchor, title);
        out->ops->text(out, reference_in(&k->when, out->lang));
        if (k->transcript.n > 0)
            out->ops->transcript(out, &k->transcript);
        give_text(out,
                  pages_format("%s: %s", word(out, REFERENCE_WORD_FIX), reference_in(&k->fix, out->lang)));
        free(title);
        free(anchor);
    }
}

/* The first paragraph of each written comparison with this subject. */
static void write_pairs(struct pages_out *out, const struct pages_subject *s, bool which)
{
    size_t n, listed = 0;
    const struct reference_pair *pairs = reference_pairs(&n);
    for (size_t i = 0; i < n; i++) {
        const struct reference_pair *p = &pairs[i];
        if (strcmp(p->a, s->name) != 0 && strcmp(p->b, s->name) != 0)
            continue;
        if (listed++ == 0)
            heading(out, which ? "which" : "difference",
                    which ? REFERENCE_WORD_WHICH : REFERENCE_WORD_DIFFERENCE);
        const char *all = reference_in(which ? &p->which : &p->difference, out->lang);
        give_text(out, pages_format("- `%s / %s`: %.*s", p->a, p->b, (int)strcspn(all, "\n"), all));
    }
    if (listed > 0 && which) {
        char *more = pages_format("%s: `sallyport compare %s NAME`", word(out, REFERENCE_WORD_MORE), s->name);
        out->ops->small(out, more);
        free(more);
    }
}

/* --- replies of providers ------------------------------------------------------------------------ */

static void write_said(struct pages_out *out, const char *said)
{
    const struct reference_line line = {'S', said};
    out->ops->transcript(out, &(struct reference_transcript){&line, 1});
}

static char *action_text(const struct pages_out *out, enum reference_action action)
{
    const struct reference_action_text *a = reference_action_text(action);
    return pages_format("%s (`%s`): %s", word(out, REFERENCE_WORD_QUEUE_DOES), a->name,
                        reference_in(&a->does, out->lang));
}

static char *reused_text(const struct reference_signature *s, enum reference_lang lang)
{
    for (size_t i = 0; s->reused && i < s->ranges_n; i++) {
        const struct reference_range *r = &s->ranges[i];
        const struct reference_meaning *m = reference_meaning_find(r->subject, r->low);
        if (m)
            return pages_format("%s `%d.%d.%d`: %s", reference_word(REFERENCE_WORD_REUSED, lang), r->class,
                                r->subject, r->low, reference_in(&m->text, lang));
    }
    return NULL;
}

static void write_reused(struct pages_out *out, const struct reference_signature *s)
{
    char *reused = reused_text(s, out->lang);
    if (reused)
        out->ops->small(out, reused);
    free(reused);
}

static void write_signature(struct pages_out *out, const struct reference_signature *s)
{
    out->ops->subheading(out, s->id, reference_in(&s->meaning, out->lang));
    write_said(out, s->said);
    give_text(out, pages_format("%s: %s", word(out, REFERENCE_WORD_FIX), reference_in(&s->fix, out->lang)));
    give_text(out, action_text(out, s->action));
    write_reused(out, s);
}

static void write_provider(struct pages_out *out, const struct pages_subject *s)
{
    size_t n;
    const struct reference_signature *signatures = reference_signatures(&n);
    write_title(out, s);
    give_text(out, pages_part(s, PAGES_PART_DESCRIPTION, out->lang));
    heading(out, "replies", REFERENCE_WORD_RECOGNISED);
    for (size_t i = 0; i < n; i++)
        if (signatures[i].provider == s->provider)
            write_signature(out, &signatures[i]);
    write_facts(out, s);
}

/* Whether a reply as it is sent carries the code of the page, or its enhanced code. */
static bool carries(const char *said, const struct pages_subject *s)
{
    if (s->kind == PAGES_CODE)
        return strtol(said, NULL, 10) == s->code;
    size_t code = strlen("250 "), name = strlen(s->name);
    return !s->enhanced.class || (strlen(said) > code + name && strncmp(said + code, s->name, name) == 0 &&
                                  said[code + name] == ' ');
}

/* What providers say with an enhanced code, or with a code. */
static void write_signatures_with(struct pages_out *out, const struct pages_subject *s)
{
    size_t n, listed = 0;
    const struct reference_signature *all = reference_signatures(&n);
    for (size_t i = 0; i < n; i++) {
        bool fits = false;
        for (int class = 2; s->kind == PAGES_ENHANCED && !fits && class <= 5; class ++)
            fits = (!s->enhanced.class || s->enhanced.class == class) &&
                   reference_signature_has(
                       &all[i], &(struct reference_enhanced){class, s->enhanced.subject, s->enhanced.detail});
        for (const int *c = all[i].codes; s->kind == PAGES_CODE && !fits && *c; c++)
            fits = *c == s->code;
        if (!fits)
            continue;
        if (listed++ == 0)
            heading(out, "providers", REFERENCE_WORD_PROVIDERS_SAY);
        char *title = pages_format("%s: %s", all[i].provider->name, reference_in(&all[i].meaning, out->lang));
        out->ops->subheading(out, all[i].id, title);
        free(title);
        if (!carries(all[i].said, s))
            out->ops->small(out, word(out, REFERENCE_WORD_SAID_OTHERWISE));
        write_said(out, all[i].said);
        give_text(
            out, pages_format("%s: %s", word(out, REFERENCE_WORD_FIX), reference_in(&all[i].fix, out->lang)));
        if (s->kind == PAGES_ENHANCED)
            write_reused(out, &all[i]);
    }
}

/* --- pages --------------------------------------------------------------------------------------- */

static void write_example(struct pages_out *out, const struct pages_subject *s)
{
    const struct reference_transcript *t = s->topic    ? &s->topic->transcript
                                           : s->reason ? &s->reason->transcript
                                                       : NULL;
    if (!t || t->n == 0)
        return;
    heading(out, "example", REFERENCE_WORD_EXAMPLE);
    out->ops->transcript(out, t);
}

void pages_write(struct pages_out *out, const struct pages_subject *s)
{
    if (s->kind == PAGES_PROVIDER) {
        write_provider(out, s);
        return;
    }
    write_title(out, s);
    if (s->kind != PAGES_CODE || s->entry) {
        write_part(out, "description", s, PAGES_PART_DESCRIPTION);
        write_part(out, "when", s, PAGES_PART_WHEN);
        if (s->entry)
            write_cases(out, s->entry);
        write_example(out, s);
        write_part(out, "fix", s, PAGES_PART_FIX);
        write_pairs(out, s, false);
        write_pairs(out, s, true);
        write_signatures_with(out, s);
    }
    write_facts(out, s);
}

char *pages_decoded(const char *text)
{
    size_t len = strlen(text), n = 0;
    uint8_t *octets = malloc(sp_base64_decoded_max(len) + 1);
    if (!octets)
        abort();
    bool printable = len > 0 && sp_base64_decode(sp_view_of(text), octets, &n) == SP_OK && n > 0;
    if (printable && octets[n - 1] == 0) /* which some servers send */
        n--;
    for (size_t i = 0; printable && i < n; i++)
        printable = octets[i] >= ' ' && octets[i] < 0x7f;
    char *decoded = printable ? pages_format("%.*s", (int)n, (const char *)octets) : NULL;
    free(octets);
    return decoded;
}

/* The parts of a reply, with what each says. */
static void write_reply_facts(struct pages_out *out, int code, const char *text,
                              const struct reference_signature *signature)
{
    struct pages_facts f = {.n = 0};
    const struct reference_code *entry = reference_code_find(code);
    struct reference_enhanced e;
    size_t len;
    f.fact[f.n++] = (struct pages_fact){
        word(out, REFERENCE_WORD_CODE),
        pages_format("%d %s", code,
                     entry ? reference_in(&entry->name, out->lang) : reference_class(code, out->lang)),
        false};
    if (signature)
        f.fact[f.n++] = (struct pages_fact){word(out, REFERENCE_WORD_PROVIDER),
                                            pages_copy(signature->provider->name), NULL, false};
    if (reference_enhanced_read(sp_view_of(text), &e, &len)) {
        const struct reference_meaning *m = reference_meaning_find(e.subject, e.detail);
        f.fact[f.n++] = (struct pages_fact){
            word(out, REFERENCE_WORD_ENHANCED_CODE),
            pages_format("%d.%d.%d %s", e.class, e.subject, e.detail,
                         m ? reference_in(&m->text, out->lang) : pages_enhanced_class(&e, out->lang)),
            false};
    }
    const struct reference_reason *reason = reference_reason_find(reference_bracketed(sp_view_of(text)));
    if (reason && reason->code == code)
        f.fact[f.n++] =
            (struct pages_fact){word(out, REFERENCE_WORD_REASON), pages_copy(reason->id), NULL, false};
    char *decoded = code == 334 ? pages_decoded(text) : NULL;
    if (decoded)
        f.fact[f.n++] = (struct pages_fact){word(out, REFERENCE_WORD_DECODED),
                                            pages_format("\"%s\"", decoded), NULL, false};
    free(decoded);
    if (signature || entry)
        f.fact[f.n++] = (struct pages_fact){
            word(out, REFERENCE_WORD_RETRY),
            pages_copy(pages_retry_sentence(signature ? signature->retry : entry->retry, out->lang)), NULL,
            false};
    out->ops->facts(out, &f);
    pages_facts_free(&f);
}

void pages_write_reply(struct pages_out *out, int code, const char *text)
{
    const struct reference_code *entry = reference_code_find(code);
    const struct reference_reason *reason = reference_reason_find(reference_bracketed(sp_view_of(text)));
    const struct reference_signature *signature = reference_signature_find(code, sp_view_of(text));
    char number[12];
    snprintf(number, sizeof number, "%d", code);
    if (reason && reason->code != code)
        reason = NULL;
    if (reason)
        signature = NULL;
    out->ops->title(out, number, word(out, REFERENCE_WORD_KIND_CODE),
                    reference_explain(code, sp_view_of(text), out->lang));
    write_reply_facts(out, code, text, signature);
    if (signature)
        write_reused(out, signature);
    if (reason) {
        heading(out, "when", REFERENCE_WORD_WHEN);
        out->ops->text(out, reference_in(&reason->when, out->lang));
        if (reason->transcript.n > 0)
            out->ops->transcript(out, &reason->transcript);
    }
    if (reason || signature || entry) {
        heading(out, "fix", REFERENCE_WORD_FIX);
        out->ops->text(out, reference_in(reason      ? &reason->fix
                                         : signature ? &signature->fix
                                                     : &entry->fix,
                                         out->lang));
        if (signature)
            give_text(out, action_text(out, signature->action));
        char *more = pages_format("%s: `sallyport explain %d`", word(out, REFERENCE_WORD_MORE), code);
        out->ops->small(out, more);
        free(more);
    }
}
