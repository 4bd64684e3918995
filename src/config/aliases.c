#include "config/aliases.h"

#include "base/table.h"
#include "base/view.h"
#include "os/heap.h"

#include <stdlib.h>

enum {
    NAME_MAX = 64,      /* RFC 5321 4.5.3.1.1 */
    LOCAL_MAX = 130,    /* the same in quotes, each octet behind a backslash */
    ADDRESS_MAX = 254,  /* RFC 5321 4.5.3.1.3, without <> */
    TARGETS_MAX = 10000 /* of one name */
};

struct targets {
    size_t line;
    bool faulty; /* one of them */
    size_t n;
    struct sp_buf list; /* one a line */
};

struct config_aliases {
    struct sp_table names;
};

struct reading {
    const char *file;
    struct sp_buf *error;
    struct config_aliases *aliases;
    size_t line;
    struct targets *targets; /* of the name that is being read; NULL: none, or it was faulty */
    bool faulty;
};

/* --- faults --------------------------------------------------------------------------------- */

static void fault(struct reading *r, const char *what, struct sp_view word)
{
    sp_buf_add_str(r->error, r->file);
    sp_buf_add_u8(r->error, ':');
    sp_buf_add_dec(r->error, r->line);
    sp_buf_add_str(r->error, ": ");
    for (size_t i = 0; i < word.len && i < 80; i++)
        sp_buf_add_u8(r->error, word.p[i] < 0x20 || word.p[i] == 0x7f ? '?' : word.p[i]);
    sp_buf_add_str(r->error, what);
    sp_buf_add_u8(r->error, '\n');
    r->faulty = true;
    if (r->targets)
        r->targets->faulty = true;
}

/* --- words ---------------------------------------------------------------------------------- */

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r'; }

static struct sp_view trim(struct sp_view v)
{
    while (v.len && is_blank(v.p[0]))
        v = sp_view_from(v, 1);
    while (v.len && is_blank(v.p[v.len - 1]))
        v.len--;
    return v;
}

/* Where the octet stands outside of quotes; the length: nowhere. */
static size_t find_bare(struct sp_view v, uint8_t c)
{
    bool quoted = false;
    for (size_t i = 0; i < v.len; i++) {
        if (quoted && v.p[i] == '\\' && i + 1 < v.len)
            i++;
        else if (v.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && v.p[i] == c)
            return i;
    }
    return v.len;
}

/* In lower case, without quotes. false: it is no name. */
static bool read_name(struct sp_view word, uint8_t out[NAME_MAX], size_t *len_out)
{
    size_t n = 0, i = 0, end = word.len;
    bool quoted = word.len > 1 && word.p[0] == '"' && word.p[word.len - 1] == '"';
    if (quoted)
        i = 1, end--;
    for (; i < end; i++) {
        if (quoted && word.p[i] == '\\' && i + 1 < end)
            i++;
        uint8_t c = word.p[i];
        if (c < 0x20 || c == 0x7f || n == NAME_MAX || (!quoted && (c == '"' || c == '@' || is_blank(c))))
            return false;
        out[n++] = sp_ascii_lower(c);
    }
    *len_out = n;
    return n > 0;
}

/* --- targets -------------------------------------------------------------------------------- */

/* What may stand before the @ of an address: it goes into RCPT as it is. RFC 5321 4.1.2, 6531 3.3. */
static bool is_local_part(struct sp_view v)
{
    static const char special[] = "()<>[]:;@\\,\" ";
    bool quoted = v.len > 1 && v.p[0] == '"' && v.p[v.len - 1] == '"';
    size_t end = quoted ? v.len - 1 : v.len;
    if (v.len == 0 || v.len > LOCAL_MAX)
        return false;
    for (size_t i = quoted; i < end; i++) {
        if (quoted && v.p[i] == '\\' && ++i == end)
            return false;
        uint8_t c = v.p[i];
        if (c < 0x20 || c == 0x7f || (!quoted && memchr(special, c, sizeof special - 1)))
            return false;
    }
    return true;
}

static void add_target(struct reading *r, struct sp_view word)
{
    uint8_t name[NAME_MAX];
    size_t at = find_bare(word, '@'), len;
    if (word.p[0] == '|' || word.p[0] == '/' || word.p[0] == ':') {
        fault(r, " is a program, a file or a list; a target is a name of this domain, or an address", word);
        return;
    }
    bool known = at == word.len ? read_name(word, name, &len)
                                : is_local_part(sp_view_sub(word, 0, at)) && at + 1 < word.len &&
                                      word.len <= ADDRESS_MAX;
    for (size_t i = at; i < word.len && known; i++)
        known = word.p[i] > ' ' && word.p[i] != 0x7f && word.p[i] != '"' && (i == at || word.p[i] != '@');
    if (!known) {
        fault(r, " is neither a name nor an address such as ann@example.net", word);
    } else if (!r->targets) {
        return; /* its name was faulty, and that was said */
    } else if (r->targets->n++ == TARGETS_MAX) {
        fault(r, " and what follows are more than 10000 targets of one name", word);
    } else if (r->targets->n <= TARGETS_MAX) {
        /* A name in quotes stays so: it may hold an @. os_heap never says no. */
        bool plain = at == word.len && word.p[0] != '"';
        (void)sp_buf_add(&r->targets->list, plain ? sp_view_make(name, len) : sp_view_sub(word, 0, at));
        for (size_t i = at; i < word.len; i++)
            (void)sp_buf_add_u8(&r->targets->list, sp_ascii_lower(word.p[i]));
        (void)sp_buf_add_u8(&r->targets->list, '\n');
    }
}

static void read_targets(struct reading *r, struct sp_view rest)
{
    while (rest.len) {
        size_t comma = find_bare(rest, ',');
        struct sp_view word = trim(sp_view_sub(rest, 0, comma));
        if (word.len)
            add_target(r, word);
        rest = sp_view_from(rest, comma < rest.len ? comma + 1 : comma);
    }
}

static struct targets *new_name(struct reading *r, struct sp_view word)
{
    uint8_t name[NAME_MAX];
    size_t len;
    if (!read_name(word, name, &len)) {
        fault(r, " is no name: the part before the @ of an address of this domain, of 64 octets at most",
              word);
        return NULL;
    }
    if (sp_table_get(&r->aliases->names, sp_view_make(name, len))) {
        fault(r, " is there twice", word);
        return NULL;
    }
    struct targets *t = os_new(sizeof *t);
    t->line = r->line;
    sp_buf_init(&t->list, &os_heap, SIZE_MAX / 2);
    int status = sp_table_put(&r->aliases->names, sp_view_make(name, len), t);
    (void)status; /* os_heap never says no */
    return t;
}

static void read_line(struct reading *r, struct sp_view line)
{
    line = sp_view_sub(line, 0, find_bare(line, '#'));
    struct sp_view words = trim(line);
    if (!words.len)
        return;
    if (is_blank(line.p[0])) {
        if (!r->targets && !r->faulty)
            fault(r, " goes on with a line that is not there; a name begins in the first column", words);
        read_targets(r, words);
        return;
    }
    size_t colon = find_bare(words, ':');
    r->targets = NULL;
    if (colon == words.len) {
        fault(r, ": there is no colon behind the name", words);
        return;
    }
    r->targets = new_name(r, trim(sp_view_sub(words, 0, colon)));
    read_targets(r, trim(sp_view_from(words, colon + 1)));
}

/* A name that stands for nobody would swallow mail. */
static void check_empty(struct reading *r)
{
    size_t cursor = 0;
    struct sp_view key;
    r->targets = NULL;
    for (void *value; sp_table_next(&r->aliases->names, &cursor, &key, &value);) {
        const struct targets *t = value;
        r->line = t->line;
        if (t->n == 0 && !t->faulty)
            fault(r, " has no targets", key);
    }
}

int config_aliases_parse(const char *file, struct sp_view text, struct sp_buf *error,
                         struct config_aliases **aliases_out)
{
    uint64_t seed;
    struct config_aliases *a = os_new(sizeof *a);
    struct reading r = {.file = file, .error = error, .aliases = a};
    os_random(&seed, sizeof seed);
    sp_table_init(&a->names, &os_heap, seed);
    while (text.len) {
        size_t end = sp_view_find(text, '\n', 0);
        r.line++;
        read_line(&r, sp_view_sub(text, 0, end));
        text = sp_view_from(text, end < text.len ? end + 1 : end);
    }
    check_empty(&r);
    if (r.faulty) {
        config_aliases_free(a);
        return SP_ERR_SYNTAX;
    }
    *aliases_out = a;
    return SP_OK;
}

void config_aliases_free(struct config_aliases *a)
{
    size_t cursor = 0;
    struct sp_view key;
    if (!a)
        return;
    for (void *value; sp_table_next(&a->names, &cursor, &key, &value);) {
        sp_buf_fini(&((struct targets *)value)->list);
        free(value);
    }
    sp_table_fini(&a->names);
    free(a);
}

struct sp_view config_aliases_find(const struct config_aliases *a, struct sp_view name)
{
    const struct targets *t = sp_table_get(&a->names, name);
    return t ? sp_buf_view(&t->list) : (struct sp_view){0};
}

size_t config_aliases_count(const struct config_aliases *a) { return a->names.n; }
