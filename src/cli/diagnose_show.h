/* A diagnosis as a page and as JSON. */
#ifndef CLI_DIAGNOSE_SHOW_H
#define CLI_DIAGNOSE_SHOW_H

#include "diagnose/diagnose.h"

#include <jansson.h>

/* name: of the input, "-" for standard input. */
void diagnose_show_page(const struct diagnose_report *report, const char *name, enum reference_lang lang);
json_t *diagnose_json(const struct diagnose_report *report,
                      enum reference_lang lang); /* owned by the caller */
void diagnose_show_json(const struct diagnose_report *report, enum reference_lang lang);

#endif
