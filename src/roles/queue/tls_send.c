/*
 * One report: the domain's record through delivery, then the report itself. RFC 8460 3 lets a sender be
 * content when one endpoint has taken it. Web servers are asked first, one after another, since they say at
 * once whether they have; when none takes it, or there is none, it goes by mail to all addresses, and the
 * queue has it from there.
 */
#include "roles/queue/tls.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <stdlib.h>

enum { MAIL_MOST = 4 << 20, JSON_MOST = 4 << 20 };

static const char *from_of(const struct queue *q)
{
    const struct config_tls_reports *c = &q->role->config->tls_reports;
    return c->from ? c->from : c->contact;
}

/* The domain of its address. */
static struct sp_view submitter_of(const struct queue *q)
{
    struct sp_view from = sp_view_of(from_of(q));
    return sp_view_from(from, sp_view_find(from, '@', 0) + 1);
}

static void fail(struct queue_tls_job *job, const char *why)
{
    sp_buf_clear(&job->said);
    (void)sp_buf_add_str(&job->said, why); /* os_heap never says no */
    queue_tls_end(job, STORE_TLS_WAITING);
}

/* --- asking delivery ------------------------------------------------------------------------------ */

/* false: nobody is there, and the job is over. */
static bool ask(struct queue_tls_job *job, struct ipc_message *m, uint64_t *tag)
{
    struct queue *q = job->q;
    struct os_edge *to = role_peer_for(q->role, IPC_DELIVERY, sp_hash(job->report.domain, 0));
    *tag = job->tag = ++q->tls.last_tag;
    if (!to || os_edge_send(to, m)) {
        fail(job, "no delivery process is there");
        return false;
    }
    job->peer = os_edge_peer_index(to);
    os_timer_set(&job->timer, QUEUE_TLS_WAIT_MS);
    return true;
}

static struct queue_tls_job *job_of(struct queue *q, uint64_t tag)
{
    struct queue_tls_job *job = q->tls.jobs;
    while (job && job->tag != tag)
        job = job->next;
    if (job) {
        job->tag = 0;
        os_timer_stop(&job->timer);
    }
    return job;
}

/* A reload may have taken the section away, and with it who it is that reports. */
static bool is_off(struct queue_tls_job *job)
{
    if (job->q->role->config->tls_reports.contact)
        return false;
    fail(job, "reports are switched off");
    return true;
}

void queue_tls_begin(struct queue_tls_job *job)
{
    if (is_off(job))
        return;
    struct ipc_message m = {.type = IPC_TYPE_tls_place_wanted};
    m.as.tls_place_wanted.domain = job->report.domain;
    (void)ask(job, &m, &m.as.tls_place_wanted.tag); /* without an answer it is over */
}

/* --- the report ------------------------------------------------------------------------------------ */

static void add_report_id(const struct queue_tls_job *job, struct sp_buf *out)
{
    sp_buf_add_str(out, job->id);
    sp_buf_add_u8(out, '@');
    sp_buf_add(out, submitter_of(job->q));
}

/* The report of a day that is over has one name, however often it is sent: whoever gets it twice can tell. */
static void name_report(struct queue_tls_job *job, int64_t now)
{
    struct queue *q = job->q;
    struct sp_buf whose;
    if (job->report.day >= queue_tls_today(q)) {
        message_id_text(message_id_next(&q->ids, now), job->id);
        return;
    }
    sp_buf_init(&whose, &os_heap, 1000);
    sp_buf_add_str(&whose, q->role->config->hostname);
    sp_buf_add_u8(&whose, ' ');
    sp_buf_add(&whose, job->report.domain);
    message_id_text(sp_hash(sp_buf_view(&whose), job->report.day), job->id);
    sp_buf_fini(&whose);
}

static int write_report(struct queue_tls_job *job)
{
    struct queue *q = job->q;
    const struct config *c = q->role->config;
    struct sp_buf json, report_id;
    int64_t now = q->wall_ms();
    queue_tls_flush(q);
    name_report(job, now);
    job->begin_ms = (int64_t)job->report.day * QUEUE_TLS_DAY_MS;
    job->end_ms = job->begin_ms + QUEUE_TLS_DAY_MS - 1000;
    if (job->end_ms > now)
        job->end_ms = now;
    sp_buf_init(&json, &os_heap, JSON_MOST);
    sp_buf_init(&report_id, &os_heap, 1000);
    add_report_id(job, &report_id);
    struct queue_tls_facts facts = {.organization = c->tls_reports.organization ? c->tls_reports.organization
                                                                                : c->hostname,
                                    .contact = c->tls_reports.contact,
                                    .report_id = sp_buf_view(&report_id),
                                    .begin_ms = job->begin_ms,
                                    .end_ms = job->end_ms};
    int status =
        queue_tls_json(q->store, job->report.day, job->report.domain, &facts, &json, &job->good, &job->bad);
    if (!status)
        status = queue_tls_gzip(sp_buf_view(&json), &job->octets);
    sp_buf_fini(&json);
    sp_buf_fini(&report_id);
    return status;
}

/* --- by mail --------------------------------------------------------------------------------------- */

static int write_mail(const struct queue_tls_job *job, const char *id, struct sp_view address,
                      struct sp_buf *out)
{
    const struct queue *q = job->q;
    struct sp_buf name, report_id, to;
    sp_buf_init(&name, &os_heap, 1000);
    sp_buf_init(&report_id, &os_heap, 1000);
    sp_buf_init(&to, &os_heap, 1000);
    (void)message_tlsrpt_file_name(&name, submitter_of(q), job->report.domain, job->begin_ms, job->end_ms,
                                   job->id);
    add_report_id(job, &report_id);
    sp_buf_add_u8(&to, '<');
    sp_buf_add(&to, address);
    sp_buf_add_u8(&to, '>');
    struct message_tlsrpt_mail m = {.hostname = q->role->config->hostname,
                                    .id = id,
                                    .from = sp_view_of(from_of(q)),
                                    .submitter = submitter_of(q),
                                    .domain = job->report.domain,
                                    .to = sp_buf_view(&to),
                                    .report_id = sp_buf_view(&report_id),
                                    .file_name = sp_buf_view(&name),
                                    .begin_ms = job->begin_ms,
                                    .end_ms = job->end_ms,
                                    .now_ms = q->wall_ms(),
                                    .good_n = job->good,
                                    .bad_n = job->bad,
                                    .report = sp_buf_view(&job->octets)};
    int status = message_add_tlsrpt(out, &m);
    sp_buf_fini(&name);
    sp_buf_fini(&report_id);
    sp_buf_fini(&to);
    return status;
}

/* From nobody: a report that cannot be delivered comes back to nobody. */
static int add_mail(struct queue_tls_job *job, const struct message_tlsrpt_place *place)
{
    struct queue *q = job->q;
    struct sp_view address = sp_view_make(place->address, place->address_len);
    uint64_t id = message_id_next(&q->ids, q->wall_ms());
    struct queue_id text = queue_id(id);
    struct queue_way way;
    struct sp_buf content;
    queue_find_way(q, address, &way);
    sp_buf_init(&content, &os_heap, MAIL_MOST);
    int status = way.nobody || way.to.n == 0 ? SP_ERR_ABSENT : write_mail(job, text.text, address, &content);
    struct store_mail mail = {.id = id,
                              .received_ms = q->wall_ms(),
                              .session = SP_LIT("tls-report"),
                              .size = content.len,
                              .parameters = {.body = SP_BODY_7BIT}};
    if (!status)
        status = queue_add_own(q, &way, &mail, sp_buf_view(&content), &job->items[job->mail_n]);
    if (!status) {
        job->mails[job->mail_n++] = id;
        sp_buf_add_str(&job->sent_to, job->sent_to.len ? " " : "");
        sp_buf_add(&job->sent_to, place->uri);
    }
    queue_way_fini(&way);
    sp_buf_fini(&content);
    return status;
}

static void put_mails(struct queue *q, struct queue_entry *entry, bool ok, enum ipc_submit_why why)
{
    struct queue_tls_job *job = (struct queue_tls_job *)entry;
    (void)why;
    for (size_t i = 0; i < job->mail_n; i++) {
        struct queue_id id = queue_id(job->mails[i]);
        if (ok)
            os_log(OS_INFO, "tls-report-mailed", OS_STR("id", id.text),
                   OS_VIEW("domain", job->report.domain));
        if (ok && job->items[i])
            queue_window_put(q, job->items[i]);
        else if (ok)
            q->window.next_ms = 0;
        else if (job->items[i])
            queue_item_free(q, job->items[i], STORE_NEVER);
    }
    if (!ok)
        sp_buf_clear(&job->sent_to);
    if (ok)
        queue_tls_end(job, STORE_TLS_SENT);
    else
        fail(job, "the report could not be put into the queue");
}

static void send_mails(struct queue_tls_job *job)
{
    struct queue *q = job->q;
    if (is_off(job))
        return;
    struct sp_view rest = sp_buf_view(&job->record);
    struct message_tlsrpt_place place;
    int status = queue_batch_open(q) ? SP_OK : SP_ERR_IO;
    size_t tried = 0;
    while (!status && tried++ < MESSAGE_TLSRPT_PLACES_MAX && message_tlsrpt_next(&rest, &place))
        if (place.kind == MESSAGE_TLSRPT_MAILTO && add_mail(job, &place) == SP_ERR_IO)
            status = SP_ERR_IO;
    if (status && q->batch.open)
        queue_batch_fail(q);
    job->entry.done = put_mails;
    if (status)
        put_mails(q, &job->entry, false, IPC_SUBMIT_BROKEN);
    else if (job->mail_n > 0)
        queue_batch_add(q, &job->entry, job->octets.len * job->mail_n);
    else if (job->said.len > 0)
        queue_tls_end(job, STORE_TLS_WAITING);
    else
        fail(job, "its record names nothing that a report could be sent to");
}

/* --- by HTTPS -------------------------------------------------------------------------------------- */

static void try_next(struct queue_tls_job *job)
{
    struct message_tlsrpt_place place;
    while (job->post_n < QUEUE_TLS_POSTS_MAX && message_tlsrpt_next(&job->rest, &place)) {
        if (place.kind != MESSAGE_TLSRPT_HTTPS)
            continue;
        job->post_n++;
        struct ipc_message m = {.type = IPC_TYPE_tls_post};
        job->url = place.uri;
        m.as.tls_post.url = place.uri;
        m.as.tls_post.report = sp_buf_view(&job->octets);
        (void)ask(job, &m, &m.as.tls_post.tag); /* without an answer it is over */
        return;
    }
    send_mails(job);
}

void queue_take_tls_posted(struct queue *q, const struct ipc_tls_posted *m)
{
    struct queue_tls_job *job = job_of(q, m->tag);
    if (!job)
        return; /* given up since then */
    if (m->fault.len == 0) {
        if (m->unverified)
            os_log(OS_INFO, "tls-report-unverified", OS_VIEW("domain", job->report.domain),
                   OS_VIEW("to", job->url),
                   OS_STR("why", "the certificate of the server that takes reports is not good"));
        sp_buf_add(&job->sent_to, job->url);
        queue_tls_end(job, STORE_TLS_SENT);
        return;
    }
    sp_buf_clear(&job->said);
    sp_buf_add(&job->said, job->url);
    sp_buf_add_str(&job->said, ": ");
    sp_buf_add(&job->said, m->fault);
    try_next(job);
}

/* --- where it goes --------------------------------------------------------------------------------- */

/* Who names one address ten times is not to have it filled with ten mails, whoever's it is. */
static bool is_kept(const struct queue_tls_job *job, const struct message_tlsrpt_place *place)
{
    struct sp_view rest = sp_buf_view(&job->record), address = {place->address, place->address_len};
    struct message_tlsrpt_place other;
    while (message_tlsrpt_next(&rest, &other))
        if (place->kind == MESSAGE_TLSRPT_MAILTO
                ? sp_view_eq_nocase(address, sp_view_make(other.address, other.address_len))
                : sp_view_eq(place->uri, other.uri))
            return true;
    return false;
}

/* The first so many of them. */
static void keep_places(struct queue_tls_job *job, struct sp_view rua)
{
    struct message_tlsrpt_place place;
    size_t n = 0;
    while (n < MESSAGE_TLSRPT_PLACES_MAX && message_tlsrpt_next(&rua, &place)) {
        if (place.kind == MESSAGE_TLSRPT_UNUSABLE || is_kept(job, &place))
            continue;
        sp_buf_add_str(&job->record, n++ ? "," : "");
        sp_buf_add(&job->record, place.uri);
    }
    job->rest = sp_buf_view(&job->record);
}

void queue_take_tls_place(struct queue *q, const struct ipc_tls_place_here *m)
{
    struct queue_tls_job *job = job_of(q, m->tag);
    struct sp_view rua = {0};
    if (!job)
        return; /* the same */
    if (m->answer == IPC_TLS_PLACE_AWAY) {
        fail(job, "the DNS does not say where it wants its reports");
        return;
    }
    if (m->answer != IPC_TLS_PLACE_FOUND || message_tlsrpt_read(m->record, &rua)) {
        queue_tls_end(job, STORE_TLS_UNWANTED);
        return;
    }
    if (is_off(job))
        return;
    keep_places(job, rua);
    int status = write_report(job);
    if (status == SP_ERR_ABSENT)
        queue_tls_end(job, STORE_TLS_UNWANTED); /* forgotten meanwhile */
    else if (status)
        fail(job, "what was counted cannot be read");
    else if (!queue_tls_promise(job))
        fail(job, "the store fails");
    else
        try_next(job);
}
