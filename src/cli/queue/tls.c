#include "cli/queue/tls.h"

#include "base/time.h"
#include "base/view.h"
#include "cli/queue/look.h"
#include "cli/queue/mail.h"
#include "os/clock.h"
#include "os/heap.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

enum { DAY_MS = 86400000, DAY_TEXT = 11 };

static void day_text(uint32_t day, char text_out[DAY_TEXT])
{
    struct sp_civil c = sp_civil_of((int64_t)day * DAY_MS);
    (void)snprintf(text_out, DAY_TEXT, "%04u-%02u-%02u", (unsigned)c.year % 10000, c.month % 100,
                   c.day % 100); /* fits */
}

/* --- tls-reports ------------------------------------------------------------------------------ */

struct listing {
    json_t *list; /* NULL: to be printed */
    size_t n;
    uint32_t day;
    struct sp_buf last; /* domain of the page's last */
};

static json_t *report_json(const struct ipc_queue_tls_report *r)
{
    char day[DAY_TEXT];
    day_text(r->day, day);
    json_t *o =
        json_pack("{s:s, s:o, s:o, s:I, s:I, s:I}", "day", day, "domain", queue_json_text_or_null(r->domain),
                  "state", queue_json_text(r->state), "successful", (json_int_t)r->good, "failed",
                  (json_int_t)r->bad, "attempts", (json_int_t)r->attempts);
    json_object_set_new(o, "next", queue_json_time(r->next_ms));
    json_object_set_new(o, "sent", queue_json_time(r->sent_ms));
    json_object_set_new(o, "sent_to", queue_json_text_or_null(r->sent_to));
    json_object_set_new(o, "said", queue_json_text_or_null(r->said));
    return o;
}

static void print_report(struct listing *l, const struct ipc_queue_tls_report *r, FILE *to)
{
    char day[DAY_TEXT];
    day_text(r->day, day);
    if (l->n == 0)
        fprintf(to, "%-10s  %-8s  %10s  %8s  %s\n", "DAY", "STATE", "SUCCESSFUL", "FAILED", "DOMAIN");
    fprintf(to, "%-10s  ", day);
    fprintf(to, "%-8.*s  %10" PRIu64 "  %8" PRIu64 "  ", (int)r->state.len, (const char *)r->state.p, r->good,
            r->bad);
    queue_print_text(r->domain.len ? r->domain : SP_LIT("(further domains)"), false, to);
    fputc('\n', to);
    if (r->sent_ms) {
        fprintf(to, "            sent %s to ", queue_time_of(r->sent_ms).s);
        queue_print_text(r->sent_to, false, to);
        fputc('\n', to);
    }
    if (r->said.len) {
        fputs("            ", to);
        queue_print_text(r->said, false, to);
        fputc('\n', to);
    }
    if (r->next_ms)
        fprintf(to, "            to be sent %s\n", queue_time_of(r->next_ms).s);
}

static void take_reports(void *ctx, const struct ipc_message *m)
{
    struct listing *l = ctx;
    if (m->type != IPC_TYPE_queue_tls_reports)
        return;
    struct sp_view rest = m->as.queue_tls_reports.reports;
    for (struct ipc_queue_tls_report r; ipc_next_queue_tls_report(&rest, &r); l->n++) {
        if (l->list)
            json_array_append_new(l->list, report_json(&r));
        else
            print_report(l, &r, stdout);
        l->day = r.day;
        sp_buf_clear(&l->last);
        (void)sp_buf_add(&l->last, r.domain); /* os_heap never says no */
    }
}

int queue_look_tls_reports(struct queue_store *s, bool json)
{
    struct listing l = {.list = json ? json_array() : NULL};
    struct ipc_queue_done done = {.more = 1};
    int code = EX_OK;
    sp_buf_init(&l.last, &os_heap, 1 << 20);
    while (code == EX_OK && done.more) {
        struct ipc_message m = {.type = IPC_TYPE_queue_tls_list,
                                .as.queue_tls_list = {.after_day = l.day, .after = sp_buf_view(&l.last)}};
        code = queue_store_ask(s, &m, take_reports, &l, &done);
        if (code == EX_OK)
            code = queue_fault_of(&done, "");
    }
    if (code == EX_OK && json) {
        (void)json_dumpf(l.list, stdout, JSON_INDENT(2)); /* failures show at the end */
        putchar('\n');
    } else if (code == EX_OK && l.n == 0) {
        puts("nothing was counted; the section tls-reports of the configuration switches that on");
    }
    json_decref(l.list);
    sp_buf_fini(&l.last);
    return queue_finish_output(code);
}

/* --- tls-send ----------------------------------------------------------------------------------- */

static bool read_day(const char *word, uint32_t *day_out)
{
    char text[32];
    int64_t ms = os_wall_ms();
    if (strcmp(word, "yesterday") == 0)
        ms -= DAY_MS;
    else if (strcmp(word, "today") != 0) {
        (void)snprintf(text, sizeof text, "%.12sT00:00:00Z", word); /* fits */
        if (strlen(word) != DAY_TEXT - 1 || sp_rfc3339_parse(sp_view_of(text), &ms))
            return false;
    }
    *day_out = (uint32_t)(ms / DAY_MS);
    return true;
}

int queue_tls_send(struct queue_store *s, const char *word, const char *domain)
{
    struct ipc_message m = {.type = IPC_TYPE_queue_tls_send,
                            .as.queue_tls_send = {.domain = sp_view_of(domain)}};
    struct ipc_queue_done done;
    char day[DAY_TEXT];
    if (!read_day(word, &m.as.queue_tls_send.day)) {
        fprintf(stderr, "sallyport queue: '%s' is no day; allowed: today, yesterday, 2026-11-24 (UTC)\n",
                word);
        return EX_USAGE;
    }
    day_text(m.as.queue_tls_send.day, day);
    int code = queue_store_ask(s, &m, NULL, NULL, &done);
    if (code == EX_OK)
        code = queue_fault_of(&done, "");
    if (code != EX_OK)
        return code;
    if (done.count == 0) {
        fprintf(stderr, "sallyport queue: nothing was counted on %s%s%s\n", day, domain ? " of " : "",
                domain ? domain : "");
        return EX_DATAERR;
    }
    printf("%" PRIu64 " report%s of %s on the way; 'queue tls-reports' shows what becomes of %s\n",
           done.count, done.count == 1 ? "" : "s", day, done.count == 1 ? "it" : "them");
    return EX_OK;
}
