#include "cli/catalogue.h"

#include <stdlib.h>
#include <string.h>

static bool speaks(const char *locale, const char *language)
{
    size_t n = strlen(language);
    return strncasecmp(locale, language, n) == 0 && strchr("_.@-", locale[n]) != NULL; /* or its end */
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
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    *lang_out = REFERENCE_EN;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i]);
        if (value && *value) {
            *lang_out = speaks(value, "vi") ? REFERENCE_VI : REFERENCE_EN;
            break;
        }
    }
    return true;
}

const char *cli_command_word(const char *command, enum reference_lang lang)
{
    if (strcmp(command, "any") == 0)
        return reference_word(REFERENCE_WORD_COMMAND_ANY, lang);
    if (strcmp(command, "connect") == 0)
        return reference_word(REFERENCE_WORD_COMMAND_CONNECT, lang);
    if (strcmp(command, "message") == 0)
        return reference_word(REFERENCE_WORD_COMMAND_MESSAGE, lang);
    return command;
}

const char *cli_retry_sentence(enum reference_retry retry, enum reference_lang lang)
{
#define X(name, word) [REFERENCE_##name] = REFERENCE_WORD_RETRY_##name,
    static const enum reference_word words[REFERENCE_RETRY_N] = {REFERENCE_RETRIES(X)};
#undef X
    return reference_word(words[retry], lang);
}

const char *cli_enhanced_class(const struct reference_enhanced *enhanced, enum reference_lang lang)
{
    switch (enhanced->class) {
    case 2:
        return reference_word(REFERENCE_WORD_ENHANCED_CLASS_2, lang);
    case 4:
        return reference_word(REFERENCE_WORD_ENHANCED_CLASS_4, lang);
    default:
        return reference_word(REFERENCE_WORD_ENHANCED_CLASS_5, lang);
    }
}

const char *cli_enhanced_subject(const struct reference_enhanced *enhanced, enum reference_lang lang)
{
    static const enum reference_word words[] = {REFERENCE_WORD_SUBJECT_0, REFERENCE_WORD_SUBJECT_1,
                                                REFERENCE_WORD_SUBJECT_2, REFERENCE_WORD_SUBJECT_3,
                                                REFERENCE_WORD_SUBJECT_4, REFERENCE_WORD_SUBJECT_5,
                                                REFERENCE_WORD_SUBJECT_6, REFERENCE_WORD_SUBJECT_7};
    if ((size_t)enhanced->subject >= sizeof words / sizeof *words)
        return NULL;
    return reference_word(words[enhanced->subject], lang);
}

static char *give(char *text)
{
    if (!text)
        abort();
    return text;
}

char *cli_composed_difference(const struct reference_code *a, const struct reference_code *b,
                              enum reference_lang lang)
{
    char *text = NULL;
    bool same = a->code / 100 == b->code / 100;
    if (asprintf(&text, "`%d`: %s\n`%d`: %s\n%s\n- `%d`: %s\n- `%d`: %s", a->code,
                 reference_in(&a->summary, lang), b->code, reference_in(&b->summary, lang),
                 reference_word(same ? REFERENCE_WORD_SAME_CLASS : REFERENCE_WORD_OTHER_CLASS, lang), a->code,
                 reference_class(a->code, lang), b->code, reference_class(b->code, lang)) < 0)
        abort();
    return give(text);
}

char *cli_composed_which(const struct reference_code *a, const struct reference_code *b,
                         enum reference_lang lang)
{
    char *text = NULL;
    if (asprintf(&text, "- `%d`: %s\n- `%d`: %s", a->code, cli_retry_sentence(a->retry, lang), b->code,
                 cli_retry_sentence(b->retry, lang)) < 0)
        abort();
    return give(text);
}
