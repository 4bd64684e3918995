/*
 * Pages of the reference: what is said about a code, an enhanced code, a command, keyword, mechanism, reason
 * id or provider, and about two of them side by side. A page is written once, as a sequence of blocks; where
 * the blocks go (terminal, Markdown, HTML, a manual page) is the business of a struct pages_out.
 */
#ifndef PAGES_PAGES_H
#define PAGES_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "reference/reference.h"

enum pages_kind {
    PAGES_CODE,
    PAGES_ENHANCED,
    PAGES_COMMAND,
    PAGES_KEYWORD,
    PAGES_MECHANISM,
    PAGES_REASON,
    PAGES_PROVIDER,
    PAGES_KIND_N
};

enum { PAGES_NAME_MAX = 63 };

/* What a page is about. */
struct pages_subject {
    enum pages_kind kind;
    char name[PAGES_NAME_MAX + 1];             /* "334", "5.7.8", "X.7.8", "PLAIN" */
    int code;                                  /* CODE                             */
    const struct reference_code *entry;        /* CODE: NULL for a code without an entry           */
    struct reference_enhanced enhanced;        /* ENHANCED: class 0 for X.7.8                      */
    const struct reference_meaning *meaning;   /* ENHANCED: NULL when it is not registered         */
    const struct reference_topic *topic;       /* COMMAND, KEYWORD, MECHANISM                      */
    const struct reference_reason *reason;     /* REASON                                           */
    const struct reference_provider *provider; /* PROVIDER                                         */
};

enum { PAGES_SAME_NAME_MAX = 4 };

/*
 * All subjects of this name, in any case, the most likely first: AUTH is a command and a keyword. A kind may
 * stand in front: "keyword AUTH". Returns their number, 0 to PAGES_SAME_NAME_MAX. A code in 200..599 and an
 * enhanced code are always subjects, with or without an entry.
 */
size_t pages_subjects(const char *name, struct pages_subject subjects_out[PAGES_SAME_NAME_MAX]);

/* The subjects of entries. */
struct pages_subject pages_subject_of_code(const struct reference_code *entry);
struct pages_subject pages_subject_of_meaning(const struct reference_meaning *meaning); /* "X.7.8" */
struct pages_subject pages_subject_of_enhanced(int subject, int detail);                /* the same */
struct pages_subject pages_subject_of_topic(const struct reference_topic *topic);
struct pages_subject pages_subject_of_reason(const struct reference_reason *reason);
struct pages_subject pages_subject_of_provider(const struct reference_provider *provider);

/*
 * Enhanced codes that are in no registry and that a provider uses: the one behind (subject, detail), or the
 * first behind (0, 0). false: there are no more.
 */
bool pages_private_enhanced(int *subject, int *detail);

/* Does the catalogue have an entry behind it? */
bool pages_subject_is_known(const struct pages_subject *subject);

/* The same page? 5.7.8 and X.7.8 are. */
bool pages_subject_eq(const struct pages_subject *a, const struct pages_subject *b);

/* "Reply code", "SASL mechanism". */
const char *pages_kind_word(enum pages_kind kind, enum reference_lang lang);

/* Parts of a page as text; owned by the caller, never NULL. NAME and SUMMARY are one line. */
enum pages_part {
    PAGES_PART_NAME,
    PAGES_PART_SUMMARY,
    PAGES_PART_DESCRIPTION,
    PAGES_PART_WHEN,
    PAGES_PART_FIX
};
char *pages_part(const struct pages_subject *subject, enum pages_part part, enum reference_lang lang);

/* Headings of WHEN and FIX, which differ by kind. */
enum reference_word pages_part_heading(const struct pages_subject *subject, enum pages_part part);

/* A block of facts. */
struct pages_fact {
    const char *label;
    char *value; /* owned                                                          */
    char *other; /* owned; of the second of two subjects; NULL in a page about one  */
    bool names;  /* names of pages or RFCs, parted by ", "                          */
};
enum { PAGES_FACTS_MAX = 20 };
struct pages_facts {
    const char *heads[2]; /* the names of two subjects; NULL in a page of one */
    struct pages_fact fact[PAGES_FACTS_MAX];
    size_t n;
};
void pages_facts(const struct pages_subject *subject, enum reference_lang lang,
                 struct pages_facts *facts_out);
void pages_facts_free(struct pages_facts *facts);

/* Where blocks go. Implementations begin with this struct. Texts are as in the catalogue; borrowed for the
 * call. */
struct pages_out;
struct pages_ops {
    void (*title)(struct pages_out *out, const char *key, const char *kind, const char *name);
    void (*heading)(struct pages_out *out, const char *anchor, const char *text);
    void (*subheading)(struct pages_out *out, const char *anchor, const char *text);
    void (*lead)(struct pages_out *out, const char *text); /* the summary below the title */
    void (*text)(struct pages_out *out, const char *text);
    void (*transcript)(struct pages_out *out, const struct reference_transcript *transcript);
    void (*facts)(struct pages_out *out, const struct pages_facts *facts);
    /* Two texts side by side, each under its title. */
    void (*beside)(struct pages_out *out, const char *const titles[2], const char *const texts[2]);
    void (*small)(struct pages_out *out, const char *text); /* a remark at the end of a part */
};
struct pages_out {
    const struct pages_ops *ops;
    enum reference_lang lang;
};

/* The page of a subject. */
void pages_write(struct pages_out *out, const struct pages_subject *subject);

/* The names of all pages. */
void pages_write_index(struct pages_out *out);

/* One reply: what each part of it says, then what to do. text: what follows the code. */
void pages_write_reply(struct pages_out *out, int code, const char *text);

/* Two subjects side by side. */
void pages_write_comparison(struct pages_out *out, const struct pages_subject *a,
                            const struct pages_subject *b);

/* What a comparison that nobody wrote says, put together from facts; owned by the caller. */
char *pages_composed_difference(const struct pages_subject *a, const struct pages_subject *b,
                                enum reference_lang lang);
char *pages_composed_which(const struct pages_subject *a, const struct pages_subject *b,
                           enum reference_lang lang);

/* The written comparison of two subjects, or NULL. */
const struct reference_pair *pages_pair(const struct pages_subject *a, const struct pages_subject *b);

/* A challenge of a 334 fit to be shown, without quotes; owned by the caller; NULL: not base64, or binary. */
char *pages_decoded(const char *base64);

/* "RFC 4954 4" and the like as a sentence of words; "any" of an entry's commands as words. */
const char *pages_command_word(const char *command, enum reference_lang lang);
const char *pages_retry_sentence(enum reference_retry retry, enum reference_lang lang);

/* "5: permanent failure", "5: the protocol: ..."; NULL where RFC 3463 says nothing. */
const char *pages_enhanced_class(const struct reference_enhanced *enhanced, enum reference_lang lang);
const char *pages_enhanced_subject(const struct reference_enhanced *enhanced, enum reference_lang lang);

/*
 * What each line of a transcript of the catalogue means, line after line. For examples alone: what a client
 * answers to a 334 is shown decoded.
 */
struct pages_noter {
    int expects; /* of the client */
    bool ehlo;
    size_t content_n;
    size_t offered_n; /* lines of an EHLO reply that name no known keyword */
};
/* Owned by the caller; "" for a line that needs no word. */
char *pages_note(struct pages_noter *noter, const struct reference_line *line, enum reference_lang lang);

#endif
