/* One line of a log: who said what in it, if anybody did. */
#ifndef DIAGNOSE_LINE_H
#define DIAGNOSE_LINE_H

#include "diagnose/verb.h"

/*
 * What the log has shown of its habits. Arrows mean opposite things in different programs, so their
 * direction is learnt from lines that can have come from one side only.
 */
struct diagnose_style {
    unsigned left_server, left_client; /* lines with an arrow to the left that a server, a client spoke */
    unsigned marked;                   /* lines of the conversation that had a mark                     */
    bool right_server, right_client;   /* ">" stood before a line of a server, of a client              */
    bool quoted;                       /* so ">" is no arrow: the log stands in a letter                */
};

enum diagnose_line_kind {
    DIAGNOSE_LINE_NOTE,   /* not a line of a conversation; it may tell of one */
    DIAGNOSE_LINE_CLIENT,
    DIAGNOSE_LINE_SERVER,
    DIAGNOSE_LINE_ECHO    /* repeats what another line says: to be passed over */
};

/* What an unmarked line may be, by the state of the conversation. */
enum diagnose_expect { DIAGNOSE_EXPECT_COMMAND, DIAGNOSE_EXPECT_ANSWER, DIAGNOSE_EXPECT_CONTENT };

struct diagnose_line {
    enum diagnose_line_kind kind;
    struct sp_view text; /* what was said; may hold several lines; borrowed from the line or the scratch */
    struct sp_view key;  /* see diagnose_prefix_skip */
    bool marked;         /* the log says who spoke, or it is told by an arrow */
};

/* scratch: at least line.len octets. */
void diagnose_line_read(struct diagnose_style *style, struct sp_view line, enum diagnose_expect expect,
                        uint8_t *scratch, struct diagnose_line *line_out);

#endif
