/*
 * The text of a configuration as a tree, each node with its line, and the list of faults. What the words
 * mean is not known here.
 *
 *     # a comment, to the end of the line
 *     key = value                     values: words, or "text" with \" and \\; one setting a line
 *     key = { value, value }          a list may go over several lines
 *     section "title" {               sections do not nest
 *         key = value
 *     }
 *
 * The form is libconfuse's. Its parser is not used: it forgets lines over block comments, refuses comments in lists,
 * accepts a section that is never closed, puts environment variables into values, skips octets it does not know,
 * and stops at the first unknown key.
 */
#ifndef CONFIG_READ_H
#define CONFIG_READ_H

#include "base/arena.h"
#include "base/buf.h"
#include "config/config.h"

enum {
    CONFIG_FAULTS_MAX = 50     /* shown; then reading is a waste of the operator's time */
};

struct config_fault;

/* Faults in any order; config_faults_show sorts them by line. */
struct config_faults {
    struct sp_arena     *arena;
    struct config_fault *newest;
    size_t               n;
};

/* Note a fault, one sentence without its end. */
void config_fault(struct config_faults *f, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The text of the fault noted last, or NULL. */
const char *config_fault_text(const struct config_faults *f);

/* Append "PATH:LINE: text" lines. */
void config_faults_show(const struct config_faults *f, const char *path, struct sp_buf *out);

/* A value as text, unescaped; it holds no control octets and ends in a NUL. */
struct config_value {
    const char *text;
    unsigned    line;
    struct config_value *next;
};

/* key = value, or key = { value, ... } */
struct config_setting {
    const char            *name;
    unsigned               line;
    bool                   list;
    struct config_value   *values;
    size_t                 n;
    struct config_setting *next;
};

/* The first section of a tree has the name "": what stands outside of all sections. */
struct config_section {
    const char            *name;
    const char            *title; /* NULL: none */
    unsigned               line;
    struct config_setting *settings, *last;
    struct config_section *next;
};

/* Never NULL; what is faulty is left out and noted. All memory is the faults' arena's. */
struct config_section *config_read(struct sp_view text, struct config_faults *f);

/* Arena memory, zeroed; and formatted text in it. The arena of a configuration never says no (os_heap). */
void *config_new(struct sp_arena *a, size_t n);
char *config_text(struct sp_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
