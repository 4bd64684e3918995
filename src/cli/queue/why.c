#include "cli/queue/why.h"

#include "base/view.h"
#include "cli/queue/look.h"
#include "cli/queue/mail.h"
#include "cli/queue/meaning.h"
#include "os/clock.h"
#include "os/heap.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

static const struct {
    const char *word, *sentence, *change;
} rules[IPC_QUEUE_RULE_N] = {
#define X(n, word, sentence, change) [IPC_QUEUE_RULE_##n] = {word, sentence, change},
    IPC_QUEUE_RULES(X)
#undef X
};

/* "in 3 min", for a time to come; rounded to what people say. */
static void print_in(uint64_t ms, FILE *to)
{
    int64_t s = ((int64_t)ms - os_wall_ms() + 999) / 1000;
    if (s <= 0)
        fputs("now", to);
    else if (s < 120)
        fprintf(to, "in %" PRId64 " s", s);
    else if (s < 7200)
        fprintf(to, "in %" PRId64 " min", (s + 59) / 60);
    else
        fprintf(to, "in %" PRId64 " h", (s + 3599) / 3600);
}

/* --- why -------------------------------------------------------------------------------------- */

struct asking {
    bool json;
    json_t *list;
    size_t n;
    struct sp_buf talk; /* that was shown last: recipients of a message share it */
};

static json_t *talk_json(const struct ipc_queue_reason *r)
{
    json_t *lines = json_array();
    struct sp_view rest = r->talk;
    if (!r->talk.len) {
        json_decref(lines);
        return json_null();
    }
    for (size_t end; rest.len > 0; rest = sp_view_from(rest, end + 1)) {
        end = sp_view_find(rest, '\n', 0);
        json_array_append_new(lines, queue_json_text(sp_view_sub(rest, 0, end)));
    }
    return json_pack("{s:o, s:s, s:o}", "ended", queue_json_time(r->talk_ms), "of",
                     r->talk_own ? "this message" : "another message", "lines", lines);
}

static json_t *reason_json(const struct ipc_queue_reason *r)
{
    json_t *o =
        json_pack("{s:o, s:o, s:s, s:s, s:o, s:I, s:o, s:o}", "address", queue_json_text(r->address), "state",
                  queue_json_text(r->state), "rule", rules[r->rule].word, "because", rules[r->rule].sentence,
                  "until", queue_json_time(r->until_ms), "attempts", (json_int_t)r->attempts, "last_reply",
                  queue_json_text_or_null(r->reply), "last_remote", queue_json_text_or_null(r->remote));
    json_object_set_new(o, "change",
                        rules[r->rule].change[0] ? json_string(rules[r->rule].change) : json_null());
    json_object_set_new(o, "last_reply_means", queue_json_meaning(r->reply, (struct sp_view){0}));
    json_object_set_new(o, "conversation", talk_json(r));
    if (!r->destination.len) {
        json_object_set_new(o, "destination", json_null());
        return o;
    }
    const struct reference_action_text *action = reference_action_text((enum reference_action)r->action);
    json_t *d = json_pack("{s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "name", queue_json_text(r->destination),
                          "site", queue_json_text(r->site), "connections", (json_int_t)r->connections,
                          "active", (json_int_t)r->active, "troubles", (json_int_t)r->troubles, "last_good",
                          queue_json_time(r->good_ms), "last_trouble", queue_json_time(r->bad_ms), "said",
                          queue_json_text_or_null(r->said));
    json_object_set_new(d, "slowed_by", queue_json_text_or_null(r->slowed));
    json_object_set_new(d, "slowed_by_means", queue_json_meaning(r->slowed, r->meaning));
    json_object_set_new(d, "action", action ? json_string(action->name) : json_null());
    json_object_set_new(o, "destination", d);
    return o;
}

static void print_destination(const struct ipc_queue_reason *r, FILE *to)
{
    fputs("    destination  ", to);
    queue_print_text(r->destination, false, to);
    if (!sp_view_eq(r->site, r->destination)) {
        fputs(", servers ", to);
        queue_print_text(r->site, false, to);
    }
    fprintf(to, ": %" PRIu32 " under way, %" PRIu32 " connection%s allowed", r->active, r->connections,
            r->connections == 1 ? "" : "s");
    if (r->troubles)
        fprintf(to, ", %" PRIu32 " trouble%s in a row", r->troubles, r->troubles == 1 ? "" : "s");
    if (r->good_ms)
        fprintf(to, ", last took mail %s", queue_time_of(r->good_ms).s);
    fputc('\n', to);
    if (r->said.len && !r->slowed.len) {
        fputs("    it said      ", to);
        queue_print_text(r->said, false, to);
        fputc('\n', to);
    }
    if (r->slowed.len) {
        fputs("    slowed by    ", to);
        queue_print_text(r->slowed, false, to);
        fputc('\n', to);
        queue_print_meaning("it means", r->slowed, r->meaning, to);
        queue_print_action((enum reference_action)r->action, to);
    }
}

static void print_talk(struct asking *a, const struct ipc_queue_reason *r, FILE *to)
{
    struct sp_view rest = r->talk;
    if (!r->talk.len)
        return;
    fprintf(to, "    the last conversation, %s, ended %s",
            r->talk_own ? "with this message" : "with another message", queue_time_of(r->talk_ms).s);
    if (sp_view_eq(sp_buf_view(&a->talk), r->talk)) {
        fputs(": as above\n", to);
        return;
    }
    fputs(":\n", to);
    for (size_t end; rest.len > 0; rest = sp_view_from(rest, end + 1)) {
        end = sp_view_find(rest, '\n', 0);
        fputs("      ", to);
        queue_print_text(sp_view_sub(rest, 0, end), false, to);
        fputc('\n', to);
    }
    sp_buf_clear(&a->talk);
    (void)sp_buf_add(&a->talk, r->talk); /* os_heap never says no */
}

static void print_reason(const struct ipc_queue_reason *r, FILE *to)
{
    fputc('<', to);
    queue_print_text(r->address, false, to);
    fprintf(to, ">: %s (%s)", rules[r->rule].sentence, rules[r->rule].word);
    if (r->until_ms) {
        fprintf(to, ", until %s, ", queue_time_of(r->until_ms).s);
        print_in(r->until_ms, to);
    }
    fputc('\n', to);
    if (rules[r->rule].change[0])
        fprintf(to, "    what changes it: %s\n", rules[r->rule].change);
    if (r->attempts) {
        fprintf(to, "    last attempt (%" PRIu32 " so far): ", r->attempts);
        if (r->remote.len) {
            queue_print_text(r->remote, false, to);
            fputs(" said: ", to);
        }
        queue_print_text(r->reply, false, to);
        fputc('\n', to);
        queue_print_meaning("it means", r->reply, (struct sp_view){0}, to);
    } else if (r->reply.len) {
        fputs("    ", to);
        queue_print_text(r->reply, false, to);
        fputc('\n', to);
    }
    if (r->destination.len)
        print_destination(r, to);
}

static void take_reasons(void *ctx, const struct ipc_message *m)
{
    struct asking *a = ctx;
    if (m->type != IPC_TYPE_queue_reasons)
        return;
    struct sp_view rest = m->as.queue_reasons.reasons;
    for (struct ipc_queue_reason r; ipc_next_queue_reason(&rest, &r); a->n++) {
        if (r.rule >= IPC_QUEUE_RULE_N)
            continue;
        if (a->json)
            json_array_append_new(a->list, reason_json(&r));
        else {
            print_reason(&r, stdout);
            print_talk(a, &r, stdout);
        }
    }
}

static void put_json(json_t *o)
{
    (void)json_dumpf(o, stdout, JSON_INDENT(2)); /* failures show at the end */
    putchar('\n');
    json_decref(o);
}

int queue_look_why(struct queue_store *s, const char *word, bool json)
{
    struct asking a = {.json = json, .list = json_array()};
    struct ipc_queue_done done = {.more = 1};
    uint64_t id;
    int code = queue_parse_id(word, &id);
    sp_buf_init(&a.talk, &os_heap, IPC_PAYLOAD_MAX);
    while (code == EX_OK && done.more) {
        struct ipc_message m = {.type = IPC_TYPE_queue_why,
                                .as.queue_why = {.id = id, .after_number = done.after_number}};
        code = queue_store_ask(s, &m, take_reasons, &a, &done);
        if (code == EX_OK)
            code = queue_fault_of(&done, word);
    }
    if (code == EX_OK && json)
        put_json(a.list);
    else
        json_decref(a.list);
    sp_buf_fini(&a.talk);
    return queue_finish_output(code);
}

/* --- destinations ----------------------------------------------------------------------------- */

struct places {
    bool json;
    json_t *destinations, *suspensions;
    size_t n;
    struct sp_buf last; /* name of the page's last */
};

static json_t *place_json(const struct ipc_queue_place *p)
{
    json_t *o = json_pack("{s:o, s:o, s:b, s:o, s:I, s:b, s:I, s:I, s:I}", "name", queue_json_text(p->name),
                          "site", queue_json_text(p->site), "suspended", p->suspended, "paused_until",
                          queue_json_time(p->until_ms), "waiting", (json_int_t)p->waiting, "waiting_is_more",
                          p->more, "active", (json_int_t)p->active, "connections", (json_int_t)p->connections,
                          "troubles", (json_int_t)p->troubles);
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
    const char *health = p->suspended  ? "suspended"
                         : p->until_ms ? "paused"
                         : p->troubles ? "trying"
                                       : "good";
    char waiting[32];
    (void)snprintf(waiting, sizeof waiting, "%" PRIu64 "%s", p->waiting, p->more ? "+" : ""); /* fits */
    if (all->n == 0)
        fprintf(to, "%-9s  %8s  %6s  %5s  %9s  %8s  %6s  %s\n", "HEALTH", "WAITING", "ACTIVE", "CONNS",
                "DELIVERED", "DEFERRED", "FAILED", "DESTINATION");
    fprintf(to, "%-9s  %8s  %6" PRIu32 "  %5" PRIu32 "  %9" PRIu64 "  %8" PRIu64 "  %6" PRIu64 "  ", health,
            waiting, p->active, p->connections, p->delivered, p->deferred, p->failed);
    queue_print_text(p->name, false, to);
    if (!sp_view_eq(p->name, p->site)) {
        fputs(" (servers ", to);
        queue_print_text(p->site, false, to);
        fputc(')', to);
    }
    fputc('\n', to);
    if (p->until_ms) {
        fprintf(to, "           nothing is sent there until %s, ", queue_time_of(p->until_ms).s);
        print_in(p->until_ms, to);
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
    for (struct ipc_queue_place p; ipc_next_queue_place(&rest, &p); all->n++) {
        if (all->json)
            json_array_append_new(all->destinations, place_json(&p));
        else
            print_place(all, &p, stdout);
        sp_buf_clear(&all->last);
        (void)sp_buf_add(&all->last, p.name); /* os_heap never says no */
    }
}

int queue_look_destinations(struct queue_store *s, bool json)
{
    struct places all = {.json = json, .destinations = json_array(), .suspensions = json_array()};
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
        put_json(json_pack("{s:b, s:O, s:O}", "running", queue_store_is_served(s), "destinations",
                           all.destinations, "suspensions", all.suspensions));
    else if (code == EX_OK && !queue_store_is_served(s))
        puts("no server is running in this folder: destinations are known to a running one");
    else if (code == EX_OK && all.n == 0)
        puts("nothing is waiting or under way for any destination");
    json_decref(all.destinations);
    json_decref(all.suspensions);
    sp_buf_fini(&all.last);
    return queue_finish_output(code);
}
