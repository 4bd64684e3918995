/* The sections and keys that a configuration may hold: one table, made of config_keys.def and config_limits.def. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "config/config.h"
#include "config/read.h"

#define SECTION(id, ...) CONFIG_SECTION_##id,
#define KEY(...)
#define LIST(...)
enum config_section_id {
#include "config/config_keys.def"
    CONFIG_SECTION_N
};
#undef SECTION
#undef KEY
#undef LIST

/* How a value is read; see value.c. */
#define CONFIG_KINDS(X)                                                                                      \
    X(TEXT) X(PATH) X(MAILDIR) X(DOMAIN) X(HOST) X(ROUTE) X(CHOICE) X(YESNO) X(ADDRESS) X(NETWORK)            \
    X(LOCALPART) X(PATTERN) X(MECHANISM) X(OCTETS) X(COUNT) X(SECONDS)

#define X(kind) CONFIG_KIND_##kind,
enum config_kind { CONFIG_KINDS(X) CONFIG_KIND_N };
#undef X

struct config_key {
    enum config_section_id section;
    const char            *name;
    enum config_kind       kind;
    size_t                 offset;       /* of the field in the section's struct               */
    size_t                 width;        /* of the field                                       */
    size_t                 count_offset; /* lists: of the number of elements                   */
    bool                   list;
    const char            *words;        /* CHOICE: the enum's names in order, space separated  */
    const char            *preset;       /* the default as text; "": absent; NULL: must be given */
    uint64_t               least, most;  /* numbers                                            */
};

extern const struct config_key config_keys[];
extern const size_t            config_key_n;

/* NULL when there is none. */
const struct config_key *config_key_find(enum config_section_id section, const char *name);

/* "" for what stands outside of sections. */
const char *config_section_name(enum config_section_id id);

/* What a section's title is: "the domain"; NULL: it has none and stands once. */
const char *config_section_title(enum config_section_id id);

/* CONFIG_SECTION_N when there is none. */
enum config_section_id config_section_find(const char *name);

/* The name that an operator may have meant, or NULL: of the section's keys; of the sections. */
const char *config_key_nearest(enum config_section_id section, const char *name);
const char *config_section_nearest(const char *name);

/* "auth, tls, ...", or the names of the sections with CONFIG_SECTION_N. */
const char *config_key_names(enum config_section_id section, struct sp_arena *arena);

/*
 * Read a setting's value into the field of a section's struct.
 *
 *   where   "listener \"mx\"/auth" for messages
 *   folder  relative paths start here; "" for the working folder
 *   target  the section's struct
 *
 * Faults are noted; the field is then untouched.
 */
struct config_place {
    const char           *folder;
    struct config_faults *faults;
};
void config_value_set(const struct config_place *place, const struct config_key *key, const char *where,
                      const struct config_setting *setting, void *target);

/*
 * Read a text that does not come from a file as a value of a kind that needs no table row (TEXT, DOMAIN, HOST,
 * ADDRESS, ...). Returns NULL, or what is wrong with it; memory is the arena's.
 */
const char *config_value_read(enum config_kind kind, const char *where, const char *text, struct sp_arena *arena,
                              void *field);

#endif
