#include <stdlib.h>

#include "cli/catalogue.h"

enum { INDENT = 2, STEP = 3 };

static char *title_of(const struct reference_code *c, enum reference_lang lang)
{
    char *title;
    if (asprintf(&title, "%d  %s", c->code, reference_in(&c->name, lang)) < 0)
        abort();
    return title;
}

/* One heading of both codes: side by side where there is room, otherwise one below the other. */
static void print_both(struct cli_page *page, enum reference_word heading,
                       const struct reference_code *const codes[2], const char *const texts[2],
                       enum reference_lang lang)
{
    char *titles[2] = {title_of(codes[0], lang), title_of(codes[1], lang)};
    cli_page_heading(page, reference_word(heading, lang));
    if (cli_page_is_wide(page)) {
        cli_page_gap(page);
        cli_page_beside(page, titles[0], titles[1]);
        cli_page_gap(page);
        cli_page_beside(page, texts[0], texts[1]);
    } else {
        for (size_t i = 0; i < 2; i++) {
            cli_page_subheading(page, INDENT, titles[i]);
            cli_page_text(page, INDENT + STEP, texts[i]);
        }
    }
    free(titles[0]);
    free(titles[1]);
}

static void print_one(struct cli_page *page, enum reference_word heading, const char *text,
                      enum reference_lang lang)
{
    cli_page_heading(page, reference_word(heading, lang));
    cli_page_text(page, INDENT, text);
}

static void print_composed(struct cli_page *page, const struct reference_code *a,
                           const struct reference_code *b, enum reference_lang lang)
{
    char *difference = cli_composed_difference(a, b, lang), *which = cli_composed_which(a, b, lang);
    print_one(page, REFERENCE_WORD_DIFFERENCE, difference, lang);
    print_one(page, REFERENCE_WORD_WHICH, which, lang);
    cli_page_gap(page);
    cli_page_text(page, 0, reference_word(REFERENCE_WORD_COMPOSED, lang));
    free(difference);
    free(which);
}

void cli_page_comparison(struct cli_page *page, const struct reference_code *a,
                         const struct reference_code *b, enum reference_lang lang)
{
    const struct reference_code *const codes[2] = {a, b};
    const struct reference_text *const parts[3][2] = {
        {&a->description, &b->description}, {&a->when, &b->when}, {&a->fix, &b->fix}};
    static const enum reference_word headings[3] = {REFERENCE_WORD_DESCRIPTION, REFERENCE_WORD_WHEN,
                                                    REFERENCE_WORD_FIX};
    char key[32];
    snprintf(key, sizeof key, "%d / %d", a->code, b->code);
    char *name;
    if (asprintf(&name, "%s / %s", reference_in(&a->name, lang), reference_in(&b->name, lang)) < 0)
        abort();
    cli_page_title(page, key, name);
    free(name);
    for (size_t i = 0; i < 3; i++) {
        const char *const texts[2] = {reference_in(parts[i][0], lang), reference_in(parts[i][1], lang)};
        print_both(page, headings[i], codes, texts, lang);
    }
    const struct reference_pair *pair = reference_pair_find(a->code, b->code);
    if (pair) {
        print_one(page, REFERENCE_WORD_DIFFERENCE, reference_in(&pair->difference, lang), lang);
        print_one(page, REFERENCE_WORD_WHICH, reference_in(&pair->which, lang), lang);
    } else {
        print_composed(page, a, b, lang);
    }
}
