#include "diagnose/secrets.h"

#include <string.h>

#include "base/base64.h"
#include "base/view.h"
#include "diagnose/mask.h"
#include "diagnose/text.h"

/* From this length on a secret is hidden inside of words too; a shorter one may be part of any. */
enum { SECRET_LONG = 6 };

/* So much of a secret before the end of a quote that was cut is known to be its beginning. */
enum { PART_SHORTEST = 4 };

static const char hidden[] = "***";

/* What a program prints where a secret stood, or where there is none. */
static bool is_filler(struct sp_view v)
{
    static const char *const none[] = {"true", "false", "null", "none", "undefined", "nil", NULL};
    size_t same = 0;
    for (size_t i = 0; none[i]; i++)
        if (sp_view_eq_nocase(v, sp_view_of(none[i])))
            return true;
    for (size_t i = 0; i < v.len; i++)
        same += v.p[i] == v.p[0];
    return same == v.len || (v.p[0] == '<' && v.p[v.len - 1] == '>') ||
           (v.p[0] == '[' && v.p[v.len - 1] == ']') || (v.p[0] == '/' && v.p[1] == '*');
}

static void learn(struct secrets *k, struct sp_view v)
{
    while (v.len > 0 && (v.p[v.len - 1] == '\n' || v.p[v.len - 1] == '\r'))
        v.len--;
    v = sp_view_sub(v, 0, SECRET_SIZE);
    if (v.len < SECRET_SHORTEST || is_filler(v))
        return;
    for (size_t i = 0; i < k->n && i < SECRETS_MAX; i++)
        if (sp_view_eq(v, sp_view_make(k->text[i], k->len[i])))
            return;
    size_t at = k->n++ % SECRETS_MAX;
    memcpy(k->text[at], v.p, v.len);
    k->len[at] = v.len;
}

/* The part of a decoded response that is secret; a digest or a name is none. */
static struct sp_view password_in(struct sp_view d, bool plain, bool asked)
{
    static const char bearer[] = "auth=bearer ";
    size_t token = diagnose_find(d, bearer), part = d.len;
    if (token < d.len) {
        d = sp_view_from(d, token + strlen(bearer));
        return sp_view_sub(d, 0, sp_view_find(d, 1, 0));
    }
    if (plain) {
        bool nul = sp_view_find(d, 0, 0) < d.len;
        for (size_t i = 0; i < d.len; i++)
            part = d.p[i] == (nul ? 0 : ':') ? i + 1 : part;
        return sp_view_from(d, part);
    }
    return asked ? d : sp_view_make(NULL, 0);
}

void diagnose_secrets_learn_response(struct secrets *k, struct sp_view mechanism, bool asked,
                                     struct sp_view response)
{
    uint8_t decoded[TEXT_SIZE * 2], again[TEXT_SIZE * 2];
    size_t n = 0, twice = 0;
    bool plain = sp_view_eq_nocase(mechanism, SP_LIT("PLAIN"));
    struct sp_view found;
    response = sp_view_trim(response);
    if (response.len > TEXT_SIZE)
        return;
    if (sp_base64_decode(response, decoded, &n) == SP_OK && n > 0) {
        struct sp_view d = sp_view_make(decoded, n);
        found = password_in(d, plain, asked);
        learn(k, found);
        if (sp_base64_decode(sp_view_trim(d), again, &twice) == SP_OK)
            learn(k, password_in(sp_view_make(again, twice), plain, asked));
    } else {
        found = password_in(response, plain, asked);
        learn(k, found);
    }
    if (found.len > 0)
        learn(k, response);
    explicit_bzero(decoded, sizeof decoded);
    explicit_bzero(again, sizeof again);
}

void diagnose_secrets_learn_named(struct secrets *k, struct sp_view line)
{
    static const char *const signs[] = {"ass", "ASS", "ecret", "oken", "-ap ", "-u ", "-user", "://"};
    bool any = false;
    for (size_t i = 0; !any && i < sizeof signs / sizeof *signs; i++)
        any = memmem(line.p, line.len, signs[i], strlen(signs[i])) != NULL;
    for (size_t i = 0; any && i < line.len; i++)
        learn(k, diagnose_mask_named(line, i));
}

static bool is_word(char c) { return sp_ascii_alpha((uint8_t)c) || sp_ascii_digit((uint8_t)c); }

static void hide(struct sp_view secret, char *text)
{
    size_t len = strlen(text), marks = sizeof hidden - 1;
    if (secret.len < marks)
        marks = secret.len; /* the text does not grow */
    for (size_t i = 0; i + secret.len <= len; i++) {
        bool apart = secret.len >= SECRET_LONG ||
                     ((i == 0 || !is_word(text[i - 1])) && !is_word(text[i + secret.len]));
        if (!apart || memcmp(text + i, secret.p, secret.len) != 0)
            continue;
        memcpy(text + i, hidden, marks);
        memmove(text + i + marks, text + i + secret.len, len - i - secret.len + 1);
        len -= secret.len - marks;
        i += marks - 1;
    }
    /* A quote that was cut in the middle of it. */
    size_t end = len > 3 && strcmp(text + len - 3, "...") == 0 ? len - 3 : 0;
    for (size_t part = end < secret.len ? end : secret.len; part >= PART_SHORTEST; part--)
        if (memcmp(text + end - part, secret.p, part) == 0) {
            memcpy(text + end - part, "***...", sizeof "***...");
            return;
        }
}

void diagnose_secrets_hide(const struct secrets *k, char *text)
{
    for (size_t i = 0; i < k->n && i < SECRETS_MAX; i++)
        hide(sp_view_make(k->text[i], k->len[i]), text);
}
