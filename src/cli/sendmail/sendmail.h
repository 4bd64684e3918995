/* What the files of `sallyport sendmail` share: a message of a program of this machine on its way to the
 * maildrop. */
#ifndef CLI_SENDMAIL_H
#define CLI_SENDMAIL_H

#include "base/buf.h"
#include "config/config.h"

/* What the command line asks for. */
struct sendmail {
    const char *command;   /* "sendmail", for messages                                            */
    const char *config;    /* -C; NULL: the usual one                                             */
    const char *data;      /* --data; NULL: found, see sendmail_find                              */
    const char *sender;    /* -f; NULL: the user's own address                                    */
    const char *full_name; /* -F; NULL: what the system knows                                     */
    const char *notify, *ret, *envid; /* -N, -R, -V; NULL: not said                               */
    const char *body; /* -B; NULL: as the message is                                         */
    bool from_header; /* -t: recipients stand in the header                                  */
    bool dots;        /* -i: a line with a dot alone is a line like others                   */
    bool verbose;
    const char **recipients; /* operands */
    size_t recipient_n;
};

/* Where the mail goes. */
struct sendmail_place {
    char *data, *hostname;   /* owned */
    uint64_t message_octets; /* limits of the configuration, or the defaults */
    uint64_t free_octets;
};

/* The message, as it is read: a header and a body in lines that end in CRLF, and the envelope. */
struct sendmail_mail {
    struct sp_buf sender;     /* empty: the null path */
    struct sp_buf recipients; /* one a line, ending in \n, none twice */
    struct sp_buf header, body;
    bool eight_bit; /* an octet over 127 is in it                */
    bool utf8;      /* and in an address: only SMTPUTF8 has such */
};

/*
 * The data folder: --data, else SALLYPORT_DATA, else the configuration's (-C, SALLYPORT_CONFIG or
 * /etc/sallyport/sallyport.conf), else ./sallyport-data if it is there. EX_OK, or what was wrong after it was
 * printed.
 */
int sendmail_find(const struct sendmail *o, struct sendmail_place *place_out);
void sendmail_place_fini(struct sendmail_place *place);

/* --- read.c ------------------------------------------------------------------------ */

void sendmail_mail_init(struct sendmail_mail *m);
void sendmail_mail_fini(struct sendmail_mail *m);

/* Read the message from standard input and make it and its envelope complete. EX_OK, or what was wrong. */
int sendmail_read(const struct sendmail *o, const struct sendmail_place *place, struct sendmail_mail *m);

/* --- address.c --------------------------------------------------------------------- */

/*
 * The value of an address field (RFC 5322 3.4, 4.4) with the domain put behind what lacks one.
 *
 *   out    the value; addresses that are whole stay octet for octet
 *   found  of each address, whole; NULL: nobody wants them
 *
 * false: it cannot be read; out is then the value as it was.
 */
bool sendmail_addresses(struct sp_view value, const char *domain, struct sp_buf *out,
                        bool (*found)(void *ctx, struct sp_view address), void *ctx);

/* --- drop.c ------------------------------------------------------------------------ */

/* Write it into the maildrop. EX_OK: it is on disk, and the server will have it. */
int sendmail_drop(const struct sendmail *o, const struct sendmail_place *place,
                  const struct sendmail_mail *m);

/* The same of a whole session, as the file holds it. */
int sendmail_put(const struct sendmail *o, const struct sendmail_place *place, struct sp_view session);

/* Behind DATA: a message in lines, with dots where SMTP wants them, its end, and QUIT. */
void sendmail_add_message(struct sp_buf *out, struct sp_view header, struct sp_view body);

/* --- smtp.c ------------------------------------------------------------------------ */

/* -bs: a session of SMTP on standard input and output; each message goes into the maildrop. */
int sendmail_smtp(const struct sendmail *o, const struct sendmail_place *place);

/* --- queue/mailq.c -------------------------------------------------------------------------------- */

int sendmail_list(const struct sendmail *o, const struct sendmail_place *place);
int sendmail_aliases(const struct sendmail *o, const struct sendmail_place *place);

#endif
