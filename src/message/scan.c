#include "message/scan.h"

#include "base/view.h"

static const char name[] = "received";
enum { NAME_LEN = sizeof name - 1, CAP = NAME_LEN + 1 };

void message_scan_init(struct message_scan *s)
{
    *s = (struct message_scan){.in_header = true, .match = true};
}

static void take_octet(struct message_scan *s, uint8_t c)
{
    if (c == '\n' && s->last == '\r') {
        if (s->line_at == 1) /* nothing but the CR: the header has ended */
            s->in_header = false;
        s->line_at = 0;
        s->match = true;
    } else {
        if (s->match && s->line_at < NAME_LEN) {
            s->match = sp_ascii_lower(c) == (uint8_t)name[s->line_at];
        } else if (s->match && c == ':') {
            s->received_n++;
            s->match = false;
        } else {
            s->match = s->match && (c == ' ' || c == '\t'); /* RFC 5322 4.5.8 allows space before the colon */
        }
        if (s->line_at < CAP)
            s->line_at++;
    }
    s->last = c;
}

/* Octets before the next LF that say nothing, in a line known not to be ours. */
static size_t skip_rest_of_line(struct message_scan *s, struct sp_view octets, size_t at)
{
    size_t lf = sp_view_find(octets, '\n', at);
    if (lf > at) {
        s->last = octets.p[lf - 1];
        s->line_at = CAP;
    }
    return lf;
}

void message_scan_feed(struct message_scan *s, struct sp_view octets)
{
    for (size_t i = 0; i < octets.len && s->in_header;) {
        if (!s->match && s->line_at > 1)
            i = skip_rest_of_line(s, octets, i);
        if (i < octets.len)
            take_octet(s, octets.p[i++]);
    }
}
