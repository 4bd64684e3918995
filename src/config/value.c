/* One value of each kind: from the operator's text to a field, or a sentence that says what would be right.
 */
#include "config/mechanisms.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "base/view.h"

/* What a value is read for. */
struct spot {
    const struct config_place *place;
    const struct config_key *key;
    const char *where;
    const struct config_value *value;
};

static struct sp_arena *arena_of(const struct spot *s) { return s->place->faults->arena; }

/* "WHERE: 'VALUE' WHAT; allowed: ALLOWED" */
static bool refuse(const struct spot *s, const char *what, const char *allowed)
{
    config_fault(s->place->faults, s->value->line, "%s: '%.80s' %s; allowed: %s", s->where, s->value->text,
                 what, allowed);
    return false;
}

/* --- numbers ------------------------------------------------------------------------------------- */

struct unit {
    char letter;
    uint64_t factor;
};

static const struct unit octet_units[] = {{'K', 1 << 10}, {'M', 1 << 20}, {'G', 1 << 30}, {0, 1}};
static const struct unit second_units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
static const struct unit count_units[] = {{0, 1}};

static const struct unit *units_of(enum config_kind kind, size_t *n_out)
{
    *n_out = kind == CONFIG_KIND_COUNT ? 1 : 4;
    return kind == CONFIG_KIND_OCTETS    ? octet_units
           : kind == CONFIG_KIND_SECONDS ? second_units
                                         : count_units;
}

/* A number as an operator would write it: in the largest unit that divides it. */
static const char *show_number(struct sp_arena *a, enum config_kind kind, uint64_t number)
{
    size_t n;
    const struct unit *units = units_of(kind, &n), *best = NULL;
    for (const struct unit *u = units; u < units + n; u++)
        if (number % u->factor == 0 && (number || u->factor == 1) && (!best || u->factor > best->factor))
            best = u;
    return config_text(a, "%" PRIu64 "%.1s", number / best->factor, (const char[]){best->letter, 0});
}

static const char *show_range(const struct spot *s)
{
    static const char *const notes[CONFIG_KIND_N] = {[CONFIG_KIND_OCTETS] = " (octets, or with K, M, G)",
                                                     [CONFIG_KIND_SECONDS] = " (a number with s, m, h or d)"};
    const char *note = notes[s->key->kind];
    return config_text(arena_of(s), "%s to %s%s", show_number(arena_of(s), s->key->kind, s->key->least),
                       show_number(arena_of(s), s->key->kind, s->key->most), note ? note : "");
}

static bool set_number(const struct spot *s, void *field)
{
    size_t n;
    const struct unit *units = units_of(s->key->kind, &n), *unit = NULL;
    struct sp_view text = sp_view_of(s->value->text);
    char last = text.len ? s->value->text[text.len - 1] : 0;
    if (sp_ascii_digit((uint8_t)last))
        last = 0;
    for (const struct unit *u = units; u < units + n; u++)
        if (u->letter == last)
            unit = u;
    uint64_t number;
    int status = sp_view_u64(last ? sp_view_sub(text, 0, text.len - 1) : text, UINT64_MAX, &number);
    if (status == SP_ERR_SYNTAX)
        return refuse(s, "is not a number", show_range(s));
    if (!unit)
        return refuse(s, last ? "has an unknown unit" : "has no unit", show_range(s));
    if (status || number > s->key->most / unit->factor || number * unit->factor < s->key->least)
        return refuse(s, "is out of range", show_range(s));
    number *= unit->factor;
    if (s->key->width == sizeof(uint64_t))
        *(uint64_t *)field = number;
    else if (s->key->width == sizeof(uint32_t))
        *(uint32_t *)field = (uint32_t)number;
    else
        *(uint16_t *)field = (uint16_t)number;
    return true;
}

/* --- words --------------------------------------------------------------------------------------- */

static bool set_choice(const struct spot *s, void *field)
{
    struct sp_view rest = sp_view_of(s->key->words), word;
    for (unsigned i = 0; sp_view_word(&rest, ' ', &word); i++)
        if (sp_view_eq(word, sp_view_of(s->value->text))) {
            *(unsigned *)field = i; /* an enum without negative values */
            return true;
        }
    return refuse(s, "is not one of the words", s->key->words);
}

static bool set_yesno(const struct spot *s, void *field)
{
    bool yes = strcmp(s->value->text, "yes") == 0;
    if (!yes && strcmp(s->value->text, "no") != 0)
        return refuse(s, "is neither", "yes, no");
    *(bool *)field = yes;
    return true;
}

static bool set_text(const struct spot *s, void *field)
{
    if (s->value->text[0] == '\0')
        return refuse(s, "is empty", "a text");
    *(const char **)field = s->value->text;
    return true;
}

/* --- names and addresses ------------------------------------------------------------------------- */

/* Letters, digits and hyphens in labels of 1 to 63, 253 in all, a label that is not all digits at the end
 * (RFC 1123 2.1). */
static bool is_domain(const char *text)
{
    size_t label = 0, len = strlen(text);
    bool digits = true;
    for (const char *p = text; *p; p++) {
        uint8_t c = (uint8_t)*p;
        bool hyphen = c == '-';
        if (c == '.') {
            if (label == 0 || p[-1] == '-')
                return false;
            label = 0;
            digits = true;
        } else if (sp_ascii_alpha(c) || sp_ascii_digit(c) || (hyphen && label)) {
            digits = digits && sp_ascii_digit(c);
            if (++label > 63)
                return false;
        } else {
            return false;
        }
    }
    return label > 0 && len <= 253 && text[len - 1] != '-' && !digits;
}

static char *lower(struct sp_arena *a, const char *text)
{
    char *copy = config_text(a, "%s", text);
    for (char *p = copy; *p; p++)
        *p = (char)sp_ascii_lower((uint8_t)*p);
    return copy;
}

static bool set_domain(const struct spot *s, void *field)
{
    if (!is_domain(s->value->text))
        return refuse(s, "is not a domain name",
                      "labels of letters, digits and hyphens with dots between (mail.example.org); others in "
                      "their xn-- form");
    *(const char **)field = lower(arena_of(s), s->value->text);
    return true;
}

static bool set_host(const struct spot *s, void *field)
{
    const char *text = s->value->text;
    size_t len = strlen(text);
    if (len > 2 && text[0] == '[' && text[len - 1] == ']')
        text = config_text(arena_of(s), "%.*s", (int)len - 2, text + 1);
    struct in6_addr ip;
    if (!is_domain(text) && inet_pton(AF_INET, text, &ip) != 1 && inet_pton(AF_INET6, text, &ip) != 1)
        return refuse(s, "is neither a host name nor an address",
                      "smtp.example.org, 192.0.2.1, \"2001:db8::1\"; the port stands in a key of its own");
    *(const char **)field = text;
    return true;
}

static bool set_address(const struct spot *s, void *field)
{
    if (os_address_parse(sp_view_of(s->value->text), field) == SP_OK)
        return true;
    return refuse(s, "is not a numeric address with a port",
                  "\"192.0.2.1:25\", \"[2001:db8::1]:25\", \"0.0.0.0:25\", \"[::]:25\"");
}

/* The widest network that may relay: 10.0.0.0/8 and fc00::/7 are the widest private ones. */
enum { WIDEST_V4 = 96 + 8, WIDEST_V6 = 7 };

static bool set_network(const struct spot *s, void *element)
{
    struct os_network n;
    int status = os_network_parse(sp_view_of(s->value->text), &n);
    if (status == SP_ERR_RANGE)
        return refuse(s, "has a prefix out of range, or bits set behind it",
                      "\"192.0.2.0/24\", \"2001:db8::/32\", with zeros behind the prefix");
    if (status)
        return refuse(s, "is not a network", "\"192.0.2.0/24\", \"2001:db8::/32\", or one address");
    if (n.prefix < (n.v4 ? WIDEST_V4 : WIDEST_V6))
        return refuse(s, "would make an open relay, which others abuse within hours",
                      "the networks of your own machines, at widest /8 (IPv4) or /7 (IPv6)");
    *(struct os_network *)element = n;
    return true;
}

/* As delivery compares them: lower case, unquoted. */
static bool set_localpart(const struct spot *s, void *element)
{
    static const char special[] = "()<>[]:;@\\,\" ";
    const char *text = s->value->text;
    size_t len = strlen(text);
    bool ascii = true;
    for (const char *p = text; *p; p++)
        ascii = ascii && (uint8_t)*p < 0x80;
    if (len == 0 || len > 64 || !ascii || strpbrk(text, special))
        return refuse(s, "is not a local part",
                      "1 to 64 ASCII octets, what stands before the @: alice, first.last");
    *(const char **)element = lower(arena_of(s), text);
    return true;
}

/* --- mechanisms ---------------------------------------------------------------------------------- */

static bool set_mechanism(const struct spot *s, void *element)
{
    enum sasl_mechanism_id id = config_mechanism_find(s->value->text);
    const char *nearest = id ? NULL : config_mechanism_nearest(s->value->text);
    if (!id)
        return refuse(s,
                      nearest ? config_text(arena_of(s), "is not a mechanism; did you mean %s?", nearest)
                              : "is not a mechanism",
                      config_mechanism_names(arena_of(s)));
    *(enum sasl_mechanism_id *)element = id;
    return true;
}

/* "example.org", "*.example.org", "alice@example.org", "<>". */
static bool set_pattern(const struct spot *s, void *element)
{
    const char *text = s->value->text;
    size_t at = 0;
    bool good = text[0] != '\0' && strlen(text) <= 320;
    for (const char *p = text; *p; p++) {
        at += *p == '@';
        good = good && (uint8_t)*p > ' ' && (uint8_t)*p < 0x7f;
    }
    if (!good || at > 1 || (strpbrk(text, "<>,;\"") && strcmp(text, "<>") != 0))
        return refuse(
            s, "is no pattern of addresses",
            "example.org, \"*.example.org\", \"alice@example.org\", \"sales-*@example.org\", \"<>\" "
            "(the empty sender)");
    ((struct config_pattern *)element)->text = lower(arena_of(s), text);
    return true;
}

/* --- paths --------------------------------------------------------------------------------------- */

static bool set_path(const struct spot *s, void *field)
{
    const char *text = s->value->text;
    if (text[0] == '\0')
        return refuse(s, "is empty",
                      "a path; a relative one starts from the folder of the configuration file");
    bool relative = text[0] != '/' && s->place->folder[0] != '\0';
    *(const char **)field = relative ? config_text(arena_of(s), "%s/%s", s->place->folder, text) : text;
    return true;
}

static bool set_maildir(const struct spot *s, void *field)
{
    for (const char *p = strchr(s->value->text, '%'); p; p = strchr(p + 2, '%'))
        if (p[1] == '\0' || !strchr("dl%", p[1]))
            return refuse(s, "has an unknown placeholder",
                          "%d (domain), %l (local part), %% (a percent sign)");
    return set_path(s, field);
}

/* The routes may stand further down: rules.c finds them. */
static bool set_route(const struct spot *s, void *field)
{
    const char *name;
    (void)field;
    return set_text(s, &name);
}

/* --- all ----------------------------------------------------------------------------------------- */

static const struct {
    bool (*set)(const struct spot *s, void *field);
    size_t element; /* of lists */
} kinds[CONFIG_KIND_N] = {
    [CONFIG_KIND_TEXT] = {set_text, 0},
    [CONFIG_KIND_PATH] = {set_path, 0},
    [CONFIG_KIND_MAILDIR] = {set_maildir, 0},
    [CONFIG_KIND_DOMAIN] = {set_domain, 0},
    [CONFIG_KIND_HOST] = {set_host, 0},
    [CONFIG_KIND_ROUTE] = {set_route, 0},
    [CONFIG_KIND_CHOICE] = {set_choice, 0},
    [CONFIG_KIND_YESNO] = {set_yesno, 0},
    [CONFIG_KIND_ADDRESS] = {set_address, sizeof(struct os_address)},
    [CONFIG_KIND_NETWORK] = {set_network, sizeof(struct os_network)},
    [CONFIG_KIND_LOCALPART] = {set_localpart, sizeof(const char *)},
    [CONFIG_KIND_MECHANISM] = {set_mechanism, sizeof(enum sasl_mechanism_id)},
    [CONFIG_KIND_PATTERN] = {set_pattern, sizeof(struct config_pattern)},
    [CONFIG_KIND_OCTETS] = {set_number, 0},
    [CONFIG_KIND_COUNT] = {set_number, 0},
    [CONFIG_KIND_SECONDS] = {set_number, 0},
};

static void set_list(struct spot *s, const struct config_setting *setting, uint8_t *target)
{
    size_t size = kinds[s->key->kind].element, n = 0;
    if (setting->n == 0) {
        config_fault(s->place->faults, setting->line, "%s: the list is empty; leave the key out instead",
                     s->where);
        return;
    }
    uint8_t *elements = config_new(arena_of(s), setting->n * size);
    for (s->value = setting->values; s->value; s->value = s->value->next)
        n += kinds[s->key->kind].set(s, elements + n * size);
    memcpy(target + s->key->offset, &elements, sizeof elements);
    memcpy(target + s->key->count_offset, &n, sizeof n);
}

void config_value_set(const struct config_place *place, const struct config_key *key, const char *where,
                      const struct config_setting *setting, void *target)
{
    struct spot s = {place, key, where, setting->values};
    if (key->list)
        set_list(&s, setting, target);
    else if (setting->list)
        config_fault(place->faults, setting->line, "%s: takes one value, not a list", where);
    else
        kinds[key->kind].set(&s, (uint8_t *)target + key->offset);
}

const char *config_value_read(enum config_kind kind, const char *where, const char *text,
                              struct sp_arena *arena, void *field)
{
    struct config_faults faults = {.arena = arena};
    struct config_place place = {"", &faults};
    struct config_key key = {.kind = kind};
    struct config_value value = {.text = text, .line = 1};
    struct spot s = {&place, &key, where, &value};
    kinds[kind].set(&s, field);
    return config_fault_text(&faults);
}
