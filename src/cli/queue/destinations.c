#include "cli/queue/destinations.h"

#include "base/view.h"
#include "cli/options.h"
#include "cli/queue/filter.h"
#include "cli/queue/look.h"
#include "cli/queue/mail.h"
#include "cli/queue/rules.h"
#include "os/heap.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

static const char *const healths[] = {"good", "trying", "paused", "suspended"};

struct places {
    bool json;
    const struct queue_places_filter *filter;
    json_t *destinations, *suspensions;
    size_t n;
    struct sp_buf last; /* name of the page's last */
};

static const char *health_of(const struct ipc_queue_place *p)
{
    return healths[p->suspended ? 3 : p->until_ms ? 2 : p->troubles ? 1 : 0];
}

/* A destination's name is "route" or "route/domain"; either part may be asked for. */
static bool fits(const struct queue_places_filter *f, const struct ipc_queue_place *p)
{
    size_t slash = p->name.len; /* no domain holds one, routes may */
    while (slash > 0 && p->name.p[slash - 1] != '/')
        slash--;
    bool named = !f->pattern || queue_pattern_fits(f->pattern, p->name) ||
                 queue_pattern_fits(f->pattern, sp_view_from(p->name, slash));
    return named && (!f->health || strcmp(f->health, health_of(p)) == 0);
}

static json_t *place_json(const struct ipc_queue_place *p)
{
    json_t *o = json_pack("{s:o, s:o, s:b, s:o, s:I, s:b, s:I, s:I, s:I}", "name", queue_json_text(p->name),
                          "site", queue_json_text(p->site), "suspended", p->suspended, "paused_until",
                          queue_json_time(p->until_ms), "waiting", (json_int_t)p->waiting, "waiting_is_more",
                          p->more, "active", (json_int_t)p->active, "connections", (json_int_t)p->connections,
                          "troubles", (json_int_t)p->troubles);
    json_object_set_new(o, "health", json_string(health_of(p)));
    json_object_set_new(o, "delivered", json_integer((json_int_t)p->delivered));
    json_object_set_new(o, "deferred", json_integer((json_int_t)p->deferred));
    json_object_set_new(o, "failed", json_integer((json_int_t)p->failed));
    json_object_set_new(o, "last_good", queue_json_time(p->good_ms));
    json_object_set_new(o, "last_trouble", queue_json_time(p->bad_ms));
    json_object_set_new(o, "said", queue_json_text_or_null(p->said));
    return o;
}

static void print_place(struct places *all, const struct ipc_queue_place *p, FILE *to)
{
    char waiting[32];
    (void)snprintf(waiting, sizeof waiting, "%" PRIu64 "%s", p->waiting, p->more ? "+" : ""); /* fits */
    if (all->n == 0)
        fprintf(to, "%-9s  %8s  %6s  %5s  %9s  %8s  %6s  %s\n", "HEALTH", "WAITING", "ACTIVE", "CONNS",
                "DELIVERED", "DEFERRED", "FAILED", "DESTINATION");
    fprintf(to, "%-9s  %8s  %6" PRIu32 "  %5" PRIu32 "  %9" PRIu64 "  %8" PRIu64 "  %6" PRIu64 "  ",
            health_of(p), waiting, p->active, p->connections, p->delivered, p->deferred, p->failed);
    queue_print_text(p->name, false, to);
    if (!sp_view_eq(p->name, p->site)) {
        fputs(" (servers ", to);
        queue_print_text(p->site, false, to);
        fputc(')', to);
    }
    fputc('\n', to);
    if (p->until_ms) {
        fprintf(to, "           nothing is sent there until %s, ", queue_time_of(p->until_ms).s);
        queue_print_in(p->until_ms, REFERENCE_EN, to);
        fprintf(to, ", after %" PRIu32 " trouble%s in a row\n", p->troubles, p->troubles == 1 ? "" : "s");
    }
    if (p->said.len && p->troubles) {
        fputs("           it said: ", to);
        queue_print_text(p->said, false, to);
        fputc('\n', to);
    }
}

static void take_suspensions(struct places *all, struct sp_view list)
{
    for (struct ipc_queue_suspension p; ipc_next_queue_suspension(&list, &p);) {
        if (all->json) {
            json_array_append_new(all->suspensions, json_pack("{s:o, s:o}", "name", queue_json_text(p.name),
                                                              "since", queue_json_time(p.since_ms)));
            continue;
        }
        fputs("suspended since ", stdout);
        fputs(queue_time_of(p.since_ms).s, stdout);
        fputs(": ", stdout);
        queue_print_text(p.name, false, stdout);
        fputs("\n", stdout);
    }
}

static void take_places(void *ctx, const struct ipc_message *m)
{
    struct places *all = ctx;
    if (m->type != IPC_TYPE_queue_places)
        return;
    take_suspensions(all, m->as.queue_places.suspensions);
    struct sp_view rest = m->as.queue_places.places;
    for (struct ipc_queue_place p; ipc_next_queue_place(&rest, &p);) {
        bool shown = fits(all->filter, &p);
        if (shown && all->json)
            json_array_append_new(all->destinations, place_json(&p));
        else if (shown)
            print_place(all, &p, stdout);
        all->n += shown;
        sp_buf_clear(&all->last);
        (void)sp_buf_add(&all->last, p.name); /* os_heap never says no */
    }
}

int queue_look_destinations(struct queue_store *s, const struct queue_places_filter *filter, bool json)
{
    size_t i = 0;
    while (filter->health && i < sizeof healths / sizeof *healths && strcmp(filter->health, healths[i]) != 0)
        i++;
    if (i == sizeof healths / sizeof *healths)
        return cli_usage_fault("queue", "--health %s is none of good, trying, paused, suspended",
                               filter->health);
    struct places all = {
        .json = json, .filter = filter, .destinations = json_array(), .suspensions = json_array()};
    struct ipc_queue_done done = {.more = 1};
    int code = EX_OK;
    sp_buf_init(&all.last, &os_heap, 1 << 20);
    while (code == EX_OK && done.more) {
        struct ipc_message m = {.type = IPC_TYPE_queue_destinations,
                                .as.queue_destinations = {.after = sp_buf_view(&all.last)}};
        code = queue_store_ask(s, &m, take_places, &all, &done);
        if (code == EX_OK)
            code = queue_fault_of(&done, "");
    }
    if (code == EX_OK && json)
        queue_put_json(json_pack("{s:b, s:O, s:O}", "running", queue_store_is_served(s), "destinations",
                                 all.destinations, "suspensions", all.suspensions));
    else if (code == EX_OK && !queue_store_is_served(s))
        puts("no server is running in this folder: destinations are known to a running one");
    else if (code == EX_OK && all.n == 0)
        puts(filter->pattern || filter->health ? "no destination fits"
                                               : "nothing is waiting or under way for any destination");
    json_decref(all.destinations);
    json_decref(all.suspensions);
    sp_buf_fini(&all.last);
    return queue_finish_output(code);
}
