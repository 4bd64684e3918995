/*
 * A buffer that grows to a ceiling fixed at its birth and keeps its failure:
 * once an append did not fit, every later one is refused too, so a chain of
 * appends is checked once, at its end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "sallyport/base.h"

struct sp_buf {
    const struct sp_allocator *alloc;  /* borrowed for the buffer's life   */
    uint8_t                   *p;      /* owned; NULL until the first octet */
    size_t                     len;    /* octets in use                    */
    size_t                     cap;    /* octets allocated                 */
    size_t                     max;    /* ceiling, in octets               */
    int                        failed; /* SP_OK, SP_ERR_NOMEM, SP_ERR_LONG */
};

/* An empty buffer; allocates nothing. max is the most octets it may ever hold. */
void sp_buf_init(struct sp_buf *b, const struct sp_allocator *alloc, size_t max);

/* Give the memory back. The buffer is then as after init. */
void sp_buf_fini(struct sp_buf *b);

/* Overwrite with zeros, then fini. For secrets. */
void sp_buf_fini_secret(struct sp_buf *b);

/* Forget contents and failure, keep the memory. */
void sp_buf_clear(struct sp_buf *b);

/* Make room for n more octets behind len. SP_ERR_NOMEM, SP_ERR_LONG: sticky. */
int sp_buf_reserve(struct sp_buf *b, size_t n);

/* Appends. The result may be ignored: it sticks, see sp_buf_status. */
int sp_buf_add(struct sp_buf *b, struct sp_view v);
int sp_buf_add_str(struct sp_buf *b, const char *s);
int sp_buf_add_u8(struct sp_buf *b, uint8_t c);
int sp_buf_add_dec(struct sp_buf *b, uint64_t n);
int sp_buf_add_dec_pad(struct sp_buf *b, uint64_t n, unsigned digits);
int sp_buf_add_hex(struct sp_buf *b, struct sp_view v);
int sp_buf_add_base64(struct sp_buf *b, struct sp_view v);

/* Drop n octets from the front (n <= len). */
void sp_buf_drop(struct sp_buf *b, size_t n);

/* The first failure since init or clear, or SP_OK. */
SP_MUST_USE int sp_buf_status(const struct sp_buf *b);

/* The contents, borrowed until the next change. */
static inline struct sp_view sp_buf_view(const struct sp_buf *b)
{
    return (struct sp_view){b->p, b->len};
}

#endif
