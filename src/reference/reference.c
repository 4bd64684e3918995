#include "reference/reference.h"

#include "base/view.h"
#include "reference/data.h"

const struct reference_code *reference_codes(size_t *n_out)
{
    *n_out = reference_data_codes_n;
    return reference_data_codes;
}

const struct reference_reason *reference_reasons(size_t *n_out)
{
    *n_out = reference_data_reasons_n;
    return reference_data_reasons;
}

const struct reference_pair *reference_pairs(size_t *n_out)
{
    *n_out = reference_data_pairs_n;
    return reference_data_pairs;
}

const struct reference_code *reference_code_find(int code)
{
    for (size_t low = 0, high = reference_data_codes_n; low < high;) {
        size_t mid = low + (high - low) / 2;
        const struct reference_code *entry = &reference_data_codes[mid];
        if (entry->code == code)
            return entry;
        if (entry->code < code)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* Order of a view and a string of ours: <0, 0, >0. Only octets are compared. */
static int compare(struct sp_view v, const char *s)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = (uint8_t)s[i];
        if (c == 0 || v.p[i] != c)
            return v.p[i] < c ? -1 : 1;
    }
    return s[v.len] == '\0' ? 0 : -1;
}

const struct reference_reason *reference_reason_find(struct sp_view id)
{
    for (size_t low = 0, high = reference_data_reasons_n; low < high;) {
        size_t mid = low + (high - low) / 2;
        const struct reference_reason *entry = &reference_data_reasons[mid];
        int order = compare(id, entry->id);
        if (order == 0)
            return entry;
        if (order > 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b)
        a++, b++;
    return *a == *b;
}

const struct reference_pair *reference_pair_find(const char *a, const char *b)
{
    for (size_t i = 0; i < reference_data_pairs_n; i++) {
        const struct reference_pair *pair = &reference_data_pairs[i];
        if ((same(pair->a, a) && same(pair->b, b)) || (same(pair->a, b) && same(pair->b, a)))
            return pair;
    }
    return NULL;
}

const char *reference_retry_name(enum reference_retry retry)
{
#define X(name, word) [REFERENCE_##name] = word,
    static const char *const names[REFERENCE_RETRY_N] = {REFERENCE_RETRIES(X)};
#undef X
    return names[retry];
}

const char *reference_word(enum reference_word word, enum reference_lang lang)
{
    return reference_in(&reference_data_words[word], lang);
}

const char *reference_class(int code, enum reference_lang lang)
{
    switch (code / 100) {
    case 2:
        return reference_word(REFERENCE_WORD_CLASS_2, lang);
    case 3:
        return reference_word(REFERENCE_WORD_CLASS_3, lang);
    case 4:
        return reference_word(REFERENCE_WORD_CLASS_4, lang);
    case 5:
        return reference_word(REFERENCE_WORD_CLASS_5, lang);
    default:
        return NULL;
    }
}

const char *reference_digit(int code, enum reference_lang lang)
{
    if (code < 200 || code > 599)
        return NULL;
    switch (code / 10 % 10) {
    case 0:
        return reference_word(REFERENCE_WORD_DIGIT_0, lang);
    case 1:
        return reference_word(REFERENCE_WORD_DIGIT_1, lang);
    case 2:
        return reference_word(REFERENCE_WORD_DIGIT_2, lang);
    case 5:
        return reference_word(REFERENCE_WORD_DIGIT_5, lang);
    default:
        return reference_word(REFERENCE_WORD_DIGIT_OTHER, lang);
    }
}

const struct reference_meaning *reference_meaning_find(int subject, int detail)
{
    for (size_t i = 0; i < reference_data_meanings_n; i++) {
        const struct reference_meaning *meaning = &reference_data_meanings[i];
        if (meaning->subject == subject && meaning->detail == detail)
            return meaning;
    }
    return NULL;
}

/* One to three digits at *at; -1 when there are none, or more. */
static int read_number(struct sp_view text, size_t *at)
{
    int n = 0;
    size_t start = *at;
    for (; *at < text.len && sp_ascii_digit(text.p[*at]); ++*at) {
        if (*at - start == 3)
            return -1;
        n = n * 10 + (text.p[*at] - '0');
    }
    return *at == start ? -1 : n;
}

bool reference_enhanced_read(struct sp_view text, struct reference_enhanced *enhanced_out, size_t *len_out)
{
    size_t at = 0;
    int numbers[3];
    for (size_t i = 0; i < 3; i++) {
        if (i > 0 && (at == text.len || text.p[at++] != '.'))
            return false;
        numbers[i] = read_number(text, &at);
        if (numbers[i] < 0)
            return false;
    }
    if ((at < text.len && text.p[at] != ' ') || (numbers[0] != 2 && numbers[0] != 4 && numbers[0] != 5))
        return false;
    *enhanced_out = (struct reference_enhanced){numbers[0], numbers[1], numbers[2]};
    *len_out = at;
    return true;
}

struct sp_view reference_bracketed(struct sp_view text)
{
    text = sp_view_trim(text);
    if (text.len == 0 || text.p[text.len - 1] != ']')
        return (struct sp_view){NULL, 0};
    for (size_t i = text.len - 1; i-- > 0;)
        if (text.p[i] == '[')
            return sp_view_sub(text, i + 1, text.len - i - 2);
    return (struct sp_view){NULL, 0};
}

static bool variant_fits(const struct reference_variant *variant, struct sp_view text)
{
    size_t len = 0;
    while (variant->match[len] != '\0')
        len++;
    return variant->whole ? compare(text, variant->match) == 0
                          : text.len >= len && compare(sp_view_sub(text, 0, len), variant->match) == 0;
}

const struct reference_text *reference_variant_find(const struct reference_code *code, struct sp_view text)
{
    for (size_t i = 0; i < code->variants_n; i++)
        if (variant_fits(&code->variants[i], text))
            return &code->variants[i].summary;
    return NULL;
}

static const char *explain_class(int code, enum reference_lang lang)
{
    switch (code / 100) {
    case 2:
        return reference_word(REFERENCE_WORD_LINE_2, lang);
    case 3:
        return reference_word(REFERENCE_WORD_LINE_3, lang);
    case 4:
        return reference_word(REFERENCE_WORD_LINE_4, lang);
    case 5:
        return reference_word(REFERENCE_WORD_LINE_5, lang);
    default:
        return reference_word(REFERENCE_WORD_LINE_BAD, lang);
    }
}

static bool usual(const struct reference_code *entry, struct sp_view enhanced)
{
    for (const char *const *e = entry ? entry->enhanced : NULL; e && *e; e++)
        if (compare(enhanced, *e) == 0)
            return true;
    return false;
}

/* What the enhanced code tells beyond the code it came with, or NULL. */
static const struct reference_meaning *telling(int code, const struct reference_code *entry,
                                               struct sp_view text)
{
    struct reference_enhanced enhanced;
    size_t len;
    if (!reference_enhanced_read(text, &enhanced, &len) || enhanced.class != code / 100 ||
        enhanced.detail == 0)
        return NULL;
    return usual(entry, sp_view_sub(text, 0, len))
               ? NULL
               : reference_meaning_find(enhanced.subject, enhanced.detail);
}

const char *reference_explain(int code, struct sp_view text, enum reference_lang lang)
{
    text = sp_view_trim(text);
    const struct reference_reason *reason = reference_reason_find(reference_bracketed(text));
    if (reason && reason->code == code)
        return reference_in(&reason->meaning, lang);
    const struct reference_signature *signature = reference_signature_find(code, text);
    if (signature)
        return reference_in(&signature->meaning, lang);
    const struct reference_code *entry = reference_code_find(code);
    const struct reference_text *variant = entry ? reference_variant_find(entry, text) : NULL;
    if (variant)
        return reference_in(variant, lang);
    const struct reference_meaning *meaning = telling(code, entry, text);
    if (meaning)
        return reference_in(&meaning->text, lang);
    return entry ? reference_in(&entry->summary, lang) : explain_class(code, lang);
}
