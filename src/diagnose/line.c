#include "diagnose/line.h"

#include <string.h>

#include "base/view.h"
#include "diagnose/prefix.h"
#include "diagnose/structured.h"
#include "diagnose/text.h"

/* A SAYS_ word is common in prose: it counts only before a command or a reply. */
enum side { SIDE_NONE, SIDE_SERVER, SIDE_CLIENT, SIDE_LEFT, SIDE_RIGHT, SIDE_ECHO, SAYS_SERVER, SAYS_CLIENT };

/* Longer marks stand before those they begin with. Letter case does not matter. */
static const struct {
    const char *text;
    enum side side;
} marks[] = {
    {"SERVER -> CLIENT:", SIDE_SERVER},
    {"CLIENT -> SERVER:", SIDE_CLIENT},
    {"SMTP -> FROM SERVER:", SIDE_SERVER},
    {"SERVER-> CLIENT:", SIDE_SERVER},
    {"CLIENT-> SERVER:", SIDE_CLIENT},
    {"CLIENT -> SMTP:", SIDE_CLIENT},
    {"SMTP -> get_lines()", SIDE_ECHO},
    {"SMTP INBOUND:", SIDE_ECHO},
    {"SERVER ->", SIDE_SERVER},
    {"CLIENT ->", SIDE_CLIENT},
    {"SMTP<<<", SIDE_LEFT},
    {"SMTP>>>", SIDE_RIGHT},
    {"SMTP<<", SIDE_LEFT},
    {"SMTP>>", SIDE_RIGHT},
    {"SMTP<", SIDE_LEFT},
    {"SMTP>", SIDE_RIGHT},
    {"SMTP <<", SIDE_LEFT},
    {"SMTP >>", SIDE_RIGHT},
    {"reply: retcode", SIDE_ECHO},
    {"data: (", SIDE_ECHO},
    {"send:", SIDE_CLIENT},
    {"reply:", SIDE_SERVER},
    {"sent:", SAYS_CLIENT},
    {"sending:", SAYS_CLIENT},
    {"received:", SAYS_SERVER},
    {"recv:", SAYS_SERVER},
    {"receive:", SAYS_SERVER},
    {"read:", SAYS_SERVER},
    {"write:", SAYS_CLIENT},
    {"in:", SAYS_SERVER},
    {"out:", SAYS_CLIENT},
    {"server:", SAYS_SERVER},
    {"client:", SAYS_CLIENT},
    {"server>", SIDE_SERVER},
    {"client>", SIDE_CLIENT},
    {"[S]", SIDE_SERVER},
    {"[C]", SIDE_CLIENT},
    {"[server]", SIDE_SERVER},
    {"[client]", SIDE_CLIENT},
    {"[send]", SIDE_CLIENT},
    {"[recv]", SIDE_SERVER},
    {"[sent]", SIDE_CLIENT},
    {"[received]", SIDE_SERVER},
    {"S:", SIDE_SERVER},
    {"C:", SIDE_CLIENT},
    {"S>", SIDE_SERVER},
    {"C>", SIDE_CLIENT},
    {"S ->", SIDE_SERVER},
    {"C ->", SIDE_CLIENT},
    {"<- ~", SIDE_LEFT},
    {"<~*", SIDE_LEFT},
    {"<**", SIDE_LEFT},
    {"**>", SIDE_RIGHT},
    {"<~~", SIDE_LEFT},
    {"~~>", SIDE_RIGHT},
    {"<---", SIDE_LEFT},
    {"--->", SIDE_RIGHT},
    {"<--", SIDE_LEFT},
    {"-->", SIDE_RIGHT},
    {"<<<", SIDE_LEFT},
    {">>>", SIDE_RIGHT},
    {"<==", SIDE_LEFT},
    {"==>", SIDE_RIGHT},
    {"<~", SIDE_LEFT},
    {"~>", SIDE_RIGHT},
    {"<-", SIDE_LEFT},
    {"->", SIDE_RIGHT},
    {"<<", SIDE_LEFT},
    {">>", SIDE_RIGHT},
    {"<=", SIDE_LEFT},
    {"=>", SIDE_RIGHT},
    {"= ", SIDE_ECHO}, /* what our own send says of a reply */
    {"\xe2\x86\x90", SIDE_LEFT},
    {"\xe2\x86\x92", SIDE_RIGHT},
    {"\xe2\x87\x90", SIDE_LEFT},
    {"\xe2\x87\x92", SIDE_RIGHT},
    {"---", SIDE_NONE},
    {"!!", SIDE_NONE},
    {"<", SIDE_LEFT},
    {">", SIDE_RIGHT},
};

/* The mark at the front; 0: none. */
static size_t find_mark(struct sp_view v, enum side *side_out)
{
    if (v.len == 0)
        return 0;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (sp_ascii_lower((uint8_t)marks[i].text[0]) == sp_ascii_lower(v.p[0]) &&
            diagnose_begins(v, marks[i].text)) {
            *side_out = marks[i].side;
            return strlen(marks[i].text);
        }
    return 0;
}

/* --- the text behind a mark ---------------------------------------------------------------- */

/* Line ends that a program wrote out as letters. */
static struct sp_view without_written_end(struct sp_view v)
{
    static const char *const ends[] = {"\\r\\n", "\\n", "<CRLF>", "[CRLF]", "<CR><LF>", "<EOL>", "\\r"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (sp_view_ends(v, sp_view_of(ends[i])))
            v.len -= strlen(ends[i]);
    return v;
}

/* 'text', "text", b'text', ['text']: what stands in it. */
static struct sp_view unquote(struct sp_view v, uint8_t *scratch)
{
    size_t at = v.len > 1 && v.p[0] == 'b' && (v.p[1] == '\'' || v.p[1] == '"') ? 1 : 0;
    if (at >= v.len || (v.p[at] != '\'' && v.p[at] != '"'))
        return without_written_end(v);
    uint8_t quote = v.p[at];
    size_t end = v.len;
    while (end > at + 1 && v.p[end - 1] != quote)
        end--;
    if (end <= at + 1)
        end = v.len + 1; /* the line was cut */
    struct sp_view inside = sp_view_sub(v, at + 1, end - at - 2);
    return sp_view_make(scratch, diagnose_unescape(inside, scratch));
}

/* "mx.example[192.0.2.1]:25: " that stands between Postfix's arrows and the text. */
static struct sp_view without_peer(struct sp_view v)
{
    size_t end = sp_view_find(v, ' ', 0);
    if (end < v.len && end > 2 && v.p[end - 1] == ':' && sp_view_find(sp_view_sub(v, 0, end), '[', 0) < end)
        return sp_view_from(v, end + 1);
    return v;
}

/* --- sides --------------------------------------------------------------------------------- */

static enum diagnose_line_kind kind_of(struct sp_view text)
{
    struct diagnose_reply_line reply;
    struct sp_view first = sp_view_sub(text, 0, sp_view_find(text, '\n', 0));
    if (first.len > 0 && first.p[first.len - 1] == '\r')
        first.len--;
    if (diagnose_reply_read(first, &reply))
        return DIAGNOSE_LINE_SERVER;
    return diagnose_verb_sure(first) != VERB_NONE ? DIAGNOSE_LINE_CLIENT : DIAGNOSE_LINE_NOTE;
}

/* Which side an arrow means here. */
static enum diagnose_line_kind by_arrow(const struct diagnose_style *style, enum side side)
{
    bool left_is_server = style->left_server >= style->left_client;
    return (side == SIDE_LEFT) == left_is_server ? DIAGNOSE_LINE_SERVER : DIAGNOSE_LINE_CLIENT;
}

static void learn(struct diagnose_style *style, enum side side, enum diagnose_line_kind kind)
{
    bool server = kind == DIAGNOSE_LINE_SERVER, left = side == SIDE_LEFT;
    if (side != SIDE_LEFT && side != SIDE_RIGHT)
        return;
    unsigned *count = server == left ? &style->left_server : &style->left_client;
    *count += *count < 1000000;
}

/* Decide by mark and text who speaks; NOTE when neither tells. */
static enum diagnose_line_kind decide(struct diagnose_style *style, enum side side, struct sp_view text,
                                      enum diagnose_expect expect)
{
    enum diagnose_line_kind told = kind_of(text);
    if (side == SIDE_SERVER || side == SIDE_CLIENT)
        return side == SIDE_SERVER ? DIAGNOSE_LINE_SERVER : DIAGNOSE_LINE_CLIENT;
    if (side == SAYS_SERVER || side == SAYS_CLIENT) {
        bool answer =
            expect == DIAGNOSE_EXPECT_ANSWER && side == SAYS_CLIENT && sp_view_find(text, ' ', 0) == text.len;
        return answer ? DIAGNOSE_LINE_CLIENT : told;
    }
    if (side == SIDE_NONE)
        return told == DIAGNOSE_LINE_CLIENT ? DIAGNOSE_LINE_NOTE : told;
    bool known = style->left_server + style->left_client > 0;
    if (expect == DIAGNOSE_EXPECT_CONTENT && known)
        return by_arrow(style, side);
    if (told == DIAGNOSE_LINE_NOTE)
        return known ? by_arrow(style, side) : DIAGNOSE_LINE_NOTE;
    learn(style, side, told);
    return told;
}

/* --- reading ------------------------------------------------------------------------------- */

static bool read_marked(struct diagnose_style *style, struct sp_view rest, enum diagnose_expect expect,
                        uint8_t *scratch, struct diagnose_line *out)
{
    enum side side;
    size_t n = find_mark(rest, &side);
    if (n == 0)
        return false;
    if (side == SIDE_ECHO) {
        out->kind = DIAGNOSE_LINE_ECHO;
        return true;
    }
    struct sp_view behind = sp_view_from(rest, n);
    bool spaced = behind.len == 0 || behind.p[0] == ' ' || behind.p[0] == '\t';
    struct sp_view text = behind;
    if (!spaced && rest.p[0] == '<' && rest.p[rest.len - 1] == '>')
        return false; /* "<412 bytes of a message>": a bracket, and no arrow */
    while (text.len > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = sp_view_from(text, 1);
    enum side inner; /* ">>> SERVER: 220 ready" */
    size_t again = side == SIDE_LEFT || side == SIDE_RIGHT ? find_mark(text, &inner) : 0;
    if (again > 0 && (inner == SIDE_SERVER || inner == SAYS_SERVER)) {
        side = SIDE_SERVER;
        text = sp_view_trim(sp_view_from(text, again));
    }
    text = unquote(without_peer(text), scratch);
    enum diagnose_line_kind kind = decide(style, side, text, expect);
    if (kind == DIAGNOSE_LINE_NOTE || (!spaced && kind_of(text) == DIAGNOSE_LINE_NOTE && text.p != scratch))
        return false;
    out->kind = kind;
    out->text = text;
    out->marked = true;
    style->marked++;
    return true;
}

/* A word that may stand between the prefix and a mark: "smtp.client:", "o.s.m.Mail", "Net::SMTP=GLOB(0x1)".
 */
static size_t component(struct sp_view v)
{
    enum { COMPONENT_MAX = 60 };
    size_t end = sp_view_find(v, ' ', 0), tab = sp_view_find(v, '\t', 0), arrow;
    if (tab < end)
        end = tab;
    struct sp_view word = sp_view_sub(v, 0, end);
    if (end > 4 &&
        ((arrow = diagnose_find(word, ">>>")) < end || (arrow = diagnose_find(word, "<<<")) < end) &&
        arrow + 3 == end)
        return arrow; /* "Net::SMTP>>> EHLO" */
    if (end == v.len || end == 0 || end > COMPONENT_MAX)
        return 0;
    uint8_t last = word.p[end - 1];
    bool joined = sp_view_find(word, '.', 0) < end || sp_view_find(word, ':', 0) < end ||
                  sp_view_find(word, '-', 0) < end || sp_view_find(word, '_', 0) < end ||
                  sp_view_find(word, '=', 0) < end || sp_view_find(word, '[', 0) < end;
    if (!joined && last != ']' && last != ')' && last != '|' && !diagnose_is_word(word, "smtp") &&
        !diagnose_is_word(word, "mail") && !diagnose_is_word(word, "email") &&
        !diagnose_is_word(word, "debug") && !sp_ascii_digit(word.p[0]))
        return 0;
    while (end < v.len && (v.p[end] == ' ' || v.p[end] == '\t'))
        end++;
    return end;
}

/* Can it end the message? Other codes at the front of a line there are words of it (RFC 5321 4.3.2). */
static bool ends_content(int code)
{
    int tens = code / 10;
    return code == 250 || tens == 42 || tens == 45 || tens == 52 || tens == 54 || tens == 55 || tens == 57;
}

static bool read_unmarked(struct sp_view rest, enum diagnose_expect expect, struct diagnose_line *out)
{
    struct diagnose_reply_line reply;
    rest = without_written_end(rest);
    bool is_reply = diagnose_reply_read(rest, &reply);
    out->text = rest;
    if (expect == DIAGNOSE_EXPECT_CONTENT &&
        !(is_reply && diagnose_code_known(reply.code) && ends_content(reply.code))) {
        out->kind = DIAGNOSE_LINE_CLIENT;
        return true;
    }
    if (is_reply) {
        out->kind = DIAGNOSE_LINE_SERVER;
        return diagnose_code_known(reply.code);
    }
    if (diagnose_verb_sure(rest) != VERB_NONE) {
        out->kind = DIAGNOSE_LINE_CLIENT;
        return true;
    }
    bool one_word = rest.len > 0 && sp_view_find(rest, ' ', 0) == rest.len && rest.p[rest.len - 1] != ':';
    if (expect == DIAGNOSE_EXPECT_ANSWER && (one_word || diagnose_verb_read(rest) != VERB_OTHER)) {
        out->kind = DIAGNOSE_LINE_CLIENT;
        return true;
    }
    return false;
}

/* "> > S: 250 ok": a log that is quoted in a letter, without the marks of that. */
static struct sp_view without_quote(struct diagnose_style *style, struct sp_view line,
                                    enum diagnose_expect expect)
{
    enum { PREFIX_LEAST = 8 };
    struct sp_view rest = line, ignored;
    enum side side;
    while (rest.len > 0 && rest.p[0] == '>' && (rest.len == 1 || rest.p[1] == ' ' || rest.p[1] == '>')) {
        rest = sp_view_from(rest, 1);
        if (rest.len > 1 && rest.p[0] == ' ' && rest.p[1] != ' ')
            rest = sp_view_from(rest, 1);
    }
    if (rest.len == line.len || style->quoted)
        return rest;
    if (expect == DIAGNOSE_EXPECT_CONTENT || sp_view_starts(line, SP_LIT(">>")))
        return line; /* content may quote as well; ">>>" is an arrow */
    enum diagnose_line_kind told = kind_of(rest);
    style->right_server = style->right_server || told == DIAGNOSE_LINE_SERVER;
    style->right_client = style->right_client || told == DIAGNOSE_LINE_CLIENT;
    size_t prefix = rest.len - diagnose_prefix_skip(rest, &ignored).len;
    bool inner = told == DIAGNOSE_LINE_NOTE && (find_mark(rest, &side) > 1 || prefix >= PREFIX_LEAST);
    style->quoted = inner || (style->right_server && style->right_client);
    if (style->quoted) /* what it taught as an arrow was wrong */
        style->left_server = style->left_client = style->marked = 0;
    return style->quoted ? rest : line;
}

/* One string of JSON that was printed over many lines: "250-SIZE", or of the key "line". */
static bool read_string(struct diagnose_style *style, struct sp_view line, enum diagnose_expect expect,
                        uint8_t *scratch, struct diagnose_line *out)
{
    struct sp_view v = sp_view_trim(line);
    bool keyed = sp_view_starts(v, SP_LIT("\"line\": \""));
    if (keyed)
        v = sp_view_from(v, sp_view_of("\"line\": ").len);
    if (v.len > 0 && v.p[v.len - 1] == ',')
        v.len--;
    if (v.len < 2 || v.p[0] != '"' || v.p[v.len - 1] != '"')
        return false;
    struct sp_view text = unquote(v, scratch);
    out->kind = kind_of(text);
    if (out->kind == DIAGNOSE_LINE_NOTE && keyed && expect != DIAGNOSE_EXPECT_COMMAND)
        out->kind = DIAGNOSE_LINE_CLIENT;
    out->text = text;
    out->marked = true;
    style->marked += out->kind != DIAGNOSE_LINE_NOTE;
    return out->kind != DIAGNOSE_LINE_NOTE;
}

void diagnose_line_read(struct diagnose_style *style, struct sp_view line, enum diagnose_expect expect,
                        uint8_t *scratch, struct diagnose_line *line_out)
{
    enum { COMPONENTS_MAX = 5 };
    struct diagnose_line *out = line_out;
    line = without_quote(style, line, expect);
    *out = (struct diagnose_line){.kind = DIAGNOSE_LINE_NOTE, .text = line};
    if (line.len > 0 && line.p[0] == '{' && diagnose_json_read(line, scratch, out)) {
        if (out->kind == DIAGNOSE_LINE_NOTE)
            (void)read_marked(style, out->text, expect, scratch, out);
        return;
    }
    if (diagnose_csv_read(line, out) || read_string(style, line, expect, scratch, out))
        return;
    *out = (struct diagnose_line){.kind = DIAGNOSE_LINE_NOTE, .text = line};
    struct sp_view rest = diagnose_prefix_skip(line, &out->key), seen = out->key;
    bool in_clear =
        expect == DIAGNOSE_EXPECT_CONTENT && style->marked == 0; /* a paste: the message has no marks */
    if (!in_clear)
        for (int i = 0; i < COMPONENTS_MAX && rest.len > 0; i++) {
            if (read_marked(style, rest, expect, scratch, out))
                return;
            if (i == 0 && read_unmarked(rest, style->marked ? DIAGNOSE_EXPECT_COMMAND : expect, out))
                return;
            size_t n = component(rest);
            if (n == 0)
                break;
            rest = diagnose_prefix_skip(sp_view_from(rest, n), &seen);
            if (seen.len > 0)
                out->key = seen;
        }
    else if (read_unmarked(line, expect, out))
        return;
    out->text = line;
    out->kind = DIAGNOSE_LINE_NOTE;
}
