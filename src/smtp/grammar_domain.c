/*
 * Domains and address literals.
 *
 * Deliberate leniency, for EHLO alone and without a cost to anybody: host names with '_'
 * and a dot at the end, as many desktop machines have them.
 */
#include "smtp/grammar.h"

#include "base/utf8.h"
#include "base/view.h"

static bool let_dig(uint8_t c) { return sp_ascii_alpha(c) || sp_ascii_digit(c); }

/*
 * sub-domain = Let-dig [Ldh-str]
 * Ldh-str    = *( ALPHA / DIGIT / "-" ) Let-dig
 */
static bool skip_label(struct sp_view in, size_t *at, enum smtp_domain_kind kind)
{
    size_t i = *at, n = 1, max = SMTP_LABEL_MAX;
    for (; i < in.len && n > 0; i += n) {
        bool plain = let_dig(in.p[i]) || in.p[i] == '-' || (kind == SMTP_DOMAIN_LENIENT && in.p[i] == '_');
        n = plain ? 1 : 0;
        if (kind == SMTP_DOMAIN_UTF8 && in.p[i] > 127) {
            n = sp_utf8_len(sp_view_from(in, i));
            max = SMTP_LABEL_UTF8_MAX;
        }
    }
    size_t start = *at;
    *at = i;
    return i > start && i - start <= max && in.p[start] != '-' && in.p[i - 1] != '-';
}

/* Domain = sub-domain *("." sub-domain) */
bool smtp_domain_skip(struct sp_view in, size_t *at, enum smtp_domain_kind kind)
{
    size_t start = *at;
    if (!skip_label(in, at, kind))
        return false;
    while (*at < in.len && in.p[*at] == '.') {
        ++*at;
        if (kind == SMTP_DOMAIN_LENIENT && *at == in.len)
            break;
        if (!skip_label(in, at, kind))
            return false;
    }
    return *at - start <= SMTP_DOMAIN_MAX;
}

/*
 * IPv4-address-literal = Snum 3("."  Snum)
 * Snum                 = 1*3DIGIT          ; 0 to 255
 */
bool smtp_ipv4_is(struct sp_view text)
{
    size_t i = 0;
    for (int part = 0; part < 4; part++) {
        if (part > 0 && (i >= text.len || text.p[i++] != '.'))
            return false;
        unsigned n = 0, digits = 0;
        for (; i < text.len && sp_ascii_digit(text.p[i]) && digits < 4; i++, digits++)
            n = n * 10 + (unsigned)(text.p[i] - '0');
        if (digits < 1 || digits > 3 || n > 255)
            return false;
    }
    return i == text.len;
}

static bool hex_digit(uint8_t c)
{
    c = sp_ascii_lower(c);
    return sp_ascii_digit(c) || (c >= 'a' && c <= 'f');
}

/*
 * IPv6-hex  = 1*4HEXDIG
 * IPv6-full = IPv6-hex 7(":" IPv6-hex)
 * IPv6-comp = [IPv6-hex *5(":" IPv6-hex)] "::" [IPv6-hex *5(":" IPv6-hex)]
 * IPv6v4-*  = the same with an IPv4 address in place of the last two groups
 *
 * A "::" stands for at least two groups: at most 6 others, at most 4 before an IPv4 address.
 */
bool smtp_ipv6_is(struct sp_view text)
{
    unsigned groups = 0;
    bool gap = false, v4 = false;
    size_t i = 0;
    if (sp_view_starts(text, SP_LIT("::"))) {
        gap = true;
        i = 2;
    }
    while (i < text.len && !v4) {
        size_t start = i;
        while (i < text.len && hex_digit(text.p[i]))
            i++;
        if (i < text.len && text.p[i] == '.') {
            v4 = smtp_ipv4_is(sp_view_from(text, start));
            if (!v4)
                return false;
            i = text.len;
            groups += 2;
            break;
        }
        if (i == start || i - start > 4)
            return false;
        groups++;
        if (i == text.len)
            break;
        if (text.p[i++] != ':' || i == text.len)
            return false;
        if (text.p[i] == ':') {
            if (gap)
                return false;
            gap = true;
            i++;
        }
    }
    return gap ? groups <= 6 : groups == 8;
}

static bool all_dcontent(struct sp_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] < 33 || v.p[i] > 126 || (v.p[i] >= '[' && v.p[i] <= ']'))
            return false;
    return v.len > 0;
}

/* General-address-literal = Standardized-tag ":" 1*dcontent ; the tag is an Ldh-str */
static bool general_is(struct sp_view text)
{
    size_t colon = sp_view_find(text, ':', 0);
    for (size_t i = 0; i < colon; i++)
        if (!let_dig(text.p[i]) && text.p[i] != '-')
            return false;
    return colon > 0 && colon < text.len && let_dig(text.p[colon - 1]) &&
           all_dcontent(sp_view_from(text, colon + 1));
}

/*
 * address-literal = "[" ( IPv4-address-literal / IPv6-address-literal / General-address-literal ) "]"
 * IPv6-address-literal = "IPv6:" IPv6-addr
 */
bool smtp_literal_skip(struct sp_view in, size_t *at, struct smtp_fault *fault_out)
{
    size_t close = sp_view_find(in, ']', *at);
    if (close == in.len || close - *at + 1 > SMTP_DOMAIN_MAX) {
        *fault_out = (struct smtp_fault){SP_LIT("an address in '[' is closed by ']'"), *at, false};
        return false;
    }
    struct sp_view inner = sp_view_sub(in, *at + 1, close - *at - 1);
    struct sp_view v6 = SP_LIT("IPv6:");
    bool good = sp_view_starts_nocase(inner, v6) ? smtp_ipv6_is(sp_view_from(inner, v6.len))
                                                 : smtp_ipv4_is(inner) || general_is(inner);
    if (!good) {
        *fault_out = (struct smtp_fault){SP_LIT("in '[]' stands 192.0.2.1, IPv6:2001:db8::1 or tag:text"),
                                         *at + 1, false};
        return false;
    }
    *at = close + 1;
    return true;
}

/* ehlo = "EHLO" SP ( Domain / address-literal ) CRLF */
bool smtp_hello_is(struct sp_view text, struct smtp_fault *fault_out)
{
    size_t at = 0;
    if (text.len > 0 && text.p[0] == '[') {
        if (!smtp_literal_skip(text, &at, fault_out))
            return false;
    } else if (!smtp_domain_skip(text, &at, SMTP_DOMAIN_LENIENT)) {
        *fault_out =
            (struct smtp_fault){SP_LIT("a domain is labels of letters, digits and '-' with dots between"), at,
                                at < text.len && text.p[at] > 126};
        return false;
    }
    if (at < text.len)
        *fault_out = (struct smtp_fault){SP_LIT("one domain or [address] and nothing behind it"), at, false};
    return at == text.len;
}
