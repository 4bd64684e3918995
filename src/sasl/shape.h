/*
 * What a SASL response looked like, without what it said: how long it was, whether it was base64, and the
 * mistakes that its looks alone give away. The recorder of sessions writes it down, `sallyport diagnose` reads it
 * and sees the same in logs of others.
 *
 *     <response: 24 characters, base64, 17 octets, ends in a line end>
 */
#ifndef SASL_SHAPE_H
#define SASL_SHAPE_H

#include "base/buf.h"

/* FLAG, its words. The order is that of the text. */
#define SASL_SHAPE_FLAGS(X)                                                                                  \
    X(EMPTY, "empty")                                                                                        \
    X(CANCEL, "a cancellation")                                                                              \
    X(COMMAND, "a command")                                                                                  \
    X(BASE64, "base64")                                                                                      \
    X(NOT_BASE64, "not base64")                                                                              \
    X(TWICE, "base64 of base64")                                                                             \
    X(LINE_END, "ends in a line end")                                                                        \
    X(UNREADABLE, "no text")                                                                                 \
    X(BAD_PLAIN, "not NUL user NUL password")                                                                \
    X(BAD_XOAUTH2, "not user=... auth=Bearer ...")                                                           \
    X(FULL_LINE, "a full line of wrapped base64")

#define X(n, ...) SASL_SHAPE_##n##_BIT_,
enum { SASL_SHAPE_FLAGS(X) SASL_SHAPE_FLAG_N };
#undef X
#define X(n, ...) SASL_SHAPE_##n = 1 << SASL_SHAPE_##n##_BIT_,
enum sasl_shape_flag { SASL_SHAPE_FLAGS(X) };
#undef X

struct sasl_shape {
    unsigned flags;    /* enum sasl_shape_flag */
    size_t characters; /* as sent              */
    size_t octets;     /* decoded              */
};

/*
 * Look at a response as it was sent, in base64. Nothing of it is left behind.
 *   mechanism  in upper case; empty: unknown
 *   first      it is the first of its exchange: what the mechanism's grammar says is asked
 */
struct sasl_shape sasl_shape_look(struct sp_view mechanism, bool first, struct sp_view response);

void sasl_shape_write(const struct sasl_shape *shape, struct sp_buf *out);

/* false: the text is no shape. */
bool sasl_shape_read(struct sp_view text, struct sasl_shape *shape_out);

#endif
