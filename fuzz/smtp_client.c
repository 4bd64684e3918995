/*
 * A server that says anything, cut anywhere, to a client that logs in and sends two mails. Every recipient
 * must get exactly one outcome; unknown and delivered only behind a final dot; the session must come to rest.
 */
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "sallyport/smtp_client.h"

enum { RECIPIENTS = 3, MAILS = 2, TURNS = 10000 };

struct caller {
    struct sp_client *s;
    struct sp_client_mail mail;
    unsigned mails;
    bool auth, over, dot, chunks;
    size_t given;
    bool said[RECIPIENTS], under_way;
    uint8_t cut; /* octets taken of the output at once; 0: all */
};

static const struct sp_view recipients[RECIPIENTS] = {
    SP_LIT_INIT("a@example.org"), SP_LIT_INIT("b c@example.org"), SP_LIT_INIT("\"d>\"@example.org")};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

static void insist(bool condition)
{
    if (!condition)
        abort();
}

static void begin(struct caller *c)
{
    if (c->auth) {
        c->auth = false;
        if (sp_client_auth(c->s, SP_LIT("PLAIN"), true, SP_LIT("\0user\0password"), 0) == SP_OK)
            return;
    }
    if (c->mails++ == MAILS) {
        insist(sp_client_quit(c->s, 0) == SP_OK);
        return;
    }
    memset(c->said, 0, sizeof c->said);
    c->under_way = true;
    c->dot = false;
    c->mail = (struct sp_client_mail){
        .sender = SP_LIT("me@example.org"), .recipients = recipients, .recipient_n = RECIPIENTS, .size = 100};
    c->mail.chunk = c->chunks ? 3 : 0;
    c->given = 0;
    insist(sp_client_mail(c->s, &c->mail, 0) == SP_OK);
}

static void give_content(struct caller *c)
{
    struct sp_view rest = sp_view_from(SP_LIT(".a\r\nb\r\n"), c->given);
    size_t used = 0;
    if (rest.len == 0) {
        insist(sp_client_content_end(c->s) == SP_OK);
        c->dot = true;
        return;
    }
    insist(sp_client_content(c->s, rest, &used) == SP_OK);
    c->given += used;
}

static void note_outcome(struct caller *c, const struct sp_client_event *e)
{
    size_t i = e->as.outcome.recipient;
    insist(c->under_way && i < RECIPIENTS && !c->said[i]);
    c->said[i] = true;
    insist(e->as.outcome.fate != SP_CLIENT_NONE);
    insist(c->dot || (e->as.outcome.fate != SP_CLIENT_UNKNOWN && e->as.outcome.fate != SP_CLIENT_DELIVERED));
}

static void end_mail(struct caller *c)
{
    for (size_t i = 0; i < RECIPIENTS; i++)
        insist(c->said[i]);
    c->under_way = false;
}

static bool answer(struct caller *c)
{
    struct sp_client_event e;
    switch (sp_client_event(c->s, &e)) {
    case SP_CLIENT_NOTHING:
        return false;
    case SP_CLIENT_OUTCOME:
        note_outcome(c, &e);
        return true;
    case SP_CLIENT_MAIL_DONE:
        end_mail(c);
        return true;
    case SP_CLIENT_ASK_NEXT:
        begin(c);
        return true;
    case SP_CLIENT_ASK_ANSWER:
        insist(sp_client_answer(c->s, e.as.challenge, 0) == SP_OK);
        return true;
    case SP_CLIENT_ASK_CONTENT:
        give_content(c);
        return true;
    case SP_CLIENT_START_TLS:
        insist(sp_client_secured(c->s, 0) == SP_OK);
        return true;
    case SP_CLIENT_CLOSED:
        c->over = true;
        return false;
    default:
        return true;
    }
}

static void settle(struct caller *c)
{
    for (unsigned turns = 0; !c->over; turns++) {
        insist(turns < TURNS);
        while (answer(c))
            ;
        struct sp_view out = sp_client_output(c->s);
        if (out.len == 0 || c->over)
            return;
        sp_client_sent(c->s, c->cut && c->cut < out.len ? c->cut : out.len, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 3)
        return 0;
    const struct sp_allocator heap = {resize, NULL};
    const struct sp_client_options options = {.hello = SP_LIT("client.example"),
                                              .tls = (enum sp_client_tls)(data[0] % 3),
                                              .auth_in_clear = data[0] & 4,
                                              .transcript = data[0] & 8,
                                              .lf_replies = data[0] & 16,
                                              .protocol = data[0] & 128 ? SP_CLIENT_LMTP : SP_CLIENT_ESMTP};
    struct caller c = {.auth = data[0] & 32, .chunks = data[2] & 128, .cut = data[1]};
    struct sp_view rest = sp_view_make(data + 3, len - 3);
    size_t piece = data[2] & 127 ? data[2] & 127 : len, used = 0;
    insist(sp_client_new(&options, &heap, &c.s) == SP_OK && sp_client_open(c.s, data[0] & 64, 0) == SP_OK);
    settle(&c);
    while (rest.len > 0 && !c.over) {
        insist(sp_client_feed(c.s, sp_view_sub(rest, 0, piece), 0, &used) == SP_OK);
        rest = sp_view_from(rest, used);
        settle(&c);
    }
    sp_client_eof(c.s, SP_LIT(""));
    settle(&c);
    insist(c.over && !c.under_way);
    sp_client_free(c.s);
    return 0;
}
