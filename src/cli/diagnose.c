#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/view.h"
#include "cli/catalogue.h"
#include "cli/commands.h"
#include "cli/diagnose_show.h"

static struct cli_option options[] = {
    {.name = "lang",
     .argument = "en|vi",
     .help = "the language; by default that of LC_ALL, LC_MESSAGES or LANG"},
    {.name = "json", .help = "print JSON"},
    {.name = NULL},
};

const struct cli_option *cmd_diagnose_options(void) { return options; }

/* 0, or the errno of what went wrong. */
static int read_all(int fd, struct diagnose *d)
{
    static uint8_t chunk[1 << 16];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        diagnose_feed(d, sp_view_make(chunk, (size_t)n));
    }
}

int cmd_diagnose(int argc, char **argv)
{
    struct cli_operands operands;
    enum reference_lang lang;
    if (!cli_parse("diagnose", argc, argv, options, &operands) || !cli_lang("diagnose", options, &lang))
        return EX_USAGE;
    if (operands.n != 1)
        return cli_usage_fault("diagnose", "give one file, or - for standard input");
    const char *name = operands.words[0];
    bool standard = strcmp(name, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_fault("diagnose", EX_NOINPUT, "cannot read %s: %s", name, strerror(errno));
    struct diagnose *d = diagnose_new();
    int fault = read_all(fd, d);
    if (!standard)
        close(fd);
    if (fault) {
        diagnose_free(d);
        return cli_fault("diagnose", EX_NOINPUT, "cannot read %s: %s", name, strerror(fault));
    }
    const struct diagnose_report *report = diagnose_end(d);
    if (cli_option(options, "json")->given)
        diagnose_show_json(report, lang);
    else
        diagnose_show_page(report, name, lang);
    diagnose_free(d);
    return EX_OK;
}
