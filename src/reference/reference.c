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

const struct reference_pair *reference_pair_find(int a, int b)
{
    for (size_t i = 0; i < reference_data_pairs_n; i++) {
        const struct reference_pair *pair = &reference_data_pairs[i];
        if ((pair->a == a && pair->b == b) || (pair->a == b && pair->b == a))
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
    case 2: return reference_word(REFERENCE_WORD_CLASS_2, lang);
    case 3: return reference_word(REFERENCE_WORD_CLASS_3, lang);
    case 4: return reference_word(REFERENCE_WORD_CLASS_4, lang);
    case 5: return reference_word(REFERENCE_WORD_CLASS_5, lang);
    default: return NULL;
    }
}

/* `id` in a text that ends in "[id]"; empty when it does not. */
static struct sp_view bracketed(struct sp_view text)
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

static const char *explain_class(int code, enum reference_lang lang)
{
    switch (code / 100) {
    case 2: return reference_word(REFERENCE_WORD_LINE_2, lang);
    case 3: return reference_word(REFERENCE_WORD_LINE_3, lang);
    case 4: return reference_word(REFERENCE_WORD_LINE_4, lang);
    case 5: return reference_word(REFERENCE_WORD_LINE_5, lang);
    default: return reference_word(REFERENCE_WORD_LINE_BAD, lang);
    }
}

const char *reference_explain(int code, struct sp_view text, enum reference_lang lang)
{
    text = sp_view_trim(text);
    const struct reference_reason *reason = reference_reason_find(bracketed(text));
    if (reason && reason->code == code)
        return reference_in(&reason->meaning, lang);
    const struct reference_code *entry = reference_code_find(code);
    if (!entry)
        return explain_class(code, lang);
    for (size_t i = 0; i < entry->variants_n; i++)
        if (variant_fits(&entry->variants[i], text))
            return reference_in(&entry->variants[i].summary, lang);
    return reference_in(&entry->summary, lang);
}
