/* The inside of the reader, over several files: what has been read, and the conversations that lines belong to. */
#ifndef DIAGNOSE_READER_H
#define DIAGNOSE_READER_H

#include "diagnose/diagnose.h"
#include "diagnose/line.h"
#include "diagnose/note.h"
#include "diagnose/report.h"
#include "diagnose/secrets.h"
#include "diagnose/session.h"

enum { LINE_SIZE = 32768, SESSIONS_MAX = 64 };

struct diagnose {
    uint8_t line[LINE_SIZE]; /* being gathered; what does not fit is dropped */
    uint8_t scratch[LINE_SIZE];
    size_t len;
    bool cut;
    uint64_t lines, octets;
    bool trace; /* a session of our own: what is not a line of it explains it */
    bool frame; /* the line before was a frame of a traceback */
    bool wide;  /* UTF-16, as PowerShell writes: NULs are dropped */
    struct diagnose_style style;
    struct session sessions[SESSIONS_MAX];
    struct session *now; /* that lines without a key belong to; NULL at first */
    struct gathering gathered;
    struct secrets secrets;
    struct diagnose_report report;
};

/* --- reader.c: conversations, and what is said in them ---------------------------------------------------- */

/* The conversation of a key; an empty key stands for the latest. */
struct session *diagnose_reader_find(struct diagnose *d, struct sp_view key);

struct session *diagnose_reader_begin(struct diagnose *d, uint64_t key);

/* End one, and begin another with its key. */
struct session *diagnose_reader_begin_anew(struct diagnose *d, struct session *s);

void diagnose_reader_say(struct diagnose *d, struct sp_view line, const struct diagnose_line *l);

/* --- reader_note.c: a program's own words ------------------------------------------------------------------ */

/* false: it tells nothing. */
bool diagnose_reader_note_line(struct diagnose *d, struct sp_view line, struct sp_view key);

/* A record's message, or else what it names as the error. */
void diagnose_reader_note_record(struct diagnose *d, struct sp_view line, const struct diagnose_line *l);

/* --- reader_take.c: what a note changes in a conversation -------------------------------------------------- */

void diagnose_reader_take_note(struct diagnose *d, struct session *s, const struct note *n, const struct place *place);

/* --- reader_trace.c: traces of our own -------------------------------------------------------------------- */

/* Is it of a trace? Then it is taken. */
bool diagnose_reader_take_trace(struct diagnose *d, struct sp_view line);

#endif
