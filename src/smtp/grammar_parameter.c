/* Parameters of MAIL, RCPT and AUTH. */
#include "smtp/grammar.h"

#include "base/utf8.h"
#include "base/view.h"

/*
 * Mail-parameters = esmtp-param *(SP esmtp-param)
 * esmtp-param     = esmtp-keyword ["=" esmtp-value]
 * esmtp-keyword   = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
 * esmtp-value     = 1*(%d33-60 / %d62-126) ; and UTF8-non-ascii, RFC 6531 3.3
 */
int smtp_parameter_next(struct sp_view in, size_t *at, struct smtp_parameter *parameter_out,
                        struct smtp_fault *fault_out)
{
    size_t i = *at;
    while (i < in.len && in.p[i] == ' ')
        i++;
    if (i == in.len)
        return SP_ERR_ABSENT;
    if (i == *at) {
        *fault_out = (struct smtp_fault){SP_LIT("a space stands before each parameter"), i, false};
        return SP_ERR_SYNTAX;
    }
    struct smtp_parameter p = {.at = i};
    size_t end = sp_view_find(in, ' ', i);
    size_t equals = sp_view_find(sp_view_sub(in, 0, end), '=', i);
    p.keyword = sp_view_sub(in, i, equals - i);
    for (size_t k = i; k < equals; k++)
        if (!sp_ascii_alpha(in.p[k]) && !sp_ascii_digit(in.p[k]) && (k == i || in.p[k] != '-')) {
            *fault_out = (struct smtp_fault){SP_LIT("a parameter is KEYWORD or KEYWORD=value"), k, false};
            return SP_ERR_SYNTAX;
        }
    p.has_value = equals < end;
    if (p.has_value)
        p.value = sp_view_sub(in, equals + 1, end - equals - 1);
    for (size_t k = equals + 1; k < end; k++)
        if (in.p[k] < 33 || in.p[k] == 127 || in.p[k] == '=') {
            *fault_out = (struct smtp_fault){SP_LIT("a value is printable and has no '='"), k, false};
            return SP_ERR_SYNTAX;
        }
    if (!sp_utf8_is_text(p.value)) {
        *fault_out = (struct smtp_fault){SP_LIT("a value is ASCII, or text in UTF-8"), equals + 1, true};
        return SP_ERR_SYNTAX;
    }
    if (p.keyword.len == 0 || (p.has_value && p.value.len == 0)) {
        *fault_out = (struct smtp_fault){SP_LIT("a parameter is KEYWORD or KEYWORD=value"), equals, false};
        return SP_ERR_SYNTAX;
    }
    *parameter_out = p;
    *at = end;
    return SP_OK;
}

static int hex_value(uint8_t c)
{
    if (sp_ascii_digit(c))
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * xtext   = *( xchar / hexchar )
 * xchar   = %d33-126 without "+" and "="
 * hexchar = "+" 2(%d48-57 / %d65-70)
 */
int smtp_xtext_decode(struct sp_view in, uint8_t *out, size_t *len_out)
{
    size_t n = 0;
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.p[i];
        if (c < 33 || c > 126 || c == '=')
            return SP_ERR_SYNTAX;
        if (c == '+') {
            int high = i + 2 < in.len ? hex_value(in.p[i + 1]) : -1;
            int low = i + 2 < in.len ? hex_value(in.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return SP_ERR_SYNTAX;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        out[n++] = c;
    }
    *len_out = n;
    return SP_OK;
}

/*
 * utf-8-addr-xtext  = 1*(QCHAR / EmbeddedUnicodeChar) ; QCHAR: ASCII but for "+", "=" and "\"
 * EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"      ; 2 to 6 upper-case hexadecimal digits
 *
 * "+HH" is taken too, for what xtext itself must write so.
 */
int smtp_utf8_xtext_decode(struct sp_view in, uint8_t *out, size_t *len_out)
{
    size_t n = 0;
    for (size_t i = 0; i < in.len;) {
        size_t close = sp_view_find(in, '}', i);
        if (sp_view_starts(sp_view_from(in, i), SP_LIT("\\x{")) && close < in.len) {
            uint32_t point = 0;
            if (close - i - 3 < 2 || close - i - 3 > 6)
                return SP_ERR_SYNTAX;
            for (i += 3; i < close; i++) {
                int digit = hex_value(in.p[i]);
                if (digit < 0)
                    return SP_ERR_SYNTAX;
                point = point << 4 | (uint32_t)digit;
            }
            size_t put = sp_utf8_put(point, out + n); /* shorter than what stands for it */
            if (put == 0)
                return SP_ERR_SYNTAX;
            n += put;
            i++;
        } else if (in.p[i] > 127) {
            size_t wide = sp_utf8_len(sp_view_from(in, i));
            if (wide == 0)
                return SP_ERR_SYNTAX;
            memcpy(out + n, in.p + i, wide);
            n += wide;
            i += wide;
        } else {
            size_t one = in.p[i] == '+' ? 3 : 1, put = 0;
            if (in.p[i] == '\\' || smtp_xtext_decode(sp_view_sub(in, i, one), out + n, &put) != SP_OK)
                return SP_ERR_SYNTAX;
            n += put;
            i += one;
        }
    }
    *len_out = n;
    return SP_OK;
}

bool smtp_number_is(struct sp_view text, size_t digits)
{
    for (size_t i = 0; i < text.len; i++)
        if (!sp_ascii_digit(text.p[i]))
            return false;
    return text.len >= 1 && text.len <= digits;
}

bool smtp_mechanism_is(struct sp_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!sp_ascii_alpha(text.p[i]) && !sp_ascii_digit(text.p[i]) && text.p[i] != '-' && text.p[i] != '_')
            return false;
    return text.len >= 1 && text.len <= 20;
}
