/* `sallyport session`: what was said in the sessions that a server has kept, and what went wrong in them. */
#include "base/time.h"
#include "base/view.h"
#include "cli/commands.h"
#include "cli/session/parts.h"
#include "os/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { MOST = 50 };

/* clang-format off */
static struct cli_option options[] = {
    {.name = "data", .argument = "DIR", .help = "the server's data folder; default ./sallyport-data"},
    {.name = "failed", .help = "list: only those in which something went wrong"},
    {.name = "user", .argument = "NAME", .help = "list: who logged in as NAME, or tried to"},
    {.name = "client", .argument = "ADDRESS", .help = "list: from this address"},
    {.name = "since", .argument = "TIME", .help = "list: begun since then: 90m, 12h, 7d ago, or 2026-01-31, 2026-01-31T12:00:00Z"},
    {.name = "most", .argument = "N", .help = "list: at most so many, the newest; default 50, 0 for all"},
    {.name = "before", .argument = "ID", .help = "list: those before this session: the next page"},
    {.name = "json", .help = "as JSON, and nothing else"},
    {.name = "lang", .argument = "en|vi", .help = "show: the language; by default that of LC_ALL, LC_MESSAGES or LANG"},
    {.name = NULL},
};
/* clang-format on */

const struct cli_option *cmd_session_options(void) { return options; }

/* --- times ---------------------------------------------------------------------------------------- */

/* "90m", "12h", "7d". */
static bool read_ago(struct sp_view v, uint64_t *wall_ms_out)
{
    static const struct {
        char letter;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    uint64_t n, now = (uint64_t)os_wall_ms();
    for (size_t i = 0; i < sizeof units / sizeof *units && v.len > 1; i++)
        if (v.p[v.len - 1] == (uint8_t)units[i].letter &&
            sp_view_u64(sp_view_sub(v, 0, v.len - 1), 1000000, &n) == SP_OK) {
            *wall_ms_out = n * units[i].ms < now ? now - n * units[i].ms : 0;
            return true;
        }
    return false;
}

/* "2026-01-31", "2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00". */
static bool read_date(struct sp_view v, uint64_t *wall_ms_out)
{
    static const char midnight[] = "T00:00:00Z";
    enum { DAY_LEN = 10 };
    char text[DAY_LEN + sizeof midnight];
    int64_t wall_ms;
    if (v.len == DAY_LEN) {
        memcpy(text, v.p, DAY_LEN);
        memcpy(text + DAY_LEN, midnight, sizeof midnight);
        v = sp_view_of(text);
    }
    if (sp_rfc3339_parse(v, &wall_ms) != SP_OK)
        return false;
    *wall_ms_out = (uint64_t)wall_ms;
    return true;
}

/* --- words ---------------------------------------------------------------------------------------- */

static int read_filter(struct session_filter *f)
{
    const char *since = cli_value(options, "since"), *most = cli_value(options, "most"),
               *before = cli_value(options, "before");
    struct ipc_session_list *w = &f->wanted;
    uint64_t n = MOST;
    *f = (struct session_filter){.json = cli_option(options, "json")->given};
    w->failed = cli_option(options, "failed")->given;
    w->user = sp_view_of(cli_value(options, "user"));
    w->client = sp_view_of(cli_value(options, "client"));
    if (since && !read_ago(sp_view_of(since), &w->since_ms) && !read_date(sp_view_of(since), &w->since_ms))
        return cli_usage_fault("session",
                               "--since %s: is no time; allowed: 90m, 12h, 7d, 2026-01-31, "
                               "2026-01-31T12:00:00Z",
                               since);
    if (most && sp_view_u64(sp_view_of(most), UINT32_MAX, &n) != SP_OK)
        return cli_usage_fault("session", "--most %s: is no number", most);
    w->most = (uint32_t)n;
    return before ? session_parse_id(before, &w->before) : EX_OK;
}

static bool is_list(const struct cli_operands *words) { return strcmp(words->words[0], "list") == 0; }

static int check_words(const struct cli_operands *words)
{
    static const char *const of_list[] = {"failed", "user", "client", "since", "most", "before"};
    if (words->n == 0)
        return cli_usage_fault("session", "say what to do: list or show");
    if (!is_list(words) && strcmp(words->words[0], "show") != 0)
        return cli_usage_fault("session", "'%s' is neither list nor show", words->words[0]);
    if (is_list(words) && words->n > 1)
        return cli_usage_fault("session", "'%s' is not expected here", words->words[1]);
    if (is_list(words) && cli_option(options, "lang")->given)
        return cli_usage_fault("session", "--lang is for show");
    if (is_list(words))
        return EX_OK;
    if (words->n != 2)
        return cli_usage_fault("session",
                               "show needs the ID of one session, as 'session list' and the log show it");
    for (size_t i = 0; i < sizeof of_list / sizeof *of_list; i++)
        if (cli_option(options, of_list[i])->given)
            return cli_usage_fault("session", "--%s is for list", of_list[i]);
    return EX_OK;
}

int cmd_session(int argc, char **argv)
{
    struct cli_operands words;
    struct session_filter filter;
    enum reference_lang lang;
    if (!cli_parse("session", argc, argv, options, &words) || !cli_lang("session", options, &lang))
        return EX_USAGE;
    const char *data = cli_value(options, "data") ? cli_value(options, "data") : "sallyport-data";
    int code = check_words(&words);
    if (code == EX_OK)
        code = read_filter(&filter);
    struct session_store *s = code == EX_OK ? session_store_open(data, &code) : NULL;
    if (!s)
        return code;
    code =
        is_list(&words) ? session_look_list(s, &filter) : session_show(s, words.words[1], filter.json, lang);
    session_store_close(s);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == EX_OK)
        return cli_fault("session", EX_IOERR, "cannot write to standard output");
    return code;
}
