#include "base/view.h"
#include "cli/options.h"
#include "cli/sendmail/sendmail.h"
#include "os/heap.h"
#include "smtp/grammar.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { BLOCK = 65536, ADDRESS_MAX = 1024 };

struct reading {
    const struct sendmail *o;
    const struct sendmail_place *place;
    struct sendmail_mail *m;
    bool resent, from,
        listed; /* Resent- fields are there; so is From; the field's addresses are recipients */
    int code;
};

void sendmail_mail_init(struct sendmail_mail *m)
{
    *m = (struct sendmail_mail){.eight_bit = false};
    struct sp_buf *const all[] = {&m->sender, &m->recipients, &m->header, &m->body};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sp_buf_init(all[i], &os_heap, SIZE_MAX / 2);
}

void sendmail_mail_fini(struct sendmail_mail *m)
{
    struct sp_buf *const all[] = {&m->sender, &m->recipients, &m->header, &m->body};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sp_buf_fini(all[i]);
}

/* --- standard input, in lines that end in CRLF ----------------------------------------------- */

static bool has_eight_bit(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] > 127)
            return true;
    return false;
}

/* LF, CRLF and CR end a line. The text ends with a line end, whatever the last line had. */
static void add_lines(struct sp_view in, bool dots, struct sp_buf *out)
{
    while (in.len > 0) {
        size_t end = 0;
        while (end < in.len && in.p[end] != '\n' && in.p[end] != '\r')
            end++;
        struct sp_view line = sp_view_sub(in, 0, end);
        if (!dots && sp_view_eq(line, SP_LIT(".")))
            return;
        sp_buf_add(out, line);
        sp_buf_add_str(out, "\r\n");
        bool pair = end + 1 < in.len && in.p[end] == '\r' && in.p[end + 1] == '\n';
        in = sp_view_from(in, end + (pair ? 2 : 1));
    }
}

static int read_input(const struct sendmail *o, const struct sendmail_place *place, struct sp_buf *out)
{
    static uint8_t block[BLOCK];
    ssize_t n;
    while ((n = read(STDIN_FILENO, block, sizeof block)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cli_fault(o->command, EX_IOERR, "standard input: %s", strerror(errno));
        sp_buf_add(out, sp_view_make(block, (size_t)n));
        if (out->len > place->message_octets)
            return cli_fault(o->command, EX_DATAERR,
                             "the message is larger than the %llu octets that the server takes",
                             (unsigned long long)place->message_octets);
    }
    return EX_OK;
}

/* --- the envelope ----------------------------------------------------------------------------- */

static bool is_listed(const struct sp_buf *list, struct sp_view address)
{
    struct sp_view rest = sp_buf_view(list), line;
    while (sp_view_word(&rest, '\n', &line))
        if (sp_view_eq(line, address))
            return true;
    return false;
}

static int check_mailbox(const struct sendmail *o, const char *what, struct sp_view address)
{
    struct sp_path path;
    struct smtp_fault fault = {0};
    if (smtp_mailbox_parse(address, true, &path, &fault) == SP_OK)
        return EX_OK;
    return cli_fault(o->command, EX_DATAERR, "%s <%.*s> is no address: %.*s", what, (int)address.len,
                     (const char *)address.p, (int)fault.what.len, (const char *)fault.what.p);
}

static bool take_recipient(void *ctx, struct sp_view address)
{
    struct reading *r = ctx;
    if (!r->listed || r->code != EX_OK || is_listed(&r->m->recipients, address))
        return true;
    r->code = check_mailbox(r->o, "the recipient", address);
    sp_buf_add(&r->m->recipients, address);
    sp_buf_add_u8(&r->m->recipients, '\n');
    r->m->utf8 = r->m->utf8 || has_eight_bit(address);
    return true;
}

static bool take_sender(void *ctx, struct sp_view address)
{
    struct reading *r = ctx;
    if (r->m->sender.len > 0)
        return false;
    sp_buf_add(&r->m->sender, address);
    r->m->utf8 = r->m->utf8 || has_eight_bit(address);
    return true;
}

static int find_sender(struct reading *r)
{
    const struct sendmail *o = r->o;
    struct sp_buf unused;
    const struct passwd *pw = o->sender ? NULL : getpwuid(getuid());
    if (!o->sender && !pw)
        return cli_fault(o->command, EX_NOUSER,
                         "the user %u has no name on this machine; -f ADDRESS names the sender",
                         (unsigned)getuid());
    struct sp_view said = sp_view_of(o->sender ? o->sender : pw->pw_name);
    if (said.len == 0 || sp_view_eq(said, SP_LIT("<>")))
        return EX_OK;
    sp_buf_init(&unused, &os_heap, ADDRESS_MAX);
    bool read = sendmail_addresses(said, r->place->hostname, &unused, take_sender, r);
    sp_buf_fini(&unused);
    if (!read || r->m->sender.len == 0)
        return cli_fault(o->command, EX_DATAERR, "the sender '%s' is no address",
                         o->sender ? o->sender : pw->pw_name);
    return check_mailbox(o, "the sender", sp_buf_view(&r->m->sender));
}

static int take_operands(struct reading *r)
{
    r->listed = true;
    for (size_t i = 0; i < r->o->recipient_n && r->code == EX_OK; i++) {
        struct sp_buf unused;
        sp_buf_init(&unused, &os_heap, SIZE_MAX / 2);
        if (!sendmail_addresses(sp_view_of(r->o->recipients[i]), r->place->hostname, &unused, take_recipient,
                                r))
            r->code =
                cli_fault(r->o->command, EX_DATAERR, "the recipient '%s' is no address", r->o->recipients[i]);
        sp_buf_fini(&unused);
    }
    return r->code;
}

/* --- the header ------------------------------------------------------------------------------- */

static size_t line_len(struct sp_view text)
{
    return sp_view_sub(text, 0, sp_view_find(text, '\n', 0) + 1).len;
}

/* The field that begins the text, with the lines folded into it; 0: none does. */
static size_t field_len(struct sp_view text, size_t *colon_out)
{
    size_t colon = 0;
    while (colon < text.len && text.p[colon] > 32 && text.p[colon] < 127 && text.p[colon] != ':')
        colon++;
    size_t name = colon;
    while (colon < text.len && (text.p[colon] == ' ' || text.p[colon] == '\t'))
        colon++; /* RFC 5322 4.5 */
    if (name == 0 || colon == text.len || text.p[colon] != ':')
        return 0;
    *colon_out = colon;
    size_t len = line_len(text);
    while (len < text.len && (text.p[len] == ' ' || text.p[len] == '\t'))
        len += line_len(sp_view_from(text, len));
    return len;
}

static bool is_one_of(struct sp_view name, const char *const *names)
{
    while (*names && !sp_view_eq_nocase(name, sp_view_of(*names)))
        names++;
    return *names != NULL;
}

static const char *const recipients[] = {"To", "Cc", "Bcc", NULL};
static const char *const resent_recipients[] = {"Resent-To", "Resent-Cc", "Resent-Bcc", NULL};
static const char *const others[] = {"From",       "Sender",      "Reply-To",      "To",
                                     "Cc",         "Bcc",         "Resent-To",     "Resent-Cc",
                                     "Resent-Bcc", "Resent-From", "Resent-Sender", NULL};

static void take_field(struct reading *r, struct sp_view field, size_t colon)
{
    struct sp_view name = sp_view_trim(sp_view_sub(field, 0, colon));
    struct sp_buf *out = &r->m->header;
    r->from = r->from || sp_view_eq_nocase(name, SP_LIT("From"));
    if (!is_one_of(name, others)) {
        sp_buf_add(out, field);
        return;
    }
    r->listed = r->o->from_header && is_one_of(name, r->resent ? resent_recipients : recipients);
    sp_buf_add(out, sp_view_sub(field, 0, colon + 1));
    bool read =
        sendmail_addresses(sp_view_from(field, colon + 1), r->place->hostname, out, take_recipient, r);
    if (!read && r->listed && r->code == EX_OK)
        r->code = cli_fault(r->o->command, EX_DATAERR, "the addresses in the field %.*s cannot be read",
                            (int)name.len, (const char *)name.p);
}

/* A name that is plain text in ASCII, as a quoted string; any other is left out. */
static void add_from(struct reading *r)
{
    const struct passwd *pw = getpwuid(getuid());
    const char *gecos = pw && pw->pw_gecos ? pw->pw_gecos : "";
    struct sp_view name = r->o->full_name ? sp_view_of(r->o->full_name) : sp_view_of(gecos);
    if (!r->o->full_name)
        name = sp_view_sub(name, 0, sp_view_find(name, ',', 0));
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] < 32 || name.p[i] > 126 || name.p[i] == '"' || name.p[i] == '\\' || name.p[i] == '&')
            name.len = 0;
    if (r->m->sender.len == 0)
        return;
    sp_buf_add_str(&r->m->header, "From: ");
    if (name.len > 0) {
        sp_buf_add_u8(&r->m->header, '"');
        sp_buf_add(&r->m->header, name);
        sp_buf_add_str(&r->m->header, "\" ");
    }
    sp_buf_add_u8(&r->m->header, '<');
    sp_buf_add(&r->m->header, sp_buf_view(&r->m->sender));
    sp_buf_add_str(&r->m->header, ">\r\n");
}

static bool find_resent(struct sp_view text)
{
    size_t len, colon;
    for (; (len = field_len(text, &colon)) > 0; text = sp_view_from(text, len))
        if (is_one_of(sp_view_trim(sp_view_sub(text, 0, colon)), resent_recipients))
            return true;
    return false;
}

/* What a mailbox file has in front of a message is no field. */
static struct sp_view skip_envelope_line(struct sp_view text)
{
    bool is = sp_view_starts(text, SP_LIT("From ")) || sp_view_starts(text, SP_LIT(">From "));
    return is ? sp_view_from(text, line_len(text)) : text;
}

static void take_message(struct reading *r, struct sp_view text)
{
    size_t len, colon;
    text = skip_envelope_line(text);
    r->resent = find_resent(text);
    for (; (len = field_len(text, &colon)) > 0; text = sp_view_from(text, len))
        take_field(r, sp_view_sub(text, 0, len), colon);
    if (!r->from)
        add_from(r);
    if (!sp_view_starts(text, SP_LIT("\r\n"))) /* the body begins at the first line that is no field */
        sp_buf_add_str(&r->m->body, "\r\n");
    sp_buf_add(&r->m->body, text);
    r->m->eight_bit = has_eight_bit(sp_buf_view(&r->m->header)) || has_eight_bit(text);
}

int sendmail_read(const struct sendmail *o, const struct sendmail_place *place, struct sendmail_mail *m)
{
    struct reading r = {.o = o, .place = place, .m = m};
    struct sp_buf input, text;
    sp_buf_init(&input, &os_heap, SIZE_MAX / 2);
    sp_buf_init(&text, &os_heap, SIZE_MAX / 2);
    int code = find_sender(&r);
    if (code == EX_OK)
        code = take_operands(&r);
    if (code == EX_OK)
        code = read_input(o, place, &input);
    if (code == EX_OK) {
        add_lines(sp_buf_view(&input), o->dots, &text);
        take_message(&r, sp_buf_view(&text));
        code = r.code;
    }
    if (code == EX_OK && m->recipients.len == 0)
        code = cli_fault(o->command, EX_USAGE, "the message has no recipient: To, Cc and Bcc name none");
    sp_buf_fini(&input);
    sp_buf_fini(&text);
    return code;
}
