/*
 * The conversation on standard output: C: what we said, S: what the server said, = what that means, -- what
 * happened besides. With --json it is gathered and printed at the end, JSON alone. A SASL response is shown
 * as what it is, never as it was sent.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "base/view.h"
#include "cli/catalogue.h"
#include "cli/send/words.h"
#include "os/clock.h"
#include "os/heap.h"
#include "os/log.h"

enum { LINES_SHOWN = 40 };

/* --- lines --------------------------------------------------------------------------------- */

static void print_line(const char *mark, struct sp_view line)
{
    fputs(mark, stdout);
    send_write_clean(stdout, line);
    putchar('\n');
}

static void print_aside(const struct send_show *s, const char *mark, const char *text)
{
    printf("%s%s%s%s\n", s->dim ? "\033[2m" : "", mark, text, s->dim ? "\033[0m" : "");
}

static json_t *add_entry(struct send_show *s, const char *from)
{
    json_t *entry = json_pack("{s:s, s:I}", "from", from, "ms", (json_int_t)(os_mono_ms() - s->began_ms));
    json_array_append_new(s->talk, entry);
    return entry;
}

static void happened(struct send_show *s, const char *text)
{
    if (s->talk)
        json_object_set_new(add_entry(s, "event"), "text", json_string(text));
    else
        print_aside(s, "-- ", text);
}

/* --- notes --------------------------------------------------------------------------------- */

/* The SASL client names it in English. */
static const char *name_of_secret(const struct send_show *s, const char *name)
{
    static const enum send_word names[] = {SEND_WORD_USER_NAME,   SEND_WORD_PASSWORD,    SEND_WORD_BOTH,
                                           SEND_WORD_SCRAM_FIRST, SEND_WORD_SCRAM_FINAL, SEND_WORD_SCRAM_END};
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(name, send_words[names[i]].en) == 0)
            return send_word(s->plan, names[i]);
    return name ? name : send_word(s->plan, SEND_WORD_SECRET);
}

static void show_sent(struct send_show *s, const struct client_note *n)
{
    struct sp_view line = n->event->as.sent.line;
    bool secret = n->event->as.sent.secret;
    size_t len = n->event->as.sent.secret_len;
    const char *name = name_of_secret(s, n->secret_name);
    if (s->talk) {
        json_t *entry = add_entry(s, "client");
        json_object_set_new(entry, "line", send_json_text(line));
        if (secret)
            json_object_set_new(entry, "secret",
                                json_pack("{s:s, s:I}", "what", name, "octets", (json_int_t)len));
        return;
    }
    fputs("C: ", stdout);
    send_write_clean(stdout, line);
    if (secret && len > 0)
        printf("<%s, %zu %s>", name, len, send_word(s->plan, SEND_WORD_OCTETS));
    else if (secret)
        printf("<%s>", name);
    putchar('\n');
}

static void show_reply(struct send_show *s, const struct sp_client_reply *r, const char *phase)
{
    struct sp_view rest = r->lines, line;
    bool hello = r->code == 250 && (strcmp(phase, "EHLO") == 0 || strcmp(phase, "HELO") == 0);
    const char *means =
        hello ? send_word(s->plan, SEND_WORD_HELLO) : reference_explain(r->code, r->text, s->plan->lang);
    if (!s->talk) {
        while (sp_client_reply_line(&rest, &line))
            print_line("S: ", line);
        print_aside(s, "   = ", means);
        return;
    }
    json_t *entry = add_entry(s, "server"), *lines = json_array();
    while (sp_client_reply_line(&rest, &line))
        json_array_append_new(lines, send_json_text(line));
    json_object_set_new(entry, "code", json_integer(r->code));
    json_object_set_new(entry, "enhanced", r->enhanced.len ? send_json_text(r->enhanced) : json_null());
    json_object_set_new(entry, "lines", lines);
    json_object_set_new(entry, "means", json_string(means));
}

static void add_date(json_t *to, const char *name, int64_t wall_ms)
{
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, 64);
    sp_buf_add_rfc3339(&text, wall_ms, false);
    json_object_set_new(to, name, send_json_text(sp_buf_view(&text)));
    sp_buf_fini(&text);
}

/* What the server showed, its own certificate first. */
static json_t *json_chain(const struct client *c)
{
    json_t *chain = json_array();
    struct os_tls_certificate x;
    for (size_t i = 0; client_certificate(c, i, &x); i++) {
        json_t *one = json_pack("{s:o, s:o, s:o, s:s}", "subject", send_json_text(sp_view_of(x.subject)),
                                "issuer", send_json_text(sp_view_of(x.issuer)), "names",
                                send_json_text(sp_view_of(x.names)), "sha256", x.sha256);
        add_date(one, "not_before", x.not_before_ms);
        add_date(one, "not_after", x.not_after_ms);
        json_array_append_new(chain, one);
    }
    return chain;
}

static void show_tls(struct send_show *s, const struct os_tls_facts *t, const struct client *c)
{
    char text[700];
    snprintf(text, sizeof text, "%s, %s, %d bits, CN=%.200s: %s%s%.200s%s", t->version, t->cipher, t->bits,
             t->peer_name ? t->peer_name : "",
             send_word(s->plan, t->peer_verified ? SEND_WORD_VERIFIED : SEND_WORD_UNVERIFIED),
             t->peer_fault ? " (" : "", t->peer_fault ? t->peer_fault : "", t->peer_fault ? ")" : "");
    happened(s, text);
    if (s->root)
        json_object_set_new(s->root, "tls",
                            json_pack("{s:s, s:s, s:i, s:s?, s:b, s:s?, s:o}", "version", t->version,
                                      "cipher", t->cipher, "bits", t->bits, "name", t->peer_name, "verified",
                                      t->peer_verified, "fault", t->peer_fault, "certificates",
                                      json_chain(c)));
}

void send_show_note(struct send_show *s, const struct client_note *n, const struct client *c)
{
    char text[700];
    if (s->plan->quiet && !s->talk)
        return;
    switch (n->type) {
    case CLIENT_NOTE_DIAL:
        snprintf(text, sizeof text, "%s %.400s", send_word(s->plan, SEND_WORD_CONNECTING), n->text);
        happened(s, text);
        break;
    case CLIENT_NOTE_UP:
        happened(s, send_word(s->plan, SEND_WORD_CONNECTED));
        if (s->root)
            json_object_set_new(s->root, "remote", json_string(n->text));
        break;
    case CLIENT_NOTE_DOWN:
    case CLIENT_NOTE_AUTH:
        happened(s, n->text);
        break;
    case CLIENT_NOTE_TLS:
        show_tls(s, n->tls, c);
        break;
    case CLIENT_NOTE_SENT:
        show_sent(s, n);
        break;
    case CLIENT_NOTE_REPLY:
        show_reply(s, &n->event->as.reply.reply, n->event->as.reply.phase);
        break;
    }
    if (!s->talk)
        fflush(stdout);
}

void send_show_content(struct send_show *s, struct sp_view message)
{
    struct sp_view rest = message, line;
    size_t n = 0;
    if (s->plan->quiet && !s->talk)
        return;
    if (s->talk) {
        json_object_set_new(add_entry(s, "client"), "content_octets", json_integer((json_int_t)message.len));
        return;
    }
    while (n < LINES_SHOWN && sp_client_reply_line(&rest, &line)) {
        print_line(line.len > 0 && line.p[0] == '.' ? "C: ." : "C: ", line);
        n++;
    }
    for (n = 0; sp_client_reply_line(&rest, &line); n++)
        ;
    if (n > 0)
        printf("C: <%zu %s; %s: %zu %s>\n", n, send_word(s->plan, SEND_WORD_MORE),
               send_word(s->plan, SEND_WORD_MESSAGE), message.len, send_word(s->plan, SEND_WORD_OCTETS));
}

/* --- life ---------------------------------------------------------------------------------- */

struct send_show *send_show_new(const struct send_plan *plan)
{
    struct send_show *s = os_new(sizeof *s);
    s->plan = plan;
    s->began_ms = os_mono_ms();
    s->dim = !plan->json && isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    s->results = open_memstream(&s->results_text, &s->results_len);
    if (!s->results)
        os_panic("memory", "no memory for the results");
    if (!plan->json)
        return s;
    s->root = json_pack("{s:s, s:i, s:n, s:n}", "host", plan->host, "port", plan->port, "remote", "tls");
    s->talk = json_array();
    s->recipients = json_array();
    json_object_set_new(s->root, "conversation", s->talk);
    json_object_set_new(s->root, "recipients", s->recipients);
    return s;
}

void send_show_free(struct send_show *s)
{
    json_decref(s->root);
    fclose(s->results);
    free(s->results_text);
    free(s);
}
