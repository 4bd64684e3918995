#include "message/mend.h"

#include "base/time.h"
#include "base/view.h"
#include "message/author.h"

void message_mend_init(struct message_mend *m, const struct sp_allocator *alloc,
                       const struct message_mend_facts *facts)
{
    *m = (struct message_mend){.facts = *facts};
    sp_buf_init(&m->header, alloc, MESSAGE_MEND_HEADER_MAX);
}

void message_mend_fini(struct message_mend *m) { sp_buf_fini(&m->header); }

/* --- fields ------------------------------------------------------------------------------- */

/* A line with its CRLF, or what is left. */
static size_t line_len(struct sp_view text)
{
    size_t lf = sp_view_find(text, '\n', 0);
    return lf < text.len ? lf + 1 : text.len;
}

static bool is_folded(struct sp_view text) { return text.len > 0 && (text.p[0] == ' ' || text.p[0] == '\t'); }

/* The field that begins text, with the lines folded into it; 0: none begins there. */
static size_t field_len(struct sp_view text, struct sp_view *name_out)
{
    size_t colon = 0;
    while (colon < text.len && text.p[colon] > 32 && text.p[colon] < 127 && text.p[colon] != ':')
        colon++;
    size_t behind = colon;
    while (behind < text.len && (text.p[behind] == ' ' || text.p[behind] == '\t'))
        behind++; /* RFC 5322 4.5 */
    if (colon == 0 || behind == text.len || text.p[behind] != ':')
        return 0;
    *name_out = sp_view_sub(text, 0, colon);
    size_t len = line_len(text);
    while (is_folded(sp_view_from(text, len)))
        len += line_len(sp_view_from(text, len));
    return len;
}

struct seen {
    bool date, id, from, sender;
    unsigned authors;
};

static bool count_author(void *ctx, struct sp_view local, struct sp_view domain)
{
    (void)local, (void)domain;
    ++*(unsigned *)ctx;
    return true;
}

static void note_from(struct message_mend *m, struct seen *seen, struct sp_view field)
{
    struct sp_view value = sp_view_from(field, sp_view_find(field, ':', 0) + 1);
    struct sp_buf refused;
    sp_buf_init(&refused, m->header.alloc, MESSAGE_AUTHOR_ADDRESS_MAX);
    if (sp_view_ends(value, SP_LIT("\r\n")))
        value.len -= 2;
    if (message_author_read(value, count_author, &seen->authors, &refused) != MESSAGE_AUTHOR_FINE)
        seen->authors = 1; /* whatever it is, it is not ours to complete */
    sp_buf_fini(&refused);
    seen->from = true;
}

/* Bcc is for the submitter's eyes (RFC 5322 3.6.3); Return-Path is written at final delivery (RFC 5321 4.4).
 */
static bool is_removed(struct sp_view name)
{
    return sp_view_eq_nocase(name, SP_LIT("Bcc")) || sp_view_eq_nocase(name, SP_LIT("Resent-Bcc")) ||
           sp_view_eq_nocase(name, SP_LIT("Return-Path"));
}

static void note_field(struct message_mend *m, struct seen *seen, struct sp_view name, struct sp_view field)
{
    seen->date = seen->date || sp_view_eq_nocase(name, SP_LIT("Date"));
    seen->id = seen->id || sp_view_eq_nocase(name, SP_LIT("Message-ID"));
    seen->sender = seen->sender || sp_view_eq_nocase(name, SP_LIT("Sender"));
    if (sp_view_eq_nocase(name, SP_LIT("From")))
        note_from(m, seen, field);
}

static void add_missing(const struct message_mend *m, const struct seen *seen, struct sp_buf *out)
{
    const struct message_mend_facts *f = &m->facts;
    if (!seen->date) {
        sp_buf_add_str(out, "Date: ");
        sp_buf_add_rfc5322(out, f->wall_ms);
        sp_buf_add_str(out, "\r\n");
    }
    if (!seen->id) {
        sp_buf_add_str(out, "Message-ID: <");
        sp_buf_add_str(out, f->id);
        sp_buf_add_u8(out, '@');
        sp_buf_add_str(out, f->hostname);
        sp_buf_add_str(out, ">\r\n");
    }
    if (f->sender.len > 0 && (!seen->from || (seen->authors > 1 && !seen->sender))) {
        sp_buf_add_str(out, seen->from ? "Sender: <" : "From: <");
        sp_buf_add(out, f->sender);
        sp_buf_add_str(out, ">\r\n");
    }
}

/* --- the header as a whole ---------------------------------------------------------------- */

/* What is added comes first: behind it the message is as it was sent, but for what is removed. */
static void put_header(struct message_mend *m, struct sp_view text, struct sp_buf *out)
{
    struct seen seen = {0};
    struct sp_view name, rest = text;
    size_t len;
    for (; (len = field_len(rest, &name)) > 0; rest = sp_view_from(rest, len))
        note_field(m, &seen, name, sp_view_sub(rest, 0, len));
    add_missing(m, &seen, out);
    for (; (len = field_len(text, &name)) > 0; text = sp_view_from(text, len))
        if (!is_removed(name))
            sp_buf_add(out, sp_view_sub(text, 0, len));
    /* A body without the empty line before it is none of the fields that now stand there. */
    if (text.len > 0 && !sp_view_starts(text, SP_LIT("\r\n")))
        sp_buf_add_str(out, "\r\n");
    sp_buf_add(out, text);
}

static void pass(struct message_mend *m)
{
    m->passes = true;
    sp_buf_fini(&m->header);
}

/* Has the header come to its end: an empty line, or a line that is no field? */
static bool is_whole(struct message_mend *m)
{
    struct sp_view text = sp_buf_view(&m->header);
    for (;;) {
        struct sp_view rest = sp_view_from(text, m->looked), name;
        size_t len = line_len(rest);
        if (len == 0 || rest.p[len - 1] != '\n')
            return false;
        bool folded = is_folded(rest) && m->looked > 0;
        if (!folded && field_len(sp_view_sub(rest, 0, len), &name) == 0)
            return true;
        m->looked += len;
    }
}

void message_mend_feed(struct message_mend *m, struct sp_view octets, struct sp_buf *out)
{
    if (m->passes) {
        sp_buf_add(out, octets);
        return;
    }
    if (sp_buf_add(&m->header, octets) != SP_OK) {
        sp_buf_add(out, sp_buf_view(&m->header));
        sp_buf_add(out, octets);
        pass(m);
    } else if (is_whole(m)) {
        put_header(m, sp_buf_view(&m->header), out);
        pass(m);
    }
}

void message_mend_end(struct message_mend *m, struct sp_buf *out)
{
    if (!m->passes)
        put_header(m, sp_buf_view(&m->header), out);
    pass(m);
}
