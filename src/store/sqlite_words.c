/* What MAIL and RCPT asked, as the words and numbers that an operator reads in the tables. */
#include "store/sqlite.h"

#include "base/view.h"

static const char *const bodies[] = {
    [SP_BODY_7BIT] = "7bit", [SP_BODY_8BITMIME] = "8bitmime", [SP_BODY_BINARYMIME] = "binarymime"};
static const char *const rets[] = {[SP_RET_UNSAID] = "", [SP_RET_FULL] = "full", [SP_RET_HDRS] = "hdrs"};
static const char *const modes[] = {
    [SP_BY_UNSAID] = "", [SP_BY_RETURN] = "return", [SP_BY_NOTIFY] = "notify"};

static const struct {
    unsigned bit;
    struct sp_view word;
} notices[] = {{SP_NOTIFY_NEVER, SP_LIT_INIT("never")},
               {SP_NOTIFY_SUCCESS, SP_LIT_INIT("success")},
               {SP_NOTIFY_FAILURE, SP_LIT_INIT("failure")},
               {SP_NOTIFY_DELAY, SP_LIT_INIT("delay")}};
enum { NOTICE_N = sizeof notices / sizeof *notices, NOTICES_MAX = 64 };

static uint8_t number_of(const char *const *words, size_t n, struct sp_view word)
{
    for (size_t i = 0; i < n; i++)
        if (sp_view_eq(word, sp_view_of(words[i])))
            return (uint8_t)i;
    return 0; /* the schema's CHECK allows no other word */
}

static void bind_number(sqlite3_stmt *st, int at, int64_t n)
{
    (void)sqlite3_bind_int64(st, at, n); /* a failed bind shows in the step */
}

void sqlite_bind_mail_parameters(sqlite3_stmt *st, int to, const struct sp_mail_parameters *p)
{
    database_bind_text(st, to, sp_view_of(bodies[p->body]));
    bind_number(st, to + 1, p->utf8);
    bind_number(st, to + 2, p->require_tls);
    database_bind_text(st, to + 3, sp_view_of(rets[p->ret]));
    database_bind_text(st, to + 4, p->envid);
    database_bind_text(st, to + 5, p->auth);
    database_bind_text(st, to + 6, sp_view_of(modes[p->by]));
    bind_number(st, to + 7, p->by_trace);
    bind_number(st, to + 8, p->by_ms);
    bind_number(st, to + 9, p->hold_until_ms);
    bind_number(st, to + 10, p->priority);
}

struct sp_mail_parameters sqlite_mail_parameters(sqlite3_stmt *st, int from)
{
    return (struct sp_mail_parameters){
        .body = number_of(bodies, sizeof bodies / sizeof *bodies, database_text(st, from)),
        .utf8 = sqlite3_column_int(st, from + 1),
        .require_tls = sqlite3_column_int(st, from + 2),
        .ret = number_of(rets, sizeof rets / sizeof *rets, database_text(st, from + 3)),
        .envid = database_text(st, from + 4),
        .auth = database_text(st, from + 5),
        .by = number_of(modes, sizeof modes / sizeof *modes, database_text(st, from + 6)),
        .by_trace = sqlite3_column_int(st, from + 7),
        .by_ms = sqlite3_column_int64(st, from + 8),
        .hold_until_ms = sqlite3_column_int64(st, from + 9),
        .priority = (int8_t)sqlite3_column_int(st, from + 10),
    };
}

/* "success,failure" */
void sqlite_bind_rcpt_parameters(sqlite3_stmt *st, int to, const struct sp_rcpt_parameters *p)
{
    char text[NOTICES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < NOTICE_N; i++) {
        if (!(p->notify & notices[i].bit))
            continue;
        if (n > 0)
            text[n++] = ',';
        memcpy(text + n, notices[i].word.p, notices[i].word.len);
        n += notices[i].word.len;
    }
    (void)sqlite3_bind_text(st, to, text, (int)n, SQLITE_TRANSIENT); /* a failed bind shows in the step */
    database_bind_text(st, to + 1, p->orcpt);
}

struct sp_rcpt_parameters sqlite_rcpt_parameters(sqlite3_stmt *st, int from)
{
    struct sp_view words = database_text(st, from), word;
    struct sp_rcpt_parameters p = {.orcpt = database_text(st, from + 1)};
    while (sp_view_word(&words, ',', &word))
        for (size_t i = 0; i < NOTICE_N; i++)
            if (sp_view_eq(word, notices[i].word))
                p.notify |= (uint8_t)notices[i].bit;
    return p;
}
