#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "cli/commands.h"

int main(int argc, char **argv)
{
    int code;
    if (!cli_is_sendmail(argc, argv, &code))
        code = cli_run(argc, argv);
    if (fflush(stdout) != 0 && code == EX_OK) {
        fprintf(stderr, "sallyport: standard output: %s\n", strerror(errno));
        code = EX_IOERR;
    }
    return code;
}
