#include "message/encode.h"

#include "base/base64.h"
#include "base/view.h"

enum { LINE_MAX = 76 };

void message_encode_begin(struct message_encode *e, bool base64)
{
    *e = (struct message_encode){.base64 = base64};
}

/* --- base64 ------------------------------------------------------------------------------------ */

static void add_base64(struct message_encode *e, struct sp_view in, struct sp_buf *out)
{
    for (size_t i = 0; i < in.len; i++) {
        if (e->kept_n == sizeof e->kept) {
            sp_buf_add_base64(out, sp_view_make(e->kept, e->kept_n));
            sp_buf_add(out, SP_LIT("\r\n"));
            e->kept_n = 0;
        }
        e->kept[e->kept_n++] = in.p[i];
    }
}

/* --- quoted-printable ---------------------------------------------------------------------------- */

static void add_word(struct message_encode *e, const uint8_t *word, size_t n, struct sp_buf *out)
{
    if (e->column + n > LINE_MAX - 1) { /* one is for the = of a soft line break */
        sp_buf_add(out, SP_LIT("=\r\n"));
        e->column = 0;
    }
    sp_buf_add(out, sp_view_make(word, n));
    e->column += n;
}

static void add_encoded(struct message_encode *e, uint8_t c, struct sp_buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t word[3] = {'=', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
    add_word(e, word, sizeof word, out);
}

static void add_printable(struct message_encode *e, uint8_t c, struct sp_buf *out)
{
    if (e->space)
        add_word(e, &e->space, 1, out);
    e->space = 0;
    if (c == ' ' || c == '\t')
        e->space = c;
    else if (c > ' ' && c <= '~' && c != '=')
        add_word(e, &c, 1, out);
    else
        add_encoded(e, c, out);
}

/* A space at the end of a line may be lost on the way, so it is encoded. */
static void settle_space(struct message_encode *e, struct sp_buf *out)
{
    if (e->space)
        add_encoded(e, e->space, out);
    e->space = 0;
}

/* --- both ---------------------------------------------------------------------------------------- */

void message_encode_octets(struct message_encode *e, struct sp_view in, struct sp_buf *out)
{
    if (e->base64) {
        add_base64(e, in, out);
        return;
    }
    for (size_t i = 0; i < in.len; i++)
        add_printable(e, in.p[i], out);
}

void message_encode_line_end(struct message_encode *e, struct sp_buf *out)
{
    if (e->base64) {
        add_base64(e, SP_LIT("\r\n"), out);
        return;
    }
    settle_space(e, out);
    sp_buf_add(out, SP_LIT("\r\n"));
    e->column = 0;
}

void message_encode_end(struct message_encode *e, struct sp_buf *out)
{
    if (e->base64)
        sp_buf_add_base64(out, sp_view_make(e->kept, e->kept_n));
    else
        settle_space(e, out);
    e->kept_n = 0;
}
