/* A session as JSON. */
#include "cli/session/told.h"

#include "base/view.h"
#include "cli/diagnose_show.h"
#include "cli/queue/mail.h"

static const char *from_of(enum diagnose_trace_kind kind)
{
    return kind == DIAGNOSE_TRACE_CLIENT ? "client" : kind == DIAGNOSE_TRACE_SERVER ? "server" : "event";
}

static json_t *talk_json(const struct session_told *told, enum reference_lang lang)
{
    json_t *talk = json_array();
    struct sp_view rest = told->lines;
    for (struct session_line l; session_next_line(&rest, &l);) {
        bool odd = l.kind == DIAGNOSE_TRACE_NOT; /* the gap, which has no time */
        json_t *o =
            json_pack("{s:o, s:s, s:o}", "at_ms", odd ? json_null() : json_integer((json_int_t)l.ms), "from",
                      from_of(l.kind), "text", queue_json_text(odd ? sp_view_trim(l.whole) : l.text));
        const char *means = session_meaning_of(&l, lang);
        if (means)
            json_object_set_new(o, "means", json_string(means));
        json_array_append_new(talk, o);
    }
    return talk;
}

static json_t *attempts_json(const struct session_told *told)
{
    json_t *all = json_array();
    for (size_t i = 0; i < told->attempt_n; i++) {
        const struct ipc_session_attempt *a = &told->attempts[i];
        const struct {
            const char *name;
            struct sp_view value;
        } texts[] = {{"reason", a->reason},
                     {"defect", a->defect},
                     {"detail", a->detail},
                     {"steps", a->steps},
                     {"offered_clear", a->offered_clear},
                     {"offered_tls", a->offered_tls}};
        int64_t at_ms = (int64_t)a->at_ms - (int64_t)told->facts.began_ms;
        json_t *o = json_pack("{s:I, s:o, s:o, s:b}", "at_ms", (json_int_t)(at_ms > 0 ? at_ms : 0),
                              "mechanism", queue_json_text(a->mechanism), "user",
                              a->user.len ? queue_json_text(a->user) : json_null(), "tls", a->tls != 0);
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            json_object_set_new(o, texts[k].name,
                                texts[k].value.len ? queue_json_text(texts[k].value) : json_null());
        json_array_append_new(all, o);
    }
    return all;
}

void session_print_json(const struct session_told *told, const struct diagnose_report *report,
                        enum reference_lang lang)
{
    json_t *o = session_facts_json(&told->facts);
    json_object_set_new(o, "talk", talk_json(told, lang));
    json_object_set_new(o, "attempts", attempts_json(told));
    json_object_set_new(o, "diagnosis", diagnose_json(report, lang));
    cli_json_print(o);
}
