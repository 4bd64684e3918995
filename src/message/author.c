/* From and Sender in a header that streams by. */
#include "message/author.h"

#include "base/view.h"

void message_author_init(struct message_author *a, const struct sp_allocator *alloc, message_author_may *may,
                         void *ctx)
{
    *a = (struct message_author){.may = may, .ctx = ctx, .in_header = true};
    sp_buf_init(&a->field, alloc, MESSAGE_AUTHOR_FIELD_MAX);
    sp_buf_init(&a->refused, alloc, (size_t)2 * MESSAGE_AUTHOR_ADDRESS_MAX + 1);
}

void message_author_fini(struct message_author *a)
{
    sp_buf_fini(&a->field);
    sp_buf_fini(&a->refused);
}

/* The length of "From" or "Sender" with its colon, blanks before it allowed; 0: another field. */
static size_t name_of(struct sp_view line)
{
    static const struct sp_view names[] = {SP_LIT_INIT("from"), SP_LIT_INIT("sender")};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t at = names[i].len;
        if (!sp_view_starts_nocase(line, names[i]))
            continue;
        while (at < line.len && (line.p[at] == ' ' || line.p[at] == '\t'))
            at++;
        if (at < line.len && line.p[at] == ':')
            return at + 1;
    }
    return 0;
}

/* Can this still become a name that is looked for? */
static bool may_become(struct sp_view line)
{
    static const char from[] = "from", sender[] = "sender";
    size_t n = line.len;
    struct sp_view f = sp_view_make(from, n < 4 ? n : 4), s = sp_view_make(sender, n < 6 ? n : 6);
    return sp_view_starts_nocase(line, f) || sp_view_starts_nocase(line, s);
}

static void end_field(struct message_author *a)
{
    struct sp_view line = sp_buf_view(&a->field);
    size_t name = a->skipping ? 0 : name_of(line);
    if (name && a->verdict == MESSAGE_AUTHOR_FINE) {
        struct sp_view value = sp_view_from(line, name);
        if (sp_view_ends(value, SP_LIT("\r\n")))
            value.len -= 2;
        a->verdict = sp_buf_status(&a->field) ? MESSAGE_AUTHOR_MALFORMED
                                              : message_author_read(value, a->may, a->ctx, &a->refused);
    }
    sp_buf_clear(&a->field);
    a->skipping = false;
}

static void take_octet(struct message_author *a, uint8_t c)
{
    bool begins = a->last == '\n';
    if (begins && c != ' ' && c != '\t')
        end_field(a);
    if (!a->skipping) {
        sp_buf_add_u8(&a->field, c); /* too much sticks: MALFORMED when it is a field that counts */
        struct sp_view line = sp_buf_view(&a->field);
        if (sp_view_eq(line, SP_LIT("\r\n")))
            a->in_header = false;
        else if (line.len <= 8 && c != '\r' && !may_become(line))
            a->skipping = true;
    }
    a->last = c;
}

/* Octets of a field that does not count, up to its line's end. */
static size_t skip_rest(struct message_author *a, struct sp_view octets, size_t at)
{
    size_t lf = sp_view_find(octets, '\n', at);
    if (lf > at)
        a->last = octets.p[lf - 1];
    return lf;
}

void message_author_feed(struct message_author *a, struct sp_view octets)
{
    for (size_t i = 0; i < octets.len && a->in_header;) {
        if (a->skipping && a->last != '\n')
            i = skip_rest(a, octets, i);
        if (i < octets.len)
            take_octet(a, octets.p[i++]);
    }
}

enum message_author_verdict message_author_end(struct message_author *a)
{
    if (a->in_header)
        end_field(a);
    a->in_header = false;
    return a->verdict;
}
