#include "smtp/run.h"

#include "base/view.h"

/* The ends of lines of LONG_LINE octets and more are found faster one by one, by memchr. */
enum { BLOCK = 64, LONG_LINE = 256 };

/* Written for the compiler, which makes a few vector instructions of it: no branch, no octet depends on
 * another's result. */
static bool is_plain(const uint8_t *p)
{
    uint8_t bad = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        uint8_t before = p[i - 1], c = p[i];
        uint8_t end = (uint8_t)((c == '\n') ^ (before == '\r'));
        uint8_t dot = (uint8_t)((c == '.') & (before == '\n'));
        bad |= end | dot;
    }
    return bad == 0;
}

size_t smtp_run_plain(struct sp_view in, size_t from, size_t line_end)
{
    if (line_end - from >= LONG_LINE)
        return from;
    size_t stop = sp_view_sub(in, from, SMTP_RUN_LOOK).len + from;
    while (stop - from >= BLOCK && is_plain(in.p + from))
        from += BLOCK;
    return from;
}
