/* Refusals of what a message is, or of who sends it. */
#include "reference/reference.h"

#include "base/view.h"

/* Security codes that speak of the session or of the recipient's rights, not of this message (RFC 3463 3.8,
 * 4954 6, 6710 9, 7293 8, 8689 7; Microsoft's of logging in and of its outgoing TLS). */
static const struct {
    int low, high;
} others[] = {{3, 6}, {8, 19}, {30, 30}, {57, 57}, {139, 139}, {320, 325}};

/* What such replies say, at the start of a word; lower case. */
static const char *const words[] = {"abus",
                                    "backscatter",
                                    "bad reputation",
                                    "banned",
                                    "barracuda",
                                    "black list",
                                    "blacklist",
                                    "block list",
                                    "blocked",
                                    "blocklist",
                                    "bulk mail",
                                    "content rejected",
                                    "content-rejected",
                                    "content filter",
                                    "denylist",
                                    "dkim",
                                    "dmarc",
                                    "dnsbl",
                                    "forbidden for policy",
                                    "illegal attachment",
                                    "infected",
                                    "junk",
                                    "malicious",
                                    "malware",
                                    "message content",
                                    "phish",
                                    "policy",
                                    "poor reputation",
                                    "potential security issue",
                                    "prohibited content",
                                    "rbl",
                                    "reputation",
                                    "spam",
                                    "spf",
                                    "suspicious",
                                    "unsolicited",
                                    "uribl",
                                    "virus"};

/* And this is said of a server that does not take mail for others: no judgement, whatever its code. */
static const char *const relaying[] = {"relay", "not permitted to send to", "[unknown-recipient]"};

static bool is_letter(uint8_t c) { return sp_ascii_alpha(c) || c >= 0x80; }

static bool says(struct sp_view text, const char *word)
{
    struct sp_view w = sp_view_of(word);
    for (size_t i = 0; i + w.len <= text.len; i++)
        if ((i == 0 || !is_letter(text.p[i - 1])) && sp_view_starts_nocase(sp_view_from(text, i), w))
            return true;
    return false;
}

static bool says_one(struct sp_view text, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (says(text, list[i]))
            return true;
    return false;
}

static bool is_other(int detail)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (detail >= others[i].low && detail <= others[i].high)
            return true;
    return false;
}

bool reference_is_judgement(int code, struct sp_view text)
{
    struct reference_enhanced e = {0};
    size_t len = 0;
    bool coded = reference_enhanced_read(sp_view_trim(text), &e, &len);
    if (code < 400 || code == 530 || code == 534 || code == 535 || code == 538 ||
        says_one(text, relaying, sizeof relaying / sizeof *relaying))
        return false;
    if (coded && e.subject == 7 && !is_other(e.detail))
        return true;
    /* A code of addresses, mailboxes or ways says what it is; its text may still name a folder Spam. */
    bool vague =
        !coded || e.subject == 0 || e.subject == 3 || e.subject == 5 || e.subject == 6 || e.subject == 7;
    return vague && says_one(text, words, sizeof words / sizeof *words);
}
