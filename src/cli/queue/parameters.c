#include "cli/queue/parameters.h"

#include "base/view.h"
#include "cli/queue/mail.h"

static const char *const bodies[] = {
    [SP_BODY_7BIT] = "7BIT", [SP_BODY_8BITMIME] = "8BITMIME", [SP_BODY_BINARYMIME] = "BINARYMIME"};
static const char *const rets[] = {[SP_RET_FULL] = "FULL", [SP_RET_HDRS] = "HDRS"};
static const char *const modes[] = {[SP_BY_RETURN] = "return", [SP_BY_NOTIFY] = "notify"};

static const struct {
    unsigned bit;
    const char *word;
} notices[] = {{SP_NOTIFY_NEVER, "NEVER"},
               {SP_NOTIFY_SUCCESS, "SUCCESS"},
               {SP_NOTIFY_FAILURE, "FAILURE"},
               {SP_NOTIFY_DELAY, "DELAY"}};
enum { NOTICE_N = sizeof notices / sizeof *notices };

/* --- JSON ------------------------------------------------------------------------------------ */

static json_t *word_or_null(const char *const *words, uint8_t n)
{
    return n ? json_string(words[n]) : json_null();
}

void queue_add_parameters_json(json_t *o, const struct sp_mail_parameters *p)
{
    json_object_set_new(o, "body", json_string(bodies[p->body]));
    json_object_set_new(o, "smtputf8", json_boolean(p->utf8));
    json_object_set_new(o, "requiretls", json_boolean(p->require_tls));
    json_object_set_new(o, "ret", word_or_null(rets, p->ret));
    json_object_set_new(o, "envid", queue_json_text_or_null(p->envid));
    json_object_set_new(o, "auth", queue_json_text_or_null(p->auth));
    json_object_set_new(o, "by", p->by ? queue_json_time((uint64_t)p->by_ms) : json_null());
    json_object_set_new(o, "by_mode", word_or_null(modes, p->by));
    json_object_set_new(o, "by_trace", json_boolean(p->by_trace));
    json_object_set_new(o, "hold_until", queue_json_time((uint64_t)p->hold_until_ms));
    json_object_set_new(o, "priority", json_integer(p->priority));
}

json_t *queue_notify_json(uint8_t notify)
{
    json_t *words = json_array();
    for (size_t i = 0; i < NOTICE_N; i++)
        if (notify & notices[i].bit)
            json_array_append_new(words, json_string(notices[i].word));
    return words;
}

/* --- for people ------------------------------------------------------------------------------ */

void queue_print_mail_parameters(const struct sp_mail_parameters *p, FILE *to)
{
    queue_print_fact("body", sp_view_of(bodies[p->body]), to);
    if (p->utf8)
        queue_print_fact("smtputf8", SP_LIT("yes"), to);
    if (p->require_tls)
        queue_print_fact("requiretls", SP_LIT("yes"), to);
    if (p->ret)
        queue_print_fact("ret", sp_view_of(rets[p->ret]), to);
    queue_print_fact("envid", p->envid, to);
    queue_print_fact("auth", p->auth, to);
    if (p->by)
        fprintf(to, "%-10s %s, else %s%s\n", "by", queue_time_of((uint64_t)p->by_ms).s, modes[p->by],
                p->by_trace ? ", with trace" : "");
    if (p->hold_until_ms)
        queue_print_fact("hold-until", sp_view_of(queue_time_of((uint64_t)p->hold_until_ms).s), to);
    if (p->priority)
        fprintf(to, "%-10s %d\n", "priority", p->priority);
}

void queue_print_rcpt_parameters(const struct sp_rcpt_parameters *p, FILE *to)
{
    if (p->notify) {
        const char *before = "";
        fprintf(to, "%-10s ", "  notify");
        for (size_t i = 0; i < NOTICE_N; i++) {
            if (!(p->notify & notices[i].bit))
                continue;
            fprintf(to, "%s%s", before, notices[i].word);
            before = ",";
        }
        fputc('\n', to);
    }
    queue_print_fact("  orcpt", p->orcpt, to);
}
