/*
 * Attachments: what was asked for, and the multipart they make (RFC 2046 5.1). Files are base64 (RFC
 * 2045 6.8), but messages, which may not be (RFC 2046 5.2.1). Names that are not ASCII are said by RFC
 * 2231 4.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "base/view.h"
#include "cli/send/send.h"
#include "message/encode.h"
#include "os/heap.h"

/* --- what was asked for ------------------------------------------------------------------------- */

/* The value of an option that stands behind the last --attach and before this one. */
static const char *value_before(const char *name, unsigned behind, unsigned before)
{
    const struct cli_option *o = cli_option(send_options, name);
    const char *found = NULL;
    for (size_t i = 0; i < o->n; i++)
        if (o->order[i] > behind && o->order[i] < before)
            found = o->values[i];
    return found;
}

static bool is_type(const char *type)
{
    const char *slash = strchr(type, '/');
    return slash && slash > type && slash[1] && !type[strcspn(type, "\r\n")];
}

static int parse_attachments(struct send_plan *p)
{
    const struct cli_option *attach = cli_option(send_options, "attach");
    unsigned last = 0;
    for (size_t i = 0; i < attach->n; i++) {
        struct send_attachment *a = &p->attachments[p->attachment_n++];
        *a = (struct send_attachment){.path = attach->values[i],
                                      .type = value_before("attach-type", last, attach->order[i]),
                                      .name = value_before("attach-name", last, attach->order[i])};
        last = attach->order[i];
        if (a->type && !is_type(a->type))
            return cli_usage_fault("send", "--attach-type is TYPE/SUBTYPE, not '%s'", a->type);
    }
    if (value_before("attach-type", last, UINT32_MAX) || value_before("attach-name", last, UINT32_MAX))
        return cli_usage_fault("send",
                               "--attach-type and --attach-name stand before the --attach they speak of");
    return EX_OK;
}

static int parse_headers(struct send_plan *p, const char *option, bool added)
{
    const struct cli_option *header = cli_option(send_options, option);
    for (size_t i = 0; i < header->n; i++) {
        const char *h = header->values[i];
        size_t name = strcspn(h, ": \t\r\n");
        if (name == 0 || h[name] != ':' || strchr(h, '\n') || strchr(h, '\r'))
            return cli_usage_fault("send", "--%s is one line 'Name: value', not '%s'", option, h);
        p->added[p->header_n] = added;
        p->headers[p->header_n++] = h;
    }
    return EX_OK;
}

int send_parse_message(struct send_plan *p, const char *file)
{
    const char *data = cli_value(send_options, "data");
    p->file = data ? data : file;
    p->as_is = data != NULL;
    p->subject = cli_value(send_options, "subject");
    p->body = cli_value(send_options, "body");
    p->body_type = cli_value(send_options, "body-type");
    p->binary = cli_option(send_options, "binary")->given;
    if ((file != NULL) + (data != NULL) + (p->body != NULL) > 1)
        return cli_usage_fault("send", "the message is one of --body, --data and FILE");
    if (p->subject && p->subject[strcspn(p->subject, "\r\n")])
        return cli_usage_fault("send", "--subject is one line");
    if (p->body_type && !is_type(p->body_type))
        return cli_usage_fault("send", "--body-type is TYPE/SUBTYPE, not '%s'", p->body_type);
    int code = parse_headers(p, "header", false);
    if (!code)
        code = parse_headers(p, "add-header", true);
    if (!code)
        code = parse_attachments(p);
    if (!code && data && (p->subject || p->body_type || p->attachment_n || p->header_n))
        code = cli_usage_fault("send", "--data is the whole message: nothing can be added to it");
    return code;
}

/* --- the multipart ------------------------------------------------------------------------------ */

static const char *type_of(const struct send_attachment *a)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".txt", "text/plain"},        {".log", "text/plain"},      {".md", "text/markdown"},
        {".html", "text/html"},        {".htm", "text/html"},       {".css", "text/css"},
        {".csv", "text/csv"},          {".ics", "text/calendar"},   {".vcf", "text/vcard"},
        {".png", "image/png"},         {".jpg", "image/jpeg"},      {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},         {".svg", "image/svg+xml"},   {".webp", "image/webp"},
        {".pdf", "application/pdf"},   {".zip", "application/zip"}, {".gz", "application/gzip"},
        {".json", "application/json"}, {".xml", "application/xml"}, {".eml", "message/rfc822"},
        {".mp3", "audio/mpeg"},        {".mp4", "video/mp4"},
    };
    if (a->type)
        return a->type;
    const char *ending = strrchr(a->path, '.');
    for (size_t i = 0; ending && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(ending, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static const char *name_of(const struct send_attachment *a)
{
    const char *slash = strrchr(a->path, '/');
    return a->name ? a->name : strcmp(a->path, "-") == 0 ? "stdin" : slash ? slash + 1 : a->path;
}

/* filename="a.txt", or filename*=utf-8''%C3%BC.txt (RFC 2231 4). */
static void add_file_name(struct sp_buf *out, const char *name)
{
    static const char digits[] = "0123456789ABCDEF";
    bool plain = true;
    for (const char *c = name; *c; c++)
        plain = plain && *c >= ' ' && *c <= '~' && *c != '"' && *c != '\\';
    sp_buf_add_str(out, plain ? "filename=\"" : "filename*=utf-8''");
    for (const char *c = name; *c; c++) {
        uint8_t u = (uint8_t)*c;
        if (plain || sp_ascii_alpha(u) || sp_ascii_digit(u) || u == '.' || u == '-' || u == '_') {
            sp_buf_add_u8(out, u);
            continue;
        }
        sp_buf_add_u8(out, '%');
        sp_buf_add_u8(out, (uint8_t)digits[u >> 4]);
        sp_buf_add_u8(out, (uint8_t)digits[u & 15]);
    }
    sp_buf_add_str(out, plain ? "\"\r\n" : "\r\n");
}

static void add_base64(struct sp_buf *out, struct sp_view content)
{
    struct message_encode e;
    message_encode_begin(&e, true);
    message_encode_octets(&e, content, out);
    message_encode_end(&e, out);
    sp_buf_add_str(out, "\r\n");
}

static void add_attachment(struct sp_buf *out, const struct send_plan *p, const struct send_attachment *a,
                           struct sp_view content)
{
    const char *type = type_of(a);
    bool message = strncasecmp(type, "message/", 8) == 0;
    sp_buf_add_str(out, "Content-Type: ");
    sp_buf_add_str(out, type);
    sp_buf_add_str(out, "\r\nContent-Disposition: attachment; ");
    add_file_name(out, name_of(a));
    if (p->binary)
        sp_buf_add_str(out, "Content-Transfer-Encoding: binary\r\n\r\n");
    else if (!message)
        sp_buf_add_str(out, "Content-Transfer-Encoding: base64\r\n\r\n");
    else
        sp_buf_add_str(out, send_has_eight_bit(content) ? "Content-Transfer-Encoding: 8bit\r\n\r\n" : "\r\n");
    if (p->binary) {
        sp_buf_add(out, content);
        sp_buf_add_str(out, "\r\n");
    } else if (message) {
        send_add_lines(out, content);
    } else {
        add_base64(out, content);
    }
}

void send_attach(const struct send_plan *p, const struct send_parts *parts, struct sp_view text_fields,
                 struct sp_buf *out)
{
    uint8_t random[16];
    char boundary[2 * sizeof random + 8] = "=_";
    struct sp_view text = sp_buf_view(&parts->text);
    bool eight_bit = send_has_eight_bit(text);
    os_random(random,
              sizeof random); /* it stands in no part, but by a chance that may be left out of account */
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(boundary + 2 + 2 * i, 3, "%02x", random[i]);
    for (size_t i = 0; i < p->attachment_n; i++)
        eight_bit = eight_bit || (strncasecmp(type_of(&p->attachments[i]), "message/", 8) == 0 &&
                                  send_has_eight_bit(sp_buf_view(&parts->attachments[i])));
    sp_buf_add_str(out, "Content-Type: multipart/mixed; boundary=\"");
    sp_buf_add_str(out, boundary);
    sp_buf_add_str(out, p->binary   ? "\"\r\nContent-Transfer-Encoding: binary\r\n\r\n--"
                        : eight_bit ? "\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--"
                                    : "\"\r\n\r\n--");
    sp_buf_add_str(out, boundary);
    sp_buf_add_str(out, "\r\n");
    sp_buf_add(out, text_fields);
    sp_buf_add_str(out, "\r\n");
    if (p->binary)
        sp_buf_add(out, text);
    else
        send_add_lines(out, text);
    if (p->binary)
        sp_buf_add_str(out, "\r\n");
    for (size_t i = 0; i < p->attachment_n; i++) {
        sp_buf_add_str(out, "--");
        sp_buf_add_str(out, boundary);
        sp_buf_add_str(out, "\r\n");
        add_attachment(out, p, &p->attachments[i], sp_buf_view(&parts->attachments[i]));
    }
    sp_buf_add_str(out, "--");
    sp_buf_add_str(out, boundary);
    sp_buf_add_str(out, "--\r\n");
}
