/* Whom send writes to, for whom, and what it asks of the server for them. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/view.h"
#include "cli/send/send.h"
#include "os/clock.h"

/* Without spaces around it and without <>. */
static struct sp_view bare_address(struct sp_view v)
{
    v = sp_view_trim(v);
    if (v.len >= 2 && v.p[0] == '<' && v.p[v.len - 1] == '>')
        v = sp_view_sub(v, 1, v.len - 2);
    return v;
}

/* The end of an address in a list: a comma outside quotes. */
static size_t find_comma(struct sp_view v)
{
    bool quoted = false;
    for (size_t i = 0; i < v.len; i++) {
        if (quoted && v.p[i] == '\\')
            i++;
        else if (v.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && v.p[i] == ',')
            return i;
    }
    return v.len;
}

static int add_recipients(struct send_plan *p, const char *option)
{
    const struct cli_option *to = cli_option(send_options, option);
    for (size_t i = 0; i < to->n; i++) {
        struct sp_view rest = sp_view_of(to->values[i]);
        while (rest.len > 0) {
            size_t end = find_comma(rest);
            struct sp_view one = bare_address(sp_view_sub(rest, 0, end));
            rest = sp_view_from(rest, end + 1);
            if (one.len == 0)
                continue;
            if (p->recipient_n == SEND_RECIPIENTS_MAX)
                return cli_usage_fault("send", "more than %d recipients", SEND_RECIPIENTS_MAX);
            p->recipients[p->recipient_n++] = one;
        }
    }
    return EX_OK;
}

/* A test that ends before RCPT needs nobody. */
static bool needs_recipient(const struct send_plan *p)
{
    return !p->misbehave && !p->dump && (p->until == SEND_STAGE_NONE || p->until > SEND_STAGE_MAIL);
}

static int parse_recipients(struct send_plan *p)
{
    int code = add_recipients(p, "to");
    p->shown_n = p->recipient_n;
    if (!code)
        code = add_recipients(p, "cc");
    p->copied_n = p->recipient_n - p->shown_n;
    if (!code)
        code = add_recipients(p, "bcc");
    if (!code && p->recipient_n == 0 && needs_recipient(p))
        return cli_usage_fault("send", "who is it for? --to ADDRESS is needed");
    if (!code && p->recipient_n == 0)
        p->recipients[p->recipient_n++] = SP_LIT("postmaster");
    return code;
}

static void parse_sender(struct send_plan *p)
{
    const char *from = cli_value(send_options, "from");
    if (from) {
        p->sender = bare_address(sp_view_of(from));
        return;
    }
    const struct passwd *me = getpwuid(geteuid());
    (void)snprintf(p->default_sender, sizeof p->default_sender, "%.63s@%.250s", me ? me->pw_name : "nobody",
                   p->hello);
    p->sender = sp_view_of(p->default_sender);
}

/* --- what is asked -------------------------------------------------------------------------- */

static int parse_notify(const char *given, uint8_t *notify_out)
{
    static const struct {
        const char *word;
        uint8_t bit;
    } words[] = {{"never", SP_NOTIFY_NEVER},
                 {"success", SP_NOTIFY_SUCCESS},
                 {"failure", SP_NOTIFY_FAILURE},
                 {"delay", SP_NOTIFY_DELAY}};
    struct sp_view rest = sp_view_of(given), word;
    uint8_t set = 0;
    while (sp_view_word(&rest, ',', &word)) {
        uint8_t bit = 0;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (sp_view_eq_nocase(word, sp_view_of(words[i].word)))
                bit = words[i].bit;
        if (!bit)
            return cli_usage_fault("send", "--notify is never, or of success,failure,delay; not '%s'", given);
        set |= bit;
    }
    if (set == 0 || (set & SP_NOTIFY_NEVER && set != SP_NOTIFY_NEVER))
        return cli_usage_fault("send", "--notify is never alone, or of success,failure,delay; not '%s'",
                               given);
    *notify_out = set;
    return EX_OK;
}

static int parse_dsn(struct send_plan *p)
{
    const char *notify = cli_value(send_options, "notify"), *ret = cli_value(send_options, "ret"),
               *orcpt = cli_value(send_options, "orcpt");
    struct sp_rcpt_parameters asked = {.orcpt = sp_view_of(orcpt)};
    int code = notify ? parse_notify(notify, &asked.notify) : EX_OK;
    if (!code && orcpt && (!strchr(orcpt, ';') || orcpt[0] == ';'))
        code = cli_usage_fault("send", "--orcpt is TYPE;ADDRESS, 'rfc822;user@example.org', not '%s'", orcpt);
    if (!code && ret && strcasecmp(ret, "full") != 0 && strcasecmp(ret, "hdrs") != 0)
        code = cli_usage_fault("send", "--ret is full or hdrs, not '%s'", ret);
    if (ret)
        p->parameters.ret = strcasecmp(ret, "full") == 0 ? SP_RET_FULL : SP_RET_HDRS;
    p->parameters.envid = sp_view_of(cli_value(send_options, "envid"));
    for (size_t i = 0; i < p->recipient_n; i++)
        p->asked[i] = asked;
    return code;
}

static int parse_deliver_by(struct send_plan *p)
{
    const char *given = cli_value(send_options, "deliver-by");
    if (!given)
        return EX_OK;
    char *end;
    long long seconds = strtoll(given, &end, 10);
    bool tell = strcasecmp(end, ";n") == 0;
    if (end == given || (*end && !tell && strcasecmp(end, ";r") != 0) || seconds < -999999999 ||
        seconds > 999999999)
        return cli_usage_fault("send", "--deliver-by is SECONDS, SECONDS;R or SECONDS;N, not '%s'", given);
    p->parameters.by = tell ? SP_BY_NOTIFY : SP_BY_RETURN;
    p->parameters.by_ms = os_wall_ms() + seconds * 1000;
    return EX_OK;
}

static int parse_priority(struct send_plan *p)
{
    const char *given = cli_value(send_options, "priority");
    if (!given)
        return EX_OK;
    char *end;
    long n = strtol(given, &end, 10);
    if (end == given || *end || n < -9 || n > 9)
        return cli_usage_fault("send", "--priority is a number from -9 to 9, not '%s'", given);
    p->parameters.priority = (int8_t)n;
    return EX_OK;
}

static int parse_extra(const char *name, struct sp_view *extra_out)
{
    const char *given = cli_value(send_options, name);
    *extra_out = sp_view_of(given);
    for (size_t i = 0; i < extra_out->len; i++)
        if (extra_out->p[i] < ' ' || extra_out->p[i] > '~' || extra_out->len > 1000)
            return cli_usage_fault("send", "--%s is printable ASCII, at most 1,000 characters", name);
    return EX_OK;
}

int send_parse_envelope(struct send_plan *p)
{
    uint64_t hold_s = 0;
    int code = parse_recipients(p);
    parse_sender(p);
    p->parameters.require_tls = cli_option(send_options, "requiretls")->given;
    p->parameters.auth = sp_view_of(cli_value(send_options, "mail-auth"));
    if (!code)
        code = parse_dsn(p);
    if (!code)
        code = parse_deliver_by(p);
    if (!code)
        code = parse_priority(p);
    if (!code)
        code = send_number("hold-for", "seconds", 999999999, &hold_s);
    if (!code && hold_s > 0)
        p->parameters.hold_until_ms = os_wall_ms() + (int64_t)hold_s * 1000;
    if (!code)
        code = parse_extra("mail-param", &p->extra);
    if (!code)
        code = parse_extra("rcpt-param", &p->extra_rcpt);
    return code;
}
