#include "roles/fetch/transfer.h"

#include "base/view.h"
#include "os/heap.h"
#include "os/log.h"
#include "roles/fetch/transfer_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the end ------------------------------------------------------------------------------ */

void fetch_transfer_cancel(struct fetch_transfer *t)
{
    os_timer_stop(&t->late);
    t->known_fault = false;
    if (t->query)
        dns_query_cancel(t->query);
    t->query = NULL;
    if (t->easy) {
        (void)curl_multi_remove_handle(t->multi, t->easy); /* it is in it */
        curl_easy_cleanup(t->easy);
    }
    t->easy = NULL;
    curl_slist_free_all(t->addresses);
    t->addresses = NULL;
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    free(t->host);
    t->host = NULL;
    t->done = NULL;
}

static void finish(struct fetch_transfer *t, const char *fault)
{
    void (*done)(void *ctx, const struct fetch_result *result) = t->done;
    struct fetch_result result = {.fault = fault,
                                  .untrusted = fault && t->untrusted,
                                  .document =
                                      t->wanted.body.len ? (struct sp_view){0} : sp_buf_view(&t->document),
                                  .max_age_s = t->max_age_s};
    fetch_transfer_cancel(t);
    if (done)
        done(t->ctx, &result);
    sp_buf_clear(&t->document);
}

static void finish_known(void *ctx)
{
    struct fetch_transfer *t = ctx;
    if (t->known_fault) /* else given up since then */
        finish(t, t->fault);
}

/* A fault found before `begin` has returned is told by the loop. */
static void fail_later(struct fetch_transfer *t, const char *what)
{
    (void)snprintf(t->fault, sizeof t->fault, "%s", what); /* fits, or is cut */
    t->known_fault = true;
    os_later_ask(&t->done_later);
}

static void note_late(void *ctx) { finish(ctx, "there was no whole answer within 10 seconds"); }

static const char *describe(struct fetch_transfer *t, CURLcode code)
{
    long status = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status); /* 0 when there is none */
    bool taken = t->wanted.body.len > 0 && status / 100 == 2;
    if (t->too_long || code == CURLE_FILESIZE_EXCEEDED)
        return taken ? NULL : "the answer is longer than 256 KiB"; /* what it says of a post is not read */
    if (code == CURLE_COULDNT_CONNECT && t->kept_out)
        return "its address is of this machine or of a private network, and private-addresses is no";
    if (code != CURLE_OK)
        (void)snprintf(t->fault, sizeof t->fault, "%s",
                       t->curl_fault[0] ? t->curl_fault : curl_easy_strerror(code));
    else if (status >= 300 && status < 400)
        (void)snprintf(t->fault, sizeof t->fault,
                       "HTTP %ld: redirects are not followed; configure the address itself", status);
    else if (t->wanted.body.len ? !taken : status != 200)
        (void)snprintf(t->fault, sizeof t->fault, "HTTP %ld", status);
    else
        return NULL;
    return t->fault;
}

void fetch_transfer_ended(struct fetch_transfer *t, CURLcode code)
{
    t->untrusted = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_ISSUER_ERROR;
    finish(t, describe(t, code));
}

/* --- what comes --------------------------------------------------------------------------- */

static size_t take_document(char *octets, size_t one, size_t n, void *ctx)
{
    struct fetch_transfer *t = ctx;
    if (sp_buf_add(&t->document, sp_view_make(octets, one * n)) == SP_OK)
        return one * n;
    t->too_long = true;
    return 0;
}

int64_t fetch_max_age_s(struct sp_view value)
{
    struct sp_view part;
    int64_t max_age_s = -1;
    while (sp_view_word(&value, ',', &part)) {
        uint64_t n;
        part = sp_view_trim(part);
        if (sp_view_eq_nocase(part, SP_LIT("no-store")) || sp_view_eq_nocase(part, SP_LIT("no-cache")))
            return 0;
        if (max_age_s < 0 && sp_view_starts_nocase(part, SP_LIT("max-age=")) &&
            sp_view_u64(sp_view_from(part, 8), INT32_MAX, &n) == SP_OK)
            max_age_s = (int64_t)n;
    }
    return max_age_s;
}

static size_t take_header(char *octets, size_t one, size_t n, void *ctx)
{
    struct fetch_transfer *t = ctx;
    struct sp_view line = sp_view_make(octets, one * n), name = SP_LIT("cache-control:");
    while (line.len && (line.p[line.len - 1] == '\n' || line.p[line.len - 1] == '\r'))
        line.len--;
    if (sp_view_starts_nocase(line, name))
        t->max_age_s = fetch_max_age_s(sp_view_from(line, name.len));
    return one * n;
}

/* --- asking ------------------------------------------------------------------------------- */

static bool set_trust(struct fetch_transfer *t)
{
    struct sp_view pem = t->wanted.authorities_pem;
    struct curl_blob blob = {(void *)(uintptr_t)pem.p, pem.len, CURL_BLOB_COPY};
    if (t->wanted.any_certificate)
        return curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
               curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK;
    return pem.len == 0 || (curl_easy_setopt(t->easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
                            curl_easy_setopt(t->easy, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK);
}

static bool set_body(struct fetch_transfer *t)
{
    char type[100];
    if (t->wanted.body.len == 0)
        return true;
    (void)snprintf(type, sizeof type, "Content-Type: %.*s", (int)t->wanted.type.len,
                   (const char *)t->wanted.type.p); /* ours, and short */
    t->headers = curl_slist_append(NULL, type);
    return t->headers && curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->wanted.body.len) ==
               CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->wanted.body.p) == CURLE_OK;
}

static bool set_options(struct fetch_transfer *t)
{
    CURL *e = t->easy;
    return curl_easy_setopt(e, CURLOPT_URL, t->wanted.url) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, t->wanted.in_clear ? "http" : "https") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_RESOLVE, t->addresses) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_MAXFILESIZE, (long)FETCH_OCTETS_MAX) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_fault) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_USERAGENT, "sallyport") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_document) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HEADERDATA, t) == CURLE_OK && set_trust(t) && set_body(t) &&
           fetch_loop_watch_door(t);
}

/* "HOST:PORT:ADDRESS,ADDRESS": libcurl asks no resolver of its own for a name it finds here. */
static void give_addresses(struct fetch_transfer *t, const struct dns_addresses *found)
{
    struct sp_buf line;
    sp_buf_init(&line, &os_heap, 4096);
    sp_buf_add_str(&line, t->host);
    sp_buf_add_str(&line, ":");
    sp_buf_add_dec(&line, t->port);
    for (size_t i = 0; i < found->n; i++) {
        char address[OS_ADDRESS_TEXT];
        os_address_host(&found->addresses[i], address);
        sp_buf_add_str(&line, i ? "," : ":");
        sp_buf_add_str(&line, address);
    }
    sp_buf_add_u8(&line, 0);
    if (sp_buf_status(&line) == SP_OK && !(t->addresses = curl_slist_append(NULL, (const char *)line.p)))
        os_panic("fetch", "out of memory");
    sp_buf_fini(&line);
}

static void take_addresses(void *ctx, const struct dns_addresses *found)
{
    struct fetch_transfer *t = ctx;
    t->query = NULL;
    if (found->verdict != DNS_FOUND) {
        (void)snprintf(t->fault, sizeof t->fault, "%.200s: %s", t->host, dns_verdict_text(found->verdict));
        finish(t, t->fault);
        return;
    }
    if (t->host[0] != '[') /* a numeric one is its own address */
        give_addresses(t, found);
    t->easy = curl_easy_init();
    if (!t->easy || !set_options(t) || curl_multi_add_handle(t->multi, t->easy) != CURLM_OK)
        os_panic("fetch", "libcurl does not know an option that it should");
}

static bool take_apart(struct fetch_transfer *t)
{
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL;
    bool whole = u && curl_url_set(u, CURLUPART_URL, t->wanted.url, 0) == CURLUE_OK &&
                 curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                 curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (whole) {
        t->host = os_text(sp_view_of(host));
        t->port = (uint16_t)strtoul(port, NULL, 10); /* libcurl has checked it */
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return whole;
}

void fetch_transfer_begin(struct fetch_transfer *t, const struct fetch_wanted *wanted,
                          void (*done)(void *ctx, const struct fetch_result *result), void *ctx)
{
    fetch_transfer_cancel(t);
    sp_buf_clear(&t->document);
    t->wanted = *wanted;
    t->done = done;
    t->ctx = ctx;
    t->too_long = t->untrusted = t->kept_out = false;
    t->max_age_s = -1;
    t->curl_fault[0] = '\0';
    if (!take_apart(t)) {
        fail_later(t, "libcurl cannot read this address");
        return;
    }
    os_timer_set(&t->late, FETCH_MS);
    t->query = dns_addresses(*t->dns, sp_view_of(t->host), t->port, FETCH_MS, take_addresses, t);
}

/* --- life --------------------------------------------------------------------------------- */

struct fetch_transfer *fetch_transfer_new(struct event_base *base, struct dns *const *dns)
{
    struct fetch_transfer *t = os_new(sizeof *t);
    t->base = base;
    t->dns = dns;
    sp_buf_init(&t->document, &os_heap, FETCH_OCTETS_MAX);
    os_timer_init(&t->late, base, note_late, t);
    os_later_init(&t->done_later, base, finish_known, t);
    fetch_loop_init(t);
    return t;
}

void fetch_transfer_free(struct fetch_transfer *t)
{
    if (!t)
        return;
    fetch_transfer_cancel(t);
    os_timer_fini(&t->late);
    os_later_fini(&t->done_later);
    fetch_loop_fini(t);
    sp_buf_fini(&t->document);
    free(t);
}
