/* What was found, as a page and as one line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/page.h"
#include "cli/probe/probe.h"
#include "os/heap.h"

/* NAME, English, Vietnamese. */
#define WORDS(X)                                                                                             \
    X(DOMAIN, "Domain", "Tên miền")                                                                          \
    X(PORT, "Port", "Cổng")                                                                                  \
    X(FOR_ANY, "", "")                                                                                       \
    X(FOR_MX, "mail from other servers", "thư từ server khác")                                               \
    X(FOR_SUBMISSION, "submission", "gửi thư")                                                               \
    X(FOR_SUBMISSIONS, "submission, TLS from the first octet", "gửi thư, TLS từ octet đầu tiên")             \
    X(SETTINGS, "Ready settings", "Thiết lập sẵn dùng")                                                      \
    X(VERDICT, "Verdict:", "Kết luận:")                                                                      \
    X(FINE, "all is well", "mọi thứ đều tốt")                                                                \
    X(UNREACHABLE, "not reachable", "không tới được")                                                        \
    X(FAULTS, "faults", "lỗi")                                                                               \
    X(WARNINGS, "warnings", "cảnh báo")                                                                      \
    X(NOTES, "notes", "ghi chú")

#define X(n, en, vi) WORD_##n,
enum word { WORDS(X) WORD_N };
#undef X

#define X(n, en, vi) {en, vi},
static const struct reference_text words[WORD_N] = {WORDS(X)};
#undef X

#define X(n, word, en, vi) {en, vi},
static const struct reference_text levels[PROBE_LEVEL_N] = {PROBE_LEVELS(X)};
#undef X

static const char *word(enum word w, enum reference_lang lang) { return reference_in(&words[w], lang); }

/* --- findings ---------------------------------------------------------------------------------- */

static const char *colour_of(enum probe_level level)
{
    static const char *const colours[] = {"\033[32m", "\033[2m", "\033[33m", "\033[31m"};
    return colours[level];
}

static size_t label_columns(enum reference_lang lang)
{
    size_t widest = 0;
    for (size_t i = 0; i < PROBE_LEVEL_N; i++) {
        size_t n = cli_columns(reference_in(&levels[i], lang));
        widest = n > widest ? n : widest;
    }
    return widest;
}

static void print_lines(struct cli_page *page, size_t indent, const char *label, const char *escape,
                        const char *text)
{
    struct cli_lines lines = {NULL, 0};
    size_t room = page->width > indent + 20 ? page->width - indent : 20;
    cli_wrap(&lines, text, (struct cli_wrap){.width = room, .markup = true, .colour = page->colour});
    for (size_t i = 0; i < lines.n; i++) {
        if (i == 0 && label)
            fprintf(page->to, "  %s%s%s%*s%s\n", page->colour ? escape : "", label,
                    page->colour ? "\033[0m" : "", (int)(indent - 2 - cli_columns(label)), "",
                    lines.line[i].bytes);
        else
            fprintf(page->to, "%*s%s\n", (int)indent, "", lines.line[i].bytes);
    }
    cli_lines_free(&lines);
    page->begun = true;
}

static void show_finding(struct cli_page *page, const struct probe_finding *f, enum reference_lang lang)
{
    char *text = probe_text(f, lang), *fix = probe_fix(f, lang), *whole = NULL;
    const char *const *rfc = probe_kind(f->id)->rfc;
    size_t indent = 2 + label_columns(lang) + 2;
    bool cites = f->level >= PROBE_LEVEL_NOTE && *rfc;
    if (asprintf(&whole, "%s%s%s%s", text, cites ? " (RFC " : "", cites ? *rfc : "", cites ? ")" : "") < 0)
        abort();
    print_lines(page, indent, reference_in(&levels[f->level], lang), colour_of(f->level), whole);
    if (fix) {
        free(whole);
        if (asprintf(&whole, "-> %s", fix) < 0)
            abort();
        print_lines(page, indent, NULL, "", whole);
    }
    free(whole);
    free(text);
    free(fix);
}

static void show_findings(struct cli_page *page, const struct probe_findings *f, enum reference_lang lang)
{
    for (int level = PROBE_LEVEL_FAULT; level >= PROBE_LEVEL_OK; level--)
        for (size_t i = 0; i < f->n; i++)
            if ((int)f->list[i].level == level)
                show_finding(page, &f->list[i], lang);
}

/* --- a target -------------------------------------------------------------------------------------- */

static void show_port(struct cli_page *page, const struct probe_port *p, enum reference_lang lang)
{
    char title[300];
    const char *what = word((enum word)(WORD_FOR_ANY + (int)p->role), lang);
    snprintf(title, sizeof title, "%s %u%s%s%s%s%s", word(WORD_PORT, lang), p->number, *what ? ": " : "",
             what, p->reached ? " [" : "", p->reached ? p->remote : "", p->reached ? "]" : "");
    cli_page_heading(page, title);
    show_findings(page, &p->findings, lang);
}

static void show_settings(struct cli_page *page, const struct probe_plan *plan, const struct probe_result *r)
{
    const struct probe_host *host = NULL;
    const struct probe_port *port = probe_best_port(r, &host);
    if (!port || !plan->settings)
        return;
    cli_page_heading(page, word(WORD_SETTINGS, plan->lang));
    for (int i = 0; i < PROBE_CLIENT_N; i++) {
        char *text = probe_settings(plan, host, port, (enum probe_client)i), *rest = text, *line;
        fprintf(page->to, "%s  # %s\n", i ? "\n" : "", probe_client_title((enum probe_client)i));
        while ((line = strsep(&rest, "\n")) && *line)
            fprintf(page->to, "  %s\n", line);
        free(text);
    }
}

static void count_text(const struct probe_count *c, enum reference_lang lang, char *text, size_t size)
{
    static const struct {
        enum probe_level level;
        enum word word;
    } parts[] = {{PROBE_LEVEL_FAULT, WORD_FAULTS},
                 {PROBE_LEVEL_WARNING, WORD_WARNINGS},
                 {PROBE_LEVEL_NOTE, WORD_NOTES}};
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (c->n[parts[i].level] > 0 && n < size) {
            const char *name = word(parts[i].word, lang);
            unsigned count = c->n[parts[i].level];
            int len = (int)strlen(name) - (count == 1 && lang == REFERENCE_EN);
            n += (size_t)snprintf(text + n, size - n, "%s%u %.*s", n ? ", " : "", count, len, name);
        }
}

static void verdict_text(const struct probe_count *c, enum reference_lang lang, char *text, size_t size)
{
    char counted[200];
    count_text(c, lang, counted, sizeof counted);
    const char *first = !c->reached ? word(WORD_UNREACHABLE, lang)
                        : c->n[PROBE_LEVEL_FAULT] == 0 && c->n[PROBE_LEVEL_WARNING] == 0
                            ? word(WORD_FINE, lang)
                            : "";
    snprintf(text, size, "%s%s%s", first, *first && counted[0] ? "; " : "", counted);
}

static void show_result(const struct probe_plan *plan, const struct probe_result *r)
{
    struct cli_page page;
    char verdict[400];
    struct probe_count count = probe_count(r);
    cli_page_init(&page, stdout);
    if (r->is_domain) {
        cli_page_title(&page, r->target->host, word(WORD_DOMAIN, plan->lang));
        show_findings(&page, &r->findings, plan->lang);
    }
    for (size_t i = 0; i < r->host_n; i++) {
        const struct probe_host *h = &r->hosts[i];
        cli_page_heading(&page, h->name);
        show_findings(&page, &h->findings, plan->lang);
        for (size_t k = 0; k < h->port_n; k++)
            show_port(&page, &h->ports[k], plan->lang);
    }
    show_settings(&page, plan, r);
    verdict_text(&count, plan->lang, verdict, sizeof verdict);
    cli_page_title(&page, word(WORD_VERDICT, plan->lang), verdict);
}

void probe_show(const struct probe_plan *plan, const struct probe_result *results, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            putchar('\n');
        show_result(plan, &results[i]);
        fflush(stdout);
    }
}

/* --- one line ---------------------------------------------------------------------------------------- */

static const struct probe_finding *worst_of(const struct probe_findings *f,
                                            const struct probe_finding *so_far)
{
    for (size_t i = 0; i < f->n; i++)
        if (!so_far || f->list[i].level > so_far->level)
            so_far = &f->list[i];
    return so_far;
}

static const struct probe_finding *worst(const struct probe_result *r)
{
    const struct probe_finding *w = worst_of(&r->findings, NULL);
    for (size_t i = 0; i < r->host_n; i++) {
        w = worst_of(&r->hosts[i].findings, w);
        for (size_t k = 0; k < r->hosts[i].port_n; k++)
            w = worst_of(&r->hosts[i].ports[k].findings, w);
    }
    return w;
}

/* As plugins of Nagios print it. */
void probe_show_brief(const struct probe_plan *plan, const struct probe_result *results, size_t n)
{
    static const char *const states[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
    for (size_t i = 0; i < n; i++) {
        const struct probe_result *r = &results[i];
        struct probe_count count = probe_count(r);
        const struct probe_finding *w = worst(r);
        char verdict[400];
        verdict_text(&count, plan->lang, verdict, sizeof verdict);
        char *text = w && w->level >= PROBE_LEVEL_WARNING ? probe_text(w, plan->lang) : NULL;
        enum probe_exit code = probe_exit_of(plan, &count);
        printf("SMTP %s: %s: %s%s%s\n", states[code], r->target->host, verdict, text ? "; " : "",
               text ? text : "");
        free(text);
    }
}
