/* `sallyport session list`, and what list and show share. */
#include "cli/session/parts.h"

#include "base/time.h"
#include "base/view.h"
#include "cli/options.h"
#include "cli/queue/mail.h"
#include "os/heap.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

void session_id_text(uint64_t id, char text_out[SESSION_ID_SIZE])
{
    text_out[0] = 's';
    message_id_text(id, text_out + 1);
}

int session_parse_id(const char *word, uint64_t *id_out)
{
    if ((word[0] == 's' || word[0] == 'S') && message_id_parse(sp_view_of(word + 1), id_out) == SP_OK)
        return EX_OK;
    return cli_fault("session", EX_USAGE,
                     "'%s' is not the id of a session; it is an s and 13 letters and digits, as in the log's "
                     "session=s...",
                     word);
}

void session_time_text(uint64_t wall_ms, char text_out[SESSION_TIME_SIZE])
{
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, SESSION_TIME_SIZE);
    (void)sp_buf_add_rfc3339(&b, (int64_t)wall_ms, false); /* fits */
    (void)sp_buf_add_u8(&b, 0);
    memcpy(text_out, b.p, b.len);
    sp_buf_fini(&b);
}

int session_fault_of(const struct ipc_session_done *done, const char *id)
{
    switch (done->answer) {
    case IPC_SESSION_DONE:
        return EX_OK;
    case IPC_SESSION_UNKNOWN_ID:
        return cli_fault(
            "session", EX_NOINPUT,
            "no session %s is kept: it goes on, it is older than what is kept, or the configuration's "
            "sessions/keep leaves it out; 'sallyport session list' shows all",
            id);
    default:
        return cli_fault("session", EX_TEMPFAIL,
                         "the sessions cannot be read; the server's log has the reason");
    }
}

static json_t *text_or_null(struct sp_view v) { return v.len ? queue_json_text(v) : json_null(); }

json_t *session_facts_json(const struct ipc_session_facts *f)
{
    char id[SESSION_ID_SIZE], began[SESSION_TIME_SIZE];
    session_id_text(f->session, id);
    session_time_text(f->began_ms, began);
    return json_pack("{s:s, s:s, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:b, s:o}", "id", id, "began",
                     began, "lasted_ms", (json_int_t)f->lasted_ms, "client", queue_json_text(f->client),
                     "port", (json_int_t)f->port, "listener", queue_json_text(f->listener), "hello",
                     text_or_null(f->hello), "user", text_or_null(f->user), "tls", text_or_null(f->tls),
                     "mails", (json_int_t)f->mails, "refusals", (json_int_t)f->refusals, "failed",
                     f->failed != 0, "refusal", text_or_null(f->refusal));
}

/* --- list ----------------------------------------------------------------------------------------- */

struct listing {
    const struct session_filter *filter;
    uint64_t n, last;
};

static void print_row(const struct ipc_session_facts *f)
{
    char id[SESSION_ID_SIZE], began[SESSION_TIME_SIZE];
    session_id_text(f->session, id);
    session_time_text(f->began_ms, began);
    printf("%s  %s  %-6s  ", id, began, f->failed ? "failed" : "fine");
    queue_print_text(f->client, false, stdout);
    printf("  ");
    queue_print_text(f->user.len ? f->user : f->hello.len ? f->hello : SP_LIT("-"), false, stdout);
    if (f->mails)
        printf("  %" PRIu32 " message%s", f->mails, f->mails == 1 ? "" : "s");
    if (f->refusal.len) {
        printf("  ");
        queue_print_text(f->refusal, false, stdout);
    }
    putchar('\n');
}

static void take_listed(void *ctx, const struct ipc_message *m)
{
    struct listing *l = ctx;
    if (m->type != IPC_TYPE_session_facts)
        return;
    l->last = m->as.session_facts.session;
    if (l->filter->json) {
        json_t *o = session_facts_json(&m->as.session_facts);
        fputs(l->n ? ",\n" : "[\n", stdout);
        (void)json_dumpf(o, stdout, 0); /* failures show at the end */
        json_decref(o);
    } else {
        if (l->n == 0)
            printf("%-14s  %-20s  %-6s  %s\n", "ID", "BEGAN", "WENT", "CLIENT, USER OR NAME, WHAT HAPPENED");
        print_row(&m->as.session_facts);
    }
    l->n++;
}

int session_look_list(struct session_store *s, const struct session_filter *filter)
{
    struct listing l = {.filter = filter};
    struct ipc_session_list w = filter->wanted;
    struct ipc_session_done done = {.more = 1, .before = w.before};
    int code = EX_OK;
    while (code == EX_OK && done.more && (filter->wanted.most == 0 || l.n < filter->wanted.most)) {
        w.before = done.before;
        w.most = filter->wanted.most ? filter->wanted.most - (uint32_t)l.n : 0;
        struct ipc_message m = {.type = IPC_TYPE_session_list, .as.session_list = w};
        code = session_store_ask(s, &m, take_listed, &l, &done);
        if (code == EX_OK)
            code = session_fault_of(&done, "");
    }
    if (code != EX_OK)
        return code;
    if (filter->json) {
        puts(l.n ? "\n]" : "[]");
    } else if (l.n == 0) {
        puts("no such session is kept");
    } else if (done.more) {
        char id[SESSION_ID_SIZE];
        session_id_text(l.last, id);
        printf("older ones: --before %s\n", id);
    }
    return EX_OK;
}
