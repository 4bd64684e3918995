/* What somebody may have meant whose words are no page: near in spelling, or in what the pages say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/view.h"
#include "cli/lookup.h"

enum { WORDS_MAX = 8, BY_PART = 20, BY_TEXT = 60, PART_SHORTEST = 4 };

struct asked {
    char word[WORDS_MAX][SP_WORD_MAX + 1]; /* lower case */
    size_t n;
};

static void read_asked(const char *s, struct asked *asked)
{
    asked->n = 0;
    while (asked->n < WORDS_MAX) {
        s += strspn(s, " \t,;:\"'()[]");
        size_t len = strcspn(s, " \t,;:\"'()[]");
        if (len == 0)
            return;
        char *word = asked->word[asked->n++];
        snprintf(word, SP_WORD_MAX + 1, "%.*s", (int)len, s);
        for (char *c = word; *c; c++)
            *c = (char)sp_ascii_lower((uint8_t)*c);
        s += len;
    }
}

/* Keep the nearest, in order. */
static void rank(struct cli_nearest *r, const struct pages_subject *subject, size_t distance)
{
    size_t at = r->n;
    while (at > 0 && r->distance[at - 1] > distance)
        at--;
    if (at == CLI_NEAREST_MAX)
        return;
    r->n += r->n < CLI_NEAREST_MAX;
    for (size_t i = r->n - 1; i > at; i--) {
        r->subjects[i] = r->subjects[i - 1];
        r->distance[i] = r->distance[i - 1];
    }
    r->subjects[at] = *subject;
    r->distance[at] = distance;
}

/* How many of the words a text holds, in any case. */
static size_t held(const struct asked *asked, const char *text)
{
    size_t n = 0;
    for (size_t i = 0; i < asked->n; i++)
        n += strcasestr(text, asked->word[i]) != NULL;
    return n;
}

static void weigh(struct cli_nearest *r, const struct asked *asked, const struct pages_subject *subject,
                  enum reference_lang lang)
{
    char name[PAGES_NAME_MAX + 1];
    const char *first = asked->word[0];
    snprintf(name, sizeof name, "%s", subject->name);
    for (char *c = name; *c; c++)
        *c = (char)sp_ascii_lower((uint8_t)*c);
    if (asked->n == 1 && sp_word_is_near(first, name)) {
        rank(r, subject, sp_word_distance(first, name));
        return;
    }
    if (strlen(first) >= PART_SHORTEST && strstr(name, first)) {
        rank(r, subject, BY_PART + strlen(name));
        return;
    }
    if (asked->n == 1 && strlen(first) < PART_SHORTEST)
        return;
    /* The part of the page in which most of the words stand, if most of them do. */
    for (enum pages_part part = PAGES_PART_NAME; part <= PAGES_PART_FIX; part++) {
        char *text = pages_part(subject, part, lang);
        size_t n = held(asked, text);
        free(text);
        if (2 * n <= asked->n)
            continue;
        rank(r, subject, BY_TEXT + (asked->n - n) * 10 + (size_t)part);
        return;
    }
}

void cli_lookup_nearest(const struct cli_lookup *l, enum reference_lang lang, struct cli_nearest *nearest_out)
{
    struct asked asked;
    size_t n;
    *nearest_out = (struct cli_nearest){.n = 0};
    read_asked(l->words, &asked);
    if (asked.n == 0)
        return;
    const struct reference_code *codes = reference_codes(&n);
    for (size_t i = 0; i < n; i++) {
        struct pages_subject s = pages_subject_of_code(&codes[i]);
        weigh(nearest_out, &asked, &s, lang);
    }
    const struct reference_topic *topics = reference_topics(&n);
    for (size_t i = 0; i < n; i++) {
        struct pages_subject s = pages_subject_of_topic(&topics[i]);
        weigh(nearest_out, &asked, &s, lang);
    }
    const struct reference_reason *reasons = reference_reasons(&n);
    for (size_t i = 0; i < n; i++) {
        struct pages_subject s = pages_subject_of_reason(&reasons[i]);
        weigh(nearest_out, &asked, &s, lang);
    }
    const struct reference_meaning *meanings = reference_meanings(&n);
    for (size_t i = 0; i < n; i++) {
        struct pages_subject s = pages_subject_of_meaning(&meanings[i]);
        weigh(nearest_out, &asked, &s, lang);
    }
    const struct reference_provider *providers = reference_providers(&n);
    for (size_t i = 0; i < n; i++) {
        struct pages_subject s = pages_subject_of_provider(&providers[i]);
        weigh(nearest_out, &asked, &s, lang);
    }
}
