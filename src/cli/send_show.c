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

#include "base/view.h"
#include "cli/catalogue.h"
#include "cli/send.h"
#include "os/heap.h"
#include "os/log.h"

enum { LINES_SHOWN = 40 };

struct send_show {
    const struct send_plan *plan;
    json_t *root, *talk, *recipients; /* NULL without --json */
    bool dim;                         /* explanations stand back, on a terminal */
    FILE *results;                    /* lines to print behind the conversation */
    char *results_text;
    size_t results_len;
};

/* --- words --------------------------------------------------------------------------------- */

/* NAME, English, Vietnamese. */
#define WORDS(X)                                                                                             \
    X(CONNECTING, "connecting to", "đang kết nối tới")                                                       \
    X(CONNECTED, "connected", "đã kết nối")                                                                  \
    X(VERIFIED, "certificate verified", "chứng chỉ đã được xác minh")                                        \
    X(UNVERIFIED, "certificate not verified", "chứng chỉ không được xác minh")                               \
    X(MESSAGE, "message", "thư")                                                                             \
    X(MORE, "more lines", "dòng nữa")                                                                        \
    X(DELIVERED, "accepted", "đã nhận")                                                                      \
    X(RETRY, "not now", "chưa được")                                                                         \
    X(BOUNCE, "refused", "bị từ chối")                                                                       \
    X(UNKNOWN, "unknown", "không rõ")                                                                        \
    X(UNKNOWN_MEANS, "the server may or may not have the message",                                           \
      "server có thể đã nhận hoặc chưa nhận thư")                                                            \
    X(NOT_SENT, "nothing was sent", "chưa gửi gì")                                                           \
    X(HELLO, "The server greets you and lists what it can do.",                                              \
      "Server chào bạn và liệt kê những gì nó hỗ trợ.")                                                      \
    X(USER_NAME, "user name", "tên người dùng")                                                              \
    X(PASSWORD, "password", "mật khẩu")                                                                      \
    X(BOTH, "user name and password", "tên người dùng và mật khẩu")                                          \
    X(SCRAM_FIRST, "user name and a nonce", "tên người dùng và một nonce")                                   \
    X(SCRAM_FINAL, "proof of the password", "bằng chứng về mật khẩu")                                        \
    X(SCRAM_END, "nothing: the server has proved that it knows the password",                                \
      "không gì cả: server đã chứng minh rằng nó biết mật khẩu")                                             \
    X(OCTETS, "octets", "octet")                                                                             \
    X(SECRET, "secret", "bí mật")                                                                            \
    X(HINT_VERIFY, "--ca-file trusts its authority, --insecure goes on without",                             \
      "--ca-file để tin cơ quan cấp chứng chỉ, --insecure để tiếp tục mà không xác minh")

#define X(n, en, vi) WORD_##n,
enum word { WORDS(X) WORD_N };
#undef X

#define X(n, en, vi) {en, vi},
static const struct reference_text words[WORD_N] = {WORDS(X)};
#undef X

static const char *word(const struct send_show *s, enum word w)
{
    return reference_in(&words[w], s->plan->lang);
}

/* --- lines --------------------------------------------------------------------------------- */

/* Printable ASCII and UTF-8 pass; the rest would speak to the terminal. */
static void write_clean(FILE *to, struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if ((v.p[i] >= ' ' && v.p[i] != 127) || v.p[i] == '\t')
            putc(v.p[i], to);
        else
            fprintf(to, "\\x%02x", v.p[i]);
    }
}

static void print_line(const char *mark, struct sp_view line)
{
    fputs(mark, stdout);
    write_clean(stdout, line);
    putchar('\n');
}

static void print_aside(const struct send_show *s, const char *mark, const char *text)
{
    printf("%s%s%s%s\n", s->dim ? "\033[2m" : "", mark, text, s->dim ? "\033[0m" : "");
}

/* A JSON string of octets that may be no UTF-8. */
static json_t *json_text(struct sp_view v)
{
    json_t *whole = json_stringn((const char *)v.p, v.len);
    if (whole || v.len == 0)
        return whole ? whole : json_string("");
    char *clean = os_new(v.len);
    for (size_t i = 0; i < v.len; i++)
        clean[i] = v.p[i] < 0x80 ? (char)v.p[i] : '?';
    whole = json_stringn(clean, v.len);
    free(clean);
    return whole;
}

static json_t *add_entry(struct send_show *s, const char *from)
{
    json_t *entry = json_pack("{s:s}", "from", from);
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
    static const enum word names[] = {WORD_USER_NAME,   WORD_PASSWORD,    WORD_BOTH,
                                      WORD_SCRAM_FIRST, WORD_SCRAM_FINAL, WORD_SCRAM_END};
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(name, words[names[i]].en) == 0)
            return word(s, names[i]);
    return name ? name : word(s, WORD_SECRET);
}

static void show_sent(struct send_show *s, const struct client_note *n)
{
    struct sp_view line = n->event->as.sent.line;
    bool secret = n->event->as.sent.secret;
    size_t len = n->event->as.sent.secret_len;
    const char *name = name_of_secret(s, n->secret_name);
    if (s->talk) {
        json_t *entry = add_entry(s, "client");
        json_object_set_new(entry, "line", json_text(line));
        if (secret)
            json_object_set_new(entry, "secret",
                                json_pack("{s:s, s:I}", "what", name, "octets", (json_int_t)len));
        return;
    }
    fputs("C: ", stdout);
    write_clean(stdout, line);
    if (secret && len > 0)
        printf("<%s, %zu %s>", name, len, word(s, WORD_OCTETS));
    else if (secret)
        printf("<%s>", name);
    putchar('\n');
}

static void show_reply(struct send_show *s, const struct sp_client_reply *r, const char *phase)
{
    struct sp_view rest = r->lines, line;
    bool hello = r->code == 250 && (strcmp(phase, "EHLO") == 0 || strcmp(phase, "HELO") == 0);
    const char *means = hello ? word(s, WORD_HELLO) : reference_explain(r->code, r->text, s->plan->lang);
    if (!s->talk) {
        while (sp_client_reply_line(&rest, &line))
            print_line("S: ", line);
        print_aside(s, "   = ", means);
        return;
    }
    json_t *entry = add_entry(s, "server"), *lines = json_array();
    while (sp_client_reply_line(&rest, &line))
        json_array_append_new(lines, json_text(line));
    json_object_set_new(entry, "code", json_integer(r->code));
    json_object_set_new(entry, "enhanced", r->enhanced.len ? json_text(r->enhanced) : json_null());
    json_object_set_new(entry, "lines", lines);
    json_object_set_new(entry, "means", json_string(means));
}

static void show_tls(struct send_show *s, const struct os_tls_facts *t)
{
    char text[700];
    snprintf(text, sizeof text, "%s, %s, %d bits, CN=%.200s: %s%s%.200s%s", t->version, t->cipher, t->bits,
             t->peer_name ? t->peer_name : "", word(s, t->peer_verified ? WORD_VERIFIED : WORD_UNVERIFIED),
             t->peer_fault ? " (" : "", t->peer_fault ? t->peer_fault : "", t->peer_fault ? ")" : "");
    happened(s, text);
    if (s->root)
        json_object_set_new(s->root, "tls",
                            json_pack("{s:s, s:s, s:i, s:s?, s:b, s:s?}", "version", t->version, "cipher",
                                      t->cipher, "bits", t->bits, "name", t->peer_name, "verified",
                                      t->peer_verified, "fault", t->peer_fault));
}

void send_show_note(struct send_show *s, const struct client_note *n)
{
    char text[700];
    switch (n->type) {
    case CLIENT_NOTE_DIAL:
        snprintf(text, sizeof text, "%s %.400s", word(s, WORD_CONNECTING), n->text);
        happened(s, text);
        break;
    case CLIENT_NOTE_UP:
        happened(s, word(s, WORD_CONNECTED));
        if (s->root)
            json_object_set_new(s->root, "remote", json_string(n->text));
        break;
    case CLIENT_NOTE_DOWN:
    case CLIENT_NOTE_AUTH:
        happened(s, n->text);
        break;
    case CLIENT_NOTE_TLS:
        show_tls(s, n->tls);
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
        printf("C: <%zu %s; %s: %zu %s>\n", n, word(s, WORD_MORE), word(s, WORD_MESSAGE), message.len,
               word(s, WORD_OCTETS));
}

/* --- results ------------------------------------------------------------------------------- */

static const struct {
    enum word word;
    const char *state;
} results[SP_CLIENT_FATE_N] = {
    [SP_CLIENT_NONE] = {WORD_RETRY, "deferred"},     [SP_CLIENT_DELIVERED] = {WORD_DELIVERED, "delivered"},
    [SP_CLIENT_RETRY] = {WORD_RETRY, "deferred"},    [SP_CLIENT_BOUNCE] = {WORD_BOUNCE, "failed"},
    [SP_CLIENT_UNKNOWN] = {WORD_UNKNOWN, "unknown"},
};

/* A 5yz is a refusal to people, also where the engine would try again (530: with other settings). */
static enum sp_client_fate shown_fate(const struct client_verdict *v)
{
    return v->fate == SP_CLIENT_RETRY && v->code / 100 == 5 ? SP_CLIENT_BOUNCE : v->fate;
}

static json_t *json_verdict(const struct client_verdict *v)
{
    return json_pack("{s:s, s:i, s:o, s:o}", "state", results[shown_fate(v)].state, "code", v->code,
                     "enhanced", v->enhanced.len ? json_text(v->enhanced) : json_null(), "reply",
                     json_text(v->text));
}

void send_show_outcome(struct send_show *s, struct sp_view recipient, const struct client_verdict *v)
{
    if (s->talk) {
        json_t *entry = json_verdict(v);
        json_object_set_new(entry, "address", json_text(recipient));
        json_array_append_new(s->recipients, entry);
        return;
    }
    fputs("=> ", s->results);
    write_clean(s->results, recipient);
    fprintf(s->results, ": %s: ", word(s, results[shown_fate(v)].word));
    write_clean(s->results, v->text);
    if (v->fate == SP_CLIENT_UNKNOWN)
        fprintf(s->results, " (%s)", word(s, WORD_UNKNOWN_MEANS));
    putc('\n', s->results);
}

void send_show_end(struct send_show *s, const struct client_verdict *failure, int exit_code)
{
    bool handshake = failure && strcmp(failure->phase, "HANDSHAKE") == 0 && s->plan->verify;
    if (s->root) {
        json_object_set_new(s->root, "failure", failure ? json_verdict(failure) : json_null());
        json_object_set_new(s->root, "exit_code", json_integer(exit_code));
        cli_json_print(json_incref(s->root));
        return;
    }
    fflush(s->results);
    fwrite(s->results_text, 1, s->results_len, stdout);
    if (failure) {
        printf("=> %s: ", word(s, WORD_NOT_SENT));
        write_clean(stdout, failure->text);
        printf("%s%s\n", handshake ? "; " : "", handshake ? word(s, WORD_HINT_VERIFY) : "");
    }
    fflush(stdout);
}

/* --- life ---------------------------------------------------------------------------------- */

struct send_show *send_show_new(const struct send_plan *plan)
{
    struct send_show *s = os_new(sizeof *s);
    s->plan = plan;
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
