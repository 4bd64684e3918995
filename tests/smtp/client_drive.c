/*
 * The client engine against a server that answers anything: every session, whatever the server says, is
 * judged by a small observer that knows the law and not the table.
 */
#include "client_harness.h"
#include "tap.h"

enum { RECIPIENTS = 4, MAILS = 2 };

static const char body[] = ".first\r\nplain\r\n..two\r\n.\r\nlast line without end";
static const char in_chunks[] = ".first\r\nplain\r\n..two\r\n.\r\nlast line without end\r\n";
static const char on_wire[] = "..first\r\nplain\r\n...two\r\n..\r\nlast line without end\r\n.\r\n";

/* What the server will do in one session: everything is drawn from the seed. */
struct world {
    uint64_t seed;
    struct sp_client *s;
    struct sp_buf to_client; /* what the server says and the client has not read   */
    struct sp_buf sent;      /* the unfinished line or message of the client        */
    bool in_data, secret_line, tls, hostile, over;
    bool pipelining, may_auth, chunking, lmtp, until;
    size_t chunk_left; /* octets of a chunk that the server waits for             */
    bool chunk_last;
    struct sp_buf chunks; /* what came in chunks                                     */
    size_t taken;         /* recipients that the server took in this mail            */
    unsigned cut;         /* octets per feed; 0: all                             */
    size_t replies;       /* so far                                                  */
    size_t change_at;     /* this one, from 1, is another than a friendly server's   */
    size_t change_to;     /* index in others                                         */
    /* the observer */
    bool hello_due; /* TLS came up: EHLO must be next */
    size_t mails, commands, given;
    int fates[RECIPIENTS]; /* outcomes of the mail under way, -1: none            */
    bool dot_sent, mail_on;
    struct sp_client_mail mail;
    struct limited heap;
    struct sp_allocator alloc;
    const struct sp_client_options *options;
};

static struct limited endless;
static const struct sp_allocator plenty = {limited_resize, &endless};

static const struct sp_view recipients[RECIPIENTS] = {
    SP_LIT_INIT("a@example.org"), SP_LIT_INIT("b> SIZE=1@example.org"), SP_LIT_INIT("\"c >\"@example.org"),
    SP_LIT_INIT("d@example.org")};

static bool starts(struct sp_view v, const char *word) { return sp_view_starts(v, sp_view_of(word)); }

static void say(struct world *w, const char *text)
{
    if (getenv("DRIVE"))
        fprintf(stderr, "S: %s", text);
    sp_buf_add_str(&w->to_client, text);
}

static const char *const others[] = {
    "250 Ok\r\n",
    "354 go\r\n",
    "334 Zm9v\r\n",
    "334 ***\r\n",
    "421 4.3.2 bye\r\n",
    "450 4.2.1 later\r\n",
    "550 5.1.1 no\r\n",
    "552 5.3.4 big\r\n",
    "552 too many\r\n",
    "503 5.5.1 order\r\n",
    "530 5.7.0 auth\r\n",
    "502 what\r\n",
    "250-a\r\n250 b\r\n",
    "250-a\r\n550 b\r\n",
    "hello\r\n",
    "235 yes\r\n",
    "250\r\n",
    "334 \r\n",
};
enum { OTHER_N = sizeof others / sizeof *others };

/* One reply of a friendly or of a hostile server. */
static const char *choose_reply(struct world *w, const char *good)
{
    if (++w->replies == w->change_at)
        return others[w->change_to];
    bool odd = w->hostile && dice(&w->seed, 4) == 0;
    return odd ? others[dice(&w->seed, OTHER_N)] : good;
}

static void check_line(struct world *w, struct sp_view line)
{
    for (size_t i = 0; i < line.len; i++)
        assert_true(line.p[i] >= ' ' && line.p[i] <= '~');
    bool setup = starts(line, "EHLO") || starts(line, "LHLO") || starts(line, "HELO") ||
                 starts(line, "STARTTLS") || starts(line, "QUIT");
    if (w->options->tls == SP_CLIENT_TLS_REQUIRED && !w->tls)
        assert_true(setup);
    if (starts(line, "AUTH") || w->secret_line)
        assert_true(w->tls || w->options->auth_in_clear);
    if (w->hello_due)
        assert_true(starts(line, w->lmtp ? "LHLO" : "EHLO"));
    w->hello_due = false;
    if (starts(line, "RCPT TO:<b"))
        fail_msg("an address that ends the path early was sent");
}

static void answer_ehlo(struct world *w)
{
    say(w, "250-server.example\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-AUTH PLAIN\r\n");
    if (w->chunking)
        say(w, "250-CHUNKING\r\n250-BINARYMIME\r\n250-DSN\r\n250-LIMITS RCPTMAX=2 "
               "MAILMAX=9\r\n250-SMTPUTF8\r\n");
    if (w->pipelining)
        say(w, "250-PIPELINING\r\n");
    say(w, dice(&w->seed, 2) && !w->tls ? "250 STARTTLS\r\n" : "250 HELP\r\n");
}

/* The verdict on a message: in LMTP one for each recipient. */
static void judge_message(struct world *w, const char *good)
{
    for (size_t i = 0; i < (w->lmtp ? w->taken : 1); i++)
        say(w, choose_reply(w, good));
    w->taken = 0;
}

static void take_bdat(struct world *w, struct sp_view line)
{
    uint64_t n = 0;
    struct sp_view word, rest = sp_view_from(line, 5);
    assert_true(sp_view_word(&rest, ' ', &word));
    assert_int_equal(sp_view_u64(word, 1 << 20, &n), SP_OK);
    w->chunk_left = (size_t)n;
    w->chunk_last = sp_view_ends(line, SP_LIT(" LAST"));
    w->dot_sent = w->dot_sent || w->chunk_last;
}

static void end_chunk(struct world *w)
{
    if (w->chunk_last) {
        assert_int_equal(w->chunks.len, sizeof in_chunks - 1);
        assert_memory_equal(w->chunks.p, in_chunks, w->chunks.len);
        judge_message(w, "250 2.0.0 Queued\r\n");
    } else {
        say(w, choose_reply(w, "250 2.0.0 Octets\r\n"));
    }
}

static void take_line(struct world *w, struct sp_view line)
{
    check_line(w, line);
    if (getenv("DRIVE"))
        fprintf(stderr, "C: %.*s\n", (int)line.len, (const char *)line.p);
    w->commands++;
    const char *good = "250 2.0.0 Ok\r\n";
    if (w->secret_line || starts(line, "AUTH"))
        good = "235 2.7.0 in\r\n";
    else if (starts(line, "DATA"))
        good = "354 go\r\n";
    else if (starts(line, "STARTTLS"))
        good = "220 go\r\n";
    else if (starts(line, "QUIT"))
        good = "221 bye\r\n";
    if (starts(line, "BDAT ")) {
        take_bdat(w, line);
        if (w->chunk_left == 0)
            end_chunk(w);
        return;
    }
    const char *reply = choose_reply(w, good);
    if (starts(line, "MAIL")) {
        w->taken = 0;
        sp_buf_clear(&w->chunks);
    }
    w->taken += starts(line, "RCPT") && *reply == '2';
    if (!w->lmtp)
        assert_false(starts(line, "LHLO"));
    if ((starts(line, "EHLO") || starts(line, "LHLO")) && reply == good) {
        answer_ehlo(w);
        return;
    }
    say(w, reply);
    w->secret_line = (w->secret_line || starts(line, "AUTH")) && starts(sp_view_of(reply), "334");
    if (starts(line, "DATA"))
        w->in_data = starts(sp_view_of(reply), "354");
}

/* The server reads what was sent: lines, or a message up to its dot. */
static void server_reads(struct world *w)
{
    for (;;) {
        struct sp_view v = sp_buf_view(&w->sent);
        if (w->chunk_left > 0) {
            size_t n = v.len < w->chunk_left ? v.len : w->chunk_left;
            if (n == 0)
                return;
            sp_buf_add(&w->chunks, sp_view_sub(v, 0, n));
            sp_buf_drop(&w->sent, n);
            w->chunk_left -= n;
            if (w->chunk_left == 0)
                end_chunk(w);
            continue;
        }
        if (w->in_data) {
            bool lone = starts(v, ".\r\n");
            bool whole = v.len >= sizeof on_wire - 1;
            if (!lone && !whole)
                return;
            if (!lone)
                assert_memory_equal(v.p, on_wire, sizeof on_wire - 1);
            sp_buf_drop(&w->sent, lone ? 3 : sizeof on_wire - 1);
            w->in_data = false;
            if (lone)
                say(w, choose_reply(w, "554 5.5.1 nobody\r\n"));
            else
                judge_message(w, "250 2.0.0 Queued\r\n");
            continue;
        }
        size_t end = sp_view_find(v, '\n', 0);
        if (end == v.len)
            return;
        assert_true(end > 0 && v.p[end - 1] == '\r');
        take_line(w, sp_view_sub(v, 0, end - 1));
        sp_buf_drop(&w->sent, end + 1);
    }
}

/* --- the caller ----------------------------------------------------------------------------- */

static void begin_mail(struct world *w)
{
    w->mail = (struct sp_client_mail){.sender = dice(&w->seed, 3) ? SP_LIT("me@example.org") : SP_LIT(""),
                                      .recipients = recipients,
                                      .recipient_n = 1 + dice(&w->seed, RECIPIENTS),
                                      .size = dice(&w->seed, 8) ? sizeof body - 1 : 2000,
                                      .eight_bit = dice(&w->seed, 8) == 0};
    static const struct sp_rcpt_parameters asked[RECIPIENTS] = {
        {.notify = SP_NOTIFY_NEVER}, {.notify = 0}, {.notify = SP_NOTIFY_SUCCESS | SP_NOTIFY_DELAY}};
    if (w->chunking) {
        w->mail.chunk = dice(&w->seed, 3) == 0 ? 0 : 1 + dice(&w->seed, 60);
        w->mail.asked = asked;
    }
    if (w->until)
        w->mail.until = (enum sp_client_until)dice(&w->seed, 4);
    for (size_t i = 0; i < RECIPIENTS; i++)
        w->fates[i] = -1;
    w->mail_on = true;
    w->dot_sent = false;
    w->given = 0;
    w->mails++;
    int status = sp_client_mail(w->s, &w->mail, 0);
    assert_true(status == SP_OK || status == SP_ERR_NOMEM);
}

static void next(struct world *w)
{
    int status = SP_OK;
    if (w->may_auth) {
        w->may_auth = false;
        status = sp_client_auth(w->s, SP_LIT("PLAIN"), dice(&w->seed, 2), SP_LIT("\0u\0p"), 0);
        if (!w->tls && !w->options->auth_in_clear)
            assert_int_equal(status, SP_ERR_MISUSE);
        if (status != SP_ERR_MISUSE)
            return;
    }
    if (w->mails < MAILS)
        begin_mail(w);
    else
        status = sp_client_quit(w->s, 0);
    assert_true(status != SP_ERR_CLOSED);
}

static void give_content(struct world *w)
{
    struct sp_view rest = sp_view_make(body, sizeof body - 1);
    size_t piece = w->cut ? w->cut : rest.len, used = 0;
    rest = sp_view_from(rest, w->given);
    if (rest.len == 0) {
        assert_true(sp_client_content_end(w->s) != SP_ERR_MISUSE);
        return;
    }
    int status = sp_client_content(w->s, sp_view_sub(rest, 0, piece), &used);
    if (status)
        assert_int_equal(status, SP_ERR_NOMEM);
    w->given += used;
}

static void note_outcome(struct world *w, const struct sp_client_event *e)
{
    size_t i = e->as.outcome.recipient;
    assert_true(w->mail_on && i < w->mail.recipient_n);
    assert_int_equal(w->fates[i], -1); /* once and only once */
    w->fates[i] = (int)e->as.outcome.fate;
    assert_true(e->as.outcome.reply.text.len > 0 || e->as.outcome.reply.code > 0);
    if (e->as.outcome.fate == SP_CLIENT_UNKNOWN || e->as.outcome.fate == SP_CLIENT_DELIVERED)
        assert_true(w->dot_sent);
    if (e->as.outcome.fate == SP_CLIENT_DELIVERED)
        assert_int_equal(e->as.outcome.reply.code / 100, 2);
}

static void note_mail_done(struct world *w)
{
    assert_true(w->mail_on);
    for (size_t i = 0; i < w->mail.recipient_n; i++)
        assert_true(w->fates[i] > 0 || (w->fates[i] == 0 && w->mail.until != SP_CLIENT_UNTIL_END));
    w->mail_on = false;
}

/* Read events until the session wants octets. */
static void drain(struct world *w)
{
    struct sp_client_event e;
    for (unsigned turns = 0; turns < 400; turns++) {
        switch (sp_client_event(w->s, &e)) {
        case SP_CLIENT_NOTHING:
            return;
        case SP_CLIENT_OUTCOME:
            note_outcome(w, &e);
            break;
        case SP_CLIENT_MAIL_DONE:
            note_mail_done(w);
            break;
        case SP_CLIENT_ASK_NEXT:
            next(w);
            break;
        case SP_CLIENT_ASK_ANSWER: {
            int status =
                dice(&w->seed, 3) ? sp_client_answer(w->s, SP_LIT("secret"), 0) : sp_client_cancel(w->s, 0);
            assert_true(status == SP_OK || status == SP_ERR_NOMEM);
            break;
        }
        case SP_CLIENT_ASK_CONTENT:
            give_content(w);
            break;
        case SP_CLIENT_START_TLS:
            w->tls = true;
            w->hello_due = true;
            assert_true(sp_client_secured(w->s, 0) != SP_ERR_MISUSE);
            assert_false(sp_client_capabilities(w->s)->esmtp || sp_client_capabilities(w->s)->starttls);
            assert_int_equal(sp_client_capabilities(w->s)->auth.len, 0);
            break;
        case SP_CLIENT_CLOSED:
            w->over = true;
            return;
        default:
            break;
        }
    }
    fail_msg("the session never comes to rest");
}

static void send_output(struct world *w)
{
    for (struct sp_view out = sp_client_output(w->s); out.len > 0; out = sp_client_output(w->s)) {
        size_t n = w->cut && w->cut < out.len ? w->cut : out.len;
        sp_buf_add(&w->sent, sp_view_sub(out, 0, n));
        if (w->in_data && sp_view_ends(sp_buf_view(&w->sent), SP_LIT("\r\n.\r\n")))
            w->dot_sent = true;
        if (w->sent.len > 0 && memmem(w->sent.p, w->sent.len, " LAST\r\n", 7))
            w->dot_sent = true;
        sp_client_sent(w->s, n, 0);
        if (w->cut == 0)
            break;
    }
}

static void feed_some(struct world *w)
{
    size_t used = 0;
    size_t n = w->cut && w->cut < w->to_client.len ? w->cut : w->to_client.len;
    int status = sp_client_feed(w->s, sp_view_sub(sp_buf_view(&w->to_client), 0, n), 0, &used);
    assert_true(status == SP_OK || status == SP_ERR_NOMEM);
    sp_buf_drop(&w->to_client, used);
}

/* What ends a session before its time. */
enum fault { NO_FAULT, LOST, TIMED_OUT };

static void injure(struct world *w, enum fault fault)
{
    if (fault == LOST)
        sp_client_eof(w->s, SP_LIT("Connection reset by peer"));
    else
        sp_client_tick(w->s, sp_client_deadline(w->s));
}

/* Run a session to its end; `fault` strikes at step `at`. Returns the number of steps. */
static size_t run(struct world *w, enum fault fault, size_t at)
{
    size_t step = 0, used = 0;
    int status = sp_client_new(w->options, &w->alloc, &w->s);
    if (status) {
        assert_int_equal(status, SP_ERR_NOMEM);
        assert_true(w->heap.fail_at > 0);
        return 0;
    }
    sp_buf_init(&w->to_client, &plenty, 1 << 20);
    sp_buf_init(&w->sent, &plenty, 1 << 20);
    sp_buf_init(&w->chunks, &plenty, 1 << 20);
    say(w, choose_reply(w, "220 server.example\r\n"));
    assert_int_equal(sp_client_open(w->s, w->tls, 0), SP_OK);
    for (; !w->over; step++) {
        if (step == 5000)
            fail_msg("stuck in phase %s", sp_client_phase(w->s));
        drain(w);
        if (w->over)
            break;
        send_output(w);
        if (step == at && fault != NO_FAULT) {
            injure(w, fault);
            drain(w);
            continue;
        }
        server_reads(w);
        if (w->to_client.len > 0)
            feed_some(w);
    }
    assert_false(w->mail_on);
    if (w->heap.fail_at == 0)
        assert_int_equal(sp_client_feed(w->s, SP_LIT("250 x\r\n"), 0, &used), SP_ERR_CLOSED);
    sp_client_free(w->s);
    sp_buf_fini(&w->to_client);
    sp_buf_fini(&w->sent);
    sp_buf_fini(&w->chunks);
    assert_int_equal(w->heap.in_use, 0);
    return step;
}

static struct sp_client_options options_of(uint64_t *seed)
{
    return (struct sp_client_options){
        .hello = SP_LIT("client.example"),
        .tls = (enum sp_client_tls)dice(seed, 3),
        .auth_in_clear = dice(seed, 2),
        .transcript = dice(seed, 2),
    };
}

/* A world made of a number; the same number, the same world. */
static void make_world(struct world *w, struct sp_client_options *options, uint64_t number)
{
    uint64_t seed = number;
    (void)dice(&seed, 2);
    *options = options_of(&seed);
    *w = (struct world){.options = options,
                        .tls = dice(&seed, 4) == 0,
                        .hostile = dice(&seed, 4) > 0,
                        .pipelining = dice(&seed, 2),
                        .may_auth = dice(&seed, 2),
                        .chunking = dice(&seed, 2),
                        .lmtp = dice(&seed, 4) == 0,
                        .until = dice(&seed, 6) == 0};
    options->protocol = w->lmtp ? SP_CLIENT_LMTP : SP_CLIENT_ESMTP;
    options->lock_step = dice(&seed, 4) == 0;
    w->seed = seed;
    w->alloc = (struct sp_allocator){limited_resize, &w->heap};
}

static void test_whatever_the_server_says(void **state)
{
    (void)state;
    size_t delivered = 0, fates[SP_CLIENT_FATE_N] = {0};
    for (uint64_t n = 0; n < 20000; n++) {
        struct world w;
        struct sp_client_options o;
        make_world(&w, &o, n);
        run(&w, NO_FAULT, 0);
        delivered += w.fates[0] == SP_CLIENT_DELIVERED;
        fates[w.fates[0] > 0 ? w.fates[0] : 0]++;
    }
    assert_true(delivered > 1000); /* the worlds are not all ruins */
    assert_true(fates[SP_CLIENT_RETRY] > 100 && fates[SP_CLIENT_BOUNCE] > 100 &&
                fates[SP_CLIENT_UNKNOWN] > 10);
}

static void test_lost_or_silent_at_every_point(void **state)
{
    (void)state;
    size_t unknown = 0;
    for (uint64_t n = 0; n < 300; n++) {
        for (enum fault fault = LOST; fault <= TIMED_OUT; fault++) {
            struct world w;
            struct sp_client_options o;
            make_world(&w, &o, n);
            size_t steps = run(&w, NO_FAULT, 0);
            for (size_t at = 0; at <= steps; at++) {
                make_world(&w, &o, n);
                run(&w, fault, at);
                for (size_t i = 0; i < RECIPIENTS; i++)
                    unknown += w.fates[i] == SP_CLIENT_UNKNOWN;
            }
        }
    }
    assert_true(unknown > 100);
}

static void test_every_cut(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 1500; n++) {
        struct world whole, cut;
        struct sp_client_options o;
        make_world(&whole, &o, n);
        run(&whole, NO_FAULT, 0);
        for (unsigned size = 1; size <= 9; size += 2) {
            make_world(&cut, &o, n);
            cut.cut = size;
            run(&cut, NO_FAULT, 0);
            assert_memory_equal(cut.fates, whole.fates, sizeof cut.fates);
            assert_int_equal(cut.commands, whole.commands);
        }
    }
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 300; n++) {
        for (size_t at = 1; at < 200; at++) {
            struct world w;
            struct sp_client_options o;
            make_world(&w, &o, n);
            w.heap.fail_at = at;
            run(&w, NO_FAULT, 0);
            if (w.heap.calls < at)
                break;
        }
    }
}

/* A friendly world of each kind: protocol, pipelining, chunks, a login. */
static void make_friendly(struct world *w, struct sp_client_options *options, unsigned kind)
{
    make_world(w, options, kind);
    *options = (struct sp_client_options){.hello = SP_LIT("client.example"),
                                          .auth_in_clear = true,
                                          .transcript = kind & 1,
                                          .protocol = kind & 2 ? SP_CLIENT_LMTP : SP_CLIENT_ESMTP};
    w->hostile = w->until = w->tls = false;
    w->lmtp = kind & 2;
    w->pipelining = kind & 4;
    w->chunking = kind & 8;
    w->may_auth = kind & 16;
}

enum { KINDS = 32 };

/* Every reply that a session gets, changed into every other, whole and octet by octet. */
static void test_every_reply_at_every_place(void **state)
{
    (void)state;
    size_t sessions = 0;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct world friendly, w, cut;
        struct sp_client_options o;
        make_friendly(&friendly, &o, kind);
        run(&friendly, NO_FAULT, 0);
        assert_int_equal(friendly.mails, MAILS);
        for (size_t at = 1; at <= friendly.replies; at++)
            for (size_t to = 0; to < OTHER_N; to++, sessions++) {
                make_friendly(&w, &o, kind);
                w.change_at = at;
                w.change_to = to;
                run(&w, NO_FAULT, 0);
                make_friendly(&cut, &o, kind);
                cut.change_at = at;
                cut.change_to = to;
                cut.cut = 1;
                run(&cut, NO_FAULT, 0);
                assert_memory_equal(cut.fates, w.fates, sizeof cut.fates);
            }
    }
    assert_true(sessions > KINDS * 8 * OTHER_N);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_whatever_the_server_says),      cmocka_unit_test(test_every_reply_at_every_place),
    cmocka_unit_test(test_lost_or_silent_at_every_point), cmocka_unit_test(test_every_cut),
    cmocka_unit_test(test_every_allocation_fails_once),
};

TAP_MAIN(tests)
