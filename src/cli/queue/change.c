/* The parts of `sallyport queue` that change what becomes of messages and destinations. */
#include "base/view.h"
#include "cli/options.h"
#include "cli/queue/look.h"
#include "cli/queue/words.h"
#include "os/heap.h"
#include "smtp/grammar.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

/* --- retry and remove ------------------------------------------------------------------------ */

static int say_retried(struct queue_store *s, const char *word, uint64_t n, uint64_t held)
{
    const char *when = queue_store_is_served(s) ? "now" : "when the server starts";
    if (n)
        printf("%s: %" PRIu64 " recipient%s will be tried %s\n", word, n, n == 1 ? "" : "s", when);
    else if (held)
        return cli_fault("queue", EX_UNAVAILABLE,
                         "%s is held, so there is nothing to retry: 'sallyport queue why' says why, 'queue "
                         "release' lets it go",
                         word);
    else
        printf("%s: nothing waits for a later attempt\n", word);
    return EX_OK;
}

int queue_retry_word(struct queue_store *s, const char *word)
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

int queue_remove_word(struct queue_store *s, const char *word)
{
    return strcmp(word, "all") == 0 ? remove_all(s) : remove_one(s, word);
}

/* --- hold, release, bounce, redirect ---------------------------------------------------------- */

static int say_changed(const struct ipc_queue_done *done, const char *word, const char *what)
{
    if (done->count == 0 && done->held == 0)
        return cli_fault("queue", EX_UNAVAILABLE, "%s: no recipient of it is waiting", word);
    if (done->count == 0)
        return cli_fault("queue", EX_UNAVAILABLE,
                         "%s: nothing was changed; %" PRIu64
                         " recipient%s under way or not in a state for that",
                         word, done->held, done->held == 1 ? " is" : "s are");
    printf("%s: %" PRIu64 " recipient%s %s", word, done->count, done->count == 1 ? "" : "s", what);
    if (done->held)
        printf("; %" PRIu64 " more left alone: under way, or not in a state for that", done->held);
    putchar('\n');
    return EX_OK;
}

static int change(struct queue_store *s, const char *word, enum ipc_queue_change_kind kind,
                  const char *address)
{
    static const char *const what[] = {[IPC_QUEUE_CHANGE_HOLD] = "held",
                                       [IPC_QUEUE_CHANGE_RELEASE] = "released",
                                       [IPC_QUEUE_CHANGE_BOUNCE] = "returned to the sender",
                                       [IPC_QUEUE_CHANGE_REDIRECT] = "redirected"};
    struct ipc_queue_done done = {0};
    struct ipc_message m = {.type = IPC_TYPE_queue_change, .as.queue_change = {.change = (uint8_t)kind}};
    int code = queue_parse_id(word, &m.as.queue_change.id);
    if (code == EX_OK && address)
        m.as.queue_change.address = sp_view_of(address);
    if (code == EX_OK)
        code = queue_store_ask(s, &m, NULL, NULL, &done);
    if (code == EX_OK && done.answer == IPC_QUEUE_NO_ROUTE)
        return cli_fault("queue", EX_NOHOST, "no route of the configuration leads to <%s>", address);
    if (code == EX_OK && done.answer == IPC_QUEUE_SEVERAL)
        return cli_fault("queue", EX_USAGE, "<%s> is an alias that stands for several; name one of them",
                         address);
    if (code == EX_OK)
        code = queue_fault_of(&done, word);
    return code == EX_OK ? say_changed(&done, word, what[kind]) : code;
}

int queue_hold_word(struct queue_store *s, const char *word)
{
    return change(s, word, IPC_QUEUE_CHANGE_HOLD, NULL);
}

int queue_release_word(struct queue_store *s, const char *word)
{
    return change(s, word, IPC_QUEUE_CHANGE_RELEASE, NULL);
}

int queue_bounce_word(struct queue_store *s, const char *word)
{
    return change(s, word, IPC_QUEUE_CHANGE_BOUNCE, NULL);
}

int queue_redirect(struct queue_store *s, const char *word, const char *address)
{
    size_t len = strlen(address);
    struct sp_path path;
    struct smtp_fault fault;
    if (len > 2 && address[0] == '<' && address[len - 1] == '>')
        return cli_fault("queue", EX_USAGE, "give the address without <>");
    /* It goes into RCPT as it is. */
    if (len > 254 || smtp_mailbox_parse(sp_view_of(address), true, &path, &fault) != SP_OK)
        return cli_fault("queue", EX_USAGE, "'%s' is not an address such as alice@example.org", address);
    return change(s, word, IPC_QUEUE_CHANGE_REDIRECT, address);
}

/* --- suspend and resume ----------------------------------------------------------------------- */

static int set_suspended(struct queue_store *s, const char *word, bool resume)
{
    struct ipc_queue_done done = {0};
    char name[512];
    size_t n = 0;
    while (word[n] && n + 1 < sizeof name) {
        name[n] = (char)sp_ascii_lower((uint8_t)word[n]);
        n++;
    }
    if (word[n] || n == 0)
        return cli_fault("queue", EX_USAGE, "'%s' is no domain, route or destination", word);
    struct ipc_message m = {.type = IPC_TYPE_queue_suspend,
                            .as.queue_suspend = {.name = {(const uint8_t *)name, n}, .resume = resume}};
    int code = queue_store_ask(s, &m, NULL, NULL, &done);
    if (code == EX_OK)
        code = queue_fault_of(&done, word);
    if (code != EX_OK)
        return code;
    if (done.count == 0 && resume)
        return cli_fault("queue", EX_UNAVAILABLE,
                         "%s is not suspended; 'sallyport queue destinations' shows what is", word);
    printf("%.*s: %s\n", (int)n, name,
           resume       ? "resumed"
           : done.count ? "suspended; its mail waits until 'sallyport queue resume'"
                        : "is suspended already");
    return EX_OK;
}

int queue_suspend_word(struct queue_store *s, const char *word) { return set_suspended(s, word, false); }

int queue_resume_word(struct queue_store *s, const char *word) { return set_suspended(s, word, true); }
