/* What a server's reply means, in the words of the reference. */
#ifndef CLI_QUEUE_MEANING_H
#define CLI_QUEUE_MEANING_H

#include "reference/reference.h"

#include <jansson.h>
#include <stdio.h>

/* "    it means     Google has ... (google-rate)" and a line end; nothing for what is no refusal. id: when it
 * is known from elsewhere; else empty. */
void queue_print_meaning(struct sp_view reply, struct sp_view id, enum reference_lang lang, FILE *to);

/* "    therefore    the server asks for less: ... (slow-down)". */
void queue_print_action(enum reference_action action, enum reference_lang lang, FILE *to);

/* {"id": ..., "en": ..., "vi": ...}, or null. The id is that of a provider's reply; else null. */
json_t *queue_json_meaning(struct sp_view reply, struct sp_view id);

#endif
