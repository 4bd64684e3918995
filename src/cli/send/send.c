/* sallyport send: the command. */
#include "cli/send/send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/catalogue.h"
#include "cli/commands.h"
#include "cli/secret.h"
#include "os/heap.h"

enum { PREAMBLE_MAX = 256 };

int send_number(const char *name, const char *unit, uint64_t max, uint64_t *n_out)
{
    const char *given = cli_value(send_options, name);
    uint64_t n = 0;
    if (!given)
        return EX_OK;
    if (sp_view_u64(sp_view_of(given), max, &n) || n == 0)
        return cli_usage_fault("send", "--%s is a number%s%s from 1 to %llu, not '%s'", name,
                               unit ? " of " : "", unit ? unit : "", (unsigned long long)max, given);
    *n_out = n;
    return EX_OK;
}

/* --- how ----------------------------------------------------------------------------------- */

static int parse_stage(struct send_plan *p)
{
#define X(n, word) word,
    static const char *const words[] = {SEND_STAGES(X)};
#undef X
    const char *quit = cli_value(send_options, "quit-after"), *drop = cli_value(send_options, "drop-after");
    const char *given = quit ? quit : drop;
    if (quit && drop)
        return cli_usage_fault("send", "--quit-after and --drop-after exclude each other");
    if (!given)
        return EX_OK;
    p->drop = drop != NULL;
    if (strcasecmp(given, "helo") == 0 || strcasecmp(given, "first-helo") == 0 ||
        strcasecmp(given, "first-ehlo") == 0)
        given = "ehlo";
    for (size_t i = 1; i < SEND_STAGE_N; i++)
        if (strcasecmp(given, words[i]) == 0)
            p->until = (enum send_stage)i;
    return p->until
               ? EX_OK
               : cli_usage_fault(
                     "send", "'%s' is no stage: connect, banner, ehlo, tls, auth, mail, rcpt, data or dot",
                     given);
}

static int parse_chunk(struct send_plan *p)
{
    const struct cli_option *bdat = cli_option(send_options, "bdat");
    uint64_t size = SP_CLIENT_CHUNK_DEFAULT;
    if (!bdat->given)
        return EX_OK;
    if (bdat->values[0][0] &&
        (sp_view_u64(sp_view_of(bdat->values[0]), SP_CLIENT_CHUNK_MAX, &size) || size == 0))
        return cli_usage_fault("send", "--bdat=SIZE is a number of octets from 1 to %d, not '%s'",
                               SP_CLIENT_CHUNK_MAX, bdat->values[0]);
    p->chunk = (uint32_t)size;
    return EX_OK;
}

int send_parse_run(struct send_plan *p)
{
    uint64_t repeat = 1, parallel = 1;
    p->pipeline = cli_option(send_options, "pipeline")->given;
    p->quiet = cli_option(send_options, "quiet")->given;
    p->json = cli_option(send_options, "json")->given;
    p->dump = cli_option(send_options, "dump")->given;
    p->reuse = cli_option(send_options, "reuse")->given;
    int code = parse_stage(p);
    if (!code)
        code = parse_chunk(p);
    if (!code)
        code = send_number("repeat", NULL, 10000000, &repeat);
    if (!code)
        code = send_number("parallel", NULL, SEND_PARALLEL_MAX, &parallel);
    if (!code && p->until && repeat > 1)
        code =
            cli_usage_fault("send", "--repeat sends whole messages: not with --quit-after or --drop-after");
    p->repeat = (uint32_t)repeat;
    p->parallel = (uint32_t)(parallel < repeat ? parallel : repeat);
    return code;
}

/* --- header options of any name -------------------------------------------------------------- */

/* --h-Subject VALUE becomes --header "Subject: VALUE". Returns the texts made, ended by NULL; NULL: a fault.
 */
static char **rewrite_headers(int *argc, char **argv)
{
    char **made = calloc((size_t)*argc + 1, sizeof *made);
    size_t made_n = 0;
    int n = 1;
    if (!made)
        abort();
    for (int i = 1; i < *argc; i++) {
        bool ended = strcmp(argv[i], "--") == 0;
        if (ended || strncmp(argv[i], "--h-", 4) != 0) {
            argv[n++] = argv[i];
            while (ended && ++i < *argc)
                argv[n++] = argv[i];
            continue;
        }
        const char *name = argv[i] + 4, *equals = strchr(name, '=');
        int len = (int)(equals ? (size_t)(equals - name) : strlen(name));
        const char *value = equals ? equals + 1 : i + 1 < *argc ? argv[++i] : NULL;
        if (len == 0 || !value) {
            cli_usage_fault("send", "--h-NAME needs a value");
            free(made);
            return NULL;
        }
        if (asprintf(&made[made_n++], "--header=%.*s: %s", len, name, value) < 0)
            abort();
        argv[n++] = made[made_n - 1];
    }
    *argc = n;
    return made;
}

static void free_made(char **made)
{
    for (size_t i = 0; made && made[i]; i++)
        free(made[i]);
    free(made);
}

/* --- the whole ------------------------------------------------------------------------------- */

static int parse(struct send_plan *p, const struct cli_operands *operands)
{
    bool named = cli_option(send_options, "server")->given || cli_option(send_options, "socket")->given ||
                 cli_option(send_options, "mx")->given;
    size_t servers = named ? 0 : 1;
    p->misbehave = cli_value(send_options, "misbehave");
    p->dump = cli_option(send_options, "dump")->given;
    if (p->misbehave && !send_misbehave_knows(p->misbehave))
        return cli_usage_fault("send", "'%s' is no mistake that is known; --misbehave list names them",
                               p->misbehave);
    if (p->misbehave && strcmp(p->misbehave, "list") == 0)
        return send_parse_run(p);
    if (operands->n < servers && !p->dump)
        return cli_usage_fault("send", "which server? HOST[:PORT] is needed");
    if (operands->n > servers + 1)
        return cli_usage_fault("send", "one server and one FILE at most, not '%s' as well",
                               operands->words[servers + 1]);
    int code = send_parse_auth(p);
    if (!code)
        code = send_parse_where(p, operands);
    if (!code)
        code = send_parse_certificate(p);
    if (!code)
        code = send_parse_run(p);
    if (!code)
        code = send_parse_envelope(p);
    if (!code)
        code = send_parse_message(p, operands->n > servers ? operands->words[servers] : NULL);
    return code;
}

static int send_planned(struct send_plan *p)
{
    const char *auth = cli_value(send_options, "auth"), *password = auth ? strchr(auth, ':') : NULL;
    struct send_parts *parts = os_new(sizeof *parts);
    send_parts_init(parts);
    int code = EX_OK;
    if (p->misbehave && strcmp(p->misbehave, "list") == 0) {
        send_misbehave_list(p);
        goto out;
    }
    if (p->auth && !p->dump)
        code = send_obtain_password(p, password ? password + 1 : NULL);
    if (!code && p->mx && !p->dump)
        code = send_find_mx(p);
    if (!code && p->misbehave)
        code = send_misbehave(p);
    else if (!code && (code = send_parts_read(p, parts)) == EX_OK)
        code = send_run(p, parts);
out:
    send_parts_fini(parts);
    free(parts);
    return code;
}

int cmd_send(int argc, char **argv)
{
    struct cli_operands operands;
    char **made = rewrite_headers(&argc, argv);
    if (!made)
        return EX_USAGE;
    struct send_plan *p = os_new(sizeof *p);
    sp_buf_init(&p->user, &os_heap, 1024);
    sp_buf_init(&p->password, &os_heap, CLI_SECRET_MAX);
    sp_buf_init(&p->preamble, &os_heap, PREAMBLE_MAX);
    int code = EX_USAGE;
    if (cli_parse("send", argc, argv, send_options, &operands) && cli_lang("send", send_options, &p->lang)) {
        code = parse(p, &operands);
        if (!code)
            code = send_planned(p);
    }
    sp_buf_fini(&p->user);
    sp_buf_fini_secret(&p->password);
    sp_buf_fini(&p->preamble);
    free(p);
    free_made(made);
    return code;
}
