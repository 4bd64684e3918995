#include "config/keys.h"

#include <string.h>

#include "base/nearest.h"

#define TYPE_TOP         struct config
#define TYPE_LISTENER    struct config_listener
#define TYPE_ROUTE       struct config_route
#define TYPE_DOMAIN      struct config_domain
#define TYPE_LIMITS      struct config_limits
#define TYPE_USERS       struct config_users
#define TYPE_TOKENS      struct config_tokens
#define TYPE_QUEUE       struct config_queue
#define TYPE_SESSIONS    struct config_sessions
#define TYPE_TLS_REPORTS struct config_tls_reports
#define TYPE_SRS         struct config_srs
#define TYPE_RULE        struct config_rule
#define TYPE_DNS         struct config_dns

#define FIELD(section, field)                                                                                \
    .offset = offsetof(TYPE_##section, field), .width = sizeof(((TYPE_##section *)0)->field)

#define KIB    (UINT64_C(1) << 10)
#define MIB    (UINT64_C(1) << 20)
#define GIB    (UINT64_C(1) << 30)
#define MINUTE 60
#define HOUR   3600
#define DAY    86400

#define SECTION(...)
#define KEY(in, key, as, field, choice, preset_text, meaning)                                                \
    {.section = CONFIG_SECTION_##in,                                                                         \
     .name = (key),                                                                                          \
     .kind = CONFIG_KIND_##as,                                                                               \
     FIELD(in, field),                                                                                       \
     .words = (choice),                                                                                      \
     .preset = (preset_text)},
#define LIST(in, key, as, field, count, meaning)                                                             \
    {.section = CONFIG_SECTION_##in,                                                                         \
     .name = (key),                                                                                          \
     .kind = CONFIG_KIND_##as,                                                                               \
     FIELD(in, field),                                                                                       \
     .count_offset = offsetof(TYPE_##in, count),                                                             \
     .list = true,                                                                                           \
     .preset = ""},
#define LIMIT(in, key, as, field, preset_text, from, to, reason)                                             \
    {.section = CONFIG_SECTION_##in,                                                                         \
     .name = (key),                                                                                          \
     .kind = CONFIG_KIND_##as,                                                                               \
     FIELD(in, field),                                                                                       \
     .preset = (preset_text),                                                                                \
     .least = (from),                                                                                        \
     .most = (to)},

const struct config_key config_keys[] = {
#include "config/config_keys.def"
#include "config/config_limits.def"
};
const size_t config_key_n = sizeof config_keys / sizeof *config_keys;

#undef SECTION
#undef KEY
#undef LIST
#define SECTION(id, text, title_text, meaning) [CONFIG_SECTION_##id] = {text, title_text},
#define KEY(...)
#define LIST(...)
static const struct {
    const char *name, *title;
} sections[] = {
#include "config/config_keys.def"
};

const char *config_section_name(enum config_section_id id) { return sections[id].name; }

const char *config_section_title(enum config_section_id id) { return sections[id].title; }

enum config_section_id config_section_find(const char *name)
{
    for (enum config_section_id id = CONFIG_SECTION_TOP + 1; id < CONFIG_SECTION_N; id++)
        if (strcmp(sections[id].name, name) == 0)
            return id;
    return CONFIG_SECTION_N;
}

const struct config_key *config_key_find(enum config_section_id section, const char *name)
{
    for (const struct config_key *k = config_keys; k < config_keys + config_key_n; k++)
        if (k->section == section && strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

/* The better of two candidates for a misspelt word. */
static const char *nearer(const char *word, const char *best, const char *candidate)
{
    if (!sp_word_is_near(word, candidate))
        return best;
    return best && sp_word_distance(word, best) <= sp_word_distance(word, candidate) ? best : candidate;
}

const char *config_key_nearest(enum config_section_id section, const char *name)
{
    const char *best = NULL;
    for (size_t i = 0; i < config_key_n; i++)
        if (config_keys[i].section == section)
            best = nearer(name, best, config_keys[i].name);
    return best;
}

const char *config_section_nearest(const char *name)
{
    const char *best = NULL;
    for (enum config_section_id id = CONFIG_SECTION_TOP + 1; id < CONFIG_SECTION_N; id++)
        best = nearer(name, best, sections[id].name);
    return best;
}

const char *config_key_names(enum config_section_id section, struct sp_arena *arena)
{
    const char *names = NULL;
    for (size_t i = 0; section < CONFIG_SECTION_N && i < config_key_n; i++)
        if (config_keys[i].section == section)
            names = names ? config_text(arena, "%s, %s", names, config_keys[i].name) : config_keys[i].name;
    for (enum config_section_id id = CONFIG_SECTION_TOP + 1;
         section == CONFIG_SECTION_N && id < CONFIG_SECTION_N; id++)
        names = names ? config_text(arena, "%s, %s", names, sections[id].name) : sections[id].name;
    return names;
}
