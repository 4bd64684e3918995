/*
 * The catalogue of replies: what each reply code means, when it is seen, how to fix it,
 * how two codes differ, and the same for every reason id our own server puts in brackets.
 * All of it const data generated from reference/ by tools/gen-reference; every text is
 * there in every language. Nothing allocates, everything returned is static.
 *
 * Texts are paragraphs separated by '\n'. A paragraph that begins with "- " is an item of
 * a list. What stands between backticks is to be shown as typed.
 */
#ifndef REFERENCE_REFERENCE_H
#define REFERENCE_REFERENCE_H

#include "sallyport/base.h"

enum reference_lang { REFERENCE_EN, REFERENCE_VI };

struct reference_text {
    const char *en, *vi;
};

/* One line of a transcript, without its CRLF. */
struct reference_line {
    char from; /* 'S' the server, 'C' the client, '-' an event such as a TLS handshake */
    const char *text;
};

struct reference_transcript {
    const struct reference_line *lines;
    size_t n; /* 0: there is none */
};

/* NAME, spelling in the TOML files and in JSON. What a client may do after this reply. */
#define REFERENCE_RETRIES(X)                                                                                 \
    X(GO_ON, "go-on")     /* no error                                              */                        \
    X(REORDER, "reorder") /* put the session in order; the same command then works */                        \
    X(LATER, "later")     /* the same again after a while                          */                        \
    X(CHANGED, "changed") /* never the same again; change what is named first      */

#define X(name, word) REFERENCE_##name,
enum reference_retry { REFERENCE_RETRIES(X) REFERENCE_RETRY_N };
#undef X

/* One of several situations in which a code is seen. */
struct reference_case {
    struct reference_text title, when, fix;
    const char *reason; /* our server's id for it, or NULL */
    struct reference_transcript transcript;
};

/* A summary for replies with a certain text: `334 VXNlcm5hbWU6` says more than 334. */
struct reference_variant {
    const char *match;
    bool whole; /* the text is `match`; otherwise it begins with it */
    struct reference_text summary;
};

struct reference_code {
    int code;
    struct reference_text name;
    struct reference_text summary; /* one line                                 */
    struct reference_text description, when, fix;
    enum reference_retry retry;
    const char *const *commands; /* that it answers; NULL ends the list       */
    const char *const *enhanced; /* codes that come with it; NULL ends        */
    const char *const *rfc;      /* "5321 4.2.2"; NULL ends                   */
    const int *related;          /* codes in the catalogue; 0 ends            */
    const struct reference_case *cases;
    size_t cases_n;
    const struct reference_variant *variants;
    size_t variants_n;
};

struct reference_reason {
    const char *id;
    int code;
    const char *enhanced;
    struct reference_text meaning; /* one line */
    struct reference_text when, fix;
    struct reference_transcript transcript;
};

struct reference_pair {
    int a, b; /* a < b */
    struct reference_text difference, which;
};

/* What the second and third number of an enhanced code say (RFC 3463, RFC 5248). */
struct reference_meaning {
    int subject, detail;        /* 5.7.1: 7, 1 */
    struct reference_text text; /* one line; silent about the class */
};

/* Headings, labels and the sentences a comparison without a written page is made of. */
/* clang-format off */
#define REFERENCE_WORDS(X)                                                                                          \
    X(DESCRIPTION) X(WHEN) X(FIX) X(DIFFERENCE) X(WHICH)                                                    \
    X(FACTS) X(COMMANDS) X(ENHANCED) X(ENHANCED_CODE) X(RFC) X(RELATED) X(REASONS) X(RETRY)   \
    X(CLASS) X(SUBJECT) X(CODES) X(CODE) X(REASON) X(DECODED) X(MORE) X(PAGES) X(ALSO)                      \
    X(COMMAND_ANY) X(COMMAND_CONNECT) X(COMMAND_MESSAGE)                                                    \
    X(CLASS_2) X(CLASS_3) X(CLASS_4) X(CLASS_5)                                                             \
    X(DIGIT_0) X(DIGIT_1) X(DIGIT_2) X(DIGIT_5) X(DIGIT_OTHER)                                              \
    X(LINE_2) X(LINE_3) X(LINE_4) X(LINE_5) X(LINE_BAD)                                                     \
    X(RETRY_GO_ON) X(RETRY_REORDER) X(RETRY_LATER) X(RETRY_CHANGED)                                         \
    X(SUBJECT_0) X(SUBJECT_1) X(SUBJECT_2) X(SUBJECT_3) X(SUBJECT_4) X(SUBJECT_5) X(SUBJECT_6) X(SUBJECT_7) \
    X(ENHANCED_CLASS_2) X(ENHANCED_CLASS_4) X(ENHANCED_CLASS_5)                                             \
    X(UNLISTED_CODE) X(UNLISTED_ENHANCED)                                                                   \
    X(COMPOSED) X(SAME_CLASS) X(OTHER_CLASS) X(UNKNOWN) X(NEAREST) X(UNKNOWN_HINT)
/* clang-format on */

#define X(name) REFERENCE_WORD_##name,
enum reference_word { REFERENCE_WORDS(X) REFERENCE_WORD_N };
#undef X

/* The text in a language. */
static inline const char *reference_in(const struct reference_text *text, enum reference_lang lang)
{
    return lang == REFERENCE_VI ? text->vi : text->en;
}

/* One entry, or NULL when the catalogue has none. */
const struct reference_code *reference_code_find(int code);
const struct reference_reason *reference_reason_find(struct sp_view id);

/* The written comparison of two codes, in either order, or NULL. */
const struct reference_pair *reference_pair_find(int a, int b);

/* The meaning of X.subject.detail, or NULL when it is not registered. */
const struct reference_meaning *reference_meaning_find(int subject, int detail);

/* All entries in ascending order; n_out is their number. */
const struct reference_code *reference_codes(size_t *n_out);
const struct reference_reason *reference_reasons(size_t *n_out);
const struct reference_pair *reference_pairs(size_t *n_out);

/* "later": the retry's spelling in JSON. */
const char *reference_retry_name(enum reference_retry retry);

/* A heading, label or sentence. */
const char *reference_word(enum reference_word word, enum reference_lang lang);

/* What the first and the second digit of a reply code 200..599 say, as a phrase. NULL outside. */
const char *reference_class(int code, enum reference_lang lang);
const char *reference_digit(int code, enum reference_lang lang);

/* An enhanced code at the front of a text: "5.7.1 Not allowed". */
struct reference_enhanced {
    int class, subject, detail;
};

/* false: there is none. len_out: its length in the text, without the space behind it. */
bool reference_enhanced_read(struct sp_view text, struct reference_enhanced *enhanced_out, size_t *len_out);

/* The id in a text that ends in "[id]"; empty when it does not. Borrowed from the text. */
struct sp_view reference_bracketed(struct sp_view text);

/* The summary for this code with this text, or NULL: the first variant that fits. */
const struct reference_text *reference_variant_find(const struct reference_code *code, struct sp_view text);

/*
 * One reply explained in one line.
 *
 *   code  as received; any number
 *   text  what follows the code and its space or hyphen; the last line of a reply with several.
 *         A known [reason-id] at its end is explained first, then a known text, then an
 *         enhanced code that does not usually come with this code, then the code, then its
 *         first digit.
 *
 * Never NULL.
 */
const char *reference_explain(int code, struct sp_view text, enum reference_lang lang);

#endif
