/* What the reply to EHLO says the server can. RFC 5321 4.1.1.1: keyword, words; any case. */
#include "smtp/client_session.h"

#include "base/view.h"

void smtp_client_capabilities_forget(struct sp_client *s)
{
    s->capabilities = (struct sp_client_capabilities){0};
    sp_buf_clear(&s->hello_lines);
    sp_buf_clear(&s->auth_words);
}

/* "AUTH PLAIN LOGIN", and "AUTH=PLAIN LOGIN" of servers older than RFC 2554; both may be there. */
static void learn_auth(struct sp_client *s, struct sp_view words)
{
    struct sp_view word;
    while (sp_view_word(&words, ' ', &word)) {
        if (s->auth_words.len > 0)
            sp_buf_add_u8(&s->auth_words, ' ');
        sp_buf_add(&s->auth_words, word);
    }
}

/* A number of LIMITS has 1 to 6 digits and does not begin with 0 (RFC 9422 4); what is none is ignored. */
static void learn_limit(struct sp_client_capabilities *c, struct sp_view word)
{
    size_t equals = sp_view_find(word, '=', 0);
    struct sp_view name = sp_view_sub(word, 0, equals), value = sp_view_from(word, equals + 1);
    uint64_t n = 0;
    if (value.len == 0 || value.len > 6 || value.p[0] == '0' || sp_view_u64(value, 999999, &n))
        return;
    if (sp_view_eq_nocase(name, SP_LIT("MAILMAX")))
        c->limits.mail_max = (uint32_t)n;
    else if (sp_view_eq_nocase(name, SP_LIT("RCPTMAX")))
        c->limits.rcpt_max = (uint32_t)n;
    else if (sp_view_eq_nocase(name, SP_LIT("RCPTDOMAINMAX")))
        c->limits.rcpt_domain_max = (uint32_t)n;
}

/* Keywords of which it matters that they are there; SIZE and DELIVERBY have a number, too. */
static bool *find_flag(struct sp_client_capabilities *c, struct sp_view keyword)
{
    const struct {
        struct sp_view name;
        bool *flag;
    } flags[] = {
        {SP_LIT("PIPELINING"), &c->pipelining},
        {SP_LIT("8BITMIME"), &c->eight_bit},
        {SP_LIT("STARTTLS"), &c->starttls},
        {SP_LIT("ENHANCEDSTATUSCODES"), &c->enhanced},
        {SP_LIT("SIZE"), &c->size},
        {SP_LIT("CHUNKING"), &c->chunking},
        {SP_LIT("BINARYMIME"), &c->binary},
        {SP_LIT("SMTPUTF8"), &c->utf8},
        {SP_LIT("DSN"), &c->dsn},
        {SP_LIT("REQUIRETLS"), &c->require_tls},
        {SP_LIT("DELIVERBY"), &c->deliver_by},
        {SP_LIT("FUTURERELEASE"), &c->future_release},
        {SP_LIT("MT-PRIORITY"), &c->priority},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (sp_view_eq_nocase(keyword, flags[i].name))
            return flags[i].flag;
    return NULL;
}

static void learn_line(struct sp_client *s, struct sp_view line)
{
    struct sp_client_capabilities *c = &s->capabilities;
    struct sp_view keyword, word;
    if (sp_view_starts_nocase(line, SP_LIT("AUTH="))) {
        learn_auth(s, sp_view_from(line, 5));
        return;
    }
    if (!sp_view_word(&line, ' ', &keyword))
        return;
    struct sp_view words = sp_view_trim(line);
    bool *flag = find_flag(c, keyword);
    if (flag)
        *flag = true;
    if (flag == &c->size && sp_view_u64(words, UINT64_MAX, &c->size_max))
        c->size_max = 0; /* none given, or not a number: no limit is known */
    if (flag == &c->deliver_by && sp_view_u64(words, UINT64_MAX, &c->by_min_s))
        c->by_min_s = 0;
    if (sp_view_eq_nocase(keyword, SP_LIT("AUTH")))
        learn_auth(s, words);
    while (sp_view_eq_nocase(keyword, SP_LIT("LIMITS")) && sp_view_word(&words, ' ', &word))
        learn_limit(c, word);
}

int smtp_client_capabilities_learn(struct sp_client *s)
{
    smtp_client_capabilities_forget(s);
    s->capabilities.esmtp = true;
    sp_buf_add(&s->hello_lines, smtp_client_reply_view(&s->reply).lines);
    struct sp_view rest = sp_buf_view(&s->hello_lines), line;
    (void)sp_client_reply_line(&rest, &line); /* the first one names the server */
    while (sp_client_reply_line(&rest, &line))
        learn_line(s, sp_view_from(line, 4));
    s->capabilities.binary = s->capabilities.binary && s->capabilities.chunking; /* RFC 3030 3 */
    s->capabilities.auth = sp_buf_view(&s->auth_words);
    return s->hello_lines.failed ? s->hello_lines.failed : sp_buf_status(&s->auth_words);
}

bool sp_client_capability(const struct sp_client *s, struct sp_view keyword, struct sp_view *words_out)
{
    struct sp_view rest = sp_buf_view(&s->hello_lines), line, word;
    (void)sp_client_reply_line(&rest, &line);
    while (sp_client_reply_line(&rest, &line)) {
        line = sp_view_from(line, 4);
        if (sp_view_word(&line, ' ', &word) && sp_view_eq_nocase(word, keyword)) {
            *words_out = sp_view_trim(line);
            return true;
        }
    }
    return false;
}
