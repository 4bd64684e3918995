#include "cli/queue/rules.h"

#include "os/clock.h"

#include <inttypes.h>

static const struct {
    const char *word;
    struct reference_text because, change;
} rules[IPC_QUEUE_RULE_N] = {
#define X(n, w) [IPC_QUEUE_RULE_##n].word = w,
    IPC_QUEUE_RULES(X)
#undef X
#define X(n, en, vi, change_en, change_vi)                                                                   \
    [IPC_QUEUE_RULE_##n].because = {en, vi}, [IPC_QUEUE_RULE_##n].change = {change_en, change_vi},
        QUEUE_RULES(X)
#undef X
};

static const struct reference_text words[QUEUE_WORD_N] = {
#define X(n, en, vi) [QUEUE_WORD_##n] = {en, vi},
    QUEUE_WORDS(X)
#undef X
};

const char *queue_word(enum queue_word w, enum reference_lang lang) { return reference_in(&words[w], lang); }

const char *queue_rule_word(enum ipc_queue_rule rule) { return rules[rule].word; }

const char *queue_rule_because(enum ipc_queue_rule rule, enum reference_lang lang)
{
    return reference_in(&rules[rule].because, lang);
}

const char *queue_rule_change(enum ipc_queue_rule rule, enum reference_lang lang)
{
    return reference_in(&rules[rule].change, lang);
}

void queue_print_in(uint64_t ms, enum reference_lang lang, FILE *to)
{
    int64_t s = ((int64_t)ms - os_wall_ms() + 999) / 1000;
    enum queue_word unit = s < 120 ? QUEUE_WORD_SECONDS : s < 7200 ? QUEUE_WORD_MINUTES : QUEUE_WORD_HOURS;
    int64_t n = s < 120 ? s : s < 7200 ? (s + 59) / 60 : (s + 3599) / 3600;
    if (s <= 0)
        fputs(queue_word(QUEUE_WORD_NOW, lang), to);
    else
        fprintf(to, "%s %" PRId64 " %s", queue_word(QUEUE_WORD_IN, lang), n, queue_word(unit, lang));
}

void queue_print_label(enum queue_word w, enum reference_lang lang, FILE *to)
{
    enum { WIDTH = 12 };
    const char *text = queue_word(w, lang);
    size_t columns = 0;
    for (const char *c = text; *c; c++)
        columns += ((unsigned char)*c & 0xc0) != 0x80; /* of UTF-8 the first octet */
    fprintf(to, "    %s%*s ", text, columns < WIDTH ? (int)(WIDTH - columns) : 0, "");
}
