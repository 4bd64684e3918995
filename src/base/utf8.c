#include "base/utf8.h"

#include "base/view.h"

size_t sp_utf8_len(struct sp_view v)
{
    if (v.len == 0)
        return 0;
    uint8_t c = v.p[0];
    size_t n = c < 0x80                ? 1
               : c >= 0xc2 && c < 0xe0 ? 2
               : c >= 0xe0 && c < 0xf0 ? 3
               : c >= 0xf0 && c < 0xf5 ? 4
                                       : 0;
    if (n == 0 || n > v.len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((v.p[i] & 0xc0) != 0x80)
            return 0;
    bool wrong = (c == 0xe0 && v.p[1] < 0xa0) || (c == 0xed && v.p[1] > 0x9f) ||
                 (c == 0xf0 && v.p[1] < 0x90) || (c == 0xf4 && v.p[1] > 0x8f);
    return wrong ? 0 : n;
}

size_t sp_utf8_text_len(struct sp_view v)
{
    size_t n = sp_utf8_len(v);
    bool control = (n == 1 && (v.p[0] < 32 || v.p[0] == 127)) || (n == 2 && v.p[0] == 0xc2 && v.p[1] < 0xa0);
    return control ? 0 : n;
}

size_t sp_utf8_get(struct sp_view v, uint32_t *point_out)
{
    size_t n = sp_utf8_len(v);
    if (n == 0)
        return 0;
    uint32_t point = n == 1 ? v.p[0] : v.p[0] & (0x7fU >> n);
    for (size_t i = 1; i < n; i++)
        point = point << 6 | (v.p[i] & 0x3f);
    *point_out = point;
    return n;
}

size_t sp_utf8_put(uint32_t point, uint8_t out[4])
{
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return 0;
    size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, point >>= 6)
        out[i] = (uint8_t)(0x80 | (point & 0x3f));
    out[0] = (uint8_t)(first[n] | point);
    return n;
}

bool sp_utf8_is(struct sp_view v)
{
    size_t n = 1;
    for (; v.len > 0 && n > 0; v = sp_view_from(v, n))
        n = sp_utf8_len(v);
    return n > 0;
}

bool sp_utf8_is_text(struct sp_view v)
{
    size_t n = 1;
    for (; v.len > 0 && n > 0; v = sp_view_from(v, n))
        n = sp_utf8_text_len(v);
    return n > 0;
}
