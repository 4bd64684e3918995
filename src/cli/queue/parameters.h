/* What MAIL and RCPT asked for a message of the queue, onto paper and into JSON. */
#ifndef CLI_QUEUE_PARAMETERS_H
#define CLI_QUEUE_PARAMETERS_H

#include "sallyport/envelope.h"

#include <jansson.h>
#include <stdio.h>

/* All of them, null or false where nothing was asked. */
void queue_add_parameters_json(json_t *o, const struct sp_mail_parameters *p);
json_t *queue_notify_json(uint8_t notify);

/* Only those that were asked, a line each; and the body's kind. */
void queue_print_mail_parameters(const struct sp_mail_parameters *p, FILE *to);
void queue_print_rcpt_parameters(const struct sp_rcpt_parameters *p, FILE *to);

#endif
