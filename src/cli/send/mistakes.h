/* The mistakes that `send --misbehave` makes on purpose, and what servers should say to them. */
#ifndef CLI_SEND_MISTAKES_H
#define CLI_SEND_MISTAKES_H

#include "reference/reference.h"
#include "sallyport/base.h"

enum { SEND_STEPS_MAX = 5 };

/* Where it begins. */
enum send_mistake_at {
    SEND_AT_CONNECT, /* the first step is said before the greeting; its reply is the greeting */
    SEND_AT_BANNER,  /* behind the greeting, without EHLO                                     */
    SEND_AT_CLEAR,   /* behind EHLO, before TLS                                               */
    SEND_AT_READY    /* behind EHLO, TLS and AUTH, as the other options say                   */
};

struct send_step {
    struct sp_view octets; /* %F the sender, %T the first recipient, %H our name; %% a percent sign */
    unsigned replies;      /* that are due                                                           */
};

struct send_mistake {
    const char *name;
    struct reference_text text;
    const char *rfc;
    enum send_mistake_at at;
    struct send_step steps[SEND_STEPS_MAX];
    const char
        *good; /* the last reply: codes with '|' between them, "5.." for any; "closed"; "" none is due */
    const char *allowed; /* answers that the RFC leaves to the server                                       */
    bool hang_up;        /* then, without QUIT */
};

/* Ended by a NULL name. */
extern const struct send_mistake send_mistakes[];

#endif
