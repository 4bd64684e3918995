/* -bs: the server engine on standard input and output. */
#include "base/view.h"
#include "cli/options.h"
#include "cli/sendmail/sendmail.h"
#include "os/clock.h"
#include "os/heap.h"
#include "sallyport/smtp_server.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { BLOCK = 65536 };

struct talk {
    const struct sendmail *o;
    const struct sendmail_place *place;
    struct sp_server *engine;
    struct sp_buf input;    /* not used yet */
    struct sp_buf envelope; /* the lines of MAIL and RCPT, as they came */
    struct sp_buf content;
    struct sp_view line; /* that is being fed */
    bool closed;
};

static const struct sp_refusal full = {
    .code = 452,
    .enhanced = "4.3.1",
    .reason = "disk-full",
    .text = SP_LIT_INIT("Too little room is left to store mail, the message was not taken; try again later")};

static void note_line(struct talk *t, bool first)
{
    if (first)
        sp_buf_clear(&t->envelope);
    sp_buf_add(&t->envelope, t->line);
}

static int store(struct talk *t)
{
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, SIZE_MAX / 2);
    sp_buf_add_str(&text, "EHLO localhost\r\n");
    sp_buf_add(&text, sp_buf_view(&t->envelope));
    sp_buf_add_str(&text, "DATA\r\n");
    sendmail_add_message(&text, (struct sp_view){0}, sp_buf_view(&t->content));
    int code = sendmail_put(t->o, t->place, sp_buf_view(&text));
    sp_buf_fini(&text);
    sp_buf_clear(&t->content);
    return code == EX_OK ? sp_server_yes(t->engine, SP_LIT("Put into the maildrop"))
                         : sp_server_no(t->engine, &full);
}

static int answer(struct talk *t)
{
    struct sp_server_event ev;
    int status = SP_OK;
    while (status == SP_OK && sp_server_event(t->engine, &ev) != SP_SERVER_NOTHING) {
        if (ev.type == SP_SERVER_ASK_END) {
            status = store(t);
            continue;
        }
        if (ev.type == SP_SERVER_ASK_MAIL || ev.type == SP_SERVER_ASK_RCPT)
            note_line(t, ev.type == SP_SERVER_ASK_MAIL);
        else if (ev.type == SP_SERVER_ASK_DATA || ev.type == SP_SERVER_MAIL_DROPPED)
            sp_buf_clear(&t->content);
        else if (ev.type == SP_SERVER_CONTENT)
            sp_buf_add(&t->content, ev.as.content);
        t->closed = t->closed || ev.type == SP_SERVER_CLOSED;
        if (ev.type < SP_SERVER_CONTENT) /* a question */
            status = sp_server_yes(t->engine, (struct sp_view){0});
    }
    return status;
}

static bool write_output(struct talk *t)
{
    for (struct sp_view out; (out = sp_server_output(t->engine)).len > 0;) {
        ssize_t n = write(STDOUT_FILENO, out.p, out.len);
        if (n < 0 && errno != EINTR)
            return false;
        sp_server_sent(t->engine, n > 0 ? (size_t)n : 0);
    }
    return true;
}

/* Whole lines of commands, and as they come the octets of a message. */
static int feed(struct talk *t)
{
    int status = SP_OK;
    while (status == SP_OK && t->input.len > 0 && !t->closed) {
        struct sp_view in = sp_buf_view(&t->input);
        bool commands = sp_server_reads(t->engine) == SP_SERVER_READS_COMMANDS;
        size_t used = 0, lf = sp_view_find(in, '\n', 0);
        if (commands && lf == in.len && in.len < BLOCK)
            return SP_OK;
        t->line = commands ? sp_view_sub(in, 0, lf + 1) : in;
        status = sp_server_feed(t->engine, t->line, os_mono_ms(), &used);
        if (status == SP_OK)
            status = answer(t);
        sp_buf_drop(&t->input, used);
        if (!write_output(t))
            return SP_ERR_IO;
    }
    return status;
}

static int talk(struct talk *t)
{
    static uint8_t block[BLOCK];
    int status = sp_server_open(t->engine, true, os_mono_ms());
    if (status == SP_OK)
        status = answer(t);
    while (status == SP_OK && write_output(t) && !t->closed) {
        ssize_t n = read(STDIN_FILENO, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        sp_buf_add(&t->input, sp_view_make(block, (size_t)n));
        status = feed(t);
    }
    return status == SP_OK || status == SP_ERR_CLOSED ? EX_OK : status == SP_ERR_IO ? EX_IOERR : EX_SOFTWARE;
}

int sendmail_smtp(const struct sendmail *o, const struct sendmail_place *place)
{
    struct talk t = {.o = o, .place = place};
    const struct sp_server_options options = {.hostname = sp_view_of(place->hostname),
                                              .max_message_octets = place->message_octets,
                                              .extensions = SP_EXT_SMTPUTF8 | SP_EXT_DSN | SP_EXT_REQUIRETLS |
                                                            SP_EXT_FUTURERELEASE | SP_EXT_DELIVERBY};
    if (sp_server_new(&options, &os_heap, &t.engine) != SP_OK)
        return cli_fault(o->command, EX_SOFTWARE, "'%s' is no name for a server", place->hostname);
    struct sp_buf *const all[] = {&t.input, &t.envelope, &t.content};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sp_buf_init(all[i], &os_heap, SIZE_MAX / 2);
    sp_server_set_wall(t.engine, os_wall_ms());
    int code = talk(&t);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sp_buf_fini(all[i]);
    sp_server_free(t.engine);
    return code;
}
