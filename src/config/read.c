#include "config/read.h"

#include "base/view.h"

/* What the scanner sees. WORD carries a text; END stays. */
enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_EQUALS, TOKEN_COMMA, TOKEN_BAD };

struct token {
    enum token_kind kind;
    unsigned line;
    size_t at; /* its first octet */
    const char *text;
};

struct reader {
    struct sp_view in;
    size_t at;
    unsigned line;
    struct token token; /* the current one */
    struct config_faults *faults;
    struct config_section *newest; /* sections in the order of the text */
};

static bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\r'; }

static bool is_control(uint8_t c) { return c < 0x20 || c == 0x7f; }

/* Octets that end a word without quotes. */
static bool ends_word(uint8_t c) { return is_control(c) || (c != 0 && memchr(" \"'#{}=,;", c, 9)); }

static void skip_line(struct reader *r) { r->at = sp_view_find(r->in, '\n', r->at); }

static void skip_blank(struct reader *r)
{
    while (r->at < r->in.len) {
        uint8_t c = r->in.p[r->at];
        if (c == '#')
            skip_line(r);
        else if (c == '\n' || is_space(c)) {
            r->line += c == '\n';
            r->at++;
        } else
            return;
    }
}

/* Where the text that begins with the quote at `at` ends: its closing quote, or the end of the line. */
static size_t find_quote(const struct reader *r)
{
    size_t i = r->at + 1;
    while (i < r->in.len && r->in.p[i] != '"' && r->in.p[i] != '\n')
        i += r->in.p[i] == '\\' && i + 1 < r->in.len && r->in.p[i + 1] != '\n' ? 2 : 1;
    return i;
}

/* A text in quotes; they must close on the same line, so that a forgotten one is found where it is. */
static const char *scan_quoted(struct reader *r)
{
    size_t end = find_quote(r), n = 0;
    if (end == r->in.len || r->in.p[end] == '\n') {
        config_fault(r->faults, r->line, "the text that begins with \" is not closed on its line");
        r->at = end;
        return NULL;
    }
    char *text = config_new(r->faults->arena, end - r->at);
    for (size_t i = r->at + 1; i < end; i++) {
        uint8_t c = r->in.p[i];
        if (is_control(c))
            config_fault(r->faults, r->line, "a text holds the control octet 0x%02x", (unsigned)c);
        else if (c == '\\' && (c = r->in.p[++i]) != '"' && c != '\\')
            config_fault(r->faults, r->line, "a backslash in a text stands before \" or \\ only");
        else
            text[n++] = (char)c;
    }
    r->at = end + 1;
    return text;
}

static const char *scan_word(struct reader *r)
{
    size_t end = r->at;
    while (end < r->in.len && !ends_word(r->in.p[end]))
        end++;
    const char *text =
        config_text(r->faults->arena, "%.*s", (int)(end - r->at), (const char *)r->in.p + r->at);
    r->at = end;
    return text;
}

static void fault_octet(struct reader *r, uint8_t c)
{
    if (c == '\'')
        config_fault(r->faults, r->line, "texts stand in double quotes: \"...\"");
    else if (c == ';')
        config_fault(r->faults, r->line, "';' means nothing here: settings end with their line");
    else
        config_fault(r->faults, r->line, "the control octet 0x%02x means nothing here", (unsigned)c);
    r->at++;
}

static void next(struct reader *r)
{
    static const char marks[] = "{}=,";
    static const enum token_kind kinds[] = {TOKEN_OPEN, TOKEN_CLOSE, TOKEN_EQUALS, TOKEN_COMMA};
    skip_blank(r);
    r->token = (struct token){.kind = TOKEN_END, .line = r->line, .at = r->at};
    if (r->at == r->in.len)
        return;
    uint8_t c = r->in.p[r->at];
    const char *mark = c ? memchr(marks, c, sizeof marks - 1) : NULL;
    if (mark) {
        r->token.kind = kinds[mark - marks];
        r->at++;
    } else if (c == '"') {
        r->token.text = scan_quoted(r);
        r->token.kind = r->token.text ? TOKEN_WORD : TOKEN_BAD;
    } else if (ends_word(c)) {
        fault_octet(r, c);
        r->token.kind = TOKEN_BAD;
    } else {
        r->token.text = scan_word(r);
        r->token.kind = TOKEN_WORD;
    }
}

/* "the end of the file", "'}'", "'word'": for messages. */
static const char *describe(struct reader *r)
{
    static const char *const names[] = {[TOKEN_END] = "the end of the file",
                                        [TOKEN_OPEN] = "'{'",
                                        [TOKEN_CLOSE] = "'}'",
                                        [TOKEN_EQUALS] = "'='",
                                        [TOKEN_COMMA] = "','",
                                        [TOKEN_BAD] = "this"};
    return r->token.kind == TOKEN_WORD ? config_text(r->faults->arena, "'%.60s'", r->token.text)
                                       : names[r->token.kind];
}

/* Go on with the first token behind the line of the current one, which was faulty. */
static void recover(struct reader *r)
{
    if (r->token.kind != TOKEN_END && r->token.line == r->line)
        skip_line(r);
    next(r);
}

/* A fault at the current token, unless the scanner has said one already; then recover. */
static void fault_here(struct reader *r, const char *what)
{
    if (r->token.kind != TOKEN_BAD)
        config_fault(r->faults, r->token.line, "%s, found %s", what, describe(r));
    recover(r);
}

static void add_value(struct reader *r, struct config_setting *s, struct config_value ***end)
{
    struct config_value *v = config_new(r->faults->arena, sizeof *v);
    v->text = r->token.text;
    v->line = r->token.line;
    **end = v;
    *end = &v->next;
    s->n++;
    next(r);
}

/* Behind '{': values and commas up to '}'. */
static void read_list(struct reader *r, struct config_setting *s)
{
    struct config_value **end = &s->values;
    unsigned opened = r->token.line;
    s->list = true;
    next(r);
    while (r->token.kind == TOKEN_WORD) {
        add_value(r, s, &end);
        if (r->token.kind == TOKEN_COMMA)
            next(r);
        else if (r->token.kind == TOKEN_WORD)
            config_fault(r->faults, r->token.line, "%s: a ',' is missing before %s", s->name, describe(r));
    }
    if (r->token.kind == TOKEN_CLOSE) {
        next(r);
        return;
    }
    if (r->token.kind != TOKEN_BAD)
        config_fault(r->faults, r->token.line,
                     "%s: the list that begins in line %u is not closed with '}', found %s", s->name, opened,
                     describe(r));
    recover(r);
}

/* At '=': a value or a list. */
static void read_setting(struct reader *r, const char *name, unsigned line, struct config_section *section)
{
    struct config_setting *s = config_new(r->faults->arena, sizeof *s);
    s->name = name;
    s->line = line;
    next(r);
    if (r->token.kind == TOKEN_OPEN) {
        read_list(r, s);
    } else if (r->token.kind == TOKEN_WORD && r->token.line == line) {
        struct config_value **end = &s->values;
        add_value(r, s, &end);
        if (r->token.kind == TOKEN_WORD && r->token.line == line) {
            config_fault(
                r->faults, line,
                "%s: a setting ends with its line, and a text with spaces stands in quotes; found %s", name,
                describe(r));
            recover(r);
        }
    } else {
        if (r->token.kind != TOKEN_BAD)
            config_fault(r->faults, line, "%s: a value must follow '='", name);
        if (r->token.kind == TOKEN_BAD || r->token.line == line)
            recover(r);
        return;
    }
    if (section->last)
        section->last->next = s;
    else
        section->settings = s;
    section->last = s;
}

static struct config_section *add_section(struct reader *r, const char *name, const char *title,
                                          unsigned line)
{
    struct config_section *section = config_new(r->faults->arena, sizeof *section);
    *section = (struct config_section){.name = name, .title = title, .line = line};
    if (r->newest)
        r->newest->next = section;
    r->newest = section;
    return section;
}

/*
 * One setting, or the head of a section. Returns the section that is open behind it.
 *
 *   top, open  the outermost section; the one that is open, which may be the same
 */
static struct config_section *read_statement(struct reader *r, struct config_section *top,
                                             struct config_section *open)
{
    const char *name = r->token.text;
    unsigned line = r->token.line;
    next(r);
    if (r->token.kind == TOKEN_EQUALS) {
        read_setting(r, name, line, open);
        return open;
    }
    const char *title = NULL;
    if (r->token.kind == TOKEN_WORD && r->token.line == line) {
        title = r->token.text;
        next(r);
    }
    if (r->token.kind == TOKEN_OPEN) {
        if (open != top)
            config_fault(r->faults, line,
                         "sections do not nest: is a '}' missing for the section %s of line %u?", open->name,
                         open->line);
        next(r);
        return add_section(r, name, title, line);
    }
    if (r->token.kind != TOKEN_BAD)
        config_fault(r->faults, line, "%.60s: '=' and a value, or '{' of a section, must follow", name);
    if (r->token.kind == TOKEN_BAD || r->token.line == line)
        recover(r);
    return open;
}

struct config_section *config_read(struct sp_view text, struct config_faults *f)
{
    struct reader r = {.in = text, .line = 1, .faults = f};
    struct config_section *top = add_section(&r, "", NULL, 1), *open = top;
    if (text.len > CONFIG_TEXT_MAX) {
        config_fault(f, 1, "the text has %zu octets; allowed: up to %d", text.len, CONFIG_TEXT_MAX);
        return top;
    }
    next(&r);
    while (r.token.kind != TOKEN_END) {
        if (r.token.kind == TOKEN_WORD && r.token.text[0]) {
            open = read_statement(&r, top, open);
        } else if (r.token.kind == TOKEN_CLOSE && open != top) {
            open = top;
            next(&r);
        } else {
            fault_here(&r,
                       open == top ? "a key or a section must stand here" : "a key or '}' must stand here");
        }
    }
    if (open != top)
        config_fault(f, open->line, "section %s is not closed: '}' is missing", open->name);
    return top;
}
