#include "diagnose/mask.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "base/view.h"
#include "diagnose/text.h"

enum { LINE_MAX_QUOTED = 4096 };

static const char hidden[] = "***";

struct sp_view diagnose_mask_secret_of(struct sp_view text, bool answers)
{
    struct sp_view none = {NULL, 0}, rest, word;
    while (text.len > 0 && (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r'))
        text.len--;
    if (answers && !(text.len == 1 && text.p[0] == '*')) {
        enum diagnose_verb verb = diagnose_verb_sure(text);
        bool command = verb != VERB_NONE && verb != VERB_AUTH && verb != VERB_NOOP && verb != VERB_HELP;
        return command ? none : text;
    }
    if (!diagnose_is_word(text, "AUTH"))
        return none;
    rest = sp_view_trim(sp_view_from(text, 4));
    if (!sp_view_word(&rest, ' ', &word))
        return none;
    return sp_view_trim(rest);
}

/* Names behind which a secret stands, up to a quote, a blank or a separator. */
static const char *const names[] = {"password",
                                    "passwd",
                                    "passphrase",
                                    "pass",
                                    "pwd",
                                    "secret",
                                    "token",
                                    "bearer",
                                    "basic",
                                    "api_key",
                                    "apikey",
                                    "api-key",
                                    "access_token",
                                    "refresh_token",
                                    "--auth-password",
                                    "-ap",
                                    "-xp",
                                    "--pass",
                                    "authpass",
                                    "smtp_pass",
                                    "sasl_password",
                                    "auth plain",
                                    "auth login",
                                    "auth xoauth2",
                                    "auth oauthbearer",
                                    NULL};

static bool is_name_char(uint8_t c) { return sp_ascii_alpha(c) || sp_ascii_digit(c) || c == '_' || c == '-'; }

static bool is_end(uint8_t c, uint8_t quote)
{
    return quote ? c == quote
                 : c == ' ' || c == '\t' || c == ',' || c == ';' || c == '&' || c == ')' || c == '}' ||
                       c == '\'' || c == '"' || c == '<';
}

/* The secret behind a name at i: its range, or an empty one. */
static struct sp_view behind_name(struct sp_view v, size_t i, const char *name)
{
    struct sp_view none = {NULL, 0};
    size_t n = strlen(name), at = i + n;
    if (!sp_view_eq_nocase(sp_view_sub(v, i, n), sp_view_make(name, n)))
        return none;
    if (i > 0 && sp_ascii_alpha(v.p[i - 1]) && sp_ascii_alpha((uint8_t)name[0]))
        return none;
    if (at < v.len && is_name_char(v.p[at]))
        return none;
    size_t marks = 0;
    bool option = name[0] == '-' || strcmp(name, "bearer") == 0 || strcmp(name, "basic") == 0 ||
                  strncmp(name, "auth ", 5) == 0;
    uint8_t quote = 0;
    while (at < v.len && strchr("\"' :=>\t\\", v.p[at]) && at - i - n < 8) {
        marks += v.p[at] == ':' || v.p[at] == '=';
        quote = v.p[at] == '"' || v.p[at] == '\'' ? v.p[at] : v.p[at] == ':' || v.p[at] == '=' ? 0 : quote;
        at++;
    }
    if (marks == 0 && !option)
        return none;
    size_t end = at;
    while (end < v.len && !is_end(v.p[end], quote))
        end++;
    /* "basic authentication is disabled" holds no secret, "Basic dXNlcjpw..." does. */
    if (strcmp(name, "basic") == 0 &&
        (end - at < 8 || sp_view_eq_nocase(sp_view_sub(v, at, end - at), SP_LIT("authentication"))))
        return none;
    return sp_view_sub(v, at, end - at);
}

/* curl --user NAME:PASSWORD, smtp://NAME:PASSWORD@host. */
static struct sp_view behind_colon(struct sp_view v, size_t i)
{
    struct sp_view none = {NULL, 0};
    static const char *const options[] = {"--user ", "--user=", "-u ", "--proxy-user ", "://", NULL};
    for (size_t k = 0; options[k]; k++) {
        struct sp_view option = sp_view_of(options[k]);
        if (!sp_view_eq(sp_view_sub(v, i, option.len), option) || (i > 0 && v.p[i - 1] == '-'))
            continue;
        size_t start = i + option.len, end = start;
        bool url = options[k][0] == ':';
        while (end < v.len && v.p[end] != ' ' && v.p[end] != '/' && v.p[end] != '"')
            end++;
        if (url) {
            size_t at = end;
            while (at > start && v.p[at] != '@')
                at--;
            end = at;
        }
        size_t colon = sp_view_find(sp_view_sub(v, 0, end), ':', start);
        if (colon < end && colon > start)
            return sp_view_sub(v, colon + 1, end - colon - 1);
    }
    return none;
}

static bool is_base64(uint8_t c)
{
    return sp_ascii_alpha(c) || sp_ascii_digit(c) || c == '+' || c == '/' || c == '=';
}

/* A run of base64 that decodes to a PLAIN response, a bearer token or a JSON web token. */
static struct sp_view blob(struct sp_view v, size_t i)
{
    struct sp_view none = {NULL, 0};
    uint8_t decoded[LINE_MAX_QUOTED];
    size_t end = i, n = 0;
    if (i > 0 && is_base64(v.p[i - 1]))
        return none;
    while (end < v.len && is_base64(v.p[end]))
        end++;
    struct sp_view run = sp_view_sub(v, i, end - i);
    if (run.len < 8)
        return none;
    if (diagnose_begins(run, "eyJ") && end < v.len && v.p[end] == '.') {
        while (end < v.len && (is_base64(v.p[end]) || strchr("._-", v.p[end])))
            end++;
        return sp_view_sub(v, i, end - i);
    }
    if (diagnose_begins(run, "ya29") || (sp_base64_decode(run, decoded, &n) == SP_OK && n > 2)) {
        struct sp_view d = sp_view_make(decoded, n);
        bool nul = sp_view_find(d, 0, 0) < n && run.len < 400, bearer = diagnose_find(d, "auth=bearer") < n;
        size_t clear = 0;
        for (size_t k = 0; k < n; k++)
            clear += decoded[k] >= ' ' && decoded[k] < 127;
        memset(decoded, 0, n);
        return bearer || (nul && clear + 2 >= n) || diagnose_begins(run, "ya29") ? run : none;
    }
    return none;
}

static struct sp_view secret_at(struct sp_view v, size_t i)
{
    struct sp_view found = {NULL, 0};
    uint8_t c = sp_ascii_lower(v.p[i]);
    if (c == '-' || c == ':')
        found = behind_colon(v, i);
    bool begins = i == 0 || !sp_ascii_alpha(v.p[i - 1]) || c == '-';
    if (begins && found.len == 0 && strchr("pstbar-", c))
        for (size_t k = 0; found.len == 0 && names[k]; k++)
            if (c == (uint8_t)names[k][0])
                found = behind_name(v, i, names[k]);
    return found.len ? found : is_base64(v.p[i]) ? blob(v, i) : found;
}

struct sp_view diagnose_mask_named(struct sp_view v, size_t i)
{
    struct sp_view found = {NULL, 0};
    uint8_t c = sp_ascii_lower(v.p[i]);
    if (c == '-' || c == ':')
        found = behind_colon(v, i);
    if (found.len > 0)
        return found;
    if ((i > 0 && sp_ascii_alpha(v.p[i - 1]) && c != '-') || !strchr("pstba-", c))
        return found;
    for (size_t k = 0; found.len == 0 && names[k]; k++)
        if (strncmp(names[k], "auth ", 5) != 0 && strcmp(names[k], "basic") != 0)
            found = behind_name(v, i, names[k]);
    if (found.len == 0)
        return found;
    uint8_t before = found.p[-1];
    bool sure = c == '-' || before == '=' || before == '"' || before == '\'';
    for (size_t k = 0; k < found.len; k++)
        sure = sure || sp_ascii_digit(found.p[k]);
    return sure ? found : sp_view_make(NULL, 0);
}

struct writer {
    char *out;
    size_t n, size;
};

static void put(struct writer *w, const char *s, size_t n)
{
    if (w->n + n >= w->size)
        return;
    memcpy(w->out + w->n, s, n);
    w->n += n;
    w->out[w->n] = '\0';
}

static void put_letter(struct writer *w, struct sp_view v, size_t *i)
{
    char escaped[8];
    size_t n = v.p[*i] == '\t' ? 1 : sp_utf8_text_len(sp_view_from(v, *i));
    if (n == 0) {
        put(w, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\x%02x", v.p[*i]));
        (*i)++;
        return;
    }
    put(w, (const char *)v.p + *i, n);
    *i += n;
}

void diagnose_mask_quote(struct sp_view line, struct sp_view secret, uint64_t number, struct place *place_out)
{
    struct writer w = {place_out->quote, 0, sizeof place_out->quote - 8};
    place_out->quote[0] = '\0';
    place_out->line = number;
    line = sp_view_sub(line, 0, LINE_MAX_QUOTED);
    if (secret.len > 0 && sp_view_find(secret, '\n', 0) < secret.len)
        secret.len = sp_view_find(secret, '\n', 0);
    bool inside = secret.len > 0 && line.len >= secret.len && memmem(line.p, line.len, secret.p, secret.len);
    /* The secret was escaped in the line: show only what stands before any of it can begin. */
    if (secret.len > 0 && !inside)
        line.len = sp_view_find(line, secret.p[0], 0);
    for (size_t i = 0; i < line.len && w.n + 1 < w.size;) {
        struct sp_view rest = sp_view_from(line, i);
        struct sp_view found =
            inside && sp_view_starts(rest, secret) ? sp_view_sub(rest, 0, secret.len) : secret_at(line, i);
        if (found.len == 0) {
            put_letter(&w, line, &i);
            continue;
        }
        while (i < (size_t)(found.p - line.p) && i < line.len)
            put_letter(&w, line, &i);
        put(&w, hidden, sizeof hidden - 1);
        i = (size_t)(found.p - line.p) + found.len;
    }
    if (secret.len > 0 && !inside)
        put(&w, hidden, sizeof hidden - 1);
    if (w.n + 8 >= w.size)
        memcpy(place_out->quote + w.n, "...", 4);
}
