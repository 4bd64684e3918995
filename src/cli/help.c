#include <string.h>
#include <sysexits.h>

#include "cli/commands.h"
#include "cli/page.h"

void cli_print_commands(FILE *to)
{
    size_t width = 0;
    for (size_t i = 0; i < cli_command_n; i++)
        if (!cli_commands[i].hidden && strlen(cli_commands[i].name) > width)
            width = strlen(cli_commands[i].name);
    fputs("Sallyport: an SMTP server, client and reference that says why.\n\n"
          "usage: sallyport COMMAND [OPTION...] [OPERAND...]\n\n",
          to);
    for (size_t i = 0; i < cli_command_n; i++)
        if (!cli_commands[i].hidden)
            fprintf(to, "  %-*s  %s\n", (int)width, cli_commands[i].name, cli_commands[i].summary);
    fputs("\n'sallyport help COMMAND' shows a command's operands and options.\n"
          "Exit codes are those of sysexits.h: 0 done, 64 wrong usage, 65 wrong input, 75 try again later, "
          "...\n",
          to);
}

/* "  -c FILE": how an option is written; returns the columns it takes. */
static size_t write_option(const struct cli_option *o, char *out, size_t size)
{
    bool optional = o->argument && o->argument[0] == '[';
    int n = snprintf(out, size, "%s%s%s%s", o->name[1] == '\0' ? "-" : "--", o->name,
                     optional      ? "[="
                     : o->argument ? " "
                                   : "",
                     o->argument ? o->argument + optional : "");
    return n < 0 ? 0 : (size_t)n;
}

/* "  --to ADDRESS  a recipient": what is too long on the left gets a line of its own. */
static void print_option(const char *left, size_t width, const char *help, FILE *to)
{
    enum { GAP = 2 };
    struct cli_page page;
    struct cli_lines lines = {NULL, 0};
    size_t indent = width + 2 * GAP;
    cli_page_init(&page, to);
    cli_wrap(&lines, help, (struct cli_wrap){.width = page.screen > indent ? page.screen - indent : 1});
    if (strlen(left) > width)
        fprintf(to, "  %s\n", left);
    for (size_t i = 0; i < lines.n; i++)
        fprintf(to, "  %-*s  %s\n", (int)width, i == 0 && strlen(left) <= width ? left : "",
                lines.line[i].bytes);
    cli_lines_free(&lines);
}

static void print_options(const struct cli_option *options, FILE *to)
{
    enum { WIDEST = 30 };
    char left[128], help[512];
    size_t width = sizeof "--help" - 1;
    for (const struct cli_option *o = options; o && o->name; o++) {
        size_t len = write_option(o, left, sizeof left);
        if (len > width && len <= WIDEST)
            width = len;
    }
    fputs("\n", to);
    for (const struct cli_option *o = options; o && o->name; o++) {
        (void)write_option(o, left, sizeof left);
        if (o->group)
            fprintf(to, "%s%s:\n", o == options ? "" : "\n", o->group);
        snprintf(help, sizeof help, "%s%s", o->help, o->repeat ? " (may be repeated)" : "");
        print_option(left, width, help, to);
    }
    print_option("--help", width, "show this text", to);
}

void cli_print_usage(const struct cli_command *command, FILE *to)
{
    const struct cli_option *options = command->options ? command->options() : NULL;
    const char *form = command->operands;
    const char *start = "usage:";
    do { /* one line per form, at least one */
        size_t len = strcspn(form, "\n");
        fprintf(to, "%-6s sallyport %s%s%s%.*s\n", start, command->name, options ? " [OPTION...]" : "",
                len ? " " : "", (int)len, form);
        start = "";
        form += len + (form[len] == '\n');
    } while (*form);
    fprintf(to, "\n%s.\n", command->summary);
    print_options(options, to);
}

int cmd_help(int argc, char **argv)
{
    struct cli_option options[] = {{NULL}};
    struct cli_operands operands;
    if (!cli_parse("help", argc, argv, options, &operands))
        return EX_USAGE;
    if (operands.n > 1)
        return cli_usage_fault("help", "one command at a time, not '%s' as well", operands.words[1]);
    if (operands.n == 0) {
        cli_print_commands(stdout);
        return EX_OK;
    }
    const struct cli_command *command = cli_command_find(operands.words[0]);
    if (!command)
        return cli_fault_unknown(operands.words[0]);
    cli_print_usage(command, stdout);
    return EX_OK;
}
