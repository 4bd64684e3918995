/* sallyport(1), put together from the table of the commands. */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include "pages/site.h"

/* Write man1/sallyport.1 below a folder; counts it in, or sets the error of, what was written so far. */
void cli_manual_write(const char *folder, struct pages_written *written);

#endif
