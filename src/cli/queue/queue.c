#include "base/view.h"
#include "cli/catalogue.h"
#include "cli/commands.h"
#include "cli/queue/destinations.h"
#include "cli/queue/look.h"
#include "cli/queue/tls.h"
#include "cli/queue/why.h"
#include "cli/queue/words.h"

#include <string.h>
#include <sysexits.h>

/* clang-format off */
static struct cli_option options[] = {
    {.name = "data", .argument = "DIR", .help = "the server's data folder; default ./sallyport-data"},
    {.name = "json", .help = "list, show, why, destinations, tls-reports, status: as JSON, and nothing else"},
    {.name = "lang", .argument = "en|vi", .help = "why: the language; by default that of LC_ALL, LC_MESSAGES or LANG"},
    {.name = "content", .help = "show: the message alone, octet for octet"},
    {.name = "sender", .argument = "PATTERN", .help = "list: of these senders; * is any text, '<>' the empty sender"},
    {.name = "recipient", .argument = "PATTERN", .help = "list: to these recipients"},
    {.name = "domain", .argument = "PATTERN", .help = "list: to recipients of these domains"},
    {.name = "state", .argument = "STATE", .help = "list: active, queued, deferred, held, unreturned, delivered or failed"},
    {.name = "health", .argument = "HEALTH", .help = "destinations: good, trying, paused or suspended"},
    {.name = "older", .argument = "TIME", .help = "list: accepted longer ago than that: 30s, 10m, 4h, 2d"},
    {.name = "younger", .argument = "TIME", .help = "list: accepted within that time"},
    {.name = NULL},
};
/* clang-format on */

const struct cli_option *cmd_queue_options(void) { return options; }

static bool given(const char *name) { return cli_option(options, name)->given; }

/* --- words ------------------------------------------------------------------------------------ */

static int list(struct queue_store *s, const struct cli_operands *words)
{
    struct queue_filter filter = {.sender = cli_value(options, "sender"),
                                  .recipient = cli_value(options, "recipient"),
                                  .domain = cli_value(options, "domain"),
                                  .state = cli_value(options, "state")};
    (void)words;
    int code = queue_filter_read(&filter, cli_value(options, "older"), cli_value(options, "younger"));
    return code == EX_OK ? queue_look_list(s, &filter, given("json")) : code;
}

static int show(struct queue_store *s, const struct cli_operands *words)
{
    return queue_look_show(s, words->words[1], given("json"), given("content"));
}

static int why(struct queue_store *s, const struct cli_operands *words)
{
    enum reference_lang lang;
    if (!cli_lang("queue", options, &lang))
        return EX_USAGE;
    return queue_look_why(s, words->words[1], given("json"), lang);
}

static int redirect(struct queue_store *s, const struct cli_operands *words)
{
    return queue_redirect(s, words->words[1], words->words[2]);
}

static int destinations(struct queue_store *s, const struct cli_operands *words)
{
    struct queue_places_filter filter = {.pattern = words->n > 1 ? words->words[1] : NULL,
                                         .health = cli_value(options, "health")};
    return queue_look_destinations(s, &filter, given("json"));
}

static int tls_reports(struct queue_store *s, const struct cli_operands *words)
{
    (void)words;
    return queue_look_tls_reports(s, given("json"));
}

static int tls_send(struct queue_store *s, const struct cli_operands *words)
{
    return queue_tls_send(s, words->words[1], words->n > 2 ? words->words[2] : NULL);
}

static int status(struct queue_store *s, const struct cli_operands *words)
{
    (void)words;
    return queue_look_status(s, given("json"));
}

/* One of run and each. */
static const struct word {
    const char *word;
    const char *operands; /* as a fault names them; NULL: there are none */
    size_t least, most;
    bool json;
    int (*run)(struct queue_store *s, const struct cli_operands *words);
    int (*each)(struct queue_store *s, const char *operand);
} words_known[] = {
    {"list", NULL, 0, 0, true, list, NULL},
    {"show", "the ID of one message", 1, 1, true, show, NULL},
    {"why", "the ID of one message", 1, 1, true, why, NULL},
    {"retry", "the IDs of messages, or all", 1, SIZE_MAX, false, NULL, queue_retry_word},
    {"hold", "the IDs of messages", 1, SIZE_MAX, false, NULL, queue_hold_word},
    {"release", "the IDs of messages", 1, SIZE_MAX, false, NULL, queue_release_word},
    {"remove", "the IDs of messages, or all", 1, SIZE_MAX, false, NULL, queue_remove_word},
    {"bounce", "the IDs of messages", 1, SIZE_MAX, false, NULL, queue_bounce_word},
    {"redirect", "the ID of a message and an address", 2, 2, false, redirect, NULL},
    {"suspend", "domains, routes or destinations", 1, SIZE_MAX, false, NULL, queue_suspend_word},
    {"resume", "domains, routes or destinations", 1, SIZE_MAX, false, NULL, queue_resume_word},
    {"destinations", "a pattern of names or domains, or none", 0, 1, true, destinations, NULL},
    {"tls-reports", NULL, 0, 0, true, tls_reports, NULL},
    {"tls-send", "a day (today, yesterday, 2026-11-24), and a domain or none", 1, 2, false, tls_send, NULL},
    {"status", NULL, 0, 0, true, status, NULL},
};
enum { WORD_N = sizeof words_known / sizeof *words_known };

#define ALL_WORDS                                                                                            \
    "list, show, why, retry, hold, release, remove, bounce, redirect, suspend, resume, destinations, "       \
    "tls-reports, tls-send, status"

static const struct word *find_word(const char *word)
{
    for (size_t i = 0; i < WORD_N; i++)
        if (strcmp(word, words_known[i].word) == 0)
            return &words_known[i];
    return NULL;
}

/* --- the command ------------------------------------------------------------------------------ */

static int check_options(const struct word *w)
{
    static const char *const filters[] = {"sender", "recipient", "domain", "state", "older", "younger"};
    if (given("json") && !w->json)
        return cli_usage_fault("queue",
                               "--json is for list, show, why, destinations, tls-reports and status");
    if (given("content") && (strcmp(w->word, "show") != 0 || given("json")))
        return cli_usage_fault("queue", "--content is for show, without --json");
    if (given("health") && strcmp(w->word, "destinations") != 0)
        return cli_usage_fault("queue", "--health is for destinations");
    if (given("lang") && strcmp(w->word, "why") != 0)
        return cli_usage_fault("queue", "--lang is for why");
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (given(filters[i]) && strcmp(w->word, "list") != 0)
            return cli_usage_fault("queue", "--%s is for list", filters[i]);
    return EX_OK;
}

static int check_words(const struct cli_operands *words)
{
    const struct word *w = words->n ? find_word(words->words[0]) : NULL;
    if (words->n == 0)
        return cli_usage_fault("queue", "say what to do: " ALL_WORDS);
    if (!w)
        return cli_usage_fault("queue", "'%s' is none of " ALL_WORDS, words->words[0]);
    size_t n = words->n - 1;
    if (n < w->least)
        return cli_usage_fault("queue",
                               "%s needs %s; 'queue list' and 'queue destinations' show what there is",
                               w->word, w->operands);
    if (n > w->most)
        return cli_usage_fault("queue", "'%s' is not expected here: %s takes %s", words->words[w->most + 1],
                               w->word, w->operands ? w->operands : "nothing more");
    return check_options(w);
}

static int run_word(struct queue_store *s, const struct word *w, const struct cli_operands *words)
{
    int code = EX_OK;
    if (w->run)
        return w->run(s, words);
    for (size_t i = 1; i < words->n; i++) {
        int one = w->each(s, words->words[i]);
        if (code == EX_OK)
            code = one;
    }
    return code;
}

int cmd_queue(int argc, char **argv)
{
    struct cli_operands words;
    if (!cli_parse("queue", argc, argv, options, &words))
        return EX_USAGE;
    const char *data = cli_value(options, "data") ? cli_value(options, "data") : "sallyport-data";
    int code = check_words(&words);
    struct queue_store *s = code == EX_OK ? queue_store_open(data, &code) : NULL;
    if (!s)
        return code;
    code = queue_finish_output(run_word(s, find_word(words.words[0]), &words));
    queue_store_close(s);
    return code;
}
