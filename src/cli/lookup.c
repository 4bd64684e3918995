#include "cli/lookup.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/nearest.h"
#include "base/view.h"

enum { CHALLENGE_CODE = 334, CODE_LEN = 3 };

static char *join(const char *const *words, size_t n)
{
    size_t len = 1;
    for (size_t i = 0; i < n; i++)
        len += strlen(words[i]) + 1;
    char *joined = malloc(len), *p = joined;
    if (!joined)
        abort();
    for (size_t i = 0; i < n; i++)
        p = stpcpy(stpcpy(p, i ? " " : ""), words[i]);
    *p = '\0';
    while (p > joined && strchr(" \t\r\n", p[-1]))
        *--p = '\0';
    return joined;
}

static bool begins_with_code(const char *s)
{
    return sp_ascii_digit((uint8_t)s[0]) && sp_ascii_digit((uint8_t)s[1]) && sp_ascii_digit((uint8_t)s[2]) &&
           (s[CODE_LEN] == '\0' || s[CODE_LEN] == ' ' || s[CODE_LEN] == '-');
}

/* Behind the marks that swaks, telnet logs and our own transcripts put before a reply. */
static const char *skip_marks(const char *s)
{
    const char *reply = s + strspn(s, " \t<~-=*>");
    if (strncmp(reply, "S: ", 3) == 0)
        reply += 3;
    return begins_with_code(reply) ? reply : s + strspn(s, " \t");
}

/*
 * A challenge fit to be printed, quoted; NULL when it is not base64 or holds what no server asks. A NUL at
 * its end, which some servers send, is left out; binary challenges (NTLM) are not for people.
 */
static char *decode(const char *text)
{
    size_t len = strlen(text), n;
    uint8_t *octets = malloc(sp_base64_decoded_max(len) + 1);
    if (!octets)
        abort();
    bool printable = len > 0 && sp_base64_decode(sp_view_of(text), octets, &n) == SP_OK && n > 0;
    if (printable && octets[n - 1] == 0)
        n--;
    for (size_t i = 0; printable && i < n; i++)
        printable = octets[i] >= ' ' && octets[i] < 0x7f;
    char *quoted = NULL;
    if (printable && asprintf(&quoted, "\"%.*s\"", (int)n, (const char *)octets) < 0)
        abort();
    free(octets);
    return quoted;
}

static bool is_challenge(struct cli_lookup *l, const char *s)
{
    enum { SHORTEST = 8 };
    const struct reference_code *entry = reference_code_find(CHALLENGE_CODE);
    if (strlen(s) < SHORTEST)
        return false;
    l->decoded = decode(s);
    return l->decoded || (entry && reference_variant_find(entry, sp_view_of(s)));
}

static void read_enhanced(struct cli_lookup *l, const char *text, size_t *len_out)
{
    l->has_enhanced = reference_enhanced_read(sp_view_of(text), &l->enhanced, len_out);
    if (l->has_enhanced)
        l->meaning = reference_meaning_find(l->enhanced.subject, l->enhanced.detail);
}

static const struct reference_reason *find_reason(const char *s)
{
    struct sp_view id = reference_bracketed(sp_view_of(s));
    char lower[SP_WORD_MAX + 1];
    size_t n = 0;
    if (id.len == 0 || id.len + 2 != strlen(s))
        id = sp_view_of(s);
    for (; n < id.len && n < SP_WORD_MAX; n++)
        lower[n] = (char)sp_ascii_lower(id.p[n]);
    return n == id.len ? reference_reason_find(sp_view_make(lower, n)) : NULL;
}

static void read_reply(struct cli_lookup *l, const char *s)
{
    size_t len;
    l->code = atoi(s);
    l->entry = reference_code_find(l->code);
    l->kind = s[CODE_LEN] == '\0' ? CLI_LOOKUP_CODE : CLI_LOOKUP_REPLY;
    l->text = s[CODE_LEN] == '\0' ? s + CODE_LEN : s + CODE_LEN + 1;
    read_enhanced(l, l->text, &len);
    const struct reference_reason *reason = reference_reason_find(reference_bracketed(sp_view_of(l->text)));
    l->reason = reason && reason->code == l->code ? reason : NULL;
    if (l->code == CHALLENGE_CODE)
        l->decoded = decode(l->text);
    if (l->code < 200 || l->code > 599)
        l->kind = CLI_LOOKUP_NOTHING;
}

void cli_lookup(const char *const *words, size_t n, struct cli_lookup *l)
{
    *l = (struct cli_lookup){.words = join(words, n)};
    const char *s = skip_marks(l->words);
    size_t len = 0;
    l->text = s;
    if (strlen(s) > CLI_LOOKUP_TEXT_MAX)
        return;
    if (begins_with_code(s)) {
        read_reply(l, s);
        return;
    }
    read_enhanced(l, s, &len);
    l->reason = find_reason(s);
    if (l->has_enhanced) {
        l->kind = CLI_LOOKUP_ENHANCED;
        l->text = s + len;
    } else if (l->reason) {
        l->kind = CLI_LOOKUP_REASON;
    } else if (is_challenge(l, s)) {
        l->kind = CLI_LOOKUP_CHALLENGE;
        l->code = CHALLENGE_CODE;
        l->entry = reference_code_find(CHALLENGE_CODE);
    }
}

void cli_lookup_free(struct cli_lookup *l)
{
    free(l->decoded);
    free(l->words);
    *l = (struct cli_lookup){0};
}

/* Keep the nearest, in order. */
static void rank(struct cli_nearest *r, const char *name, size_t distance)
{
    size_t at = r->n;
    while (at > 0 && r->distance[at - 1] > distance)
        at--;
    if (at == CLI_NEAREST_MAX)
        return;
    r->n += r->n < CLI_NEAREST_MAX;
    for (size_t i = r->n - 1; i > at; i--) {
        memcpy(r->names[i], r->names[i - 1], sizeof r->names[i]);
        r->distance[i] = r->distance[i - 1];
    }
    snprintf(r->names[at], sizeof r->names[at], "%s", name);
    r->distance[at] = distance;
}

static void rank_codes(struct cli_nearest *r, const char *word)
{
    size_t n;
    const struct reference_code *codes = reference_codes(&n);
    for (size_t i = 0; i < n; i++) {
        char number[12];
        snprintf(number, sizeof number, "%d", codes[i].code);
        if (sp_word_is_near(word, number))
            rank(r, number, sp_word_distance(word, number));
    }
}

static void rank_reasons(struct cli_nearest *r, const char *word)
{
    enum { PART_SHORTEST = 4, PART_DISTANCE = 20 };
    size_t n;
    const struct reference_reason *reasons = reference_reasons(&n);
    for (size_t i = 0; i < n; i++) {
        if (sp_word_is_near(word, reasons[i].id))
            rank(r, reasons[i].id, sp_word_distance(word, reasons[i].id));
        else if (strlen(word) >= PART_SHORTEST && strstr(reasons[i].id, word))
            rank(r, reasons[i].id, PART_DISTANCE + strlen(reasons[i].id));
    }
}

void cli_lookup_nearest(const struct cli_lookup *l, struct cli_nearest *nearest_out)
{
    const char *s = skip_marks(l->words);
    char word[SP_WORD_MAX + 1];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(s, " "), s);
    for (char *c = word; *c; c++)
        *c = (char)sp_ascii_lower((uint8_t)*c);
    *nearest_out = (struct cli_nearest){.n = 0};
    rank_codes(nearest_out, word);
    rank_reasons(nearest_out, word);
}
