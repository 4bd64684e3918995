/* Parameters of MAIL, RCPT and AUTH. */
#include "smtp/grammar.h"

#include "base/view.h"

/*
 * Mail-parameters = esmtp-param *(SP esmtp-param)
 * esmtp-param     = esmtp-keyword ["=" esmtp-value]
 * esmtp-keyword   = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
 * esmtp-value     = 1*(%d33-60 / %d62-126)
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
        if (in.p[k] < 33 || in.p[k] > 126 || in.p[k] == '=') {
            *fault_out = (struct smtp_fault){SP_LIT("a value is printable ASCII without '='"), k, false};
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

bool smtp_mechanism_is(struct sp_view text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!sp_ascii_alpha(text.p[i]) && !sp_ascii_digit(text.p[i]) && text.p[i] != '-' && text.p[i] != '_')
            return false;
    return text.len >= 1 && text.len <= 20;
}
