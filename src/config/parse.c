#include "config/parse.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/view.h"
#include "os/heap.h"

struct parse {
    struct config *config;
    struct config_place place;
    struct config_faults *faults;
    struct config_block *blocks, *last;
    struct sp_table seen; /* "section title" -> the first block of that name */
};

const char *config_block_where(const struct config_block *b, const char *key, struct sp_arena *arena)
{
    const char *name = config_section_name(b->id), *title = b->section->title;
    const char *where = title ? config_text(arena, "%s \"%.60s\"", name, title) : name;
    if (!key)
        return where;
    return where[0] ? config_text(arena, "%s/%s", where, key) : key;
}

const struct config_setting *config_block_setting(const struct config_block *b, const char *key)
{
    const struct config_setting *s = b->section->settings;
    while (s && strcmp(s->name, key) != 0)
        s = s->next;
    return s;
}

/* --- blocks -------------------------------------------------------------------------------------- */

static void fault_unknown_section(struct parse *p, const struct config_section *section)
{
    struct sp_arena *arena = p->faults->arena;
    const char *nearest = config_section_nearest(section->name);
    config_fault(p->faults, section->line, "no section is called %.60s%s%s%s; allowed: %s", section->name,
                 nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "",
                 config_key_names(CONFIG_SECTION_N, arena));
}

/* Titles are names that appear in logs, messages and other sections. */
static bool is_name(const char *title)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(title);
    return len > 0 && len <= 64 && strspn(title, allowed) == len;
}

/* The title fits its section, and no section before has it. */
static bool check_title(struct parse *p, struct config_block *b)
{
    const char *name = config_section_name(b->id), *title = b->section->title,
               *means = config_section_title(b->id);
    if (means && !title) {
        config_fault(p->faults, b->section->line, "%s: a title is missing: %s \"...\" { with %s", name, name,
                     means);
        return false;
    }
    if (!means && title) {
        config_fault(p->faults, b->section->line, "%s has no title; it stands once: %s {", name, name);
        return false;
    }
    if (title && b->id != CONFIG_SECTION_DOMAIN && !is_name(title)) {
        config_fault(p->faults, b->section->line,
                     "%s: '%.80s' is not a name; allowed: 1 to 64 letters, digits, '.', '-' and '_'", name,
                     title);
        return false;
    }
    char *key_text = config_text(p->faults->arena, "%s %s", name, title ? title : "");
    for (char *c = key_text; *c && b->id == CONFIG_SECTION_DOMAIN; c++)
        *c = (char)sp_ascii_lower((uint8_t)*c);
    struct sp_view key = sp_view_of(key_text);
    const struct config_block *first = sp_table_get(&p->seen, key);
    if (first) {
        config_fault(p->faults, b->section->line, "%s is repeated; it stands in line %u already",
                     config_block_where(b, NULL, p->faults->arena), first->section->line);
        return false;
    }
    return sp_table_put(&p->seen, key, b) == SP_OK;
}

/* The title of a domain is its name, in any case. */
static const char *take_domain(struct parse *p, const struct config_section *section)
{
    const char *name = NULL;
    const char *wrong =
        config_value_read(CONFIG_KIND_DOMAIN, "domain", section->title, p->faults->arena, &name);
    if (wrong)
        config_fault(p->faults, section->line, "%s", wrong);
    return name;
}

/* The struct that a section fills; NULL when its title is no domain. */
static void *add_target(struct parse *p, struct config_block *b)
{
    struct config *c = p->config;
    const char *title = b->section->title;
    switch (b->id) {
    case CONFIG_SECTION_LISTENER:
        c->listeners[c->listener_n].name = title;
        return &c->listeners[c->listener_n++];
    case CONFIG_SECTION_ROUTE:
        c->routes[c->route_n].name = title;
        return &c->routes[c->route_n++];
    case CONFIG_SECTION_DOMAIN:
        c->domains[c->domain_n].name = take_domain(p, b->section);
        return c->domains[c->domain_n].name ? &c->domains[c->domain_n++] : NULL;
    case CONFIG_SECTION_RULE:
        c->rules[c->rule_n].name = title;
        return &c->rules[c->rule_n++];
    case CONFIG_SECTION_DNS:
        return &c->dns;
    case CONFIG_SECTION_LIMITS:
        return &c->limits;
    case CONFIG_SECTION_USERS:
        return &c->users;
    case CONFIG_SECTION_TOKENS:
        return &c->tokens;
    case CONFIG_SECTION_SRS:
        return &c->srs;
    case CONFIG_SECTION_QUEUE:
        return &c->queue;
    case CONFIG_SECTION_SESSIONS:
        return &c->sessions;
    case CONFIG_SECTION_TLS_REPORTS:
        return &c->tls_reports;
    default:
        return c;
    }
}

static void fault_unknown_key(struct parse *p, const struct config_block *b, const struct config_setting *s)
{
    struct sp_arena *arena = p->faults->arena;
    const char *in = b->id == CONFIG_SECTION_TOP ? "outside of sections" : config_block_where(b, NULL, arena);
    const char *nearest = config_key_nearest(b->id, s->name);
    for (enum config_section_id id = CONFIG_SECTION_TOP; !nearest && id < CONFIG_SECTION_N; id++)
        if (config_key_find(id, s->name)) {
            config_fault(p->faults, s->line, "%s: no key %.60s; it is one of %s%s", in, s->name,
                         id == CONFIG_SECTION_TOP ? "those outside of all sections" : "section ",
                         config_section_name(id));
            return;
        }
    config_fault(p->faults, s->line, "%s: no key %.60s%s%s%s; allowed: %s", in, s->name,
                 nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "",
                 config_key_names(b->id, arena));
}

static void take_setting(struct parse *p, struct config_block *b, const struct config_setting *s)
{
    const struct config_key *key = config_key_find(b->id, s->name);
    if (!key) {
        fault_unknown_key(p, b, s);
        return;
    }
    const char *where = config_block_where(b, s->name, p->faults->arena);
    const struct config_setting *first = config_block_setting(b, s->name);
    if (first != s) {
        config_fault(p->faults, s->line, "%s is repeated; it stands in line %u already", where, first->line);
        return;
    }
    config_value_set(&p->place, key, where, s, b->target);
}

/* Defaults are read like what an operator writes. */
static void take_presets(struct parse *p, void *target, enum config_section_id id)
{
    for (const struct config_key *key = config_keys; key < config_keys + config_key_n; key++) {
        if (key->section != id || !key->preset || key->preset[0] == '\0')
            continue;
        struct config_value value = {.text = key->preset, .line = 1};
        struct config_setting setting = {.name = key->name, .line = 1, .values = &value, .n = 1};
        config_value_set(&p->place, key, key->name, &setting, target);
    }
}

static void check_required(struct parse *p, const struct config_block *b)
{
    for (size_t i = 0; i < config_key_n; i++)
        if (config_keys[i].section == b->id && !config_keys[i].preset &&
            !config_block_setting(b, config_keys[i].name))
            config_fault(p->faults, b->section->line, "%s: %s is missing",
                         config_block_where(b, NULL, p->faults->arena), config_keys[i].name);
}

static void take_section(struct parse *p, const struct config_section *section)
{
    struct config_block *b = config_new(p->faults->arena, sizeof *b);
    b->section = section;
    b->id = section->name[0] ? config_section_find(section->name) : CONFIG_SECTION_TOP;
    if (b->id == CONFIG_SECTION_N) {
        fault_unknown_section(p, section);
        return;
    }
    if (!check_title(p, b) || !(b->target = add_target(p, b)))
        return;
    if (p->last)
        p->last->next = b;
    else
        p->blocks = b;
    p->last = b;
    take_presets(p, b->target, b->id);
    for (const struct config_setting *s = section->settings; s; s = s->next)
        take_setting(p, b, s);
    check_required(p, b);
}

/* --- the whole ----------------------------------------------------------------------------------- */

static void make_room(struct parse *p, const struct config_section *top)
{
    struct sp_arena *arena = p->faults->arena;
    struct config *c = p->config;
    size_t n = 3; /* the routes hold, discard and mx */
    for (const struct config_section *s = top; s; s = s->next)
        n++;
    c->listeners = config_new(arena, n * sizeof *c->listeners);
    c->routes = config_new(arena, n * sizeof *c->routes);
    c->domains = config_new(arena, n * sizeof *c->domains);
    c->rules = config_new(arena, n * sizeof *c->rules);
    c->routes[c->route_n++] = (struct config_route){.name = "hold", .kind = CONFIG_ROUTE_HOLD};
    c->routes[c->route_n++] = (struct config_route){.name = "discard", .kind = CONFIG_ROUTE_DISCARD};
    take_presets(p, &c->dns, CONFIG_SECTION_DNS);
    take_presets(p, &c->limits, CONFIG_SECTION_LIMITS);
    take_presets(p, &c->users, CONFIG_SECTION_USERS);
    take_presets(p, &c->tokens, CONFIG_SECTION_TOKENS);
    take_presets(p, &c->queue, CONFIG_SECTION_QUEUE);
    take_presets(p, &c->sessions, CONFIG_SECTION_SESSIONS);
}

/* The route mx, unless it was written. */
static void add_mx(struct parse *p)
{
    struct config *c = p->config;
    if (config_find_route(c, SP_LIT("mx")))
        return;
    struct config_route *mx = &c->routes[c->route_n++];
    take_presets(p, mx, CONFIG_SECTION_ROUTE);
    mx->name = "mx";
    mx->kind = CONFIG_ROUTE_MX;
    mx->port = CONFIG_SMTP_PORT;
}

static char *folder_of(const char *path, struct sp_arena *arena)
{
    const char *slash = strrchr(path, '/');
    return slash ? config_text(arena, "%.*s", (int)(slash - path), path) : config_text(arena, "%s", "");
}

int config_parse(const char *path, struct sp_view text, struct sp_buf *error, struct config **config_out)
{
    struct sp_arena *arena = os_new(sizeof *arena);
    sp_arena_init(arena, &os_heap, SIZE_MAX);
    struct config_faults faults = {.arena = arena};
    struct parse p = {.faults = &faults, .place = {folder_of(path, arena), &faults}};
    p.config = config_new(arena, sizeof *p.config);
    p.config->memory = arena;
    sp_table_init(&p.seen, &os_heap, 0);

    struct config_section *top = config_read(text, &faults);
    make_room(&p, top);
    for (const struct config_section *s = top; s; s = s->next)
        take_section(&p, s);
    add_mx(&p);
    config_rules(p.config, p.blocks, &faults);
    sp_table_fini(&p.seen);

    if (faults.n) {
        config_faults_show(&faults, path, error);
        config_free(p.config);
        return SP_ERR_SYNTAX;
    }
    *config_out = p.config;
    return SP_OK;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    struct sp_arena *arena = c->memory;
    sp_arena_reset(arena);
    free(arena);
}

/* --- finding ------------------------------------------------------------------------------------- */

const struct config_listener *config_find_listener(const struct config *c, struct sp_view name)
{
    for (size_t i = 0; i < c->listener_n; i++)
        if (sp_view_eq(sp_view_of(c->listeners[i].name), name))
            return &c->listeners[i];
    return NULL;
}

const struct config_route *config_find_route(const struct config *c, struct sp_view name)
{
    for (size_t i = 0; i < c->route_n; i++)
        if (sp_view_eq(sp_view_of(c->routes[i].name), name))
            return &c->routes[i];
    return NULL;
}

/* Names are lower case; the domains are sorted by rules.c. */
const struct config_domain *config_find_domain(const struct config *c, struct sp_view name)
{
    size_t from = 0, to = c->domain_n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        struct sp_view here = sp_view_of(c->domains[middle].name);
        int order = 0;
        for (size_t i = 0; order == 0 && i < here.len && i < name.len; i++)
            order = (int)sp_ascii_lower(name.p[i]) - (int)here.p[i];
        if (order == 0)
            order = (name.len > here.len) - (name.len < here.len);
        if (order == 0)
            return &c->domains[middle];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}
