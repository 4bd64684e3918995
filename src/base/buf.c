#include "base/buf.h"

#include "base/base64.h"
#include "base/view.h"

enum { SMALLEST = 64 };

void sp_buf_init(struct sp_buf *b, const struct sp_allocator *alloc, size_t max)
{
    *b = (struct sp_buf){.alloc = alloc, .max = max};
}

void sp_buf_fini(struct sp_buf *b)
{
    if (b->p)
        b->alloc->resize(b->alloc->ctx, b->p, b->cap, 0);
    sp_buf_init(b, b->alloc, b->max);
}

void sp_buf_fini_secret(struct sp_buf *b)
{
    volatile uint8_t *p = b->p;
    for (size_t i = 0; i < b->cap; i++)
        p[i] = 0;
    sp_buf_fini(b);
}

void sp_buf_clear(struct sp_buf *b)
{
    b->len = 0;
    b->failed = SP_OK;
}

int sp_buf_reserve(struct sp_buf *b, size_t n)
{
    if (b->failed)
        return b->failed;
    if (n <= b->cap - b->len)
        return SP_OK;
    if (n > b->max - b->len)
        return b->failed = SP_ERR_LONG;
    size_t want = b->len + n;
    size_t cap = b->cap ? b->cap : SMALLEST;
    while (cap < want)
        cap = cap > b->max / 2 ? b->max : cap * 2;
    if (cap > b->max)
        cap = b->max;
    uint8_t *p = b->alloc->resize(b->alloc->ctx, b->p, b->cap, cap);
    if (!p)
        return b->failed = SP_ERR_NOMEM;
    b->p = p;
    b->cap = cap;
    return SP_OK;
}

int sp_buf_add(struct sp_buf *b, struct sp_view v)
{
    int status = sp_buf_reserve(b, v.len);
    if (status || v.len == 0)
        return status;
    memcpy(b->p + b->len, v.p, v.len);
    b->len += v.len;
    return SP_OK;
}

int sp_buf_add_str(struct sp_buf *b, const char *s) { return sp_buf_add(b, sp_view_of(s)); }

int sp_buf_add_u8(struct sp_buf *b, uint8_t c) { return sp_buf_add(b, sp_view_make(&c, 1)); }

int sp_buf_add_dec(struct sp_buf *b, uint64_t n) { return sp_buf_add_dec_pad(b, n, 1); }

int sp_buf_add_dec_pad(struct sp_buf *b, uint64_t n, unsigned digits)
{
    uint8_t text[20];
    size_t at = sizeof text;
    do {
        text[--at] = (uint8_t)('0' + n % 10);
        n /= 10;
    } while (n > 0 && at > 0);
    while (sizeof text - at < digits && at > 0)
        text[--at] = '0';
    return sp_buf_add(b, sp_view_make(text + at, sizeof text - at));
}

int sp_buf_add_hex(struct sp_buf *b, struct sp_view v)
{
    static const char digits[] = "0123456789abcdef";
    if (v.len > SIZE_MAX / 2)
        return b->failed = SP_ERR_LONG;
    if (sp_buf_reserve(b, v.len * 2))
        return b->failed;
    for (size_t i = 0; i < v.len; i++) {
        b->p[b->len++] = (uint8_t)digits[v.p[i] >> 4];
        b->p[b->len++] = (uint8_t)digits[v.p[i] & 15];
    }
    return SP_OK;
}

int sp_buf_add_base64(struct sp_buf *b, struct sp_view v)
{
    if (v.len > SIZE_MAX / 2)
        return b->failed = SP_ERR_LONG;
    size_t n = sp_base64_encoded_len(v.len);
    if (sp_buf_reserve(b, n))
        return b->failed;
    sp_base64_encode(v, b->p + b->len);
    b->len += n;
    return SP_OK;
}

void sp_buf_drop(struct sp_buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->p, b->p + n, b->len - n);
    b->len -= n;
}

int sp_buf_status(const struct sp_buf *b) { return b->failed; }
