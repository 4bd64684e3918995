/* The whole reference as files: a static site, manual pages. */
#include <string.h>
#include <sysexits.h>

#include "cli/commands.h"
#include "cli/manual.h"
#include "pages/site.h"

static struct cli_option options[] = {
    {.name = "html", .argument = "DIR", .help = "write it as a site that needs no server, in every language"},
    {.name = "man",
     .argument = "DIR",
     .help = "write sallyport(1) and sallyport-replies(7), the latter in every language"},
    {.name = NULL},
};

const struct cli_option *cmd_reference_options(void) { return options; }

/* false: the fault was printed. */
static bool tell(const struct pages_written *written, const char *what, const char *folder)
{
    if (written->error) {
        fprintf(stderr, "sallyport reference: cannot write %s: %s\n", written->path,
                strerror(written->error));
        return false;
    }
    printf("%s/: %zu %s\n", folder, written->files_n, what);
    return true;
}

int cmd_reference(int argc, char **argv)
{
    struct cli_operands operands;
    struct pages_written written;
    if (!cli_parse("reference", argc, argv, options, &operands))
        return EX_USAGE;
    const char *html = cli_value(options, "html"), *man = cli_value(options, "man");
    if (operands.n > 0)
        return cli_usage_fault("reference", "'%s' is not expected here; one page: sallyport explain %s",
                               operands.words[0], operands.words[0]);
    if (!html && !man)
        return cli_usage_fault("reference", "--html DIR or --man DIR is needed");
    if (html) {
        pages_site_write(html, &written);
        if (!tell(&written, "files; begin with index.html", html))
            return EX_CANTCREAT;
    }
    if (man) {
        pages_man_write(man, &written);
        if (!written.error)
            cli_manual_write(man, &written);
        if (!tell(&written, "manual pages", man))
            return EX_CANTCREAT;
    }
    return EX_OK;
}
