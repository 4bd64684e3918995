/* A claimed file through the server engine: each octet of it is a stranger's. */
#include "roles/pickup/pickup.h"

#include "base/view.h"
#include "os/heap.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 65536, FILE_SLACK = 8 << 20 };

static int begin(struct pickup *p, struct parcel *parcel, struct sp_server **session_out)
{
    const struct config *c = p->role->config;
    const struct sp_server_options options = {.hostname = sp_view_of(c->hostname),
                                              .max_message_octets = c->limits.message_octets,
                                              .max_recipients = c->limits.recipients,
                                              .max_errors = 1,
                                              .extensions = SP_EXT_SMTPUTF8 | SP_EXT_DSN | SP_EXT_REQUIRETLS |
                                                            SP_EXT_DELIVERBY | SP_EXT_FUTURERELEASE |
                                                            SP_EXT_MT_PRIORITY};
    int status = sp_server_new(&options, &os_heap, session_out);
    if (status != SP_OK)
        return status;
    sp_server_set_wall(*session_out, (int64_t)parcel->received_ms);
    return sp_server_open(*session_out, true, 0); /* no wire that anybody could tap */
}

static int answer(struct pickup *p, struct parcel *parcel, struct sp_server *s)
{
    struct sp_server_event ev;
    int status = SP_OK;
    while (status == SP_OK && sp_server_event(s, &ev) != SP_SERVER_NOTHING) {
        if (ev.type == SP_SERVER_ASK_MAIL)
            parcel_take_mail(p, parcel, &ev);
        else if (ev.type == SP_SERVER_ASK_RCPT)
            parcel_take_recipient(p, parcel, &ev);
        else if (ev.type == SP_SERVER_ASK_DATA)
            parcel_open(p, parcel);
        else if (ev.type == SP_SERVER_CONTENT)
            parcel_add(parcel, ev.as.content);
        else if (ev.type == SP_SERVER_ASK_END)
            parcel_end(parcel);
        if (ev.type < SP_SERVER_CONTENT) /* a question */
            status = sp_server_yes(s, (struct sp_view){0});
    }
    return status;
}

/* Nobody reads the replies, but for the first that says no. */
static void judge_output(struct parcel *parcel, struct sp_server *s)
{
    struct sp_view out = sp_server_output(s), rest = out, line;
    while (!parcel->fault && sp_view_word(&rest, '\n', &line)) {
        if (line.p[0] != '4' && line.p[0] != '5')
            continue;
        struct sp_view kept = parcel_keep(parcel, line);
        uint8_t *text = sp_arena_get(&parcel->memory, kept.len + 1);
        parcel->fault = "it is no mail";
        if (text && kept.len > 0) {
            memcpy(text, kept.p, kept.len);
            text[kept.p[kept.len - 1] == '\r' ? kept.len - 1 : kept.len] = '\0';
            parcel->fault = (const char *)text;
        }
    }
    sp_server_sent(s, out.len);
}

/* A command at a time, as a client sends it that waits for each reply. */
static struct sp_view next_piece(const struct sp_server *s, struct sp_view in)
{
    if (sp_server_reads(s) != SP_SERVER_READS_COMMANDS)
        return in;
    return sp_view_sub(in, 0, sp_view_find(in, '\n', 0) + 1);
}

static void feed(struct pickup *p, struct parcel *parcel, struct sp_server *s, struct sp_view in)
{
    while (in.len > 0 && !parcel->fault && !parcel->later) {
        size_t used = 0;
        int status = sp_server_feed(s, next_piece(s, in), 0, &used);
        if (status == SP_OK)
            status = answer(p, parcel, s);
        judge_output(parcel, s);
        if (parcel->fault)
            return;
        if (status == SP_ERR_CLOSED) { /* QUIT was the last word */
            parcel->fault =
                parcel->whole ? "there is something behind its end" : "it ends before its message";
            return;
        }
        if (status != SP_OK || sp_buf_status(&parcel->content) || sp_buf_status(&parcel->recipients.list))
            parcel->fault = "it is too large for this process";
        in = sp_view_from(in, used);
    }
}

static void read_file(struct pickup *p, struct parcel *parcel, struct sp_server *s)
{
    static uint8_t block[BLOCK];
    /* Every line may have a dot. A small one goes to the queue in one piece, whatever its owner adds
     * meanwhile. */
    uint64_t most = parcel->spooled ? p->role->config->limits.message_octets * 2 + FILE_SLACK
                                    : PICKUP_SUBMIT_MAX,
             at = 0;
    while (!parcel->fault && !parcel->later) {
        ssize_t n = read(parcel->file, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            parcel->fault = "the file cannot be read";
        if (n <= 0)
            break;
        at += (uint64_t)n;
        if (at > most)
            parcel->fault =
                parcel->spooled ? "it is larger than a message may be" : "it grew while it was read";
        else
            feed(p, parcel, s, sp_view_make(block, (size_t)n));
    }
}

void parcel_read(struct pickup *p, struct parcel *parcel)
{
    struct sp_server *s = NULL;
    if (parcel->fault)
        return;
    if (begin(p, parcel, &s) != SP_OK || answer(p, parcel, s) != SP_OK)
        parcel->fault = "the engine cannot be started";
    else
        read_file(p, parcel, s);
    if (!parcel->fault && !parcel->later && !parcel->whole)
        parcel->fault = "it ends before its message does";
    sp_server_free(s);
}
