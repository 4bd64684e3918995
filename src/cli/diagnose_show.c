#include "cli/diagnose_show.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "cli/page.h"

/* NAME, English, Vietnamese. */
#define WORDS(X)                                                                                             \
    X(FAILURE, "Failure", "Lỗi")                                                                             \
    X(NO_FAILURE, "No failure", "Không có lỗi")                                                              \
    X(UNDETERMINED, "Undetermined", "Chưa xác định được")                                                    \
    X(LINE, "The decisive line", "Dòng quyết định")                                                          \
    X(CAUSE, "Cause", "Nguyên nhân")                                                                         \
    X(FIX, "How to fix", "Cách khắc phục")                                                                   \
    X(TRANSCRIPT, "How it should look", "Trình tự đúng")                                                     \
    X(CHALLENGES, "Challenges, decoded", "Các thử thách, đã giải mã")                                        \
    X(ALSO, "Also seen, or what else it could be", "Cũng thấy, hoặc khả năng khác")                          \
    X(FACTS, "Facts", "Thông tin")                                                                           \
    X(CODES, "Codes", "Mã")                                                                                  \
    X(COMMAND, "Answers", "Trả lời cho")                                                                     \
    X(PROVIDER, "Who says it", "Ai nói")                                                                     \
    X(ID, "Diagnosis", "Chẩn đoán")                                                                          \
    X(CONFIDENCE, "Confidence", "Độ chắc chắn")                                                              \
    X(TIMES, "Times seen", "Số lần gặp")                                                                     \
    X(RFC, "Defined in", "Định nghĩa tại")                                                                   \
    X(READ, "Read", "Đã đọc")                                                                                \
    X(EMPTY, "(empty)", "(rỗng)")                                                                            \
    X(NOT_BASE64, "(not base64)", "(không phải base64)")

#define X(n, en, vi) WORD_##n,
enum word { WORDS(X) WORD_N };
#undef X

#define X(n, en, vi) {en, vi},
static const struct reference_text words[WORD_N] = {WORDS(X)};
#undef X

static const char *word(enum word w, enum reference_lang lang) { return reference_in(&words[w], lang); }

/* --- the page ------------------------------------------------------------------------------ */

static void show_quote(const struct diagnose_finding *f, enum reference_lang lang)
{
    if (f->line == 0)
        return;
    struct cli_page page;
    cli_page_init(&page, stdout);
    page.begun = true;
    cli_page_heading(&page, word(WORD_LINE, lang));
    struct cli_lines lines = {NULL, 0};
    cli_wrap(&lines, f->quote, (struct cli_wrap){.width = page.width - 10});
    for (size_t i = 0; i < lines.n; i++)
        if (i == 0)
            printf("  %6llu  %s\n", (unsigned long long)f->line, lines.line[i].bytes);
        else
            printf("          %s\n", lines.line[i].bytes);
    cli_lines_free(&lines);
}

static void show_challenges(struct cli_page *page, const struct diagnose_report *r, enum reference_lang lang)
{
    if (r->challenge_n == 0)
        return;
    cli_page_heading(page, word(WORD_CHALLENGES, lang));
    for (size_t i = 0; i < r->challenge_n; i++) {
        const struct diagnose_challenge *c = &r->challenges[i];
        const char *text = !c->valid       ? word(WORD_NOT_BASE64, lang)
                           : c->decoded[0] ? c->decoded
                                           : word(WORD_EMPTY, lang);
        printf("  %6llu  334 %.60s = %.120s\n", (unsigned long long)c->line, c->text, text);
    }
}

/* Whose words the decisive reply is made of, if the catalogue knows them; NULL: nobody's. */
static const struct reference_signature *signature_of(const struct diagnose_finding *f)
{
    const char *at = f->codes[0][0] ? strstr(f->quote, f->codes[0]) : NULL;
    size_t n = strlen(f->codes[0]);
    if (!at || (at[n] != ' ' && at[n] != '-'))
        return NULL;
    return reference_signature_find(atoi(f->codes[0]), sp_view_of(at + n + 1));
}

static void show_facts(struct cli_page *page, const struct diagnose_report *r, enum reference_lang lang)
{
    const struct diagnose_finding *f = &r->findings[0];
    const struct diagnose_cause *c = diagnose_cause(f->id);
    static const enum word labels[] = {WORD_CODES,      WORD_COMMAND, WORD_PROVIDER, WORD_ID,
                                       WORD_CONFIDENCE, WORD_TIMES,   WORD_RFC,      WORD_READ};
    char text[200];
    size_t widest = 0, used = 0;
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        size_t n = cli_columns(word(labels[i], lang));
        widest = n > widest ? n : widest;
    }
    cli_page_heading(page, word(WORD_FACTS, lang));
    snprintf(text, sizeof text, "%s %s", f->codes[0], f->codes[1]);
    if (f->codes[0][0])
        cli_page_fact(page, widest, word(WORD_CODES, lang), text);
    if (f->command[0])
        cli_page_fact(page, widest, word(WORD_COMMAND, lang), f->command);
    const struct reference_signature *signature = signature_of(f);
    snprintf(text, sizeof text, "%s: %s", signature ? signature->provider->name : "",
             signature ? reference_in(&signature->meaning, lang) : "");
    if (signature)
        cli_page_fact(page, widest, word(WORD_PROVIDER, lang), text);
    cli_page_fact(page, widest, word(WORD_ID, lang), c->id);
    snprintf(text, sizeof text, "%.0f %%", r->confidence * 100);
    cli_page_fact(page, widest, word(WORD_CONFIDENCE, lang), text);
    snprintf(text, sizeof text, "%llu", (unsigned long long)f->times);
    if (f->times > 1)
        cli_page_fact(page, widest, word(WORD_TIMES, lang), text);
    for (const char *const *rfc = c->rfc; *rfc && used < sizeof text; rfc++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%sRFC %s", used ? ", " : "", *rfc);
    if (used > 0)
        cli_page_fact(page, widest, word(WORD_RFC, lang), text);
    snprintf(text, sizeof text,
             lang == REFERENCE_VI ? "%llu dòng, %llu phiên, %llu thư được nhận"
                                  : "%llu lines, %llu conversations, %llu messages accepted",
             (unsigned long long)r->lines, (unsigned long long)r->sessions, (unsigned long long)r->delivered);
    cli_page_fact(page, widest, word(WORD_READ, lang), text);
}

static void show_also(struct cli_page *page, const struct diagnose_report *r, enum reference_lang lang)
{
    if (r->finding_n < 2)
        return;
    cli_page_heading(page, word(WORD_ALSO, lang));
    for (size_t i = 1; i < r->finding_n; i++) {
        const struct diagnose_finding *f = &r->findings[i];
        char text[400];
        int n =
            snprintf(text, sizeof text, "- %s (%s, %.0f %%", reference_in(&diagnose_cause(f->id)->name, lang),
                     diagnose_cause(f->id)->id, f->confidence * 100);
        if (f->line && f->line != r->findings[0].line)
            n += snprintf(text + n, sizeof text - (size_t)n, "; %s %llu",
                          lang == REFERENCE_VI ? "dòng" : "line", (unsigned long long)f->line);
        snprintf(text + n, sizeof text - (size_t)n, ")");
        cli_page_text(page, 2, text);
    }
}

void diagnose_show_page(const struct diagnose_report *r, const char *name, enum reference_lang lang)
{
    static const enum word verdicts[] = {WORD_FAILURE, WORD_NO_FAILURE, WORD_UNDETERMINED};
    const struct diagnose_finding *f = &r->findings[0];
    const struct diagnose_cause *c = diagnose_cause(f->id);
    struct cli_page page;
    char title[60];
    (void)name;
    snprintf(title, sizeof title, "%s:", word(verdicts[r->verdict], lang));
    cli_page_init(&page, stdout);
    cli_page_title(&page, title, reference_in(&c->name, lang));
    fflush(stdout);
    show_quote(f, lang);
    page.begun = true;
    cli_page_heading(&page, word(WORD_CAUSE, lang));
    cli_page_text(&page, 2, reference_in(&c->cause, lang));
    cli_page_heading(&page, word(WORD_FIX, lang));
    cli_page_text(&page, 2, reference_in(&c->fix, lang));
    if (c->transcript.n > 0) {
        cli_page_heading(&page, word(WORD_TRANSCRIPT, lang));
        cli_page_transcript(&page, 2, &c->transcript);
    }
    show_challenges(&page, r, lang);
    show_also(&page, r, lang);
    show_facts(&page, r, lang);
}

/* --- JSON ---------------------------------------------------------------------------------- */

static const char *verdict_name(enum diagnose_verdict v)
{
    return v == DIAGNOSE_FAILURE ? "failure" : v == DIAGNOSE_NO_FAILURE ? "no failure" : "undetermined";
}

static json_t *sure(json_t *value)
{
    if (!value)
        abort();
    return value;
}

static json_t *transcript(const struct reference_transcript *t)
{
    json_t *lines = sure(json_array());
    for (size_t i = 0; i < t->n; i++) {
        char from = t->lines[i].from;
        json_array_append_new(lines, sure(json_pack("{s:s, s:s}", "from",
                                                    from == 'S'   ? "server"
                                                    : from == 'C' ? "client"
                                                                  : "event",
                                                    "text", t->lines[i].text)));
    }
    return lines;
}

static json_t *finding(const struct diagnose_finding *f, const char *verdict, enum reference_lang lang)
{
    const struct diagnose_cause *c = diagnose_cause(f->id);
    json_t *codes = sure(json_array());
    for (size_t i = 0; i < DIAGNOSE_CODES_MAX && f->codes[i][0]; i++)
        json_array_append_new(codes, sure(json_string(f->codes[i])));
    json_t *o =
        sure(json_pack("{s:s, s:s, s:s, s:s}", "verdict", verdict, "cause", reference_in(&c->name, lang),
                       "id", c->id, "why", reference_in(&c->cause, lang)));
    json_object_set_new(o, "line", f->line ? json_integer((json_int_t)f->line) : json_null());
    json_object_set_new(o, "quote", f->line ? sure(json_string(f->quote)) : json_null());
    json_object_set_new(o, "fix", sure(json_string(reference_in(&c->fix, lang))));
    json_object_set_new(o, "codes", codes);
    json_object_set_new(o, "command", f->command[0] ? json_string(f->command) : json_null());
    json_object_set_new(o, "confidence", json_real((double)(int)(f->confidence * 1000 + 0.5) / 1000));
    json_object_set_new(o, "times", json_integer((json_int_t)f->times));
    json_object_set_new(o, "transcript", transcript(&c->transcript));
    return o;
}

static json_t *challenges(const struct diagnose_report *r)
{
    json_t *array = sure(json_array());
    for (size_t i = 0; i < r->challenge_n; i++) {
        const struct diagnose_challenge *c = &r->challenges[i];
        json_array_append_new(array,
                              sure(json_pack("{s:I, s:s, s:o}", "line", (json_int_t)c->line, "text", c->text,
                                             "decoded", c->valid ? json_string(c->decoded) : json_null())));
    }
    return array;
}

json_t *diagnose_json(const struct diagnose_report *r, enum reference_lang lang)
{
    json_t *o = finding(&r->findings[0], verdict_name(r->verdict), lang), *also = sure(json_array());
    for (size_t i = 1; i < r->finding_n; i++) {
        json_t *one = finding(&r->findings[i], "failure", lang);
        json_object_set_new(one, "also", json_array());
        json_array_append_new(also, one);
    }
    json_object_set_new(o, "also", also);
    json_object_set_new(o, "challenges", challenges(r));
    json_object_set_new(o, "lines", json_integer((json_int_t)r->lines));
    json_object_set_new(o, "sessions", json_integer((json_int_t)r->sessions));
    return o;
}

void diagnose_show_json(const struct diagnose_report *r, enum reference_lang lang)
{
    json_t *o = diagnose_json(r, lang);
    if (json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(3)) == 0)
        fputc('\n', stdout);
    json_decref(o);
}
