#include "sasl/shape.h"

#include "base/base64.h"
#include "base/view.h"

#define X(n, words) words,
static const char *const words_of[SASL_SHAPE_FLAG_N] = {SASL_SHAPE_FLAGS(X)};
#undef X

enum { RESPONSE_MAX = 16384 };

/* --- looking ------------------------------------------------------------------------------------- */

static bool is_text(struct sp_view v, bool tabs)
{
    for (size_t i = 0; i < v.len; i++)
        if ((v.p[i] < ' ' && !(tabs && v.p[i] == '\t')) || (!tabs && v.p[i] == 127))
            return false;
    return true;
}

static size_t count(struct sp_view v, uint8_t c)
{
    size_t n = 0;
    for (size_t i = 0; i < v.len; i++)
        n += v.p[i] == c;
    return n;
}

/* Base64 in base64: the inner text is canonical and itself decodes to something to read. */
static bool is_twice(struct sp_view decoded)
{
    uint8_t inner[RESPONSE_MAX];
    size_t n;
    if (decoded.len < 8 || decoded.len > sizeof inner || decoded.len % 4 != 0)
        return false;
    if (sp_base64_decode(decoded, inner, &n) != SP_OK)
        return false;
    struct sp_view v = sp_view_make(inner, n);
    bool telling = sp_view_find(v, '@', 0) < n || decoded.p[decoded.len - 1] == '=' || count(v, 0) == 2;
    bool clear = is_text(v, false) || count(v, 0) == 2;
    explicit_bzero(inner, n);
    return clear && telling;
}

/* What a program sends that has no value for it. */
static bool is_nothing(struct sp_view v)
{
    return v.len == 0 || sp_view_eq(v, SP_LIT("undefined")) || sp_view_eq(v, SP_LIT("null")) ||
           sp_view_eq(v, SP_LIT("None"));
}

static bool is_plain_bad(struct sp_view d)
{
    if (count(d, 0) != 2)
        return true;
    size_t first = sp_view_find(d, 0, 0), second = sp_view_find(d, 0, first + 1);
    return is_nothing(sp_view_sub(d, first + 1, second - first - 1)) ||
           is_nothing(sp_view_from(d, second + 1));
}

/* user=NAME ^A auth=Bearer TOKEN ^A ^A */
static bool is_xoauth2_bad(struct sp_view d)
{
    size_t end = sp_view_find(d, 1, 0);
    if (!sp_view_starts(d, SP_LIT("user=")) || end <= 5 || end == d.len)
        return true;
    struct sp_view rest = sp_view_from(d, end + 1);
    if (!sp_view_starts(rest, SP_LIT("auth=Bearer ")) || !sp_view_ends(rest, SP_LIT("\x01\x01")))
        return true;
    return rest.len <= sizeof "auth=Bearer " - 1 + 2 || count(d, 1) != 3;
}

/* A client that took the challenge for the end of AUTH. */
static bool is_command(struct sp_view v)
{
    static const char *const verbs[] = {"EHLO", "HELO", "LHLO", "MAIL",     "RCPT", "DATA",
                                        "RSET", "QUIT", "AUTH", "STARTTLS", "BDAT", NULL};
    struct sp_view word = sp_view_sub(v, 0, sp_view_find(v, ' ', 0));
    for (size_t i = 0; verbs[i]; i++)
        if (sp_view_eq_nocase(word, sp_view_of(verbs[i])))
            return true;
    return false;
}

static unsigned flags_of_decoded(struct sp_view mechanism, bool first, struct sp_view d)
{
    unsigned flags = SASL_SHAPE_BASE64;
    bool end = d.len > 0 && (d.p[d.len - 1] == '\n' || d.p[d.len - 1] == '\r');
    if (is_twice(d))
        flags |= SASL_SHAPE_TWICE;
    if (first && sp_view_eq(mechanism, SP_LIT("PLAIN"))) {
        end = end && count(d, 0) == 2;
        if (!(flags & SASL_SHAPE_TWICE) && is_plain_bad(d))
            flags |= SASL_SHAPE_BAD_PLAIN;
    }
    if (first && sp_view_eq(mechanism, SP_LIT("XOAUTH2")) && is_xoauth2_bad(d))
        flags |= SASL_SHAPE_BAD_XOAUTH2;
    bool name_or_password = mechanism.len == 0 || sp_view_eq(mechanism, SP_LIT("LOGIN"));
    if (end)
        flags |= SASL_SHAPE_LINE_END;
    else if (name_or_password && !is_text(d, true) && count(d, '\n') + count(d, '\r') == 0)
        flags |= SASL_SHAPE_UNREADABLE;
    return flags;
}

static bool is_full_line(struct sp_view v)
{
    enum { MIME = 76, PEM = 64, UUENCODE = 60 };
    return (v.len == MIME || v.len == PEM || v.len == UUENCODE) && v.p[v.len - 1] != '=';
}

struct sasl_shape sasl_shape_look(struct sp_view mechanism, bool first, struct sp_view response)
{
    uint8_t decoded[RESPONSE_MAX];
    struct sasl_shape shape = {.characters = response.len};
    if (response.len == 0)
        shape.flags |= SASL_SHAPE_EMPTY;
    if (sp_view_eq(response, SP_LIT("*"))) {
        shape.flags |= SASL_SHAPE_CANCEL;
        return shape;
    }
    if (is_command(response))
        shape.flags |= SASL_SHAPE_COMMAND;
    if (is_full_line(response))
        shape.flags |= SASL_SHAPE_FULL_LINE;
    if (response.len > sizeof decoded)
        response.len = sizeof decoded / 4 * 4;
    if (sp_base64_decode(response, decoded, &shape.octets) != SP_OK) {
        shape.octets = 0;
        shape.flags |= SASL_SHAPE_NOT_BASE64;
    } else {
        shape.flags |= flags_of_decoded(mechanism, first, sp_view_make(decoded, shape.octets));
    }
    explicit_bzero(decoded, sp_base64_decoded_max(response.len));
    return shape;
}

/* --- writing and reading -------------------------------------------------------------------------- */

void sasl_shape_write(const struct sasl_shape *shape, struct sp_buf *out)
{
    sp_buf_add_str(out, "<response: ");
    sp_buf_add_dec(out, shape->characters);
    sp_buf_add_str(out, " characters");
    for (size_t i = 0; i < SASL_SHAPE_FLAG_N; i++) {
        if (!(shape->flags >> i & 1))
            continue;
        sp_buf_add_str(out, ", ");
        sp_buf_add_str(out, words_of[i]);
        if (i == SASL_SHAPE_BASE64_BIT_) {
            sp_buf_add_str(out, ", ");
            sp_buf_add_dec(out, shape->octets);
            sp_buf_add_str(out, " octets");
        }
    }
    sp_buf_add_u8(out, '>');
}

static bool read_number(struct sp_view part, struct sp_view unit, size_t *n_out)
{
    uint64_t n;
    if (!sp_view_ends(part, unit) || sp_view_u64(sp_view_sub(part, 0, part.len - unit.len), SIZE_MAX, &n))
        return false;
    *n_out = (size_t)n;
    return true;
}

static void read_part(struct sp_view part, struct sasl_shape *shape)
{
    if (read_number(part, SP_LIT(" characters"), &shape->characters) ||
        read_number(part, SP_LIT(" octets"), &shape->octets))
        return;
    for (size_t i = 0; i < SASL_SHAPE_FLAG_N; i++)
        if (sp_view_eq(part, sp_view_of(words_of[i])))
            shape->flags |= 1U << i;
}

bool sasl_shape_read(struct sp_view text, struct sasl_shape *shape_out)
{
    static const struct sp_view front = SP_LIT_INIT("<response: ");
    struct sasl_shape shape = {0};
    struct sp_view part;
    if (!sp_view_starts(text, front) || text.p[text.len - 1] != '>')
        return false;
    struct sp_view rest = sp_view_sub(text, front.len, text.len - front.len - 1);
    while (sp_view_word(&rest, ',', &part))
        read_part(sp_view_trim(part), &shape);
    *shape_out = shape;
    return true;
}
