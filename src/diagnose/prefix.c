#include "diagnose/prefix.h"

#include <string.h>

#include "base/view.h"
#include "diagnose/text.h"

static bool among(struct sp_view word, const char *const *words)
{
    for (; word.len > 0 && *words; words++)
        if (sp_ascii_lower((uint8_t)(*words)[0]) == sp_ascii_lower(word.p[0]) &&
            sp_view_eq_nocase(word, sp_view_of(*words)))
            return true;
    return false;
}

static bool is_level(struct sp_view word)
{
    static const char *const levels[] = {"DEBUG",   "INFO",     "WARN", "WARNING", "ERROR",  "TRACE",
                                         "NOTICE",  "FATAL",    "DBG",  "INF",     "WRN",    "ERR",
                                         "VERBOSE", "CRITICAL", "FINE", "FINER",   "FINEST", "SEVERE",
                                         "D",       "I",        "W",    "E",       "V",      NULL};
    while (word.len > 0 && strchr(":|-", word.p[word.len - 1]))
        word.len--;
    return among(word, levels);
}

static bool is_calendar_word(struct sp_view word)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
                                        "Nov", "Dec", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", NULL};
    if (word.len > 0 && word.p[word.len - 1] == ',')
        word.len--;
    return among(word, names);
}

/* Digits with the marks of dates and times between them. */
static bool is_time(struct sp_view word)
{
    size_t marks = 0, digits = 0, dots = 0;
    while (word.len > 0 && strchr("[(", word.p[0]))
        word = sp_view_from(word, 1);
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.p[i];
        if (sp_ascii_digit(c))
            digits++;
        else if (c == '.' || c == ',')
            dots++;
        else if (c == ':' || c == '/' || c == '-')
            marks++;
        else if (!strchr("TZ+])|", c))
            return false;
    }
    return (marks >= 2 && digits >= 4) ||
           (marks == 0 && dots == 1 && digits >= 4 && word.len >= 5 && digits != 4) ||
           (marks == 0 && dots == 0 && digits >= 10);
}

/* The octets of a group in brackets at the front, or 0. `[S]` is a mark of its own. */
static size_t bracketed(struct sp_view v, struct sp_view *inside_out)
{
    enum { GROUP_MAX = 80 };
    if (v.len < 3 || (v.p[0] != '[' && v.p[0] != '('))
        return 0;
    size_t end = sp_view_find(v, v.p[0] == '[' ? ']' : ')', 1);
    if (end == v.len || end > GROUP_MAX)
        return 0;
    *inside_out = sp_view_trim(sp_view_sub(v, 1, end - 1));
    if (inside_out->len <= 1)
        return 0;
    return end + 1;
}

static bool is_direction(struct sp_view word)
{
    static const char *const words[] = {"client", "server", "send", "recv", "sent", "received", NULL};
    return among(word, words);
}

/* "host postfix/smtpd[123]: " behind a date: skip to what the program said. */
static size_t program(struct sp_view v, struct sp_view *key_out)
{
    enum { PROGRAM_MAX = 120 };
    struct sp_view near = sp_view_sub(v, 0, PROGRAM_MAX);
    for (size_t i = 1; i + 2 < near.len; i++) {
        if (near.p[i] != ']' || near.p[i + 1] != ':' || near.p[i + 2] != ' ')
            continue;
        size_t open = i;
        while (open > 0 && sp_ascii_digit(near.p[open - 1]))
            open--;
        if (open == i || open < 2 || near.p[open - 1] != '[')
            return 0;
        size_t start = open - 1;
        while (start > 0 && near.p[start - 1] != ' ')
            start--;
        if (sp_ascii_digit(near.p[start]))
            return 0;
        *key_out = sp_view_sub(near, start, i + 1 - start);
        return i + 3;
    }
    return 0;
}

static size_t hex_offset(struct sp_view v)
{
    if (v.len < 6 || v.p[4] != ':' || v.p[5] != ' ')
        return 0;
    for (size_t i = 0; i < 4; i++)
        if (!sp_ascii_digit(v.p[i]) && !(v.p[i] >= 'a' && v.p[i] <= 'f'))
            return 0;
    return 6;
}

/* "5< 250 ok", "5> QUIT": the number of a socket before an arrow. */
static size_t socket_number(struct sp_view word)
{
    size_t digits = 0;
    while (digits < word.len && sp_ascii_digit(word.p[digits]))
        digits++;
    bool arrow = digits > 0 && digits + 1 == word.len && (word.p[digits] == '<' || word.p[digits] == '>');
    return arrow ? digits : 0;
}

/* One piece of prefix at the front, or 0. */
static size_t piece(struct sp_view v, bool dated, struct sp_view *key_out)
{
    struct sp_view inside = {NULL, 0};
    size_t end = sp_view_find(v, ' ', 0), tab = sp_view_find(v, '\t', 0), n;
    struct sp_view word = sp_view_sub(v, 0, end < tab ? end : tab);
    if (word.len == v.len)
        return 0;
    if (is_time(word) || is_level(word) || (word.len == 1 && (word.p[0] == '|' || word.p[0] == '-')))
        return word.len;
    if ((n = bracketed(v, &inside)) > 0) {
        if (is_direction(inside) || v.p[0] == '(')
            return 0;
        struct sp_view first = inside;
        first.len = sp_view_find(first, ' ', 0);
        if (!is_time(first) && !is_level(inside) && !is_calendar_word(first))
            *key_out = inside;
        return n + (n < v.len && v.p[n] == ':');
    }
    if (is_calendar_word(word)) {
        struct sp_view rest = sp_view_trim(sp_view_from(v, word.len));
        bool day = rest.len > 0 && (sp_ascii_digit(rest.p[0]) || is_calendar_word(sp_view_sub(rest, 0, 3)));
        size_t gap = (size_t)(rest.p - v.p), digits = 0;
        while (digits < rest.len && digits < 2 && sp_ascii_digit(rest.p[digits]))
            digits++;
        return day ? gap + digits : 0;
    }
    if ((n = hex_offset(v)) > 0 || (n = socket_number(word)) > 0)
        return n;
    return dated ? program(v, key_out) : 0;
}

struct sp_view diagnose_prefix_skip(struct sp_view line, struct sp_view *key_out)
{
    enum { PIECES_MAX = 10 };
    struct sp_view v = line;
    bool dated = true;
    *key_out = (struct sp_view){NULL, 0};
    for (int i = 0; i < PIECES_MAX; i++) {
        while (v.len > 0 && (v.p[0] == ' ' || v.p[0] == '\t'))
            v = sp_view_from(v, 1);
        size_t n = piece(v, dated, key_out);
        if (n == 0)
            break;
        v = sp_view_from(v, n);
    }
    while (v.len > 0 && (v.p[0] == ' ' || v.p[0] == '\t'))
        v = sp_view_from(v, 1);
    return v;
}

/* --- cleaning ------------------------------------------------------------------------------ */

static const struct {
    const char *entity;
    char c;
} entities[] = {{"&gt;", '>'},    {"&lt;", '<'},   {"&amp;", '&'}, {"&quot;", '"'},
                {"&#039;", '\''}, {"&#39;", '\''}, {"&nbsp;", ' '}};

static size_t entity(struct sp_view v, uint8_t *c_out)
{
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        if (diagnose_begins(v, entities[i].entity)) {
            *c_out = (uint8_t)entities[i].c;
            return strlen(entities[i].entity);
        }
    return 0;
}

static size_t tag(struct sp_view v)
{
    static const char *const tags[] = {"<br",  "<pre",  "</pre", "<p>",    "</p>",
                                       "<div", "</div", "<span", "</span", NULL};
    for (size_t i = 0; tags[i]; i++)
        if (diagnose_begins(v, tags[i])) {
            size_t end = sp_view_find(v, '>', 0);
            return end < v.len && end < 80 ? end + 1 : 0;
        }
    return 0;
}

/* ESC [ ... letter, and ESC with one octet. */
static size_t escape(struct sp_view v)
{
    if (v.len < 2 || v.p[1] != '[')
        return v.len < 2 ? 1 : 2;
    size_t i = 2;
    while (i < v.len && !sp_ascii_alpha(v.p[i]))
        i++;
    return i < v.len ? i + 1 : v.len;
}

size_t diagnose_clean(uint8_t *p, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n;) {
        struct sp_view rest = sp_view_make(p + i, n - i);
        uint8_t c = p[i];
        size_t used = 1;
        if (c == 0x1b) {
            i += escape(rest);
            continue;
        }
        if (c == '<' && (used = tag(rest)) > 0) {
            i += used;
            continue;
        }
        used = 1;
        if (c == '&') {
            size_t e = entity(rest, &c);
            used = e ? e : 1;
        }
        i += used;
        if (c != 0 && c != '\r')
            p[to++] = c;
    }
    while (to > 0 && (p[to - 1] == '\n'))
        to--;
    return to;
}
