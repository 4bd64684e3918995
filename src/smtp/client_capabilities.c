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

static void learn_line(struct sp_client *s, struct sp_view line)
{
    struct sp_client_capabilities *c = &s->capabilities;
    struct sp_view keyword;
    if (sp_view_starts_nocase(line, SP_LIT("AUTH="))) {
        learn_auth(s, sp_view_from(line, 5));
        return;
    }
    if (!sp_view_word(&line, ' ', &keyword))
        return;
    struct sp_view words = sp_view_trim(line);
    if (sp_view_eq_nocase(keyword, SP_LIT("PIPELINING")))
        c->pipelining = true;
    else if (sp_view_eq_nocase(keyword, SP_LIT("8BITMIME")))
        c->eight_bit = true;
    else if (sp_view_eq_nocase(keyword, SP_LIT("STARTTLS")))
        c->starttls = true;
    else if (sp_view_eq_nocase(keyword, SP_LIT("ENHANCEDSTATUSCODES")))
        c->enhanced = true;
    else if (sp_view_eq_nocase(keyword, SP_LIT("AUTH")))
        learn_auth(s, words);
    else if (sp_view_eq_nocase(keyword, SP_LIT("SIZE"))) {
        c->size = true;
        if (sp_view_u64(words, UINT64_MAX, &c->size_max))
            c->size_max = 0; /* none given, or not a number: no limit is known */
    }
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
