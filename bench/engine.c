/*
 * How fast the engine is on one core, without any I/O: commands and octets of messages, server and client,
 * beside memchr over the same octets in the same run. `./dev bench engine` builds and runs it;
 * bench/README.md says how to read it.
 *
 *     bench-engine [ROUNDS]     each row is run for 0.2 s of processor time, ROUNDS times (default 3); the
 * best counts
 */
#include "sallyport/smtp_client.h"
#include "sallyport/smtp_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 64 << 10, BLOCKS = 256, GROUPS = 100 };

static uint8_t block[BLOCK];
static volatile size_t sink; /* keeps results alive */

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    if (n > 0)
        return realloc(p, n);
    free(p);
    return NULL;
}

static const struct sp_allocator heap = {resize, NULL};

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench-engine: %s\n", what);
    exit(1);
}

static struct sp_view view(const char *s) { return (struct sp_view){(const uint8_t *)s, strlen(s)}; }

/* --- what is measured: each does a piece of work and returns how much it was -------------------- */

static size_t memchr_once(void)
{
    for (size_t i = 0; i < BLOCKS; i++)
        sink += memchr(block, 0, BLOCK) != NULL;
    return (size_t)BLOCKS * BLOCK;
}

static size_t memchr_lines(void)
{
    for (size_t i = 0; i < BLOCKS; i++)
        for (const uint8_t *p = block, *lf; (lf = memchr(p, '\n', (size_t)(block + BLOCK - p))); p = lf + 1)
            sink++;
    return (size_t)BLOCKS * BLOCK;
}

static size_t memcpy_once(void)
{
    static uint8_t copy[BLOCK];
    for (size_t i = 0; i < BLOCKS; i++) {
        memcpy(copy, block, BLOCK);
        sink += copy[i];
    }
    return (size_t)BLOCKS * BLOCK;
}

/* Yes to everything; returns the octets of content that came. */
static size_t serve(struct sp_server *s, struct sp_view in)
{
    size_t content = 0, used;
    struct sp_server_event e;
    do {
        need(sp_server_feed(s, in, 0, &used) == SP_OK, "the server session failed");
        in.p += used, in.len -= used;
        while (sp_server_event(s, &e) != SP_SERVER_NOTHING) {
            if (e.type == SP_SERVER_CONTENT)
                content += e.as.content.len;
            else if (e.type < SP_SERVER_CONTENT)
                need(sp_server_yes(s, view("")) == SP_OK, "the server session failed");
            need(e.type != SP_SERVER_CLOSED, "the server session closed");
        }
        struct sp_view out = sp_server_output(s);
        need(out.len == 0 || out.p[0] < '4', "the server refused a command");
        sp_server_sent(s, out.len);
    } while (in.len > 0);
    return content;
}

static struct sp_server *server(void)
{
    static const struct sp_server_options options = {.hostname = SP_LIT_INIT("mx.example"),
                                                     .extensions = SP_EXT_CHUNKING,
                                                     .max_idle_commands = UINT32_MAX};
    struct sp_server *s;
    need(sp_server_new(&options, &heap, &s) == SP_OK && sp_server_open(s, false, 0) == SP_OK, "no session");
    serve(s, view("")); /* the greeting's question */
    serve(s, view("EHLO client.example\r\n"));
    return s;
}

static size_t repeat_commands(const char *group, size_t commands)
{
    static char text[1 << 14];
    size_t len = strlen(group), n = sizeof(text) / len;
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * len, group, len);
    struct sp_server *s = server();
    for (size_t i = 0; i < GROUPS; i++)
        serve(s, (struct sp_view){(const uint8_t *)text, n * len});
    sp_server_free(s);
    return GROUPS * n * commands;
}

static size_t server_noop(void) { return repeat_commands("NOOP\r\n", 1); }

static size_t server_mail(void)
{
    return repeat_commands(
        "MAIL FROM:<someone@sender.example> SIZE=4096\r\nRCPT TO:<first@receiver.example>\r\n"
        "RCPT TO:<second@receiver.example>\r\nRSET\r\n",
        4);
}

static size_t server_data(void)
{
    struct sp_server *s = server();
    serve(s, view("MAIL FROM:<a@sender.example>\r\nRCPT TO:<b@receiver.example>\r\nDATA\r\n"));
    for (size_t i = 0; i < BLOCKS; i++)
        sink += serve(s, (struct sp_view){block, BLOCK});
    serve(s, view("\r\n.\r\n"));
    need(!sp_server_in_transaction(s), "the message did not end");
    sp_server_free(s);
    return (size_t)BLOCKS * BLOCK;
}

static size_t server_bdat(void)
{
    struct sp_server *s = server();
    serve(s, view("MAIL FROM:<a@sender.example>\r\nRCPT TO:<b@receiver.example>\r\n"));
    for (size_t i = 0; i < BLOCKS; i++) {
        serve(s, i + 1 < BLOCKS ? view("BDAT 65536\r\n") : view("BDAT 65536 LAST\r\n"));
        sink += serve(s, (struct sp_view){block, BLOCK});
    }
    need(!sp_server_in_transaction(s), "the message did not end");
    sp_server_free(s);
    return (size_t)BLOCKS * BLOCK;
}

/* What a server that takes everything says in this phase. */
static struct sp_view reply_in(const char *phase)
{
    static const struct {
        const char *phase, *reply;
    } said[] = {
        {"GREETING", "220 mx.example\r\n"},
        {"EHLO", "250-mx.example\r\n250-PIPELINING\r\n250-BINARYMIME\r\n250 CHUNKING\r\n"},
        {"DATA", "354 go on\r\n"},
    };
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        if (strcmp(phase, said[i].phase) == 0)
            return view(said[i].reply);
    return view("250 2.0.0 OK\r\n");
}

/* The content: the block, so many times. */
struct supply {
    size_t blocks, given, at;
};

/* Returns whether the session can take no more before it has a reply. */
static bool supply(struct sp_client *s, struct supply *c)
{
    size_t used = 0;
    if (c->given == c->blocks) {
        need(sp_client_content_end(s) == SP_OK, "the client would not end its message");
        return false;
    }
    need(sp_client_content(s, (struct sp_view){block + c->at, BLOCK - c->at}, &used) == SP_OK,
         "the client took no content");
    c->at += used;
    if (c->at == BLOCK)
        c->given++, c->at = 0;
    return used == 0;
}

/* One session with so many mails of so many blocks. */
static void send_mails(const struct sp_client_mail *mail, size_t mails, size_t blocks)
{
    static const struct sp_client_options options = {.hello = SP_LIT_INIT("client.example")};
    struct sp_client *s;
    struct sp_client_event e;
    struct supply content = {blocks, 0, 0};
    need(sp_client_new(&options, &heap, &s) == SP_OK && sp_client_open(s, false, 0) == SP_OK, "no session");
    for (size_t done = 0, used;;) {
        enum sp_client_event_type type = sp_client_event(s, &e);
        bool full = type == SP_CLIENT_ASK_CONTENT && supply(s, &content);
        if (type == SP_CLIENT_ASK_NEXT && done == mails)
            break;
        if (type == SP_CLIENT_ASK_NEXT) {
            need(sp_client_mail(s, mail, 0) == SP_OK, "the client would not begin a mail");
            content.given = 0;
        }
        done += type == SP_CLIENT_MAIL_DONE;
        need(type != SP_CLIENT_FAILED &&
                 (type != SP_CLIENT_OUTCOME || e.as.outcome.fate == SP_CLIENT_DELIVERED),
             "a mail failed");
        struct sp_view out = sp_client_output(s);
        if (out.len > 0)
            sp_client_sent(s, out.len, 0);
        else if (type == SP_CLIENT_NOTHING || full)
            need(sp_client_feed(s, reply_in(sp_client_phase(s)), 0, &used) == SP_OK,
                 "the client session failed");
    }
    sp_client_free(s);
}

static size_t client_mail(void)
{
    static const struct sp_view recipients[] = {SP_LIT_INIT("first@receiver.example"),
                                                SP_LIT_INIT("second@receiver.example")};
    static const struct sp_client_mail mail = {
        .sender = SP_LIT_INIT("someone@sender.example"), .recipients = recipients, .recipient_n = 2};
    send_mails(&mail, 1000, 0);
    return 1000 * 4; /* MAIL, RCPT, RCPT, DATA */
}

static const struct sp_view one_recipient = SP_LIT_INIT("b@receiver.example");

static size_t client_data(void)
{
    static const struct sp_client_mail mail = {
        .sender = SP_LIT_INIT("a@sender.example"), .recipients = &one_recipient, .recipient_n = 1};
    send_mails(&mail, 1, BLOCKS);
    return (size_t)BLOCKS * BLOCK;
}

static size_t client_bdat(void)
{
    static const struct sp_client_mail mail = {.sender = SP_LIT_INIT("a@sender.example"),
                                               .recipients = &one_recipient,
                                               .recipient_n = 1,
                                               .chunk = 1 << 16};
    send_mails(&mail, 1, BLOCKS);
    return (size_t)BLOCKS * BLOCK;
}

static size_t client_binary(void)
{
    static const struct sp_client_mail mail = {.sender = SP_LIT_INIT("a@sender.example"),
                                               .recipients = &one_recipient,
                                               .recipient_n = 1,
                                               .chunk = 1 << 16,
                                               .parameters = {.body = SP_BODY_BINARYMIME}};
    send_mails(&mail, 1, BLOCKS);
    return (size_t)BLOCKS * BLOCK;
}

/* --- measuring ------------------------------------------------------------------------------ */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double rate(size_t (*run)(void))
{
    double began = seconds(), spent, work = 0;
    do
        work += (double)run();
    while ((spent = seconds() - began) < 0.2);
    return work / spent;
}

static void fill_block(size_t line, bool dots)
{
    for (size_t i = 0; i < BLOCK; i++) {
        size_t at = i % line;
        block[i] = at == line - 1   ? '\n'
                   : at == line - 2 ? '\r'
                   : at < 2 && dots ? '.'
                                    : (uint8_t)('a' + i % 26);
    }
    block[BLOCK - 1] = 'z'; /* no line ends where a block does, nor between a CR and its LF */
    block[BLOCK - 2] = 'z';
    block[0] = 'z';
}

enum { COLUMNS = 8 };
static size_t (*const columns[COLUMNS])(void) = {memchr_once, memchr_lines, memcpy_once, server_data,
                                                 server_bdat, client_data,  client_bdat, client_binary};
static const char *const titles[COLUMNS] = {"memchr",   "by line",  "memcpy",   "srv DATA",
                                            "srv BDAT", "cli DATA", "cli BDAT", "cli BINARY"};

static void measure_octets(const char *title, size_t line, bool dots, int rounds)
{
    double best[COLUMNS] = {0};
    fill_block(line, dots);
    for (int r = 0; r < rounds; r++)
        for (size_t i = 0; i < COLUMNS; i++) {
            double found = rate(columns[i]);
            best[i] = found > best[i] ? found : best[i];
        }
    printf("%-34s", title);
    for (size_t i = 0; i < COLUMNS; i++)
        printf("%11.0f", best[i] / 1e6);
    printf("\n%-34s%11s", "  to memchr line by line", "");
    for (size_t i = 1; i < COLUMNS; i++)
        printf("%11.2f", best[i] / best[1]);
    printf("\n");
    fflush(stdout);
}

static void measure_commands(const char *title, size_t (*run)(void), int rounds)
{
    double best = 0;
    for (int r = 0; r < rounds; r++) {
        double found = rate(run);
        best = found > best ? found : best;
    }
    printf("%-34s%11.2f\n", title, best / 1e6);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 3;
    need(rounds > 0, "usage: bench-engine [ROUNDS]");
    printf("%-34s%11s\n", "engine, commands on one core", "million/s");
    measure_commands("server: NOOP, pipelined", server_noop, rounds);
    measure_commands("server: MAIL, RCPT, RCPT, RSET", server_mail, rounds);
    measure_commands("client: MAIL, RCPT, RCPT, DATA", client_mail, rounds);
    printf("\n%-34s", "engine, MB/s of content, one core");
    for (size_t i = 0; i < COLUMNS; i++)
        printf("%11s", titles[i]);
    printf("\n");
    measure_octets("lines of 78 octets (base64)", 78, false, rounds);
    measure_octets("lines of 40 octets (text)", 40, false, rounds);
    measure_octets("lines of 1,000 octets", 1000, false, rounds);
    measure_octets("lines of 78 octets, all with a dot", 78, true, rounds);
    return 0;
}
