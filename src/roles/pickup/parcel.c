#include "roles/pickup/pickup.h"

#include "base/time.h"
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MEMORY_MAX = 8 << 20, /* addresses and parameters */
    START_MAX = 40 << 10
};

void parcel_init(struct parcel *parcel)
{
    uint64_t seed;
    os_random(&seed, sizeof seed);
    parcel->file = parcel->spool = -1;
    sp_arena_init(&parcel->memory, &os_heap, MEMORY_MAX);
    recipients_init(&parcel->recipients, &os_heap, seed);
    sp_buf_init(&parcel->content, &os_heap, SIZE_MAX / 2);
    sp_buf_init(&parcel->start, &os_heap, START_MAX);
    message_scan_init(&parcel->scan);
}

void parcel_free(struct parcel *parcel)
{
    if (!parcel)
        return;
    if (parcel->file >= 0)
        close(parcel->file);
    if (parcel->spool >= 0)
        close(parcel->spool);
    if (parcel->mending)
        message_mend_fini(&parcel->mend);
    recipients_fini(&parcel->recipients);
    sp_buf_fini(&parcel->content);
    sp_buf_fini(&parcel->start);
    sp_arena_reset(&parcel->memory);
    free(parcel);
}

struct sp_view parcel_keep(struct parcel *parcel, struct sp_view v)
{
    uint8_t *copy = v.len ? sp_arena_get(&parcel->memory, v.len) : NULL;
    if (!copy) {
        if (v.len)
            parcel->fault = "its addresses take too much memory";
        return (struct sp_view){0};
    }
    memcpy(copy, v.p, v.len);
    return sp_view_make(copy, v.len);
}

/* --- envelope ------------------------------------------------------------------------------- */

void parcel_take_mail(struct pickup *p, struct parcel *parcel, const struct sp_server_event *ev)
{
    (void)p;
    if (parcel->began)
        parcel->fault = "it holds more than one message";
    parcel->began = true;
    parcel->sender = parcel_keep(parcel, ev->as.mail.sender.text);
    parcel->parameters = ev->as.mail.parameters;
    parcel->parameters.envid = parcel_keep(parcel, parcel->parameters.envid);
    parcel->parameters.auth = (struct sp_view){0}; /* nobody has logged in */
    if (parcel->parameters.priority > 0)           /* RFC 6710 5.2: not every program may overtake */
        parcel->parameters.priority = 0;
}

void parcel_take_recipient(struct pickup *p, struct parcel *parcel, const struct sp_server_event *ev)
{
    const struct sp_path *to = &ev->as.rcpt.recipient;
    const char *enhanced = NULL;
    const char *reply = pickup_route(p, parcel, to, &ev->as.rcpt.parameters, &enhanced);
    if (!reply)
        return;
    struct pickup_refused *r = sp_arena_get(&parcel->memory, sizeof *r);
    if (!r) {
        parcel->fault = "its addresses take too much memory";
        return;
    }
    *r = (struct pickup_refused){.next = parcel->refused,
                                 .address = parcel_keep(parcel, to->text),
                                 .orcpt = parcel_keep(parcel, ev->as.rcpt.parameters.orcpt),
                                 .notify = ev->as.rcpt.parameters.notify,
                                 .enhanced = enhanced,
                                 .reply = reply};
    parcel->refused = r;
    os_log(OS_INFO, "maildrop-recipient-refused", OS_STR("id", parcel->name), OS_STR("user", parcel->user),
           OS_VIEW("recipient", r->address), OS_STR("reply", reply));
}

/* --- message -------------------------------------------------------------------------------- */

static void write_spool(struct parcel *parcel)
{
    struct sp_view rest = sp_buf_view(&parcel->content);
    while (rest.len > 0 && !parcel->later) {
        ssize_t n = write(parcel->spool, rest.p, rest.len);
        if (n >= 0) {
            rest = sp_view_from(rest, (size_t)n);
        } else if (errno != EINTR) {
            parcel->later = true;
            os_log(OS_WARN, "spool-failed", OS_STR("id", parcel->name), OS_STR("why", strerror(errno)));
        }
    }
    sp_buf_clear(&parcel->content);
}

/* What was appended to the content since `before`. */
static void note_growth(struct parcel *parcel, size_t before)
{
    struct sp_view grown = sp_view_from(sp_buf_view(&parcel->content), before);
    parcel->size += grown.len;
    if (parcel->start.len < START_MAX)
        (void)sp_buf_add(&parcel->start, sp_view_sub(grown, 0, START_MAX - parcel->start.len)); /* fits */
    if (parcel->spool >= 0)
        write_spool(parcel);
}

/* RFC 5321 4.4: what is no SMTP has no `from` to tell of. */
void parcel_open(struct pickup *p, struct parcel *parcel)
{
    const char *hostname = p->role->config->hostname;
    struct sp_buf *out = &parcel->content;
    const struct message_mend_facts facts = {.sender = parcel->sender,
                                             .hostname = hostname,
                                             .id = parcel->name,
                                             .wall_ms = (int64_t)parcel->received_ms};
    message_mend_init(&parcel->mend, &os_heap, &facts);
    parcel->mending = true;
    sp_buf_add_str(out, "Received: by ");
    sp_buf_add_str(out, hostname);
    sp_buf_add_str(out, " (Sallyport, from the local user ");
    sp_buf_add_str(out, parcel->user);
    sp_buf_add_str(out, ")\r\n\tid ");
    sp_buf_add_str(out, parcel->name);
    if (parcel->only_recipient.len) {
        sp_buf_add_str(out, "\r\n\tfor <");
        sp_buf_add(out, parcel->only_recipient);
        sp_buf_add_str(out, ">");
    }
    sp_buf_add_str(out, ";\r\n\t");
    sp_buf_add_rfc5322(out, (int64_t)parcel->received_ms);
    sp_buf_add_str(out, "\r\n");
    note_growth(parcel, 0);
}

void parcel_add(struct parcel *parcel, struct sp_view octets)
{
    size_t before = parcel->content.len;
    message_scan_feed(&parcel->scan, octets);
    if (parcel->mend.passes)
        sp_buf_add(&parcel->content, octets);
    else
        message_mend_feed(&parcel->mend, octets, &parcel->content);
    note_growth(parcel, before);
}

void parcel_end(struct parcel *parcel)
{
    size_t before = parcel->content.len;
    if (!parcel->mend.passes)
        message_mend_end(&parcel->mend, &parcel->content);
    note_growth(parcel, before);
    parcel->whole = true;
    if (parcel->scan.received_n > PICKUP_RECEIVED_MAX)
        parcel->fault = "it has over 100 Received fields: it goes in circles";
    if (parcel->spool >= 0) {
        if (!parcel->later && fdatasync(parcel->spool) != 0) {
            parcel->later = true;
            os_log(OS_WARN, "spool-failed", OS_STR("id", parcel->name), OS_STR("why", strerror(errno)));
        }
        close(parcel->spool);
        parcel->spool = -1;
    }
}
