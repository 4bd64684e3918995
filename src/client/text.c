/* A reply as one line of text. */
#include "client/state.h"

#include "base/view.h"

static void add_clean(struct sp_buf *out, struct sp_view v)
{
    for (size_t i = 0; i < v.len && out->len < CLIENT_TEXT_MAX; i++)
        sp_buf_add_u8(out, v.p[i] >= ' ' && v.p[i] <= '~' ? v.p[i] : '?');
}

/*
 * "550 5.1.1 No such user here": the code once, the enhanced code once, the texts of all lines. Servers
 * repeat both codes on each line.
 */
void client_text_of_reply(const struct sp_client_reply *reply, struct sp_buf *out)
{
    struct sp_view rest = reply->lines, line;
    sp_buf_clear(out);
    if (reply->code == 0) {
        add_clean(out, reply->text);
        return;
    }
    sp_buf_add_dec(out, (uint64_t)reply->code);
    if (reply->enhanced.len > 0) {
        sp_buf_add_u8(out, ' ');
        sp_buf_add(out, reply->enhanced);
    }
    while (sp_client_reply_line(&rest, &line)) {
        line = sp_view_trim(sp_view_from(line, 4));
        if (reply->enhanced.len > 0 && sp_view_starts(line, reply->enhanced))
            line = sp_view_trim(sp_view_from(line, reply->enhanced.len));
        if (line.len == 0)
            continue;
        if (out->len >= CLIENT_TEXT_MAX)
            return;
        sp_buf_add_u8(out, ' ');
        add_clean(out, line);
    }
}
