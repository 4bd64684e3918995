#include "cli/lookup.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* base64 of a challenge that somebody asks about without its 334. */
static bool is_challenge(const char *s)
{
    enum { SHORTEST = 8 };
    const struct reference_code *entry = reference_code_find(CHALLENGE_CODE);
    if (strlen(s) < SHORTEST)
        return false;
    char *decoded = pages_decoded(s);
    bool known = decoded || (entry && reference_variant_find(entry, sp_view_of(s)));
    free(decoded);
    return known;
}

/* "250-PIPELINING" is a reply, "250" a code. */
static void read_reply(struct cli_lookup *l, const char *s)
{
    int code = atoi(s);
    if (code < 200 || code > 599)
        return;
    l->kind = CLI_LOOKUP_REPLY;
    l->code = code;
    l->text = s + CODE_LEN + 1;
}

/* "5.7.1 Relay access denied": the code, whatever follows. "503 5.5.1" is a reply, and has been read. */
static void read_enhanced(struct cli_lookup *l, const char *s)
{
    struct reference_enhanced e;
    size_t len;
    if (!reference_enhanced_read(sp_view_of(s), &e, &len))
        return;
    char name[PAGES_NAME_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)len, s);
    l->kind = CLI_LOOKUP_SUBJECT;
    l->subjects_n = pages_subjects(name, l->subjects);
}

void cli_lookup(const char *const *words, size_t n, struct cli_lookup *l)
{
    *l = (struct cli_lookup){.words = join(words, n)};
    const char *s = skip_marks(l->words);
    l->text = s;
    if (strlen(s) > CLI_LOOKUP_TEXT_MAX)
        return;
    l->subjects_n = pages_subjects(s, l->subjects);
    if (l->subjects_n > 0) {
        l->kind = CLI_LOOKUP_SUBJECT;
    } else if (begins_with_code(s) && s[CODE_LEN] != '\0') {
        read_reply(l, s);
    } else {
        read_enhanced(l, s);
        if (l->kind == CLI_LOOKUP_NOTHING && is_challenge(s)) {
            l->kind = CLI_LOOKUP_CHALLENGE;
            l->code = CHALLENGE_CODE;
        }
    }
}

void cli_lookup_free(struct cli_lookup *l)
{
    free(l->words);
    *l = (struct cli_lookup){0};
}
