/* client PORT SENDER RECIPIENT...: sends what it reads to the server on 127.0.0.1. How it works: docs/embedding.md. */
#include <arpa/inet.h>
#include <poll.h>
#include <sallyport/smtp_client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    return n > 0 ? realloc(p, n) : (free(p), NULL);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct sp_view view(const char *s) { return (struct sp_view){(const uint8_t *)s, strlen(s)}; }

static int answer(struct sp_client *s, const struct sp_client_mail *mail, size_t *served)
{
    static uint8_t text[16384];
    static struct sp_view left; /* of the text, not yet taken */
    static bool done;           /* the mail */
    size_t used;
    struct sp_client_event e;
    for (int status = SP_OK; status == SP_OK && sp_client_event(s, &e) != SP_CLIENT_NOTHING;) {
        if (e.type == SP_CLIENT_ASK_NEXT) {
            status = done ? sp_client_quit(s, now_ms()) : sp_client_mail(s, mail, now_ms());
        } else if (e.type == SP_CLIENT_ASK_CONTENT) {
            if (left.len == 0)
                left = (struct sp_view){text, fread(text, 1, sizeof(text), stdin)};
            status = left.len == 0 ? sp_client_content_end(s) : sp_client_content(s, left, &used);
            if (left.len > 0)
                left.p += used, left.len -= used;
            return status; /* what was taken goes out first */
        } else if (e.type == SP_CLIENT_OUTCOME) {
            struct sp_client_reply why = e.as.outcome.reply;
            printf("%.*s: %s: %d %.*s\n", (int)mail->recipients[e.as.outcome.recipient].len,
                   (const char *)mail->recipients[e.as.outcome.recipient].p, sp_client_fate_name(e.as.outcome.fate), why.code,
                   (int)why.text.len, (const char *)why.text.p);
            *served += e.as.outcome.fate == SP_CLIENT_DELIVERED;
        }
        done = done || e.type == SP_CLIENT_MAIL_DONE;
        if (e.type == SP_CLIENT_CLOSED || status != SP_OK)
            return SP_ERR_CLOSED;
    }
    return SP_OK;
}

static void wait_for_reply(struct sp_client *s, struct pollfd *p)
{
    uint8_t in[4096];
    size_t used = 0;
    uint64_t now = now_ms(), deadline = sp_client_deadline(s);
    int status = SP_OK;
    if (poll(p, 1, deadline > now ? (int)(deadline - now) : 0) > 0) { /* only looked at: what is not used stays there */
        ssize_t n = recv(p->fd, in, sizeof(in), MSG_PEEK);
        status = n > 0 ? sp_client_feed(s, (struct sp_view){in, (size_t)n}, now_ms(), &used) : SP_ERR_CLOSED;
    }
    if (status != SP_OK || (used > 0 && recv(p->fd, in, used, 0) < 0))
        sp_client_eof(s, view(""));
    sp_client_tick(s, now_ms());
}

int main(int argc, char **argv)
{
    static const struct sp_client_options options = {.hello = SP_LIT_INIT("localhost"), .fix_line_ends = true};
    static const struct sp_allocator heap = {resize, NULL};
    struct sp_view recipients[100];
    struct sp_client_mail mail = {.sender = view(argc > 2 ? argv[2] : ""), .recipients = recipients};
    while ((int)mail.recipient_n + 3 < argc && mail.recipient_n < 100)
        recipients[mail.recipient_n] = view(argv[mail.recipient_n + 3]), mail.recipient_n++;
    struct sockaddr_in there = {AF_INET, htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 2525)), {htonl(INADDR_LOOPBACK)}, {0}};
    struct pollfd p = {.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN};
    struct sp_client *s = NULL;
    size_t served = 0;
    if (connect(p.fd, (struct sockaddr *)&there, sizeof(there)) || sp_client_new(&options, &heap, &s) != SP_OK)
        return perror("cannot connect"), 1;
    for (int status = sp_client_open(s, false, now_ms()); status == SP_OK;) {
        status = answer(s, &mail, &served);
        struct sp_view out = sp_client_output(s);
        ssize_t n = out.len > 0 ? send(p.fd, out.p, out.len, MSG_NOSIGNAL) : 0;
        if (out.len == 0 && status == SP_OK)
            wait_for_reply(s, &p);
        else if (n < 0)
            sp_client_eof(s, view("cannot write"));
        else
            sp_client_sent(s, (size_t)n, now_ms());
    }
    sp_client_free(s);
    return served > 0 && served == mail.recipient_n ? 0 : 1;
}
