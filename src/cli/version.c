#include <sysexits.h>

#include "cli/commands.h"

int cmd_version(int argc, char **argv)
{
    struct cli_option options[] = {{NULL}};
    struct cli_operands operands;
    if (!cli_parse("version", argc, argv, options, &operands))
        return EX_USAGE;
    if (operands.n > 0)
        return cli_usage_fault("version", "no operand is needed, '%s' is one too many", operands.words[0]);
    puts("sallyport " SALLYPORT_VERSION);
    return EX_OK;
}
