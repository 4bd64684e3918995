#include "cli/queue/mail.h"

#include "base/time.h"
#include "base/utf8.h"
#include "base/view.h"
#include "cli/catalogue.h"
#include "cli/queue/meaning.h"
#include "cli/queue/parameters.h"
#include "message/id.h"
#include "os/heap.h"

#include <inttypes.h>
#include <string.h>

struct text {
    char s[40];
};

struct queue_time queue_time_of(uint64_t ms)
{
    struct queue_time t = {{0}};
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, sizeof t.s - 1);
    (void)sp_buf_add_rfc3339(&b, (int64_t)ms, false); /* fits */
    memcpy(t.s, b.p, b.len);
    sp_buf_fini(&b);
    return t;
}

static struct text id_of(uint64_t id)
{
    struct text t = {{0}};
    message_id_text(id, t.s);
    return t;
}

/* --- gathering ------------------------------------------------------------------------------- */

void queue_mail_init(struct queue_mail *m)
{
    *m = (struct queue_mail){0};
    sp_buf_init(&m->text, &os_heap, SIZE_MAX / 2);
    sp_buf_init(&m->recipients, &os_heap, SIZE_MAX / 2);
}

void queue_mail_fini(struct queue_mail *m)
{
    sp_buf_fini(&m->text);
    sp_buf_fini(&m->recipients);
}

void queue_mail_begin(struct queue_mail *m, const struct ipc_queue_mail *facts)
{
    m->facts = *facts;
    struct sp_view *views[] = {&m->facts.session, &m->facts.client,           &m->facts.user,
                               &m->facts.sender,  &m->facts.parameters.envid, &m->facts.parameters.auth};
    enum { VIEW_N = sizeof views / sizeof *views };
    size_t octets = 1;
    sp_buf_clear(&m->text);
    sp_buf_clear(&m->recipients);
    for (size_t i = 0; i < VIEW_N; i++)
        octets += views[i]->len;
    (void)sp_buf_reserve(&m->text, octets); /* os_heap never says no; it does not move below */
    for (size_t i = 0; i < VIEW_N; i++) {
        size_t at = m->text.len;
        (void)sp_buf_add(&m->text, *views[i]);
        views[i]->p = m->text.p + at;
    }
    m->there = true;
}

void queue_mail_add(struct queue_mail *m, struct sp_view recipients)
{
    (void)sp_buf_add(&m->recipients, recipients);
}

const char *queue_mail_state(const struct queue_mail *m)
{
    static const char *const states[] = {"active", "deferred", "queued"};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct sp_view rest = sp_buf_view(&m->recipients);
        for (struct ipc_queue_recipient r; ipc_next_queue_recipient(&rest, &r);)
            if (sp_view_eq(r.state, sp_view_of(states[i])))
                return states[i];
    }
    return "held";
}

/* --- JSON ------------------------------------------------------------------------------------ */

/* JSON is Unicode: octets that are not become U+FFFD. */
json_t *queue_json_text(struct sp_view v)
{
    json_t *text = json_stringn(v.len ? (const char *)v.p : "", v.len);
    if (text)
        return text;
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, SIZE_MAX / 2);
    while (v.len) {
        size_t n = sp_utf8_len(v);
        if (n)
            (void)sp_buf_add(&b, sp_view_sub(v, 0, n)); /* os_heap never says no */
        else
            (void)sp_buf_add_str(&b, "\xef\xbf\xbd"); /* the same */
        v = sp_view_from(v, n ? n : 1);
    }
    text = json_stringn((const char *)b.p, b.len);
    sp_buf_fini(&b);
    return text;
}

json_t *queue_json_time(uint64_t ms) { return ms ? json_string(queue_time_of(ms).s) : json_null(); }

json_t *queue_json_text_or_null(struct sp_view v) { return v.len ? queue_json_text(v) : json_null(); }

void queue_put_json(json_t *o)
{
    (void)json_dumpf(o, stdout, JSON_INDENT(2)); /* failures show at the end */
    putchar('\n');
    json_decref(o);
}

static json_t *recipient_json(const struct ipc_queue_recipient *r, bool whole)
{
    json_t *o = json_pack("{s:o, s:o, s:b, s:I, s:o, s:o}", "address", queue_json_text(r->address), "state",
                          queue_json_text(r->state), "unreturned", (int)r->unreturned, "attempts",
                          (json_int_t)r->attempts, "next_attempt", queue_json_time(r->next_ms), "last_reply",
                          queue_json_text_or_null(r->reply));
    if (!whole)
        return o;
    json_object_set_new(o, "route", queue_json_text(r->route));
    json_object_set_new(o, "sender", queue_json_text_or_null(r->sender));
    json_object_set_new(o, "last_enhanced", queue_json_text_or_null(r->enhanced));
    json_object_set_new(o, "last_attempt", queue_json_time(r->last_ms));
    json_object_set_new(o, "last_reply_means", queue_json_meaning(r->reply, (struct sp_view){0}));
    json_object_set_new(o, "last_remote", queue_json_text_or_null(r->remote));
    json_object_set_new(o, "last_tls", queue_json_text_or_null(r->tls));
    json_object_set_new(o, "notify", queue_notify_json(r->parameters.notify));
    json_object_set_new(o, "orcpt", queue_json_text_or_null(r->parameters.orcpt));
    return o;
}

json_t *queue_mail_json(const struct queue_mail *m, bool whole)
{
    json_t *recipients = json_array();
    struct sp_view rest = sp_buf_view(&m->recipients);
    for (struct ipc_queue_recipient r; ipc_next_queue_recipient(&rest, &r);)
        json_array_append_new(recipients, recipient_json(&r, whole));
    json_t *o = json_pack("{s:s, s:s, s:o, s:b, s:o, s:I, s:o}", "id", id_of(m->facts.id).s, "state",
                          queue_mail_state(m), "sender", queue_json_text(m->facts.sender), "stranger",
                          (int)m->facts.stranger, "recipients", recipients, "size", (json_int_t)m->facts.size,
                          "received", queue_json_time(m->facts.received_ms));
    if (!whole)
        return o;
    json_object_set_new(o, "session", queue_json_text_or_null(m->facts.session));
    json_object_set_new(o, "client", queue_json_text_or_null(m->facts.client));
    json_object_set_new(o, "user", queue_json_text_or_null(m->facts.user));
    queue_add_parameters_json(o, &m->facts.parameters);
    return o;
}

/* --- for people ------------------------------------------------------------------------------ */

/* What turns the direction of a line around, or ends it: of U+2028 to 202E, 2066 to 2069, 200E, 200F and
 * 061C. */
static bool steers(struct sp_view v, size_t n)
{
    if (n == 2)
        return v.p[0] == 0xd8 && v.p[1] == 0x9c;
    if (n != 3 || v.p[0] != 0xe2)
        return false;
    return (v.p[1] == 0x80 && ((v.p[2] >= 0xa8 && v.p[2] <= 0xae) || v.p[2] == 0x8e || v.p[2] == 0x8f)) ||
           (v.p[1] == 0x81 && v.p[2] >= 0xa6 && v.p[2] <= 0xa9);
}

void queue_print_text(struct sp_view text, bool keep_lines, FILE *to)
{
    while (text.len) {
        uint8_t c = text.p[0];
        size_t n = sp_utf8_len(text);
        bool c1 = (n == 2 && c == 0xc2 && text.p[1] < 0xa0) || steers(text, n);
        bool line = keep_lines && (c == '\t' || c == '\n');
        if (keep_lines && c == '\r' && text.len > 1 && text.p[1] == '\n')
            n = 1; /* a terminal needs none */
        else if (line || (n > 0 && c >= 0x20 && c != 0x7f && !c1))
            (void)fwrite(text.p, 1, n, to); /* failures show at the end */
        else {
            n = 1;
            fprintf(to, "\\x%02x", c);
        }
        text = sp_view_from(text, n);
    }
}

static void print_address(struct sp_view address, FILE *to)
{
    fputc('<', to);
    queue_print_text(address, false, to);
    fputc('>', to);
}

/* Who wrote it is not known: its client had not logged in. */
static void print_sender(const struct queue_mail *m, FILE *to)
{
    print_address(m->facts.sender, to);
    fputs(m->facts.stranger && m->facts.sender.len ? " (a stranger's)\n" : "\n", to);
}

static void print_recipient(const struct ipc_queue_recipient *r, FILE *to)
{
    print_address(r->address, to);
    fputs("  ", to);
    queue_print_text(r->state, false, to);
    fputs(r->unreturned ? ", unreturned, route " : ", route ", to);
    queue_print_text(r->route, false, to);
    if (r->sender.len) {
        fputs(", sender ", to);
        print_address(r->sender, to);
    }
    if (r->sender_unsaid)
        fputs(", forwarded, perhaps under another sender (a running server tells it)", to);
    if (r->attempts)
        fprintf(to, ", %" PRIu32 " attempt%s", r->attempts, r->attempts == 1 ? "" : "s");
    if (r->next_ms)
        fprintf(to, ", next %s", queue_time_of(r->next_ms).s);
    if (r->reply.len) {
        fputs(": ", to);
        if (r->remote.len) {
            queue_print_text(r->remote, false, to);
            fputs(" said: ", to);
        }
        queue_print_text(r->reply, false, to);
    }
    if (r->tls.len) {
        fputs(" (TLS: ", to);
        queue_print_text(r->tls, false, to);
        fputc(')', to);
    }
    fputc('\n', to);
}

void queue_mail_print_row(const struct queue_mail *m, FILE *to)
{
    fprintf(to, "%s  %-8s  %10" PRIu64 "  %s  ", id_of(m->facts.id).s, queue_mail_state(m), m->facts.size,
            queue_time_of(m->facts.received_ms).s);
    print_sender(m, to);
    struct sp_view rest = sp_buf_view(&m->recipients);
    for (struct ipc_queue_recipient r; ipc_next_queue_recipient(&rest, &r);) {
        fputs("               to ", to);
        print_recipient(&r, to);
    }
}

void queue_print_fact(const char *name, struct sp_view value, FILE *to)
{
    if (!value.len)
        return;
    fprintf(to, "%-10s ", name);
    queue_print_text(value, false, to);
    fputc('\n', to);
}

void queue_mail_print_envelope(const struct queue_mail *m, FILE *to)
{
    fprintf(to, "%-10s %s\n", "id", id_of(m->facts.id).s);
    fprintf(to, "%-10s %s\n", "state", queue_mail_state(m));
    fprintf(to, "%-10s %s\n", "received", queue_time_of(m->facts.received_ms).s);
    queue_print_fact("client", m->facts.client, to);
    queue_print_fact("user", m->facts.user, to);
    queue_print_fact("session", m->facts.session, to);
    fprintf(to, "%-10s %" PRIu64 "\n", "size", m->facts.size);
    fprintf(to, "%-10s ", "sender");
    print_sender(m, to);
    queue_print_mail_parameters(&m->facts.parameters, to);
    struct sp_view rest = sp_buf_view(&m->recipients);
    for (struct ipc_queue_recipient r; ipc_next_queue_recipient(&rest, &r);) {
        fprintf(to, "%-10s ", "recipient");
        print_recipient(&r, to);
        queue_print_meaning(r.reply, (struct sp_view){0}, cli_lang_of_environment(), to);
        queue_print_rcpt_parameters(&r.parameters, to);
    }
}
