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

/* NAME, spelling. Whose word stands behind an entry. */
#define REFERENCE_STANDINGS(X)                                                                               \
    X(STANDARD, "standard")     /* an RFC in force                                   */                      \
    X(OBSOLETE, "obsolete")     /* an RFC that another has replaced, or marked so    */                      \
    X(PRIVATE, "private")       /* its maker's own                                   */                      \
    X(DRAFT, "draft")           /* a draft that never became an RFC                  */                      \
    X(UNOFFICIAL, "unofficial") /* nobody's: programs say it all the same            */

#define X(name, word) REFERENCE_##name,
enum reference_standing { REFERENCE_STANDINGS(X) REFERENCE_STANDING_N };
#undef X

/* NAME, spelling. Who can mend it; a set of these is kept as bits, 1 << REFERENCE_BY_NAME. */
#define REFERENCE_ACTORS(X)                                                                                  \
    X(NOBODY, "nobody")                                                                                      \
    X(PROGRAM, "program")     /* who writes the sending program                      */                      \
    X(SENDER, "sender")       /* the person who sends                                */                      \
    X(OPERATOR, "operator")   /* who runs the sending host or its domain             */                      \
    X(SERVER, "server")       /* who runs the server that answers                    */                      \
    X(RECIPIENT, "recipient") /* whose mailbox it is                                 */

#define X(name, word) REFERENCE_BY_##name,
enum reference_actor { REFERENCE_ACTORS(X) REFERENCE_ACTOR_N };
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
    enum reference_standing standing;
    unsigned actors;             /* who can mend it                           */
    const char *const *sources;  /* where no RFC says it; NULL ends the list  */
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
    const char *a, *b; /* names of pages: "334", "PLAIN" */
    struct reference_text difference, which;
    struct reference_transcript transcript; /* in which both are seen */
};

/* What the second and third number of an enhanced code say (RFC 3463, RFC 5248). */
struct reference_meaning {
    int subject, detail;        /* 5.7.1: 7, 1 */
    struct reference_text text; /* one line; silent about the class */
    struct reference_text fix;
    unsigned actors;
};

#define REFERENCE_TOPIC_KINDS(X) X(COMMAND, "command") X(KEYWORD, "keyword") X(MECHANISM, "mechanism")

#define X(name, word) REFERENCE_##name,
enum reference_topic_kind { REFERENCE_TOPIC_KINDS(X) REFERENCE_TOPIC_KIND_N };
#undef X

enum reference_tls { REFERENCE_TLS_OPTIONAL, REFERENCE_TLS_ADVISED, REFERENCE_TLS_REQUIRED };

/* A command, an EHLO keyword or a SASL mechanism. */
struct reference_topic {
    enum reference_topic_kind kind;
    const char *name;           /* "SCRAM-SHA-256"                              */
    const char *const *aliases; /* other names of the entry; NULL ends          */
    enum reference_standing standing;
    struct reference_text title; /* one line: what it is or does                 */
    struct reference_text description, when, fix;
    const char *syntax;         /* as it is typed; "" where there is none       */
    const char *first;          /* mechanisms: who speaks first, client, server */
    const char *prompts[2];     /* mechanisms: 334s with and without initial response */
    enum reference_tls tls;     /* mechanisms                                   */
    const int *codes;           /* that answer it; 0 ends                       */
    const char *const *rfc, *const *sources, *const *related; /* NULL ends        */
    struct reference_transcript transcript;
};

/* Who runs or writes servers that say things in words of their own. */
struct reference_provider {
    const char *id, *name; /* "google", "Google" */
    struct reference_text description;
    const char *const *sources;
};

struct reference_range {
    int class, subject, low, high; /* 4.7.500 to 4.7.699 */
};

/* What the queue does about a refusal: NAME, spelling. The texts are in reference/actions.toml. */
#define REFERENCE_ACTIONS(X)                                                                                 \
    X(SLOW_DOWN, "slow-down") /* the server asks for less: its site is slowed               */               \
    X(BLOCKED, "blocked")     /* this host is refused as such: its site is left alone       */               \
    X(ACCESS, "access")       /* this host's login, TLS or name is refused                  */               \
    X(GREYLIST, "greylist")   /* this recipient, soon; the site is well                     */               \
    X(SENDER, "sender")       /* the sender's domain                                        */               \
    X(MESSAGE, "message")                                                                                    \
    X(RECIPIENT, "recipient")                                                                                \
    X(PROTOCOL, "protocol")

/* NONE: it is no refusal. */
#define X(name, word) REFERENCE_ACTION_##name,
enum reference_action { REFERENCE_ACTION_NONE, REFERENCE_ACTIONS(X) REFERENCE_ACTION_N };
#undef X

/* What was answered: a part of a delivery. Also a field of an outcome between roles. */
enum reference_stage {
    REFERENCE_AT_UNKNOWN,
    REFERENCE_AT_CONNECT, /* greeting, EHLO, TLS, AUTH           */
    REFERENCE_AT_MAIL,
    REFERENCE_AT_RCPT,
    REFERENCE_AT_CONTENT, /* DATA, BDAT, the end of the message  */
    REFERENCE_STAGE_N
};

struct reference_action_text {
    const char *name;                  /* "slow-down"; NULL of NONE */
    struct reference_text title, does; /* one line; a paragraph     */
};

enum reference_judges { REFERENCE_JUDGES_UNTOLD, REFERENCE_JUDGES_NO, REFERENCE_JUDGES_YES };

/* What replies mean when no provider's signature says. What is NULL or 0 fits all. */
struct reference_rule {
    const char *id;
    enum reference_action action; /* NONE: left to the next that fits */
    enum reference_judges judges; /* UNTOLD: the same                 */
    const int *codes; /* 421, or 4 for a class; 0 ends */
    const struct reference_range *ranges;
    size_t ranges_n;
    unsigned stages; /* bits, 1 << REFERENCE_AT_NAME */
    const char *const *texts;
};

/* A reply known by its text, or by a number that only one provider uses. */
struct reference_signature {
    const char *id;
    const struct reference_provider *provider;
    const int *codes; /* 0 ends */
    const struct reference_range *ranges;
    size_t ranges_n;
    const char *const *texts; /* lower case; '*' stands for anything; NULL ends */
    bool by_number;           /* the ranges alone tell it                       */
    bool reused;              /* the registry gives the number another meaning  */
    const char *said;         /* a reply as it is sent                          */
    enum reference_retry retry;
    enum reference_action action;
    bool judges; /* as in reference_advice */
    unsigned actors;
    struct reference_text meaning; /* one line */
    struct reference_text fix;
    const char *const *sources;
};

/* Headings, labels and the sentences a comparison without a written page is made of. */
/* clang-format off */
#define REFERENCE_WORDS(X)                                                                                          \
    X(DESCRIPTION) X(WHEN) X(FIX) X(DIFFERENCE) X(WHICH)                                                    \
    X(FACTS) X(COMMANDS) X(ENHANCED) X(ENHANCED_CODE) X(RFC) X(RELATED) X(REASONS) X(RETRY)   \
    X(CLASS) X(SUBJECT) X(CODES) X(CODE) X(REASON) X(DECODED) X(MORE) X(ALSO)                      \
    X(COMMAND_ANY) X(COMMAND_CONNECT) X(COMMAND_MESSAGE)                                                    \
    X(CLASS_2) X(CLASS_3) X(CLASS_4) X(CLASS_5)                                                             \
    X(DIGIT_0) X(DIGIT_1) X(DIGIT_2) X(DIGIT_5) X(DIGIT_OTHER)                                              \
    X(LINE_2) X(LINE_3) X(LINE_4) X(LINE_5) X(LINE_BAD)                                                     \
    X(RETRY_GO_ON) X(RETRY_REORDER) X(RETRY_LATER) X(RETRY_CHANGED)                                         \
    X(SUBJECT_0) X(SUBJECT_1) X(SUBJECT_2) X(SUBJECT_3) X(SUBJECT_4) X(SUBJECT_5) X(SUBJECT_6) X(SUBJECT_7) \
    X(ENHANCED_CLASS_2) X(ENHANCED_CLASS_4) X(ENHANCED_CLASS_5)                                             \
    X(WHO) X(STANDING) X(SOURCE) X(SYNTAX) X(SPEAKS_FIRST) X(PROMPTS) X(PROMPTS_WITH) X(TLS) X(ANSWERS)      \
    X(REUSED) X(QUEUE_DOES) X(PROVIDER) X(PROVIDERS) X(PROVIDERS_SAY) X(SAID_OTHERWISE) X(EXAMPLE) X(RECOGNISED)     \
    X(STANDING_STANDARD) X(STANDING_OBSOLETE) X(STANDING_PRIVATE) X(STANDING_DRAFT) X(STANDING_UNOFFICIAL)     \
    X(BY_NOBODY) X(BY_PROGRAM) X(BY_SENDER) X(BY_OPERATOR) X(BY_SERVER) X(BY_RECIPIENT)                       \
    X(KIND_CODE) X(KIND_ENHANCED) X(KIND_COMMAND) X(KIND_KEYWORD) X(KIND_MECHANISM) X(KIND_REASON)             \
    X(KINDS_CODE) X(KINDS_ENHANCED) X(KINDS_COMMAND) X(KINDS_KEYWORD) X(KINDS_MECHANISM) X(KINDS_REASON)       \
    X(FIRST_CLIENT) X(FIRST_SERVER) X(TLS_REQUIRED) X(TLS_ADVISED) X(TLS_OPTIONAL)                            \
    X(WHEN_COMMAND) X(WHEN_KEYWORD) X(WHEN_MECHANISM) X(FIX_TOPIC) X(COMPARISONS) X(COMPARED) X(SAME_FACTS)  \
    X(MENU) X(ALSO_NAMED) X(KIND_PROVIDER) \
    X(SITE_TITLE) X(SITE_LEAD) X(SITE_SEARCH) X(SITE_SEARCH_HINT) X(SITE_NO_RESULT) X(SITE_RESULTS) \
    X(SITE_NEEDS_SCRIPT) X(SITE_SKIP) X(SITE_LIGHT) X(SITE_STATES) X(SITE_STATES_TEXT) \
    X(SITE_STATES_HINT) X(SITE_ON_THIS_PAGE) X(SITE_START) X(SITE_SEED) X(SITE_FROM_C) \
    X(SITE_FROM_S) X(SITE_OTHER_LANGUAGE) X(SITE_MADE_BY) X(SITE_CODES_LEAD) X(SITE_ENHANCED_LEAD) \
    X(SITE_COMMANDS_LEAD) X(SITE_KEYWORDS_LEAD) X(SITE_MECHANISMS_LEAD) X(SITE_REASONS_LEAD) \
    X(SITE_PROVIDERS_LEAD) X(SITE_COMPARED_LEAD) X(NOTE_BASE64) X(NOTE_EMPTY) X(NOTE_CANCEL) \
    X(NOTE_ANSWER) X(NOTE_CONTENT) X(NOTE_END) X(NOTE_DOT) X(NOTE_BLANK) \
    X(NOTE_UNKNOWN) X(NOTE_MORE) X(NOTE_HOST) X(NOTE_EXTENSION) X(UNLISTED_CODE) X(UNLISTED_ENHANCED)                                                                   \
    X(NUMBER_1) X(NUMBER_2) X(BOTH_IN_ONE) X(COMPOSED) X(SAME_CLASS) X(OTHER_CLASS) X(UNKNOWN) X(NEAREST) X(UNKNOWN_HINT)
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

/* The written comparison of two pages by their names, in either order, or NULL. */
const struct reference_pair *reference_pair_find(const char *a, const char *b);

/* A command, keyword or mechanism by a name of it in any case, or NULL. */
const struct reference_topic *reference_topic_find(enum reference_topic_kind kind, struct sp_view name);

/* A provider by its id in any case, or NULL. */
const struct reference_provider *reference_provider_find(struct sp_view id);

/*
 * What a provider means by this reply: by its text, or else by an enhanced code of the provider's own.
 *
 *   code  as received
 *   text  what follows the code; of a reply with several lines, any one of them
 *
 * NULL: no provider's words.
 */
const struct reference_signature *reference_signature_find(int code, struct sp_view text);

/* What a refusal means for who delivers. */
struct reference_advice {
    enum reference_action action;
    bool judges; /* the message or who sends it is refused as such (spam, content, policy, lists of bad
                    senders): a forged sender must not be told. The same at whatever stage it comes */
    const char *id; /* of the signature, or else of the rule that names the action; NULL with NONE */
    uint32_t wait_s; /* how long it asks to wait: "try again in 300 seconds"; 0: it does not; a week at most */
};

/*
 * Advise on a reply: by a provider's signature, or else by the first rules that fit.
 *
 *   code, text  as of reference_signature_find; another than 4yz and 5yz is no refusal
 */
struct reference_advice reference_advise(int code, struct sp_view text, enum reference_stage stage);

/* NULL of NONE, and of what is no action. */
const struct reference_action_text *reference_action_text(enum reference_action action);

/* In the order in which they are asked. */
const struct reference_rule *reference_rules(size_t *n_out);

/* Does the text hold the pattern: lower case, '*' for anything; letters of the text in any case? One that
 * begins with a letter does so at the start of a word: "rbl" is not in "marble". */
bool reference_text_holds(struct sp_view text, const char *pattern);

/* Is it in one of the ranges? */
struct reference_enhanced;
bool reference_ranges_have(const struct reference_range *ranges, size_t n, const struct reference_enhanced *e);

/* Does the signature go with this enhanced code? */
bool reference_signature_has(const struct reference_signature *signature, const struct reference_enhanced *enhanced);

/* The meaning of X.subject.detail, or NULL when it is not registered. */
const struct reference_meaning *reference_meaning_find(int subject, int detail);

/* All entries in ascending order; n_out is their number. */
const struct reference_code *reference_codes(size_t *n_out);
const struct reference_reason *reference_reasons(size_t *n_out);
const struct reference_pair *reference_pairs(size_t *n_out);
const struct reference_meaning *reference_meanings(size_t *n_out);

/* By kind, then by name. */
const struct reference_topic *reference_topics(size_t *n_out);

/* In the order of the catalogue. */
const struct reference_provider *reference_providers(size_t *n_out);
const struct reference_signature *reference_signatures(size_t *n_out);

/* "unofficial", "operator", "mechanism": the spelling in JSON. */
const char *reference_standing_name(enum reference_standing standing);
const char *reference_actor_name(enum reference_actor actor);
const char *reference_topic_kind_name(enum reference_topic_kind kind);

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
 *         A known [reason-id] at its end is explained first, then a provider's words, then a
 *         known text, then an enhanced code that does not usually come with this code, then the code, then its
 *         first digit.
 *
 * Never NULL.
 */
const char *reference_explain(int code, struct sp_view text, enum reference_lang lang);

#endif
