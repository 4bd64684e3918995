#include <string.h>
#include <sysexits.h>

#include "cli/catalogue.h"
#include "cli/commands.h"

static struct cli_option options[] = {
    {.name = "lang",
     .argument = "en|vi",
     .help = "the language; by default that of LC_ALL, LC_MESSAGES or LANG"},
    {.name = "json", .help = "print JSON"},
    {.name = NULL},
};

const struct cli_option *cmd_compare_options(void) { return options; }

/* The entry of a code; what has none is explained on stderr. */
static const struct reference_code *find(const char *word)
{
    struct cli_lookup l;
    struct cli_nearest nearest;
    cli_lookup(&word, 1, &l);
    const struct reference_code *entry = l.kind == CLI_LOOKUP_CODE ? l.entry : NULL;
    if (!entry && l.kind == CLI_LOOKUP_REASON) {
        fprintf(stderr, "sallyport compare: reply codes are compared; %s belongs to %d\n", l.reason->id,
                l.reason->code);
    } else if (!entry) {
        cli_lookup_nearest(&l, &nearest);
        fprintf(stderr, "sallyport compare: there is no page for '%s'", word);
        for (size_t i = 0; i < nearest.n; i++)
            fprintf(stderr, "%s %s", i ? "," : "; near it:", nearest.names[i]);
        fputs("\nAll pages: sallyport explain\n", stderr);
    }
    cli_lookup_free(&l);
    return entry;
}

int cmd_compare(int argc, char **argv)
{
    struct cli_operands operands;
    enum reference_lang lang;
    if (!cli_parse("compare", argc, argv, options, &operands) || !cli_lang("compare", options, &lang))
        return EX_USAGE;
    if (operands.n != 2)
        return cli_usage_fault("compare", "two codes are needed, such as 334 503; %zu given", operands.n);
    const struct reference_code *a = find(operands.words[0]), *b = find(operands.words[1]);
    if (!a || !b)
        return EX_DATAERR;
    if (a == b)
        return cli_usage_fault("compare", "%d and %d are the same code", a->code, b->code);
    if (cli_option(options, "json")->given) {
        cli_json_print(cli_json_comparison(a, b, lang));
        return EX_OK;
    }
    struct cli_page page;
    cli_page_init(&page, stdout);
    cli_page_comparison(&page, a, b, lang);
    return EX_OK;
}
