/* The names of all pages, kind by kind. */
#include <stdlib.h>

#include "pages/pages.h"
#include "pages/text.h"

static void put(FILE *to, const struct pages_subject *s, enum reference_lang lang)
{
    char *name = pages_part(s, PAGES_PART_NAME, lang);
    fprintf(to, "- `%s`: %s\n", s->name, name);
    free(name);
}

/* A list of what was put; its heading before it. */
static void end(struct pages_out *out, const char *anchor, enum reference_word heading,
                struct pages_text *list)
{
    char *text = pages_text_end(list);
    out->ops->heading(out, anchor, reference_word(heading, out->lang));
    out->ops->text(out, text);
    free(text);
}

static void write_topics(struct pages_out *out, enum reference_topic_kind kind, const char *anchor,
                         enum reference_word heading)
{
    struct pages_text list;
    size_t n;
    const struct reference_topic *topics = reference_topics(&n);
    FILE *to = pages_text_begin(&list);
    for (size_t i = 0; i < n; i++) {
        struct pages_subject s = pages_subject_of_topic(&topics[i]);
        if (topics[i].kind == kind)
            put(to, &s, out->lang);
    }
    end(out, anchor, heading, &list);
}

void pages_write_index(struct pages_out *out)
{
    struct pages_text list;
    struct pages_subject s;
    size_t n;
    const struct reference_code *codes = reference_codes(&n);
    FILE *to = pages_text_begin(&list);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_code(&codes[i]), put(to, &s, out->lang);
    end(out, "codes", REFERENCE_WORD_KINDS_CODE, &list);
    const struct reference_meaning *meanings = reference_meanings(&n);
    to = pages_text_begin(&list);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_meaning(&meanings[i]), put(to, &s, out->lang);
    end(out, "enhanced", REFERENCE_WORD_KINDS_ENHANCED, &list);
    write_topics(out, REFERENCE_COMMAND, "commands", REFERENCE_WORD_KINDS_COMMAND);
    write_topics(out, REFERENCE_KEYWORD, "keywords", REFERENCE_WORD_KINDS_KEYWORD);
    write_topics(out, REFERENCE_MECHANISM, "mechanisms", REFERENCE_WORD_KINDS_MECHANISM);
    const struct reference_provider *providers = reference_providers(&n);
    to = pages_text_begin(&list);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_provider(&providers[i]), put(to, &s, out->lang);
    end(out, "providers", REFERENCE_WORD_PROVIDERS, &list);
    const struct reference_reason *reasons = reference_reasons(&n);
    to = pages_text_begin(&list);
    for (size_t i = 0; i < n; i++)
        s = pages_subject_of_reason(&reasons[i]), put(to, &s, out->lang);
    end(out, "reasons", REFERENCE_WORD_KINDS_REASON, &list);
}
