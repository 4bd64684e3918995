/* The message: read, given a header when it has none, its line ends made CRLF. */
#include "cli/send.h"

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

static bool has_eight_bit(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] & 0x80)
            return true;
    return false;
}

/* CRLF, bare LF and bare CR all become CRLF, as a file of this machine is text. */
static void add_lines(struct sp_buf *out, struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] == '\r' && i + 1 < v.len && v.p[i + 1] == '\n')
            continue;
        if (v.p[i] == '\n' || v.p[i] == '\r')
            sp_buf_add(out, SP_LIT("\r\n"));
        else
            sp_buf_add_u8(out, v.p[i]);
    }
    if (out->len >= 2 && out->p[out->len - 1] != '\n')
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
        if (strncasecmp(p->headers[i], name, n) == 0 && p->headers[i][n] == ':')
            return true;
    return false;
}

static void add_recipients(struct sp_buf *out, const struct send_plan *p)
{
    for (size_t i = 0; i < p->recipient_n; i++) {
        sp_buf_add_str(out, i ? ",\r\n " : "");
        sp_buf_add(out, p->recipients[i]);
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
static void add_header(struct sp_buf *out, const struct send_plan *p, bool eight_bit)
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
    if (!was_given(p, "To")) {
        sp_buf_add_str(out, "To: ");
        add_recipients(out, p);
    }
    if (!was_given(p, "Subject") && has_eight_bit(sp_view_of(subject)))
        add_encoded_field(out, "Subject", sp_view_of(subject));
    else if (!was_given(p, "Subject"))
        add_field(out, "Subject", sp_view_of(subject));
    if (!was_given(p, "Message-ID"))
        add_message_id(out, p);
    if (eight_bit && !was_given(p, "MIME-Version"))
        sp_buf_add_str(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                            "Content-Transfer-Encoding: 8bit\r\n");
}

static int add_body(struct sp_buf *body, const struct send_plan *p)
{
    if (p->file)
        return read_file(p->file, body);
    if (p->body) {
        sp_buf_add_str(body, p->body);
        return EX_OK;
    }
    sp_buf_add_str(body, "This is a test message, sent by sallyport send on ");
    sp_buf_add_rfc5322(body, os_wall_ms());
    sp_buf_add_str(body, ".\n");
    return EX_OK;
}

int send_message_make(const struct send_plan *p, struct sp_buf *out)
{
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, SIZE_MAX / 4);
    int code = add_body(&text, p);
    struct sp_view v = sp_buf_view(&text);
    bool own = p->file && has_header(v);
    bool subject_is_text = !p->subject || !p->subject[strcspn(p->subject, "\r\n")];
    if (!code && own && p->subject)
        code = cli_usage_fault("send", "--subject is for a message without a header; %s has one", p->file);
    if (!code && !subject_is_text)
        code = cli_usage_fault("send", "--subject is one line");
    for (size_t i = 0; !code && i < p->header_n; i++)
        add_lines(out, sp_view_of(p->headers[i]));
    if (!code && !own) {
        add_header(out, p, has_eight_bit(v));
        sp_buf_add(out, SP_LIT("\r\n"));
    }
    if (!code)
        add_lines(out, v);
    if (!code && sp_buf_status(out))
        code = cli_fault("send", EX_DATAERR, "the message is too large");
    sp_buf_fini(&text);
    return code;
}
