/* What somebody means who asks for a page of the reference. */
#ifndef CLI_LOOKUP_H
#define CLI_LOOKUP_H

#include "base/nearest.h"
#include "pages/pages.h"

enum cli_lookup_kind {
    CLI_LOOKUP_NOTHING,  /* not understood                                                   */
    CLI_LOOKUP_SUBJECT,  /* 503, 5.5.1, AUTH, data-before-rcpt, google: `subjects`           */
    CLI_LOOKUP_REPLY,    /* 503 5.5.1 DATA needs ...: `code` and `text`                      */
    CLI_LOOKUP_CHALLENGE /* VXNlcm5hbWU6: as REPLY with `code` 334                           */
};

enum { CLI_LOOKUP_TEXT_MAX = 16384 };

struct cli_lookup {
    enum cli_lookup_kind kind;
    struct pages_subject subjects[PAGES_SAME_NAME_MAX];
    size_t subjects_n; /* 0 but for SUBJECT                              */
    int code;
    const char *text; /* what follows the code; in `words`              */
    char *words;      /* what was asked for, trimmed; owned             */
};

/*
 * Understand the words of a command line, joined by spaces. What programs print before a reply
 * ("S: ", "<-  ", "<** ") is skipped. cli_lookup_free, whatever the kind.
 */
void cli_lookup(const char *const *words, size_t n, struct cli_lookup *lookup_out);
void cli_lookup_free(struct cli_lookup *lookup);

enum { CLI_NEAREST_MAX = 6 };

/* Pages that the words may have meant, nearest first: by spelling, then by the words that their texts hold.
 */
struct cli_nearest {
    struct pages_subject subjects[CLI_NEAREST_MAX];
    size_t distance[CLI_NEAREST_MAX];
    size_t n;
};
void cli_lookup_nearest(const struct cli_lookup *lookup, enum reference_lang lang,
                        struct cli_nearest *nearest_out);

#endif
