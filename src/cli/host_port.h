/* Where a server is, as a command line says it. */
#ifndef CLI_HOST_PORT_H
#define CLI_HOST_PORT_H

#include <stdint.h>

#include "sallyport/base.h"

enum { CLI_HOST_SIZE = 256 };

/*
 * HOST, HOST:PORT, [IPv6]:PORT, or a bare IPv6 address, taken apart.
 *
 *   command   for the fault
 *   port_out  of `text`, to be read with cli_port; NULL where none is named
 *
 * EX_OK, or EX_USAGE: the fault was printed.
 */
int cli_host_port(const char *command, const char *text, char host_out[CLI_HOST_SIZE], const char **port_out);

/* A number from 1 to 65535. EX_OK, or EX_USAGE: the fault was printed. */
int cli_port(const char *command, struct sp_view text, uint16_t *port_out);

#endif
