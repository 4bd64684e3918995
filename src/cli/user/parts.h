/* `sallyport user`: the words that have a file of their own. Each returns a sysexits code; words[0] is the
 * word itself. */
#ifndef CLI_USER_PARTS_H
#define CLI_USER_PARTS_H

#include "cli/options.h"
#include "ipc/ipc.h"

#include <jansson.h>

/* user.c */
enum { USER_TIME_TEXT = 32 };
void user_time_text(uint64_t wall_ms, char text_out[USER_TIME_TEXT]);
json_t *user_json(const struct ipc_user *u);
int user_end_output(void); /* EX_OK, or a fault when standard output took not all of it */

/* app.c: app-password NAME LABEL, revoke NAME LABEL */
int user_app_password(const char *data, const struct cli_operands *o);
int user_revoke(const char *data, const struct cli_operands *o);

/* send.c: may-send NAME PATTERN... */
int user_may_send(const char *data, const struct cli_operands *o, bool anybody);

/* import.c: import FILE|- */
int user_import(const char *data, const struct cli_operands *o);

/* show.c: show NAME */
int user_show(const char *data, const struct cli_operands *o, bool json);

#endif
