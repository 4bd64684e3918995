/* The tables that tools/gen-reference writes. Ascending by code, id and (a, b). */
#ifndef REFERENCE_DATA_H
#define REFERENCE_DATA_H

#include "reference/reference.h"

extern const struct reference_code reference_data_codes[];
extern const size_t reference_data_codes_n;
extern const struct reference_reason reference_data_reasons[];
extern const size_t reference_data_reasons_n;
extern const struct reference_pair reference_data_pairs[];
extern const size_t reference_data_pairs_n;
extern const struct reference_meaning reference_data_meanings[];
extern const size_t reference_data_meanings_n;
extern const struct reference_topic reference_data_topics[];
extern const size_t reference_data_topics_n;
extern const struct reference_provider reference_data_providers[];
extern const size_t reference_data_providers_n;
extern const struct reference_signature reference_data_signatures[];
extern const size_t reference_data_signatures_n;
extern const struct reference_action_text reference_data_actions[REFERENCE_ACTION_N];
extern const struct reference_rule reference_data_rules[];
extern const size_t reference_data_rules_n;
extern const struct reference_text reference_data_words[REFERENCE_WORD_N];

#endif
