/*
 * The sequence, by a safe subset: what is out of order must be refused. No mail can come of it: after MAIL
 * there is only EHLO, to see that it is forgotten, and where DATA is let in the connection is dropped without
 * a dot.
 *
 * Few mistakes a connection: servers count them, and close.
 */
#include <stdio.h>
#include <string.h>

#include "base/view.h"
#include "cli/probe/probe.h"

enum { CODES_MAX = 10 };

/*
 * 530 and 538 are a policy's answer to everything before TLS or AUTH (RFC 3207 4, RFC 4954 6). HELP may be
 * unknown (500), VRFY may not (RFC 5321 4.3.2, 4.5.1).
 */
struct check {
    enum probe_finding_id id;
    const char *line;
    int right[CODES_MAX]; /* 0 ends */
};

static const struct check out_of_order[] = {
    {PROBE_RCPT_BEFORE_MAIL, "RCPT TO:<postmaster>", {503, 530, 538}},
    {PROBE_DATA_BEFORE_MAIL, "DATA", {503, 554, 530, 538}},
    {PROBE_NOOP, "noop", {250}},
};

static const struct check plain[] = {
    {PROBE_VRFY, "VRFY postmaster", {252, 250, 251, 502, 530, 538, 550, 551, 553, 554}},
    {PROBE_HELP, "HELP", {211, 214, 500, 502, 504, 530, 538}},
    {PROBE_PARAMETERS, "RSET now", {501, 530, 538}},
    {PROBE_UNKNOWN_VERB, "XPROBE", {500, 530, 538}},
};

static bool is_right(const struct check *c, int code)
{
    for (size_t i = 0; i < CODES_MAX && c->right[i]; i++)
        if (c->right[i] == code)
            return true;
    return false;
}

static void judge(struct probe_look *l, enum probe_finding_id id, bool right)
{
    probe_tell_as(&l->port->findings, id, right ? PROBE_LEVEL_OK : probe_kind(id)->level, l->wire.text, NULL,
                  NULL);
}

/* 421 and a closed connection: the server has had enough, which is its right. */
static bool ask(struct probe_look *l, const char *line)
{
    enum probe_step step = probe_wire_ask(&l->wire, line);
    if (step == PROBE_CLOSED || (step == PROBE_DONE && l->wire.code == 421))
        return false;
    return step == PROBE_DONE || probe_step_failed(l, step, line);
}

/* false: the connection is of no more use. */
static bool run(struct probe_look *l, const struct check *c)
{
    if (!ask(l, c->line))
        return false;
    if (l->wire.code == 354) {
        probe_tell(&l->port->findings, PROBE_DATA_OPEN, l->wire.text, NULL, NULL);
        return false;
    }
    if (c->id == PROBE_VRFY && (l->wire.code == 250 || l->wire.code == 251))
        probe_tell(&l->port->findings, PROBE_VRFY_TELLS, l->wire.text, NULL, NULL);
    else
        judge(l, c->id, is_right(c, l->wire.code));
    return true;
}

/* RCPT in the group must be refused, or the server takes mail without a sender. */
static void run_group(struct probe_look *l)
{
    char told[PROBE_ARGUMENT_MAX] = "";
    static const int wanted[][4] = {{250}, {503, 530, 538}, {250}};
    size_t n = 0;
    bool right = true;
    if (!probe_keyword(probe_offer(l->port), "PIPELINING"))
        return;
    probe_wire_say(&l->wire, "RSET\r\nRCPT TO:<postmaster>\r\nNOOP\r\n");
    for (size_t i = 0; i < 3; i++) {
        enum probe_step step = probe_wire_hear(&l->wire, l->wire.timeout_ms);
        bool good = false;
        for (size_t k = 0; k < 4 && wanted[i][k]; k++)
            good = good || (step == PROBE_DONE && l->wire.code == wanted[i][k]);
        right = right && good;
        n += (size_t)snprintf(told + n, sizeof told - n, "%s%s", i ? ", " : "",
                              step == PROBE_DONE ? l->wire.text : "no reply");
        n = n < sizeof told ? n : sizeof told - 1;
        if (step != PROBE_DONE)
            break;
    }
    probe_tell_as(&l->port->findings, PROBE_PIPELINING_ORDER, right ? PROBE_LEVEL_OK : PROBE_LEVEL_FAULT,
                  told, NULL, NULL);
}

/* Where MAIL is not let in, as for strangers on a submission port, nothing can be seen. */
static void run_reset(struct probe_look *l)
{
    char ehlo[PROBE_HOST_MAX + 8];
    snprintf(ehlo, sizeof ehlo, "EHLO %s", l->probe->plan->hello);
    if (!ask(l, "MAIL FROM:<>") || l->wire.code != 250)
        return;
    if (!ask(l, ehlo) || l->wire.code != 250 || !ask(l, "RCPT TO:<postmaster>"))
        return;
    judge(l, PROBE_EHLO_RESETS, l->wire.code / 100 != 2);
    (void)ask(l, "RSET"); /* whatever comes: QUIT is next */
}

/* RFC 3207 4.2: what stands behind STARTTLS in clear must not be obeyed within TLS. */
static void run_injection(struct probe_look *l)
{
    char ehlo[PROBE_HOST_MAX + 8];
    snprintf(ehlo, sizeof ehlo, "EHLO %s", l->probe->plan->hello);
    if (l->port->tls != PROBE_TLS_STARTTLS || !probe_connect_again(l) || !ask(l, ehlo))
        return;
    probe_wire_say(&l->wire, "STARTTLS\r\nXINJECT\r\n");
    enum probe_step step = probe_wire_hear(&l->wire, l->wire.timeout_ms);
    bool obeyed = false;
    if (step == PROBE_DONE && l->wire.code == 220 &&
        probe_wire_secure(&l->wire, l->probe->tls, &l->expected) == PROBE_DONE) {
        step = probe_wire_ask(&l->wire, ehlo);
        obeyed = step == PROBE_DONE && l->wire.code != 250;
    }
    if (step == PROBE_SPENT)
        return;
    probe_tell_as(&l->port->findings, PROBE_INJECTION, obeyed ? PROBE_LEVEL_FAULT : PROBE_LEVEL_OK,
                  obeyed ? l->wire.text : NULL, NULL, NULL);
}

static void leave(struct probe_look *l)
{
    if (l->wire.stream)
        probe_wire_say(&l->wire, "QUIT\r\n");
    (void)probe_wire_hear(&l->wire, l->wire.timeout_ms / 4); /* the reply decides nothing here */
    probe_wire_hang_up(&l->wire);
}

static void run_all(struct probe_look *l, const struct check *checks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!run(l, &checks[i]))
            return;
}

void probe_order(struct probe_look *l)
{
    if (probe_connect_again(l) && ask(l, "RSET")) {
        judge(l, PROBE_RSET_BEFORE_EHLO, l->wire.code == 250 || l->wire.code == 530);
        leave(l);
    }
    if (probe_ready_again(l)) {
        run_all(l, out_of_order, sizeof out_of_order / sizeof *out_of_order);
        leave(l);
    }
    if (probe_ready_again(l)) {
        run_all(l, plain, sizeof plain / sizeof *plain);
        leave(l);
    }
    if (probe_ready_again(l)) {
        run_group(l);
        run_reset(l);
        leave(l);
    }
    run_injection(l);
    probe_wire_hang_up(&l->wire);
}
