/* What became of it: lines behind the conversation, or the end of the JSON object. */
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "cli/catalogue.h"
#include "cli/send/words.h"
#include "os/heap.h"

#define X(n, en, vi) {en, vi},
const struct reference_text send_words[SEND_WORD_N] = {SEND_WORDS(X)};
#undef X

const char *send_word(const struct send_plan *p, enum send_word w)
{
    return reference_in(&send_words[w], p->lang);
}

/* Printable ASCII and UTF-8 pass; the rest would speak to the terminal. */
void send_write_clean(FILE *to, struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if ((v.p[i] >= ' ' && v.p[i] != 127) || v.p[i] == '\t')
            putc(v.p[i], to);
        else
            fprintf(to, "\\x%02x", v.p[i]);
    }
}

/* A JSON string of octets that may be no UTF-8. */
json_t *send_json_text(struct sp_view v)
{
    json_t *whole = json_stringn((const char *)v.p, v.len);
    if (whole || v.len == 0)
        return whole ? whole : json_string("");
    char *clean = os_new(v.len);
    for (size_t i = 0; i < v.len; i++)
        clean[i] = v.p[i] < 0x80 ? (char)v.p[i] : '?';
    whole = json_stringn(clean, v.len);
    free(clean);
    return whole;
}

/* --- results ------------------------------------------------------------------------------- */

static const struct {
    enum send_word word;
    const char *state;
} results[SP_CLIENT_FATE_N] = {
    [SP_CLIENT_NONE] = {SEND_WORD_STOPPED, "stopped"},
    [SP_CLIENT_DELIVERED] = {SEND_WORD_DELIVERED, "delivered"},
    [SP_CLIENT_RETRY] = {SEND_WORD_RETRY, "deferred"},
    [SP_CLIENT_BOUNCE] = {SEND_WORD_BOUNCE, "failed"},
    [SP_CLIENT_UNKNOWN] = {SEND_WORD_UNKNOWN, "unknown"},
};

/* A 5yz is a refusal to people, also where the engine would try again (530: with other settings). */
static enum sp_client_fate shown_fate(const struct client_verdict *v)
{
    return v->fate == SP_CLIENT_RETRY && v->code / 100 == 5 ? SP_CLIENT_BOUNCE : v->fate;
}

static json_t *json_verdict(const struct client_verdict *v)
{
    return json_pack("{s:s, s:i, s:o, s:o}", "state", results[shown_fate(v)].state, "code", v->code,
                     "enhanced", v->enhanced.len ? send_json_text(v->enhanced) : json_null(), "reply",
                     send_json_text(v->text));
}

void send_show_outcome(struct send_show *s, struct sp_view recipient, const struct client_verdict *v)
{
    if (s->talk) {
        json_t *entry = json_verdict(v);
        json_object_set_new(entry, "address", send_json_text(recipient));
        json_array_append_new(s->recipients, entry);
        return;
    }
    fputs("=> ", s->results);
    send_write_clean(s->results, recipient);
    fprintf(s->results, ": %s: ", send_word(s->plan, results[shown_fate(v)].word));
    send_write_clean(s->results, v->text);
    if (v->fate == SP_CLIENT_UNKNOWN)
        fprintf(s->results, " (%s)", send_word(s->plan, SEND_WORD_UNKNOWN_MEANS));
    putc('\n', s->results);
}

static json_t *json_summary(const struct send_summary *m)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "messages",
                     (json_int_t)m->messages, "connections", (json_int_t)m->connections, "delivered",
                     (json_int_t)m->accepted, "deferred", (json_int_t)m->deferred, "failed",
                     (json_int_t)m->refused, "unknown", (json_int_t)m->unknown, "without_session",
                     (json_int_t)m->failed, "total_ms", (json_int_t)m->took_ms, "shortest_ms",
                     (json_int_t)m->shortest_ms, "longest_ms", (json_int_t)m->longest_ms, "mean_ms",
                     (json_int_t)(m->messages ? m->total_ms / m->messages : 0));
}

static void print_summary(const struct send_plan *p, const struct send_summary *m)
{
    static const enum send_word names[] = {SEND_WORD_DELIVERED, SEND_WORD_RETRY, SEND_WORD_BOUNCE,
                                           SEND_WORD_UNKNOWN, SEND_WORD_NO_CONNECTION};
    const uint64_t counts[] = {m->accepted, m->deferred, m->refused, m->unknown, m->failed};
    printf("=> %llu %s, %llu %s:", (unsigned long long)m->messages, send_word(p, SEND_WORD_MESSAGES),
           (unsigned long long)m->connections, send_word(p, SEND_WORD_CONNECTIONS));
    for (size_t i = 0, shown = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i] > 0 || i == 0)
            printf("%s %llu %s", shown++ ? "," : "", (unsigned long long)counts[i], send_word(p, names[i]));
    printf(
        "\n=> %.3f s, %.1f %s %s; %s %.3f / %.3f / %.3f s\n", (double)m->took_ms / 1000,
        m->took_ms ? (double)m->messages * 1000 / (double)m->took_ms : 0.0, send_word(p, SEND_WORD_MESSAGES),
        send_word(p, SEND_WORD_PER_SECOND), send_word(p, SEND_WORD_EACH_TOOK), (double)m->shortest_ms / 1000,
        m->messages ? (double)m->total_ms / (double)m->messages / 1000 : 0.0, (double)m->longest_ms / 1000);
}

void send_show_end(struct send_show *s, const struct client_verdict *failure,
                   const struct send_summary *summary, int exit_code)
{
    bool handshake = failure && strcmp(failure->phase, "HANDSHAKE") == 0 && s->plan->verify;
    bool stopped = !failure && s->plan->until != SEND_STAGE_NONE && s->plan->until < SEND_STAGE_RCPT;
    if (s->root) {
        if (summary)
            json_object_set_new(s->root, "summary", json_summary(summary));
        json_object_set_new(s->root, "failure", failure ? json_verdict(failure) : json_null());
        json_object_set_new(s->root, "exit_code", json_integer(exit_code));
        cli_json_print(json_incref(s->root));
        return;
    }
    fflush(s->results);
    fwrite(s->results_text, 1, s->results_len, stdout);
    if (failure) {
        printf("=> %s: ", send_word(s->plan, SEND_WORD_NOT_SENT));
        send_write_clean(stdout, failure->text);
        printf("%s%s\n", handshake ? "; " : "", handshake ? send_word(s->plan, SEND_WORD_HINT_VERIFY) : "");
    }
    if (stopped)
        printf("=> %s\n", send_word(s->plan, SEND_WORD_ENDED));
    if (summary)
        print_summary(s->plan, summary);
    fflush(stdout);
}
