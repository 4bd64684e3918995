#include "sasl/prep.h"

#include "base/utf8.h"
#include "base/view.h"

#include <string.h>
#include <stringprep.h>

enum { POINTS_MAX = 2 * SASL_PASSWORD_MAX }; /* NFKC may lengthen: U+FDFA becomes 18 characters */

/* --- SASLprep ---------------------------------------------------------------------------- */

static enum sasl_fault control_fault(struct sp_view v)
{
    if (v.len && (v.p[v.len - 1] == '\n' || v.p[v.len - 1] == '\r'))
        return SASL_FAULT_TRAILING_NEWLINE;
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] < 0x20 || v.p[i] == 0x7f)
            return v.p[i] ? SASL_FAULT_CONTROL : SASL_FAULT_NUL;
    return SASL_FAULT_NONE;
}

static enum sasl_fault fault_of(int stringprep_error)
{
    switch (stringprep_error) {
    case STRINGPREP_CONTAINS_UNASSIGNED:
        return SASL_FAULT_UNASSIGNED;
    case STRINGPREP_BIDI_BOTH_L_AND_RAL:
    case STRINGPREP_BIDI_LEADTRAIL_NOT_RAL:
    case STRINGPREP_BIDI_CONTAINS_PROHIBITED:
        return SASL_FAULT_MIXED_DIRECTION;
    default:
        return SASL_FAULT_PROHIBITED;
    }
}

static int prep_points(uint32_t *points, size_t *n, enum sasl_prep_kind kind, bool fold,
                       enum sasl_fault *fault_out)
{
    Stringprep_profile_flags flags = kind == SASL_PREP_STORED ? STRINGPREP_NO_UNASSIGNED : 0;
    int error = stringprep_4i(points, n, POINTS_MAX, flags, stringprep_saslprep);
    if (!error && fold)
        error = stringprep_4i(points, n, POINTS_MAX, flags, stringprep_nameprep);
    if (error == STRINGPREP_OK)
        return SP_OK;
    if (error == STRINGPREP_TOO_SMALL_BUFFER)
        return SP_ERR_LONG;
    if (error == STRINGPREP_MALLOC_ERROR || error == STRINGPREP_NFKC_FAILED)
        return SP_ERR_NOMEM;
    *fault_out = fault_of(error);
    return SP_ERR_SYNTAX;
}

static int prep_unicode(struct sp_view in, enum sasl_prep_kind kind, bool fold, struct sp_buf *out,
                        enum sasl_fault *fault_out)
{
    uint32_t points[POINTS_MAX];
    size_t n = 0;
    int status = SP_OK;
    for (size_t len; in.len > 0 && !status; in = sp_view_from(in, len)) {
        uint32_t point;
        len = sp_utf8_get(in, &point);
        if (len == 0) {
            *fault_out = SASL_FAULT_NOT_UTF8;
            status = SP_ERR_SYNTAX;
        } else if (n == POINTS_MAX) {
            status = SP_ERR_LONG;
        } else {
            points[n++] = point;
        }
    }
    if (!status)
        status = prep_points(points, &n, kind, fold, fault_out);
    if (!status) {
        uint8_t octets[4];
        for (size_t i = 0; i < n; i++)
            sp_buf_add(out, sp_view_make(octets, sp_utf8_put(points[i], octets)));
        explicit_bzero(octets, sizeof octets);
        status = sp_buf_status(out);
    }
    explicit_bzero(points, sizeof points);
    return status;
}

static int prep(struct sp_view in, enum sasl_prep_kind kind, bool fold, struct sp_buf *out,
                enum sasl_fault *fault_out)
{
    bool ascii = true;
    for (size_t i = 0; i < in.len; i++)
        ascii = ascii && in.p[i] < 0x80;
    if (!ascii && !sp_utf8_is(in)) {
        *fault_out = SASL_FAULT_NOT_UTF8;
        return SP_ERR_SYNTAX;
    }
    enum sasl_fault fault = control_fault(in);
    if (fault) {
        *fault_out = fault;
        return SP_ERR_SYNTAX;
    }
    if (!ascii)
        return prep_unicode(in, kind, fold, out, fault_out);
    /* SASLprep leaves printable ASCII as it is, so a password does not pass through libidn's heap. */
    for (size_t i = 0; i < in.len; i++)
        sp_buf_add_u8(out, fold ? sp_ascii_lower(in.p[i]) : in.p[i]);
    return sp_buf_status(out);
}

int sasl_prep(struct sp_view in, enum sasl_prep_kind kind, struct sp_buf *out, enum sasl_fault *fault_out)
{
    return prep(in, kind, false, out, fault_out);
}

int sasl_prep_name(struct sp_view in, enum sasl_prep_kind kind, struct sp_buf *out,
                   enum sasl_fault *fault_out)
{
    return prep(in, kind, true, out, fault_out);
}

/* --- the rules of names and passwords ---------------------------------------------------- */

/* Prepared octets land in storage of the caller: no heap, so nothing is left behind. */
static void *refuse(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx, (void)p, (void)old, (void)n;
    return NULL;
}

static enum sasl_fault text_fault(struct sp_view v, enum sasl_prep_kind kind, bool fold, size_t max,
                                  enum sasl_fault empty, enum sasl_fault too_long)
{
    static const struct sp_allocator none = {refuse, NULL};
    uint8_t octets[SASL_PASSWORD_MAX];
    struct sp_buf out = {.alloc = &none, .p = octets, .cap = max, .max = max};
    enum sasl_fault fault = SASL_FAULT_PROHIBITED;
    if (v.len == 0)
        return empty;
    if (v.len > max)
        return too_long;
    int status = prep(v, kind, fold, &out, &fault);
    size_t len = out.len;
    explicit_bzero(octets, sizeof octets);
    if (status == SP_ERR_LONG)
        return too_long;
    if (status)
        return fault;
    return len ? SASL_FAULT_NONE : empty;
}

enum sasl_fault sasl_user_fault(struct sp_view user, enum sasl_prep_kind kind)
{
    return text_fault(user, kind, true, SASL_USER_MAX, SASL_FAULT_EMPTY_USER, SASL_FAULT_USER_LONG);
}

enum sasl_fault sasl_password_fault(struct sp_view password, enum sasl_prep_kind kind)
{
    return text_fault(password, kind, false, SASL_PASSWORD_MAX, SASL_FAULT_EMPTY_PASSWORD,
                      SASL_FAULT_PASSWORD_LONG);
}
