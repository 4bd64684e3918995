#include "diagnose/text.h"

#include <string.h>

#include "base/view.h"

/* Where the part [p, p+n) first stands in text, or NULL. */
static const char *find_part(const char *text, const char *p, size_t n)
{
    return n == 0 ? text : memmem(text, strlen(text), p, n);
}

static bool has_one(const char *text, const char *p, size_t n)
{
    while (n > 0) {
        const char *gap = memchr(p, '*', n);
        size_t part = gap ? (size_t)(gap - p) : n;
        const char *hit = find_part(text, p, part);
        if (!hit)
            return false;
        text = hit + part;
        n -= gap ? part + 1 : part;
        p += gap ? part + 1 : part;
    }
    return true;
}

static unsigned pair_of(const char *p) { return ((unsigned char)p[0] * 31u + (unsigned char)p[1]) & 1023u; }

void diagnose_pairs_of(const char *text, struct diagnose_pairs *pairs_out)
{
    memset(pairs_out, 0, sizeof *pairs_out);
    for (; text[0] && text[1]; text++)
        pairs_out->bits[pair_of(text) / 64] |= UINT64_C(1) << (pair_of(text) % 64);
}

bool diagnose_has_quick(const char *text, const struct diagnose_pairs *pairs, const char *alternatives)
{
    for (const char *p = alternatives, *bar; p; p = bar ? bar + 1 : NULL) {
        bar = strchr(p, '|');
        size_t n = bar ? (size_t)(bar - p) : strlen(p);
        bool possible = n < 2 || p[1] == '*' || (pairs->bits[pair_of(p) / 64] >> (pair_of(p) % 64) & 1);
        if (n > 0 && possible && has_one(text, p, n))
            return true;
    }
    return false;
}

bool diagnose_has(const char *text, const char *alternatives)
{
    while (*alternatives) {
        size_t n = strcspn(alternatives, "|");
        if (n > 0 && has_one(text, alternatives, n))
            return true;
        alternatives += n + (alternatives[n] == '|');
    }
    return false;
}

size_t diagnose_lower(struct sp_view v, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < v.len && n + 1 < size; i++)
        out[n++] = v.p[i] < ' ' || v.p[i] == 127 ? ' ' : (char)sp_ascii_lower(v.p[i]);
    out[n] = '\0';
    return n;
}

bool diagnose_begins(struct sp_view text, const char *prefix)
{
    return sp_view_starts_nocase(text, sp_view_of(prefix));
}

bool diagnose_is_word(struct sp_view text, const char *word)
{
    size_t n = strlen(word);
    if (!diagnose_begins(text, word))
        return false;
    return text.len == n || text.p[n] == ' ' || text.p[n] == '\t' || text.p[n] == ':';
}

size_t diagnose_find(struct sp_view v, const char *needle)
{
    size_t n = strlen(needle);
    uint8_t first = sp_ascii_lower((uint8_t)needle[0]);
    for (size_t i = 0; i + n <= v.len; i++)
        if (sp_ascii_lower(v.p[i]) == first &&
            sp_view_eq_nocase(sp_view_sub(v, i, n), sp_view_make(needle, n)))
            return i;
    return v.len;
}

static int hex_digit(uint8_t c)
{
    c = sp_ascii_lower(c);
    return sp_ascii_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xNN and \u00NN; others keep their letters. Returns the octets of the escape that were read. */
static size_t unescape_hex(struct sp_view in, size_t i, uint8_t *c_out)
{
    size_t at = i + 2, digits = in.p[i + 1] == 'x' ? 2 : 4;
    unsigned value = 0;
    if (at + digits > in.len)
        return 0;
    for (size_t k = 0; k < digits; k++) {
        int d = hex_digit(in.p[at + k]);
        if (d < 0)
            return 0;
        value = value * 16 + (unsigned)d;
    }
    *c_out = value < 256 ? (uint8_t)value : '?';
    return 2 + digits;
}

/* \0 and \033, as some print NUL and ESC. */
static size_t unescape_octal(struct sp_view in, size_t i, uint8_t *c_out)
{
    size_t n = 0;
    unsigned value = 0;
    while (n < 3 && i + 1 + n < in.len && in.p[i + 1 + n] >= '0' && in.p[i + 1 + n] <= '7')
        value = value * 8 + (unsigned)(in.p[i + 1 + n++] - '0');
    *c_out = (uint8_t)value;
    return n ? 1 + n : 0;
}

size_t diagnose_unescape(struct sp_view in, uint8_t *out)
{
    static const char names[] = "nrtab", values[] = "\n\r\t\a\b";
    size_t n = 0;
    for (size_t i = 0; i < in.len;) {
        uint8_t c = in.p[i];
        size_t used = 1;
        if (c == '\\' && i + 1 < in.len) {
            uint8_t e = in.p[i + 1];
            const char *name = e ? strchr(names, e) : NULL;
            if (name)
                c = (uint8_t)values[name - names], used = 2;
            else if (e == 'x' || e == 'u')
                used = unescape_hex(in, i, &c);
            else if (e >= '0' && e <= '7')
                used = unescape_octal(in, i, &c);
            else
                c = e, used = 2;
            if (used == 0)
                c = '\\', used = 1;
        }
        out[n++] = c;
        i += used;
    }
    return n;
}
