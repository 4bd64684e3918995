/* What somebody means who asks for a page of the reference. */
#ifndef CLI_LOOKUP_H
#define CLI_LOOKUP_H

#include "base/nearest.h"
#include "reference/reference.h"

enum cli_lookup_kind {
    CLI_LOOKUP_NOTHING,   /* not understood                                              */
    CLI_LOOKUP_CODE,      /* 503: `code`; `entry` when it has a page                     */
    CLI_LOOKUP_ENHANCED,  /* 5.5.1: `enhanced`; `meaning` when it is registered          */
    CLI_LOOKUP_REASON,    /* data-before-rcpt: `reason`                                  */
    CLI_LOOKUP_REPLY,     /* 503 5.5.1 DATA needs ...: `code`, `text` and what is in it  */
    CLI_LOOKUP_CHALLENGE  /* VXNlcm5hbWU6: as REPLY with `code` 334                      */
};

enum { CLI_LOOKUP_TEXT_MAX = 16384 };

struct cli_lookup {
    enum cli_lookup_kind            kind;
    int                             code;
    const struct reference_code    *entry;
    bool                            has_enhanced;
    struct reference_enhanced       enhanced;
    const struct reference_meaning *meaning;
    const struct reference_reason  *reason;
    const char                     *text;    /* what follows the code; in `words`                      */
    char                           *decoded; /* a 334's challenge, fit to be printed; NULL for none    */
    char                           *words;   /* what was asked for, trimmed; owned                     */
};

/*
 * Understand the words of a command line, joined by spaces. What programs print before a reply
 * ("S: ", "<-  ", "<** ") is skipped. cli_lookup_free, whatever the kind.
 */
void cli_lookup(const char *const *words, size_t n, struct cli_lookup *lookup_out);
void cli_lookup_free(struct cli_lookup *lookup);

enum { CLI_NEAREST_MAX = 6 };

/* Names of pages that the words may have meant, nearest first. */
struct cli_nearest {
    char   names[CLI_NEAREST_MAX][SP_WORD_MAX + 1];
    size_t distance[CLI_NEAREST_MAX];
    size_t n;
};
void cli_lookup_nearest(const struct cli_lookup *lookup, struct cli_nearest *nearest_out);

#endif
