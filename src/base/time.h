/* Time arithmetic on numbers: no clock here. Wall times are milliseconds since 1970-01-01 UTC. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "base/buf.h"

struct sp_civil {
    int      year;
    unsigned month;   /* 1..12           */
    unsigned day;     /* 1..31           */
    unsigned weekday; /* 0..6, Sunday 0  */
    unsigned hour, minute, second, ms;
};

/* A wall time >= 0 as a UTC date. */
struct sp_civil sp_civil_of(int64_t wall_ms);

/* The wall time of a UTC date (weekday is ignored). */
int64_t sp_civil_to_ms(const struct sp_civil *c);

/* Append "2026-11-24T05:04:50Z" (RFC 3339; with_ms: "...50.123Z"). */
int sp_buf_add_rfc3339(struct sp_buf *b, int64_t wall_ms, bool with_ms);

/* Append "Tue, 24 Nov 2026 05:04:50 +0000" (RFC 5322 3.3). */
int sp_buf_add_rfc5322(struct sp_buf *b, int64_t wall_ms);

/*
 * Read an RFC 3339 date-time, "2026-11-24T06:04:50.5+01:00"; fractions beyond milliseconds are cut off, a leap
 * second is the next second. SP_ERR_SYNTAX; SP_ERR_RANGE: no such date, or before 1970.
 */
SP_MUST_USE int sp_rfc3339_parse(struct sp_view text, int64_t *wall_ms_out);

#endif
