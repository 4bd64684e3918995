#include "diagnose/text.h"

#include <string.h>

#include "base/view.h"

/* An alternative of n octets, in a text that ends at end. */
static bool has_one(const char *text, const char *end, const char *p, size_t n)
{
    while (n > 0) {
        const char *gap = memchr(p, '*', n);
        size_t part = gap ? (size_t)(gap - p) : n;
        const char *hit = part == 0 ? text : memmem(text, (size_t)(end - text), p, part);
        if (!hit)
            return false;
        text = hit + part;
        n -= gap ? part + 1 : part;
        p += gap ? part + 1 : part;
    }
    return true;
}

static size_t triple_of(const char *p)
{
    unsigned a = (unsigned char)p[0], b = (unsigned char)p[1], c = (unsigned char)p[2];
    return (a ^ b << 4 ^ c << 8) % DIAGNOSE_TRIPLES;
}

void diagnose_hear(const char *text, size_t len, struct diagnose_heard *h)
{
    *h = (struct diagnose_heard){.text = text, .len = len};
    for (size_t i = 0; i + 3 <= len; i++) {
        size_t bit = triple_of(text + i);
        h->triples[bit / 64] |= UINT64_C(1) << (bit % 64);
    }
}

/* May these three letters be in the text? With a gap among them, they may. */
static bool may_have(const struct diagnose_heard *h, const char *p)
{
    size_t bit = triple_of(p);
    return (h->triples[bit / 64] >> (bit % 64) & 1) || p[0] == '*' || p[1] == '*' || p[2] == '*';
}

bool diagnose_hears(const struct diagnose_heard *h, const char *alternatives)
{
    const char *end = h->text + h->len;
    for (const char *p = alternatives, *bar; p; p = bar ? bar + 1 : NULL) {
        bar = strchr(p, '|');
        size_t n = bar ? (size_t)(bar - p) : strlen(p);
        bool possible = n < 3 || (may_have(h, p) && may_have(h, p + n - 3));
        if (n > 0 && possible && has_one(h->text, end, p, n))
            return true;
    }
    return false;
}

bool diagnose_has(const char *text, const char *alternatives)
{
    const char *end = text + strlen(text);
    while (*alternatives) {
        size_t n = strcspn(alternatives, "|");
        if (n > 0 && has_one(text, end, alternatives, n))
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
