#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sp_base64_encode(struct sp_view in, uint8_t *out)
{
    for (size_t i = 0; i < in.len; i += 3) {
        size_t have = in.len - i < 3 ? in.len - i : 3;
        uint32_t bits = (uint32_t)in.p[i] << 16;
        if (have > 1)
            bits |= (uint32_t)in.p[i + 1] << 8;
        if (have > 2)
            bits |= in.p[i + 2];
        *out++ = (uint8_t)alphabet[bits >> 18];
        *out++ = (uint8_t)alphabet[bits >> 12 & 63];
        *out++ = have > 1 ? (uint8_t)alphabet[bits >> 6 & 63] : '=';
        *out++ = have > 2 ? (uint8_t)alphabet[bits & 63] : '=';
    }
}

/* 0..63, or 64 for an octet outside the alphabet. */
static uint32_t value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0' + 52);
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

int sp_base64_decode(struct sp_view in, uint8_t *out, size_t *len_out)
{
    if (in.len % 4 != 0)
        return SP_ERR_SYNTAX;
    size_t n = 0;
    for (size_t i = 0; i < in.len; i += 4) {
        size_t pad = 0;
        if (i + 4 == in.len)
            pad = in.p[i + 3] != '=' ? 0 : in.p[i + 2] != '=' ? 1 : 2;
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++) {
            uint32_t v = k >= 4 - pad ? 0 : value_of(in.p[i + k]);
            if (v > 63)
                return SP_ERR_SYNTAX;
            bits = bits << 6 | v;
        }
        if ((pad == 1 && (bits & 0xff)) || (pad == 2 && (bits & 0xffff)))
            return SP_ERR_SYNTAX;
        out[n++] = (uint8_t)(bits >> 16);
        if (pad < 2)
            out[n++] = (uint8_t)(bits >> 8);
        if (pad < 1)
            out[n++] = (uint8_t)bits;
    }
    *len_out = n;
    return SP_OK;
}
