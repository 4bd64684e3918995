#include "message/mime.h"

#include "base/view.h"

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool message_mime_field(struct sp_view *rest, struct sp_view *field_out, struct sp_view *name_out,
                        struct sp_view *value_out)
{
    size_t end = 0;
    if (rest->len == 0)
        return false;
    do
        end = sp_view_find(*rest, '\n', end) + 1;
    while (end < rest->len && (rest->p[end] == ' ' || rest->p[end] == '\t'));
    *field_out = sp_view_sub(*rest, 0, end);
    *rest = sp_view_from(*rest, end);
    size_t colon = sp_view_find(*field_out, ':', 0);
    bool is_field = colon < field_out->len;
    *name_out = sp_view_trim(sp_view_sub(*field_out, 0, is_field ? colon : 0));
    *value_out = sp_view_from(*field_out, is_field ? colon + 1 : field_out->len);
    return true;
}

/* Blanks and comments, which may stand between any two words (RFC 5322 3.2.2). */
static struct sp_view skip_blanks(struct sp_view v)
{
    unsigned depth = 0;
    size_t i = 0;
    for (; i < v.len; i++) {
        if (v.p[i] == '\\' && depth > 0)
            i++;
        else if (v.p[i] == '(')
            depth++;
        else if (v.p[i] == ')' && depth > 0)
            depth--;
        else if (depth == 0 && !is_blank(v.p[i]))
            break;
    }
    return sp_view_from(v, i);
}

static bool is_special(uint8_t c)
{
    static const char specials[] = "()<>@,;:\\\"/[]?=";
    return c <= ' ' || c == 127 || memchr(specials, c, sizeof specials - 1) != NULL;
}

/* A token, or the inside of a quoted string. */
static struct sp_view take_word(struct sp_view *v)
{
    size_t n = 0;
    *v = skip_blanks(*v);
    bool quoted = v->len > 0 && v->p[0] == '"';
    if (quoted)
        *v = sp_view_from(*v, 1);
    while (n < v->len && (quoted ? v->p[n] != '"' : !is_special(v->p[n])))
        n++;
    struct sp_view word = sp_view_sub(*v, 0, n);
    *v = skip_blanks(sp_view_from(*v, n + quoted));
    return word;
}

static bool take(struct sp_view *v, uint8_t c)
{
    if (v->len == 0 || v->p[0] != c)
        return false;
    *v = skip_blanks(sp_view_from(*v, 1));
    return true;
}

static void read_type(struct sp_view v, struct message_mime *m)
{
    struct sp_view type = take_word(&v);
    if (!take(&v, '/'))
        return;
    m->type = type;
    m->subtype = take_word(&v);
    while (take(&v, ';')) {
        struct sp_view name = take_word(&v);
        if (!take(&v, '='))
            break;
        struct sp_view value = take_word(&v);
        if (sp_view_eq_nocase(name, SP_LIT("boundary")))
            m->boundary = value;
    }
}

static enum message_mime_encoding read_encoding(struct sp_view v)
{
    struct sp_view word = take_word(&v);
    return sp_view_eq_nocase(word, SP_LIT("7bit"))     ? MESSAGE_7BIT
           : sp_view_eq_nocase(word, SP_LIT("8bit"))   ? MESSAGE_8BIT
           : sp_view_eq_nocase(word, SP_LIT("binary")) ? MESSAGE_BINARY
                                                       : MESSAGE_ENCODED;
}

struct message_mime message_mime_read(struct sp_view header)
{
    struct message_mime m = {.encoding = MESSAGE_7BIT};
    struct sp_view field, name, value;
    while (message_mime_field(&header, &field, &name, &value)) {
        if (sp_view_eq_nocase(name, SP_LIT("Content-Type")))
            read_type(value, &m);
        else if (sp_view_eq_nocase(name, SP_LIT("Content-Transfer-Encoding")))
            m.encoding = read_encoding(value);
    }
    return m;
}
