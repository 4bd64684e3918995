#include "cli/queue/look.h"

#include "base/view.h"
#include "cli/options.h"
#include "cli/queue/mail.h"
#include "message/id.h"
#include "os/heap.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* --- what all share -------------------------------------------------------------------------- */

int queue_fault_of(const struct ipc_queue_done *done, const char *id)
{
    switch (done->answer) {
    case IPC_QUEUE_DONE:
        return EX_OK;
    case IPC_QUEUE_UNKNOWN_ID:
        return cli_fault("queue", EX_NOINPUT,
                         "no message %s is in the queue; 'sallyport queue list' shows all", id);
    case IPC_QUEUE_DISK_FULL:
        return cli_fault("queue", EX_TEMPFAIL, "the disk is full: nothing was changed");
    case IPC_QUEUE_UNSERVED:
        return cli_fault("queue", EX_UNAVAILABLE, "only a running server can do that: start it first");
    default:
        return cli_fault("queue", EX_TEMPFAIL,
                         "the queue cannot be read or written; the server's log has the reason");
    }
}

int queue_parse_id(const char *word, uint64_t *id_out)
{
    int status = message_id_parse(sp_view_of(word), id_out);
    if (status == SP_OK && *id_out == 0) /* it means all to the queue, and no message ever has it */
        return queue_fault_of(&(struct ipc_queue_done){.answer = IPC_QUEUE_UNKNOWN_ID}, word);
    if (status == SP_OK)
        return EX_OK;
    return cli_fault("queue", EX_USAGE,
                     "'%s' is not a queue id; it has 13 letters and digits, as in '250 2.0.0 Queued as ...'",
                     word);
}

int queue_finish_output(int code)
{
    if (fflush(stdout) != 0 && code == EX_OK)
        return cli_fault("queue", EX_IOERR, "cannot write to standard output");
    return code;
}

/* --- list ------------------------------------------------------------------------------------ */

struct listing {
    bool json;
    struct queue_mail mail;            /* the last one that came: its recipients may go on */
    const struct queue_filter *filter; /* NULL: all are shown */
    size_t n, hidden;
    struct sp_buf *ids; /* only these are wanted */
};

static void put_mail(struct listing *l)
{
    if (!l->mail.there)
        return;
    l->mail.there = false;
    if (l->filter && !queue_filter_fits(l->filter, &l->mail)) {
        l->hidden++;
        return;
    }
    if (l->ids) {
        (void)sp_buf_add(
            l->ids, sp_view_make(&l->mail.facts.id, sizeof l->mail.facts.id)); /* os_heap never says no */
    } else if (l->json) {
        json_t *o = queue_mail_json(&l->mail, false);
        fputs(l->n ? ",\n" : "[\n", stdout);
        (void)json_dumpf(o, stdout, JSON_INDENT(0)); /* failures show at the end */
        json_decref(o);
    } else {
        if (l->n == 0)
            printf("%-13s  %-8s  %10s  %-20s  %s\n", "ID", "STATE", "SIZE", "RECEIVED", "SENDER");
        queue_mail_print_row(&l->mail, stdout);
    }
    l->n++;
}

static void take_listed(void *ctx, const struct ipc_message *m)
{
    struct listing *l = ctx;
    if (m->type == IPC_TYPE_queue_mail && !(l->mail.there && l->mail.facts.id == m->as.queue_mail.id)) {
        put_mail(l);
        queue_mail_begin(&l->mail, &m->as.queue_mail);
    } else if (m->type == IPC_TYPE_queue_recipients && l->mail.there) {
        queue_mail_add(&l->mail, m->as.queue_recipients.recipients);
    }
}

static int list_pages(struct queue_store *s, struct listing *l)
{
    struct ipc_queue_done done = {.more = 1};
    int code = EX_OK;
    while (code == EX_OK && done.more) {
        struct ipc_message m = {
            .type = IPC_TYPE_queue_list,
            .as.queue_list = {.after_id = done.after_id, .after_number = done.after_number}};
        code = queue_store_ask(s, &m, take_listed, l, &done);
        if (code == EX_OK)
            code = queue_fault_of(&done, "");
    }
    put_mail(l);
    return code;
}

int queue_look_list(struct queue_store *s, const struct queue_filter *filter, bool json)
{
    struct listing l = {.json = json, .filter = filter};
    queue_mail_init(&l.mail);
    int code = list_pages(s, &l);
    queue_mail_fini(&l.mail);
    if (code == EX_OK && json) /* else it is not whole, and is not to look so */
        puts(l.n ? "\n]" : "[]");
    else if (code == EX_OK && l.n == 0)
        puts(l.hidden ? "no message of the queue fits" : "the queue is empty");
    return queue_finish_output(code);
}

int queue_look_ids(struct queue_store *s, struct sp_buf *ids_out)
{
    struct listing l = {.ids = ids_out};
    queue_mail_init(&l.mail);
    int code = list_pages(s, &l);
    queue_mail_fini(&l.mail);
    return code;
}

/* --- show ------------------------------------------------------------------------------------ */

struct showing {
    struct queue_mail mail;
    bool content, json;
};

static void print_octets(struct sp_view octets)
{
    if (isatty(STDOUT_FILENO))
        queue_print_text(octets, true, stdout);
    else
        (void)fwrite(octets.p, 1, octets.len, stdout); /* failures show at the end */
}

static void print_file(int fd)
{
    static uint8_t block[65536];
    ssize_t n;
    for (off_t at = 0; (n = pread(fd, block, sizeof block, at)) > 0; at += n)
        print_octets(sp_view_make(block, (size_t)n));
}

static void take_shown(void *ctx, const struct ipc_message *m)
{
    struct showing *s = ctx;
    if (m->type == IPC_TYPE_queue_mail && !s->mail.there) {
        queue_mail_begin(&s->mail, &m->as.queue_mail);
    } else if (m->type == IPC_TYPE_queue_recipients) {
        queue_mail_add(&s->mail, m->as.queue_recipients.recipients);
    } else if (m->type == IPC_TYPE_queue_content) {
        if (!s->content) {
            queue_mail_print_envelope(&s->mail, stdout);
            putchar('\n');
        }
        if (m->as.queue_content.fd >= 0)
            print_file(m->as.queue_content.fd);
        else
            print_octets(m->as.queue_content.content);
    }
}

int queue_look_show(struct queue_store *store, const char *word, bool json, bool content)
{
    uint64_t id;
    struct showing s = {.content = content, .json = json};
    struct ipc_queue_done done = {.more = 1};
    int code = queue_parse_id(word, &id);
    queue_mail_init(&s.mail);
    while (code == EX_OK && done.more) {
        struct ipc_message m = {
            .type = IPC_TYPE_queue_show,
            .as.queue_show = {.id = id, .after_number = done.after_number, .with_content = !json}};
        code = queue_store_ask(store, &m, take_shown, &s, &done);
        if (code == EX_OK)
            code = queue_fault_of(&done, word);
    }
    if (code == EX_OK && json) {
        json_t *o = queue_mail_json(&s.mail, true);
        (void)json_dumpf(o, stdout, JSON_INDENT(2)); /* failures show at the end */
        putchar('\n');
        json_decref(o);
    }
    queue_mail_fini(&s.mail);
    return queue_finish_output(code);
}

/* --- status ---------------------------------------------------------------------------------- */

static void take_counters(void *ctx, const struct ipc_message *m)
{
    if (m->type == IPC_TYPE_queue_counters)
        *(struct ipc_queue_counters *)ctx = m->as.queue_counters;
}

static void print_status_json(const struct ipc_queue_counters *c, bool served)
{
    json_t *o = json_pack("{s:b, s:I}", "running", served, "messages", (json_int_t)c->messages);
    const struct {
        const char *name;
        uint64_t n;
    } numbers[] = {
        {"accepted", c->accepted}, {"commits", c->commits},         {"delivered", c->delivered},
        {"deferred", c->deferred}, {"bounced", c->bounced},         {"active", c->leased},
        {"waiting", c->window},    {"free_octets", c->free_octets}, {"free_octets_floor", c->floor_octets},
    };
    for (size_t i = 0; served && i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new(o, numbers[i].name, json_integer((json_int_t)numbers[i].n));
    (void)json_dumpf(o, stdout, JSON_INDENT(2)); /* failures show at the end */
    putchar('\n');
    json_decref(o);
}

static void print_status(const struct ipc_queue_counters *c, bool served)
{
    printf("%-12s %" PRIu64 "\n", "messages", c->messages);
    if (!served) {
        puts("no server is running in this folder");
        return;
    }
    double each = c->commits ? (double)c->accepted / (double)c->commits : 0;
    printf("%-12s %" PRIu64 " under way, %" PRIu64 " more in memory\n", "recipients", c->leased, c->window);
    printf("%-12s %" PRIu64 " MiB, nothing is accepted below %" PRIu64 " MiB\n", "free", c->free_octets >> 20,
           c->floor_octets >> 20);
    puts("since the start of the queue's process:");
    printf("%-12s %" PRIu64 " messages in %" PRIu64 " commits (%.1f acceptances per fsync)\n", "accepted",
           c->accepted, c->commits, each);
    printf("%-12s %" PRIu64 " recipients\n%-12s %" PRIu64 " attempts\n%-12s %" PRIu64 " recipients\n",
           "delivered", c->delivered, "deferred", c->deferred, "bounced", c->bounced);
}

int queue_look_status(struct queue_store *s, bool json)
{
    struct ipc_queue_counters counters = {0};
    struct ipc_queue_done done = {0};
    struct ipc_message m = {.type = IPC_TYPE_queue_status, .as.queue_status = {.with_messages = 1}};
    int code = queue_store_ask(s, &m, take_counters, &counters, &done);
    if (code == EX_OK)
        code = queue_fault_of(&done, "");
    if (code == EX_OK && json)
        print_status_json(&counters, queue_store_is_served(s));
    else if (code == EX_OK)
        print_status(&counters, queue_store_is_served(s));
    return queue_finish_output(code);
}
