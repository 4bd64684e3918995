/* The texts of a subject. */
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "pages/pages.h"
#include "pages/text.h"

static const char *word(enum reference_word w, enum reference_lang lang) { return reference_word(w, lang); }

const char *pages_command_word(const char *command, enum reference_lang lang)
{
    if (strcmp(command, "any") == 0)
        return word(REFERENCE_WORD_COMMAND_ANY, lang);
    if (strcmp(command, "connect") == 0)
        return word(REFERENCE_WORD_COMMAND_CONNECT, lang);
    if (strcmp(command, "message") == 0)
        return word(REFERENCE_WORD_COMMAND_MESSAGE, lang);
    return command;
}

const char *pages_retry_sentence(enum reference_retry retry, enum reference_lang lang)
{
#define X(name, spelling) [REFERENCE_##name] = REFERENCE_WORD_RETRY_##name,
    static const enum reference_word words[REFERENCE_RETRY_N] = {REFERENCE_RETRIES(X)};
#undef X
    return word(words[retry], lang);
}

const char *pages_enhanced_class(const struct reference_enhanced *enhanced, enum reference_lang lang)
{
    switch (enhanced->class) {
    case 2:
        return word(REFERENCE_WORD_ENHANCED_CLASS_2, lang);
    case 4:
        return word(REFERENCE_WORD_ENHANCED_CLASS_4, lang);
    case 5:
        return word(REFERENCE_WORD_ENHANCED_CLASS_5, lang);
    default:
        return NULL;
    }
}

const char *pages_enhanced_subject(const struct reference_enhanced *enhanced, enum reference_lang lang)
{
    static const enum reference_word words[] = {REFERENCE_WORD_SUBJECT_0, REFERENCE_WORD_SUBJECT_1,
                                                REFERENCE_WORD_SUBJECT_2, REFERENCE_WORD_SUBJECT_3,
                                                REFERENCE_WORD_SUBJECT_4, REFERENCE_WORD_SUBJECT_5,
                                                REFERENCE_WORD_SUBJECT_6, REFERENCE_WORD_SUBJECT_7};
    if ((size_t)enhanced->subject >= sizeof words / sizeof *words)
        return NULL;
    return word(words[enhanced->subject], lang);
}

/* --- enhanced codes: put together from what their three numbers say ---------------------------- */

static char *enhanced_description(const struct pages_subject *s, enum reference_lang lang)
{
    struct pages_text t;
    FILE *to = pages_text_begin(&t);
    const char *class = pages_enhanced_class(&s->enhanced, lang);
    const char *subject = pages_enhanced_subject(&s->enhanced, lang);
    fputs(s->meaning ? reference_in(&s->meaning->text, lang) : word(REFERENCE_WORD_UNLISTED_ENHANCED, lang),
          to);
    if (class)
        fprintf(to, "\n- %s", class);
    if (subject)
        fprintf(to, "\n- %d: %s", s->enhanced.subject, subject);
    return pages_text_end(&t);
}

/* Class 0 is any. */
static bool signature_fits(const struct reference_signature *signature, const struct reference_enhanced *e)
{
    for (int class = 2; class <= 5; class ++)
        if ((!e->class || e->class == class) &&
            reference_signature_has(signature, &(struct reference_enhanced){class, e->subject, e->detail}))
            return true;
    return false;
}

static char *enhanced_when(const struct pages_subject *s, enum reference_lang lang)
{
    struct pages_text t;
    FILE *to = pages_text_begin(&t);
    size_t codes_n, signatures_n, listed = 0;
    const struct reference_code *codes = reference_codes(&codes_n);
    const struct reference_signature *signatures = reference_signatures(&signatures_n);
    for (size_t i = 0; i < codes_n; i++)
        for (const char *const *e = codes[i].enhanced; *e; e++) {
            if (strcmp(*e + 1, s->name + 1) != 0 || (s->enhanced.class && (*e)[0] != s->name[0]))
                continue;
            const struct reference_text *variant = reference_variant_find(&codes[i], sp_view_of(*e));
            fprintf(to, "%s- `%d %s`: %s", listed++ ? "\n" : "", codes[i].code, *e,
                    reference_in(variant ? variant : &codes[i].name, lang));
        }
    for (size_t i = 0; i < signatures_n; i++)
        if (signature_fits(&signatures[i], &s->enhanced))
            fprintf(to, "%s- %s: %s", listed++ ? "\n" : "", signatures[i].provider->name,
                    reference_in(&signatures[i].meaning, lang));
    if (listed == 0)
        fputs(s->enhanced.class ? reference_class(s->enhanced.class * 100, lang)
                                : word(REFERENCE_WORD_UNLISTED_ENHANCED, lang),
              to);
    return pages_text_end(&t);
}

/* The first provider that uses an enhanced code, in whatever class when the subject leaves it open; NULL:
 * none. */
static const struct reference_signature *signature_of(const struct pages_subject *s)
{
    size_t n;
    const struct reference_signature *all = reference_signatures(&n);
    for (size_t i = 0; i < n; i++)
        if (signature_fits(&all[i], &s->enhanced))
            return &all[i];
    return NULL;
}

static char *enhanced_name(const struct pages_subject *s, enum reference_lang lang)
{
    const struct reference_signature *signature = s->meaning ? NULL : signature_of(s);
    if (signature)
        return pages_format("%s: %s", signature->provider->name, reference_in(&signature->meaning, lang));
    return pages_copy(s->meaning ? reference_in(&s->meaning->text, lang)
                                 : word(REFERENCE_WORD_ENHANCED_CODE, lang));
}

static char *enhanced_fix(const struct pages_subject *s, enum reference_lang lang)
{
    const struct reference_signature *signature = signature_of(s);
    enum reference_retry retry = s->enhanced.class == 4   ? REFERENCE_LATER
                                 : s->enhanced.class == 2 ? REFERENCE_GO_ON
                                                          : REFERENCE_CHANGED;
    if (s->meaning)
        return pages_copy(reference_in(&s->meaning->fix, lang));
    return pages_copy(signature ? reference_in(&signature->fix, lang) : pages_retry_sentence(retry, lang));
}

static char *enhanced_part(const struct pages_subject *s, enum pages_part part, enum reference_lang lang)
{
    switch (part) {
    case PAGES_PART_NAME:
        return enhanced_name(s, lang);
    case PAGES_PART_SUMMARY:
        return pages_copy("");
    case PAGES_PART_DESCRIPTION:
        return enhanced_description(s, lang);
    case PAGES_PART_WHEN:
        return enhanced_when(s, lang);
    default:
        return enhanced_fix(s, lang);
    }
}

/* --- codes --------------------------------------------------------------------------------------- */

/* A code without an entry: what its digits say. */
static char *digits_part(const struct pages_subject *s, enum pages_part part, enum reference_lang lang)
{
    switch (part) {
    case PAGES_PART_NAME:
        return pages_copy(reference_explain(s->code, SP_LIT(""), lang));
    case PAGES_PART_SUMMARY:
        return pages_copy(word(REFERENCE_WORD_UNLISTED_CODE, lang));
    case PAGES_PART_FIX:
        return pages_copy(pages_retry_sentence(s->code / 100 == 4   ? REFERENCE_LATER
                                               : s->code / 100 == 5 ? REFERENCE_CHANGED
                                                                    : REFERENCE_GO_ON,
                                               lang));
    default:
        return pages_format("- %s\n- %s", reference_class(s->code, lang), reference_digit(s->code, lang));
    }
}

static char *code_part(const struct reference_code *c, enum pages_part part, enum reference_lang lang)
{
    const struct reference_text *const texts[] = {
        [PAGES_PART_NAME] = &c->name,
        [PAGES_PART_SUMMARY] = &c->summary,
        [PAGES_PART_DESCRIPTION] = &c->description,
        [PAGES_PART_WHEN] = &c->when,
        [PAGES_PART_FIX] = &c->fix,
    };
    return pages_copy(reference_in(texts[part], lang));
}

/* --- the others ------------------------------------------------------------------------------------ */

static char *topic_part(const struct reference_topic *t, enum pages_part part, enum reference_lang lang)
{
    switch (part) {
    case PAGES_PART_NAME:
        return pages_copy(reference_in(&t->title, lang));
    case PAGES_PART_SUMMARY:
        return pages_copy("");
    case PAGES_PART_DESCRIPTION:
        return pages_copy(reference_in(&t->description, lang));
    case PAGES_PART_WHEN:
        return pages_copy(reference_in(&t->when, lang));
    default:
        return pages_copy(reference_in(&t->fix, lang));
    }
}

static char *reason_part(const struct reference_reason *r, enum pages_part part, enum reference_lang lang)
{
    const struct reference_code *c = reference_code_find(r->code);
    switch (part) {
    case PAGES_PART_NAME:
        return pages_copy(reference_in(&r->meaning, lang));
    case PAGES_PART_SUMMARY:
        return pages_copy("");
    case PAGES_PART_DESCRIPTION:
        return pages_format("`%d %s`: %s", r->code, r->enhanced, c ? reference_in(&c->summary, lang) : "");
    case PAGES_PART_WHEN:
        return pages_copy(reference_in(&r->when, lang));
    default:
        return pages_copy(reference_in(&r->fix, lang));
    }
}

static char *provider_list(const struct reference_provider *p, bool fixes, enum reference_lang lang)
{
    struct pages_text t;
    size_t n, listed = 0;
    const struct reference_signature *signatures = reference_signatures(&n);
    FILE *to = pages_text_begin(&t);
    for (size_t i = 0; i < n; i++)
        if (signatures[i].provider == p)
            fprintf(to, "%s- `%d`: %s", listed++ ? "\n" : "", signatures[i].codes[0],
                    reference_in(fixes ? &signatures[i].fix : &signatures[i].meaning, lang));
    return pages_text_end(&t);
}

static char *provider_part(const struct reference_provider *p, enum pages_part part, enum reference_lang lang)
{
    switch (part) {
    case PAGES_PART_NAME:
        return pages_copy(p->name);
    case PAGES_PART_SUMMARY:
        return pages_copy("");
    case PAGES_PART_DESCRIPTION:
        return pages_copy(reference_in(&p->description, lang));
    default:
        return provider_list(p, part == PAGES_PART_FIX, lang);
    }
}

char *pages_part(const struct pages_subject *s, enum pages_part part, enum reference_lang lang)
{
    switch (s->kind) {
    case PAGES_CODE:
        return s->entry ? code_part(s->entry, part, lang) : digits_part(s, part, lang);
    case PAGES_ENHANCED:
        return enhanced_part(s, part, lang);
    case PAGES_REASON:
        return reason_part(s->reason, part, lang);
    case PAGES_PROVIDER:
        return provider_part(s->provider, part, lang);
    default:
        return topic_part(s->topic, part, lang);
    }
}

enum reference_word pages_part_heading(const struct pages_subject *s, enum pages_part part)
{
    if (part == PAGES_PART_DESCRIPTION)
        return REFERENCE_WORD_DESCRIPTION;
    if (part == PAGES_PART_FIX)
        return s->topic ? REFERENCE_WORD_FIX_TOPIC : REFERENCE_WORD_FIX;
    switch (s->kind) {
    case PAGES_COMMAND:
        return REFERENCE_WORD_WHEN_COMMAND;
    case PAGES_KEYWORD:
        return REFERENCE_WORD_WHEN_KEYWORD;
    case PAGES_MECHANISM:
        return REFERENCE_WORD_WHEN_MECHANISM;
    default:
        return REFERENCE_WORD_WHEN;
    }
}
