/* A report as JSON, in the order of RFC 8460 4.4, and in gzip's form. */
#include "roles/queue/tls.h"

#include "base/time.h"
#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"

#include <jansson.h>
#include <stdlib.h>
#include <zlib.h>

struct writing {
    json_t *policies;
    /* The policy that is being written; NULL before the first. */
    json_t *policy, *details;
    struct sp_buf key;
    uint64_t good, bad; /* of it */
    uint64_t all_good, all_bad;
};

static json_t *owned(json_t *o)
{
    if (!o)
        os_panic("tls-report", "out of memory");
    return o;
}

static void put(json_t *o, const char *name, json_t *value)
{
    if (json_object_set_new(o, name, owned(value)) != 0)
        os_panic("tls-report", "out of memory");
}

/* Text of strangers: visible ASCII, all else is '?'. */
static json_t *text(struct sp_view v)
{
    char *copy = os_new(v.len + 1);
    for (size_t i = 0; i < v.len; i++)
        copy[i] = v.p[i] >= ' ' && v.p[i] < 0x7f ? (char)v.p[i] : '?';
    json_t *s = json_stringn(copy, v.len);
    free(copy);
    return s;
}

/* The operator's own: whatever alphabet it is written in. NULL of json_string: it is not UTF-8. */
static json_t *own_text(const char *words)
{
    json_t *s = json_string(words);
    return s ? s : text(sp_view_of(words));
}

static json_t *lines(struct sp_view v)
{
    json_t *list = owned(json_array());
    struct sp_view line;
    while (sp_view_word(&v, '\n', &line))
        (void)json_array_append_new(list, owned(text(line))); /* it is an array, and there is memory */
    return list;
}

static json_t *number(uint64_t n) { return json_integer((json_int_t)n); }

static json_t *moment(int64_t ms)
{
    struct sp_buf b;
    sp_buf_init(&b, &os_heap, 64);
    (void)sp_buf_add_rfc3339(&b, ms, false); /* fits */
    json_t *s = text(sp_buf_view(&b));
    sp_buf_fini(&b);
    return s;
}

/* --- policies ---------------------------------------------------------------------------------- */

static void end_policy(struct writing *w)
{
    if (!w->policy)
        return;
    json_t *summary = owned(json_object());
    put(summary, "total-successful-session-count", number(w->good));
    put(summary, "total-failure-session-count", number(w->bad));
    put(w->policy, "summary", summary);
    if (json_array_size(w->details) > 0)
        put(w->policy, "failure-details", w->details);
    else
        json_decref(w->details);
    (void)json_array_append_new(w->policies, w->policy); /* the same */
    w->all_good += w->good;
    w->all_bad += w->bad;
    w->good = w->bad = 0;
    w->policy = w->details = NULL;
}

/* RFC 8460 1.1: the domain of a policy of DANE is its "TLSA base domain", which is a host of the domain. */
static void begin_policy(struct writing *w, const struct store_tls_session *t)
{
    json_t *policy = owned(json_object());
    bool by_host = t->patterns.len > 0 && sp_view_eq(t->policy, SP_LIT("tlsa"));
    put(policy, "policy-type", text(t->policy));
    if (t->strings.len > 0)
        put(policy, "policy-string", lines(t->strings));
    put(policy, "policy-domain", text(by_host ? t->patterns : t->domain));
    if (t->patterns.len > 0 && !by_host)
        put(policy, "mx-host", lines(t->patterns));
    w->policy = owned(json_object());
    put(w->policy, "policy", policy);
    w->details = owned(json_array());
}

/* Is this of the policy that is being written? */
static bool is_of_policy(struct writing *w, const struct store_tls_session *t)
{
    struct sp_buf key;
    const struct sp_view parts[] = {t->policy, t->strings, t->patterns};
    sp_buf_init(&key, &os_heap, SIZE_MAX / 2);
    for (size_t i = 0; i < 3; i++) {
        (void)sp_buf_add(&key, parts[i]); /* os_heap never says no */
        (void)sp_buf_add_u8(&key, 0);
    }
    bool same = w->policy && sp_view_eq(sp_buf_view(&key), sp_buf_view(&w->key));
    sp_buf_fini(&w->key);
    w->key = key;
    return same;
}

static void put_known(json_t *o, const char *name, struct sp_view value)
{
    if (value.len > 0)
        put(o, name, text(value));
}

static void take_session(void *ctx, const struct store_tls_session *t)
{
    struct writing *w = ctx;
    if (!is_of_policy(w, t)) {
        end_policy(w);
        begin_policy(w, t);
    }
    if (sp_view_eq(t->result, SP_LIT("success"))) {
        w->good += t->n;
        return;
    }
    json_t *o = owned(json_object());
    put(o, "result-type", text(t->result));
    put_known(o, "sending-mta-ip", t->sending_ip);
    put_known(o, "receiving-mx-hostname", t->mx);
    put_known(o, "receiving-mx-helo", t->helo);
    put_known(o, "receiving-ip", t->receiving_ip);
    put(o, "failed-session-count", number(t->n));
    put_known(o, "failure-reason-code", t->reason);
    (void)json_array_append_new(w->details, o); /* it is an array, and there is memory */
    w->bad += t->n;
}

/* --- the whole ----------------------------------------------------------------------------------- */

int queue_tls_json(struct store *store, uint32_t day, struct sp_view domain,
                   const struct queue_tls_facts *facts, struct sp_buf *json, uint64_t *good_out,
                   uint64_t *bad_out)
{
    struct writing w = {.policies = owned(json_array())};
    sp_buf_init(&w.key, &os_heap, SIZE_MAX / 2);
    int status = store_tls_read(store, day, domain, take_session, &w);
    end_policy(&w);
    sp_buf_fini(&w.key);
    if (!status && json_array_size(w.policies) == 0)
        status = SP_ERR_ABSENT;
    json_t *all = owned(json_object()), *range = owned(json_object());
    put(range, "start-datetime", moment(facts->begin_ms));
    put(range, "end-datetime", moment(facts->end_ms));
    put(all, "organization-name", own_text(facts->organization));
    put(all, "date-range", range);
    put(all, "contact-info", text(sp_view_of(facts->contact)));
    put(all, "report-id", text(facts->report_id));
    put(all, "policies", w.policies);
    char *octets = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    if (!octets)
        os_panic("tls-report", "out of memory");
    if (!status)
        status = sp_buf_add_str(json, octets);
    free(octets);
    *good_out = w.all_good;
    *bad_out = w.all_bad;
    return status;
}

int queue_tls_gzip(struct sp_view in, struct sp_buf *out)
{
    enum { GZIP = 16, MEMORY = 8 };
    z_stream z = {0};
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP, MEMORY, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        os_panic("tls-report", "zlib cannot be used");
    size_t room = deflateBound(&z, (uLong)in.len);
    int status = sp_buf_reserve(out, room);
    if (!status) {
        z.next_in = (Bytef *)(uintptr_t)in.p;
        z.avail_in = (uInt)in.len; /* a report is far below 4 GiB */
        z.next_out = out->p + out->len;
        z.avail_out = (uInt)room;
        if (deflate(&z, Z_FINISH) != Z_STREAM_END)
            os_panic("tls-report", "zlib did not come to an end");
        out->len += room - z.avail_out;
    }
    (void)deflateEnd(&z); /* it has come to its end */
    return status;
}
