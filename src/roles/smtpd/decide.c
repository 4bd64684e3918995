#include "roles/smtpd/decide.h"

#include "base/view.h"
#include "os/clock.h"
#include "os/heap.h"
#include "roles/smtpd/exchange.h"
#include "roles/smtpd/log.h"
#include "roles/smtpd/mail.h"
#include "roles/smtpd/peer.h"
#include "roles/smtpd/policy.h"
#include "roles/smtpd/room.h"
#include "roles/smtpd/terms.h"
#include "smtp/grammar.h"

#include <stdlib.h>

static const struct sp_view own_text; /* empty: the table's own words */

static int accept_it(struct session *s) { return sp_server_yes(s->engine, own_text); }

static int refuse(struct session *s, const char *at, enum smtpd_refusal why, struct sp_view about)
{
    log_refused(s, at, why, about);
    return sp_server_no(s->engine, smtpd_refusal(why));
}

static int decide_open(struct session *s)
{
    if (s->at_door != SMTPD_FINE)
        return refuse(s, "connect", s->at_door, own_text);
    if (s->terms->greet_pause_ms == 0)
        return accept_it(s);
    s->wait = WAIT_SILENCE;
    s->greet_at_ms = os_mono_ms() + s->terms->greet_pause_ms;
    return SP_OK;
}

int decide_silence(struct session *s, bool kept)
{
    s->wait = WAIT_NOTHING;
    return kept ? accept_it(s) : refuse(s, "connect", SMTPD_TALKED_EARLY, own_text);
}

static int decide_hello(struct session *s, struct sp_view domain)
{
    free(s->hello);
    s->hello = os_text(domain);
    return accept_it(s);
}

static int decide_mail(struct session *s, const struct sp_server_event *ev)
{
    const struct sp_path *sender = &ev->as.mail.sender;
    if (s->senders && !policy_may_send(sp_view_of(s->senders), sender))
        return refuse(s, "MAIL", SMTPD_SENDER_NOT_YOURS, sender->text);
    if (!policy_is_domain(sender->domain))
        return refuse(s, "MAIL", SMTPD_BAD_DOMAIN, sender->text);
    if (!room_for_mail(s->smtpd))
        return refuse(s, "MAIL", SMTPD_SERVER_BUSY, sender->text);
    struct sp_mail_parameters p = ev->as.mail.parameters;
    bool trusted = sp_server_is_authenticated(s->engine); /* RFC 4954 5: of nobody else is AUTH= believed */
    if (!trusted && p.priority > 0) /* RFC 6710 5.2: whoever is not trusted does not overtake */
        p.priority = 0;
    s->mail = mail_begin(s, &ev->as.mail.sender, &p, trusted);
    return accept_it(s);
}

/* A recipient, and what it stands for. */
struct taking {
    struct session *s;
    struct sp_view said;
    const struct sp_rcpt_parameters *asked;
    int status; /* the first failure */
};

static void take_target(void *ctx, struct sp_view address, const struct config_route *route)
{
    struct taking *t = ctx;
    if (t->status == SP_OK)
        t->status = mail_add_recipient(t->s->mail, t->said, address, route->name, t->asked);
}

static int decide_recipient(struct session *s, const struct sp_server_event *ev)
{
    const struct sp_path *recipient = &ev->as.rcpt.recipient;
    struct taking taking = {s, recipient->text, &ev->as.rcpt.parameters, SP_OK};
    struct recipients_mark mark = recipients_mark(&s->mail->recipients);
    bool may_relay = sp_server_is_authenticated(s->engine) || terms_may_relay(s->terms, &s->address);
    enum smtpd_refusal why = room_for_mail(s->smtpd) ? SMTPD_FINE : SMTPD_SERVER_BUSY;
    if (why == SMTPD_FINE)
        why = policy_recipient(s->smtpd->role->addresses, s->smtpd->role->config, may_relay,
                               sp_buf_view(&s->mail->sender), recipient, take_target, &taking);
    if (taking.status != SP_OK) {
        recipients_rewind(&s->mail->recipients, mark);
        why = taking.status == SP_ERR_LONG ? SMTPD_TOO_MANY_TARGETS : SMTPD_SERVER_BUSY;
    }
    if (why != SMTPD_FINE)
        return refuse(s, "RCPT", why, recipient->text);
    return accept_it(s);
}

static int decide_data(struct session *s)
{
    enum smtpd_refusal why = room_for_mail(s->smtpd) ? mail_open(s->mail) : SMTPD_SERVER_BUSY;
    return why == SMTPD_FINE ? accept_it(s) : refuse(s, "DATA", why, sp_buf_view(&s->mail->sender));
}

/* One store for all: the other recipients of an LMTP message are told the same. */
static int repeat_end(struct session *s)
{
    return s->end_text[0] ? sp_server_yes(s->engine, sp_view_of(s->end_text))
                          : sp_server_no(s->engine, smtpd_refusal(s->end_refusal));
}

static int decide_end(struct session *s, uint32_t recipient)
{
    if (recipient > 0)
        return repeat_end(s);
    enum smtpd_refusal why = mail_submit(s->mail);
    if (why == SMTPD_FINE)
        return SP_OK;
    if (why == SMTPD_FROM_NOT_YOURS || why == SMTPD_FROM_UNREADABLE)
        log_refused(s, "message", why, mail_refused_author(s->mail));
    else
        log_not_stored(s->mail, why);
    mail_drop(s->mail);
    s->end_text[0] = 0;
    s->end_refusal = why;
    return sp_server_no(s->engine, smtpd_refusal(why));
}

/* A refusal counts for limits/errors: who guesses at signatures may not do so here without end. */
static bool is_nobody(enum smtpd_refusal why)
{
    return why == SMTPD_UNKNOWN_RECIPIENT || why == SMTPD_SRS_FORGED || why == SMTPD_SRS_EXPIRED;
}

/* What VRFY and EXPN ask for: without brackets, and without the parameter that says that the client reads
 * UTF-8 (RFC 6531 3.7.4.2). */
static struct sp_view asked_for(struct sp_view words)
{
    static const struct sp_view parameter = SP_LIT_INIT(" SMTPUTF8");
    size_t len = words.len < parameter.len ? 0 : words.len - parameter.len;
    if (len > 0 && sp_view_eq_nocase(sp_view_from(words, len), parameter))
        words = sp_view_sub(words, 0, len);
    if (words.len > 1 && words.p[0] == '<' && words.p[words.len - 1] == '>')
        words = sp_view_sub(words, 1, words.len - 2);
    return words;
}

/* 252 for what cannot be told, and where nobody wants to (RFC 5321 3.5.3, 7.3); also for what no reply in
 * ASCII could name. */
static int decide_verify(struct session *s, struct sp_view words)
{
    struct sp_path mailbox;
    struct smtp_fault fault;
    struct sp_view text = asked_for(words);
    if (!s->terms->verifies || smtp_mailbox_parse(text, true, &mailbox, &fault) != SP_OK)
        return accept_it(s);
    enum smtpd_refusal why = policy_mailbox(s->smtpd->role->addresses, s->smtpd->role->config, &mailbox);
    if (why == SMTPD_FINE)
        return sp_view_is_ascii(text) ? sp_server_yes(s->engine, text) : accept_it(s);
    return is_nobody(why) ? refuse(s, "VRFY", why, text) : accept_it(s);
}

static void add_expanded(void *ctx, struct sp_view address, const struct config_route *route)
{
    struct sp_buf *text = ctx;
    (void)route;
    if (text->len)
        sp_buf_add_u8(text, '\n');
    sp_buf_add_u8(text, '<');
    sp_buf_add(text, address);
    sp_buf_add_u8(text, '>'); /* one that is full is no answer, see below */
}

/* What an address stands for, for users of a listener that verifies; 252 for what cannot be told. */
static int decide_expand(struct session *s, struct sp_view words)
{
    enum { EXPANDED_MAX = 32768 };
    struct sp_view name = asked_for(words);
    if (!s->terms->verifies || !sp_server_is_authenticated(s->engine))
        return refuse(s, "EXPN", SMTPD_EXPN_OFF, own_text);
    /* Lists have domains; of which one a bare name would be is not said. */
    if (sp_view_find(name, '@', 0) == name.len)
        return accept_it(s);
    struct sp_buf text;
    sp_buf_init(&text, &os_heap, EXPANDED_MAX);
    enum smtpd_refusal why =
        policy_expand(s->smtpd->role->addresses, s->smtpd->role->config, name, add_expanded, &text);
    bool told = why == SMTPD_FINE && sp_buf_status(&text) == SP_OK && sp_view_is_ascii(sp_buf_view(&text));
    int status = is_nobody(why) ? refuse(s, "EXPN", why, words)
                                : sp_server_yes(s->engine, told ? sp_buf_view(&text) : own_text);
    sp_buf_fini(&text);
    return status;
}

/* RFC 1985: of the domains that the configuration knows, for who may relay. */
static int decide_etrn(struct session *s, struct sp_view words)
{
    bool below = sp_view_starts(words, SP_LIT("@"));
    struct sp_view domain = sp_view_from(words, below);
    bool may = sp_server_is_authenticated(s->engine) || terms_may_relay(s->terms, &s->address) ||
               terms_trusts_peer(s->terms, &s->address);
    if (!may || !config_find_domain(s->smtpd->role->config, domain))
        return refuse(s, "ETRN", SMTPD_ETRN_DENIED, words);
    struct os_edge *queue = role_peer_for(s->smtpd->role, IPC_QUEUE, 0);
    if (!queue)
        return refuse(s, "ETRN", SMTPD_ETRN_UNAVAILABLE, words);
    struct ipc_message m = {.type = IPC_TYPE_retry_domain, .as.retry_domain = {domain, below}};
    (void)os_edge_send(queue, &m); /* a queue that goes away tries what is due when it is back */
    return accept_it(s);
}

static int decide_client(struct session *s, const struct sp_server_peer *peer)
{
    peer_is_client(s, peer);
    return accept_it(s);
}

static int decide_forward(struct session *s, const struct sp_server_peer *peer)
{
    peer_forwards(s, peer);
    return accept_it(s);
}

int decide(struct session *s, const struct sp_server_event *ev)
{
    switch (ev->type) {
    case SP_SERVER_ASK_OPEN:
        return decide_open(s);
    case SP_SERVER_ASK_HELLO:
        return decide_hello(s, ev->as.hello.domain);
    case SP_SERVER_ASK_AUTH:
        return exchange_begin(s, ev);
    case SP_SERVER_ASK_ANSWER:
        return exchange_answer(s, ev->as.answer);
    case SP_SERVER_ASK_MAIL:
        return decide_mail(s, ev);
    case SP_SERVER_ASK_RCPT:
        return decide_recipient(s, ev);
    case SP_SERVER_ASK_VRFY:
        return decide_verify(s, ev->as.words);
    case SP_SERVER_ASK_EXPN:
        return decide_expand(s, ev->as.words);
    case SP_SERVER_ASK_ETRN:
        return decide_etrn(s, ev->as.words);
    case SP_SERVER_ASK_DATA:
        return decide_data(s);
    case SP_SERVER_ASK_END:
        return decide_end(s, ev->as.end.recipient);
    case SP_SERVER_CONTENT:
        mail_add(s->mail, ev->as.content);
        return SP_OK;
    case SP_SERVER_AUTH_GIVEN_UP:
        exchange_drop(s, sp_server_last_reason(s->engine));
        return SP_OK;
    case SP_SERVER_MAIL_DROPPED:
        if (s->mail)
            mail_drop(s->mail);
        return SP_OK;
    case SP_SERVER_ASK_XCLIENT:
        return decide_client(s, &ev->as.peer);
    case SP_SERVER_ASK_XFORWARD:
        return decide_forward(s, &ev->as.peer);
    case SP_SERVER_START_TLS:
    case SP_SERVER_CLOSED:
    case SP_SERVER_NOTHING:
        break; /* the session's own */
    }
    return SP_OK;
}
