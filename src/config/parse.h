/* Between parse.c and rules.c: a section of the text and its place in the struct. */
#ifndef CONFIG_PARSE_H
#define CONFIG_PARSE_H

#include "config/keys.h"

enum { CONFIG_SMTP_PORT = 25, CONFIG_LMTP_PORT = 24 };

struct config_block {
    const struct config_section *section;
    enum config_section_id       id;
    void                        *target; /* the section's struct      */
    struct config_block         *next;
};

/* "listener \"mx\"", "limits"; "" outside of sections. With a key "listener \"mx\"/auth". */
const char *config_block_where(const struct config_block *b, const char *key, struct sp_arena *arena);

/* The setting of a key, or NULL when it is not given. */
const struct config_setting *config_block_setting(const struct config_block *b, const char *key);

/*
 * What no single value can know: routes that are named exist, keys fit together. Fills the fields that
 * follow from others (default_route, domains' routes, require-tls, ports).
 */
void config_rules(struct config *c, const struct config_block *blocks, struct config_faults *faults);

#endif
