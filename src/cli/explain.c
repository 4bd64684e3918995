#include <stdlib.h>
#include <sysexits.h>

#include "cli/catalogue.h"
#include "cli/commands.h"
#include "pages/markdown.h"

static struct cli_option options[] = {
    {.name = "lang",
     .argument = "en|vi",
     .help = "the language; by default that of LC_ALL, LC_MESSAGES or LANG"},
    {.name = "json", .help = "print JSON"},
    {.name = "markdown", .help = "print Markdown"},
    {.name = NULL},
};

const struct cli_option *cmd_explain_options(void) { return options; }

static int fault_unknown(const struct cli_lookup *l, enum reference_lang lang)
{
    struct cli_nearest nearest;
    cli_lookup_nearest(l, lang, &nearest);
    fprintf(stderr, "sallyport explain: '%s' %s.\n", l->words, reference_word(REFERENCE_WORD_UNKNOWN, lang));
    if (nearest.n > 0)
        fprintf(stderr, "%s:\n", reference_word(REFERENCE_WORD_NEAREST, lang));
    for (size_t i = 0; i < nearest.n; i++) {
        char *name = pages_part(&nearest.subjects[i], PAGES_PART_NAME, lang);
        fprintf(stderr, "  %s  %s\n", nearest.subjects[i].name, name);
        free(name);
    }
    fprintf(stderr, "%s\n", reference_word(REFERENCE_WORD_UNKNOWN_HINT, lang));
    return EX_DATAERR;
}

/* Two or more names, where each alone is a page and all together are none. */
static bool are_several(const struct cli_operands *operands, const struct cli_lookup *all)
{
    bool several = operands->n > 1 && all->kind != CLI_LOOKUP_SUBJECT;
    for (size_t i = 0; i < operands->n && several; i++) {
        struct cli_lookup l;
        cli_lookup(&operands->words[i], 1, &l);
        several = l.kind == CLI_LOOKUP_SUBJECT && !(i > 0 && l.subjects[0].kind == PAGES_ENHANCED);
        cli_lookup_free(&l);
    }
    return several;
}

static void print(const struct cli_lookup *l, enum reference_lang lang)
{
    struct cli_page page;
    if (cli_option(options, "json")->given) {
        cli_json_print(l ? cli_json_lookup(l, lang) : cli_json_index(lang));
        return;
    }
    if (cli_option(options, "markdown")->given) {
        struct pages_markdown markdown;
        pages_markdown_init(&markdown, stdout, lang);
        if (l)
            cli_page_lookup(&markdown.out, l);
        else
            pages_write_index(&markdown.out);
        return;
    }
    cli_page_init(&page, stdout);
    page.out.lang = lang;
    if (l)
        cli_page_lookup(&page.out, l);
    else
        cli_page_index(&page, lang);
}

int cmd_explain(int argc, char **argv)
{
    struct cli_operands operands;
    enum reference_lang lang;
    if (!cli_parse("explain", argc, argv, options, &operands) || !cli_lang("explain", options, &lang))
        return EX_USAGE;
    if (operands.n == 0) {
        print(NULL, lang);
        return EX_OK;
    }
    struct cli_lookup l;
    cli_lookup(operands.words, operands.n, &l);
    if (are_several(&operands, &l)) {
        cli_lookup_free(&l);
        return cli_usage_fault("explain", "one at a time; for two: sallyport compare %s %s",
                               operands.words[0], operands.words[1]);
    }
    int code = EX_OK;
    if (l.kind == CLI_LOOKUP_NOTHING)
        code = fault_unknown(&l, lang);
    else
        print(&l, lang);
    cli_lookup_free(&l);
    return code;
}
