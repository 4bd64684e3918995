/* The lines that Dovecot's auth socket sends, taken apart. Octets only. */
#ifndef USERS_DOVECOT_LINE_H
#define USERS_DOVECOT_LINE_H

#include "sallyport/base.h"
#include "users/dovecot.h"

enum users_dovecot_word {
    USERS_DOVECOT_OTHER,   /* SPID, CUID, COOKIE and what later versions add: not needed */
    USERS_DOVECOT_BAD,     /* another protocol */
    USERS_DOVECOT_VERSION, /* number: the major one */
    USERS_DOVECOT_MECH,    /* value: its name; usable */
    USERS_DOVECOT_DONE,    /* all that it can do has been said */
    USERS_DOVECOT_OK,      /* number: of the question; value: the user */
    USERS_DOVECOT_FAIL,    /* number; answer; value: the user, when it is known */
    USERS_DOVECOT_CONT     /* number; value: the challenge in base64 */
};

struct users_dovecot_line {
    enum users_dovecot_word word;
    uint32_t                number;
    struct sp_view          value;
    enum users_answer       answer;
    bool                    usable; /* MECH: it may be offered to clients, and can be passed on */
};

/* line: without its line feed; the views borrow from it. */
struct users_dovecot_line users_dovecot_parse(struct sp_view line);

#endif
