#include "cli/commands.h"

#include <stdint.h>
#include <string.h>
#include <sysexits.h>

#include "base/nearest.h"

/* clang-format off */
const struct cli_command cli_commands[] = {
    {"serve", "", "Start a server: a sandbox on loopback, or what a configuration says", cmd_serve, cmd_serve_options, false},
    {"check", "-c FILE", "Say whether a configuration is in order, and what it would do", cmd_check, cmd_check_options, false},
    {"queue", "list\nshow ID\nwhy ID\nretry ID...|all\nhold|release|bounce ID...\nremove ID...|all\nredirect ID ADDRESS\nsuspend|resume DOMAIN...\ndestinations [PATTERN]\ntls-reports\ntls-send DAY [DOMAIN]\nstatus",
     "Show the queue, why something is still in it, and change that", cmd_queue, cmd_queue_options, false},
    {"user", "add|passwd|disable|enable|remove NAME\napp-password|revoke NAME LABEL\nmay-send NAME PATTERN...|--anybody\nimport FILE|-\nshow NAME [--json]\nlist [--json]", "Add, change, list or remove users who may log in",
     cmd_user, cmd_user_options, false},
    {"send", "HOST[:PORT] [FILE|-]", "Send a message to any server and show the conversation, each reply explained",
     cmd_send, cmd_send_options, false},
    {"probe", "HOST[:PORT]|DOMAIN...", "Examine a server: what it offers, what is wrong with it, and what to change",
     cmd_probe, cmd_probe_options, false},
    {"session", "list\nshow ID", "Show what was said in the sessions of a server, each refusal explained",
     cmd_session, cmd_session_options, false},
    {"sendmail", "[RECIPIENT...]", "Take mail from a program of this machine, as the command sendmail of other servers", cmd_sendmail,
     cmd_sendmail_options, false},
    {"explain", "[NAME|REPLY]", "Say what a reply, command, keyword or mechanism means, and how to answer or fix it", cmd_explain,
     cmd_explain_options, false},
    {"compare", "NAME NAME", "Say how two codes, commands, keywords or mechanisms differ", cmd_compare, cmd_compare_options, false},
    {"diagnose", "FILE|-", "Say what went wrong first in the log of a conversation, and what to change", cmd_diagnose,
     cmd_diagnose_options, false},
    {"reference", "", "Write the whole reference as a static site or as manual pages", cmd_reference,
     cmd_reference_options, false},
    {"help", "[COMMAND]", "Show all commands, or the usage of one", cmd_help, NULL, false},
    {"role", "NAME INDEX", "One process of a server; started by serve alone", cmd_role, NULL, true},
    {"version", "", "Show the version", cmd_version, NULL, false},
};
/* clang-format on */
const size_t cli_command_n = sizeof cli_commands / sizeof *cli_commands;

const struct cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; i < cli_command_n; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    return NULL;
}

int cli_fault_unknown(const char *name)
{
    const struct cli_command *nearest = NULL;
    size_t distance = SIZE_MAX;
    for (size_t i = 0; i < cli_command_n; i++) {
        const struct cli_command *c = &cli_commands[i];
        if (!c->hidden && sp_word_is_near(name, c->name) && sp_word_distance(name, c->name) < distance) {
            distance = sp_word_distance(name, c->name);
            nearest = c;
        }
    }
    const char *kind = name[0] == '-' ? "option" : "command";
    if (nearest)
        fprintf(stderr, "sallyport: unknown %s '%s'; did you mean '%s'? All commands: sallyport help\n", kind,
                name, nearest->name);
    else
        fprintf(stderr, "sallyport: unknown %s '%s'. All commands: sallyport help\n", kind, name);
    return EX_USAGE;
}

int cli_run(int argc, char **argv)
{
    if (argc < 2) {
        cli_print_commands(stderr);
        return EX_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    else if (strcmp(name, "--version") == 0)
        name = "version";
    const struct cli_command *command = cli_command_find(name);
    return command ? command->run(argc - 1, argv + 1) : cli_fault_unknown(name);
}
