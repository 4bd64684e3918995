#include "base/view.h"
#include "cli/commands.h"
#include "cli/queue_look.h"
#include "os/heap.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

/* clang-format off */
static struct cli_option options[] = {
    {.name = "data", .argument = "DIR", .help = "the server's data folder; default ./sallyport-data"},
    {.name = "json", .help = "list, show, status: as JSON, and nothing else"},
    {.name = "content", .help = "show: the message alone, octet for octet"},
    {.name = NULL},
};
/* clang-format on */

const struct cli_option *cmd_queue_options(void) { return options; }

/* --- retry and remove ------------------------------------------------------------------------ */

static int say_retried(struct queue_store *s, const char *word, uint64_t n, uint64_t held)
{
    const char *when = queue_store_is_served(s) ? "now" : "when the server starts";
    if (n)
        printf("%s: %" PRIu64 " recipient%s will be tried %s\n", word, n, n == 1 ? "" : "s", when);
    else if (held)
        return cli_fault("queue", EX_UNAVAILABLE,
                         "%s is held: no route delivers it, so there is nothing to retry", word);
    else
        printf("%s: nothing waits for a later attempt\n", word);
    return EX_OK;
}

static int retry(struct queue_store *s, const char *word)
{
    struct ipc_queue_done done = {.more = 1};
    uint64_t id = 0, n = 0;
    int code = strcmp(word, "all") == 0 ? EX_OK : queue_parse_id(word, &id);
    while (code == EX_OK && done.more) {
        struct ipc_message m = {.type = IPC_TYPE_queue_retry,
                                .as.queue_retry = {.id = id, .since_ms = id ? 0 : done.after_id}};
        code = queue_store_ask(s, &m, NULL, NULL, &done);
        if (code == EX_OK)
            code = queue_fault_of(&done, word);
        n += done.count;
    }
    return code == EX_OK ? say_retried(s, word, n, done.held) : code;
}

static int remove_id(struct queue_store *s, uint64_t id, const char *word)
{
    struct ipc_queue_done done = {0};
    struct ipc_message m = {.type = IPC_TYPE_queue_remove, .as.queue_remove = {.id = id}};
    int code = queue_store_ask(s, &m, NULL, NULL, &done);
    return code == EX_OK ? queue_fault_of(&done, word) : code;
}

static int remove_one(struct queue_store *s, const char *word)
{
    uint64_t id;
    int code = queue_parse_id(word, &id);
    if (code == EX_OK)
        code = remove_id(s, id, word);
    if (code == EX_OK)
        printf("%s: removed\n", word);
    return code;
}

/* What is there now; what comes or goes meanwhile is left to itself. */
static int remove_all(struct queue_store *s)
{
    struct sp_buf ids;
    size_t n = 0;
    sp_buf_init(&ids, &os_heap, SIZE_MAX / 2);
    int code = queue_look_ids(s, &ids);
    for (size_t at = 0; code == EX_OK && at < ids.len; at += sizeof(uint64_t)) {
        struct ipc_queue_done done = {0};
        struct ipc_message m = {.type = IPC_TYPE_queue_remove};
        memcpy(&m.as.queue_remove.id, ids.p + at, sizeof(uint64_t));
        code = queue_store_ask(s, &m, NULL, NULL, &done);
        if (code == EX_OK && done.answer != IPC_QUEUE_UNKNOWN_ID)
            code = queue_fault_of(&done, "");
        n += done.count;
    }
    if (code == EX_OK)
        printf("all: %zu message%s removed\n", n, n == 1 ? "" : "s");
    sp_buf_fini(&ids);
    return code;
}

static int remove_any(struct queue_store *s, const char *word)
{
    return strcmp(word, "all") == 0 ? remove_all(s) : remove_one(s, word);
}

/* --- the command ----------------------------------------------------------------------------- */

static int each_word(struct queue_store *s, const struct cli_operands *words,
                     int (*run)(struct queue_store *s, const char *word))
{
    int code = EX_OK;
    for (size_t i = 1; i < words->n; i++) {
        int one = run(s, words->words[i]);
        if (code == EX_OK)
            code = one;
    }
    return queue_finish_output(code);
}

static int check_words(const struct cli_operands *words, bool json, bool content)
{
    static const char *const known[] = {"list", "show", "retry", "remove", "status"};
    const char *word = words->n ? words->words[0] : "";
    size_t i = 0;
    while (i < 5 && strcmp(word, known[i]) != 0)
        i++;
    if (words->n == 0)
        return cli_usage_fault("queue", "say what to do: list, show, retry, remove or status");
    if (i == 5)
        return cli_usage_fault("queue", "'%s' is none of list, show, retry, remove, status", word);
    bool alone = i == 0 || i == 4;
    if (alone && words->n > 1)
        return cli_usage_fault("queue", "'%s' is not expected here", words->words[1]);
    if (!alone && words->n < 2)
        return cli_usage_fault("queue", "%s needs the ID of a message, as 'queue list' shows it", word);
    if (i == 1 && words->n > 2)
        return cli_usage_fault("queue", "'%s' is not expected here: show takes one ID", words->words[2]);
    if (json && (i == 2 || i == 3))
        return cli_usage_fault("queue", "--json is for list, show and status");
    if (content && (i != 1 || json))
        return cli_usage_fault("queue", "--content is for show, without --json");
    return EX_OK;
}

int cmd_queue(int argc, char **argv)
{
    struct cli_operands words;
    if (!cli_parse("queue", argc, argv, options, &words))
        return EX_USAGE;
    const char *data = cli_value(options, "data") ? cli_value(options, "data") : "sallyport-data";
    bool json = cli_option(options, "json")->given, content = cli_option(options, "content")->given;
    int code = check_words(&words, json, content);
    struct queue_store *s = code == EX_OK ? queue_store_open(data, &code) : NULL;
    if (!s)
        return code;
    const char *word = words.words[0];
    if (strcmp(word, "list") == 0)
        code = queue_look_list(s, json);
    else if (strcmp(word, "show") == 0)
        code = queue_look_show(s, words.words[1], json, content);
    else if (strcmp(word, "retry") == 0)
        code = each_word(s, &words, retry);
    else if (strcmp(word, "remove") == 0)
        code = each_word(s, &words, remove_any);
    else
        code = queue_look_status(s, json);
    queue_store_close(s);
    return code;
}
