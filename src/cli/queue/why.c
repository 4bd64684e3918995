#include "cli/queue/why.h"

#include "base/view.h"
#include "cli/queue/look.h"
#include "cli/queue/mail.h"
#include "cli/queue/meaning.h"
#include "os/heap.h"

#include <inttypes.h>
#include <sysexits.h>

struct asking {
    bool json;
    enum reference_lang lang;
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

static json_t *reason_json(const struct ipc_queue_reason *r, enum reference_lang lang)
{
    const char *change = queue_rule_change((enum ipc_queue_rule)r->rule, lang);
    json_t *o =
        json_pack("{s:o, s:o, s:s, s:s, s:o, s:I, s:o, s:o}", "address", queue_json_text(r->address), "state",
                  queue_json_text(r->state), "rule", queue_rule_word((enum ipc_queue_rule)r->rule), "because",
                  queue_rule_because((enum ipc_queue_rule)r->rule, lang), "until",
                  queue_json_time(r->until_ms), "attempts", (json_int_t)r->attempts, "last_reply",
                  queue_json_text_or_null(r->reply), "last_remote", queue_json_text_or_null(r->remote));
    json_object_set_new(o, "change", change[0] ? json_string(change) : json_null());
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

static void print_text_line(enum queue_word label, struct sp_view text, enum reference_lang lang, FILE *to)
{
    queue_print_label(label, lang, to);
    queue_print_text(text, false, to);
    fputc('\n', to);
}

static void print_destination(const struct ipc_queue_reason *r, enum reference_lang lang, FILE *to)
{
    queue_print_label(QUEUE_WORD_DESTINATION, lang, to);
    queue_print_text(r->destination, false, to);
    if (!sp_view_eq(r->site, r->destination)) {
        fprintf(to, ", %s ", queue_word(QUEUE_WORD_SERVERS, lang));
        queue_print_text(r->site, false, to);
    }
    fprintf(to, ": %" PRIu32 " %s, %" PRIu32 " %s", r->active, queue_word(QUEUE_WORD_UNDER_WAY, lang),
            r->connections,
            queue_word(r->connections == 1 ? QUEUE_WORD_CONNECTION : QUEUE_WORD_CONNECTIONS, lang));
    if (r->troubles)
        fprintf(to, ", %" PRIu32 " %s", r->troubles,
                queue_word(r->troubles == 1 ? QUEUE_WORD_TROUBLE : QUEUE_WORD_TROUBLES, lang));
    if (r->good_ms)
        fprintf(to, ", %s %s", queue_word(QUEUE_WORD_LAST_TOOK, lang), queue_time_of(r->good_ms).s);
    fputc('\n', to);
    if (r->said.len && !r->slowed.len)
        print_text_line(QUEUE_WORD_IT_SAID, r->said, lang, to);
    if (r->slowed.len) {
        print_text_line(QUEUE_WORD_SLOWED_BY, r->slowed, lang, to);
        queue_print_meaning(r->slowed, r->meaning, lang, to);
        queue_print_action((enum reference_action)r->action, lang, to);
    }
}

static void print_talk(struct asking *a, const struct ipc_queue_reason *r, FILE *to)
{
    struct sp_view rest = r->talk;
    if (!r->talk.len)
        return;
    fprintf(to, "    %s %s", queue_word(r->talk_own ? QUEUE_WORD_TALK_OWN : QUEUE_WORD_TALK_OTHER, a->lang),
            queue_time_of(r->talk_ms).s);
    if (sp_view_eq(sp_buf_view(&a->talk), r->talk)) {
        fprintf(to, ": %s\n", queue_word(QUEUE_WORD_AS_ABOVE, a->lang));
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

static void print_last_attempt(const struct ipc_queue_reason *r, enum reference_lang lang, FILE *to)
{
    fprintf(to, "    %s (%" PRIu32 " %s): ", queue_word(QUEUE_WORD_LAST_ATTEMPT, lang), r->attempts,
            queue_word(QUEUE_WORD_SO_FAR, lang));
    if (r->remote.len) {
        queue_print_text(r->remote, false, to);
        fprintf(to, " %s: ", queue_word(QUEUE_WORD_SAID, lang));
    }
    queue_print_text(r->reply, false, to);
    fputc('\n', to);
    queue_print_meaning(r->reply, (struct sp_view){0}, lang, to);
}

static void print_rule(const struct ipc_queue_reason *r, enum reference_lang lang, FILE *to)
{
    enum ipc_queue_rule rule = (enum ipc_queue_rule)r->rule;
    fputc('<', to);
    queue_print_text(r->address, false, to);
    fprintf(to, ">: %s (%s)", queue_rule_because(rule, lang), queue_rule_word(rule));
    if (r->until_ms) {
        fprintf(to, ", %s %s, ", queue_word(QUEUE_WORD_UNTIL, lang), queue_time_of(r->until_ms).s);
        queue_print_in(r->until_ms, lang, to);
    }
    fputc('\n', to);
    if (queue_rule_change(rule, lang)[0])
        fprintf(to, "    %s: %s\n", queue_word(QUEUE_WORD_CHANGES, lang), queue_rule_change(rule, lang));
}

static void print_reason(struct asking *a, const struct ipc_queue_reason *r, FILE *to)
{
    print_rule(r, a->lang, to);
    if (r->attempts) {
        print_last_attempt(r, a->lang, to);
    } else if (r->reply.len) {
        fputs("    ", to);
        queue_print_text(r->reply, false, to);
        fputc('\n', to);
    }
    if (r->destination.len)
        print_destination(r, a->lang, to);
    print_talk(a, r, to);
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
            json_array_append_new(a->list, reason_json(&r, a->lang));
        else
            print_reason(a, &r, stdout);
    }
}

int queue_look_why(struct queue_store *s, const char *word, bool json, enum reference_lang lang)
{
    struct asking a = {.json = json, .lang = lang, .list = json_array()};
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
        queue_put_json(a.list);
    else
        json_decref(a.list);
    sp_buf_fini(&a.talk);
    return queue_finish_output(code);
}
