#include "cli/catalogue.h"

#include <stdlib.h>
#include <string.h>

static bool speaks(const char *locale, const char *language)
{
    size_t n = strlen(language);
    return strncasecmp(locale, language, n) == 0 && strchr("_.@-", locale[n]) != NULL; /* or its end */
}

enum reference_lang cli_lang_of_environment(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i]);
        if (value && *value)
            return speaks(value, "vi") ? REFERENCE_VI : REFERENCE_EN;
    }
    return REFERENCE_EN;
}

bool cli_lang(const char *command, struct cli_option *options, enum reference_lang *lang_out)
{
    const char *asked = cli_value(options, "lang");
    if (asked) {
        if (!speaks(asked, "en") && !speaks(asked, "vi")) {
            cli_usage_fault(command, "--lang is en or vi, not '%s'", asked);
            return false;
        }
        *lang_out = speaks(asked, "vi") ? REFERENCE_VI : REFERENCE_EN;
        return true;
    }
    *lang_out = cli_lang_of_environment();
    return true;
}
