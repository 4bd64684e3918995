/* What each line of a transcript means. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/view.h"
#include "pages/pages.h"
#include "pages/text.h"

enum { COMMAND, ANSWER, HEADER, BODY };
enum { CODE_LEN = 3 };

static char *say(enum reference_word w, enum reference_lang lang)
{
    return pages_copy(reference_word(w, lang));
}

/* The topic whose name a text begins with, up to a space or '='. */
static const struct reference_topic *topic_at(enum reference_topic_kind kind, const char *text)
{
    return reference_topic_find(kind, sp_view_make(text, strcspn(text, " =:")));
}

static int read_code(const char *text)
{
    int code = 0;
    for (size_t i = 0; i < CODE_LEN; i++) {
        if (!sp_ascii_digit((uint8_t)text[i]))
            return 0;
        code = code * 10 + (text[i] - '0');
    }
    return code;
}

/* "demo", "NUL demo NUL secret"; NULL when it is binary. */
static char *shown(const char *base64)
{
    struct pages_text t;
    size_t len = strlen(base64), n = 0;
    uint8_t *octets = malloc(sp_base64_decoded_max(len) + 1);
    if (!octets)
        abort();
    bool fit = sp_base64_decode(sp_view_of(base64), octets, &n) == SP_OK && n > 0;
    FILE *to = pages_text_begin(&t);
    for (size_t i = 0; fit && i < n; i++) {
        if (octets[i] == 0)
            fputs(i == 0 ? "NUL " : " NUL ", to);
        else if (octets[i] == 1)
            fputs(" ^A ", to);
        else
            fputc(octets[i], to);
        fit = octets[i] < 2 || (octets[i] >= ' ' && octets[i] < 0x7f);
    }
    free(octets);
    char *text = pages_text_end(&t);
    if (fit)
        return text;
    free(text);
    return NULL;
}

static char *note_answer(const char *text, enum reference_lang lang)
{
    if (*text == '\0')
        return say(REFERENCE_WORD_NOTE_EMPTY, lang);
    if (strcmp(text, "*") == 0)
        return say(REFERENCE_WORD_NOTE_CANCEL, lang);
    char *decoded = shown(text);
    char *note = decoded ? pages_format("%s `%s`", reference_word(REFERENCE_WORD_NOTE_BASE64, lang), decoded)
                         : say(REFERENCE_WORD_NOTE_ANSWER, lang);
    free(decoded);
    return note;
}

static char *note_content(struct pages_noter *n, const char *text, enum reference_lang lang)
{
    if (strcmp(text, ".") == 0) {
        n->expects = COMMAND;
        return say(REFERENCE_WORD_NOTE_END, lang);
    }
    if (n->expects == HEADER && *text == '\0') {
        n->expects = BODY;
        return say(REFERENCE_WORD_NOTE_BLANK, lang);
    }
    if (text[0] == '.')
        return say(REFERENCE_WORD_NOTE_DOT, lang);
    return n->content_n++ == 0 ? say(REFERENCE_WORD_NOTE_CONTENT, lang) : pages_copy("");
}

static char *note_command(struct pages_noter *n, const char *text, enum reference_lang lang)
{
    const struct reference_topic *command = topic_at(REFERENCE_COMMAND, text);
    n->ehlo = strncasecmp(text, "EHLO", 4) == 0 || strncasecmp(text, "LHLO", 4) == 0;
    n->offered_n = 0;
    if (strncasecmp(text, "BDAT", 4) == 0) {
        n->expects = HEADER;
        n->content_n = 0;
    }
    if (!command)
        return say(REFERENCE_WORD_NOTE_UNKNOWN, lang);
    const char *mechanism = strcmp(command->name, "AUTH") == 0 ? text + strcspn(text, " ") : "";
    mechanism += strspn(mechanism, " ");
    const char *initial = mechanism + strcspn(mechanism, " ");
    initial += strspn(initial, " ");
    const struct reference_topic *m = *mechanism ? topic_at(REFERENCE_MECHANISM, mechanism) : NULL;
    char *decoded = *initial ? shown(initial) : NULL;
    char *note = decoded ? pages_format("%s; %s `%s`", reference_in(m ? &m->title : &command->title, lang),
                                        reference_word(REFERENCE_WORD_NOTE_BASE64, lang), decoded)
                         : pages_copy(reference_in(m ? &m->title : &command->title, lang));
    free(decoded);
    return note;
}

static char *note_reply(struct pages_noter *n, const char *text, enum reference_lang lang)
{
    int code = read_code(text);
    bool more = code && text[CODE_LEN] == '-';
    const char *rest = code && text[CODE_LEN] ? text + CODE_LEN + 1 : "";
    n->expects = code == 334 ? ANSWER : code == 354 ? HEADER : COMMAND;
    n->content_n = 0;
    if (n->ehlo && code == 250) {
        const struct reference_topic *keyword = topic_at(REFERENCE_KEYWORD, rest);
        if (keyword)
            return pages_copy(reference_in(&keyword->title, lang));
        return say(n->offered_n++ == 0 ? REFERENCE_WORD_NOTE_HOST : REFERENCE_WORD_NOTE_EXTENSION, lang);
    }
    if (more)
        return say(REFERENCE_WORD_NOTE_MORE, lang);
    return pages_copy(reference_explain(code, sp_view_of(rest), lang));
}

char *pages_note(struct pages_noter *n, const struct reference_line *line, enum reference_lang lang)
{
    if (line->from == '-')
        return pages_copy("");
    if (line->from == 'S')
        return note_reply(n, line->text, lang);
    switch (n->expects) {
    case ANSWER:
        return note_answer(line->text, lang);
    case HEADER:
    case BODY:
        return note_content(n, line->text, lang);
    default:
        return note_command(n, line->text, lang);
    }
}
