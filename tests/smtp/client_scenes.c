/*
 * Run the scenes of tests/scenes-client (their form: its README.md) against the client engine:
 *
 *     client-scenes FILE...
 *
 * Each session is run whole, and again with the server's octets fed one by one.
 */
#include "client_harness.h"

#include "base/buf.h"
#include "base/view.h"

#include <string.h>

enum { LINE = 4096, RECIPIENTS = 8, FACTS = 64, FACT = 400 };

struct scene {
    const char *file;
    unsigned line_number;
    size_t cut;
    struct sp_client_options options;
    struct limited heap;
    struct sp_allocator alloc;
    struct sp_client *s;
    struct sp_client_mail mail;
    struct sp_view recipients[RECIPIENTS];
    struct sp_rcpt_parameters asked[RECIPIENTS];
    char words[LINE]; /* what mail and recipients point to */
    char facts[FACTS][FACT];
    size_t fact_n, fact_at;
    struct sp_buf sent;
    bool opened, implicit_tls;
    char fault[LINE + 200];
};

static void fault(struct scene *sc, const char *what, const char *got)
{
    if (!sc->fault[0])
        snprintf(sc->fault, sizeof sc->fault, "%s:%u: %s: %s", sc->file, sc->line_number, what, got);
}

/* \r \n \0 \t \\ \xHH */
static size_t unescape(const char *text, char *out)
{
    size_t n = 0;
    for (; *text; text++) {
        if (*text != '\\') {
            out[n++] = *text;
            continue;
        }
        switch (*++text) {
        case 'r':
            out[n++] = '\r';
            break;
        case 'n':
            out[n++] = '\n';
            break;
        case 't':
            out[n++] = '\t';
            break;
        case '0':
            out[n++] = '\0';
            break;
        case 'x': {
            char digits[3] = {text[1], text[1] ? text[2] : 0, 0};
            out[n++] = (char)strtoul(digits, NULL, 16);
            text += strlen(digits);
            break;
        }
        default:
            out[n++] = *text;
        }
    }
    return n;
}

/* --- what the session says ------------------------------------------------------------------- */

static const char *one_line(struct sp_view v)
{
    static char text[300];
    snprintf(text, sizeof text, "%.*s", (int)(v.len < 299 ? v.len : 299), (const char *)v.p);
    return text;
}

static void note(struct scene *sc, const char *text, const char *more, const char *most)
{
    if (sc->fact_n == FACTS)
        fault(sc, "too many facts", text);
    else
        snprintf(sc->facts[sc->fact_n++], FACT, "%s%s%s", text, more, most);
}

static const char *reply_text(const struct sp_client_reply *r)
{
    static char text[340];
    if (r->code > 0)
        snprintf(text, sizeof text, "%d %s", r->code, one_line(r->text));
    else
        snprintf(text, sizeof text, "%s", one_line(r->text));
    return text;
}

static void note_outcome(struct scene *sc, const struct sp_client_event *e)
{
    char head[FACT];
    size_t i = e->as.outcome.recipient;
    snprintf(head, sizeof head, "outcome %s %s: ", one_line(sc->recipients[i]),
             sp_client_fate_name(e->as.outcome.fate));
    note(sc, head, reply_text(&e->as.outcome.reply), "");
}

/* Take facts until a question, or nothing; returns which. */
static enum sp_client_event_type drain(struct scene *sc, struct sp_client_event *e)
{
    for (;;) {
        switch (sp_client_event(sc->s, e)) {
        case SP_CLIENT_OUTCOME:
            note_outcome(sc, e);
            break;
        case SP_CLIENT_MAIL_DONE:
            note(sc, "mail done", "", "");
            break;
        case SP_CLIENT_AUTH_DONE:
            note(sc, e->as.auth.ok ? "auth ok" : "auth failed", "", "");
            break;
        case SP_CLIENT_FAILED:
            note(sc, "failed: ", reply_text(&e->as.failed.reply), "");
            break;
        case SP_CLIENT_START_TLS:
            note(sc, "start tls", "", "");
            break;
        case SP_CLIENT_CLOSED:
            note(sc, "closed", "", "");
            return SP_CLIENT_CLOSED;
        case SP_CLIENT_REPLY:
        case SP_CLIENT_SENT:
            break;
        default:
            return e->type;
        }
    }
}

static enum sp_client_event_type settle(struct scene *sc)
{
    struct sp_client_event e;
    enum sp_client_event_type last = drain(sc, &e);
    for (struct sp_view out = sp_client_output(sc->s); out.len > 0; out = sp_client_output(sc->s)) {
        sp_buf_add(&sc->sent, out);
        sp_client_sent(sc->s, out.len, 0);
        last = drain(sc, &e);
    }
    return last;
}

/* --- lines of the scene ---------------------------------------------------------------------- */

static void say(struct scene *sc, const char *octets, size_t len)
{
    size_t used = 0;
    bool fed = false;
    for (size_t at = 0; at < len; at += used) {
        size_t n = sc->cut && sc->cut < len - at ? sc->cut : len - at;
        settle(sc);
        int status = sp_client_feed(sc->s, sp_view_make(octets + at, n), 0, &used);
        if (status == SP_ERR_CLOSED && fed)
            return; /* what is behind the end of it all is not read */
        if (status) {
            fault(sc, "the session takes no octets", octets + at);
            return;
        }
        fed = true;
        settle(sc);
    }
}

static void begin(struct scene *sc)
{
    if (sc->opened)
        return;
    sc->opened = true;
    if (sp_client_new(&sc->options, &sc->alloc, &sc->s) || sp_client_open(sc->s, sc->implicit_tls, 0))
        abort();
}

static void expect_line(struct scene *sc, const char *line)
{
    struct sp_view v = sp_buf_view(&sc->sent);
    size_t end = sp_view_find(v, '\n', 0);
    if (end == v.len || end == 0) {
        fault(sc, "the client sends nothing, but should", line);
        return;
    }
    char wanted[LINE];
    if (!sp_view_eq(sp_view_sub(v, 0, end - 1), sp_view_make(wanted, unescape(line, wanted))))
        fault(sc, "the client sends", one_line(sp_view_sub(v, 0, end - 1)));
    sp_buf_drop(&sc->sent, end + 1);
}

static void expect_fact(struct scene *sc, const char *line)
{
    static const char *const questions[] = {[SP_CLIENT_ASK_NEXT] = "ask next",
                                            [SP_CLIENT_ASK_ANSWER] = "ask answer",
                                            [SP_CLIENT_ASK_CONTENT] = "ask content"};
    if (strncmp(line, "ask ", 4) == 0) {
        enum sp_client_event_type now = settle(sc);
        bool question = now >= SP_CLIENT_ASK_NEXT && now <= SP_CLIENT_ASK_CONTENT;
        if (!question || strcmp(line, questions[now]) != 0)
            fault(sc, "the session does not ask this now", line);
        return;
    }
    const char *fact = sc->fact_at < sc->fact_n ? sc->facts[sc->fact_at++] : "nothing";
    size_t n = strlen(line);
    bool open_end = n >= 3 && strcmp(line + n - 3, "...") == 0;
    if (open_end ? strncmp(fact, line, n - 3) != 0 : strcmp(fact, line) != 0)
        fault(sc, "the session says", fact);
}

/* --- what the caller does ---------------------------------------------------------------------- */

static const char *value_of(const char *word, const char *name)
{
    size_t n = strlen(name);
    return strncmp(word, name, n) == 0 ? word + n : NULL;
}

/* Numbers of what MAIL and RCPT can ask; times are counted from the wall time 0. */
static bool ask(struct scene *sc, const char *word)
{
    struct sp_client_mail *m = &sc->mail;
    struct sp_mail_parameters *p = &m->parameters;
    const char *v;
    if ((v = value_of(word, "size=")))
        m->size = strtoul(v, NULL, 10);
    else if ((v = value_of(word, "chunk=")))
        m->chunk = (uint32_t)strtoul(v, NULL, 10);
    else if ((v = value_of(word, "until=")))
        m->until = *v == 'm' ? SP_CLIENT_UNTIL_MAIL : *v == 'r' ? SP_CLIENT_UNTIL_RCPT : SP_CLIENT_UNTIL_DATA;
    else if ((v = value_of(word, "ret=")))
        p->ret = *v == 'f' ? SP_RET_FULL : SP_RET_HDRS;
    else if ((v = value_of(word, "envid=")))
        p->envid = sp_view_of(v);
    else if ((v = value_of(word, "auth=")))
        p->auth = sp_view_of(v);
    else if ((v = value_of(word, "priority=")))
        p->priority = (int8_t)strtol(v, NULL, 10);
    else if ((v = value_of(word, "by=")))
        p->by_ms = strtol(v, NULL, 10) * 1000, p->by = strchr(v, 'R') ? SP_BY_RETURN : SP_BY_NOTIFY;
    else if ((v = value_of(word, "hold=")))
        p->hold_until_ms = strtol(v, NULL, 10) * 1000;
    else if ((v = value_of(word, "notify=")))
        sc->asked[sc->mail.recipient_n - 1].notify = (uint8_t)strtoul(v, NULL, 10);
    else if ((v = value_of(word, "orcpt=")))
        sc->asked[sc->mail.recipient_n - 1].orcpt = sp_view_of(v);
    else
        return false;
    return true;
}

static int give_mail(struct scene *sc, char *words)
{
    sc->mail = (struct sp_client_mail){.recipients = sc->recipients, .asked = sc->asked};
    memset(sc->asked, 0, sizeof sc->asked);
    snprintf(sc->words, sizeof sc->words, "%s", words);
    char *rest = sc->words, *word;
    for (bool first = true; (word = strsep(&rest, " ")); first = false) {
        if (first)
            sc->mail.sender = strcmp(word, "<>") == 0 ? SP_LIT("") : sp_view_of(word);
        else if (strcmp(word, "8bit") == 0)
            sc->mail.eight_bit = true;
        else if (strcmp(word, "binary") == 0)
            sc->mail.parameters.body = SP_BODY_BINARYMIME;
        else if (strcmp(word, "utf8-header") == 0)
            sc->mail.utf8_header = true;
        else if (strcmp(word, "requiretls") == 0)
            sc->mail.parameters.require_tls = true;
        else if (strcmp(word, "verified") == 0)
            sc->mail.verified = true;
        else if (!ask(sc, word) && sc->mail.recipient_n < RECIPIENTS)
            sc->recipients[sc->mail.recipient_n++] = sp_view_of(word);
    }
    return sp_client_mail(sc->s, &sc->mail, 0);
}

static int give_raw(struct scene *sc, char *words)
{
    char octets[LINE];
    unsigned replies = (unsigned)strtoul(words, &words, 10);
    return sp_client_raw(sc->s, sp_view_make(octets, unescape(words + (*words == ' '), octets)), replies, 0);
}

static int give_auth(struct scene *sc, char *words)
{
    char initial[LINE];
    char *space = strchr(words, ' ');
    size_t n = 0;
    if (space) {
        *space = '\0';
        if (strncmp(space + 1, "fill ", 5) == 0)
            memset(initial, 'a', n = strtoul(space + 6, NULL, 10));
        else
            n = unescape(space + 1, initial);
    }
    return sp_client_auth(sc->s, sp_view_of(words), space, sp_view_make(initial, n), 0);
}

static int give_content(struct scene *sc, const char *text)
{
    char octets[LINE];
    size_t used = 0, n = unescape(text, octets);
    int status = SP_OK;
    for (size_t at = 0; at < n && !status; at += used) { /* after a bare LF nothing more is taken */
        status = sp_client_content(sc->s, sp_view_make(octets + at, sc->cut ? 1 : n - at), &used);
        if (used == 0 && settle(sc) != SP_CLIENT_ASK_CONTENT)
            break;
    }
    return status == SP_ERR_MISUSE ? SP_OK : status;
}

static void act(struct scene *sc, char *line)
{
    char octets[LINE];
    char *rest = strchr(line, ' ') ? strchr(line, ' ') + 1 : line + strlen(line);
    int status = SP_OK;
    bool refused = strncmp(line, "refused ", 8) == 0;
    if (refused) {
        line += 8;
        rest = strchr(line, ' ') ? strchr(line, ' ') + 1 : line + strlen(line);
    }
    settle(sc);
    if (strncmp(line, "mail ", 5) == 0)
        status = give_mail(sc, rest);
    else if (strncmp(line, "auth ", 5) == 0)
        status = give_auth(sc, rest);
    else if (strncmp(line, "answer", 6) == 0)
        status = sp_client_answer(sc->s, sp_view_make(octets, unescape(rest, octets)), 0);
    else if (strncmp(line, "raw ", 4) == 0)
        status = give_raw(sc, rest);
    else if (strncmp(line, "xclient ", 8) == 0)
        status = sp_client_xclient(sc->s, sp_view_of(rest), 0);
    else if (strncmp(line, "unfit ", 6) == 0)
        status = sp_client_content_unfit(sc->s, "5.6.3", "it cannot be converted");
    else if (strcmp(line, "cancel") == 0)
        status = sp_client_cancel(sc->s, 0);
    else if (strncmp(line, "content ", 8) == 0)
        status = give_content(sc, rest);
    else if (strcmp(line, "end") == 0)
        status = sp_client_content_end(sc->s);
    else if (strcmp(line, "quit") == 0)
        status = sp_client_quit(sc->s, 0);
    else if (strcmp(line, "tls") == 0)
        status = sp_client_secured(sc->s, 0);
    else if (strcmp(line, "timeout") == 0)
        sp_client_tick(sc->s, sp_client_deadline(sc->s));
    else if (strncmp(line, "lost", 4) == 0)
        sp_client_eof(sc->s, sp_view_of(rest));
    else
        fault(sc, "no such action", line);
    if (refused != (status != SP_OK))
        fault(sc, refused ? "the session accepts this" : "the session refuses this", line);
    settle(sc);
}

static void take(struct scene *sc, char *line)
{
    char octets[LINE];
    begin(sc);
    if (strncmp(line, "S: ", 3) == 0) {
        strcat(line, "\r\n");
        say(sc, line + 3, strlen(line + 3));
    } else if (strncmp(line, "S! ", 3) == 0) {
        say(sc, octets, unescape(line + 3, octets));
    } else if (strncmp(line, "C:", 2) == 0) {
        expect_line(sc, line[2] ? line + 3 : "");
    } else if (strncmp(line, "= ", 2) == 0) {
        expect_fact(sc, line + 2);
    } else if (strncmp(line, "> ", 2) == 0) {
        act(sc, line + 2);
    } else {
        fault(sc, "no such line", line);
    }
}

/* --- files ----------------------------------------------------------------------------------- */

static void end(struct scene *sc)
{
    if (!sc->opened)
        return;
    settle(sc);
    if (sc->fact_at < sc->fact_n)
        fault(sc, "this was said and not expected", sc->facts[sc->fact_at]);
    if (sc->sent.len > 0)
        fault(sc, "this was sent and not expected", one_line(sp_buf_view(&sc->sent)));
    sp_client_free(sc->s);
    sp_buf_clear(&sc->sent);
    sc->s = NULL;
    sc->opened = false;
    sc->fact_n = sc->fact_at = 0;
    if (sc->heap.in_use != sc->sent.cap)
        fault(sc, "memory is left", "");
}

static bool yes(const char *value) { return strcmp(value, "yes") == 0; }

static void option(struct scene *sc, char *line)
{
    char *value = strstr(line, ": ");
    if (!value) {
        fault(sc, "no option", line);
        return;
    }
    *value = '\0';
    value += 2;
    if (strcmp(line, "tls") == 0)
        sc->options.tls = strcmp(value, "required") == 0        ? SP_CLIENT_TLS_REQUIRED
                          : strcmp(value, "opportunistic") == 0 ? SP_CLIENT_TLS_OPPORTUNISTIC
                                                                : SP_CLIENT_TLS_OFF;
    else if (strcmp(line, "protocol") == 0)
        sc->options.protocol = strcmp(value, "lmtp") == 0   ? SP_CLIENT_LMTP
                               : strcmp(value, "smtp") == 0 ? SP_CLIENT_SMTP
                                                            : SP_CLIENT_ESMTP;
    else if (strcmp(line, "greeting-only") == 0)
        sc->options.greeting_only = yes(value);
    else if (strcmp(line, "no-hello") == 0)
        sc->options.no_hello = yes(value);
    else if (strcmp(line, "auth-in-clear") == 0)
        sc->options.auth_in_clear = yes(value);
    else if (strcmp(line, "lf-replies") == 0)
        sc->options.lf_replies = yes(value);
    else if (strcmp(line, "fix-line-ends") == 0)
        sc->options.fix_line_ends = yes(value);
    else if (strcmp(line, "whole") == 0 && yes(value))
        sc->cut = 0;
    else if (strcmp(line, "implicit-tls") == 0)
        sc->implicit_tls = yes(value);
    else
        fault(sc, "no such option", line);
}

static void run(const char *file, size_t cut, unsigned number)
{
    struct scene sc = {.file = file, .cut = cut, .options = {.hello = SP_LIT("client.example")}};
    enum { PROSE, OPTIONS, SESSION } where = PROSE;
    char line[LINE + 4];
    FILE *in = fopen(file, "r");
    unsigned sessions = 0;
    sc.alloc = (struct sp_allocator){limited_resize, &sc.heap};
    sp_buf_init(&sc.sent, &sc.alloc, 1 << 20);
    while (in && fgets(line, LINE, in)) {
        sc.line_number++;
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "---") == 0 && where != SESSION) {
            where = where == OPTIONS ? PROSE : OPTIONS;
        } else if (strcmp(line, "```smtp") == 0) {
            where = SESSION;
            sessions++;
        } else if (strcmp(line, "```") == 0 && where == SESSION) {
            end(&sc);
            where = PROSE;
        } else if (where == OPTIONS) {
            option(&sc, line);
        } else if (where == SESSION && !sc.fault[0]) {
            take(&sc, line);
        }
    }
    if (!in || sessions == 0)
        fault(&sc, "no session in it", "");
    if (in)
        fclose(in);
    sp_client_free(sc.s);
    sp_buf_fini(&sc.sent);
    printf("%s %u - %s%s\n", sc.fault[0] ? "not ok" : "ok", number,
           strrchr(file, '/') ? strrchr(file, '/') + 1 : file, cut ? ", octet by octet" : "");
    if (sc.fault[0])
        printf("# %s\n", sc.fault);
}

int main(int argc, char **argv)
{
    printf("1..%d\n", (argc - 1) * 2);
    for (int i = 1; i < argc; i++)
        for (size_t cut = 0; cut <= 1; cut++)
            run(argv[i], cut, (unsigned)(2 * (i - 1) + (int)cut + 1));
    return 0;
}
