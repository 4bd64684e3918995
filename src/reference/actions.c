/* What a refusal means for who delivers: which action, whether it judges, and how long it asks to wait. */
#include "base/view.h"
#include "reference/data.h"
#include "reference/reference.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, WAIT_MOST_S = 7 * DAY_S, DIGITS_MOST = 6 };

const struct reference_rule *reference_rules(size_t *n_out)
{
    *n_out = reference_data_rules_n;
    return reference_data_rules;
}

const struct reference_action_text *reference_action_text(enum reference_action action)
{
    bool known = action > REFERENCE_ACTION_NONE && action < REFERENCE_ACTION_N;
    return known ? &reference_data_actions[action] : NULL;
}

/* --- how long ------------------------------------------------------------------------------- */

/* Digits at *at as a number; false: there are none, or too many. */
static bool read_digits(struct sp_view text, size_t *at, uint32_t *n_out)
{
    size_t from = *at;
    uint32_t n = 0;
    for (; *at < text.len && sp_ascii_digit(text.p[*at]); ++*at) {
        if (*at - from == DIGITS_MOST)
            return false;
        n = n * 10 + (uint32_t)(text.p[*at] - '0');
    }
    *n_out = n;
    return *at > from;
}

static bool is_letter(uint8_t c)
{
    c = sp_ascii_lower(c);
    return c >= 'a' && c <= 'z';
}

/* Seconds in the unit whose name stands at `at`; 0: no unit of time. */
static uint32_t unit_at(struct sp_view text, size_t at)
{
    static const struct {
        struct sp_view name;
        uint32_t s;
    } units[] = {
        {SP_LIT_INIT("s"), 1},
        {SP_LIT_INIT("sec"), 1},
        {SP_LIT_INIT("secs"), 1},
        {SP_LIT_INIT("second"), 1},
        {SP_LIT_INIT("seconds"), 1},
        {SP_LIT_INIT("min"), MINUTE_S},
        {SP_LIT_INIT("mins"), MINUTE_S},
        {SP_LIT_INIT("minute"), MINUTE_S},
        {SP_LIT_INIT("minutes"), MINUTE_S},
        {SP_LIT_INIT("h"), HOUR_S},
        {SP_LIT_INIT("hr"), HOUR_S},
        {SP_LIT_INIT("hrs"), HOUR_S},
        {SP_LIT_INIT("hour"), HOUR_S},
        {SP_LIT_INIT("hours"), HOUR_S},
        {SP_LIT_INIT("day"), DAY_S},
        {SP_LIT_INIT("days"), DAY_S},
    };
    size_t end = at;
    while (end < text.len && is_letter(text.p[end]))
        end++;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (sp_view_eq_nocase(sp_view_sub(text, at, end - at), units[i].name))
            return units[i].s;
    return 0;
}

/* "300 seconds", "5min", "00:04:59", "04:59" at `at`, in seconds; 0: no time. */
static uint64_t time_at(struct sp_view text, size_t at)
{
    uint32_t n;
    if (!read_digits(text, &at, &n))
        return 0;
    if (at < text.len && text.p[at] == ':') {
        uint64_t all = n;
        while (at < text.len && text.p[at] == ':') {
            at++;
            if (!read_digits(text, &at, &n) || n >= 60 || all > WAIT_MOST_S)
                return 0;
            all = all * 60 + n;
        }
        return all;
    }
    while (at < text.len && (text.p[at] == ' ' || text.p[at] == '-'))
        at++;
    return (uint64_t)n * unit_at(text, at);
}

/* What stands in front of a time that is to be waited for. */
static bool is_cue(struct sp_view word)
{
    static const struct sp_view cues[] = {SP_LIT_INIT("in"),     SP_LIT_INIT("after"), SP_LIT_INIT("for"),
                                          SP_LIT_INIT("within"), SP_LIT_INIT("wait"),  SP_LIT_INIT("least")};
    for (size_t i = 0; i < sizeof cues / sizeof *cues; i++)
        if (sp_view_eq_nocase(word, cues[i]))
            return true;
    return false;
}

/* The first time behind such a word: "try again in 300 seconds", "come back in 00:04:59". */
static uint32_t read_wait(struct sp_view text)
{
    for (size_t at = 0; at < text.len;) {
        size_t from = at;
        while (at < text.len && is_letter(text.p[at]))
            at++;
        struct sp_view word = sp_view_sub(text, from, at - from);
        at += word.len == 0;
        bool whole = from == 0 || text.p[from - 1] == ' ' || text.p[from - 1] == '(';
        if (!whole || !is_cue(word))
            continue;
        while (at < text.len && text.p[at] == ' ')
            at++;
        uint64_t wait = time_at(text, at);
        if (wait > 0)
            return wait < WAIT_MOST_S ? (uint32_t)wait : WAIT_MOST_S;
    }
    return 0;
}

/* --- which action --------------------------------------------------------------------------- */

static bool has_code(const struct reference_rule *r, int code)
{
    for (const int *c = r->codes; *c; c++)
        if (*c == code || *c == code / 100)
            return true;
    return !*r->codes;
}

static bool has_text(const struct reference_rule *r, struct sp_view text)
{
    for (const char *const *t = r->texts; t && *t; t++)
        if (reference_text_holds(text, *t))
            return true;
    return !r->texts;
}

struct asked {
    int code;
    struct sp_view text;
    bool enhanced; /* it begins with e, of the code's class */
    struct reference_enhanced e;
};

/* But for the stage. */
static bool fits(const struct reference_rule *r, const struct asked *a)
{
    return has_code(r, a->code) &&
           (!r->ranges_n || (a->enhanced && reference_ranges_have(r->ranges, r->ranges_n, &a->e))) &&
           has_text(r, a->text);
}

/* A stage that is not known is that of none. */
static bool is_of(const struct reference_rule *r, enum reference_stage stage)
{
    return !r->stages || r->stages & 1u << stage;
}

static void read_rules(const struct asked *a, enum reference_stage stage, struct reference_advice *advice)
{
    bool judged = false;
    for (size_t i = 0; i < reference_data_rules_n && !(judged && advice->id); i++) {
        const struct reference_rule *r = &reference_data_rules[i];
        bool acts = !advice->id && r->action && is_of(r, stage);
        bool judges = !judged && r->judges;
        if (!(acts || judges) || !fits(r, a))
            continue;
        if (acts) {
            advice->action = r->action;
            advice->id = r->id;
        }
        if (judges)
            advice->judges = r->judges == REFERENCE_JUDGES_YES;
        judged = judged || judges;
    }
}

struct reference_advice reference_advise(int code, struct sp_view text, enum reference_stage stage)
{
    struct reference_advice advice = {.action = REFERENCE_ACTION_NONE};
    struct asked a = {.code = code, .text = text};
    size_t len;
    if (code / 100 != 4 && code / 100 != 5)
        return advice;
    a.enhanced = reference_enhanced_read(sp_view_trim(text), &a.e, &len) && a.e.class == code / 100;
    const struct reference_signature *s = reference_signature_find(code, text);
    if (s) {
        advice.action = s->action;
        advice.judges = s->judges;
        advice.id = s->id;
    } else {
        read_rules(&a, stage, &advice);
    }
    advice.wait_s = read_wait(text);
    return advice;
}
