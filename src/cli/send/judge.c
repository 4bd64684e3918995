/* What an answer to a mistake is worth, and how it is told. */
#include <stdio.h>
#include <string.h>

#include "base/view.h"
#include "cli/send/trial.h"
#include "cli/send/words.h"

static const struct {
    const char *id;
    struct reference_text text;
} verdicts[SEND_VERDICT_N] = {
    [SEND_RIGHT] = {"right", {"as the RFC says", "đúng như RFC"}},
    [SEND_ALLOWED] = {"allowed", {"the RFC allows it", "RFC cho phép"}},
    [SEND_WRONG] = {"wrong", {"not as the RFC says", "không đúng RFC"}},
    [SEND_UNTRIED] = {"untried", {"could not be tried", "không thử được"}},
};

/* --- the judgement ---------------------------------------------------------------------------- */

/* Is the answer among "503|554|5..|closed"? */
static bool is_among(const struct send_trial *t, const char *list)
{
    char code[8];
    const char *answer = t->code ? code : "closed";
    snprintf(code, sizeof code, "%03d", t->code % 1000);
    for (const char *at = list; *at; at += strcspn(at, "|") + (at[strcspn(at, "|")] == '|')) {
        size_t n = strcspn(at, "|"), same = 0;
        while (same < n && answer[same] && (at[same] == answer[same] || at[same] == '.'))
            same++;
        if (same == n && !answer[n])
            return true;
    }
    return false;
}

enum send_verdict send_judge(const struct send_trial *t)
{
    if (!t->ready || t->before)
        return SEND_UNTRIED;
    if (t->mistake->good[0] == '\0')
        return t->over ? SEND_RIGHT : SEND_WRONG;
    return is_among(t, t->mistake->good)      ? SEND_RIGHT
           : is_among(t, t->mistake->allowed) ? SEND_ALLOWED
                                              : SEND_WRONG;
}

/* --- telling ----------------------------------------------------------------------------------- */

static const char *or_nothing(const char *list) { return list[0] ? list : "-"; }

void send_print_trial(const struct send_trial *t, enum send_verdict verdict)
{
    const struct send_mistake *m = t->mistake;
    struct sp_view rest = sp_buf_view(&t->got), line;
    enum reference_lang lang = t->plan->lang;
    printf("%s: %s (RFC %s)\n", m->name, reference_in(&m->text, lang), m->rfc);
    printf("   %s %s%s%s\n", lang == REFERENCE_VI ? "mong đợi:" : "expected:", or_nothing(m->good),
           m->allowed[0] ? lang == REFERENCE_VI ? "; cho phép: " : "; allowed: " : "", m->allowed);
    while (sp_view_word(&rest, '\n', &line)) {
        fputs("   S: ", stdout);
        send_write_clean(stdout, line);
        putchar('\n');
    }
    if (t->why.len > 0) {
        fputs("   -- ", stdout);
        send_write_clean(stdout, sp_buf_view(&t->why));
        putchar('\n');
    }
    printf("=> %s: %s\n", m->name, reference_in(&verdicts[verdict].text, lang));
}

json_t *send_json_trial(const struct send_trial *t, enum send_verdict verdict)
{
    const struct send_mistake *m = t->mistake;
    struct sp_view rest = sp_buf_view(&t->got), line;
    json_t *replies = json_array();
    while (sp_view_word(&rest, '\n', &line))
        json_array_append_new(replies, send_json_text(line));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s}", "name", m->name, "what",
                     reference_in(&m->text, t->plan->lang), "rfc", m->rfc, "expected", m->good, "allowed",
                     m->allowed, "replies", replies, "ended",
                     t->why.len ? send_json_text(sp_buf_view(&t->why)) : json_null(), "verdict",
                     verdicts[verdict].id);
}
