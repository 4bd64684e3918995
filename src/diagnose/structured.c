#include "diagnose/structured.h"

#include "base/view.h"
#include "diagnose/text.h"

/* The raw value of a key, without its quotes; escapes stay. */
static bool json_value(struct sp_view line, const char *name, struct sp_view *value_out)
{
    size_t n = sp_view_of(name).len;
    for (size_t at = 0; at < line.len;) {
        size_t quote = sp_view_find(line, '"', at);
        if (quote + n + 3 >= line.len)
            return false;
        at = quote + 1;
        if (!sp_view_eq(sp_view_sub(line, at, n), sp_view_of(name)) || line.p[at + n] != '"')
            continue;
        size_t i = at + n + 1;
        while (i < line.len && (line.p[i] == ' ' || line.p[i] == ':'))
            i++;
        bool text = i < line.len && line.p[i] == '"';
        size_t start = i + text, end = start;
        while (end < line.len && (text ? line.p[end] != '"' : line.p[end] != ',' && line.p[end] != '}'))
            end += line.p[end] == '\\' && end + 1 < line.len ? 2 : 1;
        *value_out = sp_view_sub(line, start, end - start);
        return true;
    }
    return false;
}

static bool json_first(struct sp_view line, const char *const *names, struct sp_view *value_out)
{
    for (; *names; names++)
        if (json_value(line, *names, value_out))
            return true;
    return false;
}

static enum diagnose_line_kind side_of(struct sp_view side)
{
    static const char *const clients[] = {"client", "C", "out", "send"};
    static const char *const servers[] = {"server", "S", "in", "recv"};
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        if (diagnose_is_word(side, clients[i]))
            return DIAGNOSE_LINE_CLIENT;
        if (diagnose_is_word(side, servers[i]))
            return DIAGNOSE_LINE_SERVER;
    }
    return DIAGNOSE_LINE_NOTE;
}

bool diagnose_json_error(struct sp_view line, uint8_t *scratch, struct sp_view *text_out)
{
    static const char *const errors[] = {"error", "err", "exception", "reason", "detail", "response", NULL};
    struct sp_view value;
    if (line.len < 2 || line.p[0] != '{' || !json_first(line, errors, &value))
        return false;
    *text_out = sp_view_make(scratch, diagnose_unescape(value, scratch));
    return true;
}

bool diagnose_json_read(struct sp_view line, uint8_t *scratch, struct diagnose_line *line_out)
{
    static const char *const messages[] = {"msg", "message", "MESSAGE", "log", "data", "line", "text", NULL};
    static const char *const sides[] = {"tnx", "direction", "from", "dir", "side", NULL};
    static const char *const keys[] = {"sid",        "cid",  "session",      "session_id",
                                       "connection", "conn", "connectionId", NULL};
    static const char *const said[] = {"line", "data", "text", "command", "reply", "response", "raw", NULL};
    struct sp_view message, side = {NULL, 0}, key = {NULL, 0};
    if (line.len < 2 || line.p[0] != '{')
        return false;
    bool sided = json_first(line, sides, &side) && side_of(side) != DIAGNOSE_LINE_NOTE;
    if (!(sided && json_first(line, said, &message)) && !json_first(line, messages, &message))
        return false;
    (void)json_first(line, keys, &key);
    *line_out = (struct diagnose_line){.kind = DIAGNOSE_LINE_NOTE,
                                       .text = sp_view_make(scratch, diagnose_unescape(message, scratch)),
                                       .key = key};
    line_out->kind = side_of(side);
    line_out->marked = line_out->kind != DIAGNOSE_LINE_NOTE;
    return true;
}

static struct sp_view field(struct sp_view line, size_t wanted)
{
    size_t start = 0;
    for (size_t i = 0; i < wanted; i++)
        start = sp_view_find(line, ',', start) + 1;
    return sp_view_sub(line, start, sp_view_find(line, ',', start) - start);
}

/* date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context */
bool diagnose_csv_read(struct sp_view line, struct diagnose_line *line_out)
{
    enum { SESSION = 2, EVENT = 6, COMMAS = 7 };
    size_t commas = 0, at = 0;
    while (at < line.len && commas < COMMAS) {
        at = sp_view_find(line, ',', at) + 1;
        commas += at <= line.len;
    }
    if (commas < COMMAS || !sp_ascii_digit(line.p[0]))
        return false;
    struct sp_view event = field(line, EVENT);
    if (event.len != 1 || (event.p[0] != '<' && event.p[0] != '>'))
        return false;
    struct sp_view data = sp_view_from(line, at);
    if (data.len > 0 && data.p[0] == '"')
        data = sp_view_sub(data, 1, sp_view_find(data, '"', 1) - 1);
    else if (data.len > 0 && data.p[data.len - 1] == ',')
        data.len--;
    *line_out = (struct diagnose_line){.text = data, .key = field(line, SESSION), .marked = true};
    struct diagnose_reply_line reply;
    if (diagnose_reply_read(data, &reply))
        line_out->kind = DIAGNOSE_LINE_SERVER;
    else
        line_out->kind = DIAGNOSE_LINE_CLIENT;
    return true;
}
