/* Refusals of policy that are told by their words or their enhanced code (RFC 3463, RFC 7372, RFC 7505). */
#include <string.h>

#include "diagnose/session.h"
#include "diagnose/text.h"

static bool is_null_mx(const struct session *s, const struct reply *r)
{
    (void)s;
    return r->code == 556;
}

static bool is_quota(const struct session *s, const struct reply *r)
{
    (void)s;
    return enhanced_is(r, 4, 5) && r->code == 550;
}

static bool is_declared_too_large(const struct session *s, const struct reply *r)
{
    return r->code == 552 && s->caps.size > 0 && s->declared_size > s->caps.size;
}

static bool is_sender_domain(const struct session *s, const struct reply *r)
{
    (void)s;
    return enhanced_is(r, 1, 8) && !diagnose_has(r->text, "outbound");
}

/* The first that fits is it. Providers gave registered enhanced codes a meaning of their own, so what they
 * say of a narrower cause stands before what is wider. */
enum { NUMBERS_MAX = 5 };
static const struct {
    enum diagnose_cause_id cause;
    double confidence;
    const char *words; /* as diagnose_has takes them */
    struct {
        int subject, from, to; /* x.SUBJECT.FROM to x.SUBJECT.TO */
    } numbers[NUMBERS_MAX];
    int silent; /* the code under which the words speak of something else */
    bool (*also)(const struct session *s, const struct reply *r);
} rules[] = {
    /* clang-format off */
    {DIAGNOSE_SERVER_LIMITS, 0.9,
     "unusual rate",
     .numbers = {{7, 28, 28}}},
    {DIAGNOSE_NO_REVERSE_DNS, 0.93,
     "cannot find your hostname|ptr record|reverse dns|rdns|reverse hostname|reverse host|"
     "bad helo|no ptr|fcrdns|ib108|reverse lookup",
     .numbers = {{7, 25, 25}, {7, 506, 506}}},
    {DIAGNOSE_GREYLISTED, 0.97,
     "greylist|graylist|grey list|gray list|grey-list|postgrey"},
    {DIAGNOSE_SENDER_NOT_ALLOWED, 0.93,
     "not owned by user|sendasdenied|send as|not owned by|not permitted to send as|"
     "not allowed to send as|sender address rejected: not logged in|"
     "sender*does not match*auth|does not belong to|from address*not allowed|"
     "sender*mismatch|not authorized to send on behalf|not have permissions to send as|"
     "must match*login|sender is not allowed|is not allowed to use|"
     "sender verify failed for auth|not allowed to send from",
     .numbers = {{7, 60, 60}, {2, 252, 252}}},
    {DIAGNOSE_BARE_LINE_FEED, 0.95,
     "bare lf|bare <lf>|bare line|bare newline|bare cr|bare <cr>|bare linefeed|stray lf|"
     "invalid line ending",
     .numbers = {{6, 11, 11}}},
    {DIAGNOSE_NULL_MX, 0.93,
     "null mx|nullmx|does not accept mail|domain*accepts no mail|does not accept email",
     .also = is_null_mx},
    {DIAGNOSE_SMTPUTF8_NEEDED, 0.93,
     "smtputf8|non-ascii address|internationali",
     .numbers = {{6, 7, 10}}},
    {DIAGNOSE_MAIL_LOOP, 0.93,
     "too many hops|hop count|routing loop|mail loop|loops back|looping|exceeded*hops|"
     "loop detected|too many received",
     .numbers = {{4, 6, 6}, {4, 14, 14}}},
    {DIAGNOSE_SENDING_QUOTA, 0.88,
     "daily*limit|daily*quota|sending limit|sending quota|message*per day|hourly*limit|"
     "limit for message recipients|outbound*limit|submission quota|submissionquota|"
     "exceeded*messages per|sending rate|monthly*limit",
     .numbers = {{1, 90, 90}},
     .also = is_quota},
    {DIAGNOSE_RELAY_DENIED, 0.93,
     "relay*denied|relaying denied|unable to relay|relay*not permitted|relaying not|"
     "not permitted to relay|relay*prohibited|relay not|we do not relay|not local|"
     "no relay|relay*disallowed|cannot relay|relay from|not a gateway|open relay|"
     "relay access|relaying is|relay is|authenticat*relay|domain is not hosted|"
     "not hosted here|rcpthosts|not our customer"},
    {DIAGNOSE_MAIL_UNAUTHENTICATED, 0.92,
     "dmarc|spf|dkim|unauthenticated|sender policy framework|authenticate with either|"
     "not aligned|authentication checks|requires all senders to authenticate|"
     "fails authentication|arc ",
     .numbers = {{7, 20, 24}, {7, 26, 27}, {7, 30, 30}, {7, 32, 32}, {7, 509, 509}},
     .silent = 530},
    {DIAGNOSE_IP_BLOCKED, 0.92,
     "blocked using|spamhaus|dnsbl|dns blacklist| rbl|rbl |block list|blocklist|blacklist|"
     "black list|barracuda|sorbs|s3150|[bl2|poor reputation|low reputation|banned sending|"
     "banned sender|listed at|listed in|listed by|listed on|is listed|spamcop|"
     "ip address*blocked|client host*blocked|bad reputation|reputation of",
     .numbers = {{7, 511, 511}, {7, 606, 649}}},
    {DIAGNOSE_TOO_MANY_RECIPIENTS, 0.93,
     "too many recipients|too much recipients|recipient limit|maximum recipients|"
     "max recipients|recipients exceeded|number of recipients|"
     "maximum number of recipients|multiple destination domains",
     .numbers = {{5, 3, 3}}},
    {DIAGNOSE_MAILBOX_FULL, 0.93,
     "mailbox is full|mailbox full|over quota|overquota|over-quota|quota exceed|"
     "exceeded*quota|out of storage|storage allocation|disk quota|quota full|"
     "exceeds*quota|inbox is full|insufficient quota|not enough*mailbox",
     .numbers = {{2, 2, 2}}},
    {DIAGNOSE_SERVER_STORAGE, 0.88,
     "insufficient system storage|insufficient storage|disk full|no space|out of disk|"
     "insufficient disk|system storage",
     .numbers = {{3, 1, 1}}},
    {DIAGNOSE_MESSAGE_TOO_LARGE, 0.93,
     "message size|too big|too large|size limit|maximum size|size exceeds|exceeds*size|"
     "exceeded*size|max*message size|oversize|message*exceed|larger than|fixed maximum",
     .numbers = {{3, 4, 4}, {2, 3, 3}},
     .also = is_declared_too_large},
    {DIAGNOSE_SENDER_DOMAIN_NOT_FOUND, 0.92,
     "sender address rejected: domain not found|unresolvable|sender domain|"
     "domain of sender|sender*not found|sender*does not exist|sender*does not resolve|"
     "sender*dns|domain*sender*exist|cannot resolve*sender|unroutable sender|"
     "sender address has null mx|domain must exist|sender verify",
     .also = is_sender_domain},
    /* clang-format on */
};

static bool has_number(size_t rule, const struct reply *r)
{
    for (size_t i = 0; r->class && i < NUMBERS_MAX && rules[rule].numbers[i].subject; i++)
        if (r->subject == rules[rule].numbers[i].subject && r->detail >= rules[rule].numbers[i].from &&
            r->detail <= rules[rule].numbers[i].to)
            return true;
    return false;
}

bool diagnose_judge_words(const struct session *s, const struct reply *r, struct judgement *j)
{
    struct diagnose_heard heard;
    diagnose_hear(r->text, strlen(r->text), &heard);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if ((r->code != rules[i].silent && diagnose_hears(&heard, rules[i].words)) || has_number(i, r) ||
            (rules[i].also && rules[i].also(s, r))) {
            *j = (struct judgement){.id = rules[i].cause, .confidence = rules[i].confidence};
            return true;
        }
    return false;
}
