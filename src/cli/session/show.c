/*
 * `sallyport session show`: the conversation with times, each refusal explained, what the role auth knew of
 * each AUTH, and what went wrong first. The verdict is that of `sallyport diagnose` on the text above it.
 */
#include "cli/session/told.h"

#include "base/view.h"
#include "cli/diagnose_show.h"
#include "cli/queue/mail.h"
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
    struct session_matching m = {.told = told};
    struct sp_view rest = told->lines;
    for (struct session_line l; session_next_line(&rest, &l);) {
        print_view(p, l.whole);
        putc('\n', p->to);
        const char *means = session_meaning_of(&l, p->lang);
        const struct ipc_session_attempt *a = session_attempt_at(&m, &l);
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
        session_print_json(told, report, lang);
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
    code = session_store_ask(s, &m, session_take_told, told, &done);
    if (code == EX_OK)
        code = session_fault_of(&done, word);
    if (code == EX_OK && told->there)
        show_told(told, json, lang);
    sp_arena_reset(&told->memory);
    free(told);
    return code;
}
