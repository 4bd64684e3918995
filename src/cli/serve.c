#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/commands.h"
#include "roles/supervisor/supervisor.h"

enum { NAME_MAX_LEN = 255, PASSWORD_MAX_LEN = 1024 };

/* clang-format off */
static struct cli_option options[] = {
    {.name = "c", .argument = "FILE", .help = "serve by this configuration; without it: a sandbox on loopback"},
    {.name = "data", .argument = "DIR", .help = "the data folder; ./sallyport-data in the sandbox"},
    {.name = "user", .argument = "NAME:PASSWORD", .repeat = true,
     .help = "set this user and password; in the sandbox instead of demo"},
    {.name = "relay", .argument = "HOST:PORT", .help = "sandbox: deliver all mail to this server instead of holding it"},
    {.name = "smtp", .argument = "ADDR:PORT", .help = "sandbox: the plain listener; 127.0.0.1:2525, port 0 is any"},
    {.name = "submission", .argument = "ADDR:PORT", .help = "sandbox: STARTTLS, then AUTH; 127.0.0.1:2587"},
    {.name = "submissions", .argument = "ADDR:PORT", .help = "sandbox: TLS at once, then AUTH; 127.0.0.1:2465"},
    {.name = NULL},
};
/* clang-format on */

const struct cli_option *cmd_serve_options(void) { return options; }

/*
 * NAME:PASSWORD, split at the first colon. The password moves out of the command line, where every user of
 * the machine could read it for as long as the server runs.
 */
static int take_user(const char *value, struct supervisor_user *user_out)
{
    const char *colon = strchr(value, ':');
    if (!colon || colon == value || colon[1] == '\0')
        return cli_usage_fault("serve", "--user needs a name, a colon and a password (NAME:PASSWORD)");
    if (colon - value > NAME_MAX_LEN || strlen(colon + 1) > PASSWORD_MAX_LEN)
        return cli_usage_fault("serve", "--user takes at most %d octets of name and %d of password",
                               NAME_MAX_LEN, PASSWORD_MAX_LEN);
    char *name = strndup(value, (size_t)(colon - value));
    char *password = strdup(colon + 1);
    if (!name || !password)
        abort();
    memset((char *)colon + 1, '*', strlen(password));
    *user_out = (struct supervisor_user){name, password};
    return EX_OK;
}

static int take_users(struct supervisor_user users_out[CLI_VALUES_MAX], size_t *n_out)
{
    const struct cli_option *option = cli_option(options, "user");
    for (size_t i = 0; i < option->n; i++) {
        int code = take_user(option->values[i], &users_out[i]);
        if (code != EX_OK)
            return code;
        *n_out = i + 1;
    }
    return EX_OK;
}

static int refuse_sandbox_options(void)
{
    static const char *const only_sandbox[] = {"relay", "smtp", "submission", "submissions"};
    for (size_t i = 0; i < sizeof only_sandbox / sizeof *only_sandbox; i++)
        if (cli_value(options, only_sandbox[i]))
            return cli_usage_fault("serve", "--%s is for the sandbox; with -c it stands in the configuration",
                                   only_sandbox[i]);
    return EX_OK;
}

int cmd_serve(int argc, char **argv)
{
    struct cli_operands operands;
    struct supervisor_user users[CLI_VALUES_MAX];
    struct supervisor_options o = {.users = users};
    if (!cli_parse("serve", argc, argv, options, &operands))
        return EX_USAGE;
    if (operands.n > 0)
        return cli_usage_fault("serve", "'%s' is not expected here (-c FILE names a configuration)",
                               operands.words[0]);
    o.path = cli_value(options, "c");
    o.data = cli_value(options, "data");
    o.sandbox = (struct config_sandbox){.data = o.data,
                                        .smtp = cli_value(options, "smtp"),
                                        .submission = cli_value(options, "submission"),
                                        .submissions = cli_value(options, "submissions"),
                                        .relay = cli_value(options, "relay")};
    int code = o.path ? refuse_sandbox_options() : EX_OK;
    if (code == EX_OK)
        code = take_users(users, &o.user_n);
    if (code == EX_OK)
        code = supervisor_run(&o);
    for (size_t i = 0; i < o.user_n; i++) {
        explicit_bzero(users[i].password, strlen(users[i].password));
        free(users[i].password);
        free((char *)users[i].name);
    }
    return code;
}
