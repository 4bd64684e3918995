/* Entries of the reference as pages and as JSON: what `explain`, `compare` and `reference` share. */
#ifndef CLI_CATALOGUE_H
#define CLI_CATALOGUE_H

#include <jansson.h>

#include "cli/lookup.h"
#include "cli/options.h"
#include "cli/page.h"

/*
 * The language of --lang, or else of LC_ALL, LC_MESSAGES, LANG: the first that is set.
 * false: the fault was printed; return EX_USAGE.
 */
enum reference_lang cli_lang_of_environment(void);
bool cli_lang(const char *command, struct cli_option *options, enum reference_lang *lang_out);

/* Pages. */
void cli_page_lookup(struct pages_out *out, const struct cli_lookup *lookup);
void cli_page_index(struct cli_page *page, enum reference_lang lang);

/* JSON; references owned by the caller. */
json_t *cli_json_lookup(const struct cli_lookup *lookup, enum reference_lang lang);
json_t *cli_json_index(enum reference_lang lang);
json_t *cli_json_comparison(const struct pages_subject *a, const struct pages_subject *b,
                            enum reference_lang lang);

/* Print and release. */
void cli_json_print(json_t *json);

#endif
