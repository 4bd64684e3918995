/*
 * Lines out of a stream that is cut anywhere. A line that arrived whole is a view into the
 * caller's octets; only a partial one is held. What is held may be a password: it is
 * overwritten before its memory is given back or moved.
 */
#ifndef SMTP_LINE_H
#define SMTP_LINE_H

#include "sallyport/base.h"

struct smtp_line {
    const struct sp_allocator *alloc; /* borrowed                                   */
    uint8_t *held;                    /* owned; the line so far                      */
    size_t len, cap;
    bool skipping; /* over its limit: thrown away to its end      */
    bool cr;       /* the last octet so far was CR                */
};

enum smtp_line_result {
    SMTP_LINE_PARTIAL, /* all of `in` is taken, the line goes on     */
    SMTP_LINE_WHOLE,   /* line_out, without CRLF                      */
    SMTP_LINE_LONG,    /* its end is reached, it was over the limit   */
    SMTP_LINE_BARE_LF, /* LF without CR before it                     */
    SMTP_LINE_NOMEM
};

/* The limit of a line with its CRLF, asked when `start` (its first octets) passes 512. */
typedef size_t smtp_line_limit(void *ctx, struct sp_view start);

void smtp_line_init(struct smtp_line *l, const struct sp_allocator *alloc);

/* Overwrite and give back what is held. */
void smtp_line_release(struct smtp_line *l);

/*
 * Take octets up to the end of a line.
 *
 *   used_out  octets consumed
 *   line_out  borrowed from in, or held until smtp_line_release
 */
enum smtp_line_result smtp_line_take(struct smtp_line *l, struct sp_view in, smtp_line_limit *limit,
                                     void *ctx, size_t *used_out, struct sp_view *line_out);

#endif
