#include "drive.h"

#include "base/view.h"
#include "book.h"
#include "host.h"
#include "oracle.h"
#include "smtp/server.h"

#include <stdio.h>
#include <string.h>

#define BIG_COUNT "BDAT 1001\r\n"
static char big[sizeof(BIG_COUNT) - 1 + ORACLE_SIZE_MAX + 1];

static const struct {
    const char *input, *line;
} typed[ORACLE_N] = {
#define X(name, input, line) [ORACLE_##name] = {input, line},
    ORACLE_COMMANDS(X)
#undef X
};

static struct sp_view line_of(unsigned command)
{
    return command == ORACLE_BDAT_BIG ? sp_view_make(big, sizeof(big)) : sp_view_of(typed[command].line);
}

/* Every mail that was begun ends in a stored message or in MAIL_DROPPED. */
struct node {
    struct sp_server session;
    struct oracle oracle;
    unsigned begun, stored, dropped;
    bool closed;
};

enum { PATH_MAX_N = 16 };
static unsigned path[PATH_MAX_N], path_n;

static bool fail_here(struct drive *d, const char *what, int wanted, int got)
{
    const struct drive_listener *l = &d->listener;
    size_t n = (size_t)snprintf(
        d->fault, sizeof(d->fault),
        "%s: wanted %d, got %d (starttls %d, tls %d%d, auth %d%d, lmtp %d, ext %d) after ", what, wanted, got,
        l->starttls, l->tls_required, l->implicit_tls, l->auth_required, l->clear_auth, l->lmtp, l->extended);
    for (unsigned i = 0; i < path_n && n < sizeof(d->fault); i++) {
        struct sp_view line = line_of(path[i]);
        n += (size_t)snprintf(d->fault + n, sizeof(d->fault) - n, "%.*s; ", (int)sp_view_find(line, '\r', 0),
                              (const char *)line.p);
    }
    return false;
}

static const struct sp_refusal no_550 = {550, "5.7.1", "refused", SP_LIT_INIT("No")};
static const struct sp_refusal no_502 = {502, "5.5.1", "expn-off", SP_LIT_INIT("No")};
static const struct sp_refusal no_535 = {535, "5.7.8", "auth-failed", SP_LIT_INIT("No")};

static int answer(struct sp_server *s, const struct sp_server_event *e)
{
    const struct sp_refusal *no = NULL;
    if (e->type == SP_SERVER_ASK_EXPN)
        no = &no_502;
    if (e->type == SP_SERVER_ASK_AUTH && !sp_view_eq(e->as.auth.initial, SP_LIT("\0demo\0secret")))
        no = &no_535;
    if (e->type == SP_SERVER_ASK_MAIL && sp_view_eq(e->as.mail.sender.local, SP_LIT("nobody")))
        no = &no_550;
    if (e->type == SP_SERVER_ASK_RCPT && sp_view_eq(e->as.rcpt.recipient.local, SP_LIT("nobody")))
        no = &no_550;
    if (e->type == SP_SERVER_ASK_HELLO && sp_view_eq(e->as.hello.domain, SP_LIT("refused.example")))
        no = &no_550;
    return no ? sp_server_no(s, no) : sp_server_yes(s, (struct sp_view){0});
}

static bool drain(struct drive *d, struct node *n)
{
    struct sp_server_event e;
    while (sp_server_event(&n->session, &e) != SP_SERVER_NOTHING) {
        if (e.type <= SP_SERVER_ASK_XFORWARD) {
            bool was = sp_server_in_transaction(&n->session);
            if (answer(&n->session, &e) != SP_OK)
                return fail_here(d, "answer", SP_OK, -1);
            n->begun += e.type == SP_SERVER_ASK_MAIL && !was && sp_server_in_transaction(&n->session);
            n->stored += e.type == SP_SERVER_ASK_END && e.as.end.recipient == 0;
        }
        n->dropped += e.type == SP_SERVER_MAIL_DROPPED;
        n->closed = n->closed || e.type == SP_SERVER_CLOSED;
    }
    return true;
}

/* So many replies, each with the same code and fit for the law book; the code. */
static bool judge(struct drive *d, const char *input, struct sp_view out, unsigned replies, int *code_out)
{
    *code_out = book_code(out);
    unsigned n = 0;
    while (out.len > 0) {
        size_t len = book_reply_len(out);
        struct sp_view reply = sp_view_sub(out, 0, len);
        const char *fault = len ? book_fault(input, reply) : "half a reply";
        if (fault || book_code(reply) != *code_out)
            return fail_here(d, fault ? fault : "another code", *code_out, book_code(reply));
        out = sp_view_from(out, len);
        n++;
    }
    return n == replies || fail_here(d, "number of replies", (int)replies, (int)n);
}

static bool type_line(struct drive *d, struct node *n, const char *input, struct sp_view line,
                      unsigned replies, int *code_out)
{
    while (line.len > 0 && !n->closed) {
        size_t used = 0;
        struct sp_view piece = sp_view_sub(line, 0, d->cut ? d->cut : line.len);
        if (sp_server_feed(&n->session, piece, 1, &used) != SP_OK)
            return fail_here(d, "feed", SP_OK, -1);
        line = sp_view_from(line, used);
        if (!drain(d, n))
            return false;
    }
    struct sp_view out = sp_server_output(&n->session);
    if (!judge(d, input, out, replies, code_out))
        return false;
    sp_server_sent(&n->session, out.len);
    /* What goes with the next feed goes now, so that a copy shares nothing. */
    sp_buf_fini(&n->session.out);
    sp_buf_fini(&n->session.xtext);
    smtp_line_release(&n->session.line);
    n->session.line_read = false;
    return true;
}

static bool compare_facts(struct drive *d, const struct node *n)
{
    const struct oracle *o = &n->oracle;
    const struct sp_server *s = &n->session;
    bool open = n->begun > n->stored + n->dropped, wanted = o->sender && !o->closed;
    if (sp_server_is_tls(s) != o->tls)
        return fail_here(d, "tls", o->tls, !o->tls);
    if (!o->closed && (sp_server_is_esmtp(s) != o->esmtp || sp_server_is_authenticated(s) != o->user))
        return fail_here(d, "esmtp or user", o->esmtp, o->user);
    if (sp_server_in_transaction(s) != wanted || open != wanted)
        return fail_here(d, "mail", wanted, open);
    return n->closed == o->closed || fail_here(d, "closed", o->closed, n->closed);
}

static bool run_command(struct drive *d, struct node *n, unsigned command)
{
    unsigned replies;
    int wanted = oracle_reply(&n->oracle, command, &replies), got = 0;
    const char *input = typed[command].input;
    bool message = wanted == 250 && command == ORACLE_DATA;
    if (!type_line(d, n, input, line_of(command), message ? 1 : replies, &got))
        return false;
    if (got == 354 && !type_line(d, n, "message", SP_LIT("Subject: x\r\n\r\n..\r\n.\r\n"), replies, &got))
        return false;
    if (got == 220 && command == ORACLE_STARTTLS && sp_server_secured(&n->session, 1) != SP_OK)
        return fail_here(d, "secured", SP_OK, -1);
    return got == wanted ? compare_facts(d, n) : fail_here(d, "code", wanted, got);
}

static bool drive_from(struct drive *d, const struct node *from, unsigned depth)
{
    for (unsigned c = 0; c < d->commands; c++) {
        struct node n = *from;
        path[path_n++] = c;
        d->sequences++;
        if (!run_command(d, &n, c))
            return false;
        if (depth > 1 && !n.closed && !drive_from(d, &n, depth - 1))
            return false;
        path_n--;
    }
    return true;
}

static bool begin(struct drive *d, struct node *root)
{
    int code;
    if (sp_server_open(&root->session, d->listener.implicit_tls, 0) != SP_OK || !drain(d, root) ||
        !judge(d, "connect", sp_server_output(&root->session), 1, &code) || code != 220)
        return fail_here(d, "greeting", 220, 0);
    sp_server_set_wall(&root->session, HOST_WALL_MS);
    sp_server_sent(&root->session, sp_server_output(&root->session).len);
    sp_buf_fini(&root->session.out);
    return true;
}

bool drive_run(struct drive *d)
{
    const struct drive_listener *l = &d->listener;
    struct sp_server_options o = host_options();
    struct host_memory memory = {0};
    struct sp_allocator alloc = host_allocator(&memory);
    struct sp_server *s = NULL;
    memset(big, 'a', sizeof(big));
    memcpy(big, BIG_COUNT, sizeof(BIG_COUNT) - 1);
    o.starttls = l->starttls;
    o.tls_required = l->tls_required;
    o.auth_required = l->auth_required;
    o.lmtp = l->lmtp;
    o.extensions = l->extended ? (SP_EXT_XFORWARD << 1) - 1 : 0;
    o.max_message_octets = ORACLE_SIZE_MAX;
    if (!l->clear_auth)
        o.mechanisms_plain = (struct sp_view){0};
    d->fault[0] = 0;
    path_n = 0;
    if (sp_server_new(&o, &alloc, &s) != SP_OK)
        return fail_here(d, "new", SP_OK, -1);
    struct node root = {.session = *s,
                        .oracle = {.tls_required = l->tls_required,
                                   .auth_required = l->auth_required,
                                   .clear_auth = l->clear_auth,
                                   .starttls = l->starttls,
                                   .lmtp = l->lmtp,
                                   .extended = l->extended,
                                   .tls = l->implicit_tls}};
    root.session.rules = d->rules;
    bool good = begin(d, &root);
    for (unsigned i = 0; good && i < d->first_n; i++) {
        path[path_n++] = d->first[i];
        good = run_command(d, &root, d->first[i]);
    }
    good = good && drive_from(d, &root, d->depth);
    sp_server_free(s);
    return good && (memory.out_blocks == 0 || fail_here(d, "memory", 0, (int)memory.out_blocks));
}
