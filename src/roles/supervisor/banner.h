/*
 * What the start prints on stdout, for people and for programs that start a server. One fact a line:
 * two spaces, its name, spaces, its value, then two spaces or more and words for people.
 *
 *     smtp         127.0.0.1:2525  STARTTLS and AUTH offered        a listener: its name, its real port
 *     user         demo                                             the sandbox only, one line per user
 *     password     f7x2-...                                         only when it is known
 *     certificate  /home/a/sallyport-data/tls/cert.pem
 *     fingerprint  SHA256 AB:CD:...
 *     data         /home/a/sallyport-data
 *     mail         held, not sent                                   or: relayed to HOST:PORT
 *
 * The sandbox then prints lines to paste into a shell. The last line of all is `ready`, flush left.
 */
#ifndef SUPERVISOR_BANNER_H
#define SUPERVISOR_BANNER_H

#include "roles/supervisor/state.h"

void banner_print(const struct supervisor *sv);

#endif
