#include "cli/manual.h"

#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "pages/roff.h"
#include "pages/site_parts.h"

static void put_text(FILE *to, const char *text) { pages_roff(to, text, strlen(text)); }

static void put_option(FILE *to, const struct cli_option *o)
{
    fprintf(to, ".TP\n\\fB%s", o->name[1] ? "\\-\\-" : "\\-");
    put_text(to, o->name);
    fputs("\\fR", to);
    if (o->argument) {
        fputs(" \\fI", to);
        put_text(to, o->argument);
        fputs("\\fR", to);
    }
    fputc('\n', to);
    put_text(to, o->help);
    fputs(o->repeat ? " (may be repeated)\n" : "\n", to);
}

static void put_command(FILE *to, const struct cli_command *c)
{
    const struct cli_option *options = c->options ? c->options() : NULL;
    fputs(".SS ", to);
    put_text(to, c->name);
    fputs("\n.nf\n", to);
    const char *form = c->operands;
    do {
        size_t len = strcspn(form, "\n");
        fputs("\\fBsallyport ", to);
        put_text(to, c->name);
        fprintf(to, "\\fR%s%s", options ? " [\\fIOPTION\\fR...]" : "", len ? " " : "");
        pages_roff(to, form, len);
        fputc('\n', to);
        form += len + (form[len] == '\n');
    } while (*form);
    fputs(".fi\n.PP\n", to);
    put_text(to, c->summary);
    fputs(".\n", to);
    for (; options && options->name; options++)
        put_option(to, options);
}

void cli_manual_write(const char *folder, struct pages_written *written)
{
    static const char path[] = "man1/sallyport.1";
    struct pages_site site = {.folder = folder, .written = written};
    FILE *to = pages_site_open(&site, path);
    if (!to)
        return;
    fputs(".TH SALLYPORT 1 \"" PAGES_MAN_DATE
          "\" \"Sallyport\" \"\"\n.SH NAME\nsallyport \\- an SMTP server, client and "
          "reference that says "
          "why\n.SH SYNOPSIS\n.B sallyport\n.I COMMAND\n[\\fIOPTION\\fR...] [\\fIOPERAND\\fR...]\n.SH "
          "COMMANDS\n",
          to);
    for (size_t i = 0; i < cli_command_n; i++)
        if (!cli_commands[i].hidden)
            put_command(to, &cli_commands[i]);
    fputs(".SH EXIT STATUS\nAs in sysexits.h: 0 done, 64 wrong usage, 65 wrong input, 73 a file cannot be "
          "written, 75 try "
          "again later.\n.SH ENVIRONMENT\n.TP\n.B LC_ALL\\fR, \\fBLC_MESSAGES\\fR, \\fBLANG\nthe language of "
          "the "
          "reference: English, or Vietnamese where it begins with vi\n.TP\n.B NO_COLOR\nno colours, if "
          "set\n.TP\n"
          ".B COLUMNS\nthe width of the terminal\n.SH SEE ALSO\n.BR sallyport\\-replies (7)\n",
          to);
    pages_site_close(&site, path, to);
}
