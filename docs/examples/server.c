/* A server on 127.0.0.1, port argv[1], that takes mail for anybody and prints it. How it works: docs/embedding.md. */
#include <arpa/inet.h>
#include <poll.h>
#include <sallyport/smtp_server.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 64 };
static struct client { struct sp_server *session; FILE *mail; char *text; size_t len; bool closed; } clients[CLIENTS];
static struct pollfd fds[CLIENTS + 1]; /* the clients', -1 where there is none, and the listener's */

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)old;
    return n > 0 ? realloc(p, n) : (free(p), NULL);
}

static void answer(struct client *c)
{
    struct sp_server_event e;
    while (sp_server_event(c->session, &e) != SP_SERVER_NOTHING) {
        if (e.type == SP_SERVER_ASK_MAIL || e.type == SP_SERVER_MAIL_DROPPED)
            rewind(c->mail);
        if (e.type == SP_SERVER_ASK_MAIL)
            fprintf(c->mail, "From: <%.*s>\n", (int)e.as.mail.sender.text.len, (const char *)e.as.mail.sender.text.p);
        else if (e.type == SP_SERVER_ASK_RCPT)
            fprintf(c->mail, "To: <%.*s>\n", (int)e.as.rcpt.recipient.text.len, (const char *)e.as.rcpt.recipient.text.p);
        else if (e.type == SP_SERVER_CONTENT)
            fwrite(e.as.content.p, 1, e.as.content.len, c->mail);
        else if (e.type == SP_SERVER_ASK_END && fflush(c->mail) == 0)
            fwrite(c->text, 1, c->len, stdout), fflush(stdout);
        c->closed = c->closed || e.type == SP_SERVER_CLOSED;
        if (e.type < SP_SERVER_CONTENT && sp_server_yes(c->session, SP_LIT("")) != SP_OK) /* it was a question */
            c->closed = true;
    }
}

static void turn(struct client *c, struct pollfd *p, uint64_t now_ms)
{
    static uint8_t in[65536];
    size_t used = 0;
    struct sp_view out = sp_server_output(c->session);
    if (p->revents && out.len > 0) {
        ssize_t n = send(p->fd, out.p, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        sp_server_sent(c->session, n > 0 ? (size_t)n : 0);
        c->closed = c->closed || n < 0;
    } else if (p->revents) { /* only looked at: what the session does not use now stays with the kernel */
        ssize_t n = recv(p->fd, in, sizeof(in), MSG_PEEK | MSG_DONTWAIT);
        c->closed = n <= 0 || sp_server_feed(c->session, (struct sp_view){in, (size_t)n}, now_ms, &used) != SP_OK;
        answer(c); /* before `in` is written over */
        if (used > 0 && recv(p->fd, in, used, 0) < 0)
            c->closed = true;
    } else if (sp_server_tick(c->session, now_ms) != SP_OK) {
        c->closed = true;
    }
    answer(c);
    p->events = sp_server_output(c->session).len > 0 ? POLLOUT : POLLIN; /* who does not read is not read */
    if (c->closed && (p->events == POLLIN || p->revents & (POLLERR | POLLHUP)))
        sp_server_free(c->session), fclose(c->mail), free(c->text), close(p->fd), p->fd = -1;
}

int main(int argc, char **argv)
{
    static const struct sp_server_options options = {.hostname = SP_LIT_INIT("localhost"), .extensions = SP_EXT_CHUNKING};
    static const struct sp_allocator heap = {resize, NULL};
    struct sockaddr_in here = {AF_INET, htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 2525)), {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t len = sizeof(here);
    for (size_t i = 0; i < CLIENTS; i++)
        fds[i].fd = -1;
    fds[CLIENTS] = (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN};
    if (bind(fds[CLIENTS].fd, (struct sockaddr *)&here, len) || listen(fds[CLIENTS].fd, 64) ||
        getsockname(fds[CLIENTS].fd, (struct sockaddr *)&here, &len))
        return perror("cannot listen"), 1;
    fprintf(stderr, "listening on 127.0.0.1:%u\n", ntohs(here.sin_port));
    for (struct timespec t; poll(fds, CLIENTS + 1, 1000) >= 0;) { /* once a second: deadlines are minutes away */
        clock_gettime(CLOCK_MONOTONIC, &t);
        uint64_t now_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
        int fresh = fds[CLIENTS].revents ? accept(fds[CLIENTS].fd, NULL, NULL) : -1;
        for (size_t i = 0; i < CLIENTS; i++) {
            struct client *c = &clients[i];
            if (fds[i].fd >= 0) {
                turn(c, &fds[i], now_ms);
            } else if (fresh >= 0 && sp_server_new(&options, &heap, &c->session) == SP_OK) {
                fds[i] = (struct pollfd){.fd = fresh, .events = POLLOUT};
                c->closed = sp_server_open(c->session, false, now_ms) != SP_OK;
                c->mail = open_memstream(&c->text, &c->len);
                answer(c);
                fresh = -1;
            }
        }
        if (fresh >= 0)
            close(fresh);
    }
    return perror("poll"), 1;
}
