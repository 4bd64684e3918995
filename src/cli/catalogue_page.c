#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "cli/catalogue.h"

void cli_page_lookup(struct pages_out *out, const struct cli_lookup *l)
{
    if (l->kind == CLI_LOOKUP_REPLY || l->kind == CLI_LOOKUP_CHALLENGE)
        pages_write_reply(out, l->code, l->text);
    for (size_t i = 0; i < l->subjects_n; i++)
        pages_write(out, &l->subjects[i]);
}

static const char *word(enum reference_word w, enum reference_lang lang) { return reference_word(w, lang); }

static void index_codes(struct cli_page *page, enum reference_lang lang)
{
    size_t n;
    const struct reference_code *codes = reference_codes(&n);
    cli_page_heading(page, word(REFERENCE_WORD_KINDS_CODE, lang));
    for (size_t i = 0; i < n; i++) {
        char number[12];
        snprintf(number, sizeof number, "%d", codes[i].code);
        cli_page_fact(page, 3, number, reference_in(&codes[i].name, lang));
    }
}

static void index_topics(struct cli_page *page, enum reference_topic_kind kind, enum reference_word heading,
                         enum reference_lang lang)
{
    size_t n, widest = 0;
    const struct reference_topic *topics = reference_topics(&n);
    for (size_t i = 0; i < n; i++)
        if (topics[i].kind == kind && strlen(topics[i].name) > widest)
            widest = strlen(topics[i].name);
    cli_page_heading(page, word(heading, lang));
    for (size_t i = 0; i < n; i++)
        if (topics[i].kind == kind)
            cli_page_fact(page, widest, topics[i].name, reference_in(&topics[i].title, lang));
}

static void index_providers(struct cli_page *page, enum reference_lang lang)
{
    size_t n;
    const struct reference_provider *providers = reference_providers(&n);
    cli_page_heading(page, word(REFERENCE_WORD_PROVIDERS, lang));
    for (size_t i = 0; i < n; i++)
        cli_page_fact(page, sizeof "hmailserver" - 1, providers[i].id, providers[i].name);
}

static void index_reasons(struct cli_page *page, enum reference_lang lang)
{
    size_t n, widest = 0;
    const struct reference_reason *reasons = reference_reasons(&n);
    cli_page_heading(page, word(REFERENCE_WORD_KINDS_REASON, lang));
    for (size_t i = 0; i < n; i++)
        if (strlen(reasons[i].id) > widest)
            widest = strlen(reasons[i].id);
    for (size_t i = 0; i < n; i++)
        cli_page_fact(page, widest, reasons[i].id, reference_in(&reasons[i].meaning, lang));
}

void cli_page_index(struct cli_page *page, enum reference_lang lang)
{
    index_codes(page, lang);
    index_topics(page, REFERENCE_COMMAND, REFERENCE_WORD_KINDS_COMMAND, lang);
    index_topics(page, REFERENCE_KEYWORD, REFERENCE_WORD_KINDS_KEYWORD, lang);
    index_topics(page, REFERENCE_MECHANISM, REFERENCE_WORD_KINDS_MECHANISM, lang);
    index_providers(page, lang);
    index_reasons(page, lang);
    cli_page_gap(page);
    cli_page_text(page, 0, word(REFERENCE_WORD_ALSO, lang));
}
