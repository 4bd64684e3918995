/* Two subjects side by side. */
#include <stdlib.h>
#include <string.h>

#include "pages/pages.h"
#include "pages/text.h"

static const char *word(const struct pages_out *out, enum reference_word w)
{
    return reference_word(w, out->lang);
}

static const char *fact_of(const struct pages_facts *facts, const char *label)
{
    for (size_t i = 0; i < facts->n; i++)
        if (strcmp(facts->fact[i].label, label) == 0)
            return facts->fact[i].value;
    return NULL;
}

char *pages_composed_difference(const struct pages_subject *a, const struct pages_subject *b,
                                enum reference_lang lang)
{
    struct pages_text t;
    struct pages_facts fa, fb;
    size_t listed = 0;
    FILE *to = pages_text_begin(&t);
    char *names[2] = {pages_part(a, PAGES_PART_NAME, lang), pages_part(b, PAGES_PART_NAME, lang)};
    fprintf(to, "`%s`: %s\n`%s`: %s", a->name, names[0], b->name, names[1]);
    pages_facts(a, lang, &fa);
    pages_facts(b, lang, &fb);
    if (a->kind == PAGES_CODE && b->kind == PAGES_CODE)
        fprintf(to, "\n%s",
                reference_word(a->code / 100 == b->code / 100 ? REFERENCE_WORD_SAME_CLASS
                                                              : REFERENCE_WORD_OTHER_CLASS,
                               lang));
    for (size_t i = 0; i < fa.n; i++) {
        const char *other = fact_of(&fb, fa.fact[i].label);
        if (!other || strcmp(other, fa.fact[i].value) == 0 ||
            fa.fact[i].label == reference_word(REFERENCE_WORD_RELATED, lang))
            continue;
        fprintf(to, "\n- %s: `%s`: %s; `%s`: %s", fa.fact[i].label, a->name, fa.fact[i].value, b->name,
                other);
        listed++;
    }
    if (listed == 0)
        fprintf(to, "\n%s", reference_word(REFERENCE_WORD_SAME_FACTS, lang));
    pages_facts_free(&fa);
    pages_facts_free(&fb);
    free(names[0]);
    free(names[1]);
    return pages_text_end(&t);
}

/* What to do about the subject, in its shortest form. */
static char *advice(const struct pages_subject *s, enum reference_lang lang)
{
    if (s->kind == PAGES_CODE && s->entry)
        return pages_format("%s %s", reference_in(&s->entry->summary, lang),
                            pages_retry_sentence(s->entry->retry, lang));
    char *text = pages_part(s, s->topic ? PAGES_PART_WHEN : PAGES_PART_FIX, lang);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

char *pages_composed_which(const struct pages_subject *a, const struct pages_subject *b,
                           enum reference_lang lang)
{
    char *texts[2] = {advice(a, lang), advice(b, lang)};
    char *which = pages_format("- `%s`: %s\n- `%s`: %s", a->name, texts[0], b->name, texts[1]);
    free(texts[0]);
    free(texts[1]);
    return which;
}

static char *title_of(const struct pages_subject *s, enum reference_lang lang)
{
    char *name = pages_part(s, PAGES_PART_NAME, lang), *title = pages_format("%s  %s", s->name, name);
    free(name);
    return title;
}

static void write_part(struct pages_out *out, const struct pages_subject *const s[2], enum pages_part part)
{
    static const char *const anchors[] = {
        [PAGES_PART_DESCRIPTION] = "description", [PAGES_PART_WHEN] = "when", [PAGES_PART_FIX] = "fix"};
    char *titles[2], *texts[2];
    enum reference_word heading = pages_part_heading(s[0], part);
    for (size_t i = 0; i < 2; i++) {
        titles[i] = title_of(s[i], out->lang);
        texts[i] = pages_part(s[i], part, out->lang);
    }
    if (s[0]->topic && s[1]->topic && s[0]->kind != s[1]->kind)
        heading = part == PAGES_PART_WHEN ? REFERENCE_WORD_WHEN : heading;
    out->ops->heading(out, anchors[part], word(out, heading));
    out->ops->beside(out, (const char *const *)titles, (const char *const *)texts);
    for (size_t i = 0; i < 2; i++) {
        free(titles[i]);
        free(texts[i]);
    }
}

/* The example that shows most: of a code its first case, which is the plainest. */
static const struct reference_transcript *example_of(const struct pages_subject *s)
{
    for (size_t i = 0; s->entry && i < s->entry->cases_n; i++)
        if (s->entry->cases[i].transcript.n > 0)
            return &s->entry->cases[i].transcript;
    const struct reference_transcript *t = s->topic    ? &s->topic->transcript
                                           : s->reason ? &s->reason->transcript
                                                       : NULL;
    return t && t->n > 0 ? t : NULL;
}

static void write_examples(struct pages_out *out, const struct pages_subject *const s[2])
{
    size_t listed = 0;
    const struct reference_pair *pair = pages_pair(s[0], s[1]);
    if (pair && pair->transcript.n > 0) {
        out->ops->heading(out, "example", word(out, REFERENCE_WORD_EXAMPLE));
        out->ops->subheading(out, "both", word(out, REFERENCE_WORD_BOTH_IN_ONE));
        out->ops->transcript(out, &pair->transcript);
        listed++;
    }
    for (size_t i = 0; i < 2; i++) {
        const struct reference_transcript *t = example_of(s[i]);
        if (!t)
            continue;
        if (listed++ == 0)
            out->ops->heading(out, "example", word(out, REFERENCE_WORD_EXAMPLE));
        char *title = title_of(s[i], out->lang);
        out->ops->subheading(out, NULL, title);
        out->ops->transcript(out, t);
        free(title);
    }
}

/* All facts of both, label by label. */
static void write_facts(struct pages_out *out, const struct pages_subject *const s[2])
{
    struct pages_facts of[2], both = {.heads = {s[0]->name, s[1]->name}};
    pages_facts(s[0], out->lang, &of[0]);
    pages_facts(s[1], out->lang, &of[1]);
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < of[side].n && both.n < PAGES_FACTS_MAX; i++) {
            const struct pages_fact *fact = &of[side].fact[i];
            const char *a = fact_of(&of[0], fact->label), *b = fact_of(&of[1], fact->label);
            if (!fact_of(&both, fact->label))
                both.fact[both.n++] = (struct pages_fact){fact->label, pages_copy(a ? a : "-"),
                                                          pages_copy(b ? b : "-"), fact->names};
        }
    if (both.n > 0) {
        out->ops->heading(out, "facts", word(out, REFERENCE_WORD_FACTS));
        out->ops->facts(out, &both);
    }
    pages_facts_free(&of[0]);
    pages_facts_free(&of[1]);
    pages_facts_free(&both);
}

static void write_verdict(struct pages_out *out, const struct pages_subject *a, const struct pages_subject *b)
{
    const struct reference_pair *pair = pages_pair(a, b);
    char *difference = pair ? pages_copy(reference_in(&pair->difference, out->lang))
                            : pages_composed_difference(a, b, out->lang);
    char *which =
        pair ? pages_copy(reference_in(&pair->which, out->lang)) : pages_composed_which(a, b, out->lang);
    out->ops->heading(out, "difference", word(out, REFERENCE_WORD_DIFFERENCE));
    out->ops->text(out, difference);
    out->ops->heading(out, "which", word(out, REFERENCE_WORD_WHICH));
    out->ops->text(out, which);
    if (!pair)
        out->ops->small(out, word(out, REFERENCE_WORD_COMPOSED));
    free(difference);
    free(which);
}

/* The difference in a sentence. */
static void write_lead(struct pages_out *out, const struct pages_subject *a, const struct pages_subject *b)
{
    const struct reference_pair *pair = pages_pair(a, b);
    if (!pair)
        return;
    const char *all = reference_in(&pair->difference, out->lang);
    char *lead = pages_format("%.*s", (int)strcspn(all, "\n"), all);
    out->ops->lead(out, lead);
    free(lead);
}

void pages_write_comparison(struct pages_out *out, const struct pages_subject *a,
                            const struct pages_subject *b)
{
    const struct pages_subject *const both[2] = {a, b};
    char *names[2] = {pages_part(a, PAGES_PART_NAME, out->lang), pages_part(b, PAGES_PART_NAME, out->lang)};
    char *key = pages_format("%s / %s", a->name, b->name),
         *name = pages_format("%s / %s", names[0], names[1]);
    out->ops->title(out, key, word(out, REFERENCE_WORD_COMPARED), name);
    write_lead(out, a, b);
    for (enum pages_part part = PAGES_PART_DESCRIPTION; part <= PAGES_PART_FIX; part++)
        write_part(out, both, part);
    write_verdict(out, a, b);
    write_examples(out, both);
    if (pages_pair(a, b)) /* otherwise they are the difference */
        write_facts(out, both);
    free(names[0]);
    free(names[1]);
    free(key);
    free(name);
}
