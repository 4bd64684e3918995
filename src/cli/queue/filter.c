#include "cli/queue/filter.h"

#include "base/view.h"
#include "cli/options.h"
#include "os/clock.h"

#include <string.h>
#include <sysexits.h>

/* UNRETURNED is of what is held. */
static const char unreturned[] = "unreturned";
static const char *const states[] = {"active",   "queued",    "deferred", "held",
                                     unreturned, "delivered", "failed"};

/* Numbers with a unit, as in the configuration. */
static bool read_span(const char *text, uint64_t *s_out)
{
    static const struct {
        char unit;
        uint64_t s;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    uint64_t n = 0;
    size_t i = 0;
    while (text[i] >= '0' && text[i] <= '9' && i < 9)
        n = n * 10 + (uint64_t)(text[i++] - '0');
    if (i == 0 || !text[i] || text[i + 1])
        return false;
    for (size_t k = 0; k < sizeof units / sizeof *units; k++)
        if (text[i] == units[k].unit) {
            *s_out = n * units[k].s;
            return true;
        }
    return false;
}

int queue_filter_read(struct queue_filter *f, const char *older, const char *younger)
{
    if (older && !read_span(older, &f->older_s))
        return cli_usage_fault("queue", "--older %s is no time: a number and s, m, h or d, as in 4h", older);
    if (younger && !read_span(younger, &f->younger_s))
        return cli_usage_fault("queue", "--younger %s is no time: a number and s, m, h or d, as in 4h",
                               younger);
    size_t i = 0;
    while (f->state && i < sizeof states / sizeof *states && strcmp(f->state, states[i]) != 0)
        i++;
    if (i == sizeof states / sizeof *states)
        return cli_usage_fault(
            "queue", "--state %s is none of active, queued, deferred, held, unreturned, delivered, failed",
            f->state);
    return EX_OK;
}

bool queue_pattern_fits(const char *pattern, struct sp_view text)
{
    size_t at = 0, star = SIZE_MAX, back = 0, i = 0;
    while (i < text.len) {
        if (pattern[at] == '*') {
            star = at++;
            back = i;
        } else if (pattern[at] && sp_ascii_lower((uint8_t)pattern[at]) == sp_ascii_lower(text.p[i])) {
            at++;
            i++;
        } else if (star != SIZE_MAX) {
            at = star + 1;
            i = ++back;
        } else {
            return false;
        }
    }
    while (pattern[at] == '*')
        at++;
    return !pattern[at];
}

static bool has_domain(const char *domain, struct sp_view address)
{
    size_t at = address.len;
    while (at > 0 && address.p[at - 1] != '@')
        at--;
    return at > 0 && queue_pattern_fits(domain, sp_view_from(address, at));
}

static bool has_state(const char *state, const struct ipc_queue_recipient *r)
{
    return strcmp(state, unreturned) == 0 ? r->unreturned : sp_view_eq(r->state, sp_view_of(state));
}

static bool recipient_fits(const struct queue_filter *f, const struct ipc_queue_recipient *r)
{
    return (!f->recipient || queue_pattern_fits(f->recipient, r->address)) &&
           (!f->domain || has_domain(f->domain, r->address)) && (!f->state || has_state(f->state, r));
}

bool queue_filter_fits(const struct queue_filter *f, const struct queue_mail *m)
{
    uint64_t now = (uint64_t)os_wall_ms(),
             age_s = now > m->facts.received_ms ? (now - m->facts.received_ms) / 1000 : 0;
    if ((f->older_s && age_s < f->older_s) || (f->younger_s && age_s >= f->younger_s))
        return false;
    if (f->sender && !queue_pattern_fits(f->sender, m->facts.sender.len ? m->facts.sender : SP_LIT("<>")))
        return false;
    if (!f->recipient && !f->domain && !f->state)
        return true;
    struct sp_view rest = sp_buf_view(&m->recipients);
    for (struct ipc_queue_recipient r; ipc_next_queue_recipient(&rest, &r);)
        if (recipient_fits(f, &r))
            return true;
    return false;
}
