#include "base/view.h"
#include "roles/delivery/maildir.h"

enum { LOCAL_MAX = 64, DOMAIN_MAX = 255 };

/* The @ that ends the local part: the last one, as a quoted local part may hold others. */
static size_t find_at(struct sp_view address)
{
    size_t at = address.len;
    for (size_t i = 0; i < address.len; i++)
        if (address.p[i] == '@')
            at = i;
    return at;
}

/* Into lower case, without the quotes of a quoted local part. */
static int add_local(struct sp_view local, struct sp_buf *out)
{
    bool quoted = local.len >= 2 && local.p[0] == '"' && local.p[local.len - 1] == '"';
    size_t start = out->len;
    if (quoted)
        local = sp_view_sub(local, 1, local.len - 2);
    for (size_t i = 0; i < local.len; i++) {
        uint8_t c = local.p[i];
        if (quoted && c == '\\' && ++i < local.len)
            c = local.p[i];
        if (c < ' ' || c > '~' || c == '/' || c == '\\')
            return SP_ERR_SYNTAX;
        sp_buf_add_u8(out, sp_ascii_lower(c));
    }
    size_t n = out->len - start;
    return n > 0 && n <= LOCAL_MAX && out->p[start] != '.' ? SP_OK : SP_ERR_SYNTAX;
}

static int add_domain(struct sp_view domain, struct sp_buf *out)
{
    for (size_t i = 0; i < domain.len; i++) {
        uint8_t c = sp_ascii_lower(domain.p[i]);
        if (!sp_ascii_alpha(c) && !sp_ascii_digit(c) && c != '-' && c != '_' && c != '.' && c != ':' &&
            c != '[' && c != ']')
            return SP_ERR_SYNTAX;
        sp_buf_add_u8(out, c);
    }
    return domain.len > 0 && domain.len <= DOMAIN_MAX && domain.p[0] != '.' ? SP_OK : SP_ERR_SYNTAX;
}

int maildir_path(const char *pattern, struct sp_view address, struct sp_buf *path_out)
{
    size_t at = find_at(address);
    int status = SP_OK;
    sp_buf_clear(path_out);
    for (const char *p = pattern; *p && !status; p++) {
        if (*p != '%') {
            sp_buf_add_u8(path_out, (uint8_t)*p);
            continue;
        }
        switch (*++p) {
        case 'l':
            status = add_local(sp_view_sub(address, 0, at), path_out);
            break;
        case 'd':
            status = add_domain(sp_view_from(address, at + 1), path_out);
            break;
        case '%':
            sp_buf_add_u8(path_out, '%');
            break;
        default:
            return SP_ERR_SYNTAX;
        }
    }
    sp_buf_add_u8(path_out, '\0');
    return status ? status : sp_buf_status(path_out);
}
