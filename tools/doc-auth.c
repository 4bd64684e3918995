/*
 * Write what docs/auth.md shows of the running program, and the picture docs/auth-exchange.svg, or with --check say whether
 * they are up to date:
 *
 *     doc-auth [--check] docs
 *
 * The page's words are written by hand. Between "<!-- made: NAME -->" and "<!-- made -->" stands what is written here:
 * exchanges between our client and our server, each step decoded, and the tables of what can be wrong.
 */
#include "base/base64.h"
#include "base/view.h"
#include "os/heap.h"
#include "roles/auth/record.h"
#include "roles/smtpd/refusals.h"
#include "sallyport/smtp_server.h"
#include "sasl/client.h"
#include "sasl/cram_md5.h"
#include "sasl/mechanism.h"
#include "sasl/names.h"
#include "sasl/scram.h"
#include "sasl/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the exchanges ------------------------------------------------------------------------ */

/* Users and secrets of RFC 5802, RFC 2195 and RFC 7628, so that everybody can compare. */
static const struct show {
    const char *name, *mechanism, *user, *password;
    bool token;
    const char *line; /* typed instead of what our client would say; NULL: our client speaks */
} shows[] = {
    {"PLAIN", "PLAIN", "user", "pencil", false, NULL},
    {"LOGIN", "LOGIN", "user", "pencil", false, NULL},
    {"SCRAM-SHA-256", "SCRAM-SHA-256", "user", "pencil", false, NULL},
    {"SCRAM-SHA-1", "SCRAM-SHA-1", "user", "pencil", false, NULL},
    {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256-PLUS", "user", "pencil", false, NULL},
    {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1-PLUS", "user", "pencil", false, NULL},
    {"CRAM-MD5", "CRAM-MD5", "user", "pencil", false, NULL},
    {"OAUTHBEARER", "OAUTHBEARER", "user@example.com", "good.token", true, NULL},
    {"XOAUTH2 refused", "XOAUTH2", "user@example.com", "old.token", true, NULL},
    {"EXTERNAL", "EXTERNAL", "user", NULL, false, NULL},
    {"wrong password", "PLAIN", "user", "pensil", false, NULL},
    {"user-colon-password", "PLAIN", "", "", false, "AUTH PLAIN dXNlcjpwZW5jaWw="},
};
enum { SHOW_N = sizeof shows / sizeof *shows };

static struct sasl_verifier verifier;

static void demand(bool fact)
{
    if (!fact)
        abort();
}

static void make_verifier(void)
{
    verifier.iterations = SASL_ITERATIONS;
    demand(sp_base64_decode(SP_LIT("W22ZaJ0SNY7soEsUEjb6gQ=="), verifier.salt, &verifier.salt_len) == SP_OK);
    demand(sasl_verifier_remake(SP_LIT("pencil"), &verifier) == SP_OK);
    sasl_cram_derive(SP_LIT("pencil"), verifier.cram);
    verifier.has_cram = true;
}

static enum sasl_server_state settle(struct sasl_server *s, enum sasl_server_state at)
{
    bool known = sp_view_eq(sasl_server_user(s), SP_LIT("user"));
    switch (at) {
    case SASL_SERVER_ASK_PASSWORD:
        return sasl_server_password_is(s, known && sp_view_eq(sasl_server_password(s), SP_LIT("pencil")));
    case SASL_SERVER_ASK_VERIFIER:
        return sasl_server_give_verifier(s, &verifier, known);
    case SASL_SERVER_ASK_TOKEN:
        return sasl_server_token_is(s, sp_view_eq(sasl_server_password(s), SP_LIT("good.token")) ? SP_LIT("user@example.com") : SP_LIT(""),
                                    strcmp(sasl_server_mechanism(s), "XOAUTH2") == 0
                                        ? SP_LIT("{\"status\":\"401\",\"schemes\":\"bearer\"}")
                                        : SP_LIT("{\"status\":\"invalid_token\"}"));
    case SASL_SERVER_ASK_EXTERNAL:
        return sasl_server_external_is(s, SP_LIT("user"));
    default:
        return at;
    }
}

/* One line over the wire. */
struct line {
    bool client;
    char text[512];
    char meaning[512];
};

struct talk {
    const struct show *show;
    struct line lines[16];
    size_t n;
    struct sp_server *engine;
    struct sasl_server *sasl;
    struct sasl_client *client;
    struct auth_record record;
};

/* Octets as a person reads them; what is not printable by its name. */
static void describe(struct sp_view v, char *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < v.len && n + 8 < max; i++) {
        if (v.p[i] == 0)
            n += (size_t)snprintf(out + n, max - n, "<NUL>");
        else if (v.p[i] < ' ' || v.p[i] == 0x7f)
            n += (size_t)snprintf(out + n, max - n, "^%c", v.p[i] ^ 0x40);
        else
            out[n++] = (char)v.p[i];
    }
    out[n] = '\0';
    if (v.len == 0)
        (void)snprintf(out, max, "(nothing)");
}

static struct line *add_line(struct talk *t, bool client, struct sp_view text)
{
    demand(t->n < sizeof t->lines / sizeof *t->lines);
    struct line *l = &t->lines[t->n++];
    *l = (struct line){.client = client};
    (void)snprintf(l->text, sizeof l->text, "%.*s", (int)text.len, (const char *)text.p);
    return l;
}

/* What the engine has said, line for line; a 334 is decoded. Nothing is kept of it when `quiet`. */
static void take_output(struct talk *t, bool quiet)
{
    struct sp_view out = sp_server_output(t->engine), rest = out, word;
    while (!quiet && sp_view_word(&rest, '\n', &word)) {
        word = sp_view_trim(sp_view_sub(word, 0, sp_view_find(word, '\r', 0)));
        struct line *l = add_line(t, false, word);
        uint8_t decoded[1024];
        size_t len = 0;
        if (sp_view_starts(word, SP_LIT("334")) &&
            sp_base64_decode(sp_view_from(word, word.len > 4 ? 4 : word.len), decoded, &len) == SP_OK)
            describe(sp_view_make(decoded, len), l->meaning, sizeof l->meaning);
    }
    sp_server_sent(t->engine, out.len);
}

static const struct sp_refusal *refusal_of(enum sasl_fault fault)
{
    enum sasl_fault_class c = sasl_fault_class(fault);
    return smtpd_refusal(c == SASL_GRAMMAR ? SMTPD_AUTH_MALFORMED : c == SASL_INITIAL ? SMTPD_AUTH_NO_INITIAL : SMTPD_AUTH_FAILED);
}

static void answer(struct talk *t, enum sasl_server_state at)
{
    while (at == SASL_SERVER_ASK_PASSWORD || at == SASL_SERVER_ASK_VERIFIER || at == SASL_SERVER_ASK_TOKEN ||
           at == SASL_SERVER_ASK_EXTERNAL)
        at = settle(t->sasl, at);
    if (at == SASL_SERVER_CHALLENGE) {
        auth_record_challenge(&t->record, sasl_server_challenge(t->sasl));
        demand(sp_server_more(t->engine, sasl_server_challenge(t->sasl)) == SP_OK);
    } else if (at == SASL_SERVER_YES) {
        demand(sp_server_yes(t->engine, (struct sp_view){0}) == SP_OK);
    } else {
        demand(sp_server_no(t->engine, refusal_of(sasl_server_fault(t->sasl))) == SP_OK);
    }
}

static void begin(struct talk *t, const struct sp_server_event *ev)
{
    static const struct sasl_binding binding = {{[SASL_BINDING_EXPORTER] = SP_LIT_INIT("the-exporter-of-this-connection.")}};
    demand(sasl_server_new(ev->as.auth.mechanism, &os_heap, &t->sasl) == SP_OK);
    demand(sasl_server_bind(t->sasl, &binding, strstr(t->show->mechanism, "-PLUS") != NULL) == SP_OK);
    scram_fix_nonce("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    if (ev->as.auth.has_initial)
        auth_record_initial(&t->record, ev->as.auth.initial);
    answer(t, sasl_server_start(t->sasl, ev->as.auth.has_initial, ev->as.auth.initial));
}

static void feed(struct talk *t, struct sp_view in)
{
    struct sp_server_event ev;
    size_t used;
    do {
        demand(sp_server_feed(t->engine, in, 0, &used) == SP_OK);
        in = sp_view_from(in, used);
        enum sp_server_event_type type = sp_server_event(t->engine, &ev);
        if (type == SP_SERVER_ASK_AUTH) {
            begin(t, &ev);
        } else if (type == SP_SERVER_ASK_ANSWER) {
            auth_record_response(&t->record, ev.as.answer);
            answer(t, sasl_server_step(t->sasl, ev.as.answer));
        } else if (type != SP_SERVER_NOTHING) {
            demand(sp_server_yes(t->engine, (struct sp_view){0}) == SP_OK);
        }
    } while (in.len > 0);
}

/* The client's line: `before` and, behind it, a response in base64. */
static void say(struct talk *t, const char *before, struct sp_view response)
{
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, 2048);
    sp_buf_add_str(&text, before);
    if (response.len == 0 && before[0])
        sp_buf_add_u8(&text, '='); /* an empty initial response, RFC 4954 4 */
    sp_buf_add_base64(&text, response);
    struct line *l = add_line(t, true, sp_buf_view(&text));
    describe(response, l->meaning, sizeof l->meaning);
    sp_buf_add_str(&text, "\r\n");
    feed(t, sp_buf_view(&text));
    sp_buf_fini(&text);
    take_output(t, false);
}

static bool is_asked(const struct talk *t)
{
    return t->n > 0 && !t->lines[t->n - 1].client && strncmp(t->lines[t->n - 1].text, "334", 3) == 0;
}

static void speak(struct talk *t)
{
    static const struct sasl_binding binding = {{[SASL_BINDING_EXPORTER] = SP_LIT_INIT("the-exporter-of-this-connection.")}};
    const struct show *w = t->show;
    const struct sasl_credentials mine = {.user = sp_view_of(w->user),
                                          .password = sp_view_of(w->password),
                                          .token = w->token,
                                          .certificate = strcmp(w->mechanism, "EXTERNAL") == 0};
    struct sasl_offer offer = {.mechanisms = sp_view_of(w->mechanism), .secure = true};
    offer.binding = strstr(w->mechanism, "-PLUS") ? &binding : NULL;
    demand(sasl_client_new(sp_view_of(w->mechanism), &mine, &os_heap, &t->client) == SP_OK);
    sasl_client_bind(t->client, &offer);
    char command[64];
    bool initial = sasl_client_has_initial(t->client);
    (void)snprintf(command, sizeof command, "AUTH %s%s", w->mechanism, initial ? " " : "\r\n");
    if (!initial) {
        (void)add_line(t, true, sp_view_sub(sp_view_of(command), 0, strlen(command) - 2));
        feed(t, sp_view_of(command));
        take_output(t, false);
    }
    for (bool first = initial; first || is_asked(t); first = false) {
        uint8_t challenge[1024];
        size_t len = 0;
        struct sp_buf response;
        const char *sent;
        sp_buf_init(&response, &os_heap, 4096);
        if (!first)
            demand(sp_base64_decode(sp_view_from(sp_view_of(t->lines[t->n - 1].text), 4), challenge, &len) == SP_OK);
        scram_fix_nonce("rOprNGfwEbeRWgbNEkqO");
        demand(sasl_client_step(t->client, sp_view_make(challenge, len), &response, &sent) == SP_OK);
        say(t, first ? command : "", sp_buf_view(&response));
        sp_buf_fini(&response);
    }
}

static void run(struct talk *t, const struct show *w)
{
    struct sp_server_options options = {.hostname = SP_LIT("mail.example.org"), .mechanisms_tls = sp_view_of(w->mechanism)};
    *t = (struct talk){.show = w};
    demand(sp_server_new(&options, &os_heap, &t->engine) == SP_OK && sp_server_open(t->engine, true, 0) == SP_OK);
    feed(t, (struct sp_view){0});
    feed(t, SP_LIT("EHLO client.example\r\n"));
    take_output(t, true);
    if (w->line) {
        char line[128];
        struct line *l = add_line(t, true, sp_view_of(w->line));
        uint8_t decoded[128];
        size_t len = 0;
        struct sp_view typed = sp_view_of(w->line), blob = sp_view_from(typed, strlen("AUTH PLAIN "));
        demand(sp_base64_decode(blob, decoded, &len) == SP_OK);
        describe(sp_view_make(decoded, len), l->meaning, sizeof l->meaning);
        (void)snprintf(line, sizeof line, "%s\r\n", w->line);
        feed(t, sp_view_of(line));
        take_output(t, false);
    } else {
        speak(t);
    }
}

static void stop(struct talk *t)
{
    sasl_client_free(t->client);
    sasl_server_free(t->sasl);
    sp_server_free(t->engine);
}

/* --- the page ------------------------------------------------------------------------------- */

static void put_exchange(FILE *f, const struct show *w)
{
    struct talk t;
    run(&t, w);
    fputs("```\n", f);
    for (size_t i = 0; i < t.n; i++) {
        fprintf(f, "%c:%s%s\n", t.lines[i].client ? 'C' : 'S', t.lines[i].text[0] ? " " : "", t.lines[i].text);
        if (t.lines[i].meaning[0])
            fprintf(f, "      = %s\n", t.lines[i].meaning);
    }
    fprintf(f, "```\n\nThe log: `steps=\"%s\"`", t.record.text);
    enum sasl_fault fault = t.sasl ? sasl_server_fault(t.sasl) : SASL_FAULT_NONE;
    if (fault != SASL_FAULT_NONE && fault != SASL_FAULT_REFUSED)
        fprintf(f, " `reason=malformed` `defect=%s`", sasl_fault_id(fault));
    fputs("\n", f);
    stop(&t);
}

static void put_faults(FILE *f)
{
    static const char *const classes[] = {[SASL_CREDENTIALS] = "535", [SASL_GRAMMAR] = "501", [SASL_INITIAL] = "501"};
    fputs("| `defect` | reply | what is wrong, and what would be right |\n|---|---|---|\n", f);
    for (enum sasl_fault i = SASL_FAULT_NONE + 1; i < SASL_FAULT_N; i++)
        if (i != SASL_FAULT_REFUSED)
            fprintf(f, "| `%s` | %s | %s |\n", sasl_fault_id(i), classes[sasl_fault_class(i)], sasl_fault_text(i));
}

static void put_token_faults(FILE *f)
{
    fputs("| `reason` | what is wrong |\n|---|---|\n", f);
    for (enum sasl_token_fault i = SASL_TOKEN_NONE + 1; i < SASL_TOKEN_N; i++)
        fprintf(f, "| `%s` | %s |\n", sasl_token_fault_id(i), sasl_token_fault_text(i));
}

static void put_made(FILE *f, struct sp_view name)
{
    for (size_t i = 0; i < SHOW_N; i++)
        if (sp_view_eq(name, sp_view_of(shows[i].name))) {
            put_exchange(f, &shows[i]);
            return;
        }
    if (sp_view_eq(name, SP_LIT("faults")))
        put_faults(f);
    else if (sp_view_eq(name, SP_LIT("token faults")))
        put_token_faults(f);
    else
        fprintf(f, "Nothing is made under the name %.*s.\n", (int)name.len, (const char *)name.p);
}

/* The page as it should be, from the page as it is. */
static void put_page(FILE *f, struct sp_view page)
{
    static const struct sp_view begins = SP_LIT_INIT("<!-- made: "), ends = SP_LIT_INIT("<!-- made -->");
    bool inside = false;
    while (page.len > 0) {
        struct sp_view line = sp_view_sub(page, 0, sp_view_find(page, '\n', 0));
        page = sp_view_from(page, line.len < page.len ? line.len + 1 : line.len);
        inside = inside && !sp_view_eq(line, ends);
        if (inside)
            continue;
        fprintf(f, "%.*s\n", (int)line.len, (const char *)line.p);
        if (sp_view_starts(line, begins) && sp_view_ends(line, SP_LIT(" -->"))) {
            put_made(f, sp_view_sub(line, begins.len, line.len - begins.len - 4));
            inside = true;
        }
    }
}

/* --- the picture ----------------------------------------------------------------------------- */

static void put_escaped(FILE *f, const char *text, size_t max)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n && i < max; i++) {
        if (text[i] == '<')
            fputs("&lt;", f);
        else if (text[i] == '&')
            fputs("&amp;", f);
        else
            fputc(text[i], f);
    }
    if (n > max)
        fputs(" ...", f);
}

static void put_picture(FILE *f, struct sp_view page)
{
    enum { WIDTH = 860, LEFT = 60, RIGHT = 800, TOP = 60, STEP = 58, SHOWN = 88 };
    struct talk t;
    (void)page;
    run(&t, &shows[2]);
    int height = TOP + (int)t.n * STEP;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
            "font-family=\"sans-serif\" font-size=\"13\">\n"
            "<title>An exchange by %s</title>\n"
            "<!-- Written by tools/doc-auth.c: change that. -->\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n"
            "<text x=\"%d\" y=\"30\" text-anchor=\"middle\" font-weight=\"bold\">client</text>\n"
            "<text x=\"%d\" y=\"30\" text-anchor=\"middle\" font-weight=\"bold\">server</text>\n",
            WIDTH, height, WIDTH, height, t.show->mechanism, WIDTH, height, LEFT, RIGHT);
    for (int side = 0; side < 2; side++)
        fprintf(f, "<line x1=\"%d\" y1=\"40\" x2=\"%d\" y2=\"%d\" stroke=\"#888888\"/>\n", side ? RIGHT : LEFT,
                side ? RIGHT : LEFT, height - 15);
    for (size_t i = 0; i < t.n; i++) {
        const struct line *l = &t.lines[i];
        int y = TOP + 14 + (int)i * STEP, from = l->client ? LEFT : RIGHT, to = l->client ? RIGHT : LEFT;
        int head = l->client ? to - 9 : to + 9;
        fprintf(f, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#222222\"/>\n", from, y, to, y);
        fprintf(f, "<path d=\"M%d %d L%d %d L%d %d z\" fill=\"#222222\"/>\n", to, y, head, y - 5, head, y + 5);
        fprintf(f, "<text x=\"%d\" y=\"%d\" font-family=\"monospace\" font-size=\"11\">", LEFT + 14, y - 6);
        put_escaped(f, l->text[0] ? l->text : "(an empty line)", SHOWN);
        fputs("</text>\n", f);
        if (l->text[0] && l->meaning[0]) {
            fprintf(f, "<text x=\"%d\" y=\"%d\" font-size=\"12\" fill=\"#1a5fb4\">", LEFT + 14, y + 16);
            put_escaped(f, l->meaning, SHOWN);
            fputs("</text>\n", f);
        }
    }
    fputs("</svg>\n", f);
    stop(&t);
}

/* --- files ------------------------------------------------------------------------------------- */

static bool read_file(const char *path, struct sp_buf *out)
{
    FILE *f = fopen(path, "rb");
    char octets[4096];
    size_t n;
    while (f && (n = fread(octets, 1, sizeof octets, f)) > 0)
        sp_buf_add(out, sp_view_make(octets, n));
    return f && fclose(f) == 0 && sp_buf_status(out) == SP_OK;
}

static int do_file(const char *folder, const char *name, void (*put)(FILE *, struct sp_view page), bool check)
{
    char path[1024], *text = NULL;
    size_t len = 0;
    struct sp_buf is;
    sp_buf_init(&is, &os_heap, 1 << 20);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)read_file(path, &is); /* one that is not there is empty */
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return 1;
    put(f, sp_buf_view(&is));
    fclose(f);
    bool bad = !sp_view_eq(sp_buf_view(&is), sp_view_make(text, len));
    if (check) {
        printf("%s - %s is what the program says\n", bad ? "not ok" : "ok", name);
    } else if (bad) {
        f = fopen(path, "wb");
        bad = !f || fwrite(text, 1, len, f) != len;
        if ((f && fclose(f) != 0) || bad)
            fprintf(stderr, "doc-auth: cannot write %s\n", path);
    }
    free(text);
    sp_buf_fini(&is);
    return bad;
}

int main(int argc, char **argv)
{
    bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
    if (argc != (check ? 3 : 2)) {
        fputs("usage: doc-auth [--check] FOLDER\n", stderr);
        return 64;
    }
    make_verifier();
    sasl_cram_fix_challenge("<1896.697170952@mail.example.org>");
    if (check)
        puts("1..2");
    int bad = do_file(argv[argc - 1], "auth.md", put_page, check);
    bad += do_file(argv[argc - 1], "auth-exchange.svg", put_picture, check);
    return bad > 0;
}
