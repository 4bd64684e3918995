/*
 * The log of a conversation, in whatever form a library printed it, to what went wrong first, why, and
 * what to change. Fed in pieces of any size, in constant memory, whatever the octets are.
 */
#ifndef DIAGNOSE_DIAGNOSE_H
#define DIAGNOSE_DIAGNOSE_H

#include "reference/reference.h"
#include "sallyport/base.h"

#define X(name, id) DIAGNOSE_##name,
enum diagnose_cause_id {
#include "diagnose/causes.def"
    DIAGNOSE_CAUSE_N
};
#undef X

/* What is known about a cause; const data from reference/diagnoses.toml. */
struct diagnose_cause {
    const char *id;
    struct reference_text name;  /* a verdict, in one sentence         */
    struct reference_text cause; /* why, in a sentence or two          */
    struct reference_text fix;
    struct reference_transcript transcript; /* how it should have been */
    const char *const *rfc;                 /* NULL ends               */
    const enum diagnose_cause_id *also; /* what it may be instead; DIAGNOSE_CAUSE_N ends */
};

const struct diagnose_cause *diagnose_cause(enum diagnose_cause_id id);

enum diagnose_verdict { DIAGNOSE_FAILURE, DIAGNOSE_NO_FAILURE, DIAGNOSE_UNDETERMINED };

enum { DIAGNOSE_QUOTE_MAX = 320, DIAGNOSE_CODES_MAX = 4, DIAGNOSE_CODE_SIZE = 16, DIAGNOSE_FINDINGS_MAX = 12,
       DIAGNOSE_CHALLENGES_MAX = 8, DIAGNOSE_CHALLENGE_SIZE = 200, DIAGNOSE_FACT_SIZE = 64 };

struct diagnose_finding {
    enum diagnose_cause_id id;
    double confidence;               /* 0..1                                             */
    uint64_t line;                   /* of the input, from 1; 0: none                    */
    uint64_t times;                  /* seen; 1 or more                                  */
    char quote[DIAGNOSE_QUOTE_MAX];  /* that line, secrets masked, printable             */
    char codes[DIAGNOSE_CODES_MAX][DIAGNOSE_CODE_SIZE]; /* "503", "5.5.1"; "" ends       */
    char command[DIAGNOSE_FACT_SIZE]; /* that was refused, without arguments; "" unknown */
};

/* A 334 of the input. */
struct diagnose_challenge {
    uint64_t line;
    char text[DIAGNOSE_CHALLENGE_SIZE];    /* as sent                            */
    char decoded[DIAGNOSE_CHALLENGE_SIZE]; /* printable; "" when it was empty    */
    bool valid;                            /* it was base64                      */
};

struct diagnose_report {
    enum diagnose_verdict verdict;
    double confidence;
    struct diagnose_finding findings[DIAGNOSE_FINDINGS_MAX]; /* most telling first; always one */
    size_t finding_n;
    struct diagnose_challenge challenges[DIAGNOSE_CHALLENGES_MAX];
    size_t challenge_n;
    uint64_t lines, sessions, delivered; /* of the input; conversations; messages accepted */
};

struct diagnose;

/* Free with diagnose_free. Out of memory ends the process, as for all programs. */
struct diagnose *diagnose_new(void);
void diagnose_free(struct diagnose *d);

/* Any split of the input. */
void diagnose_feed(struct diagnose *d, struct sp_view octets);

/* The input is over. The report lives as long as d; nothing may be fed afterwards. */
const struct diagnose_report *diagnose_end(struct diagnose *d);

#endif
