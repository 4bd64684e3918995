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

const struct cli_option *cmd_explain_options(void) { return options; }

static int fault_unknown(const struct cli_lookup *l, enum reference_lang lang)
{
    struct cli_nearest nearest;
    cli_lookup_nearest(l, &nearest);
    fprintf(stderr, "sallyport explain: '%s' %s.\n", l->words, reference_word(REFERENCE_WORD_UNKNOWN, lang));
    if (nearest.n > 0)
        fprintf(stderr, "%s:", reference_word(REFERENCE_WORD_NEAREST, lang));
    for (size_t i = 0; i < nearest.n; i++)
        fprintf(stderr, "%s %s%s", i ? "," : "", nearest.names[i], i + 1 == nearest.n ? "\n" : "");
    fprintf(stderr, "%s\n", reference_word(REFERENCE_WORD_UNKNOWN_HINT, lang));
    return EX_DATAERR;
}

static bool are_codes(const struct cli_operands *operands)
{
    bool codes = operands->n > 1;
    for (size_t i = 0; i < operands->n && codes; i++) {
        struct cli_lookup l;
        cli_lookup(&operands->words[i], 1, &l);
        codes = l.kind == CLI_LOOKUP_CODE;
        cli_lookup_free(&l);
    }
    return codes;
}

static void print(const struct cli_lookup *l, bool json, enum reference_lang lang)
{
    struct cli_page page;
    if (json) {
        cli_json_print(l ? cli_json_lookup(l, lang) : cli_json_index(lang));
        return;
    }
    cli_page_init(&page, stdout);
    if (l)
        cli_page_lookup(&page, l, lang);
    else
        cli_page_index(&page, lang);
}

int cmd_explain(int argc, char **argv)
{
    struct cli_operands operands;
    enum reference_lang lang;
    if (!cli_parse("explain", argc, argv, options, &operands) || !cli_lang("explain", options, &lang))
        return EX_USAGE;
    bool json = cli_option(options, "json")->given;
    if (operands.n == 0) {
        print(NULL, json, lang);
        return EX_OK;
    }
    if (are_codes(&operands))
        return cli_usage_fault("explain", "one code at a time; for two: sallyport compare %s %s",
                               operands.words[0], operands.words[1]);
    struct cli_lookup l;
    cli_lookup(operands.words, operands.n, &l);
    int code = EX_OK;
    if (l.kind == CLI_LOOKUP_NOTHING)
        code = fault_unknown(&l, lang);
    else
        print(&l, json, lang);
    cli_lookup_free(&l);
    return code;
}
