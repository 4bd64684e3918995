/*
 * The message on its way: dots stuffed (RFC 5321 4.5.2), line ends CRLF and nothing else (2.3.8), the
 * final dot last; in chunks no dot means anything (RFC 3030 2). A message with a bare CR or LF is not sent to
 * its end: some servers take either for a line end, and what follows could then be read as commands.
 */
#include "smtp/client_session.h"

#include "base/view.h"
#include "smtp/run.h"

static bool in_chunks(const struct sp_client *s) { return s->phase == CLIENT_BDAT; }

static struct sp_buf *target(struct sp_client *s)
{
    return in_chunks(s) ? &s->chunks.octets : &s->out.octets;
}

static int unfit(struct sp_client *s, const char *text)
{
    smtp_client_end(s, CLIENT_IN_UNFIT, "5.6.0", sp_view_of(text));
    return SP_OK;
}

static void end_line(struct sp_client *s)
{
    sp_buf_add(target(s), SP_LIT("\r\n"));
    s->line_start = true;
    s->after_cr = false;
}

/* A run without CR and LF. */
static void add_run(struct sp_client *s, struct sp_view run)
{
    if (run.len == 0)
        return;
    if (s->line_start && run.p[0] == '.' && !in_chunks(s))
        sp_buf_add_u8(&s->out.octets, '.');
    sp_buf_add(target(s), run);
    s->line_start = false;
}

/* The octet behind a CR is no LF. */
static int bare_cr(struct sp_client *s)
{
    if (!s->options->fix_line_ends)
        return unfit(s, "the message has a CR without LF");
    end_line(s);
    return SP_OK;
}

static int bare_lf(struct sp_client *s)
{
    if (!s->options->fix_line_ends)
        return unfit(s, "the message has an LF without CR");
    end_line(s);
    return SP_OK;
}

/* Take ordinary lines in one go; a CR at their end stays, for its LF decides. The next LF is at lf. Returns
 * the octets taken. */
static size_t take_plain(struct sp_client *s, struct sp_view in, size_t lf)
{
    if (s->after_cr || in.p[0] == '\r' || in.p[0] == '\n' || in.p[0] == '.')
        return 0;
    size_t n = smtp_run_plain(in, 1, lf);
    n -= in.p[n - 1] == '\r';
    if (n <= 1)
        return 0;
    sp_buf_add(target(s), sp_view_sub(in, 0, n));
    s->line_start = in.p[n - 1] == '\n';
    return n;
}

/* Take one line, whose LF is at lf, or what there is of it. Returns the octets taken. */
static size_t take_line(struct sp_client *s, struct sp_view in, size_t lf)
{
    if (s->after_cr && in.p[0] == '\n') {
        end_line(s);
        return 1;
    }
    if (s->after_cr) {
        (void)bare_cr(s); /* an ending is kept in the session */
        if (s->ending.on)
            return in.len;
    }
    struct sp_view line = sp_view_sub(in, 0, lf);
    size_t cr = sp_view_find(line, '\r', 0);
    add_run(s, sp_view_sub(line, 0, cr));
    if (cr + 1 == line.len && lf < in.len) {
        end_line(s);
        return lf + 1;
    }
    if (cr < line.len) {
        s->after_cr = true;
        return cr + 1;
    }
    if (lf == in.len)
        return lf;
    (void)bare_lf(s);
    return lf + 1;
}

static bool is_binary(const struct sp_client *s)
{
    return in_chunks(s) && s->mail.mail && s->mail.mail->parameters.body == SP_BODY_BINARYMIME;
}

static bool is_asked(const struct sp_client *s)
{
    return (smtp_client_asks(s, CLIENT_CONTENT) || smtp_client_asks(s, CLIENT_BDAT)) && !s->out.dot;
}

/* Octets that may be taken now: the output's window, or what is missing of a chunk. */
static size_t room_of(const struct sp_client *s)
{
    size_t queued = smtp_client_output_queued(s), filled = s->chunks.octets.len;
    if (queued >= CLIENT_WINDOW || smtp_client_chunks_wait(s))
        return 0;
    if (!in_chunks(s))
        return CLIENT_WINDOW - queued;
    return filled < smtp_client_chunks_size(s) ? smtp_client_chunks_size(s) - filled : 0;
}

static size_t take_some(struct sp_client *s, struct sp_view in)
{
    if (is_binary(s)) {
        sp_buf_add(&s->chunks.octets, in);
        return in.len;
    }
    struct sp_view near = sp_view_sub(in, 0, SMTP_RUN_LOOK);
    size_t lf = sp_view_find(near, '\n', 0);
    size_t plain = take_plain(s, in, lf);
    return plain > 0 ? plain : take_line(s, near, lf);
}

static void cut_full(struct sp_client *s)
{
    while (in_chunks(s) && s->chunks.octets.len >= smtp_client_chunks_size(s) && !s->ending.on &&
           !smtp_client_chunks_wait(s) && !sp_buf_status(&s->out.octets))
        smtp_client_chunks_cut(s, false);
}

int sp_client_content(struct sp_client *s, struct sp_view octets, size_t *used_out)
{
    size_t used = 0, room;
    if (!is_asked(s))
        return SP_ERR_MISUSE;
    cut_full(s); /* an octet may be left: a CR counts only with its LF */
    while (used < octets.len && !s->ending.on && (room = room_of(s)) > 0 && !sp_buf_status(target(s))) {
        used += take_some(s, sp_view_sub(octets, used, room));
        cut_full(s);
    }
    if (!in_chunks(s))
        s->out.shown = s->out.octets.len;
    *used_out = used;
    return smtp_client_check(s, sp_buf_status(target(s)));
}

int sp_client_content_end(struct sp_client *s)
{
    if (!is_asked(s) || smtp_client_chunks_wait(s))
        return SP_ERR_MISUSE;
    if (s->after_cr && bare_cr(s) == SP_OK && s->ending.on)
        return SP_OK;
    if (!s->line_start && !is_binary(s))
        end_line(s);
    if (in_chunks(s)) {
        smtp_client_chunks_cut(s, true);
    } else {
        s->out.shown = s->out.octets.len;
        smtp_client_say(s, ".", SP_LIT(""));
    }
    s->out.dot = true;
    return smtp_client_check(s, SP_OK);
}

int sp_client_content_unfit(struct sp_client *s, const char *enhanced, const char *text)
{
    if (!is_asked(s))
        return SP_ERR_MISUSE;
    smtp_client_end(s, CLIENT_IN_UNFIT, enhanced, sp_view_of(text));
    return SP_OK;
}
