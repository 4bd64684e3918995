/* The message: read, given a header when it has none, its line ends made CRLF. */
#include "cli/send/send.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/time.h"
#include "base/view.h"
#include "cli/options.h"
#include "os/clock.h"
#include "os/heap.h"

enum { READ_BLOCK = 1 << 16 };

static int read_fd(int fd, const char *name, struct sp_buf *out)
{
    for (;;) {
        if (sp_buf_reserve(out, READ_BLOCK))
            return cli_fault("send", EX_DATAERR, "%s is too large", name);
        ssize_t n = read(fd, out->p + out->len, READ_BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cli_fault("send", EX_NOINPUT, "cannot read %s: %s", name, strerror(errno));
        if (n == 0)
            return EX_OK;
        out->len += (size_t)n;
    }
}

static int read_file(const char *path, struct sp_buf *out)
{
    if (strcmp(path, "-") == 0)
        return read_fd(STDIN_FILENO, "standard input", out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_fault("send", EX_NOINPUT, "cannot read %s: %s", path, strerror(errno));
    int code = read_fd(fd, path, out);
    close(fd);
    return code;
}

/* Does it begin with a header field: a name of printable octets and a colon (RFC 5322 2.2)? */
static bool has_header(struct sp_view v)
{
    size_t i = 0;
    while (i < v.len && v.p[i] > ' ' && v.p[i] <= '~' && v.p[i] != ':')
        i++;
    return i > 0 && i < v.len && v.p[i] == ':';
}

bool send_has_eight_bit(struct sp_view v)
{
    uint8_t any = 0;
    for (size_t i = 0; i < v.len; i++)
        any |= v.p[i];
    return any & 0x80;
}

/* CRLF, bare LF and bare CR all become CRLF, as a file of this machine is text. */
void send_add_lines(struct sp_buf *out, struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] == '\r' && i + 1 < v.len && v.p[i + 1] == '\n')
            continue;
        if (v.p[i] == '\n' || v.p[i] == '\r')
            sp_buf_add(out, SP_LIT("\r\n"));
        else
            sp_buf_add_u8(out, v.p[i]);
    }
    if (v.len > 0 && out->len >= 2 && out->p[out->len - 1] != '\n')
        sp_buf_add(out, SP_LIT("\r\n"));
}

static void add_field(struct sp_buf *out, const char *name, struct sp_view value)
{
    sp_buf_add_str(out, name);
    sp_buf_add(out, SP_LIT(": "));
    sp_buf_add(out, value);
    sp_buf_add(out, SP_LIT("\r\n"));
}

static bool was_given(const struct send_plan *p, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < p->header_n; i++)
        if (!p->added[i] && strncasecmp(p->headers[i], name, n) == 0 && p->headers[i][n] == ':')
            return true;
    return false;
}

static void add_recipients(struct sp_buf *out, const char *name, const struct sp_view *recipients, size_t n)
{
    sp_buf_add_str(out, name);
    sp_buf_add_str(out, n ? ": " : ": undisclosed-recipients:;");
    for (size_t i = 0; i < n; i++) {
        sp_buf_add_str(out, i ? ",\r\n " : "");
        sp_buf_add(out, recipients[i]);
    }
    sp_buf_add(out, SP_LIT("\r\n"));
}

static void add_message_id(struct sp_buf *out, const struct send_plan *p)
{
    uint8_t random[12];
    os_random(random, sizeof random);
    sp_buf_add_str(out, "Message-ID: <");
    sp_buf_add_hex(out, sp_view_make(random, sizeof random));
    sp_buf_add_u8(out, '@');
    sp_buf_add_str(out, p->hello);
    sp_buf_add_str(out, ">\r\n");
}

/* Not ASCII: as encoded words of UTF-8 (RFC 2047 2), each within 75 characters and whole in itself. */
static void add_encoded_field(struct sp_buf *out, const char *name, struct sp_view value)
{
    enum { WORD_OCTETS = 42 };
    sp_buf_add_str(out, name);
    sp_buf_add(out, SP_LIT(":"));
    while (value.len > 0) {
        size_t n = value.len < WORD_OCTETS ? value.len : WORD_OCTETS;
        while (n < value.len && n > 1 && (value.p[n] & 0xc0) == 0x80)
            n--;
        sp_buf_add_str(out, out->p[out->len - 1] == ':' ? " =?utf-8?B?" : "\r\n =?utf-8?B?");
        sp_buf_add_base64(out, sp_view_sub(value, 0, n));
        sp_buf_add_str(out, "?=");
        value = sp_view_from(value, n);
    }
    sp_buf_add_str(out, "\r\n");
}

/* RFC 5322 3.6: Date and From are needed, the others expected. */
static void add_header(struct sp_buf *out, const struct send_plan *p)
{
    const char *subject = p->subject ? p->subject : "test message";
    struct sp_view from = p->sender.len ? p->sender : sp_view_of("postmaster@localhost");
    if (!was_given(p, "Date")) {
        sp_buf_add_str(out, "Date: ");
        sp_buf_add_rfc5322(out, os_wall_ms());
        sp_buf_add_str(out, "\r\n");
    }
    if (!was_given(p, "From"))
        add_field(out, "From", from);
    if (!was_given(p, "To"))
        add_recipients(out, "To", p->recipients, p->shown_n);
    if (p->copied_n > 0 && !was_given(p, "Cc"))
        add_recipients(out, "Cc", p->recipients + p->shown_n, p->copied_n);
    if (!was_given(p, "Subject") && send_has_eight_bit(sp_view_of(subject)))
        add_encoded_field(out, "Subject", sp_view_of(subject));
    else if (!was_given(p, "Subject"))
        add_field(out, "Subject", sp_view_of(subject));
    if (!was_given(p, "Message-ID"))
        add_message_id(out, p);
    if (!was_given(p, "MIME-Version"))
        sp_buf_add_str(out, "MIME-Version: 1.0\r\n");
}

/* What the text is: of the message when there is nothing else, else of its first part. */
static void add_text_fields(struct sp_buf *out, const struct send_plan *p, struct sp_view text)
{
    const char *type = p->body_type ? p->body_type : "text/plain";
    bool is_text = strncasecmp(type, "text/", 5) == 0 && !strchr(type, ';');
    sp_buf_add_str(out, "Content-Type: ");
    sp_buf_add_str(out, type);
    sp_buf_add_str(out, is_text ? "; charset=utf-8\r\n" : "\r\n");
    if (p->binary)
        sp_buf_add_str(out, "Content-Transfer-Encoding: binary\r\n");
    else if (send_has_eight_bit(text))
        sp_buf_add_str(out, "Content-Transfer-Encoding: 8bit\r\n");
}

/* --body: \n is a line end, \\ a backslash. */
static void add_unescaped(struct sp_buf *out, const char *text)
{
    for (; *text; text++) {
        bool escape = text[0] == '\\' && (text[1] == 'n' || text[1] == '\\');
        sp_buf_add_u8(out, (uint8_t)(escape && text[1] == 'n' ? '\n' : *text));
        text += escape;
    }
}

static int read_text(const struct send_plan *p, struct sp_buf *text)
{
    if (p->file)
        return read_file(p->file, text);
    if (p->body) {
        add_unescaped(text, p->body);
        return EX_OK;
    }
    sp_buf_add_str(text, "This is a test message, sent by sallyport send on ");
    sp_buf_add_rfc5322(text, os_wall_ms());
    sp_buf_add_str(text, ".\n");
    return EX_OK;
}

void send_parts_init(struct send_parts *parts)
{
    sp_buf_init(&parts->text, &os_heap, SIZE_MAX / 4);
    for (size_t i = 0; i < SEND_ATTACHMENTS_MAX; i++)
        sp_buf_init(&parts->attachments[i], &os_heap, SIZE_MAX / 4);
}

void send_parts_fini(struct send_parts *parts)
{
    sp_buf_fini(&parts->text);
    for (size_t i = 0; i < SEND_ATTACHMENTS_MAX; i++)
        sp_buf_fini(&parts->attachments[i]);
}

int send_parts_read(const struct send_plan *p, struct send_parts *parts)
{
    int code = read_text(p, &parts->text);
    for (size_t i = 0; !code && i < p->attachment_n; i++)
        code = read_file(p->attachments[i].path, &parts->attachments[i]);
    bool own = p->file && !p->as_is && has_header(sp_buf_view(&parts->text));
    if (!code && own && p->subject)
        code = cli_usage_fault("send", "--subject is for a message without a header; %s has one", p->file);
    if (!code && own && p->attachment_n > 0)
        code = cli_usage_fault("send", "--attach is for a message without a header; %s has one", p->file);
    return code;
}

static void add_made(struct sp_buf *out, const struct send_plan *p, const struct send_parts *parts)
{
    struct sp_buf fields;
    struct sp_view text = sp_buf_view(&parts->text);
    sp_buf_init(&fields, &os_heap, 1 << 16);
    add_text_fields(&fields, p, text);
    add_header(out, p);
    if (p->attachment_n > 0) {
        send_attach(p, parts, sp_buf_view(&fields), out);
    } else {
        if (!was_given(p, "Content-Type"))
            sp_buf_add(out, sp_buf_view(&fields));
        sp_buf_add(out, SP_LIT("\r\n"));
        if (p->binary)
            sp_buf_add(out, text);
        else
            send_add_lines(out, text);
    }
    sp_buf_fini(&fields);
}

int send_message_make(const struct send_plan *p, const struct send_parts *parts, struct sp_buf *out)
{
    struct sp_view text = sp_buf_view(&parts->text);
    sp_buf_clear(out);
    for (size_t i = 0; i < p->header_n; i++)
        send_add_lines(out, sp_view_of(p->headers[i]));
    if (!p->as_is && !(p->file && has_header(text)))
        add_made(out, p, parts);
    else if (p->binary)
        sp_buf_add(out, text);
    else
        send_add_lines(out, text);
    return sp_buf_status(out) ? cli_fault("send", EX_DATAERR, "the message is too large") : EX_OK;
}
