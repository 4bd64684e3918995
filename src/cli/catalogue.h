/* Entries of the reference as pages and as JSON: what `explain` and `compare` share. */
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
bool cli_lang(const char *command, struct cli_option *options, enum reference_lang *lang_out);

/* Pages. */
void cli_page_lookup(struct cli_page *page, const struct cli_lookup *lookup, enum reference_lang lang);
void cli_page_index(struct cli_page *page, enum reference_lang lang);
void cli_page_comparison(struct cli_page *page, const struct reference_code *a, const struct reference_code *b,
                         enum reference_lang lang);

/* What a comparison without a written page says, put together from the two entries. Owned by the caller. */
char *cli_composed_difference(const struct reference_code *a, const struct reference_code *b,
                              enum reference_lang lang);
char *cli_composed_which(const struct reference_code *a, const struct reference_code *b, enum reference_lang lang);

/* "any" of an entry's commands as words; others as they are. */
const char *cli_command_word(const char *command, enum reference_lang lang);

/* What may be done after a reply, as a sentence. */
const char *cli_retry_sentence(enum reference_retry retry, enum reference_lang lang);

/* "5: permanent failure", "5: the protocol: ..."; NULL where RFC 3463 says nothing. */
const char *cli_enhanced_class(const struct reference_enhanced *enhanced, enum reference_lang lang);
const char *cli_enhanced_subject(const struct reference_enhanced *enhanced, enum reference_lang lang);

/* JSON; references owned by the caller. */
json_t *cli_json_lookup(const struct cli_lookup *lookup, enum reference_lang lang);
json_t *cli_json_index(enum reference_lang lang);
json_t *cli_json_comparison(const struct reference_code *a, const struct reference_code *b, enum reference_lang lang);

/* Print and release. */
void cli_json_print(json_t *json);

#endif
