/* The report as a whole, and its part for people. */
#include "message/dsn_own.h"

#include "base/time.h"
#include "base/utf8.h"
#include "base/view.h"

/* --- text of strangers --------------------------------------------------------------------- */

void dsn_add_text(const struct dsn_writing *w, struct sp_view text)
{
    size_t done = 0;
    while (done < text.len && done < DSN_LINE_MAX / 2) {
        size_t n = sp_utf8_len(sp_view_from(text, done));
        struct sp_view one = sp_view_sub(text, done, n > 0 ? n : 1);
        bool allowed = n == 1 || (n > 1 && w->utf8);
        if (allowed && sp_utf8_is_text(one))
            sp_buf_add(w->out, one);
        else
            for (size_t i = 0; i < one.len; i++)
                sp_buf_add_u8(w->out, '?');
        done += one.len;
    }
}

void dsn_add_folded(const struct dsn_writing *w, size_t column, const char *indent, struct sp_view text)
{
    struct sp_view word;
    for (bool first = true; sp_view_word(&text, ' ', &word); first = false) {
        if (!first && column + 1 + word.len > DSN_FOLD_AT) {
            sp_buf_add_str(w->out, "\r\n");
            sp_buf_add_str(w->out, indent);
            column = sp_view_of(indent).len;
        } else if (!first) {
            sp_buf_add_u8(w->out, ' ');
            column++;
        }
        dsn_add_text(w, word);
        column += word.len < DSN_LINE_MAX / 2 ? word.len : DSN_LINE_MAX / 2;
    }
    sp_buf_add_str(w->out, "\r\n");
}

void dsn_add_field(const struct dsn_writing *w, const char *name, const char *type, struct sp_view text)
{
    size_t start = w->out->len;
    sp_buf_add_str(w->out, name);
    sp_buf_add_str(w->out, ": ");
    sp_buf_add_str(w->out, type);
    dsn_add_folded(w, w->out->len - start, "    ", text);
}

void dsn_add_date(const struct dsn_writing *w, const char *name, int64_t ms)
{
    sp_buf_add_str(w->out, name);
    sp_buf_add_str(w->out, ": ");
    sp_buf_add_rfc5322(w->out, ms);
    sp_buf_add_str(w->out, "\r\n");
}

void dsn_add_boundary(const struct dsn_writing *w, const char *end)
{
    sp_buf_add_str(w->out, "=_sallyport_");
    sp_buf_add_str(w->out, w->d->id);
    sp_buf_add_str(w->out, end);
}

void dsn_add_part(const struct dsn_writing *w, const char *header)
{
    sp_buf_add_str(w->out, "\r\n--");
    dsn_add_boundary(w, "\r\n");
    sp_buf_add_str(w->out, header);
    sp_buf_add_str(w->out, "\r\n");
}

/* --- header and text for people ------------------------------------------------------------ */

static const struct {
    const char *subject;
    const char *one, *many; /* after "Your message of ... (queue id ...)" */
    const char *end;
} words[MESSAGE_DSN_ACTION_N] = {
    [MESSAGE_DSN_FAILED] = {"Undelivered mail returned to sender",
                            " could not be delivered to this recipient:\r\n",
                            " could not be delivered to these recipients:\r\n",
                            "It will not be tried again."},
    [MESSAGE_DSN_DELAYED] = {"Delayed mail: no action is needed",
                             " could not be delivered to this recipient yet:\r\n",
                             " could not be delivered to these recipients yet:\r\n",
                             "You need not send it again: it is still being tried."},
    [MESSAGE_DSN_DELIVERED] = {"Mail was delivered", " was delivered to this recipient's mailbox:\r\n",
                               " was delivered to these recipients' mailboxes:\r\n",
                               "You asked to be told of this."},
    [MESSAGE_DSN_RELAYED] = {"Mail was handed on",
                             " was handed on to the next server for this recipient:\r\n",
                             " was handed on to the next servers for these recipients:\r\n",
                             "You asked to be told of delivery; that server sends no such reports."},
};

static void add_header(const struct dsn_writing *w)
{
    struct sp_buf *out = w->out;
    sp_buf_add_str(out, "From: Mail Delivery System <MAILER-DAEMON@");
    sp_buf_add_str(out, w->d->hostname);
    sp_buf_add_str(out, ">\r\nTo: <");
    dsn_add_text(w, w->d->sender);
    sp_buf_add_str(out, ">\r\nSubject: ");
    sp_buf_add_str(out, words[w->action].subject);
    sp_buf_add_str(out, "\r\n");
    dsn_add_date(w, "Date", w->d->now_ms);
    sp_buf_add_str(out, "Message-ID: <");
    sp_buf_add_str(out, w->d->id);
    sp_buf_add_u8(out, '@');
    sp_buf_add_str(out, w->d->hostname);
    sp_buf_add_str(out, ">\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
                        "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"");
    dsn_add_boundary(w, "\"\r\n\r\nThis is a report about a message, in MIME format.\r\n");
}

static void add_sentence(const struct dsn_writing *w, const char *sentence)
{
    sp_buf_add_str(w->out, "    ");
    dsn_add_folded(w, 4, "    ", sp_view_of(sentence));
}

static void add_explanation(const struct dsn_writing *w, const struct message_dsn_recipient *r)
{
    struct sp_buf *out = w->out;
    sp_buf_add_str(out, "\r\n<");
    dsn_add_text(w, r->address);
    sp_buf_add_str(out, ">\r\n");
    if (r->by_expired)
        add_sentence(w, "The time that the message was given for its delivery is over. The last answer:");
    else if (r->expired)
        add_sentence(w, "It was tried again and again, and the time for that is over. The last answer:");
    sp_buf_add_str(out, "    ");
    if (r->code && r->remote.len) {
        dsn_add_text(w, r->remote);
        sp_buf_add_str(out, " said:\r\n    ");
    }
    dsn_add_folded(w, 4, "    ", r->reply.len ? r->reply : SP_LIT("no reason was given"));
    if (r->meaning.len) {
        sp_buf_add_str(out, "    What this means: ");
        dsn_add_folded(w, 21, "    ", r->meaning);
    }
    if (r->until_ms) {
        sp_buf_add_str(out, "    It is tried until ");
        sp_buf_add_rfc5322(out, r->until_ms);
        sp_buf_add_str(out, ".\r\n");
    }
}

static void add_text(const struct dsn_writing *w)
{
    struct sp_buf *out = w->out;
    const struct message_dsn *d = w->d;
    dsn_add_part(w, w->utf8 ? "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
                            : "Content-Type: text/plain; charset=us-ascii\r\n");
    sp_buf_add_str(out, "This is the mail server ");
    sp_buf_add_str(out, d->hostname);
    sp_buf_add_str(out, ".\r\n\r\nYour message of ");
    sp_buf_add_rfc5322(out, d->received_ms);
    sp_buf_add_str(out, "\r\n(queue id ");
    sp_buf_add_str(out, d->failed_id);
    sp_buf_add_u8(out, ')');
    sp_buf_add_str(out, d->recipient_n == 1 ? words[w->action].one : words[w->action].many);
    for (size_t i = 0; i < d->recipient_n; i++)
        add_explanation(w, &d->recipients[i]);
    sp_buf_add_str(out, "\r\n");
    sp_buf_add_str(out, words[w->action].end);
    sp_buf_add_str(out, d->whole ? " The message is attached.\r\n"
                                 : " The header of the message is attached.\r\n");
}

/* --- the report ---------------------------------------------------------------------------- */

static bool has_utf8(const struct message_dsn *d)
{
    if (!sp_view_is_ascii(d->sender))
        return true;
    for (size_t i = 0; i < d->recipient_n; i++)
        if (!sp_view_is_ascii(d->recipients[i].address) || !sp_view_is_ascii(d->recipients[i].orcpt))
            return true;
    return false;
}

int message_add_dsn(struct sp_buf *out, const struct message_dsn *d, struct message_dsn_form *form_out)
{
    struct dsn_writing w = {
        .out = out, .d = d, .utf8 = has_utf8(d), .action = d->recipient_n ? d->recipients[0].action : 0};
    add_header(&w);
    add_text(&w);
    dsn_add_status(&w);
    bool eight_bit = dsn_add_returned(&w);
    sp_buf_add_str(out, "\r\n--");
    dsn_add_boundary(&w, "--\r\n");
    if (form_out)
        *form_out = (struct message_dsn_form){.eight_bit = eight_bit || w.utf8, .utf8 = w.utf8};
    return sp_buf_status(out);
}
