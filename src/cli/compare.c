#include <string.h>
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

const struct cli_option *cmd_compare_options(void) { return options; }

/* The page of this name; what has none is explained on stderr. */
static bool find(const char *word, enum reference_lang lang, struct pages_subject *out)
{
    struct cli_lookup l;
    struct cli_nearest nearest;
    cli_lookup(&word, 1, &l);
    bool found = l.kind == CLI_LOOKUP_SUBJECT;
    if (found) {
        *out = l.subjects[0];
    } else {
        cli_lookup_nearest(&l, lang, &nearest);
        fprintf(stderr, "sallyport compare: there is no page for '%s'", word);
        for (size_t i = 0; i < nearest.n; i++)
            fprintf(stderr, "%s %s", i ? "," : "; near it:", nearest.subjects[i].name);
        fputs("\nAll pages: sallyport explain\n", stderr);
    }
    cli_lookup_free(&l);
    return found;
}

/* AUTH and AUTH: "command AUTH", "keyword AUTH". */
static void name_kind(struct pages_subject *s)
{
    char name[sizeof s->name];
    if (!s->topic)
        return;
    snprintf(name, sizeof name, "%s %s", reference_topic_kind_name(s->topic->kind), s->topic->name);
    memcpy(s->name, name, sizeof name);
}

static void print(const struct pages_subject *a, const struct pages_subject *b, enum reference_lang lang)
{
    struct cli_page page;
    struct pages_markdown markdown;
    if (cli_option(options, "json")->given) {
        cli_json_print(cli_json_comparison(a, b, lang));
    } else if (cli_option(options, "markdown")->given) {
        pages_markdown_init(&markdown, stdout, lang);
        pages_write_comparison(&markdown.out, a, b);
    } else {
        cli_page_init(&page, stdout);
        page.out.lang = lang;
        pages_write_comparison(&page.out, a, b);
    }
}

int cmd_compare(int argc, char **argv)
{
    struct cli_operands operands;
    struct pages_subject a, b;
    enum reference_lang lang;
    if (!cli_parse("compare", argc, argv, options, &operands) || !cli_lang("compare", options, &lang))
        return EX_USAGE;
    if (operands.n != 2)
        return cli_usage_fault("compare", "two names are needed, such as 334 503 or PLAIN LOGIN; %zu given",
                               operands.n);
    bool found = find(operands.words[0], lang, &a);
    if (!find(operands.words[1], lang, &b) || !found)
        return EX_DATAERR;
    if (pages_subject_eq(&a, &b) && strcmp(a.name, b.name) == 0)
        return cli_usage_fault("compare", "%s and %s are the same", operands.words[0], operands.words[1]);
    if (strcmp(a.name, b.name) == 0) {
        name_kind(&a);
        name_kind(&b);
    }
    print(&a, &b, lang);
    return EX_OK;
}
