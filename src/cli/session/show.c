/*
 * `sallyport session show`: the conversation with times, each refusal explained, what the role auth knew of
 * each AUTH, and what went wrong first. The verdict is that of `sallyport diagnose` on the text above it.
 */
#include "cli/session/parts.h"

#include "base/view.h"
#include "cli/diagnose_show.h"
#include "cli/queue/mail.h"
#include "diagnose/trace.h"
#include "os/heap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* NAME, English, Vietnamese. */
#define WORDS(X)                                                                                             \
    X(CLIENT, "client", "client")                                                                            \
    X(PORT, "port", "cổng")                                                                                  \
    X(CALLED, "called itself", "tự xưng là")                                                                 \
    X(LISTENER, "listener", "điểm nghe")                                                                     \
    X(BEGAN, "began", "bắt đầu")                                                                             \
    X(LASTED, "lasted", "kéo dài")                                                                           \
    X(USER, "user", "người dùng")                                                                            \
    X(CAME, "came to", "kết quả")                                                                            \
    X(MAILS, "messages accepted", "số thư được nhận")                                                        \
    X(REFUSALS, "refusals", "số lần từ chối")                                                                \
    X(STEPS, "steps", "các bước")                                                                            \
    X(OFFERED, "offered without TLS", "được mời khi chưa có TLS")                                            \
    X(OFFERED_TLS, "with TLS", "khi có TLS")                                                                 \
    X(NOTHING, "nothing", "không có gì")                                                                     \
    X(SUCCEEDED, "succeeded", "thành công")

#define X(n, en, vi) WORD_##n,
enum word { WORDS(X) WORD_N };
#undef X

#define X(n, en, vi) {en, vi},
static const struct reference_text words[WORD_N] = {WORDS(X)};
#undef X

/* --- what was told -------------------------------------------------------------------------------- */

static struct sp_view copy(struct session_told *t, struct sp_view v)
{
    struct sp_view c = {0};
    if (v.len && sp_arena_copy(&t->memory, v, &c) != SP_OK)
        abort(); /* os_heap never says no */
    return c;
}

static void take_facts(struct session_told *t, const struct ipc_session_facts *facts)
{
    struct sp_view *const views[] = {&t->facts.client, &t->facts.listener, &t->facts.hello,
                                     &t->facts.user,   &t->facts.tls,      &t->facts.refusal};
    t->facts = *facts;
    t->there = true;
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        *views[i] = copy(t, *views[i]);
}

static void take_attempt(struct session_told *t, const struct ipc_session_attempt *attempt)
{
    if (t->attempt_n == SESSION_ATTEMPTS_MAX)
        return;
    struct ipc_session_attempt *a = &t->attempts[t->attempt_n++];
    struct sp_view *const views[] = {&a->mechanism, &a->user,  &a->reason,        &a->defect,
                                     &a->detail,    &a->steps, &a->offered_clear, &a->offered_tls};
    *a = *attempt;
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        *views[i] = copy(t, *views[i]);
}

static void take_told(void *ctx, const struct ipc_message *m)
{
    struct session_told *t = ctx;
    if (m->type == IPC_TYPE_session_facts)
        take_facts(t, &m->as.session_facts);
    else if (m->type == IPC_TYPE_session_lines)
        t->lines = copy(t, m->as.session_lines.lines);
    else if (m->type == IPC_TYPE_session_attempt)
        take_attempt(t, &m->as.session_attempt);
}

/* --- lines of a trace ----------------------------------------------------------------------------- */

struct line {
    struct sp_view whole, text;
    enum diagnose_trace_kind kind;
    uint64_t ms; /* since the beginning */
    int code;    /* of a reply's last line, else 0 */
};

static bool next_line(struct sp_view *rest, struct line *out)
{
    struct sp_view seconds;
    uint64_t s = 0, ms = 0;
    *out = (struct line){0};
    if (!sp_view_word(rest, '\n', &out->whole))
        return false;
    out->kind = diagnose_trace_read(out->whole, &out->text);
    seconds = sp_view_trim(out->whole);
    size_t dot = sp_view_find(seconds, '.', 0);
    if (sp_view_u64(sp_view_sub(seconds, 0, dot), UINT32_MAX, &s) == SP_OK &&
        sp_view_u64(sp_view_sub(seconds, dot + 1, 3), 999, &ms) == SP_OK)
        out->ms = s * 1000 + ms;
    uint64_t code = 0;
    bool last = out->text.len > 3 && out->text.p[3] == ' ';
    if (out->kind == DIAGNOSE_TRACE_SERVER && last &&
        sp_view_u64(sp_view_sub(out->text, 0, 3), 599, &code) == SP_OK)
        out->code = (int)code;
    return true;
}

/* What is said of a reply: refusals and challenges need it. NULL: nothing. */
static const char *meaning_of(const struct line *l, enum reference_lang lang)
{
    bool wanted = l->code == 334 || l->code >= 400;
    return wanted ? reference_explain(l->code, sp_view_from(l->text, 4), lang) : NULL;
}

/* Which attempt a reply ends: that of the AUTH before it, unless the engine refused it by itself. */
struct matching {
    const struct session_told *told;
    size_t next;
    bool in_auth;
};

static const struct ipc_session_attempt *attempt_at(struct matching *m, const struct line *l)
{
    enum { LATE_MS = 500 }; /* an exchange that was given up is told a moment after its reply */
    if (l->kind == DIAGNOSE_TRACE_CLIENT && sp_view_starts(l->text, SP_LIT("AUTH")))
        m->in_auth = true;
    bool closed = l->kind == DIAGNOSE_TRACE_CLOSED;
    bool over = closed || (l->code && l->code != 334);
    if (!m->in_auth || !over || m->next == m->told->attempt_n)
        return NULL;
    m->in_auth = false;
    const struct ipc_session_attempt *a = &m->told->attempts[m->next];
    bool engine = l->code == 503 || l->code == 504 || l->code == 530 || l->code == 538;
    if (engine || a->at_ms > m->told->facts.began_ms + l->ms + LATE_MS)
        return NULL;
    m->next++;
    return a;
}

/* --- for people ----------------------------------------------------------------------------------- */

struct page {
    FILE *to;
    enum reference_lang lang;
    bool dim; /* explanations stand back, on a terminal */
};

static const char *word(const struct page *p, enum word w) { return reference_in(&words[w], p->lang); }

static void print_view(const struct page *p, struct sp_view v) { queue_print_text(v, false, p->to); }

static void begin_aside(const struct page *p)
{
    fputs(p->dim ? "\033[2m           = " : "           = ", p->to);
}
static void end_aside(const struct page *p) { fputs(p->dim ? "\033[0m\n" : "\n", p->to); }

static void print_offered(const struct page *p, const struct ipc_session_attempt *a)
{
    struct sp_view none = sp_view_of(word(p, WORD_NOTHING));
    if (a->offered_clear.len + a->offered_tls.len == 0)
        return;
    begin_aside(p);
    fprintf(p->to, "%s: ", word(p, WORD_OFFERED));
    print_view(p, a->offered_clear.len ? a->offered_clear : none);
    fprintf(p->to, "; %s: ", word(p, WORD_OFFERED_TLS));
    print_view(p, a->offered_tls.len ? a->offered_tls : none);
    end_aside(p);
}

/* What was offered is the same for all attempts of a session. */
static void print_attempt(const struct page *p, const struct ipc_session_attempt *a, bool first)
{
    const struct sp_view parts[] = {a->reason.len ? a->reason : sp_view_of(word(p, WORD_SUCCEEDED)),
                                    a->defect, a->detail};
    begin_aside(p);
    print_view(p, a->mechanism);
    if (a->user.len) {
        fprintf(p->to, ", %s ", word(p, WORD_USER));
        print_view(p, a->user);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].len) {
            fputs(": ", p->to);
            print_view(p, parts[i]);
        }
    end_aside(p);
    if (a->steps.len) {
        begin_aside(p);
        fprintf(p->to, "%s: ", word(p, WORD_STEPS));
        print_view(p, a->steps);
        end_aside(p);
    }
    if (first && a->reason.len)
        print_offered(p, a);
}

static void print_fact(const struct page *p, const char *name, struct sp_view value, const char *more)
{
    fputs(name, p->to);
    for (size_t n = cli_columns(name); n < 14; n++)
        putc(' ', p->to);
    print_view(p, value);
    fputs(more, p->to);
    putc('\n', p->to);
}

static void print_facts(const struct page *p, const struct ipc_session_facts *f)
{
    char id[SESSION_ID_SIZE], began[SESSION_TIME_SIZE], more[128];
    session_id_text(f->session, id);
    session_time_text(f->began_ms, began);
    fprintf(p->to, "Sallyport trace 1: session %s\n", id);
    (void)snprintf(more, sizeof more, " %s %" PRIu32, word(p, WORD_PORT), f->port);
    print_fact(p, word(p, WORD_CLIENT), f->client, more);
    if (f->hello.len)
        print_fact(p, word(p, WORD_CALLED), f->hello, "");
    print_fact(p, word(p, WORD_LISTENER), f->listener, "");
    (void)snprintf(more, sizeof more, ", %s %" PRIu64 ".%03u s", word(p, WORD_LASTED), f->lasted_ms / 1000,
                   (unsigned)(f->lasted_ms % 1000));
    print_fact(p, word(p, WORD_BEGAN), sp_view_of(began), more);
    if (f->tls.len)
        print_fact(p, "TLS", f->tls, "");
    if (f->user.len)
        print_fact(p, word(p, WORD_USER), f->user, "");
    (void)snprintf(more, sizeof more, "%s %" PRIu32 ", %s %" PRIu32, word(p, WORD_MAILS), f->mails,
                   word(p, WORD_REFUSALS), f->refusals);
    print_fact(p, word(p, WORD_CAME), (struct sp_view){0}, more);
}

static void print_talk(const struct page *p, const struct session_told *told)
{
    struct matching m = {.told = told};
    struct sp_view rest = told->lines;
    for (struct line l; next_line(&rest, &l);) {
        print_view(p, l.whole);
        putc('\n', p->to);
        const char *means = meaning_of(&l, p->lang);
        const struct ipc_session_attempt *a = attempt_at(&m, &l);
        if (means) {
            begin_aside(p);
            fputs(means, p->to);
            end_aside(p);
        }
        if (a)
            print_attempt(p, a, a == told->attempts);
    }
    for (; m.next < told->attempt_n; m.next++)
        print_attempt(p, &told->attempts[m.next], m.next == 0);
}

/* The page up to the verdict; owned by the caller. */
static char *page_of(const struct session_told *told, enum reference_lang lang, bool dim, size_t *len_out)
{
    char *text = NULL;
    struct page p = {.to = open_memstream(&text, len_out), .lang = lang, .dim = dim};
    if (!p.to)
        abort();
    print_facts(&p, &told->facts);
    putc('\n', p.to);
    print_talk(&p, told);
    putc('\n', p.to);
    if (fclose(p.to) != 0)
        abort();
    return text;
}

/* --- JSON ----------------------------------------------------------------------------------------- */

static const char *from_of(enum diagnose_trace_kind kind)
{
    return kind == DIAGNOSE_TRACE_CLIENT ? "client" : kind == DIAGNOSE_TRACE_SERVER ? "server" : "event";
}

static json_t *talk_json(const struct session_told *told, enum reference_lang lang)
{
    json_t *talk = json_array();
    struct sp_view rest = told->lines;
    for (struct line l; next_line(&rest, &l);) {
        bool odd = l.kind == DIAGNOSE_TRACE_NOT; /* the gap, which has no time */
        json_t *o =
            json_pack("{s:o, s:s, s:o}", "at_ms", odd ? json_null() : json_integer((json_int_t)l.ms), "from",
                      from_of(l.kind), "text", queue_json_text(odd ? sp_view_trim(l.whole) : l.text));
        const char *means = meaning_of(&l, lang);
        if (means)
            json_object_set_new(o, "means", json_string(means));
        json_array_append_new(talk, o);
    }
    return talk;
}

static json_t *attempts_json(const struct session_told *told)
{
    json_t *all = json_array();
    for (size_t i = 0; i < told->attempt_n; i++) {
        const struct ipc_session_attempt *a = &told->attempts[i];
        const struct {
            const char *name;
            struct sp_view value;
        } texts[] = {{"reason", a->reason},
                     {"defect", a->defect},
                     {"detail", a->detail},
                     {"steps", a->steps},
                     {"offered_clear", a->offered_clear},
                     {"offered_tls", a->offered_tls}};
        int64_t at_ms = (int64_t)a->at_ms - (int64_t)told->facts.began_ms;
        json_t *o = json_pack("{s:I, s:o, s:o, s:b}", "at_ms", (json_int_t)(at_ms > 0 ? at_ms : 0),
                              "mechanism", queue_json_text(a->mechanism), "user",
                              a->user.len ? queue_json_text(a->user) : json_null(), "tls", a->tls != 0);
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            json_object_set_new(o, texts[k].name,
                                texts[k].value.len ? queue_json_text(texts[k].value) : json_null());
        json_array_append_new(all, o);
    }
    return all;
}

static void print_json(const struct session_told *told, const struct diagnose_report *report,
                       enum reference_lang lang)
{
    json_t *o = session_facts_json(&told->facts);
    json_object_set_new(o, "talk", talk_json(told, lang));
    json_object_set_new(o, "attempts", attempts_json(told));
    json_object_set_new(o, "diagnosis", diagnose_json(report, lang));
    cli_json_print(o);
}

/* --- show ----------------------------------------------------------------------------------------- */

static void show_told(const struct session_told *told, bool json, enum reference_lang lang)
{
    struct cli_page page;
    size_t len = 0;
    cli_page_init(&page, stdout);
    char *text = page_of(told, lang, page.colour && !json, &len);
    struct diagnose *d = diagnose_new();
    diagnose_feed(d, sp_view_make(text, len));
    const struct diagnose_report *report = diagnose_end(d);
    if (json) {
        print_json(told, report, lang);
    } else {
        (void)fwrite(text, 1, len, stdout); /* failures show at the end */
        diagnose_show_page(report, "-", lang);
    }
    diagnose_free(d);
    free(text);
}

int session_show(struct session_store *s, const char *word, bool json, enum reference_lang lang)
{
    struct ipc_session_done done = {0};
    uint64_t id = 0;
    int code = session_parse_id(word, &id);
    if (code != EX_OK)
        return code;
    struct session_told *told = os_new(sizeof *told);
    sp_arena_init(&told->memory, &os_heap, SIZE_MAX);
    struct ipc_message m = {.type = IPC_TYPE_session_show, .as.session_show = {id}};
    code = session_store_ask(s, &m, take_told, told, &done);
    if (code == EX_OK)
        code = session_fault_of(&done, word);
    if (code == EX_OK && told->there)
        show_told(told, json, lang);
    sp_arena_reset(&told->memory);
    free(told);
    return code;
}
